//! Whose balancer is whose, by tags.

use qcloud_clb::model::{LoadBalancer, ModifyLoadBalancerAttributes, TagInfo};
use qcloud_core::{Raw, Service};
use serde_json::json;

use super::Regional;
use crate::kubernetes::load_balancers::{
    LbSpec, LbState, ListenerKey, Owner, ServiceKey, Settings, StaticAddress, annotations, names,
};
use crate::kubernetes::{ClusterIdentity, ErrorKind, ProviderError, Result};

pub use crate::provider::CLUSTER_TAG;

/// The tag with the uid of the Service.
pub const SERVICE_UID_TAG: &str = "qcloud-rs-service-uid";
/// The tag with namespace and name of the Service, for people.
pub const SERVICE_TAG: &str = "qcloud-rs-service";
/// The tag with the id of the elastic address that the balancer was made with. CLB shows it nowhere else.
pub const ADDRESS_TAG: &str = "qcloud-rs-address";
/// The tag of a balancer whose Service wants it to stay, from the beginning.
pub const RETAIN_TAG: &str = "qcloud-rs-retain";
/// What the name of a balancer begins with that outlived its Service and could not be rid of its tags: they no longer
/// count.
pub const RETAINED_PREFIX: &str = "retained-";

/// CLB has no action that takes tags away.
const TAGS: Service = Service::new("tag", "2018-08-13");

/// Tags that no Service can set.
const OWN_TAGS: [&str; 5] = [CLUSTER_TAG, SERVICE_UID_TAG, SERVICE_TAG, ADDRESS_TAG, RETAIN_TAG];

/// The tags of everything that is made for a Service.
pub(super) fn own_tags(cluster: &ClusterIdentity, service: &ServiceKey) -> [(&'static str, String); 3] {
    [(CLUSTER_TAG, cluster.uid.clone()), (SERVICE_UID_TAG, service.uid.clone()), (SERVICE_TAG, service.to_string())]
}

pub(super) fn tags(cluster: &ClusterIdentity, want: &LbSpec) -> Vec<TagInfo> {
    let address = match &want.address {
        Some(StaticAddress::Reserved(id)) => Some((ADDRESS_TAG, id.clone())),
        _ => None,
    };
    let retain = want.retain.then(|| (RETAIN_TAG, "true".to_owned()));
    let own = own_tags(cluster, &want.key).into_iter().chain(address).chain(retain);
    let theirs = want.tags.iter().map(|(name, value)| (name.as_str(), value.clone()));
    own.chain(theirs.filter(|(name, _)| !OWN_TAGS.contains(name)))
        .map(|(name, value)| TagInfo { tag_key: name.to_owned(), tag_value: value })
        .collect()
}

pub(super) fn tag<'b>(balancer: &'b LoadBalancer, name: &str) -> Option<&'b str> {
    balancer.tags.iter().find(|tag| tag.tag_key == name).map(|tag| tag.tag_value.as_str())
}

/// Refuses a name that says that a balancer is nobody's.
pub(super) fn check_name(name: &str) -> Result<()> {
    if !name.starts_with(RETAINED_PREFIX) {
        return Ok(());
    }
    let message = format!(
        "annotation {}: LoadBalancerName {name:?}: names that begin with {RETAINED_PREFIX} are those of balancers that \
         outlived their Services",
        annotations::CREATE_PARAMETERS
    );
    Err(ProviderError::new(ErrorKind::InvalidArgument, message))
}

impl Regional {
    /// Lets go of a balancer that stays: it loses its tags, or, where that is not permitted, gets a name that says so.
    pub(super) async fn disown(&self, state: &LbState) -> Result<()> {
        // Without the last two it is no longer found: they go when all else is done.
        for tag in [RETAIN_TAG, ADDRESS_TAG, SERVICE_TAG, CLUSTER_TAG, SERVICE_UID_TAG] {
            let request = json!({
                "ServiceType": "clb",
                "ResourcePrefix": "clb",
                "ResourceRegion": self.region,
                "ResourceIds": [state.id],
                "TagKey": tag,
            });
            match self.clb.call(Raw::new("DetachResourcesTag", request).with_service(TAGS)).await {
                Ok(_) => {}
                Err(error) if error.is_not_found() => {}
                Err(error) => {
                    let error = ProviderError::from(error);
                    if !matches!(error.kind(), ErrorKind::Unauthorized | ErrorKind::Unsupported) {
                        return Err(error);
                    }
                    let name: String = format!("{RETAINED_PREFIX}{}", state.name).chars().take(80).collect();
                    let request = ModifyLoadBalancerAttributes::new(state.id.as_str()).load_balancer_name(name);
                    self.clb.modify_load_balancer_attributes(request).await?;
                    return Ok(());
                }
            }
        }
        Ok(())
    }
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
