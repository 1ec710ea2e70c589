//! A connection as a stream of bytes in both directions, over binary messages.

use super::access::Access;
use super::incoming::Incoming;
use super::outgoing::Outgoing;
use super::shell::Shell;
use super::split::{ReceiveHalf, SendHalf};
use super::wakers::Half;
use super::websocket::WebSocket;
use crate::connection::fragment_buffer::longest_fragment;
use crate::connection::{Closed, Form, Receiver, Role};
use crate::error::Error;
use crate::streaming::{NO_TEXT, Step, StreamProgress, end_of_stream, flushed, write_error};
use core::task::{Context, Poll, ready};
use std::io;

/// A connection as a stream of bytes, to run another protocol through it: TLS, SSH, HTTP/2, a
/// multiplexer, or what a TCP socket sends. See [`WebSocket::into_byte_stream`].
///
/// This is an `AsyncRead` and an `AsyncWrite` of its runtime. The bytes travel in binary messages whose
/// borders mean nothing:
///
/// - Each write sends a message of up to [`fragment_size`](crate::Config::fragment_size), but no more
///   than 64 KiB, and offers it to the transport at once, as a TCP socket does. What the transport does
///   not take now is written by the next flush, write or read. While the queue is full because the peer
///   does not read, a write waits.
/// - Reading returns the bytes of all messages, as they arrive. The limits on frames and messages do
///   not apply. While a read waits, the connection answers pings.
///
/// Pings and the Close wait behind the bytes before them. While you do not read, the peer gets no
/// answer to them: for pauses that are long, the peer needs a long timeout of its
/// [keepalive](crate::connection::Keepalive), and a long [close timeout](crate::Config::close_timeout).
///
/// Compression is used if it was agreed on. For data that is encrypted or compressed already, turn it
/// off.
///
/// # The end
///
/// Shutting down sends a Close with 1000. WebSocket has no half-close: the peer answers the Close as
/// soon as it reads it, and neither endpoint sends anything after its Close (RFC 6455 §5.5.1). So
/// shutting down ends *both* directions. What the peer has sent before its own Close can still be read,
/// up to the end of the stream, but what it sends in answer to the end, as some protocols over TCP do,
/// is lost: its writes fail. Your reads do not tell: they end as usual. Shut down only when you expect
/// nothing more that depends on it.
///
/// A read returns 0 bytes, the end of the stream, only after the peer has closed cleanly with 1000 or
/// without a code, and not inside a message. After any other end it fails, as often as you try: a stream
/// that was cut short is not taken for a whole one. To let the closing handshake finish after a shutdown, read until the end, or
/// call [`wait_closed`](Self::wait_closed).
///
/// # Cancel safety
///
/// All of it is cancel safe, as far as the methods of your runtime are that you use: a poll that is
/// pending has taken nothing and loses nothing. Reads and writes can be in two tasks, for example with the
/// `split` of tokio or of `futures`.
///
/// # Errors
///
/// - Reading fails with [`InvalidData`](io::ErrorKind::InvalidData) for a text message, which also
///   closes the connection with 1003, and if the peer breaks the protocol. It fails with
///   [`ConnectionAborted`](io::ErrorKind::ConnectionAborted) if the connection ends in any other way
///   than described above. The source is an [`Error`].
/// - Reading fails with [`InvalidInput`](io::ErrorKind::InvalidInput) if a method that receives whole
///   messages has already received part of a message before the connection became a stream.
/// - Writing fails with [`BrokenPipe`](io::ErrorKind::BrokenPipe) once either endpoint has closed.
/// - If the transport fails, the errors are those of the transport.
#[derive(Debug)]
pub struct ByteStream<S, R: Role, M: Shell<S>> {
    websocket: WebSocket<S, R, M>,
    progress: StreamProgress,
}

/// The reading side of a stream of bytes over the receiving half of a connection: see
/// [`ReceiveHalf::into_byte_reader`] and [`ByteStream`].
///
/// Dropping this ends the connection, as dropping the half does.
#[derive(Debug)]
pub struct ByteReader<S, R: Role, M: Shell<S>> {
    half: ReceiveHalf<S, R, M>,
    progress: StreamProgress,
}

/// The writing side of a stream of bytes over the sending half of a connection: see
/// [`SendHalf::into_byte_writer`] and [`ByteStream`].
///
/// Dropping this does not close the connection: shut it down.
#[derive(Debug)]
pub struct ByteWriter<S, R: Role, M: Shell<S>> {
    half: SendHalf<S, R, M>,
}

impl<S, R: Role, M: Shell<S>> WebSocket<S, R, M> {
    /// Makes a stream of bytes of this connection. Both endpoints must agree to use it like that, for
    /// example by a subprotocol.
    ///
    /// ```no_run
    /// # #[cfg(feature = "tokio")] {
    /// use sansocket::on_tokio::ServerWebSocket;
    /// use tokio::{io::copy_bidirectional, net::TcpStream};
    ///
    /// /// Connects the client to a TCP server.
    /// async fn forward(websocket: ServerWebSocket) -> std::io::Result<()> {
    ///     let mut server = TcpStream::connect("127.0.0.1:1883").await?;
    ///     let mut client = websocket.into_byte_stream();
    ///     copy_bidirectional(&mut client, &mut server).await?;
    ///     Ok(())
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn into_byte_stream(self) -> ByteStream<S, R, M> {
        ByteStream { websocket: self, progress: StreamProgress::default() }
    }
}

impl<S, R: Role, M: Shell<S>> ReceiveHalf<S, R, M> {
    /// Makes the reading side of a stream of bytes of this half.
    #[must_use]
    pub fn into_byte_reader(self) -> ByteReader<S, R, M> {
        ByteReader { half: self, progress: StreamProgress::default() }
    }
}

impl<S, R: Role, M: Shell<S>> SendHalf<S, R, M> {
    /// Makes the writing side of a stream of bytes of this half.
    #[must_use]
    pub fn into_byte_writer(self) -> ByteWriter<S, R, M> {
        ByteWriter { half: self }
    }
}

impl<S, R: Role, M: Shell<S>> ByteStream<S, R, M> {
    /// Returns the connection, for example to see what was negotiated or how it ended.
    #[must_use]
    pub fn get_ref(&self) -> &WebSocket<S, R, M> {
        &self.websocket
    }

    /// Works like [`WebSocket::wait_closed`]: sends a Close with 1000 unless one was sent, drops what
    /// still arrives, and waits until the connection no longer needs its transport.
    ///
    /// Cancel safe: you can call it again.
    pub async fn wait_closed(&mut self) -> Closed {
        self.websocket.wait_closed().await
    }

    /// Reads bytes into `into`. Returns how many, which is 0 at the end of the stream.
    ///
    /// This is for runtimes whose traits this crate does not know, like the other methods for polling.
    ///
    /// # Errors
    ///
    /// See [above](Self#errors).
    pub fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let (incoming, mut outgoing) = self.websocket.shared(Half::Receive);
        incoming.poll_read(&mut self.progress, &mut outgoing, cx, into)
    }

    /// Sends bytes from the front of `from` as a message, and returns how many.
    ///
    /// # Errors
    ///
    /// See [above](Self#errors).
    pub fn poll_write(&mut self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        poll_write(&mut self.websocket.shared(Half::Send).1, cx, from)
    }

    /// Waits until everything is written to the transport.
    ///
    /// # Errors
    ///
    /// See [above](Self#errors).
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.websocket.shared(Half::Send).1.poll(cx, Outgoing::poll_flush).map(flushed)
    }

    /// Sends a Close with 1000, unless one was sent, and waits until it is written.
    ///
    /// # Errors
    ///
    /// See [above](Self#errors).
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.websocket.shared(Half::Send).1.poll(cx, Outgoing::poll_close).map(flushed)
    }
}

impl<S, R: Role, M: Shell<S>> ByteReader<S, R, M> {
    /// Returns the half, for example to see how the connection ended.
    #[must_use]
    pub fn get_ref(&self) -> &ReceiveHalf<S, R, M> {
        &self.half
    }

    /// Reads bytes into `into`. Returns how many, which is 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// See [`ByteStream`](ByteStream#errors).
    pub fn poll_read(&mut self, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let ReceiveHalf { incoming, shared, .. } = &mut self.half;
        incoming.poll_read(&mut self.progress, &mut **shared, cx, into)
    }
}

impl<S, R: Role, M: Shell<S>> ByteWriter<S, R, M> {
    /// Returns the half, for example to see how the connection ended.
    #[must_use]
    pub fn get_ref(&self) -> &SendHalf<S, R, M> {
        &self.half
    }

    /// Sends bytes from the front of `from` as a message, and returns how many.
    ///
    /// # Errors
    ///
    /// See [`ByteStream`](ByteStream#errors).
    pub fn poll_write(&mut self, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        poll_write(&mut self.half.shared, cx, from)
    }

    /// Waits until everything is written to the transport.
    ///
    /// # Errors
    ///
    /// See [`ByteStream`](ByteStream#errors).
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half.shared.poll(cx, Outgoing::poll_flush).map(flushed)
    }

    /// Sends a Close with 1000, unless one was sent, and waits until it is written.
    ///
    /// # Errors
    ///
    /// See [`ByteStream`](ByteStream#errors).
    pub fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.half.shared.poll(cx, Outgoing::poll_close).map(flushed)
    }
}

impl<R: Role> Incoming<R> {
    fn poll_read<S, M: Shell<S>>(
        &mut self,
        progress: &mut StreamProgress,
        outgoing: &mut impl Access<S, R, M>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            match progress.step(self.current_chunk(), into)? {
                Step::Return(count) => return Poll::Ready(Ok(count)),
                Step::Advance => {}
            }
            match ready!(self.poll_event(outgoing, Receiver::advance_chunk, cx)) {
                Some(Ok(found)) => {
                    if !progress.found(&self.chunk(found)) {
                        let (code, reason) = NO_TEXT;
                        // The next step reports the text, whatever becomes of the Close.
                        let _ = outgoing.act(|outgoing| outgoing.close(code, reason));
                        let _ = outgoing.poll(cx, Outgoing::poll_flush);
                    }
                }
                ended => {
                    let reported = ended.and_then(Result::err);
                    let closed = outgoing.act(|outgoing| outgoing.sending.sender.closed().cloned());
                    return Poll::Ready(end_of_stream(reported, closed, self.is_inside_message()));
                }
            }
        }
    }
}

fn poll_write<S, R: Role, M: Shell<S>>(
    outgoing: &mut impl Access<S, R, M>,
    cx: &mut Context<'_>,
    from: &[u8],
) -> Poll<io::Result<usize>> {
    if from.is_empty() {
        return Poll::Ready(Ok(0));
    }
    let written = outgoing.poll(cx, |outgoing, cx| {
        let len = from.len().min(longest_fragment(outgoing.sending.sender.fragment_size()));
        ready!(outgoing.poll_feed(Form::Binary(&from[..len]), None, cx))?;
        // Whether the transport is ready or not, the bytes are queued.
        match outgoing.poll_flush(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok::<_, Error>(len)),
        }
    });
    // A write that waits must not wake the task again, which may be this one.
    if written.is_ready() {
        outgoing.notify_queued();
    }
    written.map_err(write_error)
}
