//! A connection as a stream of bytes in both directions, over binary messages.

use super::Transport;
use super::access::{Access, Sending};
use super::incoming::{Incoming, ReceiverIo};
use super::split::{ReceiveHalf, SendHalf};
use super::websocket::WebSocket;
use crate::connection::fragment_buffer::longest_fragment;
use crate::connection::{Closed, Form, Receiver, Role};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::streaming::{NO_TEXT, Step, StreamProgress, end_of_stream, flushed, write_error};
use crate::transport::Wants;
use core::time::Duration;
use std::io::{self, Read, Write};

/// A connection as a stream of bytes, to run another protocol through it: TLS, SSH, or what a TCP
/// socket sends. See [`WebSocket::into_byte_stream`].
///
/// This is a [`Read`] and a [`Write`], and also a [`Transport`]. The bytes travel in binary messages
/// whose borders mean nothing:
///
/// - Each write sends a message of up to [`fragment_size`](crate::Config::fragment_size), but no more
///   than 64 KiB, and waits until the transport has taken it, as a TCP socket does.
/// - Reading returns the bytes of all messages, as they arrive. The limits on frames and messages do
///   not apply. While a read waits, the connection answers pings.
///
/// Nothing is read while a write waits, so two endpoints that both send a lot can block each other. To
/// read and write in two threads, split the connection: see [`ReceiveHalf::into_byte_reader`] and
/// [`SendHalf::into_byte_writer`].
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
/// [`shutdown`](Self::shutdown) sends a Close with 1000. WebSocket has no half-close: the peer answers
/// the Close as soon as it reads it, and neither endpoint sends anything after its Close (RFC 6455
/// §5.5.1). So shutting down ends *both* directions. What the peer has sent before its own Close can
/// still be read, up to the end of the stream, but what it sends in answer to the end, as some protocols
/// over TCP do, is lost: its writes fail. Your reads do not tell: they end as usual. Shut down only when
/// you expect nothing more that depends on it.
///
/// A read returns 0 bytes, the end of the stream, only after the peer has closed cleanly with 1000 or
/// without a code, and not inside a message. After any other end it fails, as often as you try: a stream
/// that was cut short is not taken for a whole one. To let the closing handshake finish after a shutdown, read until the end, or
/// call [`wait_closed`](Self::wait_closed).
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
/// - If the transport fails, the errors are those of the transport. After
///   [`WouldBlock`](io::ErrorKind::WouldBlock) or [`TimedOut`](io::ErrorKind::TimedOut), which a timeout
///   of your own causes, nothing is lost: try again.
#[derive(Debug)]
pub struct ByteStream<S: Transport, R: Role> {
    websocket: WebSocket<S, R>,
    progress: StreamProgress,
}

/// The reading side of a stream of bytes over the receiving half of a connection: see
/// [`ReceiveHalf::into_byte_reader`] and [`ByteStream`].
///
/// Dropping this ends the connection, as dropping the half does.
#[derive(Debug)]
pub struct ByteReader<S: Transport, R: Role> {
    half: ReceiveHalf<S, R>,
    progress: StreamProgress,
}

/// The writing side of a stream of bytes over the sending half of a connection: see
/// [`SendHalf::into_byte_writer`] and [`ByteStream`].
///
/// Dropping this does not close the connection: call [`shutdown`](Self::shutdown).
#[derive(Debug)]
pub struct ByteWriter<S: Transport, R: Role> {
    half: SendHalf<S, R>,
}

impl<S: Transport, R: Role> WebSocket<S, R> {
    /// Makes a stream of bytes of this connection. Both endpoints must agree to use it like that, for
    /// example by a subprotocol.
    ///
    /// ```no_run
    /// use sansocket::blocking::connect;
    /// use std::io::{Read, Write};
    ///
    /// let mut stream = connect("ws://127.0.0.1:8080/")?.into_byte_stream();
    /// stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    /// let mut response = Vec::new();
    /// stream.read_to_end(&mut response)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_byte_stream(self) -> ByteStream<S, R> {
        ByteStream { websocket: self, progress: StreamProgress::default() }
    }
}

impl<S: Transport, R: Role> ReceiveHalf<S, R> {
    /// Makes the reading side of a stream of bytes of this half.
    #[must_use]
    pub fn into_byte_reader(self) -> ByteReader<S, R> {
        ByteReader { half: self, progress: StreamProgress::default() }
    }
}

impl<S: Transport, R: Role> SendHalf<S, R> {
    /// Makes the writing side of a stream of bytes of this half.
    #[must_use]
    pub fn into_byte_writer(self) -> ByteWriter<S, R> {
        ByteWriter { half: self }
    }
}

impl<S: Transport, R: Role> ByteStream<S, R> {
    /// Returns the connection, for example to see what was negotiated or how it ended.
    #[must_use]
    pub fn get_ref(&self) -> &WebSocket<S, R> {
        &self.websocket
    }

    /// Sends a Close with 1000, unless one was sent, and waits until it is written.
    ///
    /// # Errors
    ///
    /// See [above](Self#errors).
    pub fn shutdown(&mut self) -> io::Result<()> {
        flushed(self.websocket.outgoing.close(CloseCode::NORMAL, ""))
    }

    /// Works like [`WebSocket::wait_closed`]: sends a Close with 1000 unless one was sent, drops what
    /// still arrives, and waits until the connection no longer needs its transport.
    pub fn wait_closed(&mut self) -> Closed {
        self.websocket.wait_closed()
    }
}

impl<S: Transport, R: Role> Read for ByteStream<S, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let WebSocket { incoming, outgoing, .. } = &mut self.websocket;
        incoming.read_stream(&mut self.progress, &mut **outgoing, into)
    }
}

impl<S: Transport, R: Role> Write for ByteStream<S, R> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let outgoing = &mut self.websocket.outgoing;
        let fragment_size = outgoing.sending.sender.fragment_size();
        write(fragment_size, from, |payload| outgoing.send(payload))
    }

    fn flush(&mut self) -> io::Result<()> {
        flushed(self.websocket.outgoing.flush())
    }
}

/// The timeouts are those of the transport below. Ending the writing side sends a Close, which ends
/// the reading side too once the peer has answered it.
impl<S: Transport, R: Role> Transport for ByteStream<S, R> {
    fn set_read_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.websocket.get_mut().set_read_timeout(timeout)
    }

    fn set_write_timeout(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        self.websocket.get_mut().set_write_timeout(timeout)
    }

    fn read_timeout(&self) -> io::Result<Option<Duration>> {
        self.websocket.get_ref().read_timeout()
    }

    fn write_timeout(&self) -> io::Result<Option<Duration>> {
        self.websocket.get_ref().write_timeout()
    }

    fn shutdown_write(&mut self) -> io::Result<()> {
        self.shutdown()
    }
}

impl<S: Transport, R: Role> ByteReader<S, R> {
    /// Returns the half, for example to see how the connection ended.
    #[must_use]
    pub fn get_ref(&self) -> &ReceiveHalf<S, R> {
        &self.half
    }
}

impl<S: Transport, R: Role> Read for ByteReader<S, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let ReceiveHalf { incoming, reading, .. } = &mut self.half;
        incoming.read_stream(&mut self.progress, &mut **reading, into)
    }
}

impl<S: Transport, R: Role> ByteWriter<S, R> {
    /// Returns the half, for example to see how the connection ended.
    #[must_use]
    pub fn get_ref(&self) -> &SendHalf<S, R> {
        &self.half
    }

    /// Sends a Close with 1000, unless one was sent, and waits until it is written.
    ///
    /// # Errors
    ///
    /// See [`ByteStream`](ByteStream#errors).
    pub fn shutdown(&mut self) -> io::Result<()> {
        flushed(self.half.shared.with_writer(|writer| writer.close(CloseCode::NORMAL, "")))
    }
}

impl<S: Transport, R: Role> Write for ByteWriter<S, R> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let shared = &self.half.shared;
        let fragment_size = shared.sending().sender.fragment_size();
        write(fragment_size, from, |payload| shared.with_writer(|writer| writer.send(payload)))
    }

    fn flush(&mut self) -> io::Result<()> {
        flushed(self.half.shared.with_writer(|writer| writer.flush()))
    }
}

fn write(
    fragment_size: usize,
    from: &[u8],
    send: impl FnOnce(Form<'_>) -> Result<(), Error>,
) -> io::Result<usize> {
    let from = &from[..from.len().min(longest_fragment(fragment_size))];
    if from.is_empty() {
        return Ok(0);
    }
    match send(Form::Binary(from)) {
        // If only the transport is not ready, the message is queued.
        Err(error) if !error.is_would_block() => Err(write_error(error)),
        _ => Ok(from.len()),
    }
}

impl<R: Role> Incoming<R> {
    fn read_stream(
        &mut self,
        progress: &mut StreamProgress,
        receiver_io: &mut impl ReceiverIo<Sending: Access<Role = R>>,
        into: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            match progress.step(self.current_chunk(), into)? {
                Step::Return(count) => return Ok(count),
                Step::Advance => {}
            }
            match self.wait(receiver_io, Receiver::advance_chunk) {
                Some(Ok(())) => {
                    if !self.current_chunk().is_none_or(|chunk| progress.found(&chunk)) {
                        refuse_text(receiver_io);
                    }
                }
                ended => {
                    let reported = ended.and_then(Result::err);
                    let closed =
                        receiver_io.parts().0.with(|sending| sending.sender.closed().cloned());
                    return end_of_stream(reported, closed, self.is_inside_message());
                }
            }
        }
    }
}

/// Closes because of a text message. Whatever becomes of the Close, the reader is told.
fn refuse_text(receiver_io: &mut impl ReceiverIo) {
    let (code, reason) = NO_TEXT;
    let _ =
        receiver_io.parts().0.with(|Sending { sender, queue }| sender.close(code, reason, queue));
    let _ = receiver_io.write(&Wants { write: true, ..Wants::default() }, false);
}
