//! A message as a stream of bytes to read from.

use super::Transport;
use super::access::{Access, Sending};
use super::incoming::{Incoming, ReceiverIo};
use super::outgoing::Outgoing;
use super::shared::Reading;
use super::split::ReceiveHalf;
use super::websocket::WebSocket;
use crate::connection::{MessageKind, Receiver, Role};
use crate::error::Error;
use crate::streaming::{MessageProgress, Step, end_inside_message, kind_of};
use std::io::{self, Read};

/// A message that you read as it arrives, whatever its length: see [`WebSocket::next_reader`].
///
/// This is a [`Read`], which reads 0 bytes at the end of the message. Text is checked as it arrives,
/// and compressed messages are decompressed. The limits on frames and messages do not apply: a reader
/// takes no more memory for a long message than for a short one.
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
/// fails, the error is that of the transport. After [`WouldBlock`](io::ErrorKind::WouldBlock) or
/// [`TimedOut`](io::ErrorKind::TimedOut), which a timeout of your own causes, read again: nothing is
/// lost.
#[derive(Debug)]
pub struct MessageReader<'a, S: Transport, R: Role> {
    incoming: &'a mut Incoming<R>,
    source: Source<'a, S, R>,
    progress: MessageProgress,
}

/// What a reader reads through.
#[derive(Debug)]
enum Source<'a, S: Transport, R: Role> {
    Whole(&'a mut Outgoing<S, Sending<R>>),
    Half(&'a mut Reading<S, R>),
}

impl<S: Transport, R: Role> WebSocket<S, R> {
    /// Waits for the next message, and returns a reader for it as soon as its first bytes are there.
    ///
    /// This first skips the rest of a message that you have read in part.
    ///
    /// ```no_run
    /// use sansocket::blocking::ServerWebSocket;
    /// use std::io::{self, Write};
    ///
    /// /// Stores each message without holding it in memory.
    /// fn store(mut websocket: ServerWebSocket, mut file: impl Write) -> io::Result<()> {
    ///     while let Some(reader) = websocket.next_reader() {
    ///         let mut reader = reader?;
    ///         let len = io::copy(&mut reader, &mut file)?;
    ///         println!("a {:?} message of {len} bytes", reader.kind());
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`receive`](Self::receive), and [`Error::Receive`] if a method that
    /// receives whole messages has already begun to receive the message.
    pub fn next_reader(&mut self) -> Option<Result<MessageReader<'_, S, R>, Error>> {
        let Self { incoming, outgoing, .. } = self;
        let kind = incoming.message_start(&mut **outgoing)?;
        Some(kind.map(|kind| MessageReader::new(incoming, Source::Whole(outgoing), kind)))
    }

    /// Skips the rest of the message of which [`receive_chunk`](Self::receive_chunk) has returned a
    /// piece. The next call of any receiving method then goes on behind that message. The rest still
    /// has to arrive and to be valid. Does nothing between messages.
    pub fn skip_message(&mut self) {
        self.incoming.skip_message();
    }
}

impl<S: Transport, R: Role> ReceiveHalf<S, R> {
    /// Works like [`WebSocket::next_reader`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`WebSocket::next_reader`].
    pub fn next_reader(&mut self) -> Option<Result<MessageReader<'_, S, R>, Error>> {
        let Self { incoming, reading, .. } = self;
        let kind = incoming.message_start(&mut **reading)?;
        Some(kind.map(|kind| MessageReader::new(incoming, Source::Half(reading), kind)))
    }

    /// Works like [`WebSocket::skip_message`].
    pub fn skip_message(&mut self) {
        self.incoming.skip_message();
    }
}

impl<'a, S: Transport, R: Role> MessageReader<'a, S, R> {
    fn new(incoming: &'a mut Incoming<R>, source: Source<'a, S, R>, kind: MessageKind) -> Self {
        Self { incoming, source, progress: MessageProgress::new(kind) }
    }

    /// Returns the kind of the message.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        self.progress.kind()
    }
}

impl<S: Transport, R: Role> Read for MessageReader<'_, S, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Self { incoming, source, progress } = self;
        match source {
            Source::Whole(outgoing) => incoming.read_message(progress, &mut **outgoing, into),
            Source::Half(reading) => incoming.read_message(progress, &mut **reading, into),
        }
    }
}

/// The rest of the message is skipped.
impl<S: Transport, R: Role> Drop for MessageReader<'_, S, R> {
    fn drop(&mut self) {
        self.incoming.skip_message();
    }
}

impl<R: Role> Incoming<R> {
    /// Waits for the first piece of the next message.
    fn message_start(
        &mut self,
        receiver_io: &mut impl ReceiverIo<Sending: Access<Role = R>>,
    ) -> Option<Result<MessageKind, Error>> {
        self.skip_message();
        loop {
            if let Err(error) = self.wait(receiver_io, Receiver::advance_chunk)? {
                return Some(Err(error));
            }
            if let Some(kind) = self.current_chunk().as_ref().and_then(kind_of) {
                return Some(Ok(kind));
            }
        }
    }

    fn read_message(
        &mut self,
        progress: &mut MessageProgress,
        receiver_io: &mut impl ReceiverIo<Sending: Access<Role = R>>,
        into: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            match progress.step(self.current_chunk(), into) {
                Step::Return(count) => return Ok(count),
                Step::Advance => {}
            }
            match self.wait(receiver_io, Receiver::advance_chunk) {
                Some(Ok(())) => self.current_chunk().iter().for_each(|chunk| progress.found(chunk)),
                ended => {
                    let reported = ended.and_then(Result::err);
                    let closed =
                        receiver_io.parts().0.with(|sending| sending.sender.closed().cloned());
                    return Err(end_inside_message(reported, closed));
                }
            }
        }
    }
}
