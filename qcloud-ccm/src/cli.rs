//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Parser};
use ipnet::IpNet;

use crate::controllers::Controllers;
use crate::error::Result;
use crate::leader::Timing;
use crate::logging::Format;
use crate::manager::{Election, Settings};

/// Kubernetes cloud-controller-manager for QCloud (Tencent Cloud).
#[derive(Clone, Debug, Parser)]
#[command(name = "qcloud-ccm", version)]
pub struct Arguments {
    /// The cloud configuration: TOML, or the JSON of Tencent's former controller.
    #[arg(long, value_name = "FILE")]
    pub cloud_config: Option<PathBuf>,
    /// The kubeconfig; without it, the service account of the pod.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The controllers to run: node, route, service; `*` for all, `-name` for all but one.
    #[arg(long, value_name = "LIST", default_value = "*", allow_hyphen_values = true)]
    pub controllers: Controllers,
    /// The name of the cluster, for the logs; the uid of kube-system tells clusters apart.
    #[arg(long, default_value = "kubernetes")]
    pub cluster_name: String,
    /// The networks of the pods; they add to those of the cloud configuration.
    #[arg(long, value_name = "CIDRS", value_delimiter = ',')]
    pub cluster_cidr: Vec<IpNet>,
    /// How many Services are worked on at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub concurrent_service_syncs: usize,
    /// Serve Services of this class, in place of those without one.
    #[arg(long, value_name = "NAME")]
    pub load_balancer_class: Option<String>,
    /// What to do about balancers whose Services are gone.
    #[arg(long, value_enum, default_value_t)]
    pub orphan_collection: Orphans,
    /// How often balancers are looked at that nothing has happened to, for changes that others made.
    #[arg(long, value_name = "TIME", default_value = "20m", value_parser = duration)]
    pub service_verification_period: Duration,
    /// How often nodes that are not ready are looked at.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub node_monitor_period: Duration,
    /// How often all nodes are compared with their machines.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub node_status_update_frequency: Duration,
    /// The shortest time between two passes over the routes.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub route_reconciliation_period: Duration,
    /// Whether a Lease chooses one of several processes.
    #[arg(long, action = ArgAction::Set, num_args = 0..=1, default_value_t = true, default_missing_value = "true")]
    pub leader_elect: bool,
    /// For how long a Lease that does not change is respected.
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration)]
    pub leader_elect_lease_duration: Duration,
    /// For how long after a renewal the leader works.
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = duration)]
    pub leader_elect_renew_deadline: Duration,
    /// How often the leader renews, and the others look.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = duration)]
    pub leader_elect_retry_period: Duration,
    /// The namespace of the Lease.
    #[arg(long, value_name = "NAMESPACE", default_value = "kube-system")]
    pub leader_elect_resource_namespace: String,
    /// The name of the Lease.
    #[arg(long, value_name = "NAME", default_value = "qcloud-cloud-controller-manager")]
    pub leader_elect_resource_name: String,
    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:10258")]
    pub bind_address: SocketAddr,
    /// The form of the logs.
    #[arg(long, value_enum, default_value_t)]
    pub log_format: Format,
    /// How much is logged: 0 warnings, 2 what is done, 4 why, 6 every call. `RUST_LOG` wins.
    #[arg(short, long = "v", value_name = "LEVEL", default_value_t = 2)]
    pub verbosity: u8,
    /// Runs on an emulated QCloud and an API server in this process: neither account nor cluster is needed.
    #[cfg(feature = "emulator")]
    #[arg(long, conflicts_with_all = ["cloud_config", "kubeconfig"])]
    pub emulator: bool,
    /// With --emulator: shows what it does, and ends.
    #[cfg(feature = "emulator")]
    #[arg(long, requires = "emulator")]
    pub demo: bool,
}

/// What to do about balancers whose Services are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Orphans {
    /// They are not looked for.
    Off,
    /// They are logged.
    #[default]
    Report,
    /// They are deleted.
    Delete,
}

impl Arguments {
    /// What the process is to do, under this name.
    ///
    /// # Errors
    /// When the times of the election make no sense.
    pub fn settings(&self, instance: impl Into<String>) -> Result<Settings> {
        let mut settings = Settings::new(instance);
        settings.cluster_name.clone_from(&self.cluster_name);
        settings.controllers = self.controllers.clone();
        let timing = Timing::new(
            self.leader_elect_lease_duration,
            self.leader_elect_renew_deadline,
            self.leader_elect_retry_period,
        )?;
        settings.election = self.leader_elect.then(|| Election {
            namespace: self.leader_elect_resource_namespace.clone(),
            name: self.leader_elect_resource_name.clone(),
            timing,
        });
        settings.nodes.monitor = self.node_monitor_period;
        settings.nodes.refresh = self.node_status_update_frequency;
        settings.services.workers = self.concurrent_service_syncs;
        settings.services.verify_every = self.service_verification_period;
        settings.services.class.clone_from(&self.load_balancer_class);
        settings.services.orphans.report = self.orphan_collection != Orphans::Off;
        settings.services.orphans.delete = self.orphan_collection == Orphans::Delete;
        settings.routes.shortest = self.route_reconciliation_period;
        settings.routes.resync = settings.routes.resync.max(self.route_reconciliation_period);
        Ok(settings)
    }
}

/// A time such as `10s`, `1m30s` or `500ms`.
fn duration(text: &str) -> Result<Duration, String> {
    let no_time = || format!("`{text}` is no time; they look like 10s, 1m30s or 500ms");
    let (mut rest, mut total) = (text, Duration::ZERO);
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit()).ok_or_else(no_time)?;
        let (number, after) = rest.split_at(digits);
        let units = after.find(|character: char| character.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(units);
        let number: u64 = number.parse().map_err(|_| no_time())?;
        let part = match unit {
            "ms" => Duration::from_millis(number),
            "s" => Duration::from_secs(number),
            "m" => Duration::from_secs(number.saturating_mul(60)),
            "h" => Duration::from_secs(number.saturating_mul(3_600)),
            _ => return Err(no_time()),
        };
        total = total.saturating_add(part);
        rest = after;
    }
    if total.is_zero() { Err(no_time()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::Kind;
    use clap::CommandFactory;

    fn parse(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from([&["qcloud-ccm"], arguments].concat())
    }

    #[test]
    fn the_command_line_is_sound() {
        Arguments::command().debug_assert();
        let settings = parse(&[]).unwrap().settings("me").unwrap();
        assert_eq!(settings.election.unwrap().timing, Timing::default());
        assert_eq!(settings.nodes.refresh, Duration::from_secs(300));
    }

    #[test]
    fn arguments_reach_the_settings() {
        let arguments = parse(&[
            "--leader-elect=false",
            "--controllers=-route",
            "--node-monitor-period=1m30s",
            "--service-verification-period=1h",
            "--cluster-cidr=172.16.0.0/16,fd00::/64",
        ]);
        let arguments = arguments.unwrap();
        assert_eq!(arguments.cluster_cidr.len(), 2);
        let settings = arguments.settings("me").unwrap();
        assert!(settings.election.is_none() && !settings.controllers.has(Kind::Route));
        assert_eq!(settings.nodes.monitor, Duration::from_secs(90));
        assert_eq!(settings.services.verify_every, Duration::from_secs(3_600));
    }

    #[test]
    fn mistakes_are_told() {
        for (argument, told) in [
            ("--controllers=nodes", "there is no controller `nodes`"),
            ("--node-monitor-period=5", "`5` is no time"),
            ("--node-monitor-period=0s", "`0s` is no time"),
            ("--cluster-cidr=172.16", "172.16"),
            ("--orphan-collection=all", "off, report, delete"),
        ] {
            let said = parse(&[argument]).unwrap_err().to_string();
            assert!(said.contains(told), "{said}");
        }
        let short = parse(&["--leader-elect-lease-duration=5s"]).unwrap();
        assert!(short.settings("me").unwrap_err().to_string().contains("lease duration"));
    }
}
