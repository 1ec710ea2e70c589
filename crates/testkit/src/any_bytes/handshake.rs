//! Arbitrary bytes, received by either endpoint of an opening handshake.

use crate::{
    cuts::cuts,
    vectors::handshake::{
        drive::{ask, serve},
        format::Vector,
    },
};
use sansocket::{
    Limits,
    buffer::{ReadBuffer, WriteBuffer},
    handshake::{
        Accept, ClientHandshake, ClientRequest, HandshakeError, Request, ServerHandshake,
        accept_key,
    },
    server::OriginPolicy,
};

/// The number of bytes before the input.
const HEAD: usize = 6;

const LIMITED: u8 = 1;
const EOF: u8 = 2;
const OFFERS: u8 = 4;

/// Limits, the input, and where to cut the input.
///
/// | byte | meaning |
/// |---|---|
/// | 0 | bit 0: with limits; bit 1: the transport ends; bit 2: the client makes offers |
/// | 1, 2 | limit of the head, little-endian |
/// | 3, 4 | limits of the first line and of headers |
/// | 5 | how the input is cut |
/// | 6… | the input |
struct Scenario<'a> {
    limits: Limits,
    eof: bool,
    offers: bool,
    input: &'a [u8],
    pieces: Vec<&'a [u8]>,
}

impl<'a> Scenario<'a> {
    fn read(data: &'a [u8]) -> Option<Self> {
        let (head, input) = data.split_first_chunk::<HEAD>()?;
        let mut limits = Limits::default();
        if head[0] & LIMITED != 0 {
            limits.handshake_bytes = u16::from_le_bytes([head[1], head[2]]).into();
            limits.handshake_line = head[3].into();
            limits.handshake_headers = head[4].into();
        }
        let mut places = vec![0];
        places.extend(cuts(head[5], input.len()));
        places.push(input.len());
        let pieces = places.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect();
        let (eof, offers) = (head[0] & EOF != 0, head[0] & OFFERS != 0);
        Some(Self { limits, eof, offers, input, pieces })
    }
}

/// Returns bytes that are read as the scenario closest to `vector`.
pub fn bytes_like(vector: &Vector) -> Vec<u8> {
    let offers = !vector.subprotocols.is_empty() || !vector.extensions.is_empty();
    let mut head = [0; HEAD];
    head[0] = if vector.limits == Limits::default() { 0 } else { LIMITED };
    head[0] |= if vector.eof { EOF } else { 0 } | if offers { OFFERS } else { 0 };
    let bytes = u16::try_from(vector.limits.handshake_bytes).unwrap_or(u16::MAX);
    [head[1], head[2]] = bytes.to_le_bytes();
    head[3] = u8::try_from(vector.limits.handshake_line).unwrap_or(u8::MAX);
    head[4] = u8::try_from(vector.limits.handshake_headers).unwrap_or(u8::MAX);
    head[5] = vector.title.len() as u8;
    [&head[..], &vector.input].concat()
}

/// Checks a server: nothing panics, cuts change nothing, a response to every accepted request can
/// be sent, and a client recognizes the response to every other request as a refusal.
pub fn check_server(data: &[u8]) {
    let Some(Scenario { limits, eof, input, pieces, .. }) = Scenario::read(data) else { return };
    let whole = serve([input], &limits, eof);
    assert_eq!(serve(pieces, &limits, eof), whole);
    match whole.0 {
        Ok(Some(request)) => {
            assert!(input.ends_with(&whole.1));
            assert!(input.len() - whole.1.len() <= limits.handshake_bytes);
            assert!(request.headers().count() <= limits.handshake_headers);
            answer(&request);
        }
        Ok(None) => assert!(!eof && input.len() <= limits.handshake_bytes),
        Err(HandshakeError::TransportEnded { received }) => {
            assert!(eof && received == input.len());
        }
        Err(error) => refuse(&error),
    }
    over(input);
}

fn answer(request: &Request) {
    assert!(request.path().starts_with('/') && !request.path().contains(['?', '#', ' ']));
    assert!(!request.host().is_empty());
    let _ = OriginPolicy::same_origin().check(request);
    let listed = OriginPolicy::allow(["https://*.example.com", "http://h:*"]).unwrap();
    let _ = listed.check(request);
    // Accepts everything that was offered, once.
    let mut accept = Accept::new().header("X", "y");
    if let Some(name) = request.subprotocols().next() {
        accept = accept.subprotocol(name);
    }
    let mut names = Vec::new();
    for offer in request.extensions() {
        if !names.contains(&offer.name) {
            accept = accept.extension(offer.to_string());
            names.push(offer.name);
        }
    }
    let mut output = WriteBuffer::new();
    let agreed = request.accept(&accept, &mut output).unwrap();
    assert!(agreed.extensions.iter().map(|extension| &extension.name).eq(&names));
    let key = request.header("Sec-WebSocket-Key").unwrap();
    let expected = [b"Sec-WebSocket-Accept: ", accept_key(key).as_bytes(), b"\r\n"].concat();
    assert!(output.front().windows(expected.len()).any(|window| window == expected));
    assert!(output.front().ends_with(b"\r\n\r\n"));
}

fn refuse(error: &HandshakeError) {
    let mut output = WriteBuffer::new();
    error.response().write(&mut output).unwrap();
    let client = ClientRequest::from_parts("h", "/");
    let (outcome, _) = ask(&client, [output.front()], &Limits::default(), true);
    let Err(HandshakeError::Refused(refusal)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(refusal.status(), error.status());
    assert!((400..=599).contains(&refusal.status()) && refusal.is_complete());
    assert!(refusal.body().iter().filter(|byte| **byte == b'\n').count() <= 1);
    assert_eq!(error.status() == 405, refusal.header("Allow").is_some());
}

/// Checks a client: nothing panics, cuts change nothing, and nothing is agreed on that was not
/// offered.
pub fn check_client(data: &[u8]) {
    let Some(Scenario { limits, eof, offers, input, pieces }) = Scenario::read(data) else {
        return;
    };
    let mut request = ClientRequest::from_parts("h", "/");
    if offers {
        request = request.subprotocols(["chat", "superchat"]);
        request = request.extension("mux").extension("deflate; a=1, deflate");
    }
    let whole = ask(&request, [input], &limits, eof);
    assert_eq!(ask(&request, pieces, &limits, eof), whole);
    match whole.0 {
        Ok(Some(response)) => {
            assert!(input.ends_with(&whole.1));
            assert!(input.len() - whole.1.len() <= limits.handshake_bytes);
            let agreed = response.negotiated();
            let name = agreed.subprotocol.as_deref();
            assert!(name.is_none_or(|name| offers && ["chat", "superchat"].contains(&name)));
            assert!(agreed.extensions.len() <= if offers { 2 } else { 0 });
            for extension in &agreed.extensions {
                assert!(["mux", "deflate"].contains(&&*extension.name));
            }
        }
        Ok(None) => assert!(!eof && input.len() <= 2 * limits.handshake_bytes + 4096),
        Err(HandshakeError::Refused(refusal)) => {
            assert!(refusal.body().len() <= 4096);
            assert!(refusal.location().is_none() || refusal.status() / 100 == 3);
            assert_eq!(refusal.challenge(), refusal.challenges().next());
        }
        Err(error) => assert!(!error.to_string().contains(['\r', '\n']), "{error}"),
    }
}

/// Checks that nothing is read after the outcome.
fn over(bytes: &[u8]) {
    let mut input = ReadBuffer::new();
    input.extend_from_slice(bytes);
    let mut server = ServerHandshake::new(&Limits::default());
    let mut client = ClientHandshake::start(
        &ClientRequest::from_parts("h", "/"),
        [0; 16],
        &mut WriteBuffer::new(),
        &Limits::default(),
    )
    .unwrap();
    assert_ne!(server.receive_eof(&mut input), HandshakeError::Over);
    assert_eq!(server.receive(&mut input), Err(HandshakeError::Over));
    let _ = client.receive_eof(&mut input);
    assert_eq!(client.receive(&mut input), Err(HandshakeError::Over));
}
