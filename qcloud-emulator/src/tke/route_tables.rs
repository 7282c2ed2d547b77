//! Cluster route tables: the networks of pods, and the routes that lead to the pods of each node.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::faults::{
    BAD_PARAMETER, Fault, NO_TABLE_TO_DELETE, NO_VPC_FOR_TABLE, TABLE_EXISTS, TABLE_NOT_EMPTY, TABLE_OF_CLUSTER,
    TOO_MANY_TABLES,
};
use super::{cidrs, conflicts};
use crate::call::Call;
use crate::cidr::Cidr;
use crate::error::ApiError;
use crate::settings::Quota;
use crate::world::{Local, World};

/// A cluster route table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RouteTable {
    pub(super) name: String,
    pub(super) vpc_id: String,
    /// The network that destinations lie in; more than one when a cluster got further ones.
    pub(super) cidrs: Vec<Cidr>,
    /// Whether it came with a cluster, whose id is its name.
    pub(super) of_cluster: bool,
    /// The pods' network of each node, by the node's address: one for each.
    pub(super) routes: BTreeMap<Ipv4Addr, Cidr>,
}

impl RouteTable {
    /// The table that comes with a cluster.
    pub(super) fn of_cluster(cluster: &str, vpc_id: &str, cidrs: Vec<Cidr>) -> Self {
        let routes = BTreeMap::new();
        Self { name: cluster.to_owned(), vpc_id: vpc_id.to_owned(), cidrs, of_cluster: true, routes }
    }

    /// The route that leads to this address: where to, and over which node's address.
    pub(crate) fn route_to(&self, address: Ipv4Addr) -> Option<(Cidr, Ipv4Addr)> {
        let mut routes = self.routes.iter();
        routes.find(|(_, cidr)| cidr.contains_address(address)).map(|(gateway, cidr)| (*cidr, *gateway))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn vpc_id(&self) -> &str {
        &self.vpc_id
    }
}

/// The table of this name, or the error that says it does not exist.
pub(super) fn find<'a>(here: &'a Local<'_>, name: &str, absent: Fault) -> Result<&'a RouteTable, ApiError> {
    let missing =
        || absent.error(here.settings, format!("The cluster route table `{name}` does not exist in this region."));
    here.region.tke.route_tables.get(name).ok_or_else(missing)
}

/// Checks that there may be one more table.
pub(super) fn check_room(here: &Local<'_>) -> Result<(), ApiError> {
    let limit = here.settings.limit(Quota::ClusterRouteTablesPerRegion);
    if here.region.tke.route_tables.len() < limit {
        return Ok(());
    }
    let message = format!("The region {} has its {limit} cluster route tables already: delete one.", here.name);
    TOO_MANY_TABLES.refuse(here, message)
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        route_table_name: String,
        route_table_cidr_block: String,
        vpc_id: String,
        ignore_cluster_cidr_conflict: Option<i64>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let name = input.route_table_name;
    if name.is_empty() || name.len() > 63 {
        return BAD_PARAMETER.refuse(&here, "`RouteTableName` must have 1 to 63 bytes.");
    }
    let ignoring = match input.ignore_cluster_cidr_conflict {
        None | Some(0) => false,
        Some(1) => true,
        Some(other) => {
            return BAD_PARAMETER.refuse(&here, format!("`IgnoreClusterCidrConflict` is 0 or 1, not {other}."));
        }
    };
    let cidr = cidrs::read_pods(&here, "RouteTableCidrBlock", &input.route_table_cidr_block, cidrs::FOR_TABLES)?;
    if !here.region.vpc.vpcs.contains(&input.vpc_id) {
        let message = format!("`VpcId`: the VPC `{}` does not exist in this region.", input.vpc_id);
        return NO_VPC_FOR_TABLE.refuse(&here, message);
    }
    if here.region.tke.route_tables.contains(&name) {
        return TABLE_EXISTS.refuse(&here, format!("There is a cluster route table `{name}` already."));
    }
    conflicts::refuse(&here, &input.vpc_id, cidr, ignoring, conflicts::FOR_TABLES)?;
    check_room(&here)?;
    let table = RouteTable {
        name: name.clone(),
        vpc_id: input.vpc_id,
        cidrs: vec![cidr],
        of_cluster: false,
        routes: BTreeMap::new(),
    };
    here.region.tke.route_tables.insert(name, table);
    Ok(json!({}))
}

/// A table with several networks has a row for each.
pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    let here = world.local(call);
    let tables = here.region.tke.route_tables.values();
    let rows: Vec<Value> = tables
        .flat_map(|table| table.cidrs.iter().map(move |cidr| (table, cidr)))
        .map(
            |(table, cidr)| json!({ "RouteTableName": table.name, "RouteTableCidrBlock": cidr, "VpcId": table.vpc_id }),
        )
        .collect();
    Ok(json!({ "TotalCount": rows.len(), "RouteTableSet": rows }))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        route_table_name: String,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let table = find(&here, &input.route_table_name, NO_TABLE_TO_DELETE)?;
    if table.of_cluster {
        let message = format!("The cluster route table `{}` goes with its cluster: delete that.", table.name);
        return TABLE_OF_CLUSTER.refuse(&here, message);
    }
    if !table.routes.is_empty() {
        let message = format!(
            "The cluster route table `{}` still has {} routes: delete them first.",
            table.name,
            table.routes.len()
        );
        return TABLE_NOT_EMPTY.refuse(&here, message);
    }
    here.region.tke.route_tables.remove(&input.route_table_name);
    Ok(json!({}))
}
