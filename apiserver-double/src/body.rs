//! The bodies of answers: whole texts, and streams of watch events.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::mpsc;

/// The connection broke, as a fault wanted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Lost {
    /// The request was not carried out.
    #[error("the connection broke before the request was carried out, as a fault wanted it")]
    Before,
    /// The request was carried out, and its answer is lost.
    #[error("the connection broke after the request was carried out, as a fault wanted it")]
    After,
    /// A watch broke off.
    #[error("the connection of the watch broke, as the test wanted it")]
    Watch,
}

/// The body of an answer.
#[derive(Debug)]
pub struct ResponseBody(Content);

#[derive(Debug)]
enum Content {
    Whole(Option<Bytes>),
    /// Nothing comes after this.
    Stalled(Option<Bytes>),
    Stream(mpsc::Receiver<Result<Bytes, Lost>>),
}

impl ResponseBody {
    pub(crate) fn whole(text: Bytes) -> Self {
        Self(Content::Whole(Some(text)))
    }

    /// The same, but only the first half of it ever comes. A stream has no half.
    pub(crate) fn stalled(self) -> Self {
        match self.0 {
            Content::Whole(Some(text)) => Self(Content::Stalled(Some(text.slice(..text.len() / 2)))),
            other => Self(other),
        }
    }

    pub(crate) fn stream(frames: mpsc::Receiver<Result<Bytes, Lost>>) -> Self {
        Self(Content::Stream(frames))
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Lost;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Lost>>> {
        match &mut self.get_mut().0 {
            Content::Whole(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Content::Stalled(text) => match text.take() {
                Some(half) => Poll::Ready(Some(Ok(Frame::data(half)))),
                None => Poll::Pending,
            },
            Content::Stream(frames) => frames.poll_recv(context).map(|frame| frame.map(|frame| frame.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Content::Whole(None))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match &self.0 {
            Content::Whole(text) => {
                hyper::body::SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64))
            }
            Content::Stalled(_) | Content::Stream(_) => hyper::body::SizeHint::default(),
        }
    }
}
