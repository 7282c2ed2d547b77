#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[rustfmt::skip]
mod generated;
mod rates;
mod tags;
#[cfg(any(feature = "eip", feature = "eni", feature = "nat", feature = "task"))]
pub mod wait;

pub use generated::*;
pub use rates::RATES;
