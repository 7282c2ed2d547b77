//! How long the caller of an RPC waits.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tonic::Request;

/// How long an RPC without a deadline may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// The most time that is kept for the way of the answer.
const MARGIN: Duration = Duration::from_millis(500);

/// Until when an answer is of use.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    waiting: Instant,
    answer: Instant,
    caller: watch::Receiver<()>,
}

/// Stands for the caller of an RPC: who drops it says that nobody waits any more.
pub(crate) type Caller = watch::Sender<()>;

impl Deadline {
    /// That of a request, a little before the caller gives up, so that the caller learns what is being waited for.
    pub(crate) fn of<T>(request: &Request<T>) -> (Self, Caller) {
        let header = request.metadata().get("grpc-timeout").and_then(|value| value.to_str().ok());
        let patience = header.and_then(parse).unwrap_or(PATIENCE).min(PATIENCE);
        let (now, margin) = (Instant::now(), (patience / 10).min(MARGIN));
        let (present, caller) = watch::channel(());
        let before = |margin| now + patience.saturating_sub(margin);
        (Self { waiting: before(margin), answer: before(margin / 2), caller }, present)
    }

    /// Waits for something, but not longer; `None` when the time is over or the caller has left.
    pub(crate) async fn wait<T>(&self, what: impl Future<Output = T> + Send) -> Option<T> {
        let mut caller = self.caller.clone();
        tokio::select! {
            done = timeout_at(self.waiting, what) => done.ok(),
            _ = caller.changed() => None,
        }
    }

    /// Waits for an answer up to the last moment at which it can be given; `None` then. Whatever waits within it has
    /// ended by itself a little before.
    pub(crate) async fn answer<T>(&self, what: impl Future<Output = T> + Send) -> Option<T> {
        timeout_at(self.answer, what).await.ok()
    }
}

/// A timeout as gRPC writes it: up to eight digits and a unit.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        assert_eq!(parse("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(parse("3M"), Some(Duration::from_secs(180)));
        assert_eq!(parse("10S"), Some(Duration::from_secs(10)));
        assert_eq!(parse("1500m"), Some(Duration::from_millis(1500)));
        assert_eq!(parse("99999999u"), Some(Duration::from_micros(99_999_999)));
        assert_eq!(parse("7n"), Some(Duration::from_nanos(7)));
        for bad in ["", "S", "10", "10s", "-1S", "1.5S", "123456789S", "ä"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_wait_ends_before_the_caller_gives_up() {
        let mut request = Request::new(());
        request.set_timeout(Duration::from_secs(10));
        let started = Instant::now();
        let (deadline, _caller) = Deadline::of(&request);
        assert_eq!(deadline.wait(std::future::pending::<()>()).await, None);
        assert_eq!(started.elapsed(), Duration::from_millis(9500));
        assert_eq!(deadline.answer(std::future::pending::<()>()).await, None);
        assert_eq!(started.elapsed(), Duration::from_millis(9750));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_waited_for_when_the_caller_has_left() {
        let started = Instant::now();
        let (deadline, caller) = Deadline::of(&Request::new(()));
        drop(caller);
        assert_eq!(deadline.wait(std::future::pending::<()>()).await, None);
        assert!(started.elapsed().is_zero());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_deadline_it_ends_all_the_same() {
        let started = Instant::now();
        let (deadline, _caller) = Deadline::of(&Request::new(()));
        assert_eq!(deadline.wait(std::future::pending::<()>()).await, None);
        assert!(started.elapsed() <= PATIENCE);
    }
}
