//! From instances as CVM describes them to machines as Kubernetes sees them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use qcloud_cvm::instance::{Instance as CvmInstance, InstanceState as CvmState};

use crate::kubernetes::instances::{AddressKind, Instance, InstanceState, NodeAddress};

/// The label under which TKE keeps a node's instance id, too.
const INSTANCE_LABEL: &str = "cloud.tencent.com/node-instance-id";

/// What an instance is doing; `None` when it never ran.
///
/// | CVM says | exists | shut down |
/// |---|---|---|
/// | `RUNNING`, `STARTING`, `REBOOTING`, rescue mode, live migration, anything new | yes | no |
/// | `PENDING`, `STOPPING` | yes | no |
/// | `STOPPED` | yes | yes |
/// | `SHUTDOWN` (recycle bin), `ISOLATING` | yes, unless set aside counts as gone | yes |
/// | `TERMINATING` | yes | yes |
/// | `LAUNCH_FAILED` | no | |
pub(super) fn state(state: &CvmState) -> Option<InstanceState> {
    match state {
        CvmState::LaunchFailed => None,
        CvmState::Pending => Some(InstanceState::Pending),
        CvmState::Stopping => Some(InstanceState::Stopping),
        CvmState::Stopped => Some(InstanceState::Stopped),
        CvmState::Shutdown | CvmState::Isolating => Some(InstanceState::SetAside),
        CvmState::Terminating => Some(InstanceState::Terminating),
        _ => Some(InstanceState::Running),
    }
}

/// The machine, with the provider id that its node is to have.
pub(super) fn machine(found: &CvmInstance, state: InstanceState, provider_id: String, region: &str) -> Instance {
    let mut machine = Instance::new(&found.instance_id, provider_id);
    machine.name.clone_from(&found.instance_name);
    machine.host_name = Some(found.host_name.clone()).filter(|name| !name.is_empty());
    machine.instance_type.clone_from(&found.instance_type);
    machine.zone.clone_from(&found.placement.zone);
    machine.region = region.to_owned();
    machine.network.clone_from(&found.virtual_private_cloud.vpc_id);
    let lists = [
        (AddressKind::Internal, &found.private_ip_addresses),
        (AddressKind::Internal, &found.ipv6_addresses),
        (AddressKind::External, &found.public_ip_addresses),
        (AddressKind::External, &found.public_ipv6_addresses),
    ];
    for (kind, addresses) in lists {
        for address in addresses.iter().filter_map(|text| text.parse::<IpAddr>().ok()) {
            if !machine.addresses.iter().any(|known| known.address == address) {
                machine.addresses.push(NodeAddress { kind, address });
            }
        }
    }
    machine.state = state;
    machine.labels = BTreeMap::from([(INSTANCE_LABEL.to_owned(), found.instance_id.clone())]);
    machine.created_at = found.created_time.map(Into::into);
    machine
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_has_its_meaning() {
        let all = [
            ("PENDING", Some(false)),
            ("LAUNCH_FAILED", None),
            ("RUNNING", Some(false)),
            ("STOPPING", Some(false)),
            ("STOPPED", Some(true)),
            ("STARTING", Some(false)),
            ("REBOOTING", Some(false)),
            ("SHUTDOWN", Some(true)),
            ("TERMINATING", Some(true)),
            ("ENTER_RESCUE_MODE", Some(false)),
            ("RESCUE_MODE", Some(false)),
            ("EXIT_RESCUE_MODE", Some(false)),
            ("ENTER_SERVICE_LIVE_MIGRATE", Some(false)),
            ("SERVICE_LIVE_MIGRATE", Some(false)),
            ("EXIT_SERVICE_LIVE_MIGRATE", Some(false)),
            ("FREEZING", Some(false)),
            ("BANNING", Some(false)),
            ("ISOLATING", Some(true)),
            ("SOMETHING_NEW", Some(false)),
        ];
        for (name, shutdown) in all {
            assert_eq!(state(&CvmState::from(name)).map(InstanceState::is_shutdown), shutdown, "{name}");
        }
    }
}
