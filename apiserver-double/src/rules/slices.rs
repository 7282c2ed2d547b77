//! The rules for endpoint slices.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use super::items;
use crate::json::At as _;
use crate::refusal::Cause;

pub(super) fn check(slice: &Value, before: Option<&Value>) -> Vec<Cause> {
    let mut wrong = Vec::new();
    let address_type = slice.at("addressType").as_str().unwrap_or_default();
    match address_type {
        "" => wrong.push(Cause::required("addressType", "")),
        "IPv4" | "IPv6" | "FQDN" => {}
        _ => {
            wrong.push(Cause::unsupported("addressType", slice.at("addressType"), &["FQDN", "IPv4", "IPv6"]));
        }
    }
    if before.is_some_and(|before| before.at("addressType") != slice.at("addressType")) {
        wrong.push(Cause::invalid("addressType", slice.at("addressType"), "field is immutable"));
    }
    if items(slice.at("endpoints")).count() > 1000 {
        wrong.push(Cause::too_long("endpoints", "must have at most 1000 items".to_owned()));
    }
    for (index, endpoint) in items(slice.at("endpoints")).enumerate() {
        let field = format!("endpoints[{index}].addresses");
        if items(endpoint.at("addresses")).next().is_none() {
            wrong.push(Cause::required(field.clone(), "must contain at least 1 address"));
        }
        for address in items(endpoint.at("addresses")) {
            let fits = match (address_type, address.as_str().unwrap_or_default().parse::<IpAddr>()) {
                ("IPv4", parsed) => parsed.is_ok_and(|address| address.is_ipv4()),
                ("IPv6", parsed) => parsed.is_ok_and(|address| address.is_ipv6()),
                _ => true,
            };
            if !fits {
                wrong.push(Cause::invalid(field.clone(), address, &format!("must be a valid {address_type} address")));
            }
        }
    }
    let mut names = BTreeSet::new();
    for (index, port) in items(slice.at("ports")).enumerate() {
        if !names.insert(port.at("name").as_str().unwrap_or_default()) {
            wrong.push(Cause::duplicate(format!("ports[{index}].name"), port.at("name")));
        }
    }
    wrong
}
