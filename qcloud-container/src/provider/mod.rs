#![doc = include_str!("../../docs/provider.md")]

mod error;
pub mod instances;
pub mod load_balancers;
pub mod routes;
pub mod volumes;
