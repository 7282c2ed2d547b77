use serde_json::json;

use crate::support::cbs;

#[tokio::test]
async fn devices_follow_the_order_of_attachment() {
    let cbs = cbs();
    let instance = cbs.instances(1).await.remove(0);
    let ids = cbs.disks(3).await;
    let emulator = cbs.client.emulator.clone();
    let path = |id: &str| emulator.block_device(&instance, id).map(|device| device.path);
    cbs.ok("AttachDisks", json!({"DiskIds": ids[..2], "InstanceId": instance})).await;
    // While it is being attached there is no device.
    assert_eq!(path(&ids[0]), None);
    cbs.client.pass(1);
    let paths: Vec<String> = emulator.block_devices(&instance).into_iter().map(|device| device.path).collect();
    assert_eq!(paths, ["/dev/vda", "/dev/vdb", "/dev/vdc"]);
    let device = emulator.block_device(&instance, &ids[1]).unwrap();
    assert_eq!((device.path.as_str(), device.serial.as_str(), device.size), ("/dev/vdc", ids[1].as_str(), 20 << 30));
    // A free place is taken first, so paths are not those of before; serials are.
    cbs.ok("DetachDisks", json!({"DiskIds": ids[..1]})).await;
    assert_eq!(path(&ids[0]).as_deref(), Some("/dev/vdb"));
    cbs.client.pass(1);
    assert_eq!(path(&ids[0]), None);
    cbs.ok("AttachDisks", json!({"DiskIds": [ids[2]], "InstanceId": instance})).await;
    cbs.client.pass(1);
    assert_eq!(path(&ids[2]).as_deref(), Some("/dev/vdb"));
    // Growing shows when it is done.
    cbs.ok("ResizeDisk", json!({"DiskId": ids[2], "DiskSize": 40})).await;
    assert_eq!(emulator.block_device(&instance, &ids[2]).unwrap().size, 20 << 30);
    cbs.client.pass(1);
    assert_eq!(emulator.block_device(&instance, &ids[2]).unwrap().size, 40 << 30);
    assert!(emulator.block_devices("ins-00000000").is_empty());
}
