//! The annotation that gives ports other protocols than the Service can name.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::annotations::SPECIFY_PROTOCOL;
use super::listener::Protocol;
use super::values::{Values, invalid};
use crate::kubernetes::Result;

/// The protocols of one port.
#[derive(Debug, Default)]
pub(super) struct PortProtocols {
    pub(super) protocols: BTreeSet<Protocol>,
    /// The Secret with the id of the certificate.
    pub(super) secret: Option<String>,
    /// Hosts, each with a Secret of its own or none.
    pub(super) hosts: BTreeMap<String, Option<String>>,
}

impl PortProtocols {
    /// All Secrets that it names.
    pub(super) fn secrets(&self) -> BTreeSet<&str> {
        self.secret.iter().chain(self.hosts.values().flatten()).map(String::as_str).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(default)]
    protocol: Vec<String>,
    #[serde(default)]
    tls: Option<String>,
    #[serde(default)]
    hosts: BTreeMap<String, Host>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Host {
    tls: Option<String>,
}

/// Reads it, for the ports that the Service has.
pub(super) fn read(values: &Values<'_>, ports: &BTreeSet<u16>) -> Result<BTreeMap<u16, PortProtocols>> {
    let Some(wire) = values.json::<BTreeMap<String, Value>>(SPECIFY_PROTOCOL)? else { return Ok(BTreeMap::new()) };
    let text = values.text(SPECIFY_PROTOCOL).unwrap_or_default();
    let wrong = |why: String| invalid(SPECIFY_PROTOCOL, text, why);
    let mut read = BTreeMap::new();
    for (port, entry) in wire {
        let number = port.parse().map_err(|_| wrong(format!("{port:?} is no port")))?;
        if !ports.contains(&number) {
            return Err(wrong(format!("the Service has no port {number}")));
        }
        let entry: Wire = serde_json::from_value(entry).map_err(|error| wrong(format!("port {port}: {error}")))?;
        let mut protocols = BTreeSet::new();
        for name in &entry.protocol {
            let protocol =
                Protocol::from_name(name).ok_or_else(|| wrong(format!("port {port}: unknown protocol {name:?}")))?;
            if protocols.iter().any(|other: &Protocol| other.transport() == protocol.transport()) {
                return Err(wrong(format!("port {port}: two of its protocols are carried by the same transport")));
            }
            protocols.insert(protocol);
        }
        if let Some(protocol) = protocols.iter().find(|protocol| protocol.needs_tls()) {
            let has_certificate = entry.tls.is_some() || entry.hosts.values().any(|host| host.tls.is_some());
            if !has_certificate {
                return Err(wrong(format!("port {port}: {protocol} needs a tls Secret")));
            }
        }
        if !entry.hosts.is_empty() && !protocols.iter().any(|protocol| protocol.has_rules()) {
            return Err(wrong(format!("port {port}: only HTTP and HTTPS have hosts")));
        }
        let hosts: BTreeMap<_, _> = entry.hosts.into_iter().map(|(name, host)| (name, host.tls)).collect();
        let read_entry = PortProtocols { protocols, secret: entry.tls, hosts };
        if read_entry.secrets().len() > 1 {
            let other = read_entry.protocols.iter().find(|protocol| protocol.needs_tls() && !protocol.has_rules());
            if let Some(other) = other {
                return Err(wrong(format!("port {port}: {other} has one certificate for all; only HTTPS has hosts")));
            }
            if read_entry.secret.is_none() && read_entry.hosts.values().any(Option::is_none) {
                return Err(wrong(format!("port {port}: a host without tls needs that of the port")));
            }
        }
        read.insert(number, read_entry);
    }
    Ok(read)
}
