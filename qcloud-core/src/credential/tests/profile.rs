//! Profiles in files of both forms.

use std::sync::Arc;

use super::super::{CredentialProvider, Credentials, ProfileCredentials, profile_region};
use super::{FakeEnvironment, FakeTransport, Reply, START, context, json, start_plus};
use crate::{Error, ErrorKind};

const INI: &str = "/home/me/.tencentcloud/credentials";
const TCCLI: &str = "/home/me/.tccli/default.credential";

fn home() -> Arc<FakeEnvironment> {
    FakeEnvironment::new(&[("HOME", "/home/me")])
}

fn provider(environment: &Arc<FakeEnvironment>) -> ProfileCredentials {
    ProfileCredentials::new(context(environment, &FakeTransport::unused()))
}

async fn id(provider: &ProfileCredentials) -> Option<String> {
    provider.load().await.unwrap().map(|credentials| credentials.secret_id().to_owned())
}

async fn error(provider: &ProfileCredentials) -> Error {
    let error = provider.load().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials);
    assert!(!format!("{error:?}{error}").contains("hunter"), "{error:?}");
    error
}

#[tokio::test]
async fn no_file_and_no_profile_are_none() {
    let environment = home();
    assert_eq!(id(&provider(&environment)).await, None);
    environment.write(INI, "[default]\nregion = ap-tokyo\n");
    environment.write(TCCLI, "{}");
    assert_eq!(id(&provider(&environment)).await, None);
    environment.write(INI, "[other]\nsecret_id = x\n");
    assert_eq!(id(&provider(&environment)).await, None);
    assert_eq!(id(&provider(&FakeEnvironment::new(&[]))).await, None);
}

#[tokio::test]
async fn files_in_order_read_each_time() {
    let environment = home();
    let provider = provider(&environment);
    environment.write(TCCLI, r#"{"secretId": "tccli", "secretKey": "key", "token": null}"#);
    assert_eq!(id(&provider).await.as_deref(), Some("tccli"));
    environment.write("/etc/tencentcloud/credentials", "[default]\nsecret_id=etc\nsecret_key=key");
    assert_eq!(id(&provider).await.as_deref(), Some("etc"));
    environment.write(TCCLI, "not JSON, but not needed");
    environment.write(INI, "[default]\nsecret_id = home\nsecret_key = key\ntoken = token\n");
    let found = provider.load().await.unwrap();
    assert_eq!(found, Some(Credentials::new("home", "key").with_token("token")));
    environment.write("/my/file", "[default]\nsecret_id=named\nsecret_key=key");
    environment.set("TENCENTCLOUD_CREDENTIALS_FILE", "/my/file");
    assert_eq!(id(&provider).await.as_deref(), Some("named"));
    environment.write("/other", "[default]\nsecret_id=given\nsecret_key=key");
    assert_eq!(id(&provider.clone().with_file("/other")).await.as_deref(), Some("given"));
}

#[tokio::test]
async fn the_profiles_name() {
    let environment = home();
    environment.write(INI, "[a]\nsecret_id=a\nsecret_key=key\n[b]\nsecret_id=b\nsecret_key=key");
    environment.write("/home/me/.tccli/c.credential", r#"{"secretId": "c", "secretKey": "key"}"#);
    environment.set("TCCLI_PROFILE", "c");
    assert_eq!(id(&provider(&environment)).await.as_deref(), Some("c"));
    environment.set("TENCENTCLOUD_PROFILE", "b");
    assert_eq!(id(&provider(&environment)).await.as_deref(), Some("b"));
    assert_eq!(id(&provider(&environment).with_profile("a")).await.as_deref(), Some("a"));
    let missing = error(&provider(&environment).with_profile("d")).await;
    assert_eq!(
        missing.message(),
        "there are no credentials of the profile d in /home/me/.tencentcloud/credentials, \
         /etc/tencentcloud/credentials, /home/me/.tccli/d.credential"
    );
    for name in ["", "../x", "a/b", "a\\b"] {
        let bad = error(&provider(&environment).with_profile(name)).await;
        assert!(bad.message().contains("not a possible name"), "{bad}");
    }
}

#[tokio::test]
async fn a_named_file_must_be_there_and_have_the_profile() {
    let environment = home();
    environment.set("TENCENTCLOUD_CREDENTIALS_FILE", "");
    assert!(error(&provider(&environment)).await.message().contains("TENCENTCLOUD_CREDENTIALS_FILE is set but empty"));
    environment.set("TENCENTCLOUD_CREDENTIALS_FILE", "/my/file");
    let absent = error(&provider(&environment)).await;
    assert!(absent.message().starts_with("/my/file can't be read"), "{absent}");
    environment.write("/my/file", "[other]\nsecret_id=x\nsecret_key=hunter2");
    environment.write(TCCLI, r#"{"secretId": "unused", "secretKey": "key"}"#);
    let lacking = error(&provider(&environment)).await;
    assert_eq!(lacking.message(), "there are no credentials of the profile default in /my/file");
}

#[tokio::test]
async fn unreadable_files() {
    let environment = home();
    environment.forbid(INI);
    assert_eq!(id(&provider(&environment)).await, None);
    let asked_for = error(&provider(&environment).with_profile("default")).await;
    assert!(asked_for.message().contains("can't be read"), "{asked_for}");
}

#[tokio::test]
async fn malformed_files_are_told_by_place_and_without_content() {
    let environment = home();
    for (text, says) in [
        ("[default]\nsecret_id = id\nhunter2\n", "/home/me/.tencentcloud/credentials, line 3: expected `key = value`"),
        ("[default]\nsecret_id = hunter1\n", "profile default lacks the secret key"),
        ("[default]\nsecret_key = hunter2\n", "profile default lacks the secret id"),
        ("[default]\nrole_arn = arn\n", "profile default lacks the secret id"),
        ("[default]\nsecret_id = id\nsecret_key = \"hunter2 \"\n", "the secret key in /home/me"),
    ] {
        environment.write(INI, text);
        let error = error(&provider(&environment)).await;
        assert!(error.message().contains(says), "{says:?} is not in {error}");
    }
    environment.write(INI, "");
    for (text, says) in [
        ("{\n\"secretKey\": hunter2", "/home/me/.tccli/default.credential is not the JSON that tccli writes: line 2,"),
        (r#"{"secretId": "id", "secretKey": ""}"#, "default.credential lacks the secret key"),
    ] {
        environment.write(TCCLI, text);
        let error = error(&provider(&environment)).await;
        assert!(error.message().contains(says), "{says:?} is not in {error}");
    }
}

#[tokio::test]
async fn a_login_by_tccli_ends() {
    let environment = home();
    let login = |end: u64| {
        format!(
            r#"{{"type": "oauth", "secretId": "id", "secretKey": "hunter2", "token": "hunter3", "expiresAt": {end},
            "oauth": {{"openId": "o", "accessToken": "a", "expiresAt": 1, "refreshToken": "r", "site": "cn"}}}}"#
        )
    };
    environment.write(TCCLI, &login(START + 60));
    let credentials = provider(&environment).load().await.unwrap().unwrap();
    assert_eq!(credentials.expires_at(), Some(start_plus(60)));
    assert_eq!(credentials.token().unwrap().expose(), "hunter3");
    environment.write(TCCLI, &login(START));
    let ended = error(&provider(&environment)).await;
    assert!(ended.message().contains("`tccli auth login --profile default`"), "{ended}");
}

#[tokio::test]
async fn roles_of_profiles() {
    let granted = || {
        json(format!(
            r#"{{"Response":{{"Credentials":{{"Token":"t","TmpSecretId":"role","TmpSecretKey":"k"}},"ExpiredTime":{}}}}}"#,
            START + 7200
        ))
    };
    let environment = home();
    let transport = FakeTransport::script([granted(), granted()]);
    let provider = ProfileCredentials::new(context(&environment, &transport));
    environment.write(INI, "[default]\nsecret_id=id\nsecret_key=key\nrole_arn=arn\nexternal_id=ext\nregion=ap-tokyo");
    assert_eq!(id(&provider).await.as_deref(), Some("role"));
    environment.write(INI, "");
    environment
        .write(TCCLI, r#"{"secretId": "id", "secretKey": "key", "role-arn": "arn2", "role-session-name": "me"}"#);
    assert_eq!(id(&provider).await.as_deref(), Some("role"));
    let requests = transport.requests();
    let body = |at: usize| serde_json::from_slice::<serde_json::Value>(requests[at].body()).unwrap();
    assert_eq!(requests[0].headers()["X-TC-Region"], "ap-tokyo");
    assert_eq!((&body(0)["RoleArn"], &body(0)["ExternalId"]), (&"arn".into(), &"ext".into()));
    assert_eq!(requests[1].headers()["X-TC-Region"], "ap-guangzhou");
    assert_eq!((&body(1)["RoleArn"], &body(1)["RoleSessionName"]), (&"arn2".into(), &"me".into()));
}

#[tokio::test]
async fn a_profile_can_ask_for_the_cvm_role() {
    let environment = home();
    environment.write(TCCLI, r#"{"type": "cvm-role"}"#);
    let transport = FakeTransport::script([Reply::Answer(404, String::new())]);
    let provider = ProfileCredentials::new(context(&environment, &transport));
    let error = error(&provider).await;
    assert!(error.message().contains("default.credential says to use the role of the CVM instance"), "{error}");
}

#[test]
fn regions_of_profiles() {
    let environment = home();
    let region = |profile| profile_region(&*environment, profile).unwrap();
    assert_eq!(region(None), None);
    environment.write("/home/me/.tccli/default.configure", r#"{"_sys_param": {"region": "ap-beijing"}}"#);
    assert_eq!(region(None).as_deref(), Some("ap-beijing"));
    assert_eq!(region(Some("other")), None);
    environment.write(INI, "[default]\nregion = ap-tokyo\n[other]\nsecret_id = x");
    assert_eq!(region(None).as_deref(), Some("ap-tokyo"));
    assert_eq!(region(Some("other")), None);
    environment.write(INI, "[default]\nhunter2");
    assert!(profile_region(&*environment, None).unwrap_err().message().contains("line 2"));
}
