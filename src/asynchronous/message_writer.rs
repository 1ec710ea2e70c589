//! A message of unknown length as a stream of bytes to write to.

use super::access::Access;
use super::borrowed::Borrowed;
use super::outgoing::Outgoing;
use super::shell::Shell;
use super::split::SendHalf;
use super::websocket::{Replies, WebSocket};
use crate::connection::{FragmentBuffer, MessageKind, Role};
use crate::frame::CloseCode;
use crate::streaming::{finish, gather_error, write_error};
use core::{
    future::poll_fn,
    task::{Context, Poll, ready},
};
use std::io;

/// A message of any length that you write piece by piece: see [`WebSocket::message_writer`].
///
/// This is an `AsyncWrite` of its runtime. It gathers what you write into fragments (RFC 6455 §5.4) of up
/// to [`fragment_size`](crate::Config::fragment_size), but no more than 64 KiB, and offers each full
/// fragment to the transport. A flush sends what is gathered so far as a fragment. While the queue is
/// full because the peer does not read, a write waits. The connection's pings and pongs go between the
/// fragments. If the connection compresses, the message is compressed.
///
/// The writer itself does not read. To receive, and to answer pings, while you write a long message,
/// [split](WebSocket::split) the connection. Otherwise two endpoints that both write a lot can block each
/// other.
///
/// You may cut text anywhere. The beginning of a character waits for the rest of it. Bytes that can't
/// be text are an error, and not sent.
///
/// # The end of the message
///
/// [`finish`](Self::finish) ends the message, and so does `shutdown` of tokio's `AsyncWrite`, which is
/// `close` on `futures-io`. If you drop the
/// writer without that, for example because of an error, the peer must not take the part for the whole:
///
/// - If nothing of the message has left the writer, nothing is sent, and the connection goes on.
/// - Otherwise the connection is closed with [`CloseCode::INTERNAL_ERROR`], because no other message
///   can follow before this one ends. The Close is only queued: flush, or receive until the end. The
///   peer gets what was sent, and then the Close. Its [`MessageReader`](super::MessageReader) fails with
///   [`UnexpectedEof`](io::ErrorKind::UnexpectedEof), and the source of that error has the code.
///
/// # Errors
///
/// A write fails with [`InvalidData`](io::ErrorKind::InvalidData) if the bytes can't be text, with
/// [`BrokenPipe`](io::ErrorKind::BrokenPipe) if the connection is closing, was closed cleanly, or the
/// message is finished, and with
/// [`InvalidInput`](io::ErrorKind::InvalidInput) if another message is in progress. Otherwise the
/// errors are those of the transport, or [`ConnectionAborted`](io::ErrorKind::ConnectionAborted).
#[derive(Debug)]
pub struct MessageWriter<'a, S, R: Role, M: Shell<S>> {
    outgoing: Borrowed<'a, S, R, M>,
    gathered: FragmentBuffer,
}

impl<S, R: Role, M: Shell<S>> WebSocket<S, R, M> {
    /// Begins a message of unknown length. Nothing is sent before a fragment is full, or before you
    /// flush or finish.
    ///
    /// Writing and flushing are cancel safe; [`finish`](MessageWriter::finish) is not.
    ///
    /// ```no_run
    /// # #[cfg(feature = "tokio")] {
    /// use sansocket::{connection::MessageKind, on_tokio::ServerWebSocket};
    /// use tokio::io::{AsyncRead, copy};
    ///
    /// /// Sends a file as one message, without holding it in memory.
    /// async fn send_file(
    ///     websocket: &mut ServerWebSocket,
    ///     mut file: impl AsyncRead + Unpin,
    /// ) -> std::io::Result<()> {
    ///     let mut writer = websocket.message_writer(MessageKind::Binary);
    ///     copy(&mut file, &mut writer).await?;
    ///     writer.finish().await
    /// }
    /// # }
    /// ```
    pub fn message_writer(&mut self, kind: MessageKind) -> MessageWriter<'_, S, R, M> {
        MessageWriter::new(Borrowed::Whole(&mut self.sides.outgoing), kind)
    }
}

impl<S, R: Role, M: Shell<S>> SendHalf<S, R, M> {
    /// Begins a message of unknown length: see [`WebSocket::message_writer`]. Meanwhile the other half
    /// can receive and answers pings.
    pub fn message_writer(&mut self, kind: MessageKind) -> MessageWriter<'_, S, R, M> {
        MessageWriter::new(Borrowed::Half(&mut self.shared), kind)
    }
}

impl<S, R: Role, M: Shell<S>> Replies<'_, S, R, M> {
    /// Begins a reply of unknown length: see [`WebSocket::message_writer`]. Unlike the other methods of
    /// this type, writing fails while the connection is closing.
    pub fn message_writer(&mut self, kind: MessageKind) -> MessageWriter<'_, S, R, M> {
        MessageWriter::new(Borrowed::Whole(self.outgoing()), kind)
    }
}

impl<'a, S, R: Role, M: Shell<S>> MessageWriter<'a, S, R, M> {
    fn new(mut outgoing: Borrowed<'a, S, R, M>, kind: MessageKind) -> Self {
        let fragment_size = outgoing.act(|outgoing| outgoing.sending.sender.fragment_size());
        Self { outgoing, gathered: FragmentBuffer::new(kind, fragment_size) }
    }

    /// Returns the kind of the message.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        self.gathered.kind()
    }

    /// Takes bytes of the message from the front of `from`, and returns how many. Waits while the queue
    /// is full.
    ///
    /// This is for runtimes whose traits this crate does not know, like the other methods for polling.
    /// On tokio and on `futures-io` a writer is an `AsyncWrite`.
    ///
    /// # Errors
    ///
    /// See [above](Self#errors).
    pub fn poll_write(&mut self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.outgoing.poll(cx, Outgoing::poll_room)).map_err(write_error)?;
        loop {
            let count = self.gathered.gather(from).map_err(gather_error)?;
            if count > 0 || from.is_empty() {
                return Poll::Ready(Ok(count));
            }
            ready!(self.poll_send(cx))?;
            // Whether the transport is ready or not, the fragment is queued.
            if let Poll::Ready(written) = self.outgoing.poll(cx, Outgoing::poll_flush) {
                written.map_err(write_error)?;
            }
        }
    }

    /// Sends what was gathered as a fragment, and waits until everything that is queued is written.
    ///
    /// # Errors
    ///
    /// See [above](Self#errors).
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        self.outgoing.poll(cx, Outgoing::poll_flush).map_err(write_error)
    }

    /// Ends the message, and waits until everything that is queued is written. If it is pending, call
    /// it again.
    ///
    /// # Errors
    ///
    /// See [above](Self#errors). A text that ends inside a character is
    /// [`InvalidData`](io::ErrorKind::InvalidData).
    pub fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.gathered.is_finished() {
            let (gathered, mut refused) = (&mut self.gathered, None);
            ready!(self.outgoing.poll(cx, |outgoing, cx| {
                outgoing
                    .poll_queue(cx, |sender, queue| finish(gathered, &mut refused, sender, queue))
            }))
            .map_err(write_error)?;
            refused.map_or(Ok(()), Err).map_err(gather_error)?;
            self.outgoing.notify_queued();
        }
        self.outgoing.poll(cx, Outgoing::poll_flush).map_err(write_error)
    }

    /// Ends the message, and waits until it is written.
    ///
    /// Not cancel safe: if you drop the future, the message is either complete and will be written, or
    /// it is given up as if you had dropped the writer. If that matters, call `shutdown` of tokio's
    /// `AsyncWriteExt` instead, `close` on `futures-io`, or [`poll_finish`](Self::poll_finish).
    ///
    /// # Errors
    ///
    /// Returns the errors of [`poll_finish`](Self::poll_finish).
    pub async fn finish(mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_finish(cx)).await
    }

    /// Gives the message up, and closes the connection with [`CloseCode::INTERNAL_ERROR`] even if
    /// nothing of it was sent. The Close is only queued: flush, or receive until the end.
    pub fn abort(mut self) {
        self.close(CloseCode::INTERNAL_ERROR);
    }

    /// Queues what was gathered as a fragment.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.gathered.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let gathered = &mut self.gathered;
        ready!(self.outgoing.poll(cx, |outgoing, cx| {
            outgoing.poll_queue(cx, |sender, queue| sender.send_gathered(gathered, queue))
        }))
        .map_err(write_error)?;
        self.outgoing.notify_queued();
        Poll::Ready(Ok(()))
    }

    fn close(&mut self, code: CloseCode) {
        // The code may be sent, and nothing else can be wrong.
        let _ = self.outgoing.act(|outgoing| outgoing.close(code, ""));
        self.outgoing.notify_queued();
    }
}

/// A message that is not finished is given up.
impl<S, R: Role, M: Shell<S>> Drop for MessageWriter<'_, S, R, M> {
    fn drop(&mut self) {
        if let Some(code) = self.gathered.close_code() {
            self.close(code);
        }
    }
}
