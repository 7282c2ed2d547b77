#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[rustfmt::skip]
mod generated;
mod not_found;
mod rates;
mod tags;
#[cfg(feature = "load_balancer")]
pub mod wait;

pub use generated::*;
pub use not_found::is_not_found;
pub use rates::RATES;
