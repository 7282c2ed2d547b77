//! Waiting for instances.

use qcloud_core::wait::{Condition, Verdict, Wait, Watch, is_gone, state_in};

use crate::Client;
use crate::model::{DescribeInstances, Instance, InstanceState, LatestOperationState};

use InstanceState::{Banning, Isolating, LaunchFailed, Running, Shutdown, Stopped, Terminating};

const INSTANCES: Watch<Instance> =
    Watch::new("instances", |instance| &instance.instance_id, |instance| instance.instance_state.to_string());

impl Client {
    /// Waits until instances are as `condition` says, and gives them. See [`Wait`] for how long, how often, and what
    /// ends a wait early.
    ///
    /// ```no_run
    /// # async fn example(cvm: qcloud_cvm::Client, ids: Vec<String>) -> qcloud_core::Result<()> {
    /// use std::time::Duration;
    /// use qcloud_cvm::wait::is_running;
    ///
    /// let instances = cvm.wait_for_instances(&ids, is_running()).with_timeout(Duration::from_secs(300)).await?;
    /// # Ok(()) }
    /// ```
    pub fn wait_for_instances<'c>(
        &'c self,
        ids: impl IntoIterator<Item = impl Into<String>>,
        condition: impl Condition<Instance> + 'c,
    ) -> Wait<'c, Instance> {
        let look = move |ids: Vec<String>| {
            let call = self.describe_instances(DescribeInstances::new().instance_ids(ids).limit(100));
            Box::pin(async move { Ok(call.await?.instance_set) }) as _
        };
        Wait::new(self.config(), INSTANCES, ids, look, condition)
    }
}

fn state(instance: &Instance) -> &InstanceState {
    &instance.instance_state
}

/// The instance runs. Hopeless when its creation failed, or when it is being or has been given up.
pub fn is_running() -> impl Condition<Instance> {
    state_in(state, &[Running], &[LaunchFailed, Shutdown, Terminating, Isolating, Banning])
}

/// The instance is stopped. Hopeless as with [`is_running`].
pub fn is_stopped() -> impl Condition<Instance> {
    state_in(state, &[Stopped], &[LaunchFailed, Shutdown, Terminating, Isolating, Banning])
}

/// The instance is no longer listed. For instances that have been listed before.
pub fn is_terminated() -> impl Condition<Instance> {
    is_gone()
}

/// The instance's latest operation has succeeded. Hopeless when it has failed.
pub fn has_finished_operation() -> impl Condition<Instance> {
    |instance: Option<&Instance>| match instance.and_then(|instance| instance.latest_operation_state.as_ref()) {
        Some(LatestOperationState::Success) => Verdict::Met,
        Some(LatestOperationState::Failed) => Verdict::Impossible("its latest operation failed".into()),
        _ => Verdict::NotYet,
    }
}
