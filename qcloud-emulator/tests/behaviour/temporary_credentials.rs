//! STS: credentials that hold for a while.

use serde_json::{Value, json};

use crate::client::{Client, Refusal, START, Unsent, answer, builder, client, code, text};

const ARN: &str = "qcs::cam::uin/100000000001:roleName/deploy";

fn role(more: Value) -> Value {
    let mut parameters = json!({"RoleArn": ARN, "RoleSessionName": "nightly"});
    parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    parameters
}

/// A call with the credentials of an answer.
async fn call_as(client: &Client, given: &Value, service: &str, action: &str) -> Result<Value, Refusal> {
    let request = Unsent {
        secret_id: text(&given["TmpSecretId"]),
        secret_key: text(&given["TmpSecretKey"]),
        token: Some(text(&given["Token"])),
        ..client.unsent(service, action, json!({}))
    };
    answer(&client.send(request).await)
}

#[tokio::test]
async fn an_assumed_role_is_accepted_everywhere_until_it_expires() {
    let client = client();
    let answer = client.call("sts", "AssumeRole", role(json!({"DurationSeconds": 3600}))).await.unwrap();
    assert_eq!(answer["ExpiredTime"], START + 3600);
    assert_eq!(answer["Expiration"], "2026-01-02T04:04:05Z");
    let given = &answer["Credentials"];
    for (service, action) in [("cvm", "DescribeInstances"), ("vpc", "DescribeVpcs"), ("tke", "DescribeClusters")] {
        call_as(&client, given, service, action).await.unwrap();
    }
    let who = call_as(&client, given, "sts", "GetCallerIdentity").await.unwrap();
    assert_eq!((&who["Type"], &who["UserId"]), (&json!("CAMRole"), &json!("deploy:nightly")));
    // Its token is part of it, and its key.
    for (member, expected) in [("Token", "AuthFailure.TokenFailure"), ("TmpSecretKey", "AuthFailure.SignatureFailure")]
    {
        let mut wrong = given.clone();
        wrong[member] = json!("wrong");
        assert_eq!(code(call_as(&client, &wrong, "cvm", "DescribeZones").await), expected);
    }
    client.pass(3599);
    call_as(&client, given, "cvm", "DescribeZones").await.unwrap();
    client.pass(1);
    assert_eq!(code(call_as(&client, given, "cvm", "DescribeZones").await), "AuthFailure.TokenFailure");
}

#[tokio::test]
async fn a_web_identity_needs_no_signature() {
    let client = client();
    let send = async |action: &str, parameters: Value| {
        let mut request = client.unsent("sts", action, parameters).signed();
        request.headers_mut().insert("authorization", "SKIP".parse().unwrap());
        answer(&client.emulator.handle(request).await)
    };
    let identity = |token: &str| role(json!({"ProviderId": "cls-12345678", "WebIdentityToken": token}));
    let answer = send("AssumeRoleWithWebIdentity", identity("a.b.c")).await.unwrap();
    assert_eq!(answer["ExpiredTime"], START + 7200);
    call_as(&client, &answer["Credentials"], "tke", "DescribeClusters").await.unwrap();
    let bad = send("AssumeRoleWithWebIdentity", identity("no token")).await;
    assert_eq!(code(bad), "InvalidParameter.WebIdentityTokenError");
    assert_eq!(code(send("AssumeRole", role(json!({}))).await), "AuthFailure.InvalidAuthorization");
    // Other services want a signature in any case.
    let mut request = client.unsent("cvm", "DescribeInstances", json!({})).signed();
    request.headers_mut().insert("authorization", "SKIP".parse().unwrap());
    assert_eq!(code(crate::client::answer(&client.emulator.handle(request).await)), "AuthFailure.InvalidAuthorization");
}

#[tokio::test]
async fn roles_that_cannot_be_assumed_are_told_why() {
    let client = Client::of(builder().role("deploy"));
    let cases = [
        ("InvalidParameter.ParamError", json!({"RoleArn": "deploy"})),
        ("InvalidParameter.ParamError", json!({"RoleSessionName": "a b"})),
        ("InvalidParameter.OverTimeError", json!({"DurationSeconds": 43_201})),
        ("InvalidParameter.OverTimeError", json!({"DurationSeconds": 0})),
        ("InvalidParameter.StrategyFormatError", json!({"Policy": "allow"})),
        ("ResourceNotFound.RoleNotFound", json!({"RoleArn": "qcs::cam::uin/1:roleName/other"})),
    ];
    for (expected, more) in cases {
        assert_eq!(code(client.call("sts", "AssumeRole", role(more.clone())).await), expected, "{more}");
    }
    let policy = "%7B%22version%22%3A%222.0%22%2C%22statement%22%3A%5B%5D%7D";
    client.call("sts", "AssumeRole", role(json!({"Policy": policy}))).await.unwrap();
    let who = client.call("sts", "GetCallerIdentity", json!({})).await.unwrap();
    assert_eq!(who["Type"], "RootAccount");
}
