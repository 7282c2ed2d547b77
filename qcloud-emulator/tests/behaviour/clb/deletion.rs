//! Deleting load balancers, and what stands in the way.

use qcloud_emulator::Quota;
use serde_json::{Value, json};

use super::network;
use crate::client::{Client, builder, client, code};

async fn delete(client: &Client, ids: &[String], force: bool) -> Result<Value, crate::client::Refusal> {
    client.clb("DeleteLoadBalancer", json!({"LoadBalancerIds": ids, "ForceDelete": force})).await
}

#[tokio::test]
async fn it_goes_when_the_task_ends_and_stays_gone() {
    let client = client();
    let network = network(&client, 0).await;
    let ids = client.balancers(&network.vpc, json!({"Number": 2})).await;
    let gone = vec![ids[0].clone(), "lb-00000000".to_owned()];
    assert_eq!(code(delete(&client, &gone, false).await), "InvalidParameter.LBIdNotFound");
    delete(&client, &ids, false).await.unwrap();
    assert!(client.shown(&ids[0]).await.is_some());
    assert_eq!(code(delete(&client, &ids, false).await), "FailedOperation.ResourceInOperating");
    client.pass(2);
    assert_eq!((client.shown(&ids[0]).await, client.shown(&ids[1]).await), (None, None));
    assert_eq!(code(delete(&client, &ids, false).await), "InvalidParameter.LBIdNotFound");
    assert_eq!(code(delete(&client, &[], false).await), "InvalidParameterValue.Length");
    let many = vec!["lb-00000000".to_owned(); 21];
    assert_eq!(code(delete(&client, &many, false).await), "InvalidParameterValue.Length");
}

#[tokio::test]
async fn protected_and_prepaid_ones_stay() {
    let client = client();
    let network = network(&client, 0).await;
    let protected = client.balancers(&network.vpc, json!({})).await;
    let protect = |on: bool| json!({"LoadBalancerId": protected[0], "DeleteProtect": on});
    client.clb_done("ModifyLoadBalancerAttributes", protect(true)).await;
    assert_eq!(code(delete(&client, &protected, true).await), "FailedOperation");
    let prepaid = json!({"LBChargeType": "PREPAID", "LBChargePrepaid": {"Period": 1}});
    let prepaid = client.balancers(&network.vpc, prepaid).await;
    assert_eq!(code(delete(&client, &prepaid, true).await), "FailedOperation");
    client.clb_done("ModifyLoadBalancerAttributes", protect(false)).await;
    delete(&client, &protected, false).await.unwrap();
}

#[tokio::test]
async fn those_with_many_targets_or_much_traffic_need_force() {
    let client = client();
    let network = network(&client, 20).await;
    let ids = client.balancers(&network.vpc, json!({})).await;
    let listener = client.listener(&ids[0], "TCP", 80).await;
    let targets: Vec<Value> = network.instances.iter().map(|id| json!({"InstanceId": id, "Port": 80})).collect();
    client
        .clb_done("RegisterTargets", json!({"LoadBalancerId": ids[0], "ListenerId": listener, "Targets": targets}))
        .await;
    assert_eq!(code(delete(&client, &ids, false).await), "FailedOperation.TargetNumCheckRisk");
    let last = json!({"LoadBalancerId": ids[0], "ListenerId": listener, "Targets": [targets[0]]});
    client.clb_done("DeregisterTargets", last).await;
    let traffic = client.emulator.load_balancing("ap-guangzhou");
    traffic.set_traffic(&ids[0], 11);
    assert_eq!(code(delete(&client, &ids, false).await), "FailedOperation.TrafficCheckRisk");
    traffic.set_traffic(&ids[0], 10);
    delete(&client, &ids, false).await.unwrap();

    let address = client.vpc("AllocateAddresses", json!({})).await.unwrap();
    client.pass(1);
    let bound = json!({
        "LoadBalancerType": "INTERNAL", "VpcId": network.vpc, "SubnetId": network.subnet,
        "EipAddressId": address["AddressSet"][0],
    });
    let bound = client.balancers(&network.vpc, bound).await;
    traffic.set_traffic(&bound[0], 11);
    assert_eq!(code(delete(&client, &bound, true).await), "FailedOperation.EipTrafficCheckRisk");
    let forced = client.balancers(&network.vpc, json!({})).await;
    traffic.set_traffic(&forced[0], 11);
    delete(&client, &forced, true).await.unwrap();
}

#[tokio::test]
async fn mass_deletion_is_refused_forced_or_not() {
    let client = Client::of(builder().quota(Quota::DeletionsInFiveMinutes, 4));
    let network = network(&client, 0).await;
    let ids = client.balancers(&network.vpc, json!({"Number": 5})).await;
    delete(&client, &ids[..3], false).await.unwrap();
    assert_eq!(code(delete(&client, &ids[3..4], true).await), "FailedOperation.FrequencyCheckRisk");
    client.pass(299);
    assert_eq!(code(delete(&client, &ids[3..4], true).await), "FailedOperation.FrequencyCheckRisk");
    client.pass(1);
    delete(&client, &ids[3..], false).await.unwrap();
}
