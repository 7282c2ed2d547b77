//! Target groups.

use serde_json::{Value, json};

use super::{network, with};
use crate::client::{client, code, text};

#[tokio::test]
async fn a_group_lives_from_its_members_to_its_listeners() {
    let client = client();
    let network = network(&client, 2).await;
    let (one, two) = (client.address(&network.instances[0]).await, client.address(&network.instances[1]).await);
    let create = json!({"TargetGroupName": "g", "VpcId": network.vpc, "Type": "v2", "Protocol": "TCP", "Port": 80, "Weight": 20,
        "TargetGroupInstances": [{"BindIP": one}], "HealthCheck": {"HealthSwitch": true, "GapTime": 10}});
    let group = text(&client.clb("CreateTargetGroup", create).await.unwrap()["TargetGroupId"]);
    let member = |address: &str, more: Value| json!({"TargetGroupId": group, "TargetGroupInstances": [with(json!({"BindIP": address, "Port": 80}), &more)]});
    let answer = client.clb("RegisterTargetGroupInstances", member(&two, json!({"Weight": 5}))).await.unwrap();
    assert_eq!(
        code(client.clb("RegisterTargetGroupInstances", member(&two, json!({"Port": 81}))).await),
        "FailedOperation.ResourceInOperating"
    );
    client.pass(1);
    assert_eq!(client.task(&text(&answer["RequestId"])).await, 0);
    client.clb_done("ModifyTargetGroupInstancesWeight", member(&two, json!({"Weight": 6}))).await;
    client.clb_done("ModifyTargetGroupInstancesPort", member(&two, json!({"NewPort": 8080}))).await;
    let members = json!({"Filters": [{"Name": "TargetGroupId", "Values": [group]}]});
    let members = client.clb("DescribeTargetGroupInstances", members).await.unwrap();
    let seen: Vec<(&Value, &Value)> = members["TargetGroupInstanceSet"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| (&member["Port"], &member["Weight"]))
        .collect();
    assert_eq!(seen, [(&json!(80), &json!(20)), (&json!(8080), &json!(6))]);

    let balancer = client.balancer(&network.vpc).await;
    let plain = client.listener(&balancer, "TCP", 81).await;
    let listener =
        json!({"LoadBalancerId": balancer, "Protocol": "TCP", "Ports": [80], "TargetType": "TARGETGROUP-V2"});
    let listener = text(&client.clb_done("CreateListener", listener).await["ListenerIds"][0]);
    let bind = |listener: &str| json!({"Associations": [{"LoadBalancerId": balancer, "ListenerId": listener, "TargetGroupId": group, "Weight": 30}]});
    assert_eq!(code(client.clb("AssociateTargetGroups", bind(&plain)).await), "InvalidParameterValue");
    client.clb_done("AssociateTargetGroups", bind(&listener)).await;
    assert_eq!(code(client.clb("AssociateTargetGroups", bind(&listener)).await), "InvalidParameterValue");
    let listeners = client.listeners(&balancer).await;
    let shown = listeners.iter().find(|shown| shown["ListenerId"] == listener).unwrap();
    assert_eq!(shown["TargetGroupList"], json!([{"TargetGroupId": group, "TargetGroupName": "g", "Weight": 30}]));
    let groups = client.clb("DescribeTargetGroups", json!({"TargetGroupIds": [group]})).await.unwrap();
    let shown = &groups["TargetGroupSet"][0];
    assert_eq!(
        (&shown["AssociatedRule"][0]["ListenerId"], &shown["RegisteredInstancesCount"]),
        (&json!(listener), &json!(2))
    );
    assert_eq!((&shown["HealthCheck"]["GapTime"], &shown["TargetGroupType"]), (&json!(10), &json!("v2")));
    let health = client
        .clb("DescribeTargetHealth", json!({"LoadBalancerIds": [balancer], "ListenerIds": [listener]}))
        .await
        .unwrap();
    let health = &health["LoadBalancers"][0]["Listeners"][0]["Rules"][0]["Targets"][0];
    assert_eq!((&health["TargetGroupId"], &health["HealthStatus"]), (&json!(group), &json!(true)));
    let traffic = client.emulator.load_balancing("ap-guangzhou");
    let reached = traffic.reached_by_connection(&client.vip(&balancer).await, 80, "TCP");
    assert_eq!(reached.iter().map(|target| target.port).collect::<Vec<_>>(), [80, 8080]);
    let target = json!({"LoadBalancerId": balancer, "ListenerId": listener, "Targets": [{"EniIp": one, "Port": 80}]});
    assert_eq!(code(client.clb("RegisterTargets", target).await), "FailedOperation");

    let delete = json!({"TargetGroupIds": [group]});
    assert_eq!(code(client.clb("DeleteTargetGroups", delete.clone()).await), "FailedOperation");
    client.clb_done("DisassociateTargetGroups", bind(&listener)).await;
    assert_eq!(code(client.clb("DisassociateTargetGroups", bind(&listener)).await), "InvalidParameterValue");
    client.clb_done("DeregisterTargetGroupInstances", member(&one, json!({}))).await;
    let modify = json!({"TargetGroupId": group, "TargetGroupName": "renamed", "HealthCheck": {"HealthSwitch": false}});
    client.clb("ModifyTargetGroupAttribute", modify).await.unwrap();
    let list = client
        .clb("DescribeTargetGroupList", json!({"Filters": [{"Name": "TargetGroupName", "Values": ["renamed"]}]}))
        .await
        .unwrap();
    let shown = &list["TargetGroupSet"][0];
    assert_eq!((&shown["AssociatedRule"], &shown["RegisteredInstancesCount"]), (&Value::Null, &json!(1)));
    client.clb("DeleteTargetGroups", delete.clone()).await.unwrap();
    assert_eq!(code(client.clb("DeleteTargetGroups", delete).await), "InvalidParameter");
}

#[tokio::test]
async fn each_mistake_has_its_code() {
    let client = client();
    let network = network(&client, 1).await;
    let base = json!({"TargetGroupName": "g", "VpcId": network.vpc, "Port": 80});
    let address = client.address(&network.instances[0]).await;
    let cases = [
        (json!({"TargetGroupName": ""}), "InvalidParameterValue.Length"),
        (json!({"VpcId": "vpc-00000000"}), "InvalidParameterValue"),
        (json!({"Type": "v3"}), "InvalidParameterValue"),
        (json!({"Type": "v2"}), "MissingParameter"),
        (json!({"Type": "v2", "Protocol": "QUIC"}), "InvalidParameterValue"),
        (json!({"Port": null}), "MissingParameter"),
        (json!({"Weight": 10}), "InvalidParameterValue"),
        (json!({"Type": "v2", "Protocol": "TCP", "ScheduleAlgorithm": "WRR"}), "InvalidParameterValue"),
        (json!({"FullListenSwitch": true}), "InvalidParameterValue"),
        (json!({"TargetGroupInstances": [{"BindIP": "x"}]}), "InvalidParameter.FormatError"),
        (json!({"TargetGroupInstances": [{"BindIP": "10.0.1.200"}]}), "InvalidParameterValue"),
        (json!({"TargetGroupInstances": vec![json!({"BindIP": address}); 2]}), "InvalidParameterValue"),
        (json!({"TargetGroupInstances": vec![json!({"BindIP": address}); 51]}), "InvalidParameterValue.Length"),
    ];
    for (more, expected) in cases {
        assert_eq!(code(client.clb("CreateTargetGroup", with(base.clone(), &more)).await), expected, "{more}");
    }
    let both = json!({"TargetGroupIds": ["lbtg-00000000"], "Filters": [{"Name": "Tag", "Values": ["a"]}]});
    assert_eq!(code(client.clb("DescribeTargetGroups", both).await), "InvalidParameter");
    let all = json!({"Type": "v2", "Protocol": "TCP", "FullListenSwitch": true, "Port": null, "Weight": 1, "TargetGroupInstances": [{"BindIP": address}]});
    client.clb("CreateTargetGroup", with(base, &all)).await.unwrap();
}
