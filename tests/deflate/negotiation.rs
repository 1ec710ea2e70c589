//! The agreement of two endpoints in the opening handshake.

use sansocket::{
    DeflateConfig, Limits,
    buffer::{ReadBuffer, WriteBuffer},
    deflate::{DeflateError, DeflateParameter, DeflateParameters},
    handshake::{
        Accept, ClientHandshake, ClientRequest, HandshakeError, HttpVersion, Negotiated, Request,
        ServerHandshake,
    },
};

const NONCE: [u8; 16] = [7; 16];

fn request(offer: Option<DeflateConfig>, own: &[&str]) -> ClientRequest {
    let mut request = ClientRequest::from_parts("localhost", "/");
    if let Some(config) = offer {
        request = request.deflate(config);
    }
    own.iter().fold(request, |request, text| request.extension(*text))
}

/// Returns both endpoints' view after a complete handshake, and the server's header line.
fn agree(
    request: &ClientRequest,
    accept: &Accept,
) -> (Negotiated, Result<Negotiated, HandshakeError>, String) {
    let limits = Limits::default();
    let (mut output, mut input) = (WriteBuffer::new(), ReadBuffer::new());
    let mut client = ClientHandshake::start(request, NONCE, &mut output, &limits).unwrap();
    input.extend_from_slice(output.front());
    let received = ServerHandshake::new(&limits).receive(&mut input).unwrap().unwrap();
    let mut output = WriteBuffer::new();
    let at_server = received.accept(accept, &mut output).unwrap();
    let answer = String::from_utf8(output.front().to_vec()).unwrap();
    let mut input = ReadBuffer::new();
    input.extend_from_slice(output.front());
    let at_client =
        client.receive(&mut input).map(|response| response.expect("complete").negotiated().clone());
    let line = answer.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Extensions: "));
    (at_server, at_client, line.unwrap_or_default().into())
}

#[test]
fn both_endpoints_agree_on_the_same() {
    let mut configs = Vec::new();
    for bits in 8..=15 {
        for flags in 0..4 {
            configs.push(
                DeflateConfig::new()
                    .server_max_window_bits(bits)
                    .client_max_window_bits(23 - bits)
                    .server_no_context_takeover(flags & 1 != 0)
                    .client_no_context_takeover(flags & 2 != 0),
            );
        }
    }
    for client in &configs {
        for server in &configs {
            let (at_server, at_client, line) =
                agree(&request(Some(*client), &[]), &Accept::new().deflate(*server));
            let at_client = at_client.unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(at_server, at_client);
            let agreed = at_server.deflate.unwrap();
            let least = |one: u8, other: u8| one.min(other);
            assert_eq!(
                (agreed.server_max_window_bits, agreed.client_max_window_bits),
                (
                    least(client.server_max_window_bits, server.server_max_window_bits),
                    least(client.client_max_window_bits, server.client_max_window_bits),
                )
            );
            assert_eq!(
                agreed.server_no_context_takeover,
                client.server_no_context_takeover || server.server_no_context_takeover
            );
            assert_eq!(
                agreed.client_no_context_takeover,
                client.client_no_context_takeover || server.client_no_context_takeover
            );
        }
    }
}

/// RFC 7692 §7.1.1.2: a client keeps to what it has offered for itself.
#[test]
fn a_client_keeps_to_its_unconfirmed_offer() {
    let config = DeflateConfig::new().client_no_context_takeover(true).client_max_window_bits(10);
    let accept = Accept::new().extension("permessage-deflate");
    let (_, client, _) = agree(&request(Some(config), &[]), &accept);
    let agreed = client.unwrap().deflate.unwrap();
    assert_eq!((agreed.client_no_context_takeover, agreed.client_max_window_bits), (true, 10));
}

/// RFC 7692 §7.1.2.2.
#[test]
fn a_client_that_does_not_offer_its_window_chooses_it() {
    let config = DeflateConfig::new().client_max_window_bits(11);
    let offer = request(Some(config.offers_client_max_window_bits(false)), &[]);
    let small = DeflateConfig::new().client_max_window_bits(9).server_max_window_bits(10);
    let (server, client, line) = agree(&offer, &Accept::new().deflate(small));
    assert_eq!(line, "permessage-deflate; server_max_window_bits=10");
    let (server, client) = (server.deflate.unwrap(), client.unwrap().deflate.unwrap());
    assert_eq!((server.client_max_window_bits, client.client_max_window_bits), (15, 11));
    // This server asks for it nonetheless.
    let answer = "permessage-deflate; client_max_window_bits=11";
    let (_, client, _) = agree(&offer, &Accept::new().extension(answer));
    let expected = DeflateError::NotOffered(DeflateParameter::ClientMaxWindowBits);
    assert_eq!(client, Err(HandshakeError::Deflate(expected)));
}

#[test]
fn windows_out_of_range_are_clamped() {
    for (bits, expected) in [(0, 8), (7, 8), (16, 15), (255, 15)] {
        let mut odd = DeflateConfig::new();
        odd.server_max_window_bits = bits;
        odd.client_max_window_bits = bits;
        for (offer, accept) in [(odd, DeflateConfig::new()), (DeflateConfig::new(), odd)] {
            let (server, client, line) =
                agree(&request(Some(offer), &[]), &Accept::new().deflate(accept));
            let (server, client) = (server.deflate.unwrap(), client.unwrap().deflate.unwrap());
            assert_eq!(server, client, "{line}");
            assert_eq!(server.server_max_window_bits, expected, "{line}");
            assert_eq!(server.client_max_window_bits, expected, "{line}");
        }
    }
}

#[test]
fn compression_needs_both_endpoints() {
    let config = DeflateConfig::new();
    let (server, client, line) = agree(&request(None, &[]), &Accept::new().deflate(config));
    assert_eq!((server.deflate, client.unwrap().deflate, line.as_str()), (None, None, ""));
    let (server, client, line) = agree(&request(Some(config), &[]), &Accept::new());
    assert_eq!((server.deflate, client.unwrap().deflate, line.as_str()), (None, None, ""));
}

#[test]
fn the_last_call_to_set_compression_counts() {
    let config = DeflateConfig::new();
    for (accept, expected) in [
        (Accept::new().deflate(None), None),
        (Accept::new().deflate(config).deflate(None), None),
        (Accept::new().deflate(None).deflate(config), Some(DeflateParameters::default())),
    ] {
        let (server, client, _) = agree(&request(Some(config), &[]), &accept);
        assert_eq!((server.deflate, client.unwrap().deflate), (expected, expected));
    }
}

#[test]
fn an_invalid_offer_is_skipped_and_the_next_is_tried() {
    let offers = ["permessage-deflate; x", "permessage-deflate; server_max_window_bits=9"];
    let (server, client, line) =
        agree(&request(None, &offers), &Accept::new().deflate(DeflateConfig::new()));
    assert_eq!(line, "permessage-deflate; server_max_window_bits=9");
    assert_eq!(server.deflate.unwrap().server_max_window_bits, 9);
    // This client makes its offers by hand, so it has to interpret the response itself.
    let extension = &client.unwrap().extensions[0];
    let agreed = DeflateParameters::from_response(extension).unwrap();
    assert_eq!(Some(agreed), server.deflate);
}

/// RFC 6455 §9.1: header lines of the same name form one list, in order.
#[test]
fn offers_in_several_header_lines_are_read() {
    let wrong = "permessage-deflate; server_max_window_bits=7";
    for (lines, answer) in [
        (["x, y", "permessage-deflate"], "permessage-deflate"),
        ([wrong, "permessage-deflate; server_max_window_bits=9"], "9"),
        (["permessage-deflate; server_max_window_bits=9", "permessage-deflate"], "9"),
        (["permessage-deflate; server_max_window_bits=10, permessage-deflate", wrong], "10"),
        ([wrong, "x"], ""),
    ] {
        let headers = [
            ("Host", "h"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Extensions", lines[0]),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-extensions", lines[1]),
            ("Sec-WebSocket-Version", "13"),
        ];
        let headers = headers.map(|(name, value)| (name, value.as_bytes()));
        let request = Request::new("GET", "/", HttpVersion::HTTP_11, headers).unwrap();
        let accept = Accept::new().deflate(DeflateConfig::new());
        let negotiated = request.accept(&accept, &mut WriteBuffer::new()).unwrap();
        let agreed: Vec<_> = negotiated.extensions.iter().map(ToString::to_string).collect();
        assert!(agreed.len() == usize::from(!answer.is_empty()), "{lines:?} {agreed:?}");
        assert!(agreed.join(", ").ends_with(answer), "{lines:?} {agreed:?}");
    }
}

#[test]
fn a_client_fails_on_parameters_that_do_not_match_its_offer() {
    let config = DeflateConfig::new().server_max_window_bits(10);
    for (answer, expected) in [
        ("permessage-deflate", DeflateError::Missing(DeflateParameter::ServerMaxWindowBits)),
        (
            "permessage-deflate; server_max_window_bits=11",
            DeflateError::TooLarge {
                parameter: DeflateParameter::ServerMaxWindowBits,
                bits: 11,
                limit: 10,
            },
        ),
        ("permessage-deflate; server_max_window_bits=10; y", DeflateError::Unknown),
    ] {
        let (_, client, _) = agree(&request(Some(config), &[]), &Accept::new().extension(answer));
        assert_eq!(client, Err(HandshakeError::Deflate(expected)), "{answer}");
    }
}
