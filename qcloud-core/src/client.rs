//! The client of one service: what the generated clients wrap.

use crate::{Call, Config, Operation, Service};

/// Calls actions of one service. Cheap to clone; clones and the clients of other services share all that the
/// configuration holds.
///
/// The service crates wrap it in their own `Client` with a method per action. On its own it serves services that have
/// no crate: see [`Operation`].
#[derive(Clone, Debug)]
pub struct Client {
    config: Config,
    service: Service,
}

impl Client {
    /// A client of `service`.
    #[must_use]
    pub fn new(config: &Config, service: Service) -> Self {
        Self { config: config.clone(), service }
    }

    /// Prepares a call; awaiting it makes it.
    pub fn call<Op: Operation>(&self, operation: Op) -> Call<'_, Op> {
        Call::new(self, operation)
    }

    /// The configuration that this client shares.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The service that actions belong to unless they name another.
    #[must_use]
    pub fn service(&self) -> Service {
        self.service
    }
}
