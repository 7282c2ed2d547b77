//! Many volumes at once: shared calls, and how many there are in a second.

use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use qcloud_container::kubernetes::volumes::{Access, Volumes};
use qcloud_container::kubernetes::{ErrorKind, Exhausted, ProviderError};
use qcloud_core::clock::Clock as _;
use qcloud_core::testing::ManualClock;
use qcloud_emulator::{Emulator, Quota, Task};
use serde_json::json;

use crate::lab::{Fault, Lab, Process, ZONE};

/// Attaches as a CSI controller does: wait for what is pending, then ask again.
async fn attach(process: &Process, id: &str, node: &str) -> Result<(), ProviderError> {
    loop {
        match process.volumes.attach(id, node, Access::SINGLE_WRITER).await {
            Err(error) if matches!(error.kind(), ErrorKind::Pending | ErrorKind::Unavailable) => {
                process.volumes.settled(id).await?
            }
            other => return other.map(drop),
        };
    }
}

/// Lets a still clock go on, in small steps, until the work is done.
async fn in_steps<T>(clock: &ManualClock, work: impl Future<Output = T>) -> T {
    let clock = clock.clone();
    let ticks = async move {
        loop {
            for _ in 0..6 {
                tokio::task::yield_now().await;
            }
            clock.advance(Duration::from_millis(5));
        }
    };
    match select(std::pin::pin!(work), std::pin::pin!(ticks)).await {
        Either::Left((value, _)) => value,
        Either::Right((never, _)) => never,
    }
}

async fn disks(lab: &Lab, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let parameters = json!({
            "Placement": {"Zone": ZONE}, "DiskChargeType": "POSTPAID_BY_HOUR", "DiskType": "CLOUD_PREMIUM",
            "DiskSize": 20, "DiskCount": (count - ids.len()).min(50),
        });
        let answer = lab.call("cbs", "CreateDisks", parameters).await;
        ids.extend(answer["DiskIdSet"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()));
    }
    lab.clock.advance(Duration::from_secs(5));
    lab.emulator.clock().advance(Duration::from_secs(5));
    lab.emulator.calls().clear();
    ids
}

/// The most calls of an action that begin within any second.
fn busiest_second(lab: &Lab, action: &str) -> usize {
    let times: Vec<_> = lab.emulator.calls().of(action).into_iter().map(|record| record.time).collect();
    let within = |start: usize| {
        let first = times[start];
        times[start..].iter().take_while(move |time| time.duration_since(first).unwrap() < Duration::from_secs(1))
    };
    (0..times.len()).map(|start| within(start).count()).max().unwrap_or_default()
}

async fn storm(nodes: usize, volumes: usize) -> (Lab, Duration) {
    let clock = ManualClock::new();
    let builder = Emulator::builder().task_duration(Task::DiskAttach, Duration::from_secs(3)).call_log(1_000_000);
    let lab = Lab::with_nodes(builder, nodes, clock.clone()).await;
    let ids = disks(&lab, volumes).await;
    let process = lab.process();
    let start = clock.passed();
    let attached = join_all(ids.iter().enumerate().map(|(place, id)| attach(&process, id, &lab.nodes[place % nodes])));
    for result in in_steps(&clock, attached).await {
        result.unwrap();
    }
    (lab, clock.passed() - start)
}

#[tokio::test]
async fn a_thousand_attaches_take_at_most_20_status_calls_a_second() {
    let (lab, took) = storm(1_000, 1_000).await;
    assert_eq!(lab.count("AttachDisks"), 1_000);
    let busiest = busiest_second(&lab, "DescribeDisks");
    assert!(busiest <= 20, "{busiest} status calls in a second");
    let busiest = busiest_second(&lab, "AttachDisks");
    assert!(busiest <= 20, "{busiest} writes in a second");
    // 1,000 writes at 16 a second are 62.5 s.
    assert!(took < Duration::from_secs(80), "{took:?}");
}

#[tokio::test]
async fn disks_of_one_node_share_their_attach_calls() {
    let (lab, took) = storm(100, 1_000).await;
    assert_eq!(lab.count("AttachDisks"), 100);
    assert!(busiest_second(&lab, "DescribeDisks") <= 20);
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test]
async fn row_6_one_bad_disk_of_ten_holds_up_none_of_the_others() {
    let lab = Lab::new().await;
    let ids = disks(&lab, 10).await;
    let process = lab.process();
    lab.call("cbs", "ModifyDiskAttributes", json!({"DiskIds": [ids[3]], "DiskType": "CLOUD_SSD"})).await;
    let results = join_all(ids.iter().map(|id| attach(&process, id, &lab.nodes[0]))).await;
    for (place, result) in results.into_iter().enumerate() {
        match place {
            3 => assert_eq!(result.unwrap_err().kind(), ErrorKind::Busy),
            _ => result.unwrap(),
        }
    }
}

#[tokio::test]
async fn a_refused_batch_is_divided_until_the_bad_one_is_alone() {
    let lab = Lab::new().await;
    let ids = disks(&lab, 8).await;
    let process = lab.process();
    let refused = || Some(Fault::Code("ResourceUnavailable.NotPortable"));
    // Eight, four, two, one of them: the first disk is the bad one. It is tried again once its state is certain.
    let good = || None;
    process.plan("AttachDisks", [refused(), refused(), refused(), refused(), good(), good(), good(), refused()]);
    let results = join_all(ids.iter().map(|id| attach(&process, id, &lab.nodes[0]))).await;
    let bad: Vec<usize> =
        results.iter().enumerate().filter(|(_, result)| result.is_err()).map(|(place, _)| place).collect();
    assert_eq!(bad.len(), 1);
    assert_eq!(results[bad[0]].as_ref().unwrap_err().kind(), ErrorKind::InvalidArgument);
    // The refused calls do not reach the emulator.
    assert_eq!(lab.count("AttachDisks"), 3);
}

#[tokio::test]
async fn deletions_share_their_calls() {
    let lab = Lab::with_nodes(Emulator::builder(), 1, ManualClock::new()).await;
    let process = lab.process();
    let names: Vec<String> = (0..30).map(|number| format!("v{number}")).collect();
    let volumes = in_steps(&lab.clock, join_all(names.iter().map(|name| process.volume(name)))).await;
    lab.emulator.calls().clear();
    let deleted = join_all(volumes.iter().map(|volume| process.delete(&volume.id)));
    for result in in_steps(&lab.clock, deleted).await {
        result.unwrap();
    }
    assert_eq!(lab.count("TerminateDisks"), 1);
    assert!(lab.disks().await.is_empty());
}

#[tokio::test]
async fn what_is_kept_for_others_is_not_taken_by_many_at_once_either() {
    let lab = Lab::with(Emulator::builder().quota(Quota::DisksPerInstance, 6)).await;
    let ids = disks(&lab, 7).await;
    // A data disk of the node's own.
    lab.call("cbs", "AttachDisks", json!({"InstanceId": lab.nodes[0], "DiskIds": [ids[6]]})).await;
    lab.clock.sleep(Duration::from_secs(5)).await;
    let process = lab.process();
    let results = join_all(ids[..6].iter().map(|id| attach(&process, id, &lab.nodes[0]))).await;
    let full = ErrorKind::Exhausted(Exhausted::AttachLimit);
    let kinds = results.iter().filter_map(|result| result.as_ref().err().map(ProviderError::kind));
    assert_eq!(kinds.collect::<Vec<_>>(), [full; 3], "6 less 2 less 1 are 3");

    // Where nobody can say how many there are, the cloud's own limit holds.
    let process = lab.process();
    process.plan("DescribeInstancesDiskNum", std::iter::repeat_n(Some(Fault::Code("UnauthorizedOperation")), 9));
    let refused: Vec<&String> = ids.iter().zip(results).filter_map(|(id, result)| result.err().map(|_| id)).collect();
    attach(&process, refused[0], &lab.nodes[0]).await.unwrap();
    attach(&process, refused[1], &lab.nodes[0]).await.unwrap();
    assert_eq!(attach(&process, refused[2], &lab.nodes[0]).await.unwrap_err().kind(), full);
}

#[tokio::test]
async fn limits_of_many_nodes_are_asked_for_together() {
    let lab = Lab::with_nodes(Emulator::builder(), 150, ManualClock::new()).await;
    let process = lab.process();
    let limits = join_all(lab.nodes.iter().map(|node| process.volumes.attach_limit(node)));
    let limits = in_steps(&lab.clock, limits).await;
    assert!(limits.into_iter().all(|limit| limit.unwrap() == 18));
    assert_eq!(lab.count("DescribeInstancesDiskNum"), 2);
}

#[tokio::test]
async fn who_stops_waiting_leaves_no_work_behind() {
    let lab = Lab::new().await;
    let ids = disks(&lab, 1).await;
    let process = lab.process();
    {
        let waiting = process.volumes.attach(&ids[0], &lab.nodes[0], Access::SINGLE_WRITER);
        let moment = lab.clock.sleep(Duration::from_millis(30));
        assert!(matches!(select(waiting, moment).await, Either::Right(_)));
    }
    lab.clock.sleep(Duration::from_secs(10)).await;
    assert_eq!(lab.count("AttachDisks"), 0);
    attach(&process, &ids[0], &lab.nodes[0]).await.unwrap();
}
