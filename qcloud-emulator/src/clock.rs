//! The emulator's clock, and the moments that it hands out.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, FixedOffset, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// The last moment the emulator knows: the end of the year 9999, so that every time prints as a date.
const LAST: i64 = 253_402_300_799_000;
/// How far UTC+8 is ahead of UTC, in milliseconds.
const BEIJING_AHEAD: i64 = 8 * 3600 * 1000;

/// What the emulator takes for the time.
///
/// Every state machine (an instance that boots, a disk that is being attached) is computed from this clock when a
/// request comes in; nothing runs in the background. With a [virtual](Clock::starting_at) clock a test decides when
/// time passes and never sleeps. Clones share the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// `None` follows the machine's clock; otherwise a moment that stands still, in milliseconds.
    standing_at: Option<i64>,
    /// What [`Clock::advance`] added so far, in milliseconds.
    ahead: AtomicI64,
    /// Wakes those who wait for a moment.
    moved: Notify,
}

impl Clock {
    /// The machine's clock. It can be put forward with [`advance`](Clock::advance) all the same.
    pub fn real() -> Self {
        Self::new(None)
    }

    /// A clock that stands at `start` until [`advance`](Clock::advance) moves it.
    pub fn starting_at(start: SystemTime) -> Self {
        Self::new(Some(Time::from_system(start).0))
    }

    fn new(standing_at: Option<i64>) -> Self {
        Self { inner: Arc::new(Inner { standing_at, ahead: AtomicI64::new(0), moved: Notify::new() }) }
    }

    /// A clock that stands at the machine's present time until [`advance`](Clock::advance) moves it.
    pub fn starting_now() -> Self {
        Self::starting_at(SystemTime::now())
    }

    /// Moves the clock forward. Transitions that fall due are seen by the next request.
    pub fn advance(&self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap_or(LAST);
        // Never fails: the closure always returns a value.
        let _ = self
            .inner
            .ahead
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |ahead| Some(ahead.saturating_add(by).min(LAST)));
        self.inner.moved.notify_waiters();
    }

    /// The present time.
    pub fn now(&self) -> SystemTime {
        self.time().to_system()
    }

    /// Resolves when the clock shows this moment, or a later one.
    pub(crate) async fn reached(&self, at: Time) {
        loop {
            let moved = self.inner.moved.notified();
            let now = self.time();
            if now >= at {
                return;
            }
            match self.inner.standing_at {
                Some(_) => moved.await,
                None => {
                    let _ = tokio::time::timeout(at.distance(now), moved).await;
                }
            }
        }
    }

    pub(crate) fn time(&self) -> Time {
        Time(self.base().saturating_add(self.inner.ahead.load(Ordering::SeqCst)).clamp(0, LAST))
    }

    /// How far it was put forward, in milliseconds.
    pub(crate) fn ahead(&self) -> i64 {
        self.inner.ahead.load(Ordering::SeqCst)
    }

    /// Goes on from a saved time. A clock that stands shows it exactly; one that follows the machine's is as far ahead as
    /// it was, or further when that would be earlier than the saved time.
    pub(crate) fn resume(&self, now: Time, ahead: i64) {
        let least = now.0.saturating_sub(self.base());
        let ahead = if self.inner.standing_at.is_some() { least } else { ahead.max(least) };
        self.inner.ahead.store(ahead, Ordering::SeqCst);
        self.inner.moved.notify_waiters();
    }

    /// Whether it stands until it is moved.
    pub(crate) fn stands(&self) -> bool {
        self.inner.standing_at.is_some()
    }

    fn base(&self) -> i64 {
        self.inner.standing_at.unwrap_or_else(|| Time::from_system(SystemTime::now()).0)
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::real()
    }
}

/// A moment: milliseconds since 1970, from then to the year 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Time(i64);

impl Time {
    pub(crate) fn from_system(at: SystemTime) -> Self {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(LAST).min(LAST))
    }

    pub(crate) fn to_system(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(u64::try_from(self.0).unwrap_or_default())
    }

    /// From a UNIX time in seconds; whatever the number, the moment stays within the known range.
    pub(crate) fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000).clamp(0, LAST))
    }

    pub(crate) fn seconds(self) -> i64 {
        self.0 / 1000
    }

    pub(crate) fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(wait.as_millis()).unwrap_or(LAST)).min(LAST))
    }

    pub(crate) fn distance(self, other: Self) -> Duration {
        Duration::from_millis(self.0.abs_diff(other.0))
    }

    /// `2026-01-31T08:15:00Z`, as CVM and CBS write times.
    pub(crate) fn iso(self) -> String {
        self.utc().format("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// `2026-01-31 16:15:00` in UTC+8, as VPC, CLB and others write times.
    pub(crate) fn beijing(self) -> String {
        match FixedOffset::east_opt(8 * 3600) {
            Some(zone) => self.utc().with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string(),
            None => self.utc().format("%Y-%m-%d %H:%M:%S").to_string(),
        }
    }

    /// From `2026-01-31 16:15:00` in UTC+8.
    pub(crate) fn from_beijing(text: &str) -> Option<Self> {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok().map(Self::of_beijing_clock)
    }

    /// From `2026-01-31T08:15:00+00:00` and the other forms of ISO 8601 that name their time zone.
    pub(crate) fn from_iso(text: &str) -> Option<Self> {
        let at = DateTime::parse_from_rfc3339(text).ok()?;
        Some(Self(at.timestamp_millis().clamp(0, LAST)))
    }

    /// What a clock in UTC+8 shows: the clock that schedules go by.
    pub(crate) fn beijing_clock(self) -> NaiveDateTime {
        let ahead = chrono::TimeDelta::milliseconds(BEIJING_AHEAD);
        self.utc().naive_utc().checked_add_signed(ahead).unwrap_or_default()
    }

    /// When a clock in UTC+8 shows this.
    pub(crate) fn of_beijing_clock(shown: NaiveDateTime) -> Self {
        Self(shown.and_utc().timestamp_millis().saturating_sub(BEIJING_AHEAD).clamp(0, LAST))
    }

    /// `2026-01-31` in UTC, the date of a credential scope.
    pub(crate) fn date(self) -> String {
        self.utc().format("%Y-%m-%d").to_string()
    }

    /// The form of the HTTP `Date` header.
    pub(crate) fn http_date(self) -> String {
        self.utc().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    }

    /// Later by whole months, as prepaid periods are counted.
    pub(crate) fn months_later(self, months: u32) -> Self {
        let later = self.utc().checked_add_months(chrono::Months::new(months));
        later.map_or(Self(LAST), |later| Self(later.timestamp_millis().clamp(0, LAST)))
    }

    fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_clock_moves_only_when_told() {
        let clock = Clock::starting_at(UNIX_EPOCH + Duration::from_secs(1_551_113_065));
        let other = clock.clone();
        assert_eq!(clock.time().iso(), "2019-02-25T16:44:25Z");
        other.advance(Duration::from_secs(60));
        assert_eq!(clock.time().beijing(), "2019-02-26 00:45:25");
        assert_eq!(clock.time().http_date(), "Mon, 25 Feb 2019 16:45:25 GMT");
    }

    #[test]
    fn written_times_are_read_back() {
        let time = Time::from_seconds(1_551_113_065);
        assert_eq!(Time::from_beijing(&time.beijing()), Some(time));
        assert_eq!(Time::from_iso(&time.iso()), Some(time));
        assert_eq!(Time::from_iso("2019-02-26T00:44:25+08:00"), Some(time));
        assert_eq!(Time::of_beijing_clock(time.beijing_clock()), time);
        for text in ["", "soon", "2019-02-26", "2019-02-30 00:00:00"] {
            assert_eq!((Time::from_beijing(text), Time::from_iso(text)), (None, None), "{text}");
        }
    }

    #[test]
    fn no_distance_leaves_the_calendar() {
        let clock = Clock::starting_now();
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert_eq!(clock.time().date(), "9999-12-31");
        assert_eq!(clock.time().months_later(u32::MAX).date(), "9999-12-31");
        assert_eq!(Time::from_seconds(i64::MIN).date(), "1970-01-01");
    }
}
