//! Source ranges: a security group of the Service's own, put on its balancer.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::TryStreamExt;
use ipnet::IpNet;
use qcloud_clb::model::SetLoadBalancerSecurityGroups;
use qcloud_vpc::model as vpc;

use super::Regional;
use super::create::{SOON, UNSEEN};
use super::ownership::{self, CLUSTER_TAG, SERVICE_TAG, SERVICE_UID_TAG, group_name};
use crate::kubernetes::load_balancers::{Access, LbSpec, LbState, Owner, ServiceKey, annotations};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// The most characters of the description of a security group.
const LONGEST_DESCRIPTION: usize = 100;
/// When to look again whether someone has taken other groups off a balancer.
const OTHERS: Duration = Duration::from_secs(60);

impl Regional {
    /// Tells the Service's own group from those of the user, and reads its ranges.
    pub(super) async fn read_access(&self, state: &mut LbState, service: &ServiceKey) -> Result<()> {
        if state.access.groups.is_empty() {
            return Ok(());
        }
        for own in self.own_groups(service).await? {
            if !state.access.groups.remove(&own) {
                continue;
            }
            let set = self.policies(&own).await?;
            let ranges = set.ingress.iter().flatten().filter_map(|policy| {
                let cidr = policy.cidr_block.as_deref().filter(|cidr| !cidr.is_empty());
                range(cidr.or(policy.ipv6_cidr_block.as_deref())?)
            });
            state.access.source_ranges.extend(ranges);
        }
        Ok(())
    }

    /// The group that a Service's balancer left behind when someone else removed it, as a balancer without an id.
    pub(super) async fn leftover(&self, service: &ServiceKey) -> Result<Option<LbState>> {
        let group = self.own_groups(service).await?.into_iter().next();
        Ok(group.map(|group| leftover(service.uid.as_str(), service.to_string(), group)))
    }

    /// The groups of all Services of the cluster.
    pub(super) async fn leftovers(&self) -> Result<Vec<LbState>> {
        let filter = vpc::Filter::new(format!("tag:{CLUSTER_TAG}"), [self.cluster.uid.as_str()]);
        let groups = self.vpc.describe_security_groups(vpc::DescribeSecurityGroups::new().filters([filter])).items();
        let groups: Vec<vpc::SecurityGroup> = groups.try_collect().await?;
        let leftovers = groups.into_iter().filter_map(|group| {
            let tag = |name: &str| group.tag_set.iter().find(|tag| tag.key == name)?.value.clone();
            Some(leftover(tag(SERVICE_UID_TAG)?, tag(SERVICE_TAG)?, group.security_group_id.clone()))
        });
        Ok(leftovers.collect())
    }

    /// The Service's own groups. When the answer to the making of one gets lost, there may be another.
    async fn own_groups(&self, service: &ServiceKey) -> Result<Vec<String>> {
        let name = group_name(&self.cluster, service);
        let filter = vpc::Filter::new("security-group-name", [name.as_str()]);
        let request = vpc::DescribeSecurityGroups::new().filters([filter]);
        let found: Vec<vpc::SecurityGroup> = self.vpc.describe_security_groups(request).items().try_collect().await?;
        // The filter may match parts of names.
        let found = found.into_iter().filter(|group| group.security_group_name == name);
        let mut ids: Vec<String> = found.map(|group| group.security_group_id).collect();
        ids.sort();
        if let Some((made, at)) = self.cache.group(&service.uid)
            && !ids.contains(&made)
            && self.now().saturating_sub(at) < UNSEEN
        {
            // It does not show yet.
            ids.push(made);
        }
        Ok(ids)
    }

    async fn policies(&self, group: &str) -> Result<vpc::SecurityGroupPolicySet> {
        match self.vpc.describe_security_group_policies(vpc::DescribeSecurityGroupPolicies::new(group)).await {
            Ok(answer) => Ok(answer.security_group_policy_set),
            Err(error) if error.is_not_found() => {
                // Whoever looks for a balancer must not take this for its absence.
                let message = format!("the security group {group} does not show");
                Err(ProviderError::new(ErrorKind::Conflict, message).with_retry_after(SOON).with_source(error))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Sets who may connect. Gives the id of the task.
    pub(super) async fn set_access(&self, state: &LbState, access: &Access, service: &ServiceKey) -> Result<String> {
        let groups = match (access.source_ranges.is_empty(), access.groups.is_empty()) {
            (false, _) => vec![self.own_group_with(access, service).await?],
            (true, false) => access.groups.iter().cloned().collect(),
            (true, true) => state.access.groups.iter().cloned().collect(),
        };
        let request = SetLoadBalancerSecurityGroups::new(state.id.as_str()).security_groups(groups);
        let task = self.clb.set_load_balancer_security_groups(request).await?.request_id;
        if access.source_ranges.is_empty() {
            match self.delete_groups(service).await {
                // The balancer still lets go of it. It is looked for again when the Service goes.
                Err(error) if error.kind() == ErrorKind::InUse => {}
                other => other?,
            }
        }
        Ok(task)
    }

    /// The Service's own group with exactly these ranges.
    async fn own_group_with(&self, access: &Access, service: &ServiceKey) -> Result<String> {
        let (id, version) = match self.own_groups(service).await?.into_iter().next() {
            Some(id) => {
                let present = self.policies(&id).await?;
                (id, present.version.filter(|version| version != "0"))
            }
            None => {
                let name = group_name(&self.cluster, service);
                let description = format!("Source ranges of the Service {service}");
                let description: String = description.chars().take(LONGEST_DESCRIPTION).collect();
                let tags = ownership::own_tags(&self.cluster, service);
                let tags = tags.into_iter().map(|(key, value)| vpc::Tag { key: key.to_owned(), value: Some(value) });
                let request = vpc::CreateSecurityGroup::new(name, description).tags(tags);
                let id = self.vpc.create_security_group(request).await?.security_group.security_group_id;
                self.cache.put_group(&service.uid, &id, self.now());
                (id, None)
            }
        };
        let ingress = access.source_ranges.iter().map(|range| {
            let (mut four, mut six) = (None, None);
            *(if range.addr().is_ipv4() { &mut four } else { &mut six }) = Some(range.to_string());
            vpc::SecurityGroupPolicy {
                protocol: Some("ALL".to_owned()),
                port: Some("ALL".to_owned()),
                cidr_block: four,
                ipv6_cidr_block: six,
                action: Some(vpc::PolicyAction::from("ACCEPT")),
                policy_description: Some("spec.loadBalancerSourceRanges".to_owned()),
                ..vpc::SecurityGroupPolicy::default()
            }
        });
        let mut set =
            vpc::SecurityGroupPolicySet { ingress: Some(ingress.collect()), ..vpc::SecurityGroupPolicySet::default() };
        let changed = match version {
            // The version is that of the group as it was read: a change by someone else in between makes this fail.
            Some(version) => {
                set.version = Some(version);
                let request = vpc::ModifySecurityGroupPolicies::new(id.as_str(), set);
                self.vpc.modify_security_group_policies(request).await
            }
            // A new group. To send its version, 0, back would be to ask for a group without rules.
            None => {
                let request = vpc::CreateSecurityGroupPolicies::new(id.as_str(), set);
                self.vpc.create_security_group_policies(request).await
            }
        };
        match changed {
            Ok(_) => Ok(id),
            Err(error) if error.code().is_some_and(|code| code.contains("Version") || code.contains("Duplicate")) => {
                Err(ProviderError::new(ErrorKind::Conflict, error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the Service's own groups, unless a balancer still has one.
    pub(super) async fn delete_groups(&self, service: &ServiceKey) -> Result<()> {
        for id in self.own_groups(service).await? {
            match self.vpc.delete_security_group(vpc::DeleteSecurityGroup::new(id.as_str())).await {
                Ok(_) => {}
                Err(error) if error.is_not_found() => {}
                Err(error) if error.code().is_some_and(|code| code.contains("InUse")) => {
                    return Err(ProviderError::new(ErrorKind::InUse, error.to_string()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Refuses source ranges beside security groups. A balancer admits what any of its groups admits, so next to another one
/// the Service's own would keep nobody out.
pub(super) fn check(want: &Access) -> Result<()> {
    if want.source_ranges.is_empty() || want.groups.is_empty() {
        return Ok(());
    }
    let groups = want.groups.iter().map(String::as_str).collect::<Vec<_>>().join(",");
    let message = format!(
        "annotation {}: value {groups:?}: what security groups admit gets in whatever the source ranges say; put the ranges \
         into the groups, or take the annotation off",
        annotations::SECURITY_GROUPS
    );
    Err(ProviderError::new(ErrorKind::InvalidArgument, message))
}

/// The same for groups that someone else put on the balancer.
pub(super) fn check_alone(want: &LbSpec, state: &LbState) -> Result<()> {
    if want.access.source_ranges.is_empty() || state.access.groups.is_empty() {
        return Ok(());
    }
    let groups = state.access.groups.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    let message = format!(
        "the balancer {} has the security groups {groups}: what they admit gets in whatever the source ranges say; take them \
         off the balancer, or the ranges off the Service",
        state.id
    );
    Err(ProviderError::new(ErrorKind::Conflict, message).with_retry_after(OTHERS))
}

/// A network as a policy shows it; a single address may stand without its length.
fn range(text: &str) -> Option<IpNet> {
    let range = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    Some(range.trunc())
}

fn leftover(uid: impl Into<String>, service: String, group: String) -> LbState {
    let mut state = LbState::new("", Owner::Service(uid.into()));
    state.ready = false;
    state.service_name = Some(service);
    state.access.groups.insert(group);
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_address_is_a_network() {
        assert_eq!(range("10.0.0.1"), "10.0.0.1/32".parse().ok());
        assert_eq!(range("fd00::1"), "fd00::1/128".parse().ok());
        assert_eq!(range("10.0.0.1/8"), "10.0.0.0/8".parse().ok());
        assert_eq!(range("sg-12345678"), None);
    }
}
