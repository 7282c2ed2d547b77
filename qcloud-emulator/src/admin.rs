//! The admin port: knobs, faults, clock, call log and state over HTTP, beside the API and never part of it.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::calls::CallRecord;
use crate::clock::Time;
use crate::connection::{self, Answer, Cut};
use crate::emulator::Emulator;
use crate::fault::Fault;
use crate::seconds::Seconds;
use crate::settings::Settings;

/// What there is, for whoever asks for anything else.
const PATHS: &[&str] = &[
    "GET /settings",
    "POST /settings",
    "GET /faults",
    "POST /faults",
    "DELETE /faults",
    "DELETE /faults/<id>",
    "GET /clock",
    "POST /clock",
    "GET /calls",
    "GET /calls?action=<action>",
    "DELETE /calls",
    "GET /counts",
    "GET /state",
    "POST /state",
    "POST /reset",
];

/// A refusal: a status and what is wrong.
type Refusal = (StatusCode, String);

/// Answers a request to the admin port.
pub(crate) async fn answer(emulator: &Emulator, request: Request<Incoming>) -> Result<Response<Answer>, Cut> {
    let (parts, body) = request.into_parts();
    let answer = match connection::read(body).await {
        Ok(body) => dispatch(emulator, &Request::from_parts(parts, body)),
        Err(problem) => Err((StatusCode::BAD_REQUEST, format!("The body could not be read: {problem}."))),
    };
    let (status, content) = match answer {
        Ok(content) => (StatusCode::OK, content),
        Err((status, message)) => (status, json!({ "error": message })),
    };
    let mut response = Response::new(connection::whole(Bytes::from(format!("{content}\n"))));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn dispatch(emulator: &Emulator, request: &Request<Bytes>) -> Result<Value, Refusal> {
    refuse_browsers(request)?;
    let path: Vec<&str> = request.uri().path().split('/').filter(|part| !part.is_empty()).collect();
    let body = request.body();
    match (request.method(), path.as_slice()) {
        (&Method::GET, ["settings"]) => shown(&*emulator.settings()),
        (&Method::POST, ["settings"]) => change_settings(emulator, body),
        (&Method::GET, ["faults"]) => shown(&emulator.faults().list()),
        (&Method::POST, ["faults"]) => add_faults(emulator, body),
        (&Method::DELETE, ["faults"]) => {
            emulator.faults().clear();
            Ok(json!([]))
        }
        (&Method::DELETE, ["faults", id]) => match id.parse() {
            Ok(id) if emulator.faults().remove(id) => shown(&emulator.faults().list()),
            _ => Err((StatusCode::NOT_FOUND, format!("There is no fault {id}."))),
        },
        (&Method::GET, ["clock"]) => Ok(clock(emulator)),
        (&Method::POST, ["clock"]) => move_clock(emulator, body),
        (&Method::GET, ["calls"]) => Ok(calls(emulator, request.uri().query().unwrap_or_default())),
        (&Method::DELETE, ["calls"]) => {
            emulator.calls().clear();
            Ok(json!({}))
        }
        (&Method::GET, ["counts"]) => shown(&emulator.calls().counts()),
        (&Method::GET, ["state"]) => {
            let saved = emulator.save().map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
            serde_json::from_str(&saved).map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
        }
        (&Method::POST, ["state"]) => {
            let text = std::str::from_utf8(body).map_err(|error| bad(error.to_string()))?;
            emulator.restore(text).map_err(|error| bad(error.to_string()))?;
            Ok(clock(emulator))
        }
        (&Method::POST, ["reset"]) => {
            emulator.reset();
            Ok(json!({}))
        }
        (method, _) => {
            let message = format!("There is no {method} {}. There are {}.", request.uri().path(), PATHS.join(", "));
            Err((StatusCode::NOT_FOUND, message))
        }
    }
}

/// A page that a browser shows must not reach the port: it cannot send this content type without asking first, which
/// nobody answers, and a name that was made to resolve to loopback gives itself away.
fn refuse_browsers(request: &Request<Bytes>) -> Result<(), Refusal> {
    let header = |name| crate::request::header(request.headers(), name);
    let host = header(HOST.as_str()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name).trim_matches(['[', ']']);
    let loopback = name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    if !loopback {
        return Err((StatusCode::FORBIDDEN, format!("The Host must be a loopback address, not `{host}`.")));
    }
    let json = header(CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("application/json"));
    if *request.method() == Method::POST && !json {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "POST needs `Content-Type: application/json`.".to_owned()));
    }
    Ok(())
}

fn bad(message: String) -> Refusal {
    (StatusCode::BAD_REQUEST, message)
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| bad(error.to_string()))
}

fn shown(value: &impl serde::Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(value).map_err(|error| (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

/// Lays the given members over the knobs as they stand: objects member by member, `null` for the default, everything
/// else whole.
fn change_settings(emulator: &Emulator, body: &[u8]) -> Result<Value, Refusal> {
    let change: Value = read(body)?;
    if !change.is_object() {
        return Err(bad("Settings are a JSON object.".to_owned()));
    }
    let before = emulator.settings();
    let mut merged = shown(&*before)?;
    merge(&mut merged, change);
    let settings: Settings = serde_json::from_value(merged).map_err(|error| bad(error.to_string()))?;
    if settings.seed != before.seed || settings.region != before.region {
        return Err(bad("`seed` and `region` stay what they were at the start.".to_owned()));
    }
    emulator.apply(settings);
    shown(&*emulator.settings())
}

fn merge(into: &mut Value, change: Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (name, value) in change {
                match value {
                    Value::Null => {
                        into.remove(&name);
                    }
                    value => merge(into.entry(name).or_insert(Value::Null), value),
                }
            }
        }
        (into, change) => *into = change,
    }
}

fn add_faults(emulator: &Emulator, body: &[u8]) -> Result<Value, Refusal> {
    let given: Value = read(body)?;
    let given = if given.is_array() { given } else { json!([given]) };
    let faults: Vec<Fault> = serde_json::from_value(given).map_err(|error| bad(error.to_string()))?;
    for fault in faults {
        emulator.faults().add(fault);
    }
    shown(&emulator.faults().list())
}

fn clock(emulator: &Emulator) -> Value {
    json!({ "now": emulator.clock().time().iso(), "standing": emulator.clock().stands() })
}

fn move_clock(emulator: &Emulator, body: &[u8]) -> Result<Value, Refusal> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Move {
        advance: Seconds,
    }
    let Move { advance } = read(body)?;
    emulator.clock().advance(advance.0);
    Ok(clock(emulator))
}

fn calls(emulator: &Emulator, query: &str) -> Value {
    let action = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "action").map(|(_, action)| action);
    let records = match action {
        Some(action) => emulator.calls().of(&action),
        None => emulator.calls().all(),
    };
    records.iter().map(show_call).collect()
}

fn show_call(record: &CallRecord) -> Value {
    json!({
        "time": Time::from_system(record.time).iso(),
        "service": record.service,
        "action": record.action,
        "region": record.region,
        "parameters": record.parameters,
        "request-id": record.request_id,
        "error": record.error,
        "executed": record.executed,
        "fault": record.fault.as_ref().map(crate::fault::Effect::name),
    })
}
