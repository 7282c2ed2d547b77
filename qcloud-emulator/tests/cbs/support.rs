//! What the tests of CBS have in common.

use qcloud_emulator::Builder;
use serde_json::{Value, json};

use crate::client::{Client, Refusal, builder, text};

pub(crate) const ZONE: &str = "ap-guangzhou-3";

/// A client of a fresh emulator, with words for disks.
#[derive(Clone, Debug)]
pub(crate) struct Cbs {
    pub(crate) client: Client,
}

pub(crate) fn cbs() -> Cbs {
    with(builder())
}

pub(crate) fn with(builder: Builder) -> Cbs {
    Cbs { client: Client::of(builder) }
}

/// The first object with the members of the second added or replaced.
pub(crate) fn merged(mut base: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        base[name] = value.clone();
    }
    base
}

impl Cbs {
    pub(crate) async fn call(&self, action: &str, parameters: Value) -> Result<Value, Refusal> {
        self.client.call("cbs", action, parameters).await
    }

    /// As [`call`](Self::call), for calls that are accepted.
    #[track_caller]
    pub(crate) fn ok(&self, action: &'static str, parameters: Value) -> impl Future<Output = Value> + use<> {
        let (this, caller) = (self.clone(), std::panic::Location::caller());
        async move {
            this.call(action, parameters).await.unwrap_or_else(|refusal| panic!("{caller}: {action}: {refusal:?}"))
        }
    }

    /// The code that a call is refused with, checking that its message is a sentence.
    pub(crate) async fn code(&self, action: &str, parameters: Value) -> String {
        let refusal = match self.call(action, parameters.clone()).await {
            Err(refusal) => refusal,
            Ok(answer) => panic!("{action} {parameters} was accepted: {answer}"),
        };
        assert!(refusal.message.len() > 10 && refusal.message.ends_with('.'), "{refusal:?}");
        refusal.code
    }

    /// `CreateDisks` for a postpaid CLOUD_PREMIUM of 20 GiB; `more` adds parameters or replaces them.
    pub(crate) async fn create(&self, more: Value) -> Result<Vec<String>, Refusal> {
        let answer = self.call("CreateDisks", new_disk(more)).await?;
        Ok(answer["DiskIdSet"].as_array().unwrap().iter().map(text).collect())
    }

    /// One disk, waiting until it can be seen.
    pub(crate) async fn disk(&self, more: Value) -> String {
        let id = self.create(more).await.unwrap().remove(0);
        self.client.pass(1);
        id
    }

    /// Several disks, waiting until they can be seen.
    pub(crate) async fn disks(&self, count: usize) -> Vec<String> {
        let ids = self.create(json!({"DiskCount": count})).await.unwrap();
        self.client.pass(1);
        ids
    }

    pub(crate) async fn prepaid_disk(&self, flag: &str) -> String {
        let prepaid = json!({"Period": 1, "RenewFlag": flag});
        self.disk(json!({"DiskChargeType": "PREPAID", "DiskChargePrepaid": prepaid})).await
    }

    /// A disk on an instance.
    pub(crate) async fn attached(&self, instance: &str) -> String {
        let id = self.disk(json!({})).await;
        self.ok("AttachDisks", json!({"DiskIds": [id], "InstanceId": instance})).await;
        self.client.pass(1);
        id
    }

    /// Running instances in the zone.
    pub(crate) async fn instances(&self, count: usize) -> Vec<String> {
        let ids = self.client.run(json!({"InstanceCount": count})).await.unwrap();
        self.client.pass(2);
        ids
    }

    pub(crate) async fn shown(&self, id: &str) -> Option<Value> {
        let answer = self.ok("DescribeDisks", json!({"DiskIds": [id]})).await;
        answer["DiskSet"].as_array().unwrap().first().cloned()
    }

    pub(crate) async fn state(&self, id: &str) -> String {
        self.shown(id).await.map_or_else(|| "absent".to_owned(), |disk| text(&disk["DiskState"]))
    }

    pub(crate) async fn snapshot(&self, disk: &str, more: Value) -> String {
        let answer = self.ok("CreateSnapshot", merged(json!({"DiskId": disk}), more)).await;
        self.client.pass(2);
        text(&answer["SnapshotId"])
    }

    pub(crate) async fn shown_snapshot(&self, id: &str) -> Option<Value> {
        let answer = self.ok("DescribeSnapshots", json!({"SnapshotIds": [id]})).await;
        answer["SnapshotSet"].as_array().unwrap().first().cloned()
    }

    /// The ids that a list gives, in their order.
    pub(crate) async fn listed(&self, parameters: Value) -> Vec<String> {
        let answer = self.ok("DescribeDisks", parameters).await;
        answer["DiskSet"].as_array().unwrap().iter().map(|disk| text(&disk["DiskId"])).collect()
    }

    pub(crate) fn days(&self, days: u64) {
        self.client.pass(days * 24 * 3600);
    }
}

pub(crate) fn new_disk(more: Value) -> Value {
    let base = json!({
        "Placement": {"Zone": ZONE},
        "DiskChargeType": "POSTPAID_BY_HOUR",
        "DiskType": "CLOUD_PREMIUM",
        "DiskSize": 20,
    });
    // A null is a parameter left out.
    merged(base, more)
}
