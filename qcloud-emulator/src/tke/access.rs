//! What it takes to talk to a cluster. There is no Kubernetes behind it: addresses, certificates and passwords have the
//! right form only.

use serde::Deserialize;
use serde_json::{Value, json};

use super::clusters::{self, Cluster};
use super::endpoints::Side;
use super::faults::NO_CLUSTER;
use crate::call::Call;
use crate::error::ApiError;
use crate::sts::ACCOUNT;
use crate::world::World;

/// The name under which a cluster is reached.
pub(super) fn domain(cluster: &str) -> String {
    format!("{cluster}.ccs.tencent-cloud.com")
}

/// The certificate of a cluster, which is none.
pub(super) fn authority(cluster: &str) -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", encode(domain(cluster).as_bytes()))
}

/// A kubeconfig with the cluster's password for a token.
fn kubeconfig(cluster: &Cluster, side: Side) -> String {
    let (id, password) = (&cluster.id, &cluster.password);
    let authority = encode(authority(id).as_bytes());
    let server = match (side, cluster.open(side)) {
        (Side::Extranet, Some(endpoint)) => format!("https://{}", endpoint.domain),
        (Side::Intranet, Some(endpoint)) => format!("https://{}", endpoint.address),
        (_, None) => format!("https://{}", domain(id)),
    };
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: {id}
  cluster:
    certificate-authority-data: {authority}
    server: {server}
contexts:
- name: {id}-{ACCOUNT}-context-default
  context:
    cluster: {id}
    user: \"{ACCOUNT}\"
current-context: {id}-{ACCOUNT}-context-default
preferences: {{}}
users:
- name: \"{ACCOUNT}\"
  user:
    token: {password}
"
    )
}

/// Base64, as kubeconfigs have it.
fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |place: usize| u32::from(chunk.get(place).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4_usize {
            let digit = usize::try_from(bits >> (18 - 6 * place) & 63).unwrap_or_default();
            let digit = DIGITS.get(digit).copied().filter(|_| place <= chunk.len());
            text.push(char::from(digit.unwrap_or(b'=')));
        }
    }
    text
}

pub(super) fn describe_kubeconfig(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
        is_extranet: Option<bool>,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let cluster = clusters::find_running(&here, &input.cluster_id, NO_CLUSTER)?;
    let side = if input.is_extranet == Some(true) { Side::Extranet } else { Side::Intranet };
    Ok(json!({ "Kubeconfig": kubeconfig(cluster, side) }))
}

pub(super) fn describe_security(world: &mut World, call: &Call) -> Result<Value, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        cluster_id: String,
    }
    let input: Input = call.input()?;
    let here = world.local(call);
    let cluster = clusters::find_running(&here, &input.cluster_id, NO_CLUSTER)?;
    let url = |side| cluster.open(side).map(|endpoint| format!("https://{}", endpoint.address)).unwrap_or_default();
    Ok(json!({
        "UserName": "admin",
        "Password": cluster.password,
        "CertificationAuthority": authority(&cluster.id),
        "ClusterExternalEndpoint": url(Side::Extranet),
        "Domain": domain(&cluster.id),
        "PgwEndpoint": url(Side::Intranet),
        "SecurityPolicy": null,
        "Kubeconfig": kubeconfig(cluster, Side::Intranet),
        "JnsGwEndpoint": null,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_pads() {
        let pairs = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")];
        for (plain, encoded) in pairs {
            assert_eq!(encode(plain.as_bytes()), encoded);
        }
    }
}
