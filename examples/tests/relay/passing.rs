//! What goes through the relay.

use crate::peers::{Bare, bare_server, connector, echo_server};
use crate::process::Relay;
use sansocket::{Message, handshake::Accept};
use sansocket_testkit::frames::*;
use std::{io::Write, thread, time::Duration};

#[test]
fn messages_of_both_kinds_and_all_sizes_come_back() {
    let relay = Relay::start(&echo_server(), &[]);
    for compress in [false, true] {
        let mut connector = connector();
        if !compress {
            connector = connector.config(sansocket::Config::default());
        }
        let (mut websocket, _) = connector.connect(&relay.url).unwrap();
        assert_eq!(websocket.negotiated().deflate.is_some(), compress);
        for len in [0, 1, 125, 126, 1000, 65_535, 65_536, 1 << 20] {
            for message in [Message::from("x".repeat(len)), Message::from(vec![7_u8; len])] {
                websocket.send(&message).unwrap();
                assert!(websocket.next().unwrap().unwrap() == message, "{len} bytes");
            }
        }
        websocket.close(sansocket::CloseCode::NORMAL, "").unwrap();
        assert!(websocket.wait_closed().clean);
    }
}

#[test]
fn compressed_messages_refer_to_earlier_ones_and_stay_as_they_are() {
    let answer = Accept::new().extension("permessage-deflate; server_max_window_bits=10");
    let (url, servers) = bare_server(answer);
    let relay = Relay::start(&url, &[]);
    let offer = "permessage-deflate; client_max_window_bits, permessage-deflate";
    let fields = format!("Sec-WebSocket-Extensions: {offer}\r\n");
    let (mut client, response) = Bare::connect_with(relay.address(), &fields);
    let (mut server, request) = servers.recv().unwrap();
    assert_eq!(request.header_text("Sec-WebSocket-Extensions"), Some(offer));
    let agreed = "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n";
    assert!(response.contains(agreed), "{response}");
    // RFC 7692 §7.2.3.2: the second message refers to the first.
    for payload in [&b"\xf2\x48\xcd\xc9\xc9\x07\x00"[..], b"\xf2\x00\x11\x00\x00"] {
        client.sends(masked(TEXT | 0x40, payload));
        server.expects(masked(TEXT | 0x40, payload));
        server.sends(plain(TEXT | 0x40, payload));
        client.expects(plain(TEXT | 0x40, payload));
    }

    let relay = Relay::start(&echo_server(), &[]);
    let (mut websocket, _) = connector().connect(&relay.url).unwrap();
    let parameters = websocket.negotiated().deflate.unwrap();
    assert!(!parameters.client_no_context_takeover && !parameters.server_no_context_takeover);
    for _ in 0..3 {
        websocket.send("said again and again, ".repeat(10)).unwrap();
        let message = websocket.next().unwrap().unwrap();
        assert_eq!(message.as_text(), Some(&*"said again and again, ".repeat(10)));
    }
}

#[test]
fn frames_pass_unchanged_as_they_arrive() {
    let (url, servers) = bare_server(Accept::new());
    let relay = Relay::start(&url, &[]);
    let mut client = Bare::connect(relay.address());
    let (mut server, _) = servers.recv().unwrap();
    // Fragments keep their borders, and masks their keys.
    let fragments = [
        frame_with(TEXT_START, b"frag", Some([1, 2, 3, 4])),
        frame_with(PING, b"between", Some([5, 6, 7, 8])),
        frame_with(MORE, b"", Some([9, 8, 7, 6])),
        frame_with(LAST, b"ments", Some([5, 4, 3, 2])),
        masked(PONG, b"unasked"),
    ];
    client.sends(fragments.concat());
    server.expects(fragments.concat());
    let fragments = [
        plain(BINARY_START, &[1; 70_000]),
        plain(PONG, b"between"),
        plain(PING, b"and you?"),
        plain(LAST, &[2; 300]),
    ];
    server.sends(fragments.concat());
    client.expects(fragments.concat());
    // Of a frame of a terabyte, each piece arrives before the next is sent.
    client.sends(header_with(BINARY, 1 << 40, Some(KEY)));
    server.expects(header_with(BINARY, 1 << 40, Some(KEY)));
    for piece in [&b"some"[..], &[9; 100_000], b"more"] {
        client.sends(piece);
        server.expects(piece);
    }
}

#[test]
fn a_slow_side_stops_the_other_and_takes_no_memory() {
    let (url, servers) = bare_server(Accept::new());
    let relay = Relay::start(&url, &[]);
    let mut client = Bare::connect(relay.address());
    let (mut server, _) = servers.recv().unwrap();
    client.sends(masked(PING, b""));
    server.expects(masked(PING, b""));
    #[cfg(target_os = "linux")]
    let before = relay.memory();

    const FRAMES: usize = 1024;
    let frame = masked(BINARY, &[3; 256 << 10]);
    let (sent, len) = (frame.clone(), frame.len());
    let stream = client.stream.try_clone().unwrap();
    let sending = thread::spawn(move || {
        // Longer than the test may take: this waits for the server to read.
        stream.set_write_timeout(None).unwrap();
        (0..FRAMES).for_each(|_| (&stream).write_all(&sent).unwrap());
    });
    // The buffers of the system fill up, and the client has to wait.
    thread::sleep(Duration::from_millis(300));
    assert!(!sending.is_finished());
    // The other direction goes on.
    server.sends(plain(TEXT, b"slow down"));
    client.expects(plain(TEXT, b"slow down"));
    #[cfg(target_os = "linux")]
    {
        let grown = relay.memory().saturating_sub(before);
        assert!(grown < 4 << 20, "{grown} bytes for 256 MiB");
    }
    for _ in 0..FRAMES {
        assert!(server.takes(len) == frame);
    }
    sending.join().unwrap();
}

/// The start of a header takes no more memory than that, however many clients send one.
#[cfg(target_os = "linux")]
#[test]
fn clients_that_stop_amid_a_header_take_little_memory() {
    const CLIENTS: usize = 400;
    let (url, servers) = bare_server(Accept::new());
    let relay = Relay::start(&url, &[]);
    let mut pairs: Vec<_> =
        (0..CLIENTS).map(|_| (Bare::connect(relay.address()), servers.recv().unwrap().0)).collect();
    let before = relay.memory();
    let ping = masked(PING, b"");
    for (client, server) in &mut pairs {
        client.sends([&ping, &[TEXT][..]].concat());
        server.expects(&ping);
    }
    let each = relay.memory().saturating_sub(before) / CLIENTS;
    assert!(each < 8 << 10, "{each} bytes for each client");
    // Nothing is lost.
    for (client, server) in &mut pairs {
        client.sends(&masked(TEXT, b"the rest")[1..]);
        server.expects(masked(TEXT, b"the rest"));
    }
}

#[test]
fn many_connections_pass_at_once() {
    let relay = Relay::start(&echo_server(), &["--threads", "2"]);
    let clients: Vec<_> = (0..50)
        .map(|number| {
            let url = relay.url.clone();
            thread::spawn(move || {
                let (mut websocket, _) = connector().connect(&url).unwrap();
                for round in 0..20 {
                    let text = format!("{number} {round}");
                    websocket.send(&text).unwrap();
                    assert_eq!(websocket.next().unwrap().unwrap().as_text(), Some(&*text));
                }
            })
        })
        .collect();
    clients.into_iter().for_each(|client| client.join().unwrap());
}
