//! Certificates that listeners and rules present. Contents are taken as they are: an upload becomes an id.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::errors;
use crate::error::ApiError;
use crate::ids::Ids;

/// The certificates of a listener or a domain.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Certificate {
    mode: String,
    verify_client: String,
    id: String,
    ca_id: String,
    further_ids: Vec<String>,
}

/// Certificates as requests carry them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Given {
    #[serde(rename = "SSLMode")]
    ssl_mode: Option<String>,
    #[serde(rename = "SSLVerifyClient")]
    ssl_verify_client: Option<String>,
    cert_id: Option<String>,
    cert_ca_id: Option<String>,
    cert_name: Option<String>,
    cert_key: Option<String>,
    cert_content: Option<String>,
    cert_ca_name: Option<String>,
    cert_ca_content: Option<String>,
}

/// Several certificates of different key algorithms.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GivenMany {
    #[serde(rename = "SSLMode")]
    ssl_mode: String,
    #[serde(rename = "SSLVerifyClient")]
    ssl_verify_client: Option<String>,
    cert_list: Vec<GivenOne>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GivenOne {
    cert_id: Option<String>,
    cert_name: Option<String>,
    cert_content: Option<String>,
}

impl Certificate {
    pub(super) fn show(&self) -> Value {
        json!({
            "SSLMode": self.mode,
            "SSLVerifyClient": self.verify_client,
            "CertId": self.id,
            "CertCaId": self.ca_id,
            "ExtCertIds": self.further_ids,
        })
    }
}

/// Reads the certificates of a request; both forms at once are refused.
pub(super) fn read(
    ids: &mut Ids,
    one: Option<&Given>,
    many: Option<&GivenMany>,
) -> Result<Option<Certificate>, ApiError> {
    match (one, many) {
        (Some(_), Some(_)) => {
            Err(errors::parameter("`Certificate` and `MultiCertInfo` cannot be given together: give one of them."))
        }
        (Some(given), None) => read_one(ids, given).map(Some),
        (None, Some(given)) => read_many(ids, given).map(Some),
        (None, None) => Ok(None),
    }
}

fn check_mode(mode: &str, verify_client: &str) -> Result<(), ApiError> {
    errors::check_among("SSLMode", mode, &["UNIDIRECTIONAL", "MUTUAL"])?;
    errors::check_among("SSLVerifyClient", verify_client, &["ON", "OPTIONAL"])
}

fn read_one(ids: &mut Ids, given: &Given) -> Result<Certificate, ApiError> {
    let mode = given.ssl_mode.clone().unwrap_or_else(|| "UNIDIRECTIONAL".to_owned());
    let verify_client = given.ssl_verify_client.clone().unwrap_or_else(|| "ON".to_owned());
    check_mode(&mode, &verify_client)?;
    let uploaded = given.cert_name.is_some() && given.cert_key.is_some() && given.cert_content.is_some();
    let id = named(ids, given.cert_id.as_ref(), uploaded).ok_or_else(|| ApiError::missing("Certificate.CertId"))?;
    let ca_uploaded = given.cert_ca_name.is_some() && given.cert_ca_content.is_some();
    let ca_id = if mode == "MUTUAL" {
        named(ids, given.cert_ca_id.as_ref(), ca_uploaded).ok_or_else(|| ApiError::missing("Certificate.CertCaId"))?
    } else {
        String::new()
    };
    Ok(Certificate { mode, verify_client, id, ca_id, further_ids: Vec::new() })
}

fn read_many(ids: &mut Ids, given: &GivenMany) -> Result<Certificate, ApiError> {
    let verify_client = given.ssl_verify_client.clone().unwrap_or_else(|| "ON".to_owned());
    check_mode(&given.ssl_mode, &verify_client)?;
    let mut named_ids = Vec::new();
    for one in &given.cert_list {
        let uploaded = one.cert_name.is_some() && one.cert_content.is_some();
        let id = named(ids, one.cert_id.as_ref(), uploaded);
        named_ids.push(id.ok_or_else(|| ApiError::missing("MultiCertInfo.CertList.CertId"))?);
    }
    let mut named_ids = named_ids.into_iter();
    let id = named_ids.next().ok_or_else(|| ApiError::missing("MultiCertInfo.CertList"))?;
    Ok(Certificate {
        mode: given.ssl_mode.clone(),
        verify_client,
        id,
        ca_id: String::new(),
        further_ids: named_ids.collect(),
    })
}

/// The id that was given, or a new one for an upload.
fn named(ids: &mut Ids, id: Option<&String>, uploaded: bool) -> Option<String> {
    match id.filter(|id| !id.is_empty()) {
        Some(id) => Some(id.clone()),
        None => uploaded.then(|| ids.new_id("cert").trim_start_matches("cert-").to_owned()),
    }
}
