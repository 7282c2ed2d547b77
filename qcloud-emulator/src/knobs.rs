//! The knobs that concern every service.

use crate::access;
use crate::builder::Builder;
use crate::fault::{Fault, When};
use crate::patterns::Actions;
use crate::rates::Rate;
use crate::task::Task;
use crate::visibility::Visibility;

impl Builder {
    /// Plans a fault from the start; more can be added to [`Emulator::faults`](crate::Emulator::faults) at any time.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }

    /// Turns on the rate limits that the documentation gives for each action: 40 calls of `DescribeInstances` in a second,
    /// for instance. Each region has its own; above them, calls get `RequestLimitExceeded`. Off by default.
    pub fn documented_rate_limits(mut self) -> Self {
        self.settings.rate_limits.documented = true;
        self
    }

    /// Limits an action to so many calls per second in each region, by the emulator's clock. As many may come at once.
    /// The service may be `*`, and the action may end in one; of several limits, the one that names the action most
    /// exactly holds.
    pub fn rate_limit(mut self, service: impl Into<String>, action: impl Into<String>, per_second: f64) -> Self {
        self.settings.rate_limits.per_second.insert(Actions::new(service, action), Rate::near(per_second));
        self
    }

    /// Takes all rate limits away.
    pub fn no_rate_limits(mut self) -> Self {
        self.settings.rate_limits = <_>::default();
        self
    }

    /// What `Describe…` actions see later than it happens. At once, by default.
    pub fn visibility(mut self, visibility: Visibility) -> Self {
        self.settings.visibility = visibility;
        self
    }

    /// All lists change between two pages, by so many items that are gone (positive) or have come in front (negative);
    /// see [`Effect::PageShift`](crate::Effect::PageShift).
    pub fn page_shift(mut self, by: i64) -> Self {
        self.settings.page_shift = by;
        self
    }

    /// The account may not call this action: `UnauthorizedOperation.CamNoAuth`. The service may be `*`, and the action
    /// may end in one.
    pub fn deny(self, service: impl Into<String>, action: impl Into<String>) -> Self {
        self.deny_with(service, action, access::DENIED)
    }

    /// As [`deny`](Builder::deny), with a code of one's own, such as `UnauthorizedOperation.MFAExpired`.
    pub fn deny_with(mut self, service: impl Into<String>, action: impl Into<String>, code: impl Into<String>) -> Self {
        self.settings.denied.insert(Actions::new(service, action), code.into());
        self
    }

    /// The account may call everything again.
    pub fn allow_all(mut self) -> Self {
        self.settings.denied.clear();
        self
    }

    /// Whether the account has no money left: the actions whose documentation has a code for it are refused, most with
    /// `InvalidAccount.InsufficientBalance`. CLB has none for its orders.
    pub fn insufficient_balance(mut self, insufficient: bool) -> Self {
        self.settings.insufficient_balance = insufficient;
        self
    }

    /// Which of the tasks of a kind fail, counted from when this knob is turned. The resource is then as it was before, and
    /// the state of the task or of the latest operation tells. Only kinds that [can fail](Task::can_fail) do.
    pub fn task_failure(mut self, task: Task, when: When) -> Self {
        self.settings.task_failures.insert(task, when);
        self
    }

    /// No task fails any more.
    pub fn no_task_failures(mut self) -> Self {
        self.settings.task_failures.clear();
        self
    }

    /// Any target can be bound to listeners again.
    pub fn no_poisoned_targets(mut self) -> Self {
        self.settings.poisoned_targets.clear();
        self
    }

    /// Nothing is sold out any more.
    pub fn restock(mut self) -> Self {
        self.settings.sold_out_zones.clear();
        self.settings.sold_out_types.clear();
        self.settings.sold_out_disks.clear();
        self
    }
}
