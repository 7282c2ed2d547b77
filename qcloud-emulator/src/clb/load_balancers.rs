//! Load balancers: what they are, and how answers show them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::errors::{self, Kind};
use super::groups;
use super::listeners::Listener;
use super::targets::{self, Target};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::tags::Tag;
use crate::world::{Local, Region};

/// A load balancer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LoadBalancer {
    pub(crate) id: String,
    pub(super) name: String,
    /// Whether it has a public address.
    pub(super) public: bool,
    /// Whether its creation has come to an end.
    pub(super) ready: bool,
    pub(super) created: Time,
    pub(super) changed: Time,
    pub(super) project_id: i64,
    pub(crate) vpc_id: String,
    /// Empty for public ones.
    pub(super) subnet_id: String,
    /// Its IPv4 address; public ones may have a domain name or an IPv6 address only.
    pub(super) vip: Option<String>,
    pub(super) ipv6: Option<String>,
    pub(super) ipv6_mode: Option<String>,
    /// The name of those that are reached by one.
    pub(super) domain: String,
    pub(super) isp: String,
    pub(super) master_zone: Option<String>,
    pub(super) backup_zone: Option<String>,
    pub(super) prepaid: Option<Prepaid>,
    pub(super) internet: Option<Internet>,
    pub(super) tags: Vec<Tag>,
    pub(crate) security_groups: Vec<String>,
    pub(super) pass_to_target: bool,
    pub(super) snat_pro: bool,
    pub(super) snat_ips: Vec<SnatIp>,
    pub(super) sla_type: String,
    pub(super) protected: bool,
    pub(super) stopped: bool,
    pub(super) egress: String,
    pub(super) eip_id: String,
    pub(super) log_topic: String,
    pub(super) cluster_tag: String,
    pub(super) cluster_ids: Vec<String>,
    pub(super) endpoint: String,
    /// The region and the VPC of its targets.
    pub(super) target_region: (String, String),
    pub(super) listeners: Vec<Listener>,
    /// The task that runs on it.
    pub(super) task: Option<String>,
}

/// How a prepaid load balancer is paid for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Prepaid {
    pub(super) renew_flag: String,
    pub(super) months: i64,
    pub(super) expires: Time,
}

/// How traffic is billed; the bandwidth is in Mbit/s.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Internet {
    pub(super) charge_type: String,
    pub(super) bandwidth: i64,
}

/// An address that targets in other networks see.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SnatIp {
    pub(super) subnet_id: String,
    pub(super) ip: String,
}

impl Internet {
    pub(super) fn show(&self) -> Value {
        json!({
            "InternetChargeType": self.charge_type,
            "InternetMaxBandwidthOut": self.bandwidth,
            "BandwidthpkgSubType": null,
        })
    }
}

impl Prepaid {
    pub(super) fn show(&self) -> Value {
        json!({ "RenewFlag": self.renew_flag, "Period": self.months })
    }
}

/// The load balancer that an instance is bound to, itself or in a target group.
pub(crate) fn balancer_of<'a>(region: &'a Region, instance_id: &str) -> Option<&'a str> {
    let is_it = |target: &Target| target.place.instance == instance_id;
    let bound = region.clb.balancers.values().find(|balancer| balancer.bound(region).any(is_it));
    let grouped = || {
        let mut groups = region.clb.groups.values().filter(|group| group.members.iter().any(is_it));
        groups.find_map(|group| groups::uses(region, &group.id).next().map(|(balancer, ..)| balancer))
    };
    bound.or_else(grouped).map(|balancer| balancer.id.as_str())
}

impl LoadBalancer {
    pub(super) fn type_name(&self) -> &'static str {
        if self.public { "OPEN" } else { "INTERNAL" }
    }

    pub(super) fn charge_type(&self) -> &'static str {
        if self.prepaid.is_some() { "PREPAID" } else { "POSTPAID_BY_HOUR" }
    }

    /// The IPv4 addresses that answers show: none before the creation has come to its end.
    pub(super) fn vips(&self) -> Vec<&str> {
        self.vip.as_deref().filter(|_| self.ready).into_iter().collect()
    }

    /// The IPv6 address that answers show.
    pub(super) fn shown_ipv6(&self) -> Option<&str> {
        self.ipv6.as_deref().filter(|_| self.ready)
    }

    /// The domain name that answers show.
    pub(super) fn shown_domain(&self) -> &str {
        if self.ready { &self.domain } else { "" }
    }

    /// Whether clients reach it by this address or name.
    pub(super) fn answers_at(&self, address: &str) -> bool {
        self.vips().contains(&address)
            || self.shown_ipv6().is_some_and(|own| super::targets::same_address(own, address))
            || (!self.shown_domain().is_empty() && self.shown_domain().eq_ignore_ascii_case(address))
    }

    pub(super) fn flags(&self) -> Vec<&'static str> {
        let flags =
            [(self.protected, "DeleteProtect"), (self.stopped, "Stop"), (!self.domain.is_empty(), "IsDomainCLB")];
        flags.into_iter().filter(|(on, _)| *on).map(|(_, flag)| flag).collect()
    }

    /// The listener of this id.
    pub(super) fn listener(&self, here: &Local<'_>, call: &Call, id: &str) -> Result<&Listener, ApiError> {
        errors::check_id("ListenerId", id, Kind::Listener)?;
        let missing = || errors::not_found(here.settings, call.action, Kind::Listener, id);
        self.listeners.iter().find(|listener| listener.id == id).ok_or_else(missing)
    }

    /// As [`listener`](Self::listener), to change it.
    pub(super) fn listener_mut(&mut self, here: &Local<'_>, call: &Call, id: &str) -> Result<&mut Listener, ApiError> {
        errors::check_id("ListenerId", id, Kind::Listener)?;
        let missing = || errors::not_found(here.settings, call.action, Kind::Listener, id);
        self.listeners.iter_mut().find(|listener| listener.id == id).ok_or_else(missing)
    }

    /// The targets that are bound one by one, those of instances that are gone left out.
    pub(super) fn bound<'a>(&'a self, region: &'a Region) -> impl Iterator<Item = &'a Target> {
        let of_listeners = self.listeners.iter().flat_map(|listener| &listener.targets);
        let of_rules = self.listeners.iter().flat_map(|listener| &listener.rules).flat_map(|rule| &rule.targets);
        of_listeners.chain(of_rules).filter(move |target| targets::is_present(region, target))
    }

    pub(super) fn show(&self, here: &Local<'_>, with_count: bool) -> Value {
        let (target_region, target_vpc) = &self.target_region;
        let zone = |name: &String| here.zone(name).map(|zone| show_zone(here.name, &zone));
        let backup = self.backup_zone.as_ref().and_then(zone);
        let mut shown = json!({
            "LoadBalancerId": self.id,
            "LoadBalancerName": self.name,
            "LoadBalancerType": self.type_name(),
            "Forward": 1,
            "Domain": self.shown_domain(),
            "LoadBalancerVips": self.vips(),
            "Status": u8::from(self.ready),
            "CreateTime": self.created.beijing(),
            "StatusTime": self.changed.beijing(),
            "ProjectId": self.project_id,
            "VpcId": self.vpc_id,
            "OpenBgp": 0,
            "Snat": false,
            "Isolation": 0,
            "Log": null,
            "SubnetId": self.subnet_id,
            "Tags": show_tags(&self.tags),
            "SecureGroups": self.security_groups,
            "TargetRegionInfo": {
                "Region": target_region,
                "VpcId": target_vpc,
                "NumericalVpcId": number_of(target_vpc),
            },
            "AnycastZone": "",
            "AddressIPVersion": if self.ipv6_mode.is_some() { "ipv6" } else { "ipv4" },
            "NumericalVpcId": number_of(&self.vpc_id),
            "VipIsp": self.isp,
            "MasterZone": self.master_zone.as_ref().and_then(zone),
            "BackupZoneSet": backup.map(|zone| vec![zone]),
            "IsolatedTime": null,
            "ExpireTime": self.prepaid.as_ref().map(|prepaid| prepaid.expires.beijing()),
            "ChargeType": self.charge_type(),
            "NetworkAttributes": self.internet.as_ref().map(Internet::show),
            "PrepaidAttributes": self.prepaid.as_ref().map(Prepaid::show),
            "LogSetId": "",
            "LogTopicId": self.log_topic,
            "AddressIPv6": self.shown_ipv6(),
            "ExtraInfo": { "ZhiTong": false, "TgwGroupName": "" },
            "IsDDos": false,
            "ConfigId": "",
            "LoadBalancerPassToTarget": self.pass_to_target,
            "ExclusiveCluster": { "L4Clusters": [], "L7Clusters": [], "ClassicalCluster": null },
            "IPv6Mode": self.ipv6_mode,
            "SnatPro": self.snat_pro,
            "SnatIps": self.snat_ips,
            "SlaType": self.sla_type,
            "IsBlock": false,
            "IsBlockTime": "",
            "LocalBgp": false,
            "ClusterTag": self.cluster_tag,
            "MixIpTarget": false,
            "Zones": null,
            "NfvInfo": "",
            "HealthLogSetId": "",
            "HealthLogTopicId": "",
            "ClusterIds": self.cluster_ids,
            "AttributeFlags": self.flags(),
            "LoadBalancerDomain": self.shown_domain(),
            "Egress": self.egress,
            "Exclusive": 0,
            "AssociateEndpoint": self.endpoint,
            "AvailableZoneAffinityInfo": null,
        });
        if let (true, Some(members)) = (with_count, shown.as_object_mut()) {
            members.insert("TargetCount".to_owned(), self.bound(here.region).count().into());
        }
        shown
    }
}

/// The load balancer of this id, or the error that says it does not exist.
pub(super) fn find<'a>(here: &'a Local<'_>, call: &Call, id: &str) -> Result<&'a LoadBalancer, ApiError> {
    errors::check_id("LoadBalancerId", id, Kind::LoadBalancer)?;
    let missing = || errors::not_found(here.settings, call.action, Kind::LoadBalancer, id);
    here.region.clb.balancers.get(id).ok_or_else(missing)
}

fn show_zone(region: &str, zone: &crate::zones::Zone) -> Value {
    json!({
        "ZoneId": zone.id.parse::<u64>().unwrap_or_default(),
        "Zone": zone.name,
        "ZoneName": zone.title,
        "ZoneRegion": region,
        "LocalZone": false,
        "EdgeZone": false,
    })
}

pub(super) fn show_tags(tags: &[Tag]) -> Vec<Value> {
    tags.iter().map(|tag| json!({ "TagKey": tag.key, "TagValue": tag.value })).collect()
}

/// The number that a VPC has beside its id: made from the id, so that it is always the same.
fn number_of(vpc_id: &str) -> u64 {
    let mixed = vpc_id.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(131).wrapping_add(u64::from(byte)));
    1_000_000 + mixed % 9_000_000
}

/// Takes a tag off load balancers, all of which must have it.
pub(crate) fn take_tag_off(here: &mut Local<'_>, ids: &[String], key: &str) -> Result<(), ApiError> {
    for id in ids {
        let Some(balancer) = here.region.clb.balancers.get(id) else {
            let message = format!("`ResourceIds`: there is no load balancer `{id}` in this region.");
            return Err(ApiError::new("InvalidParameterValue.ResourceIdInvalid", message));
        };
        if balancer.tags.iter().all(|tag| tag.key != key) {
            let message = format!("The load balancer `{id}` has no tag `{key}`.");
            return Err(ApiError::new("ResourceNotFound.AttachedTagKeyNotFound", message));
        }
    }
    for id in ids {
        if let Some(balancer) = here.region.clb.balancers.get_mut(id) {
            balancer.tags.retain(|tag| tag.key != key);
        }
    }
    Ok(())
}
