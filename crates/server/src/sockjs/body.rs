//! The body of a response that receives.

use super::sessions::{Next, Service};
use bytes::Bytes;
use http_body::{Body, Frame};
use sansocket_realtime::sockjs::{Receiver, SessionKey};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

/// Takes the chunks of a session as the client is ready for more.
pub(super) struct ReceiverBody {
    service: Arc<Service>,
    of: (SessionKey, Receiver),
    is_last: bool,
}

impl ReceiverBody {
    pub(super) const fn new(
        service: Arc<Service>,
        session: SessionKey,
        receiver: Receiver,
    ) -> Self {
        Self { service, of: (session, receiver), is_last: false }
    }
}

/// Why a response is cut off.
#[derive(Debug, thiserror::Error)]
#[error("the session has given the response up")]
pub(super) struct GivenUp;

impl Body for ReceiverBody {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        if self.is_last {
            // It was asked for more, so the last chunk is on its way.
            self.service.written(self.of);
            return Poll::Ready(None);
        }
        match ready!(self.service.poll_chunk(self.of, cx)) {
            Next::Chunk(chunk) => {
                self.is_last = chunk.last;
                Poll::Ready(Some(Ok(Frame::data(chunk.text.into_bytes()))))
            }
            Next::Abort => Poll::Ready(Some(Err(GivenUp))),
        }
    }
}

impl Drop for ReceiverBody {
    fn drop(&mut self) {
        self.service.ended(self.of);
    }
}
