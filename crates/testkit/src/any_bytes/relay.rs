//! Arbitrary bytes, passed on by a relay.

use super::scenario::Scenario;
use crate::{
    cuts::cuts,
    vectors::{
        drive::{Way, outcome},
        format::{Ending, Seen},
    },
};
use sansocket::{
    CloseCode,
    buffer::ReadBuffer,
    connection::{ProtocolError, ReceiveError},
    handshake::Negotiated,
    mask::MaskKey,
    relay::{FrameRelay, Passage, Relay, RelayNext, Side},
    transport::IoFailure,
};
use std::time::Duration;

/// Reads a [`Scenario`] from the bytes, if there are enough, and checks what a relay does with its input.
pub fn check_relay(data: &[u8]) {
    let Some(scenario) = Scenario::read(data) else { return };
    let (input, cuts) = (scenario.input(), scenario.cuts);
    check_frames(scenario.vector.is_client, &input, &cuts);
    let (from_client, from_server) = input.split_at(cuts.first().copied().unwrap_or(input.len()));
    check_both(from_client, from_server, data[6]);
}

/// What a [`FrameRelay`] has passed on.
#[derive(Debug, PartialEq, Eq)]
struct Passed {
    len: usize,
    close: Option<Option<CloseCode>>,
    controls: usize,
    error: Option<ProtocolError>,
}

/// Checks one direction: cuts change nothing, and a relay refuses what an endpoint refuses, unless it
/// is a matter of payloads.
fn check_frames(from_server: bool, input: &[u8], cuts: &[usize]) {
    let from = if from_server { Side::Server } else { Side::Client };
    let whole = passed(from, input, &[]);
    assert_eq!(passed(from, input, cuts), whole, "cut at {cuts:?}");

    // An endpoint receives in chunks, because those have no limits either.
    let endpoint = Scenario::new(from_server, None, input, None, Vec::new());
    let received = outcome(&endpoint.vector, &[], Way::Chunks).unwrap();
    let error = match received.error {
        Some(ReceiveError::Protocol(error)) => Some(error),
        _ => None,
    };
    if matches!(error, Some(ProtocolError::InvalidUtf8 { .. })) {
        return;
    }
    assert_eq!(error, whole.error);
    let controls = received
        .events
        .iter()
        .filter(|event| matches!(event, Seen::Ping(_) | Seen::Pong(_) | Seen::Close(_)));
    assert_eq!(controls.count(), whole.controls);
    if let Ending::Failed(code) = received.end {
        assert_eq!(whole.error.map(|error| error.close_code()), Some(code));
    }
}

fn passed(from: Side, input: &[u8], cuts: &[usize]) -> Passed {
    let mut frames = FrameRelay::new(from, &Negotiated::new());
    let mut passed = Passed { len: 0, close: None, controls: 0, error: None };
    for end in cuts.iter().copied().chain([input.len()]) {
        loop {
            match frames.advance(&input[passed.len..end]) {
                Ok(Some(passage)) => {
                    assert!(passage.len() > 0 && passed.len + passage.len() <= end);
                    passed.len += passage.len();
                    match passage {
                        Passage::Data { .. } => {}
                        Passage::Close { code, .. } => {
                            passed.controls += 1;
                            passed.close = Some(code);
                        }
                        _ => passed.controls += 1,
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    passed.error = Some(error);
                    return passed;
                }
            }
        }
    }
    assert_eq!(passed.close.is_some(), frames.is_closed());
    passed
}

/// Checks both directions at once: whatever the sides send, and however little they take at a time,
/// each gets valid frames, and the relay ends.
fn check_both(from_client: &[u8], from_server: &[u8], seed: u8) {
    let key = MaskKey::new([1, 2, 3, 4]);
    let mut relay = Relay::new(&Negotiated::new(), move || key);
    let mut sides = [
        Socket::new(Side::Client, from_client, seed),
        Socket::new(Side::Server, from_server, seed / 2),
    ];
    let mut now = Duration::ZERO;
    // Each round makes progress in at least one of so many steps, or the time passes.
    for _ in 0..10 * (from_client.len() + from_server.len()) + 100 {
        let RelayNext::Wants { client, server } = relay.next(|| now) else {
            for side in sides {
                let frames = passed(side.side.other(), &side.written, &[]);
                assert_eq!(frames.error, None, "written to the {}", side.side);
                // Nothing follows a Close.
                assert!(frames.close.is_none() || frames.len == side.written.len());
            }
            return;
        };
        let mut has_progressed = false;
        for (at, wants) in [client, server].into_iter().enumerate() {
            let side = sides[at].side;
            if wants.write {
                let other = &mut sides[1 - at].input;
                let output = relay.output(side, other).to_vec();
                let count = output.len().min(1 + usize::from(seed));
                sides[at].written.extend_from_slice(&output[..count]);
                relay.did_write(side, Ok(count), &mut sides[1 - at].input);
                has_progressed = true;
            }
            if wants.read {
                let outcome = sides[at].read();
                has_progressed |= outcome.is_ok();
                relay.did_read(side, outcome, &mut sides[at].input);
            }
            if wants.shut_down_write {
                relay.did_shut_down(side, Ok(()));
                has_progressed = true;
            }
        }
        if !has_progressed {
            now += Duration::from_secs(1);
        }
    }
    panic!("the relay does not end");
}

/// A side that sends bytes in pieces and then ends.
struct Socket {
    side: Side,
    pieces: std::vec::IntoIter<Vec<u8>>,
    has_ended: bool,
    input: ReadBuffer,
    written: Vec<u8>,
}

impl Socket {
    fn new(side: Side, bytes: &[u8], seed: u8) -> Self {
        let mut places = vec![0];
        places.extend(cuts(seed, bytes.len()));
        places.push(bytes.len());
        let pieces: Vec<_> = places.windows(2).map(|pair| bytes[pair[0]..pair[1]].into()).collect();
        let (input, written) = (ReadBuffer::new(), Vec::new());
        Self { side, pieces: pieces.into_iter(), has_ended: false, input, written }
    }

    fn read(&mut self) -> Result<usize, IoFailure> {
        assert!(!self.has_ended, "a read after the end");
        match self.pieces.next() {
            Some(piece) if piece.is_empty() => Err(IoFailure::NotReady),
            Some(piece) => {
                self.input.extend_from_slice(&piece);
                Ok(piece.len())
            }
            None => {
                self.has_ended = true;
                Ok(0)
            }
        }
    }
}
