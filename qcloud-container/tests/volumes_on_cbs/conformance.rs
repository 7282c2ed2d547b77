//! The conformance suite on the adapter.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use qcloud_container::kubernetes::volumes::Volumes;
use qcloud_container::kubernetes::volumes::conformance::{self, Cloud, VolumesHarness};
use qcloud_core::clock::Clock;
use serde_json::json;

use crate::lab::{Lab, OTHER_ZONE, Process, ZONE};

#[derive(Default)]
struct OnEmulator {
    current: Mutex<Option<(Lab, Process)>>,
}

impl OnEmulator {
    fn current(&self) -> (Lab, Process) {
        self.current.lock().unwrap().clone().unwrap()
    }

    fn cloud(&self, lab: &Lab) -> Cloud {
        let process = lab.process();
        *self.current.lock().unwrap() = Some((lab.clone(), process.clone()));
        Cloud {
            volumes: process.volumes as Arc<dyn Volumes>,
            zone: ZONE.to_owned(),
            nodes: [lab.nodes[0].clone(), lab.nodes[1].clone()],
            other_zone: OTHER_ZONE.to_owned(),
            other_node: lab.other_node.clone(),
            changed: [("diskType".to_owned(), "CLOUD_SSD".to_owned())].into(),
        }
    }
}

#[async_trait]
impl VolumesHarness for OnEmulator {
    async fn fresh(&self) -> Cloud {
        self.cloud(&Lab::new().await)
    }

    async fn pause(&self, _: &Cloud) {
        self.current().0.clock.sleep(Duration::from_secs(1)).await;
    }

    async fn restarted(&self, _: &Cloud) -> Cloud {
        self.cloud(&self.current().0)
    }

    async fn foreign_volume(&self, _: &Cloud, name: &str) -> Option<String> {
        let (lab, process) = self.current();
        // Finds out the name that the adapter gives, by letting it make one of the name and delete it again.
        let volume = process.volume(name).await;
        let disk_name = lab.disks().await[0]["DiskName"].clone();
        process.delete(&volume.id).await.unwrap();
        let disk = json!({
            "Placement": {"Zone": ZONE}, "DiskChargeType": "POSTPAID_BY_HOUR", "DiskType": "CLOUD_PREMIUM",
            "DiskSize": 20, "DiskName": disk_name,
            "Tags": [{"Key": "qcloud-rs-cluster", "Value": "another"}, {"Key": "qcloud-rs-volume", "Value": name}],
        });
        let answer = lab.call("cbs", "CreateDisks", disk).await;
        lab.clock.sleep(Duration::from_secs(5)).await;
        Some(answer["DiskIdSet"][0].as_str().unwrap().to_owned())
    }

    async fn sell_out(&self, _: &Cloud, zone: &str) -> bool {
        self.current().1.sell_out(zone);
        true
    }

    async fn lose_volume(&self, _: &Cloud, id: &str) -> bool {
        self.current().0.call("cbs", "TerminateDisks", json!({"DiskIds": [id]})).await;
        true
    }

    async fn lose_node(&self, _: &Cloud, node: &str) -> bool {
        let (lab, _) = self.current();
        lab.call("cvm", "TerminateInstances", json!({"InstanceIds": [node]})).await;
        lab.clock.sleep(Duration::from_secs(5)).await;
        true
    }
}

#[tokio::test]
async fn the_adapter_conforms() {
    let report = conformance::run(&OnEmulator::default()).await;
    assert_eq!(report.checks().len(), conformance::names().len());
    assert!(report.clone().into_result().is_ok(), "{report}");
}
