//! The receiving side of a blocking connection, whole or split: it reads, and sees a connection to
//! its end. What it needs of the other side it reaches through a [`Line`].

use crate::{
    Chunk, Closed, Error, Event, Message, Progress, ReadBuffer, ReceiveError, Receiver, Reply,
    Role, TransportEnd,
    buffer::{READ_ROOM, RETAINED},
    io::{DRAIN_LIMIT, end_of, is_timeout},
};
use alloc::boxed::Box;
use std::io;

/// The transport and the sending side, as the receiving side sees them.
pub(super) trait Line {
    /// Takes what is owed to the peer.
    fn reply(&mut self, reply: Reply);

    /// Writes what is queued, as long as reading may wait for that. An error says that something is
    /// left that can still be written.
    fn flush(&mut self) -> Result<(), Error>;

    /// Reads. The count is 0 if the transport has ended, which is noted then, and whenever there is
    /// reason to flush again.
    ///
    /// An error is either one after which the call can be made again, or one that `Closed` has no
    /// word for.
    fn read(&mut self, into: &mut [u8]) -> Result<usize, Error>;

    /// Ends the writing side of the transport behind what was flushed. False, or an error, if it
    /// can't be now and is to be tried again.
    fn shut_down(&mut self) -> Result<bool, Error>;

    /// Ends the writing side of a transport of which nothing is expected any more.
    fn hang_up(&mut self);

    /// Notes how the transport ended, the first time.
    fn end(&mut self, how: TransportEnd);

    /// How the connection ended, once the transport has.
    fn closed(&self) -> Option<Closed>;

    /// Notes what a failed read says about the end of the transport, if it does: as
    /// [`read`](Self::read). `late` is whether the deadline has passed.
    fn read_failed(&mut self, error: io::Error, late: bool) -> Result<usize, Error> {
        let how = if late && error.kind() == io::ErrorKind::TimedOut {
            TransportEnd::Timeout
        } else if is_timeout(&error) {
            return Err(error.into());
        } else if let Some(how) = end_of(&error) {
            how
        } else {
            self.end(TransportEnd::Reset);
            return Err(error.into());
        };
        self.end(how);
        Ok(0)
    }
}

#[derive(Debug)]
pub(super) struct Incoming<R> {
    receiver: Receiver<R>,
    input: ReadBuffer,
    ending: Ending,
}

/// How far the end of the transport is (RFC 6455 §7.1.1).
#[derive(Debug, Default)]
struct Ending {
    shut_down: bool,
    drained: usize,
    reported: bool,
}

pub(super) type Advance<R> =
    fn(&mut Receiver<R>, &mut ReadBuffer) -> Result<Progress, ReceiveError>;

impl<R: Role> Incoming<R> {
    pub(super) fn new(receiver: Receiver<R>, input: ReadBuffer) -> Self {
        Self { receiver, input, ending: Ending::default() }
    }

    /// Waits for an event; `None` once the connection has ended and that has been reported.
    pub(super) fn wait(
        &mut self,
        line: &mut impl Line,
        advance: Advance<R>,
    ) -> Option<Result<(), Error>> {
        if self.ending.reported {
            return None;
        }
        loop {
            let progress = advance(&mut self.receiver, &mut self.input);
            if let Some(reply) = self.receiver.reply(&self.input) {
                line.reply(reply);
            }
            let step = match progress {
                Ok(Progress::Event) => return Some(Ok(())),
                Ok(Progress::NeedsInput) if line.closed().is_some() => self.report(line, None),
                Ok(Progress::NeedsInput) => self.fill(line),
                Ok(Progress::Ended) => self.finish(line).and_then(|()| self.report(line, None)),
                Err(ReceiveError::Protocol(error)) => {
                    self.finish(line).and_then(|()| self.report(line, Some(error.into())))
                }
                Err(misuse) => Err(misuse.into()),
            };
            match step {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) if self.has_failed(line, &error) => {
                    return self.report(line, Some(error)).err().map(Err);
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Waits for a whole message.
    pub(super) fn next(&mut self, line: &mut impl Line) -> Option<Result<Message, Error>> {
        loop {
            if let Err(error) = self.wait(line, Receiver::advance)? {
                return Some(Err(error));
            }
            if let Some(message) = self.receiver.take_message(&mut self.input) {
                return Some(Ok(message));
            }
        }
    }

    pub(super) fn event(&self) -> Option<Event<'_>> {
        self.receiver.event(&self.input)
    }

    pub(super) fn chunk(&self) -> Option<Chunk<'_>> {
        self.receiver.chunk(&self.input)
    }

    /// Whether the peer's Close has come, or the connection has failed.
    pub(super) fn has_ended(&self) -> bool {
        self.receiver.has_ended()
    }

    /// Writes what is queued, then reads. True to go on, also at the end of the transport.
    ///
    /// Reading does not wait for writing: two ends that flood each other would stop for ever.
    fn fill(&mut self, line: &mut impl Line) -> Result<bool, Error> {
        let flushed = line.flush();
        if self.input.is_drained() && self.input.capacity() > RETAINED {
            self.input.take();
        }
        if self.input.capacity() == 0 {
            // It can't be refused: without memory the buffer is drained.
            let _ = self.input.lease(alloc::vec![0; READ_ROOM]);
        }
        let count = line.read(self.input.spare(1)).map_err(|error| {
            if error.is_would_block() { flushed.err().unwrap_or(error) } else { error }
        })?;
        self.input.filled(count);
        Ok(true)
    }

    /// Ends the transport after the last frame: the server's side first, so that the client's port
    /// is free again at once (§7.1.1), and with what the peer still sends read and dropped, since
    /// unread bytes would turn the end into a reset that can overtake our Close.
    fn finish(&mut self, line: &mut impl Line) -> Result<(), Error> {
        let mut scrap = [0; 8192];
        while line.closed().is_none() {
            let flushed = line.flush();
            if !R::MASKS && !self.ending.shut_down && flushed.is_ok() {
                self.ending.shut_down = line.shut_down()?;
            }
            self.ending.drained += line.read(&mut scrap)?;
            if self.ending.drained > DRAIN_LIMIT {
                line.end(TransportEnd::Dropped);
            }
        }
        Ok(())
    }

    /// Reports the end, once: as `error`, as what else was not clean about it, or as nothing.
    fn report(&mut self, line: &mut impl Line, error: Option<Error>) -> Result<bool, Error> {
        self.ending.reported = true;
        self.input = ReadBuffer::new();
        if !self.ending.shut_down {
            // The client's side, after the server's: the server waits for it, and its user may keep
            // this for as long as it likes. Or either side, if the peer's ended without a Close.
            self.ending.shut_down = true;
            line.hang_up();
        }
        match (error, line.closed()) {
            // What fails after the closing handshake takes nothing away.
            (_, Some(closed)) if closed.clean => Ok(false),
            (Some(error), _) => Err(error),
            (None, Some(closed)) => Err(Error::Closed(Box::new(closed))),
            (None, None) => Ok(false),
        }
    }

    /// Whether the connection has ended by an error that is not reported yet.
    fn has_failed(&self, line: &impl Line, error: &Error) -> bool {
        !self.ending.reported && line.closed().is_some() && !error.is_would_block()
    }
}
