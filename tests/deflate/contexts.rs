//! A compressor refers back only to what its peer has seen.

use super::{agreed, client, oracle::inflate, server};
use flate2::Decompress;
use sansocket::{DeflateConfig, Message, PreparedMessage};
use sansocket_testkit::{
    noise::noise,
    sent::{Sent, sent},
};

const TEXT: &str = "a sentence that is worth looking back at, if the other end has it";

/// Inflates everything that was sent with zlib, as a peer whose window holds all of it.
fn inflated(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut oracle = Decompress::new(false);
    let one = |message: Sent| match message.compressed {
        true => inflate(&mut oracle, &message.payload),
        false => message.payload,
    };
    sent(bytes).into_iter().map(one).collect()
}

#[test]
fn a_prepared_message_between_others_is_not_referred_to() {
    let (mut server, mut client) = (server(agreed()), client(agreed()));
    // Unlike the text, so that a reference into it yields something else.
    let other = "0123456789".repeat(20);
    let prepared = PreparedMessage::new(Message::text(&*other)).deflate(&DeflateConfig::new());
    for _ in 0..3 {
        server.connection.send_text(TEXT, &mut server.output).unwrap();
        server.connection.send_prepared(&prepared, &mut server.output).unwrap();
    }
    let bytes = server.written();
    assert!(sent(&bytes).iter().all(|message| message.compressed));
    let both = [TEXT.as_bytes(), other.as_bytes()];
    assert_eq!(inflated(&bytes), [both, both, both].concat());
    client.fill(&bytes);
    let both = [Message::text(TEXT), Message::text(other)];
    assert_eq!(client.messages().unwrap(), [&both[..], &both, &both].concat());
}

#[test]
fn a_discarded_compression_between_messages_is_not_referred_to() {
    let (mut server, mut client) = (server(agreed()), client(agreed()));
    let mut expected = Vec::new();
    for seed in 0..5 {
        // The noise does not shrink, so it is sent uncompressed, and the peer does not have what
        // the compressor has seen of it.
        let noise = noise(300, seed);
        for data in [TEXT.as_bytes(), &noise, &noise, TEXT.as_bytes()] {
            server.connection.send_binary(data, &mut server.output).unwrap();
            expected.push(Message::binary(data.to_vec()));
        }
    }
    let bytes = server.written();
    let data: Vec<_> = expected.iter().map(Message::as_bytes).collect();
    assert_eq!(inflated(&bytes), data);
    client.fill(&bytes);
    assert_eq!(client.messages().unwrap(), expected);
}

#[test]
fn earlier_messages_make_a_message_smaller_unless_ruled_out() {
    let mut second = Vec::new();
    for resets in [false, true] {
        let mut parameters = agreed();
        parameters.server_no_context_takeover = resets;
        let mut server = server(parameters);
        server.connection.send_text(TEXT, &mut server.output).unwrap();
        let first = server.written().len();
        server.connection.send_text(TEXT, &mut server.output).unwrap();
        let len = server.written().len();
        assert_eq!(len == first, resets);
        second.push(len);
    }
    assert!(second[0] * 3 < second[1], "{second:?}");
}
