//! Transports that write as little as allowed, or misbehave: the queue is written completely and in
//! order, headers are never written alone, and nothing loops.

use sansocket::{
    Config, Error, Limits, Message, Payload, PreparedMessage,
    connection::{Role, SendError, Server},
};
use sansocket_testkit::{
    endpoint::client_role,
    polling::{poll_once, run},
    traffic::{assert_no_header_alone, decode, decode_as_peer_of, encode},
    transports::wire::{CLIENT, EAGER, Manner, SERVER, Vectored, Wire, websocket},
};
use std::{io::ErrorKind, pin::pin, task::Poll};

/// Returns messages that are copied, linked and written directly, in one frame and in several.
fn messages(largest: usize) -> Vec<Message> {
    let sizes = [0, 1, 125, 126, 4000, 8192, 100, 16_384, 20_000, 65_535, 65_536, 140_000, 5];
    let sizes = sizes.iter().filter(|&&size| size <= largest);
    sizes.map(|&size| Message::binary(vec![size as u8; size])).collect()
}

/// Sends the messages in all forms. Returns what was sent, the bytes, and the length of each write.
fn send_all<R: Role>(manner: Manner, role: R) -> (Vec<Message>, Vec<u8>, Vec<usize>) {
    let side = if R::MASKS { CLIENT } else { SERVER };
    let wire = Wire::new();
    // If many writes are needed, fewer bytes are sent, in smaller fragments.
    let (largest, size, count) =
        if manner.most < 1000 { (16_384, 7000, 900) } else { (140_000, 64 << 10, 2000) };
    let config = Config::default().fragment_size(size);
    let mut websocket = websocket(wire.end(side, manner), role, config);
    let mut sent = messages(largest);
    let text = "κόσμε 🌍".repeat(count);
    let prepared = PreparedMessage::new(Message::binary(vec![9; 15 * count]));
    let user = async {
        // Each message by itself, so that a direct write meets an empty queue; then all together.
        for message in &sent {
            websocket.feed(message.as_bytes()).await.unwrap();
            websocket.flush().await.unwrap();
        }
        for message in &sent {
            websocket.feed(message).await.unwrap();
        }
        let others: [Payload<'_>; 3] = [(&text).into(), (&prepared).into(), "the end".into()];
        for payload in others {
            websocket.feed(payload).await.unwrap();
        }
        websocket.flush().await.unwrap();
        assert_eq!(websocket.buffered_amount(), 0);
    };
    run(&wire, &mut [pin!(user)]);
    sent.extend(messages(largest));
    sent.extend([Message::text(text), prepared.message().clone(), Message::text("the end")]);
    (sent, wire.take(side), wire.writes(side))
}

#[test]
fn writes_of_every_size_lose_nothing() {
    let ways = [
        (Vectored::All, 2),
        (Vectored::All, usize::MAX),
        (Vectored::FirstOnly, 3),
        (Vectored::No, usize::MAX),
    ];
    for most in [1, 2, 3, 5, 13, 14, 15, 100, 4096, 65_535, 65_540, usize::MAX] {
        for (vectored, steps) in ways {
            let manner = Manner { most, steps, vectored, ..EAGER };
            let (sent, bytes, _) = send_all(manner, Server::new());
            assert!(decode_as_peer_of::<Server>(&bytes).messages == sent, "{manner:?}");
            if most > 1000 {
                let (sent, bytes, _) = send_all(manner, client_role());
                let seen = decode(Server::new(), &bytes);
                assert!(seen.messages == sent, "client: {manner:?}");
            }
        }
    }
}

#[test]
fn a_header_is_never_written_alone() {
    for vectored in [Vectored::No, Vectored::All] {
        let (_, bytes, writes) = send_all(Manner { vectored, ..EAGER }, Server::new());
        assert_no_header_alone(&bytes, &writes);
        let (_, bytes, writes) = send_all(Manner { vectored, ..EAGER }, client_role());
        assert_no_header_alone(&bytes, &writes);
    }
}

/// Shows that the previous test can fail.
#[test]
#[should_panic = "at 5"]
fn a_header_alone_is_noticed() {
    assert_no_header_alone(&[0x82, 3, 1, 2, 3, 0x82, 1, 9], &[5, 2, 1]);
}

#[test]
fn thousands_of_small_frames_are_written_at_once() {
    let wire = Wire::new();
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    let expected: Vec<_> = (0..3000).map(|number| Message::text(number.to_string())).collect();
    for message in &expected {
        server.try_feed(message).unwrap();
    }
    assert!(poll_once(async { server.flush().await.unwrap() }).is_ready());
    assert_eq!((wire.writes(SERVER).len(), wire.flushes(SERVER)), (1, 1));
    assert!(decode_as_peer_of::<Server>(&wire.take(SERVER)).messages == expected);
}

#[test]
fn more_linked_frames_than_a_write_has_slices_are_written_in_order() {
    let expected: Vec<_> =
        (0..1100).map(|number| Message::binary(vec![number as u8; 8192])).collect();
    let ways = [Vectored::All, Vectored::FirstOnly, Vectored::No];
    for (vectored, most_writes) in ways.into_iter().zip([40, 2202, 2202]) {
        let wire = Wire::new();
        let limits = Limits::default().queued_output(64 << 20);
        let manner = Manner { vectored, ..EAGER };
        let config = Config::default().limits(limits);
        let mut server = websocket(wire.end(SERVER, manner), Server::new(), config);
        for message in &expected {
            server.try_feed(message).unwrap();
        }
        assert_eq!(server.buffered_amount(), 1100 * (4 + 8192));
        assert_eq!(wire.writes(SERVER), []);
        // It can only be written directly after everything else.
        let borrowed = vec![9; 20_000];
        server.try_feed(&borrowed).unwrap();
        assert!(poll_once(async { server.flush().await.unwrap() }).is_ready());
        let (bytes, writes) = (wire.take(SERVER), wire.writes(SERVER));
        let mut seen = decode_as_peer_of::<Server>(&bytes).messages;
        assert!(seen.pop() == Some(Message::binary(borrowed)) && seen == expected);
        assert!(writes.len() <= most_writes, "{} writes", writes.len());
        if vectored != Vectored::FirstOnly {
            assert_no_header_alone(&bytes, &writes);
        }
    }
}

/// The peer pings more often than there is room for pongs, while a reply is being written directly.
#[test]
fn a_held_back_pong_follows_the_frame_that_is_written_directly() {
    // The pongs that fit, and the header of the reply.
    let queued = 32 * 127 + 4;
    let cuts = [(queued + 1000, usize::MAX), (usize::MAX, queued + 1000), (usize::MAX, queued)];
    for (most, room) in cuts.into_iter().chain([(usize::MAX, 5), (usize::MAX, 0)]) {
        let wire = Wire::new();
        wire.set_room(SERVER, 0);
        let manner = Manner { most, ..EAGER };
        let mut server = websocket(wire.end(SERVER, manner), Server::new(), Config::default());
        let bytes = encode(client_role(), |client, output| {
            (0..40).for_each(|number| client.ping([number; 125], output).unwrap());
            client.send_text("hi", output).unwrap();
        });
        wire.put(CLIENT, &bytes);
        assert!(matches!(poll_once(server.next()), Poll::Ready(Some(Ok(_)))));
        wire.set_room(SERVER, room);
        server.try_feed([7; 20_000]).unwrap();
        wire.set_room(SERVER, usize::MAX);
        assert!(poll_once(async { server.flush().await.unwrap() }).is_ready());
        let seen = decode_as_peer_of::<Server>(&wire.take(SERVER));
        assert_eq!(seen.messages, [Message::binary(vec![7; 20_000])], "{most}, {room}");
        assert_eq!(seen.pongs.len(), 33, "those that fit, and the last one: {most}, {room}");
        assert_eq!(seen.pongs[32], [39; 125]);
    }
}

/// The pong need not wait for the whole message.
#[test]
fn a_held_back_pong_is_written_between_the_frames_of_a_message() {
    let pongs = 32 * 127;
    let first_frame = 4 + 7000;
    let wire = Wire::new();
    wire.set_room(SERVER, 0);
    let manner = Manner { most: pongs + first_frame, ..EAGER };
    let config = Config::default().fragment_size(7000);
    let mut server = websocket(wire.end(SERVER, manner), Server::new(), config);
    let bytes = encode(client_role(), |client, output| {
        (0..40).for_each(|number| client.ping([number; 125], output).unwrap());
        client.send_text("hi", output).unwrap();
    });
    wire.put(CLIENT, &bytes);
    assert!(matches!(poll_once(server.next()), Poll::Ready(Some(Ok(_)))));
    wire.set_room(SERVER, usize::MAX);
    server.try_feed([7; 140_000]).unwrap();
    assert!(poll_once(async { server.flush().await.unwrap() }).is_ready());
    let bytes = wire.take(SERVER);
    assert_eq!(bytes[pongs + first_frame..][..127], [&[0x8A, 125][..], &[39; 125]].concat());
    let seen = decode_as_peer_of::<Server>(&bytes);
    assert_eq!((seen.messages, seen.pongs.len()), (vec![Message::binary(vec![7; 140_000])], 33));
}

/// Checks that sending fails repeatedly with the expected kind, and that receiving ends with one
/// error once the peer has ended too.
fn check_broken<R: Role>(manner: Manner, role: R, payload: &[u8], expected: ErrorKind) {
    let side = if R::MASKS { CLIENT } else { SERVER };
    let wire = Wire::new();
    let mut websocket = websocket(wire.end(side, manner), role, Config::default());
    let failed = poll_once(websocket.send(payload));
    let Poll::Ready(Err(Error::Io(error))) = failed else { panic!("{failed:?}") };
    assert_eq!(error.kind(), expected);
    let failed = poll_once(websocket.send("again"));
    assert!(matches!(failed, Poll::Ready(Err(Error::Io(_)))), "{failed:?}");
    assert!(poll_once(websocket.next()).is_pending(), "messages sent before may still arrive");
    wire.finish(1 - side);
    let end = poll_once(websocket.next());
    assert!(matches!(end, Poll::Ready(Some(Err(Error::Closed(_))))), "{end:?}");
    assert!(matches!(poll_once(websocket.next()), Poll::Ready(None)));
}

#[test]
fn a_write_of_zero_bytes_is_an_error_not_a_loop() {
    let manner = Manner { most: 0, ..EAGER };
    for vectored in [Vectored::No, Vectored::All] {
        let manner = Manner { vectored, ..manner };
        for payload in [&[1; 10][..], &[1; 20_000], &[1; 140_000]] {
            check_broken(manner, Server::new(), payload, ErrorKind::WriteZero);
            check_broken(manner, client_role(), payload, ErrorKind::WriteZero);
        }
    }
}

/// A transport must wait by itself. An error that asks for a retry would wake no task, so it is not
/// passed on as one.
#[test]
fn errors_of_writes_and_flushes_are_reported_and_end_sending() {
    let kinds = [
        (ErrorKind::BrokenPipe, ErrorKind::BrokenPipe),
        (ErrorKind::Other, ErrorKind::Other),
        (ErrorKind::WouldBlock, ErrorKind::Other),
        (ErrorKind::TimedOut, ErrorKind::Other),
    ];
    for (kind, expected) in kinds {
        let writes = Manner { write_error: Some(kind), ..EAGER };
        let flushes = Manner { flush_error: Some(kind), ..EAGER };
        for payload in [&[1; 10][..], &[1; 20_000]] {
            for manner in [writes, flushes] {
                check_broken(manner, Server::new(), payload, expected);
                check_broken(manner, client_role(), payload, expected);
            }
        }
    }
}

#[test]
fn a_failed_read_is_reported_once_and_not_retried() {
    for kind in [ErrorKind::WouldBlock, ErrorKind::Other] {
        let wire = Wire::new();
        let manner = Manner { read_error: Some(kind), ..EAGER };
        let mut server = websocket(wire.end(SERVER, manner), Server::new(), Config::default());
        let end = poll_once(server.next());
        let Poll::Ready(Some(Err(error @ Error::Io(_)))) = end else { panic!("{end:?}") };
        assert!(!error.is_would_block(), "the end is not retryable");
        assert!(matches!(poll_once(server.next()), Poll::Ready(None)));
        assert!(!server.closed().unwrap().clean);
    }
}

#[test]
fn no_message_of_any_kind_begins_inside_another() {
    let (large, short) = (vec![7; 100_000], Message::binary(&b"short"[..]));
    let owned = Message::binary(large.clone());
    let wire = Wire::new();
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    let done = poll_once(async {
        server.feed_fragment("begin:", false).await.unwrap();
        let payloads = [Payload::from(&large[..]), (&owned).into(), (&short).into()];
        for payload in payloads {
            let refused = [server.try_feed(payload), server.send(&payload).await];
            for refused in refused {
                let is_expected = matches!(refused, Err(Error::Send(SendError::MessageInProgress)));
                assert!(is_expected, "{refused:?}");
            }
        }
        server.feed_fragment("end", true).await.unwrap();
        server.flush().await.unwrap();
    });
    assert!(done.is_ready());
    let seen = decode_as_peer_of::<Server>(&wire.take(SERVER));
    assert_eq!(seen.messages, [Message::text("begin:end")]);
}
