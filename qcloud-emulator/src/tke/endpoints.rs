//! The endpoints of a cluster: one in its VPC and one on the internet, each open or closed.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::access::{authority, domain};
use super::clusters::{self, Cluster};
use super::faults::{BAD_PARAMETER, ENDPOINT, NO_CLUSTER, NO_SUBNET, NOT_THERE, SUBNET_FULL};
use super::lifecycle::{Event, plan_after};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::settings::Task;
use crate::vpc::subnets;
use crate::world::{Local, World};

/// Which endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Side {
    Intranet,
    Extranet,
}

/// An endpoint that is open, or on its way to be or from being.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    pub(super) state: EndpointState,
    pub(super) address: Ipv4Addr,
    pub(super) domain: String,
    /// Empty for the public one.
    subnet: String,
    security_group: String,
    began: Time,
}

/// The state of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum EndpointState {
    Creating,
    Created,
    Deleting,
}

impl Side {
    fn of(extranet: Option<bool>) -> Self {
        if extranet == Some(true) { Self::Extranet } else { Self::Intranet }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Intranet => "private",
            Self::Extranet => "public",
        }
    }
}

impl Cluster {
    fn endpoint(&mut self, side: Side) -> &mut Option<Endpoint> {
        match side {
            Side::Intranet => &mut self.intranet,
            Side::Extranet => &mut self.extranet,
        }
    }

    /// The endpoint of one side while it is open.
    pub(super) fn open(&self, side: Side) -> Option<&Endpoint> {
        let endpoint = match side {
            Side::Intranet => &self.intranet,
            Side::Extranet => &self.extranet,
        };
        endpoint.as_ref().filter(|endpoint| endpoint.state == EndpointState::Created)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Input {
    cluster_id: String,
    subnet_id: Option<String>,
    is_extranet: Option<bool>,
    domain: Option<String>,
    security_group: Option<String>,
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let side = Side::of(input.is_extranet);
    let cluster = clusters::find_running(&here, &input.cluster_id, NO_CLUSTER)?;
    let vpc_id = cluster.network.vpc_id.clone();
    let present = match side {
        Side::Intranet => &cluster.intranet,
        Side::Extranet => &cluster.extranet,
    };
    if present.is_some() {
        let message = format!("The {} endpoint of `{}` is open already, or being switched.", side.name(), cluster.id);
        return ENDPOINT.refuse(&here, message);
    }
    if let Some(group) = input.security_group.as_ref().filter(|group| !group.is_empty())
        && !here.region.vpc.security_groups.contains(group)
    {
        return BAD_PARAMETER.refuse(&here, format!("The security group `{group}` does not exist in this region."));
    }
    let (address, subnet) = match side {
        Side::Extranet => (here.ids.new_public_ip().parse().unwrap_or(Ipv4Addr::UNSPECIFIED), String::new()),
        Side::Intranet => take_address(&mut here, input.subnet_id.as_deref().unwrap_or_default(), &vpc_id)?,
    };
    let endpoint = Endpoint {
        state: EndpointState::Creating,
        address,
        domain: input.domain.filter(|name| !name.is_empty()).unwrap_or_else(|| domain(&input.cluster_id)),
        subnet,
        security_group: input.security_group.unwrap_or_default(),
        began: here.now,
    };
    *clusters::find_mut(&mut here, &input.cluster_id, NO_CLUSTER)?.endpoint(side) = Some(endpoint);
    switch_later(&mut here, &input.cluster_id, side);
    Ok(json!({}))
}

/// An address for the private endpoint, which goes to the load balancer behind it.
fn take_address(here: &mut Local<'_>, id: &str, vpc_id: &str) -> Result<(Ipv4Addr, String), ApiError> {
    if here.region.vpc.subnets.get(id).is_none_or(|subnet| subnet.vpc_id != vpc_id) {
        return NO_SUBNET.refuse(
            here,
            format!("`SubnetId` must name a subnet of `{vpc_id}` for the private endpoint, not `{id}`."),
        );
    }
    let owner = here.ids.new_id("lb");
    let taken = here.region.vpc.subnets.get_mut(id).map(|subnet| subnet.take(None, &owner));
    match taken {
        Some(Ok(address)) => Ok((address, id.to_owned())),
        _ => SUBNET_FULL.refuse(here, format!("The subnet `{id}` has no address left.")),
    }
}

fn switch_later(here: &mut Local<'_>, cluster: &str, side: Side) {
    let event = Event::EndpointIsSwitched { cluster: cluster.to_owned(), side, began: here.now };
    plan_after(here, Task::ClusterEndpoint, event);
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let side = Side::of(input.is_extranet);
    clusters::find_running(&here, &input.cluster_id, NO_CLUSTER)?;
    let now = here.now;
    let endpoint = clusters::find_mut(&mut here, &input.cluster_id, NO_CLUSTER)?.endpoint(side);
    match endpoint.as_mut().filter(|endpoint| endpoint.state == EndpointState::Created) {
        Some(endpoint) => {
            endpoint.state = EndpointState::Deleting;
            endpoint.began = now;
        }
        None => {
            let message = format!("The {} endpoint of `{}` is not open.", side.name(), input.cluster_id);
            return NOT_THERE.refuse(&here, message);
        }
    }
    switch_later(&mut here, &input.cluster_id, side);
    Ok(json!({}))
}

/// An endpoint is open, or closed, at last.
pub(super) fn switched(here: &mut Local<'_>, cluster: &str, side: Side, began: Time) {
    let Some(cluster) = here.region.tke.clusters.get_mut(cluster) else { return };
    let slot = cluster.endpoint(side);
    let Some(endpoint) = slot.as_mut().filter(|endpoint| endpoint.began == began) else { return };
    if endpoint.state == EndpointState::Creating {
        endpoint.state = EndpointState::Created;
        return;
    }
    if let Some(endpoint) = slot.take() {
        subnets::release(here.region, &endpoint.subnet, &endpoint.address.to_string());
    }
}

/// Closes both endpoints of a cluster at once.
pub(super) fn close(here: &mut Local<'_>, cluster: &str) {
    let Some(cluster) = here.region.tke.clusters.get_mut(cluster) else { return };
    let endpoints = [cluster.intranet.take(), cluster.extranet.take()];
    for endpoint in endpoints.into_iter().flatten() {
        subnets::release(here.region, &endpoint.subnet, &endpoint.address.to_string());
    }
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let here = world.local(call);
    let cluster = clusters::find(&here, &input.cluster_id, NO_CLUSTER)?;
    let (inside, outside) = (cluster.open(Side::Intranet), cluster.open(Side::Extranet));
    let url = |endpoint: Option<&Endpoint>| {
        endpoint.map(|endpoint| format!("https://{}", endpoint.address)).unwrap_or_default()
    };
    let name =
        |endpoint: Option<&Endpoint>| endpoint.map(|endpoint| endpoint.domain.as_str()).unwrap_or_default().to_owned();
    Ok(json!({
        "CertificationAuthority": authority(&cluster.id),
        "ClusterExternalEndpoint": url(outside),
        "ClusterIntranetEndpoint": url(inside),
        "ClusterDomain": domain(&cluster.id),
        "ClusterExternalACL": null,
        "ClusterExternalDomain": name(outside),
        "ClusterIntranetDomain": name(inside),
        "SecurityGroup": outside.map(|endpoint| endpoint.security_group.as_str()).unwrap_or_default(),
        "ClusterIntranetSubnetId": inside.map(|endpoint| endpoint.subnet.as_str()).unwrap_or_default(),
        "IntranetSecurityGroup": inside.map(|endpoint| endpoint.security_group.as_str()).unwrap_or_default(),
    }))
}

pub(super) fn describe_status(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let input: Input = call.input()?;
    let here = world.local(call);
    let cluster = clusters::find(&here, &input.cluster_id, NO_CLUSTER)?;
    let endpoint = match Side::of(input.is_extranet) {
        Side::Intranet => &cluster.intranet,
        Side::Extranet => &cluster.extranet,
    };
    let status = match endpoint.as_ref().map(|endpoint| endpoint.state) {
        None => "NotFound",
        Some(EndpointState::Creating) => "Creating",
        Some(EndpointState::Created) => "Created",
        Some(EndpointState::Deleting) => "Deleting",
    };
    Ok(json!({ "Status": status, "ErrorMsg": "" }))
}
