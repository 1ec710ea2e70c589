//! WebSocket frames (RFC 6455): writes client frames and reads server frames.

use crate::Result;

/// Text or binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Binary,
}

pub(crate) mod opcode {
    pub(crate) const CONTINUATION: u8 = 0;
    pub(crate) const TEXT: u8 = 1;
    pub(crate) const BINARY: u8 = 2;
    pub(crate) const CLOSE: u8 = 8;
    pub(crate) const PING: u8 = 9;
    pub(crate) const PONG: u8 = 10;
}

impl Kind {
    pub(crate) fn opcode(self) -> u8 {
        match self {
            Self::Text => opcode::TEXT,
            Self::Binary => opcode::BINARY,
        }
    }
}

/// Returns the header length of a masked frame.
pub(crate) fn masked_header_length(payload: usize) -> usize {
    match payload {
        0..=125 => 6,
        126..=0xffff => 8,
        _ => 14,
    }
}

/// Appends a whole message as one masked frame.
pub(crate) fn write(out: &mut Vec<u8>, opcode: u8, compressed: bool, payload: &[u8], key: [u8; 4]) {
    let first = 0x80 | if compressed { 0x40 } else { 0 } | opcode;
    match payload.len() {
        length @ 0..=125 => out.extend([first, 0x80 | length as u8]),
        length @ 126..=0xffff => {
            out.extend([first, 0x80 | 126]);
            out.extend((length as u16).to_be_bytes());
        }
        length => {
            out.extend([first, 0x80 | 127]);
            out.extend((length as u64).to_be_bytes());
        }
    }
    out.extend(key);
    let start = out.len();
    out.extend_from_slice(payload);
    mask(&mut out[start..], key);
}

fn mask(bytes: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) fin: bool,
    pub(crate) compressed: bool,
    pub(crate) opcode: u8,
    pub(crate) length: u64,
}

/// The available part of one frame's payload.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part<'a> {
    pub(crate) header: Header,
    pub(crate) is_first: bool,
    pub(crate) is_last: bool,
    pub(crate) payload: &'a [u8],
}

/// Parses a server's frames from input in pieces of any size.
#[derive(Default)]
pub(crate) struct Parser {
    head: [u8; 10],
    head_length: usize,
    /// The frame whose payload is being read, and the number of bytes still missing.
    current: Option<(Header, u64)>,
}

impl Parser {
    /// Takes the next part off the front of `input`. Returns `None` if more input is needed.
    pub(crate) fn next<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Part<'a>>> {
        let (header, left, is_first) = match self.current {
            Some(_) if input.is_empty() => return Ok(None),
            Some((header, left)) => (header, left, false),
            None => match self.header(input)? {
                Some(header) => (header, header.length, true),
                None => return Ok(None),
            },
        };
        let here = left.min(input.len() as u64);
        let (payload, rest) = input.split_at(here as usize);
        *input = rest;
        let left = left - here;
        self.current = (left > 0).then_some((header, left));
        Ok(Some(Part { header, is_first, is_last: left == 0, payload }))
    }

    fn header(&mut self, input: &mut &[u8]) -> Result<Option<Header>> {
        loop {
            let needed = match self.head[1] & 0x7f {
                _ if self.head_length < 2 => 2,
                126 => 4,
                127 => 10,
                _ => 2,
            };
            if self.head_length == needed {
                self.head_length = 0;
                return header(self.head).map(Some);
            }
            let count = input.len().min(needed - self.head_length);
            if count == 0 {
                return Ok(None);
            }
            let (taken, rest) = input.split_at(count);
            self.head[self.head_length..][..count].copy_from_slice(taken);
            self.head_length += count;
            *input = rest;
        }
    }
}

fn header(head: [u8; 10]) -> Result<Header> {
    let [first, second, a, b, c, d, e, f, g, h] = head;
    let (least, length) = match second & 0x7f {
        126 => (126, u64::from(u16::from_be_bytes([a, b]))),
        127 => (1 << 16, u64::from_be_bytes([a, b, c, d, e, f, g, h])),
        length => (0, u64::from(length)),
    };
    let header = Header {
        fin: first & 0x80 != 0,
        compressed: first & 0x40 != 0,
        opcode: first & 0x0f,
        length,
    };
    let fault = if second & 0x80 != 0 {
        "it is masked"
    } else if first & 0x30 != 0 {
        "RSV2 or RSV3 is set"
    } else if length < least {
        "its length is not encoded in the shortest form"
    } else if length >> 63 != 0 {
        "the highest bit of its length is set"
    } else if matches!(header.opcode, 3..=7 | 11..) {
        "its opcode is reserved"
    } else if header.opcode >= 8 && (!header.fin || header.compressed || length > 125) {
        "it is a fragmented, compressed or overlong control frame"
    } else {
        return Ok(header);
    };
    Err(format!("the server sent an invalid frame {first:02x} {second:02x}: {fault}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmasked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..126 => frame.push(length as u8),
            length @ 126..0x1_0000 => {
                frame.push(126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(payload);
        frame
    }

    fn frames(pieces: &[&[u8]]) -> Result<Vec<(Header, Vec<u8>)>> {
        let mut parser = Parser::default();
        let mut frames = Vec::new();
        for mut piece in pieces.iter().copied() {
            while let Some(part) = parser.next(&mut piece)? {
                if part.is_first {
                    frames.push((part.header, Vec::new()));
                }
                let (_, payload) = frames.last_mut().expect("every frame has a first part");
                payload.extend(part.payload);
                assert_eq!(part.is_last, payload.len() as u64 == part.header.length);
            }
            assert!(piece.is_empty());
        }
        Ok(frames)
    }

    #[test]
    fn frames_can_be_split_anywhere() {
        let payloads: Vec<Vec<u8>> =
            [0, 5, 125, 126, 300].map(|size| (0..size).map(|at| at as u8).collect()).into();
        let input: Vec<u8> = payloads.iter().flat_map(|payload| unmasked(0x82, payload)).collect();
        let whole = frames(&[&input]).expect("the frames are valid");
        assert_eq!(whole.iter().map(|(_, payload)| payload).collect::<Vec<_>>(), {
            payloads.iter().collect::<Vec<_>>()
        });
        for cut in 0..=input.len() {
            assert_eq!(frames(&[&input[..cut], &input[cut..]]), Ok(whole.clone()), "{cut}");
        }
        let bytes: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(frames(&bytes), Ok(whole));
    }

    #[test]
    fn long_frames_are_read() {
        let payload = vec![7; 70_000];
        let input = unmasked(0x81, &payload);
        let header = Header { fin: true, compressed: false, opcode: opcode::TEXT, length: 70_000 };
        assert_eq!(frames(&[&input]), Ok(vec![(header, payload)]));
    }

    #[test]
    fn invalid_frames_are_refused() {
        for head in [
            &[0x82, 0x80][..],
            &[0xa2, 0],
            &[0x83, 0],
            &[0x8b, 0],
            &[0x09, 0],
            &[0xc9, 0],
            &[0x82, 126, 0, 125],
            &[0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
            &[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0],
            &[0x89, 126, 0, 126],
        ] {
            assert!(frames(&[head]).is_err(), "{head:x?}");
        }
    }

    #[test]
    fn masking_matches_the_example_of_the_rfc() {
        let mut out = Vec::new();
        write(&mut out, opcode::TEXT, false, b"Hello", [0x37, 0xfa, 0x21, 0x3d]);
        let expected = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(out, expected);
    }

    #[test]
    fn payloads_of_every_length_are_masked_correctly() {
        let key = [1, 20, 80, 255];
        for length in 0..40 {
            let payload: Vec<u8> = (0..length).map(|at: u8| at.wrapping_mul(7)).collect();
            let mut masked = payload.clone();
            mask(&mut masked, key);
            let expected: Vec<u8> =
                payload.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect();
            assert_eq!(masked, expected);
        }
    }

    #[test]
    fn masked_header_length_is_correct() {
        for size in [0, 125, 126, 0xffff, 0x1_0000] {
            let mut out = Vec::new();
            write(&mut out, opcode::BINARY, false, &vec![0; size], [0; 4]);
            assert_eq!(out.len(), size + masked_header_length(size));
        }
    }
}
