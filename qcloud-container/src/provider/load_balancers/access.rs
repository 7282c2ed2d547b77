//! Source ranges: a security group of the Service's own, put on its balancer.

use futures_util::TryStreamExt;
use qcloud_clb::model::SetLoadBalancerSecurityGroups;
use qcloud_vpc::model as vpc;

use super::Regional;
use super::ownership::{self, CLUSTER_TAG, SERVICE_TAG, SERVICE_UID_TAG, group_name};
use crate::kubernetes::load_balancers::{Access, LbState, Owner, ServiceKey};
use crate::kubernetes::{ErrorKind, ProviderError, Result};

impl Regional {
    /// Tells the Service's own group from those of the user, and reads its ranges.
    pub(super) async fn read_access(&self, state: &mut LbState, service: &ServiceKey) -> Result<()> {
        if state.access.groups.is_empty() {
            return Ok(());
        }
        let Some(own) = self.own_group(service).await? else { return Ok(()) };
        if state.access.groups.remove(&own) {
            let set = self.policies(&own).await?;
            let ranges = set.ingress.iter().flatten().filter_map(|policy| {
                let cidr = policy.cidr_block.as_deref().filter(|cidr| !cidr.is_empty());
                cidr.or(policy.ipv6_cidr_block.as_deref())?.parse::<ipnet::IpNet>().ok()
            });
            state.access.source_ranges = ranges.map(|range| range.trunc()).collect();
        }
        Ok(())
    }

    /// The group that a Service's balancer left behind when someone else removed it, as a balancer without an id.
    pub(super) async fn leftover(&self, service: &ServiceKey) -> Result<Option<LbState>> {
        let group = self.own_group(service).await?;
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

    async fn own_group(&self, service: &ServiceKey) -> Result<Option<String>> {
        let name = group_name(&self.cluster, service);
        let filter = vpc::Filter::new("security-group-name", [name.as_str()]);
        let answer = self.vpc.describe_security_groups(vpc::DescribeSecurityGroups::new().filters([filter])).await;
        let groups = answer?.security_group_set;
        // The filter may match parts of names.
        Ok(groups.into_iter().find(|group| group.security_group_name == name).map(|group| group.security_group_id))
    }

    async fn policies(&self, group: &str) -> Result<vpc::SecurityGroupPolicySet> {
        let answer = self.vpc.describe_security_group_policies(vpc::DescribeSecurityGroupPolicies::new(group)).await;
        Ok(answer?.security_group_policy_set)
    }

    pub(super) async fn set_access(&self, state: &LbState, access: &Access, service: &ServiceKey) -> Result<()> {
        let mut groups: Vec<String> =
            if access.groups.is_empty() { &state.access.groups } else { &access.groups }.iter().cloned().collect();
        if !access.source_ranges.is_empty() {
            groups.push(self.own_group_with(access, service).await?);
        }
        let request = SetLoadBalancerSecurityGroups::new(state.id.as_str()).security_groups(groups);
        self.clb.set_load_balancer_security_groups(request).await?;
        if access.source_ranges.is_empty() {
            match self.delete_group(service).await {
                // The balancer still lets go of it. It is looked for again when the Service goes.
                Err(error) if error.kind() == ErrorKind::InUse => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// The Service's own group with exactly these ranges.
    async fn own_group_with(&self, access: &Access, service: &ServiceKey) -> Result<String> {
        let id = match self.own_group(service).await? {
            Some(id) => id,
            None => {
                let name = group_name(&self.cluster, service);
                let description = format!("Source ranges of the Service {service}");
                let tags = ownership::own_tags(&self.cluster, service);
                let tags = tags.into_iter().map(|(key, value)| vpc::Tag { key: key.to_owned(), value: Some(value) });
                let request = vpc::CreateSecurityGroup::new(name, description).tags(tags);
                self.vpc.create_security_group(request).await?.security_group.security_group_id
            }
        };
        let present = self.policies(&id).await?;
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
        let changed = match present.version.filter(|version| version != "0") {
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

    /// Removes the Service's own group, unless a balancer still has it.
    pub(super) async fn delete_group(&self, service: &ServiceKey) -> Result<()> {
        let Some(id) = self.own_group(service).await? else { return Ok(()) };
        match self.vpc.delete_security_group(vpc::DeleteSecurityGroup::new(id)).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) if error.code().is_some_and(|code| code.contains("InUse")) => {
                Err(ProviderError::new(ErrorKind::InUse, error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn leftover(uid: impl Into<String>, service: String, group: String) -> LbState {
    let mut state = LbState::new("", Owner::Service(uid.into()));
    state.ready = false;
    state.service_name = Some(service);
    state.access.groups.insert(group);
    state
}
