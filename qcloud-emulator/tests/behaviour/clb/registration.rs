//! Binding and unbinding targets.

use qcloud_emulator::Quota;
use serde_json::{Value, json};

use super::{Network, network};
use crate::client::{Client, Refusal, builder, client, code, text};

struct Scene {
    client: Client,
    network: Network,
    balancer: String,
    listener: String,
}

async fn scene(client: Client, instances: usize) -> Scene {
    let network = network(&client, instances).await;
    let balancer = client.balancer(&network.vpc).await;
    let listener = client.listener(&balancer, "TCP", 80).await;
    Scene { client, network, balancer, listener }
}

impl Scene {
    async fn call(&self, action: &str, targets: Value) -> Result<Value, Refusal> {
        let parameters = json!({"LoadBalancerId": self.balancer, "ListenerId": self.listener, "Targets": targets});
        self.client.clb(action, parameters).await
    }

    async fn batch(&self, action: &str, targets: Value) -> Result<Value, Refusal> {
        self.client.clb(action, json!({"LoadBalancerId": self.balancer, "Targets": targets})).await
    }

    async fn bound(&self) -> Vec<(String, u64, u64)> {
        self.client.bound(&self.balancer, &self.listener).await
    }
}

#[tokio::test]
async fn targets_are_bound_weighed_moved_and_unbound() {
    let scene = scene(client(), 2).await;
    let (one, two) = (&scene.network.instances[0], &scene.network.instances[1]);
    let address = scene.client.address(two).await;
    scene
        .call("RegisterTargets", json!([{"InstanceId": one, "Port": 80}, {"EniIp": address, "Port": 80, "Weight": 0}]))
        .await
        .unwrap();
    assert_eq!(scene.bound().await, []);
    scene.client.pass(1);
    assert_eq!(scene.bound().await, [(one.clone(), 80, 10), (two.clone(), 80, 0)]);

    scene.call("ModifyTargetWeight", json!([{"InstanceId": one, "Port": 80, "Weight": 50}])).await.unwrap();
    scene.client.pass(1);
    let list = json!([{"ListenerId": scene.listener, "Targets": [{"EniIp": address, "Port": 80}], "Weight": 7}]);
    let batch = json!({"LoadBalancerId": scene.balancer, "ModifyList": list});
    scene.client.clb_done("BatchModifyTargetWeight", batch).await;
    let port = json!({"LoadBalancerId": scene.balancer, "ListenerId": scene.listener, "NewPort": 8080, "Targets": [{"InstanceId": one, "Port": 80}]});
    scene.client.clb_done("ModifyTargetPort", port).await;
    assert_eq!(scene.bound().await, [(one.clone(), 8080, 50), (two.clone(), 80, 7)]);

    scene.call("DeregisterTargets", json!([{"EniIp": address, "Port": 80}])).await.unwrap();
    scene.client.pass(1);
    assert_eq!(scene.bound().await, [(one.clone(), 8080, 50)]);
    let shown = scene.client.clb("DescribeTargets", json!({"LoadBalancerId": scene.balancer})).await.unwrap();
    let target = &shown["Listeners"][0]["Targets"][0];
    assert_eq!((&target["Type"], &target["Zone"]), (&json!("CVM"), &json!("ap-guangzhou-3")));
    assert_eq!(target["RegisteredTime"], "2026-01-02 11:04:11");
}

#[tokio::test]
async fn each_mistake_has_its_code_and_changes_nothing() {
    let scene = scene(Client::of(builder().quota(Quota::TargetsPerRule, 3)), 2).await;
    let (one, two) = (&scene.network.instances[0], &scene.network.instances[1]);
    let strange = network(&scene.client, 1).await;
    scene.call("RegisterTargets", json!([{"InstanceId": one, "Port": 80}])).await.unwrap();
    scene.client.pass(1);
    let good = json!({"InstanceId": two, "Port": 80});
    let address = scene.client.address(one).await;
    let many: Vec<Value> = (1..=21).map(|port| json!({"InstanceId": two, "Port": port})).collect();
    let full: Vec<Value> = (1..=3).map(|port| json!({"InstanceId": two, "Port": port})).collect();
    let cases = [
        ("RegisterTargets", json!([]), "InvalidParameterValue.Length"),
        ("RegisterTargets", json!(many), "InvalidParameterValue.Length"),
        ("RegisterTargets", json!(full), "LimitExceeded"),
        ("RegisterTargets", json!([good, {"Port": 80}]), "MissingParameter"),
        ("RegisterTargets", json!([good, {"InstanceId": one, "EniIp": address, "Port": 80}]), "InvalidParameterValue"),
        ("RegisterTargets", json!([good, {"InstanceId": "ins-1", "Port": 80}]), "InvalidParameter.FormatError"),
        ("RegisterTargets", json!([good, {"InstanceId": "ins-00000000", "Port": 80}]), "InvalidParameterValue"),
        ("RegisterTargets", json!([good, {"InstanceId": strange.instances[0], "Port": 80}]), "InvalidParameterValue"),
        ("RegisterTargets", json!([good, {"EniIp": "10.0.1.250", "Port": 80}]), "InvalidParameterValue"),
        ("RegisterTargets", json!([good, {"EniIp": "172.20.0.9", "Port": 80}]), "InvalidParameterValue"),
        ("RegisterTargets", json!([good, {"EniIp": "x", "Port": 80}]), "InvalidParameter.FormatError"),
        ("RegisterTargets", json!([good, {"EniIp": "fd00::1", "Port": 80}]), "InvalidParameterValue"),
        ("RegisterTargets", json!([good, {"InstanceId": one, "Port": 0}]), "InvalidParameterValue"),
        ("RegisterTargets", json!([good, {"InstanceId": one, "Port": 81, "Weight": 101}]), "InvalidParameterValue"),
        ("RegisterTargets", json!([good, good]), "InvalidParameterValue.Duplicate"),
        ("RegisterTargets", json!([{"EniIp": address, "Port": 80}]), "InvalidParameterValue.Duplicate"),
        ("DeregisterTargets", json!([{"InstanceId": one, "Port": 80}, good]), "InvalidParameterValue"),
        ("ModifyTargetWeight", json!([{"InstanceId": one, "Port": 80, "Weight": 1}, good]), "InvalidParameterValue"),
    ];
    for (action, targets, expected) in cases {
        assert_eq!(code(scene.call(action, targets.clone()).await), expected, "{action} {targets}");
    }
    assert_eq!(scene.bound().await, [(one.clone(), 80, 10)]);
    let elsewhere =
        |listener: &str| json!({"LoadBalancerId": scene.balancer, "ListenerId": listener, "Targets": [good]});
    assert_eq!(code(scene.client.clb("RegisterTargets", elsewhere("lbl-00000000")).await), "InvalidParameter");
}

#[tokio::test]
async fn addresses_of_other_networks_need_a_route_or_snat_pro() {
    let scene = scene(client(), 1).await;
    let next_hop = scene.client.address(&scene.network.instances[0]).await;
    let tables = scene.client.vpc("DescribeRouteTables", json!({})).await.unwrap();
    let route = json!([{"DestinationCidrBlock": "172.20.0.0/24", "GatewayType": "NORMAL_CVM", "GatewayId": next_hop}]);
    let routes = json!({"RouteTableId": tables["RouteTableSet"][0]["RouteTableId"], "Routes": route});
    scene.client.vpc("CreateRoutes", routes).await.unwrap();
    scene.call("RegisterTargets", json!([{"EniIp": "172.20.0.9", "Port": 80}])).await.unwrap();
    scene.client.pass(1);
    let modify = json!({"LoadBalancerId": scene.balancer, "SnatPro": true});
    scene.client.clb_done("ModifyLoadBalancerAttributes", modify).await;
    scene.call("RegisterTargets", json!([{"EniIp": "192.168.7.7", "Port": 80}])).await.unwrap();
    scene.client.pass(1);
    let shown = scene.client.clb("DescribeTargets", json!({"LoadBalancerId": scene.balancer})).await.unwrap();
    let kinds: Vec<String> =
        shown["Listeners"][0]["Targets"].as_array().unwrap().iter().map(|target| text(&target["Type"])).collect();
    assert_eq!(kinds, ["GLOBALROUTE", "CCN"]);
}

#[tokio::test]
async fn a_batch_is_done_at_once_over_several_listeners() {
    let scene = scene(client(), 2).await;
    let other = scene.client.listener(&scene.balancer, "UDP", 80).await;
    let (one, two) = (&scene.network.instances[0], &scene.network.instances[1]);
    let target = |listener: &str, instance: &str, port: u16| json!({"ListenerId": listener, "InstanceId": instance, "Port": port});
    let targets = json!([target(&scene.listener, one, 80), target(&other, one, 80), target(&scene.listener, two, 80)]);
    let answer = scene.batch("BatchRegisterTargets", targets.clone()).await.unwrap();
    assert_eq!((&answer["FailListenerIdSet"], &answer["Message"]), (&json!([]), &json!("")));
    assert_eq!(scene.client.task(&text(&answer["RequestId"])).await, 0);
    assert_eq!(scene.bound().await, [(one.clone(), 80, 10), (two.clone(), 80, 10)]);
    assert_eq!(scene.client.bound(&scene.balancer, &other).await, [(one.clone(), 80, 10)]);
    // Once more changes nothing, so that a call whose answer was lost can be repeated.
    let again = scene.batch("BatchRegisterTargets", targets.clone()).await.unwrap();
    assert_eq!((&again["FailListenerIdSet"], scene.bound().await.len()), (&json!([]), 2));
    let answer = scene.batch("BatchDeregisterTargets", targets.clone()).await.unwrap();
    assert_eq!((&answer["FailListenerIdSet"], scene.bound().await.len()), (&json!([]), 0));
    let answer = scene.batch("BatchDeregisterTargets", targets).await.unwrap();
    assert_eq!(answer["FailListenerIdSet"], json!([scene.listener, other]));

    let many: Vec<Value> = (0..501).map(|_| target(&other, one, 80)).collect();
    let cases = [
        (json!(many), "InvalidParameterValue.Length"),
        (json!([target("lbl-0", one, 80)]), "InvalidParameter.FormatError"),
        (json!([target("lbl-00000000", one, 80)]), "InvalidParameter.ListenerIdNotFound"),
        (json!([target(&other, "ins-xxx", 80)]), "InvalidParameter.FormatError"),
        (json!([target(&other, one, 0)]), "InvalidParameterValue"),
    ];
    for (targets, expected) in cases {
        assert_eq!(code(scene.batch("BatchRegisterTargets", targets).await), expected);
    }
}

#[tokio::test]
async fn one_bad_target_of_a_batch_fails_its_listener_and_no_other() {
    let scene = scene(Client::of(builder().poisoned_target("10.0.1.3")), 2).await;
    let other = scene.client.listener(&scene.balancer, "TCP", 81).await;
    let instances = &scene.network.instances;
    let mut poisoned = None;
    for instance in instances {
        if scene.client.address(instance).await == "10.0.1.3" {
            poisoned = Some(instance);
        }
    }
    let good = instances.iter().find(|instance| Some(*instance) != poisoned).unwrap();
    for bad in [json!({"EniIp": "10.0.1.3"}), json!({"InstanceId": "ins-00000000"})] {
        let mut bad = super::with(bad, &json!({"ListenerId": scene.listener, "Port": 8080}));
        bad["Weight"] = json!(1);
        let targets = json!([
            {"ListenerId": scene.listener, "InstanceId": good, "Port": 80},
            bad,
            {"ListenerId": other, "InstanceId": good, "Port": 80},
        ]);
        let answer = scene.batch("BatchRegisterTargets", targets).await.unwrap();
        assert_eq!(answer["FailListenerIdSet"], json!([scene.listener]));
        assert!(answer["Message"].as_str().unwrap().contains(&scene.listener));
        assert_eq!(scene.bound().await, []);
        assert_eq!(scene.client.bound(&scene.balancer, &other).await.len(), 1);
    }
    let answer = scene.call("RegisterTargets", json!([{"EniIp": "10.0.1.3", "Port": 80}])).await.unwrap();
    scene.client.pass(1);
    let status = json!({"TaskId": answer["RequestId"]});
    let status = scene.client.clb("DescribeTaskStatus", status).await.unwrap();
    assert_eq!((&status["Status"], scene.bound().await.len()), (&json!(1), 0));
    assert!(status["Message"].as_str().unwrap().contains("10.0.1.3"));
    scene.client.emulator.adjust(|knobs| knobs.no_poisoned_targets());
    scene.call("RegisterTargets", json!([{"EniIp": "10.0.1.3", "Port": 80}])).await.unwrap();
    scene.client.pass(1);
    assert_eq!(scene.bound().await.len(), 1);
}

#[tokio::test]
async fn rules_have_targets_of_their_own() {
    let scene = scene(client(), 1).await;
    let client = &scene.client;
    let listener = client.listener(&scene.balancer, "HTTP", 8000).await;
    let rules = json!({"LoadBalancerId": scene.balancer, "ListenerId": listener, "Rules": [{"Domain": "a", "Url": "/"}, {"Domain": "a", "Url": "/b"}]});
    let answer = client.clb_done("CreateRule", rules).await;
    let (first, second) = (&answer["LocationIds"][0], &answer["LocationIds"][1]);
    let target = json!([{"InstanceId": scene.network.instances[0], "Port": 80}]);
    let base = json!({"LoadBalancerId": scene.balancer, "ListenerId": listener, "Targets": target});
    assert_eq!(code(client.clb("RegisterTargets", base.clone()).await), "MissingParameter");
    let gone = super::with(base.clone(), &json!({"LocationId": "loc-00000000"}));
    assert_eq!(code(client.clb("RegisterTargets", gone).await), "InvalidParameter");
    client.clb_done("RegisterTargets", super::with(base.clone(), &json!({"LocationId": first}))).await;
    client.clb_done("RegisterTargets", super::with(base.clone(), &json!({"Domain": "a", "Url": "/b"}))).await;
    let shown = client
        .clb("DescribeTargets", json!({"LoadBalancerId": scene.balancer, "ListenerIds": [listener]}))
        .await
        .unwrap();
    let shown = &shown["Listeners"][0];
    assert_eq!((shown["Rules"].as_array().unwrap().len(), &shown["Targets"]), (2, &Value::Null));
    assert_eq!(shown["Rules"][1]["Targets"].as_array().unwrap().len(), 1);
    let filtered = json!({"LoadBalancerId": scene.balancer, "Filters": [{"Name": "location-id", "Values": [second]}]});
    let filtered = client.clb("DescribeTargets", filtered).await.unwrap();
    assert_eq!(filtered["Listeners"][1]["Rules"].as_array().unwrap().len(), 1);
    let batch = |location: &Value| json!({"LoadBalancerId": scene.balancer, "Targets": [{"ListenerId": listener, "LocationId": location, "InstanceId": scene.network.instances[0], "Port": 80}]});
    client.clb("BatchDeregisterTargets", batch(first)).await.unwrap();
    assert_eq!(
        code(client.clb("BatchDeregisterTargets", batch(&json!("loc-00000000"))).await),
        "InvalidParameter.LocationNotFound"
    );
    assert_eq!(code(client.clb("BatchDeregisterTargets", batch(&Value::Null)).await), "MissingParameter");
}

#[tokio::test]
async fn weights_of_a_batch_have_limits() {
    let scene = scene(client(), 1).await;
    let item = |targets: usize| json!({"ListenerId": scene.listener, "Targets": vec![json!({"InstanceId": scene.network.instances[0], "Port": 80}); targets], "Weight": 1});
    for list in [json!([]), json!(vec![item(1); 101]), json!([item(51)]), json!(vec![item(50); 11])] {
        let parameters = json!({"LoadBalancerId": scene.balancer, "ModifyList": list});
        assert_eq!(code(scene.client.clb("BatchModifyTargetWeight", parameters).await), "InvalidParameterValue.Length");
    }
}

#[tokio::test]
async fn targets_of_instances_that_are_gone_are_unbound() {
    let scene = scene(client(), 2).await;
    let (one, two) = (&scene.network.instances[0], &scene.network.instances[1]);
    let address = scene.client.address(two).await;
    scene
        .call("RegisterTargets", json!([{"InstanceId": one, "Port": 80}, {"EniIp": address, "Port": 80}]))
        .await
        .unwrap();
    scene.client.pass(1);
    scene.client.cvm("TerminateInstances", json!({"InstanceIds": [one, two]})).await.unwrap();
    assert_eq!(scene.bound().await.len(), 2);
    scene.client.pass(1);
    assert_eq!(scene.bound().await, []);
}
