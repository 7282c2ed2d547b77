//! What runs in the background. Work on network interfaces is asked for by the id of the request that began it, work
//! on elastic IPs by a number.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::call::Call;
use crate::clock::Time;
use crate::error::ApiError;
use crate::settings::Task;
use crate::table::Table;
use crate::world::{Local, World};

/// How many tasks of each kind are remembered.
const KEPT: usize = 20_000;
/// Where the numbers of tasks begin.
const FIRST_NUMBER: u64 = 61_531_400;

/// The tasks of a region.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tasks {
    by_request: Table<ByRequest>,
    by_number: BTreeMap<u64, Time>,
    given: u64,
}

/// A task that is known by the id of a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ByRequest {
    request_id: String,
    resource: String,
    ends: Time,
    /// Why it came to nothing, if it did.
    failure: Option<String>,
}

impl Tasks {
    /// Begins a task on a resource. Gives the time of its end.
    pub(super) fn begin(here: &mut Local<'_>, call: &Call, resource: &str, ends: Time) {
        let request_id = call.request_id.clone();
        let task = ByRequest { request_id: request_id.clone(), resource: resource.to_owned(), ends, failure: None };
        here.region.vpc.tasks.insert(request_id, task);
    }

    fn insert(&mut self, request_id: String, task: ByRequest) {
        if self.by_request.len() >= KEPT {
            let oldest = self.by_request.values().next().map(|task| task.request_id.clone());
            self.by_request.remove(&oldest.unwrap_or_default());
        }
        self.by_request.insert(request_id, task);
    }

    /// A repeated request is answered like the first one: its id leads to the same task.
    pub(super) fn repeat(&mut self, first: &str, repeated: &str) {
        if let Some(task) = self.by_request.get(first).cloned() {
            self.insert(repeated.to_owned(), ByRequest { request_id: repeated.to_owned(), ..task });
        }
    }

    /// The task comes to nothing.
    pub(super) fn fail(&mut self, request_id: &str, why: &str) {
        if let Some(task) = self.by_request.get_mut(request_id) {
            task.failure = Some(why.to_owned());
        }
    }

    /// Begins a task that has a number: the number as answers have it, and the time of its end.
    pub(super) fn begin_numbered(here: &mut Local<'_>, task: Task) -> (String, Time) {
        let ends = here.now.after(here.settings.duration(task));
        let tasks = &mut here.region.vpc.tasks;
        tasks.given += 1;
        let number = FIRST_NUMBER + tasks.given;
        tasks.by_number.insert(number, ends);
        if tasks.by_number.len() > KEPT {
            tasks.by_number.pop_first();
        }
        (number.to_string(), ends)
    }
}

pub(super) fn describe_by_request(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        task_id: String,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let Some(task) = here.region.vpc.tasks.by_request.get(&input.task_id) else {
        let message = format!(
            "There is no task `{}` in this region: give the RequestId of the request that began it.",
            input.task_id
        );
        return Err(ApiError::new("ResourceNotFound", message));
    };
    let status = match &task.failure {
        Some(_) => "FAILED",
        None if task.ends > here.now => "RUNNING",
        None => "SUCCESS",
    };
    let output = task.failure.clone().unwrap_or_else(|| if status == "SUCCESS" { "SUCCESS" } else { "" }.to_owned());
    Ok(json!({
        "Status": status,
        "Output": output,
        "Result": [{ "ResourceId": task.resource, "Status": status }],
    }))
}

pub(super) fn describe_by_number(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        task_id: Option<u64>,
        deal_name: Option<String>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let number = match (input.task_id, input.deal_name) {
        (Some(number), _) => number,
        (None, Some(deal)) => {
            let message = format!("`DealName`: there is no order `{deal}`; the emulator's orders have no names.");
            return Err(ApiError::new("InvalidParameter", message));
        }
        (None, None) => return Err(ApiError::missing("TaskId")),
    };
    let Some(ends) = here.region.vpc.tasks.by_number.get(&number) else {
        return Err(ApiError::new("InvalidParameter", format!("`TaskId`: there is no task {number} in this region.")));
    };
    let result = if *ends > here.now { "RUNNING" } else { "SUCCESS" };
    Ok(json!({ "TaskId": number, "Result": result }))
}
