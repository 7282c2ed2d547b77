//! Credentials given by the program.

use futures_util::future::{BoxFuture, ready};

use super::{CredentialProvider, Credentials, check};
use crate::Error;

/// Always the same credentials, held by the program.
///
/// ```
/// use qcloud_core::credential::{Credentials, StaticCredentials};
///
/// let provider = StaticCredentials::from(Credentials::new("AKID...", "the secret key"));
/// ```
#[derive(Clone, Debug)]
pub struct StaticCredentials(Credentials);

impl StaticCredentials {
    /// A provider of these credentials.
    #[must_use]
    pub fn new(credentials: Credentials) -> Self {
        Self(credentials)
    }
}

impl From<Credentials> for StaticCredentials {
    fn from(credentials: Credentials) -> Self {
        Self::new(credentials)
    }
}

impl CredentialProvider for StaticCredentials {
    fn name(&self) -> &'static str {
        "static keys"
    }

    fn load(&self) -> BoxFuture<'_, Result<Option<Credentials>, Error>> {
        let Self(credentials) = self;
        let checked = check("the secret id", credentials.secret_id())
            .and_then(|()| check("the secret key", credentials.secret_key().expose()))
            .and_then(|()| credentials.token().map_or(Ok(()), |token| check("the session token", token.expose())));
        Box::pin(ready(checked.map(|()| Some(credentials.clone()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[tokio::test]
    async fn gives_what_it_was_given() {
        let credentials = Credentials::new("id", "key").with_token("token");
        let provider = StaticCredentials::from(credentials.clone());
        assert_eq!(provider.load().await.unwrap(), Some(credentials));
    }

    #[tokio::test]
    async fn refuses_keys_that_cannot_be_right() {
        for (id, key, says) in [
            ("", "key", "secret id is empty"),
            ("id", "hunter2\n", "secret key has blanks or line ends around it"),
            ("id", "hunter 2", "secret key has blanks or other characters"),
            ("i\u{e4}d", "hunter2", "secret id has blanks or other characters"),
        ] {
            let error = StaticCredentials::new(Credentials::new(id, key)).load().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Credentials);
            assert!(error.message().contains(says), "{error}");
            assert!(!format!("{error:?}{error}").contains("hunter"));
        }
    }
}
