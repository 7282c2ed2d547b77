//! Whatever is thrown at the emulator, it answers with the envelope and goes on.

use std::sync::LazyLock;

use bytes::Bytes;
use http::Request;
use proptest::prelude::*;
use qcloud_emulator::{Emulator, implemented_actions};
use serde_json::{Map, Value, json};

use crate::client::{Client, Unsent, answer, builder, client, text};

/// `handle` never waits for anything, so any executor does.
fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("ap-guangzhou-3")),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map("[A-Z][a-z]{0,9}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn unsigned_bytes(
        method in "[A-Z]{1,7}",
        uri in "/[a-zA-Z0-9=&.%+]{0,40}(\\?[a-zA-Z0-9=&.%+]{0,60})?",
        headers in prop::collection::vec(
            (prop_oneof![
                Just("host"), Just("content-type"), Just("authorization"), Just("x-tc-action"), Just("x-tc-version"),
                Just("x-tc-timestamp"), Just("x-tc-region"), Just("x-tc-token")
            ], prop::collection::vec(any::<u8>(), 0..40)),
            0..8
        ),
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut request = Request::builder().method(method.as_str()).uri(uri);
        for (name, value) in headers {
            if let Ok(value) = http::HeaderValue::from_bytes(&value) {
                request = request.header(name, value);
            }
        }
        if let Ok(request) = request.body(Bytes::from(body)) {
            let emulator = Emulator::builder().build().unwrap();
            prop_assert!(answer(&now(emulator.handle(request))).is_err());
        }
    }

    #[test]
    fn malformed_authorizations(text in "TC3-HMAC-SHA256 \\PC{0,80}") {
        let client = client();
        let mut request = client.unsent("cvm", "DescribeZones", json!({})).signed();
        if let Ok(value) = text.parse() {
            request.headers_mut().insert("authorization", value);
            prop_assert!(answer(&now(client.emulator.handle(request))).is_err());
        }
    }

    #[test]
    fn signed_bodies_of_any_bytes(body in prop::collection::vec(any::<u8>(), 0..300)) {
        let client = client();
        let request = Unsent { body, ..client.unsent("cvm", "DescribeInstances", json!({})) };
        let _ = answer(&now(client.send(request)));
    }

    #[test]
    fn signed_queries_of_any_text(query in "[a-zA-Z0-9=&.%+]{0,120}") {
        let client = client();
        let request = client.unsent("cvm", "DescribeInstances", json!({})).get(&query);
        let _ = answer(&now(client.send(request)));
    }

    #[test]
    fn any_json_for_any_action(parameters in json_value(), pick in any::<prop::sample::Index>()) {
        let actions = implemented_actions();
        let (service, version, action) = actions[pick.index(actions.len())];
        let client = client();
        let request = Unsent { version: version.to_owned(), ..client.unsent(service, action, parameters) };
        let _ = answer(&now(client.send(request)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Parameters of the right types with odd values, in a world that has resources, one call after another. Answers
    /// are held against the model, and an `InternalError` fails.
    #[test]
    fn plausible_calls_in_any_order(seed in any::<u64>()) {
        now(async {
            let client = Client::of(builder().seed(seed));
            let mut caller = Caller { random: fastrand::Rng::with_seed(seed), known: words() };
            caller.play(&client, 60, |_| true).await;
        });
    }

    /// The same with the container service alone, in a world that has clusters.
    #[test]
    fn plausible_calls_on_clusters(seed in any::<u64>()) {
        now(async {
            let client = Client::of(builder().seed(seed));
            let mut caller = Caller { random: fastrand::Rng::with_seed(seed), known: words() };
            let network = client.network().await;
            let cluster = client.cluster(&network.0).await;
            let nodes = client.nodes(&cluster, &network, 2).await;
            let pool = crate::node_pools::pool(&cluster, &network, (0, 1, 3), json!({}));
            for name in ["AutoScalingGroupPara", "LaunchConfigurePara"] {
                caller.known.push(text(&pool[name]));
            }
            caller.learn(&client.tke("CreateClusterNodePool", pool).await.unwrap());
            caller.known.extend([client.order(&network, 1), network.0, network.1]);
            // The more often it knows them, the more often it uses them.
            for _ in 0..8 {
                caller.known.push(cluster.clone());
                caller.known.extend(nodes.clone());
            }
            caller.play(&client, 80, |service| service == "tke").await;
        });
    }
}

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

/// Makes up parameters, mostly from what it has seen in answers.
struct Caller {
    random: fastrand::Rng,
    known: Vec<String>,
}

impl Caller {
    /// Makes so many calls of actions of the services that pass, and lets time pass between them.
    async fn play(&mut self, client: &Client, calls: usize, wanted: impl Fn(&str) -> bool) {
        let actions: Vec<_> = implemented_actions()
            .into_iter()
            .filter(|(service, version, _)| wanted(service) && model(service, version).is_some())
            .collect();
        for _ in 0..calls {
            let (service, version, action) = actions[self.random.usize(..actions.len())];
            let model = model(service, version).unwrap();
            let input = text(&model["actions"][action]["input"]);
            let parameters = self.object(model, &input, 0);
            let request = Unsent { version: version.to_owned(), ..client.unsent(service, action, parameters) };
            if let Ok(answer) = answer(&client.send(request).await) {
                self.learn(&answer);
            }
            client.pass(self.random.u64(..3));
        }
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
    fn learn(&mut self, answer: &Value) {
        match answer {
            Value::String(text) if text.len() < 40 && self.known.len() < 200 => self.known.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|item| self.learn(item)),
            Value::Object(members) => members.values().for_each(|member| self.learn(member)),
            _ => {}
        }
    }
}
