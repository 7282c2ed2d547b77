//! Help for tests of programs that use the SDK: no network, no account, no waiting.
//!
//! - [`ScriptedTransport`] answers with what the test wrote down, and keeps what was asked.
//! - [`from_fn`] makes a transport of a function, such as one that asks an emulator in the same process.
//! - [`Recorder`] writes real exchanges to a file without their secrets, and [`Replay`] answers from such a file.
//! - [`ManualClock`] moves only when told, or from one sleep's end to the next.
//! - [`decode_strictly`] tells where an answer differs from the API's definition.
//!
//! ```
//! use qcloud_core::testing::{ManualClock, ScriptedTransport, config};
//! use qcloud_core::{Client, Raw, Service};
//! use serde_json::json;
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> qcloud_core::Result<()> {
//! let transport = ScriptedTransport::new().throttled().answer(json!({ "TotalCount": 0 }));
//! let client = Client::new(&config(&transport, &ManualClock::auto()), Service::new("cvm", "2017-03-12"));
//! let answer = client.call(Raw::new("DescribeInstances", json!({}))).await?;
//! assert_eq!(answer["TotalCount"], 0);
//! assert_eq!(transport.requests().len(), 2);
//! # Ok(()) }
//! ```

mod clock;
mod function;
mod recording;
mod scripted;

use serde::de::DeserializeOwned;

pub use self::clock::ManualClock;
pub use self::function::{FromFn, from_fn};
pub use self::recording::{Recorder, Replay};
pub use self::scripted::{ScriptedRequest, ScriptedTransport};
pub use crate::decode::Leniency;
use crate::{Config, Error, ErrorKind, Region};

/// A configuration for tests: this transport and clock, made-up credentials, the region Guangzhou, repeatable jitter.
#[must_use]
pub fn config(transport: &(impl crate::transport::Transport + Clone + 'static), clock: &ManualClock) -> Config {
    let builder = Config::builder()
        .region(Region::GUANGZHOU)
        .static_credentials("AKIDtest", "test-key")
        .transport(transport.clone())
        .clock(clock.clone())
        .jitter_seed(1);
    match builder.build() {
        Ok(config) => config,
        // All that could fail is fixed above.
        Err(error) => unreachable!("{error}"),
    }
}

/// Decodes the body of an answer, envelope included, as a call would, and tells every leniency that this took: null or
/// a missing value where the definition promises one, a number sent as text, an unknown field, a time in no known form.
///
/// # Errors
/// [`ErrorKind::Decode`] when not even the lenient decoder can read it; the message names the JSON path.
pub fn decode_strictly<T: DeserializeOwned>(body: &[u8]) -> Result<(T, Vec<Leniency>), Error> {
    crate::decode::decode_strictly(body).map_err(|error| {
        Error::new(ErrorKind::Decode, format!("`{}` in the answer can't be read: {}", error.path, error.source))
    })
}
