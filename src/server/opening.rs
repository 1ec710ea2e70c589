use super::accepting::Accepting;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::handshake::Request;
use core::{fmt, marker::PhantomData};

/// A connection whose client has sent its part of the opening handshake, and waits for the answer.
///
/// `M` is the shell whose `Acceptor::receive_request` it comes from. The shell has the methods that answer,
/// and an example. Dropping it ends the transport without an answer.
pub struct Opening<S, M> {
    pub(crate) transport: S,
    pub(crate) accepting: Accepting,
    pub(crate) request: Request,
    pub(crate) input: ReadBuffer,
    pub(crate) output: WriteBuffer,
    pub(crate) shell: PhantomData<fn() -> M>,
}

impl<S, M> Opening<S, M> {
    /// The client's request.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The transport, to look at it or to set its options. Don't read from it or write to it.
    #[must_use]
    pub fn transport(&self) -> &S {
        &self.transport
    }

    /// What the client has sent behind its request so far, which it should not before the answer.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        self.input.unread()
    }

    /// Gives the transport to whoever answers the request otherwise, with the request and what came
    /// behind it.
    #[must_use]
    pub fn into_parts(self) -> (S, Request, ReadBuffer) {
        (self.transport, self.request, self.input)
    }
}

impl<S: fmt::Debug, M> fmt::Debug for Opening<S, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("transport", &self.transport)
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}
