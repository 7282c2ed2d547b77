//! Configurations: from an injected environment, from a profile, and with mistakes in them.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use qcloud_core::environment::Environment;
use qcloud_core::testing::{ManualClock, ScriptedTransport};
use qcloud_core::transport::TransportErrorKind;
use qcloud_core::{Client, Config, ConfigBuilder, Effect, Endpoint, Error, ErrorKind};
use serde_json::json;

use crate::support::{LAMP, action};

/// Variables and files that a test made up.
#[derive(Clone, Debug, Default)]
struct Made {
    variables: HashMap<String, String>,
    files: HashMap<String, String>,
}

impl Made {
    fn new(variables: &[(&str, &str)]) -> Self {
        let variables = variables.iter().chain(&[("HOME", "/home/me")]);
        Self {
            variables: variables.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            files: HashMap::new(),
        }
    }

    fn file(mut self, path: &str, content: &str) -> Self {
        self.files.insert(path.to_owned(), content.to_owned());
        self
    }
}

impl Environment for Made {
    fn var(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned()
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        self.files.get(path.to_str().unwrap()).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

const PROFILE: &str = "/home/me/.tencentcloud/credentials";
const KEYS: [(&str, &str); 2] = [("TENCENTCLOUD_SECRET_ID", "AKIDenv"), ("TENCENTCLOUD_SECRET_KEY", "key")];

fn start(environment: Made, transport: &ScriptedTransport) -> ConfigBuilder {
    Config::builder().environment(environment).transport(transport.clone()).clock(ManualClock::auto())
}

async fn load(environment: Made) -> Result<Config, Error> {
    start(environment, &ScriptedTransport::new()).load().await
}

async fn region(environment: Made) -> Option<String> {
    load(environment).await.unwrap().region().map(ToString::to_string)
}

#[tokio::test]
async fn the_region_comes_from_the_first_place_that_has_one() {
    let both = [("TENCENTCLOUD_REGION", "ap-tokyo"), ("TKE_REGION", "ap-seoul")];
    let profile = "[default]\nregion = ap-shanghai\n[work]\nregion = ap-beijing\n";
    assert_eq!(region(Made::new(&both).file(PROFILE, profile)).await.as_deref(), Some("ap-tokyo"));
    assert_eq!(region(Made::new(&both[1..]).file(PROFILE, profile)).await.as_deref(), Some("ap-shanghai"));
    assert_eq!(region(Made::new(&both[1..])).await.as_deref(), Some("ap-seoul"));
    assert_eq!(region(Made::new(&[])).await, None);
    assert_eq!(region(Made::new(&[("TENCENTCLOUD_REGION", "  ")])).await, None);
    let named = Made::new(&[("TENCENTCLOUD_PROFILE", "work")]).file(PROFILE, profile);
    assert_eq!(region(named.clone()).await.as_deref(), Some("ap-beijing"));
    let config = start(named, &ScriptedTransport::new()).profile("default").load().await.unwrap();
    assert_eq!(config.region().unwrap().as_str(), "ap-shanghai");
    let config = start(Made::new(&both), &ScriptedTransport::new()).region("ap-mumbai").load().await.unwrap();
    assert_eq!(config.region().unwrap().as_str(), "ap-mumbai", "what the program sets comes first");
}

#[tokio::test]
async fn the_endpoint_comes_from_the_program_or_the_environment() {
    let went = async |environment: Made, endpoint: Option<Endpoint>| {
        let transport = ScriptedTransport::new().answer(json!({}));
        let mut builder = start(environment, &transport).region("ap-guangzhou");
        if let Some(endpoint) = endpoint {
            builder = builder.endpoint(endpoint);
        }
        Client::new(&builder.load().await.unwrap(), LAMP).call(action(Effect::Read)).await.unwrap();
        transport.requests()[0].url.clone()
    };
    let set = [KEYS[0], KEYS[1], ("TENCENTCLOUD_ENDPOINT", "http://127.0.0.1:8080")];
    assert_eq!(went(Made::new(&set), None).await, "http://127.0.0.1:8080/");
    assert_eq!(went(Made::new(&KEYS), None).await, "https://lamp.tencentcloudapi.com/");
    let internal = "https://lamp.internal.tencentcloudapi.com/";
    let set_word = [KEYS[0], KEYS[1], ("TENCENTCLOUD_ENDPOINT", "internal")];
    assert_eq!(went(Made::new(&set_word), None).await, internal);
    assert_eq!(went(Made::new(&set), Some(Endpoint::internal())).await, internal);
    for (url, says) in [("http://10.0.0.1", "plain http"), ("nonsense", "`internal`"), ("https://u:p@x", "user name")] {
        let error = load(Made::new(&[("TENCENTCLOUD_ENDPOINT", url)])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().starts_with("TENCENTCLOUD_ENDPOINT: "), "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[tokio::test]
async fn credentials_come_from_the_chain() {
    let id = async |environment: Made| {
        let config = load(environment).await.unwrap();
        config.credentials().await.unwrap().secret_id().to_owned()
    };
    let profile = "[default]\nsecret_id = AKIDfile\nsecret_key = key\n";
    assert_eq!(id(Made::new(&KEYS).file(PROFILE, profile)).await, "AKIDenv");
    assert_eq!(id(Made::new(&[]).file(PROFILE, profile)).await, "AKIDfile");
}

#[tokio::test]
async fn no_credentials_anywhere_says_what_to_set() {
    let transport = (0..4).fold(ScriptedTransport::new(), |t, _| t.fail(TransportErrorKind::Connect));
    let config = start(Made::new(&[]), &transport).region("ap-guangzhou").load().await.unwrap();
    let error = Client::new(&config, LAMP).call(action(Effect::Read)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    for part in ["TENCENTCLOUD_SECRET_ID", "TENCENTCLOUD_SECRET_KEY", "~/.tencentcloud/credentials", "CAM role"] {
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[tokio::test]
async fn a_malformed_profile_is_named_with_its_line() {
    let broken = Made::new(&[]).file(PROFILE, "[default]\nsecret_id AKID-hunter2\n");
    let error = load(broken).await.unwrap_err();
    assert!(error.to_string().contains(&format!("{PROFILE}, line 2")), "{error}");
    assert!(!format!("{error:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_named_profile_must_be_there() {
    let config =
        start(Made::new(&[]), &ScriptedTransport::new()).profile("work").region("ap-tokyo").load().await.unwrap();
    let error = config.credentials().await.unwrap_err();
    assert!(error.to_string().contains("profile work") && error.to_string().contains(PROFILE), "{error}");
}

/// A role of a TKE pod: STS is asked in the same network as the services.
#[tokio::test]
async fn sts_is_asked_in_the_family_of_the_configured_hosts() {
    let pod = [
        ("TKE_REGION", "ap-guangzhou"),
        ("TKE_PROVIDER_ID", "cls-1"),
        ("TKE_WEB_IDENTITY_TOKEN_FILE", "/token"),
        ("TKE_ROLE_ARN", "qcs::cam::uin/1:roleName/x"),
    ];
    for (endpoint, host) in [
        (None, "https://sts.tencentcloudapi.com/"),
        (Some(Endpoint::internal()), "https://sts.internal.tencentcloudapi.com/"),
        (Some(Endpoint::international()), "https://sts.intl.tencentcloudapi.com/"),
        (Some(Endpoint::regional()), "https://sts.tencentcloudapi.com/"),
        (Some(Endpoint::url("http://127.0.0.1:8080").unwrap()), "https://sts.tencentcloudapi.com/"),
    ] {
        let transport = ScriptedTransport::new().error("AuthFailure", "no");
        let mut builder = start(Made::new(&pod).file("/token", "identity"), &transport);
        if let Some(endpoint) = endpoint {
            builder = builder.endpoint(endpoint);
        }
        builder.load().await.unwrap().credentials().await.unwrap_err();
        assert_eq!(transport.requests()[0].url, host);
    }
}

#[test]
fn mistakes_are_told_when_it_is_built() {
    let build = |change: fn(ConfigBuilder) -> ConfigBuilder| {
        let base = Config::builder().transport(ScriptedTransport::new()).static_credentials("AKID", "key");
        change(base).build().unwrap_err()
    };
    type Change = fn(ConfigBuilder) -> ConfigBuilder;
    let cases: [(Change, &str); 8] = [
        (|b| b.region(""), "can't be a region"),
        (|b| b.region("Ap-Guangzhou"), "`Ap-Guangzhou` can't be a region"),
        (|b| b.region("ap guangzhou"), "can't be a region"),
        (|b| b.region("a".repeat(64)), "can't be a region"),
        (|b| b.connect_timeout(Duration::ZERO), "the connect timeout is zero"),
        (|b| b.attempt_timeout(Duration::ZERO), "the attempt timeout is zero"),
        (|b| b.operation_timeout(Duration::ZERO), "the operation timeout is zero"),
        (|b| b.application("灯\n"), "printable ASCII"),
    ];
    for (change, says) in cases {
        let error = build(change);
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[cfg(feature = "reqwest")]
#[test]
fn a_proxy_that_is_no_url_is_told_when_it_is_built() {
    use qcloud_core::transport::Proxy;
    let error = Config::builder().proxy(Proxy::Url("".into())).build().unwrap_err();
    assert!(error.to_string().contains("the proxy is not a URL"), "{error}");
}

#[test]
fn clones_share_and_debug_tells_the_settings() {
    let config = Config::builder()
        .transport(ScriptedTransport::new())
        .region("ap-tokyo")
        .fallback_endpoints([Endpoint::internal()])
        .build()
        .unwrap();
    let shown = format!("{:?}", config.clone());
    for part in ["ap-tokyo", "internal.tencentcloudapi.com", "attempt: 30s", "max_attempts: 3"] {
        assert!(shown.contains(part), "{part} is not in {shown}");
    }
}
