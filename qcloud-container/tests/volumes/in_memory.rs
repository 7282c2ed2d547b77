//! The conformance suite on the reference implementation, and what the suite itself notices.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use qcloud_container::kubernetes::ErrorKind;
use qcloud_container::kubernetes::volumes::conformance::{self, Cloud, VolumesHarness};
use qcloud_container::kubernetes::volumes::{
    CapacityRequest, InMemoryNode, InMemoryVolumes, SizeRange, SnapshotRequest, VolumeCapabilities, Volumes,
};

#[derive(Default)]
struct Memory {
    capabilities: VolumeCapabilities,
    current: Mutex<Arc<InMemoryVolumes>>,
}

impl Memory {
    fn current(&self) -> Arc<InMemoryVolumes> {
        Arc::clone(&self.current.lock().unwrap())
    }
}

#[async_trait]
impl VolumesHarness for Memory {
    async fn fresh(&self) -> Cloud {
        let nodes = [("node-a", "zone-1"), ("node-b", "zone-1"), ("node-c", "zone-2")];
        let nodes = nodes.map(|(id, zone)| InMemoryNode::new(id, zone, 4));
        let volumes = Arc::new(InMemoryVolumes::new(nodes).with_capabilities(self.capabilities));
        *self.current.lock().unwrap() = Arc::clone(&volumes);
        Cloud {
            volumes,
            zone: "zone-1".to_owned(),
            nodes: ["node-a".to_owned(), "node-b".to_owned()],
            other_zone: "zone-2".to_owned(),
            other_node: "node-c".to_owned(),
            changed: [("kind".to_owned(), "fast".to_owned())].into(),
        }
    }

    async fn pause(&self, _: &Cloud) {}

    async fn restarted(&self, cloud: &Cloud) -> Cloud {
        cloud.clone()
    }

    async fn foreign_volume(&self, _: &Cloud, name: &str) -> Option<String> {
        Some(self.current().add_foreign(name))
    }

    async fn sell_out(&self, _: &Cloud, zone: &str) -> bool {
        self.current().sell_out(zone);
        true
    }

    async fn lose_volume(&self, _: &Cloud, id: &str) -> bool {
        self.current().lose_volume(id);
        true
    }

    async fn lose_node(&self, _: &Cloud, node: &str) -> bool {
        self.current().lose_node(node);
        true
    }
}

#[tokio::test]
async fn the_reference_implementation_conforms() {
    let report = conformance::run(&Memory::default()).await;
    assert_eq!(report.checks().len(), conformance::names().len());
    assert!(report.clone().into_result().is_ok(), "{report}");
}

#[tokio::test]
async fn a_cloud_that_can_do_less_is_asked_for_less() {
    let harness = Memory { capabilities: VolumeCapabilities::NONE, ..Memory::default() };
    let report = conformance::run(&harness).await;
    assert!(report.clone().into_result().is_ok(), "{report}");
    let checked: Vec<&str> = report.checks().iter().map(|(name, _)| *name).collect();
    assert!(checked.contains(&"a volume is attached and detached"));
    for left_out in ["volumes grow and never shrink", "properties change", "capacity is told", "a volume is restored"] {
        assert!(!checked.contains(&left_out) && conformance::names().contains(&left_out), "{left_out}");
    }
    // Who asks all the same is told so.
    let volumes = harness.current();
    let refusals = [
        volumes.expand("vol-1", SizeRange::at_least(1)).await.err(),
        volumes.modify("vol-1", &[].into()).await.err(),
        volumes.capacity(&CapacityRequest::default()).await.err(),
        volumes.create_snapshot(&SnapshotRequest::new("s", "vol-1")).await.err(),
    ];
    for refusal in refusals {
        assert_eq!(refusal.map(|error| error.kind()), Some(ErrorKind::Unsupported));
    }
}

#[test]
fn the_checks_have_names_of_their_own() {
    let mut names = conformance::names();
    assert!(names.len() > 40, "{}", names.len());
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
}
