//! Lists, page by page and item by item, against lists that behave well and lists that do not.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{StreamExt, TryStreamExt};
use proptest::prelude::*;
use qcloud_core::clock::Clock;
use qcloud_core::testing::{ManualClock, ScriptedTransport};
use qcloud_core::transport::{HttpRequest, HttpResponse, Transport, TransportError};
use qcloud_core::{Action, Client, Config, Effect, ErrorKind, Operation, PageCursor, Paginated, Region, RetryPolicy};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::support::{LAMP, client};

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListLamps {
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<i64>,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListNets {
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ListByToken {
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Listed {
    total_count: Option<u64>,
    items: Vec<u64>,
    next_token: Option<String>,
}

macro_rules! paginated {
    ($request:ident, $cursor:expr) => {
        impl Operation for $request {
            type Output = Listed;
            fn action(&self) -> Action {
                Action::new(LAMP, stringify!($request), Effect::Read)
            }
        }
        impl Paginated for $request {
            type Item = u64;
            const LARGEST_PAGE: u64 = 10;
            fn cursor(&mut self) -> PageCursor<'_> {
                $cursor(self)
            }
            fn count(output: &Listed) -> usize {
                output.items.len()
            }
            fn total(output: &Listed) -> Option<u64> {
                output.total_count
            }
            fn next_token(output: &Listed) -> Option<&str> {
                output.next_token.as_deref()
            }
            fn items(output: Listed) -> Vec<u64> {
                output.items
            }
        }
    };
}
paginated!(ListLamps, cursor_of_numbers);
paginated!(ListNets, cursor_of_strings);
paginated!(ListByToken, cursor_of_tokens);

fn cursor_of_numbers(this: &mut ListLamps) -> PageCursor<'_> {
    PageCursor::Offset { offset: &mut this.offset, limit: &mut this.limit }
}

fn cursor_of_strings(this: &mut ListNets) -> PageCursor<'_> {
    PageCursor::Offset { offset: &mut this.offset, limit: &mut this.limit }
}

fn cursor_of_tokens(this: &mut ListByToken) -> PageCursor<'_> {
    PageCursor::Token { token: &mut this.next_token, limit: &mut this.limit }
}

type Totals = Arc<dyn Fn(usize, u64) -> Option<u64> + Send + Sync>;

/// An API with a list of `0..length`. Later pages answer sooner, so that only care keeps their order.
#[derive(Clone)]
struct Shelf {
    clock: ManualClock,
    length: u64,
    /// The largest page that it gives, whatever is asked for.
    cap: u64,
    /// What it says the total is, by the number of the request.
    total: Totals,
    /// Items that are there from a request on.
    growth: BTreeMap<usize, u64>,
    /// Pages at these offsets come with fewer items.
    short: BTreeMap<u64, u64>,
    /// The page at this offset fails.
    broken: Option<u64>,
    asked: Arc<Mutex<Vec<(u64, u64)>>>,
    under_way: Arc<AtomicUsize>,
    most_under_way: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shelf")
    }
}

impl Shelf {
    fn new(length: u64) -> Self {
        Self {
            clock: ManualClock::auto(),
            length,
            cap: 100,
            total: Arc::new(|_, length| Some(length)),
            growth: BTreeMap::new(),
            short: BTreeMap::new(),
            broken: None,
            asked: Arc::default(),
            under_way: Arc::default(),
            most_under_way: Arc::default(),
        }
    }

    fn total(mut self, total: impl Fn(usize, u64) -> Option<u64> + Send + Sync + 'static) -> Self {
        self.total = Arc::new(total);
        self
    }

    fn client(&self) -> Client {
        let config = Config::builder()
            .region(Region::GUANGZHOU)
            .static_credentials("AKID", "key")
            .retry(RetryPolicy::none())
            .operation_timeout(Duration::from_secs(100_000))
            .attempt_timeout(Duration::from_secs(100_000))
            .transport(self.clone())
            .clock(self.clock.clone())
            .build();
        Client::new(&config.unwrap(), LAMP)
    }

    fn asked(&self) -> Vec<(u64, u64)> {
        self.asked.lock().unwrap().clone()
    }

    async fn items(&self, concurrency: usize) -> qcloud_core::Result<Vec<u64>> {
        self.client().call(ListLamps::default()).items().with_concurrency(concurrency).try_collect().await
    }
}

fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

impl Transport for Shelf {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            let (offset, limit) = (number(&body["Offset"]).unwrap_or(0), number(&body["Limit"]).unwrap());
            let count = {
                let mut asked = self.asked.lock().unwrap();
                asked.push((offset, limit));
                asked.len()
            };
            let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_under_way.fetch_max(now, Ordering::SeqCst);
            self.clock.sleep(Duration::from_millis(1000_u64.saturating_sub(offset))).await;
            self.under_way.fetch_sub(1, Ordering::SeqCst);
            if self.broken == Some(offset) {
                let error = json!({ "Response": { "Error": { "Code": "Broken", "Message": "" }, "RequestId": "r" } });
                return Ok(HttpResponse::new(Bytes::from(error.to_string())));
            }
            let grown: u64 = self.growth.range(..=count).map(|(_, more)| more).sum();
            let length = self.length + grown;
            let size = limit.min(self.cap).min(self.short.get(&offset).copied().unwrap_or(u64::MAX));
            let items: Vec<u64> = (offset..length.min(offset.saturating_add(size))).collect();
            let mut content = json!({ "Items": items, "RequestId": "r" });
            if let Some(total) = (self.total)(count, length) {
                content["TotalCount"] = total.into();
            }
            Ok(HttpResponse::new(Bytes::from(json!({ "Response": content }).to_string())))
        })
    }
}

fn all(length: u64) -> Vec<u64> {
    (0..length).collect()
}

#[tokio::test]
async fn pages_are_as_large_as_can_be_and_end_with_the_list() {
    let shelf = Shelf::new(25);
    let client = shelf.client();
    let pages: Vec<_> =
        client.call(ListLamps::default()).pages().map_ok(|page| page.items.len()).try_collect().await.unwrap();
    assert_eq!(pages, [10, 10, 5]);
    assert_eq!(shelf.asked(), [(0, 10), (10, 10), (20, 10)]);
    let shelf = Shelf::new(20);
    assert_eq!(shelf.items(1).await.unwrap(), all(20));
    assert_eq!(shelf.asked().len(), 2, "a full last page ends the list when the total says so");
    let shelf = Shelf::new(0);
    assert_eq!(shelf.items(1).await.unwrap(), all(0));
    assert_eq!(shelf.asked().len(), 1);
}

#[tokio::test]
async fn a_request_s_own_start_and_limit_are_kept() {
    let shelf = Shelf::new(12);
    let request = ListLamps { offset: Some(3), limit: Some(4) };
    let items: Vec<_> = shelf.client().call(request).items().try_collect().await.unwrap();
    assert_eq!(items, (3..12).collect::<Vec<_>>());
    assert_eq!(shelf.asked(), [(3, 4), (7, 4), (11, 4)]);
    let shelf = Shelf::new(3);
    shelf.client().call(ListLamps { offset: None, limit: Some(0) }).items().try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(shelf.asked(), [(0, 10)]);
}

#[tokio::test]
async fn offsets_can_be_texts() {
    let shelf = Shelf::new(25);
    let items: Vec<_> = shelf.client().call(ListNets::default()).items().try_collect().await.unwrap();
    assert_eq!(items, all(25));
    let transport = ScriptedTransport::new().answer(json!({ "Items": [1], "TotalCount": 1 }));
    let (client, _) = client(&transport);
    let _: Vec<_> = client.call(ListNets::default()).items().try_collect().await.unwrap();
    assert_eq!(transport.requests()[0].body, json!({ "Offset": "0", "Limit": "10" }));
}

#[tokio::test]
async fn tokens_are_followed_to_the_end() {
    let transport = ScriptedTransport::new()
        .answer(json!({ "Items": [0, 1], "NextToken": "a" }))
        .answer(json!({ "Items": [2], "NextToken": "b" }))
        .answer(json!({ "Items": [3], "NextToken": "" }));
    let (client, _) = client(&transport);
    let items: Vec<_> =
        client.call(ListByToken::default()).items().with_concurrency(4).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(items, all(4));
    let tokens: Vec<_> = transport.requests().iter().map(|request| request.body["NextToken"].clone()).collect();
    assert_eq!(tokens, [Value::Null, json!("a"), json!("b")]);
}

#[tokio::test]
async fn an_empty_page_that_names_a_next_one_is_not_the_end() {
    let transport = ScriptedTransport::new()
        .answer(json!({ "Items": [], "NextToken": "a" }))
        .answer(json!({ "Items": [0], "NextToken": "b" }))
        .answer(json!({ "Items": [], "NextToken": null }));
    let (client, _) = client(&transport);
    let items: Vec<_> = client.call(ListByToken::default()).items().try_collect().await.unwrap();
    assert_eq!((items, transport.remaining()), (all(1), 0));
}

#[tokio::test]
async fn a_token_that_repeats_is_an_error_and_not_a_loop() {
    let transport = ScriptedTransport::new()
        .answer(json!({ "Items": [0], "NextToken": "a" }))
        .answer(json!({ "Items": [1], "NextToken": "a" }));
    let (client, _) = client(&transport);
    let items: Vec<_> = client.call(ListByToken::default()).items().collect().await;
    assert_eq!(items.len(), 2);
    assert_eq!(items[1].as_ref().unwrap_err().kind(), ErrorKind::Decode);
}

/// Which totals an API can get wrong, and how.
fn lies() -> Vec<Totals> {
    vec![
        Arc::new(|_, _| None),
        Arc::new(|_, _| Some(0)),
        Arc::new(|_, _| Some(7)),
        Arc::new(|_, length| Some(length + 1000)),
        Arc::new(|_, _| Some(u64::MAX)),
        Arc::new(|count, length| if count == 1 { Some(length) } else { None }),
        Arc::new(|count, length| if count % 2 == 0 { Some(0) } else { Some(length) }),
        Arc::new(|count, length| if count == 1 { Some(u64::MAX) } else { Some(length) }),
    ]
}

#[tokio::test]
async fn wrong_totals_neither_lose_items_nor_cause_endless_calls() {
    for concurrency in [1, 3] {
        for (index, total) in lies().into_iter().enumerate() {
            for length in [0, 5, 10, 25, 30] {
                let mut shelf = Shelf::new(length);
                shelf.total = Arc::clone(&total);
                assert_eq!(shelf.items(concurrency).await.unwrap(), all(length), "lie {index}, {length} items");
                let calls = shelf.asked().len();
                assert!(calls <= 4 + concurrency, "lie {index}, {length} items: {calls} calls");
            }
        }
    }
}

#[tokio::test]
async fn capped_and_short_pages_lose_nothing() {
    for concurrency in [1, 4] {
        let mut shelf = Shelf::new(50);
        shelf.cap = 3;
        assert_eq!(shelf.items(concurrency).await.unwrap(), all(50));
        let mut shelf = Shelf::new(50);
        shelf.short = BTreeMap::from([(20, 4)]);
        assert_eq!(shelf.items(concurrency).await.unwrap(), all(50), "a short page in the middle");
        let mut shelf = Shelf::new(50);
        shelf.short = BTreeMap::from([(0, 4)]);
        assert_eq!(shelf.items(concurrency).await.unwrap(), all(50), "a short page at the start");
    }
}

#[tokio::test]
async fn reading_ahead_keeps_the_order_and_its_bound() {
    let shelf = Shelf::new(200);
    assert_eq!(shelf.items(4).await.unwrap(), all(200));
    assert_eq!(shelf.most_under_way.load(Ordering::SeqCst), 4);
    assert_eq!(shelf.asked().len(), 20);
    let alone = Shelf::new(200);
    assert_eq!(alone.items(0).await.unwrap(), all(200));
    assert_eq!(alone.most_under_way.load(Ordering::SeqCst), 1);
    assert!(alone.clock.passed() > shelf.clock.passed() * 2);
}

#[tokio::test]
async fn reading_ahead_sees_what_was_added_meanwhile() {
    for (at, more) in [(2, 1), (3, 10), (5, 17)] {
        let mut shelf = Shelf::new(50);
        shelf.growth = BTreeMap::from([(at, more)]);
        assert_eq!(shelf.items(3).await.unwrap(), all(50 + more), "{more} more at request {at}");
    }
}

#[tokio::test]
async fn an_error_midway_comes_in_its_place_and_ends_the_stream() {
    for concurrency in [1, 4] {
        let mut shelf = Shelf::new(50);
        shelf.broken = Some(30);
        let client = shelf.client();
        let items: Vec<_> = client.call(ListLamps::default()).items().with_concurrency(concurrency).collect().await;
        assert_eq!(items.len(), 31);
        assert!(items[..30].iter().all(Result::is_ok));
        assert_eq!(items[30].as_ref().unwrap_err().code(), Some("Broken"));
    }
}

#[tokio::test]
async fn pages_are_read_only_when_they_are_taken() {
    let shelf = Shelf::new(50);
    let client = shelf.client();
    let mut items = client.call(ListLamps::default()).items();
    assert!(shelf.asked().is_empty());
    for _ in 0..10 {
        items.try_next().await.unwrap();
    }
    assert_eq!(shelf.asked().len(), 1);
    items.try_next().await.unwrap();
    assert_eq!(shelf.asked().len(), 2);
}

#[test]
fn any_list_of_numbers_is_read_whole() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    proptest!(ProptestConfig::with_cases(64), |(
        length in 0_u64..80, cap in 1_u64..15, tells in any::<bool>(), concurrency in 1_usize..5,
        short in prop::collection::btree_map(0_u64..80, 1_u64..9, 0..4),
    )| {
        let mut shelf = Shelf::new(length).total(move |_, length| tells.then_some(length));
        // Without a total, a short page is the end.
        shelf.cap = if tells { cap } else { 100 };
        shelf.short = if tells { short } else { BTreeMap::new() };
        prop_assert_eq!(runtime.block_on(shelf.items(concurrency)).unwrap(), all(length));
    });
}
