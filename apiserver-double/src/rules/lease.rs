//! The rules for leases.

use serde_json::Value;

use crate::json::At as _;
use crate::refusal::Cause;

pub(super) fn check(lease: &Value) -> Vec<Cause> {
    let spec = lease.at("spec");
    let mut wrong = Vec::new();
    if spec.at("leaseDurationSeconds").as_i64().is_some_and(|seconds| seconds <= 0) {
        let why = "must be greater than 0";
        wrong.push(Cause::invalid("spec.leaseDurationSeconds", spec.at("leaseDurationSeconds"), why));
    }
    if spec.at("leaseTransitions").as_i64().is_some_and(|count| count < 0) {
        let why = "must be greater than or equal to 0";
        wrong.push(Cause::invalid("spec.leaseTransitions", spec.at("leaseTransitions"), why));
    }
    wrong
}
