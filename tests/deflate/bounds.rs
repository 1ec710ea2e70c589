//! Bounds on the cost and the length of compressed input.

use super::{agreed, client, eager, end, server};
use sansocket::{
    CloseCode, Event, Limits, Message,
    connection::{Client, Progress, ProtocolError, ReceiveError},
    mask::MaskKey,
};
use sansocket_testkit::{endpoint::Endpoint, frames::plain};

type Peer = Endpoint<Client<fn() -> MaskKey>>;

fn bounded(limit: u64) -> Peer {
    let role: Client<fn() -> MaskKey> = Client::new(|| MaskKey::new([0; 4]));
    end(role, agreed(), eager().limits(Limits::default().message(limit)))
}

/// Encodes stored blocks of at most `each` bytes. The last one is empty and lacks its tail.
fn stored(data: &[u8], each: usize) -> Vec<u8> {
    let mut blocks = Vec::new();
    for piece in data.chunks(each) {
        let len = piece.len() as u16;
        blocks.push(0);
        blocks.extend(len.to_le_bytes());
        blocks.extend((!len).to_le_bytes());
        blocks.extend(piece);
    }
    blocks.push(0);
    blocks
}

/// The limit applies to what the application gets, and incompressible data gets longer when
/// compressed.
#[test]
fn a_message_at_the_limit_is_received_although_it_is_longer_compressed() {
    for limit in [0, 1, 1000, 65_536, 100_000] {
        let data: Vec<u8> = (0..limit).map(|at| (at * 167 % 251) as u8).collect();
        for each in [100, 65_535] {
            let mut peer = bounded(limit as u64);
            peer.fill(&plain(0xc2, &stored(&data, each)));
            assert_eq!(peer.messages().unwrap(), [Message::binary(data.clone())]);

            let mut peer = bounded(limit as u64);
            peer.fill(&plain(0xc2, &stored(&[&data[..], b"!"].concat(), each)));
            let (len, limit) = (limit as u64 + 1, limit as u64);
            let error = ProtocolError::MessageTooLarge { len, limit };
            assert_eq!(peer.messages(), Err(error.into()));
        }
    }
}

/// No common encoder produces such a frame from an allowed message.
#[test]
fn a_much_longer_compressed_frame_is_refused_by_its_header() {
    for (limit, most) in [(0, 64), (1000, 1314), (65_536, 81_984)] {
        let mut peer = bounded(limit);
        let whole = plain(0xc2, &vec![0; most + 1]);
        peer.fill(&whole[..4.max(whole.len() - most - 1)]);
        let error = ProtocolError::FrameTooLarge { len: most as u64 + 1, limit: most as u64 };
        assert_eq!(peer.advance(), Err(error.into()));
        // An uncompressed frame may not be longer than the message.
        for len in [limit + 1, 1 << 20] {
            let mut peer = bounded(limit);
            peer.fill(&plain(0x82, &vec![0; len as usize]));
            let error = ProtocolError::MessageTooLarge { len, limit };
            assert_eq!(peer.messages(), Err(error.into()));
        }
    }
}

/// `x` in a final block with fixed codes.
const X: [u8; 3] = [0xab, 0x00, 0x00];

/// Receives frames in pieces of `cut` bytes. Returns how much arrived.
fn receive(frames: &[u8], cut: usize, chunked: bool) -> Result<usize, ReceiveError> {
    let mut peer = client(agreed());
    let mut len = 0;
    for piece in frames.chunks(cut) {
        peer.fill(piece);
        loop {
            if chunked {
                if peer.advance_chunk()? == Progress::NeedsInput {
                    break;
                }
                let chunk = peer.connection.chunk(&peer.input).unwrap();
                let Event::Binary(data) = chunk.event else { panic!("{chunk:?}") };
                len += data.len();
            } else {
                if peer.advance()? == Progress::NeedsInput {
                    break;
                }
                let Some(Event::Binary(data)) = peer.event() else { panic!() };
                len += data.len();
            }
        }
    }
    Ok(len)
}

/// RFC 7692 §7.2.3.4 allows final blocks. Some peers end each message, each frame or each record
/// with one.
#[test]
fn last_blocks_at_a_plausible_rate_are_received() {
    let each_message = [plain(0xc2, &X), plain(0xc2, &[&X[..], &[0]].concat())].concat();
    let mut each_frame = plain(0x42, &X);
    for _ in 0..1000 {
        each_frame.extend(plain(0x00, &X));
    }
    each_frame.extend(plain(0x80, &X));
    // 11 bytes of a stored block, then a final block of 5.
    let mut record = vec![0, 6, 0, 0xf9, 0xff];
    record.extend(b"record");
    record.extend([1, 0, 0, 0xff, 0xff]);
    let each_record = plain(0xc2, &record.repeat(1000));
    for (frames, len) in
        [(each_message.repeat(1000), 2000), (each_frame, 1002), (each_record, 6000)]
    {
        for cut in [1, 7, usize::MAX] {
            for chunked in [false, true] {
                assert_eq!(receive(&frames, cut, chunked), Ok(len));
            }
        }
    }
}

/// Each final block restarts the decompression. The work is proportional to their number, which is
/// bounded by the number of bytes received, except for the first 64 on a connection.
#[test]
fn many_last_blocks_in_few_bytes_fail_with_1008() {
    let fixed = &[0x03, 0x00][..];
    let with_other_bits = &[0x03, 0xfc];
    let stored = &[0x01, 0, 0, 0xff, 0xff];
    let mut sender = server(agreed());
    sender.connection.send_binary(&[0; 50_000], &mut sender.output).unwrap();
    let zeros = [&sender.written()[2..], &[0, 0, 0xff, 0xff]].concat();
    for (block, first) in [
        (fixed, &b""[..]),
        (with_other_bits, b""),
        (stored, b""),
        (&X, b""),
        // Output that was produced before does not count.
        (fixed, &zeros),
    ] {
        let payload = [first, &block.repeat(1000)].concat();
        let mut outcomes = Vec::new();
        for cut in [1, 2, 3, 7, 100, usize::MAX] {
            for chunked in [false, true] {
                outcomes.push(receive(&plain(0xc2, &payload), cut, chunked));
            }
        }
        let Err(ReceiveError::Protocol(error @ ProtocolError::TooManyLastBlocks { limit })) =
            outcomes[0]
        else {
            panic!("{:?}", outcomes[0]);
        };
        let before = first.len() as u64 + (limit + 1) * block.len() as u64;
        assert_eq!(limit, 65 + before / 16);
        assert_eq!(error.close_code(), CloseCode::POLICY_VIOLATION);
        assert!(outcomes.iter().all(|outcome| *outcome == outcomes[0]), "{outcomes:?}");
    }
}
