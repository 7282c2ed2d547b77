//! What a program can see of its calls: one span per call, an event per attempt, counters and histograms.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use metrics::{
    Counter, CounterFn, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use qcloud_core::testing::{ManualClock, ScriptedTransport};
use qcloud_core::transport::TransportErrorKind;
use qcloud_core::{Client, Config, Effect, RateLimits, Rates, Region};
use serde_json::json;
use tracing::Level;

use crate::support::capture::{Capture, Record};
use crate::support::{LAMP, action, builder, call};

#[tokio::test]
async fn a_call_is_one_span_with_an_event_per_attempt() {
    let (capture, _guard) = Capture::start();
    let transport = ScriptedTransport::new().throttled().throttled().answer(json!({}));
    call(&transport, Effect::Read).await.unwrap();
    let records = capture.own();
    let spans: Vec<&Record> = records.iter().filter(|record| record.is_span).collect();
    assert_eq!(spans.len(), 1);
    assert_eq!((spans[0].name.as_str(), spans[0].level), ("qcloud.call", Level::DEBUG));
    assert_eq!(spans[0].fields, ["service=\"lamp\"", "action=SwitchLamp", "region=\"ap-guangzhou\""]);
    let attempts: Vec<&Record> = records.iter().filter(|record| record.name == "attempt").collect();
    assert_eq!(attempts.len(), 3);
    for (index, attempt) in attempts.iter().enumerate() {
        assert!(attempt.fields.contains(&format!("attempt={}", index + 1)), "{attempt:?}");
        assert!(attempt.fields.contains(&format!("ok={}", index == 2)), "{attempt:?}");
    }
    assert!(attempts[0].fields.contains(&"code=\"RequestLimitExceeded\"".to_owned()), "{attempts:?}");
}

#[tokio::test]
async fn a_call_that_fails_says_so() {
    let (capture, _guard) = Capture::start();
    let transport = ScriptedTransport::new().error("InvalidParameter", "no");
    call(&transport, Effect::Read).await.unwrap_err();
    let records = capture.own();
    let failed = records.iter().find(|record| record.name == "call failed").unwrap();
    assert!(failed.fields[0].contains("lamp:SwitchLamp: InvalidParameter: no"), "{failed:?}");
    assert!(records.iter().all(|record| record.level >= Level::DEBUG), "errors are the caller's to report");
}

#[test]
fn an_unknown_region_is_accepted_with_a_warning() {
    let (capture, _guard) = Capture::start();
    let build = |region: &str| builder(&ScriptedTransport::new(), &ManualClock::new()).region(region).build();
    for region in Region::KNOWN {
        build(region.as_str()).unwrap();
    }
    assert!(capture.own().is_empty());
    build("ap-atlantis").unwrap();
    let warnings = capture.own();
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].level, Level::WARN);
    assert!(
        warnings[0].name.contains("unknown region") && warnings[0].fields == ["region=ap-atlantis"],
        "{warnings:?}"
    );
}

type Values = Arc<Mutex<BTreeMap<String, Vec<f64>>>>;

/// Keeps what is counted and measured under `name{label=value,…}`.
#[derive(Clone, Default)]
struct Kept(Values);

struct Series(String, Values);

impl Series {
    fn add(&self, value: f64) {
        self.1.lock().unwrap().entry(self.0.clone()).or_default().push(value);
    }
}

impl CounterFn for Series {
    fn increment(&self, value: u64) {
        self.add(value as f64);
    }

    fn absolute(&self, value: u64) {
        self.add(value as f64);
    }
}

impl HistogramFn for Series {
    fn record(&self, value: f64) {
        self.add(value);
    }
}

impl Kept {
    fn series(&self, key: &Key) -> Arc<Series> {
        let labels: Vec<_> = key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Series(format!("{}{{{}}}", key.name(), labels.join(",")), Arc::clone(&self.0)))
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.series(key))
    }

    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.series(key))
    }
}

#[tokio::test]
async fn calls_attempts_and_waits_are_counted() {
    let kept = Kept::default();
    let _guard = metrics::set_default_local_recorder(&kept);
    let transport = ScriptedTransport::new()
        .throttled()
        .answer(json!({}))
        .error("InvalidParameter", "")
        .fail(TransportErrorKind::Interrupted);
    let limits = RateLimits::new().with_rates(Rates { service: "lamp", default: 1, actions: &[] });
    let config: Config = builder(&transport, &ManualClock::auto()).rate_limits(limits).build().unwrap();
    let client = Client::new(&config, LAMP);
    client.call(action(Effect::Write)).await.unwrap();
    client.call(action(Effect::Write)).await.unwrap_err();
    client.call(action(Effect::Write)).await.unwrap_err();

    let values = kept.0.lock().unwrap().clone();
    let sum = |series: &str| values.get(series).map_or(0.0, |values| values.iter().sum());
    let count = |series: &str| values.get(series).map_or(0, Vec::len);
    let labels = "service=lamp,action=SwitchLamp";
    for (series, expected) in [
        (format!("qcloud_calls_total{{{labels},outcome=ok}}"), 1.0),
        (format!("qcloud_calls_total{{{labels},outcome=InvalidParameter}}"), 1.0),
        (format!("qcloud_calls_total{{{labels},outcome=Transport}}"), 1.0),
        (format!("qcloud_attempts_total{{{labels},outcome=RequestLimitExceeded}}"), 1.0),
        (format!("qcloud_attempts_total{{{labels},outcome=ok}}"), 1.0),
        (format!("qcloud_retries_total{{{labels}}}"), 1.0),
    ] {
        assert_eq!(sum(&series), expected, "{series} in {values:?}");
    }
    assert_eq!(count(&format!("qcloud_call_seconds{{{labels}}}")), 3);
    assert_eq!(count(&format!("qcloud_attempt_seconds{{{labels}}}")), 4);
    let waits = &values[&format!("qcloud_limiter_wait_seconds{{{labels}}}")];
    assert_eq!((waits.len(), waits[0]), (4, 0.0));
    assert!(waits[1] > 0.0 && waits.iter().sum::<f64>() > 2.0 - Duration::from_millis(400).as_secs_f64(), "{waits:?}");
}
