//! Plans of balancers: by example, and for any wish and any state. The reference in memory, by the suite.
#![cfg(feature = "kubernetes")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail like tests")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use proptest::prelude::*;
use qcloud_container::kubernetes::load_balancers::conformance::{self, Harness};
use qcloud_container::kubernetes::load_balancers::{
    Access, DeletePolicy, Existing, HealthKind, Host, InMemoryLoadBalancers, LbLimits, LbRef, LbSpec, LbState,
    ListenerKey, ListenerSpec, ListenerState, LoadBalancers, Op, OrphanTracker, Owner, Protocol, Rule, RuleState,
    Scheduler, Scope, ServiceKey, StaticAddress, Subject, Target, TargetSet, Tls, annotations as names, plan,
};
use qcloud_container::kubernetes::{ClusterIdentity, ErrorKind};

fn key() -> ServiceKey {
    ServiceKey::new("ns", "web", "uid")
}

fn limits() -> LbLimits {
    LbLimits::new(50, 200)
}

fn own() -> Owner {
    Owner::Service("uid".into())
}

fn spec(ports: &[(u16, Protocol)]) -> LbSpec {
    LbSpec::new(key(), ports.iter().map(|&(port, protocol)| ListenerSpec::new(port, protocol)))
}

#[test]
fn like_listeners_are_made_by_one_step() {
    let mut want = spec(&[(80, Protocol::Tcp), (81, Protocol::Tcp), (53, Protocol::Udp), (82, Protocol::Tcp)]);
    want.listeners[3].settings.session_seconds = 60;
    let plan = plan(&want, &[], &limits()).unwrap();
    assert_eq!(plan.subject, Subject::New);
    let made: Vec<usize> = plan
        .ops
        .iter()
        .filter_map(|op| match op {
            Op::CreateListeners { keys, .. } => Some(keys.len()),
            _ => None,
        })
        .collect();
    assert_eq!(made, [2, 1, 1]);
}

#[test]
fn targets_are_added_before_others_go() {
    let mut want = spec(&[(80, Protocol::Tcp)]);
    let key = want.listeners[0].key;
    let numbered = |range: std::ops::Range<u32>| range.map(|n| (Target::instance(format!("ins-{n}"), 1), 10));
    let mut state = LbState::new("lb-1", own());
    let mut listener = ListenerState::new("lbl-1", key, true);
    listener.targets = numbered(0..150).collect();
    state.listeners.push(listener);
    want.targets.set(key, numbered(100..280));
    let plan = plan(&want, &[state], &limits()).unwrap();
    let sizes: Vec<(bool, usize)> = plan
        .ops
        .iter()
        .map(|op| match op {
            Op::AddTargets(bindings) => (true, bindings.len()),
            Op::RemoveTargets(bindings) => (false, bindings.len()),
            other => panic!("{other:?}"),
        })
        .collect();
    // 150 are there and 130 come: 80 have to go first, or the listener would hold more than 200.
    assert_eq!(sizes, [(false, 80), (true, 130), (false, 20)]);
}

#[test]
fn of_two_balancers_the_recorded_one_is_kept() {
    let mut want = spec(&[]);
    let twins = [LbState::new("lb-1", own()), LbState::new("lb-2", own())];
    let plain = plan(&want, &twins, &limits()).unwrap();
    assert_eq!((plain.subject, plain.superseded), (Subject::Existing("lb-1".into()), vec!["lb-2".to_owned()]));
    want.recorded_id = Some("lb-2".into());
    let recorded = plan(&want, &twins, &limits()).unwrap();
    assert_eq!((recorded.subject, recorded.superseded), (Subject::Existing("lb-2".into()), vec!["lb-1".to_owned()]));
}

#[test]
fn another_network_needs_leave() {
    let mut want = spec(&[]);
    want.scope = Scope::Internal { subnet: "subnet-1".into() };
    let refused = plan(&want, &[LbState::new("lb-1", own())], &limits()).unwrap_err();
    assert!(refused.is_final() && refused.to_string().contains("subnet"));
    want.allow_recreate = true;
    let replaced = plan(&want, &[LbState::new("lb-1", own())], &limits()).unwrap();
    assert_eq!((replaced.subject, replaced.superseded), (Subject::New, vec!["lb-1".to_owned()]));
}

#[tokio::test]
async fn sharing_a_balancer_has_to_be_said() {
    let cloud = InMemoryLoadBalancers::new(ClusterIdentity::new("c1", "kubernetes"));
    let balancer = cloud.make_user_balancer();
    cloud.make_user_listener(&balancer, ListenerKey::new(8080, Protocol::Tcp));
    let other =
        |uid: &str, port| LbSpec::new(ServiceKey::new("ns", uid, uid), [ListenerSpec::new(port, Protocol::Tcp)]);
    // What a user made there is no other Service.
    let mut first = other("first", 80);
    first.existing = Some(Existing::new(balancer.as_str()));
    cloud.ensure(&first).await.unwrap();
    cloud.ensure(&first).await.unwrap();
    // A Service of another cluster is one.
    let elsewhere = cloud.in_cluster(ClusterIdentity::new("c2", "kubernetes"));
    let mut second = other("second", 81);
    second.existing = Some(Existing::new(balancer.as_str()));
    for cloud in [&cloud, &elsewhere] {
        let error = cloud.ensure(&second).await.unwrap_err();
        assert!(error.is_final() && error.to_string().contains(names::SHARE_EXISTING), "{error}");
    }
    second.existing = Some(Existing::shared(balancer.as_str()));
    elsewhere.ensure(&second).await.unwrap();
}

#[test]
fn an_elastic_address_is_not_exchanged_in_place() {
    let mut want = spec(&[]);
    want.scope = Scope::Internal { subnet: "subnet-1".into() };
    want.address = Some(StaticAddress::Reserved("eip-2".into()));
    let mut state = LbState::new("lb-1", own());
    state.scope = want.scope.clone();
    for before in [None, Some("eip-1".to_owned())] {
        state.reserved_address = before;
        let refused = plan(&want, std::slice::from_ref(&state), &limits()).unwrap_err();
        assert!(refused.is_final() && refused.to_string().contains("the address"), "{refused}");
    }
    state.reserved_address = Some("eip-2".into());
    assert_eq!(plan(&want, &[state], &limits()).unwrap().ops, []);
}

/// A rule whose check asks for a host of its own goes back to the host of the rule.
#[test]
fn the_host_of_a_check_goes_back_to_that_of_the_rule() {
    let rule = |host: &str| Rule { host: host.into(), path: "/".into() };
    let mut want = spec(&[(80, Protocol::Http)]);
    want.listeners[0].rules = [rule("a.example"), rule("*.b.example")].into();
    want.listeners[0].settings.health.kind = Some(HealthKind::Http);
    let mut state = LbState::new("lb-1", own());
    let mut listener = ListenerState::new("lbl-1", want.listeners[0].key, true);
    listener.rules = want.listeners[0]
        .rules
        .iter()
        .map(|rule| RuleState::new("loc", rule.clone(), want.listeners[0].settings.clone()))
        .collect();
    state.listeners.push(listener);
    let ops = |state: &LbState| plan(&want, std::slice::from_ref(state), &limits()).unwrap().ops;
    assert_eq!(ops(&state), []);
    for rule in &mut state.listeners[0].rules {
        rule.settings.health.domain = Some("check.example".into());
    }
    // No request asks for a pattern, so that there is nothing to go back to.
    assert!(matches!(&ops(&state)[..], [Op::ModifyRule { rule, .. }] if rule.host == "a.example"), "{:?}", ops(&state));
    for rule in &mut state.listeners[0].rules {
        rule.settings.health.domain = Some(rule.rule.host.clone());
    }
    assert_eq!(ops(&state), []);
}

#[test]
fn a_shared_balancer_is_not_fenced_in() {
    let mut want = spec(&[(80, Protocol::Tcp)]);
    want.existing = Some(Existing::shared("lb-1"));
    want.access = Access::open().with_source_ranges(["10.0.0.0/8".parse().unwrap()]);
    assert!(limits().check(&want).unwrap_err().is_final());
}

#[test]
fn orphans_are_due_after_their_grace() {
    let mut tracker = OrphanTracker::new(Duration::from_secs(3600));
    let sweep =
        [LbState::new("lb-1", Owner::Service("gone".into())), LbState::new("lb-2", Owner::Service("live".into()))];
    let live = BTreeSet::from(["live".to_owned()]);
    let start = Instant::now();
    assert_eq!(tracker.look(&sweep, &live, start).waiting.len(), 1);
    assert_eq!(tracker.look(&sweep, &live, start + Duration::from_secs(3599)).due.len(), 0);
    let due = tracker.look(&sweep, &live, start + Duration::from_secs(3600)).due;
    assert_eq!(due[0].recorded.as_deref(), Some("lb-1"));
    // A Service that came back starts its time anew.
    assert!(tracker.look(&sweep, &["gone".to_owned(), "live".to_owned()].into(), start).waiting.is_empty());
    assert_eq!(tracker.look(&sweep, &live, start + Duration::from_secs(7200)).due.len(), 0);
}

struct Memory(InMemoryLoadBalancers);

#[async_trait]
impl Harness for Memory {
    async fn fresh(&self) -> Arc<dyn LoadBalancers> {
        Arc::new(self.0.clone())
    }
    async fn other_cluster(&self) -> Arc<dyn LoadBalancers> {
        Arc::new(self.0.in_cluster(ClusterIdentity::new("other", "kubernetes")))
    }
    async fn pass(&self, _: Duration) {
        self.0.settle();
    }
    async fn make_user_balancer(&self) -> String {
        self.0.make_user_balancer()
    }
    async fn make_user_listener(&self, balancer: &str, key: ListenerKey) {
        self.0.make_user_listener(balancer, key);
    }
    async fn remove_balancer(&self, id: &str) {
        self.0.remove_balancer(id);
    }
    async fn exists(&self, id: &str) -> bool {
        self.0.exists(id)
    }
    async fn hosts(&self) -> Vec<Host> {
        conformance::addresses(4)
    }
    async fn subnet(&self) -> Option<String> {
        Some("subnet-1".into())
    }
}

#[tokio::test]
async fn the_reference_conforms() {
    let memory = Memory(InMemoryLoadBalancers::new(ClusterIdentity::new("c1", "kubernetes")));
    conformance::run(&memory).await.unwrap();
}

#[tokio::test]
async fn a_balancer_can_be_kept() {
    let cloud = InMemoryLoadBalancers::new(ClusterIdentity::new("c1", "kubernetes"));
    let want = spec(&[(80, Protocol::Tcp)]);
    assert_eq!(cloud.ensure(&want).await.unwrap_err().kind(), ErrorKind::Pending);
    cloud.settle();
    let status = cloud.ensure(&want).await.unwrap();
    cloud.delete(&LbRef::new(key()), DeletePolicy::Retain).await.unwrap();
    assert!(cloud.exists(&status.id));
    assert!(cloud.observe(&LbRef::new(key()).with_recorded(status.id)).await.unwrap().is_none());
    assert!(cloud.sweep_owned().await.unwrap().is_empty());
}

fn protocols() -> impl Strategy<Value = Protocol> {
    prop::sample::select(vec![Protocol::Tcp, Protocol::Udp, Protocol::TcpSsl, Protocol::Http, Protocol::Https])
}

prop_compose! {
    fn listener()(
        port in 1u16..8,
        protocol in protocols(),
        session in prop::sample::select(vec![0u32, 30, 60]),
        scheduler in prop::sample::select(vec![None, Some(Scheduler::LeastConnections)]),
        interval in prop::sample::select(vec![None, Some(5u32)]),
        hosts in prop::collection::btree_set("[ab]", 0..3),
    ) -> ListenerSpec {
        let mut listener = ListenerSpec::new(port, protocol);
        listener.settings.session_seconds = if protocol.can_proxy() { 0 } else { session };
        listener.settings.scheduler = scheduler;
        listener.settings.health.interval = interval;
        listener.settings.tls = protocol.needs_tls().then(|| Tls::new(["cert"]));
        if protocol.has_rules() && !hosts.is_empty() {
            listener.rules = hosts.into_iter().map(|host| Rule { host, path: "/".into() }).collect();
        }
        listener
    }
}

prop_compose! {
    fn wish()(
        mut listeners in prop::collection::vec(listener(), 0..6),
        targets in prop::collection::vec(prop::collection::btree_map(0u32..6, 0u16..3, 0..5), 6),
        internal in any::<bool>(),
        bandwidth in prop::option::of(1u32..4),
        deletion in prop::option::of(any::<bool>()),
        ranges in prop::collection::vec(0u8..3, 0..3),
    ) -> LbSpec {
        let mut slots = BTreeSet::new();
        listeners.retain(|listener| slots.insert(listener.key.slot()));
        let mut want = LbSpec::new(key(), listeners);
        let keys: Vec<ListenerKey> = want.listeners.iter().map(|listener| listener.key).collect();
        for (key, targets) in keys.into_iter().zip(targets) {
            let targets = targets.into_iter().map(|(n, weight)| (Target::instance(format!("ins-{n}"), 1), weight));
            want.targets.set(key, targets);
        }
        if internal {
            want.scope = Scope::Internal { subnet: "subnet-1".into() };
        }
        want.allow_recreate = true;
        want.bandwidth = bandwidth;
        want.protection.deletion = deletion;
        let ranges = ranges.into_iter().map(|n| format!("10.{n}.0.0/16").parse().unwrap());
        want.access = Access::open().with_source_ranges(ranges);
        want
    }
}

fn until_done(cloud: &InMemoryLoadBalancers, want: &LbSpec) {
    let mut want = want.clone();
    for _ in 0..10 {
        match now(cloud.ensure(&want)) {
            Ok(status) if status.again_after.is_none() => return,
            Ok(status) => want.published = status.ingress,
            Err(error) if error.kind() == ErrorKind::Pending => cloud.settle(),
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("no end");
}

fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #[test]
    fn a_plan_carried_out_leaves_nothing_to_plan(wishes in prop::collection::vec(wish(), 1..4)) {
        let cloud = InMemoryLoadBalancers::new(ClusterIdentity::new("c1", "kubernetes"));
        for want in &wishes {
            until_done(&cloud, want);
            let observed = now(cloud.sweep_owned()).unwrap();
            prop_assert_eq!(observed.len(), 1);
            let again = plan(want, &observed, &limits()).unwrap();
            prop_assert_eq!(again.ops, vec![]);
            prop_assert_eq!(again.superseded, Vec::<String>::new());
            for listener in &want.listeners {
                let state = observed[0].listener(listener.key).unwrap();
                let targets: Vec<_> = state.rules.iter().map(|rule| &rule.targets).collect();
                let targets = if listener.key.protocol.has_rules() { targets } else { vec![&state.targets] };
                prop_assert!(targets.into_iter().all(|targets| Some(targets) == want.targets.of(listener.key)));
            }
        }
    }

    #[test]
    fn what_is_foreign_never_changes(
        wishes in prop::collection::vec(wish(), 1..4),
        foreign in prop::collection::btree_set(6u16..10, 1..3),
    ) {
        let cloud = InMemoryLoadBalancers::new(ClusterIdentity::new("c1", "kubernetes"));
        let balancer = cloud.make_user_balancer();
        for port in foreign {
            cloud.make_user_listener(&balancer, ListenerKey::new(port, Protocol::Tcp));
        }
        // Another Service on the same balancer, to look through.
        let viewer = LbRef::new(ServiceKey::new("ns", "viewer", "viewer")).with_existing(balancer.as_str());
        let mut other = LbSpec::new(viewer.service.clone(), [ListenerSpec::new(99, Protocol::Tcp)]);
        other.existing = Some(Existing::shared(balancer.as_str()));
        until_done(&cloud, &other);
        let foreign = || {
            let state = now(cloud.observe(&viewer)).unwrap().unwrap();
            state.listeners.into_iter().filter(|listener| !listener.owned).collect::<Vec<_>>()
        };
        let before = foreign();
        for mut want in wishes {
            want.existing = Some(Existing::shared(balancer.as_str()));
            want.access = Access::open();
            if let Err(error) = now(cloud.ensure(&want)) {
                prop_assert_eq!(error.kind(), ErrorKind::Conflict);
            }
            let mut kept = foreign();
            kept.retain(|state| before.iter().any(|old| old.id == state.id));
            prop_assert_eq!(&kept, &before);
        }
        let of = LbRef::new(key()).with_existing(balancer.as_str());
        now(cloud.delete(&of, DeletePolicy::Delete)).unwrap();
        prop_assert_eq!(foreign(), before);
    }

    #[test]
    fn a_fingerprint_follows_the_wish(one in wish(), two in wish()) {
        prop_assert_eq!(one == two, one.fingerprint() == two.fingerprint());
        let mut recorded = one.clone();
        recorded.recorded_id = Some("lb-1".into());
        prop_assert_eq!(recorded.fingerprint(), one.fingerprint());
    }
}

#[test]
fn an_empty_set_of_targets_is_not_no_set() {
    let mut set = TargetSet::default();
    let key = ListenerKey::new(80, Protocol::Tcp);
    assert!(set.of(key).is_none());
    set.set(key, []);
    assert!(set.of(key).is_some_and(|targets| targets.is_empty()));
}
