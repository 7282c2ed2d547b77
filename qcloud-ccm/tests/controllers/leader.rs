//! Leader election: one works, another takes over, and never two at once.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use apiserver_double::{ApiServer, Fault, Verb};
use http::Request;
use kube::client::Body;
use qcloud_ccm::cluster;
use qcloud_ccm::leader::{Candidate, Timing};
use serde_json::json;
use tokio::time::{Instant, sleep};
use tower::Service;

/// The way of one process to the API server, which can be cut.
#[derive(Clone)]
struct Wire<S> {
    service: S,
    cut: Arc<AtomicBool>,
}

impl<S> Service<Request<Body>> for Wire<S>
where
    S: Service<Request<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Response: Send,
    S::Error: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (cut, answer) = (Arc::clone(&self.cut), self.service.call(request));
        Box::pin(async move {
            if cut.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            answer.await
        })
    }
}

/// What the processes do, and when.
#[derive(Clone, Default)]
struct Account {
    working: Arc<AtomicUsize>,
    clashes: Arc<AtomicUsize>,
    terms: Arc<Mutex<Vec<Entry>>>,
}

/// Who led, from when, and until when.
type Entry = (String, Instant, Option<Instant>);

/// One term of work, which ends when it is dropped.
struct Term<'a>(&'a Account, usize);

impl Account {
    fn begin(&self, who: &str) -> Term<'_> {
        if self.working.fetch_add(1, Ordering::Relaxed) > 0 {
            self.clashes.fetch_add(1, Ordering::Relaxed);
        }
        let mut terms = self.terms.lock().unwrap();
        terms.push((who.to_owned(), Instant::now(), None));
        Term(self, terms.len() - 1)
    }

    fn leaders(&self) -> Vec<String> {
        self.terms.lock().unwrap().iter().map(|(who, _, _)| who.clone()).collect()
    }
}

impl Drop for Term<'_> {
    fn drop(&mut self) {
        self.0.working.fetch_sub(1, Ordering::Relaxed);
        self.0.terms.lock().unwrap()[self.1].2 = Some(Instant::now());
    }
}

fn candidate(server: &ApiServer, who: &str, cut: &Arc<AtomicBool>) -> Candidate {
    let wire = Wire { service: server.service(), cut: Arc::clone(cut) };
    Candidate::new(cluster::client(wire), "kube-system", "test", who, Timing::default())
}

/// A process that leads whenever it can, until it is told to stop.
fn process(server: &ApiServer, who: &'static str, account: &Account, stop: Duration) -> Arc<AtomicBool> {
    let cut = Arc::new(AtomicBool::new(false));
    let mut candidate = candidate(server, who, &cut);
    let (account, end) = (account.clone(), Instant::now() + stop);
    tokio::spawn(async move {
        loop {
            let held = candidate.acquire(|| {}).await;
            let work = async {
                let _term = account.begin(who);
                tokio::time::sleep_until(end).await;
            };
            if candidate.work(&held, work).await.is_some() {
                candidate.release().await;
                return;
            }
        }
    });
    cut
}

const NEVER: Duration = Duration::from_secs(1_000_000);

#[tokio::test(start_paused = true)]
async fn of_two_one_leads_and_the_other_follows_a_graceful_end_at_once() {
    let (server, account) = (ApiServer::new(), Account::default());
    process(&server, "a", &account, Duration::from_secs(100));
    sleep(Duration::from_secs(1)).await;
    process(&server, "b", &account, NEVER);
    sleep(Duration::from_secs(98)).await;
    assert_eq!(account.leaders(), ["a"]);
    sleep(Duration::from_secs(5)).await;
    assert_eq!(account.leaders(), ["a", "b"]);
    let lease = server.get("coordination.k8s.io/v1", "Lease", "kube-system", "test").unwrap();
    assert_eq!(lease["spec"]["holderIdentity"], "b");
    assert_eq!(lease["spec"]["leaseDurationSeconds"], 15);
    assert_eq!(account.clashes.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_stops_before_another_begins() {
    let (server, account) = (ApiServer::new(), Account::default());
    let cut = process(&server, "a", &account, NEVER);
    sleep(Duration::from_secs(1)).await;
    process(&server, "b", &account, NEVER);
    sleep(Duration::from_secs(60)).await;
    cut.store(true, Ordering::Relaxed);
    let at = Instant::now();
    sleep(Duration::from_secs(60)).await;
    let terms = account.terms.lock().unwrap().clone();
    assert_eq!(terms.len(), 2);
    let (stopped, began) = (terms[0].2.unwrap() - at, terms[1].1 - at);
    assert!(stopped <= Duration::from_secs(10), "{stopped:?}");
    assert!(began >= stopped + Duration::from_secs(5) && began <= Duration::from_secs(20), "{stopped:?} {began:?}");
}

#[tokio::test(start_paused = true)]
async fn the_clocks_of_others_are_not_believed() {
    for times in ["1970-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"] {
        let (server, account) = (ApiServer::new(), Account::default());
        let lease = server.put(json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "test", "namespace": "kube-system"},
            "spec": {"holderIdentity": "gone", "leaseDurationSeconds": 15, "acquireTime": times, "renewTime": times,
                "leaseTransitions": 3},
        }));
        lease.unwrap();
        process(&server, "a", &account, NEVER);
        sleep(Duration::from_secs(14)).await;
        assert!(account.leaders().is_empty());
        sleep(Duration::from_secs(5)).await;
        assert_eq!(account.leaders(), ["a"]);
        let lease = server.get("coordination.k8s.io/v1", "Lease", "kube-system", "test").unwrap();
        assert_eq!(lease["spec"]["leaseTransitions"], 4);
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_survives_answers_that_are_lost_and_refused() {
    for fault in
        [Fault::LostBefore, Fault::LostAfter, Fault::Conflict, Fault::Refuse(500, "InternalError"), Fault::Stall]
    {
        let (server, account) = (ApiServer::new(), Account::default());
        process(&server, "a", &account, NEVER);
        sleep(Duration::from_secs(5)).await;
        for verb in [Verb::Update, Verb::Get] {
            server.faults().on(verb, "leases").times(1).answer(fault.clone());
            sleep(Duration::from_secs(30)).await;
        }
        let terms = account.terms.lock().unwrap().clone();
        // A stalled renewal may cost the lease; then the work stops, and begins anew.
        assert!(terms.len() == 1 || matches!(fault, Fault::Stall), "{fault:?}: {terms:?}");
        assert!(terms.last().unwrap().2.is_none(), "{fault:?}");
        assert_eq!(account.clashes.load(Ordering::Relaxed), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn two_never_work_at_once_whatever_is_cut() {
    for seed in 0..8 {
        let (server, account) = (ApiServer::new(), Account::default());
        let cuts = ["a", "b", "c"].map(|who| process(&server, who, &account, NEVER));
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..60 {
            sleep(Duration::from_millis(random.u64(500..20_000))).await;
            cuts[random.usize(..3)].store(random.bool(), Ordering::Relaxed);
        }
        for cut in &cuts {
            cut.store(false, Ordering::Relaxed);
        }
        sleep(Duration::from_secs(60)).await;
        assert_eq!(account.clashes.load(Ordering::Relaxed), 0, "seed {seed}");
        assert_eq!(account.working.load(Ordering::Relaxed), 1, "seed {seed}");
        assert!(account.leaders().len() > 1, "seed {seed}");
    }
}
