//! `DeleteLoadBalancer`, and what stands in its way.

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::errors;
use super::load_balancers::{self, LoadBalancer};
use super::tasks::{self, Outcome};
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::{Quota, Task};
use crate::world::{Local, World};

const MOST: usize = 20;
/// How long deletions count as being many at once.
const WINDOW: Duration = Duration::from_secs(300);
/// With as many targets, a load balancer counts as being in use.
const MANY_TARGETS: usize = 20;
/// With more Mbit/s of traffic, a load balancer counts as being in use.
const MUCH_TRAFFIC: u64 = 10;

pub(super) fn delete(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        load_balancer_ids: Vec<String>,
        force_delete: Option<bool>,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    errors::check_count("LoadBalancerIds", input.load_balancer_ids.len(), 1, MOST)?;
    let mut ids = input.load_balancer_ids;
    ids.sort();
    ids.dedup();
    for id in &ids {
        let balancer = load_balancers::find(&here, call, id)?;
        tasks::check_free(balancer)?;
        check_deletable(balancer)?;
        check_risk(&here, balancer, input.force_delete.unwrap_or_default())?;
    }
    check_frequency(&here, ids.len())?;
    let now = here.now;
    let deletions = &mut here.region.clb.deletions;
    deletions.retain(|(at, _)| at.after(WINDOW) > now);
    deletions.push((now, ids.len()));
    tasks::begin(&mut here, call, Task::LoadBalancerDelete, Outcome::Gone(ids), None);
    Ok(json!({}))
}

fn check_deletable(balancer: &LoadBalancer) -> Result<(), ApiError> {
    let id = &balancer.id;
    if balancer.protected {
        let message =
            format!("`{id}` is protected against deletion: ModifyLoadBalancerAttributes turns `DeleteProtect` off.");
        return Err(errors::failed(message));
    }
    if balancer.prepaid.is_some() {
        let message = format!("`{id}` is prepaid: it cannot be deleted, only returned or left to expire.");
        return Err(errors::failed(message));
    }
    Ok(())
}

/// Refuses to delete what seems to be in use. Force helps, but not against traffic on an elastic IP.
fn check_risk(here: &Local<'_>, balancer: &LoadBalancer, force: bool) -> Result<(), ApiError> {
    let id = &balancer.id;
    let targets = balancer.bound(here.region).count();
    let traffic = here.region.clb.traffic.get(id).copied().unwrap_or_default();
    if traffic > MUCH_TRAFFIC && !balancer.eip_id.is_empty() {
        let message = format!(
            "`{id}` carries {traffic} Mbit/s over the elastic IP `{}`: stop the traffic first.",
            balancer.eip_id
        );
        return Err(ApiError::new("FailedOperation.EipTrafficCheckRisk", message));
    }
    if !force && targets >= MANY_TARGETS {
        let message =
            format!("`{id}` has {targets} targets, {MANY_TARGETS} or more: unbind them or set `ForceDelete`.");
        return Err(ApiError::new("FailedOperation.TargetNumCheckRisk", message));
    }
    if !force && traffic > MUCH_TRAFFIC {
        let message = format!(
            "`{id}` carries {traffic} Mbit/s, more than {MUCH_TRAFFIC}: stop the traffic or set `ForceDelete`."
        );
        return Err(ApiError::new("FailedOperation.TrafficCheckRisk", message));
    }
    Ok(())
}

/// Refuses mass deletion, forced or not.
fn check_frequency(here: &Local<'_>, count: usize) -> Result<(), ApiError> {
    let recent = here.region.clb.deletions.iter().filter(|(at, _)| at.after(WINDOW) > here.now);
    let recent: usize = recent.map(|(_, count)| count).sum();
    let limit = here.settings.limit(Quota::DeletionsInFiveMinutes);
    if recent + count >= limit {
        let message = format!(
            "{recent} load balancers were deleted in the last five minutes; {count} more would make it {limit} or more. \
             Wait, and delete fewer at a time."
        );
        return Err(ApiError::new("FailedOperation.FrequencyCheckRisk", message));
    }
    Ok(())
}
