//! The failure matrix, for instances. A doubt must never turn into an absence: the node would be deleted.

use std::sync::Arc;
use std::time::Duration;

use qcloud_container::kubernetes::ErrorKind;
use qcloud_container::kubernetes::instances::{Absence, InstanceState, Instances, Lookup, NodeRef};
use qcloud_container::provider::instances::{CvmInstances, InstanceSettings};
use qcloud_emulator::{Delay, Visibility};
use serde_json::json;

use crate::cloud::{Cloud, Fault, When};
use crate::instances::{nodes, provider};

const MINUTE: Duration = Duration::from_secs(61);

fn unknown(lookup: &Lookup<qcloud_container::kubernetes::instances::Instance>) -> ErrorKind {
    match lookup {
        Lookup::Unknown(error) => error.kind(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn row_1_a_burst_of_throttling_is_survived_within_budget() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(300).await;
    let nodes = nodes(&cloud, &ids).await;
    let (provider, wire) = provider(&cloud);
    wire.spoil("DescribeInstances", When::Next(4), Fault::Code("RequestLimitExceeded"));
    cloud.forget();
    let mut unknown = 0;
    for lookup in provider.lookup(&nodes).await {
        assert!(!lookup.is_not_found());
        unknown += usize::from(lookup.is_unknown());
    }
    assert_eq!(unknown, 0);
    assert!(cloud.count("DescribeInstances") <= 7);
}

#[tokio::test]
async fn row_6_a_malformed_id_spoils_no_other() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(3).await;
    let mut nodes = nodes(&cloud, &ids).await;
    nodes.insert(1, NodeRef::new("bad").with_provider_id("qcloud:///100003/ins-BAD"));
    let lookups = provider(&cloud).0.lookup(&nodes).await;
    assert_eq!(lookups.iter().filter(|lookup| lookup.is_found()).count(), 3);
    assert_eq!(unknown(&lookups[1]), ErrorKind::InvalidArgument);
}

#[tokio::test]
async fn row_6_an_id_that_the_api_refuses_is_isolated() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(8).await;
    let nodes = nodes(&cloud, &ids).await;
    let (provider, wire) = provider(&cloud);
    // Whatever it is asked for with is refused: the batch, its half, its quarter, and itself.
    wire.spoil("DescribeInstances", When::Always, Fault::CodeFor(ids[5].clone(), "InvalidInstanceId.Malformed"));
    cloud.forget();
    let lookups = provider.lookup(&nodes).await;
    let found: Vec<bool> = lookups.iter().map(Lookup::is_found).collect();
    assert_eq!(found, [true, true, true, true, true, false, true, true]);
    assert_eq!(unknown(&lookups[5]), ErrorKind::InvalidArgument);
    assert_eq!(cloud.count("DescribeInstances"), 3, "the refused ones do not get there");
}

#[tokio::test]
async fn row_7_a_truncated_answer_never_deletes_a_node() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(50).await;
    let nodes = nodes(&cloud, &ids).await;
    let (provider, wire) = provider(&cloud);
    let truncate = Fault::Rewrite(Arc::new(|answer| answer["InstanceSet"].as_array_mut().unwrap().truncate(20)));
    wire.spoil("DescribeInstances", When::Always, truncate);
    for _ in 0..4 {
        let lookups = provider.lookup(&nodes).await;
        assert_eq!(lookups.iter().filter(|lookup| lookup.is_unknown()).count(), 30);
        assert!(!lookups.iter().any(Lookup::is_not_found));
        cloud.pass(MINUTE).await;
    }
}

#[tokio::test]
async fn row_7_a_list_whose_pages_shift_is_not_complete() {
    let cloud = Cloud::new().await;
    cloud.run(150).await;
    let (provider, _) = provider(&cloud);
    // An instance of the first page goes, or one comes in front of it, before the second page is read.
    for (shift, listed) in [(1, 149), (-1, 150)] {
        cloud.emulator.adjust(|builder| builder.page_shift(shift));
        let inventory = provider.list().await.unwrap();
        assert_eq!((inventory.is_complete(), inventory.instances().len()), (false, listed));
        cloud.pass(MINUTE).await;
    }
    cloud.emulator.adjust(|builder| builder.page_shift(0));
    assert!(provider.list().await.unwrap().is_complete());
}

#[tokio::test]
async fn row_8_a_machine_that_is_not_visible_yet_is_no_absence() {
    let cloud = Cloud::new().await;
    cloud.run(1).await;
    let mut late = Visibility::default();
    late.new = Delay::For(Duration::from_secs(50));
    cloud.emulator.adjust(|builder| builder.visibility(late));
    let ids = cloud.run(1).await;
    let node = NodeRef::new("n").with_provider_id(format!("qcloud:///100003/{}", ids[0]));
    let (provider, _) = provider(&cloud);
    for _ in 0..4 {
        assert_eq!(unknown(&provider.lookup_one(&node).await), ErrorKind::Pending);
        cloud.pass(Duration::from_secs(10)).await;
    }
    cloud.pass(Duration::from_secs(10)).await;
    assert!(provider.exists(&node).await.unwrap());
}

#[tokio::test]
async fn row_9_a_machine_deleted_out_of_band_is_gone_after_two_looks() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(2).await;
    let nodes = nodes(&cloud, &ids).await;
    let (provider, _) = provider(&cloud);
    assert!(provider.exists(&nodes[0]).await.unwrap());
    cloud.call("cvm", "TerminateInstances", json!({"InstanceIds": [ids[0]]})).await;
    cloud.pass(MINUTE).await;
    assert_eq!(provider.exists(&nodes[0]).await.unwrap_err().kind(), ErrorKind::Pending);
    cloud.pass(MINUTE).await;
    assert!(!provider.exists(&nodes[0]).await.unwrap());
    assert!(provider.exists(&nodes[1]).await.unwrap());
}

#[tokio::test]
async fn row_10_an_address_of_another_network_is_not_taken_for_ours() {
    let cloud = Cloud::new().await;
    let (vpc, subnet) = cloud.network("10.0.0.0/16", "10.0.0.0/17").await;
    let theirs = cloud.run_in(&vpc, &subnet, 2).await;
    let ours = cloud.run(1).await;
    let addresses = cloud.addresses(&[theirs[0].clone(), ours[0].clone(), theirs[1].clone()]).await;
    assert_eq!(addresses[0], addresses[1]);
    let (provider, _) = provider(&cloud);
    let machine = provider.metadata(&NodeRef::new("n").with_address(addresses[0])).await.unwrap();
    assert_eq!(machine.id, ours[0]);
    // One that only the other network has is nobody's here, even if the filter were ignored.
    assert!(provider.lookup_one(&NodeRef::new("n").with_address(addresses[2])).await.is_unknown());
}

#[tokio::test]
async fn row_14_each_state_has_its_meaning() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(1).await;
    let node = nodes(&cloud, &ids).await.remove(0);
    let cases = [
        ("RUNNING", true, Some(false)),
        ("STARTING", true, Some(false)),
        ("REBOOTING", true, Some(false)),
        ("RESCUE_MODE", true, Some(false)),
        ("SERVICE_LIVE_MIGRATE", true, Some(false)),
        ("PENDING", true, Some(false)),
        ("STOPPING", true, Some(false)),
        ("STOPPED", true, Some(true)),
        ("SHUTDOWN", true, Some(true)),
        ("TERMINATING", true, Some(true)),
        ("LAUNCH_FAILED", false, None),
        ("NEVER_HEARD_OF", true, Some(false)),
    ];
    for (state, exists, shutdown) in cases {
        let (provider, wire) = provider(&cloud);
        let rewrite = Fault::Rewrite(Arc::new(move |answer| answer["InstanceSet"][0]["InstanceState"] = json!(state)));
        wire.spoil("DescribeInstances", When::Always, rewrite);
        assert_eq!(provider.exists(&node).await.unwrap(), exists, "{state}");
        assert_eq!(provider.is_shutdown(&node).await.ok(), shutdown, "{state}");
    }
}

#[tokio::test]
async fn row_14_what_is_set_aside_counts_as_gone_only_if_told() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(1).await;
    let node = nodes(&cloud, &ids).await.remove(0);
    for gone in [false, true] {
        let (config, wire) = cloud.process();
        let mut settings = InstanceSettings::new(&cloud.vpc);
        settings.set_aside_is_gone = gone;
        let provider = CvmInstances::new(&config, settings).unwrap();
        let aside = |answer: &mut serde_json::Value| answer["InstanceSet"][0]["InstanceState"] = json!("SHUTDOWN");
        wire.spoil("DescribeInstances", When::Always, Fault::Rewrite(Arc::new(aside)));
        match provider.lookup_one(&node).await {
            Lookup::Found(machine) => assert!(!gone && machine.state == InstanceState::SetAside),
            Lookup::NotFound(absence) => assert!(gone && absence == Absence::SetAside),
            Lookup::Unknown(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn row_14_a_machine_without_address_is_not_described_yet() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(1).await;
    let node = nodes(&cloud, &ids).await.remove(0);
    let (provider, wire) = provider(&cloud);
    let pending = Fault::Rewrite(Arc::new(|answer| {
        answer["InstanceSet"][0]["InstanceState"] = json!("PENDING");
        answer["InstanceSet"][0]["PrivateIpAddresses"] = json!([]);
    }));
    wire.spoil("DescribeInstances", When::Next(1), pending);
    assert_eq!(provider.metadata(&node).await.unwrap_err().kind(), ErrorKind::Pending);
    cloud.pass(Duration::from_secs(5)).await;
    assert!(provider.metadata(&node).await.is_ok());
}

#[tokio::test]
async fn row_15_a_node_made_again_under_its_name_is_told_by_its_provider_id() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(2).await;
    let nodes = nodes(&cloud, &ids).await;
    let (provider, _) = provider(&cloud);
    // The old id with the new machine's address: the id decides.
    let old = nodes[0].clone().with_address(nodes[1].addresses[0]);
    assert_eq!(provider.metadata(&old).await.unwrap().id, ids[0]);
}

#[tokio::test]
async fn row_18_expired_denied_and_skewed_are_unknown_and_never_absent() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(1).await;
    let node = nodes(&cloud, &ids).await.remove(0);
    let (provider, wire) = provider(&cloud);
    for code in ["AuthFailure.TokenFailure", "UnauthorizedOperation.CamNoAuth", "AuthFailure.SignatureExpire"] {
        wire.spoil("DescribeInstances", When::Always, Fault::Code(code));
        for _ in 0..3 {
            assert_eq!(unknown(&provider.lookup_one(&node).await), ErrorKind::Unauthorized, "{code}");
            cloud.pass(MINUTE).await;
        }
        wire.heal();
    }
    assert!(provider.exists(&node).await.unwrap());
}

#[tokio::test]
async fn row_18_another_account_or_network_proves_nothing() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(2).await;
    let nodes = nodes(&cloud, &ids).await;
    // Good keys, but those of an account that has nothing in this VPC, and keys that are changed for such ones.
    let other = Cloud::new().await;
    let (stranger, _) = provider(&other);
    for _ in 0..4 {
        let error = stranger.exists(&nodes[0]).await.unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Pending | ErrorKind::Unavailable), "{error}");
        other.pass(MINUTE).await;
    }
    let error = stranger.exists(&nodes[0]).await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && error.to_string().contains("account"), "{error}");
    // It does not come through by asking again at once, either.
    assert_eq!(stranger.exists(&nodes[0]).await.unwrap_err().kind(), ErrorKind::Unavailable);

    let (provider, wire) = provider(&cloud);
    assert!(provider.list().await.unwrap().is_complete());
    let nothing = Fault::Rewrite(Arc::new(|answer| {
        answer["InstanceSet"] = json!([]);
        answer["TotalCount"] = json!(0);
    }));
    wire.spoil("DescribeInstances", When::Always, nothing);
    cloud.pass(MINUTE).await;
    for _ in 0..4 {
        assert!(provider.lookup(&nodes).await.iter().all(Lookup::is_unknown));
        cloud.pass(MINUTE).await;
    }
    wire.heal();
    assert!(provider.lookup(&nodes).await.iter().all(Lookup::is_found));
}

#[tokio::test]
async fn another_region_proves_nothing() {
    let cloud = Cloud::new().await;
    let (provider, _) = provider(&cloud);
    for id in ["qcloud:///200002/ins-1a2b3c4d", "tencentcloud:///ap-shanghai-2/ins-1a2b3c4d"] {
        let node = NodeRef::new("n").with_provider_id(id);
        for _ in 0..3 {
            assert_eq!(unknown(&provider.lookup_one(&node).await), ErrorKind::InvalidArgument);
            cloud.pass(MINUTE).await;
        }
    }
    // Without a zone nobody knows of which region it is.
    let nowhere = NodeRef::new("n").with_provider_id("qcloud:///ins-1a2b3c4d");
    for _ in 0..3 {
        assert_eq!(unknown(&provider.lookup_one(&nowhere).await), ErrorKind::InvalidArgument);
        cloud.pass(MINUTE).await;
    }
    let native = NodeRef::new("n").with_provider_id("tencentcloud://kn-1a2b3c4d");
    assert_eq!(unknown(&provider.lookup_one(&native).await), ErrorKind::Unsupported);
}

#[tokio::test]
async fn the_network_being_away_is_no_absence() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(1).await;
    let node = nodes(&cloud, &ids).await.remove(0);
    let (provider, wire) = provider(&cloud);
    wire.spoil("DescribeInstances", When::Always, Fault::CutBefore);
    for _ in 0..3 {
        assert_eq!(unknown(&provider.lookup_one(&node).await), ErrorKind::Unavailable);
        cloud.pass(MINUTE).await;
    }
}

#[tokio::test]
async fn a_machine_in_a_zone_that_is_not_listed_spoils_no_other() {
    let cloud = Cloud::new().await;
    let ids = cloud.run(2).await;
    let nodes = nodes(&cloud, &ids).await;
    let (provider, wire) = provider(&cloud);
    let elsewhere = Fault::Rewrite(Arc::new(|answer| {
        answer["InstanceSet"][0]["Placement"]["Zone"] = json!("ap-guangzhou-99");
    }));
    wire.spoil("DescribeInstances", When::Always, elsewhere);
    let inventory = provider.list().await.unwrap();
    assert!(!inventory.is_complete() && inventory.instances().len() == 1);
    cloud.pass(MINUTE).await;
    let lookups = provider.lookup(&nodes).await;
    assert_eq!(lookups.iter().filter(|lookup| lookup.is_found()).count(), 1);
    assert_eq!(lookups.iter().filter(|lookup| lookup.is_unknown()).count(), 1);
}
