//! Secrets of requests never get into the log.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use qcloud_csi::proto::controller_server::Controller;
use qcloud_csi::proto::{
    ControllerExpandVolumeRequest, ControllerModifyVolumeRequest, ControllerPublishVolumeRequest,
    ControllerUnpublishVolumeRequest, CreateSnapshotRequest, CreateVolumeRequest, DeleteSnapshotRequest,
    DeleteVolumeRequest, GetSnapshotRequest, ListSnapshotsRequest, NodeExpandVolumeRequest, NodePublishVolumeRequest,
    NodeStageVolumeRequest, ValidateVolumeCapabilitiesRequest,
};
use tonic::Request;
use tracing_subscriber::fmt::MakeWriter;

use crate::volumes::{create, publish, slow};

const SECRET: &str = "correct-horse-battery-staple";

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

fn secrets() -> BTreeMap<String, String> {
    [("secretKey".to_owned(), SECRET.to_owned())].into()
}

#[tokio::test]
async fn the_most_talkative_log_has_none() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let (controller, switch) = slow();
    switch.send_replace(true);

    let request = CreateVolumeRequest { secrets: secrets(), ..create("logged") };
    let id = controller.create_volume(Request::new(request)).await.unwrap().into_inner().volume.unwrap().volume_id;
    let request = ControllerPublishVolumeRequest { secrets: secrets(), ..publish(&id) };
    controller.controller_publish_volume(Request::new(request)).await.unwrap();
    // Failures are told in detail: here the volume is in use.
    let request = DeleteVolumeRequest { volume_id: id.clone(), secrets: secrets() };
    let status = controller.delete_volume(Request::new(request)).await.unwrap_err();
    assert!(!status.message().contains(SECRET));
    // Even what is too large to be taken is not shown.
    let large = [("secretKey".to_owned(), SECRET.repeat(1000))].into();
    let request = DeleteVolumeRequest { volume_id: id, secrets: large };
    let status = controller.delete_volume(Request::new(request)).await.unwrap_err();
    assert!(!status.message().contains(SECRET));

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("CreateVolumeRequest") && log.contains("logged"), "requests are logged: {log}");
    assert!(!log.contains(SECRET), "{log}");
}

#[test]
fn no_message_shows_its_secrets() {
    macro_rules! check {
        ($($message:ident),+ $(,)?) => {$(
            let text = format!("{:?} {:#?}", $message { secrets: secrets(), ..$message::default() },
                $message { secrets: secrets(), ..$message::default() });
            assert!(!text.contains(SECRET) && !text.contains("secretKey"), "{text}");
            assert!(text.contains("[1 hidden]"), "{text}");
        )+};
    }
    check!(
        CreateVolumeRequest,
        DeleteVolumeRequest,
        ControllerPublishVolumeRequest,
        ControllerUnpublishVolumeRequest,
        ValidateVolumeCapabilitiesRequest,
        ControllerModifyVolumeRequest,
        ControllerExpandVolumeRequest,
        CreateSnapshotRequest,
        DeleteSnapshotRequest,
        ListSnapshotsRequest,
        GetSnapshotRequest,
        NodeStageVolumeRequest,
        NodePublishVolumeRequest,
        NodeExpandVolumeRequest,
    );
}
