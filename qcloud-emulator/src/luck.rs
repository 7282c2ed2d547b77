//! Tasks that fail.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, de::Error};

use crate::fault::When;
use crate::settings::{Settings, Task};

/// What became of the tasks so far, as far as their failing depends on it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Luck(BTreeMap<Task, Kind>);

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Kind {
    begun: u64,
    random: u64,
}

impl Task {
    /// Whether [`Builder::task_failure`](crate::Builder::task_failure) can let tasks of this kind fail.
    pub const fn can_fail(self) -> bool {
        matches!(
            self,
            Self::InstanceBoot
                | Self::InstanceStart
                | Self::InstanceStop
                | Self::InstanceReboot
                | Self::InstanceTerminate
                | Self::InstanceReset
                | Self::InterfaceCreate
                | Self::InterfaceAttach
                | Self::InterfaceDetach
                | Self::InterfaceDelete
                | Self::NatGatewayCreate
                | Self::NatGatewayUpdate
                | Self::NatGatewayDelete
                | Self::DiskAttach
                | Self::DiskDetach
                | Self::DiskResize
                | Self::SnapshotApply
                | Self::LoadBalancerCreate
                | Self::LoadBalancerChange
                | Self::LoadBalancerDelete
                | Self::ListenerChange
                | Self::TargetChange
                | Self::TargetGroupChange
                | Self::NodeInitialize
        )
    }
}

/// Reads the knob, and refuses what no task would heed.
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<Task, When>, D::Error> {
    let failures = BTreeMap::<Task, When>::deserialize(deserializer)?;
    match failures.keys().find(|task| !task.can_fail()) {
        Some(task) => Err(D::Error::custom(format!("tasks of the kind {task:?} cannot fail in the emulator"))),
        None => Ok(failures),
    }
}

impl Luck {
    /// Counts a task that begins, and says whether it is to fail.
    pub(crate) fn fails(&mut self, settings: &Settings, task: Task) -> bool {
        let Some(when) = settings.task_failures.get(&task).copied().filter(|_| task.can_fail()) else { return false };
        let kind = self.0.entry(task).or_insert_with(|| {
            // A source for each kind, so that the luck of one does not depend on how often others are begun.
            let place = Task::ALL.iter().position(|other| *other == task).unwrap_or_default();
            let salt = u64::try_from(place).unwrap_or_default().wrapping_mul(0x9e37_79b9_7f4a_7c15);
            Kind { begun: 0, random: settings.seed ^ 0x7461_736b ^ salt }
        });
        kind.begun += 1;
        let mut random = fastrand::Rng::with_seed(kind.random);
        let fails = when.hits(kind.begun, &mut random);
        kind.random = random.get_seed();
        fails
    }

    /// Begins to count anew where the plan has changed.
    pub(crate) fn renew(&mut self, before: &BTreeMap<Task, When>, after: &BTreeMap<Task, When>) {
        for task in Task::ALL {
            if before.get(task) != after.get(task) {
                self.0.remove(task);
            }
        }
    }
}
