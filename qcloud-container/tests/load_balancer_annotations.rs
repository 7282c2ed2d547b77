//! What a Service and its annotations say.
#![cfg(feature = "kubernetes")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail like tests")]

use std::collections::BTreeMap;
use std::net::IpAddr;

use qcloud_container::kubernetes::load_balancers::{
    AddressMode, Charging, Family, HealthKind, HealthSource, LbLimits, LbSpec, ListenerKey, Mode, Protocol,
    ReadContext, References, Scheduler, Scope, Service, ServiceKey, ServicePort, StaticAddress, Tls,
    annotations as names, pod_weight,
};
use qcloud_container::kubernetes::{ErrorKind, ProviderError};
use serde_json::json;

fn service() -> Service {
    let key = ServiceKey::new("default", "web", "9f0c2f4e-6a3b-4e1d-9c8a-000000000001");
    Service::new(key, [ServicePort::tcp(80).with_name("http").with_node_port(30080)])
}

fn read(service: &Service) -> LbSpec {
    LbSpec::read(service, &ReadContext::default()).unwrap().unwrap()
}

fn with(name: &str, value: &str) -> LbSpec {
    read(&service().with_annotation(name, value))
}

fn refused(service: &Service) -> ProviderError {
    LbSpec::read(service, &ReadContext::default()).unwrap_err()
}

#[test]
fn a_plain_service_is_public_and_goes_to_node_ports() {
    let spec = read(&service());
    assert_eq!((spec.scope, spec.mode, spec.family), (Scope::Public, Mode::NodePort, Family::V4));
    assert_eq!(spec.address_mode, AddressMode::Vip);
    assert_eq!(spec.name, "a9f0c2f4e6a3b4e1d9c8a00000000000");
    assert_eq!(spec.listeners[0].key, ListenerKey::new(80, Protocol::Tcp));
    assert_eq!(spec.listeners[0].node_port, Some(30080));
    assert_eq!(spec.listeners[0].settings.health.source, Some(HealthSource::Reserved));
}

#[test]
fn every_annotation_of_tke_has_its_meaning() {
    assert_eq!(with(names::RECORDED_ID, "lb-1a2b3c4d").recorded_id.as_deref(), Some("lb-1a2b3c4d"));
    let ignored =
        [names::NAT_IPV6, names::CLIENT_TOKEN, names::SYNC_BEGIN_TIME, names::SYNC_END_TIME, names::SOURCE_ENDPOINTS];
    for name in ignored {
        assert_eq!(with(name, "anything"), read(&service()));
    }
    let existing = service().with_annotation(names::EXISTING_ID, "lb-1a2b3c4d");
    assert!(!read(&existing).existing.unwrap().shared);
    assert!(read(&existing.with_annotation(names::SHARE_EXISTING, "true")).existing.unwrap().shared);
    let internal = Scope::Internal { subnet: "subnet-1a2b3c4d".into() };
    assert_eq!(with(names::INTERNAL_SUBNET, "subnet-1a2b3c4d").scope, internal);
    for name in [names::CHARGE_TYPE, names::CHARGE_TYPE_ALIAS] {
        assert_eq!(with(name, "BANDWIDTH_POSTPAID_BY_HOUR").charging, Some(Charging::Bandwidth));
    }
    for name in [names::BANDWIDTH, names::BANDWIDTH_ALIAS] {
        assert_eq!(with(name, "100").bandwidth, Some(100));
    }
    assert!(with(names::BACKENDS_LABEL, "pool in (a,b)").nodes.selector.is_some());
    assert!(with(names::ONLY_NODES_WITH_PODS, "true").nodes.with_pods_only);
    assert!(with(names::WEIGHT_BY_PODS, "true").nodes.weight_by_pods);
    assert_eq!(with(names::DIRECT_ACCESS, "true").mode, Mode::Direct);
    assert!(with(names::GRACE_SHUTDOWN, "true").nodes.drain_ending);
    assert!(with(names::GRACE_SHUTDOWN_NOT_READY, "true").nodes.drain_unready);
    assert_eq!(with(names::SECURITY_GROUPS, "sg-1a2b3c4d, sg-11111111").access.groups.len(), 2);
    assert_eq!(with(names::PASS_TO_TARGET, "true").pass_to_targets, Some(true));
    let cross =
        service().with_annotation(names::CROSS_REGION, "ap-shanghai").with_annotation(names::CROSS_VPC, "vpc-1");
    assert_eq!(read(&cross).cross_network.unwrap().region.as_deref(), Some("ap-shanghai"));
    assert_eq!(with(names::MODIFICATION_PROTECTION, "true").protection.modification, Some(true));
    assert_eq!(with(names::LB_RS_WEIGHT, r#"{"defaultWeight":20}"#).nodes.weights.default, Some(20));
    let looped =
        service().with_annotation(names::PREVENT_LOOPBACK, "true").with_annotation(names::ADDRESS_MODE, "Proxy");
    assert_eq!(read(&looped).listeners[0].settings.health.source, Some(HealthSource::Reserved));
    assert_eq!(with(names::BALANCER_TYPE, "yunapiv3_forward_clb"), read(&service()));
    let skipped = service().with_annotation(names::CONTROL_MODE, "skip");
    assert!(LbSpec::read(&skipped, &ReadContext::default()).unwrap().is_none());
}

#[test]
fn parameters_in_the_clouds_words_find_their_place() {
    let spec = with(
        names::CREATE_PARAMETERS,
        r#"{"AddressIPVersion":"IPv6FullChain","LoadBalancerName":"web","Vip":"fd00::1","ZoneId":"ap-guangzhou-3",
            "InternetAccessible":{"InternetChargeType":"TRAFFIC_POSTPAID_BY_HOUR","InternetMaxBandwidthOut":10},
            "Tags":[{"TagKey":"team","TagValue":"web"}]}"#,
    );
    assert_eq!((spec.family, spec.name.as_str(), spec.bandwidth), (Family::V6, "web", Some(10)));
    assert_eq!(spec.address, Some(StaticAddress::Ip("fd00::1".parse().unwrap())));
    assert_eq!(spec.extra["ZoneId"], json!("ap-guangzhou-3"));
    assert_eq!(spec.tags["team"], "web");
    // Checks of IPv6 balancers come from the balancer's own address.
    assert_eq!(spec.listeners[0].settings.health.source, Some(HealthSource::Balancer));

    let spec = with(
        names::LISTENER_PARAMETERS,
        r#"{"Scheduler":"LEAST_CONN","SessionExpireTime":60,"MaxConn":1000,
            "HealthCheck":{"HealthSwitch":1,"IntervalTime":10}}"#,
    );
    let settings = &spec.listeners[0].settings;
    assert_eq!((settings.scheduler, settings.session_seconds), (Some(Scheduler::LeastConnections), 60));
    assert_eq!(settings.health.interval, Some(10));
    assert_eq!(settings.extra["MaxConn"], json!(1000));
}

#[test]
fn a_service_config_sets_listeners() {
    let service = service().with_annotation(names::SERVICE_CONFIG, "tuned");
    assert_eq!(References::of(&service).unwrap().service_config.as_deref(), Some("tuned"));
    assert_eq!(refused(&service).kind(), ErrorKind::Conflict);
    let mut context = ReadContext::default();
    context.service_config = Some(json!({ "spec": { "loadBalancer": { "internetMaxBandwidthOut": 20, "l4Listeners": [{
        "protocol": "TCP", "port": 80, "scheduler": "WRR",
        "session": { "enable": true, "sessionExpireTime": 100 },
        "healthCheck": { "enable": true, "intervalTime": 10, "healthNum": 2, "unHealthNum": 2, "timeout": 3 },
    }] } } }));
    let spec = LbSpec::read(&service, &context).unwrap().unwrap();
    let settings = &spec.listeners[0].settings;
    assert_eq!((settings.session_seconds, settings.health.timeout, spec.bandwidth), (100, Some(3), Some(20)));

    let unknown =
        json!({ "spec": { "loadBalancer": { "l4Listeners": [{ "protocol": "TCP", "port": 80, "new": 1 }] } } });
    context.service_config = Some(unknown);
    assert!(LbSpec::read(&service, &context).unwrap_err().to_string().contains(names::SERVICE_CONFIG));
}

#[test]
fn protocols_by_annotation() {
    let value =
        r#"{"80":{"protocol":["HTTP","UDP"],"hosts":{"a.example":{}}},"443":{"protocol":["HTTPS"],"tls":"cert"}}"#;
    let mut service = service().with_annotation(names::SPECIFY_PROTOCOL, value);
    service.ports.push(ServicePort::tcp(443).with_node_port(30443));
    assert_eq!(References::of(&service).unwrap().secrets, ["cert".to_owned()].into());
    assert_eq!(refused(&service).kind(), ErrorKind::Conflict);
    let mut context = ReadContext::default();
    context.certificates = BTreeMap::from([("cert".to_owned(), Tls::new(["abcd1234"]))]);
    let spec = LbSpec::read(&service, &context).unwrap().unwrap();
    assert_eq!(spec.listeners.len(), 3);
    assert_eq!(spec.address_mode, AddressMode::Proxy);
    let https = spec.listener(ListenerKey::new(443, Protocol::Https)).unwrap();
    assert!(https.settings.tls.as_ref().unwrap().certificates.contains("abcd1234"));
    let http = spec.listener(ListenerKey::new(80, Protocol::Http)).unwrap();
    assert_eq!(http.rules.first().unwrap().host, "a.example");
    LbLimits::new(50, 200).check(&spec).unwrap();
}

#[test]
fn each_host_can_have_certificates_of_its_own() {
    let value = r#"{"443":{"protocol":["HTTPS"],"tls":"usual","hosts":{"a.example":{"tls":"own"},"b.example":{}}}}"#;
    let service = Service::new(service().key, [ServicePort::tcp(443).with_node_port(30443)])
        .with_annotation(names::SPECIFY_PROTOCOL, value);
    let references = References::of(&service).unwrap();
    assert_eq!(references.secrets, ["own".to_owned(), "usual".to_owned()].into());
    let mut context = ReadContext::default();
    context.certificates.insert("usual".to_owned(), Tls::new(["aaaa1111", "eeee5555"]));
    let missing = LbSpec::read(&service, &context).unwrap_err();
    assert!(missing.to_string().contains("own") && !missing.is_final(), "{missing}");
    context.certificates.insert("own".to_owned(), Tls::new(["bbbb2222"]));
    let spec = LbSpec::read(&service, &context).unwrap().unwrap();
    let settings = &spec.listeners[0].settings;
    assert_eq!(settings.tls, None);
    assert_eq!(settings.tls_of("a.example"), Some(&Tls::new(["bbbb2222"])));
    assert_eq!(settings.tls_of("b.example"), Some(&Tls::new(["aaaa1111", "eeee5555"])));
}

#[test]
fn our_own_annotations() {
    let reserved = StaticAddress::Reserved("eip-1a2b3c4d".into());
    let internal = service().with_annotation(names::INTERNAL_SUBNET, "subnet-1a2b3c4d");
    assert_eq!(read(&internal.with_annotation(names::STATIC_ADDRESS, "eip-1a2b3c4d")).address, Some(reserved));
    assert!(with(names::RETAIN, "true").retain);
    assert!(with(names::ALLOW_RECREATE, "true").allow_recreate);
    assert_eq!(with(names::DELETION_PROTECTION, "true").protection.deletion, Some(true));
    assert_eq!(with(names::SUBSET, "20").nodes.most, 20);
    assert_eq!(with(names::IDLE_TIMEOUT, "600").listeners[0].settings.idle_seconds, Some(600));
    assert_eq!(with(names::TAGS, "a=b, c=d").tags.len(), 2);
    let checks = r#"{"*":{"interval":7},"80":{"protocol":"HTTP","path":"/ready","statuses":[2,3]}}"#;
    let spec = with(names::HEALTH_CHECK, checks);
    let health = &spec.listeners[0].settings.health;
    assert_eq!((health.kind, health.interval, health.good_statuses), (Some(HealthKind::Http), Some(7), Some(6)));
    let mut vip = service().with_annotation(names::MODE, "vip");
    assert!(refused(&vip).to_string().contains("allocateLoadBalancerNodePorts"));
    vip.has_node_ports = false;
    assert_eq!(read(&vip).mode, Mode::Vip);
}

#[test]
fn local_traffic_is_checked_at_the_nodes_port() {
    let mut service = service();
    (service.local_traffic, service.health_check_node_port) = (true, Some(31000));
    service.ports.push(ServicePort::udp(80).with_node_port(30081));
    let spec = read(&service);
    let tcp = &spec.listener(ListenerKey::new(80, Protocol::Tcp)).unwrap().settings.health;
    assert_eq!((tcp.kind, tcp.port, tcp.path.as_deref()), (Some(HealthKind::Http), Some(31000), Some("/healthz")));
    assert_eq!(spec.listener(ListenerKey::new(80, Protocol::Udp)).unwrap().settings.health.port, None);
    let direct = read(&service.clone().with_annotation(names::DIRECT_ACCESS, "true"));
    assert_eq!(direct.listeners[0].settings.health.port, None);
    // Listeners of IPv6 balancers have no HTTP check. The usual one fails as well where there is no pod.
    service.families = vec![Family::V6];
    let six = &read(&service).listeners[0].settings.health;
    assert_eq!((six.kind, six.port), (Some(HealthKind::Tcp), None));
}

/// What an annotation no longer says is said by its default, so that it goes back.
#[test]
fn what_is_not_said_is_the_documented_default() {
    let mut service = service();
    service.ports.push(ServicePort::udp(53).with_node_port(30053));
    let spec = read(&service);
    let [tcp, udp] = [0, 1].map(|n| &spec.listeners[n].settings);
    assert_eq!((tcp.health.kind, tcp.idle_seconds), (Some(HealthKind::Tcp), Some(900)));
    assert_eq!((udp.health.kind, udp.idle_seconds), (Some(HealthKind::Ping), Some(300)));
    assert_eq!((tcp.scheduler, tcp.reset_on_removal), (Some(Scheduler::WeightedRoundRobin), Some(false)));
    let health = &tcp.health;
    assert_eq!(
        (health.interval, health.timeout, health.healthy, health.unhealthy),
        (Some(5), Some(2), Some(3), Some(3))
    );
}

#[test]
fn fields_of_the_service() {
    let mut service = service();
    service.affinity_seconds = Some(10_800);
    service.source_ranges = vec!["10.0.0.1/8".into(), " 192.168.0.0/16".into()];
    service.requested_address = Some("1.2.3.4".into());
    let spec = read(&service);
    assert_eq!(spec.listeners[0].settings.session_seconds, 3600);
    let ranges: Vec<String> = spec.access.source_ranges.iter().map(ToString::to_string).collect();
    assert_eq!(ranges, ["10.0.0.0/8", "192.168.0.0/16"]);
    assert_eq!(spec.address, Some(StaticAddress::Ip(IpAddr::from([1, 2, 3, 4]))));
    service.source_ranges.push("0.0.0.0/0".into());
    assert!(read(&service).access.is_open());
    service.source_ranges.pop();
    service.requires_dual_stack = true;
    assert_eq!(refused(&service).kind(), ErrorKind::Unsupported);
    service.class = Some("other".into());
    assert!(LbSpec::read(&service, &ReadContext::default()).unwrap().is_none());
}

/// Everyone of the other version of IP is nobody, and nobody is not everyone.
#[test]
fn all_networks_of_the_other_version_of_ip_open_nothing() {
    let mut service = service();
    for (family, ours, theirs) in [(Family::V4, "0.0.0.0/0", "::/0"), (Family::V6, "::/0", "0.0.0.0/0")] {
        service.families = vec![family];
        service.source_ranges = vec![theirs.into()];
        assert!(!read(&service).access.is_open(), "{family:?}");
        service.source_ranges.push("10.0.0.0/8".into());
        service.source_ranges.push("fd00::/8".into());
        let ranges = read(&service).access.source_ranges;
        assert!(["10.0.0.0/8", "fd00::/8"].iter().all(|range| ranges.contains(&range.parse().unwrap())), "{ranges:?}");
        service.source_ranges.push(ours.into());
        assert!(read(&service).access.is_open(), "{family:?}");
    }
}

/// A port that the Service has for both transports leads to two node ports, whatever its protocols.
#[test]
fn protocols_lead_to_the_port_of_their_transport() {
    let mut service = service();
    service.ports.push(ServicePort::udp(80).with_name("quic").with_node_port(30081));
    let specify = |protocols: &str| {
        service.clone().with_annotation(names::SPECIFY_PROTOCOL, format!(r#"{{"80":{{"protocol":{protocols}}}}}"#))
    };
    let spec = read(&specify(r#"["UDP","HTTP"]"#));
    assert_eq!(spec.listeners.len(), 2);
    let node_port = |protocol| spec.listener(ListenerKey::new(80, protocol)).unwrap().node_port;
    assert_eq!((node_port(Protocol::Http), node_port(Protocol::Udp)), (Some(30080), Some(30081)));
    // One of the two would be left without a listener.
    for (protocols, without) in [(r#"["HTTP"]"#, "UDP"), (r#"["UDP"]"#, "TCP")] {
        let error = refused(&specify(protocols));
        assert!(error.is_final() && error.to_string().contains(names::SPECIFY_PROTOCOL), "{error}");
        assert!(error.to_string().contains(without), "{error}");
    }
}

/// Settings that CLB never takes are found before there is a balancer to pay for.
#[test]
fn settings_that_no_listener_can_have_are_refused_and_named() {
    let tcp = ServicePort::tcp(80).with_node_port(30080);
    let udp = ServicePort::udp(80).with_node_port(30080);
    let http = r#"{"80":{"protocol":["HTTP"]}}"#;
    let wrong = [
        (names::HEALTH_CHECK, r#"{"80":{"protocol":"CUSTOM"}}"#, &tcp),
        (names::HEALTH_CHECK, r#"{"80":{"protocol":"PING"}}"#, &tcp),
        (names::HEALTH_CHECK, r#"{"80":{"protocol":"TCP"}}"#, &udp),
        (names::HEALTH_CHECK, r#"{"80":{"protocol":"HTTP"}}"#, &udp),
        (names::HEALTH_CHECK, r#"{"80":{"timeout":5}}"#, &tcp),
        (names::HEALTH_CHECK, r#"{"80":{"interval":2}}"#, &tcp),
        (names::HEALTH_CHECK, r#"{"80":{"interval":301}}"#, &tcp),
        (names::HEALTH_CHECK, r#"{"80":{"healthy":1}}"#, &tcp),
        (names::HEALTH_CHECK, r#"{"80":{"unhealthy":11}}"#, &tcp),
        (names::HEALTH_CHECK, r#"{"80":{"port":0}}"#, &tcp),
        (names::HEALTH_CHECK, r#"{"80":{"statuses":[6]}}"#, &tcp),
        (names::LISTENER_PARAMETERS, r#"{"SessionExpireTime":10}"#, &tcp),
        (names::LISTENER_PARAMETERS, r#"{"SessionExpireTime":3601}"#, &tcp),
        (names::LISTENER_PARAMETERS, r#"{"Scheduler":"IP_HASH"}"#, &tcp),
        (names::LISTENER_PARAMETERS, r#"{"IdleConnectTimeout":5}"#, &tcp),
        (names::LISTENER_PARAMETERS, r#"{"HealthCheck":{"CheckPort":70000}}"#, &tcp),
        (names::LISTENER_PARAMETERS, r#"{"HealthCheck":{"HealthSwitch":7}}"#, &tcp),
        (names::LISTENER_PARAMETERS, r#"{"HealthCheck":{"SourceIpType":9}}"#, &tcp),
        (names::LISTENER_PARAMETERS, r#"{"HealthCheck":{"HttpCode":32}}"#, &tcp),
        (names::IDLE_TIMEOUT, "901", &tcp),
    ];
    for (name, value, port) in wrong {
        let error = refused(&Service::new(service().key, [port.clone()]).with_annotation(name, value));
        assert!(error.is_final() && error.to_string().contains(name), "{name}={value}: {error}");
    }
    // The same values where they make sense.
    let parameters = r#"{"HealthCheck":{"HealthSwitch":0,"CheckPort":-1,"SourceIpType":0}}"#;
    let settings = with(names::LISTENER_PARAMETERS, parameters).listeners[0].settings.clone();
    assert_eq!((settings.health.enabled, settings.health.source), (false, Some(HealthSource::Balancer)));
    let large = service().with_annotation(names::CREATE_PARAMETERS, r#"{"SlaType":"clb.c2.medium"}"#);
    let kept = read(&large.with_annotation(names::IDLE_TIMEOUT, "1980")).listeners[0].settings.idle_seconds;
    assert_eq!(kept, Some(1980));
    let hashed = service()
        .with_annotation(names::SPECIFY_PROTOCOL, http)
        .with_annotation(names::LISTENER_PARAMETERS, r#"{"Scheduler":"IP_HASH"}"#);
    assert_eq!(read(&hashed).listeners[0].settings.scheduler, Some(Scheduler::IpHash));
    // Only TCP and UDP have these.
    for (name, value) in [(names::IDLE_TIMEOUT, "60"), (names::HEALTH_CHECK, r#"{"*":{"port":8080}}"#)] {
        let error = refused(&service().with_annotation(names::SPECIFY_PROTOCOL, http).with_annotation(name, value));
        assert!(error.is_final() && error.to_string().contains(name), "{error}");
    }
    // Two annotations that are fine alone can contradict each other.
    let both = service()
        .with_annotation(names::LISTENER_PARAMETERS, r#"{"HealthCheck":{"TimeOut":4}}"#)
        .with_annotation(names::HEALTH_CHECK, r#"{"80":{"interval":4}}"#);
    let error = refused(&both).to_string();
    assert!(error.contains(names::LISTENER_PARAMETERS) && error.contains(names::HEALTH_CHECK), "{error}");
    // With IPv6 there is less to choose from.
    for check in [r#"{"80":{"interval":4}}"#, r#"{"80":{"protocol":"HTTP"}}"#] {
        let mut six = service().with_annotation(names::HEALTH_CHECK, check);
        read(&six);
        six.families = vec![Family::V6];
        assert!(refused(&six).to_string().contains(names::HEALTH_CHECK));
    }
}

#[test]
fn a_service_config_is_held_to_the_same_bounds() {
    let service = service().with_annotation(names::SERVICE_CONFIG, "tuned");
    let mut context = ReadContext::default();
    for (part, good, bad) in [
        ("healthCheck", json!({ "enable": true, "checkPort": 8080 }), json!({ "checkPort": 70000 })),
        ("healthCheck", json!({ "intervalTime": 10, "timeout": 9 }), json!({ "intervalTime": 10, "timeout": 10 })),
        ("healthCheck", json!({ "sourceIpType": 1 }), json!({ "sourceIpType": 2 })),
        ("session", json!({ "enable": false }), json!({ "enable": true, "sessionExpireTime": 20 })),
        ("scheduler", json!("LEAST_CONN"), json!("IP_HASH")),
    ] {
        let mut read = |value| {
            let listener = json!({ "protocol": "TCP", "port": 80, part: value });
            context.service_config = Some(json!({ "spec": { "loadBalancer": { "l4Listeners": [listener] } } }));
            LbSpec::read(&service, &context)
        };
        read(good).unwrap();
        let error = read(bad.clone()).unwrap_err();
        assert!(error.is_final() && error.to_string().contains(names::SERVICE_CONFIG), "{bad}: {error}");
    }
}

#[test]
fn what_cannot_be_followed_is_refused_for_good_and_named() {
    let wrong = [
        (names::EXISTING_ID, "clb-1"),
        (names::SHARE_EXISTING, "true"),
        (names::SHARE_EXISTING, "yes"),
        (names::INTERNAL_SUBNET, "10.0.0.0/8"),
        (names::CHARGE_TYPE, "FREE"),
        (names::BANDWIDTH, "0"),
        (names::BANDWIDTH, "4096"),
        (names::CREATE_PARAMETERS, "[]"),
        (names::CREATE_PARAMETERS, r#"{"Number":2}"#),
        (names::LISTENER_PARAMETERS, r#"{"Ports":[1]}"#),
        (names::LISTENER_PARAMETERS, r#"{"HealthCheck":{"Unknown":1}}"#),
        (names::BALANCER_TYPE, "classic"),
        (names::BALANCER_TYPE, "newest"),
        (names::CROSS_REGION, "Shanghai"),
        (names::CROSS_VPC, "10.0.0.0/8"),
        (names::SPECIFY_PROTOCOL, r#"{"80":{"protocol":["TCP_SSL"],"hosts":{"a":{"tls":"x"},"b":{"tls":"y"}}}}"#),
        (names::SPECIFY_PROTOCOL, r#"{"80":{"protocol":["HTTPS"],"hosts":{"a":{"tls":"x"},"b":{"tls":"y"},"c":{}}}}"#),
        (names::BACKENDS_LABEL, "a in b"),
        (names::DIRECT_ACCESS, "1"),
        (names::SPECIFY_PROTOCOL, r#"{"81":{"protocol":["TCP"]}}"#),
        (names::SPECIFY_PROTOCOL, r#"{"80":{"protocol":["SCTP"]}}"#),
        (names::SPECIFY_PROTOCOL, r#"{"80":{"protocol":["TCP","HTTP"]}}"#),
        (names::SPECIFY_PROTOCOL, r#"{"80":{"protocol":["HTTPS"]}}"#),
        (names::SECURITY_GROUPS, "sg-1,sg-2,sg-3,sg-4,sg-5,sg-6"),
        (names::LB_RS_WEIGHT, r#"{"defaultWeight":101}"#),
        (names::TARGET_GROUPS, "[]"),
        (names::CONTROL_MODE, "walk"),
        (names::SOURCE_RANGES, "everyone"),
        (names::MODE, "l3"),
        (names::ADDRESS_MODE, "vip"),
        (names::HEALTH_CHECK, r#"{"81":{}}"#),
        (names::HEALTH_CHECK, r#"{"80":{"intervall":1}}"#),
        (names::PROXY_PROTOCOL, "true"),
        (names::STATIC_ADDRESS, "somewhere"),
        // Public balancers take no elastic address.
        (names::STATIC_ADDRESS, "eip-1a2b3c4d"),
        (names::CREATE_PARAMETERS, r#"{"EipAddressId":"eip-1a2b3c4d"}"#),
        (names::SUBSET, "0"),
        (names::TAGS, "a"),
        ("qcloud-rs.io/unknown", "x"),
        ("service.cloud.tencent.com/unknown", "x"),
        ("service.kubernetes.io/qcloud-unknown", "x"),
    ];
    for (name, value) in wrong {
        let error = refused(&service().with_annotation(name, value));
        assert!(error.is_final(), "{name}={value}: {error}");
        assert!(error.to_string().contains(name), "{name}={value}: {error}");
    }
    // The prefix is that of Kubernetes itself.
    read(&service().with_annotation("service.kubernetes.io/topology-mode", "Auto"));
    let contradiction = service().with_annotation(names::BANDWIDTH, "1").with_annotation(names::BANDWIDTH_ALIAS, "2");
    assert!(refused(&contradiction).is_final());
    let address =
        service().with_annotation(names::EXISTING_ID, "lb-1").with_annotation(names::STATIC_ADDRESS, "1.2.3.4");
    assert!(refused(&address).to_string().contains(names::STATIC_ADDRESS));
    let pass = service().with_annotation(names::EXISTING_ID, "lb-1").with_annotation(names::PASS_TO_TARGET, "true");
    assert!(refused(&pass).to_string().contains(names::PASS_TO_TARGET));
}

#[test]
fn pods_can_have_weights() {
    let annotations = |value: &str| BTreeMap::from([(names::POD_CUSTOM_WEIGHT.to_owned(), value.to_owned())]);
    assert_eq!(pod_weight(&annotations("50")).unwrap(), Some(50));
    assert!(pod_weight(&annotations("101")).is_err());
    assert_eq!(pod_weight(&BTreeMap::new()).unwrap(), None);
}
