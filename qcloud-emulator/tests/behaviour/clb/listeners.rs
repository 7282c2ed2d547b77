//! Listeners.

use qcloud_emulator::Quota;
use serde_json::{Value, json};

use super::{network, with};
use crate::client::{Client, builder, client, code, text};

#[tokio::test]
async fn several_ports_make_several_listeners_with_the_same_settings() {
    let client = client();
    let network = network(&client, 0).await;
    let balancer = client.balancer(&network.vpc).await;
    let parameters = json!({"LoadBalancerId": balancer, "Protocol": "TCP", "Ports": [80, 443], "ListenerNames": ["a", "b"],
        "HealthCheck": {"IntervalTime": 10, "CheckPort": 10_256}, "SessionExpireTime": 60, "Scheduler": "LEAST_CONN"});
    let answer = client.clb("CreateListener", parameters).await.unwrap();
    assert_eq!(client.listeners(&balancer).await, Vec::<Value>::new());
    client.pass(1);
    let listeners = client.listeners(&balancer).await;
    assert_eq!(answer["ListenerIds"], json!([listeners[0]["ListenerId"], listeners[1]["ListenerId"]]));
    for (listener, (name, port)) in listeners.iter().zip([("a", 80), ("b", 443)]) {
        assert_eq!((&listener["ListenerName"], &listener["Port"]), (&json!(name), &json!(port)));
        assert_eq!((&listener["Scheduler"], &listener["SessionExpireTime"]), (&json!("LEAST_CONN"), &json!(60)));
        let check = &listener["HealthCheck"];
        assert_eq!(
            (&check["IntervalTime"], &check["TimeOut"], &check["HealthNum"]),
            (&json!(10), &json!(2), &json!(3))
        );
        assert_eq!((&check["CheckType"], &check["CheckPort"]), (&json!("TCP"), &json!(10_256)));
        assert_eq!((&listener["IdleConnectTimeout"], &listener["Rules"]), (&json!(900), &Value::Null));
    }
    let one = |more: Value| client.clb("DescribeListeners", with(json!({"LoadBalancerId": balancer}), &more));
    assert_eq!(one(json!({"Port": 443})).await.unwrap()["TotalCount"], 1);
    assert_eq!(one(json!({"Protocol": "UDP"})).await.unwrap()["TotalCount"], 0);
    assert_eq!(one(json!({"ListenerIds": [answer["ListenerIds"][0], "lbl-00000000"]})).await.unwrap()["TotalCount"], 1);
    assert_eq!(code(one(json!({"ListenerIds": ["lbl-0"]})).await), "InvalidParameter.FormatError");
    assert_eq!(code(one(json!({"ListenerIds": vec!["lbl-00000000"; 101]})).await), "InvalidParameterValue.Length");
}

#[tokio::test]
async fn tcp_and_udp_share_a_port_and_nothing_else_does() {
    let client = client();
    let network = network(&client, 0).await;
    let balancer = client.balancer(&network.vpc).await;
    client.listener(&balancer, "TCP", 53).await;
    let udp = client.listener(&balancer, "UDP", 53).await;
    let listeners = client.listeners(&balancer).await;
    let udp = listeners.iter().find(|listener| listener["ListenerId"] == udp).unwrap();
    assert_eq!((&udp["IdleConnectTimeout"], &udp["HealthCheck"]["CheckType"]), (&json!(300), &json!("PING")));
    let certificate = json!({"SSLMode": "UNIDIRECTIONAL", "CertId": "abcd1234"});
    for protocol in ["TCP", "UDP", "TCP_SSL", "QUIC", "HTTP", "HTTPS"] {
        let mut again = json!({"LoadBalancerId": balancer, "Protocol": protocol, "Ports": [52, 53]});
        if ["TCP_SSL", "QUIC", "HTTPS"].contains(&protocol) {
            again["Certificate"] = certificate.clone();
        }
        assert_eq!(code(client.clb("CreateListener", again).await), "InvalidParameter.PortCheckFailed", "{protocol}");
    }
    assert_eq!(client.listeners(&balancer).await.len(), 2, "all or nothing");
}

#[tokio::test]
async fn each_mistake_has_its_code() {
    let client = client();
    let network = network(&client, 0).await;
    let balancer = client.balancer(&network.vpc).await;
    let base = json!({"LoadBalancerId": balancer, "Protocol": "TCP", "Ports": [80]});
    let many: Vec<u16> = (1..=51).collect();
    let cases = [
        (json!({"LoadBalancerId": "lb-00000000"}), "InvalidParameter"),
        (json!({"LoadBalancerId": "lb-0"}), "InvalidParameter.FormatError"),
        (json!({"Ports": []}), "InvalidParameterValue.Length"),
        (json!({"Ports": many}), "InvalidParameterValue.Length"),
        (json!({"Ports": [0]}), "InvalidParameterValue"),
        (json!({"Ports": [65_536]}), "InvalidParameterValue"),
        (json!({"Ports": [80, 80]}), "InvalidParameter.PortCheckFailed"),
        (json!({"Protocol": "SCTP"}), "InvalidParameterValue"),
        (json!({"EndPort": 90}), "UnauthorizedOperation"),
        (json!({"ListenerNames": ["a", "b"]}), "InvalidParameterValue.Length"),
        (json!({"ListenerNames": [""]}), "InvalidParameterValue.Length"),
        (json!({"SessionExpireTime": 29}), "InvalidParameterValue"),
        (json!({"Scheduler": "IP_HASH"}), "InvalidParameterValue"),
        (json!({"HealthCheck": {"TimeOut": 5, "IntervalTime": 5}}), "InvalidParameterValue"),
        (json!({"HealthCheck": {"CheckType": "PING"}}), "InvalidParameterValue"),
        (json!({"HealthCheck": {"CheckType": "HTTP"}}), "MissingParameter"),
        (json!({"ProxyProtocol": true}), "InvalidParameterValue"),
        (json!({"MaxConn": 100}), "InvalidParameterValue"),
        (json!({"IdleConnectTimeout": 901}), "InvalidParameterValue"),
        (json!({"SniSwitch": 1}), "InvalidParameterValue"),
        (json!({"Protocol": "HTTP", "Scheduler": "WRR"}), "InvalidParameterValue"),
        (json!({"Protocol": "TCP_SSL"}), "MissingParameter"),
        (json!({"Protocol": "HTTPS"}), "MissingParameter"),
        (json!({"Protocol": "HTTPS", "Certificate": {"CertId": "a", "SSLMode": "MUTUAL"}}), "MissingParameter"),
        (
            json!({"Protocol": "HTTPS", "Certificate": {"CertId": "a"}, "MultiCertInfo": {"SSLMode": "UNIDIRECTIONAL", "CertList": []}}),
            "InvalidParameter",
        ),
    ];
    for (more, expected) in cases {
        assert_eq!(code(client.clb("CreateListener", with(base.clone(), &more)).await), expected, "{more}");
    }
    for more in [
        json!({"Protocol": "TCP_SSL", "Certificate": {"CertId": "a"}, "ProxyProtocol": true}),
        json!({"Protocol": "HTTPS", "SniSwitch": 1, "Ports": [81]}),
        json!({"Protocol": "QUIC", "Certificate": {"CertName": "n", "CertKey": "k", "CertContent": "c"}}),
        json!({"Protocol": "TCP_SSL", "SslCloseSwitch": true, "Ports": [82]}),
    ] {
        client.clb_done("CreateListener", with(base.clone(), &more)).await;
    }
}

#[tokio::test]
async fn a_listener_changes_all_but_its_port() {
    let client = client();
    let network = network(&client, 0).await;
    let balancer = client.balancer(&network.vpc).await;
    let listener = client.listener(&balancer, "TCP", 80).await;
    let base = json!({"LoadBalancerId": balancer, "ListenerId": listener});
    let modify = |more: Value| client.clb("ModifyListener", with(base.clone(), &more));
    modify(json!({"ListenerName": "n", "HealthCheck": {"HealthSwitch": 0}, "SessionExpireTime": 3600, "Scheduler": "LEAST_CONN"})).await.unwrap();
    client.pass(1);
    modify(json!({"HealthCheck": {"HealthNum": 5}})).await.unwrap();
    client.pass(1);
    let shown = client.listeners(&balancer).await.remove(0);
    assert_eq!((&shown["ListenerName"], &shown["SessionExpireTime"]), (&json!("n"), &json!(3600)));
    assert_eq!((&shown["HealthCheck"]["HealthSwitch"], &shown["HealthCheck"]["HealthNum"]), (&json!(0), &json!(5)));
    assert_eq!(code(modify(json!({"Port": 81})).await), "UnknownParameter");
    assert_eq!(code(modify(json!({"SessionExpireTime": 3601})).await), "InvalidParameterValue");
    assert_eq!(code(modify(json!({"ListenerId": "lbl-00000000"})).await), "InvalidParameter");
    assert_eq!(code(modify(json!({"KeepaliveEnable": 1})).await), "InvalidParameterValue");
}

#[tokio::test]
async fn an_empty_list_deletes_every_listener() {
    let client = client();
    let network = network(&client, 0).await;
    let balancer = client.balancer(&network.vpc).await;
    let mut ids = Vec::new();
    for port in 1..=5 {
        ids.push(client.listener(&balancer, "TCP", port).await);
    }
    client.clb_done("DeleteListener", json!({"LoadBalancerId": balancer, "ListenerId": ids[0]})).await;
    let many =
        |ids: Value| client.clb("DeleteLoadBalancerListeners", json!({"LoadBalancerId": balancer, "ListenerIds": ids}));
    assert_eq!(code(many(json!([ids[1], ids[0]])).await), "InvalidParameter");
    assert_eq!(code(many(json!(vec![&ids[1]; 21])).await), "InvalidParameterValue.Length");
    many(json!([ids[1], ids[2]])).await.unwrap();
    client.pass(1);
    let left: Vec<String> =
        client.listeners(&balancer).await.iter().map(|listener| text(&listener["ListenerId"])).collect();
    assert_eq!(left, ids[3..]);
    many(json!([])).await.unwrap();
    client.pass(1);
    assert_eq!(client.listeners(&balancer).await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_quota_counts_all_of_a_request() {
    let client = Client::of(builder().quota(Quota::ListenersPerLoadBalancer, 3));
    let network = network(&client, 0).await;
    let balancer = client.balancer(&network.vpc).await;
    let create = |ports: Value| {
        client.clb("CreateListener", json!({"LoadBalancerId": balancer, "Protocol": "TCP", "Ports": ports}))
    };
    create(json!([1, 2])).await.unwrap();
    client.pass(1);
    assert_eq!(code(create(json!([3, 4])).await), "LimitExceeded");
    create(json!([3])).await.unwrap();
}
