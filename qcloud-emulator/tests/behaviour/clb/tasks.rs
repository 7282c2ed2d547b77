//! Tasks and the lock that they hold.

use std::time::Duration;

use qcloud_emulator::Task;
use serde_json::{Value, json};

use super::network;
use crate::client::{Client, builder, client, code, text};

#[tokio::test]
async fn while_a_task_runs_other_writes_are_refused_and_reads_are_not() {
    let client = client();
    let network = network(&client, 1).await;
    let (balancer, other) = (client.balancer(&network.vpc).await, client.balancer(&network.vpc).await);
    let listener = client.listener(&balancer, "TCP", 80).await;
    let target = json!([{"InstanceId": network.instances[0], "Port": 80}]);
    let register = json!({"LoadBalancerId": balancer, "ListenerId": listener, "Targets": target});
    let answer = client.clb("RegisterTargets", register.clone()).await.unwrap();
    let batch = json!([{"ListenerId": listener, "InstanceId": network.instances[0], "Port": 81}]);
    let writes = [
        ("RegisterTargets", register.clone()),
        ("DeregisterTargets", register.clone()),
        ("BatchRegisterTargets", json!({"LoadBalancerId": balancer, "Targets": batch})),
        ("CreateListener", json!({"LoadBalancerId": balancer, "Protocol": "TCP", "Ports": [81]})),
        ("ModifyListener", json!({"LoadBalancerId": balancer, "ListenerId": listener})),
        ("DeleteListener", json!({"LoadBalancerId": balancer, "ListenerId": listener})),
        ("DeleteLoadBalancerListeners", json!({"LoadBalancerId": balancer})),
        ("ModifyLoadBalancerAttributes", json!({"LoadBalancerId": balancer, "SnatPro": true})),
        ("SetLoadBalancerSecurityGroups", json!({"LoadBalancerId": balancer})),
        ("DeleteLoadBalancer", json!({"LoadBalancerIds": [other, balancer]})),
    ];
    for (action, parameters) in &writes {
        assert_eq!(
            code(client.clb(action, parameters.clone()).await),
            "FailedOperation.ResourceInOperating",
            "{action}"
        );
    }
    assert_eq!(client.listeners(&balancer).await.len(), 1);
    assert!(client.shown(&other).await.is_some());
    client.clb("ModifyLoadBalancerAttributes", json!({"LoadBalancerId": other, "SnatPro": true})).await.unwrap();
    assert_eq!(client.task(&text(&answer["RequestId"])).await, 2);
    client.pass(1);
    assert_eq!(client.task(&text(&answer["RequestId"])).await, 0);
    client.clb("DeregisterTargets", register).await.unwrap();
}

#[tokio::test]
async fn a_task_that_fails_leaves_nothing_behind() {
    let client = client();
    let network = network(&client, 1).await;
    let balancer = client.balancer(&network.vpc).await;
    let knob = client.emulator.load_balancing("ap-guangzhou");
    knob.fail_tasks("CreateListener", 1);
    let create = json!({"LoadBalancerId": balancer, "Protocol": "TCP", "Ports": [80]});
    let answer = client.clb("CreateListener", create.clone()).await.unwrap();
    client.pass(1);
    let task = client.clb("DescribeTaskStatus", json!({"TaskId": answer["RequestId"]})).await.unwrap();
    assert_eq!((&task["Status"], &task["LoadBalancerIds"]), (&json!(1), &json!([balancer])));
    assert!(task["Message"].as_str().unwrap().contains("CreateListener"));
    assert_eq!(client.listeners(&balancer).await, Vec::<Value>::new());
    client.clb_done("CreateListener", create).await;
    assert_eq!(client.listeners(&balancer).await.len(), 1);
    knob.fail_tasks("DeleteLoadBalancer", 1);
    client.clb("DeleteLoadBalancer", json!({"LoadBalancerIds": [balancer]})).await.unwrap();
    client.pass(2);
    assert!(client.shown(&balancer).await.is_some());
    client.clb_done("DeleteLoadBalancer", json!({"LoadBalancerIds": [balancer]})).await;
    assert!(client.shown(&balancer).await.is_none());
}

#[tokio::test]
async fn durations_are_knobs_and_unknown_tasks_are_told() {
    let client = Client::of(builder().task_duration(Task::LoadBalancerCreate, Duration::from_secs(40)));
    let network = network(&client, 0).await;
    let answer =
        client.clb("CreateLoadBalancer", json!({"LoadBalancerType": "OPEN", "VpcId": network.vpc})).await.unwrap();
    let id = text(&answer["LoadBalancerIds"][0]);
    client.pass(39);
    assert_eq!(client.shown(&id).await.unwrap()["Status"], 0);
    let listener = json!({"LoadBalancerId": id, "Protocol": "TCP", "Ports": [80]});
    assert_eq!(code(client.clb("CreateListener", listener).await), "FailedOperation.ResourceInOperating");
    client.pass(1);
    assert_eq!(client.shown(&id).await.unwrap()["Status"], 1);
    for parameters in [json!({}), json!({"TaskId": "none"}), json!({"DealName": "none"})] {
        assert_eq!(code(client.clb("DescribeTaskStatus", parameters).await), "InvalidParameter");
    }
}
