//! A work queue: which object is due when, and what becomes of it when it fails.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use qcloud_container::kubernetes::{ErrorKind, ProviderError, Retry};
use tokio::time::Instant;

/// What is to be done about an object after a pass that went well.
pub(crate) enum Next {
    /// Nothing, until it changes.
    Done,
    /// Another pass, this much later.
    After(Duration),
}

/// The longest pause between two attempts.
const LONGEST: Duration = Duration::from_secs(60);

/// Reconciles all objects until each is as it ought to be, or waits for someone to change it.
pub(crate) async fn work<'k, K: Ord + Display + 'k>(
    what: &str,
    keys: impl IntoIterator<Item = &'k K>,
    reconcile: impl AsyncFn(&K) -> Result<Next, ProviderError>,
) {
    let now = Instant::now();
    let mut queue: BTreeMap<&K, (Instant, u32)> = keys.into_iter().map(|key| (key, (now, 0))).collect();
    while let Some((&key, &(due, failures))) = queue.iter().min_by_key(|(_, (due, _))| *due) {
        tokio::time::sleep_until(due).await;
        match after(what, key, failures, reconcile(key).await) {
            Some((pause, failures)) => queue.insert(key, (Instant::now() + pause, failures)),
            None => queue.remove(key),
        };
    }
}

/// When to reconcile an object again, and how many failures in a row it then has; `None` for not before it changes.
fn after(
    what: &str,
    key: impl Display,
    failures: u32,
    outcome: Result<Next, ProviderError>,
) -> Option<(Duration, u32)> {
    let error = match outcome {
        Ok(Next::Done) => return None,
        Ok(Next::After(pause)) => return Some((pause, 0)),
        Err(error) => error,
    };
    match error.retry() {
        // Something that only the user can help: an event on the object, and no more attempts.
        Retry::Never => {
            println!("  {what} {key}: waits for a change: {error}");
            None
        }
        // The cloud is at work, or has said when it will be ready to. That is not a failure.
        Retry::After(pause) => {
            let state = if error.kind() == ErrorKind::Pending { "under way" } else { "held up" };
            println!("  {what} {key}: {state}: {error}");
            Some((pause, 0))
        }
        // The cloud is at fault, or nobody knows what became of a write: the next pass looks before it does anything.
        Retry::Backoff => {
            println!("  {what} {key}: failed, again in a moment: {error}");
            let pause = Duration::from_millis(250).saturating_mul(1 << failures.min(16)).min(LONGEST);
            Some((pause, failures.saturating_add(1)))
        }
    }
}
