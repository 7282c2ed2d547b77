//! Whatever is thrown at the emulator, it answers with the envelope and goes on.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{LazyLock, Mutex};

use bytes::Bytes;
use http::Request;
use proptest::prelude::*;
use qcloud_emulator::{Emulator, implemented_actions};
use serde_json::{Value, json};

use crate::caller::Caller;
use crate::client::{Client, Unsent, answer, builder, client, text};

/// `handle` never waits for anything, so any executor does.
fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// How many cases each property is tried with: so many, times `QCLOUD_FUZZ` when that is set.
fn cases(count: u32) -> ProptestConfig {
    let times = std::env::var("QCLOUD_FUZZ").ok().and_then(|times| times.parse().ok()).unwrap_or(1);
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(count.saturating_mul(times)) }
}

/// Counts a case, and tells when it was the last one, past the test's captured output.
fn tally(property: &'static str, count: u32) {
    static RAN: Mutex<BTreeMap<&str, u32>> = Mutex::new(BTreeMap::new());
    let mut ran = RAN.lock().unwrap();
    let ran = ran.entry(property).or_default();
    *ran += 1;
    let all = cases(count).cases;
    if *ran == all {
        let _ = writeln!(std::io::stderr(), "any_input: {property}: {all} cases ran");
    }
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
    #![proptest_config(cases(512))]

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
        tally("unsigned_bytes", 512);
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
        tally("malformed_authorizations", 512);
        let client = client();
        let mut request = client.unsent("cvm", "DescribeZones", json!({})).signed();
        if let Ok(value) = text.parse() {
            request.headers_mut().insert("authorization", value);
            prop_assert!(answer(&now(client.emulator.handle(request))).is_err());
        }
    }

    #[test]
    fn signed_bodies_of_any_bytes(body in prop::collection::vec(any::<u8>(), 0..300)) {
        tally("signed_bodies_of_any_bytes", 512);
        let client = client();
        let request = Unsent { body, ..client.unsent("cvm", "DescribeInstances", json!({})) };
        let _ = answer(&now(client.send(request)));
    }

    #[test]
    fn signed_queries_of_any_text(query in "[a-zA-Z0-9=&.%+]{0,120}") {
        tally("signed_queries_of_any_text", 512);
        let client = client();
        let request = client.unsent("cvm", "DescribeInstances", json!({})).get(&query);
        let _ = answer(&now(client.send(request)));
    }

    #[test]
    fn any_json_for_any_action(parameters in json_value(), pick in any::<prop::sample::Index>()) {
        tally("any_json_for_any_action", 512);
        let actions = implemented_actions();
        let (service, version, action) = actions[pick.index(actions.len())];
        let client = client();
        let request = Unsent { version: version.to_owned(), ..client.unsent(service, action, parameters) };
        let _ = answer(&now(client.send(request)));
    }
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn configurations_of_any_text(text in "(\\[\\[?(settings|faults|settings.quotas|credentials)\\]?\\]\n)?([a-z-]{1,16} = (\"[a-z:*]{0,9}\"|-?[0-9]{1,20}(\\.[0-9])?|\\{\\}|\\[\\]|true)\n){0,4}\\PC{0,20}") {
        tally("configurations_of_any_text", 512);
        let _ = qcloud_emulator::Config::from_toml(&text);
    }

    /// A saved state with one value in it replaced: it is refused, or the emulator goes on with it.
    #[test]
    fn saved_states_that_were_tampered_with(place in any::<prop::sample::Index>(), value in json_value()) {
        tally("saved_states_that_were_tampered_with", 512);
        let mut saved = SAVED.clone();
        let count = places(&mut saved, &mut |_| {});
        let mut left = place.index(count);
        places(&mut saved, &mut |found| {
            if left == 0 {
                *found = value.clone();
            }
            left = left.wrapping_sub(1);
        });
        let client = client();
        if client.emulator.restore(&saved.to_string()).is_ok() {
            now(Caller::new(1).try_out(&client, 5));
            let _ = client.emulator.save();
        }
    }
}

/// The saved state of a world in which some things have happened.
static SAVED: LazyLock<Value> = LazyLock::new(|| {
    let client = Client::of(builder().fault(qcloud_emulator::Fault::cut().on("DeleteVpc")));
    now(async {
        let network = client.network().await;
        client.running(&network, 2).await;
        Caller::new(5).play(&client, 60, |_| true).await;
    });
    serde_json::from_str(&client.emulator.save().unwrap()).unwrap()
});

/// Visits every value in a value, and counts them.
fn places(value: &mut Value, visit: &mut impl FnMut(&mut Value)) -> usize {
    visit(value);
    1 + match value {
        Value::Array(items) => items.iter_mut().map(|item| places(item, visit)).sum::<usize>(),
        Value::Object(members) => members.values_mut().map(|member| places(member, visit)).sum(),
        _ => 0,
    }
}

proptest! {
    #![proptest_config(cases(64))]

    /// Parameters of the right types with odd values, in a world that has resources, one call after another. Answers
    /// are held against the model, and an `InternalError` fails.
    #[test]
    fn plausible_calls_in_any_order(seed in any::<u64>()) {
        tally("plausible_calls_in_any_order", 64);
        now(async {
            let client = Client::of(builder().seed(seed));
            let mut caller = Caller::new(seed);
            caller.play(&client, 60, |_| true).await;
        });
    }

    /// The same with the container service alone, in a world that has clusters.
    #[test]
    fn plausible_calls_on_clusters(seed in any::<u64>()) {
        tally("plausible_calls_on_clusters", 64);
        now(async {
            let client = Client::of(builder().seed(seed));
            let mut caller = Caller::new(seed);
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
