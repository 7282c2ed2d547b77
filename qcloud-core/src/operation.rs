//! What a call is: an [`Operation`] with its [`Action`], and the shared answer [`Ack`].

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// An API product at one version, such as `cvm` at `2017-03-12`.
///
/// The name is the first label of the product's host (`cvm.tencentcloudapi.com`) and part of every signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Service {
    /// Short name, as in the host and the signature: `cvm`, `vpc`, `clb`.
    pub name: &'static str,
    /// API version, sent as `X-TC-Version`: `2017-03-12`.
    pub version: &'static str,
}

impl Service {
    /// A service by its short name and API version.
    #[must_use]
    pub const fn new(name: &'static str, version: &'static str) -> Self {
        Self { name, version }
    }
}

/// What calling an action twice may do. It decides which failures are retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Effect {
    /// Changes nothing: always safe to repeat.
    Read,
    /// A write that carries a `ClientToken`: safe to repeat with the same token.
    Token,
    /// A write: repeated only when the first try certainly had no effect.
    Write,
}

/// The name and nature of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// The service that the action belongs to; `None` means the one of the client that makes the call.
    pub service: Option<Service>,
    /// Wire name, sent as `X-TC-Action`: `DescribeInstances`.
    pub name: Cow<'static, str>,
    /// What calling it twice may do.
    pub effect: Effect,
}

impl Action {
    /// An action of `service`.
    #[must_use]
    pub const fn new(service: Service, name: &'static str, effect: Effect) -> Self {
        Self { service: Some(service), name: Cow::Borrowed(name), effect }
    }
}

/// A request that can be called: the generated request structs implement it, and so can yours.
///
/// The parameters are what `Serialize` writes: a JSON object with the wire names as keys.
///
/// ```
/// use qcloud_core::{Action, Effect, Operation, Service};
///
/// /// An action of a service that has no crate yet.
/// #[derive(serde::Serialize)]
/// #[serde(rename_all = "PascalCase")]
/// struct GetTagKeys {
///     max_results: u32,
/// }
///
/// #[derive(Debug, Default, serde::Deserialize)]
/// #[serde(default, rename_all = "PascalCase")]
/// struct GetTagKeysResponse {
///     tag_keys: Vec<String>,
///     request_id: String,
/// }
///
/// impl Operation for GetTagKeys {
///     type Output = GetTagKeysResponse;
///     fn action(&self) -> Action {
///         Action::new(Service::new("tag", "2018-08-13"), "GetTagKeys", Effect::Read)
///     }
/// }
/// ```
pub trait Operation: Serialize + Send + Sync {
    /// What the action answers: the content of the envelope's `Response`.
    type Output: DeserializeOwned + Send + 'static;

    /// Which action this is.
    fn action(&self) -> Action;

    /// The place of the request's `ClientToken`, if it has one. An empty place is filled with a fresh token before the
    /// first attempt, so that a retry can't do the work twice.
    fn client_token(&mut self) -> Option<&mut Option<String>> {
        None
    }
}

/// The answer of an action that returns nothing but its request id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Ack {
    /// Id of the request, to quote in support cases. Some services (CLB, parts of VPC) also take it as a task id.
    #[serde(rename = "RequestId")]
    pub request_id: String,
}

/// Any action by name, with parameters and answer as plain JSON: the way to reach what has no type yet.
///
/// ```
/// use qcloud_core::{Effect, Raw};
/// use serde_json::json;
///
/// let call = Raw::new("DescribeFoo", json!({ "Limit": 1 })).with_effect(Effect::Read);
/// ```
#[derive(Clone, Debug)]
pub struct Raw {
    action: Action,
    parameters: serde_json::Value,
}

impl Raw {
    /// The action `name` of the calling client's service. It counts as a [`Effect::Write`], so it is not repeated when
    /// an answer got lost; say otherwise with [`with_effect`](Self::with_effect).
    pub fn new(name: impl Into<String>, parameters: serde_json::Value) -> Self {
        Self { action: Action { service: None, name: Cow::Owned(name.into()), effect: Effect::Write }, parameters }
    }

    /// Calls the action of `service` in place of the client's own.
    #[must_use]
    pub fn with_service(mut self, service: Service) -> Self {
        self.action.service = Some(service);
        self
    }

    /// Says what calling the action twice may do.
    #[must_use]
    pub fn with_effect(mut self, effect: Effect) -> Self {
        self.action.effect = effect;
        self
    }
}

impl Serialize for Raw {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.parameters.is_null() {
            // No parameters are an empty object to the API.
            return serializer.collect_map(std::iter::empty::<((), ())>());
        }
        self.parameters.serialize(serializer)
    }
}

impl Operation for Raw {
    type Output = serde_json::Value;

    fn action(&self) -> Action {
        self.action.clone()
    }
}
