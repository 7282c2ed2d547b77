//! The work queue, in virtual time.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use qcloud_ccm::error::Error;
use qcloud_ccm::queue::{Next, Pauses, Queue};
use qcloud_container::kubernetes::{ErrorKind, ProviderError};
use tokio::time::{Instant, advance, sleep};

const STEADY: Pauses = Pauses {
    first: Duration::from_secs(5),
    longest: Duration::from_secs(300),
    hopeless: Duration::from_secs(1_800),
    jitter: false,
};

fn busy() -> Error {
    ProviderError::new(ErrorKind::Unavailable, "not now").into()
}

/// Runs a queue whose keys are answered in turn with these results, and the last one from then on; gives the seconds at
/// which each run began.
async fn runs(results: Vec<fn() -> Result<Next, Error>>, pauses: Pauses, lasting: Duration) -> Vec<u64> {
    let queue = Queue::new("test", pauses);
    queue.add("key");
    let start = Instant::now();
    let began = Mutex::new(Vec::new());
    let work = queue.work(1, |_| {
        let mut began = began.lock().unwrap();
        let result = results[began.len().min(results.len() - 1)]();
        began.push(start.elapsed().as_secs());
        async move { result }
    });
    let _ = tokio::time::timeout(lasting, work).await;
    began.into_inner().unwrap()
}

#[tokio::test(start_paused = true)]
async fn pauses_double_up_to_the_longest() {
    let began = runs(vec![|| Err(busy())], STEADY, Duration::from_secs(1_250)).await;
    assert_eq!(began, [0, 5, 15, 35, 75, 155, 315, 615, 915, 1_215]);
}

#[tokio::test(start_paused = true)]
async fn a_success_forgets_the_failures() {
    let again: fn() -> Result<Next, Error> = || Ok(Next::After(Duration::from_secs(100)));
    let results: Vec<fn() -> Result<Next, Error>> = vec![|| Err(busy()), || Err(busy()), again, || Err(busy())];
    assert_eq!(runs(results, STEADY, Duration::from_secs(125)).await, [0, 5, 15, 115, 120]);
}

#[tokio::test(start_paused = true)]
async fn what_can_not_succeed_is_left_for_long() {
    let refused: fn() -> Result<Next, Error> = || Err(Error::Refused("no".to_owned()));
    assert_eq!(runs(vec![refused], STEADY, Duration::from_secs(4_000)).await, [0, 1_800, 3_600]);
}

#[tokio::test(start_paused = true)]
async fn an_error_can_say_when_to_come_back() {
    let pending: fn() -> Result<Next, Error> = || Err(ProviderError::pending("soon", Duration::from_secs(2)).into());
    assert_eq!(runs(vec![pending], STEADY, Duration::from_secs(7)).await, [0, 2, 4, 6]);
}

#[tokio::test(start_paused = true)]
async fn jitter_shortens_pauses_but_never_to_nothing() {
    let began = runs(vec![|| Err(busy())], Pauses { jitter: true, ..STEADY }, Duration::from_secs(3_600)).await;
    let pauses: Vec<u64> = began.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.len() > 8 && pauses.iter().all(|pause| *pause <= 300), "{pauses:?}");
    assert!(pauses[7..].iter().all(|pause| *pause >= 29), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn of_several_times_the_earliest_holds() {
    let queue = Queue::new("test", STEADY);
    queue.add_after("key", Duration::from_secs(60));
    queue.add_after("key", Duration::from_secs(10));
    queue.add_after("key", Duration::from_secs(90));
    let start = Instant::now();
    let began = Mutex::new(Vec::new());
    let work = queue.work(4, |_| {
        began.lock().unwrap().push(start.elapsed().as_secs());
        async { Ok(Next::Done) }
    });
    let _ = tokio::time::timeout(Duration::from_secs(200), work).await;
    assert_eq!(*began.lock().unwrap(), [10]);
}

#[tokio::test(start_paused = true)]
async fn what_is_dropped_unfinished_is_taken_up_again() {
    let queue = Queue::new("test", STEADY);
    queue.add("key");
    let unfinished = queue.work(1, |_| async {
        sleep(Duration::from_secs(60)).await;
        Ok(Next::Done)
    });
    assert!(tokio::time::timeout(Duration::from_secs(1), unfinished).await.is_err());
    assert_eq!(queue.depth(), 1);
    let finished = Mutex::new(0);
    let work = queue.work(1, |_| {
        *finished.lock().unwrap() += 1;
        async { Ok(Next::Done) }
    });
    let _ = tokio::time::timeout(Duration::from_secs(1), work).await;
    assert_eq!((*finished.lock().unwrap(), queue.depth()), (1, 0));
}

#[derive(Clone, Debug)]
enum Step {
    Add(u8),
    AddAfter(u8, u64),
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0..4_u8).prop_map(Step::Add),
        (0..4_u8, 0..20_u64).prop_map(|(key, after)| Step::AddAfter(key, after)),
        (1..10_u64).prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..60)
}

#[derive(Default)]
struct Seen {
    working: HashMap<u8, usize>,
    most: usize,
    twice: bool,
    began: HashMap<u8, Instant>,
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_is_worked_on_twice_at_once(
        steps in steps(), workers in 1..4_usize, takes in prop::collection::vec(0..7_u64, 4), fails in any::<[bool; 4]>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (seen, asked) = runtime.block_on(async {
            let queue: Queue<u8> = Queue::new("test", STEADY);
            let seen = Arc::new(Mutex::new(Seen::default()));
            let work = {
                let (queue, seen) = (queue.clone(), Arc::clone(&seen));
                async move {
                    queue.work(workers, |key| {
                        let seen = Arc::clone(&seen);
                        let (takes, fails) = (takes[usize::from(key)], fails[usize::from(key)]);
                        async move {
                            {
                                let mut seen = seen.lock().unwrap();
                                let at_once = seen.working.entry(key).or_default();
                                *at_once += 1;
                                let twice = *at_once > 1;
                                seen.twice |= twice;
                                let all = seen.working.values().sum();
                                seen.most = seen.most.max(all);
                                seen.began.insert(key, Instant::now());
                            }
                            sleep(Duration::from_secs(takes)).await;
                            *seen.lock().unwrap().working.get_mut(&key).unwrap() -= 1;
                            if fails { Err(busy()) } else { Ok(Next::Done) }
                        }
                    })
                    .await;
                }
            };
            let working = tokio::spawn(work);
            let mut asked: HashMap<u8, Instant> = HashMap::new();
            for step in steps {
                match step {
                    Step::Add(key) => {
                        queue.add(key);
                        asked.insert(key, Instant::now());
                    }
                    Step::AddAfter(key, after) => {
                        queue.add_after(key, Duration::from_secs(after));
                        asked.insert(key, Instant::now());
                    }
                    Step::Pass(seconds) => advance(Duration::from_secs(seconds)).await,
                }
                tokio::task::yield_now().await;
            }
            // Long enough for all that was asked, whoever it waits for.
            sleep(Duration::from_secs(1_000)).await;
            working.abort();
            let seen = std::mem::take(&mut *seen.lock().unwrap());
            (seen, asked)
        });
        prop_assert!(!seen.twice);
        prop_assert!(seen.most <= workers);
        for (key, at) in asked {
            prop_assert!(seen.began.get(&key).is_some_and(|began| *began >= at), "key {} was forgotten", key);
        }
    }
}
