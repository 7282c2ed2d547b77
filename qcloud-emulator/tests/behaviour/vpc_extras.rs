//! HAVIPs, secondary networks, copies of security groups and the quotas that tell of them.

use qcloud_emulator::Quota;
use serde_json::{Value, json};

use crate::client::{Client, builder, client, code, text};

#[tokio::test]
async fn a_havip_has_an_address_and_may_have_an_elastic_ip() {
    let client = Client::of(builder().quota(Quota::HaVipsPerVpc, 2));
    let (vpc, subnet) = client.network().await;
    let vip = json!({"VpcId": vpc, "HaVipName": "vip", "Vip": "10.0.1.50", "ClientToken": "t"});
    let made = client.vpc("CreateHaVip", vip.clone()).await.unwrap();
    let id = text(&made["HaVip"]["HaVipId"]);
    assert_eq!((&made["HaVip"]["SubnetId"], &made["HaVip"]["State"]), (&json!(subnet), &json!("UNBIND")));
    assert_eq!(client.vpc("CreateHaVip", vip).await.unwrap()["HaVip"], made["HaVip"]);
    for (parameters, expected) in [
        (json!({"VpcId": vpc, "HaVipName": "v", "Vip": "10.0.1.50"}), "ResourceInUse"),
        (json!({"VpcId": vpc, "HaVipName": "v", "Vip": "10.0.7.50"}), "InvalidParameterValue.Range"),
        (json!({"VpcId": vpc, "HaVipName": "v", "Vip": "x"}), "InvalidParameterValue.Malformed"),
        (json!({"VpcId": vpc, "HaVipName": "v"}), "MissingParameter"),
        (json!({"VpcId": "vpc-00000000", "HaVipName": "v", "SubnetId": subnet}), "ResourceNotFound"),
    ] {
        assert_eq!(code(client.vpc("CreateHaVip", parameters.clone()).await), expected, "{parameters}");
    }
    let second = client.vpc("CreateHaVip", json!({"VpcId": vpc, "HaVipName": "b", "SubnetId": subnet})).await.unwrap();
    let third = json!({"VpcId": vpc, "HaVipName": "c", "SubnetId": subnet});
    assert_eq!(code(client.vpc("CreateHaVip", third).await), "LimitExceeded");
    let elastic = client.vpc("AllocateAddresses", json!({})).await.unwrap();
    client.pass(1);
    let elastic = client.vpc("DescribeAddresses", json!({"AddressIds": elastic["AddressSet"]})).await.unwrap();
    let ip = text(&elastic["AddressSet"][0]["AddressIp"]);
    let bind = json!({"HaVipId": id, "AddressIp": ip});
    client.vpc("HaVipAssociateAddressIp", bind.clone()).await.unwrap();
    assert_eq!(code(client.vpc("HaVipAssociateAddressIp", bind).await), "UnsupportedOperation.InvalidState");
    let other = json!({"HaVipId": second["HaVip"]["HaVipId"], "AddressIp": ip});
    assert_eq!(code(client.vpc("HaVipAssociateAddressIp", other).await), "ResourceInUse");
    let shown = client.vpc("DescribeHaVips", json!({"HaVipIds": [id]})).await.unwrap();
    assert_eq!(shown["HaVipSet"][0]["AddressIp"], json!(ip));
    let address = client.vpc("DescribeAddresses", json!({})).await.unwrap()["AddressSet"][0].clone();
    assert_eq!((&address["InstanceType"], &address["PrivateAddressIp"]), (&json!("HAVIP"), &json!("10.0.1.50")));
    client.vpc("ModifyHaVipAttribute", json!({"HaVipId": id, "HaVipName": "new"})).await.unwrap();
    for (name, value) in [("havip-name", "new"), ("vip", "10.0.1.50"), ("address-ip", ip.as_str())] {
        let filters = json!({"Filters": [{"Name": name, "Values": [value]}]});
        assert_eq!(client.vpc("DescribeHaVips", filters).await.unwrap()["TotalCount"], 1, "{name}");
    }
    client.vpc("HaVipDisassociateAddressIp", json!({"HaVipId": id})).await.unwrap();
    assert_eq!(
        code(client.vpc("HaVipDisassociateAddressIp", json!({"HaVipId": id})).await),
        "UnsupportedOperation.InvalidState"
    );
    client.vpc("DeleteHaVip", json!({"HaVipId": id})).await.unwrap();
    assert_eq!(code(client.vpc("DeleteHaVip", json!({"HaVipId": id})).await), "ResourceNotFound");
    let used = client.vpc("DescribeUsedIpAddress", json!({"VpcId": vpc, "IpAddresses": ["10.0.1.50"]})).await.unwrap();
    assert_eq!(used["TotalCount"], 0);
}

#[tokio::test]
async fn secondary_networks_hold_subnets() {
    let client = client();
    let (vpc, _) = client.network().await;
    assert_eq!(code(client.subnet(&vpc, "172.16.1.0/24").await), "InvalidParameterValue.SubnetRange");
    let create =
        async |blocks: Value| client.vpc("CreateAssistantCidr", json!({"VpcId": vpc, "CidrBlocks": blocks})).await;
    let made = create(json!(["172.16.0.0/16"])).await.unwrap();
    assert_eq!(
        made["AssistantCidrSet"][0],
        json!({"VpcId": vpc, "CidrBlock": "172.16.0.0/16", "AssistantType": 0, "SubnetSet": []})
    );
    let subnet = client.subnet(&vpc, "172.16.1.0/24").await.unwrap();
    for (blocks, expected) in [
        (json!([]), "MissingParameter"),
        (json!(["172.16.0.0"]), "InvalidParameterValue.Malformed"),
        (json!(["8.8.0.0/16"]), "InvalidParameterValue.Range"),
        (json!(["10.0.9.0/24"]), "InvalidParameterValue.VpcCidrConflict"),
        (json!(["192.168.0.0/24", "192.168.0.0/24"]), "InvalidParameterValue.VpcCidrConflict"),
        (json!((1..6).map(|n| format!("192.168.{n}.0/24")).collect::<Vec<_>>()), "LimitExceeded"),
    ] {
        assert_eq!(code(create(blocks.clone()).await), expected, "{blocks}");
    }
    let list = client.vpc("DescribeAssistantCidr", json!({"VpcIds": [vpc]})).await.unwrap();
    assert_eq!(list["TotalCount"], 1, "nothing was added by the refused ones");
    assert_eq!(list["AssistantCidrSet"][0]["SubnetSet"][0]["SubnetId"], json!(subnet));
    let vpcs = client.vpc("DescribeVpcs", json!({"VpcIds": [vpc]})).await.unwrap();
    assert_eq!(vpcs["VpcSet"][0]["AssistantCidrSet"][0]["CidrBlock"], "172.16.0.0/16");
    let check =
        json!({"VpcId": vpc, "NewCidrBlocks": ["10.0.9.0/24", "192.168.0.0/24"], "OldCidrBlocks": ["172.16.0.0/16"]});
    let conflicts = client.vpc("CheckAssistantCidr", check).await.unwrap();
    let conflicts = conflicts["ConflictSourceSet"].as_array().unwrap();
    assert_eq!((conflicts.len(), &conflicts[0]["SourceItem"]), (2, &json!("10.0.9.0/24")));
    assert_eq!(conflicts[1]["ConflictItemSet"][0]["ConflictId"], json!(subnet));
    let gone = json!({"VpcId": vpc, "CidrBlocks": ["172.16.0.0/16"]});
    assert_eq!(code(client.vpc("DeleteAssistantCidr", gone.clone()).await), "ResourceInUse");
    client.vpc("DeleteSubnet", json!({"SubnetId": subnet})).await.unwrap();
    let swap = json!({"VpcId": vpc, "OldCidrBlocks": ["172.16.0.0/16"], "NewCidrBlocks": ["172.16.0.0/20"]});
    client.vpc("ModifyAssistantCidr", swap).await.unwrap();
    assert_eq!(code(client.vpc("DeleteAssistantCidr", gone).await), "ResourceNotFound");
    client.vpc("DeleteAssistantCidr", json!({"VpcId": vpc, "CidrBlocks": ["172.16.0.0/20"]})).await.unwrap();
}

#[tokio::test]
async fn a_security_group_is_copied_also_from_another_region() {
    let client = client();
    let tags = json!([{"Key": "env", "Value": "test"}]);
    let group = json!({"GroupName": "g", "GroupDescription": "d", "Tags": tags});
    let group = client.vpc("CreateSecurityGroup", group).await.unwrap();
    let id = text(&group["SecurityGroup"]["SecurityGroupId"]);
    let policies = json!({"SecurityGroupId": id, "SecurityGroupPolicySet": {"Ingress": [
        {"Protocol": "TCP", "Port": "22", "CidrBlock": "10.0.0.0/8", "Action": "ACCEPT"},
    ]}});
    client.vpc("CreateSecurityGroupPolicies", policies).await.unwrap();
    let there = client.in_region("ap-shanghai");
    let copy = json!({"SecurityGroupId": id, "RemoteRegion": "ap-guangzhou", "GroupName": "copy", "IsCloneTags": true});
    let made = there.vpc("CloneSecurityGroup", copy).await.unwrap();
    assert_eq!(
        (&made["SecurityGroup"]["SecurityGroupName"], &made["SecurityGroup"]["TagSet"]),
        (&json!("copy"), &tags)
    );
    let id_there = made["SecurityGroup"]["SecurityGroupId"].clone();
    let policies = there.vpc("DescribeSecurityGroupPolicies", json!({"SecurityGroupId": id_there})).await.unwrap();
    assert_eq!(policies["SecurityGroupPolicySet"]["Ingress"][0]["Port"], "22");
    client.vpc("CloneSecurityGroup", json!({"SecurityGroupId": id})).await.unwrap();
    assert_eq!(client.vpc("DescribeSecurityGroups", json!({})).await.unwrap()["TotalCount"], 2);
    for (parameters, expected) in [
        (json!({"SecurityGroupId": "sg-00000000"}), "ResourceNotFound"),
        (json!({"SecurityGroupId": id, "RemoteRegion": "ap-tokyo"}), "ResourceNotFound"),
        (json!({"SecurityGroupId": id, "RemoteRegion": "mars"}), "InvalidParameterValue"),
    ] {
        assert_eq!(code(client.vpc("CloneSecurityGroup", parameters.clone()).await), expected, "{parameters}");
    }
    let references = client.vpc("DescribeSecurityGroupReferences", json!({"SecurityGroupIds": [id]})).await.unwrap();
    assert_eq!(references["ReferredSecurityGroupSet"][0]["ReferredSecurityGroupIds"], json!([]));
}

#[tokio::test]
async fn limits_follow_the_knobs() {
    let client = Client::of(builder().quota(Quota::NatGatewaysPerVpc, 7).quota(Quota::InterfacesPerVpc, 11));
    let types = json!({"LimitTypes": ["vpc-max-nat-gateways", "vpc-max-enis", "eni-max-private-ips"]});
    let limits = client.vpc("DescribeVpcLimits", types).await.unwrap();
    let values: Vec<&Value> =
        limits["VpcLimitSet"].as_array().unwrap().iter().map(|limit| &limit["LimitValue"]).collect();
    assert_eq!(values, [&json!(7), &json!(11), &json!(10)]);
}
