//! What a connection receives, counted for a server that limits it.

use super::Receiver;
use crate::buffer::ReadBuffer;
use crate::connection::{MessageKind, ProtocolError, Role};

/// What a receiver has once the connection has failed, or if a server limits its traffic.
#[derive(Debug, Default)]
pub(super) struct Rare {
    pub(super) failure: Option<ProtocolError>,
    /// What was received since a server last asked, if it does.
    traffic: Option<Traffic>,
    /// If messages are counted: the length of the shortest payload that has to be checked against
    /// the limits.
    limit_of_counted_plain: u16,
}

/// How much was received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Messages and control frames, if they are counted.
    pub(crate) messages: u32,
    /// Bytes that were read.
    pub(crate) bytes: usize,
}

#[cfg(feature = "std")]
impl<R: Role> Receiver<R> {
    /// Counts from now on what is received, for a server that limits it.
    pub(crate) fn count_traffic(&mut self, counts_messages: bool) {
        let rare = self.rare.get_or_insert_default();
        rare.traffic = Some(Traffic::default());
        if counts_messages {
            // The path of plain messages does not count, so that it stays as short as it is. No
            // message takes it from now on.
            rare.limit_of_counted_plain = core::mem::take(&mut self.limit_of_plain);
        }
    }

    /// Notes that bytes were read, if they count.
    #[inline]
    pub(crate) fn did_read(&mut self, bytes: usize) {
        if let Some(traffic) = self.traffic_mut() {
            traffic.bytes = traffic.bytes.saturating_add(bytes);
        }
    }

    /// Returns what was received since the last call, if it counts and anything was.
    #[inline]
    pub(crate) fn take_traffic(&mut self) -> Option<Traffic> {
        let traffic = core::mem::take(self.traffic_mut()?);
        (traffic != Traffic::default()).then_some(traffic)
    }

    /// Fails the connection because of a limit that is not its own.
    pub(crate) fn refuse(&mut self, error: ProtocolError) {
        if !self.has_ended() {
            self.fail(error);
        }
    }
}

impl<R: Role> Receiver<R> {
    /// Receives and counts the next message, if messages are counted and it is plain; otherwise
    /// changes nothing. The caller validates text.
    #[inline]
    pub(super) fn receive_counted_plain(&mut self, input: &mut ReadBuffer) -> Option<MessageKind> {
        let limit = self.rare.as_ref()?.limit_of_counted_plain;
        let kind = self.receive_plain(limit, input)?;
        self.count_message();
        Some(kind)
    }

    /// Counts a message or a control frame, if they count.
    pub(super) fn count_message(&mut self) {
        if let Some(traffic) = self.traffic_mut() {
            traffic.messages = traffic.messages.saturating_add(1);
        }
    }

    #[inline]
    fn traffic_mut(&mut self) -> Option<&mut Traffic> {
        self.rare.as_mut()?.traffic.as_mut()
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;
    use crate::connection::{Config, Connection, Progress, ReceiveError, Reply, Server};
    use crate::limits::Limits;
    use crate::negotiated::Negotiated;
    use crate::rate::Rate;

    fn receiver() -> Receiver<Server> {
        Connection::new(Server::new(), &Negotiated::new(), Config::default()).split().1
    }

    #[test]
    fn messages_and_control_frames_count_and_fragments_do_not() {
        let mut receiver = receiver();
        receiver.count_traffic(true);
        let mut input = ReadBuffer::new();
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
        assert_eq!(receiver.take_traffic(), Some(Traffic { messages: 4, bytes: 36 }));
        assert_eq!(receiver.take_traffic(), None);
    }

    /// They take a path of their own.
    #[test]
    fn messages_that_count_follow_the_same_rules() {
        let limits = Limits::default().message(3);
        let config = Config::default().limits(limits);
        let receive = |frame: &[u8]| {
            let connection = Connection::new(Server::new(), &Negotiated::new(), config);
            let (_, mut receiver) = connection.split();
            receiver.count_traffic(true);
            let mut input = ReadBuffer::new();
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
        assert_eq!(receiver.take_traffic(), None);
        assert!(receiver.rare.is_none());
    }

    #[test]
    fn a_refusal_is_a_failure_even_if_there_is_no_input() {
        let mut receiver = receiver();
        let error = ProtocolError::TooManyMessages { rate: Rate::per_second(1) };
        receiver.refuse(error);
        receiver.refuse(ProtocolError::Unmasked);
        let mut input = ReadBuffer::new();
        assert_eq!(receiver.reply(&input), Some(Reply::Failure(error)));
        input.extend_from_slice(&[0x81, 0x80, 0, 0, 0, 0]);
        assert_eq!(receiver.advance(&mut input), Err(ReceiveError::Protocol(error)));
        assert!(input.is_drained());
    }
}
