//! Elastic IPs.

use qcloud_emulator::Quota;
use serde_json::{Value, json};

use crate::client::{Client, builder, client, code, text};

/// Allocates one and waits until it can be used.
async fn allocate(client: &Client) -> String {
    let made = client.vpc("AllocateAddresses", json!({})).await.unwrap();
    client.pass(1);
    text(&made["AddressSet"][0])
}

async fn show(client: &Client, id: &str) -> Option<Value> {
    let list = client.vpc("DescribeAddresses", json!({"AddressIds": [id]})).await.unwrap();
    list["AddressSet"].as_array().unwrap().first().cloned()
}

async fn status(client: &Client, id: &str) -> String {
    show(client, id).await.map_or_else(|| "gone".to_owned(), |address| text(&address["AddressStatus"]))
}

async fn result(client: &Client, answer: &Value) -> String {
    let number: u64 = text(&answer["TaskId"]).parse().unwrap();
    let task = client.vpc("DescribeTaskResult", json!({"TaskId": number})).await.unwrap();
    assert_eq!(task["TaskId"], number);
    text(&task["Result"])
}

#[tokio::test]
async fn an_elastic_ip_lives_from_allocation_over_an_instance_to_release() {
    let client = client();
    let network = client.network().await;
    let instance = client.running(&network, 1).await.remove(0);
    let parameters = json!({
        "AddressCount": 2, "AddressName": "front", "InternetMaxBandwidthOut": 10,
        "Tags": [{"Key": "env", "Value": "test"}],
    });
    let made = client.vpc("AllocateAddresses", parameters).await.unwrap();
    assert_eq!(made["AddressSet"].as_array().unwrap().len(), 2);
    let id = text(&made["AddressSet"][0]);
    assert_eq!((status(&client, &id).await.as_str(), result(&client, &made).await.as_str()), ("CREATING", "RUNNING"));
    let bind = json!({"AddressId": id, "InstanceId": instance});
    assert_eq!(code(client.vpc("AssociateAddress", bind.clone()).await), "OperationDenied.MutexTaskRunning");
    client.pass(1);
    let shown = show(&client, &id).await.unwrap();
    assert_eq!((&shown["AddressStatus"], &shown["NetworkInterfaceId"]), (&json!("UNBIND"), &Value::Null));
    assert_eq!((&shown["Bandwidth"], &shown["CreatedTime"]), (&json!(10), &json!("2026-01-02T03:04:07Z")));

    let binding = client.vpc("AssociateAddress", bind.clone()).await.unwrap();
    assert_eq!(status(&client, &id).await, "BINDING");
    assert_eq!(client.instance(&instance).await.unwrap()["PublicIpAddresses"], Value::Null);
    client.pass(1);
    assert_eq!(result(&client, &binding).await, "SUCCESS");
    let shown = show(&client, &id).await.unwrap();
    assert_eq!((&shown["AddressStatus"], &shown["InstanceId"]), (&json!("BIND"), &json!(instance)));
    assert_eq!(shown["InstanceType"], "CVM");
    let there = client.instance(&instance).await.unwrap();
    assert_eq!(there["PublicIpAddresses"], json!([shown["AddressIp"]]));
    assert_eq!(shown["PrivateAddressIp"], there["PrivateIpAddresses"][0]);
    let interfaces = json!({"NetworkInterfaceIds": [shown["NetworkInterfaceId"]]});
    let interfaces = client.vpc("DescribeNetworkInterfaces", interfaces).await.unwrap();
    let address = &interfaces["NetworkInterfaceSet"][0]["PrivateIpAddressSet"][0];
    assert_eq!((&address["PublicIpAddress"], &address["AddressId"]), (&shown["AddressIp"], &json!(id)));

    assert_eq!(code(client.vpc("AssociateAddress", bind).await), "UnsupportedOperation.AddressStatusNotPermit");
    let second = json!({"AddressId": made["AddressSet"][1], "InstanceId": instance});
    assert_eq!(code(client.vpc("AssociateAddress", second).await), "InvalidInstanceId.AlreadyBindEip");
    let release = json!({"AddressIds": [id]});
    assert_eq!(
        code(client.vpc("ReleaseAddresses", release.clone()).await),
        "UnsupportedOperation.AddressStatusNotPermit"
    );
    client.vpc("DisassociateAddress", json!({"AddressId": id})).await.unwrap();
    assert_eq!(status(&client, &id).await, "UNBINDING");
    client.pass(1);
    assert_eq!(status(&client, &id).await, "UNBIND");
    assert_eq!(client.instance(&instance).await.unwrap()["PublicIpAddresses"], Value::Null);
    assert_eq!(
        code(client.vpc("DisassociateAddress", json!({"AddressId": id})).await),
        "UnsupportedOperation.AddressStatusNotPermit"
    );
    let gone = client.vpc("ReleaseAddresses", release.clone()).await.unwrap();
    assert_eq!(status(&client, &id).await, "OFFLINING");
    client.pass(1);
    assert_eq!((status(&client, &id).await.as_str(), result(&client, &gone).await.as_str()), ("gone", "SUCCESS"));
    assert_eq!(code(client.vpc("ReleaseAddresses", release).await), "InvalidAddressId.NotFound");
}

#[tokio::test]
async fn an_elastic_ip_follows_its_interface() {
    let client = client();
    let network = client.network().await;
    let instance = client.running(&network, 1).await.remove(0);
    let parameters = json!({"VpcId": network.0, "SubnetId": network.1, "NetworkInterfaceName": "e"});
    let made = client.vpc("CreateNetworkInterface", parameters).await.unwrap();
    let eni = text(&made["NetworkInterface"]["NetworkInterfaceId"]);
    let ip = text(&made["NetworkInterface"]["PrivateIpAddressSet"][0]["PrivateIpAddress"]);
    let id = allocate(&client).await;
    for (parameters, expected) in [
        (json!({"NetworkInterfaceId": eni}), "MissingParameter"),
        (
            json!({"NetworkInterfaceId": eni, "PrivateIpAddress": "10.0.1.200"}),
            "InvalidParameterValue.PrivateIpAddressNotMatch",
        ),
        (json!({"NetworkInterfaceId": "eni-00000000", "PrivateIpAddress": ip}), "InvalidNetworkInterfaceId.NotFound"),
        (
            json!({"NetworkInterfaceId": eni, "PrivateIpAddress": ip, "InstanceId": instance}),
            "InvalidParameterConflict",
        ),
        (json!({}), "InvalidParameterValue.MissingAssociateEntity"),
        (json!({"InstanceId": "ins-00000000"}), "InvalidInstanceId.NotFound"),
        (json!({"InstanceId": "x"}), "InvalidParameterValue.InstanceIdMalformed"),
        (json!({"InstanceId": "lb-00000000"}), "InvalidParameterValue.ResourceNotSupport"),
    ] {
        let mut parameters = parameters;
        parameters["AddressId"] = json!(id);
        assert_eq!(code(client.vpc("AssociateAddress", parameters.clone()).await), expected, "{parameters}");
    }
    let bind = json!({"AddressId": id, "NetworkInterfaceId": eni, "PrivateIpAddress": ip});
    client.vpc("AssociateAddress", bind).await.unwrap();
    let other = allocate(&client).await;
    let taken = json!({"AddressId": other, "NetworkInterfaceId": eni, "PrivateIpAddress": ip});
    assert_eq!(code(client.vpc("AssociateAddress", taken).await), "InvalidPrivateIpAddress.AlreadyBindEip");
    let shown = show(&client, &id).await.unwrap();
    assert_eq!((&shown["AddressStatus"], &shown["InstanceType"]), (&json!("BIND_ENI"), &json!("ENI")));
    client.vpc("AttachNetworkInterface", json!({"NetworkInterfaceId": eni, "InstanceId": instance})).await.unwrap();
    client.pass(1);
    let shown = show(&client, &id).await.unwrap();
    assert_eq!((&shown["AddressStatus"], &shown["InstanceId"]), (&json!("BIND"), &json!(instance)));
    client.vpc("DetachNetworkInterface", json!({"NetworkInterfaceId": eni, "InstanceId": instance})).await.unwrap();
    client.pass(1);
    client.vpc("DeleteNetworkInterface", json!({"NetworkInterfaceId": eni})).await.unwrap();
    client.pass(1);
    assert_eq!(status(&client, &id).await, "UNBIND", "its interface is gone");
}

#[tokio::test]
async fn an_elastic_ip_takes_the_place_of_an_instances_own_address() {
    let client = client();
    let network = client.network().await;
    let instance = client
        .run(json!({
            "VirtualPrivateCloud": {"VpcId": network.0, "SubnetId": network.1},
            "InternetAccessible": {"InternetMaxBandwidthOut": 5, "PublicIpAssigned": true},
        }))
        .await
        .unwrap()
        .remove(0);
    client.pass(2);
    let own = client.instance(&instance).await.unwrap()["PublicIpAddresses"][0].clone();
    assert_eq!(client.vpc("DescribeAddresses", json!({})).await.unwrap()["TotalCount"], 0);
    let own_filter = json!({"Filters": [{"Name": "address-type", "Values": ["WanIP"]}]});
    let list = client.vpc("DescribeAddresses", own_filter.clone()).await.unwrap();
    let shown = &list["AddressSet"][0];
    assert_eq!((&shown["AddressIp"], &shown["AddressStatus"]), (&own, &json!("BIND")));
    assert_eq!((&shown["InstanceId"], &shown["AddressType"]), (&json!(instance), &json!("WanIP")));
    let id = allocate(&client).await;
    client.vpc("AssociateAddress", json!({"AddressId": id, "InstanceId": instance})).await.unwrap();
    client.pass(1);
    let elastic = show(&client, &id).await.unwrap()["AddressIp"].clone();
    assert_eq!(client.instance(&instance).await.unwrap()["PublicIpAddresses"], json!([elastic]));
    assert_eq!(client.vpc("DescribeAddresses", own_filter).await.unwrap()["TotalCount"], 0);
    let unbind = json!({"AddressId": id, "ReallocateNormalPublicIp": true});
    client.vpc("DisassociateAddress", unbind).await.unwrap();
    client.pass(1);
    let again = client.instance(&instance).await.unwrap()["PublicIpAddresses"][0].clone();
    assert!(again.is_string() && again != elastic);
    // An instance that goes leaves its elastic IP behind.
    client.vpc("AssociateAddress", json!({"AddressId": id, "InstanceId": instance})).await.unwrap();
    client.pass(1);
    client.cvm("TerminateInstances", json!({"InstanceIds": [instance]})).await.unwrap();
    client.pass(1);
    assert_eq!(status(&client, &id).await, "UNBIND");
}

#[tokio::test]
async fn quotas_hold_and_tell() {
    let client = Client::of(builder().quota(Quota::ElasticIpsPerRegion, 2));
    assert_eq!(code(client.vpc("AllocateAddresses", json!({"AddressCount": 3})).await), "AddressQuotaLimitExceeded");
    for _ in 0..2 {
        let made = client.vpc("AllocateAddresses", json!({"AddressCount": 2})).await.unwrap();
        assert_eq!(code(client.vpc("AllocateAddresses", json!({})).await), "AddressQuotaLimitExceeded");
        client.pass(1);
        client.vpc("ReleaseAddresses", json!({"AddressIds": made["AddressSet"]})).await.unwrap();
        client.pass(1);
    }
    assert_eq!(code(client.vpc("AllocateAddresses", json!({})).await), "AddressQuotaLimitExceeded.DailyAllocate");
    let quotas = client.vpc("DescribeAddressQuota", json!({})).await.unwrap();
    assert_eq!((&quotas["QuotaSet"][0]["QuotaLimit"], &quotas["QuotaSet"][1]["QuotaCurrent"]), (&json!(2), &json!(4)));
    client.pass(24 * 3600);
    client.vpc("AllocateAddresses", json!({})).await.unwrap();
    let elsewhere = client.in_region("ap-shanghai");
    elsewhere.vpc("AllocateAddresses", json!({})).await.unwrap();
}

#[tokio::test]
async fn unfit_orders_are_refused() {
    let client = client();
    for (parameters, expected) in [
        (json!({"AddressCount": 0}), "InvalidParameterValue.Range"),
        (json!({"AddressCount": -1}), "InvalidParameterValue.Range"),
        (json!({"InternetMaxBandwidthOut": 0}), "InvalidParameterValue.BandwidthOutOfRange"),
        (json!({"InternetMaxBandwidthOut": 101}), "InvalidParameterValue.BandwidthOutOfRange"),
        (json!({"InternetChargeType": "BANDWIDTH_PREPAID_BY_MONTH"}), "InvalidParameterValue.Combination"),
        (json!({"AddressChargePrepaid": {"Period": 1}}), "InvalidParameterValue.Combination"),
        (json!({"InternetChargeType": "FREE"}), "InvalidParameterValue"),
        (json!({"AddressType": "WanIP"}), "InvalidParameterValue"),
        (json!({"VipCluster": ["1.2.3.4"]}), "InvalidParameterValue.AddressIpNotAvailable"),
    ] {
        assert_eq!(code(client.vpc("AllocateAddresses", parameters.clone()).await), expected, "{parameters}");
    }
    let prepaid = json!({"InternetChargeType": "BANDWIDTH_PREPAID_BY_MONTH", "AddressChargePrepaid": {"Period": 1}});
    let id = text(&client.vpc("AllocateAddresses", prepaid).await.unwrap()["AddressSet"][0]);
    assert_eq!(show(&client, &id).await.unwrap()["DeadlineDate"], "2026-02-02");
    assert_eq!(client.vpc("DescribeAddresses", json!({})).await.unwrap()["TotalCount"], 1);
    assert_eq!(code(client.vpc("DescribeTaskResult", json!({})).await), "MissingParameter");
    assert_eq!(code(client.vpc("DescribeTaskResult", json!({"TaskId": 1})).await), "InvalidParameter");
    assert_eq!(
        code(client.vpc("AssociateAddress", json!({"AddressId": "eip", "InstanceId": "x"})).await),
        "InvalidParameterValue.AddressIdMalformed"
    );
    assert_eq!(
        code(client.vpc("DisassociateAddress", json!({"AddressId": "eip-00000000"})).await),
        "InvalidAddressId.NotFound"
    );
}

#[tokio::test]
async fn release_is_all_or_nothing() {
    let client = client();
    let network = client.network().await;
    let instance = client.running(&network, 1).await.remove(0);
    let (free, bound) = (allocate(&client).await, allocate(&client).await);
    client.vpc("AssociateAddress", json!({"AddressId": bound, "InstanceId": instance})).await.unwrap();
    client.pass(1);
    let both = json!({"AddressIds": [free, bound]});
    assert_eq!(code(client.vpc("ReleaseAddresses", both).await), "UnsupportedOperation.AddressStatusNotPermit");
    assert_eq!(status(&client, &free).await, "UNBIND");
}

#[tokio::test]
async fn tokens_names_bandwidth_and_filters() {
    let client = client();
    let order = json!({"ClientToken": "t", "AddressName": "one", "Tags": [{"Key": "env", "Value": "test"}]});
    let first = client.vpc("AllocateAddresses", order.clone()).await.unwrap();
    let again = client.vpc("AllocateAddresses", order.clone()).await.unwrap();
    assert_eq!((&first["AddressSet"], &first["TaskId"]), (&again["AddressSet"], &again["TaskId"]));
    let other = json!({"ClientToken": "t", "AddressName": "two"});
    assert_eq!(code(client.vpc("AllocateAddresses", other).await), "InvalidParameterConflict");
    let id = text(&first["AddressSet"][0]);
    client.pass(1);
    allocate(&client).await;
    client
        .vpc("ModifyAddressAttribute", json!({"AddressId": id, "AddressName": "new", "EipDirectConnection": "TRUE"}))
        .await
        .unwrap();
    let change = json!({"AddressIds": [id], "InternetMaxBandwidthOut": 50});
    let changed = client.vpc("ModifyAddressesBandwidth", change).await.unwrap();
    assert_eq!(result(&client, &changed).await, "RUNNING");
    let shown = show(&client, &id).await.unwrap();
    assert_eq!(
        (&shown["AddressName"], &shown["Bandwidth"], &shown["IsEipDirectConnection"]),
        (&json!("new"), &json!(50), &json!(true))
    );
    let ip = text(&shown["AddressIp"]);
    for (name, value) in [
        ("address-id", id.as_str()),
        ("address-name", "new"),
        ("address-ip", &ip),
        ("tag:env", "test"),
        ("tag-key", "env"),
    ] {
        let filters = json!({"Filters": [{"Name": name, "Values": [value]}]});
        assert_eq!(client.vpc("DescribeAddresses", filters).await.unwrap()["TotalCount"], 1, "{name}");
    }
    let unbound = json!({"Filters": [{"Name": "address-status", "Values": ["UNBIND"]}], "Limit": 1});
    let page = client.vpc("DescribeAddresses", unbound).await.unwrap();
    assert_eq!((&page["TotalCount"], page["AddressSet"].as_array().unwrap().len()), (&json!(2), 1));
    for (parameters, expected) in [
        (json!({"Filters": [{"Name": "colour", "Values": ["red"]}]}), "InvalidParameter.InvalidFilter"),
        (json!({"AddressIds": ["x"]}), "InvalidParameterValue.AddressIdMalformed"),
        (json!({"AddressIds": [id], "Filters": [{"Name": "address-id", "Values": [id]}]}), "InvalidParameter"),
        (json!({"Limit": 0}), "InvalidParameterValue.LimitExceeded"),
        (json!({"Limit": 101}), "InvalidParameterValue.LimitExceeded"),
    ] {
        assert_eq!(code(client.vpc("DescribeAddresses", parameters.clone()).await), expected, "{parameters}");
    }
}
