//! Waiters: conditions, when a wait ends and how, and how often it looks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use qcloud_core::clock::Clock;
use qcloud_core::testing::{ManualClock, ScriptedTransport};
use qcloud_core::wait::{Condition, Verdict, Wait, Watch, is_gone, state_in};
use qcloud_core::{Config, Error, ErrorKind, Result};

use crate::support::builder;

#[derive(Clone, Debug, PartialEq)]
struct Lamp {
    id: String,
    state: String,
}

const LAMPS: Watch<Lamp> = Watch::new("lamps", |lamp| &lamp.id, |lamp| lamp.state.clone());

/// What each look finds, as `id=state` words, or an error.
type Looks = Vec<Result<&'static str>>;

/// When each look was, and for which ids.
type Asked = Vec<(Duration, Vec<String>)>;

struct Stage {
    config: Config,
    clock: ManualClock,
    looks: Arc<Mutex<VecDeque<Result<&'static str>>>>,
    asked: Arc<Mutex<Asked>>,
}

impl Stage {
    fn new(looks: Looks) -> Self {
        let clock = ManualClock::auto();
        let config = builder(&ScriptedTransport::new(), &clock).build().unwrap();
        Self { config, clock, looks: Arc::new(Mutex::new(looks.into())), asked: Arc::default() }
    }

    fn wait<'c>(&'c self, ids: &[&str], condition: impl Condition<Lamp> + 'c) -> Wait<'c, Lamp> {
        let look = move |ids: Vec<String>| {
            self.asked.lock().unwrap().push((self.clock.elapsed(), ids.clone()));
            // The last look is repeated for ever.
            let mut looks = self.looks.lock().unwrap();
            let next = if looks.len() > 1 { looks.pop_front().unwrap() } else { repeat(&looks[0]) };
            async move {
                let lamps = next?.split_whitespace().map(|word| word.split_once('=').unwrap());
                let lamps = lamps.map(|(id, state)| Lamp { id: id.into(), state: state.into() });
                Ok(lamps.filter(|lamp| ids.contains(&lamp.id)).collect())
            }
            .boxed()
        };
        Wait::new(&self.config, LAMPS, ids.iter().copied(), look, condition)
    }

    fn times(&self) -> Vec<Duration> {
        self.asked.lock().unwrap().iter().map(|(at, _)| *at).collect()
    }
}

fn repeat(look: &Result<&'static str>) -> Result<&'static str> {
    look.as_ref().copied().map_err(|error| match error.code() {
        Some(code) => Error::service("lamp:Describe", code, "again", "r"),
        None => Error::new(error.kind(), "again"),
    })
}

fn throttled() -> Result<&'static str> {
    Err(Error::service("lamp:Describe", "RequestLimitExceeded", "slow down", "r"))
}

fn on() -> impl Condition<Lamp> {
    |lamp: Option<&Lamp>| match lamp.map(|lamp| lamp.state.as_str()) {
        Some("on") => Verdict::Met,
        Some("broken") => Verdict::Impossible("it is broken".into()),
        _ => Verdict::NotYet,
    }
}

const fn fixed(verdict: u8) -> impl Condition<()> + Copy {
    move |_: Option<&()>| match verdict {
        0 => Verdict::Met,
        1 => Verdict::NotYet,
        _ => Verdict::Impossible("no".into()),
    }
}

#[test]
fn conditions_combine() {
    use Verdict::{Impossible, Met, NotYet};
    let no = || Impossible("no".into());
    let verdicts = |combined: fn(u8, u8) -> Verdict| {
        [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)].map(|(one, other)| {
            let verdict = combined(one, other);
            assert_eq!(verdict, combined(other, one), "the order does not matter");
            verdict
        })
    };
    let and = verdicts(|one, other| fixed(one).and(fixed(other)).check(None));
    assert_eq!(and, [Met, NotYet, no(), NotYet, no(), no()]);
    let or = verdicts(|one, other| fixed(one).or(fixed(other)).check(None));
    assert_eq!(or, [Met, Met, Met, NotYet, NotYet, Impossible("no, and no".into())]);
    let not = [0, 1, 2].map(|verdict| fixed(verdict).not().check(None));
    assert_eq!(not, [NotYet, Met, Met]);
}

#[test]
fn states_and_absence_are_conditions() {
    #[derive(Clone)]
    struct Thing(String);
    static MET: std::sync::LazyLock<[String; 1]> = std::sync::LazyLock::new(|| ["on".to_owned()]);
    static LOST: std::sync::LazyLock<[String; 1]> = std::sync::LazyLock::new(|| ["broken".to_owned()]);
    let condition = state_in(|thing: &Thing| &thing.0, &*MET, &*LOST);
    assert_eq!(condition.check(Some(&Thing("on".into()))), Verdict::Met);
    assert_eq!(condition.check(Some(&Thing("off".into()))), Verdict::NotYet);
    assert_eq!(condition.check(Some(&Thing("broken".into()))), Verdict::Impossible("it is broken".into()));
    assert_eq!(condition.check(None), Verdict::NotYet);
    assert_eq!(is_gone::<Thing>().check(None), Verdict::Met);
    assert_eq!(is_gone::<Thing>().check(Some(&Thing(String::new()))), Verdict::NotYet);
}

#[tokio::test]
async fn pauses_without_end_are_no_trouble() {
    let stage = Stage::new(vec![Ok("a=off"), Ok("a=on")]);
    let wait = stage.wait(&["a"], on()).with_pauses(Duration::MAX, Duration::MAX).with_timeout(Duration::MAX);
    assert_eq!(wait.await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_as_awaited_already_needs_one_look() {
    let stage = Stage::new(vec![Ok("a=on b=on")]);
    let lamps = stage.wait(&["b", "a"], on()).await.unwrap();
    assert_eq!(lamps.iter().map(|lamp| lamp.id.as_str()).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!((stage.times().len(), stage.clock.passed()), (1, Duration::ZERO));
    let nothing = Stage::new(vec![Ok("")]);
    assert!(nothing.wait(&[], on()).await.unwrap().is_empty());
    assert!(nothing.times().is_empty());
}

#[tokio::test]
async fn only_what_is_pending_is_looked_at_again() {
    let stage = Stage::new(vec![Ok("a=on b=off"), Ok("b=off"), Ok("a=off b=on")]);
    let lamps = stage.wait(&["a", "b"], on()).await.unwrap();
    assert!(lamps.iter().all(|lamp| lamp.state == "on"));
    let asked: Vec<_> = stage.asked.lock().unwrap().iter().map(|(_, ids)| ids.join(" ")).collect();
    assert_eq!(asked, ["a b", "b", "b"]);
}

#[tokio::test]
async fn an_id_given_twice_is_waited_for_once() {
    let stage = Stage::new(vec![Ok("a=on")]);
    let lamps = stage.wait(&["a", "a"], on()).await.unwrap();
    assert_eq!((lamps.len(), stage.times().len()), (1, 1));
}

#[tokio::test]
async fn a_state_without_a_way_out_ends_it_at_once() {
    let stage = Stage::new(vec![Ok("a=off"), Ok("a=broken")]);
    let error = stage.wait(&["a"], on()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Wait);
    assert_eq!(error.to_string(), "waiting for lamps is in vain: a: it is broken");
    assert_eq!(stage.times().len(), 2);
}

#[tokio::test]
async fn being_gone_can_be_waited_for() {
    let stage = Stage::new(vec![Ok("a=off"), Ok("a=off"), Ok("")]);
    assert!(stage.wait(&["a"], is_gone()).await.unwrap().is_empty());
    assert_eq!(stage.times().len(), 3);
}

#[tokio::test]
async fn looks_that_fail_in_passing_do_not_count() {
    let stage = Stage::new(vec![throttled(), throttled(), Ok("a=off"), throttled(), Ok("a=on")]);
    let polls = Mutex::new(Vec::new());
    let wait = stage.wait(&["a"], on()).on_poll(|progress| polls.lock().unwrap().push(progress.polls));
    wait.await.unwrap();
    assert_eq!(*polls.lock().unwrap(), [0, 0, 1, 1, 2]);
}

#[tokio::test]
async fn looks_that_fail_for_good_end_it() {
    for code in ["UnauthorizedOperation", "InvalidParameterValue"] {
        let stage = Stage::new(vec![Ok("a=off"), Err(Error::service("lamp:Describe", code, "no", "r"))]);
        let error = stage.wait(&["a"], on()).await.unwrap_err();
        assert_eq!(error.code(), Some(code));
        assert_eq!(stage.times().len(), 2);
    }
    let stage = Stage::new(vec![Err(Error::new(ErrorKind::Decode, "unreadable"))]);
    assert_eq!(stage.wait(&["a"], on()).await.unwrap_err().kind(), ErrorKind::Decode);
}

#[tokio::test]
async fn time_that_is_up_names_what_is_pending() {
    let stage = Stage::new(vec![Ok("a=on b=off")]);
    let error = stage.wait(&["a", "b", "c"], on()).with_timeout(Duration::from_secs(30)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.to_string(), "lamps not as awaited within 30s: b (off), c (not listed)");
    assert!(stage.clock.passed() <= Duration::from_secs(30));
    let ids = ["a", "b", "c", "d", "e", "f", "g"];
    let stage = Stage::new(vec![throttled()]);
    let error = stage.wait(&ids, on()).with_timeout(Duration::from_secs(9)).await.unwrap_err();
    assert!(error.to_string().contains("e (not looked at yet), 2 more; the last look failed: "), "{error}");
    assert!(error.to_string().contains("RequestLimitExceeded"), "{error}");
    assert!(std::error::Error::source(&error).is_some());
}

#[tokio::test]
async fn a_look_that_hangs_is_cut_at_the_deadline() {
    let stage = Stage::new(vec![Ok("")]);
    let look = |_: Vec<String>| std::future::pending().boxed();
    let wait: Wait<'_, Lamp> = Wait::new(&stage.config, LAMPS, ["a"], look, on());
    let error = wait.with_timeout(Duration::from_secs(20)).await.unwrap_err();
    assert_eq!((error.kind(), stage.clock.passed()), (ErrorKind::Timeout, Duration::from_secs(20)));
}

#[tokio::test]
async fn pauses_grow_and_are_jittered() {
    let stage = Stage::new(vec![Ok("a=off")]);
    stage.wait(&["a"], on()).with_timeout(Duration::from_secs(120)).await.unwrap_err();
    let times = stage.times();
    let pauses: Vec<_> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
    let mut ceiling = 1.0_f64;
    for pause in &pauses {
        assert!((ceiling / 2.0 - 0.001..=ceiling + 0.001).contains(pause), "{pause} of {ceiling}");
        ceiling = (ceiling * 1.5).min(10.0);
    }
    assert!(pauses.len() > 10);
    let exact = pauses.iter().filter(|pause| (**pause - 10.0).abs() < 0.001).count();
    assert!(exact < 2, "jittered: {pauses:?}");
    let stage = Stage::new(vec![Ok("a=off")]);
    let second = Duration::from_secs(1);
    stage.wait(&["a"], on()).with_pauses(second * 2, second).with_timeout(second * 20).await.unwrap_err();
    let pauses: Vec<_> = stage.times().windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(pauses.iter().all(|pause| (second..=second * 2).contains(pause)), "{pauses:?}");
}

#[tokio::test]
async fn progress_is_told_after_each_look() {
    let stage = Stage::new(vec![Ok("a=off b=off"), Ok("a=on"), Ok("b=on")]);
    let lines = Mutex::new(Vec::new());
    stage
        .wait(&["a", "b"], on())
        .on_poll(|progress| {
            let pending = progress.pending.join(", ");
            lines.lock().unwrap().push(format!("{}/{} [{pending}]", progress.met, progress.total));
        })
        .await
        .unwrap();
    assert_eq!(*lines.lock().unwrap(), ["0/2 [a (off), b (off)]", "1/2 [b (not listed)]", "2/2 []"]);
}

#[tokio::test]
async fn many_ids_are_looked_at_in_batches() {
    let stage = Stage::new(vec![Ok("a=on b=on c=on d=on e=on")]);
    let asked = Mutex::new(Vec::new());
    let look = |ids: Vec<String>| {
        asked.lock().unwrap().push(ids.len());
        async move { Ok(ids.into_iter().map(|id| Lamp { id, state: "on".into() }).collect()) }.boxed()
    };
    for (most, batches) in [(2, vec![2, 2, 1]), (0, vec![1; 5]), (100, vec![5])] {
        let ids = ["a", "b", "c", "d", "e"];
        Wait::new(&stage.config, LAMPS.most_ids(most), ids, look, on()).await.unwrap();
        assert_eq!(std::mem::take(&mut *asked.lock().unwrap()), batches);
    }
}
