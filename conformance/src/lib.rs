//! Every operation of the typed clients behind one signature, so that a test can try the official examples on it.

#[rustfmt::skip]
#[allow(deprecated, reason = "deprecated actions have examples too")]
mod generated;

use qcloud_core::testing::{Leniency, decode_strictly};
use qcloud_core::{Error, Operation};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Parameters as they were written again, and the leniencies that reading them took.
pub type RoundTrip = (Value, Vec<Leniency>);

/// One operation of a model.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The model, as its file is called: `cvm-2017-03-12`.
    pub model: &'static str,
    /// Wire name of the action.
    pub action: &'static str,
    /// Decodes an answer, envelope included, and tells the leniencies that it took.
    pub decode: fn(&Value) -> Result<Vec<Leniency>, Error>,
    /// Reads parameters into the request type and writes them again. Tells the leniencies of the reading.
    pub round_trip: fn(&Value) -> Result<RoundTrip, Error>,
}

const fn entry<Op: Operation + DeserializeOwned>(model: &'static str, action: &'static str) -> Entry {
    Entry { model, action, decode: decode::<Op>, round_trip: round_trip::<Op> }
}

fn decode<Op: Operation>(answer: &Value) -> Result<Vec<Leniency>, Error> {
    decode_strictly::<Op::Output>(answer.to_string().as_bytes()).map(|(_, leniencies)| leniencies)
}

fn round_trip<Op: Operation + DeserializeOwned>(parameters: &Value) -> Result<RoundTrip, Error> {
    let envelope = json!({ "Response": parameters }).to_string();
    let (request, leniencies) = decode_strictly::<Op>(envelope.as_bytes())?;
    Ok((serde_json::to_value(&request).unwrap_or_default(), leniencies))
}

/// Every operation of every model.
pub fn operations() -> impl Iterator<Item = &'static Entry> {
    generated::TABLES.iter().copied().flatten()
}
