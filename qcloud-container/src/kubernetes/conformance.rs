//! What the conformance suites of the traits report.

use std::fmt;

/// The outcome of one named check: why it failed, if it did.
pub type Check = std::result::Result<(), String>;

/// What a suite found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Report {
    checks: Vec<(&'static str, Check)>,
}

impl Report {
    /// Adds the outcome of a check.
    pub fn record(&mut self, name: &'static str, outcome: Check) {
        self.checks.push((name, outcome));
    }

    /// All checks, in the order in which they ran.
    pub fn checks(&self) -> &[(&'static str, Check)] {
        &self.checks
    }

    /// The report as a result, for a test to unwrap.
    ///
    /// # Errors
    /// When a check failed.
    pub fn into_result(self) -> std::result::Result<(), Self> {
        if self.checks.iter().all(|(_, outcome)| outcome.is_ok()) { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, outcome) in &self.checks {
            match outcome {
                Ok(()) => writeln!(f, "ok      {name}")?,
                Err(why) => writeln!(f, "FAILED  {name}: {why}")?,
            }
        }
        Ok(())
    }
}

/// Fails a check unless this holds.
pub(crate) fn hold(holds: bool, otherwise: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(otherwise()) }
}
