//! Changes to instances: type, password, project, security groups, network and charge type.

use serde_json::{Value, json};

use crate::client::{Client, client, code, text};

async fn stop(client: &Client, id: &str) {
    client.cvm("StopInstances", json!({"InstanceIds": [id]})).await.unwrap();
    client.pass(1);
}

#[tokio::test]
async fn type_and_password_change_on_stopped_instances() {
    let client = client();
    let network = client.network().await;
    let id = client.running(&network, 1).await.remove(0);
    let change = |kind: &str| json!({"InstanceIds": [id], "InstanceType": kind});
    assert_eq!(
        code(client.cvm("ResetInstancesType", change("S5.LARGE8")).await),
        "UnsupportedOperation.InstanceStateRunning"
    );
    stop(&client, &id).await;
    assert_eq!(
        code(client.cvm("ResetInstancesType", change("S5.HUGE")).await),
        "InvalidParameterValue.InstanceTypeNotFound"
    );
    client.cvm("ResetInstancesType", change("S5.LARGE8")).await.unwrap();
    assert_eq!(client.instance(&id).await.unwrap()["LatestOperationState"], "OPERATING");
    client.pass(1);
    let shown = client.instance(&id).await.unwrap();
    assert_eq!(
        (&shown["InstanceType"], &shown["CPU"], &shown["Memory"], &shown["InstanceState"]),
        (&json!("S5.LARGE8"), &json!(4), &json!(8), &json!("STOPPED"))
    );
    for weak in ["short1A", "alllowercase", "/Abcdef12", "Abcdef12 ä", &"aA1".repeat(11)] {
        let refused = client.cvm("ResetInstancesPassword", json!({"InstanceIds": [id], "Password": weak})).await;
        assert_eq!(code(refused), "InvalidPassword", "{weak}");
    }
    client.cvm("ResetInstancesPassword", json!({"InstanceIds": [id], "Password": "Abcdef12"})).await.unwrap();
    client.pass(1);
    client.cvm("StartInstances", json!({"InstanceIds": [id]})).await.unwrap();
    client.pass(1);
    let forced = json!({"InstanceIds": [id], "InstanceType": "S5.SMALL1", "ForceStop": true});
    client.cvm("ResetInstancesType", forced).await.unwrap();
    assert_eq!(client.state(&id).await, "STOPPING");
    client.pass(1);
    assert_eq!(client.state(&id).await, "RUNNING");
}

#[tokio::test]
async fn project_and_security_groups_change_at_once_and_for_all() {
    let client = client();
    let network = client.network().await;
    let ids = client.running(&network, 2).await;
    client.cvm("ModifyInstancesProject", json!({"InstanceIds": ids, "ProjectId": 1001})).await.unwrap();
    assert_eq!(client.instance(&ids[1]).await.unwrap()["Placement"]["ProjectId"], 1001);
    let refused = client.cvm("ModifyInstancesProject", json!({"InstanceIds": ids, "ProjectId": -1})).await;
    assert_eq!(code(refused), "InvalidProjectId.NotFound");
    let group = client.vpc("CreateSecurityGroup", json!({"GroupName": "g", "GroupDescription": "d"})).await.unwrap();
    let group = text(&group["SecurityGroup"]["SecurityGroupId"]);
    let default = client.instance(&ids[0]).await.unwrap()["SecurityGroupIds"][0].clone();
    let change = |ids: &[String], groups: Value| json!({"InstanceIds": ids, "SecurityGroupIds": groups});
    client.cvm("AssociateSecurityGroups", change(&ids[..1], json!([group]))).await.unwrap();
    assert_eq!(client.instance(&ids[0]).await.unwrap()["SecurityGroupIds"], json!([default, group]));
    for (action, groups, expected) in [
        ("AssociateSecurityGroups", json!(["sg-00000000"]), "InvalidSecurityGroupId.NotFound"),
        ("AssociateSecurityGroups", json!(["sg"]), "InvalidSgId.Malformed"),
        ("AssociateSecurityGroups", json!([]), "MissingParameter"),
        ("DisassociateSecurityGroups", json!([group]), "InvalidSecurityGroupId.NotFound"),
        ("DisassociateSecurityGroups", json!([default]), "FailedOperation.SecurityGroupActionFailed"),
    ] {
        assert_eq!(code(client.cvm(action, change(&ids, groups.clone())).await), expected, "{action} {groups}");
    }
    assert_eq!(client.instance(&ids[0]).await.unwrap()["SecurityGroupIds"], json!([default, group]));
    client.cvm("DisassociateSecurityGroups", change(&ids[..1], json!([default]))).await.unwrap();
    assert_eq!(client.instance(&ids[0]).await.unwrap()["SecurityGroupIds"], json!([group]));
}

#[tokio::test]
async fn instances_move_to_another_subnet_together() {
    let client = client();
    let network = client.network().await;
    let other = client.subnet(&network.0, "10.0.2.0/24").await.unwrap();
    let ids = client.running(&network, 2).await;
    let shift = |more: Value| {
        let mut cloud = json!({"VpcId": network.0, "SubnetId": other});
        for (name, value) in more.as_object().unwrap() {
            cloud[name] = value.clone();
        }
        json!({"InstanceIds": ids, "VirtualPrivateCloud": cloud})
    };
    for (more, expected) in [
        (json!({"SubnetId": "subnet-00000000"}), "InvalidParameterValue.SubnetNotExist"),
        (json!({"SubnetId": "x"}), "InvalidParameterValue.SubnetIdMalformed"),
        (json!({"VpcId": "vpc-00000000"}), "InvalidParameterValue.VpcIdSubnetIdNotMatch"),
        (json!({"PrivateIpAddresses": ["10.0.2.9"]}), "InvalidParameterValue"),
        (json!({"PrivateIpAddresses": ["10.0.2.9", "x"]}), "InvalidParameterValue.IPAddressMalformed"),
        (json!({"PrivateIpAddresses": ["10.0.2.9", "10.0.2.9"]}), "VpcIpIsUsed"),
        (json!({"PrivateIpAddresses": ["10.0.2.9", "10.0.1.9"]}), "VpcAddrNotInSubNet"),
    ] {
        assert_eq!(code(client.cvm("ModifyInstancesVpcAttribute", shift(more.clone())).await), expected, "{more}");
    }
    let mut gently = shift(json!({}));
    gently["ForceStop"] = json!(false);
    assert_eq!(
        code(client.cvm("ModifyInstancesVpcAttribute", gently).await),
        "UnsupportedOperation.InstanceStateRunning"
    );
    let addresses = json!({"PrivateIpAddresses": ["10.0.2.9", "10.0.2.8"]});
    client.cvm("ModifyInstancesVpcAttribute", shift(addresses)).await.unwrap();
    client.pass(1);
    let shown = client.instance(&ids[1]).await.unwrap();
    assert_eq!(
        (&shown["PrivateIpAddresses"], &shown["VirtualPrivateCloud"]["SubnetId"], &shown["InstanceState"]),
        (&json!(["10.0.2.8"]), &json!(other), &json!("RUNNING"))
    );
    let filters = json!({"Filters": [{"Name": "subnet-id", "Values": [other]}]});
    assert_eq!(client.vpc("DescribeNetworkInterfaces", filters).await.unwrap()["TotalCount"], 2);
    client.vpc("DeleteSubnet", json!({"SubnetId": network.1})).await.unwrap();
    let eni = json!({"VpcId": network.0, "SubnetId": other, "NetworkInterfaceName": "e", "InstanceId": ids[0]});
    client.vpc("CreateAndAttachNetworkInterface", eni).await.unwrap();
    client.pass(2);
    let refused = client.cvm("ModifyInstancesVpcAttribute", shift(json!({}))).await;
    assert_eq!(code(refused), "EniNotAllowedChangeSubnet");
}

#[tokio::test]
async fn charge_types_and_renewals() {
    let client = client();
    let network = client.network().await;
    let id = client.running(&network, 1).await.remove(0);
    let prepaid = json!({"Period": 1, "RenewFlag": "NOTIFY_AND_AUTO_RENEW"});
    let renew = json!({"InstanceIds": [id], "InstanceChargePrepaid": prepaid});
    let flag = |flag: &str| json!({"InstanceIds": [id], "RenewFlag": flag});
    for (action, parameters) in
        [("RenewInstances", renew.clone()), ("ModifyInstancesRenewFlag", flag("NOTIFY_AND_AUTO_RENEW"))]
    {
        assert_eq!(code(client.cvm(action, parameters).await), "UnsupportedOperation.InstanceChargeType", "{action}");
    }
    let charge = |kind: &str, prepaid: Value| json!({"InstanceIds": [id], "InstanceChargeType": kind, "InstanceChargePrepaid": prepaid});
    for (parameters, expected) in [
        (charge("PREPAID", Value::Null), "MissingParameter"),
        (charge("PREPAID", json!({"Period": 13})), "InvalidPeriod"),
        (charge("SPOTPAID", Value::Null), "InvalidParameterValue"),
        (charge("POSTPAID_BY_HOUR", Value::Null), "UnsupportedOperation.InstanceChargeType"),
    ] {
        assert_eq!(code(client.cvm("ModifyInstancesChargeType", parameters.clone()).await), expected, "{parameters}");
    }
    client.cvm("ModifyInstancesChargeType", charge("PREPAID", prepaid.clone())).await.unwrap();
    assert_eq!(client.instance(&id).await.unwrap()["ExpiredTime"], "2026-02-02T03:04:07Z");
    client.cvm("RenewInstances", renew.clone()).await.unwrap();
    let shown = client.instance(&id).await.unwrap();
    assert_eq!(
        (&shown["ExpiredTime"], &shown["RenewFlag"]),
        (&json!("2026-03-02T03:04:07Z"), &json!("NOTIFY_AND_AUTO_RENEW"))
    );
    client.cvm("ModifyInstancesRenewFlag", flag("NOTIFY_AND_MANUAL_RENEW")).await.unwrap();
    assert_eq!(code(client.cvm("ModifyInstancesRenewFlag", flag("NEVER")).await), "InvalidParameterValue");
    // From the recycle bin a renewal brings it back.
    client.cvm("TerminateInstances", json!({"InstanceIds": [id]})).await.unwrap();
    client.pass(1);
    assert_eq!(client.state(&id).await, "SHUTDOWN");
    client.cvm("RenewInstances", renew).await.unwrap();
    let shown = client.instance(&id).await.unwrap();
    assert_eq!((&shown["InstanceState"], &shown["RestrictState"]), (&json!("STOPPED"), &json!("NORMAL")));
    let price = json!({"InstanceIds": [id], "InstanceChargePrepaid": {"Period": 2}});
    let price = client.cvm("InquiryPriceRenewInstances", price).await.unwrap();
    assert!(price["Price"]["InstancePrice"]["DiscountPrice"].as_f64().unwrap() > 0.0);
}

#[tokio::test]
async fn prices_quotas_and_other_tables() {
    let client = client();
    let network = client.network().await;
    let id = client.running(&network, 1).await.remove(0);
    let order =
        json!({"Placement": {"Zone": "ap-guangzhou-3"}, "ImageId": "img-487zeit5", "InstanceType": "S5.LARGE8"});
    let one = client.cvm("InquiryPriceRunInstances", order.clone()).await.unwrap();
    let mut three = order.clone();
    three["InstanceCount"] = json!(3);
    let three = client.cvm("InquiryPriceRunInstances", three).await.unwrap();
    let price = |answer: &Value| answer["Price"]["InstancePrice"]["UnitPrice"].as_f64().unwrap();
    assert!((price(&three) - 3.0 * price(&one)).abs() < 1e-9);
    for (name, value, expected) in [
        ("ImageId", json!("img-00000000"), "InvalidImageId.NotFound"),
        ("InstanceType", json!("S5.HUGE"), "InvalidParameterValue.InstanceTypeNotFound"),
        ("InstanceCount", json!(0), "InvalidParameterValue.Range"),
        ("InstanceChargeType", json!("PREPAID"), "MissingParameter"),
    ] {
        let mut bad = order.clone();
        bad[name] = value;
        assert_eq!(code(client.cvm("InquiryPriceRunInstances", bad).await), expected, "{name}");
    }
    let filters = json!({"Filters": [
        {"Name": "zone", "Values": ["ap-guangzhou-3"]}, {"Name": "quota-type", "Values": ["PostPaidQuotaSet"]},
    ]});
    let quota = client.cvm("DescribeAccountQuota", filters).await.unwrap();
    let quota = &quota["AccountQuotaOverview"]["AccountQuota"];
    assert_eq!(
        (&quota["PostPaidQuotaSet"][0]["UsedQuota"], &quota["PrePaidQuotaSet"], &quota["ImageQuotaSet"]),
        (&json!(1), &json!([]), &json!([]))
    );
    let all = client.cvm("DescribeAccountQuota", json!({})).await.unwrap();
    assert_eq!(all["AccountQuotaOverview"]["AccountQuota"]["ImageQuotaSet"][0]["TotalQuota"], 20);
    let families = client.cvm("DescribeInstanceFamilyConfigs", json!({})).await.unwrap();
    assert!(
        families["InstanceFamilyConfigSet"].as_array().unwrap().iter().any(|family| family["InstanceFamily"] == "S5")
    );
    let charges = client.cvm("DescribeInternetChargeTypeConfigs", json!({})).await.unwrap();
    assert_eq!(charges["InternetChargeTypeConfigSet"].as_array().unwrap().len(), 4);
    assert!(
        text(&client.cvm("DescribeInstanceVncUrl", json!({"InstanceId": id})).await.unwrap()["InstanceVncUrl"])
            .contains(&id)
    );
    stop(&client, &id).await;
    assert_eq!(code(client.cvm("DescribeInstanceVncUrl", json!({"InstanceId": id})).await), "InvalidInstanceState");
}
