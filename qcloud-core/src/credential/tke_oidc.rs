//! Credentials of the CAM role that a TKE pod's service account stands for.

use std::path::Path;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Serialize;

use super::sts::{self, Call};
use super::{CredentialProvider, Credentials, ProviderContext, check, refused};
use crate::{Endpoint, Error, Region, Secret};

const REGION: &str = "TKE_REGION";
const PROVIDER_ID: &str = "TKE_PROVIDER_ID";
const TOKEN_FILE: &str = "TKE_WEB_IDENTITY_TOKEN_FILE";
const ROLE_ARN: &str = "TKE_ROLE_ARN";

/// Credentials of the CAM role tied to the service account of a TKE pod.
///
/// TKE sets `TKE_REGION`, `TKE_PROVIDER_ID`, `TKE_WEB_IDENTITY_TOKEN_FILE` and `TKE_ROLE_ARN` in such pods. All of it,
/// the token file included, is read at each load, since the token is renewed; it is exchanged by
/// [`sts:AssumeRoleWithWebIdentity`](https://cloud.tencent.com/document/api/1312/73070) in the pod's region.
#[derive(Clone, Debug)]
pub struct TkeOidcCredentials {
    context: ProviderContext,
    endpoint: Endpoint,
    session_name: Option<String>,
    duration: Duration,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssumeRoleWithWebIdentity {
    provider_id: String,
    web_identity_token: Secret,
    role_arn: String,
    role_session_name: String,
    duration_seconds: u64,
}

impl TkeOidcCredentials {
    /// The role of the pod that the program runs in, for two hours at a time.
    #[must_use]
    pub fn new(context: ProviderContext) -> Self {
        let endpoint = context.sts.clone();
        Self { context, endpoint, session_name: None, duration: sts::DEFAULT_DURATION }
    }

    /// Asks STS there in place of the context's endpoint: at [`Endpoint::internal`] in clusters without a way to the
    /// internet.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: Endpoint) -> Self {
        self.endpoint = endpoint;
        self
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

    fn var(&self, name: &str) -> Option<String> {
        self.context.environment.var(name).filter(|value| !value.is_empty())
    }

    fn required(&self, name: &str) -> Result<String, Error> {
        let value = self.var(name).ok_or_else(|| {
            refused(format!(
                "{name} is not set, though other TKE_ variables are: TKE sets {REGION}, {PROVIDER_ID}, {TOKEN_FILE} \
                 and {ROLE_ARN} together"
            ))
        })?;
        check(name, &value)?;
        Ok(value)
    }

    fn token(&self) -> Result<Secret, Error> {
        let path = self.var(TOKEN_FILE).map_or_else(|| self.required(TOKEN_FILE), Ok)?;
        let text = self.context.environment.read_file(Path::new(&path)).map_err(|error| {
            refused(format!("the file {path} that {TOKEN_FILE} names can't be read: {error}")).with_source(error)
        })?;
        check(&format!("the token in {path}"), text.trim())?;
        Ok(text.trim().into())
    }

    async fn exchange(&self) -> Result<Option<Credentials>, Error> {
        if [PROVIDER_ID, TOKEN_FILE, ROLE_ARN].iter().all(|name| self.var(name).is_none()) {
            return Ok(None);
        }
        let region = self.required(REGION)?;
        let body = sts::body(&AssumeRoleWithWebIdentity {
            provider_id: self.required(PROVIDER_ID)?,
            web_identity_token: self.token()?,
            role_arn: self.required(ROLE_ARN)?,
            role_session_name: sts::session_name(self.session_name.as_deref(), self.context.clock.now()),
            duration_seconds: sts::duration_seconds(self.duration)?,
        })?;
        let call = Call {
            context: &self.context,
            endpoint: &self.endpoint,
            region: Region::new(region),
            action: "AssumeRoleWithWebIdentity",
            body,
        };
        // The token is the proof; there is nothing to sign with.
        call.send(None).await.map(Some)
    }
}

impl CredentialProvider for TkeOidcCredentials {
    fn name(&self) -> &'static str {
        "TKE OIDC"
    }

    fn load(&self) -> BoxFuture<'_, Result<Option<Credentials>, Error>> {
        Box::pin(self.exchange())
    }

    fn hint(&self) -> Option<&'static str> {
        Some("tie a CAM role to the service account of the TKE pod, which then has TKE_ROLE_ARN")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::{FakeEnvironment, FakeTransport, Reply, START, context, json, start_plus};
    use super::*;
    use crate::ErrorKind;
    use crate::transport::TransportErrorKind;

    const VARIABLES: [(&str, &str); 4] = [
        (REGION, "ap-shanghai"),
        (PROVIDER_ID, "cls-12345678"),
        (TOKEN_FILE, "/var/run/token"),
        (ROLE_ARN, "qcs::cam::uin/1:roleName/pods"),
    ];

    fn pod() -> Arc<FakeEnvironment> {
        let environment = FakeEnvironment::new(&VARIABLES);
        environment.write("/var/run/token", "hunter.token.1\n");
        environment
    }

    fn granted(id: &str) -> Reply {
        json(format!(
            r#"{{"Response":{{"ExpiredTime":{},"Expiration":"2030-01-01T02:00:00Z","Credentials":{{"Token":"token",
            "TmpSecretId":"{id}","TmpSecretKey":"key"}},"RequestId":"r-1"}}}}"#,
            START + 7200
        ))
    }

    fn denied(code: &str) -> Reply {
        json(format!(r#"{{"Response":{{"Error":{{"Code":"{code}","Message":"no"}},"RequestId":"r-2"}}}}"#))
    }

    #[tokio::test]
    async fn outside_a_pod_there_are_none() {
        let environment = FakeEnvironment::new(&[(REGION, "ap-shanghai"), (ROLE_ARN, "")]);
        let provider = TkeOidcCredentials::new(context(&environment, &FakeTransport::unused()));
        assert_eq!(provider.load().await.unwrap(), None);
    }

    #[tokio::test]
    async fn exchanges_the_token_of_the_moment_in_the_pods_region() {
        let environment = pod();
        let transport = FakeTransport::script([granted("one"), granted("two")]);
        let provider = TkeOidcCredentials::new(context(&environment, &transport));
        let expected = Credentials::new("one", "key").with_token("token").with_expiry(start_plus(7200));
        assert_eq!(provider.load().await.unwrap(), Some(expected));
        environment.write("/var/run/token", "hunter.token.2");
        let provider = provider
            .with_endpoint(Endpoint::internal())
            .with_session_name("audit")
            .with_duration(Duration::from_secs(600));
        assert_eq!(provider.load().await.unwrap().unwrap().secret_id(), "two");

        let requests = transport.requests();
        let header = |name: &str| requests[0].headers()[name].to_str().unwrap().to_owned();
        assert_eq!(requests[0].uri(), "https://sts.tencentcloudapi.com/");
        assert_eq!(requests[0].method(), "POST");
        assert_eq!(header("X-TC-Action"), "AssumeRoleWithWebIdentity");
        assert_eq!(header("X-TC-Version"), "2018-08-13");
        assert_eq!(header("X-TC-Region"), "ap-shanghai");
        assert_eq!(header("X-TC-Timestamp"), START.to_string());
        assert_eq!(header("Authorization"), "SKIP");
        assert_eq!(header("Host"), "sts.tencentcloudapi.com");
        let body = |at: usize| serde_json::from_slice::<serde_json::Value>(requests[at].body()).unwrap();
        assert_eq!(
            body(0),
            serde_json::json!({
                "ProviderId": "cls-12345678",
                "WebIdentityToken": "hunter.token.1",
                "RoleArn": "qcs::cam::uin/1:roleName/pods",
                "RoleSessionName": format!("qcloud-rust-{START}"),
                "DurationSeconds": 7200,
            })
        );
        assert_eq!(requests[1].uri(), "https://sts.internal.tencentcloudapi.com/");
        assert_eq!(body(1)["WebIdentityToken"], "hunter.token.2");
        assert_eq!(body(1)["RoleSessionName"], "audit");
        assert_eq!(body(1)["DurationSeconds"], 600);
    }

    #[tokio::test]
    async fn half_a_setting_names_what_is_missing() {
        for (missing, _) in VARIABLES {
            let environment = pod();
            environment.set(missing, "");
            let provider = TkeOidcCredentials::new(context(&environment, &FakeTransport::unused()));
            let error = provider.load().await.unwrap_err();
            assert!(error.message().starts_with(&format!("{missing} is not set")), "{error}");
        }
    }

    #[tokio::test]
    async fn unusable_token_files_are_errors() {
        let environment = pod();
        let provider = TkeOidcCredentials::new(context(&environment, &FakeTransport::unused()));
        environment.write("/var/run/token", "\n");
        assert!(provider.load().await.unwrap_err().message().contains("the token in /var/run/token is empty"));
        environment.write("/var/run/token", "hunter 2");
        let error = provider.load().await.unwrap_err();
        assert!(error.message().contains("/var/run/token") && !error.message().contains("hunter"), "{error}");
        environment.set(TOKEN_FILE, "/elsewhere");
        let error = provider.load().await.unwrap_err();
        assert!(error.message().contains("/elsewhere that TKE_WEB_IDENTITY_TOKEN_FILE names can't be read"), "{error}");
    }

    #[tokio::test]
    async fn passing_failures_are_tried_again() {
        let transport = FakeTransport::script([Reply::Hang, denied("RequestLimitExceeded"), granted("one")]);
        let provider = TkeOidcCredentials::new(context(&pod(), &transport));
        assert_eq!(provider.load().await.unwrap().unwrap().secret_id(), "one");
        let transport = FakeTransport::script([
            Reply::Fail(TransportErrorKind::Connect),
            Reply::Answer(503, "<html>".into()),
            denied("InternalError.DbError"),
        ]);
        let error = TkeOidcCredentials::new(context(&pod(), &transport)).load().await.unwrap_err();
        assert!(error.message().contains("InternalError.DbError"), "{error}");
    }

    #[tokio::test]
    async fn refusals_and_nonsense_are_credential_errors_without_the_token() {
        for (reply, says) in [
            (
                denied("InvalidParameter.WebIdentityTokenError"),
                "InvalidParameter.WebIdentityTokenError: no (request id r-2)",
            ),
            (json("hunter2"), "not the expected JSON"),
            (json(r#"{"Response":{"Credentials":{"TmpSecretId":["hunter2"]}}}"#), "not the expected JSON"),
            (json(r#"{"Response":{}}"#), "TmpSecretId of the answer is empty"),
            (Reply::Answer(403, "hunter2".into()), "HTTP 403"),
        ] {
            let transport = FakeTransport::script([reply]);
            let error = TkeOidcCredentials::new(context(&pod(), &transport)).load().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Credentials);
            assert!(error.message().contains(says), "{says:?} is not in {error}");
            assert!(!format!("{error:?}{error}").contains("hunter"), "{error:?}");
        }
    }
}
