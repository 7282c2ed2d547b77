//! The clients, and the account of what happens.

use std::io::{IsTerminal, Write};

use qcloud_core::Config;
use qcloud_core::wait::WaitProgress;

/// The clients of the tour. They share one configuration, and with it connections and credentials.
pub(crate) struct Account {
    pub(crate) cbs: qcloud_cbs::Client,
    pub(crate) clb: qcloud_clb::Client,
    pub(crate) cvm: qcloud_cvm::Client,
    pub(crate) tke: qcloud_container::v20180525::Client,
    pub(crate) vpc: qcloud_vpc::Client,
}

impl Account {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            cbs: qcloud_cbs::Client::new(config),
            clb: qcloud_clb::Client::new(config),
            cvm: qcloud_cvm::Client::new(config),
            tke: qcloud_container::v20180525::Client::new(config),
            vpc: qcloud_vpc::Client::new(config),
        }
    }

    /// Begins a chapter.
    pub(crate) fn title(&self, text: &str) {
        println!("\n{text}");
    }

    /// Tells one thing that happened.
    pub(crate) fn tell(&self, text: &str) {
        println!("  {text}");
    }
}

/// A line that shows how far a wait is, on a terminal. Elsewhere it would only fill a log.
pub(crate) fn progress(what: &'static str) -> impl FnMut(&WaitProgress) + Send {
    let terminal = std::io::stdout().is_terminal();
    move |progress| {
        if !terminal {
            return;
        }
        let WaitProgress { met, total, elapsed, .. } = progress;
        let bar: String = (0..*total).map(|place| if place < *met { '#' } else { '.' }).collect();
        print!("\r  [{bar}] {met} of {total} {what}, {:.0} s ", elapsed.as_secs_f64());
        if met == total {
            print!("\r\x1b[K");
        }
        let _ = std::io::stdout().flush();
    }
}
