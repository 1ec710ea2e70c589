//! A message as a stream of bytes to read from.

use super::access::Access;
use super::borrowed::Borrowed;
use super::incoming::Incoming;
use super::shell::Shell;
use super::split::ReceiveHalf;
use super::websocket::{Sides, WebSocket};
use crate::connection::{MessageKind, Receiver, Role};
use crate::error::Error;
use crate::streaming::{MessageProgress, Step, end_inside_message, kind_of};
use core::{
    future::poll_fn,
    task::{Context, Poll, ready},
};
use std::io;

/// A message that you read as it arrives, whatever its length: see [`WebSocket::next_reader`].
///
/// This is an `AsyncRead` of its runtime, which reads 0 bytes at the end of the message. Text is checked
/// as it arrives, and compressed messages are decompressed. The limits on frames and messages do not
/// apply: a reader takes no more memory for a long message than for a short one.
///
/// While you read, the connection answers pings and the peer's Close.
///
/// If you drop the reader before the end, the next receiving method skips the rest of the message. The
/// rest still has to arrive and to be valid.
///
/// # Errors
///
/// If the connection ends inside the message, reading fails with
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof), now and each time you try again: part of a message
/// is never taken for the whole. If the peer breaks the protocol, the kind is
/// [`InvalidData`](io::ErrorKind::InvalidData). The source of both is an [`Error`]. If the transport
/// fails, the error is that of the transport.
#[derive(Debug)]
pub struct MessageReader<'a, S, R: Role, M: Shell<S>> {
    incoming: &'a mut Incoming<R>,
    outgoing: Borrowed<'a, S, R, M>,
    progress: MessageProgress,
}

impl<S, R: Role, M: Shell<S>> WebSocket<S, R, M> {
    /// Waits for the next message, and returns a reader for it as soon as its first bytes are there.
    ///
    /// This first skips the rest of a message that you have read in part.
    ///
    /// Cancel safe. Reading from the reader is cancel safe too.
    ///
    /// ```no_run
    /// # #[cfg(feature = "tokio")] {
    /// use sansocket::on_tokio::ServerWebSocket;
    /// use tokio::io::{AsyncWrite, copy};
    ///
    /// /// Stores each message without holding it in memory.
    /// async fn store(
    ///     mut websocket: ServerWebSocket,
    ///     mut file: impl AsyncWrite + Unpin,
    /// ) -> std::io::Result<()> {
    ///     while let Some(reader) = websocket.next_reader().await {
    ///         let mut reader = reader?;
    ///         let len = copy(&mut reader, &mut file).await?;
    ///         println!("a {:?} message of {len} bytes", reader.kind());
    ///     }
    ///     Ok(())
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`receive`](Self::receive), and [`Error::Receive`] if a method that
    /// receives whole messages has already waited for part of the message.
    pub async fn next_reader(&mut self) -> Option<Result<MessageReader<'_, S, R, M>, Error>> {
        let Sides { incoming, outgoing, .. } = &mut *self.sides;
        let kind = poll_fn(|cx| incoming.poll_message_start(outgoing, cx)).await?;
        Some(kind.map(|kind| MessageReader::new(incoming, Borrowed::Whole(outgoing), kind)))
    }

    /// Skips the rest of the message of which [`receive_chunk`](Self::receive_chunk) has returned a
    /// piece. The next call of any receiving method then goes on behind that message. The rest still
    /// has to arrive and to be valid. Does nothing between messages.
    pub fn skip_message(&mut self) {
        self.sides.incoming.skip_message();
    }
}

impl<S, R: Role, M: Shell<S>> ReceiveHalf<S, R, M> {
    /// Works like [`WebSocket::next_reader`].
    ///
    /// Cancel safe. Reading from the reader is cancel safe too.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`receive`](Self::receive), and [`Error::Receive`] if a method that
    /// receives whole messages has already waited for part of the message.
    pub async fn next_reader(&mut self) -> Option<Result<MessageReader<'_, S, R, M>, Error>> {
        let Self { incoming, shared, .. } = self;
        let kind = poll_fn(|cx| incoming.poll_message_start(&mut **shared, cx)).await?;
        Some(kind.map(|kind| MessageReader::new(incoming, Borrowed::Half(shared), kind)))
    }

    /// Works like [`WebSocket::skip_message`].
    pub fn skip_message(&mut self) {
        self.incoming.skip_message();
    }
}

impl<'a, S, R: Role, M: Shell<S>> MessageReader<'a, S, R, M> {
    fn new(
        incoming: &'a mut Incoming<R>,
        outgoing: Borrowed<'a, S, R, M>,
        kind: MessageKind,
    ) -> Self {
        Self { incoming, outgoing, progress: MessageProgress::new(kind) }
    }

    /// Returns the kind of the message.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        self.progress.kind()
    }

    /// Reads bytes of the message into `into`. Returns how many, which is 0 at the end of the message.
    ///
    /// This is for runtimes whose traits this crate does not know. On tokio and on `futures-io` a
    /// reader is an `AsyncRead`.
    ///
    /// # Errors
    ///
    /// See [above](Self#errors).
    pub fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let Self { incoming, outgoing, progress } = self;
        loop {
            match progress.step(incoming.current_chunk(), into) {
                Step::Return(count) => return Poll::Ready(Ok(count)),
                Step::Advance => {}
            }
            match ready!(incoming.poll_event(outgoing, Receiver::advance_chunk, cx)) {
                Some(Ok(found)) => progress.found(&incoming.chunk(found)),
                ended => {
                    let reported = ended.and_then(Result::err);
                    let closed = outgoing.act(|outgoing| outgoing.sending.sender.closed().cloned());
                    return Poll::Ready(Err(end_inside_message(reported, closed)));
                }
            }
        }
    }
}

/// The rest of the message is skipped.
impl<S, R: Role, M: Shell<S>> Drop for MessageReader<'_, S, R, M> {
    fn drop(&mut self) {
        self.incoming.skip_message();
    }
}

impl<R: Role> Incoming<R> {
    /// Waits for the first piece of the next message.
    fn poll_message_start<S, M: Shell<S>>(
        &mut self,
        outgoing: &mut impl Access<S, R, M>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<MessageKind, Error>>> {
        self.skip_message();
        loop {
            match ready!(self.poll_event(outgoing, Receiver::advance_chunk, cx)) {
                Some(Ok(found)) => {
                    if let Some(kind) = kind_of(&self.chunk(found)) {
                        return Poll::Ready(Some(Ok(kind)));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}
