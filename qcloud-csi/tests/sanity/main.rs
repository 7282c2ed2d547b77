//! What csi-sanity 5 checks of a driver, checked over a real unix socket, with an emulated cloud behind the driver.
//!
//! | group of csi-sanity | here | what is checked |
//! |---|---|---|
//! | Identity: GetPluginCapabilities, Probe, GetPluginInfo | `identity` | known services and expansions, readiness, a name of the allowed form |
//! | ControllerGetCapabilities | `volumes` | known ones only, each once |
//! | GetCapacity | `volumes` | an answer without optional values |
//! | ListVolumes | `volumes` | plain list, unknown token, new and deleted volumes, pages |
//! | CreateVolume | `volumes` | name and capabilities missing, no capacity, capacity, twice the same, twice different, longest name, from a snapshot, from an unknown snapshot, attributes class good and bad |
//! | DeleteVolume | `volumes` | id missing, unknown id, a volume |
//! | ValidateVolumeCapabilities | `volumes` | id missing, capabilities missing, confirmed, unknown volume |
//! | ControllerPublishVolume, ControllerUnpublishVolume | `publish` | id, node and capability missing, attach limit, unknown volume, unknown node, published otherwise, life cycle once and repeated |
//! | ListSnapshots, GetSnapshot | `snapshots` | plain list, by id, by unknown id, by volume, by unknown volume, new and deleted ones, pages |
//! | CreateSnapshot, DeleteSnapshot | `snapshots` | name, volume and id missing, twice the same, other volume, longest name, unknown id |
//! | ExpandVolume | `changes` | id missing, range missing, growth |
//! | ModifyVolume | `changes` | id missing, unknown volume, unknown parameters, volumes with and without an attributes class |
//! | NodeGetCapabilities, NodeGetInfo | `node` | known capabilities, an id, a topology, no negative limit |
//! | NodeStageVolume, NodeUnstageVolume | `node` | id, path and capability missing |
//! | NodePublishVolume, NodeUnpublishVolume | `node` | id, path and capability missing, second target of a single writer, removed target |
//! | NodeGetVolumeStats, NodeExpandVolume | `node` | id and path missing, unknown volume, unknown path, growth after publishing |
//! | Node: life cycle | `node` | once, and with every call repeated; on a machine in memory that has the disks of the emulated cloud |
//!
//! Not checked, because the driver does not claim it: cloning volumes (CBS has none) and group snapshots.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail like tests"
)]

mod changes;
mod identity;
mod lab;
mod node;
mod publish;
mod snapshots;
mod volumes;
