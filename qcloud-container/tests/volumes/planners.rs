//! What the planners decide.

use std::time::{Duration, UNIX_EPOCH};

use proptest::prelude::*;
use qcloud_container::kubernetes::ErrorKind;
use qcloud_container::kubernetes::volumes::{
    Access, AttachStep, Attachment, CreateStep, DetachStep, GIB, SizeRange, Snapshot, SnapshotRequest, SnapshotStep,
    Volume, VolumeRequest, VolumeState, ZoneRequirement, plan_attach, plan_create, plan_detach, plan_snapshot,
};

fn attachment(node: &str, read_only: bool) -> Attachment {
    let mut attachment = Attachment::new(node);
    attachment.read_only = read_only;
    attachment
}

fn volume(state: VolumeState, attachments: &[(&str, bool)]) -> Volume {
    let mut volume = Volume::new("v", 20 * GIB);
    volume.state = state;
    volume.attachments = attachments.iter().map(|(node, read_only)| attachment(node, *read_only)).collect();
    volume
}

fn shared(attachments: &[(&str, bool)]) -> Volume {
    let mut volume = volume(VolumeState::Ready, attachments);
    volume.shareable = true;
    volume
}

#[test]
fn attaching_follows_the_observed_state() {
    let step = |state, on: &[(&str, bool)]| {
        plan_attach(&volume(state, on), "a", Access::SINGLE_WRITER).map_err(|error| error.kind())
    };
    assert_eq!(step(VolumeState::Ready, &[]), Ok(AttachStep::Attach));
    assert_eq!(step(VolumeState::Attaching, &[("a", false)]), Ok(AttachStep::Wait));
    assert_eq!(step(VolumeState::Attaching, &[("b", false)]), Err(ErrorKind::InUse));
    assert_eq!(step(VolumeState::Ready, &[("a", false)]), Ok(AttachStep::Done));
    assert_eq!(step(VolumeState::Ready, &[("a", true)]), Err(ErrorKind::AlreadyExists));
    assert_eq!(step(VolumeState::Ready, &[("b", false)]), Err(ErrorKind::InUse));
    assert_eq!(step(VolumeState::Detaching, &[("a", false)]), Ok(AttachStep::Wait));
    assert_eq!(step(VolumeState::Detaching, &[("b", false)]), Ok(AttachStep::Wait));
    assert_eq!(step(VolumeState::Busy("EXPANDING".to_owned()), &[]), Err(ErrorKind::Busy));
    assert_eq!(step(VolumeState::Busy("EXPANDING".to_owned()), &[("a", false)]), Ok(AttachStep::Done));
    assert_eq!(step(VolumeState::Recycled, &[]), Err(ErrorKind::Conflict));
}

#[test]
fn one_writes_and_many_read() {
    let step = |volume: &Volume, access| plan_attach(volume, "a", access).map_err(|error| error.kind());
    let reader = shared(&[("b", true)]);
    let writer = shared(&[("b", false), ("c", true)]);
    assert_eq!(step(&reader, Access::READER), Ok(AttachStep::Attach));
    assert_eq!(step(&reader, Access::WRITER_AMONG_READERS), Ok(AttachStep::Attach));
    assert_eq!(step(&reader, Access::SINGLE_WRITER), Err(ErrorKind::InUse));
    assert_eq!(step(&writer, Access::READER_BESIDE_WRITER), Ok(AttachStep::Attach));
    assert_eq!(step(&writer, Access::READER), Err(ErrorKind::InUse));
    assert_eq!(step(&writer, Access::WRITER_AMONG_READERS), Err(ErrorKind::InUse));
    assert_eq!(step(&writer, Access::SHARED_WRITER), Ok(AttachStep::Attach));
    let plain = volume(VolumeState::Ready, &[]);
    assert_eq!(step(&plain, Access::READER), Ok(AttachStep::Attach));
    assert_eq!(step(&plain, Access::WRITER_AMONG_READERS), Err(ErrorKind::InvalidArgument));
    assert_eq!(step(&volume(VolumeState::Ready, &[("b", true)]), Access::READER), Err(ErrorKind::InUse));
}

#[test]
fn detaching_touches_only_the_named_node() {
    let both = shared(&[("a", true), ("b", true)]);
    assert_eq!(plan_detach(&both, Some("a")).unwrap(), DetachStep::Detach(vec!["a".to_owned()]));
    assert_eq!(plan_detach(&both, Some("c")).unwrap(), DetachStep::Done);
    assert_eq!(plan_detach(&both, None).unwrap(), DetachStep::Detach(vec!["a".to_owned(), "b".to_owned()]));
    let leaving = volume(VolumeState::Detaching, &[("a", false)]);
    assert_eq!(plan_detach(&leaving, Some("a")).unwrap(), DetachStep::Wait);
    assert_eq!(plan_detach(&leaving, Some("b")).unwrap(), DetachStep::Done);
    let growing = volume(VolumeState::Busy("EXPANDING".to_owned()), &[("a", false)]);
    assert_eq!(plan_detach(&growing, Some("a")).unwrap_err().kind(), ErrorKind::Busy);
    assert_eq!(plan_detach(&volume(VolumeState::Recycled, &[]), None).unwrap(), DetachStep::Done);
}

fn made(id: &str, second: u64) -> Volume {
    let mut volume = Volume::new(id, 20 * GIB);
    volume.zone = "z".to_owned();
    volume.kind = "k".to_owned();
    volume.created = Some(UNIX_EPOCH + Duration::from_secs(second));
    volume
}

#[test]
fn the_oldest_of_several_volumes_counts() {
    let request = VolumeRequest::new("n", SizeRange::at_least(20 * GIB));
    let kinds = ["k".to_owned()];
    assert_eq!(plan_create(&request, &kinds, &[]).unwrap(), CreateStep::Create);
    let adopt = |id: &str, doubles: &[&str]| CreateStep::Adopt {
        id: id.to_owned(),
        doubles: doubles.iter().map(|id| (*id).to_owned()).collect(),
    };
    assert_eq!(plan_create(&request, &kinds, &[made("b", 2), made("a", 1)]).unwrap(), adopt("a", &["b"]));
    let mut used = made("b", 2);
    used.attachments.push(Attachment::new("n"));
    assert_eq!(plan_create(&request, &kinds, &[made("a", 1), used]).unwrap(), adopt("b", &["a"]));
    let mut gone = made("a", 1);
    gone.state = VolumeState::Recycled;
    assert_eq!(plan_create(&request, &kinds, &[gone]).unwrap(), CreateStep::Create);
}

#[test]
fn a_volume_with_other_properties_is_not_adopted() {
    let request = VolumeRequest::new("n", SizeRange::between(20 * GIB, 30 * GIB)).zones(ZoneRequirement::one_of(["z"]));
    let kinds = ["k".to_owned()];
    assert!(plan_create(&request, &kinds, &[made("a", 1)]).is_ok());
    let changes: [fn(&mut Volume); 5] = [
        |volume| volume.size = 40 * GIB,
        |volume| volume.zone = "y".to_owned(),
        |volume| volume.kind = "j".to_owned(),
        |volume| volume.shareable = true,
        |volume| volume.source = Some("s".to_owned()),
    ];
    for change in changes {
        let mut other = made("a", 1);
        change(&mut other);
        let error = plan_create(&request, &kinds, &[other]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(error.message().contains("exists as a with"), "{error}");
    }
}

#[test]
fn the_oldest_of_several_snapshots_counts() {
    let snapshot = |id: &str, volume: &str, second: u64| {
        let mut snapshot = Snapshot::new(id, volume, GIB);
        snapshot.created = Some(UNIX_EPOCH + Duration::from_secs(second));
        snapshot
    };
    let request = SnapshotRequest::new("s", "v");
    assert_eq!(plan_snapshot(&request, &[]).unwrap(), SnapshotStep::Create);
    let step = plan_snapshot(&request, &[snapshot("b", "v", 2), snapshot("a", "v", 1)]).unwrap();
    assert_eq!(step, SnapshotStep::Adopt { id: "a".to_owned() });
    let other = plan_snapshot(&request, &[snapshot("a", "w", 1)]).unwrap_err();
    assert_eq!(other.kind(), ErrorKind::AlreadyExists);
}

fn states() -> impl Strategy<Value = VolumeState> {
    prop_oneof![
        3 => Just(VolumeState::Ready),
        1 => Just(VolumeState::Attaching),
        1 => Just(VolumeState::Detaching),
        1 => Just(VolumeState::Busy("EXPANDING".to_owned())),
        1 => Just(VolumeState::Recycled),
    ]
}

fn accesses() -> impl Strategy<Value = Access> {
    prop::sample::select(vec![
        Access::SINGLE_WRITER,
        Access::SINGLE_READER,
        Access::READER,
        Access::WRITER_AMONG_READERS,
        Access::READER_BESIDE_WRITER,
        Access::SHARED_WRITER,
    ])
}

fn volumes() -> impl Strategy<Value = Volume> {
    let nodes = prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c"]), any::<bool>(), 0..4);
    (states(), nodes, any::<bool>()).prop_map(|(state, nodes, shareable)| {
        let nodes: Vec<(&str, bool)> = nodes.into_iter().collect();
        let mut volume = volume(state, if shareable { &nodes } else { nodes.get(..1).unwrap_or_default() });
        volume.shareable = shareable;
        volume
    })
}

proptest! {
    #[test]
    fn attaching_is_done_once(mut volume in volumes(), access in accesses()) {
        let others: Vec<Attachment> = volume.on_others("a").cloned().collect();
        if plan_attach(&volume, "a", access).is_ok_and(|step| step == AttachStep::Attach) {
            volume.attachments.push(attachment("a", access.read_only));
            volume.state = VolumeState::Ready;
            prop_assert_eq!(plan_attach(&volume, "a", access).unwrap(), AttachStep::Done);
            prop_assert!(volume.shareable || others.is_empty());
            prop_assert!(access.fits_beside(&others));
        }
    }

    #[test]
    fn never_do_two_write_beside_a_single_writer(steps in prop::collection::vec((0..3_usize, accesses()), 1..20)) {
        let mut volume = shared(&[]);
        let mut granted: Vec<(String, Access)> = Vec::new();
        for (node, access) in steps {
            let node = ["a", "b", "c"][node];
            if plan_attach(&volume, node, access).is_ok_and(|step| step == AttachStep::Attach) {
                volume.attachments.push(attachment(node, access.read_only));
                granted.push((node.to_owned(), access));
            }
        }
        // Whoever came last still has what was promised.
        if let Some((node, access)) = granted.last() {
            prop_assert!(access.fits_beside(volume.on_others(node)));
        }
    }

    #[test]
    fn detaching_is_done_once(mut volume in volumes(), everywhere in any::<bool>()) {
        let node = if everywhere { None } else { Some("a") };
        let others: Vec<Attachment> = volume.on_others("a").cloned().collect();
        if let Ok(DetachStep::Detach(nodes)) = plan_detach(&volume, node) {
            volume.attachments.retain(|attachment| !nodes.contains(&attachment.node));
            volume.state = VolumeState::Ready;
            prop_assert_eq!(plan_detach(&volume, node).unwrap(), DetachStep::Done);
            if !everywhere {
                prop_assert_eq!(volume.attachments, others);
            }
        }
    }
}
