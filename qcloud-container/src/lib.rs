#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "kubernetes")]
pub mod kubernetes;
#[cfg(feature = "provider")]
pub mod provider;
mod rates;
pub mod v20180525;
pub mod v20220501;

pub use rates::RATES;
