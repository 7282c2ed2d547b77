//! What is noted while decoding: where the decoder is, and what it had to forgive.

use std::cell::{Cell, RefCell};

use super::Leniency;

pub(super) enum Segment {
    Key(String),
    Index(usize),
}

/// What is noted while decoding.
pub(super) struct Trace {
    pub(super) paths: bool,
    pub(super) strict: bool,
    path: RefCell<Vec<Segment>>,
    pub(super) leniencies: RefCell<Vec<Leniency>>,
    /// Depth of the envelope: the outermost object is ours, not the API's to get wrong.
    pub(super) depth: Cell<usize>,
}

impl Trace {
    fn new(paths: bool, strict: bool) -> Self {
        Self { paths, strict, path: RefCell::default(), leniencies: RefCell::default(), depth: Cell::new(0) }
    }

    /// Notes nothing.
    pub(super) fn off() -> Self {
        Self::new(false, false)
    }

    /// Notes where it is.
    pub(super) fn paths() -> Self {
        Self::new(true, false)
    }

    /// Notes where it is, and each leniency.
    #[cfg(any(test, feature = "testing"))]
    pub(super) fn strict() -> Self {
        Self::new(true, true)
    }

    /// Whether what is read is the envelope, or its content as a whole.
    pub(super) fn in_envelope(&self) -> bool {
        self.depth.get() <= 1
    }

    pub(super) fn enter(&self, segment: impl FnOnce() -> Segment) {
        if self.paths {
            self.path.borrow_mut().push(segment());
        }
    }

    pub(super) fn leave(&self) {
        if self.paths {
            self.path.borrow_mut().pop();
        }
    }

    pub(super) fn note(&self, what: &'static str) {
        if self.strict {
            self.leniencies.borrow_mut().push(Leniency { path: self.path(), what });
        }
    }

    /// How many leniencies there are so far.
    pub(super) fn count(&self) -> usize {
        self.leniencies.borrow().len()
    }

    /// Says of all leniencies after the first `known` that the value was missing altogether.
    pub(super) fn call_missing(&self, known: usize) {
        for leniency in self.leniencies.borrow_mut().iter_mut().skip(known) {
            leniency.what = "a value that should be there is missing";
        }
    }

    /// Where the decoder is, or was when it failed.
    pub(super) fn path(&self) -> String {
        let mut path = String::new();
        for segment in self.path.borrow().iter() {
            match segment {
                Segment::Key(key) if key == "Response" && path.is_empty() => {}
                Segment::Key(key) => {
                    if !path.is_empty() {
                        path.push('.');
                    }
                    path.push_str(key);
                }
                Segment::Index(index) => path.push_str(&format!("[{index}]")),
            }
        }
        path
    }

    #[cfg(any(test, feature = "testing"))]
    pub(super) fn leniencies(self) -> Vec<Leniency> {
        self.leniencies.into_inner()
    }
}
