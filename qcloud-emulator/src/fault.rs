//! What can be made to go wrong with calls.

use serde::{Deserialize, Serialize};

use crate::patterns;

/// Something that goes wrong with calls: with which, when, and what the caller gets.
///
/// ```
/// use qcloud_emulator::Fault;
///
/// // The second CreateLoadBalancer is carried out, but its answer never arrives.
/// let lost = Fault::timeout().after_execution().on("CreateLoadBalancer").nth(2);
/// // Every third read of CVM is refused as too much.
/// let busy = Fault::throttle().on("Describe*").of("cvm").every(3);
/// // One call in twenty breaks, the same ones under the same seed.
/// let weather = Fault::error("InternalError").probability(0.05);
/// # let _ = (lost, busy, weather);
/// ```
///
/// A fault counts the calls that it is for from the moment that it is added, those whose signature holds. Without more,
/// it is for every action and strikes every time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
#[must_use = "a fault does nothing until it is added"]
pub struct Fault {
    service: Option<String>,
    action: Option<String>,
    region: Option<String>,
    when: When,
    effect: Effect,
    executed: bool,
}

/// Which of the calls that a fault is for it strikes, or which tasks of a kind fail.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WhenForm", into = "WhenForm")]
#[non_exhaustive]
pub enum When {
    /// All of them.
    Always,
    /// The n-th, counted from 1.
    Nth(u64),
    /// Every n-th.
    Every(u64),
    /// The next so many.
    Next(u64),
    /// Each with this probability, between 0 and 1. Under the same seed, the same calls.
    Probability(f64),
}

/// What the caller gets.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// An error answer.
    Error {
        /// Its code.
        code: String,
        /// Its message.
        message: String,
    },
    /// `RequestLimitExceeded`. A throttled call is never carried out.
    Throttle,
    /// No answer: the connection stays open until the caller goes away, or until the emulator's clock has moved on by a
    /// minute; then it is closed.
    Timeout,
    /// No answer: the connection is closed.
    Cut,
    /// No answer: the connection stays open until the caller goes away.
    Hang,
    /// Status 200 and a body that is no JSON.
    NotJson,
    /// Status 502 and a page of HTML, as from a gateway in between.
    BadGateway,
    /// The true answer, cut off in the middle.
    TruncatedJson,
    /// The true answer, shorter than its `Content-Length` says.
    WrongLength,
    /// The list has changed between two pages: by so many items that an earlier page showed and that are gone (positive),
    /// or that have come in front (negative). Calls that ask for a first page are answered as always.
    PageShift(i64),
}

impl When {
    /// Whether the `seen`-th of them is one.
    pub(crate) fn hits(self, seen: u64, random: &mut fastrand::Rng) -> bool {
        match self {
            Self::Always => true,
            Self::Nth(n) => seen == n,
            Self::Every(n) => n > 0 && seen.is_multiple_of(n),
            Self::Next(count) => seen <= count,
            Self::Probability(probability) => random.f64() < probability,
        }
    }

    /// Refuses what means nothing.
    pub(crate) fn checked(self) -> Result<Self, String> {
        match self {
            Self::Nth(0) | Self::Every(0) => Err("`nth` and `every` count from 1".to_owned()),
            Self::Probability(p) if !(0.0..=1.0).contains(&p) => {
                Err(format!("`probability` is between 0 and 1, not {p}"))
            }
            when => Ok(when),
        }
    }
}

impl Effect {
    /// Whether the true answer is part of it, so that the call is carried out unless the fault says otherwise.
    fn needs_answer(&self) -> bool {
        matches!(self, Self::NotJson | Self::TruncatedJson | Self::WrongLength | Self::PageShift(_))
    }

    /// As files and the admin port call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Error { .. } => "error",
            Self::Throttle => "throttle",
            Self::Timeout => "timeout",
            Self::Cut => "cut",
            Self::Hang => "hang",
            Self::NotJson => "not-json",
            Self::BadGateway => "bad-gateway",
            Self::TruncatedJson => "truncated-json",
            Self::WrongLength => "wrong-length",
            Self::PageShift(_) => "page-shift",
        }
    }
}

/// [`When`] as files and the admin port write it beside tasks: `{ nth = 2 }`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum WhenForm {
    Always,
    Nth(u64),
    Every(u64),
    Next(u64),
    Probability(f64),
}

impl TryFrom<WhenForm> for When {
    type Error = String;

    fn try_from(form: WhenForm) -> Result<Self, String> {
        let when = match form {
            WhenForm::Always => Self::Always,
            WhenForm::Nth(n) => Self::Nth(n),
            WhenForm::Every(n) => Self::Every(n),
            WhenForm::Next(count) => Self::Next(count),
            WhenForm::Probability(probability) => Self::Probability(probability),
        };
        when.checked()
    }
}

impl From<When> for WhenForm {
    fn from(when: When) -> Self {
        match when {
            When::Always => Self::Always,
            When::Nth(n) => Self::Nth(n),
            When::Every(n) => Self::Every(n),
            When::Next(count) => Self::Next(count),
            When::Probability(probability) => Self::Probability(probability),
        }
    }
}

/// The names of the effects, for messages.
const EFFECTS: &str =
    "error, throttle, timeout, cut, hang, not-json, bad-gateway, truncated-json, wrong-length, page-shift";

impl Fault {
    /// A fault with this effect, of every action, every time.
    pub fn new(effect: Effect) -> Self {
        let executed = effect.needs_answer();
        Self { service: None, action: None, region: None, when: When::Always, effect, executed }
    }

    /// An error answer with this code.
    pub fn error(code: impl Into<String>) -> Self {
        let message = "The emulator was told to fail this call.".to_owned();
        Self::new(Effect::Error { code: code.into(), message })
    }

    /// [`Effect::Throttle`].
    pub fn throttle() -> Self {
        Self::new(Effect::Throttle)
    }

    /// [`Effect::Timeout`].
    pub fn timeout() -> Self {
        Self::new(Effect::Timeout)
    }

    /// [`Effect::Cut`].
    pub fn cut() -> Self {
        Self::new(Effect::Cut)
    }

    /// [`Effect::Hang`].
    pub fn hang() -> Self {
        Self::new(Effect::Hang)
    }

    /// [`Effect::PageShift`].
    pub fn page_shift(by: i64) -> Self {
        Self::new(Effect::PageShift(by))
    }

    /// Only calls of this action. A `*` at the end stands for any rest: `Describe*`.
    pub fn on(mut self, action: impl Into<String>) -> Self {
        self.action = Some(action.into());
        self
    }

    /// Only calls of this service, such as `cvm`.
    pub fn of(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// Only calls for this region.
    pub fn in_region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Which of the calls.
    pub fn when(mut self, when: When) -> Self {
        self.when = when;
        self
    }

    /// Only the first.
    pub fn once(self) -> Self {
        self.when(When::Nth(1))
    }

    /// Only the n-th, counted from 1.
    pub fn nth(self, n: u64) -> Self {
        self.when(When::Nth(n))
    }

    /// Every n-th.
    pub fn every(self, n: u64) -> Self {
        self.when(When::Every(n))
    }

    /// The next so many.
    pub fn next(self, count: u64) -> Self {
        self.when(When::Next(count))
    }

    /// Each with this probability, between 0 and 1.
    pub fn probability(self, probability: f64) -> Self {
        let probability = if probability.is_nan() { 0.0 } else { probability.clamp(0.0, 1.0) };
        self.when(When::Probability(probability))
    }

    /// The call is carried out before things go wrong.
    pub fn after_execution(mut self) -> Self {
        self.executed = true;
        self
    }

    /// The call is not carried out.
    pub fn before_execution(mut self) -> Self {
        self.executed = false;
        self
    }

    pub(crate) fn is_for(&self, service: &str, action: &str, region: Option<&str>) -> bool {
        self.service.as_deref().is_none_or(|wanted| wanted == service)
            && self.action.as_deref().is_none_or(|wanted| patterns::fits(wanted, action))
            && self.region.as_deref().is_none_or(|wanted| Some(wanted) == region)
    }

    /// Whether it strikes the call that is the `seen`-th of those that it is for.
    pub(crate) fn strikes(&self, seen: u64, random: &mut fastrand::Rng) -> bool {
        self.when.hits(seen, random)
    }

    pub(crate) fn strike(&self) -> Strike {
        let executed = match self.effect {
            Effect::Throttle => false,
            Effect::PageShift(_) => true,
            _ => self.executed,
        };
        Strike { effect: self.effect.clone(), executed }
    }
}

/// A fault that hit a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Strike {
    pub(crate) effect: Effect,
    pub(crate) executed: bool,
}

/// A fault as files and the admin port write it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Form {
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nth: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<f64>,
    effect: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    executed: Option<bool>,
}

impl TryFrom<Form> for Fault {
    type Error = String;

    fn try_from(form: Form) -> Result<Self, String> {
        let mut fault = match (form.effect.as_str(), form.code, form.by) {
            ("error", Some(code), None) => Self::error(code),
            ("error", None, _) => return Err("a fault with the effect `error` needs a `code`".to_owned()),
            ("page-shift", None, by) => Self::page_shift(by.unwrap_or(1)),
            (_, Some(_), _) => return Err("`code` goes with the effect `error` only".to_owned()),
            (_, _, Some(_)) => return Err("`by` goes with the effect `page-shift` only".to_owned()),
            ("throttle", ..) => Self::throttle(),
            ("timeout", ..) => Self::timeout(),
            ("cut", ..) => Self::cut(),
            ("hang", ..) => Self::hang(),
            ("not-json", ..) => Self::new(Effect::NotJson),
            ("bad-gateway", ..) => Self::new(Effect::BadGateway),
            ("truncated-json", ..) => Self::new(Effect::TruncatedJson),
            ("wrong-length", ..) => Self::new(Effect::WrongLength),
            (other, ..) => return Err(format!("a fault's `effect` is one of {EFFECTS}, not `{other}`")),
        };
        match (&mut fault.effect, form.message) {
            (Effect::Error { message, .. }, Some(given)) => *message = given,
            (_, Some(_)) => return Err("`message` goes with the effect `error` only".to_owned()),
            (_, None) => {}
        }
        if fault.effect == Effect::Throttle && form.executed == Some(true) {
            return Err("a throttled call is never executed".to_owned());
        }
        fault.executed = form.executed.unwrap_or(fault.executed);
        let when = [
            form.nth.map(When::Nth),
            form.every.map(When::Every),
            form.next.map(When::Next),
            form.probability.map(When::Probability),
        ];
        let mut when = when.into_iter().flatten();
        fault.when = when.next().unwrap_or(When::Always).checked()?;
        if when.next().is_some() {
            return Err("a fault has at most one of `nth`, `every`, `next` and `probability`".to_owned());
        }
        patterns::check(form.service.as_deref(), form.action.as_deref())?;
        Ok(Self { service: form.service, action: form.action, region: form.region, ..fault })
    }
}

impl From<Fault> for Form {
    fn from(fault: Fault) -> Self {
        let mut form = Self {
            service: fault.service,
            action: fault.action,
            region: fault.region,
            effect: fault.effect.name().to_owned(),
            executed: (fault.effect.needs_answer() != fault.executed).then_some(fault.executed),
            ..Self::default()
        };
        match fault.when {
            When::Always => {}
            When::Nth(n) => form.nth = Some(n),
            When::Every(n) => form.every = Some(n),
            When::Next(count) => form.next = Some(count),
            When::Probability(probability) => form.probability = Some(probability),
        }
        match fault.effect {
            Effect::Error { code, message } => (form.code, form.message) = (Some(code), Some(message)),
            Effect::PageShift(by) => form.by = Some(by),
            _ => {}
        }
        form
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_fault_is_written_and_read_back() {
        let faults = [
            Fault::error("InternalError").after_execution().on("CreateDisks").of("cbs").nth(2),
            Fault::throttle().on("Describe*").every(3),
            Fault::timeout().in_region("ap-guangzhou").probability(0.25),
            Fault::new(Effect::TruncatedJson).before_execution().next(4),
            Fault::page_shift(-2).on("DescribeInstances"),
        ];
        for fault in faults {
            let written = serde_json::to_value(&fault).unwrap();
            assert_eq!(serde_json::from_value::<Fault>(written.clone()).unwrap(), fault, "{written}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            (json!({"effect": "explode"}), "not `explode`"),
            (json!({"effect": "error"}), "needs a `code`"),
            (json!({"effect": "cut", "code": "X"}), "`code` goes with"),
            (json!({"effect": "cut", "message": "X"}), "`message` goes with"),
            (json!({"effect": "cut", "by": 1}), "`by` goes with"),
            (json!({"effect": "throttle", "executed": true}), "never executed"),
            (json!({"effect": "cut", "nth": 1, "next": 2}), "at most one"),
            (json!({"effect": "cut", "nth": 0}), "count from 1"),
            (json!({"effect": "cut", "probability": 1.5}), "between 0 and 1"),
            (json!({"effect": "cut", "action": "RunInstance"}), "no action `RunInstance`"),
            (json!({"effect": "cut", "when": "now"}), "unknown field `when`"),
        ];
        for (fault, part) in cases {
            let error = serde_json::from_value::<Fault>(fault.clone()).unwrap_err().to_string();
            assert!(error.contains(part), "{fault}: {error}");
        }
        let _: Value = serde_json::to_value(Fault::hang()).unwrap();
    }
}
