//! The arguments of the program.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use qcloud_core::Endpoint;

use crate::driver::DEFAULT_NAME;

/// CSI driver for QCloud (Tencent Cloud) block storage.
///
/// The controller needs credentials: those of the environment, a profile, a TKE pod's identity or a CVM role. The node side
/// needs none.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Arguments {
    /// The unix socket to serve.
    #[arg(long, env = "CSI_ENDPOINT", default_value = "unix:///csi/csi.sock")]
    pub endpoint: String,
    /// Which services to serve beside the identity.
    #[arg(long, value_enum, default_value_t = Mode::All)]
    pub mode: Mode,
    /// The name of the driver; volumes belong to the driver of the name they were made under.
    #[arg(long, default_value = DEFAULT_NAME)]
    pub driver_name: String,
    /// The region, in place of that of the environment.
    #[arg(long)]
    pub region: Option<String>,
    /// Where the API is, in place of what the environment says: `internal` needs no internet access; `public`, `regional`,
    /// `international`, a domain or a URL.
    #[arg(long, value_name = "ENDPOINT")]
    pub api_endpoint: Option<Endpoint>,
    /// The UID of the namespace kube-system, which tells this cluster's volumes from those of others.
    #[arg(long, env = "CLUSTER_ID")]
    pub cluster_id: Option<String>,
    /// A name of the cluster for people; nothing in the cloud carries it.
    #[arg(long, default_value = "kubernetes")]
    pub cluster_name: String,
    /// Zones for volumes that may be anywhere, the best first, separated by commas.
    #[arg(long, value_delimiter = ',')]
    pub zones: Vec<String>,
    /// How many disks of a node are not for this driver.
    #[arg(long, default_value_t = 2)]
    pub reserved_attachments: u32,
    /// The instance id of this node, in place of what the metadata server says.
    #[arg(long, env = "NODE_ID")]
    pub node_id: Option<String>,
    /// The zone of this node, in place of what the metadata server says.
    #[arg(long)]
    pub node_zone: Option<String>,
    /// How many volumes this node takes; 0 leaves it to the cluster.
    #[arg(long, default_value_t = 18)]
    pub max_volumes: u32,
    /// A directory for nothing else, where mounts are prepared.
    #[arg(long, value_name = "DIRECTORY", default_value = "/run/qcloud-csi")]
    pub scratch: PathBuf,
    /// How the log is written. `RUST_LOG` says how much of it.
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Serve an emulated QCloud, which starts inside this process, on a temporary socket.
    #[cfg(feature = "emulator")]
    #[arg(long)]
    pub emulator: bool,
    /// With --emulator: do what the sidecars and the kubelet do with a volume, tell about it, and end.
    #[cfg(feature = "emulator")]
    #[arg(long, requires = "emulator")]
    pub demo: bool,
}

/// Which half of the driver a process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// What is done in the cloud: once in the cluster, beside the sidecars.
    Controller,
    /// What is done on a node: on each of them.
    Node,
    /// Both.
    All,
}

impl Mode {
    /// Whether the controller service is served.
    #[must_use]
    pub fn has_controller(self) -> bool {
        self != Self::Node
    }

    /// Whether the node service is served.
    #[must_use]
    pub fn has_node(self) -> bool {
        self != Self::Controller
    }
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// An object a line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from([&["qcloud-csi"], arguments].concat())
    }

    #[test]
    fn the_defaults_take_the_place_of_tencents_driver() {
        let arguments = parse(&[]).unwrap();
        assert_eq!(arguments.driver_name, "com.tencent.cloud.csi.cbs");
        assert_eq!(arguments.reserved_attachments, 2);
        assert!(arguments.mode.has_controller() && arguments.mode.has_node());
    }

    #[test]
    fn modes_and_zones_are_read() {
        let arguments = parse(&["--mode", "node", "--zones", "ap-guangzhou-3,ap-guangzhou-4"]).unwrap();
        assert!(!arguments.mode.has_controller() && arguments.mode.has_node());
        assert_eq!(arguments.zones, ["ap-guangzhou-3", "ap-guangzhou-4"]);
        assert!(!parse(&["--mode", "controller"]).unwrap().mode.has_node());
    }

    #[test]
    fn the_api_may_be_reached_without_the_internet() {
        assert_eq!(parse(&["--api-endpoint", "internal"]).unwrap().api_endpoint, Some(Endpoint::internal()));
        let refused = parse(&["--api-endpoint", "intern"]).unwrap_err().to_string();
        assert!(refused.contains("`internal`"), "{refused}");
    }

    #[test]
    #[cfg(feature = "emulator")]
    fn a_demonstration_needs_the_emulator() {
        assert!(parse(&["--demo"]).is_err());
        assert!(parse(&["--emulator", "--demo"]).unwrap().demo);
    }
}
