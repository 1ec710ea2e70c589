//! A request that waits for its answer.

use super::accepting::Accepting;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::handshake::Request;
use core::{fmt, marker::PhantomData};

/// A connection whose client has sent its part of the opening handshake and waits for the answer.
///
/// `M` is the shell whose `Acceptor::receive_request` returned this. The shell has the methods that
/// answer, and an example. If you drop this, the transport ends without an answer.
///
/// No deadline runs while you decide, so limit the time yourself. You notice that the client has
/// left only when you answer.
pub struct PendingRequest<S, M> {
    pub(crate) transport: S,
    pub(crate) accepting: Accepting,
    pub(crate) request: Request,
    pub(crate) input: ReadBuffer,
    pub(crate) output: WriteBuffer,
    pub(crate) shell: PhantomData<fn() -> M>,
}

impl<S, M> PendingRequest<S, M> {
    /// Returns the client's request.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Returns the transport, so that you can inspect it or set its options. Don't read from it or
    /// write to it.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.transport
    }

    /// Returns the bytes that the client has already sent after its request. A client should not
    /// send any before it has the answer.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        self.input.unread()
    }

    /// Takes the pending request apart, so that you can answer it in another way. Returns the
    /// transport, the request and the bytes that came after it.
    #[must_use]
    pub fn into_parts(self) -> (S, Request, ReadBuffer) {
        (self.transport, self.request, self.input)
    }
}

impl<S: fmt::Debug, M> fmt::Debug for PendingRequest<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingRequest")
            .field("transport", &self.transport)
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}
