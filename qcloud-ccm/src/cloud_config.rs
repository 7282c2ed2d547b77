//! The cloud configuration: which account, region and network, and what the adapters may do there.
//!
//! It is TOML, or the JSON form of Tencent's former controller, with the same keys. What it leaves out is taken from
//! `TENCENTCLOUD_CLOUD_CONTROLLER_MANAGER_REGION`, `…_VPC_ID`, `…_SECRET_ID`, `…_SECRET_KEY` and `…_CLUSTER_ROUTE_TABLE`,
//! and region and credentials after that from wherever the SDK finds them: its own variables, profile files, the identity
//! of a pod, the role of the machine.
//!
//! ```toml
//! region = "ap-guangzhou"
//! vpc_id = "vpc-1a2b3c4d"
//! cluster_route_table = "my-cluster"       # or [route_tables], or neither when routes are someone else's
//! cluster_cidrs = ["172.16.0.0/16"]
//! ```

use std::fmt;
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;
use qcloud_container::provider::instances::InstanceSettings;
use qcloud_container::provider::load_balancers::ClbOptions;
use qcloud_container::provider::rate_limits;
use qcloud_container::provider::routes::RouteTables;
use qcloud_core::environment::Environment;
use qcloud_core::{Config, Endpoint, Secret};
use serde::Deserialize;

use crate::metrics::Metrics;

/// What stands before the names of the variables.
const PREFIX: &str = "TENCENTCLOUD_CLOUD_CONTROLLER_MANAGER_";

/// How often the targets and settings of a balancer's listeners are read although nothing has changed.
const INSPECTION: Duration = Duration::from_secs(6 * 3_600);
/// The API may leave a machine out for some seconds after a change of it.
const SHORTEST_GRACE: Duration = Duration::from_secs(10);

/// Why a cloud configuration is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CloudConfigError {
    /// The file can't be read.
    #[error("the cloud configuration {path} can't be read: {source}")]
    Unreadable {
        /// Its path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is neither TOML nor JSON, or has a key or value that it can't have. The text never quotes the file.
    #[error("the cloud configuration makes no sense{place}: {message}")]
    Malformed {
        /// Where.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// Something is missing or contradicts something else.
    #[error("the cloud configuration: {0}")]
    Incomplete(String),
    /// The SDK can't be configured with it.
    #[error("the cloud configuration: {0}")]
    Sdk(#[from] qcloud_core::Error),
}

/// A cloud configuration.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CloudConfig {
    /// The region, such as `ap-guangzhou`.
    pub region: Option<String>,
    /// The VPC of the cluster.
    pub vpc_id: Option<String>,
    /// Half of a key pair. Without one, the SDK looks for credentials.
    pub secret_id: Option<String>,
    /// The other half.
    pub secret_key: Option<Secret>,
    /// The cluster route table that holds the routes to pods.
    pub cluster_route_table: Option<String>,
    /// Whether to make that table when there is none.
    pub create_cluster_route_table: bool,
    /// The plain route tables that hold the routes to pods, in place of a cluster route table.
    pub route_tables: Option<PlainTables>,
    /// The networks of the cluster's pods.
    pub cluster_cidrs: Vec<IpNet>,
    /// Where the API is, if not at the public hosts: a URL, a domain, or a word such as `internal`.
    pub endpoint: Option<String>,
    /// Which part of the documented rates of the API is ours, from 0 to 1; 0.8 when absent.
    pub share_of_rates: Option<f64>,
    /// How many seconds apart two looks must be to prove that a machine is gone, and the longest that a look is believed;
    /// 60 when absent, 10 at least.
    pub grace_seconds: Option<u64>,
    /// Whether a machine in the recycle bin counts as gone, so that its node is deleted.
    pub recycled_is_gone: bool,
    /// Whether a balancer is deleted although it has many targets or much traffic; yes when absent.
    pub force_delete_balancers: Option<bool>,
    /// The subnet from which IPv6 balancers take their addresses when their Services name none.
    pub ipv6_balancer_subnet: Option<String>,
    /// Further regions in which Services may have their balancers.
    pub balancer_regions: Vec<String>,
    /// The id of the cluster in TKE, if it is one of those: without it, native nodes can't be looked up.
    pub tke_cluster_id: Option<String>,
}

/// Which plain route tables: by one of these.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PlainTables {
    /// Those with these ids.
    pub ids: Vec<String>,
    /// Those that these subnets use.
    pub subnets: Vec<String>,
    /// Those with this tag, as `key=value`.
    pub tag: Option<String>,
}

/// Where the routes are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoutePlace {
    /// In the cluster route table of this name, which is made if it may be.
    ClusterTable(String, bool),
    /// In plain route tables of the VPC.
    VpcTables(RouteTables),
}

impl CloudConfig {
    /// Reads a configuration file, if there is one, and the environment.
    ///
    /// # Errors
    /// When the file can't be read or makes no sense.
    pub fn load(path: Option<&Path>, environment: &dyn Environment) -> Result<Self, CloudConfigError> {
        let config = match path {
            None => Self::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|source| CloudConfigError::Unreadable { path: path.display().to_string(), source })?;
                Self::parse(&text)?
            }
        };
        Ok(config.completed(environment))
    }

    /// Reads the text of a configuration: JSON if it begins with a brace, otherwise TOML.
    ///
    /// # Errors
    /// When it makes no sense.
    pub fn parse(text: &str) -> Result<Self, CloudConfigError> {
        // The messages of the parsers alone: with their excerpts, they would show keys.
        let config: Self = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| {
                let place = format!(" in line {}, column {}", error.line(), error.column());
                let kind = match error.classify() {
                    serde_json::error::Category::Data => "a key or value is not what it should be",
                    serde_json::error::Category::Eof => "it ends too early",
                    _ => "it is no JSON",
                };
                CloudConfigError::Malformed { place, message: explain(kind, &error.to_string()) }
            })?
        } else {
            toml::from_str(text).map_err(|error| {
                let line =
                    error.span().map(|span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
                let place = line.map(|line| format!(" in line {line}")).unwrap_or_default();
                CloudConfigError::Malformed { place, message: explain("it is no TOML", error.message()) }
            })?
        };
        Ok(config)
    }

    fn completed(mut self, environment: &dyn Environment) -> Self {
        let set = |name: &str| {
            environment
                .var(&format!("{PREFIX}{name}"))
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
        };
        let fill = |value: &mut Option<String>, name: &str| {
            *value = value.take().filter(|value| !value.is_empty()).or_else(|| set(name));
        };
        fill(&mut self.region, "REGION");
        fill(&mut self.vpc_id, "VPC_ID");
        fill(&mut self.secret_id, "SECRET_ID");
        fill(&mut self.cluster_route_table, "CLUSTER_ROUTE_TABLE");
        self.secret_key = self.secret_key.filter(|key| !key.is_empty()).or_else(|| set("SECRET_KEY").map(Secret::new));
        self
    }

    /// The VPC of the cluster.
    ///
    /// # Errors
    /// When none is named.
    pub fn vpc_id(&self) -> Result<&str, CloudConfigError> {
        let missing = || CloudConfigError::Incomplete(format!("no VPC: set `vpc_id` or {PREFIX}VPC_ID"));
        self.vpc_id.as_deref().ok_or_else(missing)
    }

    /// Where the routes are; `None` when no place is named.
    ///
    /// # Errors
    /// When two places are named, or the networks of the pods are not.
    pub fn routes(&self) -> Result<Option<RoutePlace>, CloudConfigError> {
        let incomplete = |message: &str| Err(CloudConfigError::Incomplete(message.to_owned()));
        let place = match (&self.cluster_route_table, &self.route_tables) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return incomplete("set `cluster_route_table` or `[route_tables]`, not both"),
            (Some(table), None) => RoutePlace::ClusterTable(table.clone(), self.create_cluster_route_table),
            (None, Some(tables)) => RoutePlace::VpcTables(tables.choice()?),
        };
        if self.cluster_cidrs.is_empty() {
            return incomplete("routes need the networks of the pods: set `cluster_cidrs` or --cluster-cidr");
        }
        Ok(Some(place))
    }

    /// How machines are looked up.
    ///
    /// # Errors
    /// When no VPC is named, or the grace is too short to prove anything.
    pub fn instances(&self) -> Result<InstanceSettings, CloudConfigError> {
        let mut settings = InstanceSettings::new(self.vpc_id()?);
        settings.set_aside_is_gone = self.recycled_is_gone;
        settings.tke_cluster_id.clone_from(&self.tke_cluster_id);
        if let Some(seconds) = self.grace_seconds {
            settings.grace = Duration::from_secs(seconds);
            if settings.grace < SHORTEST_GRACE {
                let message = format!(
                    "`grace_seconds` is {seconds}; nodes would be deleted for machines that the API leaves out for a \
                     moment: set at least {}",
                    SHORTEST_GRACE.as_secs()
                );
                return Err(CloudConfigError::Incomplete(message));
            }
            settings.believed = settings.believed.min(settings.grace);
        }
        Ok(settings)
    }

    /// How balancers are made and removed.
    ///
    /// # Errors
    /// When no VPC is named.
    pub fn balancers(&self) -> Result<ClbOptions, CloudConfigError> {
        let mut options = ClbOptions::new(self.vpc_id()?);
        options.force_delete = self.force_delete_balancers.unwrap_or(options.force_delete);
        options.ipv6_subnet_id.clone_from(&self.ipv6_balancer_subnet);
        // Each balancer costs calls of its own then; that it has its listeners is seen long before.
        options.inspect_after = INSPECTION;
        options.other_regions.clone_from(&self.balancer_regions);
        Ok(options)
    }

    /// The SDK's configuration: one limiter for all calls, and everything counted.
    ///
    /// # Errors
    /// When something makes no sense.
    pub async fn sdk(&self, metrics: &Metrics) -> Result<Config, CloudConfigError> {
        let limits = rate_limits().with_share(self.share_of_rates.unwrap_or(0.8));
        let mut builder =
            Config::builder().rate_limits(limits).interceptor(metrics.interceptor()).application("qcloud-ccm");
        if let Some(region) = &self.region {
            builder = builder.region(region.as_str());
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.endpoint(endpoint.parse::<Endpoint>()?);
        }
        match (&self.secret_id, &self.secret_key) {
            (Some(id), Some(key)) => builder = builder.static_credentials(id, key.clone()),
            (None, None) => {}
            _ => {
                let message =
                    format!("half a key pair: set `secret_id` and `secret_key`, or neither ({PREFIX}… likewise)");
                return Err(CloudConfigError::Incomplete(message));
            }
        }
        let config = builder.load().await?;
        if config.region().is_none() {
            return Err(CloudConfigError::Incomplete(format!("no region: set `region` or {PREFIX}REGION")));
        }
        Ok(config)
    }
}

impl PlainTables {
    fn choice(&self) -> Result<RouteTables, CloudConfigError> {
        match (self.ids.is_empty(), self.subnets.is_empty(), self.tag.as_deref()) {
            (false, true, None) => Ok(RouteTables::Ids(self.ids.clone())),
            (true, false, None) => Ok(RouteTables::Subnets(self.subnets.clone())),
            (true, true, Some(tag)) if tag.split_once('=').is_some_and(|(key, _)| !key.is_empty()) => {
                let (key, value) = tag.split_once('=').unwrap_or((tag, ""));
                Ok(RouteTables::Tag { key: key.to_owned(), value: value.to_owned() })
            }
            _ => Err(CloudConfigError::Incomplete(
                "`[route_tables]` takes one of `ids`, `subnets` and `tag` (as \"key=value\")".to_owned(),
            )),
        }
    }
}

/// A message of a parser, if it can't quote a value: those name keys and types only.
fn explain(kind: &str, message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let names_keys = ["unknown field", "missing field", "duplicate"].iter().any(|start| first.starts_with(start));
    if names_keys { first.split(" at line ").next().unwrap_or(first).to_owned() } else { kind.to_owned() }
}

impl fmt::Display for RoutePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClusterTable(name, _) => write!(f, "the cluster route table {name}"),
            Self::VpcTables(_) => f.write_str("plain route tables"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[derive(Debug, Default)]
    struct Variables(HashMap<&'static str, &'static str>);

    impl Environment for Variables {
        fn var(&self, name: &str) -> Option<String> {
            self.0.get(name).map(|value| (*value).to_owned())
        }

        fn read_file(&self, _: &Path) -> std::io::Result<String> {
            Err(std::io::ErrorKind::NotFound.into())
        }
    }

    #[test]
    fn the_former_form_is_read() {
        let text = r#"{"region": "ap-guangzhou", "vpc_id": "vpc-1", "secret_id": "AKID", "secret_key": "hunter2",
            "cluster_route_table": "rtb"}"#;
        let config = CloudConfig::parse(text).unwrap();
        assert_eq!(config.region.as_deref(), Some("ap-guangzhou"));
        assert_eq!(config.vpc_id().unwrap(), "vpc-1");
        assert_eq!(config.cluster_route_table.as_deref(), Some("rtb"));
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn the_environment_fills_the_gaps() {
        let variables = Variables(HashMap::from([
            ("TENCENTCLOUD_CLOUD_CONTROLLER_MANAGER_REGION", "ap-beijing"),
            ("TENCENTCLOUD_CLOUD_CONTROLLER_MANAGER_VPC_ID", "vpc-env"),
            ("TENCENTCLOUD_CLOUD_CONTROLLER_MANAGER_SECRET_KEY", "hunter2"),
        ]));
        let config = CloudConfig::parse("vpc_id = 'vpc-file'\nregion = ''").unwrap().completed(&variables);
        assert_eq!(config.region.as_deref(), Some("ap-beijing"));
        assert_eq!(config.vpc_id().unwrap(), "vpc-file");
        assert_eq!(config.secret_key.unwrap().expose(), "hunter2");
    }

    #[test]
    fn mistakes_are_named_and_secrets_are_not() {
        let said = |text: &str| CloudConfig::parse(text).unwrap_err().to_string();
        let unknown = said("region = 'a'\nsecret-key = 'hunter2'");
        assert!(unknown.contains("line 2") && unknown.contains("unknown field `secret-key`"), "{unknown}");
        for text in [
            "region = 'a'\nsecret_key = ['hunter2']",
            "secret_key = 'hunter2",
            "cluster_cidrs = ['hunter2']",
            r#"{"secret_key": {"hunter2": 1}}"#,
            r#"{"secret_key": "hunter2""#,
            r#"{"cluster_cidrs": ["hunter2"]}"#,
        ] {
            let said = said(text);
            assert!(said.starts_with("the cloud configuration makes no sense in line"), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }

    #[test]
    fn a_place_for_routes_is_unambiguous_and_complete() {
        let routes = |text: &str| CloudConfig::parse(text).unwrap().routes();
        assert_eq!(routes("vpc_id = 'vpc-1'").unwrap(), None);
        let table = routes("cluster_route_table = 't'\ncluster_cidrs = ['172.16.0.0/16']").unwrap();
        assert_eq!(table, Some(RoutePlace::ClusterTable("t".to_owned(), false)));
        let cidrs = "cluster_cidrs = ['172.16.0.0/16']\n";
        let tag = routes(&format!("{cidrs}[route_tables]\ntag = 'k8s=yes'")).unwrap();
        let expected = RouteTables::Tag { key: "k8s".to_owned(), value: "yes".to_owned() };
        assert_eq!(tag, Some(RoutePlace::VpcTables(expected)));
        for text in [
            "cluster_route_table = 't'",
            "cluster_route_table = 't'\ncluster_cidrs = ['172.16.0.0/16']\n[route_tables]\nids = ['rtb-1']",
            "cluster_cidrs = ['172.16.0.0/16']\n[route_tables]\nids = ['rtb-1']\ntag = 'a=b'",
            "cluster_cidrs = ['172.16.0.0/16']\n[route_tables]\ntag = 'a'",
        ] {
            assert!(routes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_grace_that_proves_nothing_is_refused() {
        let instances = |text: &str| CloudConfig::parse(&format!("vpc_id = 'vpc-1'\n{text}")).unwrap().instances();
        assert_eq!(instances("").unwrap().grace, Duration::from_secs(60));
        let short = instances("grace_seconds = 20").unwrap();
        assert_eq!((short.grace, short.believed), (Duration::from_secs(20), Duration::from_secs(20)));
        for seconds in [0, 9] {
            let said = instances(&format!("grace_seconds = {seconds}")).unwrap_err().to_string();
            assert!(said.contains("grace_seconds") && said.contains("at least 10"), "{said}");
        }
    }

    #[tokio::test]
    async fn half_a_key_pair_and_no_region_are_refused() {
        let metrics = Metrics::new();
        let half = CloudConfig::parse("region = 'ap-guangzhou'\nsecret_id = 'AKID'").unwrap().sdk(&metrics).await;
        assert!(half.unwrap_err().to_string().contains("half a key pair"));
    }

    #[tokio::test]
    async fn the_api_may_be_reached_by_a_word_or_a_domain() {
        let sdk = async |endpoint: &str| {
            let text =
                format!("region = 'ap-guangzhou'\nsecret_id = 'AKID'\nsecret_key = 'x'\nendpoint = '{endpoint}'");
            CloudConfig::parse(&text).unwrap().sdk(&Metrics::new()).await
        };
        for endpoint in ["internal", "cloud.example.com", "https://api.example.com"] {
            assert!(sdk(endpoint).await.is_ok(), "{endpoint}");
        }
        assert!(sdk("intern").await.unwrap_err().to_string().contains("`internal`"));
    }
}
