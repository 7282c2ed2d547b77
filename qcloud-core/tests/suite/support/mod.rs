//! What several tests need: operations, clients on a script, and a subscriber that keeps everything.

pub(crate) mod capture;
#[cfg(feature = "reqwest")]
pub(crate) mod server;

use qcloud_core::testing::{ManualClock, ScriptedTransport};
use qcloud_core::{
    Ack, Action, Client, Config, ConfigBuilder, Effect, Operation, Raw, Region, Result, Secret, Service,
};
use serde::Serialize;
use serde_json::{Value, json};

pub(crate) const LAMP: Service = Service::new("lamp", "2024-05-01");

/// A builder with this script and clock, and nothing from the environment.
pub(crate) fn builder(transport: &ScriptedTransport, clock: &ManualClock) -> ConfigBuilder {
    Config::builder()
        .region(Region::GUANGZHOU)
        .static_credentials("AKIDtest", "test-key")
        .transport(transport.clone())
        .clock(clock.clone())
        .jitter_seed(1)
}

/// A client on this script, with a clock that runs by itself.
pub(crate) fn client(transport: &ScriptedTransport) -> (Client, ManualClock) {
    let clock = ManualClock::auto();
    (Client::new(&builder(transport, &clock).build().unwrap(), LAMP), clock)
}

/// An action without parameters, of one effect.
pub(crate) fn action(effect: Effect) -> Raw {
    Raw::new("SwitchLamp", json!({})).with_effect(effect)
}

/// Calls an action of this effect on the script.
pub(crate) async fn call(transport: &ScriptedTransport, effect: Effect) -> Result<Value> {
    client(transport).0.call(action(effect)).await
}

/// An action with a client token and a password.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MakeLamp {
    pub(crate) name: String,
    pub(crate) password: Secret,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_token: Option<String>,
}

impl Operation for MakeLamp {
    type Output = Ack;

    fn action(&self) -> Action {
        Action::new(LAMP, "MakeLamp", Effect::Token)
    }

    fn client_token(&mut self) -> Option<&mut Option<String>> {
        Some(&mut self.client_token)
    }
}

/// The value of a header of each request so far.
pub(crate) fn headers(transport: &ScriptedTransport, name: &str) -> Vec<String> {
    let value = |headers: &http::HeaderMap| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    transport.requests().iter().filter_map(|request| value(&request.headers)).collect()
}
