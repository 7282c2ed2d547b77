//! What became of the tasks that steps begin.

use std::time::Duration;

use qcloud_clb::model as clb;

use super::Regional;
use crate::kubernetes::load_balancers::Op;
use crate::kubernetes::{ErrorKind, ProviderError, Result};

/// How long to wait after a task that failed; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The last task that was begun for a Service.
#[derive(Clone, Debug)]
pub(super) struct Task {
    /// The step that began it.
    op: Op,
    /// Its id; none once it is known how it ended.
    id: Option<String>,
    /// How often in a row it has failed.
    failures: u32,
}

/// How a task ended.
#[derive(Debug)]
pub(super) enum Outcome {
    /// There is none, or that is known already.
    Unknown,
    /// It has not.
    Running,
    Succeeded,
    /// With CLB's words, and a pause that grows.
    Failed(ProviderError),
}

impl Regional {
    /// Notes the task that a step has begun.
    pub(super) fn began(&self, service_uid: &str, op: &Op, id: String) {
        let failures = self.cache.task(service_uid).filter(|last| last.op == *op).map_or(0, |last| last.failures);
        self.cache.put_task(service_uid, Task { op: op.clone(), id: Some(id), failures });
    }

    /// What became of a step that has to be taken once more. CLB is asked once for each time that it was taken.
    pub(super) async fn outcome(&self, service_uid: &str, balancer: &str, op: &Op) -> Result<Outcome> {
        match self.cache.task(service_uid) {
            Some(last) if last.op == *op => self.last_outcome(service_uid, balancer).await,
            _ => Ok(Outcome::Unknown),
        }
    }

    /// What became of the last task.
    pub(super) async fn last_outcome(&self, service_uid: &str, balancer: &str) -> Result<Outcome> {
        let Some(mut task) = self.cache.task(service_uid) else { return Ok(Outcome::Unknown) };
        let Some(id) = task.id.take() else { return Ok(Outcome::Unknown) };
        let request = clb::DescribeTaskStatus::new().task_id(id.as_str());
        let answer = match self.clb.describe_task_status(request).await.map_err(ProviderError::from) {
            Ok(answer) => answer,
            // An order that is given once more under its token may begin no task.
            Err(error) if matches!(error.kind(), ErrorKind::InvalidArgument | ErrorKind::NotFound) => {
                self.cache.put_task(service_uid, task);
                return Ok(Outcome::Unknown);
            }
            Err(error) => return Err(error),
        };
        let outcome = match answer.status {
            clb::TaskStatus::Running => return Ok(Outcome::Running),
            clb::TaskStatus::Failed => {
                let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(task.failures)).min(LONGEST_PAUSE);
                task.failures = task.failures.saturating_add(1);
                let why = answer.message.filter(|message| !message.is_empty());
                let why = why.as_deref().unwrap_or("CLB does not say why");
                let message = format!("a task on the balancer {balancer} failed: {why}");
                let error = ProviderError::new(ErrorKind::Unavailable, message);
                Outcome::Failed(error.with_request_id(id).with_retry_after(pause))
            }
            _ => Outcome::Succeeded,
        };
        self.cache.put_task(service_uid, task);
        Ok(outcome)
    }
}
