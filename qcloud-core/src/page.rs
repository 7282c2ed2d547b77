//! Pages: how long lists are read, page by page or item by item.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::{self, BoxStream, Stream, StreamExt, TryStreamExt};

use crate::{Call, Error, ErrorKind, Operation, Result};

/// A list is given up after this many pages: an API that never ends its list would otherwise hold a caller for ever.
const MOST_PAGES: u64 = if cfg!(test) { 50 } else { 100_000 };

/// A number that some services send as a number and others as a string.
pub trait PageNumber: Send {
    /// The value, if there is one.
    fn get(&self) -> Option<u64>;
    /// Sets the value.
    fn set(&mut self, value: u64);
}

macro_rules! integer_page_number {
    ($($integer:ty),*) => {$(
        impl PageNumber for $integer {
            fn get(&self) -> Option<u64> {
                u64::try_from(*self).ok()
            }
            fn set(&mut self, value: u64) {
                *self = <$integer>::try_from(value).unwrap_or(<$integer>::MAX);
            }
        }
    )*};
}
integer_page_number!(i64, u64);

impl PageNumber for String {
    fn get(&self) -> Option<u64> {
        self.parse().ok()
    }
    fn set(&mut self, value: u64) {
        *self = value.to_string();
    }
}

impl<T: PageNumber + Default> PageNumber for Option<T> {
    fn get(&self) -> Option<u64> {
        self.as_ref()?.get()
    }
    fn set(&mut self, value: u64) {
        self.get_or_insert_default().set(value);
    }
}

/// The part of a request that says which page is asked for.
#[non_exhaustive]
pub enum PageCursor<'a> {
    /// Items are skipped by number.
    Offset {
        /// How many items to skip.
        offset: &'a mut dyn PageNumber,
        /// How many items to return at most.
        limit: &'a mut dyn PageNumber,
    },
    /// Each page names the next one.
    Token {
        /// The token of the page, absent for the first.
        token: &'a mut Option<String>,
        /// How many items to return at most.
        limit: &'a mut dyn PageNumber,
    },
}

impl fmt::Debug for PageCursor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offset { offset, limit } => {
                f.debug_struct("Offset").field("offset", &offset.get()).field("limit", &limit.get()).finish()
            }
            Self::Token { token, limit } => {
                f.debug_struct("Token").field("token", token).field("limit", &limit.get()).finish()
            }
        }
    }
}

/// An operation that answers one page of a list. Generated for every action that pages.
pub trait Paginated: Operation + Clone {
    /// What the list holds.
    type Item: Send + 'static;

    /// The largest page that the API gives; asked for unless the request says otherwise.
    const LARGEST_PAGE: u64;

    /// The part of the request that says which page is asked for.
    fn cursor(&mut self) -> PageCursor<'_>;

    /// How many items this page has.
    fn count(output: &Self::Output) -> usize;

    /// How many items the whole list has, if the answer says so.
    fn total(output: &Self::Output) -> Option<u64>;

    /// The token of the next page, for lists that use tokens.
    fn next_token(_output: &Self::Output) -> Option<&str> {
        None
    }

    /// The items of the page.
    fn items(output: Self::Output) -> Vec<Self::Item>;
}

/// Where a page starts.
#[derive(Clone, Debug, PartialEq)]
enum Start {
    Offset(u64),
    Token(Option<String>),
}

/// What a page said about the walk through its list.
#[derive(Clone, Debug)]
struct Seen {
    start: Start,
    asked: u64,
    count: u64,
    total: Option<u64>,
    next_token: Option<String>,
}

impl Seen {
    /// Where to go on, or `None` at the end of the list.
    ///
    /// By offset, an empty page is the end. A full page goes on unless the total, as this very answer gives it, is
    /// reached; a short one goes on only if the total says that there is more (the API may cap pages below what was
    /// asked). A total smaller than what was seen is stale and is not believed. By token, the end is where no next page
    /// is named, however few items this one has: what it had may have been filtered away.
    fn next(&self) -> Result<Option<Start>> {
        match &self.start {
            Start::Offset(_) if self.count == 0 => Ok(None),
            Start::Offset(start) => {
                let end = start.saturating_add(self.count);
                let more = match self.total {
                    Some(total) if total >= end => total > end,
                    _ => self.count >= self.asked,
                };
                Ok(more.then_some(Start::Offset(end)))
            }
            Start::Token(token) => match &self.next_token {
                Some(next) if !next.is_empty() && token.as_ref() == Some(next) => Err(Error::new(
                    ErrorKind::Decode,
                    "the list names the page just read as its next one; giving up instead of looping",
                )),
                Some(next) if !next.is_empty() => Ok(Some(Start::Token(Some(next.clone())))),
                _ => Ok(None),
            },
        }
    }
}

/// Writes the page to ask for into the request; `None` means where the request itself starts.
fn turn_to<Op: Paginated>(request: &mut Op, start: Option<&Start>) -> (Start, u64) {
    match request.cursor() {
        PageCursor::Offset { offset, limit } => {
            let size = limit.get().filter(|size| *size > 0).unwrap_or(Op::LARGEST_PAGE);
            let from = match start {
                Some(Start::Offset(from)) => *from,
                _ => offset.get().unwrap_or(0),
            };
            limit.set(size);
            offset.set(from);
            (Start::Offset(from), size)
        }
        PageCursor::Token { token, limit } => {
            let size = limit.get().filter(|size| *size > 0).unwrap_or(Op::LARGEST_PAGE);
            limit.set(size);
            if let Some(Start::Token(next)) = start {
                token.clone_from(next);
            }
            (Start::Token(token.clone()), size)
        }
    }
}

async fn read_page<Op: Paginated>(call: &Call<'_, Op>, start: Option<&Start>) -> Result<(Op::Output, Seen)> {
    let mut call = call.clone();
    let (start, asked) = turn_to(call.operation_mut(), start);
    let output = call.await?;
    let seen = Seen {
        start,
        asked,
        count: Op::count(&output) as u64,
        total: Op::total(&output),
        next_token: Op::next_token(&output).map(str::to_owned),
    };
    Ok((output, seen))
}

/// Pages that are read ahead of the walk, in order.
type Ahead<'c, Op> = BoxStream<'c, Result<(<Op as Operation>::Output, Seen)>>;

/// How far through a list one is.
struct Walk<'c, Op: Paginated> {
    call: Call<'c, Op>,
    /// The page to read next; `None` where the request itself starts.
    at: Option<Start>,
    ended: bool,
    turned: u64,
    concurrency: usize,
    ahead: Option<Ahead<'c, Op>>,
}

impl<'c, Op: Paginated + 'c> Walk<'c, Op> {
    /// The next page, unless the list has ended.
    async fn turn(mut self) -> Result<Option<(Op::Output, Self)>> {
        if self.ended {
            return Ok(None);
        }
        if self.turned >= MOST_PAGES {
            return Err(Error::new(ErrorKind::Decode, format!("the list did not end within {MOST_PAGES} pages")));
        }
        let guessed = match &mut self.ahead {
            Some(ahead) => ahead.try_next().await?,
            None => None,
        };
        let (output, seen) = match guessed {
            Some(page) => page,
            None => read_page(&self.call, self.at.as_ref()).await?,
        };
        self.turned += 1;
        let next = seen.next()?;
        if self.turned == 1 && self.concurrency > 1 {
            self.ahead = self.guess(&seen, next.as_ref());
        } else if let Start::Offset(start) = &seen.start
            && next != Some(Start::Offset(start.saturating_add(seen.asked)))
        {
            // The list is not as it was announced (a page came short, say): from here each page is read in its turn.
            self.ahead = None;
        }
        self.ended = next.is_none();
        self.at = next;
        Ok(Some((output, self)))
    }

    /// Starts to read the pages after the first one, if that told how many there are. They are as large as the first
    /// one was, even if more was asked for, so that each begins where the one before ends.
    fn guess(&self, first: &Seen, next: Option<&Start>) -> Option<Ahead<'c, Op>> {
        let (Some(Start::Offset(start)), Some(total)) = (next, first.total) else { return None };
        let mut call = self.call.clone();
        if let PageCursor::Offset { limit, .. } = call.operation_mut().cursor() {
            limit.set(first.count);
        }
        let step = usize::try_from(first.count).ok()?.max(1);
        let pages = stream::iter((*start..total).step_by(step)).map(move |start| {
            let call = call.clone();
            async move { read_page(&call, Some(&Start::Offset(start))).await }
        });
        Some(pages.buffered(self.concurrency).boxed())
    }
}

/// Page after page, each asked for when the one before has been taken. With a `concurrency` above 1, once the first page
/// has told the total, so many are under way at once; they come in order all the same. Lists that use tokens can't be
/// read ahead.
pub(crate) fn pages<'c, Op>(call: Call<'c, Op>, concurrency: usize) -> BoxStream<'c, Result<Op::Output>>
where
    Op: Paginated + 'c,
{
    let start = Walk { call, at: None, ended: false, turned: 0, concurrency, ahead: None };
    stream::try_unfold(start, Walk::turn).boxed()
}

/// The items of a list, read page by page as they are taken: a [`Stream`] of `Result<Item>`.
///
/// Offset paging over a list that changes meanwhile can skip items or show them twice; a caller to whom that matters
/// sorts by creation where the action can, drops duplicates by id, and never takes one sweep's silence as proof that
/// something is gone.
pub struct Items<'c, Op: Paginated> {
    call: Option<Box<Call<'c, Op>>>,
    concurrency: usize,
    stream: Option<BoxStream<'c, Result<Op::Item>>>,
}

impl<'c, Op: Paginated + 'c> Items<'c, Op> {
    pub(crate) fn new(call: Call<'c, Op>) -> Self {
        Self { call: Some(Box::new(call)), concurrency: 1, stream: None }
    }

    /// Reads up to `pages` pages at once after the first one. The order of the items stays. Takes effect before the
    /// first item is taken.
    #[must_use]
    pub fn with_concurrency(mut self, pages: usize) -> Self {
        self.concurrency = pages.max(1);
        self
    }
}

impl<'c, Op: Paginated + 'c> Stream for Items<'c, Op> {
    type Item = Result<Op::Item>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(call) = this.call.take() {
            let pages = pages(*call, this.concurrency);
            let items = pages.map_ok(|page| stream::iter(Op::items(page).into_iter().map(Ok))).try_flatten();
            this.stream = Some(items.boxed());
        }
        match &mut this.stream {
            Some(stream) => stream.poll_next_unpin(cx),
            None => Poll::Ready(None),
        }
    }
}

impl<Op: Paginated> fmt::Debug for Items<'_, Op> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("started", &self.call.is_none()).field("concurrency", &self.concurrency).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seen(start: u64, asked: u64, count: u64, total: Option<u64>) -> Seen {
        Seen { start: Start::Offset(start), asked, count, total, next_token: None }
    }

    #[test]
    fn a_full_page_goes_on_until_its_total() {
        assert_eq!(seen(0, 100, 100, Some(250)).next().unwrap(), Some(Start::Offset(100)));
        assert_eq!(seen(200, 100, 50, Some(250)).next().unwrap(), None);
        assert_eq!(seen(100, 100, 100, Some(200)).next().unwrap(), None);
    }

    #[test]
    fn without_a_total_a_short_page_ends_the_list() {
        assert_eq!(seen(0, 100, 100, None).next().unwrap(), Some(Start::Offset(100)));
        assert_eq!(seen(100, 100, 99, None).next().unwrap(), None);
    }

    #[test]
    fn a_capped_page_goes_on_where_the_total_says_more() {
        assert_eq!(seen(0, 100, 20, Some(60)).next().unwrap(), Some(Start::Offset(20)));
    }

    #[test]
    fn a_total_smaller_than_what_was_seen_is_not_believed() {
        assert_eq!(seen(0, 100, 100, Some(0)).next().unwrap(), Some(Start::Offset(100)));
    }

    #[test]
    fn a_token_that_repeats_is_an_error_and_an_empty_one_the_end() {
        let page = |token: &str, next: &str| Seen {
            start: Start::Token(Some(token.into())),
            asked: 10,
            count: 10,
            total: None,
            next_token: Some(next.into()),
        };
        assert_eq!(page("a", "b").next().unwrap(), Some(Start::Token(Some("b".into()))));
        assert_eq!(page("a", "").next().unwrap(), None);
        assert!(page("a", "a").next().is_err());
    }

    /// A list whose every page is full, and which never ends.
    #[derive(Clone, serde::Serialize)]
    struct Endless;

    impl Operation for Endless {
        type Output = serde_json::Value;

        fn action(&self) -> crate::Action {
            crate::Action::new(crate::Service::new("lamp", "1"), "List", crate::Effect::Read)
        }
    }

    /// The request has no fields: the cursor leads nowhere.
    impl Paginated for Endless {
        type Item = ();
        const LARGEST_PAGE: u64 = 1;

        fn cursor(&mut self) -> PageCursor<'_> {
            PageCursor::Offset { offset: Box::leak(Box::new(0_u64)), limit: Box::leak(Box::new(0_u64)) }
        }

        fn count(_: &serde_json::Value) -> usize {
            1
        }

        fn total(_: &serde_json::Value) -> Option<u64> {
            None
        }

        fn items(_: serde_json::Value) -> Vec<()> {
            vec![()]
        }
    }

    #[derive(Debug)]
    struct Same;

    impl crate::transport::Transport for Same {
        fn send(
            &self,
            _: crate::transport::HttpRequest,
        ) -> futures_util::future::BoxFuture<'_, Result<crate::transport::HttpResponse, crate::transport::TransportError>>
        {
            Box::pin(async { Ok(crate::transport::HttpResponse::new(r#"{"Response":{}}"#.into())) })
        }
    }

    #[tokio::test]
    async fn a_list_that_never_ends_is_given_up() {
        let config = crate::Config::builder().static_credentials("AKID", "key").transport(Same).build().unwrap();
        let client = crate::Client::new(&config, crate::Service::new("lamp", "1"));
        for concurrency in [1, 4] {
            let items: Vec<_> = client.call(Endless).items().with_concurrency(concurrency).collect().await;
            assert_eq!(items.len() as u64, MOST_PAGES + 1);
            let error = items.last().unwrap().as_ref().unwrap_err();
            assert!(error.to_string().contains("did not end"), "{error}");
        }
    }

    proptest! {
        /// Whatever the size of the list, of the pages, and the API's cap, a walk sees each item once.
        #[test]
        fn a_walk_sees_every_item_once(total in 0_u64..500, asked in 1_u64..120, cap in 1_u64..120, tells in any::<bool>()) {
            let asked = if tells { asked } else { asked.min(cap) };
            let mut at = 0;
            let mut taken = 0;
            loop {
                let count = asked.min(cap).min(total - at);
                taken += count;
                match seen(at, asked, count, tells.then_some(total)).next().unwrap() {
                    Some(Start::Offset(next)) => at = next,
                    _ => break,
                }
            }
            prop_assert_eq!(taken, total);
        }
    }
}
