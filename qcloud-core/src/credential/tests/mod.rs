//! What the tests of the providers share: an environment, a transport and a clock without a machine behind them.

mod cache;
mod cache_concurrency;
mod profile;

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::future::BoxFuture;

use super::ProviderContext;
use crate::Endpoint;
use crate::clock::Clock;
use crate::environment::Environment;
use crate::transport::{HttpRequest, HttpResponse, Transport, TransportError, TransportErrorKind};

/// 2030-01-01, the moment at which every test clock starts.
pub(super) const START: u64 = 1_893_456_000;

pub(super) fn start_plus(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(START + seconds)
}

/// Variables and files; a file that is not there is not found.
#[derive(Debug, Default)]
pub(super) struct FakeEnvironment {
    variables: Mutex<HashMap<String, String>>,
    files: Mutex<HashMap<PathBuf, Result<String, io::ErrorKind>>>,
}

impl FakeEnvironment {
    pub(super) fn new(variables: &[(&str, &str)]) -> Arc<Self> {
        let environment = Arc::new(Self::default());
        for (name, value) in variables {
            environment.set(name, value);
        }
        environment
    }

    pub(super) fn set(&self, name: &str, value: &str) {
        self.variables.lock().unwrap().insert(name.to_owned(), value.to_owned());
    }

    pub(super) fn write(&self, path: &str, content: &str) {
        self.files.lock().unwrap().insert(path.into(), Ok(content.to_owned()));
    }

    pub(super) fn forbid(&self, path: &str) {
        self.files.lock().unwrap().insert(path.into(), Err(io::ErrorKind::PermissionDenied));
    }
}

impl Environment for FakeEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        self.variables.lock().unwrap().get(name).cloned()
    }

    fn read_file(&self, path: &Path) -> io::Result<String> {
        match self.files.lock().unwrap().get(path) {
            Some(Ok(content)) => Ok(content.clone()),
            Some(Err(kind)) => Err((*kind).into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// What a fake transport does with a request.
pub(super) enum Reply {
    Answer(u16, String),
    /// HTTP 200 with a `Date`.
    Dated(&'static str, String),
    Fail(TransportErrorKind),
    /// Never answers.
    Hang,
}

pub(super) fn json(body: impl Into<String>) -> Reply {
    Reply::Answer(200, body.into())
}

type Handler = Box<dyn Fn(&HttpRequest) -> Reply + Send + Sync>;

/// Answers by a function and keeps the requests.
pub(super) struct FakeTransport {
    handler: Handler,
    requests: Mutex<Vec<HttpRequest>>,
}

impl FakeTransport {
    pub(super) fn new(handler: impl Fn(&HttpRequest) -> Reply + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { handler: Box::new(handler), requests: Mutex::default() })
    }

    /// Gives these replies in turn.
    pub(super) fn script(replies: impl IntoIterator<Item = Reply>) -> Arc<Self> {
        let replies = Mutex::new(replies.into_iter().collect::<std::collections::VecDeque<_>>());
        Self::new(move |request| {
            replies.lock().unwrap().pop_front().unwrap_or_else(|| panic!("unexpected {}", request.uri()))
        })
    }

    /// For providers that must not send anything.
    pub(super) fn unused() -> Arc<Self> {
        Self::script([])
    }

    pub(super) fn requests(&self) -> Vec<HttpRequest> {
        self.requests.lock().unwrap().clone()
    }

    pub(super) fn urls(&self) -> Vec<String> {
        self.requests().iter().map(|request| request.uri().to_string()).collect()
    }
}

impl fmt::Debug for FakeTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeTransport")
    }
}

impl Transport for FakeTransport {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let reply = (self.handler)(&request);
            self.requests.lock().unwrap().push(request);
            match reply {
                Reply::Answer(status, body) => {
                    Ok(http::Response::builder().status(status).body(Bytes::from(body)).unwrap())
                }
                Reply::Dated(date, body) => {
                    Ok(http::Response::builder().header("Date", date).body(Bytes::from(body)).unwrap())
                }
                Reply::Fail(kind) => Err(TransportError::new(kind, "made to fail")),
                Reply::Hang => std::future::pending().await,
            }
        })
    }
}

#[derive(Debug)]
struct Hand {
    passed: Duration,
    sleepers: Vec<Waker>,
}

/// A clock that moves when told, or (`running`) jumps ahead whenever someone has nothing to do but sleep.
#[derive(Clone, Debug)]
pub(super) struct TestClock {
    hand: Arc<Mutex<Hand>>,
    running: bool,
}

impl TestClock {
    pub(super) fn still() -> Self {
        Self { hand: Arc::new(Mutex::new(Hand { passed: Duration::ZERO, sleepers: Vec::new() })), running: false }
    }

    pub(super) fn running() -> Self {
        Self { running: true, ..Self::still() }
    }

    pub(super) fn advance(&self, seconds: u64) {
        let mut hand = self.hand.lock().unwrap();
        hand.passed += Duration::from_secs(seconds);
        hand.sleepers.drain(..).for_each(Waker::wake);
    }
}

impl Clock for TestClock {
    fn now(&self) -> SystemTime {
        start_plus(0) + self.elapsed()
    }

    fn elapsed(&self) -> Duration {
        self.hand.lock().unwrap().passed
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let until = self.elapsed().saturating_add(duration);
        let Self { hand, running } = self.clone();
        Box::pin(poll_fn(move |context| {
            let mut hand = hand.lock().unwrap();
            if running {
                hand.passed = hand.passed.max(until);
            }
            if hand.passed >= until {
                return Poll::Ready(());
            }
            hand.sleepers.push(context.waker().clone());
            Poll::Pending
        }))
    }
}

/// A context whose clock runs, so that timeouts and pauses take no time.
pub(super) fn context(environment: &Arc<FakeEnvironment>, transport: &Arc<FakeTransport>) -> ProviderContext {
    ProviderContext {
        clock: Arc::new(TestClock::running()),
        environment: Arc::<FakeEnvironment>::clone(environment),
        transport: Arc::<FakeTransport>::clone(transport),
        sts: Endpoint::public(),
    }
}
