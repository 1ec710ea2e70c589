//! TLS over any async stream.

use super::shell::Shell;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::error::Error;
use crate::io::some_written;
use crate::pool::Leased;
use crate::tls::{Session, ended_in_handshake};
use alloc::vec::Vec;
use core::{
    future::poll_fn,
    task::{Context, Poll, ready},
};
use std::io::{self, IoSlice};

/// A stream with TLS over another stream.
///
/// A write that is ready has encrypted its bytes, and may hold them back until the next write or
/// flush.
#[derive(Debug)]
pub(crate) struct TlsStream<S> {
    transport: S,
    session: Session,
    input: Leased<ReadBuffer>,
    output: Leased<WriteBuffer>,
}

/// How many bytes of records without data one call reads. TLS allows a peer to send any number of
/// them after the handshake, such as tickets and updates of keys. They must not occupy a thread of the
/// executor, and each of them takes more work than as many bytes of data.
const MOST_WITHOUT_DATA: usize = 64 * 1024;

impl<S> TlsStream<S> {
    /// Performs the TLS handshake.
    pub(crate) async fn handshake<M: Shell<S>>(
        transport: S,
        session: Session,
    ) -> Result<Self, Error> {
        let (input, output) = (Leased::none(), Leased::none());
        let mut stream = Self { transport, session, input, output };
        poll_fn(|cx| stream.poll_handshake::<M>(cx)).await?;
        Ok(stream)
    }

    /// Returns the stream below TLS.
    pub(crate) fn get_ref(&self) -> &S {
        &self.transport
    }

    /// Returns the certificates that the peer presented, in DER, its own first.
    pub(crate) fn peer_certificates(&self) -> Vec<Vec<u8>> {
        self.session.peer_certificates()
    }

    fn poll_handshake<M: Shell<S>>(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            let is_done = match self.session.handshake(&mut self.input, &mut self.output) {
                Ok(is_done) => is_done,
                Err(error) => {
                    // An alert goes out if that is possible at once.
                    let _ = self.poll_flush::<M>(cx);
                    return Poll::Ready(Err(error.into()));
                }
            };
            ready!(self.poll_output::<M>(cx))?;
            ready!(M::poll_flush(&mut self.transport, cx))?;
            if is_done {
                return Poll::Ready(Ok(()));
            }
            if ready!(self.poll_input::<M>(cx))? == 0 {
                return Poll::Ready(Err(ended_in_handshake().into()));
            }
        }
    }

    /// Reads decrypted bytes. Returns 0 once the peer has ended its side of TLS.
    pub(crate) fn poll_read<M: Shell<S>>(
        &mut self,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut without_data = 0;
        loop {
            match self.session.read(&mut self.input, into) {
                Ok(Some(count)) => return Poll::Ready(Ok(count)),
                Ok(None) => {}
                Err(error) => {
                    self.session.take_output(&mut self.output);
                    let _ = self.poll_flush::<M>(cx);
                    return Poll::Ready(Err(error));
                }
            }
            if without_data >= MOST_WITHOUT_DATA {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match ready!(self.poll_input::<M>(cx))? {
                0 => self.session.end_input(),
                count => without_data += count,
            }
        }
    }

    /// Encrypts bytes, and writes what the stream below takes of them.
    pub(crate) fn poll_write<M: Shell<S>>(
        &mut self,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_output::<M>(cx))?;
        let count = self.session.write(from, &mut self.output)?;
        match self.poll_output::<M>(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(count)),
        }
    }

    pub(crate) fn poll_flush<M: Shell<S>>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_output::<M>(cx))?;
        M::poll_flush(&mut self.transport, cx)
    }

    /// Ends the writing side with a `close_notify`, and then that of the stream below.
    pub(crate) fn poll_shutdown<M: Shell<S>>(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        self.session.close(&mut self.output);
        ready!(self.poll_flush::<M>(cx))?;
        M::poll_shutdown(&mut self.transport, cx)
    }

    /// Reads ciphertext. Returns 0 at the end of the stream below.
    fn poll_input<M: Shell<S>>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let read = M::poll_read(&mut self.transport, cx, self.input.room());
        match &read {
            Poll::Ready(Ok(count)) => self.input.filled(*count),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                self.session.shrink();
                self.input.give_back();
            }
        }
        read
    }

    /// Writes the ciphertext that is held back.
    fn poll_output<M: Shell<S>>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.output.is_empty() {
            let written = M::poll_write(&mut self.transport, cx, self.output.front());
            let count = some_written(ready!(written))?;
            self.output.consume(count);
        }
        self.output.give_back();
        Poll::Ready(Ok(()))
    }
}
