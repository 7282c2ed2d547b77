//! Watches.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::body::Lost;
use crate::fault::Fault;
use crate::kinds::Kind;
use crate::list::{Format, in_namespace};
use crate::path::Call;
use crate::refusal::{Cause, Refusal};
use crate::select::Selector;
use crate::server::Inner;
use crate::state::State;
use crate::store::{Act, Change, Object};

/// How often a watch that asked for bookmarks gets one.
const BOOKMARK: Duration = Duration::from_secs(60);
/// How long before its end a watch gets the last bookmark.
const LAST_BOOKMARK: Duration = Duration::from_secs(2);
/// How many events may wait for a client.
const WAITING: usize = 64;

/// How running watches are told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As a server that shuts down.
    Clean,
    /// As a broken connection.
    Broken,
}

/// A watch that was let in.
pub(crate) struct Watch {
    server: Arc<Inner>,
    kind: Arc<Kind>,
    call: Call,
    selector: Selector,
    format: Format,
    bookmarks: bool,
    /// What was told up to.
    revision: u64,
    /// The objects that were there at the beginning, for watches that want them.
    initial: Vec<Arc<Object>>,
    /// Whether the end of those is marked.
    marks_initial: bool,
    until: Instant,
    moved: watch::Receiver<u64>,
    ends: watch::Receiver<Option<End>>,
    fault: Option<Fault>,
}

/// Opens a watch. One that wants to resume from what is forgotten opens as well, and is told so by an event.
pub(crate) fn open(
    server: &Arc<Inner>,
    state: &mut State,
    kind: &Arc<Kind>,
    call: &Call,
    format: Format,
    fault: Option<Fault>,
) -> Result<mpsc::Receiver<Result<Bytes, Lost>>, Refusal> {
    let selector = Selector::parse(kind, call.query.get("labelSelector"), call.query.get("fieldSelector"))?;
    check_options(call)?;
    let wants_initial = call.query.flag("sendInitialEvents");
    let wanted = call.query.number("resourceVersion")?.unwrap_or_default();
    let timeout = match call.query.number("timeoutSeconds")?.filter(|seconds| *seconds > 0) {
        Some(seconds) => seconds,
        None => 1800 + state.random.u64(..1800),
    };
    let (out, frames) = mpsc::channel(WAITING);
    let current = state.store.revision();
    let table = state.store.of(kind).ok_or_else(Refusal::no_such_path)?;
    if wants_initial && wanted > current {
        return Err(crate::state::too_large(wanted, current));
    }
    let from_now = wants_initial || wanted == 0;
    if matches!(fault, Some(Fault::WatchExpired)) || (!from_now && wanted < table.forgotten()) {
        let oldest = table.forgotten() + 1;
        let status = Refusal::expired(format!("too old resource version: {wanted} ({oldest})"));
        let _ = out.try_send(Ok(line("ERROR", &status.object().to_string())));
        return Ok(frames);
    }
    // Without a version, a watch begins with what is there; with `sendInitialEvents=false`, it does not.
    let sends_initial = wants_initial || (from_now && call.query.get("sendInitialEvents").is_none());
    let initial = if sends_initial {
        let objects =
            table.objects().iter().filter(|(key, object)| in_namespace(call, key) && selector.selects(object.value()));
        objects.map(|(_, object)| Arc::clone(object)).collect()
    } else {
        Vec::new()
    };
    let bookmarks = call.query.flag("allowWatchBookmarks");
    let watch = Watch {
        server: Arc::clone(server),
        kind: Arc::clone(kind),
        call: call.clone(),
        selector,
        format,
        bookmarks,
        revision: if from_now { current } else { wanted },
        initial,
        marks_initial: wants_initial && bookmarks,
        until: Instant::now() + Duration::from_secs(timeout),
        moved: table.subscribe(),
        ends: server.ends(),
        fault,
    };
    tokio::spawn(watch.run(out));
    Ok(frames)
}

fn check_options(call: &Call) -> Result<(), Refusal> {
    let matching = call.query.get("resourceVersionMatch");
    let wrong = match (call.query.get("sendInitialEvents"), matching) {
        (Some(_), Some("NotOlderThan")) | (None, None) => return Ok(()),
        (Some(_), _) => Cause::forbidden(
            "resourceVersionMatch",
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
        (None, Some(_)) => Cause::forbidden(
            "resourceVersionMatch",
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ),
    };
    Err(Refusal::invalid_kind("meta.k8s.io", "ListOptions", "", &[wrong]))
}

fn line(kind: &str, object: &str) -> Bytes {
    format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n").into()
}

type Out = mpsc::Sender<Result<Bytes, Lost>>;

impl Watch {
    async fn run(mut self, out: Out) {
        match self.fault {
            Some(Fault::WatchEnd) => return,
            Some(Fault::Stall | Fault::BodyStall) => return out.closed().await,
            _ => {}
        }
        // Sending waits for the client, so the end is looked for beside it.
        let mut ends = self.ends.clone();
        let until = self.until;
        let end = tokio::select! {
            () = self.tell(&out) => return,
            () = tokio::time::sleep_until(until) => End::Clean,
            end = next_end(&mut ends) => end,
        };
        if end == End::Broken {
            let _ = out.send(Err(Lost::Watch)).await;
        }
    }

    /// Tells of everything until the client is gone, or can't be told any more.
    async fn tell(&mut self, out: &Out) {
        let mut left = match self.fault {
            Some(Fault::WatchCut { after }) => Some(after),
            _ => None,
        };
        let mut lines = std::mem::take(&mut self.initial)
            .into_iter()
            .map(|object| line("ADDED", &String::from_utf8_lossy(&self.format.show(&object))))
            .collect::<Vec<_>>();
        if self.marks_initial {
            lines.push(self.bookmark(true));
        }
        // What happened between the version to resume from and now.
        let Some(missed) = self.events() else { return };
        lines.extend(missed);
        let mut bookmark_at = self.next_bookmark();
        loop {
            for line in lines.drain(..) {
                if left == Some(0) {
                    let half = line.slice(..line.len() / 2);
                    let _ = out.send(Ok(half)).await;
                    let _ = out.send(Err(Lost::Watch)).await;
                    return;
                }
                left = left.map(|left| left - 1);
                if out.send(Ok(line)).await.is_err() {
                    return;
                }
            }
            let mut bookmark_due = false;
            tokio::select! {
                moved = self.moved.changed() => if moved.is_err() { return },
                () = tokio::time::sleep_until(bookmark_at), if self.bookmarks => bookmark_due = true,
                () = out.closed() => return,
            }
            // Of a client that is so slow that its next event is forgotten, the connection is closed.
            let Some(events) = self.events() else { return };
            lines = events;
            if bookmark_due {
                bookmark_at = self.next_bookmark();
                lines.push(self.bookmark(false));
            }
        }
    }

    fn next_bookmark(&self) -> Instant {
        let last = self.until - LAST_BOOKMARK;
        let regular = Instant::now() + BOOKMARK;
        if Instant::now() < last { regular.min(last) } else { regular }
    }

    /// What happened since the last look.
    fn events(&mut self) -> Option<Vec<Bytes>> {
        let state = self.server.state();
        let table = state.store.of(&self.kind)?;
        let lines = table.since(self.revision)?.filter_map(|change| self.event(change)).collect();
        self.revision = self.revision.max(state.store.revision());
        Some(lines)
    }

    /// How this watch sees a change: an object that comes into the selection is new, one that leaves it is gone.
    fn event(&self, change: &Change) -> Option<Bytes> {
        if !in_namespace(&self.call, &change.key) {
            return None;
        }
        let was = change.before.as_ref().filter(|before| self.selector.selects(before.value()));
        let is = change.act != Act::Deleted && self.selector.selects(change.object.value());
        let shown = |object: &Object| String::from_utf8_lossy(&self.format.show(object)).into_owned();
        match (was, is) {
            (None, false) => None,
            (None, true) => Some(line("ADDED", &shown(&change.object))),
            (Some(_), true) => Some(line("MODIFIED", &shown(&change.object))),
            (Some(_), false) if change.act == Act::Deleted => Some(line("DELETED", &shown(&change.object))),
            (Some(before), false) => {
                let last = Object::new(before.value().clone(), change.revision());
                Some(line("DELETED", &shown(&last)))
            }
        }
    }

    fn bookmark(&self, ends_initial: bool) -> Bytes {
        let mut metadata = json!({ "resourceVersion": self.revision.to_string(), "creationTimestamp": null });
        if ends_initial && let Some(fields) = metadata.as_object_mut() {
            fields.insert("annotations".to_owned(), json!({ "k8s.io/initial-events-end": "true" }));
        }
        let object: Value =
            json!({ "kind": self.kind.kind, "apiVersion": self.kind.api_version(), "metadata": metadata });
        line("BOOKMARK", &object.to_string())
    }
}

/// Waits until running watches are told to stop.
async fn next_end(ends: &mut watch::Receiver<Option<End>>) -> End {
    loop {
        if ends.changed().await.is_err() {
            return End::Clean;
        }
        if let Some(end) = *ends.borrow_and_update() {
            return end;
        }
    }
}
