//! The metadata server, as programs on an instance see it.

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use crate::client::{Client, START, Unsent, answer, client, code, text};

async fn get(client: &Client, path: &str) -> Response<Bytes> {
    client
        .emulator
        .handle(Request::get(path).header("Host", "metadata.tencentyun.com").body(Bytes::new()).unwrap())
        .await
}

async fn read(client: &Client, path: &str) -> String {
    let response = get(client, &format!("/latest/meta-data/{path}")).await;
    assert_eq!(response.status(), 200, "{path}");
    String::from_utf8(response.into_body().to_vec()).unwrap()
}

fn attached_to(instance: &str) -> Value {
    json!({"Filters": [{"Name": "attachment.instance-id", "Values": [instance]}]})
}

#[tokio::test]
async fn an_instance_learns_about_itself() {
    let client = client();
    let network = client.network().await;
    let ids = client.running(&network, 2).await;
    assert_eq!(get(&client, "/latest/meta-data/instance-id").await.status(), 404);
    client.emulator.serve_metadata_of(Some(&ids[0]));
    let instance = client.instance(&ids[0]).await.unwrap();
    assert_eq!(read(&client, "instance-id").await, ids[0]);
    assert_eq!(read(&client, "uuid").await, text(&instance["Uuid"]));
    assert_eq!(read(&client, "local-ipv4").await, text(&instance["PrivateIpAddresses"][0]));
    assert_eq!(read(&client, "placement/region").await, "ap-guangzhou");
    assert_eq!(read(&client, "placement/zone").await, "ap-guangzhou-3");
    let mac = read(&client, "mac").await;
    let interfaces = client.vpc("DescribeNetworkInterfaces", attached_to(&ids[0])).await.unwrap();
    assert_eq!(mac, text(&interfaces["NetworkInterfaceSet"][0]["MacAddress"]));
    assert_eq!(read(&client, "network/interfaces/macs/").await, format!("{mac}/"));
    assert_eq!(read(&client, &format!("network/interfaces/macs/{mac}/vpc-id")).await, network.0);
    assert_eq!(read(&client, "placement").await, "region\nzone");
    assert!(read(&client, "").await.lines().any(|line| line == "placement/"));
    // It has no public address, and no role.
    for path in ["public-ipv4", "cam/security-credentials/", "nonsense"] {
        assert_eq!(get(&client, &format!("/latest/meta-data/{path}")).await.status(), 404, "{path}");
    }
    // Each instance has its own server as well.
    let other = get(&client, &format!("/instances/{}/latest/meta-data/instance-id", ids[1])).await;
    assert_eq!(other.body(), &ids[1]);
    assert_eq!(get(&client, "/instances/ins-00000000/latest/meta-data/instance-id").await.status(), 404);
    assert_eq!(client.emulator.calls().of("instance-id").first().unwrap().service, "metadata");
}

#[tokio::test]
async fn public_addresses_are_there_when_there_is_one() {
    let client = client();
    let internet = json!({"InternetAccessible": {"InternetMaxBandwidthOut": 1, "PublicIpAssigned": true}});
    let ids = client.run(internet).await.unwrap();
    client.emulator.serve_metadata_of(Some(&ids[0]));
    let instance = client.instance(&ids[0]).await.unwrap();
    assert_eq!(read(&client, "public-ipv4").await, text(&instance["PublicIpAddresses"][0]));
}

#[tokio::test]
async fn credentials_of_the_instances_role_are_accepted_and_replaced() {
    let client = client();
    let ids = client.run(json!({"CamRoleName": "node"})).await.unwrap();
    client.emulator.serve_metadata_of(Some(&ids[0]));
    assert_eq!(read(&client, "cam/security-credentials/").await, "node");
    assert_eq!(get(&client, "/latest/meta-data/cam/security-credentials/other").await.status(), 404);
    let credentials =
        async || -> Value { serde_json::from_str(&read(&client, "cam/security-credentials/node").await).unwrap() };
    let call_with = async |given: &Value| {
        let request = Unsent {
            secret_id: text(&given["TmpSecretId"]),
            secret_key: text(&given["TmpSecretKey"]),
            token: Some(text(&given["Token"])),
            ..client.unsent("cvm", "DescribeInstances", json!({}))
        };
        answer(&client.send(request).await)
    };
    let first = credentials().await;
    assert_eq!((&first["Code"], &first["ExpiredTime"]), (&json!("Success"), &json!(START + 7200)));
    call_with(&first).await.unwrap();
    client.pass(5399);
    assert_eq!(credentials().await, first);
    client.pass(2);
    let second = credentials().await;
    assert_ne!(second, first);
    // Both hold until their own ends.
    call_with(&first).await.unwrap();
    call_with(&second).await.unwrap();
    client.pass(1800);
    assert_eq!(code(call_with(&first).await), "AuthFailure.TokenFailure");
    call_with(&second).await.unwrap();
}
