//! Calls that nobody thought of: parameters of the right types, filled with odd values and with what answers have shown.

use std::sync::LazyLock;

use qcloud_emulator::implemented_actions;
use serde_json::{Map, Value, json};

use crate::client::{Client, Unsent, answer, text};

fn model(service: &str, version: &str) -> Option<&'static Value> {
    static CVM: LazyLock<Value> =
        LazyLock::new(|| serde_json::from_str(include_str!("../../models/cvm-2017-03-12.json")).unwrap());
    static VPC: LazyLock<Value> =
        LazyLock::new(|| serde_json::from_str(include_str!("../../models/vpc-2017-03-12.json")).unwrap());
    static TKE_2018: LazyLock<Value> =
        LazyLock::new(|| serde_json::from_str(include_str!("../../models/tke-2018-05-25.json")).unwrap());
    static TKE_2022: LazyLock<Value> =
        LazyLock::new(|| serde_json::from_str(include_str!("../../models/tke-2022-05-01.json")).unwrap());
    static STS: LazyLock<Value> =
        LazyLock::new(|| serde_json::from_str(include_str!("../../src/sts/model.json")).unwrap());
    static CBS: LazyLock<Value> =
        LazyLock::new(|| serde_json::from_str(include_str!("../../models/cbs-2017-03-12.json")).unwrap());
    static CLB: LazyLock<Value> =
        LazyLock::new(|| serde_json::from_str(include_str!("../../models/clb-2018-03-17.json")).unwrap());
    match (service, version) {
        ("cbs", _) => Some(&CBS),
        ("clb", _) => Some(&CLB),
        ("cvm", _) => Some(&CVM),
        ("vpc", _) => Some(&VPC),
        ("tke", "2018-05-25") => Some(&TKE_2018),
        ("tke", _) => Some(&TKE_2022),
        ("sts", _) => Some(&STS),
        _ => None,
    }
}

fn words() -> Vec<String> {
    let words = [
        "",
        "true",
        "20",
        "0",
        "10.0.0.0/16",
        "10.0.1.0/24",
        "192.168.0.0/24",
        "10.0.1.9",
        "2402:4e00::/32",
        "ap-guangzhou-3",
        "ap-guangzhou-4",
        "img-487zeit5",
        "S5.LARGE8",
        "PREPAID",
        "POSTPAID_BY_HOUR",
        "NORMAL_CVM",
        "NAT",
        "ACCEPT",
        "TCP",
        "80",
        "ALL",
        "zone",
        "vpc-id",
        "instance-state",
        "tag:a",
        "tag-key",
        "instance",
        "web-{R:9}",
        "{",
        "未命名",
        "DEFAULT",
        "OPEN",
        "INTERNAL",
        "HTTP",
        "TARGETGROUP-V2",
        "v2",
        "NODE",
        "/",
        "lb-00000000",
        "ins-00000000",
        "vpc-00000000",
        "MANAGED_CLUSTER",
        "172.20.0.0/16",
        "terminate",
        "Native",
        "{\"MinSize\": 0, \"MaxSize\": 3, \"SubnetIds\": []}",
        "qcs::cam::uin/1:roleName/r",
        "disk-00000000",
        "CLOUD_PREMIUM",
        "CLOUD_HSSD",
        "DATA_DISK",
        "ENCRYPT",
        "disk-state",
        "2026-01-05T00:00:00Z",
        "2026-05-05 00:00:00",
    ];
    words.map(str::to_owned).to_vec()
}

/// Makes up calls, mostly of what it has seen in answers.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) random: fastrand::Rng,
    pub(crate) known: Vec<String>,
}

impl Caller {
    pub(crate) fn new(seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), known: words() }
    }

    /// Makes so many calls of actions of the services that pass, and lets time pass between them.
    pub(crate) async fn play(&mut self, client: &Client, calls: usize, wanted: impl Fn(&str) -> bool) {
        for _ in 0..calls {
            let request = self.request(client, &wanted);
            if let Ok(answer) = answer(&client.send(request).await) {
                self.learn(&answer);
            }
            client.pass(self.random.u64(..3));
        }
    }

    /// As [`play`](Caller::play), whatever the answers are.
    pub(crate) async fn try_out(&mut self, client: &Client, calls: usize) {
        for _ in 0..calls {
            let request = self.request(client, |_| true);
            let _ = client.emulator.exchange(request.signed()).await;
        }
    }

    /// A call of an action of one of the services that pass.
    pub(crate) fn request(&mut self, client: &Client, wanted: impl Fn(&str) -> bool) -> Unsent {
        let actions: Vec<_> = implemented_actions()
            .into_iter()
            .filter(|(service, version, _)| wanted(service) && model(service, version).is_some())
            .collect();
        let (service, version, action) = actions[self.random.usize(..actions.len())];
        let model = model(service, version).unwrap();
        let input = text(&model["actions"][action]["input"]);
        let parameters = self.object(model, &input, 0);
        Unsent { version: version.to_owned(), ..client.unsent(service, action, parameters) }
    }

    fn object(&mut self, model: &Value, name: &str, depth: usize) -> Value {
        let mut object = Map::new();
        for member in model["objects"][name].as_array().unwrap() {
            let wanted = member["required"] == true || self.random.u8(..4) == 0;
            if wanted && depth < 4 {
                object.insert(text(&member["name"]), self.member(model, member, depth));
            }
        }
        Value::Object(object)
    }

    fn member(&mut self, model: &Value, member: &Value, depth: usize) -> Value {
        if let Some(list) = member["list"].as_str() {
            let count = [0, 1, 1, 1, 2, 3][self.random.usize(..6)];
            return (0..count).map(|_| self.kind(model, list, depth)).collect();
        }
        match member["object"].as_str() {
            Some(object) => self.object(model, object, depth + 1),
            None => self.kind(model, &text(&member["type"]), depth),
        }
    }

    fn kind(&mut self, model: &Value, kind: &str, depth: usize) -> Value {
        match kind {
            "int64" => json!([0, 1, 2, 20, 100, -1, i64::MAX, i64::MIN][self.random.usize(..8)]),
            "uint64" => json!([0, 1, 2, 20, 100, u64::MAX][self.random.usize(..6)]),
            "float" => json!([0.0, 1.5, -1.0][self.random.usize(..3)]),
            "bool" => json!(self.random.bool()),
            "string" | "datetime" | "datetime_iso" | "date" => json!(self.known[self.random.usize(..self.known.len())]),
            object => self.object(model, object, depth + 1),
        }
    }

    /// Remembers the ids and addresses of an answer.
    pub(crate) fn learn(&mut self, answer: &Value) {
        match answer {
            Value::String(text) if text.len() < 40 && self.known.len() < 200 => self.known.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Object(members) => members.values().for_each(|member| self.learn(member)),
            _ => {}
        }
    }
}
