//! The clients, and the account of what happens.

use qcloud_core::Config;

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
