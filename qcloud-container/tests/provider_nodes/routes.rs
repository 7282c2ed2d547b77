//! The adapters of routes: conformance, budgets, and whole passes as a controller makes them.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ipnet::IpNet;
use qcloud_container::kubernetes::instances::Instances;
use qcloud_container::kubernetes::routes::conformance::{self, RoutesHarness};
use qcloud_container::kubernetes::routes::{
    Blackholes, NextHops, RoutePlan, RouteResults, RouteSpec, Routes, Urgency, plan,
};
use qcloud_container::kubernetes::{ClusterIdentity, ErrorKind};
use qcloud_container::provider::instances::{CvmInstances, InstanceSettings};
use qcloud_container::provider::routes::{
    ClusterTableRoutes, ClusterTableSettings, RouteTables, VpcTableRoutes, VpcTableSettings,
};
use qcloud_emulator::{Builder, ClusterErrors, Emulator, Quota};
use serde_json::{Value, json};

use crate::cloud::{Cloud, Fault, When, Wire, text};

pub(crate) const PODS: &str = "172.16.0.0/14";

/// Which of the two adapters a test is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    ClusterTable,
    VpcTable,
}

pub(crate) const BOTH: [Backend; 2] = [Backend::ClusterTable, Backend::VpcTable];

/// A cloud with a place for routes.
#[derive(Clone)]
pub(crate) struct Network {
    pub(crate) cloud: Cloud,
    pub(crate) backend: Backend,
    /// The VPC's own route table.
    pub(crate) table: String,
    pub(crate) uid: &'static str,
}

impl Network {
    pub(crate) async fn new(backend: Backend) -> Self {
        Self::with_quota(backend, 10_000).await
    }

    pub(crate) async fn with_quota(backend: Backend, quota: usize) -> Self {
        Self::of(backend, Emulator::builder().quota(Quota::RoutesPerTable, quota)).await
    }

    pub(crate) async fn of(backend: Backend, builder: Builder) -> Self {
        let cloud = Cloud::of(builder).await;
        if backend == Backend::ClusterTable {
            let table = json!({"RouteTableName": "pods", "RouteTableCidrBlock": PODS, "VpcId": cloud.vpc});
            cloud.call("tke", "CreateClusterRouteTable", table).await;
        }
        let tables = cloud.call("vpc", "DescribeRouteTables", json!({})).await;
        let table = text(&tables["RouteTableSet"][0]["RouteTableId"]);
        Self { cloud, backend, table, uid: "uid-1" }
    }

    /// A fresh process.
    pub(crate) fn process(&self) -> (Arc<dyn Routes>, Wire) {
        let (config, wire) = self.cloud.process();
        (self.routes(&config, PODS), wire)
    }

    pub(crate) fn routes(&self, config: &qcloud_core::Config, pods: &str) -> Arc<dyn Routes> {
        let networks: [IpNet; 1] = [pods.parse().unwrap()];
        match self.backend {
            Backend::ClusterTable => {
                Arc::new(ClusterTableRoutes::new(config, ClusterTableSettings::new("pods", &self.cloud.vpc, networks)))
            }
            Backend::VpcTable => {
                let cluster = ClusterIdentity::new(self.uid, "test");
                let tables = RouteTables::Ids(vec![self.table.clone()]);
                Arc::new(VpcTableRoutes::new(config, VpcTableSettings::new(cluster, &self.cloud.vpc, tables, networks)))
            }
        }
    }

    /// A wanted route for each of so many new machines.
    pub(crate) async fn specs(&self, count: usize) -> Vec<RouteSpec> {
        let ids = self.cloud.run(count).await;
        let addresses = self.cloud.addresses(&ids).await;
        let spec = |(number, address): (usize, IpAddr)| RouteSpec::new(format!("n-{number}"), address, pods(number));
        addresses.into_iter().enumerate().map(spec).collect()
    }

    /// All routes that the cloud has, ours or not, as destination and next hop.
    pub(crate) async fn truth(&self) -> Vec<(String, String)> {
        let (answer, list) = match self.backend {
            Backend::ClusterTable => {
                let answer = self.cloud.call("tke", "DescribeClusterRoutes", json!({"RouteTableName": "pods"})).await;
                (answer, "/RouteSet")
            }
            Backend::VpcTable => {
                let ids = json!({"RouteTableIds": [self.table], "Limit": "100"});
                (self.cloud.call("vpc", "DescribeRouteTables", ids).await, "/RouteTableSet/0/RouteSet")
            }
        };
        let read = |route: &Value| {
            let hop = route.get("GatewayIp").or(route.get("GatewayId")).unwrap();
            (text(&route["DestinationCidrBlock"]), text(hop))
        };
        let mut all: Vec<_> = answer.pointer(list).unwrap().as_array().unwrap().iter().map(read).collect();
        all.sort();
        all
    }

    pub(crate) fn writes(&self) -> usize {
        ["CreateClusterRoute", "DeleteClusterRoute", "CreateRoutes", "DeleteRoutes", "ReplaceRoutes"]
            .iter()
            .map(|action| self.cloud.count(action))
            .sum()
    }
}

/// The network of the pods of the node with this number.
pub(crate) fn pods(number: usize) -> IpNet {
    format!("172.{}.{}.0/24", 16 + number / 256, number % 256).parse().unwrap()
}

pub(crate) fn expected(specs: &[RouteSpec]) -> Vec<(String, String)> {
    let mut all: Vec<_> = specs.iter().map(|spec| (spec.destination.to_string(), spec.next_hop.to_string())).collect();
    all.sort();
    all
}

/// One pass of a route controller. The nodes are those that want routes.
pub(crate) async fn pass(
    routes: &dyn Routes,
    desired: &[RouteSpec],
    blackholes: &mut Blackholes,
    machines: Option<&dyn Instances>,
) -> qcloud_container::kubernetes::Result<(RoutePlan, RouteResults)> {
    let observed = routes.list().await?;
    let inventory = match machines {
        Some(machines) => machines.list().await.ok(),
        None => None,
    };
    let nodes = desired.iter().map(|spec| (spec.node.clone(), vec![spec.next_hop]));
    let hops = NextHops::new(nodes, inventory.as_ref());
    let plan = plan(desired, &observed, &routes.limits(), &hops, blackholes);
    blackholes.clone_from(&plan.blackholes);
    let results = routes.apply(&plan.add, &plan.delete, &|_| {}).await;
    Ok((plan, results))
}

#[async_trait]
impl RoutesHarness for Network {
    async fn provider(&self) -> Arc<dyn Routes> {
        self.process().0
    }

    async fn machine(&self) -> IpAddr {
        let ids = self.cloud.run(1).await;
        self.cloud.addresses(&ids).await[0]
    }

    async fn foreign_route(&self, destination: IpNet, next_hop: IpAddr) -> bool {
        if self.backend == Backend::ClusterTable {
            return false;
        }
        let route = json!({
            "DestinationCidrBlock": destination.to_string(), "GatewayType": "NORMAL_CVM",
            "GatewayId": next_hop.to_string(), "RouteDescription": "k8s:uid-2:n",
        });
        self.cloud.call("vpc", "CreateRoutes", json!({"RouteTableId": self.table, "Routes": [route]})).await;
        true
    }
}

#[tokio::test]
async fn both_adapters_conform() {
    for backend in BOTH {
        let report = conformance::run(&Network::new(backend).await).await;
        report.into_result().unwrap_or_else(|report| panic!("{backend:?}\n{report}"));
    }
}

#[tokio::test]
async fn cluster_tables_conform_with_either_family_of_error_codes() {
    for family in [ClusterErrors::InvalidParameter, ClusterErrors::InternalError] {
        let network = Network::of(Backend::ClusterTable, Emulator::builder().cluster_errors(family)).await;
        let report = conformance::run(&network).await;
        report.into_result().unwrap_or_else(|report| panic!("{family:?}\n{report}"));
    }
}

#[tokio::test]
async fn a_steady_cluster_takes_one_list_a_pass() {
    for backend in BOTH {
        let network = Network::new(backend).await;
        let specs = network.specs(20).await;
        let (routes, _) = network.process();
        let mut blackholes = Blackholes::default();
        pass(&*routes, &specs, &mut blackholes, None).await.unwrap();
        network.cloud.forget();
        for _ in 0..10 {
            let (plan, _) = pass(&*routes, &specs, &mut blackholes, None).await.unwrap();
            assert_eq!(plan.kept.len(), 20);
        }
        assert_eq!(network.cloud.emulator.calls().total(), 10, "{backend:?}");
    }
}

#[tokio::test]
async fn a_thousand_nodes_get_their_routes_at_the_rate_that_is_allowed() {
    let network = Network::new(Backend::ClusterTable).await;
    let mut specs = network.specs(1000).await;
    specs.last_mut().unwrap().urgency = Urgency::Waiting;
    let (routes, _) = network.process();
    network.cloud.forget();
    let started = network.cloud.clock.passed();
    let first = std::sync::Mutex::new(None);
    let observed = routes.list().await.unwrap();
    let hops = NextHops::default();
    let plan = plan(&specs, &observed, &routes.limits(), &hops, &Blackholes::default());
    let heard = |done: qcloud_container::kubernetes::routes::RouteDone<'_>| {
        if let qcloud_container::kubernetes::routes::RouteDone::Added(place, _) = done {
            first.lock().unwrap().get_or_insert((place, network.cloud.clock.passed() - started));
        }
    };
    let results = routes.apply(&plan.add, &plan.delete, &heard).await;
    assert!(results.errors().next().is_none());
    assert_eq!(network.truth().await, expected(&specs));
    let took = (network.cloud.clock.passed() - started).as_secs();
    assert!((60..70).contains(&took), "{took} s");
    assert_eq!(network.cloud.count("CreateClusterRoute"), 1000);
    assert!(network.cloud.emulator.calls().total() <= 1000 + 3);
    // The one that pods wait for was first, and was known of long before the end.
    let (place, after) = first.into_inner().unwrap().unwrap();
    assert!(place == 0 && after < Duration::from_secs(1), "{place} after {after:?}");

    // A restarted controller looks at the table and its routes, and has nothing to do.
    let (fresh, _) = network.process();
    network.cloud.forget();
    let (again, _) = pass(&*fresh, &specs, &mut Blackholes::default(), None).await.unwrap();
    assert_eq!(again.kept.len(), 1000);
    assert_eq!(network.cloud.emulator.calls().total(), 2);
}

#[tokio::test]
async fn plain_tables_are_written_in_batches() {
    let network = Network::new(Backend::VpcTable).await;
    let specs = network.specs(120).await;
    let (routes, _) = network.process();
    network.cloud.forget();
    let (_, results) = pass(&*routes, &specs, &mut Blackholes::default(), None).await.unwrap();
    assert!(results.errors().next().is_none());
    assert_eq!(network.cloud.count("CreateRoutes"), 3);
    // Listed, looked at before writing, and verified.
    assert_eq!(network.cloud.count("DescribeRouteTables"), 3);
    assert_eq!(network.cloud.count("DescribeVpcLimits"), 1);
}

#[tokio::test]
async fn every_chosen_table_gets_every_route() {
    let network = Network::new(Backend::VpcTable).await;
    let cloud = &network.cloud;
    let made = cloud.call("vpc", "CreateRouteTable", json!({"VpcId": cloud.vpc, "RouteTableName": "more"})).await;
    let other = text(&made["RouteTable"]["RouteTableId"]);
    let (config, _) = cloud.process();
    let tables = RouteTables::Ids(vec![network.table.clone(), other.clone()]);
    let networks: [IpNet; 1] = [PODS.parse().unwrap()];
    let settings = VpcTableSettings::new(ClusterIdentity::new("uid-1", "test"), &cloud.vpc, tables, networks);
    let routes = VpcTableRoutes::new(&config, settings);
    let specs = network.specs(3).await;
    // One table has one of them already.
    let only = network.process().0;
    assert!(only.apply(&specs[..1], &[], &|_| {}).await.errors().next().is_none());
    assert!(routes.list().await.unwrap().iter().all(|route| !route.complete));
    pass(&routes, &specs, &mut Blackholes::default(), None).await.unwrap();
    let listed = routes.list().await.unwrap();
    assert!(listed.len() == 3 && listed.iter().all(|route| route.complete && route.owned));
    assert_eq!(network.truth().await, expected(&specs));
    assert_eq!(Network { table: other, ..network.clone() }.truth().await, expected(&specs));
}

#[tokio::test]
async fn tables_are_found_by_subnet_and_a_doubt_is_an_error() {
    let network = Network::new(Backend::VpcTable).await;
    let cloud = &network.cloud;
    let (config, _) = cloud.process();
    let of = |tables: RouteTables| {
        let networks: [IpNet; 1] = [PODS.parse().unwrap()];
        let cluster = ClusterIdentity::new("uid-1", "test");
        VpcTableRoutes::new(&config, VpcTableSettings::new(cluster, &cloud.vpc, tables, networks))
    };
    let specs = network.specs(1).await;
    let by_subnet = of(RouteTables::Subnets(vec![cloud.subnet.clone()]));
    assert!(by_subnet.apply(&specs, &[], &|_| {}).await.errors().next().is_none());
    assert_eq!(network.truth().await, expected(&specs));
    for tables in [
        RouteTables::Ids(vec!["rtb-absent00".to_owned()]),
        RouteTables::Subnets(vec!["subnet-absent00".to_owned()]),
        RouteTables::Tag { key: "cluster".to_owned(), value: "absent".to_owned() },
    ] {
        assert!(of(tables).list().await.is_err());
    }
}

#[tokio::test]
async fn row_14_a_blackhole_goes_after_its_grace_and_a_machine_that_is_no_node_keeps_its_route() {
    for backend in BOTH {
        let network = Network::new(backend).await;
        let specs = network.specs(3).await;
        let (routes, _) = network.process();
        let (config, _) = network.cloud.process();
        let machines = CvmInstances::new(&config, InstanceSettings::new(&network.cloud.vpc)).unwrap();
        let mut blackholes = Blackholes::default();
        pass(&*routes, &specs, &mut blackholes, Some(&machines)).await.unwrap();
        // The machine of the first node goes, the second is no node any more.
        let all = network.cloud.instances().await;
        let gone =
            all.values().find(|machine| text(&machine["PrivateIpAddresses"][0]) == specs[0].next_hop.to_string());
        network.cloud.call("cvm", "TerminateInstances", json!({"InstanceIds": [gone.unwrap()["InstanceId"]]})).await;
        network.cloud.pass(Duration::from_secs(70)).await;
        let mut left = Vec::new();
        for _ in 0..4 {
            pass(&*routes, &specs[2..], &mut blackholes, Some(&machines)).await.unwrap();
            left.push(network.truth().await.len());
            network.cloud.pass(Duration::from_secs(10)).await;
        }
        assert_eq!(left, [3, 3, 2, 2], "{backend:?}");
        assert_eq!(network.truth().await, expected(&specs[1..]));
    }
}

/// Attaches the VPC to a CCN, and publishes all routes of its table there.
async fn publish_all(network: &Network) {
    let cloud = &network.cloud;
    let made = cloud.call("vpc", "CreateCcn", json!({"CcnName": "ccn", "QosLevel": "AU"})).await;
    let vpc = json!({"InstanceId": cloud.vpc, "InstanceRegion": "ap-guangzhou", "InstanceType": "VPC"});
    let attach = json!({"CcnId": made["Ccn"]["CcnId"], "Instances": [vpc]});
    cloud.call("vpc", "AttachCcnInstances", attach).await;
    cloud.pass(Duration::from_secs(2)).await;
    let items: Vec<Value> = items(network).await.iter().map(|route| route["RouteItemId"].clone()).collect();
    cloud.call("vpc", "NotifyRoutes", json!({"RouteTableId": network.table, "RouteItemIds": items})).await;
}

async fn items(network: &Network) -> Vec<Value> {
    let tables = network.cloud.call("vpc", "DescribeRouteTables", json!({"RouteTableIds": [network.table]})).await;
    tables["RouteTableSet"][0]["RouteSet"].as_array().unwrap().clone()
}

/// How many routes of the table are published.
async fn published(network: &Network) -> usize {
    items(network).await.iter().filter(|route| route["PublishedToVbc"] == true).count()
}

#[tokio::test]
async fn a_route_that_is_published_is_withdrawn_before_it_goes() {
    let network = Network::new(Backend::VpcTable).await;
    let specs = network.specs(3).await;
    let (routes, wire) = network.process();
    pass(&*routes, &specs[..2], &mut Blackholes::default(), None).await.unwrap();
    publish_all(&network).await;
    // One moves to another machine, the other goes; the first deletion is refused after the withdrawal.
    wire.spoil("DeleteRoutes", When::Next(1), Fault::Code("UnsupportedOperation"));
    let new = RouteSpec::new("n-0", specs[2].next_hop, specs[0].destination);
    let observed = routes.list().await.unwrap();
    let results = routes.apply(std::slice::from_ref(&new), &observed, &|_| {}).await;
    assert!(results.errors().next().is_none(), "{results:?}");
    assert_eq!(network.truth().await, expected(&[new]));
    assert_eq!(published(&network).await, 1);
}

#[tokio::test]
async fn what_takes_the_place_of_a_published_route_is_published_sooner_or_later() {
    // The route is there by then, or is not yet.
    for spoilt in ["NotifyRoutes", "CreateRoutes"] {
        let network = Network::new(Backend::VpcTable).await;
        let mut specs = network.specs(4).await;
        let (routes, wire) = network.process();
        pass(&*routes, &specs[..3], &mut Blackholes::default(), None).await.unwrap();
        publish_all(&network).await;
        specs[0].next_hop = specs[3].next_hop;
        wire.spoil(spoilt, When::Always, Fault::Code("UnauthorizedOperation.CamNoAuth"));
        for _ in 0..2 {
            let (_, results) = pass(&*routes, &specs[..3], &mut Blackholes::default(), None).await.unwrap();
            let errors: Vec<_> = results.errors().collect();
            assert!(matches!(errors[..], [error] if error.kind() == ErrorKind::Unauthorized), "{spoilt}: {errors:?}");
            assert_eq!(errors[0].to_string().contains("not published"), spoilt == "NotifyRoutes");
        }
        wire.heal();
        let (_, results) = pass(&*routes, &specs[..3], &mut Blackholes::default(), None).await.unwrap();
        assert!(results.errors().next().is_none(), "{spoilt}: {results:?}");
        assert_eq!((network.truth().await, published(&network).await), (expected(&specs[..3]), 3), "{spoilt}");
        network.cloud.forget();
        let (plan, _) = pass(&*routes, &specs[..3], &mut Blackholes::default(), None).await.unwrap();
        assert_eq!((plan.kept.len(), network.cloud.emulator.calls().total()), (3, 1));
    }
}

#[tokio::test]
async fn a_route_that_someone_switched_off_is_switched_on() {
    let network = Network::new(Backend::VpcTable).await;
    let specs = network.specs(2).await;
    let (routes, _) = network.process();
    pass(&*routes, &specs, &mut Blackholes::default(), None).await.unwrap();
    let ids = json!({"RouteTableIds": [network.table]});
    let tables = network.cloud.call("vpc", "DescribeRouteTables", ids).await;
    let item = &tables["RouteTableSet"][0]["RouteSet"][0]["RouteItemId"];
    let disable = json!({"RouteTableId": network.table, "RouteItemIds": [item]});
    network.cloud.call("vpc", "DisableRoutes", disable).await;
    let (plan, results) = pass(&*routes, &specs, &mut Blackholes::default(), None).await.unwrap();
    assert!(plan.add.len() == 1 && results.errors().next().is_none());
    assert!(routes.list().await.unwrap().iter().all(|route| route.complete));
}
