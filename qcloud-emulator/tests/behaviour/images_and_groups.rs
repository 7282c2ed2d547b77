//! Images of one's own, and placement groups.

use qcloud_emulator::Quota;
use serde_json::{Value, json};

use crate::client::{Client, builder, client, code, text};

#[tokio::test]
async fn an_image_is_made_of_an_instance_and_makes_others() {
    let client = Client::of(builder().quota(Quota::ImagesPerRegion, 1));
    let network = client.network().await;
    let instance = client.running(&network, 1).await.remove(0);
    for (parameters, expected) in [
        (json!({"ImageName": "i"}), "InvalidParameter.ImageIdsSnapshotIdsMustOne"),
        (json!({"ImageName": "", "InstanceId": instance}), "InvalidParameterValue"),
        (json!({"ImageName": "i", "InstanceId": "ins-00000000"}), "InvalidInstanceId.NotFound"),
    ] {
        assert_eq!(code(client.cvm("CreateImage", parameters.clone()).await), expected, "{parameters}");
    }
    let made = client.cvm("CreateImage", json!({"ImageName": "mine", "InstanceId": instance})).await.unwrap();
    let id = text(&made["ImageId"]);
    let show = async || client.cvm("DescribeImages", json!({"ImageIds": [id]})).await.unwrap()["ImageSet"][0].clone();
    assert_eq!(
        (&show().await["ImageState"], &show().await["ImageType"]),
        (&json!("CREATING"), &json!("PRIVATE_IMAGE"))
    );
    let run = json!({"ImageId": id});
    assert_eq!(code(client.run(run.clone()).await), "InvalidParameterValue.InvalidImageState");
    let delete = json!({"ImageIds": [id]});
    assert_eq!(code(client.cvm("DeleteImages", delete.clone()).await), "InvalidImageId.IncorrectState");
    client.pass(2);
    assert_eq!(show().await["ImageState"], "NORMAL");
    let copy = client.run(run.clone()).await.unwrap().remove(0);
    assert_eq!(client.instance(&copy).await.unwrap()["ImageId"], json!(id));
    let second = json!({"ImageName": "other", "InstanceId": instance});
    assert_eq!(code(client.cvm("CreateImage", second).await), "ImageQuotaLimitExceeded");
    let same = json!({"ImageName": "mine", "InstanceId": instance});
    assert_eq!(code(client.cvm("CreateImage", same).await), "InvalidImageName.Duplicate");
    client.cvm("ModifyImageAttribute", json!({"ImageId": id, "ImageName": "new"})).await.unwrap();
    let own = json!({"Filters": [{"Name": "image-type", "Values": ["PRIVATE_IMAGE"]}]});
    let own = client.cvm("DescribeImages", own).await.unwrap();
    assert_eq!((&own["TotalCount"], &own["ImageSet"][0]["ImageName"]), (&json!(1), &json!("new")));
    let public = json!({"ImageIds": ["img-487zeit5"]});
    assert_eq!(code(client.cvm("DeleteImages", public).await), "UnauthorizedOperation.ImageNotBelongToAccount");
    client.cvm("DeleteImages", delete.clone()).await.unwrap();
    assert_eq!(code(client.cvm("DeleteImages", delete).await), "InvalidImageId.NotFound");
    assert_eq!(code(client.run(run).await), "InvalidImageId.NotFound");
    assert_eq!(client.cvm("DescribeImageQuota", json!({})).await.unwrap()["ImageNumQuota"], 1);
}

#[tokio::test]
async fn placement_groups_hold_so_many_instances() {
    let client = client();
    let make = async |more: Value| {
        let mut parameters = json!({"Name": "g", "Type": "SW"});
        for (name, value) in more.as_object().unwrap() {
            parameters[name] = value.clone();
        }
        client.cvm("CreateDisasterRecoverGroup", parameters).await
    };
    for (more, expected) in [
        (json!({"Type": "ROOM"}), "InvalidParameterValue"),
        (json!({"Name": ""}), "InvalidParameterValue"),
        (json!({"Affinity": 11}), "InvalidParameterValue.Range"),
        (json!({"Strategy": "PARTITION", "PartitionCount": 99}), "InvalidParameterValue.Range"),
    ] {
        assert_eq!(code(make(more.clone()).await), expected, "{more}");
    }
    let tags = json!([{"ResourceType": "ps", "Tags": [{"Key": "env", "Value": "test"}]}]);
    let made = make(json!({"ClientToken": "t", "TagSpecification": tags})).await.unwrap();
    let id = text(&made["DisasterRecoverGroupId"]);
    assert_eq!((&made["CvmQuotaTotal"], &made["CreateTime"]), (&json!(20), &json!("2026-01-02 11:04:05")));
    assert_eq!(make(json!({"ClientToken": "t"})).await.unwrap()["DisasterRecoverGroupId"], json!(id));
    let run = |count: usize| json!({"DisasterRecoverGroupIds": [id], "InstanceCount": count});
    assert_eq!(code(client.run(run(21)).await), "ResourceInsufficient.DisasterRecoverGroupCvmQuota");
    let unknown = json!({"DisasterRecoverGroupIds": ["ps-00000000"]});
    assert_eq!(code(client.run(unknown).await), "FailedOperation.DisasterRecoverGroupNotFound");
    let ids = client.run(run(2)).await.unwrap();
    let filters = json!({"Filters": [{"Name": "tag:env", "Values": ["test"]}]});
    let list = client.cvm("DescribeDisasterRecoverGroups", filters).await.unwrap();
    let group = &list["DisasterRecoverGroupSet"][0];
    assert_eq!((&group["InstanceIds"], &group["CurrentNum"]), (&json!(ids), &json!(2)));
    assert_eq!(client.instance(&ids[0]).await.unwrap()["DisasterRecoverGroupIds"], json!([id]));
    client
        .cvm("ModifyDisasterRecoverGroupAttribute", json!({"DisasterRecoverGroupId": id, "Name": "new"}))
        .await
        .unwrap();
    assert_eq!(client.cvm("DescribeDisasterRecoverGroups", json!({"Name": "ne"})).await.unwrap()["TotalCount"], 1);
    let delete = json!({"DisasterRecoverGroupIds": [id]});
    assert_eq!(
        code(client.cvm("DeleteDisasterRecoverGroups", delete.clone()).await),
        "FailedOperation.PlacementSetNotEmpty"
    );
    client.pass(2);
    client.cvm("TerminateInstances", json!({"InstanceIds": ids})).await.unwrap();
    client.pass(1);
    client.cvm("DeleteDisasterRecoverGroups", delete).await.unwrap();
    assert_eq!(client.cvm("DescribeDisasterRecoverGroupQuota", json!({})).await.unwrap()["CurrentNum"], 0);
}
