#![doc = include_str!("../README.md")]

mod admin;
mod body;
mod clock;
mod delete;
mod discovery;
mod fault;
mod http;
mod json;
mod kinds;
mod list;
mod log;
mod patch;
mod path;
mod refusal;
mod rules;
mod select;
mod server;
mod service;
mod state;
mod store;
mod watch;
mod write;

pub use admin::Refused;
pub use body::{Lost, ResponseBody};
pub use fault::{Fault, Faults, OnRequest};
pub use http::Served;
pub use log::{Request, Requests};
pub use path::Verb;
pub use server::{ApiServer, Builder};
pub use service::ApiService;
