//! Lists in pages.

/// Which page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PageRequest {
    /// Where to go on: the token of the page before.
    pub token: Option<String>,
    /// The most entries; as many as there are when 0.
    pub limit: usize,
}

impl PageRequest {
    /// The whole list.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// The first so many entries.
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self { token: None, limit }
    }

    /// The next so many entries.
    pub fn after(token: impl Into<String>, limit: usize) -> Self {
        Self { token: Some(token.into()), limit }
    }
}

/// A page of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The entries.
    pub items: Vec<T>,
    /// Where to go on; none after the last entry.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page with what follows it.
    #[must_use]
    pub fn new(items: Vec<T>, next: Option<String>) -> Self {
        Self { items, next }
    }
}
