#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[rustfmt::skip]
mod generated;
mod rates;
mod tags;
#[cfg(any(feature = "disk", feature = "snapshot"))]
pub mod wait;

pub use generated::*;
pub use rates::RATES;
