//! Conflicts between the networks of pods and everything else that leads somewhere in a VPC.

use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::{
    Fault, IN_VPC, MORE_CLUSTER, MORE_IN_VPC, MORE_VPC_ROUTE, NO_VPC, OVERLAPS_CLUSTER, OVERLAPS_ROUTE,
    OVERLAPS_VPC_ROUTE, OWN_CIDR, TABLE_OVERLAPS_CLUSTER, TABLE_OVERLAPS_VPC_ROUTE,
};
use super::{State, cidrs};
use crate::call::Call;
use crate::cidr::Cidr;
use crate::error::ApiError;
use crate::vpc::Destination;
use crate::world::{Local, Region, World};

/// What a network of pods conflicts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Vpc,
    VpcRoute,
    Cluster,
    RouteTable,
}

/// One conflict.
#[derive(Debug)]
pub(super) struct Conflict {
    kind: Kind,
    cidr: Cidr,
    name: String,
    id: String,
}

/// The codes of an action for each kind of conflict.
#[derive(Clone, Copy, Debug)]
pub(super) struct ConflictFaults {
    vpc: Fault,
    vpc_route: Fault,
    cluster: Fault,
    table: Fault,
}

/// What the actions on clusters say.
pub(super) const FOR_CLUSTERS: ConflictFaults =
    ConflictFaults { vpc: IN_VPC, vpc_route: OVERLAPS_VPC_ROUTE, cluster: OVERLAPS_CLUSTER, table: OVERLAPS_ROUTE };

/// What the actions on route tables say.
pub(super) const FOR_TABLES: ConflictFaults = ConflictFaults {
    vpc: IN_VPC,
    vpc_route: TABLE_OVERLAPS_VPC_ROUTE,
    cluster: TABLE_OVERLAPS_CLUSTER,
    table: OVERLAPS_ROUTE,
};

/// What `AddClusterCIDR` says, of which the documentation has one family only.
pub(super) const FOR_MORE_CIDRS: ConflictFaults =
    ConflictFaults { vpc: MORE_IN_VPC, vpc_route: MORE_VPC_ROUTE, cluster: MORE_CLUSTER, table: OWN_CIDR };

impl Conflict {
    fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::Vpc => "Vpc",
            Kind::VpcRoute => "VpcRouteTable",
            Kind::Cluster => "CcsCluster",
            Kind::RouteTable => "CcsClusterRouteTable",
        }
    }
}

/// Everything in the VPC that the network overlaps.
fn all(region: &Region, vpc_id: &str, cidr: Cidr) -> Vec<Conflict> {
    let mut found = Vec::new();
    if let Some(vpc) = region.vpc.vpcs.get(vpc_id) {
        for network in vpc.networks().filter(|network| network.overlaps(cidr)) {
            found.push(Conflict { kind: Kind::Vpc, cidr: network, name: vpc.name.clone(), id: vpc.id.clone() });
        }
    }
    for table in region.tke.route_tables.values().filter(|table| table.vpc_id == vpc_id) {
        let kind = if table.of_cluster { Kind::Cluster } else { Kind::RouteTable };
        for other in table.cidrs.iter().filter(|other| other.overlaps(cidr)) {
            found.push(Conflict { kind, cidr: *other, name: table.name.clone(), id: table.name.clone() });
        }
    }
    for (other, table) in vpc_routes(region, vpc_id).filter(|(other, _)| clash(cidr, *other)) {
        let name = region.vpc.route_tables.get(table).map(|table| table.name.clone()).unwrap_or_default();
        found.push(Conflict { kind: Kind::VpcRoute, cidr: other, name, id: table.to_owned() });
    }
    found
}

/// The destinations of the VPC's own routes, each with the id of its table.
fn vpc_routes<'a>(region: &'a Region, vpc_id: &'a str) -> impl Iterator<Item = (Cidr, &'a str)> {
    let tables = region.vpc.route_tables.values().filter(move |table| table.vpc_id == vpc_id);
    tables.flat_map(|table| {
        table.routes.iter().filter_map(move |route| match route.destination {
            Destination::V4(cidr) => Some((cidr, table.id.as_str())),
            Destination::V6(_) => None,
        })
    })
}

/// Whether a network of pods and the destination of a VPC's route get in each other's way. A default route does not:
/// it is for whatever has no other route.
fn clash(pods: Cidr, destination: Cidr) -> bool {
    destination.length() > 0 && pods.overlaps(destination)
}

/// Refuses a network of pods that conflicts with something. With `ignoring`, only the VPC's own network counts.
pub(super) fn refuse(
    here: &Local<'_>,
    vpc_id: &str,
    cidr: Cidr,
    ignoring: bool,
    faults: ConflictFaults,
) -> Result<(), ApiError> {
    let conflicts = all(here.region, vpc_id, cidr);
    let Some(first) = conflicts.iter().find(|conflict| !ignoring || conflict.kind == Kind::Vpc) else { return Ok(()) };
    let (fault, what) = match first.kind {
        Kind::Vpc => (faults.vpc, "the VPC itself"),
        Kind::VpcRoute => (faults.vpc_route, "a route in the VPC's route table"),
        Kind::Cluster => (faults.cluster, "the cluster"),
        Kind::RouteTable => (faults.table, "the cluster route table"),
    };
    fault.refuse(here, format!("{cidr} overlaps {} of {what} `{}`: choose another network.", first.cidr, first.id))
}

/// Refuses a route of a VPC whose destination is one of the networks of pods there.
pub(crate) fn refuse_conflict(region: &Region, vpc_id: &str, destination: Cidr) -> Result<(), ApiError> {
    for table in region.tke.route_tables.values().filter(|table| table.vpc_id == vpc_id) {
        if let Some(pods) = table.cidrs.iter().find(|pods| clash(**pods, destination)) {
            let message = format!(
                "The destination {destination} overlaps {pods} of the cluster route table `{}`: what lies there is \
                 reached over cluster routes.",
                table.name
            );
            return Err(ApiError::new("UnsupportedOperation.ConflictWithDockerRoute", message));
        }
    }
    Ok(())
}

/// The cluster route table of a VPC whose network of pods overlaps a network, and that network of pods.
pub(crate) fn table_over(region: &Region, vpc_id: &str, cidr: Cidr) -> Option<(String, Cidr)> {
    let mut tables = region.tke.route_tables.values().filter(|table| table.vpc_id == vpc_id);
    tables.find_map(|table| {
        let pods = table.cidrs.iter().find(|pods| pods.overlaps(cidr))?;
        Some((table.name.clone(), *pods))
    })
}

/// The cluster or the cluster route table that a VPC is there for.
pub(crate) fn user_of(state: &State, vpc_id: &str) -> Option<String> {
    let cluster = state.clusters.values().find(|cluster| cluster.network.vpc_id == vpc_id);
    let cluster = cluster.map(|cluster| format!("the cluster `{}`", cluster.id));
    let table = || state.route_tables.values().find(|table| table.vpc_id == vpc_id);
    cluster.or_else(|| table().map(|table| format!("the cluster route table `{}`", table.name)))
}

/// The VPC's route that a cluster route would conflict with, and its table.
pub(super) fn with_vpc_route<'a>(region: &'a Region, vpc_id: &'a str, pods: Cidr) -> Option<(Cidr, &'a str)> {
    vpc_routes(region, vpc_id).find(|(destination, _)| clash(pods, *destination))
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        route_table_cidr_block: String,
        vpc_id: String,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let cidr = cidrs::read_pods(&here, "RouteTableCidrBlock", &input.route_table_cidr_block, cidrs::FOR_CONFLICTS)?;
    if !here.region.vpc.vpcs.contains(&input.vpc_id) {
        return NO_VPC.refuse(&here, format!("The VPC `{}` does not exist in this region.", input.vpc_id));
    }
    let conflicts: Vec<Value> = all(here.region, &input.vpc_id, cidr)
        .iter()
        .map(|conflict| {
            json!({
                "RouteTableType": conflict.type_name(),
                "RouteTableCidrBlock": conflict.cidr,
                "RouteTableName": conflict.name,
                "RouteTableId": conflict.id,
            })
        })
        .collect();
    Ok(json!({ "HasConflict": !conflicts.is_empty(), "RouteTableConflictSet": conflicts }))
}
