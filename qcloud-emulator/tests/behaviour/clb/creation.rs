//! Creating load balancers.

use qcloud_emulator::{PublicAddress, Quota};
use serde_json::json;

use super::{network, with};
use crate::client::{Client, builder, client, code, text};

#[tokio::test]
async fn a_public_one_is_listed_at_once_and_gets_its_address_when_it_is_ready() {
    let client = client();
    let network = network(&client, 0).await;
    let parameters = json!({"LoadBalancerType": "OPEN", "VpcId": network.vpc, "LoadBalancerName": "web",
        "Tags": [{"TagKey": "team", "TagValue": "blue"}]});
    let answer = client.clb("CreateLoadBalancer", parameters).await.unwrap();
    let id = text(&answer["LoadBalancerIds"][0]);
    let task = text(&answer["RequestId"]);
    let young = client.shown(&id).await.unwrap();
    assert_eq!((&young["Status"], &young["LoadBalancerVips"]), (&json!(0), &json!([])));
    assert_eq!(client.task(&task).await, 2);
    client.pass(2);
    let ready = client.shown(&id).await.unwrap();
    assert_eq!((&ready["Status"], &ready["LoadBalancerName"]), (&json!(1), &json!("web")));
    assert_eq!(ready["Tags"], json!([{"TagKey": "team", "TagValue": "blue"}]));
    assert_eq!(ready["CreateTime"], "2026-01-02 11:04:05");
    assert_eq!(ready["StatusTime"], "2026-01-02 11:04:07");
    assert_eq!(ready["LoadBalancerVips"].as_array().unwrap().len(), 1);
    assert_eq!(client.task(&task).await, 0);
    let by_order = client.clb("DescribeTaskStatus", json!({"DealName": answer["DealName"]})).await.unwrap();
    assert_eq!(by_order["LoadBalancerIds"], json!([id]));
    let elsewhere = client.in_region("ap-shanghai").clb("DescribeLoadBalancers", json!({})).await.unwrap();
    assert_eq!(elsewhere["TotalCount"], 0);
}

#[tokio::test]
async fn an_internal_one_takes_an_address_of_its_subnet_and_gives_it_back() {
    let client = client();
    let network = network(&client, 0).await;
    let parameters = json!({"LoadBalancerType": "INTERNAL", "VpcId": network.vpc, "SubnetId": network.subnet});
    let create = |more| client.clb("CreateLoadBalancer", with(parameters.clone(), &more));
    let answer = create(json!({"Vip": "10.0.1.77"})).await.unwrap();
    let id = text(&answer["LoadBalancerIds"][0]);
    client.pass(2);
    assert_eq!(client.vip(&id).await, "10.0.1.77");
    let used = client.vpc("DescribeUsedIpAddress", json!({"VpcId": network.vpc})).await.unwrap();
    assert_eq!((&used["IpAddressStates"][0]["ResourceId"], &used["TotalCount"]), (&json!(id), &json!(1)));
    for vip in ["10.0.1.77", "10.9.9.9"] {
        assert_eq!(code(create(json!({"Vip": vip})).await), "InvalidParameterValue", "{vip}");
    }
    client.clb_done("DeleteLoadBalancer", json!({"LoadBalancerIds": [id]})).await;
    let used = client.vpc("DescribeUsedIpAddress", json!({"VpcId": network.vpc})).await.unwrap();
    assert_eq!(used["TotalCount"], 0);

    let small = client.subnet(&network.vpc, "10.0.2.0/28").await.unwrap();
    let crowd = json!({"SubnetId": small, "Number": 14});
    assert_eq!(code(create(crowd).await), "ResourceInsufficient");
    let subnets = client.vpc("DescribeSubnets", json!({"SubnetIds": [small]})).await.unwrap();
    assert_eq!(subnets["SubnetSet"][0]["AvailableIpAddressCount"], 13, "all or nothing");
    assert_eq!(
        create(json!({"SubnetId": small, "Number": 13})).await.unwrap()["LoadBalancerIds"].as_array().unwrap().len(),
        13
    );
}

#[tokio::test]
async fn mistakes_have_their_codes() {
    let client = client();
    let network = network(&client, 0).await;
    let vpc = &network.vpc;
    let open = json!({"LoadBalancerType": "OPEN", "VpcId": vpc});
    let inside = json!({"LoadBalancerType": "INTERNAL", "VpcId": vpc, "SubnetId": network.subnet});
    let many: Vec<_> = (0..21).map(|number| json!({"TagKey": number.to_string(), "TagValue": ""})).collect();
    let cases = [
        (&open, json!({"LoadBalancerType": "BOTH"}), "InvalidParameterValue"),
        (&open, json!({"Forward": 0}), "InvalidParameterValue"),
        (&open, json!({"Number": 0}), "InvalidParameterValue.Range"),
        (&open, json!({"Number": 21}), "InvalidParameterValue.Range"),
        (&open, json!({"LoadBalancerName": "x".repeat(81)}), "InvalidParameterValue.Length"),
        (&open, json!({"VpcId": "vpc-x"}), "InvalidParameter.FormatError"),
        (&open, json!({"VpcId": "vpc-00000000"}), "InvalidParameterValue"),
        (&open, json!({"SubnetId": network.subnet}), "InvalidParameterValue"),
        (&open, json!({"AddressIPVersion": "IPv5"}), "InvalidParameterValue"),
        (&open, json!({"AddressIPVersion": "IPv6FullChain"}), "MissingParameter"),
        (&open, json!({"MasterZoneId": "ap-shanghai-2"}), "InvalidParameterValue"),
        (&open, json!({"SlaveZoneId": "100004"}), "MissingParameter"),
        (&open, json!({"Tags": many}), "InvalidParameterValue.Length"),
        (
            &open,
            json!({"Tags": [{"TagKey": "a", "TagValue": ""}, {"TagKey": "a", "TagValue": ""}]}),
            "InvalidParameterValue",
        ),
        (&open, json!({"ClientToken": "x".repeat(65)}), "InvalidParameterValue.Length"),
        (&open, json!({"LBChargeType": "PREPAID"}), "MissingParameter"),
        (&open, json!({"LBChargeType": "PREPAID", "LBChargePrepaid": {"Period": 13}}), "InvalidParameterValue"),
        (&open, json!({"VipIsp": "CMCC"}), "InvalidParameterValue"),
        (&open, json!({"InternetAccessible": {"InternetMaxBandwidthOut": 2049}}), "InvalidParameterValue.Range"),
        (&open, json!({"InternetAccessible": {"InternetChargeType": "BANDWIDTH_PACKAGE"}}), "MissingParameter"),
        (&open, json!({"SlaType": "huge"}), "InvalidParameterValue"),
        (&open, json!({"EipAddressId": "eip-12345678"}), "InvalidParameterValue"),
        (&inside, json!({"SubnetId": null}), "MissingParameter"),
        (&inside, json!({"VpcId": null}), "MissingParameter"),
        (&inside, json!({"SubnetId": "subnet-00000000"}), "InvalidParameterValue"),
        (&inside, json!({"AddressIPVersion": "IPV6"}), "InvalidParameterValue"),
        (&inside, json!({"DynamicVip": true}), "InvalidParameterValue"),
        (&inside, json!({"Vip": "somewhere"}), "InvalidParameter.FormatError"),
        (&inside, json!({"Vip": "10.0.1.9", "Number": 2}), "InvalidParameterValue"),
    ];
    for (base, more, expected) in cases {
        let refused = client.clb("CreateLoadBalancer", with(base.clone(), &more)).await;
        assert_eq!(code(refused), expected, "{more}");
    }
    let list = client.clb("DescribeLoadBalancers", json!({})).await.unwrap();
    assert_eq!(list["TotalCount"], 0);
}

#[tokio::test]
async fn ipv6_and_domain_names_take_the_place_of_an_address() {
    let client = Client::of(builder().public_address(PublicAddress::Domain));
    let network = network(&client, 0).await;
    let by_name = client.balancer(&network.vpc).await;
    let shown = client.shown(&by_name).await.unwrap();
    assert_eq!(shown["LoadBalancerVips"], json!([]));
    let domain = text(&shown["LoadBalancerDomain"]);
    assert_eq!((&shown["Domain"], domain.contains(&by_name)), (&json!(domain), true));
    let found = client.clb("DescribeLoadBalancers", json!({"Domain": domain})).await.unwrap();
    assert_eq!(found["TotalCount"], 1);
    let by_address = client.balancers(&network.vpc, json!({"DynamicVip": false})).await.remove(0);
    assert_eq!(client.shown(&by_address).await.unwrap()["LoadBalancerDomain"], "");

    let client = crate::client::client();
    let network = super::network(&client, 0).await;
    let cases = [
        (json!({"AddressIPVersion": "IPV6"}), "IPv6Nat64"),
        (json!({"AddressIPVersion": "IPv6FullChain", "SubnetId": network.subnet}), "IPv6FullChain"),
    ];
    for (more, mode) in cases {
        let id = client.balancers(&network.vpc, more).await.remove(0);
        let shown = client.shown(&id).await.unwrap();
        assert_eq!((&shown["IPv6Mode"], &shown["AddressIPVersion"]), (&json!(mode), &json!("ipv6")));
        assert!(shown["AddressIPv6"].as_str().unwrap().parse::<std::net::Ipv6Addr>().is_ok());
        assert_eq!(shown["LoadBalancerVips"], json!([]));
    }
}

#[tokio::test]
async fn a_client_token_is_good_once_and_for_a_day() {
    let client = client();
    let network = network(&client, 0).await;
    let order = json!({"LoadBalancerType": "OPEN", "VpcId": network.vpc, "ClientToken": "t-1"});
    let create = |order| client.clb("CreateLoadBalancer", order);
    let first = create(order.clone()).await.unwrap();
    client.pass(2);
    let again = create(order.clone()).await.unwrap();
    assert_eq!((&first["LoadBalancerIds"], &first["DealName"]), (&again["LoadBalancerIds"], &again["DealName"]));
    assert_eq!(client.clb("DescribeLoadBalancers", json!({})).await.unwrap()["TotalCount"], 1);
    assert_eq!(code(create(with(order.clone(), &json!({"Number": 2}))).await), "InvalidParameter");
    client.pass(24 * 3600);
    assert_eq!(code(create(order.clone()).await), "InvalidParameter.ClientTokenLimitExceeded");

    // An order whose task fails leaves nothing, and its token is spent.
    client.emulator.load_balancing("ap-guangzhou").fail_tasks("CreateLoadBalancer", 1);
    let failing = with(order, &json!({"ClientToken": "t-2"}));
    let answer = create(failing.clone()).await.unwrap();
    client.pass(2);
    assert_eq!(client.task(&text(&answer["RequestId"])).await, 1);
    assert_eq!(client.shown(&text(&answer["LoadBalancerIds"][0])).await, None);
    assert_eq!(code(create(failing.clone()).await), "InvalidParameter.ClientTokenLimitExceeded");
    create(with(failing, &json!({"ClientToken": "t-3"}))).await.unwrap();
}

#[tokio::test]
async fn names_that_are_taken_are_replaced_and_quotas_hold() {
    let client = Client::of(builder().quota(Quota::PublicLoadBalancers, 3));
    let network = network(&client, 0).await;
    let named = client.balancers(&network.vpc, json!({"LoadBalancerName": "web"})).await.remove(0);
    let other = client.balancers(&network.vpc, json!({"LoadBalancerName": "web"})).await.remove(0);
    assert_eq!(client.shown(&named).await.unwrap()["LoadBalancerName"], "web");
    assert_eq!(client.shown(&other).await.unwrap()["LoadBalancerName"], other);
    let two = json!({"LoadBalancerType": "OPEN", "VpcId": network.vpc, "Number": 2});
    assert_eq!(code(client.clb("CreateLoadBalancer", two).await), "LimitExceeded");
    let quotas = client.clb("DescribeQuota", json!({})).await.unwrap();
    let open = quotas["QuotaSet"].as_array().unwrap().iter().find(|quota| quota["QuotaId"] == "TOTAL_OPEN_CLB_QUOTA");
    assert_eq!(open.unwrap(), &json!({"QuotaId": "TOTAL_OPEN_CLB_QUOTA", "QuotaCurrent": 2, "QuotaLimit": 3}));
    // Without a VPC, the default one is used, and made when there is none.
    let answer = client.clb("CreateLoadBalancer", json!({"LoadBalancerType": "OPEN"})).await.unwrap();
    let shown = client.shown(&text(&answer["LoadBalancerIds"][0])).await.unwrap();
    assert_ne!(shown["VpcId"], network.vpc);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_load_balancers() {
    let mut runs = Vec::new();
    for seed in [1, 1, 2] {
        let client = Client::of(builder().seed(seed));
        let network = network(&client, 1).await;
        let balancer = client.balancer(&network.vpc).await;
        client.listener(&balancer, "TCP", 80).await;
        let mut shown = client.clb("DescribeLoadBalancers", json!({})).await.unwrap();
        shown["Listeners"] = json!(client.listeners(&balancer).await);
        runs.push(shown);
    }
    assert_eq!(runs[0], runs[1]);
    assert_ne!(runs[0], runs[2]);
}
