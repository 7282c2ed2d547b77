//! One line that says what is waited for. Only a terminal gets it: in a log it would be noise.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use qcloud_core::wait::WaitProgress;

/// A line that is written over and over, and taken away in the end.
pub(crate) struct Line {
    terminal: bool,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self { terminal: std::io::stdout().is_terminal() }
    }

    pub(crate) fn show(&self, text: &str, elapsed: Duration) {
        self.write(&format!("\r\x1b[K  {text}, {:.0} s ", elapsed.as_secs_f64()));
    }

    pub(crate) fn clear(&self) {
        self.write("\r\x1b[K");
    }

    fn write(&self, text: &str) {
        if self.terminal {
            print!("{text}");
            let _ = std::io::stdout().flush();
        }
    }
}

/// How far a waiter of the SDK is.
pub(crate) fn progress(what: &'static str) -> impl FnMut(&WaitProgress) + Send {
    let line = Line::new();
    move |progress| {
        let WaitProgress { met, total, elapsed, .. } = progress;
        let bar: String = (0..*total).map(|place| if place < *met { '#' } else { '.' }).collect();
        if met == total {
            line.clear();
        } else {
            line.show(&format!("[{bar}] {met} of {total} {what}"), *elapsed);
        }
    }
}
