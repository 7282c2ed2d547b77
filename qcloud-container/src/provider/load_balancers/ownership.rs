//! Whose balancer is whose: by tags, and by a name for those that are kept.

use qcloud_clb::model::{LoadBalancer, TagInfo};

use crate::kubernetes::ClusterIdentity;
use crate::kubernetes::load_balancers::{LbSpec, ListenerKey, Owner, ServiceKey, Settings, StaticAddress, names};

/// The tag with the cluster's uid.
pub const CLUSTER_TAG: &str = "qcloud-rs-cluster";
/// The tag with the uid of the Service.
pub const SERVICE_UID_TAG: &str = "qcloud-rs-service-uid";
/// The tag with namespace and name of the Service, for people.
pub const SERVICE_TAG: &str = "qcloud-rs-service";
/// The tag with the id of the elastic address that the balancer was made with. CLB shows it nowhere else.
pub const ADDRESS_TAG: &str = "qcloud-rs-address";
/// What the name of a balancer begins with that outlived its Service. CLB cannot take tags away, so the name says that
/// they no longer count.
pub const RETAINED_PREFIX: &str = "retained-";

/// The tags of everything that is made for a Service.
pub(super) fn own_tags(cluster: &ClusterIdentity, service: &ServiceKey) -> [(&'static str, String); 3] {
    [(CLUSTER_TAG, cluster.uid.clone()), (SERVICE_UID_TAG, service.uid.clone()), (SERVICE_TAG, service.to_string())]
}

pub(super) fn tags(cluster: &ClusterIdentity, want: &LbSpec) -> Vec<TagInfo> {
    let own = own_tags(cluster, &want.key);
    let address = match &want.address {
        Some(StaticAddress::Reserved(id)) => Some((ADDRESS_TAG, id.clone())),
        _ => None,
    };
    let theirs = want.tags.iter().map(|(name, value)| (name.as_str(), value.clone()));
    own.into_iter()
        .chain(address)
        .chain(theirs.filter(|(name, _)| ![CLUSTER_TAG, SERVICE_UID_TAG, SERVICE_TAG, ADDRESS_TAG].contains(name)))
        .map(|(name, value)| TagInfo { tag_key: name.to_owned(), tag_value: value })
        .collect()
}

pub(super) fn tag<'b>(balancer: &'b LoadBalancer, name: &str) -> Option<&'b str> {
    balancer.tags.iter().find(|tag| tag.tag_key == name).map(|tag| tag.tag_value.as_str())
}

pub(super) fn owner(cluster: &ClusterIdentity, balancer: &LoadBalancer) -> Owner {
    if balancer.load_balancer_name.starts_with(RETAINED_PREFIX) {
        return Owner::User;
    }
    match (tag(balancer, CLUSTER_TAG), tag(balancer, SERVICE_UID_TAG)) {
        (Some(uid), Some(service)) if uid == cluster.uid => Owner::Service(service.to_owned()),
        (Some(uid), _) if uid != cluster.uid => Owner::OtherCluster(uid.to_owned()),
        _ => Owner::User,
    }
}

/// What the name of a listener has after the Service's mark when it speaks the PROXY protocol. CLB does not show it.
const PROXY_MARK: &str = "pp-";

pub(super) fn listener_name(
    cluster: &ClusterIdentity,
    service: &ServiceKey,
    key: ListenerKey,
    settings: &Settings,
) -> String {
    let name = names::listener_name(cluster, service, key);
    if !(key.protocol.can_proxy() && settings.proxy_protocol) {
        return name;
    }
    let prefix = names::listener_prefix(cluster, service);
    name.replacen(&prefix, &format!("{prefix}{PROXY_MARK}"), 1).chars().take(80).collect()
}

pub(super) fn speaks_proxy_protocol(prefix: &str, listener_name: &str) -> bool {
    listener_name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with(PROXY_MARK))
}

/// The name of the security group that keeps a Service's source ranges.
pub(super) fn group_name(cluster: &ClusterIdentity, service: &ServiceKey) -> String {
    let prefix = names::listener_prefix(cluster, service);
    format!("{prefix}sources")
}
