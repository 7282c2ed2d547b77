//! Tasks: what a write begins and the timeline ends. A load balancer has one at a time.
//!
//! A write works out what its load balancers are to become; they become it when the task ends well, and nothing of it
//! when the task fails.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::create;
use super::errors;
use super::groups::TargetGroup;
use super::load_balancers::{self, LoadBalancer};
use super::targets;
use crate::call::Call;
use crate::error::ApiError;
use crate::settings::Task;
use crate::world::{Event as WorldEvent, Local, World};

/// How many tasks are remembered.
const KEPT: usize = 20_000;

/// A task comes to its end.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Event {
    task: String,
}

/// A task, also when it has ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct TaskRecord {
    id: String,
    progress: Progress,
    balancers: Vec<String>,
    /// Why it fails, or failed.
    fault: Option<String>,
    outcome: Option<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Progress {
    Succeeded,
    Failed,
    Running,
}

/// What a task leads to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Outcome {
    /// The load balancers are ready.
    Created(Vec<String>),
    /// Each load balancer becomes another.
    Become(Vec<LoadBalancer>),
    /// The load balancers are gone.
    Gone(Vec<String>),
    /// The target group becomes another.
    Group(Box<TargetGroup>),
}

/// Checks that no task runs on the load balancer.
pub(super) fn check_free(balancer: &LoadBalancer) -> Result<(), ApiError> {
    match &balancer.task {
        Some(task) => Err(errors::in_operating(&balancer.id, task)),
        None => Ok(()),
    }
}

/// A copy of the load balancer to change, unless a task runs on it. Targets of instances that are gone are left out.
pub(super) fn draft(here: &Local<'_>, call: &Call, id: &str) -> Result<LoadBalancer, ApiError> {
    let balancer = load_balancers::find(here, call, id)?;
    check_free(balancer)?;
    let mut draft = balancer.clone();
    for listener in &mut draft.listeners {
        listener.targets.retain(|target| targets::is_present(here.region, target));
        for rule in &mut listener.rules {
            rule.targets.retain(|target| targets::is_present(here.region, target));
        }
    }
    Ok(draft)
}

/// Begins the task of this call. With a fault it will fail.
pub(super) fn begin(here: &mut Local<'_>, call: &Call, task: Task, outcome: Outcome, fault: Option<String>) {
    let balancers: Vec<String> = match &outcome {
        Outcome::Created(ids) | Outcome::Gone(ids) => ids.clone(),
        Outcome::Become(balancers) => balancers.iter().map(|balancer| balancer.id.clone()).collect(),
        Outcome::Group(_) => Vec::new(),
    };
    let id = call.request_id.clone();
    for balancer in &balancers {
        if let Some(balancer) = here.region.clb.balancers.get_mut(balancer) {
            balancer.task = Some(id.clone());
        }
    }
    if let Outcome::Group(group) = &outcome
        && let Some(group) = here.region.clb.groups.get_mut(&group.id)
    {
        group.task = Some(id.clone());
    }
    let fault = fault.or_else(|| told_to_fail(here, call.action));
    let fault = fault.or_else(|| here.fails(task).then(|| "The task failed: the emulator was told so.".to_owned()));
    let record = TaskRecord { id: id.clone(), progress: Progress::Running, balancers, fault, outcome: Some(outcome) };
    keep(here, record);
    let at = here.now.after(here.settings.duration(task));
    here.plan(at, WorldEvent::Clb(Event { task: id }));
}

/// Begins the task in which one load balancer becomes another.
pub(super) fn change(here: &mut Local<'_>, call: &Call, task: Task, balancer: LoadBalancer) {
    begin(here, call, task, Outcome::Become(vec![balancer]), None);
}

/// Makes a change at once; its task has succeeded when the answer is read.
pub(super) fn change_at_once(here: &mut Local<'_>, call: &Call, balancers: Vec<LoadBalancer>) {
    let ids = balancers.iter().map(|balancer| balancer.id.clone()).collect();
    replace(here, balancers);
    let id = call.request_id.clone();
    let record = TaskRecord { id, progress: Progress::Succeeded, balancers: ids, fault: None, outcome: None };
    keep(here, record);
}

/// Keeps a task so that it can be asked for, and lets the oldest ones go that have ended.
fn keep(here: &mut Local<'_>, record: TaskRecord) {
    let tasks = &mut here.region.clb.tasks;
    if tasks.len() >= KEPT {
        let ended = tasks.values().find(|task| task.outcome.is_none()).map(|task| task.id.clone());
        tasks.remove(&ended.unwrap_or_default());
    }
    tasks.insert(record.id.clone(), record);
}

/// Whether a test wants the next task of this action to fail.
fn told_to_fail(here: &mut Local<'_>, action: &str) -> Option<String> {
    let left = here.region.clb.failing.get_mut(action).filter(|left| **left > 0)?;
    *left -= 1;
    Some(format!("The task of {action} failed: the test wanted it so."))
}

/// Lets a task come to its end.
pub(crate) fn happen(here: &mut Local<'_>, event: Event) {
    let Some(record) = here.region.clb.tasks.get_mut(&event.task) else { return };
    let Some(outcome) = record.outcome.take() else { return };
    let failed = record.fault.is_some();
    record.progress = if failed { Progress::Failed } else { Progress::Succeeded };
    for id in record.balancers.clone() {
        if let Some(balancer) = here.region.clb.balancers.get_mut(&id) {
            balancer.task = None;
        }
    }
    match outcome {
        Outcome::Created(ids) if failed => ids.iter().for_each(|id| remove(here, id)),
        Outcome::Created(ids) => {
            for id in ids {
                if let Some(balancer) = here.region.clb.balancers.get_mut(&id) {
                    balancer.ready = true;
                    balancer.changed = here.now;
                }
            }
        }
        Outcome::Become(balancers) if !failed => replace(here, balancers),
        Outcome::Gone(ids) if !failed => ids.iter().for_each(|id| remove(here, id)),
        Outcome::Group(mut group) => {
            if failed {
                if let Some(group) = here.region.clb.groups.get_mut(&group.id) {
                    group.task = None;
                }
            } else if here.region.clb.groups.contains(&group.id) {
                group.task = None;
                put_group(here, *group);
            }
        }
        Outcome::Become(_) | Outcome::Gone(_) => {}
    }
}

fn replace(here: &mut Local<'_>, balancers: Vec<LoadBalancer>) {
    for mut balancer in balancers {
        balancer.task = None;
        // A target group may have been deleted while the task ran.
        for listener in &mut balancer.listeners {
            let rules = listener.rules.iter_mut().map(|rule| &mut rule.groups);
            for groups in rules.chain([&mut listener.groups]) {
                groups.retain(|group| here.region.clb.groups.contains(&group.id));
            }
        }
        if let Some(place) = here.region.clb.balancers.get_mut(&balancer.id) {
            // Tags are not CLB's to change: those of now count.
            balancer.tags = std::mem::take(&mut place.tags);
            *place = balancer;
        }
    }
}

/// Puts a changed target group in the place of the old one.
pub(super) fn put_group(here: &mut Local<'_>, mut group: TargetGroup) {
    group.updated = here.now;
    if let Some(place) = here.region.clb.groups.get_mut(&group.id) {
        *place = group;
    }
}

/// Takes a load balancer away and gives its addresses back.
fn remove(here: &mut Local<'_>, id: &str) {
    let Some(gone) = here.region.clb.balancers.remove(id) else { return };
    here.region.clb.traffic.remove(id);
    create::take_back(here.region, &gone);
}

/// Whether the task of this id has failed.
pub(super) fn has_failed(here: &Local<'_>, id: &str) -> bool {
    here.region.clb.tasks.get(id).is_some_and(|record| record.progress == Progress::Failed)
}

pub(super) fn describe(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        task_id: Option<String>,
        deal_name: Option<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let deals = &here.region.clb.deals;
    let id = match (&input.task_id, &input.deal_name) {
        (Some(id), _) => id,
        (None, Some(deal)) => {
            let unknown = || errors::parameter(format!("`DealName`: there is no order `{deal}` in this region."));
            deals.get(deal).ok_or_else(unknown)?
        }
        (None, None) => return Err(errors::parameter("Give `TaskId` or `DealName`.")),
    };
    let unknown = || {
        let message = "`TaskId`: no task has the id";
        errors::parameter(format!("{message} `{id}` in this region; it is the request id of the call that began it."))
    };
    let record = here.region.clb.tasks.get(id).ok_or_else(unknown)?;
    let (status, message) = match record.progress {
        Progress::Succeeded => (0, None),
        Progress::Failed => (1, record.fault.as_deref()),
        Progress::Running => (2, None),
    };
    Ok(json!({ "Status": status, "LoadBalancerIds": record.balancers, "Message": message.unwrap_or_default() }))
}
