//! Key pairs, and the instances that take them.

use qcloud_emulator::Quota;
use serde_json::{Value, json};

use crate::client::{Client, builder, client, code, text};

async fn make(client: &Client, name: &str) -> String {
    let made = client.cvm("CreateKeyPair", json!({"KeyName": name, "ProjectId": 0})).await.unwrap();
    text(&made["KeyPair"]["KeyId"])
}

async fn show(client: &Client, id: &str) -> Value {
    client.cvm("DescribeKeyPairs", json!({"KeyIds": [id]})).await.unwrap()["KeyPairSet"][0].clone()
}

#[tokio::test]
async fn a_key_pair_is_made_listed_changed_and_deleted() {
    let client = client();
    let tags = json!([{"ResourceType": "keypair", "Tags": [{"Key": "env", "Value": "test"}]}]);
    let made =
        client.cvm("CreateKeyPair", json!({"KeyName": "one", "ProjectId": 0, "TagSpecification": tags})).await.unwrap();
    let id = text(&made["KeyPair"]["KeyId"]);
    assert!(text(&made["KeyPair"]["PrivateKey"]).starts_with("-----BEGIN RSA PRIVATE KEY-----\n"));
    assert!(text(&made["KeyPair"]["PublicKey"]).starts_with("ssh-rsa AAAA"));
    let imported = json!({"KeyName": "two", "ProjectId": 0, "PublicKey": "ssh-rsa AAAAB3NzaC1yc2E= me@home"});
    client.cvm("ImportKeyPair", imported.clone()).await.unwrap();
    assert!(show(&client, &id).await.get("PrivateKey").is_none(), "it is told once");
    for (name, value) in [("key-name", "one"), ("tag:env", "test"), ("tag-key", "env")] {
        let filters = json!({"Filters": [{"Name": name, "Values": [value]}]});
        let found = client.cvm("DescribeKeyPairs", filters).await.unwrap();
        assert_eq!((&found["TotalCount"], &found["KeyPairSet"][0]["KeyId"]), (&json!(1), &json!(id)), "{name}");
    }
    let page = client.cvm("DescribeKeyPairs", json!({"Offset": 1, "Limit": 1})).await.unwrap();
    assert_eq!((&page["TotalCount"], &page["KeyPairSet"][0]["KeyName"]), (&json!(2), &json!("two")));
    client.cvm("ModifyKeyPairAttribute", json!({"KeyId": id, "KeyName": "one", "Description": "mine"})).await.unwrap();
    assert_eq!(show(&client, &id).await["Description"], "mine");
    let rename = json!({"KeyId": id, "KeyName": "two"});
    assert_eq!(code(client.cvm("ModifyKeyPairAttribute", rename).await), "InvalidKeyPairName.Duplicate");
    let mut again = imported;
    again["KeyName"] = json!("three");
    assert_eq!(code(client.cvm("ImportKeyPair", again.clone()).await), "InvalidPublicKey.Duplicate");
    again["PublicKey"] = json!("not a key");
    assert_eq!(code(client.cvm("ImportKeyPair", again).await), "InvalidPublicKey.Malformed");
    client.cvm("DeleteKeyPairs", json!({"KeyIds": [id]})).await.unwrap();
    assert_eq!(code(client.cvm("DeleteKeyPairs", json!({"KeyIds": [id]})).await), "InvalidKeyPairId.NotFound");
}

#[tokio::test]
async fn unfit_names_and_too_many_keys_are_refused() {
    let client = Client::of(builder().quota(Quota::KeyPairsPerRegion, 1));
    make(&client, "one").await;
    for (name, expected) in [
        ("", "InvalidKeyPairNameEmpty"),
        ("a-b", "InvalidKeyPairNameIncludeIllegalChar"),
        ("abcdefghijklmnopqrstuvwxyz", "InvalidKeyPairNameTooLong"),
        ("one", "InvalidKeyPairName.Duplicate"),
        ("two", "InvalidKeyPair.LimitExceeded"),
    ] {
        let refused = client.cvm("CreateKeyPair", json!({"KeyName": name, "ProjectId": 0})).await;
        assert_eq!(code(refused), expected, "{name}");
    }
    assert_eq!(code(client.cvm("DescribeKeyPairs", json!({"KeyIds": ["x"]})).await), "InvalidKeyPairId.Malformed");
    assert_eq!(client.in_region("ap-shanghai").cvm("DescribeKeyPairs", json!({})).await.unwrap()["TotalCount"], 0);
}

#[tokio::test]
async fn instances_take_keys_that_exist() {
    let client = client();
    let key = make(&client, "one").await;
    for (login, expected) in [
        (json!({"KeyIds": ["key"]}), "InvalidKeyPairId.Malformed"),
        (json!({"KeyIds": ["skey-00000000"]}), "ResourceNotFound.KeyPairNotFound"),
        (json!({"KeyIds": [key], "Password": "Abcdef12"}), "InvalidParameterCombination"),
    ] {
        assert_eq!(code(client.run(json!({"LoginSettings": login})).await), expected, "{login}");
    }
    let windows = json!({"ImageId": "img-9id7emv7", "LoginSettings": {"KeyIds": [key]}});
    assert_eq!(code(client.run(windows).await), "UnsupportedOperation.KeyPairUnsupportedWindows");
    let id = client.run(json!({"LoginSettings": {"KeyIds": [key]}})).await.unwrap().remove(0);
    client.pass(2);
    assert_eq!(show(&client, &key).await["AssociatedInstanceIds"], json!([id]));
    let delete = json!({"KeyIds": [key]});
    assert_eq!(code(client.cvm("DeleteKeyPairs", delete.clone()).await), "InvalidParameterValue.KeyPairNotSupported");
    let keys = json!({"InstanceIds": [id], "KeyIds": [key]});
    assert_eq!(
        code(client.cvm("DisassociateInstancesKeyPairs", keys.clone()).await),
        "UnsupportedOperation.InstanceStateRunning"
    );
    let mut forced = keys.clone();
    forced["ForceStop"] = json!(true);
    client.cvm("DisassociateInstancesKeyPairs", forced.clone()).await.unwrap();
    assert_eq!(client.state(&id).await, "STOPPING");
    client.pass(1);
    assert_eq!(client.state(&id).await, "RUNNING", "it runs again");
    assert_eq!(
        code(client.cvm("DisassociateInstancesKeyPairs", forced).await),
        "FailedOperation.DisassociateKeyPairFailed"
    );
    client.cvm("StopInstances", json!({"InstanceIds": [id]})).await.unwrap();
    client.pass(1);
    client.cvm("AssociateInstancesKeyPairs", keys.clone()).await.unwrap();
    let busy = client.cvm("StartInstances", json!({"InstanceIds": [id]})).await;
    assert_eq!(code(busy), "OperationDenied.InstanceOperationInProgress");
    client.pass(1);
    let shown = client.instance(&id).await.unwrap();
    assert_eq!(
        (&shown["InstanceState"], &shown["LoginSettings"]["KeyIds"], &shown["LatestOperationState"]),
        (&json!("STOPPED"), &json!([key]), &json!("SUCCESS"))
    );
    client.cvm("TerminateInstances", json!({"InstanceIds": [id]})).await.unwrap();
    client.pass(1);
    client.cvm("DeleteKeyPairs", delete).await.unwrap();
}

#[tokio::test]
async fn the_same_seed_gives_the_same_keys() {
    let mut keys = Vec::new();
    for seed in [1, 1, 2] {
        let client = Client::of(builder().seed(seed));
        let made = client.cvm("CreateKeyPair", json!({"KeyName": "k", "ProjectId": 0})).await.unwrap();
        keys.push(made["KeyPair"].clone());
    }
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[0]["PublicKey"], keys[2]["PublicKey"]);
}
