//! A suite that tells whether an implementation of [`LoadBalancers`] keeps the contract.
//!
//! An implementation gives a [`Harness`] over its cloud, or a stand-in of it, and runs [`run`]. The checks make and
//! remove their own Services and leave other things alone; each can be run by itself.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::listener::{ListenerKey, ListenerSpec, Protocol};
use super::service::ServiceKey;
use super::spec::{Existing, LbSpec, Scope};
use super::state::{LbState, LbStatus};
use super::targets::{Host, Target, TargetSet};
use super::{DeletePolicy, LbRef, LoadBalancers};
use crate::kubernetes::{ErrorKind, Retry};

/// How the suite works on an implementation and its cloud.
#[async_trait]
pub trait Harness: Send + Sync {
    /// The implementation as a new process has it: it remembers nothing, and the cloud is the same.
    async fn fresh(&self) -> Arc<dyn LoadBalancers>;

    /// The same for another cluster in the same account.
    async fn other_cluster(&self) -> Arc<dyn LoadBalancers>;

    /// Lets this much time pass for the cloud.
    async fn pass(&self, time: Duration);

    /// Makes a balancer as a user would. Gives its id.
    async fn make_user_balancer(&self) -> String;

    /// Makes a listener as a user would.
    async fn make_user_listener(&self, balancer: &str, key: ListenerKey);

    /// Deletes a balancer behind the implementation's back.
    async fn remove_balancer(&self, id: &str);

    /// Whether a balancer exists.
    async fn exists(&self, id: &str) -> bool;

    /// At least four hosts that can be targets.
    async fn hosts(&self) -> Vec<Host>;

    /// A subnet for internal balancers, when there are any.
    async fn subnet(&self) -> Option<String>;
}

/// A check that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The name of the check.
    pub check: &'static str,
    /// What was wrong.
    pub message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.check, self.message)
    }
}

impl std::error::Error for Failure {}

/// The names of all checks.
pub const CHECKS: [&str; 12] = [
    "makes_and_deletes",
    "is_idempotent",
    "is_adopted_by_a_new_process",
    "follows_ports",
    "follows_targets",
    "serves_tcp_and_udp_on_one_port",
    "comes_back_after_removal_by_others",
    "leaves_foreign_listeners_alone",
    "refuses_a_taken_port",
    "refuses_balancers_of_other_services",
    "replaces_only_when_allowed",
    "clusters_do_not_see_each_other",
];

/// Runs all checks; stops at the first that fails.
///
/// # Errors
///
/// The check that failed.
pub async fn run(harness: &dyn Harness) -> Result<(), Failure> {
    for check in CHECKS {
        run_one(harness, check).await?;
    }
    Ok(())
}

/// Runs one of [`CHECKS`].
///
/// # Errors
///
/// When it fails, or there is no such check.
pub async fn run_one(harness: &dyn Harness, check: &'static str) -> Result<(), Failure> {
    let outcome = match check {
        "makes_and_deletes" => makes_and_deletes(harness).await,
        "is_idempotent" => is_idempotent(harness).await,
        "is_adopted_by_a_new_process" => is_adopted(harness).await,
        "follows_ports" => follows_ports(harness).await,
        "follows_targets" => follows_targets(harness).await,
        "serves_tcp_and_udp_on_one_port" => serves_tcp_and_udp(harness).await,
        "comes_back_after_removal_by_others" => comes_back(harness).await,
        "leaves_foreign_listeners_alone" => leaves_foreign_listeners_alone(harness).await,
        "refuses_a_taken_port" => refuses_a_taken_port(harness).await,
        "refuses_balancers_of_other_services" => refuses_foreign_balancers(harness).await,
        "replaces_only_when_allowed" => replaces_only_when_allowed(harness).await,
        "clusters_do_not_see_each_other" => clusters_are_apart(harness).await,
        _ => Err("there is no such check".to_owned()),
    };
    outcome.map_err(|message| Failure { check, message })
}

type Outcome<T = ()> = Result<T, String>;

const TCP_80: ListenerKey = ListenerKey { port: 80, protocol: Protocol::Tcp };

fn holds(what: &str, condition: bool) -> Outcome {
    if condition { Ok(()) } else { Err(what.to_owned()) }
}

async fn spec(harness: &dyn Harness, uid: &str, ports: &[(u16, Protocol)]) -> Outcome<LbSpec> {
    let key = ServiceKey::new("conformance", uid, format!("00000000-0000-4000-8000-{uid:0>12}"));
    let mut spec = LbSpec::new(key, ports.iter().map(|&(port, protocol)| ListenerSpec::new(port, protocol)));
    let hosts = harness.hosts().await;
    holds("the harness gives at least four hosts", hosts.len() >= 4)?;
    spec.targets = targets(&spec, hosts.iter().take(2));
    Ok(spec)
}

fn targets<'h>(spec: &LbSpec, hosts: impl Iterator<Item = &'h Host> + Clone) -> TargetSet {
    let mut set = TargetSet::default();
    for listener in &spec.listeners {
        let port = 30_000 + listener.key.port % 1000;
        set.set(listener.key, hosts.clone().map(|host| (Target { host: host.clone(), port }, 10)));
    }
    set
}

/// Ensures until it is done, letting as much time pass as the implementation asks for.
async fn ensure(harness: &dyn Harness, balancers: &dyn LoadBalancers, want: &LbSpec) -> Outcome<LbStatus> {
    for _ in 0..100 {
        match balancers.ensure(want).await {
            Ok(status) => return Ok(status),
            Err(error) => wait(harness, &error).await?,
        }
    }
    Err("ensure does not come to an end in 100 passes".to_owned())
}

async fn delete(harness: &dyn Harness, balancers: &dyn LoadBalancers, of: &LbRef) -> Outcome {
    for _ in 0..100 {
        match balancers.delete(of, DeletePolicy::Delete).await {
            Ok(()) => return holds("nothing is left after delete", observe(balancers, of).await?.is_none()),
            Err(error) => wait(harness, &error).await?,
        }
    }
    Err("delete does not come to an end in 100 passes".to_owned())
}

async fn wait(harness: &dyn Harness, error: &crate::kubernetes::ProviderError) -> Outcome {
    match error.retry() {
        Retry::Never => return Err(format!("a final error: {error:?}")),
        Retry::After(after) => harness.pass(after).await,
        Retry::Backoff => harness.pass(Duration::from_secs(1)).await,
    }
    Ok(())
}

async fn observe(balancers: &dyn LoadBalancers, of: &LbRef) -> Outcome<Option<LbState>> {
    balancers.observe(of).await.map_err(|error| format!("observe: {error:?}"))
}

async fn exists(balancers: &dyn LoadBalancers, of: &LbRef) -> Outcome<LbState> {
    observe(balancers, of).await?.ok_or_else(|| "nothing is observed".to_owned())
}

async fn makes_and_deletes(harness: &dyn Harness) -> Outcome {
    let balancers = harness.fresh().await;
    let want = spec(harness, "1", &[(80, Protocol::Tcp), (443, Protocol::Tcp)]).await?;
    let of = want.reference();
    holds("there is nothing at first", observe(&*balancers, &of).await?.is_none())?;
    balancers.delete(&of, DeletePolicy::Delete).await.map_err(|error| format!("delete of nothing: {error:?}"))?;
    let status = ensure(harness, &*balancers, &want).await?;
    holds("the status has an address", !status.ingress.is_empty())?;
    let state = exists(&*balancers, &of).await?;
    holds("the status names the balancer", state.id == status.id)?;
    holds("there are two listeners", state.listeners.len() == 2)?;
    let listener = state.listener(TCP_80).ok_or("no listener 80")?;
    holds("the targets are those wanted", Some(&listener.targets) == want.targets.of(TCP_80))?;
    delete(harness, &*balancers, &of).await?;
    holds("the balancer is gone", !harness.exists(&status.id).await)?;
    delete(harness, &*balancers, &of).await
}

async fn is_idempotent(harness: &dyn Harness) -> Outcome {
    let balancers = harness.fresh().await;
    let want = spec(harness, "2", &[(80, Protocol::Tcp)]).await?;
    let first = ensure(harness, &*balancers, &want).await?;
    let before = exists(&*balancers, &want.reference()).await?;
    let second = ensure(harness, &*balancers, &want).await?;
    let after = exists(&*balancers, &want.reference()).await?;
    holds("the status is the same", first.id == second.id && first.ingress == second.ingress)?;
    holds("nothing has changed", before == after)?;
    delete(harness, &*balancers, &want.reference()).await
}

async fn is_adopted(harness: &dyn Harness) -> Outcome {
    let want = spec(harness, "3", &[(80, Protocol::Tcp)]).await?;
    // A process that ends after its first call, another after its second, and so on.
    let mut passes = 0;
    let status = loop {
        let balancers = harness.fresh().await;
        match balancers.ensure(&want).await {
            Ok(status) => break status,
            Err(error) => wait(harness, &error).await?,
        }
        passes += 1;
        holds("new processes come to an end in 100 passes", passes < 100)?;
    };
    let balancers = harness.fresh().await;
    let sweep = balancers.sweep_owned().await.map_err(|error| format!("sweep: {error:?}"))?;
    let owner = super::Owner::Service(want.key.uid.clone());
    let owned: Vec<&LbState> = sweep.iter().filter(|state| state.owner == owner).collect();
    holds("exactly one balancer was made", owned.len() == 1)?;
    holds("it is the one of the status", owned.iter().all(|state| state.id == status.id))?;
    delete(harness, &*harness.fresh().await, &want.reference()).await
}

async fn follows_ports(harness: &dyn Harness) -> Outcome {
    let balancers = harness.fresh().await;
    let want = spec(harness, "4", &[(80, Protocol::Tcp), (81, Protocol::Tcp)]).await?;
    let first = ensure(harness, &*balancers, &want).await?;
    let changed = spec(harness, "4", &[(81, Protocol::Udp), (82, Protocol::Tcp)]).await?;
    let second = ensure(harness, &*balancers, &changed).await?;
    holds("the balancer stays", first.id == second.id)?;
    let state = exists(&*balancers, &want.reference()).await?;
    let mut keys: Vec<ListenerKey> = state.listeners.iter().map(|listener| listener.key).collect();
    keys.sort();
    let wanted = [ListenerKey::new(81, Protocol::Udp), ListenerKey::new(82, Protocol::Tcp)];
    holds("the listeners are those of the new ports", keys == wanted)?;
    delete(harness, &*balancers, &want.reference()).await
}

async fn follows_targets(harness: &dyn Harness) -> Outcome {
    let balancers = harness.fresh().await;
    let mut want = spec(harness, "5", &[(80, Protocol::Tcp)]).await?;
    let of = want.reference();
    let hosts = harness.hosts().await;
    let missing = balancers.update_targets(&of, &want.targets).await;
    holds(
        "targets of a balancer that does not exist are an error",
        missing.is_err_and(|error| error.kind() == ErrorKind::NotFound),
    )?;
    ensure(harness, &*balancers, &want).await?;
    want.targets = targets(&want, hosts.iter().skip(1).take(3));
    for pass in 0.. {
        holds("targets come to an end in 100 passes", pass < 100)?;
        match balancers.update_targets(&of, &want.targets).await {
            Ok(()) => break,
            Err(error) => wait(harness, &error).await?,
        }
    }
    let state = exists(&*balancers, &of).await?;
    let listener = state.listener(TCP_80).ok_or("no listener 80")?;
    holds("the targets are the new ones", Some(&listener.targets) == want.targets.of(TCP_80))?;
    let mut weighted = TargetSet::default();
    let heavier = want.targets.of(TCP_80).into_iter().flatten();
    weighted.set(TCP_80, heavier.enumerate().map(|(n, (target, _))| (target.clone(), if n == 0 { 0 } else { 20 })));
    want.targets = weighted;
    ensure(harness, &*balancers, &want).await?;
    let mut state = exists(&*balancers, &of).await?;
    for _ in 0..100 {
        if state.listener(TCP_80).map(|listener| &listener.targets) == want.targets.of(TCP_80) {
            return delete(harness, &*balancers, &of).await;
        }
        // Weights may take effect later than they are set.
        harness.pass(Duration::from_secs(1)).await;
        state = exists(&*balancers, &of).await?;
    }
    Err("the weights are not the new ones".to_owned())
}

async fn serves_tcp_and_udp(harness: &dyn Harness) -> Outcome {
    let balancers = harness.fresh().await;
    let want = spec(harness, "6", &[(53, Protocol::Tcp), (53, Protocol::Udp)]).await?;
    ensure(harness, &*balancers, &want).await?;
    let state = exists(&*balancers, &want.reference()).await?;
    holds("there are two listeners", state.listeners.len() == 2)?;
    holds("both have targets", state.listeners.iter().all(|listener| listener.targets.len() == 2))?;
    delete(harness, &*balancers, &want.reference()).await
}

async fn comes_back(harness: &dyn Harness) -> Outcome {
    let balancers = harness.fresh().await;
    let want = spec(harness, "7", &[(80, Protocol::Tcp)]).await?;
    let first = ensure(harness, &*balancers, &want).await?;
    harness.remove_balancer(&first.id).await;
    let second = ensure(harness, &*harness.fresh().await, &want).await?;
    holds("another balancer is made", first.id != second.id && !second.ingress.is_empty())?;
    delete(harness, &*balancers, &want.reference()).await
}

async fn leaves_foreign_listeners_alone(harness: &dyn Harness) -> Outcome {
    let balancers = harness.fresh().await;
    let id = harness.make_user_balancer().await;
    let foreign = ListenerKey::new(8080, Protocol::Tcp);
    harness.make_user_listener(&id, foreign).await;
    let mut one = spec(harness, "8", &[(80, Protocol::Tcp)]).await?;
    let mut two = spec(harness, "9", &[(90, Protocol::Tcp)]).await?;
    for want in [&mut one, &mut two] {
        want.existing = Some(Existing::shared(id.as_str()));
        let status = ensure(harness, &*balancers, want).await?;
        holds("the named balancer is used", status.id == id)?;
    }
    let mut alone = spec(harness, "15", &[(100, Protocol::Tcp)]).await?;
    alone.existing = Some(Existing::new(id.as_str()));
    let refused = balancers.ensure(&alone).await;
    holds("who wants it alone is refused for good", refused.is_err_and(|error| error.is_final()))?;
    delete(harness, &*balancers, &one.reference()).await?;
    let state = exists(&*balancers, &two.reference()).await?;
    holds("the user's listener is still there", state.listener(foreign).is_some_and(|listener| !listener.owned))?;
    holds(
        "the other Service's listener is still there",
        state.listener(ListenerKey::new(90, Protocol::Tcp)).is_some(),
    )?;
    holds("the Service's listener is gone", state.listener(TCP_80).is_none())?;
    delete(harness, &*balancers, &two.reference()).await?;
    holds("the user's balancer is still there", harness.exists(&id).await)
}

async fn refuses_a_taken_port(harness: &dyn Harness) -> Outcome {
    let balancers = harness.fresh().await;
    let id = harness.make_user_balancer().await;
    harness.make_user_listener(&id, TCP_80).await;
    let mut want = spec(harness, "10", &[(80, Protocol::Tcp), (81, Protocol::Tcp)]).await?;
    want.existing = Some(Existing::shared(id.as_str()));
    let refused = balancers.ensure(&want).await;
    holds("a taken port is a conflict", refused.is_err_and(|error| error.kind() == ErrorKind::Conflict))?;
    holds("nothing was half done", observe(&*balancers, &want.reference()).await?.is_none())
}

async fn refuses_foreign_balancers(harness: &dyn Harness) -> Outcome {
    let balancers = harness.fresh().await;
    let other = harness.other_cluster().await;
    let theirs = spec(harness, "11", &[(80, Protocol::Tcp)]).await?;
    let status = ensure(harness, &*other, &theirs).await?;
    let mut want = spec(harness, "12", &[(81, Protocol::Tcp)]).await?;
    want.existing = Some(Existing::new(status.id.as_str()));
    let refused = balancers.ensure(&want).await;
    holds("a balancer of another cluster is refused for good", refused.is_err_and(|error| error.is_final()))?;
    want.existing = Some(Existing::new("lb-00absent"));
    let refused = balancers.ensure(&want).await;
    holds(
        "a balancer that does not exist is refused",
        refused.is_err_and(|error| error.kind() == ErrorKind::NotFound),
    )?;
    delete(harness, &*other, &theirs.reference()).await
}

async fn replaces_only_when_allowed(harness: &dyn Harness) -> Outcome {
    let Some(subnet) = harness.subnet().await else { return Ok(()) };
    let balancers = harness.fresh().await;
    let mut want = spec(harness, "13", &[(80, Protocol::Tcp)]).await?;
    let first = ensure(harness, &*balancers, &want).await?;
    want.scope = Scope::Internal { subnet };
    let refused = balancers.ensure(&want).await;
    holds("a change of the network is refused for good", refused.is_err_and(|error| error.is_final()))?;
    holds("the balancer is still there", harness.exists(&first.id).await)?;
    want.allow_recreate = true;
    let mut status = ensure(harness, &*balancers, &want).await?;
    holds("there is another balancer", status.id != first.id)?;
    holds("the first one stays until the status is known", harness.exists(&first.id).await)?;
    // As long as the status of the Service is not written, clients use the first one.
    for _ in 0..3 {
        let again = ensure(harness, &*harness.fresh().await, &want).await?;
        holds("it stays for every process", harness.exists(&first.id).await && again.id == status.id)?;
    }
    want.published.clone_from(&status.ingress);
    for _ in 0..100 {
        let Some(after) = status.again_after else { break };
        harness.pass(after).await;
        status = ensure(harness, &*balancers, &want).await?;
    }
    holds("then it goes", !harness.exists(&first.id).await)?;
    delete(harness, &*balancers, &want.reference()).await
}

async fn clusters_are_apart(harness: &dyn Harness) -> Outcome {
    let (ours, theirs) = (harness.fresh().await, harness.other_cluster().await);
    let want = spec(harness, "14", &[(80, Protocol::Tcp)]).await?;
    let one = ensure(harness, &*ours, &want).await?;
    let two = ensure(harness, &*theirs, &want).await?;
    holds("each cluster has its own balancer", one.id != two.id)?;
    let sweep = ours.sweep_owned().await.map_err(|error| format!("sweep: {error:?}"))?;
    holds("a sweep shows only one's own", sweep.iter().all(|state| state.id != two.id))?;
    holds("and all of those", sweep.iter().any(|state| state.id == one.id))?;
    delete(harness, &*ours, &want.reference()).await?;
    holds("the other cluster's is still there", harness.exists(&two.id).await)?;
    delete(harness, &*theirs, &want.reference()).await
}

/// Addresses for hosts of harnesses whose targets need not exist: 10.0.0.1 and so on.
#[must_use]
pub fn addresses(count: u8) -> Vec<Host> {
    (1..=count).map(|last| Host::Address(IpAddr::from([10, 0, 0, last]))).collect()
}
