//! Changing the weights and ports of bound targets.

use serde::Deserialize;
use serde_json::{Value, json};

use super::registration::{bindings, named};
use super::rules::Location;
use super::targets::GivenTarget;
use super::{errors, tasks};
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::Task;
use crate::world::World;

const MOST: usize = 200;
const MOST_ITEMS: usize = 100;
const MOST_PER_ITEM: usize = 50;
const MOST_IN_ALL: usize = 500;

pub(super) fn weight(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        load_balancer_id: String,
        #[serde(flatten)]
        weights: Weights,
    }
    let input: Input = call.input()?;
    errors::check_count("Targets", input.weights.targets.len(), 1, MOST)?;
    set_weights(world, call, &input.load_balancer_id, &[input.weights])
}

/// New weights for targets of one listener or rule.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Weights {
    listener_id: String,
    targets: Vec<GivenTarget>,
    #[serde(flatten)]
    location: Location,
    weight: Option<i64>,
}

pub(super) fn batch_weight(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        load_balancer_id: String,
        modify_list: Vec<Weights>,
    }
    let input: Input = call.input()?;
    errors::check_count("ModifyList", input.modify_list.len(), 1, MOST_ITEMS)?;
    for item in &input.modify_list {
        errors::check_count("ModifyList.Targets", item.targets.len(), 1, MOST_PER_ITEM)?;
    }
    let all = input.modify_list.iter().map(|item| item.targets.len()).sum();
    errors::check_count("ModifyList.Targets of all items", all, 1, MOST_IN_ALL)?;
    set_weights(world, call, &input.load_balancer_id, &input.modify_list)
}

fn set_weights(world: &mut World, call: &Call, balancer: &str, items: &[Weights]) -> Result<Value, ApiError> {
    let mut here = world.local(call);
    let mut draft = tasks::draft(&here, call, balancer)?;
    for item in items {
        let listener = draft.listener_mut(&here, call, &item.listener_id)?;
        let bound = bindings(&here, call, listener, &item.location)?;
        for given in &item.targets {
            let weight = given.weight(item.weight)?;
            named(bound, &given.name()?, given.port()?)?.weight = weight;
        }
    }
    tasks::change(&mut here, call, Task::TargetChange, draft);
    Ok(json!({}))
}

pub(super) fn port(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        load_balancer_id: String,
        listener_id: String,
        targets: Vec<GivenTarget>,
        new_port: i64,
        #[serde(flatten)]
        location: Location,
    }
    let input: Input = call.input()?;
    let mut here = world.local(call);
    let mut draft = tasks::draft(&here, call, &input.load_balancer_id)?;
    errors::check_count("Targets", input.targets.len(), 1, MOST)?;
    let new_port = errors::port("NewPort", input.new_port)?;
    let bound = bindings(&here, call, draft.listener_mut(&here, call, &input.listener_id)?, &input.location)?;
    for given in &input.targets {
        let name = given.name()?;
        let target = named(bound, &name, given.port()?)?;
        let address = target.place.address.clone();
        if bound.iter().any(|other| other.port == new_port && other.place.address == address) {
            return Err(errors::duplicate(format!("The target {name} is bound with port {new_port} already.")));
        }
        named(bound, &name, given.port()?)?.port = new_port;
    }
    tasks::change(&mut here, call, Task::TargetChange, draft);
    Ok(json!({}))
}
