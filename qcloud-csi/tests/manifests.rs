//! The manifests fit together, and to the program.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail like tests"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clap::Parser;
use qcloud_container::kubernetes::volumes::InMemoryVolumes;
use qcloud_csi::cli::{Arguments, Mode};
use qcloud_csi::controller::ControllerService;
use qcloud_csi::driver::{DEFAULT_NAME, Driver};
use qcloud_csi::proto::controller_server::Controller;
use qcloud_csi::proto::controller_service_capability::{Type, rpc};
use serde_json::Value;
use tonic::Request;

const KUSTOMIZATION: &str = include_str!("../deploy/kustomization.yaml");
const FILES: [(&str, &str); 7] = [
    ("driver.yaml", include_str!("../deploy/driver.yaml")),
    ("rbac.yaml", include_str!("../deploy/rbac.yaml")),
    ("controller.yaml", include_str!("../deploy/controller.yaml")),
    ("node.yaml", include_str!("../deploy/node.yaml")),
    ("storage-class.yaml", include_str!("../deploy/storage-class.yaml")),
    ("snapshot-class.yaml", include_str!("../deploy/snapshot-class.yaml")),
    ("example.yaml", include_str!("../deploy/example.yaml")),
];
const POLICY: &str = include_str!("../deploy/cam-policy.json");
/// Where the calls of the volumes are listed.
const VOLUMES: &str = include_str!("../../qcloud-container/docs/volumes.md");

fn objects() -> Vec<Value> {
    let parse = |(name, text): (&str, &str)| {
        serde_saphyr::from_multiple::<Value>(text).unwrap_or_else(|error| panic!("{name}: {error}"))
    };
    FILES.into_iter().flat_map(parse).collect()
}

fn of_kind(kind: &str) -> Vec<Value> {
    objects().into_iter().filter(|object| object["kind"] == kind).collect()
}

/// The containers of a Deployment or DaemonSet, by name, with their arguments.
fn containers(workload: &Value) -> BTreeMap<String, Vec<String>> {
    let containers = workload["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    let words = |list: &Value| {
        list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    containers.iter().map(|each| (each["name"].as_str().unwrap().to_owned(), words(&each["args"]))).collect()
}

fn program(workload: &Value) -> Arguments {
    let mut words = vec!["qcloud-csi".to_owned()];
    words.extend(containers(workload).remove("driver").unwrap());
    Arguments::try_parse_from(words).unwrap()
}

#[test]
fn every_object_is_one_and_all_are_applied() {
    for object in objects() {
        for field in ["apiVersion", "kind"] {
            assert!(object[field].is_string(), "{object}");
        }
        assert!(object["metadata"]["name"].is_string(), "{object}");
    }
    let applied = serde_saphyr::from_str::<Value>(KUSTOMIZATION).unwrap()["resources"].clone();
    let applied: BTreeSet<&str> = applied.as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    // The others need something that not every cluster has, or are examples.
    assert_eq!(
        applied,
        BTreeSet::from(["driver.yaml", "rbac.yaml", "controller.yaml", "node.yaml", "storage-class.yaml"])
    );
}

#[test]
fn everything_names_the_same_driver() {
    Driver::new(DEFAULT_NAME).unwrap();
    assert_eq!(of_kind("CSIDriver")[0]["metadata"]["name"], DEFAULT_NAME);
    for class in of_kind("StorageClass") {
        assert_eq!(class["provisioner"], DEFAULT_NAME);
        assert_eq!(class["volumeBindingMode"], "WaitForFirstConsumer", "disks can't leave their zone");
    }
    assert_eq!(of_kind("VolumeSnapshotClass")[0]["driver"], DEFAULT_NAME);
    let node = &of_kind("DaemonSet")[0];
    assert_eq!(program(node).driver_name, DEFAULT_NAME);
    let path = format!("--kubelet-registration-path=/var/lib/kubelet/plugins/{DEFAULT_NAME}/csi.sock");
    assert!(containers(node)["registrar"].contains(&path));
    let volumes = node["spec"]["template"]["spec"]["volumes"].as_array().unwrap();
    let plugin = volumes.iter().find(|volume| volume["name"] == "plugin").unwrap();
    assert_eq!(plugin["hostPath"]["path"], format!("/var/lib/kubelet/plugins/{DEFAULT_NAME}"));
}

#[test]
fn the_program_takes_its_arguments_and_every_sidecar_finds_its_socket() {
    let controller = &of_kind("Deployment")[0];
    let node = &of_kind("DaemonSet")[0];
    assert_eq!(program(controller).mode, Mode::Controller);
    assert_eq!(program(node).mode, Mode::Node);
    for workload in [controller, node] {
        let socket = program(workload).endpoint;
        let socket = socket.strip_prefix("unix://").unwrap();
        for (name, arguments) in containers(workload) {
            let address = format!("--csi-address={socket}");
            assert!(name == "driver" || arguments.contains(&address), "{name}");
        }
    }
    let expected = ["attacher", "driver", "liveness-probe", "provisioner", "resizer", "snapshotter"];
    assert!(containers(controller).keys().eq(expected));
    for elected in ["attacher", "provisioner", "resizer", "snapshotter"] {
        assert!(containers(controller)[elected].contains(&"--leader-election".to_owned()), "{elected}");
    }
}

#[tokio::test]
async fn the_sidecars_use_what_the_controller_can() {
    let service = ControllerService::new(Driver::default(), Arc::new(InMemoryVolumes::new([])));
    let claimed = service.controller_get_capabilities(Request::new(Default::default())).await.unwrap().into_inner();
    let can = |what: rpc::Type| {
        claimed.capabilities.iter().any(|each| matches!(&each.r#type, Some(Type::Rpc(rpc)) if rpc.r#type() == what))
    };
    let controller = containers(&of_kind("Deployment")[0]);
    let has = |sidecar: &str, what: &str| controller[sidecar].iter().any(|argument| argument.contains(what));
    // Off by default in these versions; without it nobody ever asks for a change.
    for sidecar in ["provisioner", "resizer"] {
        assert_eq!(has(sidecar, "VolumeAttributesClass=true"), can(rpc::Type::ModifyVolume), "{sidecar}");
    }
    // It begins to compare lists when the driver has them, once in a minute if nobody says otherwise.
    assert_eq!(has("attacher", "--reconcile-sync="), can(rpc::Type::ListVolumesPublishedNodes));
}

#[test]
fn mounts_of_the_node_reach_the_kubelet_and_only_the_controller_has_secrets() {
    let node = &of_kind("DaemonSet")[0]["spec"]["template"]["spec"];
    let driver = node["containers"].as_array().unwrap().iter().find(|each| each["name"] == "driver").unwrap();
    assert_eq!(driver["securityContext"]["privileged"], true);
    let kubelet = driver["volumeMounts"].as_array().unwrap().iter().find(|mount| mount["name"] == "kubelet").unwrap();
    assert_eq!(kubelet["mountPropagation"], "Bidirectional");
    assert!(!node.to_string().contains("secret"), "the node needs no credentials");
    assert_eq!(node["automountServiceAccountToken"], false);
    let controller = &of_kind("Deployment")[0]["spec"]["template"]["spec"];
    assert!(controller.to_string().contains("secretRef"));
    assert!(!controller.to_string().contains("privileged"));
}

#[test]
fn accounts_and_roles_are_there() {
    let accounts: BTreeSet<String> =
        of_kind("ServiceAccount").iter().map(|account| account["metadata"]["name"].to_string()).collect();
    for kind in ["Deployment", "DaemonSet"] {
        let account = of_kind(kind)[0]["spec"]["template"]["spec"]["serviceAccountName"].to_string();
        assert!(accounts.contains(&account), "{account}");
    }
    for (binding, role) in [("ClusterRoleBinding", "ClusterRole"), ("RoleBinding", "Role")] {
        for each in of_kind(binding) {
            assert_eq!(each["roleRef"]["kind"], role);
            assert!(of_kind(role).iter().any(|role| role["metadata"]["name"] == each["roleRef"]["name"]));
            for subject in each["subjects"].as_array().unwrap() {
                assert!(accounts.contains(&subject["name"].to_string()), "{subject}");
                assert_ne!(subject["name"], "qcloud-csi-node", "the node side has no access to the API server");
            }
        }
    }
}

#[test]
fn the_cam_policy_permits_what_the_volumes_call_and_nothing_else() {
    let policy: Value = serde_json::from_str(POLICY).unwrap();
    let actions = policy["statement"][0]["action"].as_array().unwrap();
    let permitted: BTreeSet<&str> = actions.iter().map(|action| action.as_str().unwrap()).collect();
    let listed = VOLUMES.split_once("# Permissions").unwrap().1.split_once("# Limits").unwrap().0;
    let called: BTreeSet<&str> =
        listed.split('"').filter(|word| word.contains(':') && !word.contains(char::is_whitespace)).collect();
    assert_eq!(permitted, called);
}
