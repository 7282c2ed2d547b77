//! Network interfaces and their private addresses.

use std::time::Duration;

use qcloud_emulator::{Quota, Task, UnknownIds};
use serde_json::{Value, json};

use crate::client::{Client, Refusal, builder, client, code, text};

/// Makes an interface in a network; `more` adds parameters or replaces them.
pub(crate) async fn make(client: &Client, network: &(String, String), more: Value) -> Result<String, Refusal> {
    let mut parameters = json!({"VpcId": network.0, "SubnetId": network.1, "NetworkInterfaceName": "eni"});
    for (name, value) in more.as_object().unwrap() {
        parameters[name] = value.clone();
    }
    let made = client.vpc("CreateNetworkInterface", parameters).await?;
    Ok(text(&made["NetworkInterface"]["NetworkInterfaceId"]))
}

pub(crate) async fn ready(client: &Client, network: &(String, String)) -> String {
    let id = make(client, network, json!({})).await.unwrap();
    client.pass(1);
    id
}

pub(crate) async fn show(client: &Client, id: &str) -> Option<Value> {
    let list = client.vpc("DescribeNetworkInterfaces", json!({"NetworkInterfaceIds": [id]})).await.unwrap();
    list["NetworkInterfaceSet"].as_array().unwrap().first().cloned()
}

pub(crate) async fn state(client: &Client, id: &str) -> String {
    show(client, id).await.map_or_else(|| "gone".to_owned(), |interface| text(&interface["State"]))
}

pub(crate) async fn task(client: &Client, id: &Value) -> String {
    text(&client.vpc("DescribeVpcTaskResult", json!({"TaskId": id})).await.unwrap()["Status"])
}

pub(crate) async fn free(client: &Client, subnet: &str) -> u64 {
    let list = client.vpc("DescribeSubnets", json!({"SubnetIds": [subnet]})).await.unwrap();
    list["SubnetSet"][0]["AvailableIpAddressCount"].as_u64().unwrap()
}

async fn primary(client: &Client, instance: &str) -> Value {
    let filters = json!({"Filters": [
        {"Name": "attachment.instance-id", "Values": [instance]},
        {"Name": "is-primary", "Values": ["true"]},
    ]});
    let list = client.vpc("DescribeNetworkInterfaces", filters).await.unwrap();
    assert_eq!(list["TotalCount"], 1);
    list["NetworkInterfaceSet"][0].clone()
}

#[tokio::test]
async fn an_interface_lives_from_creation_over_an_instance_to_deletion() {
    let client = client();
    let network = client.network().await;
    let instance = client.running(&network, 1).await.remove(0);
    let before = free(&client, &network.1).await;
    let parameters = json!({
        "VpcId": network.0, "SubnetId": network.1, "NetworkInterfaceName": "eni", "SecondaryPrivateIpAddressCount": 2,
        "PrivateIpAddresses": [
            {"PrivateIpAddress": "10.0.1.77", "Description": "second"},
            {"PrivateIpAddress": "10.0.1.66", "Primary": true},
        ],
        "Tags": [{"Key": "env", "Value": "test"}],
    });
    let made = client.vpc("CreateNetworkInterface", parameters).await.unwrap();
    let shown = &made["NetworkInterface"];
    let id = text(&shown["NetworkInterfaceId"]);
    assert_eq!((&shown["State"], &shown["Attachment"]), (&json!("PENDING"), &Value::Null));
    let addresses = shown["PrivateIpAddressSet"].as_array().unwrap();
    assert_eq!(addresses.len(), 4);
    assert_eq!((&addresses[0]["PrivateIpAddress"], &addresses[0]["Primary"]), (&json!("10.0.1.66"), &json!(true)));
    assert_eq!((&addresses[1]["Description"], &addresses[1]["State"]), (&json!("second"), &json!("PENDING")));
    assert_eq!(free(&client, &network.1).await, before - 4);
    assert_eq!(task(&client, &made["RequestId"]).await, "RUNNING");
    let attach = json!({"NetworkInterfaceId": id, "InstanceId": instance});
    assert_eq!(
        code(client.vpc("AttachNetworkInterface", attach.clone()).await),
        "UnsupportedOperation.InvalidState",
        "it is not there yet"
    );
    client.pass(1);
    let result = client.vpc("DescribeVpcTaskResult", json!({"TaskId": made["RequestId"]})).await.unwrap();
    assert_eq!(result["Result"], json!([{"ResourceId": id, "Status": "SUCCESS"}]));
    assert_eq!(state(&client, &id).await, "AVAILABLE");

    let attaching = client.vpc("AttachNetworkInterface", attach.clone()).await.unwrap();
    assert_eq!(state(&client, &id).await, "ATTACHING");
    assert_eq!(
        code(client.vpc("AttachNetworkInterface", attach.clone()).await),
        "UnsupportedOperation.AttachmentAlreadyExists"
    );
    client.pass(1);
    assert_eq!(task(&client, &attaching["RequestId"]).await, "SUCCESS");
    let shown = show(&client, &id).await.unwrap();
    assert_eq!((&shown["State"], &shown["NetworkInterfaceState"]), (&json!("AVAILABLE"), &json!("INUSE")));
    assert_eq!(
        (&shown["Attachment"]["InstanceId"], &shown["Attachment"]["DeviceIndex"]),
        (&json!(instance), &json!(1))
    );
    let delete = json!({"NetworkInterfaceId": id});
    assert_eq!(code(client.vpc("DeleteNetworkInterface", delete.clone()).await), "ResourceInUse");

    client.vpc("DetachNetworkInterface", attach.clone()).await.unwrap();
    assert_eq!(state(&client, &id).await, "DETACHING");
    client.pass(1);
    assert_eq!(show(&client, &id).await.unwrap()["Attachment"], Value::Null);
    assert_eq!(
        code(client.vpc("DetachNetworkInterface", attach).await),
        "UnsupportedOperation.InvalidState",
        "it is attached to nothing"
    );
    client.vpc("DeleteNetworkInterface", delete.clone()).await.unwrap();
    assert_eq!(state(&client, &id).await, "DELETING");
    assert_eq!(free(&client, &network.1).await, before - 4, "addresses are held until it is gone");
    client.pass(1);
    assert_eq!((state(&client, &id).await.as_str(), free(&client, &network.1).await), ("gone", before));
    assert_eq!(code(client.vpc("DeleteNetworkInterface", delete).await), "ResourceNotFound");
    assert_eq!(code(client.vpc("DescribeVpcTaskResult", json!({"TaskId": "nothing"})).await), "ResourceNotFound");
}

#[tokio::test]
async fn every_instance_has_its_primary_interface() {
    let client = client();
    let network = client.network().await;
    let group = client.vpc("CreateSecurityGroup", json!({"GroupName": "g", "GroupDescription": "d"})).await.unwrap();
    let group = text(&group["SecurityGroup"]["SecurityGroupId"]);
    let instance = client.running(&network, 1).await.remove(0);
    let shown = client.instance(&instance).await.unwrap();
    let eni = primary(&client, &instance).await;
    assert_eq!((&eni["Primary"], &eni["EniType"]), (&json!(true), &json!(1)));
    assert_eq!(eni["PrivateIpAddressSet"][0]["PrivateIpAddress"], shown["PrivateIpAddresses"][0]);
    assert_eq!(eni["GroupSet"], shown["SecurityGroupIds"]);
    let id = text(&eni["NetworkInterfaceId"]);
    client
        .vpc("ModifyNetworkInterfaceAttribute", json!({"NetworkInterfaceId": id, "SecurityGroupIds": [group]}))
        .await
        .unwrap();
    assert_eq!(client.instance(&instance).await.unwrap()["SecurityGroupIds"], json!([group]));
    // Addresses of the primary interface are the instance's.
    let assign = json!({"NetworkInterfaceId": id, "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.99"}]});
    client.vpc("AssignPrivateIpAddresses", assign).await.unwrap();
    client.pass(1);
    let addresses = client.instance(&instance).await.unwrap()["PrivateIpAddresses"].clone();
    assert_eq!((addresses.as_array().unwrap().len(), &addresses[1]), (2, &json!("10.0.1.99")));
    let detach = json!({"NetworkInterfaceId": id, "InstanceId": instance});
    assert_eq!(code(client.vpc("DetachNetworkInterface", detach).await), "UnsupportedOperation");
    assert_eq!(
        code(client.vpc("DeleteNetworkInterface", json!({"NetworkInterfaceId": id})).await),
        "UnsupportedOperation"
    );
    let secondary = ready(&client, &network).await;
    client
        .vpc("AttachNetworkInterface", json!({"NetworkInterfaceId": secondary, "InstanceId": instance}))
        .await
        .unwrap();
    client.pass(1);
    client.cvm("TerminateInstances", json!({"InstanceIds": [instance]})).await.unwrap();
    client.pass(1);
    assert_eq!(state(&client, &id).await, "gone");
    let left = show(&client, &secondary).await.unwrap();
    assert_eq!((&left["State"], &left["Attachment"]), (&json!("AVAILABLE"), &Value::Null));
    assert_eq!(free(&client, &network.1).await, 252, "only the secondary interface has an address");
}

#[tokio::test]
async fn attaching_has_its_conditions() {
    let client = Client::of(builder().quota(Quota::InterfacesPerInstance, 2));
    let network = client.network().await;
    let instance = client.running(&network, 1).await.remove(0);
    let attach = async |id: &str, instance: &str| {
        let parameters = json!({"NetworkInterfaceId": id, "InstanceId": instance});
        client.vpc("AttachNetworkInterface", parameters).await
    };
    let id = ready(&client, &network).await;
    assert_eq!(code(attach("eni", &instance).await), "InvalidParameterValue.Malformed");
    assert_eq!(code(attach("eni-00000000", &instance).await), "ResourceNotFound");
    assert_eq!(code(attach(&id, "ins-00000000").await), "ResourceNotFound");
    assert_eq!(code(attach(&id, "i").await), "InvalidParameterValue.Malformed");
    let far = client.vpc("CreateVpc", json!({"VpcName": "far", "CidrBlock": "10.9.0.0/16"})).await.unwrap();
    let far = text(&far["Vpc"]["VpcId"]);
    let far_network = (far.clone(), client.subnet(&far, "10.9.1.0/24").await.unwrap());
    let far_eni = ready(&client, &far_network).await;
    assert_eq!(code(attach(&far_eni, &instance).await), "UnsupportedOperation.VpcMismatch");
    let zone = json!({"VpcId": network.0, "SubnetName": "z4", "Zone": "ap-guangzhou-4", "CidrBlock": "10.0.4.0/24"});
    let zone = client.vpc("CreateSubnet", zone).await.unwrap();
    let zone_eni = ready(&client, &(network.0.clone(), text(&zone["Subnet"]["SubnetId"]))).await;
    assert_eq!(code(attach(&zone_eni, &instance).await), "UnsupportedOperation.ZoneMismatch");
    attach(&id, &instance).await.unwrap();
    client.pass(1);
    let second = ready(&client, &network).await;
    assert_eq!(code(attach(&second, &instance).await), "LimitExceeded");
    let together = json!({
        "VpcId": network.0, "SubnetId": network.1, "NetworkInterfaceName": "e", "InstanceId": instance,
    });
    let before = free(&client, &network.1).await;
    assert_eq!(code(client.vpc("CreateAndAttachNetworkInterface", together).await), "LimitExceeded");
    assert_eq!(free(&client, &network.1).await, before, "nothing was made");
    let limit = client.vpc("DescribeNetworkInterfaceLimit", json!({"InstanceId": instance})).await.unwrap();
    assert_eq!(limit["EniQuantity"], 2);
    client.cvm("StopInstances", json!({"InstanceIds": [instance]})).await.unwrap();
    client.vpc("DetachNetworkInterface", json!({"NetworkInterfaceId": id, "InstanceId": instance})).await.unwrap();
    let stopping = attach(&second, &instance).await;
    assert_eq!(code(stopping), "UnsupportedOperation.ResourceIsInvalidState");
}

#[tokio::test]
async fn making_and_attaching_at_once() {
    let client = client();
    let network = client.network().await;
    let instance = client.running(&network, 1).await.remove(0);
    let parameters = json!({
        "VpcId": network.0, "SubnetId": network.1, "NetworkInterfaceName": "e", "InstanceId": instance,
    });
    let made = client.vpc("CreateAndAttachNetworkInterface", parameters).await.unwrap();
    let shown = &made["NetworkInterface"];
    assert_eq!((&shown["State"], &shown["Attachment"]["InstanceId"]), (&json!("PENDING"), &json!(instance)));
    let id = text(&shown["NetworkInterfaceId"]);
    client.pass(1);
    assert_eq!(
        (state(&client, &id).await.as_str(), task(&client, &made["RequestId"]).await.as_str()),
        ("PENDING", "RUNNING")
    );
    client.pass(1);
    assert_eq!(
        (state(&client, &id).await.as_str(), task(&client, &made["RequestId"]).await.as_str()),
        ("AVAILABLE", "SUCCESS")
    );
}

#[tokio::test]
async fn unfit_interfaces_are_refused() {
    let client = Client::of(builder().quota(Quota::InterfacesPerVpc, 1));
    let network = client.network().await;
    let other = client.vpc("CreateVpc", json!({"VpcName": "far", "CidrBlock": "10.9.0.0/16"})).await.unwrap();
    let two = json!([
        {"PrivateIpAddress": "10.0.1.50", "Primary": true}, {"PrivateIpAddress": "10.0.1.51", "Primary": true}
    ]);
    for (parameters, expected) in [
        (json!({"VpcId": "vpc"}), "InvalidParameterValue.Malformed"),
        (json!({"VpcId": "vpc-00000000"}), "ResourceNotFound"),
        (json!({"SubnetId": "subnet-00000000"}), "ResourceNotFound"),
        (json!({"VpcId": other["Vpc"]["VpcId"]}), "UnsupportedOperation.ResourceMismatch"),
        (json!({"NetworkInterfaceName": "x".repeat(61)}), "InvalidParameterValue.TooLong"),
        (json!({"NetworkInterfaceDescription": "x".repeat(61)}), "InvalidParameterValue.TooLong"),
        (json!({"SecurityGroupIds": ["sg-00000000"]}), "ResourceNotFound"),
        (json!({"PrivateIpAddresses": two}), "InvalidParameterValue"),
        (json!({"SecondaryPrivateIpAddressCount": 10}), "LimitExceeded"),
        (json!({"QosLevel": "XX"}), "InvalidParameterValue"),
        (json!({"TrunkingFlag": "Maybe"}), "InvalidParameterValue"),
        (
            json!({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "a", "Value": "2"}]}),
            "InvalidParameterValue.TagDuplicateKey",
        ),
    ] {
        assert_eq!(code(make(&client, &network, parameters.clone()).await), expected, "{parameters}");
    }
    make(&client, &network, json!({})).await.unwrap();
    assert_eq!(code(make(&client, &network, json!({})).await), "LimitExceeded.NetworkInterfaceLimitExceeded");
}

#[tokio::test]
async fn a_repeated_request_makes_nothing_again() {
    let client = client();
    let network = client.network().await;
    let parameters = json!({
        "VpcId": network.0, "SubnetId": network.1, "NetworkInterfaceName": "eni", "ClientToken": "t-1",
    });
    let first = client.vpc("CreateNetworkInterface", parameters.clone()).await.unwrap();
    let again = client.vpc("CreateNetworkInterface", parameters.clone()).await.unwrap();
    assert_eq!(first["NetworkInterface"], again["NetworkInterface"]);
    assert_ne!(first["RequestId"], again["RequestId"]);
    assert_eq!(task(&client, &again["RequestId"]).await, "RUNNING", "both ids lead to the task");
    let mut other = parameters.clone();
    other["NetworkInterfaceName"] = json!("other");
    assert_eq!(
        code(client.vpc("CreateNetworkInterface", other).await),
        "UnsupportedOperation.IdempotentParameterMismatch"
    );
    let mut long = parameters.clone();
    long["ClientToken"] = json!("x".repeat(65));
    assert_eq!(code(client.vpc("CreateNetworkInterface", long).await), "InvalidParameterValue.TooLong");
    assert_eq!(client.vpc("DescribeNetworkInterfaces", json!({})).await.unwrap()["TotalCount"], 1);
    client.pass(24 * 3600 + 1);
    let late = client.vpc("CreateNetworkInterface", parameters).await.unwrap();
    assert_ne!(first["NetworkInterface"]["NetworkInterfaceId"], late["NetworkInterface"]["NetworkInterfaceId"]);
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let client = client();
    let network = client.network().await;
    let tags = json!([{"Key": "env", "Value": "test"}]);
    let id = make(&client, &network, json!({"Tags": tags, "NetworkInterfaceName": "special"})).await.unwrap();
    for _ in 0..24 {
        make(&client, &network, json!({})).await.unwrap();
    }
    client.pass(1);
    let address = text(&show(&client, &id).await.unwrap()["PrivateIpAddressSet"][0]["PrivateIpAddress"]);
    let list = async |parameters: Value| client.vpc("DescribeNetworkInterfaces", parameters).await;
    for (name, value) in
        [("tag:env", "test"), ("tag-key", "env"), ("address-ip", &address), ("network-interface-name", "special")]
    {
        let found = list(json!({"Filters": [{"Name": name, "Values": [value]}]})).await.unwrap();
        assert_eq!(
            (&found["TotalCount"], &found["NetworkInterfaceSet"][0]["NetworkInterfaceId"]),
            (&json!(1), &json!(id))
        );
    }
    // A single address is found by its end, unless it is to be exact.
    let end = &address[1..];
    for (exact, count) in [("false", 1), ("true", 0)] {
        let filters = json!([{"Name": "address-ip", "Values": [end]}, {"Name": "ip-exact-match", "Values": [exact]}]);
        assert_eq!(list(json!({"Filters": filters})).await.unwrap()["TotalCount"], count, "{exact}");
    }
    let page = list(json!({"Offset": 20, "Limit": 100})).await.unwrap();
    assert_eq!((&page["TotalCount"], page["NetworkInterfaceSet"].as_array().unwrap().len()), (&json!(25), 5));
    assert_eq!(list(json!({})).await.unwrap()["NetworkInterfaceSet"].as_array().unwrap().len(), 20);
    let filter = json!([{"Name": "vpc-id", "Values": [network.0]}]);
    for (parameters, expected) in [
        (json!({"NetworkInterfaceIds": [id], "Filters": filter}), "InvalidParameter.Coexist"),
        (json!({"NetworkInterfaceIds": ["eni"]}), "InvalidParameterValue.Malformed"),
        (json!({"Limit": 101}), "InvalidParameterValue.Range"),
        (json!({"Filters": [{"Name": "colour", "Values": ["red"]}]}), "InvalidParameter.FilterInvalidKey"),
    ] {
        assert_eq!(code(list(parameters.clone()).await), expected, "{parameters}");
    }
    let elsewhere = client.in_region("ap-shanghai");
    assert_eq!(elsewhere.vpc("DescribeNetworkInterfaces", json!({})).await.unwrap()["TotalCount"], 0);
    let refusing = Client::of(builder().unknown_ids(UnknownIds::Refuse));
    let unknown = json!({"NetworkInterfaceIds": ["eni-00000000"]});
    assert_eq!(code(refusing.vpc("DescribeNetworkInterfaces", unknown).await), "ResourceNotFound");
}

#[tokio::test]
async fn security_groups_of_interfaces() {
    let client = client();
    let network = client.network().await;
    let mut groups = Vec::new();
    for name in ["a", "b"] {
        let made =
            client.vpc("CreateSecurityGroup", json!({"GroupName": name, "GroupDescription": "d"})).await.unwrap();
        groups.push(text(&made["SecurityGroup"]["SecurityGroupId"]));
    }
    let id = make(&client, &network, json!({"SecurityGroupIds": [groups[0]]})).await.unwrap();
    let change = |groups: &[String]| json!({"NetworkInterfaceIds": [id], "SecurityGroupIds": groups});
    client.vpc("AssociateNetworkInterfaceSecurityGroups", change(&groups)).await.unwrap();
    assert_eq!(show(&client, &id).await.unwrap()["GroupSet"], json!(groups));
    client.vpc("DisassociateNetworkInterfaceSecurityGroups", change(&groups[..1])).await.unwrap();
    assert_eq!(show(&client, &id).await.unwrap()["GroupSet"], json!(groups[1..]));
    let again = client.vpc("DisassociateNetworkInterfaceSecurityGroups", change(&groups[..1])).await;
    assert_eq!(code(again), "ResourceNotFound");
    assert_eq!(code(client.vpc("DeleteSecurityGroup", json!({"SecurityGroupId": groups[1]})).await), "ResourceInUse");
    let instance = client.running(&network, 1).await.remove(0);
    let eni = text(&primary(&client, &instance).await["NetworkInterfaceId"]);
    let primary = json!({"NetworkInterfaceIds": [eni], "SecurityGroupIds": groups});
    let refused = client.vpc("AssociateNetworkInterfaceSecurityGroups", primary).await;
    assert_eq!(code(refused), "UnsupportedOperation");
    let used = client
        .vpc("DescribeSecurityGroupAssociationStatistics", json!({"SecurityGroupIds": [groups[1]]}))
        .await
        .unwrap();
    let used = &used["SecurityGroupAssociationStatisticsSet"][0];
    assert_eq!((&used["ENI"], &used["CVM"], &used["TotalCount"]), (&json!(1), &json!(0), &json!(1)));
}

#[tokio::test]
async fn an_instance_that_goes_ends_the_work_on_its_interfaces() {
    let client = Client::of(builder().task_duration(Task::InterfaceAttach, Duration::from_secs(60)));
    let network = client.network().await;
    let instance = client.running(&network, 1).await.remove(0);
    let id = ready(&client, &network).await;
    let attaching =
        client.vpc("AttachNetworkInterface", json!({"NetworkInterfaceId": id, "InstanceId": instance})).await.unwrap();
    client.cvm("TerminateInstances", json!({"InstanceIds": [instance]})).await.unwrap();
    client.pass(2);
    assert_eq!(task(&client, &attaching["RequestId"]).await, "FAILED");
    assert_eq!(state(&client, &id).await, "AVAILABLE");
    client.pass(100);
    assert_eq!(show(&client, &id).await.unwrap()["Attachment"], Value::Null);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_interfaces() {
    let mut seen = Vec::new();
    for seed in [1, 1, 2] {
        let client = Client::of(builder().seed(seed));
        let network = client.network().await;
        let id = ready(&client, &network).await;
        seen.push(show(&client, &id).await.unwrap());
    }
    assert_eq!(seen[0], seen[1]);
    assert_ne!(seen[0]["NetworkInterfaceId"], seen[2]["NetworkInterfaceId"]);
}
