//! The health of targets.

use qcloud_emulator::TargetCondition;
use serde_json::{Value, json};

use super::network;
use crate::client::{Client, client, code, text};

async fn health(client: &Client, balancer: &str) -> Vec<(String, bool)> {
    let answer = client.clb("DescribeTargetHealth", json!({"LoadBalancerIds": [balancer]})).await.unwrap();
    let rules = &answer["LoadBalancers"][0]["Listeners"][0]["Rules"];
    let targets = rules[0]["Targets"].as_array().unwrap().clone();
    targets.iter().map(|target| (text(&target["HealthStatusDetail"]), target["HealthStatus"] == true)).collect()
}

fn seen(condition: &str, healthy: bool) -> Vec<(String, bool)> {
    vec![(condition.to_owned(), healthy)]
}

#[tokio::test]
async fn it_follows_from_the_instance_the_settings_and_what_a_test_sets() {
    let client = client();
    let network = network(&client, 1).await;
    let instance = &network.instances[0];
    let balancer = client.balancer(&network.vpc).await;
    let listener = client.listener(&balancer, "TCP", 80).await;
    let target = json!([{"InstanceId": instance, "Port": 8080}]);
    client
        .clb("RegisterTargets", json!({"LoadBalancerId": balancer, "ListenerId": listener, "Targets": target}))
        .await
        .unwrap();
    assert_eq!(health(&client, &balancer).await, []);
    client.pass(1);
    assert_eq!(health(&client, &balancer).await, seen("Alive", true));
    let batch = json!({"LoadBalancerId": balancer, "Targets": [{"ListenerId": listener, "InstanceId": instance, "Port": 8081}]});
    client.clb("BatchRegisterTargets", batch.clone()).await.unwrap();
    assert_eq!(health(&client, &balancer).await[1], ("Unknown".to_owned(), false));
    client.clb("BatchDeregisterTargets", batch).await.unwrap();

    client.cvm("StopInstances", json!({"InstanceIds": [instance]})).await.unwrap();
    client.pass(1);
    assert_eq!(health(&client, &balancer).await, seen("Dead", false));
    let (address, knob) = (client.address(instance).await, client.emulator.load_balancing("ap-guangzhou"));
    knob.set_target_condition(&address, None, TargetCondition::Alive);
    assert_eq!(health(&client, &balancer).await, seen("Alive", true));
    knob.set_target_condition(&address, Some(8080), TargetCondition::Dead);
    assert_eq!(health(&client, &balancer).await, seen("Dead", false));
    knob.reset_target_condition(&address, Some(8080));
    assert_eq!(health(&client, &balancer).await, seen("Alive", true));

    let modify =
        |on: u8| json!({"LoadBalancerId": balancer, "ListenerId": listener, "HealthCheck": {"HealthSwitch": on}});
    client.clb_done("ModifyListener", modify(0)).await;
    assert_eq!(health(&client, &balancer).await, seen("Close", true));
    client.clb_done("ModifyListener", modify(1)).await;
    let stop = json!({"LoadBalancerId": balancer, "OperationType": "Stop", "ListenerIds": [listener]});
    client.clb_done("SetLoadBalancerStartStatus", stop).await;
    assert_eq!(health(&client, &balancer).await, seen("Close", false));
    assert_eq!(client.listeners(&balancer).await[0]["AttrFlags"], json!(["Stop"]));
}

#[tokio::test]
async fn it_is_shown_by_load_balancer_listener_and_rule() {
    let client = client();
    let network = network(&client, 1).await;
    let balancer = client.balancer(&network.vpc).await;
    let tcp = client.listener(&balancer, "TCP", 80).await;
    let http = client.listener(&balancer, "HTTP", 81).await;
    let rules = json!([{"Domain": "a", "Url": "/"}, {"Domain": "b", "Url": "/"}]);
    let rules = json!({"LoadBalancerId": balancer, "ListenerId": http, "Rules": rules});
    let locations = client.clb_done("CreateRule", rules).await["LocationIds"].clone();
    let show =
        |more: Value| client.clb("DescribeTargetHealth", super::with(json!({"LoadBalancerIds": [balancer]}), &more));
    let all = show(json!({})).await.unwrap();
    let listeners = all["LoadBalancers"][0]["Listeners"].as_array().unwrap();
    assert_eq!((listeners.len(), &listeners[0]["Rules"][0]["Domain"]), (2, &Value::Null));
    assert_eq!(listeners[1]["Rules"].as_array().unwrap().len(), 2);
    let one = show(json!({"ListenerIds": [tcp]})).await.unwrap();
    assert_eq!(one["LoadBalancers"][0]["Listeners"].as_array().unwrap().len(), 1);
    let one = show(json!({"ListenerIds": [http], "LocationIds": [locations[1]]})).await.unwrap();
    assert_eq!(one["LoadBalancers"][0]["Listeners"][0]["Rules"][0]["Domain"], "b");
    assert_eq!(code(show(json!({"LoadBalancerIds": vec![&balancer; 31]})).await), "InvalidParameterValue.Length");
    assert_eq!(code(show(json!({"LoadBalancerIds": ["lb-00000000"]})).await), "InvalidParameter.LBIdNotFound");
    assert_eq!(code(show(json!({"LoadBalancerIds": ["lb-xxxx"]})).await), "InvalidParameter.FormatError");
}
