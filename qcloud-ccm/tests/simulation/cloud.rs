//! The emulated account, the way of the controllers to it, and our own, which nothing happens on.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt as _};
use http::Response;
use qcloud_container::provider::load_balancers::SERVICE_UID_TAG;
use qcloud_core::clock::Clock;
use qcloud_core::transport::{HttpRequest, HttpResponse, Transport, TransportError, TransportErrorKind};
use qcloud_core::{Client, Config, RateLimits, Raw, Service};
use qcloud_emulator::Emulator;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::weather::{Fault, Weather};

const CLB: Service = Service::new("clb", "2018-03-17");
const VPC: Service = Service::new("vpc", "2017-03-12");
const TKE: Service = Service::new("tke", "2018-05-25");
const CVM: Service = Service::new("cvm", "2017-03-12");

/// When the simulation begins.
const START: Duration = Duration::from_secs(1_767_323_045);

/// The time of the runtime, for the SDK.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + START + self.0.elapsed()
    }
    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}

struct Sky {
    weather: Weather,
    random: fastrand::Rng,
    struck: u64,
}

/// The way to the cloud.
#[derive(Clone)]
struct Wire {
    emulator: Emulator,
    clock: RuntimeClock,
    /// None where nothing goes wrong.
    sky: Option<Arc<Mutex<Sky>>>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl Wire {
    async fn handle(&self, request: HttpRequest) -> HttpResponse {
        let behind = self.clock.now().duration_since(self.emulator.clock().now()).unwrap_or_default();
        self.emulator.clock().advance(behind);
        self.emulator.handle(request).await
    }

    async fn carry(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let Some(sky) = &self.sky else { return Ok(self.handle(request).await) };
        let action = request.headers()["x-tc-action"].to_str().unwrap().to_owned();
        let (pace, fault) = {
            let mut sky = sky.lock().unwrap();
            let Sky { weather, random, struck } = &mut *sky;
            let fault = weather.fault(&action, random);
            *struck += u64::from(fault.is_some());
            (Duration::from_millis(random.u64(10..150)), fault)
        };
        tokio::time::sleep(pace).await;
        let lost = || TransportError::new(TransportErrorKind::Interrupted, "lost in the weather");
        match fault {
            None => Ok(self.handle(request).await),
            Some(Fault::LostBefore) => Err(lost()),
            Some(Fault::LostAfter) => {
                self.handle(request).await;
                Err(lost())
            }
            Some(Fault::Refused(code)) => {
                let error = json!({ "Code": code, "Message": "refused by the weather" });
                let body = json!({ "Response": { "Error": error, "RequestId": "r-weather" } });
                Ok(Response::new(Bytes::from(body.to_string())))
            }
        }
    }
}

impl Transport for Wire {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        self.carry(request).boxed()
    }
}

/// An account with a network, one route table, and things in it that are nobody's business.
pub(crate) struct Cloud {
    emulator: Emulator,
    clock: RuntimeClock,
    sky: Arc<Mutex<Sky>>,
    pub(crate) vpc: String,
    subnet: String,
    pub(crate) table: String,
    foreign: Value,
    pub(crate) foreign_balancer: String,
    admin: [Client; 4],
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

impl Cloud {
    pub(crate) async fn new(seed: u64) -> Self {
        let clock = RuntimeClock(Instant::now());
        let emulator = Emulator::builder()
            .seed(seed)
            .clock(qcloud_emulator::Clock::starting_at(clock.now()))
            .call_log(100)
            .build()
            .unwrap();
        let sky = Sky { weather: Weather::Clear, random: fastrand::Rng::with_seed(seed), struck: 0 };
        let wire = Wire { emulator: emulator.clone(), clock, sky: None };
        let config = Config::builder()
            .region(emulator.region())
            .static_credentials(emulator.secret_id(), emulator.secret_key())
            .transport(wire)
            .clock(clock)
            .build()
            .unwrap();
        let mut cloud = Self {
            emulator,
            clock,
            sky: Arc::new(Mutex::new(sky)),
            vpc: String::new(),
            subnet: String::new(),
            table: String::new(),
            foreign: Value::Null,
            foreign_balancer: String::new(),
            admin: [CVM, VPC, CLB, TKE].map(|service| Client::new(&config, service)),
        };
        let made = cloud.vpc("CreateVpc", json!({ "VpcName": "net", "CidrBlock": "10.0.0.0/16" })).await;
        cloud.vpc = text(&made["Vpc"]["VpcId"]);
        let subnet =
            json!({ "VpcId": cloud.vpc, "SubnetName": "s", "Zone": "ap-guangzhou-3", "CidrBlock": "10.0.1.0/24" });
        let made = cloud.vpc("CreateSubnet", subnet).await;
        cloud.subnet = text(&made["Subnet"]["SubnetId"]);
        cloud.table = text(&made["Subnet"]["RouteTableId"]);
        cloud.foreigners().await;
        cloud
    }

    /// Makes what belongs to others: a machine, a route to it among those of pods, a balancer to it, a security group.
    async fn foreigners(&mut self) {
        let (machine, address, _) = self.run().await;
        self.pass(Duration::from_secs(10)).await;
        let route = json!({
            "DestinationCidrBlock": "172.31.255.0/24", "GatewayType": "NORMAL_CVM", "GatewayId": address,
            "RouteDescription": "somebody's",
        });
        self.vpc("CreateRoutes", json!({ "RouteTableId": self.table, "Routes": [route] })).await;
        let group = json!({ "GroupName": "somebody's", "GroupDescription": "somebody's" });
        self.vpc("CreateSecurityGroup", group).await;
        let order = json!({ "LoadBalancerType": "OPEN", "VpcId": self.vpc, "LoadBalancerName": "somebody's" });
        let made = self.clb("CreateLoadBalancer", order).await;
        self.foreign_balancer = text(&made["LoadBalancerIds"][0]);
        self.pass(Duration::from_secs(20)).await;
        let listener = json!({
            "LoadBalancerId": self.foreign_balancer, "Protocol": "TCP", "Ports": [80], "ListenerNames": ["somebody's"],
        });
        let made = self.clb("CreateListener", listener).await;
        self.pass(Duration::from_secs(20)).await;
        let targets = json!({
            "LoadBalancerId": self.foreign_balancer, "ListenerId": made["ListenerIds"][0],
            "Targets": [{ "InstanceId": machine, "Port": 8080 }],
        });
        self.clb("RegisterTargets", targets).await;
        self.pass(Duration::from_secs(20)).await;
        self.foreign = self.look_at_foreigners().await;
    }

    /// What belongs to others, as it is now.
    async fn look_at_foreigners(&self) -> Value {
        let mut routes = self.vpc_routes().await;
        routes.retain(|route| route["RouteDescription"] == "somebody's");
        let of_balancer = json!({ "LoadBalancerId": self.foreign_balancer });
        let balancer = self.clb("DescribeLoadBalancers", json!({ "LoadBalancerIds": [self.foreign_balancer] })).await;
        json!({
            "routes": routes,
            "balancer": balancer["LoadBalancerSet"],
            "listeners": self.clb("DescribeListeners", of_balancer.clone()).await["Listeners"],
            "targets": self.clb("DescribeTargets", of_balancer).await["Listeners"],
        })
    }

    pub(crate) async fn check_foreigners(&self) -> Result<(), String> {
        let now = self.look_at_foreigners().await;
        if now == self.foreign {
            Ok(())
        } else {
            Err(format!("foreign objects were touched: {now:#}, not {:#}", self.foreign))
        }
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    /// The configuration of a process.
    pub(crate) fn config(&self, seed: u64) -> Config {
        let wire = Wire { emulator: self.emulator.clone(), clock: self.clock, sky: Some(Arc::clone(&self.sky)) };
        let limits = RateLimits::new().with_rates(qcloud_cvm::RATES).with_rates(qcloud_vpc::RATES).with_share(0.8);
        Config::builder()
            .region(self.emulator.region())
            .static_credentials(self.emulator.secret_id(), self.emulator.secret_key())
            .transport(wire)
            .clock(self.clock)
            .rate_limits(limits)
            .jitter_seed(seed)
            .build()
            .unwrap()
    }

    pub(crate) fn set_weather(&self, weather: Weather) {
        self.sky.lock().unwrap().weather = weather;
    }

    /// How many calls there were, ours among them.
    pub(crate) fn calls(&self) -> usize {
        self.emulator.calls().total()
    }

    /// How many calls went wrong.
    pub(crate) fn struck(&self) -> u64 {
        self.sky.lock().unwrap().struck
    }

    async fn call(&self, client: &Client, action: &str, parameters: Value) -> Value {
        client.call(Raw::new(action, parameters)).await.unwrap_or_else(|error| panic!("{action}: {error}"))
    }

    pub(crate) async fn cvm(&self, action: &str, parameters: Value) -> Value {
        self.call(&self.admin[0], action, parameters).await
    }

    pub(crate) async fn vpc(&self, action: &str, parameters: Value) -> Value {
        self.call(&self.admin[1], action, parameters).await
    }

    pub(crate) async fn clb(&self, action: &str, parameters: Value) -> Value {
        self.call(&self.admin[2], action, parameters).await
    }

    /// Runs a machine; gives its id, address and host name.
    pub(crate) async fn run(&self) -> (String, String, String) {
        let order = json!({
            "Placement": { "Zone": "ap-guangzhou-3" }, "ImageId": "img-487zeit5", "InstanceCount": 1,
            "VirtualPrivateCloud": { "VpcId": self.vpc, "SubnetId": self.subnet },
        });
        let id = text(&self.cvm("RunInstances", order).await["InstanceIdSet"][0]);
        let shown = self.cvm("DescribeInstances", json!({ "InstanceIds": [id] })).await;
        let address = text(&shown["InstanceSet"][0]["PrivateIpAddresses"][0]);
        (id, address, text(&shown["InstanceSet"][0]["HostName"]))
    }

    /// The states of all machines, by id.
    pub(crate) async fn states(&self) -> std::collections::BTreeMap<String, String> {
        let shown = self.cvm("DescribeInstances", json!({ "Limit": 100 })).await;
        let machines = shown["InstanceSet"].as_array().unwrap();
        machines.iter().map(|machine| (text(&machine["InstanceId"]), text(&machine["InstanceState"]))).collect()
    }

    /// All routes to pods that the controllers made: networks and next hops.
    pub(crate) async fn routes(&self, cluster_table: Option<&str>) -> Vec<(String, String)> {
        let Some(table) = cluster_table else {
            let mut routes = self.vpc_routes().await;
            routes.retain(|route| route["RouteDescription"] != "somebody's");
            return routes
                .iter()
                .map(|route| (text(&route["DestinationCidrBlock"]), text(&route["GatewayId"])))
                .collect();
        };
        let tables = self.call(&self.admin[3], "DescribeClusterRouteTables", json!({})).await;
        if tables["TotalCount"] == 0 {
            return Vec::new();
        }
        let shown = self.call(&self.admin[3], "DescribeClusterRoutes", json!({ "RouteTableName": table })).await;
        let routes = shown["RouteSet"].as_array().unwrap().iter();
        routes.map(|route| (text(&route["DestinationCidrBlock"]), text(&route["GatewayIp"]))).collect()
    }

    /// All routes of the plain table that somebody made.
    async fn vpc_routes(&self) -> Vec<Value> {
        let shown = self.vpc("DescribeRouteTables", json!({ "RouteTableIds": [self.table] })).await;
        let mut routes = shown["RouteTableSet"][0]["RouteSet"].as_array().unwrap().clone();
        routes.retain(|route| route["RouteType"] == "USER");
        routes
    }

    /// All balancers.
    pub(crate) async fn balancers(&self) -> Vec<Value> {
        let shown = self.clb("DescribeLoadBalancers", json!({ "Limit": 100 })).await;
        shown["LoadBalancerSet"].as_array().unwrap().clone()
    }

    /// The security groups of Services: the id of each, and the uid of its Service.
    pub(crate) async fn groups(&self) -> Vec<(String, String)> {
        let shown = self.vpc("DescribeSecurityGroups", json!({ "Limit": "100" })).await;
        let groups = shown["SecurityGroupSet"].as_array().unwrap().iter();
        let foreign =
            |group: &&Value| ["default", "somebody's"].contains(&group["SecurityGroupName"].as_str().unwrap());
        let uid = |group: &Value| {
            let mut tags = group["TagSet"].as_array().into_iter().flatten();
            text(&tags.find(|tag| tag["Key"] == SERVICE_UID_TAG).unwrap_or(&Value::Null)["Value"])
        };
        groups.filter(|group| !foreign(group)).map(|group| (text(&group["SecurityGroupId"]), uid(group))).collect()
    }
}
