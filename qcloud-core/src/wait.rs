//! Waiters: polling until something is in the state that is awaited.

use std::fmt;
use std::future::IntoFuture;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::{Config, Error, ErrorKind, Result};

/// What a condition says of something at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as awaited.
    Met,
    /// It may still come to be.
    NotYet,
    /// It can't come to be any more; says why.
    Impossible(String),
}

/// What is awaited of a `T`. `None` means that the API does not list it (yet, or any more).
///
/// Closures from `Option<&T>` to [`Verdict`] or `bool` are conditions, and conditions combine:
///
/// ```
/// use qcloud_core::wait::{Condition, Verdict};
///
/// struct Lamp { on: bool, broken: bool }
///
/// fn is_on() -> impl Condition<Lamp> {
///     |lamp: Option<&Lamp>| match lamp {
///         Some(lamp) if lamp.broken => Verdict::Impossible("the lamp is broken".into()),
///         Some(lamp) if lamp.on => Verdict::Met,
///         _ => Verdict::NotYet,
///     }
/// }
///
/// let on_or_gone = is_on().or(|lamp: Option<&Lamp>| Verdict::from(lamp.is_none()));
/// assert_eq!(on_or_gone.check(None), Verdict::Met);
/// ```
pub trait Condition<T>: Send + Sync {
    /// Judges the item as it is now.
    fn check(&self, item: Option<&T>) -> Verdict;

    /// Met when both are; impossible when either is.
    fn and<C: Condition<T>>(self, other: C) -> And<Self, C>
    where
        Self: Sized,
    {
        And(self, other)
    }

    /// Met when either is; impossible when both are.
    fn or<C: Condition<T>>(self, other: C) -> Or<Self, C>
    where
        Self: Sized,
    {
        Or(self, other)
    }

    /// Met when this one is not.
    fn not(self) -> Not<Self>
    where
        Self: Sized,
    {
        Not(self)
    }
}

impl<T, F: Fn(Option<&T>) -> Verdict + Send + Sync> Condition<T> for F {
    fn check(&self, item: Option<&T>) -> Verdict {
        self(item)
    }
}

impl From<bool> for Verdict {
    fn from(met: bool) -> Self {
        if met { Self::Met } else { Self::NotYet }
    }
}

/// See [`Condition::and`].
#[derive(Clone, Copy, Debug)]
pub struct And<A, B>(A, B);

/// See [`Condition::or`].
#[derive(Clone, Copy, Debug)]
pub struct Or<A, B>(A, B);

/// See [`Condition::not`].
#[derive(Clone, Copy, Debug)]
pub struct Not<A>(A);

impl<T, A: Condition<T>, B: Condition<T>> Condition<T> for And<A, B> {
    fn check(&self, item: Option<&T>) -> Verdict {
        match (self.0.check(item), self.1.check(item)) {
            (Verdict::Impossible(why), _) | (_, Verdict::Impossible(why)) => Verdict::Impossible(why),
            (Verdict::Met, Verdict::Met) => Verdict::Met,
            _ => Verdict::NotYet,
        }
    }
}

impl<T, A: Condition<T>, B: Condition<T>> Condition<T> for Or<A, B> {
    fn check(&self, item: Option<&T>) -> Verdict {
        match (self.0.check(item), self.1.check(item)) {
            (Verdict::Met, _) | (_, Verdict::Met) => Verdict::Met,
            (Verdict::Impossible(one), Verdict::Impossible(other)) => {
                Verdict::Impossible(format!("{one}, and {other}"))
            }
            _ => Verdict::NotYet,
        }
    }
}

impl<T, A: Condition<T>> Condition<T> for Not<A> {
    fn check(&self, item: Option<&T>) -> Verdict {
        Verdict::from(self.0.check(item) != Verdict::Met)
    }
}

/// Met when the item's state is among `met`, and impossible when it is among `hopeless`. Not listed means not yet: what
/// has just been made may take a moment to show.
pub fn state_in<T: 'static, S: PartialEq + fmt::Display + Send + Sync + 'static>(
    state: fn(&T) -> &S,
    met: &'static [S],
    hopeless: &'static [S],
) -> impl Condition<T> {
    move |item: Option<&T>| match item.map(state) {
        Some(state) if met.contains(state) => Verdict::Met,
        Some(state) if hopeless.contains(state) => Verdict::Impossible(format!("it is {state}")),
        _ => Verdict::NotYet,
    }
}

/// Met when the item is no longer listed. Only for what has been listed before: right after its creation, something may
/// not be listed yet.
pub fn is_gone<T: 'static>() -> impl Condition<T> {
    |item: Option<&T>| Verdict::from(item.is_none())
}

/// What there is to know of a kind of thing to wait for it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Watch<T> {
    /// What the things are called, for messages: `instances`.
    pub what: &'static str,
    /// The id of one.
    pub id: fn(&T) -> &str,
    /// The state of one, for people.
    pub state: fn(&T) -> String,
    /// How many ids one look can ask for.
    pub most_ids: usize,
}

impl<T> Watch<T> {
    /// Things called `what`, looked at up to 100 at a time.
    #[must_use]
    pub const fn new(what: &'static str, id: fn(&T) -> &str, state: fn(&T) -> String) -> Self {
        Self { what, id, state, most_ids: 100 }
    }

    /// How many ids one look can ask for.
    #[must_use]
    pub const fn most_ids(mut self, ids: usize) -> Self {
        self.most_ids = if ids == 0 { 1 } else { ids };
        self
    }
}

/// How far a wait has come.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WaitProgress {
    /// How many items are as awaited.
    pub met: usize,
    /// How many items are waited for.
    pub total: usize,
    /// How often has been looked with success.
    pub polls: u32,
    /// Time since the wait began.
    pub elapsed: Duration,
    /// The items that are not yet as awaited, with their states, for people: `ins-1 (PENDING)`.
    pub pending: Vec<String>,
}

type Look<'c, T> = Box<dyn Fn(Vec<String>) -> BoxFuture<'c, Result<Vec<T>>> + Send + Sync + 'c>;

type Report<'c> = Box<dyn FnMut(&WaitProgress) + Send + 'c>;

/// A wait for things with ids. Await it: it gives the items, in the order of the ids, as they were when each met the
/// condition; those that met it by being gone are left out. An id that is given twice counts once.
///
/// It looks at once, then again and again with growing, jittered pauses. Looking that fails in a passing way (no
/// connection, throttled, an internal error) counts as not having looked. It ends with
/// - [`ErrorKind::Wait`] when an item can't get there any more,
/// - [`ErrorKind::Timeout`] when time is up; the message names what is still pending, and in which state,
/// - the error of a look that failed for good.
#[must_use = "a wait does nothing until it is awaited"]
pub struct Wait<'c, T> {
    config: &'c Config,
    watch: Watch<T>,
    ids: Vec<String>,
    look: Look<'c, T>,
    condition: Box<dyn Condition<T> + 'c>,
    timeout: Duration,
    first_pause: Duration,
    longest_pause: Duration,
    on_poll: Option<Report<'c>>,
}

impl<'c, T: Send + 'c> Wait<'c, T> {
    /// A wait for the things with these ids. `look` gets ids and gives those things that exist. Waits 5 minutes with
    /// pauses of 1 to 10 s unless told otherwise.
    pub fn new<L>(
        config: &'c Config,
        watch: Watch<T>,
        ids: impl IntoIterator<Item = impl Into<String>>,
        look: L,
        condition: impl Condition<T> + 'c,
    ) -> Self
    where
        L: Fn(Vec<String>) -> BoxFuture<'c, Result<Vec<T>>> + Send + Sync + 'c,
    {
        Self {
            config,
            watch,
            ids: distinct(ids.into_iter().map(Into::into)),
            look: Box::new(look),
            condition: Box::new(condition),
            timeout: Duration::from_secs(300),
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(10),
            on_poll: None,
        }
    }

    /// How long to wait in all.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The pause after the first look, and the longest one; between them each is half as long again as the one before.
    pub fn with_pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.first_pause = first;
        self.longest_pause = longest.max(first);
        self
    }

    /// Calls this after each look, for a progress line.
    pub fn on_poll(mut self, report: impl FnMut(&WaitProgress) + Send + 'c) -> Self {
        self.on_poll = Some(Box::new(report));
        self
    }

    async fn run(mut self) -> Result<Vec<T>> {
        let Watch { what, id: id_of, state: state_of, .. } = self.watch;
        let clock = &*self.config.0.clock;
        let started = clock.elapsed();
        let deadline = started.saturating_add(self.timeout);
        let mut done: Vec<Option<T>> = self.ids.iter().map(|_| None).collect();
        let mut pending: Vec<(usize, String, String)> = self
            .ids
            .iter()
            .enumerate()
            .map(|(index, id)| (index, id.clone(), "not looked at yet".to_owned()))
            .collect();
        let mut pause = self.first_pause;
        let mut polls = 0;
        let mut trouble: Option<Error> = None;
        while !pending.is_empty() {
            let ids = pending.iter().map(|(_, id, _)| id.clone()).collect();
            let left = deadline.saturating_sub(clock.elapsed());
            let looked = crate::clock::within(clock, left, look_at(&self.look, self.watch.most_ids, ids)).await;
            match looked {
                Some(Ok(mut found)) => {
                    polls += 1;
                    trouble = None;
                    let mut still = Vec::new();
                    for (index, id, _) in pending {
                        let place = found.iter().position(|item| id_of(item) == id);
                        let item = place.map(|place| found.swap_remove(place));
                        match self.condition.check(item.as_ref()) {
                            Verdict::Met => {
                                if let Some(slot) = done.get_mut(index) {
                                    *slot = item;
                                }
                            }
                            Verdict::NotYet => {
                                let state = item.as_ref().map_or_else(|| "not listed".to_owned(), state_of);
                                still.push((index, id, state));
                            }
                            Verdict::Impossible(why) => {
                                let message = format!("waiting for {what} is in vain: {id}: {why}");
                                return Err(Error::new(ErrorKind::Wait, message));
                            }
                        }
                    }
                    pending = still;
                }
                Some(Err(error)) if error.is_retryable() => {
                    tracing::debug!(%error, "a look at what is waited for failed; looking again");
                    trouble = Some(error);
                }
                Some(Err(error)) => return Err(error),
                None => {}
            }
            let elapsed = clock.elapsed().saturating_sub(started);
            if let Some(report) = &mut self.on_poll {
                report(&WaitProgress {
                    met: self.ids.len() - pending.len(),
                    total: self.ids.len(),
                    polls,
                    elapsed,
                    pending: pending.iter().map(|(_, id, state)| format!("{id} ({state})")).collect(),
                });
            }
            if pending.is_empty() {
                break;
            }
            // Between half the pause and all of it, so that many waiters do not look in step.
            let nap = (pause / 2).saturating_add(self.config.jitter(pause / 2));
            if elapsed.saturating_add(nap) >= self.timeout {
                return Err(out_of_time(what, self.timeout, &pending, trouble));
            }
            clock.sleep(nap).await;
            pause = pause.saturating_add(pause / 2).min(self.longest_pause);
        }
        Ok(done.into_iter().flatten().collect())
    }
}

/// Each id once: the same thing named twice is still one thing.
fn distinct(ids: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    ids.filter(|id| seen.insert(id.clone())).collect()
}

/// Looks at all of these ids, as many at a time as one look can ask for.
async fn look_at<'c, T>(look: &Look<'c, T>, most_ids: usize, ids: Vec<String>) -> Result<Vec<T>> {
    let mut found = Vec::with_capacity(ids.len());
    for batch in ids.chunks(most_ids.max(1)) {
        found.extend(look(batch.to_vec()).await?);
    }
    Ok(found)
}

fn out_of_time(what: &str, timeout: Duration, pending: &[(usize, String, String)], trouble: Option<Error>) -> Error {
    const SHOWN: usize = 5;
    let mut list: Vec<String> = pending.iter().take(SHOWN).map(|(_, id, state)| format!("{id} ({state})")).collect();
    if pending.len() > SHOWN {
        list.push(format!("{} more", pending.len() - SHOWN));
    }
    let mut message = format!("{what} not as awaited within {timeout:?}: {}", list.join(", "));
    if let Some(error) = &trouble {
        message.push_str(&format!("; the last look failed: {error}"));
    }
    let error = Error::new(ErrorKind::Timeout, message);
    match trouble {
        Some(trouble) => error.with_source(trouble),
        None => error,
    }
}

impl<'c, T: Send + 'c> IntoFuture for Wait<'c, T> {
    type Output = Result<Vec<T>>;
    type IntoFuture = BoxFuture<'c, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}

impl<T> fmt::Debug for Wait<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").field("what", &self.watch.what).field("ids", &self.ids).finish_non_exhaustive()
    }
}
