//! The knobs that concern every service, turned before the start and while the emulator runs.

use std::time::Duration;

use qcloud_emulator::{Task, When};
use serde_json::json;

use crate::client::{Client, builder, client, code};

async fn zones(client: &Client, calls: usize) -> Vec<bool> {
    let mut answered = Vec::new();
    for _ in 0..calls {
        let answer = client.cvm("DescribeZones", json!({})).await;
        answered.push(answer.is_ok());
        if let Err(refusal) = answer {
            assert_eq!(refusal.code, "RequestLimitExceeded");
        }
    }
    answered
}

#[tokio::test]
async fn more_calls_than_the_rate_allows_are_refused_until_time_passes() {
    let client = Client::of(builder().rate_limit("cvm", "DescribeZones", 3.0));
    assert_eq!(zones(&client, 5).await, [true, true, true, false, false]);
    // Other regions and actions have limits of their own, or none.
    assert_eq!(zones(&client.in_region("ap-beijing"), 1).await, [true]);
    assert!(client.cvm("DescribeRegions", json!({})).await.is_ok());
    client.emulator.clock().advance(Duration::from_millis(400));
    assert_eq!(zones(&client, 2).await, [true, false]);
    client.pass(60);
    assert_eq!(zones(&client, 4).await, [true, true, true, false]);
    client.emulator.adjust(|knobs| knobs.no_rate_limits());
    assert_eq!(zones(&client, 2).await, [true, true]);
}

#[tokio::test]
async fn the_documented_rates_are_one_knob_away() {
    let client = Client::of(builder().documented_rate_limits());
    assert_eq!(zones(&client, 21).await.iter().filter(|answered| **answered).count(), 20);
    for (limit, service, action) in [
        (40, "cvm", "DescribeInstances"),
        (40, "cvm", "DescribeInstancesStatus"),
        (100, "vpc", "DescribeVpcs"),
        (20, "vpc", "DescribeSecurityGroups"),
        (10, "vpc", "DescribeAddressQuota"),
    ] {
        for _ in 0..limit {
            client.call(service, action, json!({})).await.unwrap();
        }
        assert_eq!(code(client.call(service, action, json!({})).await), "RequestLimitExceeded");
    }
}

#[tokio::test]
async fn an_account_may_be_denied_actions() {
    let client = Client::of(builder().deny("vpc", "Delete*").deny_with(
        "*",
        "DescribeZones",
        "UnauthorizedOperation.MFAExpired",
    ));
    let (vpc, _) = client.network().await;
    assert_eq!(code(client.vpc("DeleteVpc", json!({"VpcId": vpc})).await), "UnauthorizedOperation.CamNoAuth");
    assert_eq!(code(client.cvm("DescribeZones", json!({})).await), "UnauthorizedOperation.MFAExpired");
    client.emulator.adjust(|knobs| knobs.allow_all());
    assert_eq!(code(client.vpc("DeleteVpc", json!({"VpcId": vpc})).await), "ResourceInUse");
}

#[tokio::test]
async fn an_account_without_money_buys_nothing() {
    let client = Client::of(builder().insufficient_balance(true));
    assert_eq!(code(client.run(json!({})).await), "InvalidAccount.InsufficientBalance");
    assert_eq!(code(client.run(json!({"InstanceCount": "x"})).await), "InvalidParameter");
    let ccn = client.vpc("CreateCcn", json!({"CcnName": "x"})).await;
    assert_eq!(code(ccn), "UnsupportedOperation.InsufficientFunds");
    assert!(client.cvm("DescribeInstances", json!({})).await.is_ok());
    client.emulator.adjust(|knobs| knobs.insufficient_balance(false));
    assert!(client.run(json!({})).await.is_ok());
}

#[tokio::test]
async fn stock_and_quotas_change_while_it_runs() {
    let client = client();
    client.emulator.adjust(|knobs| knobs.sold_out_zone("ap-guangzhou-3").sold_out_type("S5.LARGE8"));
    assert_eq!(code(client.run(json!({})).await), "ResourceInsufficient.AvailabilityZoneSoldOut");
    client.emulator.adjust(|knobs| knobs.restock().quota(qcloud_emulator::Quota::InstancesPerZone, 1));
    assert!(client.run(json!({"InstanceType": "S5.LARGE8"})).await.is_ok());
    assert_eq!(code(client.run(json!({})).await), "LimitExceeded.CvmInstanceQuota");
}

#[tokio::test]
async fn tasks_fail_when_they_are_told_to() {
    let client = Client::of(
        builder().task_failure(Task::InstanceBoot, When::Nth(2)).task_failure(Task::InstanceStop, When::Next(1)),
    );
    let ids = client.run(json!({"InstanceCount": 3})).await.unwrap();
    client.pass(2);
    let mut states = Vec::new();
    for id in &ids {
        states.push(client.state(id).await);
    }
    assert_eq!(states, ["RUNNING", "LAUNCH_FAILED", "RUNNING"]);
    let failed = client.instance(&ids[1]).await.unwrap();
    assert_eq!(failed["LatestOperationState"], "FAILED");
    assert_eq!(
        code(client.cvm("TerminateInstances", json!({"InstanceIds": [ids[1]]})).await),
        "UnsupportedOperation.InstanceStateLaunchFailed"
    );
    for expected in ["RUNNING", "STOPPED"] {
        client.cvm("StopInstances", json!({"InstanceIds": [ids[0]]})).await.unwrap();
        assert_eq!(client.state(&ids[0]).await, "STOPPING");
        client.pass(1);
        assert_eq!(client.state(&ids[0]).await, expected);
    }
}

#[tokio::test]
async fn the_luck_of_tasks_follows_the_seed() {
    let states = async |seed: u64| {
        let client = Client::of(builder().seed(seed).task_failure(Task::InstanceBoot, When::Probability(0.5)));
        let ids = client.run(json!({"InstanceCount": 20})).await.unwrap();
        client.pass(2);
        let mut states = Vec::new();
        for id in &ids {
            states.push(client.state(id).await);
        }
        states
    };
    let some = states(3).await;
    assert!(some.contains(&"RUNNING".to_owned()) && some.contains(&"LAUNCH_FAILED".to_owned()));
    assert_eq!(some, states(3).await);
}

#[tokio::test]
async fn a_failed_task_of_a_load_balancer_leaves_nothing() {
    let client = Client::of(builder().task_failure(Task::LoadBalancerCreate, When::Nth(1)));
    let create = json!({"LoadBalancerType": "OPEN"});
    let answer = client.call("clb", "CreateLoadBalancer", create).await.unwrap();
    client.pass(5);
    let task = client.call("clb", "DescribeTaskStatus", json!({"TaskId": answer["RequestId"]})).await.unwrap();
    assert_eq!(task["Status"], 1);
    let found = client.call("clb", "DescribeLoadBalancers", json!({})).await.unwrap();
    assert_eq!(found["TotalCount"], 0);
}

#[tokio::test]
async fn every_list_shifts_when_the_knob_says_so() {
    let client = Client::of(builder().page_shift(1));
    for number in 0..4 {
        let parameters = json!({"VpcName": format!("net-{number}"), "CidrBlock": "10.0.0.0/16"});
        client.vpc("CreateVpc", parameters).await.unwrap();
    }
    let page = client.vpc("DescribeVpcs", json!({"Offset": "1", "Limit": "1"})).await.unwrap();
    assert_eq!((&page["TotalCount"], &page["VpcSet"][0]["VpcName"]), (&json!(3), &json!("net-2")));
}

#[tokio::test]
async fn disks_and_interfaces_are_as_before_when_their_task_fails() {
    let failing = [Task::DiskAttach, Task::DiskDetach, Task::InterfaceAttach];
    let mut knobs = builder();
    for task in failing {
        knobs = knobs.task_failure(task, When::Nth(1));
    }
    let client = Client::of(knobs);
    let network = client.network().await;
    let instance = client.running(&network, 1).await.remove(0);
    let disk = json!({"DiskType": "CLOUD_PREMIUM", "DiskSize": 20, "DiskChargeType": "POSTPAID_BY_HOUR",
        "Placement": {"Zone": "ap-guangzhou-3"}});
    let disk = client.call("cbs", "CreateDisks", disk).await.unwrap()["DiskIdSet"][0].clone();
    client.pass(2);
    let attach = json!({"DiskIds": [disk], "InstanceId": instance});
    for (action, expected) in [
        ("AttachDisks", "UNATTACHED"),
        ("AttachDisks", "ATTACHED"),
        ("DetachDisks", "ATTACHED"),
        ("DetachDisks", "UNATTACHED"),
    ] {
        client.call("cbs", action, attach.clone()).await.unwrap();
        client.pass(2);
        let shown = client.call("cbs", "DescribeDisks", json!({"DiskIds": [disk]})).await.unwrap();
        assert_eq!(shown["DiskSet"][0]["DiskState"], expected, "{action}");
    }
    let interface = json!({"VpcId": network.0, "SubnetId": network.1, "NetworkInterfaceName": "second"});
    let made = client.vpc("CreateNetworkInterface", interface).await.unwrap();
    let interface = made["NetworkInterface"]["NetworkInterfaceId"].clone();
    client.pass(2);
    for expected in ["FAILED", "SUCCESS"] {
        let attach = json!({"NetworkInterfaceId": interface, "InstanceId": instance});
        let task = client.vpc("AttachNetworkInterface", attach).await.unwrap()["RequestId"].clone();
        let status =
            async || client.vpc("DescribeVpcTaskResult", json!({"TaskId": task})).await.unwrap()["Status"].clone();
        assert_eq!(status().await, "RUNNING");
        client.pass(2);
        assert_eq!(status().await, expected);
    }
}
