//! An emulator, a wire to it that can be cut, and what the tests do over it.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use futures_util::future::{BoxFuture, FutureExt as _};
use qcloud_container::kubernetes::load_balancers::conformance::Harness;
use qcloud_container::kubernetes::load_balancers::{
    DeletePolicy, Host, LbSpec, LbStatus, ListenerKey, ListenerSpec, LoadBalancers, Protocol, ServiceKey, Target,
};
use qcloud_container::kubernetes::{ClusterIdentity, ErrorKind, ProviderError, Retry};
use qcloud_container::provider::load_balancers::{ClbLoadBalancers, ClbOptions};
use qcloud_core::clock::Clock;
use qcloud_core::transport::{HttpRequest, HttpResponse, Transport, TransportError, TransportErrorKind};
use qcloud_core::{Client, Config, Service};
use qcloud_emulator::{Builder, Emulator};
use serde_json::{Value, json};
use tokio::sync::Notify;

pub(crate) const CLB: Service = Service::new("clb", "2018-03-17");
pub(crate) const VPC: Service = Service::new("vpc", "2017-03-12");
const CVM: Service = Service::new("cvm", "2017-03-12");

/// What happens to a call.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It is not carried out, and gets no answer.
    LostBefore,
    /// It is carried out, and the answer is lost.
    LostAfter,
    /// It is refused with this code.
    Refused(&'static str),
    /// It is not carried out, and the answer says that there is no balancer.
    NoneSeen,
    /// It is refused with this code, in words that name this host, as long as it names the host.
    RefusedFor(&'static str, &'static str),
    /// The process ends before it is sent.
    CrashBefore,
    /// The process ends after it was carried out.
    CrashAfter,
}

/// Which call is meant.
#[derive(Clone, Debug)]
enum Which {
    /// The next ones of an action, so many of them.
    Action(&'static str, usize),
    /// The n-th of all calls from now on, counted from 0.
    Number(usize),
}

#[derive(Default)]
struct Script {
    faults: Vec<(Which, Fault)>,
}

/// The wire between the provider and the emulator.
#[derive(Clone)]
pub(crate) struct Wire {
    emulator: Emulator,
    script: Arc<Mutex<Script>>,
    calls: Arc<AtomicUsize>,
    crashed: Arc<Notify>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    fn fault(&self, action: &str) -> Option<Fault> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let mut script = self.script.lock().unwrap();
        let at = script.faults.iter().position(|(which, _)| match which {
            Which::Action(name, _) => *name == action,
            Which::Number(wanted) => *wanted == number,
        })?;
        let (which, fault) = &mut script.faults[at];
        let fault = fault.clone();
        match which {
            Which::Action(_, left) if *left > 1 => *left -= 1,
            _ => drop(script.faults.remove(at)),
        }
        Some(fault)
    }

    async fn carry(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let action = request.headers()["X-TC-Action"].to_str().unwrap().to_owned();
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let lost = || TransportError::new(TransportErrorKind::Interrupted, "cut");
        match self.fault(&action) {
            None => Ok(self.emulator.handle(request).await),
            Some(Fault::LostBefore) => Err(lost()),
            Some(Fault::LostAfter) => {
                self.emulator.handle(request).await;
                Err(lost())
            }
            Some(Fault::NoneSeen) => {
                let body = json!({ "Response": { "TotalCount": 0, "LoadBalancerSet": [], "RequestId": "r" } });
                Ok(http::Response::new(body.to_string().into()))
            }
            Some(Fault::RefusedFor(_, host)) if !body.contains(host) => Ok(self.emulator.handle(request).await),
            Some(Fault::RefusedFor(code, host)) => {
                let error = json!({ "Code": code, "Message": format!("the target {host} cannot be bound") });
                let body = json!({ "Response": { "Error": error, "RequestId": "r" } });
                Ok(http::Response::new(body.to_string().into()))
            }
            Some(Fault::Refused(code)) => {
                let body = json!({ "Response": { "Error": { "Code": code, "Message": "refused by the test" }, "RequestId": "r" } });
                Ok(http::Response::new(body.to_string().into()))
            }
            Some(fault) => {
                if matches!(fault, Fault::CrashAfter) {
                    self.emulator.handle(request).await;
                }
                self.crashed.notify_one();
                std::future::pending().await
            }
        }
    }
}

impl Transport for Wire {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        self.carry(request).boxed()
    }
}

/// The emulator's clock; who sleeps puts it forward.
#[derive(Debug)]
struct EmulatedClock(qcloud_emulator::Clock);

impl Clock for EmulatedClock {
    fn now(&self) -> SystemTime {
        self.0.now()
    }
    fn elapsed(&self) -> Duration {
        self.0.now().duration_since(UNIX_EPOCH).unwrap()
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        // The limits of calls are sleeps too; they never come.
        if duration >= Duration::from_secs(10) {
            return std::future::pending().boxed();
        }
        self.0.advance(duration);
        std::future::ready(()).boxed()
    }
}

/// A cloud with a network and four machines.
pub(crate) struct Cloud {
    pub(crate) emulator: Emulator,
    pub(crate) wire: Wire,
    pub(crate) vpc: String,
    pub(crate) subnet: String,
    pub(crate) machines: Vec<String>,
    admin: Admin,
}

/// Clients that nothing is cut for.
struct Admin {
    clb: Client,
    vpc: Client,
    cvm: Client,
}

pub(crate) fn builder() -> Builder {
    let start = UNIX_EPOCH + Duration::from_secs(1_767_323_045);
    Emulator::builder().clock(qcloud_emulator::Clock::starting_at(start)).check_responses(true)
}

fn config(emulator: &Emulator, wire: &Wire) -> Config {
    Config::builder()
        .region(emulator.region())
        .static_credentials(emulator.secret_id(), emulator.secret_key())
        .transport(wire.clone())
        .clock(EmulatedClock(emulator.clock().clone()))
        .build()
        .unwrap()
}

impl Cloud {
    pub(crate) async fn new() -> Self {
        Self::of(builder()).await
    }

    pub(crate) async fn of(builder: Builder) -> Self {
        let emulator = builder.build().unwrap();
        let wire = |emulator: &Emulator| Wire {
            emulator: emulator.clone(),
            script: Arc::default(),
            calls: Arc::default(),
            crashed: Arc::default(),
        };
        let config = config(&emulator, &wire(&emulator));
        let client = |service| Client::new(&config, service);
        let admin = Admin { clb: client(CLB), vpc: client(VPC), cvm: client(CVM) };
        let mut cloud = Self {
            wire: wire(&emulator),
            emulator,
            vpc: String::new(),
            subnet: String::new(),
            machines: Vec::new(),
            admin,
        };
        let made = cloud.vpc("CreateVpc", json!({ "VpcName": "net", "CidrBlock": "10.0.0.0/16" })).await;
        cloud.vpc = made["Vpc"]["VpcId"].as_str().unwrap().to_owned();
        let subnet =
            json!({ "VpcId": cloud.vpc, "SubnetName": "s", "Zone": "ap-guangzhou-3", "CidrBlock": "10.0.1.0/24" });
        cloud.subnet = cloud.vpc("CreateSubnet", subnet).await["Subnet"]["SubnetId"].as_str().unwrap().to_owned();
        let machines = json!({
            "Placement": { "Zone": "ap-guangzhou-3" }, "ImageId": "img-487zeit5", "InstanceCount": 4,
            "VirtualPrivateCloud": { "VpcId": cloud.vpc, "SubnetId": cloud.subnet },
        });
        let made = cloud.call(&cloud.admin.cvm, "RunInstances", machines).await;
        cloud.machines =
            made["InstanceIdSet"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect();
        cloud.machines.sort();
        cloud.emulator.clock().advance(Duration::from_secs(5));
        cloud.emulator.calls().clear();
        cloud
    }

    async fn call(&self, client: &Client, action: &str, parameters: Value) -> Value {
        client.call(qcloud_core::Raw::new(action, parameters)).await.unwrap()
    }

    pub(crate) async fn clb(&self, action: &str, parameters: Value) -> Value {
        self.call(&self.admin.clb, action, parameters).await
    }

    pub(crate) async fn vpc(&self, action: &str, parameters: Value) -> Value {
        self.call(&self.admin.vpc, action, parameters).await
    }

    pub(crate) async fn cvm(&self, action: &str, parameters: Value) -> Value {
        self.call(&self.admin.cvm, action, parameters).await
    }

    /// A call in another region.
    pub(crate) async fn call_in(&self, region: &str, service: Service, action: &str, parameters: Value) -> Value {
        let config = config(&self.emulator, &self.wire).in_region(region);
        self.call(&Client::new(&config, service), action, parameters).await
    }

    /// The same, and its task done.
    pub(crate) async fn clb_done(&self, action: &str, parameters: Value) -> Value {
        let answer = self.clb(action, parameters).await;
        self.emulator.clock().advance(Duration::from_secs(20));
        answer
    }

    pub(crate) fn provider(&self) -> ClbLoadBalancers {
        self.provider_with("cluster-1", ClbOptions::new(self.vpc.as_str()))
    }

    pub(crate) fn provider_with(&self, cluster: &str, options: ClbOptions) -> ClbLoadBalancers {
        ClbLoadBalancers::new(&config(&self.emulator, &self.wire), ClusterIdentity::new(cluster, "kubernetes"), options)
    }

    pub(crate) fn fail(&self, action: &'static str, times: usize, fault: Fault) {
        self.wire.script.lock().unwrap().faults.push((Which::Action(action, times), fault));
    }

    /// Something happens to the n-th call from now on.
    pub(crate) fn fail_call(&self, number: usize, fault: Fault) {
        self.wire.calls.store(0, Ordering::SeqCst);
        self.wire.script.lock().unwrap().faults.push((Which::Number(number), fault));
    }

    pub(crate) fn forgive(&self) {
        self.wire.script.lock().unwrap().faults.clear();
    }

    /// What `operation` gives, or `None` when its process ended before.
    pub(crate) async fn until_crash<T>(&self, operation: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.wire.crashed.notified() => None,
            result = operation => Some(result),
        }
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.emulator.clock().advance(time);
    }

    /// The ids of all balancers.
    pub(crate) async fn balancers(&self) -> Vec<String> {
        let shown = self.clb("DescribeLoadBalancers", json!({ "Limit": 100 })).await;
        let all = shown["LoadBalancerSet"].as_array().unwrap();
        all.iter().map(|balancer| balancer["LoadBalancerId"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn shown(&self, balancer: &str) -> Value {
        self.clb("DescribeLoadBalancers", json!({ "LoadBalancerIds": [balancer] })).await["LoadBalancerSet"][0].clone()
    }

    pub(crate) async fn listeners(&self, balancer: &str) -> Vec<Value> {
        let shown = self.clb("DescribeListeners", json!({ "LoadBalancerId": balancer })).await;
        shown["Listeners"].as_array().unwrap().clone()
    }

    /// A Service on node ports of the first two machines.
    pub(crate) fn spec(&self, uid: &str, ports: &[(u16, Protocol)]) -> LbSpec {
        let listeners = ports.iter().map(|&(port, protocol)| ListenerSpec::new(port, protocol));
        let mut spec = LbSpec::new(ServiceKey::new("default", format!("svc-{uid}"), uid), listeners);
        self.point(&mut spec, &[0, 1]);
        spec
    }

    /// Sends the Service to these machines.
    pub(crate) fn point(&self, spec: &mut LbSpec, machines: &[usize]) {
        let keys: Vec<ListenerKey> = spec.listeners.iter().map(|listener| listener.key).collect();
        for key in keys {
            let target = |&n: &usize| (Target::instance(self.machines[n].as_str(), 30_000 + key.port % 1000), 10);
            spec.targets.set(key, machines.iter().map(target));
        }
    }

    /// Passes time as an error asks for; a final one is a failure.
    pub(crate) fn heed(&self, error: &ProviderError) {
        match error.retry() {
            Retry::Never => panic!("{error:?}"),
            Retry::After(after) => self.pass(after),
            Retry::Backoff => self.pass(Duration::from_secs(1)),
        }
    }

    pub(crate) async fn ensure(&self, provider: &dyn LoadBalancers, want: &LbSpec) -> LbStatus {
        let mut last = None;
        for _ in 0..100 {
            match provider.ensure(want).await {
                Ok(status) => return status,
                Err(error) => self.heed(last.insert(error)),
            }
        }
        panic!("no end: {last:?}");
    }

    /// The first error that is no waiting.
    pub(crate) async fn trouble(&self, provider: &dyn LoadBalancers, want: &LbSpec) -> ProviderError {
        for _ in 0..100 {
            match provider.ensure(want).await.unwrap_err() {
                error if error.kind() == ErrorKind::Pending => self.heed(&error),
                error => return error,
            }
        }
        panic!("no end");
    }

    /// Until nothing is left to be done after the status is written.
    pub(crate) async fn ensure_all(&self, provider: &dyn LoadBalancers, want: &LbSpec) -> LbStatus {
        let mut want = want.clone();
        for _ in 0..20 {
            let status = self.ensure(provider, &want).await;
            let Some(after) = status.again_after else { return status };
            want.published.clone_from(&status.ingress);
            self.pass(after);
        }
        panic!("no end");
    }

    pub(crate) async fn delete(&self, provider: &dyn LoadBalancers, want: &LbSpec) {
        self.give_up(provider, want, DeletePolicy::Delete).await;
    }

    pub(crate) async fn give_up(&self, provider: &dyn LoadBalancers, want: &LbSpec, policy: DeletePolicy) {
        let mut last = None;
        for _ in 0..100 {
            match provider.delete(&want.reference(), policy).await {
                Ok(()) => return,
                Err(error) => self.heed(last.insert(error)),
            }
        }
        panic!("no end: {last:?}");
    }

    /// How many security groups there are that were made for Services.
    pub(crate) async fn groups(&self) -> usize {
        let shown = self.vpc("DescribeSecurityGroups", json!({ "Limit": "100" })).await;
        let all = shown["SecurityGroupSet"].as_array().unwrap().iter();
        all.filter(|group| group["SecurityGroupName"].as_str().unwrap().starts_with("k8s-")).count()
    }
}

#[async_trait]
impl Harness for Cloud {
    async fn fresh(&self) -> Arc<dyn LoadBalancers> {
        Arc::new(self.provider())
    }
    async fn other_cluster(&self) -> Arc<dyn LoadBalancers> {
        Arc::new(self.provider_with("cluster-2", ClbOptions::new(self.vpc.as_str())))
    }
    async fn pass(&self, time: Duration) {
        self.emulator.clock().advance(time);
    }
    async fn make_user_balancer(&self) -> String {
        let order = json!({ "LoadBalancerType": "OPEN", "VpcId": self.vpc });
        self.clb_done("CreateLoadBalancer", order).await["LoadBalancerIds"][0].as_str().unwrap().to_owned()
    }
    async fn make_user_listener(&self, balancer: &str, key: ListenerKey) {
        let listener = json!({ "LoadBalancerId": balancer, "Protocol": key.protocol.as_str(), "Ports": [key.port] });
        self.clb_done("CreateListener", listener).await;
    }
    async fn remove_balancer(&self, id: &str) {
        self.clb_done("DeleteLoadBalancer", json!({ "LoadBalancerIds": [id], "ForceDelete": true })).await;
    }
    async fn exists(&self, id: &str) -> bool {
        self.balancers().await.iter().any(|balancer| balancer == id)
    }
    async fn hosts(&self) -> Vec<Host> {
        self.machines.iter().cloned().map(Host::Instance).collect()
    }
    async fn subnet(&self) -> Option<String> {
        Some(self.subnet.clone())
    }
}
