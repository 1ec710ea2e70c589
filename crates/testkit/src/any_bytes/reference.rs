//! The outcome that RFC 6455 prescribes for given bytes, computed in the plainest way: all input at
//! hand, no state between calls, one byte at a time.
//!
//! This second opinion shares no code with the crate. Where the RFC leaves a choice, it follows
//! `tests/vectors/README.md`. A fault takes effect at the byte that reveals it.

use crate::vectors::format::Seen;
use sansocket::{CloseCode, Limits};

/// What is received, what is sent, and the close code of the failure, if any.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The events received.
    pub events: Vec<Seen>,
    /// The bytes sent.
    pub output: Vec<u8>,
    /// The close code of the failure, if any.
    pub failure: Option<CloseCode>,
}

/// Judges the input of an endpoint. If `closes_at` is given, the endpoint closes after that many
/// bytes.
pub fn judge(
    is_client: bool,
    mask: [u8; 4],
    limits: &Limits,
    input: &[u8],
    closes_at: Option<usize>,
) -> Verdict {
    let mut judge =
        Judge { is_client, mask, verdict: Verdict::default(), closes_at, closed: false };
    if let Err((at, code)) = judge.frames(limits, input) {
        judge.at(at);
        judge.send_close(&code.to_be_bytes());
        judge.verdict.failure = Some(CloseCode::new(code));
    } else {
        judge.at(usize::MAX);
    }
    judge.verdict
}

struct Judge {
    is_client: bool,
    mask: [u8; 4],
    verdict: Verdict,
    closes_at: Option<usize>,
    /// Whether a Close was sent.
    closed: bool,
}

/// The number of bytes that reveal a fault, and its close code.
type Fault = (usize, u16);

impl Judge {
    fn frames(&mut self, limits: &Limits, input: &[u8]) -> Result<(), Fault> {
        // The opcode of the message in progress, its payload so far, its number of frames, and its
        // length.
        let mut message: Option<(u8, Vec<u8>, u32, u64)> = None;
        let mut start = 0;
        loop {
            let byte = |at: usize| input.get(start + at).copied();
            let fault = |header_bytes: usize, code: u16| Err((start + header_bytes, code));

            let Some(first) = byte(0) else { return Ok(()) };
            let (fin, reserved, opcode) = (first >= 0x80, first & 0x70, first & 0x0f);
            let is_control = matches!(opcode, 8..=10);
            if !is_control && opcode > 2 || is_control && !fin {
                return fault(1, 1002);
            }
            let Some(second) = byte(1) else { return Ok(()) };
            let (is_masked, short) = (second >= 0x80, second & 0x7f);
            if is_control && short > 125 {
                return fault(2, 1002);
            }
            let length_bytes = match short {
                126 => 2,
                127 => 8,
                _ => 0,
            };
            let mut len = if length_bytes == 0 { u64::from(short) } else { 0 };
            for at in 0..length_bytes {
                let Some(next) = byte(2 + at) else { return Ok(()) };
                len = len << 8 | u64::from(next);
            }
            let longest_of_shorter = [(2, 125), (8, 65535)].into_iter();
            let is_long = longest_of_shorter
                .filter(|(bytes, _)| *bytes == length_bytes)
                .any(|(_, longest)| len <= longest);
            if is_long || len >= 1 << 63 {
                return fault(2 + length_bytes, 1002);
            }
            let header = 2 + length_bytes + if is_masked { 4 } else { 0 };
            if input.len() < start + header {
                return Ok(());
            }
            if is_masked == self.is_client || reserved != 0 {
                return fault(header, 1002);
            }
            let key = if is_masked { &input[start + header - 4..start + header] } else { &[0; 4] };
            let from = start + header;
            let there = usize::try_from(len).unwrap_or(usize::MAX).min(input.len() - from);
            let is_whole = there as u64 == len;
            let payload: Vec<_> = input[from..from + there]
                .iter()
                .enumerate()
                .map(|(at, byte)| byte ^ key[at % 4])
                .collect();

            if is_control {
                if !is_whole {
                    return Ok(());
                }
                self.at(from + there);
                match opcode {
                    9 => {
                        self.verdict.events.push(Seen::Ping(payload.clone()));
                        self.send(0x8a, &payload);
                    }
                    10 => self.verdict.events.push(Seen::Pong(payload)),
                    _ => return self.close(&payload).map_err(|code| (from + there, code)),
                }
                start = from + there;
                continue;
            }

            let (kind, mut data, frames, sum) = match (opcode, message.take()) {
                (0, Some(message)) => message,
                (1 | 2, None) => (opcode, Vec::new(), 0, 0),
                _ => return fault(header, 1002),
            };
            let (frames, sum) = (frames + 1, sum + len);
            if limits.frame.is_some_and(|most| len > most) || sum > limits.message {
                return fault(header, 1009);
            }
            if frames > limits.fragments {
                return fault(header, 1008);
            }
            let before = data.len();
            data.extend(payload);
            if kind == 1 {
                if let Err(error) = core::str::from_utf8(&data) {
                    let valid = error.valid_up_to();
                    // The first byte that makes the text invalid whatever follows.
                    let bad = (valid..data.len()).find(|end| {
                        let begins = core::str::from_utf8(&data[valid..=*end]);
                        begins.is_err_and(|error| error.error_len().is_some())
                    });
                    if let Some(bad) = bad {
                        return Err((from + bad + 1 - before, 1007));
                    }
                    if is_whole && fin {
                        return Err((from + there, 1007));
                    }
                }
            }
            if !is_whole {
                return Ok(());
            }
            start = from + there;
            if fin {
                self.verdict.events.push(match kind {
                    1 => Seen::Text(String::from_utf8(data).unwrap()),
                    _ => Seen::Binary(data),
                });
            } else {
                message = Some((kind, data, frames, sum));
            }
        }
    }

    /// Handles the peer's Close, after which no frame counts.
    fn close(&mut self, payload: &[u8]) -> Result<(), u16> {
        let frame = match payload {
            [] => None,
            [_] => return Err(1002),
            [high, low, reason @ ..] => {
                let code = u16::from(*high) * 256 + u16::from(*low);
                let reserved = [1004, 1005, 1006];
                let is_defined = (1000..1015).contains(&code) && !reserved.contains(&code);
                if !is_defined && !(3000..5000).contains(&code) {
                    return Err(1002);
                }
                let reason = core::str::from_utf8(reason).map_err(|_| 1007_u16)?;
                Some((CloseCode::new(code), reason.to_owned()))
            }
        };
        self.verdict.events.push(Seen::Close(frame));
        self.send_close(&payload[..payload.len().min(2)]);
        Ok(())
    }

    /// Records that something happens after `count` bytes. A Close that was due earlier is sent
    /// first.
    fn at(&mut self, count: usize) {
        if self.closes_at.is_some_and(|closes_at| closes_at < count) {
            self.closes_at = None;
            self.send_close(b"\x03\xe9bye");
        }
    }

    fn send_close(&mut self, payload: &[u8]) {
        if !self.closed {
            self.closed = true;
            self.send(0x88, payload);
        }
    }

    fn send(&mut self, first: u8, payload: &[u8]) {
        let output = &mut self.verdict.output;
        output.push(first);
        if self.is_client {
            output.push(0x80 | payload.len() as u8);
            output.extend(self.mask);
            output.extend(payload.iter().zip(self.mask.iter().cycle()).map(|(a, b)| a ^ b));
        } else {
            output.push(payload.len() as u8);
            output.extend(payload);
        }
    }
}
