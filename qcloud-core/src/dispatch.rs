//! Carrying a call out: attempts, signatures, waits. Nothing here is generic, so it is compiled once.

use std::borrow::Cow;
use std::sync::atomic::Ordering;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderValue, header};
use tracing::Instrument;

use crate::call::CallOptions;
use crate::clock::{Clock, within};
use crate::config::Config;
use crate::decode::{self, Answer};
use crate::interceptor::Attempt;
use crate::signing::SigningRequest;
use crate::transport::{HttpRequest, TransportError, TransportErrorKind};
use crate::{Effect, Endpoint, Error, ErrorKind, Region, Result, Service};

const CONTENT_TYPE: &str = "application/json";

/// A serialised call.
pub(crate) struct Outgoing {
    pub(crate) service: Service,
    pub(crate) action: Cow<'static, str>,
    pub(crate) effect: Effect,
    pub(crate) body: Bytes,
}

/// A successful answer, yet to be decoded.
pub(crate) struct Answered {
    pub(crate) service: &'static str,
    pub(crate) action: Cow<'static, str>,
    pub(crate) body: Bytes,
    pub(crate) attempts: u32,
}

/// Makes the call, with all its attempts.
pub(crate) fn dispatch(config: &Config, outgoing: Outgoing, options: CallOptions) -> BoxFuture<'_, Result<Answered>> {
    let region = options.region.clone().or_else(|| config.region().cloned());
    let span = tracing::debug_span!(
        "qcloud.call",
        service = outgoing.service.name,
        action = %outgoing.action,
        region = region.as_ref().map(Region::as_str),
    );
    let clock = &*config.0.clock;
    let started = clock.elapsed();
    let deadline = started.saturating_add(options.timeout.unwrap_or(config.0.timeouts.operation));
    let run = async move {
        let mut run = Run {
            config,
            outgoing,
            options,
            region,
            deadline,
            attempts: 0,
            endpoint: 0,
            cured: Cured::default(),
            put_right: false,
        };
        let result = run.run().await;
        crate::telemetry::call(
            run.outgoing.service.name,
            &run.outgoing.action,
            result.as_ref().err(),
            clock.elapsed().saturating_sub(started),
            run.attempts,
        );
        match result {
            Ok(body) => Ok(Answered {
                service: run.outgoing.service.name,
                action: run.outgoing.action,
                body,
                attempts: run.attempts,
            }),
            Err(error) => {
                let error =
                    error.with_action(run.outgoing.service.name, &run.outgoing.action).with_attempts(run.attempts);
                tracing::debug!(%error, "call failed");
                Err(error)
            }
        }
    };
    Box::pin(run.instrument(span))
}

/// What has been put right once already in this call, and is not tried twice.
#[derive(Default)]
struct Cured {
    clock: bool,
    token: bool,
}

struct Run<'c> {
    config: &'c Config,
    outgoing: Outgoing,
    options: CallOptions,
    region: Option<Region>,
    deadline: Duration,
    attempts: u32,
    endpoint: usize,
    cured: Cured,
    /// What the last attempt failed of has been put right.
    put_right: bool,
}

/// Whether to go on after a failed attempt.
enum Verdict {
    Now,
    After(Duration),
    Never,
}

impl Run<'_> {
    async fn run(&mut self) -> Result<Bytes> {
        if let Some(mistake) = self.options.mistake.take() {
            return Err(Error::new(ErrorKind::Config, mistake));
        }
        if let Some(region) = self.region.as_ref().filter(|region| !region.is_well_formed()) {
            let message = format!("`{region}` can't be a region; regions look like `ap-guangzhou`");
            return Err(Error::new(ErrorKind::Config, message));
        }
        let mut taken = None;
        let mut before: Option<Error> = None;
        let mut unsure = false;
        loop {
            let tried = self.attempts;
            let mut error = match self.attempt().await {
                Ok(body) => {
                    self.config.0.retry_bucket.give(taken);
                    return Ok(body);
                }
                Err(error) => error,
            };
            if let Some(before) = before.take_if(|_| self.attempts == tried && error.kind() == ErrorKind::Timeout) {
                // Time was up before another try began: what went wrong is what the one before says.
                error = before.with_hint(error.message());
            }
            let verdict = if self.attempts == tried { Verdict::Never } else { self.after(&error, &mut taken) };
            match verdict {
                Verdict::Now => {}
                Verdict::After(delay) => {
                    tracing::debug!(%error, attempt = self.attempts, ?delay, "attempt failed; trying again");
                    self.config.0.clock.sleep(delay).await;
                }
                // A write may have been executed by an earlier try, whatever the last one says.
                Verdict::Never if unsure && self.outgoing.effect != Effect::Read => return Err(error.with_doubt()),
                Verdict::Never => return Err(error),
            }
            unsure |= error.is_ambiguous();
            before = Some(error);
        }
    }

    fn remaining(&self) -> Duration {
        self.deadline.saturating_sub(self.config.0.clock.elapsed())
    }

    /// One try, from credentials to a sorted answer.
    async fn attempt(&mut self) -> Result<Bytes> {
        let shared = &*self.config.0;
        let clock = &*shared.clock;
        let credentials = match within(clock, self.remaining(), shared.credentials.get()).await {
            Some(credentials) => credentials?,
            None => return Err(self.out_of_time("while credentials were looked up")),
        };
        if let Some(limits) = &shared.limits {
            let asked = clock.elapsed();
            let turn = limits.acquire(self.outgoing.service.name, &self.outgoing.action, self.region.as_ref(), clock);
            if within(clock, self.remaining(), turn).await.is_none() {
                return Err(self.out_of_time("while it waited for its turn under the rate limit"));
            }
            let waited = clock.elapsed().saturating_sub(asked);
            crate::telemetry::limiter_wait(self.outgoing.service.name, &self.outgoing.action, waited);
            for interceptor in &shared.interceptors {
                interceptor.after_turn(self.outgoing.service.name, &self.outgoing.action, waited);
            }
        }
        let limit = self.remaining().min(shared.timeouts.attempt);
        if limit.is_zero() {
            return Err(self.out_of_time("before it was sent"));
        }
        let number = self.attempts + 1;
        let request = self.request(credentials.credentials(), credentials.generation(), number)?;
        self.attempts = number;
        let started = clock.elapsed();
        let answer = within(clock, limit, shared.transport.send(request)).await;
        let took = clock.elapsed().saturating_sub(started);
        let (result, date) = match answer {
            None => {
                let error = TransportError::new(TransportErrorKind::Timeout, format!("none within {limit:?}"));
                (Err(Error::from(error)), None)
            }
            Some(Err(error)) => (Err(Error::from(error)), None),
            Some(Ok(response)) => {
                let date = response.headers().get(header::DATE).cloned();
                match decode::classify(response, self.outgoing.service.name, &self.outgoing.action) {
                    Answer::Success(body) => (Ok(body), date),
                    Answer::Failure(error) => (Err(error), date),
                }
            }
        };
        let attempt = self.describe(number);
        for interceptor in &shared.interceptors {
            interceptor.after_attempt(&attempt, took, result.as_ref().err());
        }
        tracing::debug!(
            attempt = number,
            ?took,
            code = result.as_ref().err().and_then(Error::code),
            request_id = result.as_ref().err().and_then(Error::request_id),
            ok = result.is_ok(),
            "attempt"
        );
        crate::telemetry::attempt(self.outgoing.service.name, &self.outgoing.action, result.as_ref().err(), took);
        let result = result.map_err(|error| self.explain(error));
        if let Err(error) = &result {
            self.put_right = self.cure(error, date.as_ref(), credentials.generation());
        }
        result
    }

    fn describe(&self, number: u32) -> Attempt<'_> {
        Attempt {
            service: self.outgoing.service.name,
            action: &self.outgoing.action,
            effect: self.outgoing.effect,
            region: self.region.as_ref().map(Region::as_str),
            number,
        }
    }

    /// The error of a call whose time is up before a try could begin.
    fn out_of_time(&self, when: &str) -> Error {
        Error::new(ErrorKind::Timeout, format!("the call's time was up {when}"))
    }

    /// Adds to the API's message what it can't know.
    fn explain(&self, error: Error) -> Error {
        if self.region.is_none() && error.code() == Some("MissingParameter") {
            return error.with_hint(
                "no region is configured: set one with ConfigBuilder::region, Call::with_region or TENCENTCLOUD_REGION",
            );
        }
        if let Some(region) = self.region.as_ref().filter(|_| error.code() == Some("UnsupportedRegion")) {
            return error.with_hint(format!("the region sent was `{region}`"));
        }
        error
    }

    /// Puts right what can be, each once: the clock's skew, and credentials that have just ended. Says whether it did.
    fn cure(&mut self, error: &Error, date: Option<&HeaderValue>, generation: u64) -> bool {
        let shared = &*self.config.0;
        let code = error.code().unwrap_or_default();
        if crate::error::code::is_clock_skew(code) && !self.cured.clock {
            let date = date
                .and_then(|date| date.to_str().ok())
                .and_then(|date| chrono::DateTime::parse_from_rfc2822(date).ok());
            let Some(date) = date else { return false };
            let skew = date.timestamp() - unix_seconds(&*shared.clock);
            tracing::warn!(skew_seconds = skew, "this machine's clock is off; signing with the API's time");
            shared.clock_skew.store(skew, Ordering::Relaxed);
            self.cured.clock = true;
            return true;
        }
        if crate::error::code::is_expired_token(code) && !self.cured.token {
            shared.credentials.invalidate(generation);
            self.cured.token = true;
            return true;
        }
        false
    }

    /// What to do after a failed attempt.
    fn after(&mut self, error: &Error, taken: &mut Option<u32>) -> Verdict {
        let shared = &*self.config.0;
        if std::mem::take(&mut self.put_right) {
            return Verdict::Now;
        }
        let policy = self.options.retry.as_ref().unwrap_or(&shared.retry);
        if self.attempts >= policy.max_attempts || !policy.allows(self.outgoing.effect, error) {
            return Verdict::Never;
        }
        let delay = self.config.jitter(policy.ceiling(self.attempts - 1));
        if delay >= self.remaining() {
            return Verdict::Never;
        }
        let Some(cost) = shared.retry_bucket.take(error) else {
            tracing::warn!("too many retries are failing; not retrying until calls succeed again");
            return Verdict::Never;
        };
        *taken = Some(cost);
        if matches!(error.kind(), ErrorKind::Connect | ErrorKind::Timeout | ErrorKind::Transport | ErrorKind::Http) {
            self.endpoint = (self.endpoint + 1) % shared.endpoints.len().max(1);
        }
        Verdict::After(delay)
    }

    /// The signed request of one attempt. Each attempt is signed anew, for its own time.
    fn request(
        &self,
        credentials: &crate::credential::Credentials,
        generation: u64,
        number: u32,
    ) -> Result<HttpRequest> {
        let shared = &*self.config.0;
        let fallback = Endpoint::default();
        let endpoint = shared.endpoints.get(self.endpoint).unwrap_or(&fallback);
        let uri = endpoint.resolve(self.outgoing.service.name, self.region.as_ref())?;
        let host = uri.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
        let timestamp = unix_seconds(&*shared.clock) + shared.clock_skew.load(Ordering::Relaxed);

        let mut request = HttpRequest::new(self.outgoing.body.clone());
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.extend(self.options.headers.iter().map(|(name, value)| (name.clone(), value.clone())));
        for (name, value) in [
            (header::CONTENT_TYPE, CONTENT_TYPE),
            (header::HOST, &*host),
            (header::USER_AGENT, &*shared.user_agent),
            (header::HeaderName::from_static("x-tc-action"), &*self.outgoing.action),
            (header::HeaderName::from_static("x-tc-version"), self.outgoing.service.version),
            (
                header::HeaderName::from_static("x-tc-language"),
                self.options.language.unwrap_or(shared.language).header(),
            ),
        ] {
            headers.insert(name, header_value(value)?);
        }
        headers.insert("x-tc-timestamp", HeaderValue::from(timestamp));
        if let Some(region) = &self.region {
            headers.insert("x-tc-region", header_value(region.as_str())?);
        }
        if let Some(token) = credentials.token() {
            headers.insert("x-tc-token", sensitive(token.expose())?);
        }
        let attempt = self.describe(number);
        for interceptor in &shared.interceptors {
            interceptor.before_attempt(&attempt, &mut request);
        }
        let authorization = shared.signer.authorization(
            credentials.secret_id(),
            credentials.secret_key(),
            generation,
            &SigningRequest {
                method: "POST",
                path: "/",
                query: "",
                content_type: CONTENT_TYPE,
                host: &host,
                payload: &self.outgoing.body,
                service: self.outgoing.service.name,
                timestamp,
            },
        );
        request.headers_mut().insert(header::AUTHORIZATION, sensitive(&authorization)?);
        Ok(request)
    }
}

fn header_value(value: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(value)
        .map_err(|_| Error::new(ErrorKind::Config, format!("`{value}` can't be sent in a header")))
}

fn sensitive(value: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(value).map_err(|_| {
        Error::new(
            ErrorKind::Credentials,
            "the credentials hold characters that can't be sent; check for stray blanks or line ends",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn unix_seconds(clock: &dyn Clock) -> i64 {
    clock.now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
