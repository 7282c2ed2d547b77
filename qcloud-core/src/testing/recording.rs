//! Real exchanges, kept in a file and played back.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::transport::{HttpRequest, HttpResponse, Transport, TransportError, TransportErrorKind};
use crate::{Error, ErrorKind, Result};

/// One exchange: a line of a recording. No headers, hence no keys, tokens or signatures.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Exchange {
    action: String,
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    request: Value,
    status: u16,
    response: Value,
}

const REDACTED: &str = "***";

/// Parts of the names of fields whose content is never written down: secrets, and documents that hold some.
const SECRET_PARTS: &[&str] = &[
    "apikey",
    "certkey",
    "credential",
    "customergatewayconfiguration",
    "downloadurl",
    "kubeconfig",
    "launchconfigurepara",
    "password",
    "plainkey",
    "presharekey",
    "privatekey",
    "providerkey",
    "requestheaders",
    "runinstancepara",
    "runinstancespara",
    "samldata",
    "secret",
    "sslclientconfigsset",
    "sslvpnclientconfiguration",
    "sslvpnkey",
    "token",
    "userdata",
    "userscript",
    "vncurl",
    "webhook",
];
/// Whole names of such fields: the command by which a machine joins a cluster, and where to fetch it.
const SECRET_NAMES: &[&str] = &["command", "link"];

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name != "clienttoken"
        && name != "nexttoken"
        && (SECRET_NAMES.contains(&&*name) || SECRET_PARTS.iter().any(|part| name.contains(part)))
}

/// Replaces every text under a telling name, however deep.
fn redact(value: &mut Value, secret: bool) {
    match value {
        Value::String(text) if secret && !text.is_empty() => REDACTED.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, secret)),
        Value::Object(fields) => {
            // `Key` is half of a tag, or a key.
            let is_tag = fields.contains_key("Value");
            for (name, field) in fields {
                redact(field, secret || is_secret(name) || (name == "Key" && !is_tag));
            }
        }
        _ => {}
    }
}

/// What of a request decides whether a recorded one is the same: all but the token that differs each time.
fn essence(mut request: Value) -> Value {
    redact(&mut request, false);
    if let Some(fields) = request.as_object_mut() {
        fields.remove("ClientToken");
    }
    request
}

fn header(request: &HttpRequest, name: &str) -> Option<String> {
    request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn parse(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}

/// Passes calls on to another transport, and writes each exchange to a file as a line of JSON.
///
/// Headers are not written, and every text under a name like `Password`, `Token` or `Kubeconfig` becomes `***`. Read a
/// recording before you publish it all the same: names and addresses stay.
#[derive(Clone, Debug)]
pub struct Recorder<T> {
    inner: T,
    file: Arc<Mutex<File>>,
}

impl<T: Transport> Recorder<T> {
    /// Records what goes through `inner` into a new file at `path`.
    ///
    /// # Errors
    /// When the file can't be made.
    pub fn new(inner: T, path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let file = File::create(path).map_err(|error| {
            Error::new(ErrorKind::Config, format!("the recording {} can't be made: {error}", path.display()))
                .with_source(error)
        })?;
        Ok(Self { inner, file: Arc::new(Mutex::new(file)) })
    }
}

impl<T: Transport> Transport for Recorder<T> {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, std::result::Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let mut exchange = Exchange {
                action: header(&request, "x-tc-action").unwrap_or_default(),
                version: header(&request, "x-tc-version").unwrap_or_default(),
                region: header(&request, "x-tc-region"),
                request: parse(request.body()),
                status: 0,
                response: Value::Null,
            };
            let response = self.inner.send(request).await?;
            exchange.status = response.status().as_u16();
            exchange.response = parse(response.body());
            redact(&mut exchange.request, false);
            redact(&mut exchange.response, false);
            let mut line = serde_json::to_vec(&exchange).unwrap_or_default();
            line.push(b'\n');
            let written = self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
            if let Err(error) = written {
                return Err(TransportError::new(TransportErrorKind::Request, error));
            }
            Ok(response)
        })
    }
}

/// Answers from a recording: each exchange once, the first that has the same action, region and parameters. Secrets and
/// client tokens are not compared.
#[derive(Clone, Debug)]
pub struct Replay(Arc<Mutex<Vec<Exchange>>>);

impl Replay {
    /// Reads the recording at `path`.
    ///
    /// # Errors
    /// When the file can't be read, or a line is not an exchange.
    pub fn new(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let wrong = |line: usize, error: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Config, format!("the recording {}, line {line}: {error}", path.display()))
        };
        let file = File::open(path).map_err(|error| wrong(0, &error))?;
        let mut exchanges = Vec::new();
        for (number, line) in BufReader::new(file).lines().enumerate() {
            let line = line.map_err(|error| wrong(number + 1, &error))?;
            if !line.trim().is_empty() {
                exchanges.push(serde_json::from_str(&line).map_err(|error| wrong(number + 1, &error))?);
            }
        }
        Ok(Self(Arc::new(Mutex::new(exchanges))))
    }

    /// How many exchanges have not been played yet.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Transport for Replay {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, std::result::Result<HttpResponse, TransportError>> {
        let action = header(&request, "x-tc-action").unwrap_or_default();
        let region = header(&request, "x-tc-region");
        let wanted = essence(parse(request.body()));
        let mut exchanges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = exchanges.iter().position(|exchange| {
            exchange.action == action && exchange.region == region && essence(exchange.request.clone()) == wanted
        });
        let result = match place.map(|place| exchanges.remove(place)) {
            Some(exchange) => {
                let body = match exchange.response {
                    Value::String(text) => text,
                    json => json.to_string(),
                };
                let mut response = HttpResponse::new(Bytes::from(body));
                *response.status_mut() = StatusCode::from_u16(exchange.status).unwrap_or_default();
                Ok(response)
            }
            None => Err(TransportError::new(
                TransportErrorKind::Request,
                format!("the recording has no exchange left for {action} with these parameters"),
            )),
        };
        Box::pin(async move { result })
    }
}
