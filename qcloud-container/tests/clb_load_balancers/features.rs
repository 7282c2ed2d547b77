//! What a Service can ask for, as CLB then has it.

use std::time::Duration;

use qcloud_container::kubernetes::load_balancers::conformance::Harness as _;
use qcloud_container::kubernetes::load_balancers::{
    Access, Existing, HealthCheck, Ingress, LbLimits, LbSpec, ListenerKey, LoadBalancers, Node, Protocol, ReadContext,
    Rule, Scope, Service, ServiceKey, ServicePort, TargetSet, Tls, annotations as names,
};
use qcloud_container::provider::load_balancers::ClbOptions;
use serde_json::json;

use crate::cloud::{CLB, Cloud, VPC};

fn address(status: &qcloud_container::kubernetes::load_balancers::LbStatus) -> String {
    match &status.ingress[0] {
        Ingress::Address(address, _) => address.to_string(),
        other => panic!("{other:?}"),
    }
}

/// From the Service with its annotations to the reached target.
#[tokio::test]
async fn a_service_reaches_its_nodes() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let mut service = Service::new(
        ServiceKey::new("default", "web", "uid-1"),
        [
            ServicePort::tcp(80).with_name("http").with_node_port(30080),
            ServicePort::udp(80).with_name("quic").with_node_port(30081),
        ],
    )
    .with_annotation(names::BANDWIDTH, "20")
    .with_annotation(names::TAGS, "team=web")
    .with_annotation(names::HEALTH_CHECK, r#"{"80":{"interval":10}}"#);
    service.affinity_seconds = Some(120);
    let mut spec = LbSpec::read(&service, &ReadContext::default()).unwrap().unwrap();
    let nodes: Vec<Node> = cloud.machines.iter().map(|id| Node::new(id.as_str(), id.as_str())).collect();
    spec.targets = TargetSet::select(&spec, &nodes, None, &LbLimits::new(50, 200)).unwrap();
    let status = cloud.ensure(&provider, &spec).await;
    let traffic = cloud.emulator.load_balancing(cloud.emulator.region());
    for (transport, port) in [("TCP", 30080), ("UDP", 30081)] {
        let reached = traffic.reached_by_connection(&address(&status), 80, transport);
        assert_eq!(reached.len(), 4, "{transport}");
        assert!(reached.iter().all(|target| target.port == port));
    }
    let shown = cloud.shown(&status.id).await;
    assert_eq!(shown["NetworkAttributes"]["InternetMaxBandwidthOut"], 20);
    assert!(shown["Tags"].as_array().unwrap().iter().any(|tag| tag["TagKey"] == "team" && tag["TagValue"] == "web"));
    let listeners = cloud.listeners(&status.id).await;
    assert!(listeners.iter().all(|listener| listener["SessionExpireTime"] == 120));
    assert!(listeners.iter().all(|listener| listener["HealthCheck"]["SourceIpType"] == 1));
    assert!(listeners.iter().all(|listener| listener["HealthCheck"]["IntervalTime"] == 10));

    // In VIP mode, traffic goes to the port of the Service itself.
    let mut vip = service.with_annotation(names::MODE, "vip");
    vip.has_node_ports = false;
    let mut spec = LbSpec::read(&vip, &ReadContext::default()).unwrap().unwrap();
    spec.targets = TargetSet::select(&spec, &nodes, None, &LbLimits::new(50, 200)).unwrap();
    let status = cloud.ensure(&provider, &spec).await;
    let reached = traffic.reached_by_connection(&address(&status), 80, "TCP");
    assert!(reached.len() == 4 && reached.iter().all(|target| target.port == 80));
}

#[tokio::test]
async fn an_internal_balancer_with_an_address_of_its_choice() {
    let cloud = Cloud::new().await;
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    want.scope = Scope::Internal { subnet: cloud.subnet.clone() };
    want.address = Some(qcloud_container::kubernetes::load_balancers::StaticAddress::Ip("10.0.1.200".parse().unwrap()));
    let provider = cloud.provider();
    let status = cloud.ensure(&provider, &want).await;
    assert_eq!(address(&status), "10.0.1.200");
    assert_eq!(cloud.shown(&status.id).await["LoadBalancerType"], "INTERNAL");
    // A new process finds it as wanted.
    cloud.emulator.calls().clear();
    cloud.provider().ensure(&want).await.unwrap();
    assert!(cloud.emulator.calls().counts().keys().all(|action| action.starts_with("Describe")));
}

#[tokio::test]
async fn requests_are_forwarded_by_host() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let key = ListenerKey::new(80, Protocol::Http);
    let mut want = cloud.spec("one", &[(80, Protocol::Http)]);
    let host = |name: &str| Rule { host: name.to_owned(), path: "/".to_owned() };
    want.listeners[0].rules = [host("a.example"), host("b.example")].into();
    let status = cloud.ensure(&provider, &want).await;
    let traffic = cloud.emulator.load_balancing(cloud.emulator.region());
    let reached = |host: &str| traffic.reached_by_request(&address(&status), 80, host, "/").len();
    assert_eq!((reached("a.example"), reached("b.example")), (2, 2));
    want.listeners[0].rules = [host("b.example"), host("c.example")].into();
    want.listeners[0].settings.health.interval = Some(20);
    cloud.ensure(&provider, &want).await;
    assert_eq!((reached("b.example"), reached("c.example")), (2, 2));
    let state = provider.observe(&want.reference()).await.unwrap().unwrap();
    let rules = &state.listener(key).unwrap().rules;
    assert_eq!(rules.len(), 2);
    assert!(rules.iter().all(|rule| rule.settings.health.interval == Some(20)));
    cloud.delete(&provider, &want).await;
}

#[tokio::test]
async fn source_ranges_come_change_and_go() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    for ranges in [&["10.0.0.0/8", "fd00::/8"][..], &["192.168.0.0/16"], &[]] {
        want.access = Access::open().with_source_ranges(ranges.iter().map(|range| range.parse().unwrap()));
        let status = cloud.ensure(&provider, &want).await;
        let state = cloud.provider().observe(&want.reference()).await.unwrap().unwrap();
        assert_eq!(state.access.source_ranges, want.access.source_ranges);
        let groups = cloud.shown(&status.id).await["SecureGroups"].as_array().unwrap().len();
        assert_eq!(groups, usize::from(!ranges.is_empty()));
        let traffic = cloud.emulator.load_balancing(cloud.emulator.region());
        for client in ["10.1.2.3", "192.168.1.1", "203.0.113.1"] {
            let wanted = ranges.is_empty() || ranges.iter().any(|range| range[..3] == client[..3]);
            let reached = traffic.reached_from(client.parse().unwrap(), &address(&status), 80, "TCP");
            assert_eq!(!reached.is_empty(), wanted, "{client} {ranges:?}");
        }
    }
}

/// The description of a security group has room for 100 characters only.
#[tokio::test]
async fn source_ranges_of_a_service_with_the_longest_name() {
    let cloud = Cloud::new().await;
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    want.key = ServiceKey::new("n".repeat(63), "s".repeat(63), "one");
    want.access = Access::open().with_source_ranges(["10.0.0.0/8".parse().unwrap()]);
    cloud.ensure(&cloud.provider(), &want).await;
    assert_eq!(cloud.groups().await, 1);
}

/// A balancer admits what any of its groups admits.
#[tokio::test]
async fn source_ranges_are_not_put_beside_other_groups() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    want.access = Access::open().with_source_ranges(["10.0.0.0/8".parse().unwrap()]).with_groups(["sg-12345678"]);
    let error = provider.ensure(&want).await.unwrap_err();
    assert!(error.is_final() && error.to_string().contains(names::SECURITY_GROUPS), "{error}");
    assert_eq!(cloud.emulator.calls().total(), 0);

    want.access.groups.clear();
    let status = cloud.ensure(&provider, &want).await;
    let other = json!({ "GroupName": "open", "GroupDescription": "lets in everyone" });
    let other = cloud.vpc("CreateSecurityGroup", other).await["SecurityGroup"]["SecurityGroupId"].clone();
    let own = cloud.shown(&status.id).await["SecureGroups"][0].clone();
    let both = json!({ "LoadBalancerId": status.id, "SecurityGroups": [own, other] });
    cloud.clb_done("SetLoadBalancerSecurityGroups", both).await;
    // A look at the groups is enough to see that the Service is not fenced off any more.
    cloud.pass(Duration::from_secs(700));
    let error = provider.ensure(&want).await.unwrap_err();
    assert!(error.to_string().contains(other.as_str().unwrap()), "{error}");
    cloud.heed(&error);
    cloud
        .clb_done("SetLoadBalancerSecurityGroups", json!({ "LoadBalancerId": status.id, "SecurityGroups": [own] }))
        .await;
    cloud.pass(Duration::from_secs(60));
    cloud.ensure(&provider, &want).await;
}

#[tokio::test]
async fn local_traffic_is_checked_on_the_nodes() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    want.listeners[0].settings.health = HealthCheck::of_node(31000);
    let status = cloud.ensure(&provider, &want).await;
    let check = cloud.listeners(&status.id).await[0]["HealthCheck"].clone();
    assert_eq!(
        (&check["CheckPort"], &check["CheckType"], &check["HttpCheckPath"]),
        (&json!(31000), &json!("HTTP"), &json!("/healthz"))
    );
    // It is the same when it is read back.
    cloud.emulator.calls().clear();
    cloud.provider().ensure(&want).await.unwrap();
    assert!(cloud.emulator.calls().counts().keys().all(|action| action.starts_with("Describe")));
}

/// The ways of a Service back from what it asked for, each from its annotations and fields to what CLB then has.
#[tokio::test]
async fn what_is_taken_away_goes_back_to_its_default() {
    let plain = Service::new(
        ServiceKey::new("default", "web", "uid-1"),
        [ServicePort::tcp(80).with_node_port(30080), ServicePort::udp(53).with_node_port(30053)],
    );
    let mut local = plain.clone();
    (local.local_traffic, local.health_check_node_port) = (true, Some(31000));
    let parameters = r#"{"Scheduler":"LEAST_CONN","SessionExpireTime":60,"DeregisterTargetRst":true}"#;
    let checks = r#"{"*":{"interval":60,"timeout":20,"healthy":9,"unhealthy":9},"80":{"port":8080}}"#;
    let tuned = plain
        .clone()
        .with_annotation(names::HEALTH_CHECK, checks)
        .with_annotation(names::IDLE_TIMEOUT, "600")
        .with_annotation(names::LISTENER_PARAMETERS, parameters);
    let direct = plain.clone().with_annotation(names::MODE, "direct");
    for (before, after) in [(&local, &plain), (&local, &direct), (&tuned, &plain), (&plain, &plain)] {
        let usual = {
            let cloud = Cloud::new().await;
            as_made(&cloud, &[after]).await
        };
        let cloud = Cloud::new().await;
        assert_eq!(as_made(&cloud, &[before, after]).await, usual);
    }
}

/// The listeners that these wishes of one Service lead to, one after the other, but for what differs every time. The last
/// wish is then met, to this process and to a new one.
async fn as_made(cloud: &Cloud, services: &[&Service]) -> Vec<serde_json::Value> {
    let provider = cloud.provider();
    let mut shown = Vec::new();
    for service in services {
        let mut want = LbSpec::read(service, &ReadContext::default()).unwrap().unwrap();
        // Where traffic goes is not of interest here.
        want.targets = TargetSet::default();
        let status = cloud.ensure(&provider, &want).await;
        cloud.emulator.calls().clear();
        for provider in [&provider, &cloud.provider()] {
            provider.ensure(&want).await.unwrap();
        }
        let calls = cloud.emulator.calls().counts();
        assert!(calls.keys().all(|action| action.starts_with("Describe")), "{calls:?}");
        shown = cloud.listeners(&status.id).await;
    }
    for listener in &mut shown {
        for name in ["ListenerId", "CreateTime"] {
            listener.as_object_mut().unwrap().remove(name);
        }
        let check = listener["HealthCheck"].as_object_mut().unwrap();
        if check["CheckType"] != "HTTP" {
            // What an HTTP check was once told stays, and has no meaning for another one.
            check.retain(|name, _| !name.starts_with("Http"));
        }
    }
    shown.sort_by_key(|listener| listener["Port"].as_i64());
    shown
}

/// The same for the rules of HTTP, whose checks ask for the host of the rule.
#[tokio::test]
async fn the_host_of_a_check_is_taken_away_again() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let service = Service::new(ServiceKey::new("ns", "web", "uid-1"), [ServicePort::tcp(80).with_node_port(30080)])
        .with_annotation(names::SPECIFY_PROTOCOL, r#"{"80":{"protocol":["HTTP"],"hosts":{"a.example":{}}}}"#);
    let asks =
        service.clone().with_annotation(names::HEALTH_CHECK, r#"{"80":{"domain":"check.example","statuses":[2]}}"#);
    for (service, domain, code) in
        [(&service, "a.example", 31), (&asks, "check.example", 2), (&service, "a.example", 31)]
    {
        let mut want = LbSpec::read(service, &ReadContext::default()).unwrap().unwrap();
        want.targets = TargetSet::default();
        let status = cloud.ensure(&provider, &want).await;
        let check = cloud.listeners(&status.id).await[0]["Rules"][0]["HealthCheck"].clone();
        assert_eq!((&check["HttpCheckDomain"], &check["HttpCode"]), (&json!(domain), &json!(code)));
        cloud.emulator.calls().clear();
        cloud.provider().ensure(&want).await.unwrap();
        assert!(cloud.emulator.calls().counts().keys().all(|action| action.starts_with("Describe")));
    }
}

#[tokio::test]
async fn an_elastic_address_is_given_and_not_exchanged() {
    let cloud = Cloud::new().await;
    let made = cloud.vpc("AllocateAddresses", json!({ "AddressCount": 2 })).await;
    let eips: Vec<&str> = made["AddressSet"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    cloud.pass(Duration::from_secs(10));
    let read = |eip: &str| {
        let service =
            Service::new(ServiceKey::new("default", "web", "uid-1"), [ServicePort::tcp(80).with_node_port(30080)])
                .with_annotation(names::INTERNAL_SUBNET, cloud.subnet.as_str())
                .with_annotation(names::STATIC_ADDRESS, eip);
        LbSpec::read(&service, &ReadContext::default()).unwrap().unwrap()
    };
    let provider = cloud.provider();
    let status = cloud.ensure(&provider, &read(eips[0])).await;
    let holder = async |eip: &str| {
        let shown = cloud.vpc("DescribeAddresses", json!({ "AddressIds": [eip] })).await;
        shown["AddressSet"][0]["InstanceId"].clone()
    };
    assert_eq!(holder(eips[0]).await, json!(status.id));
    let refused = cloud.provider().ensure(&read(eips[1])).await.unwrap_err();
    assert!(refused.is_final() && refused.to_string().contains(names::ALLOW_RECREATE), "{refused}");
    cloud.provider().ensure(&read(eips[0])).await.unwrap();
}

#[tokio::test]
async fn weights_and_bandwidth_change_in_place() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let key = ListenerKey::new(80, Protocol::Tcp);
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    want.bandwidth = Some(5);
    let first = cloud.ensure(&provider, &want).await;
    want.bandwidth = Some(50);
    let drained = want.targets.of(key).unwrap().clone();
    want.targets.set(key, drained.into_keys().enumerate().map(|(n, target)| (target, if n == 0 { 0 } else { 30 })));
    let second = cloud.ensure(&provider, &want).await;
    assert_eq!(first.id, second.id);
    cloud.pass(Duration::from_secs(5));
    let state = provider.observe(&want.reference()).await.unwrap().unwrap();
    assert_eq!(Some(&state.listener(key).unwrap().targets), want.targets.of(key));
    assert_eq!(cloud.shown(&first.id).await["NetworkAttributes"]["InternetMaxBandwidthOut"], 50);
}

#[tokio::test]
async fn certificates_are_put_on_and_exchanged() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let mut want = cloud.spec("one", &[(443, Protocol::TcpSsl), (8443, Protocol::Https)]);
    for certificate in ["abcd1234", "efgh5678"] {
        for listener in &mut want.listeners {
            listener.settings.tls = Some(Tls::new([certificate]));
        }
        want.listeners[0].settings.proxy_protocol = certificate == "efgh5678";
        let status = cloud.ensure(&provider, &want).await;
        let listeners = cloud.listeners(&status.id).await;
        assert!(listeners.iter().all(|listener| listener["Certificate"]["CertId"] == certificate), "{listeners:?}");
    }
    cloud.emulator.calls().clear();
    cloud.provider().ensure(&want).await.unwrap();
    assert!(cloud.emulator.calls().counts().keys().all(|action| action.starts_with("Describe")));
}

/// Certificates of two key algorithms, and one for each host by its name.
#[tokio::test]
async fn several_certificates_are_put_on_and_exchanged() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let mut want = cloud.spec("one", &[(443, Protocol::Https), (8443, Protocol::TcpSsl)]);
    for certificates in [["abcd1234", "efgh5678"], ["abcd1234", "ijkl9012"]] {
        for listener in &mut want.listeners {
            listener.settings.tls = Some(Tls::new(certificates));
        }
        let status = cloud.ensure(&provider, &want).await;
        for listener in cloud.listeners(&status.id).await {
            assert_eq!(listener["Certificate"]["CertId"], certificates[0]);
            assert_eq!(listener["Certificate"]["ExtCertIds"], json!([certificates[1]]));
        }
    }
    // From one certificate for all to one for each host, and back.
    for by_host in [true, false] {
        let settings = &mut want.listeners[0];
        let rule = |host: &str| Rule { host: host.to_owned(), path: "/".to_owned() };
        settings.rules = [rule("a.example"), rule("b.example")].into();
        let tls = |host: &str, id: &str| (host.to_owned(), Tls::new([id]));
        let hosts = [tls("a.example", "aaaa1111"), tls("b.example", "bbbb2222")];
        settings.settings.tls_by_host = by_host.then(|| hosts.into());
        settings.settings.tls = (!by_host).then(|| Tls::new(["abcd1234"]));
        let status = cloud.ensure(&provider, &want).await;
        let listeners = cloud.listeners(&status.id).await;
        let https = listeners.iter().find(|listener| listener["Port"] == 443).unwrap();
        assert_eq!(https["SniSwitch"], u8::from(by_host));
        let mut shown: Vec<_> = https["Rules"].as_array().unwrap().iter().collect();
        shown.sort_by_key(|rule| rule["Domain"].to_string());
        let ids: Vec<_> = shown.iter().map(|rule| rule["Certificate"]["CertId"].as_str().unwrap()).collect();
        assert_eq!(ids, if by_host { ["aaaa1111", "bbbb2222"] } else { ["abcd1234", "abcd1234"] });
        // A new process finds it as wanted.
        cloud.emulator.calls().clear();
        cloud.provider().ensure(&want).await.unwrap();
        assert!(cloud.emulator.calls().counts().keys().all(|action| action.starts_with("Describe")));
    }
}

#[tokio::test]
async fn an_existing_balancer_is_left_as_it_was() {
    let cloud = Cloud::new().await;
    let provider = cloud.provider();
    let balancer = cloud.make_user_balancer().await;
    let before = cloud.shown(&balancer).await;
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    want.existing = Some(Existing::new(balancer.as_str()));
    want.access = Access::open().with_source_ranges(["10.0.0.0/8".parse().unwrap()]);
    cloud.ensure(&provider, &want).await;
    assert_eq!(cloud.shown(&balancer).await["SecureGroups"].as_array().unwrap().len(), 1);
    cloud.delete(&provider, &want).await;
    let after = cloud.shown(&balancer).await;
    assert_eq!(after["SecureGroups"], before["SecureGroups"]);
    assert!(cloud.listeners(&balancer).await.is_empty());
    let groups = cloud.vpc("DescribeSecurityGroups", json!({ "Limit": "100" })).await;
    let mut names = groups["SecurityGroupSet"].as_array().unwrap().iter();
    assert!(names.all(|group| !group["SecurityGroupName"].as_str().unwrap().starts_with("k8s-")));
}

/// The balancer is where its clients are; the nodes are reached by their addresses.
#[tokio::test]
async fn a_balancer_in_another_region_and_network() {
    const FAR: &str = "ap-shanghai";
    let cloud = Cloud::new().await;
    let made = json!({ "VpcName": "far", "CidrBlock": "172.16.0.0/16" });
    let far = cloud.call_in(FAR, VPC, "CreateVpc", made).await["Vpc"]["VpcId"].as_str().unwrap().to_owned();
    let mut options = ClbOptions::new(cloud.vpc.as_str());
    options.other_regions = vec![FAR.to_owned()];
    let fresh = || cloud.provider_with("cluster-1", options.clone());
    let in_far = async || {
        let shown = cloud.call_in(FAR, CLB, "DescribeLoadBalancers", json!({})).await;
        shown["LoadBalancerSet"].as_array().unwrap().clone()
    };

    let service =
        Service::new(ServiceKey::new("default", "web", "uid-1"), [ServicePort::tcp(80).with_node_port(30080)]);
    let nodes: Vec<Node> = (4..6)
        .map(|n| Node::new(format!("n{n}"), cloud.machines[n - 4].as_str()).with_address([10, 0, 1, n as u8].into()))
        .collect();
    let read = |service: &Service| {
        let mut spec = LbSpec::read(service, &ReadContext::default()).unwrap().unwrap();
        spec.targets = TargetSet::select(&spec, &nodes, None, &LbLimits::new(50, 200)).unwrap();
        spec
    };
    let there =
        service.clone().with_annotation(names::CROSS_REGION, FAR).with_annotation(names::CROSS_VPC, far.as_str());
    let mut want = read(&there);
    let provider = fresh();
    let status = cloud.ensure(&provider, &want).await;
    let shown = in_far().await;
    assert_eq!((shown.len(), &shown[0]["VpcId"], &shown[0]["SnatPro"]), (1, &json!(far), &json!(true)));
    assert!(cloud.balancers().await.is_empty());
    let state = provider.observe(&want.reference()).await.unwrap().unwrap();
    assert_eq!(Some(&state.listeners[0].targets), want.targets.of(want.listeners[0].key));
    assert_eq!(provider.sweep_owned().await.unwrap().len(), 1);
    // A new process finds it as wanted.
    cloud.emulator.calls().clear();
    fresh().ensure(&want).await.unwrap();
    assert!(cloud.emulator.calls().counts().keys().all(|action| action.starts_with("Describe")));

    // It moves only when that is allowed, and the old one stays until the new address is in the status.
    want.recorded_id = Some(status.id);
    let mut home = read(&service);
    home.recorded_id.clone_from(&want.recorded_id);
    let refused = fresh().ensure(&home).await.unwrap_err();
    assert!(refused.is_final() && refused.to_string().contains("region"), "{refused}");
    home.allow_recreate = true;
    let moved = cloud.ensure(&provider, &home).await;
    assert!(moved.again_after.is_some() && in_far().await.len() == 1);
    cloud.ensure(&fresh(), &home).await;
    assert_eq!(in_far().await.len(), 1, "also for a process that did not make the new one");
    home.published.clone_from(&moved.ingress);
    assert!(cloud.ensure_all(&provider, &home).await.again_after.is_none());
    assert!(in_far().await.is_empty());
    assert_eq!(cloud.balancers().await, [moved.id]);

    // Who is not told of a region cannot make anything there, and says so.
    let error = cloud.provider().ensure(&want).await.unwrap_err();
    assert!(error.is_final() && error.to_string().contains(names::CROSS_REGION), "{error}");
    cloud.delete(&provider, &home).await;
    assert!(cloud.balancers().await.is_empty());
}

#[tokio::test]
async fn what_clb_cannot_do_is_refused_with_the_annotation() {
    let cloud = Cloud::new().await;
    let mut want = cloud.spec("one", &[(80, Protocol::Tcp)]);
    want.protection.modification = Some(true);
    let error = cloud.provider().ensure(&want).await.unwrap_err();
    assert!(error.is_final() && error.to_string().contains(names::MODIFICATION_PROTECTION), "{error}");
    assert_eq!(cloud.emulator.calls().total(), 0);
}
