//! With its policy and nothing else, each adapter does its work.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use futures_util::future::{BoxFuture, FutureExt};
use qcloud_container::kubernetes::instances::{Instances, NodeRef};
use qcloud_container::kubernetes::load_balancers::{
    DeletePolicy, LbSpec, LoadBalancers, Node, ReadContext, Service, ServiceKey, ServicePort, TargetSet,
};
use qcloud_container::kubernetes::routes::{RouteSpec, Routes};
use qcloud_container::kubernetes::volumes::{Access, GIB, SizeRange, SnapshotRequest, VolumeRequest, Volumes};
use qcloud_container::kubernetes::{ClusterIdentity, Result, Retry};
use qcloud_container::provider::instances::{CvmInstances, InstanceSettings};
use qcloud_container::provider::load_balancers::{ClbLoadBalancers, ClbOptions};
use qcloud_container::provider::routes::{
    ClusterTableRoutes, ClusterTableSettings, RouteTables, VpcTableRoutes, VpcTableSettings,
};
use qcloud_container::provider::volumes::CbsVolumes;
use qcloud_core::clock::Clock as _;
use qcloud_core::testing::ManualClock;
use qcloud_core::transport::{HttpRequest, HttpResponse, Transport, TransportError};
use qcloud_core::{Client, Config, Raw};
use qcloud_emulator::{Clock, Emulator};
use serde_json::{Value, json};

use crate::pages::{Adapter, INSTANCES, LOAD_BALANCERS, ROUTES, VOLUMES};

const ZONE: &str = "ap-guangzhou-3";

/// The way to the emulator, whose clock follows the test's.
#[derive(Debug)]
struct Wire(Emulator, ManualClock);

impl Transport for Wire {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, std::result::Result<HttpResponse, TransportError>> {
        async move {
            let behind = self.1.now().duration_since(self.0.clock().now()).unwrap_or_default();
            self.0.clock().advance(behind);
            Ok(self.0.handle(request).await)
        }
        .boxed()
    }
}

/// A network with a machine, on which only the policy of an adapter is permitted.
struct Lab {
    adapter: Adapter,
    emulator: Emulator,
    clock: ManualClock,
    config: Config,
    vpc: String,
    table: String,
    machine: String,
    address: IpAddr,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

impl Lab {
    async fn of(adapter: Adapter) -> Self {
        let clock = ManualClock::auto();
        let start: SystemTime = clock.now();
        let emulator = Emulator::builder().clock(Clock::starting_at(start)).build().unwrap();
        let config = Config::builder()
            .region(emulator.region())
            .static_credentials(emulator.secret_id(), emulator.secret_key())
            .transport(Wire(emulator.clone(), clock.clone()))
            .clock(clock.clone())
            .build()
            .unwrap();
        let vpc = Client::new(&config, qcloud_vpc::SERVICE);
        let cvm = Client::new(&config, qcloud_cvm::SERVICE);
        let call = async |client: &Client, action: &'static str, parameters: Value| -> Value {
            client.call(Raw::new(action, parameters)).await.unwrap()
        };
        let made = call(&vpc, "CreateVpc", json!({"VpcName": "net", "CidrBlock": "10.0.0.0/16"})).await;
        let vpc_id = text(&made["Vpc"]["VpcId"]);
        let subnet = json!({"VpcId": vpc_id, "SubnetName": "s", "Zone": ZONE, "CidrBlock": "10.0.1.0/24"});
        let subnet_id = text(&call(&vpc, "CreateSubnet", subnet).await["Subnet"]["SubnetId"]);
        let order = json!({
            "Placement": {"Zone": ZONE}, "ImageId": "img-487zeit5",
            "VirtualPrivateCloud": {"VpcId": vpc_id, "SubnetId": subnet_id},
        });
        let machine = text(&call(&cvm, "RunInstances", order).await["InstanceIdSet"][0]);
        clock.sleep(Duration::from_secs(5)).await;
        let shown = call(&cvm, "DescribeInstances", json!({"InstanceIds": [machine]})).await;
        let address = text(&shown["InstanceSet"][0]["PrivateIpAddresses"][0]).parse().unwrap();
        let tables = call(&vpc, "DescribeRouteTables", json!({})).await;
        let table = text(&tables["RouteTableSet"][0]["RouteTableId"]);

        let permitted = adapter.permitted();
        emulator.adjust(|builder| {
            let all = qcloud_emulator::implemented_actions().into_iter();
            let others = all.filter(|(service, _, name)| !permitted.contains(&format!("{service}:{name}")));
            others.fold(builder, |builder, (service, _, name)| builder.deny(service, name))
        });
        emulator.calls().clear();
        Self { adapter, emulator, clock, config, vpc: vpc_id, table, machine, address }
    }

    fn cluster(&self) -> ClusterIdentity {
        ClusterIdentity::new("uid-1", "test")
    }

    /// Repeats an operation as its errors ask for.
    async fn insist<T, F: Future<Output = Result<T>>>(&self, mut operation: impl FnMut() -> F) -> T {
        for _ in 0..100 {
            match operation().await {
                Ok(done) => return done,
                Err(error) => match error.retry() {
                    Retry::Never => panic!("{}: {error:?}", self.adapter.name),
                    Retry::After(pause) => self.clock.sleep(pause).await,
                    Retry::Backoff => self.clock.sleep(Duration::from_secs(1)).await,
                },
            }
        }
        panic!("{}: no end", self.adapter.name);
    }

    fn assert_nothing_was_denied(&self) {
        let calls = self.emulator.calls().all();
        assert!(!calls.is_empty());
        let is_denial = |code: &String| code.starts_with("UnauthorizedOperation");
        let denied: Vec<_> = calls.iter().filter(|call| call.error.as_ref().is_some_and(is_denial)).collect();
        assert!(denied.is_empty(), "{}: {denied:?}", self.adapter.name);
    }
}

#[tokio::test]
async fn machines_are_found() {
    let lab = Lab::of(INSTANCES).await;
    let machines = CvmInstances::new(&lab.config, InstanceSettings::new(&lab.vpc)).unwrap();
    let found = machines.metadata(&NodeRef::new("node").with_address(lab.address)).await.unwrap();
    assert_eq!(found.id, lab.machine);
    let named = NodeRef::new("node").with_provider_id(found.provider_id);
    assert!(machines.exists(&named).await.unwrap());
    lab.assert_nothing_was_denied();
}

#[tokio::test]
async fn routes_come_and_go_in_either_table() {
    let lab = Lab::of(ROUTES).await;
    let pods = |text: &str| text.parse().unwrap();
    let mut table = ClusterTableSettings::new("pods", &lab.vpc, [pods("172.16.0.0/16")]);
    table.create = true;
    let tables = RouteTables::Ids(vec![lab.table.clone()]);
    let plain = VpcTableSettings::new(lab.cluster(), &lab.vpc, tables, [pods("172.17.0.0/16")]);
    let both: [(&dyn Routes, &str); 2] = [
        (&ClusterTableRoutes::new(&lab.config, table), "172.16.1.0/24"),
        (&VpcTableRoutes::new(&lab.config, plain), "172.17.1.0/24"),
    ];
    for (routes, destination) in both {
        let spec = RouteSpec::new("node", lab.address, pods(destination));
        assert!(routes.apply(&[spec], &[], &|_| ()).await.errors().next().is_none());
        let listed = routes.list().await.unwrap();
        assert_eq!(listed.len(), 1);
        assert!(routes.apply(&[], &listed, &|_| ()).await.errors().next().is_none());
        assert!(routes.list().await.unwrap().is_empty());
    }
    lab.assert_nothing_was_denied();
}

#[tokio::test]
async fn a_service_is_served_changed_and_removed() {
    let lab = Lab::of(LOAD_BALANCERS).await;
    let balancers = ClbLoadBalancers::new(&lab.config, lab.cluster(), ClbOptions::new(&lab.vpc));
    let port = |port: u16| ServicePort::tcp(port).with_name(format!("p{port}")).with_node_port(30_000 + port);
    let mut service = Service::new(ServiceKey::new("default", "web", "uid-web"), [port(80), port(443)]);
    service.annotations.insert("qcloud-rs.io/deletion-protection".to_owned(), "true".to_owned());
    let protocols = json!({"80": {"protocol": ["HTTP"], "hosts": {"a.example.com": {}}}});
    service.annotations.insert("service.cloud.tencent.com/specify-protocol".to_owned(), protocols.to_string());
    let nodes = [Node::new("node", &lab.machine)];
    let spec_of = |service: &Service| {
        let mut spec = LbSpec::read(service, &ReadContext::default()).unwrap().unwrap();
        spec.targets = TargetSet::select(&spec, &nodes, None, &balancers.limits()).unwrap();
        spec
    };
    let spec = spec_of(&service);
    let made = lab.insist(|| balancers.ensure(&spec)).await;

    service.source_ranges = vec!["192.0.2.0/24".to_owned()];
    service.affinity_seconds = Some(600);
    service.ports = vec![port(80), port(8443)];
    let protocols = json!({"80": {"protocol": ["HTTP"], "hosts": {"b.example.com": {}}}});
    service.annotations.insert("service.cloud.tencent.com/specify-protocol".to_owned(), protocols.to_string());
    service.annotations.insert("qcloud-rs.io/idle-timeout".to_owned(), "60".to_owned());
    service
        .annotations
        .insert("service.cloud.tencent.com/lb-rs-weight".to_owned(), json!({"defaultWeight": 50}).to_string());
    let spec = spec_of(&service);
    let changed = lab.insist(|| balancers.ensure(&spec)).await;
    assert_eq!(changed.id, made.id);
    service.source_ranges = vec!["192.0.2.0/24".to_owned(), "198.51.100.0/24".to_owned()];
    let spec = spec_of(&service);
    lab.insist(|| balancers.ensure(&spec)).await;

    let reference = spec.reference();
    lab.insist(|| balancers.delete(&reference, DeletePolicy::Delete)).await;
    assert!(balancers.sweep_owned().await.unwrap().is_empty());
    lab.assert_nothing_was_denied();
}

#[tokio::test]
async fn a_volume_lives_and_ends() {
    let lab = Lab::of(VOLUMES).await;
    let volumes = CbsVolumes::new(&lab.config, lab.cluster()).with_zones([ZONE]);
    let request = VolumeRequest::new("pvc", SizeRange::at_least(20 * GIB)).parameter("diskZone", "100003");
    let volume = lab.insist(|| volumes.create(&request)).await;
    lab.insist(|| volumes.attach(&volume.id, &lab.machine, Access::SINGLE_READER)).await;
    assert!(volumes.attach_limit(&lab.machine).await.unwrap() > 0);
    lab.insist(|| volumes.expand(&volume.id, SizeRange::at_least(30 * GIB))).await;
    let request = SnapshotRequest::new("copy", &volume.id);
    let snapshot = lab.insist(|| volumes.create_snapshot(&request)).await;
    lab.insist(|| volumes.detach(&volume.id, Some(&lab.machine))).await;
    let kind = [("diskType".to_owned(), "CLOUD_SSD".to_owned())].into();
    lab.insist(|| volumes.modify(&volume.id, &kind)).await;
    assert!(volumes.capacity(&Default::default()).await.unwrap().available > 0);
    assert_eq!(volumes.list(&Default::default()).await.unwrap().items.len(), 1);
    lab.insist(|| volumes.delete_snapshot(&snapshot.id)).await;
    lab.insist(|| volumes.delete(&volume.id)).await;
    lab.assert_nothing_was_denied();
}
