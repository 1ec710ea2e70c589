//! The input of one connection: messages assembled from frames, or raw bytes.

use crate::{
    Result,
    connection::Tools,
    deflate::Decompressor,
    frames::{self, Kind, Part, opcode},
};

/// Checks the messages of a connection.
pub(crate) trait Receiver {
    /// Called after each read, before the messages that were read.
    fn arrived(&mut self) {}
    /// Called for each piece of a message.
    fn data(&mut self, bytes: &[u8]) -> Result<()>;
    /// Called at the end of a message.
    fn end(&mut self, kind: Kind) -> Result<()>;
}

pub(crate) struct Incoming {
    framing: Framing,
    /// Payload bytes on the wire, without frame headers.
    payload_bytes: u64,
}

enum Framing {
    Frames(Messages),
    /// Consecutive messages of `length` bytes. `position` bytes of the current one have arrived.
    Raw {
        length: usize,
        position: usize,
    },
}

struct Messages {
    parser: frames::Parser,
    /// The kind of the current message, and whether it is compressed.
    current: Option<(Kind, bool)>,
    control: Vec<u8>,
    decompressor: Option<Decompressor>,
}

impl Incoming {
    pub(crate) fn frames(decompressor: Option<Decompressor>) -> Self {
        let parser = frames::Parser::default();
        let messages = Messages { parser, current: None, control: Vec::new(), decompressor };
        Self { framing: Framing::Frames(messages), payload_bytes: 0 }
    }

    pub(crate) fn raw(length: usize) -> Self {
        Self { framing: Framing::Raw { length, position: 0 }, payload_bytes: 0 }
    }

    pub(crate) fn payload_bytes(&self) -> u64 {
        self.payload_bytes
    }

    /// Processes input. Appends answers to pings to `tools.out`.
    pub(crate) fn take(
        &mut self,
        mut input: &[u8],
        tools: &mut Tools,
        receiver: &mut impl Receiver,
    ) -> Result<()> {
        match &mut self.framing {
            Framing::Frames(messages) => {
                while let Some(part) = messages.parser.next(&mut input)? {
                    if part.header.opcode < opcode::CLOSE {
                        self.payload_bytes += part.payload.len() as u64;
                        messages.data(&part, tools, receiver)?;
                    } else {
                        messages.control(&part, tools)?;
                    }
                }
            }
            Framing::Raw { length, position } => {
                self.payload_bytes += input.len() as u64;
                while !input.is_empty() {
                    let count = input.len().min(*length - *position);
                    let (bytes, rest) = input.split_at(count);
                    receiver.data(bytes)?;
                    *position += count;
                    if position == length {
                        *position = 0;
                        receiver.end(Kind::Binary)?;
                    }
                    input = rest;
                }
            }
        }
        Ok(())
    }
}

impl Messages {
    fn data(&mut self, part: &Part, tools: &mut Tools, receiver: &mut impl Receiver) -> Result<()> {
        if part.is_first {
            self.begin(part)?;
        }
        let (kind, is_compressed) = self.current.expect("the first part sets the current message");
        let ends = part.is_last && part.header.fin;
        match &mut self.decompressor {
            Some(decompressor) if is_compressed => {
                decompressor.piece(part.payload, &mut tools.inflated, receiver)?;
                if ends {
                    decompressor.end(&mut tools.inflated, receiver)?;
                }
            }
            _ => receiver.data(part.payload)?,
        }
        if ends {
            self.current = None;
            receiver.end(kind)?;
        }
        Ok(())
    }

    fn begin(&mut self, part: &Part) -> Result<()> {
        let is_compressed = part.header.compressed;
        let kind = match (part.header.opcode, self.current) {
            (opcode::CONTINUATION, Some(_)) if is_compressed => {
                return Err("the server set RSV1 on a continuation".into());
            }
            (opcode::CONTINUATION, Some(_)) => return Ok(()),
            (opcode::CONTINUATION, None) => {
                return Err("the server sent a continuation without a first frame".into());
            }
            (_, Some(_)) => return Err("the server started a message inside another".into()),
            (opcode::TEXT, None) => Kind::Text,
            (_, None) => Kind::Binary,
        };
        if is_compressed && self.decompressor.is_none() {
            return Err("the server set RSV1 without negotiated compression".into());
        }
        self.current = Some((kind, is_compressed));
        Ok(())
    }

    fn control(&mut self, part: &Part, tools: &mut Tools) -> Result<()> {
        self.control.extend(part.payload);
        if !part.is_last {
            return Ok(());
        }
        match part.header.opcode {
            opcode::CLOSE => return Err(closed(&self.control)),
            opcode::PING => {
                let key = tools.random.key();
                frames::write(&mut tools.out, opcode::PONG, false, &self.control, key);
            }
            // Unsolicited pongs are allowed.
            _ => {}
        }
        self.control.clear();
        Ok(())
    }
}

fn closed(payload: &[u8]) -> String {
    match payload {
        [high, low, reason @ ..] => format!(
            "the server sent a Close: {} {:?}",
            u16::from_be_bytes([*high, *low]),
            String::from_utf8_lossy(reason)
        ),
        _ => "the server sent a Close without a code".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Collected {
        messages: Vec<(Kind, Vec<u8>)>,
        current: Vec<u8>,
    }

    impl Receiver for Collected {
        fn data(&mut self, bytes: &[u8]) -> Result<()> {
            self.current.extend(bytes);
            Ok(())
        }

        fn end(&mut self, kind: Kind) -> Result<()> {
            self.messages.push((kind, std::mem::take(&mut self.current)));
            Ok(())
        }
    }

    fn take(incoming: &mut Incoming, pieces: &[&[u8]]) -> Result<(Collected, Vec<u8>)> {
        let (mut tools, mut collected) = (Tools::new(1), Collected::default());
        for piece in pieces {
            incoming.take(piece, &mut tools, &mut collected)?;
        }
        Ok((collected, tools.out))
    }

    #[test]
    fn fragments_and_pings_can_be_split_anywhere() {
        let input = b"\x01\x02ab\x89\x03hey\x00\x00\x80\x01c\x8a\x00\x82\x00";
        for cut in 0..input.len() {
            let (start, end) = input.split_at(cut);
            let taken = take(&mut Incoming::frames(None), &[start, end]);
            let (collected, out) = taken.expect("the frames are valid");
            let expected = [(Kind::Text, b"abc".to_vec()), (Kind::Binary, Vec::new())];
            assert_eq!(collected.messages, expected);
            assert_eq!((out[0], out[1], out.len()), (0x8a, 0x83, 9), "a masked pong");
        }
    }

    #[test]
    fn invalid_frames_are_refused() {
        for input in
            [&b"\x80\x00"[..], b"\x01\x00\x01\x00", b"\xc1\x00", b"\x88\x00", b"\x88\x02\x03\xe8"]
        {
            assert!(take(&mut Incoming::frames(None), &[input]).is_err(), "{input:x?}");
        }
    }

    #[test]
    fn raw_bytes_are_split_into_messages() {
        let (collected, _) =
            take(&mut Incoming::raw(3), &[b"a", b"bcdefgh"]).expect("raw bytes are always valid");
        let messages: Vec<&[u8]> =
            collected.messages.iter().map(|(_, message)| message.as_slice()).collect();
        assert_eq!(messages, [b"abc", b"def"]);
        assert_eq!(collected.current, b"gh");
    }
}
