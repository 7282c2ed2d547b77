//! Waiting for load balancers and tasks.

use std::time::Duration;

use qcloud_core::wait::{Condition, Verdict, Wait, Watch, is_gone};

use crate::Client;
use crate::model::{DescribeLoadBalancers, DescribeTaskStatus, LoadBalancer, LoadBalancerStatus, TaskStatus};

/// DescribeLoadBalancers takes fewer ids than other lists.
const LOAD_BALANCERS: Watch<LoadBalancer> = Watch::new(
    "load balancers",
    |balancer: &LoadBalancer| &balancer.load_balancer_id,
    |balancer| balancer.status.to_string(),
)
.most_ids(20);

/// A task at one moment. Every write of CLB is one; its id is the request id of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Task {
    /// The request id of the action that began it.
    pub id: String,
    /// How far it is.
    pub status: TaskStatus,
    /// Why it failed; empty otherwise.
    pub message: String,
    /// The load balancers that it made, if it made any.
    pub load_balancer_ids: Vec<String>,
}

const TASKS: Watch<Task> = Watch::new("tasks", |task: &Task| &task.id, |task| task.status.to_string()).most_ids(1);

impl Client {
    /// Waits until load balancers are as `condition` says, and gives them. See [`Wait`].
    pub fn wait_for_load_balancers<'c>(
        &'c self,
        ids: impl IntoIterator<Item = impl Into<String>>,
        condition: impl Condition<LoadBalancer> + 'c,
    ) -> Wait<'c, LoadBalancer> {
        let look = move |ids: Vec<String>| {
            let call = self.describe_load_balancers(DescribeLoadBalancers::new().load_balancer_ids(ids).limit(20));
            Box::pin(async move { Ok(call.await?.load_balancer_set) }) as _
        };
        Wait::new(self.config(), LOAD_BALANCERS, ids, look, condition)
    }

    /// Waits until a task has succeeded, and gives it. The id is the request id of the write that began it. While it
    /// runs, other writes to the same load balancer are refused as busy.
    ///
    /// ```no_run
    /// # use qcloud_clb::model::DeleteListener;
    /// # async fn example(clb: qcloud_clb::Client) -> qcloud_core::Result<()> {
    /// let deleted = clb.delete_listener(DeleteListener::new("lb-1a2b3c4d", "lbl-1a2b3c4d")).await?;
    /// clb.wait_for_task(deleted.request_id).await?;
    /// # Ok(()) }
    /// ```
    pub fn wait_for_task(&self, request_id: impl Into<String>) -> Wait<'_, Task> {
        self.wait_for_tasks([request_id.into()])
    }

    /// Waits until all of these tasks have succeeded.
    pub fn wait_for_tasks(&self, request_ids: impl IntoIterator<Item = impl Into<String>>) -> Wait<'_, Task> {
        let look = move |ids: Vec<String>| {
            Box::pin(async move {
                let mut tasks = Vec::new();
                for id in ids {
                    let answer = self.describe_task_status(DescribeTaskStatus::new().task_id(id.as_str())).await?;
                    tasks.push(Task {
                        id,
                        status: answer.status,
                        message: answer.message.unwrap_or_default(),
                        load_balancer_ids: answer.load_balancer_ids,
                    });
                }
                Ok(tasks)
            }) as _
        };
        Wait::new(self.config(), TASKS, request_ids, look, has_succeeded())
            .with_pauses(Duration::from_secs(1), Duration::from_secs(5))
    }
}

/// The load balancer is ready.
pub fn is_ready() -> impl Condition<LoadBalancer> {
    |balancer: Option<&LoadBalancer>| {
        Verdict::from(balancer.is_some_and(|balancer| balancer.status == LoadBalancerStatus::Normal))
    }
}

/// The load balancer has an address, or a domain name in place of one. It comes some time after the creation.
pub fn has_address() -> impl Condition<LoadBalancer> {
    |balancer: Option<&LoadBalancer>| {
        Verdict::from(balancer.is_some_and(|balancer| {
            !balancer.load_balancer_vips.is_empty() || !balancer.load_balancer_domain.is_empty()
        }))
    }
}

/// The load balancer is no longer listed. For balancers that have been listed before.
pub fn is_deleted() -> impl Condition<LoadBalancer> {
    is_gone()
}

/// The task has succeeded. Hopeless when it has failed.
pub fn has_succeeded() -> impl Condition<Task> {
    |task: Option<&Task>| match task {
        Some(Task { status: TaskStatus::Succeeded, .. }) => Verdict::Met,
        Some(Task { status: TaskStatus::Failed, message, .. }) => {
            let why = if message.is_empty() { "no reason given" } else { message };
            Verdict::Impossible(format!("the task failed: {why}"))
        }
        _ => Verdict::NotYet,
    }
}
