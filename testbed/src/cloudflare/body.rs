//! Bodies of answers, whole or broken.

use std::{
    collections::VecDeque,
    convert::identity,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

const FILLER: usize = 64 * 1024;

/// Frames, then filler, then the tail, and at the end either the end or a failure.
pub(super) struct Reply {
    head: VecDeque<Bytes>,
    filler: u64,
    tail: VecDeque<Bytes>,
    breaks: bool,
    length: Option<u64>,
}

impl Reply {
    /// A body of known length.
    pub(super) fn whole(body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let length = u64::try_from(body.len()).ok();
        Self { head: [body].into(), filler: 0, tail: VecDeque::new(), breaks: false, length }
    }

    /// A body that ends too early, in a failure of the connection.
    pub(super) fn broken(body: impl Into<Bytes>) -> Self {
        Self { head: [body.into()].into(), filler: 0, tail: VecDeque::new(), breaks: true, length: None }
    }

    /// `head`, at least `filler` bytes of text without quotes, `tail`.
    pub(super) fn huge(head: &'static str, filler: u64, tail: &'static str) -> Self {
        Self { head: [head.into()].into(), filler, tail: [tail.into()].into(), breaks: false, length: None }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let filler = usize::try_from(self.filler).map_or(FILLER, |left| left.min(FILLER));
        if let Some(bytes) = self.head.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if filler > 0 {
            self.filler -= u64::try_from(filler).map_or(0, identity);
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; FILLER]).slice(..filler)))));
        }
        if let Some(bytes) = self.tail.pop_front() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        if std::mem::take(&mut self.breaks) {
            return Poll::Ready(Some(Err(io::Error::other("a scripted end of the connection"))));
        }
        Poll::Ready(None)
    }

    fn size_hint(&self) -> SizeHint {
        self.length.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
