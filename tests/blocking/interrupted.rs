//! One half acts while the other is in a call. When the sending half is in a write and the
//! receiving half has a reply, the reply is written between two frames of the message, or after it.

use sansocket::{
    Config, Error, Message, PreparedMessage, State,
    blocking::{ReceiveHalf, SendHalf, WebSocket},
    buffer::ReadBuffer,
    connection::{SendError, Server},
    frame::OpCode,
    handshake::Negotiated,
};
use sansocket_testkit::{
    frames::{CLOSE, CLOSE_NORMAL, PING, PONG, TEXT, masked, plain},
    traffic::frames,
    transports::interrupted::{Interrupted, Script},
};
use std::thread;

const FRAME: usize = 20_000;
/// A frame with its header.
const WHOLE: usize = FRAME + 4;

/// Starts a server's reader, waits until it blocks, and then runs something on its other half.
fn while_it_reads<T>(
    change: impl FnOnce(&mut Script),
    act: impl FnOnce(&Interrupted, &mut SendHalf<Interrupted, Server>) -> T,
) -> T {
    let transport = Interrupted::default();
    let config = Config::default().fragment_size(FRAME);
    let server = WebSocket::new(
        transport.clone(),
        Server::new(),
        Negotiated::new(),
        ReadBuffer::new(),
        config,
    );
    let (mut send_half, receive_half) = server.split().unwrap();
    let mut is_silent = true;
    transport.change(|script| {
        change(script);
        is_silent = script.incoming.is_empty();
    });
    let reader = thread::spawn(move || receive(receive_half));
    if is_silent {
        // Otherwise the reader could write what is queued, and then it would wait for itself.
        transport.wait_for_reader();
    }
    let outcome = act(&transport, &mut send_half);
    transport.change(|script| script.ends = true);
    reader.join().unwrap();
    outcome
}

fn receive(mut half: ReceiveHalf<Interrupted, Server>) {
    while half.next().is_some() {}
}

fn close() -> Vec<u8> {
    masked(CLOSE, &[0x03, 0xe8])
}

/// After the first frame the transport takes everything, or is not ready for a while.
const TAKES: [&[usize]; 2] = [&[], &[WHOLE, 0]];

#[test]
fn a_reply_that_arises_during_a_write_is_written() {
    // The transport takes everything, or its first write would block. After that nothing calls the
    // connection: the reader is blocked in a read.
    for takes in [&[][..], &[0]] {
        while_it_reads(
            |script| {
                script.during_write = Some(masked(PING, b"?"));
                script.takes.extend(takes);
            },
            |transport, half| {
                let outcome = half.send("!");
                assert_eq!(outcome.is_ok(), takes.is_empty(), "{outcome:?}");
                assert_eq!(transport.sent(6), [plain(TEXT, b"!"), plain(PONG, b"?")].concat());
            },
        );
    }
}

#[test]
fn a_pong_is_written_between_two_frames_of_a_message() {
    for takes in TAKES {
        while_it_reads(
            |script| {
                script.during_write = Some(masked(PING, b"?"));
                script.takes.extend(takes);
                // The reader retries after a while what could not be written.
                script.has_timeouts = !takes.is_empty();
            },
            |transport, half| {
                let outcome = half.send([7; 3 * FRAME]);
                assert_eq!(outcome.is_ok(), takes.is_empty(), "{outcome:?}");
                let _ = half.flush();
                let sent = transport.sent(3 * WHOLE + 3);
                assert_eq!(sent.len(), 3 * WHOLE + 3);
                assert_eq!(sent[WHOLE..WHOLE + 3], plain(PONG, b"?"));
            },
        );
    }
}

#[test]
fn a_pong_is_written_between_the_frames_of_queued_messages() {
    type Feed = fn(&mut SendHalf<Interrupted, Server>);
    let ways: [(Feed, usize); 4] = [
        (|half| half.feed(Message::binary(vec![7; 10 * FRAME])).unwrap(), WHOLE),
        (
            |half| {
                let message = PreparedMessage::new(Message::binary(vec![7; 10 * FRAME]));
                half.feed(&message).unwrap();
            },
            (64 << 10) + 10,
        ),
        (|half| (0..100).for_each(|_| half.feed([7; 1996]).unwrap()), WHOLE),
        (
            |half| {
                (0..9).for_each(|_| half.feed([7; 1996]).unwrap());
                half.send([7; 10 * FRAME]).unwrap();
            },
            9 * 2000,
        ),
    ];
    for (feed, most) in ways {
        while_it_reads(
            |script| script.during_write = Some(masked(PING, b"?")),
            |transport, half| {
                feed(half);
                half.flush().unwrap();
                let sent = transport.sent(10 * FRAME);
                let pong = frames(&sent).into_iter().find(|(_, opcode)| *opcode == OpCode::Pong);
                assert!(pong.is_some_and(|(at, _)| at <= most), "{pong:?}");
            },
        );
    }
}

/// Compression takes long, and does not lock the connection.
#[cfg(feature = "deflate")]
#[test]
fn a_pong_is_written_while_a_large_message_is_compressed() {
    use sansocket::{DeflateConfig, deflate::DeflateParameters};
    let transport = Interrupted::default();
    let agreed = Negotiated::new().deflate(DeflateParameters::default());
    let config = Config::default().deflate(DeflateConfig::new());
    let server =
        WebSocket::new(transport.clone(), Server::new(), agreed, ReadBuffer::new(), config);
    let (mut send_half, receive_half) = server.split().unwrap();
    let reader = thread::spawn(move || receive(receive_half));
    let text = "some text that is long enough to be compressed for a while ".repeat(1_000_000);
    let (started, has_started) = std::sync::mpsc::channel();
    let sender = thread::spawn(move || {
        started.send(()).unwrap();
        send_half.send(&text).unwrap();
        send_half
    });
    has_started.recv().unwrap();
    transport.change(|script| script.incoming.extend(masked(PING, b"?")));
    let sent = transport.sent(3);
    assert_eq!(sent[..3], plain(PONG, b"?"));
    drop(sender.join().unwrap());
    transport.change(|script| script.ends = true);
    reader.join().unwrap();
}

#[test]
fn nothing_follows_a_close_that_is_received_during_a_message() {
    for takes in TAKES {
        while_it_reads(
            |script| {
                script.during_write = Some(close());
                script.takes.extend(takes);
                // The reader retries after a while what could not be written.
                script.has_timeouts = !takes.is_empty();
            },
            |transport, half| {
                let outcome = half.send([7; 3 * FRAME]);
                let refused = matches!(
                    outcome,
                    Err(Error::Send(SendError::Closed { .. }) | Error::Closed(_))
                );
                assert!(refused, "{outcome:?}");
                let sent = transport.sent(WHOLE + 4);
                assert_eq!(sent.len(), WHOLE + 4, "{takes:?}");
                assert!(sent.ends_with(&CLOSE_NORMAL));
            },
        );
    }
}

#[test]
fn the_unwritten_rest_of_a_reply_precedes_later_messages() {
    while_it_reads(
        |script| {
            script.incoming.extend(masked(PING, b"?"));
            script.takes.extend([1, 0, 0]);
            script.has_timeouts = true;
        },
        |transport, half| {
            transport.sent(1);
            // If the transport is not ready yet, the message is queued.
            let outcome = half.send("!");
            assert!(outcome.is_ok() || outcome.is_err_and(|error| error.is_would_block()));
            let sent = transport.sent(6);
            assert_eq!(sent, [plain(PONG, b"?"), plain(TEXT, b"!")].concat());
            transport.change(|script| script.incoming.extend(close()));
            drop(transport.wait(|script| script.sent.ends_with(&CLOSE_NORMAL)));
            assert_ne!(half.state(), State::Open);
            assert!(half.send("!").is_err());
        },
    );
}

#[test]
fn failed_writes_are_retried_while_a_receive_waits() {
    let transport = Interrupted::default();
    transport.change(|script| {
        script.has_timeouts = true;
        // Both the send and the first attempt of the receive would block.
        script.takes.extend([0, 0]);
    });
    let (input, config) = (ReadBuffer::new(), Config::default());
    let mut server =
        WebSocket::new(transport.clone(), Server::new(), Negotiated::new(), input, config);
    assert!(server.send("!").unwrap_err().is_would_block());
    let reader = thread::spawn(move || while server.next().is_some() {});
    // The peer sends nothing before it has this message.
    assert_eq!(transport.sent(3), plain(TEXT, b"!"));
    transport.change(|script| script.ends = true);
    reader.join().unwrap();
}

/// A user who sets a write timeout wants control back when a write takes longer.
#[test]
fn a_receive_returns_although_its_pong_is_not_written() {
    let transport = Interrupted::default();
    transport.change(|script| {
        script.has_timeouts = true;
        script.incoming.extend(masked(PING, b"?"));
        script.takes.extend([0; 1000]);
    });
    let (input, config) = (ReadBuffer::new(), Config::default());
    let mut server = WebSocket::new(transport, Server::new(), Negotiated::new(), input, config);
    assert!(server.next().is_some_and(|next| next.is_err_and(|error| error.is_would_block())));
}
