//! Where services meet: load balancers in front of pods and network interfaces, networks that clusters and secondary
//! networks share, disks that are paid for with their instance.

use serde_json::json;

use crate::client::{Client, client, code, text};
use crate::interfaces;

/// A load balancer with a TCP listener that forwards to an address.
async fn forwarding(client: &Client, vpc: &str, address: &str) -> (String, String) {
    let balancer = client.balancer(vpc).await;
    let listener = client.listener(&balancer, "TCP", 80).await;
    let targets = json!([{"EniIp": address, "Port": 8080}]);
    let parameters = json!({"LoadBalancerId": balancer, "ListenerId": listener, "Targets": targets});
    client.clb_done("RegisterTargets", parameters).await;
    (balancer, listener)
}

/// The kind of the only target of a load balancer, and what health checks find.
async fn target(client: &Client, balancer: &str) -> (String, String) {
    let shown = client.clb("DescribeTargets", json!({"LoadBalancerId": balancer})).await.unwrap();
    let health = client.clb("DescribeTargetHealth", json!({"LoadBalancerIds": [balancer]})).await.unwrap();
    let health = &health["LoadBalancers"][0]["Listeners"][0]["Rules"][0]["Targets"][0];
    (text(&shown["Listeners"][0]["Targets"][0]["Type"]), text(&health["HealthStatusDetail"]))
}

fn pair(kind: &str, condition: &str) -> (String, String) {
    (kind.to_owned(), condition.to_owned())
}

#[tokio::test]
async fn load_balancers_reach_pods_over_cluster_routes() {
    let client = client();
    let network = client.network().await;
    let nodes = client.running(&network, 2).await;
    let table = json!({"RouteTableName": "own", "RouteTableCidrBlock": "10.244.0.0/16", "VpcId": network.0});
    client.tke("CreateClusterRouteTable", table).await.unwrap();
    let balancer = client.balancer(&network.0).await;
    let listener = client.listener(&balancer, "TCP", 80).await;
    let unreached = json!([{"EniIp": "10.244.1.9", "Port": 8080}]);
    let unreached = json!({"LoadBalancerId": balancer, "ListenerId": listener, "Targets": unreached});
    assert_eq!(code(client.clb("RegisterTargets", unreached).await), "InvalidParameterValue");

    let route = |cidr: &str, gateway: &str| json!({"RouteTableName": "own", "DestinationCidrBlock": cidr, "GatewayIp": gateway});
    let (one, two) = (client.address(&nodes[0]).await, client.address(&nodes[1]).await);
    client.tke("CreateClusterRoute", route("10.244.1.0/24", &one)).await.unwrap();
    client.tke("CreateClusterRoute", route("10.244.2.0/24", &two)).await.unwrap();
    let (balancer, _) = forwarding(&client, &network.0, "10.244.1.9").await;
    assert_eq!(target(&client, &balancer).await, pair("GLOBALROUTE", "Alive"));

    // The pod is as alive as its node, not as another one.
    client.cvm("StopInstances", json!({"InstanceIds": [nodes[1]]})).await.unwrap();
    client.pass(1);
    assert_eq!(target(&client, &balancer).await, pair("GLOBALROUTE", "Alive"));
    client.cvm("StopInstances", json!({"InstanceIds": [nodes[0]]})).await.unwrap();
    client.pass(1);
    assert_eq!(target(&client, &balancer).await, pair("GLOBALROUTE", "Dead"));
    client.cvm("StartInstances", json!({"InstanceIds": [nodes[0]]})).await.unwrap();
    client.pass(1);
    assert_eq!(target(&client, &balancer).await, pair("GLOBALROUTE", "Alive"));
    client.tke("DeleteClusterRoute", route("10.244.1.0/24", &one)).await.unwrap();
    assert_eq!(target(&client, &balancer).await, pair("GLOBALROUTE", "Dead"));
}

#[tokio::test]
async fn load_balancers_reach_network_interfaces_while_their_instance_runs() {
    let client = client();
    let network = client.network().await;
    let instance = client.running(&network, 1).await.remove(0);
    let interface = interfaces::ready(&client, &network).await;
    let shown = interfaces::show(&client, &interface).await.unwrap();
    let address = text(&shown["PrivateIpAddressSet"][0]["PrivateIpAddress"]);
    let (balancer, _) = forwarding(&client, &network.0, &address).await;
    let vip = client.vip(&balancer).await;
    let reached = || client.emulator.load_balancing("ap-guangzhou").reached_by_connection(&vip, 80, "TCP");
    assert_eq!(target(&client, &balancer).await, pair("ENI", "Dead"));
    assert_eq!(reached()[0].instance_id, None);

    let parameters = json!({"NetworkInterfaceId": interface, "InstanceId": instance});
    client.vpc("AttachNetworkInterface", parameters).await.unwrap();
    client.pass(1);
    assert_eq!(target(&client, &balancer).await, pair("ENI", "Alive"));
    assert_eq!(reached()[0].instance_id.as_ref(), Some(&instance));
    // Routes lead there as well.
    let serving = client.emulator.serving_route(&network.1, address.parse().unwrap()).unwrap();
    assert_eq!(serving.next_hops[0].instance.as_ref(), Some(&instance));
    client.cvm("StopInstances", json!({"InstanceIds": [instance]})).await.unwrap();
    client.pass(1);
    assert_eq!(target(&client, &balancer).await, pair("ENI", "Dead"));

    // Terminating the instance leaves the interface; deleting the interface unbinds it.
    client.cvm("TerminateInstances", json!({"InstanceIds": [instance]})).await.unwrap();
    client.pass(1);
    assert_eq!(target(&client, &balancer).await, pair("ENI", "Dead"));
    client.vpc("DeleteNetworkInterface", json!({"NetworkInterfaceId": interface})).await.unwrap();
    client.pass(1);
    let shown = client.clb("DescribeTargets", json!({"LoadBalancerId": balancer})).await.unwrap();
    assert_eq!(shown["Listeners"][0]["Targets"], json!([]));
}

#[tokio::test]
async fn an_instance_behind_a_load_balancer_stays_in_its_network() {
    let client = client();
    let network = client.network().await;
    let other = client.subnet(&network.0, "10.0.2.0/24").await.unwrap();
    let instance = client.running(&network, 1).await.remove(0);
    let balancer = client.balancer(&network.0).await;
    let listener = client.listener(&balancer, "TCP", 80).await;
    let targets = json!([{"InstanceId": instance, "Port": 8080}]);
    let bound = json!({"LoadBalancerId": balancer, "ListenerId": listener, "Targets": targets});
    client.clb_done("RegisterTargets", bound.clone()).await;
    let place = json!({"InstanceIds": [instance], "VirtualPrivateCloud": {"VpcId": network.0, "SubnetId": other}});
    let refused = client.cvm("ModifyInstancesVpcAttribute", place.clone()).await;
    assert_eq!(code(refused), "UnsupportedOperation.ModifyVPCWithCLB");
    client.clb_done("DeregisterTargets", bound).await;
    client.cvm("ModifyInstancesVpcAttribute", place).await.unwrap();
}

#[tokio::test]
async fn clusters_and_secondary_networks_keep_out_of_each_other() {
    let client = client();
    let network = client.network().await;
    let more = |cidr: &str| json!({"VpcId": network.0, "CidrBlocks": [cidr]});
    client.vpc("CreateAssistantCidr", more("192.168.0.0/20")).await.unwrap();
    let table = |cidr: &str| json!({"RouteTableName": "own", "RouteTableCidrBlock": cidr, "VpcId": network.0});
    let refused = client.tke("CreateClusterRouteTable", table("192.168.8.0/24")).await;
    assert_eq!(code(refused), "InvalidParameter.CidrConflictWithVpcCidr");
    let asked = json!({"RouteTableCidrBlock": "192.168.8.0/24", "VpcId": network.0});
    let conflicts = client.tke("DescribeRouteTableConflicts", asked).await.unwrap();
    assert_eq!(conflicts["RouteTableConflictSet"][0]["RouteTableCidrBlock"], "192.168.0.0/20");
    client.tke("CreateClusterRouteTable", table("172.20.0.0/16")).await.unwrap();
    let refused = client.vpc("CreateAssistantCidr", more("172.20.16.0/20")).await;
    assert_eq!(code(refused), "InvalidParameterValue.VpcCidrOverlapRoute");
    // The addresses of a secondary network are the VPC's own.
    let serving = client.emulator.serving_route(&network.1, [192, 168, 1, 1].into()).unwrap();
    assert_eq!(serving.destination, "192.168.0.0/20");
}

#[tokio::test]
async fn disks_are_charged_like_their_instance() {
    let client = client();
    let data = json!({"DataDisks": [{"DiskType": "CLOUD_PREMIUM", "DiskSize": 50}]});
    let instance = client.run(data).await.unwrap().remove(0);
    client.pass(2);
    let disks = async || {
        let filters = json!({"Filters": [{"Name": "instance-id", "Values": [instance]}]});
        let list = client.call("cbs", "DescribeDisks", filters).await.unwrap();
        let mut disks: Vec<(String, String, String)> = list["DiskSet"]
            .as_array()
            .unwrap()
            .iter()
            .map(|disk| (text(&disk["DiskUsage"]), text(&disk["DiskChargeType"]), text(&disk["DeadlineTime"])))
            .collect();
        disks.sort();
        disks
    };
    let none = String::new();
    let hourly = "POSTPAID_BY_HOUR".to_owned();
    let expected = [
        ("DATA_DISK".to_owned(), hourly.clone(), none.clone()),
        ("SYSTEM_DISK".to_owned(), hourly.clone(), none.clone()),
    ];
    assert_eq!(disks().await, expected);
    let prepaid = json!({
        "InstanceIds": [instance], "InstanceChargeType": "PREPAID", "InstanceChargePrepaid": {"Period": 1},
    });
    client.cvm("ModifyInstancesChargeType", prepaid).await.unwrap();
    let first = disks().await;
    assert_eq!((&first[0].1, first[1].1.as_str()), (&hourly, "PREPAID"));
    client
        .cvm("RenewInstances", json!({"InstanceIds": [instance], "InstanceChargePrepaid": {"Period": 1}}))
        .await
        .unwrap();
    let second = disks().await;
    assert_eq!(second[0], first[0]);
    assert!(second[1].2 > first[1].2, "{second:?} {first:?}");
}

#[tokio::test]
async fn elastic_ips_belong_to_load_balancers_until_those_are_gone() {
    let client = client();
    let network = client.network().await;
    let address = client.vpc("AllocateAddresses", json!({})).await.unwrap()["AddressSet"][0].clone();
    let order = json!({
        "LoadBalancerType": "INTERNAL", "VpcId": network.0, "SubnetId": network.1, "EipAddressId": address,
    });
    // It is not allocated yet.
    assert_eq!(code(client.clb("CreateLoadBalancer", order.clone()).await), "InvalidParameterValue");
    client.pass(1);
    let balancer = client.balancers(&network.0, order.clone()).await.remove(0);
    let shown = async || {
        let list = client.vpc("DescribeAddresses", json!({"AddressIds": [address]})).await.unwrap();
        let shown = &list["AddressSet"][0];
        (text(&shown["AddressStatus"]), text(&shown["InstanceId"]))
    };
    assert_eq!(shown().await, ("BIND".to_owned(), balancer.clone()));
    assert_eq!(code(client.clb("CreateLoadBalancer", order).await), "InvalidParameterValue");
    client.clb_done("DeleteLoadBalancer", json!({"LoadBalancerIds": [balancer]})).await;
    assert_eq!(shown().await, ("UNBIND".to_owned(), String::new()));
}
