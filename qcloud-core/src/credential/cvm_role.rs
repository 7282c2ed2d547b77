//! Credentials of the role bound to a CVM instance, from the metadata server.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::StatusCode;
use serde::Deserialize;
use tracing::debug;

use super::{CredentialProvider, Credentials, ProviderContext, check, epoch, refused};
use crate::clock::within;
use crate::transport::TransportErrorKind;
use crate::{Error, Secret};

const SERVER: &str = "http://metadata.tencentyun.com";
const PATH: &str = "/latest/meta-data/cam/security-credentials/";
/// The server is one hop away: longer than this means that there is none.
const TIMEOUT: Duration = Duration::from_secs(1);
const TRIES: u32 = 2;
const PAUSE: Duration = Duration::from_millis(100);

/// Credentials of the CAM role bound to the CVM instance (or TKE node) that the program runs on.
///
/// The role's name is asked for at each load, since the role of a running instance can be changed. Outside a CVM
/// instance, or on one without a role, there are none (`Ok(None)`); each request gives up after a second, and is made
/// twice at most.
#[derive(Clone, Debug)]
pub struct CvmRoleCredentials {
    context: ProviderContext,
    server: String,
    role: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Answer {
    code: String,
    tmp_secret_id: String,
    tmp_secret_key: Secret,
    token: Secret,
    expired_time: i64,
}

/// How an exchange with the server ended when it did not fail.
enum Fetched {
    Body(Bytes),
    NotFound,
    Unreachable,
}

impl CvmRoleCredentials {
    /// The role of the instance, whatever its name.
    #[must_use]
    pub fn new(context: ProviderContext) -> Self {
        Self { context, server: SERVER.to_owned(), role: None }
    }

    /// Takes the role of this name. It is an error then when the instance has no such role.
    #[must_use]
    pub fn with_role(mut self, name: impl Into<String>) -> Self {
        self.role = Some(name.into());
        self
    }

    /// Asks another server than `http://metadata.tencentyun.com`.
    #[must_use]
    pub fn with_server(mut self, base_url: impl Into<String>) -> Self {
        self.server = base_url.into().trim_end_matches('/').to_owned();
        self
    }

    async fn find(&self) -> Result<Option<Credentials>, Error> {
        let (role, listed) = match &self.role {
            Some(role) => (role.clone(), false),
            None => match self.fetch("").await? {
                Fetched::Body(body) => match first_line(&body) {
                    Some(role) => (role, true),
                    None => return Ok(None),
                },
                Fetched::NotFound => {
                    debug!("the CVM instance has no role");
                    return Ok(None);
                }
                Fetched::Unreachable => return Ok(None),
            },
        };
        // Both the name given by the program and the one from the server become part of a URL.
        if !role.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte)) {
            return Err(refused(if listed {
                format!("{} answered with something that is not a role name: is it the metadata server?", self.server)
            } else {
                format!("{role:?} is not a possible name of a CAM role")
            }));
        }
        match self.fetch(&role).await? {
            Fetched::Body(body) => read(&role, &body).map(Some),
            Fetched::NotFound => Err(refused(format!(
                "the metadata server has no credentials of the role {role}: bind that role to the CVM instance"
            ))),
            Fetched::Unreachable if listed => {
                Err(refused("the metadata server stopped answering between the role's name and its credentials"))
            }
            Fetched::Unreachable => Ok(None),
        }
    }

    async fn fetch(&self, role: &str) -> Result<Fetched, Error> {
        let url = format!("{}{PATH}{role}", self.server);
        let mut outcome = self.fetch_once(&url).await;
        for _ in 1..TRIES {
            if matches!(outcome, Ok(Fetched::Body(_) | Fetched::NotFound)) {
                break;
            }
            self.context.clock.sleep(PAUSE).await;
            outcome = self.fetch_once(&url).await;
        }
        outcome
    }

    async fn fetch_once(&self, url: &str) -> Result<Fetched, Error> {
        let request = http::Request::get(url)
            .body(Bytes::new())
            .map_err(|error| refused(format!("{url} is not a URL of a metadata server")).with_source(error))?;
        let exchange = self.context.transport.send(request);
        match within(&*self.context.clock, TIMEOUT, exchange).await {
            None => {
                debug!(url, "no answer from the metadata server in time");
                Ok(Fetched::Unreachable)
            }
            Some(Err(error)) => match error.kind() {
                TransportErrorKind::TooLarge | TransportErrorKind::Request => {
                    Err(refused(format!("the metadata server can't be asked: {error}")).with_source(error))
                }
                _ => {
                    debug!(url, %error, "the metadata server can't be reached");
                    Ok(Fetched::Unreachable)
                }
            },
            Some(Ok(answer)) => match answer.status() {
                StatusCode::OK => Ok(Fetched::Body(answer.into_body())),
                StatusCode::NOT_FOUND => Ok(Fetched::NotFound),
                status => Err(refused(format!("the metadata server answered {url} with HTTP {status}"))),
            },
        }
    }
}

fn first_line(body: &[u8]) -> Option<String> {
    String::from_utf8_lossy(body).lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}

fn read(role: &str, body: &[u8]) -> Result<Credentials, Error> {
    // serde_json's own message can quote a value.
    let answer: Answer = serde_json::from_slice(body).map_err(|error| {
        refused(format!(
            "the metadata server's answer for the role {role} is not the expected JSON (line {}, column {})",
            error.line(),
            error.column()
        ))
    })?;
    if answer.code != "Success" {
        let code: String = answer.code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '.').take(80).collect();
        return Err(refused(format!("the metadata server refuses credentials of the role {role}: code {code:?}")));
    }
    check("the metadata server's TmpSecretId", &answer.tmp_secret_id)?;
    check("the metadata server's TmpSecretKey", answer.tmp_secret_key.expose())?;
    check("the metadata server's Token", answer.token.expose())?;
    let expiry = epoch(answer.expired_time)
        .filter(|_| answer.expired_time > 0)
        .ok_or_else(|| refused(format!("the metadata server's credentials of the role {role} lack an ExpiredTime")))?;
    Ok(Credentials::new(answer.tmp_secret_id, answer.tmp_secret_key).with_token(answer.token).with_expiry(expiry))
}

impl CredentialProvider for CvmRoleCredentials {
    fn name(&self) -> &'static str {
        "CVM role"
    }

    fn load(&self) -> BoxFuture<'_, Result<Option<Credentials>, Error>> {
        Box::pin(self.find())
    }

    fn hint(&self) -> Option<&'static str> {
        Some("bind a CAM role to the CVM instance that this runs on")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::tests::{FakeEnvironment, FakeTransport, Reply, START, context, json, start_plus};
    use super::*;
    use crate::ErrorKind;

    fn provider(transport: &Arc<FakeTransport>) -> CvmRoleCredentials {
        CvmRoleCredentials::new(context(&FakeEnvironment::new(&[]), transport))
    }

    fn answer(id: &str) -> Reply {
        json(format!(
            r#"{{"TmpSecretId":"{id}","TmpSecretKey":"key","ExpiredTime":{},"Expiration":"2030-01-01T01:00:00Z","Token":"token","Code":"Success"}}"#,
            START + 3600
        ))
    }

    #[tokio::test]
    async fn reads_the_role_name_each_time() {
        let transport =
            FakeTransport::script([json("first-role\n"), answer("one"), json("second_role"), answer("two")]);
        let provider = provider(&transport);
        let expected = Credentials::new("one", "key").with_token("token").with_expiry(start_plus(3600));
        assert_eq!(provider.load().await.unwrap(), Some(expected));
        assert_eq!(provider.load().await.unwrap().unwrap().secret_id(), "two");
        let base = "http://metadata.tencentyun.com/latest/meta-data/cam/security-credentials/";
        let urls = [base.to_owned(), format!("{base}first-role"), base.to_owned(), format!("{base}second_role")];
        assert_eq!(transport.urls(), urls);
    }

    #[tokio::test]
    async fn no_server_and_no_role_are_none() {
        use TransportErrorKind::{Connect, Interrupted, Timeout};
        for replies in [
            vec![Reply::Answer(404, "<html>".into())],
            vec![json("\n")],
            vec![Reply::Fail(Connect), Reply::Fail(Connect)],
            vec![Reply::Fail(Timeout), Reply::Hang],
            vec![Reply::Hang, Reply::Fail(Interrupted)],
        ] {
            let transport = FakeTransport::script(replies);
            assert_eq!(provider(&transport).load().await.unwrap(), None);
        }
        let transport = FakeTransport::script([Reply::Hang, Reply::Hang]);
        let provider = provider(&transport).with_role("mine");
        assert_eq!(provider.load().await.unwrap(), None);
        assert_eq!(provider.context.clock.elapsed(), TIMEOUT * 2 + PAUSE);
    }

    #[tokio::test]
    async fn second_try_and_other_server() {
        let transport =
            FakeTransport::script([Reply::Answer(502, String::new()), json("role"), Reply::Hang, answer("one")]);
        let provider = provider(&transport).with_server("http://127.0.0.1:80/");
        assert_eq!(provider.load().await.unwrap().unwrap().secret_id(), "one");
        assert_eq!(transport.urls().first().unwrap(), &format!("http://127.0.0.1:80{PATH}"));
    }

    #[tokio::test]
    async fn answers_that_are_no_credentials_are_errors_without_secrets() {
        let keys = r#""TmpSecretId":"hunter1","TmpSecretKey":"hunter2","Token":"hunter3""#;
        for (replies, says) in [
            (vec![json("<html><body>")], "not a role name"),
            (vec![json("../other")], "not a role name"),
            (vec![json("role"), Reply::Answer(404, String::new())], "bind that role"),
            (vec![json("role"), Reply::Hang, Reply::Hang], "stopped answering"),
            (vec![json("role"), json("hunter2")], "not the expected JSON"),
            (vec![json("role"), json(r#"{"ExpiredTime":"hunter2"}"#)], "not the expected JSON (line 1, column"),
            (vec![json("role"), json(r#"{"Code":"Failed"}"#)], "code \"Failed\""),
            (vec![json("role"), json(format!(r#"{{"Code":"Success",{keys}}}"#))], "lack an ExpiredTime"),
            (vec![json("role"), json(r#"{"Code":"Success","ExpiredTime":1}"#)], "TmpSecretId is empty"),
            (vec![Reply::Answer(500, "x".into()), Reply::Answer(500, "x".into())], "HTTP 500"),
            (vec![Reply::Answer(302, "x".into()), Reply::Answer(302, "x".into())], "HTTP 302"),
            (vec![Reply::Fail(TransportErrorKind::TooLarge), Reply::Fail(TransportErrorKind::TooLarge)], "too large"),
        ] {
            let transport = FakeTransport::script(replies);
            let error = provider(&transport).load().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Credentials);
            assert!(error.message().contains(says), "{says:?} is not in {error}");
            assert!(!format!("{error:?}{error}").contains("hunter"), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_named_role_must_be_there() {
        let transport = FakeTransport::script([Reply::Answer(404, String::new())]);
        let error = provider(&transport).with_role("mine").load().await.unwrap_err();
        assert!(error.message().contains("role mine"), "{error}");
        let error = provider(&FakeTransport::unused()).with_role("a/b").load().await.unwrap_err();
        assert!(error.message().contains("not a possible name"), "{error}");
    }
}
