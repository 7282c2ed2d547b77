//! The emulator inside the process: requests in, answers out, no sockets.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, DATE};
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::access;
use crate::api::Answer;
use crate::builder::Builder;
use crate::call::Call;
use crate::calls::{self, CallRecord, Calls};
use crate::clb::LoadBalancing;
use crate::clock::Clock;
use crate::credentials::Credential;
use crate::data_path::{self, ServingRoute};
use crate::error::ApiError;
use crate::exchange::{NoAnswer, NoAnswerKind, Outcome};
use crate::fault::{Effect, Fault};
use crate::faults::{Faults, Plan};
use crate::ids::RequestIds;
use crate::metadata;
use crate::page_shift;
use crate::request::Incoming;
use crate::settings::Settings;
use crate::sts::Session;
use crate::validate;
use crate::world::{Local, State, World};

/// A request that was dealt with.
#[derive(Debug)]
pub(crate) struct Handled {
    pub(crate) outcome: Outcome,
    pub(crate) executed: bool,
    request_id: String,
}

/// A QCloud inside the process. Clones share the same state.
///
/// [`exchange`](Emulator::exchange) answers requests directly, so that a test can plug it in as a transport;
/// [`Builder::start`] puts the same thing on a port of the loopback interface.
#[derive(Clone, Debug)]
pub struct Emulator {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// The knobs as they stand; the world has them too.
    settings: RwLock<Arc<Settings>>,
    region: String,
    /// What [`Emulator::reset`] goes back to.
    start: (Settings, Vec<Fault>),
    clock: Clock,
    calls: Calls,
    faults: Faults,
    request_ids: RequestIds,
    /// The first is the one that [`Emulator::secret_id`] shows.
    credentials: Vec<Credential>,
    world: Mutex<World>,
}

impl Emulator {
    /// Sets one up.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(settings: Settings, clock: Clock, credentials: Vec<Credential>, faults: Vec<Fault>) -> Self {
        let start = (settings.clone(), faults.clone());
        let settings = Arc::new(settings);
        let inner = Inner {
            start,
            clock,
            calls: Calls::keeping(settings.call_log),
            faults: Faults::new(settings.seed, faults),
            request_ids: RequestIds::new(settings.seed),
            credentials,
            world: Mutex::new(World::new(Arc::clone(&settings))),
            region: settings.region.clone(),
            settings: RwLock::new(settings),
        };
        Self { inner: Arc::new(inner) }
    }

    /// The clock. Advancing it lets instances boot and the like.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The log of the calls so far.
    pub fn calls(&self) -> &Calls {
        &self.inner.calls
    }

    /// The fault plan: what is to go wrong with calls.
    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    /// The id of a key pair that the emulator accepts.
    pub fn secret_id(&self) -> &str {
        self.inner.credentials.first().map(|credential| credential.secret_id.as_str()).unwrap_or_default()
    }

    /// The key that belongs to [`secret_id`](Emulator::secret_id).
    pub fn secret_key(&self) -> &str {
        self.inner.credentials.first().map(|credential| credential.secret_key.as_str()).unwrap_or_default()
    }

    /// The region that clients are advised to use. All others are there too.
    pub fn region(&self) -> &str {
        &self.inner.region
    }

    /// The load balancers of a region, seen from beside the API: their data path, and what tests do to them. For a
    /// region that there is not, nothing is reached.
    pub fn load_balancing(&self, region: impl Into<String>) -> LoadBalancing {
        LoadBalancing::new(self.clone(), region.into())
    }

    /// Looks into a region from beside the API, after everything has happened that is due; `None` when there is no such
    /// region.
    pub(crate) fn in_region<T>(&self, name: &str, look: impl FnOnce(&mut Local<'_>) -> T) -> Option<T> {
        let region = crate::zones::region(name)?;
        let mut world = self.world();
        let now = self.inner.clock.time();
        world.settle(now);
        Some(look(&mut world.local_at(region.name, now)))
    }

    /// Answers one request, with status 200 and the envelope of API 3.0 like the cloud, unless the
    /// [fault plan](Emulator::faults) has something else for it.
    ///
    /// The request needs what a request over the wire has: method, path and query, and the headers `Host`,
    /// `Content-Type`, `Authorization` and `X-TC-…`.
    ///
    /// # Errors
    ///
    /// When the fault plan leaves the request without an answer. That is told at once; how long to wait for nothing is
    /// the caller's business.
    pub async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoAnswer> {
        let Handled { outcome, executed, request_id } = self.outcome(&request);
        outcome.into_result(executed, request_id)
    }

    /// Like [`exchange`](Emulator::exchange), for callers who plan no such faults: where there would be no answer, theirs
    /// is empty and has status 504, or 502 for a connection that was cut.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.exchange(request).await.unwrap_or_else(|none| {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = match none.kind {
                NoAnswerKind::Cut => StatusCode::BAD_GATEWAY,
                NoAnswerKind::Timeout | NoAnswerKind::Hang => StatusCode::GATEWAY_TIMEOUT,
            };
            response
        })
    }

    /// What comes of a request.
    pub(crate) fn outcome(&self, request: &Request<Bytes>) -> Handled {
        let inner = &self.inner;
        let request_id = inner.request_ids.next();
        inner.clock.advance(self.settings().request_step);
        let mut record = CallRecord {
            time: inner.clock.now(),
            service: String::new(),
            action: String::new(),
            region: None,
            parameters: Value::Null,
            request_id: request_id.clone(),
            error: None,
            executed: false,
            fault: None,
        };
        if let Some(path) = metadata::path(request) {
            let answer = self.metadata(path.file, path.instance, record);
            return Handled { outcome: Outcome::Answer(answer), executed: true, request_id };
        }
        let answer = self.answer(request, &request_id, &mut record);
        let answer = match &record.fault {
            Some(Effect::Error { code, message }) => Err(ApiError::new(code.clone(), message.clone())),
            _ => answer,
        };
        if let Err(error) = &answer {
            record.error = Some(error.code.to_string());
        }
        tracing::debug!(
            service = record.service,
            action = record.action,
            error = record.error.as_deref(),
            fault = ?record.fault,
            request_id,
            "answered"
        );
        let answer = self.envelope(answer, request_id.clone());
        let outcome = Outcome::of(record.fault.as_ref(), answer, inner.clock.time());
        let executed = record.executed;
        inner.calls.record(record);
        Handled { outcome, executed, request_id }
    }

    fn answer(&self, request: &Request<Bytes>, request_id: &str, record: &mut CallRecord) -> Result<Answer, ApiError> {
        let inner = &self.inner;
        let settings = self.settings();
        record.action = crate::request::header(request.headers(), "x-tc-action").unwrap_or_default().to_owned();
        let incoming = Incoming::read(request)?;
        let (api, action, secret_id) = match incoming.unsigned_target()? {
            Some((api, action)) => (api, action, String::new()),
            None => {
                let authorization = incoming.authorization()?;
                let known = self.credentials(authorization.secret_id);
                authorization.verify(&incoming.signed(), &known, &inner.clock, &settings)?;
                let (api, action) = incoming.target(authorization.service)?;
                (api, action, authorization.secret_id.to_owned())
            }
        };
        record.service = api.service.to_owned();
        let region = incoming.region()?;
        record.region = region.map(str::to_owned);
        if let Some(strike) = inner.faults.strike(api.service, action, region) {
            let refusal = ApiError::struck(&strike.effect);
            record.fault = Some(strike.effect);
            if !strike.executed {
                return Err(refusal);
            }
        }
        access::check_permission(&settings, api.service, action)?;
        if settings.rate_limits.are_on() {
            let place = (api.service, action, region.unwrap_or_default());
            self.world().state.buckets.take(&settings.rate_limits, place, inner.clock.time())?;
        }
        let model = api.model()?;
        let (parameters, form) = incoming.parameters()?;
        let mut parameters = validate::request(model, action, parameters, form)?;
        record.parameters = calls::masked(&parameters);
        let shift = match record.fault {
            Some(Effect::PageShift(by)) => page_shift::shift(&mut parameters, by),
            _ => page_shift::shift(&mut parameters, settings.page_shift),
        };
        let Some(action) = api.action(action) else {
            let message = format!(
                "The emulator knows {action} of {} {} but has no behaviour for it yet.",
                api.service, api.version
            );
            return Err(ApiError::new("UnsupportedOperation", message));
        };
        let region = match region {
            Some(region) => region,
            None if action.anywhere => crate::zones::region(&inner.region).map_or("", |region| region.name),
            None => return Err(ApiError::missing("X-TC-Region")),
        };
        access::check_balance(&settings, api.service, action.name)?;
        let mut world = self.world();
        // Read under the lock, so that time does not run backwards from one call to the next.
        let now = inner.clock.time();
        world.settle(now);
        let unknown_filters = settings.unknown_filters;
        let request_id = request_id.to_owned();
        let call = Call { action: action.name, region, parameters, now, request_id, unknown_filters, secret_id };
        let answer = world.perform(api.service, action.run, &call)?;
        record.executed = true;
        drop(world);
        if shift == 0 && !settings.check_responses {
            return Ok(answer);
        }
        let mut answer = answer.value()?;
        page_shift::recount(&mut answer, shift);
        if settings.check_responses {
            validate::response(model, action.name, &answer).map_err(|fault| {
                ApiError::internal(format!("The emulator's answer does not fit the model: {fault}."))
            })?;
        }
        Ok(Answer::Given(answer))
    }

    /// Answers a request to the metadata server. It has no envelope.
    fn metadata(&self, path: &str, instance: Option<&str>, mut record: CallRecord) -> Response<Bytes> {
        let mut world = self.world();
        let now = self.inner.clock.time();
        world.settle(now);
        let answer = metadata::answer(&mut world, path, instance, now);
        drop(world);
        "metadata".clone_into(&mut record.service);
        path.clone_into(&mut record.action);
        record.error = answer.is_none().then(|| "404".to_owned());
        self.inner.calls.record(record);
        metadata::response(answer)
    }

    /// Chooses the instance whose point of view the metadata server takes at `/latest/meta-data/`, as
    /// [`Builder::metadata_instance`] does. With `None`, nothing is there. Whatever is chosen, every instance has its own
    /// server below `/instances/<id>`: `http://127.0.0.1:<port>/instances/ins-1a2b3c4d/latest/meta-data/uuid`.
    pub fn serve_metadata_of(&self, instance: Option<&str>) {
        self.world().state.metadata_instance = instance.map(str::to_owned);
    }

    /// The route that serves an address, seen from an instance or a subnet: one of the VPC itself, one of the subnet's
    /// route table, or one of a cluster route table. `None` when the address is not reached, or `from` is neither the id
    /// of an instance nor of a subnet. The longest prefix wins, as in the cloud.
    pub fn serving_route(&self, from: &str, address: Ipv4Addr) -> Option<ServingRoute> {
        self.present().state.regions.values().find_map(|region| data_path::serving_route(region, from, address))
    }

    /// Refuses a request of which nothing could be read.
    pub(crate) fn refuse(&self, code: &'static str, message: &str) -> Response<Bytes> {
        self.envelope(Err(ApiError::new(code, message)), self.inner.request_ids.next())
    }

    fn envelope(&self, answer: Result<Answer, ApiError>, request_id: String) -> Response<Bytes> {
        let mut body = String::from("{\"Response\":{");
        let members = match answer {
            Ok(Answer::Given(answer)) => answer.to_string(),
            Ok(Answer::Written(answer)) => answer,
            Err(error) => json!({"Error": {"Code": error.code, "Message": error.message}}).to_string(),
        };
        // Without the braces around it; what is left is empty for an action that gives nothing.
        let members = members.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
        body.reserve(members.len() + 64);
        body.push_str(members);
        if !members.is_empty() {
            body.push(',');
        }
        // The id has nothing in it that needs escaping.
        body.push_str("\"RequestId\":\"");
        body.push_str(&request_id);
        body.push_str("\"}}");
        let mut response = Response::new(Bytes::from(body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Ok(date) = HeaderValue::from_str(&self.inner.clock.time().http_date()) {
            response.headers_mut().insert(DATE, date);
        }
        response
    }

    /// The knobs as they stand.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.inner.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Turns knobs while the emulator runs: `change` is given a builder on which they stand as they are, and what it
    /// makes of them holds from the next call. Faults that it adds join the plan.
    ///
    /// ```
    /// # use qcloud_emulator::{Emulator, Quota};
    /// # let emulator = Emulator::builder().build()?;
    /// emulator.adjust(|knobs| knobs.quota(Quota::VpcsPerRegion, 1).sold_out_zone("ap-guangzhou-3"));
    /// # Ok::<(), qcloud_emulator::StartError>(())
    /// ```
    ///
    /// Address, clock, credentials, seed and region stay what they were at the start.
    pub fn adjust(&self, change: impl FnOnce(Builder) -> Builder) {
        let before = self.settings();
        let Builder { settings, faults, .. } = change(Builder::turned((*before).clone()));
        self.apply(settings);
        for fault in faults {
            self.inner.faults.add(fault);
        }
    }

    /// Makes these the knobs, apart from those that a running emulator keeps.
    pub(crate) fn apply(&self, mut settings: Settings) {
        let mut world = self.world();
        settings.seed = world.settings.seed;
        settings.region.clone_from(&self.inner.region);
        self.inner.calls.keep(settings.call_log);
        let before = Arc::clone(&world.settings);
        world.state.luck.renew(&before.task_failures, &settings.task_failures);
        let settings = Arc::new(settings);
        world.settings = Arc::clone(&settings);
        world.open_journal(true, self.inner.clock.time());
        *self.inner.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// How many requests there were.
    pub(crate) fn requests(&self) -> u64 {
        self.inner.request_ids.given()
    }

    /// Begins anew, with the knobs and the faults of the start, an empty cloud and an empty call log. Only the clock goes
    /// on from where it is.
    pub fn reset(&self) {
        let (settings, faults) = self.inner.start.clone();
        let plan = Faults::new(settings.seed, faults).save();
        let world = World::new(Arc::new(settings.clone())).state;
        self.replace(settings, world, plan, 0, |_| {});
        self.inner.calls.clear();
    }

    /// Puts another world in the place of this one, and other knobs and faults with it.
    pub(crate) fn replace(
        &self,
        mut settings: Settings,
        state: State,
        faults: Plan,
        requests: u64,
        set_clock: impl FnOnce(&Clock),
    ) {
        let inner = &self.inner;
        let mut world = self.world();
        settings.region.clone_from(&inner.region);
        inner.calls.keep(settings.call_log);
        let settings = Arc::new(settings);
        *world = World { state, settings: Arc::clone(&settings) };
        *inner.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        inner.faults.restore(faults);
        inner.request_ids.resume(requests);
        set_clock(&inner.clock);
        world.open_journal(true, inner.clock.time());
    }

    /// The credentials with this id: lasting ones, and one that STS or the metadata server gave.
    fn credentials(&self, secret_id: &str) -> Vec<Credential> {
        let lasting = self.inner.credentials.iter().filter(|credential| credential.secret_id == secret_id);
        let mut known: Vec<Credential> = lasting.cloned().collect();
        if known.is_empty() {
            known.extend(self.world().state.sts.get(secret_id).map(Session::credential));
        }
        known
    }

    /// The world as it is now, for questions that no request asks.
    pub(crate) fn present(&self) -> MutexGuard<'_, World> {
        let mut world = self.world();
        world.settle(self.inner.clock.time());
        world
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.inner.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
