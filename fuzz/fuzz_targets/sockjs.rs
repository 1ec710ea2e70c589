//! Arbitrary bytes from a client of SockJS: a request's path and fields, or a payload.
//!
//! | byte | meaning |
//! |---|---|
//! | 0 | even: a payload; odd: the method, the path, the origin, the requested fields and the cookie, with line feeds between them |
//! | 1… | the payload, or the request |
#![no_main]

use libfuzzer_sys::fuzz_target;
use sansocket_realtime::sockjs::{
    Action, Config, Cors, PayloadError, PreparedMessage, Request, Response, Session, Transport,
};
use std::time::Duration;

const NOW: Duration = Duration::ZERO;

fuzz_target!(|data: &[u8]| {
    let Some((kind, data)) = data.split_first() else { return };
    if kind % 2 == 0 { check_payload(data) } else { check_request(data) }
});

/// Checks that both ways of sending agree, that the messages are no longer than their payload, and that
/// a client gets back what it sent on each transport.
fn check_payload(payload: &[u8]) {
    let mut websocket = Session::new(Config::default().into(), NOW);
    let body = websocket.received_body(payload);
    if let Ok(text) = std::str::from_utf8(payload) {
        let messages = websocket.received_text(text, NOW);
        assert_eq!(websocket.closed().is_some(), messages.is_err());
        match &body {
            Ok(_) => assert_eq!(messages, body),
            Err(PayloadError::Empty) => assert_eq!(messages, Ok(vec![])),
            Err(_) => assert!(messages.is_err() || text.trim_start().starts_with('"')),
        }
    }
    let Ok(messages) = body else { return };
    assert!(messages.iter().map(String::len).sum::<usize>() <= payload.len());
    for transport in [Transport::WebSocket, Transport::XhrStreaming, Transport::EventSource] {
        check_echo(&messages, transport);
    }
}

fn check_echo(messages: &[String], transport: Transport) {
    let config = Config::default().queued_messages(usize::MAX).queued_bytes(usize::MAX);
    let mut session = Session::new(config.into(), NOW);
    let mut receiver = session.attach(transport, NOW).unwrap();
    for text in messages {
        session.send(&PreparedMessage::new(text), NOW).unwrap();
    }
    let mut echoed = Vec::new();
    while session.ready().is_some() {
        let chunk = session.next_chunk(receiver, NOW).unwrap();
        let mut frame = chunk.text.trim_end_matches(['\r', '\n']).to_string();
        if transport == Transport::EventSource {
            frame = frame.trim_start_matches("data: ").replace("%25", "%");
        }
        assert!(!frame.contains(|character| character < ' '));
        if let Some(json) = frame.strip_prefix('a') {
            echoed.extend(session.received_body(json.as_bytes()).unwrap());
        }
        if chunk.last && echoed.len() < messages.len() {
            receiver = session.attach(transport, NOW).unwrap();
        }
    }
    assert_eq!(echoed, messages);
}

/// Checks that no field of a response can hold more than its value.
fn check_request(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut parts = text.split('\n');
    let mut next = || parts.next().unwrap_or_default();
    let request = Request::new(next(), next())
        .cors(match next() {
            "" => Cors::Refused,
            origin => Cors::Origin(origin),
        })
        .requested_fields(Some(next()))
        .cookie(Some(next()));
    match request.action(&Config::default().cookie_needed(true), 7) {
        Action::Respond(response) => check_response(&response),
        Action::Receive { session, head, .. } | Action::Send { session, head } => {
            assert!(!session.is_empty() && !session.contains(['.', '/', '?']));
            check_response(&head);
        }
        _ => {}
    }
}

fn check_response(response: &Response) {
    assert!(matches!(response.status, 200 | 204 | 403 | 404 | 405));
    for (_, value) in &response.fields {
        let is_allowed = |byte: u8| matches!(byte, b' '..=b'~' | b'\t');
        assert!(value.bytes().all(is_allowed), "{value:?}");
    }
}
