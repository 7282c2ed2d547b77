//! Whatever is done in whatever order: what is refused changes nothing, lists agree, and everything comes to rest.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::client::text;
use crate::support::{Cbs, ZONE, with};

/// Makes up calls about what there is.
struct Caller {
    random: fastrand::Rng,
    disks: Vec<String>,
    instances: Vec<String>,
    snapshots: Vec<String>,
    /// The disks that the snapshots are of.
    origins: Vec<String>,
    policies: Vec<String>,
}

impl Caller {
    fn one(&mut self, of: fn(&Self) -> &Vec<String>) -> String {
        let place = self.random.usize(..of(self).len().max(1));
        of(self).get(place).cloned().unwrap_or_else(|| "disk-00000000".to_owned())
    }

    fn disk(&mut self) -> String {
        self.one(|caller| &caller.disks)
    }

    fn some_disks(&mut self) -> Vec<String> {
        (0..self.random.usize(1..4)).map(|_| self.disk()).collect()
    }

    fn call(&mut self) -> (&'static str, Value) {
        let yes = self.random.bool();
        match self.random.usize(..17) {
            0 => (
                "CreateDisks",
                crate::support::new_disk(json!({
                    "DiskCount": self.random.u64(1..3),
                    "Shareable": self.random.u8(..4) == 0,
                    "DiskChargeType": if yes { "PREPAID" } else { "POSTPAID_BY_HOUR" },
                    "DiskChargePrepaid": {"Period": 1, "RenewFlag": if self.random.bool() { "NOTIFY_AND_AUTO_RENEW" } else { "NOTIFY_AND_MANUAL_RENEW" }},
                })),
            ),
            1..4 => (
                "AttachDisks",
                json!({
                    "DiskIds": self.some_disks(), "InstanceId": self.one(|caller| &caller.instances), "DeleteWithInstance": yes,
                }),
            ),
            4 => ("DetachDisks", json!({"DiskIds": self.some_disks()})),
            5 => (
                "DetachDisks",
                json!({"DiskIds": self.some_disks(), "InstanceId": self.one(|caller| &caller.instances)}),
            ),
            6 => ("ResizeDisk", json!({"DiskId": self.disk(), "DiskSize": self.random.u64(1..10) * 10})),
            7 => ("TerminateDisks", json!({"DiskIds": self.some_disks(), "DeleteSnapshot": u8::from(yes)})),
            8 => ("CreateSnapshot", json!({"DiskId": self.disk()})),
            9 => ("DeleteSnapshots", json!({"SnapshotIds": [self.one(|caller| &caller.snapshots)]})),
            10 if !self.snapshots.is_empty() => {
                let place = self.random.usize(..self.snapshots.len());
                let disk = if self.random.u8(..4) == 0 { self.disk() } else { self.origins[place].clone() };
                ("ApplySnapshot", json!({"SnapshotId": self.snapshots[place], "DiskId": disk}))
            }
            11 => (
                "ModifyDiskAttributes",
                json!({"DiskIds": self.some_disks(), "DiskName": "n", "DeleteWithInstance": yes}),
            ),
            12 => ("ModifyDiskAttributes", json!({"DiskIds": [self.disk()], "DiskType": "CLOUD_SSD"})),
            13 => ("RenewDisk", json!({"DiskId": self.disk(), "DiskChargePrepaid": {"Period": 1}})),
            14 => ("ModifyDisksChargeType", json!({"DiskIds": [self.disk()], "DiskChargePostpaid": true})),
            15 => (
                "BindAutoSnapshotPolicy",
                json!({
                    "DiskIds": self.some_disks(), "AutoSnapshotPolicyId": self.one(|caller| &caller.policies),
                }),
            ),
            _ => (
                "UnbindAutoSnapshotPolicy",
                json!({
                    "DiskIds": self.some_disks(), "AutoSnapshotPolicyId": self.one(|caller| &caller.policies),
                }),
            ),
        }
    }
}

/// Everything there is to see.
async fn seen(cbs: &Cbs) -> Value {
    let disks = cbs.ok("DescribeDisks", json!({"Limit": 100})).await;
    let snapshots = cbs.ok("DescribeSnapshots", json!({"Limit": 100})).await;
    let policies = cbs.ok("DescribeAutoSnapshotPolicies", json!({})).await;
    let instances = cbs.client.cvm("DescribeInstances", json!({"Limit": 100})).await.unwrap();
    json!([disks["DiskSet"], snapshots["SnapshotSet"], policies["AutoSnapshotPolicySet"], instances["InstanceSet"]])
}

fn ids(set: &Value, name: &str) -> Vec<String> {
    set.as_array().unwrap().iter().map(|one| text(&one[name])).collect()
}

/// What holds at every moment.
fn check(seen: &Value) {
    let [disks, _, policies, instances] = seen.as_array().unwrap().as_slice() else { panic!() };
    let all = ids(disks, "DiskId");
    for disk in disks.as_array().unwrap() {
        let on = if disk["Shareable"] == true {
            disk["InstanceIdList"].as_array().unwrap().len()
        } else {
            usize::from(disk["InstanceId"] != "")
        };
        match disk["DiskState"].as_str().unwrap() {
            "UNATTACHED" | "TORECYCLE" => assert_eq!((on, &disk["Attached"]), (0, &json!(false)), "{disk}"),
            "ATTACHED" | "DETACHING" => assert!(on > 0 && disk["Attached"] == true, "{disk}"),
            "ATTACHING" => assert!(on > 0, "{disk}"),
            _ => {}
        }
    }
    for instance in instances.as_array().unwrap() {
        let listed = instance["DataDisks"].as_array().unwrap();
        assert!(listed.len() <= 20);
        for data in listed {
            let id = text(&data["DiskId"]);
            let disk = disks.as_array().unwrap().iter().find(|disk| disk["DiskId"] == *id).unwrap();
            assert_eq!(disk["DiskSize"], data["DiskSize"]);
            let owners =
                [disk["InstanceIdList"].as_array().unwrap().clone(), vec![disk["InstanceId"].clone()]].concat();
            assert!(owners.contains(&instance["InstanceId"]), "{disk} {instance}");
        }
    }
    for policy in policies.as_array().unwrap() {
        for bound in policy["DiskIdSet"].as_array().unwrap() {
            assert!(all.contains(&text(bound)));
        }
    }
}

async fn life(seed: u64, accepted: &mut BTreeSet<&'static str>) -> Value {
    let cbs = with(crate::client::builder().seed(seed));
    let policy = cbs.ok("CreateAutoSnapshotPolicy", json!({"Policy": [{"Hour": [1], "IntervalDays": 3}]})).await;
    let mut caller = Caller {
        random: fastrand::Rng::with_seed(seed),
        disks: Vec::new(),
        instances: Vec::new(),
        snapshots: Vec::new(),
        origins: Vec::new(),
        policies: vec![text(&policy["AutoSnapshotPolicyId"])],
    };
    for _ in 0..60 {
        if caller.random.u8(..12) == 0 {
            let disks = json!([{"DiskSize": 20}, {"DiskSize": 20, "DeleteWithInstance": false}]);
            cbs.client.run(json!({"DataDisks": disks, "Placement": {"Zone": ZONE}})).await.unwrap();
        }
        if caller.random.u8(..15) == 0 && !caller.instances.is_empty() {
            let action = ["TerminateInstances", "StopInstances", "StartInstances"][caller.random.usize(..3)];
            let _ = cbs.client.cvm(action, json!({"InstanceIds": [caller.one(|caller| &caller.instances)]})).await;
        }
        let before = seen(&cbs).await;
        check(&before);
        caller.disks = ids(&before[0], "DiskId");
        caller.snapshots = ids(&before[1], "SnapshotId");
        caller.origins = ids(&before[1], "DiskId");
        caller.instances = ids(&before[3], "InstanceId");
        let (action, parameters) = caller.call();
        if cbs.call(action, parameters.clone()).await.is_err() {
            assert_eq!(seen(&cbs).await, before, "{action} {parameters} was refused and changed something");
        } else {
            accepted.insert(action);
        }
        match caller.random.u8(..30) {
            0 => cbs.days(8),
            1..15 => cbs.client.pass(1),
            _ => {}
        }
    }
    cbs.client.pass(60);
    let rest = seen(&cbs).await;
    check(&rest);
    for disk in rest[0].as_array().unwrap() {
        assert!(["UNATTACHED", "ATTACHED", "TORECYCLE"].contains(&disk["DiskState"].as_str().unwrap()), "{disk}");
        assert_eq!(disk["Migrating"], false);
    }
    assert!(rest[1].as_array().unwrap().iter().all(|snapshot| snapshot["SnapshotState"] == "NORMAL"));
    rest
}

#[tokio::test]
async fn refusals_change_nothing_and_everything_comes_to_rest() {
    let mut accepted = BTreeSet::new();
    for seed in 0..8 {
        life(seed, &mut accepted).await;
    }
    assert_eq!(life(3, &mut accepted).await, life(3, &mut accepted).await);
    // Everything that can be called was of use at least once.
    assert_eq!(accepted.len(), 13, "{accepted:?}");
}
