//! Publishing the routes of a route table to the CCN that its VPC is attached to.

use serde::Deserialize;
use serde_json::{Value, json};

use super::route_tables;
use crate::call::Call;
use crate::error::ApiError;
use crate::ids::well_formed;
use crate::world::World;

/// How many routes one request takes.
const MOST: usize = 100;

pub(super) fn publish(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    set_published(world, call, true)
}

pub(super) fn withdraw(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    set_published(world, call, false)
}

fn set_published(world: &mut World, call: &Call, published: bool) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        route_table_id: String,
        route_item_ids: Vec<String>,
    }
    let input: Input = call.input()?;
    let id = &input.route_table_id;
    if !well_formed(id, "rtb") {
        return Err(ApiError::new("InvalidRouteTableId.Malformed", format!("`RouteTableId`: `{id}` is malformed.")));
    }
    let here = world.local(call);
    let Some(table) = here.region.vpc.route_tables.get(id) else {
        let message = format!("The route table `{id}` does not exist in this region.");
        return Err(ApiError::new("InvalidRouteTableId.NotFound", message));
    };
    let vpc_id = table.vpc_id.clone();
    if input.route_item_ids.is_empty() || input.route_item_ids.len() > MOST {
        let message =
            format!("`RouteItemIds` takes 1 to {MOST} ids; the request gives {}.", input.route_item_ids.len());
        return Err(ApiError::invalid_value(message));
    }
    for item in &input.route_item_ids {
        let Some(route) = table.routes.iter().find(|route| route.item_id == *item) else {
            return Err(ApiError::new(
                "InvalidRouteId.NotFound",
                format!("The route table `{id}` has no route `{item}`."),
            ));
        };
        let refused = if route.route_type != "USER" {
            Some(("UnsupportedOperation.SystemRoute", "belongs to the system"))
        } else if route.published == published {
            let why = if published { "is published already" } else { "is not published" };
            Some(("UnsupportedOperation.NotifyCcn", why))
        } else if published && !route.enabled {
            Some(("UnsupportedOperation.InvalidStatusNotifyCcn", "is disabled: enable it first"))
        } else {
            None
        };
        if let Some((code, why)) = refused {
            return Err(ApiError::new(code, format!("The route `{item}` {why}.")));
        }
    }
    if published && !world.state.ccns.is_attached(call.region, &vpc_id, call.now) {
        let message = format!("The VPC `{vpc_id}` is attached to no CCN: attach it with AttachCcnInstances first.");
        return Err(ApiError::new("UnsupportedOperation.CcnNotAttached", message));
    }
    let here = world.local(call);
    let table = route_tables::find_mut(here.region, id)?;
    for route in table.routes.iter_mut().filter(|route| input.route_item_ids.contains(&route.item_id)) {
        route.published = published;
    }
    Ok(json!({}))
}
