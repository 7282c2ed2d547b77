//! An emulator inside the process, a clock that goes on by itself, and a transport that can spoil things.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Response;
use qcloud_core::clock::Clock as _;
use qcloud_core::testing::ManualClock;
use qcloud_core::transport::{HttpRequest, HttpResponse, Transport, TransportError, TransportErrorKind};
use qcloud_core::{Client, Config, RateLimits, Raw, Service};
use qcloud_emulator::{Builder, Clock, Emulator};
use serde_json::{Value, json};

type Rewrite = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// What happens to a call.
#[derive(Clone)]
pub(crate) enum Fault {
    /// The connection breaks before the call is executed.
    CutBefore,
    /// The connection breaks after the call was executed.
    CutAfter,
    /// The call is refused with this code.
    Code(&'static str),
    /// The call is refused with this code if it mentions this.
    CodeFor(String, &'static str),
    /// The answer is changed.
    Rewrite(Rewrite),
}

/// Which call it happens to.
#[derive(Clone)]
pub(crate) enum When {
    /// The next this many calls of the action.
    Next(usize),
    /// Every call of the action.
    Always,
}

#[derive(Default)]
struct Plan {
    faults: Vec<(&'static str, When, Fault)>,
    /// The call at which the process dies, counted from 0, and whether it is still executed.
    death: Option<(usize, bool)>,
    sent: usize,
    dead: bool,
}

/// The way of one process to the cloud.
#[derive(Clone)]
pub(crate) struct Wire {
    emulator: Emulator,
    clock: ManualClock,
    start: SystemTime,
    plan: Arc<Mutex<Plan>>,
    latency: Duration,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wire")
    }
}

fn lost(kind: TransportErrorKind) -> TransportError {
    TransportError::new(kind, "spoilt by the test")
}

impl Wire {
    /// Lets this happen to calls of an action; `*` stands for all.
    pub(crate) fn spoil(&self, action: &'static str, when: When, fault: Fault) {
        self.plan.lock().unwrap().faults.push((action, when, fault));
    }

    pub(crate) fn heal(&self) {
        self.plan.lock().unwrap().faults.clear();
    }

    /// The process dies at its k-th call (from 0), before or after that is executed: nothing gets through any more.
    pub(crate) fn die_at(&self, call: usize, executed: bool) {
        let mut plan = self.plan.lock().unwrap();
        plan.death = Some((call, executed));
        plan.sent = 0;
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.plan.lock().unwrap().dead
    }

    /// What happens to this call.
    fn fate(&self, action: &str) -> Option<Fault> {
        let mut plan = self.plan.lock().unwrap();
        if plan.dead {
            return Some(Fault::CutBefore);
        }
        let sent = plan.sent;
        plan.sent += 1;
        if let Some((call, executed)) = plan.death
            && call == sent
        {
            plan.dead = true;
            return Some(if executed { Fault::CutAfter } else { Fault::CutBefore });
        }
        let place = plan.faults.iter().position(|(name, _, _)| *name == action || *name == "*")?;
        let fault = plan.faults[place].2.clone();
        if let When::Next(left) = &mut plan.faults[place].1 {
            *left -= 1;
            if *left == 0 {
                plan.faults.remove(place);
            }
        }
        Some(fault)
    }
}

impl Transport for Wire {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            self.clock.sleep(self.latency).await;
            let emulated = self.emulator.clock().now();
            let now = self.start + self.clock.passed();
            self.emulator.clock().advance(now.duration_since(emulated).unwrap_or_default());
            let action = request.headers().get("x-tc-action").unwrap().to_str().unwrap().to_owned();
            let mentions = |text: &str| String::from_utf8_lossy(request.body()).contains(text);
            let fate = match self.fate(&action) {
                Some(Fault::CodeFor(text, code)) => mentions(&text).then_some(Fault::Code(code)),
                fate => fate,
            };
            match fate {
                None => Ok(self.emulator.handle(request).await),
                Some(Fault::CutBefore) => {
                    let kind =
                        if self.is_dead() { TransportErrorKind::Connect } else { TransportErrorKind::Interrupted };
                    Err(lost(kind))
                }
                Some(Fault::CutAfter) => {
                    self.emulator.handle(request).await;
                    Err(lost(TransportErrorKind::Interrupted))
                }
                Some(Fault::Code(code) | Fault::CodeFor(_, code)) => {
                    let error = json!({"Code": code, "Message": "spoilt by the test"});
                    let body = json!({"Response": {"Error": error, "RequestId": "r-spoilt"}});
                    Ok(Response::new(Bytes::from(body.to_string())))
                }
                Some(Fault::Rewrite(rewrite)) => {
                    let (parts, body) = self.emulator.handle(request).await.into_parts();
                    let mut body: Value = serde_json::from_slice(&body).unwrap();
                    rewrite(&mut body["Response"]);
                    Ok(Response::from_parts(parts, Bytes::from(body.to_string())))
                }
            }
        })
    }
}

pub(crate) const REGION: &str = "ap-guangzhou";

/// A VPC 10.0.0.0/16 with one large subnet.
#[derive(Clone)]
pub(crate) struct Cloud {
    pub(crate) emulator: Emulator,
    pub(crate) clock: ManualClock,
    pub(crate) vpc: String,
    pub(crate) subnet: String,
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

impl Cloud {
    pub(crate) async fn new() -> Self {
        Self::of(Emulator::builder()).await
    }

    pub(crate) async fn of(builder: Builder) -> Self {
        let clock = ManualClock::auto();
        let emulator = builder.clock(Clock::starting_at(clock.now())).build().unwrap();
        let mut cloud = Self { emulator, clock, vpc: String::new(), subnet: String::new() };
        (cloud.vpc, cloud.subnet) = cloud.network("10.0.0.0/16", "10.0.0.0/17").await;
        cloud
    }

    /// Makes another network; gives VPC and subnet.
    pub(crate) async fn network(&self, vpc: &str, subnet: &str) -> (String, String) {
        let made = self.call("vpc", "CreateVpc", json!({"VpcName": "net", "CidrBlock": vpc})).await;
        let vpc = text(&made["Vpc"]["VpcId"]);
        let parameters = json!({"VpcId": vpc, "SubnetName": "s", "Zone": "ap-guangzhou-3", "CidrBlock": subnet});
        let made = self.call("vpc", "CreateSubnet", parameters).await;
        (vpc, text(&made["Subnet"]["SubnetId"]))
    }

    pub(crate) fn wire(&self) -> Wire {
        let start = self.clock.now() - self.clock.passed();
        let latency = Duration::from_millis(20);
        Wire { emulator: self.emulator.clone(), clock: self.clock.clone(), start, plan: Arc::default(), latency }
    }

    /// The configuration of a process, and its wire.
    pub(crate) fn process(&self) -> (Config, Wire) {
        let wire = self.wire();
        (self.config(&wire), wire)
    }

    pub(crate) fn config(&self, wire: &Wire) -> Config {
        let limits = RateLimits::new()
            .with_rates(qcloud_cvm::RATES)
            .with_rates(qcloud_vpc::RATES)
            .with_rates(qcloud_container::RATES)
            .with_share(0.8);
        Config::builder()
            .region(REGION)
            .static_credentials(self.emulator.secret_id(), self.emulator.secret_key().to_owned())
            .transport(wire.clone())
            .clock(self.clock.clone())
            .rate_limits(limits)
            .jitter_seed(7)
            .strict_decoding(true)
            .build()
            .unwrap()
    }

    /// A call that must succeed, from outside the process under test.
    pub(crate) async fn call(&self, service: &str, action: &str, parameters: Value) -> Value {
        self.try_call(service, action, parameters).await.unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) async fn try_call(&self, service: &str, action: &str, parameters: Value) -> qcloud_core::Result<Value> {
        let service = match service {
            "cvm" => qcloud_cvm::SERVICE,
            "vpc" => qcloud_vpc::SERVICE,
            "tke" => qcloud_container::v20180525::SERVICE,
            "tke2" => qcloud_container::v20220501::SERVICE,
            other => panic!("no {other}"),
        };
        let config = Config::builder()
            .region(REGION)
            .static_credentials(self.emulator.secret_id(), self.emulator.secret_key().to_owned())
            .transport(self.wire())
            .clock(self.clock.clone())
            .build()
            .unwrap();
        Client::new(&config, Service::clone(&service)).call(Raw::new(action.to_owned(), parameters)).await
    }

    /// Runs instances, waits until they run, and gives their ids.
    pub(crate) async fn run(&self, count: usize) -> Vec<String> {
        self.run_in(&self.vpc, &self.subnet, count).await
    }

    pub(crate) async fn run_in(&self, vpc: &str, subnet: &str, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        while ids.len() < count {
            let parameters = json!({
                "Placement": {"Zone": "ap-guangzhou-3"},
                "ImageId": "img-487zeit5",
                "InstanceCount": (count - ids.len()).min(100),
                "VirtualPrivateCloud": {"VpcId": vpc, "SubnetId": subnet},
            });
            let made = self.call("cvm", "RunInstances", parameters).await;
            ids.extend(made["InstanceIdSet"].as_array().unwrap().iter().map(text));
        }
        self.pass(Duration::from_secs(3)).await;
        ids
    }

    pub(crate) async fn pass(&self, time: Duration) {
        self.clock.sleep(time).await;
    }

    /// All instances as CVM describes them, by id.
    pub(crate) async fn instances(&self) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::new();
        loop {
            let page = self.call("cvm", "DescribeInstances", json!({"Offset": all.len(), "Limit": 100})).await;
            let list = page["InstanceSet"].as_array().unwrap();
            all.extend(list.iter().map(|instance| (text(&instance["InstanceId"]), instance.clone())));
            if list.len() < 100 {
                return all;
            }
        }
    }

    /// The private address of each instance.
    pub(crate) async fn addresses(&self, ids: &[String]) -> Vec<IpAddr> {
        let all = self.instances().await;
        ids.iter().map(|id| text(&all[id]["PrivateIpAddresses"][0]).parse().unwrap()).collect()
    }

    /// Forgets the calls so far.
    pub(crate) fn forget(&self) {
        self.emulator.calls().clear();
    }

    pub(crate) fn count(&self, action: &str) -> usize {
        self.emulator.calls().count(action)
    }
}
