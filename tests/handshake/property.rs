//! Properties of all handshakes.

use crate::{NONCE, ask, serve};
use proptest::{collection::vec, prelude::*, sample::Index};
use sansocket::{
    Limits,
    buffer::{ReadBuffer, WriteBuffer},
    handshake::{
        Accept, ClientHandshake, ClientRequest, HandshakeError, Negotiated, ServerHandshake, Url,
    },
    server::OriginPolicy,
};

/// Changes the case of each letter according to the bits.
fn recase(text: &str, bits: u64) -> String {
    let cased = text.chars().enumerate().map(|(at, letter)| {
        if bits >> (at % 64) & 1 == 1 {
            letter.to_ascii_uppercase()
        } else {
            letter.to_ascii_lowercase()
        }
    });
    cased.collect()
}

fn space() -> impl Strategy<Value = String> {
    "[ \t]{0,3}"
}

/// Generates the same with line ends in it (RFC 9112 §5.2).
fn fold() -> impl Strategy<Value = String> {
    "[ \t]{0,2}(\r?\n[ \t]{1,2}){0,2}"
}

/// Generates lines of `lists`, with noise around the token that counts.
fn list_lines(
    name: &'static str,
    token: &'static str,
) -> impl Strategy<Value = Vec<(String, String)>> {
    (
        vec(vec("[a-z0-9]{0,4}[xyz]", 0..3), 1..4),
        any::<Index>(),
        any::<Index>(),
        any::<u64>(),
        space(),
    )
        .prop_map(move |(mut lines, line, place, bits, space)| {
            let line = line.index(lines.len());
            let place = place.index(lines[line].len() + 1);
            lines[line].insert(place, recase(token, bits));
            let lines = lines.into_iter().map(|line| line.join(&format!("{space},{space}")));
            lines.map(|value| (recase(name, bits.rotate_left(7)), value)).collect()
        })
}

fn cut<'a>(bytes: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

prop_compose! {
    /// Generates a request that opens a WebSocket, with any order of headers, case, white space and
    /// line ends.
    fn good_request()(
        upgrade in list_lines("Upgrade", "websocket"),
        connection in list_lines("Connection", "upgrade"),
        others in vec(("X-[A-Za-z0-9-]{0,10}", "[ -~\u{e4}]{0,20}"), 0..5),
        nonce in any::<[u8; 16]>(),
        bits in any::<u64>(),
        space in (space(), space()),
    )(
        headers in Just({
            let key = base64(nonce);
            let mut headers = vec![
                (recase("Host", bits), "example.com:8080".to_owned()),
                (recase("Sec-WebSocket-Key", bits), key),
                (recase("Sec-WebSocket-Version", bits), "13".to_owned()),
            ];
            headers.extend(upgrade);
            headers.extend(connection);
            headers.extend(others);
            headers
        }).prop_shuffle(),
        bits in Just(bits),
        space in Just(space),
    ) -> (Vec<u8>, usize) {
        let mut text = "GET /chat HTTP/1.1".to_owned();
        for (at, (name, value)) in headers.iter().enumerate() {
            text.push_str(if bits >> (at % 64) & 1 == 1 { "\n" } else { "\r\n" });
            text.push_str(&format!("{name}:{}{value}{}", space.0, space.1));
        }
        text.push_str("\r\n\r\n");
        (text.into_bytes(), headers.len())
    }
}

prop_compose! {
    /// Generates a response that opens a WebSocket, written in any way. A folded line counts as
    /// white space.
    fn good_response()(
        connection in list_lines("Connection", "upgrade"),
        others in vec(("X-[A-Za-z0-9-]{0,10}", "[ -~\u{e4}]{0,20}"), 0..5),
        interim in 0..4_usize,
        bits in any::<u64>(),
        space in (fold(), fold()),
    )(
        headers in Just({
            let mut headers = vec![
                (recase("Upgrade", bits), recase("websocket", bits.rotate_left(3))),
                (recase("Sec-WebSocket-Accept", bits), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=".into()),
                (recase("Sec-WebSocket-Protocol", bits), "b".into()),
                (
                    recase("Sec-WebSocket-Extensions", bits),
                    format!("{0}z{1},{0}x{1};{0}y{1}={0}\"2\"", space.0, space.1),
                ),
            ];
            headers.extend(connection);
            headers.extend(others);
            headers
        }).prop_shuffle(),
        bits in Just(bits),
        interim in Just(interim),
        space in Just(space),
    ) -> (Vec<u8>, usize) {
        let mut text = "HTTP/1.1 103 Early Hints\r\nLink: </x>\n\r\n".repeat(interim);
        text += "HTTP/1.1 101 Switching Protocols";
        for (at, (name, value)) in headers.iter().enumerate() {
            text.push_str(if bits >> (at % 64) & 1 == 1 { "\n" } else { "\r\n" });
            text.push_str(&format!("{name}:{}{value}{}", space.0, space.1));
        }
        text.push_str("\r\n\r\n");
        (text.into_bytes(), headers.len())
    }
}

/// Returns the key that a client derives from a nonce.
fn base64(nonce: [u8; 16]) -> String {
    let mut output = WriteBuffer::new();
    let request = ClientRequest::from_parts("h", "/");
    ClientHandshake::start(&request, nonce, &mut output, &Limits::default()).unwrap();
    let text = crate::written(&output);
    let start = text.find("Key: ").unwrap() + 5;
    text[start..start + 24].to_owned()
}

proptest! {
    #[test]
    fn valid_requests_are_accepted_however_written_and_cut(
        (bytes, count) in good_request(),
        cuts in vec(any::<Index>(), 0..8),
        rest in vec(any::<u8>(), 0..20),
    ) {
        let bytes = [bytes, rest.clone()].concat();
        let (request, left) = serve(cut(&bytes, &cuts), &Limits::default());
        let request = request.unwrap().unwrap();
        prop_assert_eq!(left, rest);
        prop_assert_eq!(request.headers().count(), count);
        let mut output = WriteBuffer::new();
        request.accept(&Accept::new(), &mut output).unwrap();
    }

    #[test]
    fn valid_responses_are_accepted_however_written_and_cut(
        (bytes, count) in good_response(),
        cuts in vec(any::<Index>(), 0..8),
        rest in vec(any::<u8>(), 0..20),
    ) {
        let bytes = [bytes, rest.clone()].concat();
        let request = ClientRequest::from_parts("h", "/").subprotocols(["a", "b"]);
        let request = request.extension("x; y=1").extension("z");
        let (response, left) = ask(&request, cut(&bytes, &cuts), &Limits::default());
        let response = response.unwrap();
        prop_assert_eq!(left, rest);
        prop_assert_eq!(response.headers().count(), count);
        let agreed = Negotiated::new().subprotocol("b").extension("z, x; y=2").unwrap();
        prop_assert_eq!(response.negotiated(), &agreed);
    }

    #[test]
    fn noise_has_one_outcome(
        bytes in vec(prop_oneof![
            Just(b"\r\n".to_vec()), Just(b"\n".to_vec()), Just(b"GET / HTTP/1.1\r\n".to_vec()),
            Just(b"HTTP/1.1 ".to_vec()), Just(b"101 x\r\n".to_vec()), Just(b"404 x\r\n".to_vec()),
            Just(b"Host: h\r\n".to_vec()), Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
            Just(b"Content-Length: 3\r\n".to_vec()), Just(b"3\r\nabc\r\n".to_vec()),
            vec(any::<u8>(), 0..4),
        ], 0..12),
        cuts in vec(any::<Index>(), 0..8),
    ) {
        let bytes = bytes.concat();
        let limits = Limits::default().handshake_bytes(100).handshake_headers(4);
        let (whole, pieces) = ([&bytes[..]], cut(&bytes, &cuts));
        prop_assert_eq!(serve(pieces.clone(), &limits), serve(whole, &limits));
        let request = ClientRequest::from_parts("h", "/");
        prop_assert_eq!(ask(&request, pieces, &limits), ask(&request, whole, &limits));
    }

    #[test]
    fn both_endpoints_agree(
        host in "[a-z]{1,8}(\\.[a-z]{1,5}){0,2}|\\[::[0-9a-f]{1,4}\\]",
        port in any::<u16>().prop_filter("a port", |port| *port > 0),
        path in "(/[!-\"$->@-~]{0,8}){0,3}",
        query in "(\\?[!-\"$-~]{1,8})?",
        offered in prop::collection::btree_set("[a-z.]{1,6}", 0..4),
        chosen in any::<Option<Index>>(),
        cookie in "[!-~]{0,10}",
    ) {
        let url = Url::parse(&format!("ws://{host}:{port}{path}{query}")).unwrap();
        let request = ClientRequest::new(&url)
            .subprotocols(&offered)
            .header("Origin", format!("http://{host}:{port}"));
        let limits = Limits::default();
        let (mut there, mut back) = (WriteBuffer::new(), WriteBuffer::new());
        let mut client = ClientHandshake::start(&request, NONCE, &mut there, &limits).unwrap();
        let mut input = ReadBuffer::new();
        input.extend_from_slice(there.front());
        let received = ServerHandshake::new(&limits).receive(&mut input).unwrap().unwrap();
        prop_assert_eq!(received.host(), url.authority());
        prop_assert_eq!(received.target(), url.target());
        prop_assert!(received.subprotocols().eq(&offered));
        prop_assert_eq!(OriginPolicy::default().check(&received), Ok(()));

        let mut accept = Accept::new().header("Set-Cookie", &*cookie);
        if let Some(chosen) = chosen.filter(|_| !offered.is_empty()) {
            accept = accept.subprotocol(offered.iter().nth(chosen.index(offered.len())).unwrap());
        }
        let agreed = received.accept(&accept, &mut back).unwrap();
        let mut input = ReadBuffer::new();
        input.extend_from_slice(back.front());
        let response = client.receive(&mut input).unwrap().unwrap();
        prop_assert_eq!(response.negotiated(), &agreed);
        prop_assert_eq!(response.header("set-cookie"), Some(cookie.as_bytes()));

        // A refusal arrives as intended, too.
        let mut client = ClientHandshake::start(&request, NONCE, &mut there, &limits).unwrap();
        let mut back = WriteBuffer::new();
        let error = HandshakeError::OriginNotAllowed("x".into());
        error.response().write(&mut back).unwrap();
        let mut input = ReadBuffer::new();
        input.extend_from_slice(back.front());
        match client.receive(&mut input) {
            Err(HandshakeError::Refused(refusal)) => {
                prop_assert_eq!(refusal.status(), 403);
                let text = format!("{error}\n");
                prop_assert_eq!(refusal.body(), text.as_bytes());
                prop_assert!(refusal.is_complete());
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn urls_and_origins_never_panic(text in "(wss?://)?[-a-z0-9:/@\\[\\]%#?*.\u{e4} ]{0,30}") {
        if let Ok(url) = Url::parse(&text) {
            let again = Url::parse(url.as_ref());
            prop_assert_eq!(again.as_ref().map(Url::target), Ok(url.target()));
        }
        drop(OriginPolicy::allow([text]));
    }
}
