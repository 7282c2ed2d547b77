//! The traits of [`kubernetes`](crate::kubernetes), kept by QCloud.

pub mod load_balancers;
