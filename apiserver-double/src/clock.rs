//! The server's time: the time of the tokio runtime, so that it stands and jumps with a paused one.

use jiff::Timestamp;
use tokio::time::Instant;

/// Wall-clock time that follows the runtime.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    showed: Timestamp,
}

impl Clock {
    /// A clock that shows this now.
    pub(crate) fn showing(showed: Timestamp) -> Self {
        Self { started: Instant::now(), showed }
    }

    pub(crate) fn now(&self) -> Timestamp {
        let since = i64::try_from(self.started.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.showed.checked_add(jiff::SignedDuration::from_millis(since)).unwrap_or(Timestamp::MAX)
    }

    /// As metadata writes times, to the second.
    pub(crate) fn text(&self) -> String {
        format!("{:.0}", self.now())
    }
}
