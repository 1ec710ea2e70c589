//! How a connection ends, as data (RFC 6455 §7).

use crate::{CloseCode, CloseFrame, ProtocolError};
use alloc::{boxed::Box, string::String};
use core::fmt;

/// How far the closing handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "the states of RFC 6455 §7.1.3")]
pub enum State {
    /// Messages go both ways.
    Open,
    /// This end has sent its Close: it sends no more messages, but still receives them.
    CloseSent,
    /// Both Closes are on their way or there, or the connection has failed: what remains is to
    /// write what is queued and to end the transport.
    Closed,
}

/// How the transport came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransportEnd {
    /// The peer ended its side in order.
    Eof,
    /// The transport broke.
    Reset,
    /// TLS ended without its own closing message: what came may be cut short.
    TlsTruncated,
    /// The peer did not do in time what it had to, and this end gave up.
    Timeout,
    /// This end dropped the transport.
    Dropped,
}

impl fmt::Display for TransportEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eof => "the peer ended the transport",
            Self::Reset => "the transport was reset",
            Self::TlsTruncated => "TLS ended without its closing message",
            Self::Timeout => "the peer did not finish in time",
            Self::Dropped => "this end dropped the transport",
        })
    }
}

/// Who began to end a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there are two ends and what is between them")]
pub enum Initiator {
    /// This end, by its Close or by failing the connection.
    Local,
    /// The peer, by its Close.
    Peer,
    /// Neither: the transport ended with no Close sent or received.
    Transport,
}

/// What ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// The closing handshake was completed.
    ClosingHandshake,
    /// This end failed the connection for what the peer did.
    Protocol(ProtocolError),
    /// The transport ended before the closing handshake was completed.
    Transport(TransportEnd),
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Closed {
    /// The code of the peer's Close (RFC 6455 §7.1.5): [`CloseCode::NO_STATUS_RECEIVED`] if it had
    /// none, [`CloseCode::ABNORMAL`] if no Close came.
    pub code: CloseCode,
    /// The reason in the peer's Close (RFC 6455 §7.1.6).
    pub reason: String,
    /// Who began.
    pub initiator: Initiator,
    /// Whether the closing handshake was completed (RFC 6455 §7.1.4): nothing that either end sent
    /// before its Close was lost.
    pub clean: bool,
    /// What ended it.
    pub cause: Cause,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Cause::ClosingHandshake => {
                let by = if self.initiator == Initiator::Local { "this end" } else { "the peer" };
                write!(f, "closed by {by} with {}", self.code)?;
            }
            Cause::Protocol(error) => write!(f, "failed with {}: {error}", error.close_code())?,
            Cause::Transport(how) => {
                write!(f, "ended without a closing handshake: {how}")?;
                if self.code != CloseCode::ABNORMAL {
                    write!(f, " after the peer's close with {}", self.code)?;
                }
            }
        }
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        Ok(())
    }
}

/// What is known of the end of a connection, in the sending half: it hears of what the receiving
/// half has found by the replies that it is to send.
#[derive(Debug)]
pub(super) struct Closing {
    /// What follows from the others: it is asked for at each message.
    state: State,
    sent: Option<SentClose>,
    peer: Option<Box<PeerEnd>>,
    transport: Option<TransportEnd>,
}

/// What the peer did last.
#[derive(Debug, Default)]
struct PeerEnd {
    /// The code and the reason of its Close.
    close: Option<(CloseCode, String)>,
    failure: Option<ProtocolError>,
}

/// Why the sending half sends nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SentClose {
    /// It closed first, as far as it knew.
    First,
    /// It answered the peer's Close.
    Answer,
    /// It failed the connection.
    Failure,
}

impl Closing {
    pub(super) const fn new() -> Self {
        Self { state: State::Open, sent: None, peer: None, transport: None }
    }

    pub(super) const fn state(&self) -> State {
        self.state
    }

    pub(super) const fn has_sent(&self) -> bool {
        self.sent.is_some()
    }

    pub(super) const fn has_transport_ended(&self) -> bool {
        self.transport.is_some()
    }

    pub(super) fn sent(&mut self, why: SentClose) {
        self.sent = Some(why);
        if self.state == State::Open {
            self.state = State::CloseSent;
        }
    }

    pub(super) fn failed(&mut self, error: ProtocolError) {
        self.peer.get_or_insert_default().failure = Some(error);
        self.state = State::Closed;
    }

    /// Notes the peer's Close, and returns its code, if it has one.
    pub(super) fn received(&mut self, payload: &[u8]) -> Option<CloseCode> {
        // The receiving half has refused what can't be parsed.
        let frame = CloseFrame::parse(payload).ok().flatten();
        // §7.1.5: without a code in it, the connection's is 1005.
        let (code, reason) =
            frame.map_or((CloseCode::NO_STATUS_RECEIVED, ""), |frame| (frame.code, frame.reason));
        self.peer.get_or_insert_default().close = Some((code, reason.into()));
        self.state = State::Closed;
        frame.map(|frame| frame.code)
    }

    pub(super) fn transport_ended(&mut self, how: TransportEnd, all_written: bool) -> Closed {
        let how = *self.transport.get_or_insert(how);
        self.state = State::Closed;
        let peer = self.peer.as_ref();
        let received = peer.and_then(|peer| peer.close.as_ref());
        let clean = received.is_some() && self.sent.is_some() && all_written;
        Closed {
            code: received.map_or(CloseCode::ABNORMAL, |(code, _)| *code),
            reason: received.map_or_else(String::new, |(_, reason)| reason.clone()),
            initiator: match (self.sent, received) {
                (Some(SentClose::First | SentClose::Failure), _) => Initiator::Local,
                (_, Some(_)) => Initiator::Peer,
                (Some(SentClose::Answer) | None, None) => Initiator::Transport,
            },
            clean,
            cause: match peer.and_then(|peer| peer.failure) {
                Some(error) => Cause::Protocol(error),
                None if clean => Cause::ClosingHandshake,
                None => Cause::Transport(how),
            },
        }
    }
}
