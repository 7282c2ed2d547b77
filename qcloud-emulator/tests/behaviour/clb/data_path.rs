//! Where traffic goes.

use qcloud_emulator::{LoadBalancing, TargetCondition};
use serde_json::{Value, json};

use super::network;
use crate::client::{client, text};

fn ports(traffic: &LoadBalancing, vip: &str, protocol: &str) -> Vec<u16> {
    traffic.reached_by_connection(vip, 80, protocol).iter().map(|target| target.port).collect()
}

#[tokio::test]
async fn connections_reach_healthy_targets_with_a_weight() {
    let client = client();
    let network = network(&client, 2).await;
    let balancer = client.balancer(&network.vpc).await;
    let listener = client.listener(&balancer, "TCP", 80).await;
    let vip = client.vip(&balancer).await;
    let traffic = client.emulator.load_balancing("ap-guangzhou");
    let target = |place: usize, port: u16, weight: u32| json!({"InstanceId": network.instances[place], "Port": port, "Weight": weight});
    let targets = json!([target(0, 1, 10), target(0, 2, 0), target(1, 3, 20)]);
    client
        .clb_done("RegisterTargets", json!({"LoadBalancerId": balancer, "ListenerId": listener, "Targets": targets}))
        .await;
    let reached = traffic.reached_by_connection(&vip, 80, "TCP");
    assert_eq!(reached.iter().map(|target| (target.port, target.weight)).collect::<Vec<_>>(), [(1, 10), (3, 20)]);
    assert_eq!(reached[0].instance_id.as_deref(), Some(network.instances[0].as_str()));
    assert_eq!(reached[0].address, client.address(&network.instances[0]).await);
    assert_eq!(ports(&traffic, &vip, "UDP"), Vec::<u16>::new());
    assert_eq!(traffic.reached_by_connection(&vip, 81, "TCP"), []);
    assert_eq!(client.emulator.load_balancing("ap-shanghai").reached_by_connection(&vip, 80, "TCP"), []);
    assert_eq!(client.emulator.load_balancing("mars").reached_by_connection(&vip, 80, "TCP"), []);

    client.cvm("StopInstances", json!({"InstanceIds": [network.instances[0]]})).await.unwrap();
    client.pass(1);
    assert_eq!(ports(&traffic, &vip, "TCP"), [3]);
    // When nobody is well, everybody with a weight gets traffic.
    traffic.set_target_condition(&client.address(&network.instances[1]).await, Some(3), TargetCondition::Dead);
    assert_eq!(ports(&traffic, &vip, "TCP"), [1, 3]);
    let stop = |operation: &str| json!({"LoadBalancerId": balancer, "OperationType": operation});
    client.clb_done("SetLoadBalancerStartStatus", stop("Stop")).await;
    assert_eq!(ports(&traffic, &vip, "TCP"), Vec::<u16>::new());
    client.clb_done("SetLoadBalancerStartStatus", stop("Start")).await;
    client.clb_done("DeleteListener", json!({"LoadBalancerId": balancer, "ListenerId": listener})).await;
    assert_eq!(ports(&traffic, &vip, "TCP"), Vec::<u16>::new());
}

#[tokio::test]
async fn a_client_gets_in_that_any_security_group_admits() {
    let client = client();
    let network = network(&client, 1).await;
    let balancer = client.balancer(&network.vpc).await;
    let listener = client.listener(&balancer, "TCP", 80).await;
    let vip = client.vip(&balancer).await;
    let targets = json!([{"InstanceId": network.instances[0], "Port": 1}]);
    client
        .clb_done("RegisterTargets", json!({"LoadBalancerId": balancer, "ListenerId": listener, "Targets": targets}))
        .await;
    let traffic = client.emulator.load_balancing("ap-guangzhou");
    let admitted = |last: u8| !traffic.reached_from([10, 0, 0, last].into(), &vip, 80, "TCP").is_empty();
    let group = async |policies: Value| {
        let group = json!({"GroupName": "g", "GroupDescription": "test"});
        let id = client.vpc("CreateSecurityGroup", group).await.unwrap()["SecurityGroup"]["SecurityGroupId"].clone();
        let set = json!({"SecurityGroupId": id, "SecurityGroupPolicySet": {"Ingress": policies}});
        client.vpc("CreateSecurityGroupPolicies", set).await.unwrap();
        id
    };
    let policy = |network: &str, port: &str, action: &str| json!({"Protocol": "TCP", "Port": port, "CidrBlock": network, "Action": action});
    let few = group(json!([policy("10.0.0.4", "80", "DROP"), policy("10.0.0.0/29", "70-90,443", "ACCEPT")])).await;
    let all = group(json!([policy("0.0.0.0/0", "ALL", "ACCEPT")])).await;
    let other = group(json!([policy("0.0.0.0/0", "81", "ACCEPT")])).await;
    for (groups, expected) in [
        (json!([]), [true, true, true]),
        (json!([few]), [true, false, false]),
        (json!([few, other]), [true, false, false]),
        (json!([few, all]), [true, true, true]),
    ] {
        let set = json!({"LoadBalancerId": balancer, "SecurityGroups": groups});
        client.clb_done("SetLoadBalancerSecurityGroups", set).await;
        assert_eq!([3, 4, 9].map(admitted), expected, "{groups}");
    }
}

#[tokio::test]
async fn requests_reach_the_targets_of_their_rule() {
    let client = client();
    let network = network(&client, 1).await;
    let balancer = client.balancer(&network.vpc).await;
    let listener = client.listener(&balancer, "HTTP", 80).await;
    let rules = json!([
        {"Domain": "a.example", "Url": "/"}, {"Domain": "a.example", "Url": "/api"}, {"Domain": "*.example", "Url": "/"},
        {"Domain": "fallback", "Url": "/", "DefaultServer": true},
    ]);
    let rules = json!({"LoadBalancerId": balancer, "ListenerId": listener, "Rules": rules});
    let ids = client.clb_done("CreateRule", rules).await["LocationIds"].clone();
    let targets: Vec<Value> = ids.as_array().unwrap().iter().zip(1..).map(|(id, port)| {
        json!({"ListenerId": listener, "LocationId": id, "InstanceId": network.instances[0], "Port": port})
    }).collect();
    client.clb("BatchRegisterTargets", json!({"LoadBalancerId": balancer, "Targets": targets})).await.unwrap();
    client.pass(1);
    let (vip, traffic) = (client.vip(&balancer).await, client.emulator.load_balancing("ap-guangzhou"));
    let port =
        |host: &str, path: &str| traffic.reached_by_request(&vip, 80, host, path).first().map(|target| target.port);
    assert_eq!(port("a.example", "/"), Some(1));
    assert_eq!(port("A.example:80", "/api/v1"), Some(2));
    assert_eq!(port("b.example", "/api"), Some(3));
    assert_eq!(port("nobody", "/"), Some(4));
    assert_eq!(traffic.reached_by_connection(&vip, 80, "TCP"), []);
}

#[tokio::test]
async fn a_domain_name_and_an_ipv6_address_lead_there_too() {
    let client = client();
    let network = network(&client, 1).await;
    for (more, member) in
        [(json!({"DynamicVip": true}), "LoadBalancerDomain"), (json!({"AddressIPVersion": "IPV6"}), "AddressIPv6")]
    {
        let balancer = client.balancers(&network.vpc, more).await.remove(0);
        let listener = client.listener(&balancer, "UDP", 80).await;
        let target = json!([{"ListenerId": listener, "InstanceId": network.instances[0], "Port": 5}]);
        client.clb("BatchRegisterTargets", json!({"LoadBalancerId": balancer, "Targets": target})).await.unwrap();
        client.pass(1);
        let place = text(&client.shown(&balancer).await.unwrap()[member]);
        assert_eq!(ports(&client.emulator.load_balancing("ap-guangzhou"), &place, "UDP"), [5], "{place}");
    }
}
