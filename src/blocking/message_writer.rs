//! A message of unknown length as a stream of bytes to write to.

use super::Transport;
use super::access::Sending;
use super::outgoing::Outgoing;
use super::shared::Shared;
use super::split::SendHalf;
use super::websocket::{Replies, WebSocket};
use crate::buffer::WriteBuffer;
use crate::connection::{FragmentBuffer, MessageKind, Role, SendError, Sender};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::streaming::{finish, gather_error, write_error};
use std::io::{self, Write};

/// A message of any length that you write piece by piece: see [`WebSocket::message_writer`].
///
/// This is a [`Write`]. It gathers what you write into fragments (RFC 6455 §5.4) of up to
/// [`fragment_size`](crate::Config::fragment_size), but no more than 64 KiB, and writes each full
/// fragment. A flush sends what is gathered so far as a fragment. While the peer does not read, a write
/// waits. The connection's pings and pongs go between the fragments. If the connection compresses, the
/// message is compressed.
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
/// [`finish`](Self::finish) ends the message. If you drop the writer without that, for example because
/// of an error, the peer must not take the part for the whole:
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
/// errors are those of the transport, or [`ConnectionAborted`](io::ErrorKind::ConnectionAborted). After
/// [`WouldBlock`](io::ErrorKind::WouldBlock), which a transport that does not block or a timeout of your
/// own causes, nothing of what you wrote was taken: try again.
#[derive(Debug)]
pub struct MessageWriter<'a, S: Transport, R: Role> {
    target: Target<'a, S, R>,
    gathered: FragmentBuffer,
}

/// What a writer writes through.
#[derive(Debug)]
enum Target<'a, S: Transport, R: Role> {
    Whole(&'a mut Outgoing<S, Sending<R>>),
    Half(&'a Shared<S, R>),
}

impl<S: Transport, R: Role> Target<'_, S, R> {
    fn fragment_size(&self) -> usize {
        match self {
            Self::Whole(outgoing) => outgoing.sending.sender.fragment_size(),
            Self::Half(shared) => shared.sending().sender.fragment_size(),
        }
    }

    fn queue(
        &mut self,
        act: impl FnMut(&mut Sender<R>, &mut WriteBuffer) -> Result<(), SendError>,
    ) -> Result<(), Error> {
        match self {
            Self::Whole(outgoing) => outgoing.queue(act),
            Self::Half(shared) => shared.with_writer(|writer| writer.queue(act)),
        }
    }

    fn flush(&mut self) -> Result<(), Error> {
        match self {
            Self::Whole(outgoing) => outgoing.flush(),
            Self::Half(shared) => shared.with_writer(|writer| writer.flush()),
        }
    }

    /// Queues a Close.
    fn close(&mut self, code: CloseCode) {
        // The code may be sent, and nothing else can be wrong.
        let _ = match self {
            Self::Whole(outgoing) => outgoing.queue_close(code, ""),
            Self::Half(shared) => shared.with_writer(|writer| writer.queue_close(code, "")),
        };
    }
}

impl<S: Transport, R: Role> WebSocket<S, R> {
    /// Begins a message of unknown length. Nothing is sent before a fragment is full, or before you
    /// flush or finish.
    ///
    /// ```no_run
    /// use sansocket::{blocking::ServerWebSocket, connection::MessageKind};
    /// use std::io::{self, Read};
    ///
    /// /// Sends a file as one message, without holding it in memory.
    /// fn send_file(websocket: &mut ServerWebSocket, mut file: impl Read) -> io::Result<()> {
    ///     let mut writer = websocket.message_writer(MessageKind::Binary);
    ///     io::copy(&mut file, &mut writer)?;
    ///     writer.finish()
    /// }
    /// ```
    pub fn message_writer(&mut self, kind: MessageKind) -> MessageWriter<'_, S, R> {
        MessageWriter::new(Target::Whole(&mut *self.outgoing), kind)
    }
}

impl<S: Transport, R: Role> SendHalf<S, R> {
    /// Begins a message of unknown length: see [`WebSocket::message_writer`]. Meanwhile the other half
    /// can receive and answers pings.
    pub fn message_writer(&mut self, kind: MessageKind) -> MessageWriter<'_, S, R> {
        MessageWriter::new(Target::Half(&self.shared), kind)
    }
}

impl<S: Transport, R: Role> Replies<'_, S, R> {
    /// Begins a reply of unknown length: see [`WebSocket::message_writer`]. Unlike the other methods of
    /// this type, writing fails while the connection is closing.
    pub fn message_writer(&mut self, kind: MessageKind) -> MessageWriter<'_, S, R> {
        MessageWriter::new(Target::Whole(self.outgoing()), kind)
    }
}

impl<'a, S: Transport, R: Role> MessageWriter<'a, S, R> {
    fn new(target: Target<'a, S, R>, kind: MessageKind) -> Self {
        let gathered = FragmentBuffer::new(kind, target.fragment_size());
        Self { target, gathered }
    }

    /// Returns the kind of the message.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        self.gathered.kind()
    }

    /// Ends the message, and writes everything that is queued.
    ///
    /// # Errors
    ///
    /// See [above](Self#errors). A text that ends inside a character is
    /// [`InvalidData`](io::ErrorKind::InvalidData), and the message is given up as if you had dropped
    /// the writer. If this fails with [`WouldBlock`](io::ErrorKind::WouldBlock) because the queue is
    /// full, the message is given up too: [flush](Write::flush) first. If it does so because the
    /// transport is not ready, the message is queued: flush the connection.
    pub fn finish(mut self) -> io::Result<()> {
        let (gathered, mut refused) = (&mut self.gathered, None);
        self.target
            .queue(|sender, queue| finish(gathered, &mut refused, sender, queue))
            .map_err(write_error)?;
        refused.map_or(Ok(()), Err).map_err(gather_error)?;
        self.target.flush().map_err(write_error)
    }

    /// Gives the message up, and closes the connection with [`CloseCode::INTERNAL_ERROR`] even if
    /// nothing of it was sent. The Close is only queued: flush, or receive until the end.
    pub fn abort(mut self) {
        self.target.close(CloseCode::INTERNAL_ERROR);
    }

    /// Queues what was gathered as a fragment.
    fn send(&mut self) -> io::Result<()> {
        let gathered = &mut self.gathered;
        self.target
            .queue(|sender, queue| sender.send_gathered(gathered, queue))
            .map_err(write_error)
    }
}

impl<S: Transport, R: Role> Write for MessageWriter<'_, S, R> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        loop {
            let count = self.gathered.gather(from).map_err(gather_error)?;
            if count > 0 || from.is_empty() {
                return Ok(count);
            }
            self.send()?;
            match self.target.flush() {
                // The fragment is queued all the same.
                Err(error) if !error.is_would_block() => return Err(write_error(error)),
                _ => {}
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()?;
        self.target.flush().map_err(write_error)
    }
}

/// A message that is not finished is given up.
impl<S: Transport, R: Role> Drop for MessageWriter<'_, S, R> {
    fn drop(&mut self) {
        if let Some(code) = self.gathered.close_code() {
            self.target.close(code);
        }
    }
}
