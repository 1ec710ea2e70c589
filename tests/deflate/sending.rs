//! Which messages are compressed.

use super::{agreed, client, eager, end, server};
use sansocket::{Config, DeflateConfig, Message, Payload, PreparedMessage, connection::Server};
use sansocket_testkit::sent::sent;

const TEXT: &str = "what is said again and again is what is said again and again and again";

#[test]
fn a_message_that_shrinks_is_compressed_and_others_are_not() {
    let mut server = end(Server::new(), agreed(), Config::default().deflate(DeflateConfig::new()));
    server.connection.send_text(TEXT, &mut server.output).unwrap();
    let bytes = server.written();
    assert_eq!(bytes[0], 0xc1);
    assert!(bytes.len() < TEXT.len());
    // Below the threshold, and without any repetition.
    for plain in [&b"short"[..], &(0..=255).collect::<Vec<u8>>()] {
        server.connection.send_binary(plain, &mut server.output).unwrap();
        let bytes = server.written();
        assert_eq!(bytes[0], 0x82, "{plain:?}");
        assert!(bytes.ends_with(plain));
    }
}

#[test]
fn all_forms_of_a_message_arrive() {
    let prepared = PreparedMessage::new(Message::text(TEXT));
    let large = Message::binary(TEXT.repeat(10_000).into_bytes());
    for fragment_size in [0, 7, 64 << 10] {
        let mut server = end(Server::new(), agreed(), eager().fragment_size(fragment_size));
        let mut client = client(agreed());
        let output = &mut server.output;
        server.connection.send_text(TEXT, output).unwrap();
        server.connection.send(&large, output).unwrap();
        server.connection.send_prepared(&prepared, output).unwrap();
        for (index, word) in TEXT.split_inclusive(' ').enumerate() {
            assert!(index < 16);
            server.connection.send_fragment(word, false, output).unwrap();
        }
        server.connection.send_fragment("", true, output).unwrap();
        server.connection.send_fragment(b"alone", true, output).unwrap();
        let plain = Payload::from(b"plain").uncompressed();
        drop(server.connection.send_in_place(&plain, output).unwrap());
        server.connection.send_text(TEXT, output).unwrap();
        client.fill(&server.written());
        let text = Message::text(TEXT);
        let alone = Message::binary(&b"alone"[..]);
        let plain = Message::binary(&b"plain"[..]);
        let expected =
            [text.clone(), large.clone(), text.clone(), text.clone(), alone, plain, text];
        assert_eq!(client.messages().unwrap(), expected);
    }
}

#[test]
fn compression_of_a_message_can_be_disabled() {
    let mut server = server(agreed());
    let mut client = client(agreed());
    let plain = [Payload::from(TEXT).uncompressed(), Payload::from(TEXT.as_bytes()).uncompressed()];
    for payload in plain {
        server.connection.send_text(TEXT, &mut server.output).unwrap();
        client.fill(&server.written());
        server.connection.send(payload, &mut server.output).unwrap();
        let bytes = server.written();
        assert_eq!(bytes[0] & 0xf0, 0x80);
        assert!(bytes.ends_with(TEXT.as_bytes()));
        client.fill(&bytes);
        assert_eq!(client.messages().unwrap().len(), 2);
    }
}

#[test]
fn a_prepared_message_is_sent_in_the_form_that_fits() {
    let text = TEXT.repeat(20);
    let prepared = PreparedMessage::new(Message::text(text.as_str()))
        .deflate(&DeflateConfig::new().server_max_window_bits(12))
        .deflate(&DeflateConfig::new().server_max_window_bits(9));
    let mut sizes = Vec::new();
    for bits in [8, 9, 11, 12, 15] {
        let mut parameters = agreed();
        parameters.server_max_window_bits = bits;
        let (mut server, mut client) = (super::server(parameters), client(parameters));
        for _ in 0..2 {
            // Messages sent before and after it can't be referred to.
            server.connection.send_text(TEXT, &mut server.output).unwrap();
            client.fill(&server.written());
            server.connection.send(&prepared, &mut server.output).unwrap();
            let bytes = server.written();
            assert_eq!(bytes[0], if bits == 8 { 0x81 } else { 0xc1 }, "{bits}");
            sizes.push(bytes.len());
            client.fill(&bytes);
            let expected = [Message::text(TEXT), Message::text(text.as_str())];
            assert_eq!(client.messages().unwrap(), expected, "{bits}");
        }
    }
    assert_eq!(sizes.iter().filter(|size| **size > text.len()).count(), 2);
    // Every connection sends the same bytes, which are compressed once.
    assert_eq!((sizes[2], sizes[6]), (sizes[4], sizes[8]));
    // An incompressible message has no compressed form.
    let (mut server, short) = (server(agreed()), PreparedMessage::new(Message::text("x")));
    server.connection.send(short.deflate(&DeflateConfig::new()), &mut server.output).unwrap();
    assert_eq!(server.written(), b"\x81\x01x");
}

#[test]
fn values_out_of_range_are_clamped() {
    let text = TEXT.repeat(20);
    for value in [0, 7, 10, 16, 28, 64, 255] {
        let mut config = DeflateConfig::new().memory(usize::MAX);
        config.server_max_window_bits = value;
        config.level = value;
        let mut parameters = agreed();
        parameters.server_max_window_bits = value;
        let mut server = end(Server::new(), parameters, Config::default().deflate(config));
        let mut client = client(agreed());
        let prepared = PreparedMessage::new(Message::text(text.as_str())).deflate(&config);
        server.connection.send_text(&text, &mut server.output).unwrap();
        server.connection.send_prepared(&prepared, &mut server.output).unwrap();
        client.fill(&server.written());
        assert_eq!(client.messages().unwrap(), vec![Message::text(text.as_str()); 2], "{value}");
    }
}

#[test]
fn messages_arrive_in_both_directions_with_every_parameter() {
    for bits in 8..=15 {
        for resets in [false, true] {
            let mut parameters = agreed();
            parameters.server_max_window_bits = bits;
            parameters.client_max_window_bits = 23 - bits;
            parameters.server_no_context_takeover = resets;
            parameters.client_no_context_takeover = !resets;
            let (mut server, mut client) = (server(parameters), client(parameters));
            for size in [0, 1, 100, 300, 5000, 100_000] {
                let data: Vec<u8> =
                    (0..size).map(|at: usize| (at * at / 7 % 251) as u8 & 0x3f).collect();
                for _ in 0..2 {
                    server.connection.send_binary(&data, &mut server.output).unwrap();
                    client.fill(&server.written());
                    client.connection.send_binary(&data, &mut client.output).unwrap();
                    server.fill(&client.written());
                    let expected = [Message::binary(data.clone())];
                    assert_eq!(client.messages().unwrap(), expected, "{bits} {size}");
                    assert_eq!(server.messages().unwrap(), expected, "{bits} {size}");
                }
            }
        }
    }
}

/// RFC 7692 §6.1: the first frame tells whether the whole message is compressed.
#[test]
fn a_message_is_compressed_as_a_whole_or_not_at_all() {
    let (mut server, mut client) = (server(agreed()), client(agreed()));
    let output = &mut server.output;
    server.connection.send_fragment(b"compressed", false, output).unwrap();
    server.connection.send_fragment(Payload::from(b"").uncompressed(), true, output).unwrap();
    let plain = Payload::from(b"plain").uncompressed();
    server.connection.send_fragment(plain, false, output).unwrap();
    server.connection.send_fragment(b" too", true, output).unwrap();
    client.fill(&server.written());
    let expected = [Message::binary(&b"compressed"[..]), Message::binary(&b"plain too"[..])];
    assert_eq!(client.messages().unwrap(), expected);
}

#[test]
fn the_first_piece_decides_whether_a_message_is_compressed() {
    let (mut server, mut client) = (server(agreed()), client(agreed()));
    let prepared = PreparedMessage::new(Message::text(TEXT));
    let message = Message::text(TEXT);
    for (first, is_compressed) in [
        (Payload::from(TEXT), true),
        (Payload::from(&message), true),
        (Payload::from(&prepared), true),
        (Payload::from(TEXT).uncompressed(), false),
    ] {
        server.connection.send_fragment(first, false, &mut server.output).unwrap();
        for (piece, fin) in
            [(Payload::from(TEXT), false), (Payload::from(TEXT).uncompressed(), true)]
        {
            server.connection.send_fragment(piece, fin, &mut server.output).unwrap();
        }
        let bytes = server.written();
        assert_eq!(sent(&bytes)[0].compressed, is_compressed, "{first:?}");
        client.fill(&bytes);
        assert_eq!(client.messages().unwrap(), [Message::text(TEXT.repeat(3))]);
    }
}
