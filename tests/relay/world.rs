//! A relay between two peers that are byte strings, with a clock of its own.

use sansocket::{
    buffer::ReadBuffer,
    connection::ProtocolError,
    handshake::Negotiated,
    mask::MaskKey,
    relay::{Relay, RelayEnd, RelayNext, Side},
    transport::{IoFailure, Wants},
};
use sansocket_testkit::frames::{CLOSE, KEY, frame_with};
use std::time::Duration;

type Keys = fn() -> MaskKey;

pub(crate) struct World {
    pub(crate) relay: Relay<Keys>,
    pub(crate) now: Duration,
    pub(crate) client: Peer,
    pub(crate) server: Peer,
}

/// The transport to a peer.
#[derive(Default)]
pub(crate) struct Peer {
    input: ReadBuffer,
    /// What the relay has not read yet.
    sends: Vec<u8>,
    /// How its side ends once that is read.
    ends: Option<Result<(), IoFailure>>,
    /// How many bytes it still takes; `None` for any number.
    pub(crate) takes: Option<usize>,
    is_broken: bool,
    /// What has arrived.
    pub(crate) received: Vec<u8>,
    pub(crate) has_fin: bool,
    /// There is no half-close.
    pub(crate) is_one_way: bool,
}

impl Peer {
    pub(crate) fn sends(&mut self, bytes: impl AsRef<[u8]>) {
        self.sends.extend_from_slice(bytes.as_ref());
    }

    pub(crate) fn ends(&mut self) {
        self.ends = Some(Ok(()));
    }

    /// Neither reads nor writes work any more.
    pub(crate) fn breaks(&mut self) {
        self.ends = Some(Err(IoFailure::Reset));
        self.is_broken = true;
    }

    pub(crate) fn unread(&self) -> usize {
        self.sends.len()
    }

    /// Returns what has arrived since the last call.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.received)
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|relay| relay)
    }

    pub(crate) fn with(change: impl FnOnce(Relay<Keys>) -> Relay<Keys>) -> Self {
        let keys: Keys = || MaskKey::new(KEY);
        Self {
            relay: change(Relay::new(&Negotiated::new(), keys)),
            now: Duration::from_secs(100),
            client: Peer::default(),
            server: Peer::default(),
        }
    }

    /// Does all that is possible without waiting. Returns the end, if it has come.
    pub(crate) fn run(&mut self) -> Option<RelayEnd> {
        loop {
            let now = self.now;
            let (client, server) = match self.relay.next(|| now) {
                RelayNext::Wants { client, server } => (client, server),
                RelayNext::Ended(end) => return Some(end),
            };
            let has_progressed = self.act(Side::Client, client) | self.act(Side::Server, server);
            let is_due = client.deadline.is_some_and(|moment| moment <= now);
            if !has_progressed && !is_due {
                return None;
            }
        }
    }

    /// Lets the time pass until the deadline, and returns the end.
    pub(crate) fn wait(&mut self) -> RelayEnd {
        assert_eq!(self.run(), None, "there is nothing to wait for");
        let RelayNext::Wants { client, .. } = self.relay.next(|| self.now) else { unreachable!() };
        self.now = client.deadline.expect("there is a deadline");
        self.run().expect("the deadline has passed")
    }

    fn act(&mut self, side: Side, wants: Wants) -> bool {
        let Self { relay, client, server, .. } = self;
        let (peer, other) = match side {
            Side::Client => (client, server),
            Side::Server => (server, client),
        };
        let mut has_progressed = false;
        if wants.write {
            let output = relay.output(side, &other.input);
            let count = output.len().min(peer.takes.unwrap_or(usize::MAX));
            let outcome = match count {
                _ if peer.is_broken => Err(IoFailure::Ended),
                0 => Err(IoFailure::NotReady),
                count => Ok(count),
            };
            if let Ok(count) = outcome {
                assert!(!peer.has_fin, "a write after the end of the writing side");
                peer.received.extend_from_slice(&output[..count]);
                peer.takes = peer.takes.map(|takes| takes - count);
            }
            has_progressed |= outcome != Err(IoFailure::NotReady);
            relay.did_write(side, outcome, &mut other.input);
        }
        if wants.read {
            let outcome = match (peer.sends.len(), peer.ends) {
                (0, None) => Err(IoFailure::NotReady),
                (0, Some(Ok(()))) => Ok(0),
                (0, Some(Err(failure))) => Err(failure),
                (some, _) => {
                    let count = some.min(4096);
                    peer.input.extend_from_slice(&peer.sends[..count]);
                    peer.sends.drain(..count);
                    Ok(count)
                }
            };
            has_progressed |= outcome != Err(IoFailure::NotReady);
            relay.did_read(side, outcome, &mut peer.input);
        }
        if wants.shut_down_write {
            peer.has_fin = !peer.is_one_way;
            let outcome = if peer.is_one_way { Err(IoFailure::Unsupported) } else { Ok(()) };
            relay.did_shut_down(side, outcome);
            has_progressed = true;
        }
        has_progressed
    }
}

/// Returns a Close as a server sends it to the client.
pub(crate) fn plain_close(code: u16, reason: &str) -> Vec<u8> {
    frame_with(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat(), None)
}

/// Returns a Close as a client sends it to the server, or the relay in its name.
pub(crate) fn masked_close(code: u16, reason: &str) -> Vec<u8> {
    frame_with(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat(), Some(KEY))
}

/// Returns what a relay tells the server when the client has failed.
pub(crate) fn reason_for(error: ProtocolError) -> String {
    format!("the client failed: {error}")
}
