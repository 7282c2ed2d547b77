#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[rustfmt::skip]
mod generated;
mod rates;
mod tags;
#[cfg(feature = "instance")]
pub mod wait;

pub use generated::*;
pub use rates::RATES;
