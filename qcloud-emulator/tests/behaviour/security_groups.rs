//! Security groups, their policies and the version lock.

use qcloud_emulator::Quota;
use serde_json::{Value, json};

use crate::client::{Client, builder, client, code, text};

async fn group(client: &Client) -> String {
    let made = client.vpc("CreateSecurityGroup", json!({"GroupName": "g", "GroupDescription": "d"})).await.unwrap();
    text(&made["SecurityGroup"]["SecurityGroupId"])
}

fn tcp(port: &str) -> Value {
    json!({"Protocol": "TCP", "Port": port, "CidrBlock": "10.0.0.0/8", "Action": "accept"})
}

async fn change(client: &Client, action: &str, group: &str, set: Value) -> Result<Value, crate::client::Refusal> {
    client.vpc(action, json!({"SecurityGroupId": group, "SecurityGroupPolicySet": set})).await
}

async fn policies(client: &Client, group: &str) -> Value {
    let answer = client.vpc("DescribeSecurityGroupPolicies", json!({"SecurityGroupId": group})).await.unwrap();
    answer["SecurityGroupPolicySet"].clone()
}

fn ports(set: &Value) -> Vec<String> {
    set["Ingress"].as_array().unwrap().iter().map(|policy| text(&policy["Port"])).collect()
}

#[tokio::test]
async fn a_group_is_made_listed_changed_and_deleted() {
    let client = client();
    let id = group(&client).await;
    let other = group(&client).await;
    let change = json!({"SecurityGroupId": id, "GroupName": "new"});
    client.vpc("ModifySecurityGroupAttribute", change).await.unwrap();
    let named = json!({"Filters": [{"Name": "security-group-name", "Values": ["new"]}]});
    let list = client.vpc("DescribeSecurityGroups", named).await.unwrap();
    assert_eq!((list["TotalCount"].as_u64(), &list["SecurityGroupSet"][0]["SecurityGroupId"]), (Some(1), &json!(id)));
    let newest = client
        .vpc("DescribeSecurityGroups", json!({"OrderField": "CreatedTime", "OrderDirection": "DESC"}))
        .await
        .unwrap();
    assert_eq!(newest["SecurityGroupSet"][0]["SecurityGroupId"], other);
    client.vpc("DeleteSecurityGroup", json!({"SecurityGroupId": id})).await.unwrap();
    assert_eq!(code(client.vpc("DeleteSecurityGroup", json!({"SecurityGroupId": id})).await), "ResourceNotFound");
}

#[tokio::test]
async fn policies_are_put_in_order() {
    let client = client();
    let id = group(&client).await;
    assert_eq!(policies(&client, &id).await, json!({"Version": "0", "Ingress": [], "Egress": []}));
    change(&client, "CreateSecurityGroupPolicies", &id, json!({"Ingress": [tcp("80"), tcp("443")]})).await.unwrap();
    let mut first = tcp("22");
    first["PolicyIndex"] = json!(0);
    change(&client, "CreateSecurityGroupPolicies", &id, json!({"Ingress": [first]})).await.unwrap();
    let set = policies(&client, &id).await;
    assert_eq!(ports(&set), ["22", "80", "443"]);
    assert_eq!(
        (&set["Version"], &set["Ingress"][0]["Protocol"], &set["Ingress"][0]["Action"]),
        (&json!("2"), &json!("tcp"), &json!("ACCEPT"))
    );
    let mut swap = tcp("8080-8090");
    swap["PolicyIndex"] = json!(1);
    change(&client, "ReplaceSecurityGroupPolicy", &id, json!({"Ingress": [swap]})).await.unwrap();
    change(&client, "DeleteSecurityGroupPolicies", &id, json!({"Ingress": [{"PolicyIndex": 0}]})).await.unwrap();
    change(&client, "DeleteSecurityGroupPolicies", &id, json!({"Ingress": [tcp("443")]})).await.unwrap();
    assert_eq!(ports(&policies(&client, &id).await), ["8080-8090"]);
    change(&client, "ModifySecurityGroupPolicies", &id, json!({"Ingress": [tcp("1"), tcp("2")], "Egress": [tcp("3")]}))
        .await
        .unwrap();
    assert_eq!(ports(&policies(&client, &id).await), ["1", "2"]);
    change(&client, "ModifySecurityGroupPolicies", &id, json!({"Version": "0"})).await.unwrap();
    assert!(ports(&policies(&client, &id).await).is_empty());
}

#[tokio::test]
async fn a_stale_version_is_refused() {
    let client = client();
    let id = group(&client).await;
    change(&client, "CreateSecurityGroupPolicies", &id, json!({"Ingress": [tcp("80")]})).await.unwrap();
    let stale = json!({"Version": "0", "Ingress": [tcp("81")]});
    assert_eq!(
        code(change(&client, "CreateSecurityGroupPolicies", &id, stale).await),
        "UnsupportedOperation.VersionMismatch"
    );
    let fresh = json!({"Version": "1", "Ingress": [tcp("81")]});
    change(&client, "CreateSecurityGroupPolicies", &id, fresh).await.unwrap();
    let stale = json!({"Version": "1", "Ingress": [{"PolicyIndex": 0}]});
    assert_eq!(
        code(change(&client, "DeleteSecurityGroupPolicies", &id, stale).await),
        "UnsupportedOperation.VersionMismatch"
    );
}

#[tokio::test]
async fn unfit_policies_are_refused() {
    let client = Client::of(builder().quota(Quota::PoliciesPerDirection, 2));
    let id = group(&client).await;
    change(&client, "CreateSecurityGroupPolicies", &id, json!({"Ingress": [tcp("80")]})).await.unwrap();
    let with = |name: &str, value: Value| {
        let mut policy = tcp("90");
        policy[name] = value;
        json!({"Ingress": [policy]})
    };
    for (set, expected) in [
        (json!({"Ingress": [tcp("81")], "Egress": [tcp("81")]}), "InvalidParameter.Coexist"),
        (json!({}), "InvalidParameterValue.Empty"),
        (json!({"Ingress": [tcp("80")]}), "UnsupportedOperation.DuplicatePolicy"),
        (json!({"Ingress": [tcp("81"), tcp("82")]}), "LimitExceeded.SecurityGroupPolicySet"),
        (json!({"Ingress": [{"Protocol": "TCP", "Port": "80", "CidrBlock": "10.0.0.0/8"}]}), "MissingParameter"),
        (json!({"Ingress": [{"Protocol": "TCP", "Port": "80", "Action": "ACCEPT"}]}), "MissingParameter"),
        (with("Action", json!("ALLOW")), "InvalidParameterValue"),
        (with("Protocol", json!("SMOKE")), "InvalidParameterValue"),
        (with("Protocol", json!("ICMP")), "InvalidParameter.Coexist"),
        (with("Port", json!("many")), "InvalidParameterValue.Malformed"),
        (with("Port", json!("90-80")), "InvalidParameterValue.Malformed"),
        (with("CidrBlock", json!("here")), "InvalidParameterValue.Malformed"),
        (with("SecurityGroupId", json!(id)), "InvalidParameter.Coexist"),
        (with("PolicyIndex", json!(9)), "InvalidParameterValue.Range"),
    ] {
        let refused = change(&client, "CreateSecurityGroupPolicies", &id, set.clone()).await;
        assert_eq!(code(refused), expected, "{set}");
    }
    assert_eq!(ports(&policies(&client, &id).await), ["80"]);
}

#[tokio::test]
async fn a_group_in_use_stays() {
    let client = client();
    let (used, named) = (group(&client).await, group(&client).await);
    let instance = client.run(json!({"SecurityGroupIds": [used]})).await.unwrap().remove(0);
    let mention = json!({"Ingress": [{"Protocol": "ALL", "SecurityGroupId": named, "Action": "ACCEPT"}]});
    change(&client, "CreateSecurityGroupPolicies", &used, mention).await.unwrap();
    for (id, user) in [(&used, &instance), (&named, &used)] {
        let refusal = client.vpc("DeleteSecurityGroup", json!({"SecurityGroupId": id})).await.unwrap_err();
        assert_eq!(refusal.code, "ResourceInUse");
        assert!(refusal.message.contains(user.as_str()));
    }
}
