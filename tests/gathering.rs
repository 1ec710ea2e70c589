//! Messages of unknown length, gathered into fragments.
#![cfg(feature = "alloc")]

use sansocket::{
    CloseCode, Config, Limits, Message,
    connection::{
        FinishError, FragmentBuffer, GatherError, MessageKind, Progress, Role, SendError, Server,
    },
    frame::{FrameHeader, OpCode},
};
use sansocket_testkit::{cuts::cuts, endpoint::*, frames::*, noise::noise, traffic};

/// Gathers all of `bytes` and sends each fragment that is full.
fn write<R: Role>(end: &mut Endpoint<R>, buffer: &mut FragmentBuffer, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let count = buffer.gather(bytes).unwrap();
        if count == 0 {
            end.connection.send_gathered(buffer, &mut end.output).unwrap();
        }
        bytes = &bytes[count..];
    }
}

fn buffer(kind: MessageKind, config: Config) -> FragmentBuffer {
    FragmentBuffer::new(kind, config.fragment_size)
}

/// Returns the lengths of the frames in `bytes`.
fn frame_lens(mut bytes: &[u8]) -> Vec<usize> {
    let mut lens = Vec::new();
    while !bytes.is_empty() {
        let (header, len) = FrameHeader::parse(bytes).unwrap().unwrap();
        lens.push(header.payload_len as usize);
        bytes = &bytes[len + header.payload_len as usize..];
    }
    lens
}

#[test]
fn small_writes_leave_in_fragments_of_the_configured_size() {
    fn check<R: Role>(end: impl Fn(Config) -> Endpoint<R>) {
        let data = noise(10_000, 1);
        for size in [1, 4, 5, 100, 4096, 10_000, 64 << 10, usize::MAX, 0] {
            let config = Config::default().fragment_size(size);
            let mut end = end(config);
            let mut buffer = buffer(MessageKind::Binary, config);
            for seed in 0..3 {
                let (mut buffer, mut from) = (self::buffer(MessageKind::Binary, config), 0);
                for cut in cuts(seed, data.len()).into_iter().chain([data.len()]) {
                    write(&mut end, &mut buffer, &data[from..cut]);
                    from = cut;
                }
                end.connection.finish_gathered(&mut buffer, &mut end.output).unwrap();
                let bytes = end.written();
                let lens = frame_lens(&bytes);
                let (last, full) = lens.split_last().unwrap();
                let largest = if size == 0 { usize::MAX } else { size };
                assert!((1..=largest).contains(last), "{last}");
                // Otherwise there would be a frame for each write.
                let smallest = largest.min(64 << 10);
                assert!(size == 5 || full.iter().all(|len| *len == smallest), "{lens:?}");
                let seen = traffic::decode_as_peer_of::<R>(&bytes);
                assert_eq!(seen.messages, [Message::binary(data.clone())]);
            }
            assert!(buffer.is_empty() && buffer.gather(&[]) == Ok(0));
        }
    }
    check(server);
    check(|config| Endpoint::new(client_role(), config));
}

#[test]
fn memory_is_bounded_by_a_fragment() {
    for size in [0, 1, 1000, usize::MAX] {
        let mut buffer = FragmentBuffer::new(MessageKind::Binary, size);
        let piece = [7; 1000];
        let mut taken = 0;
        for _ in 0..1000 {
            taken += buffer.gather(&piece).unwrap();
        }
        let most = if size == 0 { 64 << 10 } else { size.clamp(4, 64 << 10) };
        assert_eq!((taken, buffer.len()), (most, most));
    }
}

/// Each fragment of a text is text by itself.
#[test]
fn text_is_cut_between_characters() {
    let text = "aé漢🌍".repeat(40);
    for (size, cut) in (1..20).flat_map(|size| (1..7).map(move |cut| (size, cut))) {
        let config = Config::default().fragment_size(size);
        let mut end = server(config);
        let mut buffer = buffer(MessageKind::Text, config);
        for piece in text.as_bytes().chunks(cut) {
            write(&mut end, &mut buffer, piece);
            end.connection.send_gathered(&mut buffer, &mut end.output).unwrap();
            assert!(buffer.len() < 4, "only the beginning of a character waits");
        }
        end.connection.finish_gathered(&mut buffer, &mut end.output).unwrap();
        assert!(buffer.is_finished());
        let bytes = end.written();
        if size >= 4 {
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let (header, len) = FrameHeader::parse(rest).unwrap().unwrap();
                let (payload, behind) = rest[len..].split_at(header.payload_len as usize);
                assert!(std::str::from_utf8(payload).is_ok());
                rest = behind;
            }
        }
        let seen = traffic::decode_as_peer_of::<Server>(&bytes);
        assert_eq!(seen.messages, [Message::text(text.as_str())]);
    }
}

#[test]
fn invalid_text_is_refused_and_nothing_of_it_is_sent() {
    let config = Config::default().fragment_size(8);
    let mut end = server(config);
    let mut buffer = buffer(MessageKind::Text, config);
    write(&mut end, &mut buffer, b"12345678ab\xc3");
    assert_eq!(end.written(), plain(TEXT_START, b"12345678"));
    // Neither these bytes alone nor with what is held back.
    let fault = |at| Err(GatherError::InvalidUtf8 { at });
    assert_eq!(buffer.gather(b"\xff"), fault(10));
    assert_eq!(buffer.gather(b"x"), fault(10));
    assert_eq!(buffer.gather(b"\xa9c\xed\xa0"), fault(13));
    let ends_early = FinishError::Gather(GatherError::InvalidUtf8 { at: 10 });
    assert_eq!(end.connection.finish_gathered(&mut buffer, &mut end.output), Err(ends_early));
    assert!(end.output.is_empty() && !buffer.is_finished());
    // Nothing was taken of them, so the message can go on.
    write(&mut end, &mut buffer, b"\xa9c");
    end.connection.finish_gathered(&mut buffer, &mut end.output).unwrap();
    assert_eq!(end.written(), plain(LAST, "abéc".as_bytes()));
}

#[test]
fn a_message_of_one_fragment_is_one_frame() {
    let mut end = server(Config::default());
    for payload in [&b"one frame"[..], b""] {
        let mut buffer = FragmentBuffer::new(MessageKind::Text, 100);
        assert_eq!(buffer.kind(), MessageKind::Text);
        write(&mut end, &mut buffer, payload);
        assert_eq!(buffer.close_code(), None, "nothing of it is queued");
        end.connection.finish_gathered(&mut buffer, &mut end.output).unwrap();
        assert_eq!(end.written(), plain(TEXT, payload));
        assert_eq!(buffer.close_code(), None, "all of it is queued");
        assert_eq!(buffer.gather(b"x"), Err(GatherError::Finished));
        let twice = end.connection.finish_gathered(&mut buffer, &mut end.output);
        assert_eq!(twice, Err(FinishError::Gather(GatherError::Finished)));
    }
}

#[test]
fn a_message_that_is_given_up_can_not_be_taken_for_a_whole_one() {
    let mut end = server(Config::default());
    let mut given_up = FragmentBuffer::new(MessageKind::Binary, 100);
    write(&mut end, &mut given_up, b"half");
    end.connection.send_gathered(&mut given_up, &mut end.output).unwrap();
    assert_eq!(end.written(), plain(BINARY_START, b"half"));
    assert_eq!(given_up.close_code(), Some(CloseCode::INTERNAL_ERROR));
    drop(given_up);
    // Neither another message of the same kind nor one of the other goes on where it stopped.
    for kind in [MessageKind::Binary, MessageKind::Text] {
        let mut other = FragmentBuffer::new(kind, 100);
        write(&mut end, &mut other, b"other");
        let refused = SendError::MessageInProgress;
        assert_eq!(end.connection.send_gathered(&mut other, &mut end.output), Err(refused));
        let finished = end.connection.finish_gathered(&mut other, &mut end.output);
        assert_eq!(finished, Err(refused.into()));
        assert_eq!((other.len(), other.is_finished()), (5, false), "it can be tried again");
    }
    assert_eq!(end.connection.send_text("x", &mut end.output), Err(SendError::MessageInProgress));
    assert!(end.output.is_empty());
}

#[test]
fn a_full_queue_changes_nothing_and_control_frames_go_between() {
    let limits = Limits::default().queued_output(10);
    let mut end = server(Config::default().limits(limits));
    let mut buffer = FragmentBuffer::new(MessageKind::Binary, 20);
    write(&mut end, &mut buffer, &[1; 20]);
    end.connection.send_gathered(&mut buffer, &mut end.output).unwrap();
    write(&mut end, &mut buffer, &[2; 20]);
    let full = end.connection.send_gathered(&mut buffer, &mut end.output);
    assert_eq!(full, Err(SendError::QueueFull { queued: 22, limit: 10 }));
    let full = end.connection.finish_gathered(&mut buffer, &mut end.output);
    assert!(matches!(full, Err(FinishError::Send(SendError::QueueFull { .. }))), "{full:?}");
    assert_eq!(buffer.len(), 20);
    // The pong for a ping that arrives in between.
    end.fill(&masked(PING, b"p"));
    assert_eq!(end.advance(), Ok(Progress::Event));
    let bytes = end.written();
    end.connection.finish_gathered(&mut buffer, &mut end.output).unwrap();
    let bytes = [bytes, end.written()].concat();
    let opcodes: Vec<_> = traffic::frames(&bytes).into_iter().map(|(_, opcode)| opcode).collect();
    assert_eq!(opcodes, [OpCode::Binary, OpCode::Pong, OpCode::Continuation]);
}

#[cfg(feature = "deflate")]
#[test]
fn a_gathered_message_is_compressed_if_that_was_agreed() {
    use sansocket::{DeflateConfig, deflate::DeflateParameters, handshake::Negotiated};
    let agreed = Negotiated::new().deflate(DeflateParameters::default());
    let config = Config::default().deflate(DeflateConfig::new()).fragment_size(1000);
    let mut sends = Endpoint::agreed(Server::new(), &agreed, config);
    let mut receives = Endpoint::agreed(client_role(), &agreed, config);
    let text = "a line that repeats\n".repeat(1000);
    let mut buffer = buffer(MessageKind::Text, config);
    write(&mut sends, &mut buffer, text.as_bytes());
    sends.connection.finish_gathered(&mut buffer, &mut sends.output).unwrap();
    let bytes = sends.written();
    assert!(bytes.len() < text.len() / 10, "{}", bytes.len());
    receives.fill(&bytes);
    assert_eq!(receives.messages().unwrap(), [Message::text(text)]);
}
