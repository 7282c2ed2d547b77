//! When a snapshot policy makes its snapshots.

use chrono::{Datelike, Days, NaiveDate, NaiveTime};
use serde::{Deserialize, Serialize};

use crate::clock::Time;
use crate::error::ApiError;

/// The hours of some days, on a clock in UTC+8: every so many days, or on certain days of the week or the month.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Schedule {
    hour: Vec<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    day_of_week: Vec<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    day_of_month: Vec<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interval_days: Option<u64>,
}

/// The longest time between two days of a schedule is less than this: a year's interval, and a leap day.
const LOOK_AHEAD: u64 = 800;

impl Schedule {
    pub(super) fn check(&self) -> Result<(), ApiError> {
        let fault = |message: &str| Err(ApiError::new("InvalidParameter", format!("`Policy`: {message}")));
        if self.hour.is_empty() || self.hour.iter().any(|hour| *hour > 23) {
            return fault("`Hour` needs hours from 0 to 23.");
        }
        if self.day_of_week.iter().any(|day| *day > 6) {
            return fault("`DayOfWeek` has days from 0, Sunday, to 6.");
        }
        if self.day_of_month.iter().any(|day| !(1..=31).contains(day)) {
            return fault("`DayOfMonth` has days from 1 to 31.");
        }
        if self.interval_days.is_some_and(|days| !(1..=365).contains(&days)) {
            return fault("`IntervalDays` is between 1 and 365.");
        }
        let kinds = [!self.day_of_week.is_empty(), !self.day_of_month.is_empty(), self.interval_days.is_some()];
        if kinds.iter().filter(|given| **given).count() != 1 {
            return fault("give exactly one of `DayOfWeek`, `DayOfMonth` and `IntervalDays`.");
        }
        Ok(())
    }

    /// The first moment of the schedule after `now`; intervals are counted from the day of `start`.
    pub(super) fn next(&self, start: Time, now: Time) -> Option<Time> {
        let first_day = start.beijing_clock().date();
        let today = now.beijing_clock().date();
        (0..LOOK_AHEAD).filter_map(|ahead| today.checked_add_days(Days::new(ahead))).find_map(|day| {
            let hours = self.hour.iter().filter(|_| self.has_day(first_day, day));
            let moments = hours.filter_map(|hour| NaiveTime::from_hms_opt(u32::try_from(*hour).ok()?, 0, 0));
            moments.map(|hour| Time::of_beijing_clock(day.and_time(hour))).filter(|at| *at > now).min()
        })
    }

    fn has_day(&self, first: NaiveDate, day: NaiveDate) -> bool {
        let interval = self.interval_days.and_then(|days| i64::try_from(days).ok());
        self.day_of_week.contains(&u64::from(day.weekday().num_days_from_sunday()))
            || self.day_of_month.contains(&u64::from(day.day()))
            || interval.is_some_and(|days| (day - first).num_days().checked_rem(days) == Some(0))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn next(schedule: serde_json::Value, now: &str) -> String {
        let schedule: Schedule = serde_json::from_value(schedule).unwrap();
        schedule.check().unwrap();
        let start = Time::from_beijing("2026-01-01 10:00:00").unwrap();
        schedule.next(start, Time::from_beijing(now).unwrap()).unwrap().beijing()
    }

    #[test]
    fn days_and_hours_are_those_of_a_clock_in_beijing() {
        // 2026-01-01 is a Thursday.
        let weekly = json!({"Hour": [20, 7], "DayOfWeek": [5, 6]});
        assert_eq!(next(weekly.clone(), "2026-01-01 10:00:00"), "2026-01-02 07:00:00");
        assert_eq!(next(weekly.clone(), "2026-01-02 07:00:00"), "2026-01-02 20:00:00");
        assert_eq!(next(weekly, "2026-01-03 20:00:00"), "2026-01-09 07:00:00");
        assert_eq!(next(json!({"Hour": [0], "DayOfWeek": [0]}), "2026-01-01 10:00:00"), "2026-01-04 00:00:00");
        // Months without the day are passed over.
        assert_eq!(next(json!({"Hour": [0], "DayOfMonth": [31]}), "2026-01-31 00:00:00"), "2026-03-31 00:00:00");
        let interval = json!({"Hour": [9], "IntervalDays": 5});
        assert_eq!(next(interval.clone(), "2026-01-01 10:00:00"), "2026-01-06 09:00:00");
        assert_eq!(next(interval, "2026-01-06 09:00:00"), "2026-01-11 09:00:00");
        assert_eq!(next(json!({"Hour": [9], "IntervalDays": 365}), "2026-01-01 09:00:00"), "2027-01-01 09:00:00");
    }

    #[test]
    fn at_the_end_of_time_there_is_no_next() {
        let schedule: Schedule = serde_json::from_value(json!({"Hour": [23], "IntervalDays": 1})).unwrap();
        let end = Time::from_seconds(i64::MAX);
        assert_eq!(schedule.next(end, end), None);
    }
}
