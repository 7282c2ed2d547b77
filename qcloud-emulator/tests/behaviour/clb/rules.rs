//! The forwarding rules of HTTP and HTTPS listeners.

use qcloud_emulator::Quota;
use serde_json::{Value, json};

use super::{network, with};
use crate::client::{Client, builder, client, code, text};

async fn rules(client: &Client, balancer: &str) -> Vec<(String, String, bool)> {
    let listener = client.listeners(balancer).await.remove(0);
    let rules = listener["Rules"].as_array().unwrap();
    rules.iter().map(|rule| (text(&rule["Domain"]), text(&rule["Url"]), rule["DefaultServer"] == true)).collect()
}

fn rule(domain: &str, url: &str, default: bool) -> (String, String, bool) {
    (domain.to_owned(), url.to_owned(), default)
}

#[tokio::test]
async fn rules_live_under_their_listener() {
    let client = client();
    let network = network(&client, 0).await;
    let balancer = client.balancer(&network.vpc).await;
    let listener = client.listener(&balancer, "HTTP", 80).await;
    let base = json!({"LoadBalancerId": balancer, "ListenerId": listener});
    let given = json!({"Rules": [{"Domain": "a.example", "Url": "/"}, {"Domains": ["b.example"], "Url": "/x", "Scheduler": "IP_HASH"}]});
    let answer = client.clb_done("CreateRule", with(base.clone(), &given)).await;
    let ids: Vec<String> = answer["LocationIds"].as_array().unwrap().iter().map(text).collect();
    assert_eq!(rules(&client, &balancer).await, [rule("a.example", "/", true), rule("b.example", "/x", false)]);

    let modify =
        |more: Value| client.clb("ModifyRule", with(with(base.clone(), &json!({"LocationId": ids[1]})), &more));
    modify(json!({"Url": "/y", "HealthCheck": {"CheckType": "TCP"}, "SessionExpireTime": 60})).await.unwrap();
    client.pass(1);
    let shown = &client.listeners(&balancer).await[0]["Rules"][1];
    assert_eq!((&shown["Url"], &shown["HealthCheck"]["CheckType"]), (&json!("/y"), &json!("TCP")));
    assert_eq!((&shown["Scheduler"], &shown["SessionExpireTime"]), (&json!("IP_HASH"), &json!(60)));
    assert_eq!(code(modify(json!({"LocationId": "loc-00000000"})).await), "InvalidParameter");
    assert_eq!(code(modify(json!({"Url": "y"})).await), "InvalidParameter.FormatError");
    client
        .clb_done("ModifyDomain", with(base.clone(), &json!({"Domain": "b.example", "NewDomain": "c.example"})))
        .await;

    client.clb_done("DeleteRule", with(base.clone(), &json!({"LocationIds": [ids[0]]}))).await;
    assert_eq!(rules(&client, &balancer).await, [rule("c.example", "/y", true)]);
    let gone = with(base.clone(), &json!({"Domain": "c.example", "Url": "/z"}));
    assert_eq!(code(client.clb("DeleteRule", gone).await), "InvalidParameter");
    client.clb_done("DeleteRule", with(base.clone(), &json!({"Domain": "c.example"}))).await;
    assert_eq!(rules(&client, &balancer).await, []);
}

#[tokio::test]
async fn a_domain_has_its_own_certificate_under_sni() {
    let client = client();
    let network = network(&client, 0).await;
    let balancer = client.balancer(&network.vpc).await;
    let order = json!({"LoadBalancerId": balancer, "Protocol": "HTTPS", "Ports": [443], "SniSwitch": 1});
    let listener = text(&client.clb_done("CreateListener", order).await["ListenerIds"][0]);
    let base = json!({"LoadBalancerId": balancer, "ListenerId": listener});
    let one = |id: &str| json!({"SSLMode": "UNIDIRECTIONAL", "CertId": id});
    let given = json!({"Rules": [
        {"Domain": "a.example", "Url": "/", "Certificate": one("aaaa1111")},
        {"Domain": "a.example", "Url": "/x"},
        {"Domain": "b.example", "Url": "/", "Certificate": one("bbbb2222")},
    ]});
    client.clb_done("CreateRule", with(base.clone(), &given)).await;
    let modify = |more: Value| client.clb("ModifyDomainAttributes", with(base.clone(), &more));
    let several = json!({"SSLMode": "UNIDIRECTIONAL", "CertList": [{"CertId": "cccc3333"}, {"CertId": "dddd4444"}]});
    let change = json!({"Domain": "a.example", "MultiCertInfo": several, "Http2": true, "NewDomain": "c.example"});
    modify(change).await.unwrap();
    client.pass(1);
    let shown = client.listeners(&balancer).await.remove(0);
    let rules = shown["Rules"].as_array().unwrap();
    for rule in rules.iter().filter(|rule| rule["Domain"] == "c.example") {
        assert_eq!((&rule["Certificate"]["CertId"], &rule["Http2"]), (&json!("cccc3333"), &json!(true)));
        assert_eq!(rule["Certificate"]["ExtCertIds"], json!(["dddd4444"]));
    }
    assert_eq!(rules.iter().filter(|rule| rule["Domain"] == "c.example").count(), 2);
    assert_eq!(rules[2]["Certificate"]["CertId"], "bbbb2222");
    let both = json!({"Domain": "c.example", "Certificate": one("x"), "MultiCertInfo": several});
    assert_eq!(code(modify(both).await), "InvalidParameter");
    assert_eq!(code(modify(json!({"Domain": "z.example", "Http2": true})).await), "InvalidParameter");
    let taken = json!({"Domain": "c.example", "NewDomain": "b.example"});
    assert_eq!(code(modify(taken).await), "InvalidParameterValue.Duplicate");
    // Without SNI there is one certificate for all.
    let plain = client.listener(&balancer, "HTTP", 80).await;
    let base = json!({"LoadBalancerId": balancer, "ListenerId": plain});
    let rule = json!({"Rules": [{"Domain": "a.example", "Url": "/"}]});
    client.clb_done("CreateRule", with(base.clone(), &rule)).await;
    let refused =
        client.clb("ModifyDomainAttributes", with(base, &json!({"Domain": "a.example", "Certificate": one("x")})));
    assert_eq!(code(refused.await), "InvalidParameterValue");
}

#[tokio::test]
async fn each_mistake_has_its_code() {
    let client = Client::of(builder().quota(Quota::RulesPerListener, 2));
    let network = network(&client, 0).await;
    let balancer = client.balancer(&network.vpc).await;
    let listener = client.listener(&balancer, "HTTP", 80).await;
    let tcp = client.listener(&balancer, "TCP", 81).await;
    let create = |listener: &str, rules: Value| {
        client.clb("CreateRule", json!({"LoadBalancerId": balancer, "ListenerId": listener, "Rules": rules}))
    };
    let cases = [
        (&tcp, json!([{"Domain": "a", "Url": "/"}]), "InvalidParameter.ProtocolCheckFailed"),
        (&listener, json!([]), "InvalidParameterValue.Length"),
        (&listener, json!([{"Url": "/"}]), "MissingParameter"),
        (&listener, json!([{"Domain": "", "Url": "/"}]), "InvalidParameterValue.Length"),
        (&listener, json!([{"Domain": "a", "Url": "x"}]), "InvalidParameter.FormatError"),
        (
            &listener,
            json!([{"Domain": "a", "Url": "/"}, {"Domain": "a", "Url": "/"}]),
            "InvalidParameterValue.Duplicate",
        ),
        (&listener, json!([{"Domain": "a", "Url": "/", "ForwardType": "FTP"}]), "InvalidParameterValue"),
    ];
    for (listener, rules, expected) in cases {
        assert_eq!(code(create(listener, rules.clone()).await), expected, "{rules}");
    }
    create(&listener, json!([{"Domain": "a", "Url": "/"}])).await.unwrap();
    client.pass(1);
    assert_eq!(code(create(&listener, json!([{"Domain": "a", "Url": "/"}])).await), "InvalidParameterValue.Duplicate");
    assert_eq!(
        code(create(&listener, json!([{"Domain": "a", "Url": "/1"}, {"Domain": "a", "Url": "/2"}])).await),
        "LimitExceeded"
    );
}
