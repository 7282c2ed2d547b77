//! Route tables and the subnets that use them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::routes::Route;
use super::vpcs::{self, refuse_unknown};
use super::{LISTS, MALFORMED, check_id, check_name, subnets};
use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::listing::{self, Filter, Filters, Page};
use crate::settings::Quota;
use crate::tags::{self, Tag};
use crate::world::{Local, Region, World};

/// A route table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RouteTable {
    pub(crate) id: String,
    pub(crate) vpc_id: String,
    pub(crate) name: String,
    /// Whether it is the one that new subnets of the VPC get.
    pub(crate) main: bool,
    created: Time,
    tags: Vec<Tag>,
    pub(crate) routes: Vec<Route>,
}

impl RouteTable {
    pub(super) fn show(&self, region: &Region, with_routes: bool) -> Value {
        let used_by = region.vpc.subnets.values().filter(|subnet| subnet.route_table_id == self.id);
        let associations: Vec<Value> =
            used_by.map(|subnet| json!({ "SubnetId": subnet.id, "RouteTableId": self.id })).collect();
        let routes: Vec<Value> = self.routes.iter().filter(|_| with_routes).map(|route| route.show(&self.id)).collect();
        json!({
            "VpcId": self.vpc_id,
            "RouteTableId": self.id,
            "RouteTableName": self.name,
            "AssociationSet": associations,
            "RouteSet": routes,
            "Main": self.main,
            "CreatedTime": self.created.beijing(),
            "TagSet": self.tags,
            "LocalCidrForCcn": [],
        })
    }
}

/// The route table of this id, or the error that says it does not exist.
pub(super) fn find<'a>(region: &'a Region, id: &str) -> Result<&'a RouteTable, ApiError> {
    check_id("RouteTableId", id, "rtb")?;
    region.vpc.route_tables.get(id).ok_or_else(|| ApiError::not_found("route table", id))
}

/// As [`find`], to change it.
pub(super) fn find_mut<'a>(region: &'a mut Region, id: &str) -> Result<&'a mut RouteTable, ApiError> {
    check_id("RouteTableId", id, "rtb")?;
    region.vpc.route_tables.get_mut(id).ok_or_else(|| ApiError::not_found("route table", id))
}

/// Makes a route table without any check.
pub(super) fn make(here: &mut Local<'_>, vpc_id: &str, name: String, main: bool, tags: Vec<Tag>) -> String {
    let id = here.ids.new_id("rtb");
    let table = RouteTable {
        id: id.clone(),
        vpc_id: vpc_id.to_owned(),
        name,
        main,
        created: here.now,
        tags,
        routes: Vec::new(),
    };
    here.region.vpc.route_tables.insert(id.clone(), table);
    id
}

pub(super) fn create(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        vpc_id: String,
        route_table_name: String,
        tags: Option<Vec<Tag>>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    vpcs::find(here.region, &input.vpc_id)?;
    check_name("RouteTableName", &input.route_table_name)?;
    let tags = tags::check(input.tags)?;
    let limit = here.settings.limit(Quota::RouteTablesPerVpc);
    if here.region.vpc.route_tables.values().filter(|table| table.vpc_id == input.vpc_id).count() >= limit {
        let message = format!("The VPC `{}` has its {limit} route tables already.", input.vpc_id);
        return Err(ApiError::new("LimitExceeded", message));
    }
    let id = make(&mut here, &input.vpc_id, input.route_table_name, false, tags);
    Ok(json!({ "RouteTable": find(here.region, &id)?.show(here.region, true) }))
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        filters: Option<Vec<Filter>>,
        route_table_ids: Option<Vec<String>>,
        offset: Option<String>,
        limit: Option<String>,
        need_router_info: Option<bool>,
    }
    const FILTERS: &[&str] =
        &["route-table-id", "route-table-name", "vpc-id", "association.main", "next-hop-type", "tag-key", "tag:"];
    let input: Input = call.input()?;
    let here = world.local(call);
    listing::ids_or_filters(("RouteTableIds", input.route_table_ids.as_ref()), input.filters.as_ref(), &LISTS)?;
    let ids = input.route_table_ids.unwrap_or_default();
    listing::check_ids(("RouteTableIds", &ids), "rtb", MALFORMED, &LISTS)?;
    refuse_unknown(&here, &ids, "route table", |id| here.region.vpc.route_tables.contains(id))?;
    let filters = Filters::check(call, input.filters, FILTERS, &LISTS)?;
    let page = Page::from_text(input.offset.as_deref(), input.limit.as_deref(), &LISTS)?;
    let (total, tables) = page.cut(here.region.vpc.route_tables.among(&ids).filter(|table| {
        filters.accept(&table.tags, |name, value| match name {
            "route-table-id" => table.id == value,
            "route-table-name" => table.name == value,
            "vpc-id" => table.vpc_id == value,
            "association.main" => table.main.to_string() == value,
            "next-hop-type" => table.routes.iter().any(|route| route.gateway_type == value),
            _ => false,
        })
    }));
    let with_routes = input.need_router_info.unwrap_or(true);
    let tables: Vec<Value> = tables.into_iter().map(|table| table.show(here.region, with_routes)).collect();
    Ok(json!({ "TotalCount": total, "RouteTableSet": tables }))
}

pub(super) fn modify(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        route_table_id: String,
        route_table_name: String,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    check_name("RouteTableName", &input.route_table_name)?;
    find_mut(here.region, &input.route_table_id)?.name = input.route_table_name;
    Ok(json!({}))
}

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        route_table_id: String,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let table = find(here.region, &input.route_table_id)?;
    if table.main {
        let message = format!("`{}` is the default route table of `{}`: it goes with the VPC.", table.id, table.vpc_id);
        return Err(ApiError::new("UnsupportedOperation.DelDefaultRoute", message));
    }
    if let Some(subnet) = here.region.vpc.subnets.values().find(|subnet| subnet.route_table_id == table.id) {
        let message = format!(
            "The route table `{}` is used by the subnet `{}`: give that another one first.",
            table.id, subnet.id
        );
        return Err(ApiError::new("UnsupportedOperation.DelRouteWithSubnet", message));
    }
    here.region.vpc.route_tables.remove(&input.route_table_id);
    Ok(json!({}))
}

pub(super) fn replace_association(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        route_table_id: String,
        subnet_id: Option<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let table = find(here.region, &input.route_table_id)?;
    let subnet_id = input.subnet_id.ok_or_else(|| ApiError::missing("SubnetId"))?;
    let subnet = subnets::find(here.region, &subnet_id)?;
    if subnet.vpc_id != table.vpc_id {
        let message = format!("The route table is in `{}`, the subnet in `{}`.", table.vpc_id, subnet.vpc_id);
        return Err(ApiError::new("UnsupportedOperation.VpcMismatch", message));
    }
    if let Some(subnet) = here.region.vpc.subnets.get_mut(&subnet_id) {
        subnet.route_table_id = input.route_table_id;
    }
    Ok(json!({}))
}
