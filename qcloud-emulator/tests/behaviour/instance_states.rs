//! The life of an instance on the virtual clock.

use std::time::Duration;

use qcloud_emulator::{BusyInstance, Task};
use serde_json::json;

use crate::client::{Client, builder, client, code};

#[tokio::test]
async fn boot_stop_start_reboot_and_end() {
    let client = client();
    let network = client.network().await;
    let id = client.running(&network, 1).await.remove(0);
    let ids = json!({"InstanceIds": [id]});
    assert_eq!(client.state(&id).await, "RUNNING");
    for (action, meanwhile, seconds, afterwards) in [
        ("StopInstances", "STOPPING", 1, "STOPPED"),
        ("StartInstances", "STARTING", 1, "RUNNING"),
        ("RebootInstances", "REBOOTING", 2, "RUNNING"),
        ("TerminateInstances", "TERMINATING", 1, "gone"),
    ] {
        client.cvm(action, ids.clone()).await.unwrap();
        let instance = client.instance(&id).await.unwrap();
        assert_eq!(instance["InstanceState"], meanwhile, "{action}");
        assert_eq!(instance["LatestOperation"], action);
        assert_eq!(instance["LatestOperationState"], "OPERATING");
        client.pass(seconds);
        assert_eq!(client.state(&id).await, afterwards, "{action}");
    }
    // An instance that is gone is left out of lists, but an operation on it fails.
    assert_eq!(code(client.cvm("StartInstances", ids).await), "InvalidInstanceId.NotFound");
}

#[tokio::test]
async fn a_new_instance_is_pending_until_it_has_booted() {
    let client = Client::of(builder().task_duration(Task::InstanceBoot, Duration::from_secs(30)));
    let id = client.run(json!({})).await.unwrap().remove(0);
    client.pass(29);
    assert_eq!(client.state(&id).await, "PENDING");
    client.pass(1);
    let instance = client.instance(&id).await.unwrap();
    assert_eq!(instance["InstanceState"], "RUNNING");
    assert_eq!(instance["LatestOperationState"], "SUCCESS");
    let status = client.cvm("DescribeInstancesStatus", json!({"InstanceIds": [id]})).await.unwrap();
    assert_eq!(status["InstanceStatusSet"], json!([{"InstanceId": id, "InstanceState": "RUNNING"}]));
}

#[tokio::test]
async fn polling_alone_can_make_time_pass() {
    let client = Client::of(builder().advance_per_request(Duration::from_millis(500)));
    let id = client.run(json!({})).await.unwrap().remove(0);
    let mut polls = 0;
    while client.state(&id).await != "RUNNING" {
        polls += 1;
        assert!(polls < 10);
    }
    assert_eq!(polls, 3);
}

#[tokio::test]
async fn operations_in_the_wrong_state_are_refused() {
    let client = client();
    let network = client.network().await;
    let id = client.running(&network, 1).await.remove(0);
    let ids = json!({"InstanceIds": [id]});
    let call = async |action: &str| client.cvm(action, ids.clone()).await;
    assert_eq!(code(call("StartInstances").await), "UnsupportedOperation.InstanceStateRunning");
    call("StopInstances").await.unwrap();
    for action in ["StartInstances", "StopInstances", "RebootInstances", "TerminateInstances"] {
        assert_eq!(code(call(action).await), "OperationDenied.InstanceOperationInProgress", "{action}");
    }
    client.pass(1);
    assert_eq!(code(call("StopInstances").await), "UnsupportedOperation.InstanceStateStopped");
    assert_eq!(code(call("RebootInstances").await), "UnsupportedOperation.InstanceStateStopped");
    call("TerminateInstances").await.unwrap();
    assert_eq!(code(call("TerminateInstances").await), "UnsupportedOperation.InstanceStateTerminating");
    let pending = client.run(json!({})).await.unwrap().remove(0);
    let refused = client.cvm("TerminateInstances", json!({"InstanceIds": [pending]})).await;
    assert_eq!(code(refused), "UnsupportedOperation.InstanceStatePending");
}

#[tokio::test]
async fn a_busy_instance_can_answer_in_three_ways() {
    for (knob, expected) in [
        (BusyInstance::OperationInProgress, "OperationDenied.InstanceOperationInProgress"),
        (BusyInstance::TaskRunning, "MutexOperation.TaskRunning"),
        (BusyInstance::InstanceState, "UnsupportedOperation.InstanceStateRebooting"),
    ] {
        let client = Client::of(builder().busy_instance(knob));
        let id = client.run(json!({})).await.unwrap().remove(0);
        client.pass(2);
        client.cvm("RebootInstances", json!({"InstanceIds": [id]})).await.unwrap();
        assert_eq!(code(client.cvm("StopInstances", json!({"InstanceIds": [id]})).await), expected);
    }
}

#[tokio::test]
async fn a_batch_is_all_or_nothing() {
    let client = client();
    let ids = client.run(json!({"InstanceCount": 2})).await.unwrap();
    client.pass(2);
    for (others, expected) in [
        (json!([ids[0], "ins-nonexist"]), "InvalidInstanceId.NotFound"),
        (json!([ids[0], "nonsense"]), "InvalidInstanceId.Malformed"),
        (json!([]), "MissingParameter"),
        (json!(vec![ids[0].clone(); 101]), "InvalidParameterValue.LimitExceeded"),
    ] {
        assert_eq!(code(client.cvm("StopInstances", json!({"InstanceIds": others})).await), expected);
    }
    assert_eq!(client.state(&ids[0]).await, "RUNNING");
    client.cvm("StopInstances", json!({"InstanceIds": [ids[0]]})).await.unwrap();
    client.pass(1);
    let refused = client.cvm("StopInstances", json!({"InstanceIds": ids})).await;
    assert_eq!(code(refused), "UnsupportedOperation.InstanceStateStopped");
    assert_eq!(client.state(&ids[1]).await, "RUNNING");
}

#[tokio::test]
async fn a_prepaid_instance_goes_through_the_recycle_bin() {
    let client = client();
    let prepaid = json!({"InstanceChargeType": "PREPAID", "InstanceChargePrepaid": {"Period": 1}});
    let id = client.run(prepaid).await.unwrap().remove(0);
    client.pass(2);
    let ids = json!({"InstanceIds": [id]});
    let instance = client.instance(&id).await.unwrap();
    assert_eq!(instance["ExpiredTime"], "2026-02-02T03:04:05Z");
    client.cvm("TerminateInstances", ids.clone()).await.unwrap();
    client.pass(1);
    let instance = client.instance(&id).await.unwrap();
    assert_eq!(instance["InstanceState"], "SHUTDOWN");
    assert_eq!(instance["RestrictState"], "PROTECTIVELY_ISOLATED");
    assert_eq!(code(client.cvm("StartInstances", ids.clone()).await), "UnsupportedOperation.InstanceStateShutdown");
    client.cvm("TerminateInstances", ids).await.unwrap();
    assert_eq!(client.state(&id).await, "TERMINATING");
    client.pass(1);
    assert_eq!(client.state(&id).await, "gone");
}

#[tokio::test]
async fn a_protected_instance_stays() {
    let client = client();
    let id = client.run(json!({"DisableApiTermination": true})).await.unwrap().remove(0);
    client.pass(2);
    let ids = json!({"InstanceIds": [id]});
    assert_eq!(code(client.cvm("TerminateInstances", ids.clone()).await), "UnsupportedOperation.InstancesProtected");
    let unprotect = json!({"InstanceIds": [id], "DisableApiTermination": false});
    client.cvm("ModifyInstancesAttribute", unprotect).await.unwrap();
    client.cvm("TerminateInstances", ids).await.unwrap();
}

#[tokio::test]
async fn attributes_change_and_a_reset_reinstalls() {
    let client = client();
    let id = client.run(json!({})).await.unwrap().remove(0);
    client.pass(2);
    let change = json!({"InstanceIds": [id], "InstanceName": "renamed", "HostName": "host"});
    client.cvm("ModifyInstancesAttribute", change).await.unwrap();
    assert_eq!(code(client.cvm("ModifyInstancesAttribute", json!({"InstanceIds": [id]})).await), "MissingParameter");
    let unknown = json!({"InstanceIds": [id], "SecurityGroups": ["sg-00000000"]});
    assert_eq!(code(client.cvm("ModifyInstancesAttribute", unknown).await), "InvalidSecurityGroupId.NotFound");
    client.cvm("ResetInstance", json!({"InstanceId": id, "ImageId": "img-4cmp1f33"})).await.unwrap();
    client.pass(3);
    let instance = client.instance(&id).await.unwrap();
    assert_eq!((&instance["InstanceName"], &instance["HostName"]), (&json!("renamed"), &json!("host")));
    assert_eq!((&instance["InstanceState"], &instance["OsName"]), (&json!("RUNNING"), &json!("Debian 11.1 64bit")));
}

#[tokio::test]
async fn stopping_takes_one_way_of_saying_how() {
    let client = client();
    let id = client.run(json!({})).await.unwrap().remove(0);
    client.pass(2);
    let both = json!({"InstanceIds": [id], "StopType": "HARD", "ForceStop": true});
    assert_eq!(code(client.cvm("StopInstances", both).await), "InvalidParameterCombination");
    let odd = json!({"InstanceIds": [id], "StopType": "GENTLE"});
    assert_eq!(code(client.cvm("StopInstances", odd).await), "InvalidParameterValue");
    let free = json!({"InstanceIds": [id], "StopType": "SOFT", "StoppedMode": "STOP_CHARGING"});
    client.cvm("StopInstances", free).await.unwrap();
    client.pass(1);
    assert_eq!(client.instance(&id).await.unwrap()["StopChargingMode"], "STOP_CHARGING");
}
