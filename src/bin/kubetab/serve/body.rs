//! The body of an answer: bytes, or a stream of them that lasts as long as its client listens.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use futures::stream::LocalBoxStream;
use hyper::body::{Body, Bytes, Frame, SizeHint};

pub enum Content {
    /// Given out once.
    Bytes(Option<Bytes>),
    Stream(LocalBoxStream<'static, Bytes>),
}

impl Content {
    pub fn empty() -> Content {
        Content::Bytes(None)
    }

    pub fn new(bytes: impl Into<Bytes>) -> Content {
        let bytes = bytes.into();
        Content::Bytes(Some(bytes).filter(|b| !b.is_empty()))
    }

    pub fn stream(stream: impl Stream<Item = Bytes> + 'static) -> Content {
        Content::Stream(Box::pin(stream))
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Content::Bytes(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Content::Stream(stream) => stream
                .as_mut()
                .poll_next(cx)
                .map(|item| item.map(|b| Ok(Frame::data(b)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Content::Bytes(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Content::Bytes(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            Content::Stream(_) => SizeHint::default(),
        }
    }
}
