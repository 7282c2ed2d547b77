//! Several sources of credentials, asked in turn.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tracing::debug;

use super::{
    CredentialProvider, Credentials, CvmRoleCredentials, EnvironmentCredentials, ProfileCredentials, ProviderContext,
    TkeOidcCredentials, refused,
};
use crate::Error;

/// Asks providers in order, each time anew: the first that has credentials wins, and one that is set up but does not
/// work ends the search with its error.
///
/// When none has any, the error lists what was tried and what to set.
#[derive(Clone)]
pub struct CredentialChain {
    providers: Vec<Arc<dyn CredentialProvider>>,
}

impl CredentialChain {
    /// A chain of these providers.
    pub fn new(providers: impl IntoIterator<Item = Arc<dyn CredentialProvider>>) -> Self {
        Self { providers: providers.into_iter().collect() }
    }

    /// What most programs want: environment variables, the profile file, the service account of a TKE pod, the role of
    /// the CVM instance.
    #[must_use]
    pub fn default_chain(context: &ProviderContext) -> Self {
        Self::default_chain_with_profile(context, None)
    }

    /// The default chain with a named profile in place of `TENCENTCLOUD_PROFILE` or `default`.
    #[must_use]
    pub fn default_chain_with_profile(context: &ProviderContext, profile: Option<&str>) -> Self {
        let mut profiles = ProfileCredentials::new(context.clone());
        if let Some(profile) = profile {
            profiles = profiles.with_profile(profile);
        }
        Self::new([
            Arc::new(EnvironmentCredentials::new(Arc::clone(&context.environment))) as Arc<dyn CredentialProvider>,
            Arc::new(profiles),
            Arc::new(TkeOidcCredentials::new(context.clone())),
            Arc::new(CvmRoleCredentials::new(context.clone())),
        ])
    }

    /// Adds a provider at the end.
    #[must_use]
    pub fn then(mut self, provider: impl CredentialProvider + 'static) -> Self {
        self.providers.push(Arc::new(provider));
        self
    }

    fn nothing_found(&self) -> Error {
        let tried: Vec<_> = self.providers.iter().map(|provider| provider.name()).collect();
        let mut message = format!("no credentials found; tried: {}", tried.join(", "));
        let hints: Vec<_> = self.providers.iter().filter_map(|provider| provider.hint()).collect();
        if !hints.is_empty() {
            message += ". To give some: ";
            message += &hints.join("; or ");
        }
        refused(message)
    }
}

impl fmt::Debug for CredentialChain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.providers).finish()
    }
}

impl CredentialProvider for CredentialChain {
    fn name(&self) -> &'static str {
        "chain"
    }

    fn load(&self) -> BoxFuture<'_, Result<Option<Credentials>, Error>> {
        Box::pin(async move {
            for provider in &self.providers {
                if let Some(credentials) = provider.load().await? {
                    debug!(provider = provider.name(), "credentials found");
                    return Ok(Some(credentials));
                }
            }
            Err(self.nothing_found())
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::future::ready;

    use super::super::tests::{FakeEnvironment, FakeTransport, Reply, context, json};
    use super::super::{StaticCredentials, check};
    use super::*;
    use crate::ErrorKind;
    use crate::transport::TransportErrorKind;

    #[derive(Debug, Default)]
    struct Switch(Mutex<Option<Result<&'static str, &'static str>>>);

    impl CredentialProvider for Switch {
        fn name(&self) -> &'static str {
            "switch"
        }

        fn load(&self) -> BoxFuture<'_, Result<Option<Credentials>, Error>> {
            let now = *self.0.lock().unwrap();
            Box::pin(ready(match now {
                None => Ok(None),
                Some(Ok(id)) => Ok(Some(Credentials::new(id, "key"))),
                Some(Err(message)) => check("", "").map_err(|_| refused(message)).map(|()| None),
            }))
        }
    }

    #[tokio::test]
    async fn first_found_wins_each_time_anew_and_an_error_ends_it() {
        let switch = Arc::new(Switch::default());
        let chain = CredentialChain::new([Arc::clone(&switch) as Arc<dyn CredentialProvider>])
            .then(StaticCredentials::new(Credentials::new("static", "key")));
        let mut seen = Vec::new();
        for state in [None, Some(Ok("first")), None, Some(Err("broken"))] {
            *switch.0.lock().unwrap() = state;
            seen.push(match chain.load().await {
                Ok(credentials) => credentials.unwrap().secret_id().to_owned(),
                Err(error) => error.message().to_owned(),
            });
        }
        assert_eq!(seen, ["static", "first", "static", "broken"]);
    }

    #[tokio::test]
    async fn default_chain_that_finds_nothing_says_what_to_set() {
        let transport = FakeTransport::new(|_| Reply::Fail(TransportErrorKind::Connect));
        let context = context(&FakeEnvironment::new(&[("HOME", "/home/me")]), &transport);
        let error = CredentialChain::default_chain(&context).load().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Credentials);
        for part in [
            "tried: environment, profile file, TKE OIDC, CVM role",
            "TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY",
            "~/.tencentcloud/credentials",
            "TKE_ROLE_ARN",
            "bind a CAM role to the CVM instance",
        ] {
            assert!(error.message().contains(part), "{part:?} is not in {error}");
        }
    }

    #[tokio::test]
    async fn default_chain_prefers_environment_then_profile_then_role() {
        let environment = FakeEnvironment::new(&[("HOME", "/home/me")]);
        let transport = FakeTransport::new(|request| match request.uri().path() {
            "/latest/meta-data/cam/security-credentials/" => json("role"),
            _ => json(
                r#"{"Code":"Success","TmpSecretId":"cvm","TmpSecretKey":"k","Token":"t","ExpiredTime":1893460000}"#,
            ),
        });
        let chain = CredentialChain::default_chain(&context(&environment, &transport));
        let id = async || chain.load().await.unwrap().unwrap().secret_id().to_owned();
        assert_eq!(id().await, "cvm");
        environment.write("/home/me/.tencentcloud/credentials", "[default]\nsecret_id=file\nsecret_key=key\n");
        assert_eq!(id().await, "file");
        environment.set("TENCENTCLOUD_SECRET_ID", "env");
        environment.set("TENCENTCLOUD_SECRET_KEY", "key");
        assert_eq!(id().await, "env");
    }
}
