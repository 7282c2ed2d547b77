//! The knobs that concern every service.

use crate::builder::Builder;
use crate::fault::Fault;

impl Builder {
    /// Plans a fault from the start; more can be added to [`Emulator::faults`](crate::Emulator::faults) at any time.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.faults.push(fault);
        self
    }
}
