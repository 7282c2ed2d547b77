//! An emulator with nodes, and processes that reach it over lines that can be cut.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use qcloud_container::kubernetes::volumes::{Access, Attachment, GIB, SizeRange, Volume, VolumeRequest, Volumes};
use qcloud_container::kubernetes::{ClusterIdentity, ErrorKind, ProviderError};
use qcloud_container::provider::volumes::CbsVolumes;
use qcloud_core::clock::Clock as _;
use qcloud_core::testing::ManualClock;
use qcloud_core::transport::{HttpRequest, HttpResponse, Transport, TransportError, TransportErrorKind};
use qcloud_core::{Client, Config, RateLimits, Raw, Service};
use qcloud_emulator::{Builder, Clock, Delay, Emulator, Visibility};
use serde_json::{Value, json};

pub(crate) const ZONE: &str = "ap-guangzhou-3";
pub(crate) const OTHER_ZONE: &str = "ap-guangzhou-4";

/// What happens to a call instead of its success.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It is refused with this code.
    Code(&'static str),
    /// The connection breaks before the cloud sees it.
    CutBefore,
    /// It is executed, and the answer is lost.
    CutAfter,
    /// The answer leaves out what it should list.
    Empty,
}

#[derive(Debug, Default)]
struct Line {
    /// By action: what happens to its next calls, `None` for nothing.
    faults: BTreeMap<String, Vec<Option<Fault>>>,
    sold_out: Vec<String>,
    calls: usize,
    /// The call at which the process dies, and whether that call is still executed.
    death: Option<(usize, bool)>,
    dead: bool,
}

/// The line of one process to the emulator.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    emulator: Emulator,
    clock: ManualClock,
    line: Arc<Mutex<Line>>,
}

fn refusal(code: &str) -> HttpResponse {
    let error = json!({"Response": {"Error": {"Code": code, "Message": "The test says so."}, "RequestId": "r-test"}});
    http::Response::new(Bytes::from(error.to_string()))
}

fn cut() -> TransportError {
    TransportError::new(TransportErrorKind::Interrupted, "the line was cut")
}

impl Wire {
    async fn carry(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let action = request.headers()["x-tc-action"].to_str().unwrap().to_owned();
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let (fault, dies, sold_out) = {
            let mut line = self.line.lock().unwrap();
            if line.dead {
                return Err(cut());
            }
            line.calls += 1;
            let dies = line.death.filter(|(call, _)| *call == line.calls).map(|(_, executed)| executed);
            line.dead = dies.is_some();
            let fault = line.faults.get_mut(&action).filter(|plan| !plan.is_empty()).and_then(|plan| plan.remove(0));
            let zones = [&body["Placement"]["Zone"], &body["Zones"][0]];
            (fault, dies, zones.iter().any(|zone| line.sold_out.iter().any(|sold| *zone == sold)))
        };
        if dies == Some(false) {
            return Err(cut());
        }
        match fault {
            Some(Fault::Code(code)) => return Ok(refusal(code)),
            Some(Fault::CutBefore) => return Err(cut()),
            Some(Fault::Empty) => {
                let empty = json!({"Response": {"TotalCount": 0, "DiskSet": [], "SnapshotSet": [], "InstanceSet": [], "RequestId": "r"}});
                return Ok(http::Response::new(Bytes::from(empty.to_string())));
            }
            None if sold_out && action == "CreateDisks" => return Ok(refusal("ResourceInsufficient")),
            None if sold_out => {
                let none = json!({"Response": {"DiskConfigSet": [], "RequestId": "r"}});
                return Ok(http::Response::new(Bytes::from(none.to_string())));
            }
            _ => {}
        }
        // The emulator's clock follows the test's.
        let behind = self.clock.now().duration_since(self.emulator.clock().now()).unwrap_or_default();
        self.emulator.clock().advance(behind);
        let answer = self.emulator.handle(request).await;
        if matches!(fault, Some(Fault::CutAfter)) || dies.is_some() { Err(cut()) } else { Ok(answer) }
    }
}

impl Transport for Wire {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        self.carry(request).boxed()
    }
}

/// A process with volumes.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) wire: Wire,
    pub(crate) volumes: Arc<CbsVolumes>,
    pub(crate) clock: ManualClock,
}

impl Process {
    /// What happens to the next calls of an action.
    pub(crate) fn plan(&self, action: &str, faults: impl IntoIterator<Item = Option<Fault>>) {
        self.wire.line.lock().unwrap().faults.insert(action.to_owned(), faults.into_iter().collect());
    }

    pub(crate) fn fail(&self, action: &str, fault: Fault) {
        self.plan(action, [Some(fault)]);
    }

    pub(crate) fn sell_out(&self, zone: &str) {
        self.wire.line.lock().unwrap().sold_out.push(zone.to_owned());
    }

    pub(crate) fn die_at(&self, call: usize, executed: bool) {
        self.wire.line.lock().unwrap().death = Some((call, executed));
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.wire.line.lock().unwrap().dead
    }

    /// Repeats an operation as a sidecar does, for as long as its error is not final.
    pub(crate) async fn insist<T, F>(&self, mut operation: impl FnMut() -> F) -> Result<T, ProviderError>
    where
        F: Future<Output = Result<T, ProviderError>>,
    {
        let mut result = operation().await;
        for _ in 0..200 {
            let Err(error) = &result else { break };
            let passing = matches!(
                error.kind(),
                ErrorKind::Pending
                    | ErrorKind::Busy
                    | ErrorKind::Ambiguous
                    | ErrorKind::Unavailable
                    | ErrorKind::Throttled
            );
            if !passing || self.is_dead() {
                break;
            }
            self.clock.sleep(Duration::from_secs(1)).await;
            result = operation().await;
        }
        result
    }

    pub(crate) async fn create(&self, request: &VolumeRequest) -> Result<Volume, ProviderError> {
        self.insist(|| self.volumes.create(request)).await
    }

    pub(crate) async fn volume(&self, name: &str) -> Volume {
        self.create(&request(name)).await.unwrap()
    }

    pub(crate) async fn attach(&self, id: &str, node: &str) -> Result<Attachment, ProviderError> {
        self.insist(|| self.volumes.attach(id, node, Access::SINGLE_WRITER)).await
    }

    pub(crate) async fn detach(&self, id: &str, node: Option<&str>) -> Result<(), ProviderError> {
        self.insist(|| self.volumes.detach(id, node)).await
    }

    pub(crate) async fn delete(&self, id: &str) -> Result<(), ProviderError> {
        self.insist(|| self.volumes.delete(id)).await
    }
}

/// A request for 20 GiB in the first zone.
pub(crate) fn request(name: &str) -> VolumeRequest {
    let zones = qcloud_container::kubernetes::volumes::ZoneRequirement::one_of([ZONE]);
    VolumeRequest::new(name, SizeRange::at_least(20 * GIB)).zones(zones)
}

/// A cloud whose lists lag behind what is done by some seconds, tags most of all.
pub(crate) fn lagging() -> Builder {
    let mut visibility = Visibility::default();
    let seconds = |seconds| Delay::For(Duration::from_secs(seconds));
    (visibility.new, visibility.tags) = (seconds(2), seconds(4));
    (visibility.changed, visibility.deleted) = (seconds(3), seconds(3));
    Emulator::builder().visibility(visibility)
}

/// An emulator with two nodes in one zone and one in another.
#[derive(Debug, Clone)]
pub(crate) struct Lab {
    pub(crate) emulator: Emulator,
    pub(crate) clock: ManualClock,
    pub(crate) nodes: Vec<String>,
    pub(crate) other_node: String,
}

impl Lab {
    pub(crate) async fn new() -> Self {
        Self::with(Emulator::builder()).await
    }

    pub(crate) async fn with(builder: Builder) -> Self {
        Self::with_nodes(builder, 2, ManualClock::auto()).await
    }

    pub(crate) async fn with_nodes(builder: Builder, count: usize, clock: ManualClock) -> Self {
        let emulator = builder.clock(Clock::starting_at(clock.now())).check_responses(true).build().unwrap();
        let mut lab = Self { emulator, clock, nodes: Vec::new(), other_node: String::new() };
        while lab.nodes.len() < count {
            let more = lab.run_instances(ZONE, (count - lab.nodes.len()).min(100)).await;
            lab.nodes.extend(more);
        }
        lab.other_node = lab.run_instances(OTHER_ZONE, 1).await.remove(0);
        lab.emulator.clock().advance(Duration::from_secs(5));
        lab.clock.advance(Duration::from_secs(5));
        lab.emulator.calls().clear();
        lab
    }

    fn wire(&self) -> Wire {
        Wire { emulator: self.emulator.clone(), clock: self.clock.clone(), line: Arc::default() }
    }

    fn config(&self, wire: &Wire) -> Config {
        let limits = RateLimits::new().with_rates(qcloud_cbs::RATES).with_rates(qcloud_cvm::RATES).with_share(0.8);
        Config::builder()
            .region("ap-guangzhou")
            .static_credentials(self.emulator.secret_id(), self.emulator.secret_key())
            .transport(wire.clone())
            .clock(self.clock.clone())
            .rate_limits(limits)
            .jitter_seed(1)
            .build()
            .unwrap()
    }

    /// A newly started process of a cluster.
    pub(crate) fn process_of(&self, cluster: &str) -> Process {
        self.process_with(cluster, |volumes| volumes)
    }

    /// One that is set up otherwise.
    pub(crate) fn process_with(&self, cluster: &str, set_up: impl FnOnce(CbsVolumes) -> CbsVolumes) -> Process {
        let wire = self.wire();
        let volumes =
            CbsVolumes::new(&self.config(&wire), ClusterIdentity::new(cluster, "test")).with_zones([ZONE, OTHER_ZONE]);
        Process { wire, volumes: Arc::new(set_up(volumes)), clock: self.clock.clone() }
    }

    pub(crate) fn process(&self) -> Process {
        self.process_of("uid-1")
    }

    /// A call of someone else.
    pub(crate) async fn call(&self, service: &'static str, action: &str, parameters: Value) -> Value {
        let version = "2017-03-12";
        let client = Client::new(&self.config(&self.wire()), Service::new(service, version));
        client.call(Raw::new(action, parameters)).await.unwrap()
    }

    async fn run_instances(&self, zone: &str, count: usize) -> Vec<String> {
        let parameters = json!({"Placement": {"Zone": zone}, "ImageId": "img-487zeit5", "InstanceCount": count});
        let answer = self.call("cvm", "RunInstances", parameters).await;
        answer["InstanceIdSet"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
    }

    /// All data disks, whoever's.
    pub(crate) async fn disks(&self) -> Vec<Value> {
        let filter = json!([{"Name": "disk-usage", "Values": ["DATA_DISK"]}]);
        let answer = self.call("cbs", "DescribeDisks", json!({"Filters": filter, "Limit": 100})).await;
        answer["DiskSet"].as_array().unwrap().clone()
    }

    pub(crate) async fn snapshots(&self) -> Vec<Value> {
        let answer = self.call("cbs", "DescribeSnapshots", json!({"Limit": 100})).await;
        answer["SnapshotSet"].as_array().unwrap().clone()
    }

    pub(crate) fn count(&self, action: &str) -> usize {
        self.emulator.calls().count(action)
    }
}
