//! What a connection receives and holds, counted for a server that limits it and for a budget.

use super::{Progress, Receiver};
use crate::budget::Share;
use crate::buffer::ReadBuffer;
use crate::connection::{
    Config, DirectionCounters, MessageKind, ProtocolError, ReceiveError, Role,
};
use crate::frame::OpCode;
use alloc::boxed::Box;
#[cfg(feature = "std")]
use alloc::sync::Arc;
#[cfg(feature = "std")]
use core::{fmt, panic::AssertUnwindSafe};

/// What a receiver has once the connection has failed, or if a server limits its traffic or a budget
/// what it holds.
#[derive(Debug, Default)]
pub(super) struct Rare {
    pub(super) failure: Option<ProtocolError>,
    /// What the receiver holds of a budget.
    share: Option<Share>,
    #[cfg(feature = "std")]
    counted: Option<Counted>,
    /// What was received so far, if that is [counted](Config::counters).
    counters: Option<Box<DirectionCounters>>,
    /// If messages are counted: the length of the shortest payload that has to be checked against
    /// the limits.
    limit_of_counted_plain: u16,
}

impl Rare {
    /// Returns what a receiver with this configuration has from the beginning. `limit_of_plain` is the
    /// length of the shortest payload that has to be checked against the limits.
    pub(super) fn new(config: &Config, limit_of_plain: u16) -> Option<Self> {
        let share = config.budget.map(Share::new);
        let (counters, limit_of_counted_plain) = match config.counters {
            true => (Some(Box::default()), limit_of_plain),
            false => (None, 0),
        };
        let is_something = share.is_some() || counters.is_some();
        is_something.then(|| Self { share, counters, limit_of_counted_plain, ..Self::default() })
    }
}

/// What a server limits of what its connections receive.
#[cfg(feature = "std")]
pub(crate) trait TrafficLimit: Send + Sync + fmt::Debug {
    /// Returns `true` if messages are to be counted, and not only bytes.
    fn counts_messages(&self) -> bool;

    /// Counts what a connection has received. Returns an error if that exceeds a limit.
    fn received(&self, traffic: Traffic) -> Result<(), ProtocolError>;
}

/// The traffic of a connection towards a limit. What was not reported yet is reported when this is
/// dropped, so that a connection which ends early does not get around the limit.
#[cfg(feature = "std")]
#[derive(Debug)]
struct Counted {
    /// It holds no state that a panic could leave half-changed.
    limit: AssertUnwindSafe<Arc<dyn TrafficLimit>>,
    /// What was received since the last report.
    traffic: Traffic,
}

#[cfg(feature = "std")]
impl Counted {
    fn report(&mut self) -> Result<(), ProtocolError> {
        match core::mem::take(&mut self.traffic) {
            Traffic { messages: 0, bytes: 0 } => Ok(()),
            traffic => self.limit.received(traffic),
        }
    }
}

#[cfg(feature = "std")]
impl Drop for Counted {
    fn drop(&mut self) {
        // There is no connection left that could fail.
        let _ = self.report();
    }
}

/// How much was received.
#[cfg(feature = "std")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Messages and control frames, if they are counted.
    pub(crate) messages: u32,
    /// Bytes that were read.
    pub(crate) bytes: usize,
}

#[cfg(feature = "std")]
impl<R: Role> Receiver<R> {
    /// Counts from now on what is received, for a server that limits it. `input` holds what came
    /// with the opening handshake, which counts too.
    pub(crate) fn count_traffic(&mut self, limit: Arc<dyn TrafficLimit>, input: &ReadBuffer) {
        let rare = self.rare.get_or_insert_default();
        if limit.counts_messages() && rare.counters.is_none() {
            // As with counters, no message takes the path of plain messages from now on.
            rare.limit_of_counted_plain = core::mem::take(&mut self.limit_of_plain);
        }
        let traffic = Traffic { messages: 0, bytes: input.unread_len() };
        rare.counted = Some(Counted { limit: AssertUnwindSafe(limit), traffic });
    }

    /// Notes that bytes were read, if they count.
    #[inline]
    pub(crate) fn did_read(&mut self, bytes: usize) {
        if let Some(counted) = self.counted_mut() {
            counted.traffic.bytes = counted.traffic.bytes.saturating_add(bytes);
        }
    }

    /// Reports what was received since the last call, if it counts. If that exceeds a limit, the
    /// connection fails.
    #[inline]
    pub(crate) fn report_traffic(&mut self) {
        if let Some(Err(error)) = self.counted_mut().map(Counted::report) {
            self.refuse(error);
        }
    }

    /// Fails the connection because of a limit that is not its own.
    #[cold]
    fn refuse(&mut self, error: ProtocolError) {
        if !self.has_ended() {
            self.fail(error);
        }
    }

    #[inline]
    fn counted_mut(&mut self) -> Option<&mut Counted> {
        self.rare.as_mut()?.counted.as_mut()
    }
}

impl<R: Role> Receiver<R> {
    /// Counts what is held, if there is a budget. If that is too much and no event is there to be
    /// looked at, the connection fails.
    #[cold]
    pub(super) fn count_held(
        &mut self,
        progress: Progress,
        input: &ReadBuffer,
    ) -> Result<(), ReceiveError> {
        let share = self.rare.as_mut().and_then(|rare| rare.share.as_mut());
        let Some(share) = share else { return Ok(()) };
        let held = input.held();
        share.hold(held, 0);
        match share.exceeded_by(held) {
            Some(share) if progress != Progress::Event => {
                Err(self.fail(ProtocolError::OverBudget { held: held as u64, share: share as u64 }))
            }
            _ => Ok(()),
        }
    }

    /// Notes that all input was dropped.
    pub(super) fn hold_nothing(&mut self) {
        if let Some(share) = self.rare.as_mut().and_then(|rare| rare.share.as_mut()) {
            share.hold(0, 0);
        }
    }

    /// Receives and counts the next message, if messages are counted and it is plain; otherwise
    /// changes nothing. The caller validates text.
    #[inline]
    pub(super) fn receive_counted_plain(&mut self, input: &mut ReadBuffer) -> Option<MessageKind> {
        let limit = self.rare.as_ref()?.limit_of_counted_plain;
        let kind = self.receive_plain(limit, input)?;
        self.count_message();
        self.count_frame(OpCode::Binary, true);
        Some(kind)
    }

    /// Returns what this half has received so far, without the bytes, or `None` if
    /// [`Config::counters`] is off. If the halves are apart,
    /// [tell](crate::connection::Sender::note_received) the sending half.
    #[must_use]
    pub fn counters(&self) -> Option<DirectionCounters> {
        self.rare.as_ref()?.counters.as_deref().copied()
    }

    /// Counts a complete frame, if frames are counted. `fin` tells whether it ends its message.
    #[inline]
    pub(super) fn count_frame(&mut self, opcode: OpCode, fin: bool) {
        let rare = self.rare.as_mut();
        if let Some(counters) = rare.and_then(|rare| rare.counters.as_mut()) {
            counters.count_frame(opcode, fin);
        }
    }

    /// Counts a message or a control frame, if they count.
    pub(super) fn count_message(&mut self) {
        #[cfg(feature = "std")]
        if let Some(counted) = self.counted_mut() {
            counted.traffic.messages = counted.traffic.messages.saturating_add(1);
        }
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::connection::{Config, Connection, Progress, ReceiveError, Reply, Server};
    use crate::limits::Limits;
    use crate::negotiated::Negotiated;
    use crate::rate::Rate;
    use alloc::vec::Vec;
    use std::sync::Mutex;

    /// Keeps what is reported, and allows so many messages in all.
    #[derive(Debug)]
    struct Limit {
        reports: Mutex<Vec<Traffic>>,
        most: u32,
    }

    impl TrafficLimit for Limit {
        fn counts_messages(&self) -> bool {
            true
        }

        fn received(&self, traffic: Traffic) -> Result<(), ProtocolError> {
            let mut reports = self.reports.lock().unwrap();
            reports.push(traffic);
            match reports.iter().map(|traffic| traffic.messages).sum::<u32>() <= self.most {
                true => Ok(()),
                false => Err(ERROR),
            }
        }
    }

    const ERROR: ProtocolError = ProtocolError::TooManyMessages { rate: Rate::per_second(1) };

    fn limit(most: u32) -> Arc<Limit> {
        Arc::new(Limit { reports: Mutex::default(), most })
    }

    fn receiver() -> Receiver<Server> {
        Connection::new(Server::new(), &Negotiated::new(), Config::default()).split().1
    }

    #[test]
    fn messages_and_control_frames_count_and_fragments_do_not() {
        let (mut receiver, limit) = (receiver(), limit(9));
        let mut input = ReadBuffer::new();
        receiver.count_traffic(limit.clone(), &input);
        // A plain text, a binary message of three fragments with a ping between, and a pong.
        for first in [0x81, 0x02, 0x00, 0x89, 0x80, 0x8a] {
            input.extend_from_slice(&[first, 0x80, 0, 0, 0, 0]);
        }
        receiver.did_read(36);
        let mut events = 0;
        while receiver.advance(&mut input) == Ok(Progress::Event) {
            events += 1;
        }
        assert_eq!(events, 4);
        receiver.report_traffic();
        // There is nothing left to report.
        receiver.report_traffic();
        drop(receiver);
        assert_eq!(*limit.reports.lock().unwrap(), [Traffic { messages: 4, bytes: 36 }]);
    }

    #[test]
    fn what_comes_with_the_handshake_and_before_the_drop_counts() {
        let (mut receiver, limit) = (receiver(), limit(9));
        let mut input = ReadBuffer::new();
        input.extend_from_slice(&[0x81, 0x80, 0, 0, 0, 0, 0x81, 0x80]);
        receiver.count_traffic(limit.clone(), &input);
        assert_eq!(receiver.advance(&mut input), Ok(Progress::Event));
        assert_eq!(*limit.reports.lock().unwrap(), []);
        drop(receiver);
        assert_eq!(*limit.reports.lock().unwrap(), [Traffic { messages: 1, bytes: 8 }]);
    }

    /// They take a path of their own.
    #[test]
    fn messages_that_count_follow_the_same_rules() {
        let limits = Limits::default().message(3);
        let config = Config::default().limits(limits);
        let receive = |frame: &[u8]| {
            let connection = Connection::new(Server::new(), &Negotiated::new(), config);
            let (_, mut receiver) = connection.split();
            let mut input = ReadBuffer::new();
            receiver.count_traffic(limit(9), &input);
            input.extend_from_slice(frame);
            let progress = receiver.advance(&mut input)?;
            assert!(receiver.event(&input).is_some());
            Ok(progress)
        };
        let largest = [0x81, 0x83, 0, 0, 0, 0, b'a', b'b', b'c'];
        assert_eq!(receive(&largest), Ok(Progress::Event));
        let fault = |frame: &[u8]| match receive(frame) {
            Err(ReceiveError::Protocol(error)) => error,
            other => panic!("{other:?}"),
        };
        let too_large = ProtocolError::MessageTooLarge { len: 4, limit: 3 };
        assert_eq!(fault(&[0x82, 0x84, 0, 0, 0, 0, 1, 2, 3, 4]), too_large);
        let no_text = ProtocolError::InvalidUtf8 { at: 1 };
        assert_eq!(fault(&[0x81, 0x82, 0, 0, 0, 0, b'a', 0xff]), no_text);
        assert_eq!(fault(&[0x81, 0x01, b'a']), ProtocolError::Unmasked);
    }

    #[test]
    fn nothing_counts_without_a_limit() {
        let mut receiver = receiver();
        receiver.did_read(36);
        receiver.report_traffic();
        assert!(receiver.rare.is_none());
    }

    #[test]
    fn a_refusal_is_a_failure_even_if_there_is_no_input() {
        let mut receiver = receiver();
        let mut input = ReadBuffer::new();
        input.extend_from_slice(&[0x81, 0x80, 0, 0, 0, 0]);
        receiver.count_traffic(limit(0), &input);
        assert_eq!(receiver.advance(&mut input), Ok(Progress::Event));
        assert_eq!(receiver.advance(&mut input), Ok(Progress::NeedsInput));
        receiver.report_traffic();
        receiver.refuse(ProtocolError::Unmasked);
        assert_eq!(receiver.reply(&input), Some(Reply::Failure(ERROR)));
        input.extend_from_slice(&[0x81, 0x80, 0, 0, 0, 0]);
        assert_eq!(receiver.advance(&mut input), Err(ReceiveError::Protocol(ERROR)));
        assert!(input.is_drained());
    }
}
