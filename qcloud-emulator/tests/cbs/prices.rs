use serde_json::{Value, json};

use crate::client::builder;
use crate::support::{ZONE, cbs, with};

#[tokio::test]
async fn configurations_by_zone_type_charge_and_usage() {
    let cbs = with(builder().sold_out_disk(ZONE, "CLOUD_SSD"));
    let ask = async |request: Value| cbs.ok("DescribeDiskConfigQuota", request).await["DiskConfigSet"].clone();
    let all = ask(json!({"InquiryType": "INQUIRY_CBS_CONFIG"})).await;
    // Five zones, four types that are sold alone, two charge types; no system disks.
    assert_eq!(all.as_array().unwrap().len(), 5 * 4 * 2);
    let one = json!({
        "InquiryType": "INQUIRY_CBS_CONFIG",
        "Zones": [ZONE],
        "DiskTypes": ["CLOUD_SSD", "CLOUD_PREMIUM"],
        "DiskChargeType": "POSTPAID_BY_HOUR",
    });
    let configs = ask(one).await;
    let shown: Vec<Value> = configs
        .as_array()
        .unwrap()
        .iter()
        .map(|c| json!([c["DiskType"], c["Available"], c["MinDiskSize"], c["MaxDiskSize"], c["StepSize"]]))
        .collect();
    assert_eq!(shown, [json!(["CLOUD_PREMIUM", true, 10, 32_000, 10]), json!(["CLOUD_SSD", false, 20, 32_000, 10])]);
    let with_instances = json!({
        "InquiryType": "INQUIRY_CVM_CONFIG",
        "InstanceFamilies": ["S5", "SA2"],
        "DiskUsage": "SYSTEM_DISK",
        "Zones": [ZONE],
        "DiskTypes": ["CLOUD_TSSD"],
    });
    let configs = ask(with_instances).await;
    assert_eq!(configs.as_array().unwrap().len(), 4);
    assert_eq!(configs[1]["InstanceFamily"], "SA2");
    for (wrong, code) in [
        (json!({}), "MissingParameter"),
        (json!({"InquiryType": "X"}), "InvalidParameterValue"),
        (json!({"InquiryType": "INQUIRY_CBS_CONFIG", "Zones": ["ap-shanghai-2"]}), "InvalidParameterValue"),
        (json!({"InquiryType": "INQUIRY_CBS_CONFIG", "DiskTypes": ["X"]}), "InvalidParameterValue"),
        (json!({"InquiryType": "INQUIRY_CBS_CONFIG", "DiskUsage": "X"}), "InvalidParameterValue"),
    ] {
        assert_eq!(cbs.code("DescribeDiskConfigQuota", wrong).await, code);
    }
}

#[tokio::test]
async fn quotes() {
    let cbs = cbs();
    let new = json!({"DiskChargeType": "POSTPAID_BY_HOUR", "DiskType": "CLOUD_PREMIUM", "DiskSize": 100});
    let quote = cbs.ok("InquiryPriceCreateDisks", new.clone()).await;
    assert_eq!((&quote["DiskPrice"]["UnitPrice"], &quote["DiskPrice"]["DiscountPrice"]), (&json!(0.07), &Value::Null));
    let three = crate::support::merged(
        new,
        json!({"DiskCount": 3, "DiskChargeType": "PREPAID", "DiskChargePrepaid": {"Period": 2}}),
    );
    let quote = cbs.ok("InquiryPriceCreateDisks", three).await;
    assert_eq!((&quote["DiskPrice"]["DiscountPrice"], &quote["DiskPrice"]["UnitPrice"]), (&json!(210.0), &Value::Null));
    let postpaid = cbs.disk(json!({})).await;
    let prepaid = cbs.prepaid_disk("NOTIFY_AND_MANUAL_RENEW").await;
    let quote = cbs.ok("InquiryPriceResizeDisk", json!({"DiskId": prepaid, "DiskSize": 120})).await;
    assert_eq!(quote["DiskPrice"]["DiscountPrice"], 35.0);
    assert_eq!(quote["DiskPrice"]["DetailPrices"][1]["PriceName"], "DiskSpace");
    let renewal = |ids: Value, periods: Value| json!({"DiskIds": ids, "DiskChargePrepaids": periods});
    let quote = cbs.ok("InquiryPriceRenewDisks", renewal(json!([prepaid]), json!([{"Period": 3}]))).await;
    assert_eq!(quote["DiskPrice"]["OriginalPrice"], 21.0);
    for (action, request, code) in [
        ("InquiryPriceResizeDisk", json!({"DiskSize": 120}), "MissingParameter"),
        ("InquiryPriceResizeDisk", json!({"DiskSize": 10, "DiskId": prepaid}), "InvalidParameterValue"),
        ("InquiryPriceResizeDisk", json!({"DiskSize": 30, "DiskId": "disk-00000000"}), "InvalidDiskId.NotFound"),
        (
            "InquiryPriceRenewDisks",
            renewal(json!([postpaid]), json!([{"Period": 3}])),
            "ResourceUnavailable.NotSupported",
        ),
        ("InquiryPriceRenewDisks", renewal(json!([prepaid]), json!([])), "InvalidParameterValue"),
        ("InquiryPriceRenewDisks", json!({"DiskIds": [prepaid]}), "MissingParameter"),
    ] {
        assert_eq!(cbs.code(action, request.clone()).await, code, "{action} {request}");
    }
}
