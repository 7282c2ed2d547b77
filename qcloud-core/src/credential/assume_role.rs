//! Credentials of a role that other credentials may assume.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;

use super::sts::{self, Call};
use super::{CredentialProvider, Credentials, ProviderContext, refused};
use crate::{Endpoint, Error, Region};

/// Credentials of a CAM role, given for those of another provider by
/// [`sts:AssumeRole`](https://cloud.tencent.com/document/api/1312/48197).
///
/// ```
/// # use qcloud_core::credential::{AssumeRoleCredentials, Credentials, ProviderContext, StaticCredentials};
/// # fn sketch(context: ProviderContext) {
/// let keys = StaticCredentials::new(Credentials::new("AKID...", "the secret key"));
/// let provider = AssumeRoleCredentials::new(context, keys, "qcs::cam::uin/100000000001:roleName/deploy")
///     .with_session_name("nightly-build");
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AssumeRoleCredentials {
    context: ProviderContext,
    base: Arc<dyn CredentialProvider>,
    role_arn: String,
    session_name: Option<String>,
    duration: Duration,
    external_id: Option<String>,
    policy: Option<String>,
    region: Region,
    endpoint: Endpoint,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssumeRole<'a> {
    role_arn: &'a str,
    role_session_name: String,
    duration_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
}

impl AssumeRoleCredentials {
    /// The role of this ARN (`qcs::cam::uin/<account>:roleName/<name>`), assumed with the credentials of `base`, for two
    /// hours at a time.
    #[must_use]
    pub fn new(context: ProviderContext, base: impl CredentialProvider + 'static, role_arn: impl Into<String>) -> Self {
        let endpoint = context.sts.clone();
        Self {
            context,
            base: Arc::new(base),
            role_arn: role_arn.into(),
            session_name: None,
            duration: sts::DEFAULT_DURATION,
            external_id: None,
            policy: None,
            // What the official clients use; STS is the same everywhere.
            region: Region::GUANGZHOU,
            endpoint,
        }
    }

    /// Names the session, for audit logs: 2 to 128 letters, digits and `=,.@_-`.
    #[must_use]
    pub fn with_session_name(mut self, name: impl Into<String>) -> Self {
        self.session_name = Some(name.into());
        self
    }

    /// How long credentials hold: 12 hours at most, and no longer than the role allows.
    #[must_use]
    pub fn with_duration(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }

    /// The id that the role's owner asks third parties for.
    #[must_use]
    pub fn with_external_id(mut self, id: impl Into<String>) -> Self {
        self.external_id = Some(id.into());
        self
    }

    /// Narrows what the credentials may do, by a CAM policy in plain JSON.
    #[must_use]
    pub fn with_policy(mut self, policy: impl Into<String>) -> Self {
        self.policy = Some(policy.into());
        self
    }

    /// Calls STS in this region in place of `ap-guangzhou`.
    #[must_use]
    pub fn with_region(mut self, region: Region) -> Self {
        self.region = region;
        self
    }

    /// Asks STS there in place of the context's endpoint.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = endpoint;
        self
    }

    async fn assume(&self) -> Result<Credentials, Error> {
        let body = sts::body(&AssumeRole {
            role_arn: &self.role_arn,
            role_session_name: sts::session_name(self.session_name.as_deref(), self.context.clock.now()),
            duration_seconds: sts::duration_seconds(self.duration)?,
            policy: self.policy.as_deref().map(percent_encode),
            external_id: self.external_id.as_deref(),
        })?;
        let keys = self.base.load().await?.ok_or_else(|| {
            refused(format!(
                "the role {} can't be assumed: its base credentials ({}) are not set up here",
                self.role_arn,
                self.base.name()
            ))
        })?;
        let call = Call {
            context: &self.context,
            endpoint: &self.endpoint,
            region: self.region.clone(),
            action: "AssumeRole",
            body,
        };
        call.send(Some(&keys)).await
    }
}

/// STS takes the policy URL-encoded, also inside JSON.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

impl CredentialProvider for AssumeRoleCredentials {
    fn name(&self) -> &'static str {
        "assumed role"
    }

    fn load(&self) -> BoxFuture<'_, Result<Option<Credentials>, Error>> {
        Box::pin(async move { self.assume().await.map(Some) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{FakeEnvironment, FakeTransport, Reply, START, context, json, start_plus};
    use super::super::{EnvironmentCredentials, StaticCredentials};
    use super::*;
    use crate::ErrorKind;
    use crate::signing::{Signer, SigningRequest};

    const ARN: &str = "qcs::cam::uin/1:roleName/deploy";

    fn granted() -> String {
        format!(
            r#"{{"Response":{{"Credentials":{{"Token":"t2","TmpSecretId":"id2","TmpSecretKey":"key2"}},
            "ExpiredTime":{},"Expiration":"2030-01-01T02:00:00Z","RequestId":"r-1"}}}}"#,
            START + 7200
        )
    }

    #[tokio::test]
    async fn signs_with_the_base_credentials() {
        let transport = FakeTransport::script([json(granted())]);
        let keys = Credentials::new("AKID", "key").with_token("hunter-token");
        let provider = AssumeRoleCredentials::new(
            context(&FakeEnvironment::new(&[]), &transport),
            StaticCredentials::new(keys.clone()),
            ARN,
        )
        .with_session_name("nightly")
        .with_duration(Duration::from_secs(900))
        .with_external_id("ext")
        .with_policy(r#"{"version":"2.0"}"#)
        .with_region(Region::new("ap-tokyo"))
        .with_endpoint(Endpoint::url("http://127.0.0.1:8080").unwrap());
        let expected = Credentials::new("id2", "key2").with_token("t2").with_expiry(start_plus(7200));
        assert_eq!(provider.load().await.unwrap(), Some(expected));

        let request = transport.requests().remove(0);
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(request.body()).unwrap(),
            serde_json::json!({
                "RoleArn": ARN,
                "RoleSessionName": "nightly",
                "DurationSeconds": 900,
                "Policy": "%7B%22version%22%3A%222.0%22%7D",
                "ExternalId": "ext",
            })
        );
        assert_eq!(request.uri(), "http://127.0.0.1:8080/");
        assert_eq!(header("Host"), "127.0.0.1:8080");
        assert_eq!(header("X-TC-Action"), "AssumeRole");
        assert_eq!(header("X-TC-Region"), "ap-tokyo");
        assert_eq!(header("X-TC-Token"), "hunter-token");
        let signed = SigningRequest {
            method: "POST",
            path: "/",
            query: "",
            content_type: header("Content-Type"),
            host: header("Host"),
            payload: request.body(),
            service: "sts",
            timestamp: START as i64,
        };
        assert_eq!(header("Authorization"), Signer::new().authorization("AKID", keys.secret_key(), 0, &signed));
        assert!(!format!("{provider:?}").contains("hunter"));
    }

    #[tokio::test]
    async fn a_clock_that_is_off_is_put_right() {
        let late = r#"{"Response":{"Error":{"Code":"AuthFailure.SignatureExpire","Message":"late"},"RequestId":"r"}}"#;
        let date = "Tue, 01 Jan 2030 01:00:00 GMT";
        let transport = FakeTransport::script([Reply::Dated(date, late.into()), json(granted())]);
        let keys = StaticCredentials::new(Credentials::new("AKID", "key"));
        let provider = AssumeRoleCredentials::new(context(&FakeEnvironment::new(&[]), &transport), keys, ARN);
        assert!(provider.load().await.unwrap().is_some());
        let times: Vec<i64> = transport
            .requests()
            .iter()
            .map(|request| request.headers()["X-TC-Timestamp"].to_str().unwrap().parse().unwrap())
            .collect();
        assert_eq!(times, [START as i64, START as i64 + 3600]);
    }

    #[tokio::test]
    async fn what_can_go_wrong_is_an_error_of_the_credentials() {
        let environment = FakeEnvironment::new(&[]);
        let base = EnvironmentCredentials::new(Arc::<FakeEnvironment>::clone(&environment));
        let provider = AssumeRoleCredentials::new(context(&environment, &FakeTransport::unused()), base.clone(), ARN);
        let error = provider.load().await.unwrap_err();
        assert!(error.message().contains("its base credentials (environment) are not set up"), "{error}");
        let error = provider.clone().with_duration(Duration::from_secs(50_000)).load().await.unwrap_err();
        assert!(error.message().contains("12 hours"), "{error}");

        environment.set("TENCENTCLOUD_SECRET_ID", "id");
        environment.set("TENCENTCLOUD_SECRET_KEY", "hunter2");
        let denied =
            r#"{"Response":{"Error":{"Code":"AuthFailure.UnauthorizedOperation","Message":"no"},"RequestId":"r"}}"#;
        let transport = FakeTransport::script([json(denied)]);
        let provider = AssumeRoleCredentials::new(context(&environment, &transport), base, ARN);
        let error = provider.load().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Credentials);
        assert!(error.message().contains("sts:AssumeRole: AuthFailure.UnauthorizedOperation: no"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }
}
