//! Messages as streams of bytes: what the readers and writers of both shells have in common. Nothing
//! here does IO.

use crate::buffer::WriteBuffer;
use crate::connection::{
    Chunk, Closed, Event, FinishError, FragmentBuffer, GatherError, MessageKind, Role, SendError,
    Sender,
};
use crate::error::Error;
use crate::frame::CloseCode;
use alloc::boxed::Box;
use std::io::{self, ErrorKind};

/// The reason of the Close for a text message in a stream of bytes (RFC 6455 §7.4.1).
pub(crate) const NO_TEXT: (CloseCode, &str) =
    (CloseCode::UNSUPPORTED_DATA, "a stream of bytes has no text messages");

/// What a reader has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Return this number of bytes, which were copied. 0 is the end.
    Return(usize),
    /// Advance to the next chunk.
    Advance,
}

/// How far the chunks of one message are read.
#[derive(Debug)]
pub(crate) struct MessageProgress {
    kind: MessageKind,
    position: Position,
}

#[derive(Clone, Copy, Debug)]
enum Position {
    /// So many bytes of the current chunk are read.
    InChunk(usize),
    Between,
    AtEnd,
}

impl MessageProgress {
    /// Begins at the first chunk of a message, which was found.
    pub(crate) const fn new(kind: MessageKind) -> Self {
        Self { kind, position: Position::InChunk(0) }
    }

    pub(crate) const fn kind(&self) -> MessageKind {
        self.kind
    }

    /// Notes that the next chunk was found. A control frame changes nothing.
    pub(crate) fn found(&mut self, chunk: &Chunk<'_>) {
        if data(chunk).is_some() {
            self.position = Position::InChunk(0);
        }
    }

    /// Reads from the current chunk.
    pub(crate) fn step(&mut self, current: Option<Chunk<'_>>, into: &mut [u8]) -> Step {
        if into.is_empty() {
            return Step::Return(0);
        }
        let Position::InChunk(read) = self.position else {
            let at_end = matches!(self.position, Position::AtEnd);
            return if at_end { Step::Return(0) } else { Step::Advance };
        };
        let count = current.as_ref().map_or(0, |chunk| copy(chunk, read, into));
        if count > 0 {
            self.position = Position::InChunk(read + count);
            return Step::Return(count);
        }
        let is_last = current.is_some_and(|chunk| chunk.last);
        self.position = if is_last { Position::AtEnd } else { Position::Between };
        if is_last { Step::Return(0) } else { Step::Advance }
    }
}

/// How far the binary messages of a stream of bytes are read.
#[derive(Debug, Default)]
pub(crate) struct StreamProgress {
    /// How many bytes of the current chunk are read, if there is one.
    read: Option<usize>,
    /// Whether a text message has arrived.
    failed: bool,
}

impl StreamProgress {
    /// Notes that a chunk was found. Returns `false` if it is text.
    pub(crate) fn found(&mut self, chunk: &Chunk<'_>) -> bool {
        match data(chunk) {
            Some((MessageKind::Binary, _)) => self.read = Some(0),
            Some((MessageKind::Text, _)) => self.failed = true,
            None => {}
        }
        !self.failed
    }

    /// Reads from the current chunk.
    pub(crate) fn step(&mut self, current: Option<Chunk<'_>>, into: &mut [u8]) -> io::Result<Step> {
        if self.failed {
            return Err(io::Error::new(ErrorKind::InvalidData, NO_TEXT.1));
        }
        if into.is_empty() {
            return Ok(Step::Return(0));
        }
        let Some(read) = self.read else { return Ok(Step::Advance) };
        let count = current.as_ref().map_or(0, |chunk| copy(chunk, read, into));
        self.read = (count > 0).then_some(read + count);
        Ok(if count > 0 { Step::Return(count) } else { Step::Advance })
    }
}

fn data<'b>(chunk: &Chunk<'b>) -> Option<(MessageKind, &'b [u8])> {
    match chunk.event {
        Event::Text(text) => Some((MessageKind::Text, text.as_bytes())),
        Event::Binary(data) => Some((MessageKind::Binary, data)),
        Event::Ping(_) | Event::Pong(_) | Event::Close(_) => None,
    }
}

/// Returns the kind of the message that a chunk belongs to, if it belongs to one.
pub(crate) fn kind_of(chunk: &Chunk<'_>) -> Option<MessageKind> {
    data(chunk).map(|(kind, _)| kind)
}

fn copy(chunk: &Chunk<'_>, from: usize, into: &mut [u8]) -> usize {
    let unread = data(chunk).and_then(|(_, data)| data.get(from..)).unwrap_or_default();
    let count = unread.len().min(into.len());
    into[..count].copy_from_slice(&unread[..count]);
    count
}

/// Returns the error of a connection that ends inside a message. `reported` is the error with which
/// its end is reported. If there is none, the end was clean, or was reported before.
pub(crate) fn end_inside_message(reported: Option<Error>, closed: Option<Closed>) -> io::Error {
    match reported.or_else(|| Some(Error::Closed(Box::new(closed?)))) {
        Some(error @ Error::Closed(_)) => io::Error::new(ErrorKind::UnexpectedEof, error),
        Some(error) => error.into(),
        None => ErrorKind::UnexpectedEof.into(),
    }
}

/// Returns what the end of a connection is to the reader of a stream of bytes: 0 bytes if the peer has
/// said that the stream is complete. `reported` is as for [`end_inside_message`], and `is_inside` says
/// whether the peer has left a message unfinished.
///
/// Any code but 1000 says that something is missing or went wrong. Browsers and others close without a
/// code if they are not given one. RFC 6455 §5.5.1 allows a Close inside a message, but the rest of
/// that message is missing.
pub(crate) fn end_of_stream(
    reported: Option<Error>,
    closed: Option<Closed>,
    is_inside: bool,
) -> io::Result<usize> {
    if let Some(error) = reported {
        return Err(error.into());
    }
    match closed {
        Some(closed)
            if closed.clean
                && !is_inside
                && matches!(closed.code, CloseCode::NORMAL | CloseCode::NO_STATUS_RECEIVED) =>
        {
            Ok(0)
        }
        Some(closed) => Err(Error::Closed(Box::new(closed)).into()),
        None => Err(ErrorKind::ConnectionAborted.into()),
    }
}

/// Returns the error of a write. After a clean end it is the one that other streams have.
pub(crate) fn write_error(error: Error) -> io::Error {
    match error {
        Error::Closed(closed) if closed.clean => {
            io::Error::new(ErrorKind::BrokenPipe, Error::Closed(closed))
        }
        error => error.into(),
    }
}

/// Returns the outcome of a flush. After a clean end there is nothing to flush.
pub(crate) fn flushed(outcome: Result<(), Error>) -> io::Result<()> {
    match outcome {
        Err(Error::Closed(closed)) if closed.clean => Ok(()),
        outcome => outcome.map_err(write_error),
    }
}

/// Returns the error of bytes that can't be part of a message.
pub(crate) fn gather_error(error: GatherError) -> io::Error {
    let kind = match error {
        GatherError::InvalidUtf8 { .. } => ErrorKind::InvalidData,
        _ => ErrorKind::BrokenPipe,
    };
    io::Error::new(kind, error)
}

/// Queues the end of a gathered message. If the message can't end there, puts the reason into
/// `refused` instead.
pub(crate) fn finish<R: Role>(
    gathered: &mut FragmentBuffer,
    refused: &mut Option<GatherError>,
    sender: &mut Sender<R>,
    queue: &mut WriteBuffer,
) -> Result<(), SendError> {
    match sender.finish_gathered(gathered, queue) {
        Err(FinishError::Send(error)) => Err(error),
        Err(FinishError::Gather(error)) => {
            *refused = Some(error);
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
