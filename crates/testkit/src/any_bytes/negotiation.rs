//! Properties that hold for arbitrary offers and responses of permessage-deflate.

use sansocket::{
    DeflateConfig, Limits,
    buffer::{ReadBuffer, WriteBuffer},
    deflate::DeflateParameters,
    handshake::{
        Accept, ClientHandshake, ClientRequest, HandshakeError, HttpVersion, Negotiated, Request,
        Response, ServerHandshake, accept_key,
    },
};

const NONCE: [u8; 16] = [0; 16];
/// `NONCE` in base64.
const KEY: &[u8] = b"AAAAAAAAAAAAAAAAAAAAAA==";

/// Checks that neither endpoint agrees on more than its configuration allows, and that two
/// endpoints of this crate always agree.
///
/// | bytes | meaning |
/// |---|---|
/// | 0 and 1, 2 and 3 | the configuration of the client and of the server |
/// | the rest | the value of Sec-WebSocket-Extensions, both as an offer and as a response |
pub fn check_negotiation(data: &[u8]) {
    let Some(([a, b, c, d], value)) = data.split_first_chunk() else { return };
    let (client, server) = (config(*a, *b), config(*c, *d));
    check_offer(value, server);
    check_answer(value, client);
    check_both(client, server);
}

fn config(bits: u8, flags: u8) -> DeflateConfig {
    DeflateConfig::new()
        .server_max_window_bits(8 + (bits & 7))
        .client_max_window_bits(8 + (bits >> 3 & 7))
        .server_no_context_takeover(flags & 1 != 0)
        .client_no_context_takeover(flags & 2 != 0)
        .offers_client_max_window_bits(flags & 4 == 0)
}

fn check_windows(agreed: &DeflateParameters, server: u8, client: u8) {
    assert!((8..=server).contains(&agreed.server_max_window_bits), "{agreed:?}");
    assert!((8..=client).contains(&agreed.client_max_window_bits), "{agreed:?}");
}

/// Checks that a server can answer any offer and never agrees to more than its configuration
/// allows.
fn check_offer(value: &[u8], config: DeflateConfig) {
    let headers = [
        ("Host", &b"h"[..]),
        ("Upgrade", b"websocket"),
        ("Connection", b"Upgrade"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", b"13"),
        ("Sec-WebSocket-Extensions", value),
    ];
    let Ok(request) = Request::new("GET", "/", HttpVersion::HTTP_11, headers) else { return };
    let accept = Accept::new().deflate(config);
    let agreed = request.accept(&accept, &mut WriteBuffer::new()).unwrap();
    if let Some(agreed) = agreed.deflate {
        // A client that does not offer `client_max_window_bits` uses the largest window.
        check_windows(&agreed, config.server_max_window_bits, 15);
    }
}

fn ask(
    config: DeflateConfig,
    answer: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Result<Response, HandshakeError> {
    let request = ClientRequest::from_parts("h", "/").deflate(config);
    let (mut output, mut input) = (WriteBuffer::new(), ReadBuffer::new());
    let mut handshake =
        ClientHandshake::start(&request, NONCE, &mut output, &Limits::default()).unwrap();
    input.extend_from_slice(&answer(output.front()));
    match handshake.receive(&mut input) {
        Ok(Some(response)) => Ok(response),
        Ok(None) => Err(handshake.receive_eof(&mut input)),
        Err(error) => Err(error),
    }
}

/// Checks that a client accepts no response that exceeds its offer.
fn check_answer(value: &[u8], config: DeflateConfig) {
    let response = ask(config, |_| {
        let mut answer = b"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Accept: "
            .to_vec();
        answer.extend(accept_key(KEY).as_bytes());
        answer.extend(b"\r\nSec-WebSocket-Extensions: ");
        answer.extend(value.iter().filter(|byte| !byte.is_ascii_control()));
        answer.extend(b"\r\n\r\n");
        answer
    });
    let Ok(response) = response else { return };
    let Some(agreed) = response.negotiated().deflate else { return };
    let extension = &response.negotiated().extensions[0];
    let has_bits = extension.parameters.iter().any(|(name, _)| name == "client_max_window_bits");
    assert!(!has_bits || config.offers_client_max_window_bits, "{extension}");
    check_windows(&agreed, config.server_max_window_bits, config.client_max_window_bits);
    assert!(agreed.server_no_context_takeover || !config.server_no_context_takeover);
    assert!(agreed.client_no_context_takeover || !config.client_no_context_takeover);
}

/// Checks that two endpoints of this crate agree, and on the same parameters.
fn check_both(client: DeflateConfig, server: DeflateConfig) {
    let mut at_server = Negotiated::new();
    let response = ask(client, |bytes| {
        let mut input = ReadBuffer::new();
        input.extend_from_slice(bytes);
        let request = ServerHandshake::new(&Limits::default()).receive(&mut input);
        let mut output = WriteBuffer::new();
        at_server =
            request.unwrap().unwrap().accept(&Accept::new().deflate(server), &mut output).unwrap();
        output.front().to_vec()
    });
    let response = response.unwrap();
    let agreed = at_server.deflate.as_mut().unwrap();
    if !client.offers_client_max_window_bits {
        // The client did not offer `client_max_window_bits`, so the server can't limit it.
        assert_eq!(agreed.client_max_window_bits, 15);
        agreed.client_max_window_bits = client.client_max_window_bits;
    }
    assert_eq!(response.negotiated(), &at_server);
}
