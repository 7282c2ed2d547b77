//! The private addresses of network interfaces.

use serde_json::{Value, json};

use crate::client::{client, code, text};
use crate::interfaces::{free, make, ready, show, state, task};

#[tokio::test]
async fn addresses_are_assigned_and_taken_back_one_task_at_a_time() {
    let client = client();
    let network = client.network().await;
    let id = ready(&client, &network).await;
    let assign = async |more: Value| {
        let mut parameters = more;
        parameters["NetworkInterfaceId"] = json!(id);
        client.vpc("AssignPrivateIpAddresses", parameters).await
    };
    let made = assign(json!({"SecondaryPrivateIpAddressCount": 2})).await.unwrap();
    let new = made["PrivateIpAddressSet"].as_array().unwrap().clone();
    assert_eq!((new.len(), &new[0]["State"], &new[0]["Primary"]), (2, &json!("PENDING"), &json!(false)));
    assert_eq!(
        code(assign(json!({"SecondaryPrivateIpAddressCount": 1})).await),
        "UnsupportedOperation.MutexOperationTaskRunning"
    );
    let gone =
        json!({"NetworkInterfaceId": id, "PrivateIpAddresses": [{"PrivateIpAddress": new[0]["PrivateIpAddress"]}]});
    assert_eq!(
        code(client.vpc("UnassignPrivateIpAddresses", gone.clone()).await),
        "UnsupportedOperation.MutexOperationTaskRunning"
    );
    client.pass(1);
    assert_eq!(task(&client, &made["RequestId"]).await, "SUCCESS");
    client.vpc("UnassignPrivateIpAddresses", gone.clone()).await.unwrap();
    let states = show(&client, &id).await.unwrap()["PrivateIpAddressSet"].clone();
    assert_eq!((&states[1]["State"], &states[2]["State"]), (&json!("DELETING"), &json!("AVAILABLE")));
    client.pass(1);
    assert_eq!(show(&client, &id).await.unwrap()["PrivateIpAddressSet"].as_array().unwrap().len(), 2);
    let addresses = |addresses: &[&str]| -> Value {
        let list: Vec<Value> = addresses.iter().map(|address| json!({"PrivateIpAddress": address})).collect();
        json!({ "PrivateIpAddresses": list })
    };
    let taken = ready(&client, &network).await;
    let taken = text(&show(&client, &taken).await.unwrap()["PrivateIpAddressSet"][0]["PrivateIpAddress"]);
    let many: Vec<String> = (0..11).map(|number| format!("10.0.1.{}", 100 + number)).collect();
    for (parameters, expected) in [
        (json!({}), "MissingParameter"),
        (addresses(&["10.0.1"]), "InvalidParameterValue.Malformed"),
        (addresses(&["10.0.1.50", "10.0.1.50"]), "InvalidParameterValue.DuplicatePara"),
        (addresses(&["10.0.2.50"]), "InvalidParameterValue.Range"),
        (addresses(&["10.0.1.255"]), "InvalidParameterValue.Reserved"),
        (addresses(&["10.0.1.50", &taken]), "ResourceInUse"),
        (addresses(&many.iter().map(String::as_str).collect::<Vec<_>>()), "InvalidParameterValue.LimitExceeded"),
        (json!({"SecondaryPrivateIpAddressCount": 9}), "LimitExceeded"),
        (json!({"SecondaryPrivateIpAddressCount": 9_000_000_000_000_000_000_u64}), "LimitExceeded"),
    ] {
        assert_eq!(code(assign(parameters.clone()).await), expected, "{parameters}");
    }
    assert_eq!(show(&client, &id).await.unwrap()["PrivateIpAddressSet"].as_array().unwrap().len(), 2);
    let unassign = async |addresses: Value| {
        let mut parameters = addresses;
        parameters["NetworkInterfaceId"] = json!(id);
        client.vpc("UnassignPrivateIpAddresses", parameters).await
    };
    let own = text(&show(&client, &id).await.unwrap()["PrivateIpAddressSet"][0]["PrivateIpAddress"]);
    assert_eq!(code(unassign(addresses(&[&own])).await), "UnsupportedOperation");
    assert_eq!(code(unassign(addresses(&["10.0.1.200"])).await), "ResourceNotFound");
    assert_eq!(code(unassign(addresses(&[])).await), "MissingParameter");
}

#[tokio::test]
async fn addresses_and_interfaces_move() {
    let client = client();
    let network = client.network().await;
    let instances = client.running(&network, 2).await;
    let (one, other) = (ready(&client, &network).await, ready(&client, &network).await);
    let assign = json!({"NetworkInterfaceId": one, "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.1.99"}]});
    client.vpc("AssignPrivateIpAddresses", assign).await.unwrap();
    client.pass(1);
    let migrate = |address: &str, to: &str| json!({"SourceNetworkInterfaceId": one, "DestinationNetworkInterfaceId": to, "PrivateIpAddress": address});
    let own = text(&show(&client, &one).await.unwrap()["PrivateIpAddressSet"][0]["PrivateIpAddress"]);
    for (parameters, expected) in [
        (migrate(&own, &other), "UnauthorizedOperation.PrimaryIp"),
        (migrate("10.0.1.200", &other), "ResourceNotFound"),
        (migrate("x", &other), "InvalidParameterValue.Malformed"),
        (migrate("10.0.1.99", "eni-00000000"), "ResourceNotFound"),
        (migrate("10.0.1.99", &one), "InvalidParameterValue"),
    ] {
        assert_eq!(code(client.vpc("MigratePrivateIpAddress", parameters.clone()).await), expected, "{parameters}");
    }
    let moving = client.vpc("MigratePrivateIpAddress", migrate("10.0.1.99", &other)).await.unwrap();
    assert_eq!(show(&client, &one).await.unwrap()["PrivateIpAddressSet"][1]["State"], "MIGRATING");
    client.pass(1);
    assert_eq!(task(&client, &moving["RequestId"]).await, "SUCCESS");
    assert_eq!(show(&client, &one).await.unwrap()["PrivateIpAddressSet"].as_array().unwrap().len(), 1);
    assert_eq!(show(&client, &other).await.unwrap()["PrivateIpAddressSet"][1]["PrivateIpAddress"], "10.0.1.99");
    let used = json!({"VpcId": network.0, "IpAddresses": ["10.0.1.99"]});
    let used = client.vpc("DescribeUsedIpAddress", used).await.unwrap();
    assert_eq!(used["IpAddressStates"][0]["ResourceId"], json!(other));

    let attach = json!({"NetworkInterfaceId": one, "InstanceId": instances[0]});
    client.vpc("AttachNetworkInterface", attach).await.unwrap();
    client.pass(1);
    let hand_over = json!({
        "NetworkInterfaceId": one, "SourceInstanceId": instances[0], "DestinationInstanceId": instances[1],
    });
    client.vpc("MigrateNetworkInterface", hand_over.clone()).await.unwrap();
    assert_eq!(state(&client, &one).await, "DETACHING");
    client.pass(1);
    assert_eq!(state(&client, &one).await, "ATTACHING");
    client.pass(1);
    let shown = show(&client, &one).await.unwrap();
    assert_eq!((&shown["State"], &shown["Attachment"]["InstanceId"]), (&json!("AVAILABLE"), &json!(instances[1])));
    assert_eq!(
        code(client.vpc("MigrateNetworkInterface", hand_over).await),
        "UnsupportedOperation.InvalidState",
        "it has left that instance"
    );
}

#[tokio::test]
async fn a_full_subnet_gives_no_more() {
    let client = client();
    let (vpc, _) = client.network().await;
    let subnet = client.subnet(&vpc, "10.0.9.0/28").await.unwrap();
    let network = (vpc, subnet.clone());
    make(&client, &network, json!({"SecondaryPrivateIpAddressCount": 9})).await.unwrap();
    let refused = make(&client, &network, json!({"SecondaryPrivateIpAddressCount": 3})).await;
    assert_eq!(code(refused), "ResourceInsufficient.Subnet");
    assert_eq!(free(&client, &subnet).await, 3, "the refused request took none");
    assert_eq!(code(client.vpc("DeleteSubnet", json!({"SubnetId": subnet})).await), "ResourceInUse");
}
