//! The account that the demo gives: what it waits for, and what it saw.

use std::time::Duration;

use tokio::time::Instant;

use super::Outcome;

/// Begins a chapter.
pub(super) fn chapter(title: &str) {
    println!("\n{title}\n{}", "-".repeat(title.chars().count()));
}

/// Tells what was seen.
pub(super) fn tell(what: &str) {
    println!("  {what}");
}

/// Waits until something is to be seen, and gives it.
pub(super) async fn wait_for<T>(what: &str, patience: Duration, look: impl Fn() -> Option<T>) -> Outcome<T> {
    let began = Instant::now();
    loop {
        if let Some(seen) = look() {
            return Ok(seen);
        }
        if began.elapsed() > patience {
            return Err(format!("waited {} s in vain until {what}", patience.as_secs()).into());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
