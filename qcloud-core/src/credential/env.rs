//! Credentials in environment variables.

use std::sync::Arc;

use futures_util::future::{BoxFuture, ready};

use super::{CredentialProvider, Credentials, check, refused};
use crate::Error;
use crate::environment::Environment;

const SECRET_ID: &str = "TENCENTCLOUD_SECRET_ID";
const SECRET_KEY: &str = "TENCENTCLOUD_SECRET_KEY";
/// What the official clients read, then what Terraform and CloudBase tools do.
const TOKENS: [&str; 3] = ["TENCENTCLOUD_TOKEN", "TENCENTCLOUD_SECURITY_TOKEN", "TENCENTCLOUD_SESSION_TOKEN"];

/// Credentials in `TENCENTCLOUD_SECRET_ID` and `TENCENTCLOUD_SECRET_KEY`, with the session token of a temporary pair in
/// `TENCENTCLOUD_TOKEN`.
///
/// The token may be in `TENCENTCLOUD_SECURITY_TOKEN` or `TENCENTCLOUD_SESSION_TOKEN` as well, where some tools put it.
/// A half-set pair is an error, and so are empty or padded values; an empty token counts as none.
#[derive(Clone, Debug)]
pub struct EnvironmentCredentials {
    environment: Arc<dyn Environment>,
}

impl EnvironmentCredentials {
    /// Reads the variables of `environment`.
    #[must_use]
    pub fn new(environment: Arc<dyn Environment>) -> Self {
        Self { environment }
    }

    fn read(&self) -> Result<Option<Credentials>, Error> {
        let (id, key) = match (self.environment.var(SECRET_ID), self.environment.var(SECRET_KEY)) {
            (None, None) => return Ok(None),
            (Some(id), Some(key)) => (id, key),
            (Some(_), None) => return Err(half(SECRET_ID, SECRET_KEY)),
            (None, Some(_)) => return Err(half(SECRET_KEY, SECRET_ID)),
        };
        for (name, value) in [(SECRET_ID, &id), (SECRET_KEY, &key)] {
            if value.is_empty() {
                return Err(refused(format!("{name} is set but empty: give it a value, or unset it")));
            }
            check(name, value)?;
        }
        let credentials = Credentials::new(id, key);
        for name in TOKENS {
            if let Some(token) = self.environment.var(name).filter(|token| !token.is_empty()) {
                check(name, &token)?;
                return Ok(Some(credentials.with_token(token)));
            }
        }
        Ok(Some(credentials))
    }
}

fn half(set: &str, missing: &str) -> Error {
    refused(format!("{set} is set but {missing} is not: set both, or none to use another source of credentials"))
}

impl CredentialProvider for EnvironmentCredentials {
    fn name(&self) -> &'static str {
        "environment"
    }

    fn load(&self) -> BoxFuture<'_, Result<Option<Credentials>, Error>> {
        Box::pin(ready(self.read()))
    }

    fn hint(&self) -> Option<&'static str> {
        Some("set TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY (and TENCENTCLOUD_TOKEN for a temporary key pair)")
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::FakeEnvironment;
    use super::*;
    use crate::ErrorKind;

    async fn load(variables: &[(&str, &str)]) -> Result<Option<Credentials>, Error> {
        EnvironmentCredentials::new(FakeEnvironment::new(variables)).load().await
    }

    #[tokio::test]
    async fn nothing_set_is_none() {
        assert_eq!(load(&[]).await.unwrap(), None);
        assert_eq!(load(&[("TENCENTCLOUD_TOKEN", "token")]).await.unwrap(), None);
    }

    #[tokio::test]
    async fn pair_with_and_without_token() {
        let pair = [(SECRET_ID, "id"), (SECRET_KEY, "key")];
        assert_eq!(load(&pair).await.unwrap(), Some(Credentials::new("id", "key")));
        for name in TOKENS {
            let found = load(&[pair[0], pair[1], ("TENCENTCLOUD_TOKEN", ""), (name, "token")]).await.unwrap();
            assert_eq!(found, Some(Credentials::new("id", "key").with_token("token")), "{name}");
        }
        let both = load(&[pair[0], pair[1], (TOKENS[2], "other"), (TOKENS[0], "official")]).await.unwrap();
        assert_eq!(both, Some(Credentials::new("id", "key").with_token("official")));
    }

    #[tokio::test]
    async fn half_a_pair_names_the_missing_half() {
        let error = load(&[(SECRET_ID, "id")]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Credentials);
        assert!(error.message().contains("TENCENTCLOUD_SECRET_KEY is not"), "{error}");
        let error = load(&[(SECRET_KEY, "hunter2")]).await.unwrap_err();
        assert!(error.message().contains("TENCENTCLOUD_SECRET_ID is not"), "{error}");
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[tokio::test]
    async fn empty_and_padded_values_are_refused() {
        let error = load(&[(SECRET_ID, ""), (SECRET_KEY, "key")]).await.unwrap_err();
        assert!(error.message().contains("TENCENTCLOUD_SECRET_ID is set but empty"), "{error}");
        let error = load(&[(SECRET_ID, "id"), (SECRET_KEY, "hunter2\r\n")]).await.unwrap_err();
        assert!(error.message().contains("TENCENTCLOUD_SECRET_KEY has blanks"), "{error}");
        let error = load(&[(SECRET_ID, "id"), (SECRET_KEY, "key"), (TOKENS[0], " hunter2")]).await.unwrap_err();
        assert!(error.message().contains("TENCENTCLOUD_TOKEN has blanks"), "{error}");
        assert!(!format!("{error:?}{error}").contains("hunter2"));
    }
}
