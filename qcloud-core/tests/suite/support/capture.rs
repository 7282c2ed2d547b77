//! A tracing subscriber that keeps every span and event, at every level, as text.

use std::fmt::{Debug, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, span};

#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) is_span: bool,
    pub(crate) level: Level,
    pub(crate) target: String,
    /// Name of the span, or message of the event.
    pub(crate) name: String,
    /// `field=value` for each field.
    pub(crate) fields: Vec<String>,
}

#[derive(Clone, Default)]
pub(crate) struct Capture {
    records: Arc<Mutex<Vec<Record>>>,
    ids: Arc<AtomicU64>,
}

impl Capture {
    /// Captures what this thread does until the guard is dropped.
    pub(crate) fn start() -> (Self, DefaultGuard) {
        // While there is only one subscriber, a thread without any can switch an event off for all. Two that stay keep
        // tracing from taking that shortcut.
        static STAY: LazyLock<[Dispatch; 2]> = LazyLock::new(|| [(); 2].map(|()| Dispatch::new(Capture::default())));
        LazyLock::force(&STAY);
        let capture = Self::default();
        let guard = tracing::subscriber::set_default(capture.clone());
        (capture, guard)
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap().clone()
    }

    /// What the crate itself recorded.
    pub(crate) fn own(&self) -> Vec<Record> {
        self.records().into_iter().filter(|record| record.target.starts_with("qcloud_core")).collect()
    }

    pub(crate) fn text(&self) -> String {
        format!("{:?}", self.records())
    }

    fn keep(&self, is_span: bool, metadata: &Metadata<'_>, fields: Fields) {
        let name = if is_span { metadata.name().to_owned() } else { fields.message };
        self.records.lock().unwrap().push(Record {
            is_span,
            level: *metadata.level(),
            target: metadata.target().to_owned(),
            name,
            fields: fields.others,
        });
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Vec<String>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            write!(self.message, "{value:?}").unwrap();
        } else {
            self.others.push(format!("{}={value:?}", field.name()));
        }
    }
}

impl Subscriber for Capture {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        self.keep(true, attributes.metadata(), fields);
        span::Id::from_u64(self.ids.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.keep(false, event.metadata(), fields);
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}
