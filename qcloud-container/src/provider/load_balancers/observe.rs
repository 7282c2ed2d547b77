//! What CLB shows, in the types of the contract.

use futures_util::TryStreamExt;
use qcloud_clb::model as clb;

use super::ownership::{self, ADDRESS_TAG, CLUSTER_TAG, RETAIN_TAG, SERVICE_TAG, SERVICE_UID_TAG};
use super::{Regional, wire};
use crate::kubernetes::Result;
use crate::kubernetes::load_balancers::{
    Charging, Family, LbState, ListenerState, Owner, Protection, RuleState, Scope, ServiceKey, names,
};

/// The most ids of DescribeLoadBalancers.
pub(super) const MOST_IDS: usize = 20;
/// The most listeners of DescribeTargets.
const MOST_LISTENERS: usize = 20;

impl Regional {
    /// All balancers with this cluster's tag, oldest first so that new ones do not shift the pages.
    pub(super) async fn sweep(&self) -> Result<Vec<clb::LoadBalancer>> {
        let request = clb::DescribeLoadBalancers::new()
            .order_by(clb::LoadBalancerOrderBy::CreateTime)
            .order_type(clb::LoadBalancerOrderType::Ascending)
            .filters([clb::Filter::new(format!("tag:{CLUSTER_TAG}"), [self.cluster.uid.as_str()])]);
        let found = self.clb.describe_load_balancers(request).items().try_collect::<Vec<_>>().await;
        let mut found = found?;
        let mut seen = std::collections::BTreeSet::new();
        found.retain(|balancer| seen.insert(balancer.load_balancer_id.clone()));
        Ok(found)
    }

    /// The balancers with a Service's tags.
    pub(super) async fn of_service(&self, uid: &str) -> Result<Vec<clb::LoadBalancer>> {
        let request = clb::DescribeLoadBalancers::new().limit(100).filters([
            clb::Filter::new(format!("tag:{CLUSTER_TAG}"), [self.cluster.uid.as_str()]),
            clb::Filter::new(format!("tag:{SERVICE_UID_TAG}"), [uid]),
        ]);
        let answer = self.clb.describe_load_balancers(request).await;
        let mut found = answer?.load_balancer_set;
        found.retain(|balancer| ownership::owner(&self.cluster, balancer) == Owner::Service(uid.to_owned()));
        Ok(found)
    }

    pub(super) async fn by_ids(&self, ids: &[String]) -> Result<Vec<clb::LoadBalancer>> {
        let mut found = Vec::new();
        for ids in ids.chunks(MOST_IDS) {
            let request = clb::DescribeLoadBalancers::new().load_balancer_ids(ids.iter().cloned()).limit(100);
            let answer = self.clb.describe_load_balancers(request).await;
            found.extend(answer?.load_balancer_set);
        }
        Ok(found)
    }

    /// A balancer without its listeners.
    pub(super) fn read_balancer(&self, balancer: &clb::LoadBalancer) -> LbState {
        let mut state = LbState::new(balancer.load_balancer_id.as_str(), ownership::owner(&self.cluster, balancer));
        state.name.clone_from(&balancer.load_balancer_name);
        state.reserved_address = ownership::tag(balancer, ADDRESS_TAG).map(str::to_owned);
        state.retain = ownership::tag(balancer, RETAIN_TAG) == Some("true");
        state.service_name = ownership::tag(balancer, SERVICE_TAG).map(str::to_owned);
        state.ready = balancer.status == clb::LoadBalancerStatus::Normal;
        let internal = balancer.load_balancer_type == clb::LoadBalancerType::Internal;
        state.scope = if internal { Scope::Internal { subnet: balancer.subnet_id.clone() } } else { Scope::Public };
        // The targets of a NAT64 balancer have IPv4 addresses, and that is what counts here.
        let six = balancer.address_ip_version == clb::LoadBalancerIpVersion::Ipv6
            && balancer.ipv6_mode != Some(clb::Ipv6Mode::IPv6Nat64);
        state.family = if six { Family::V6 } else { Family::V4 };
        let addresses = balancer.load_balancer_vips.iter().chain(&balancer.address_ipv6);
        state.addresses = addresses.filter_map(|address| address.parse().ok()).collect();
        state.addresses.dedup();
        let domains = [balancer.load_balancer_domain.as_str(), balancer.domain.as_str()];
        state.hostname = domains.into_iter().find(|domain| !domain.is_empty()).map(str::to_owned);
        if let Some(network) = &balancer.network_attributes {
            state.charging = network.internet_charge_type.as_ref().and_then(|kind| match kind {
                clb::InternetChargeType::TrafficPostpaidByHour => Some(Charging::Traffic),
                clb::InternetChargeType::BandwidthPostpaidByHour => Some(Charging::Bandwidth),
                clb::InternetChargeType::BandwidthPackage => Some(Charging::Package),
                _ => None,
            });
            state.bandwidth = network.internet_max_bandwidth_out.and_then(|limit| u32::try_from(limit).ok());
        }
        state.pass_to_targets = Some(balancer.load_balancer_pass_to_target);
        state.network = Some(balancer.vpc_id.clone()).filter(|network| !network.is_empty());
        state.reaches_other_networks = balancer.snat_pro;
        state.protection = Protection::default();
        state.protection.deletion = Some(balancer.attribute_flags.contains(&clb::AttributeFlag::DeleteProtect));
        state.access.groups = balancer.secure_groups.iter().cloned().collect();
        state
    }

    /// A balancer with its listeners, targets and access rules, as they concern a Service.
    pub(super) async fn read_whole(&self, balancer: &clb::LoadBalancer, service: &ServiceKey) -> Result<LbState> {
        let mut state = self.read_balancer(balancer);
        self.read_access(&mut state, service).await?;
        if !state.ready {
            return Ok(state);
        }
        let id = state.id.as_str();
        let answer = self.clb.describe_listeners(clb::DescribeListeners::new(id)).await;
        let listeners = answer?.listeners;
        let own_host = wire::own_host(&state);
        let prefix = names::listener_prefix(&self.cluster, service);
        for listener in &listeners {
            // A protocol that the contract does not know is on a port that someone else uses.
            let Some(key) = wire::key(listener.port, &listener.protocol) else { continue };
            let owned = listener.listener_name.starts_with(&prefix);
            let mut read = ListenerState::new(listener.listener_id.as_str(), key, owned);
            read.name.clone_from(&listener.listener_name);
            read.settings = wire::read_listener(listener, key.protocol);
            read.settings.proxy_protocol = ownership::speaks_proxy_protocol(&prefix, &read.name);
            if key.protocol.has_rules() {
                read.rules = listener
                    .rules
                    .iter()
                    .map(|output| {
                        let (rule, settings) = wire::read_rule(output, &own_host);
                        RuleState::new(output.location_id.as_str(), rule, settings)
                    })
                    .collect();
            }
            state.listeners.push(read);
        }
        let owned: Vec<String> = state.owned_listeners().into_iter().map(|listener| listener.id).collect();
        let mut backends = Vec::new();
        for ids in owned.chunks(MOST_LISTENERS) {
            let request = clb::DescribeTargets::new(id).listener_ids(ids.iter().cloned());
            let answer = self.clb.describe_targets(request).await;
            backends.extend(answer?.listeners);
        }
        for backend in &backends {
            let Some(listener) = state.listeners.iter_mut().find(|listener| listener.id == backend.listener_id) else {
                continue;
            };
            listener.targets = backend.targets.iter().filter_map(wire::read_target).collect();
            for rule in &mut listener.rules {
                if let Some(found) = backend.rules.iter().find(|found| found.location_id == rule.id) {
                    rule.targets = found.targets.iter().filter_map(wire::read_target).collect();
                }
            }
        }
        Ok(state)
    }
}
