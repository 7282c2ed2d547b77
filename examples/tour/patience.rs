//! Trying again, as the errors of the provider ask for it.

use std::time::{Duration, Instant};

use qcloud_container::kubernetes::{Result, Retry};

use crate::Step;
use crate::progress::Line;

const PATIENCE: Duration = Duration::from_secs(300);

/// Repeats an operation until it succeeds, or fails in a way that only someone's change can help. A controller would put
/// the object back into its queue instead of waiting here.
pub(crate) async fn insist<T, F>(what: &str, mut operation: impl FnMut() -> F) -> Step<T>
where
    F: Future<Output = Result<T>>,
{
    let (began, line) = (Instant::now(), Line::new());
    let mut pause = Duration::from_millis(250);
    loop {
        let error = match operation().await {
            Ok(done) => {
                line.clear();
                return Ok(done);
            }
            Err(error) => error,
        };
        let wait = match error.retry() {
            Retry::Never => return Err(error.into()),
            Retry::After(after) => after,
            Retry::Backoff => {
                pause = pause.saturating_mul(2);
                pause
            }
        };
        if began.elapsed().saturating_add(wait) > PATIENCE {
            return Err(error.into());
        }
        line.show(&format!("{what}: {}", error.message()), began.elapsed());
        tokio::time::sleep(wait).await;
    }
}
