//! The JSON files of the official command line tool: `~/.tccli/<profile>.credential` and `.configure`.

use std::time::SystemTime;

use serde::Deserialize;
use serde_json::Value;

use super::{epoch, refused};
use crate::{Error, Secret};

/// `<profile>.credential`: written by `tccli configure` and `tccli auth login`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct CredentialFile {
    pub(super) secret_id: Option<String>,
    pub(super) secret_key: Option<Secret>,
    pub(super) token: Option<Secret>,
    /// `oauth` after a login in the browser, `cvm-role` for the role of the instance.
    pub(super) r#type: Option<String>,
    /// Seconds since 1970; only after a login.
    expires_at: Option<f64>,
    #[serde(rename = "role-arn")]
    pub(super) role_arn: Option<String>,
    #[serde(rename = "role-session-name")]
    pub(super) role_session_name: Option<String>,
}

impl CredentialFile {
    pub(super) fn parse(place: &str, text: &str) -> Result<Self, Error> {
        parse(place, text)
    }

    pub(super) fn expires_at(&self) -> Option<SystemTime> {
        // Saturates, which suits a date.
        self.expires_at.and_then(|seconds| epoch(seconds as i64))
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ConfigureFile {
    /// Where newer versions keep it.
    #[serde(rename = "_sys_param")]
    system: System,
    /// Where older ones did. In new ones, what has this name is the service `region`.
    region: Value,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct System {
    region: Option<String>,
}

/// The region in the text of a `<profile>.configure` file.
pub(super) fn region(place: &str, text: &str) -> Result<Option<String>, Error> {
    let file: ConfigureFile = parse(place, text)?;
    let older = file.region.as_str().map(str::to_owned);
    Ok(file.system.region.or(older).filter(|region| !region.is_empty()))
}

/// serde_json's own message can quote a value, so only the place is told.
fn parse<'a, T: Deserialize<'a>>(place: &str, text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
        refused(format!(
            "{place} is not the JSON that tccli writes: line {}, column {}; mend it, or run `tccli configure`",
            error.line(),
            error.column()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_region_of_both_layouts() {
        let new = r#"{"_sys_param": {"region": "ap-guangzhou", "output": "json"}, "cvm": {"version": "2017-03-12"}}"#;
        assert_eq!(region("f", new).unwrap().as_deref(), Some("ap-guangzhou"));
        assert_eq!(region("f", r#"{"region": "ap-tokyo"}"#).unwrap().as_deref(), Some("ap-tokyo"));
        assert_eq!(region("f", r#"{"_sys_param": {"region": ""}}"#).unwrap(), None);
        assert_eq!(region("f", "{}").unwrap(), None);
    }

    #[test]
    fn the_service_of_that_name_is_no_region() {
        let service = r#""region": {"endpoint": "region.tencentcloudapi.com", "version": "2022-06-27"}"#;
        let new = format!(r#"{{"_sys_param": {{"region": "ap-guangzhou"}}, {service}}}"#);
        assert_eq!(region("f", &new).unwrap().as_deref(), Some("ap-guangzhou"));
        assert_eq!(region("f", &format!("{{{service}}}")).unwrap(), None);
    }

    #[test]
    fn errors_name_the_place_but_not_the_value() {
        for text in ["{\n\"secretId\": [\"hunter2\"]}", "hunter2", "{\"expiresAt\": \n\"hunter2\"}", ""] {
            let error = CredentialFile::parse("/f", text).unwrap_err();
            assert!(error.message().starts_with("/f is not"), "{error}");
            assert!(!format!("{error:?}").contains("hunter"), "{error:?}");
        }
    }
}
