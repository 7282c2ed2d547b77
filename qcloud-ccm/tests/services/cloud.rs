//! A cloud in memory whose calls take time, are counted, and fail as a test says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use qcloud_container::kubernetes::load_balancers::{
    DeletePolicy, InMemoryLoadBalancers, LbLimits, LbRef, LbSpec, LbState, LbStatus, ListenerKey, LoadBalancers,
    Protocol, TargetSet,
};
use qcloud_container::kubernetes::{ClusterIdentity, ErrorKind, ProviderError, Result};
use tokio::time::Instant;

pub(crate) const CLUSTER: &str = "cluster-uid";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Op {
    Observe,
    Ensure,
    Update,
    Delete,
    Sweep,
}

/// What happens to a call.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It is refused with such an error.
    Refused(ErrorKind, Option<Duration>),
    /// It is carried out, and the answer is lost.
    LostAfter,
    /// It does not end.
    Hangs,
    /// It is carried out, and does not end.
    HangsAfter,
}

#[derive(Clone, Debug)]
struct Planned {
    op: Op,
    service: Option<String>,
    times: usize,
    fault: Fault,
}

#[derive(Clone)]
pub(crate) struct Cloud {
    pub(crate) inner: InMemoryLoadBalancers,
    script: Arc<Mutex<Script>>,
}

struct Script {
    calls: Vec<(Op, String)>,
    planned: Vec<Planned>,
    /// How long each call takes.
    pace: Duration,
    /// How long a new balancer takes to be made.
    making: Duration,
    made_at: Option<Instant>,
    /// What runs on each balancer now, and the most at once that was seen on any.
    running: BTreeMap<String, usize>,
    most: usize,
    /// Services on which something is done now.
    most_services: usize,
    services: usize,
    /// The call that does not end, counted from now, and whether it is carried out.
    dies: Option<(u64, bool)>,
    /// Whether a call hangs.
    hanging: bool,
}

impl Cloud {
    pub(crate) fn new() -> Self {
        let script = Script {
            calls: Vec::new(),
            planned: Vec::new(),
            pace: Duration::from_millis(50),
            making: Duration::from_secs(3),
            made_at: None,
            running: BTreeMap::new(),
            most: 0,
            most_services: 0,
            services: 0,
            dies: None,
            hanging: false,
        };
        let inner = InMemoryLoadBalancers::new(ClusterIdentity::new(CLUSTER, "test"));
        Self { inner, script: Arc::new(Mutex::new(script)) }
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    /// How long each call takes from now on.
    pub(crate) fn pace(&self, pace: Duration) {
        self.script().pace = pace;
    }

    /// How long new balancers take from now on.
    pub(crate) fn making(&self, making: Duration) {
        self.script().making = making;
    }

    /// What happens to the next calls, of a Service or of any.
    pub(crate) fn plan(&self, op: Op, service: Option<&str>, times: usize, fault: Fault) {
        let service = service.map(str::to_owned);
        self.script().planned.push(Planned { op, service, times, fault });
    }

    pub(crate) fn forgive(&self) {
        self.script().planned.clear();
    }

    /// Lets the `n`-th call from now on not end, carried out or not.
    pub(crate) fn die(&self, n: u64, after: bool) {
        let mut script = self.script();
        (script.dies, script.hanging) = (Some((n, after)), false);
    }

    /// Whether that call has come.
    pub(crate) fn is_dead(&self) -> bool {
        self.script().hanging
    }

    /// No more of that.
    pub(crate) fn live(&self) {
        let mut script = self.script();
        (script.dies, script.hanging) = (None, false);
    }

    /// The calls since they were last forgotten, with the names of their Services.
    pub(crate) fn calls(&self) -> Vec<(Op, String)> {
        self.script().calls.clone()
    }

    pub(crate) fn count(&self, op: Op) -> usize {
        self.calls().iter().filter(|(done, _)| *done == op).count()
    }

    pub(crate) fn forget_calls(&self) {
        let mut script = self.script();
        script.calls.clear();
        (script.most, script.most_services) = (0, 0);
    }

    /// The most calls at once on one balancer, and on all Services.
    pub(crate) fn most_at_once(&self) -> (usize, usize) {
        let script = self.script();
        (script.most, script.most_services)
    }

    /// The balancers of the cluster.
    pub(crate) async fn balancers(&self) -> Vec<LbState> {
        self.inner.sweep_owned().await.unwrap()
    }

    /// What there is for a Service.
    pub(crate) async fn of(&self, of: &LbRef) -> Option<LbState> {
        self.inner.observe(of).await.unwrap()
    }

    async fn call<T>(
        &self,
        op: Op,
        of: Option<&LbRef>,
        carry_out: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let service = of.map(|of| of.service.name.clone()).unwrap_or_default();
        let balancer = of.and_then(|of| of.existing.clone().or(of.recorded.clone())).unwrap_or_else(|| service.clone());
        let (fault, pace) = {
            let mut script = self.script();
            script.calls.push((op, service.clone()));
            let now = script.running.entry(balancer.clone()).or_default();
            *now += 1;
            let now = *now;
            script.services += 1;
            script.most = script.most.max(now);
            script.most_services = script.most_services.max(script.services);
            let at = script.planned.iter().position(|planned| {
                planned.op == op && planned.service.as_ref().is_none_or(|wanted| *wanted == service)
            });
            let dies = match &mut script.dies {
                Some((0, after)) => Some(if *after { Fault::HangsAfter } else { Fault::Hangs }),
                Some((left, _)) => {
                    *left -= 1;
                    None
                }
                None => None,
            };
            let fault = dies.or_else(|| {
                at.map(|at| {
                    let fault = script.planned[at].fault.clone();
                    script.planned[at].times -= 1;
                    if script.planned[at].times == 0 {
                        script.planned.remove(at);
                    }
                    fault
                })
            });
            (fault, script.pace)
        };
        let _running = Running { cloud: self, balancer };
        tokio::time::sleep(pace).await;
        self.settle();
        match fault {
            None => carry_out.await,
            Some(Fault::Refused(kind, after)) => {
                let error =
                    ProviderError::new(kind, "refused by the test").with_code("Test.Code").with_request_id("r-1");
                Err(match after {
                    Some(after) => error.with_retry_after(after),
                    None => error,
                })
            }
            Some(Fault::LostAfter) => {
                let _ = carry_out.await;
                Err(ProviderError::new(ErrorKind::Ambiguous, "the answer is lost"))
            }
            Some(fault) => {
                if matches!(fault, Fault::HangsAfter) {
                    let _ = carry_out.await;
                }
                self.script().hanging = true;
                std::future::pending().await
            }
        }
    }

    /// Lets balancers become ready that were ordered long enough ago.
    fn settle(&self) {
        let due = {
            let mut script = self.script();
            let making = script.making;
            match script.made_at {
                Some(at) if at.elapsed() >= making => {
                    script.made_at = None;
                    true
                }
                _ => false,
            }
        };
        if due {
            self.inner.settle();
        }
    }
}

struct Running<'c> {
    cloud: &'c Cloud,
    balancer: String,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut script = self.cloud.script();
        script.services -= 1;
        if let Some(now) = script.running.get_mut(&self.balancer) {
            *now -= 1;
        }
    }
}

#[async_trait]
impl LoadBalancers for Cloud {
    fn limits(&self) -> LbLimits {
        self.inner.limits()
    }

    async fn observe(&self, of: &LbRef) -> Result<Option<LbState>> {
        self.call(Op::Observe, Some(of), self.inner.observe(of)).await
    }

    async fn ensure(&self, want: &LbSpec) -> Result<LbStatus> {
        let carry_out = async {
            let result = self.inner.ensure(want).await;
            if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Pending) {
                self.script().made_at.get_or_insert_with(Instant::now);
            }
            result
        };
        self.call(Op::Ensure, Some(&want.reference()), carry_out).await
    }

    async fn update_targets(&self, of: &LbRef, targets: &TargetSet) -> Result<()> {
        self.call(Op::Update, Some(of), self.inner.update_targets(of, targets)).await
    }

    async fn delete(&self, of: &LbRef, policy: DeletePolicy) -> Result<()> {
        self.call(Op::Delete, Some(of), self.inner.delete(of, policy)).await
    }

    async fn sweep_owned(&self) -> Result<Vec<LbState>> {
        self.call(Op::Sweep, None, self.inner.sweep_owned()).await
    }
}

pub(crate) fn tcp(port: u16) -> ListenerKey {
    ListenerKey::new(port, Protocol::Tcp)
}
