//! Requests for something other than a WebSocket, sent to a server that answers them.

use crate::{however_cut, written};
use core::time::Duration;
use sansocket::{
    Config, Limits,
    buffer::{ReadBuffer, WriteBuffer},
    handshake::{
        HandshakeError, HandshakeNext, HttpVersion, OpeningError, PlainRequest, PlainResponse,
    },
    server::{Acceptor, Step},
};

/// The outcome of a server, and what it wrote.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Waiting for more input.
    Waits,
    /// A request for a WebSocket.
    Asked,
    Ended(OpeningError, String),
}

fn respond(request: &PlainRequest) -> Option<PlainResponse> {
    match request.path() {
        "/health" => Some(PlainResponse::new(200).header("X", "y").body("fine\n")),
        "/empty" => Some(PlainResponse::new(204)),
        "/bad" => Some(PlainResponse::new(101)),
        "/echo" => Some(PlainResponse::new(200).body(format!("{:?}", seen(request)))),
        _ => None,
    }
}

type Seen = (bool, String, Option<String>, Vec<u8>, usize, usize);

fn seen(request: &PlainRequest) -> Seen {
    (
        request.is_head(),
        request.target().into(),
        request.raw_query().map(Into::into),
        request.header("Host").unwrap_or(b"none").to_vec(),
        request.headers().count(),
        request.headers_named("a").count(),
    )
}

fn run(acceptor: &Acceptor, pieces: &mut dyn Iterator<Item = &[u8]>) -> Outcome {
    let (mut accepting, mut input) = (acceptor.begin(), ReadBuffer::new());
    let (mut output, mut sent) = (WriteBuffer::new(), String::new());
    let mut fins = 0;
    loop {
        match accepting.next(&mut input, &mut output, || Duration::from_secs(1)) {
            HandshakeNext::Ended(error) => {
                assert!(fins <= 1);
                return Outcome::Ended(error, sent);
            }
            HandshakeNext::Ready(Step::Request(_)) => return Outcome::Asked,
            HandshakeNext::Ready(step) => panic!("{step:?}"),
            HandshakeNext::Wants(wants) if wants.write => {
                sent += &written(&output);
                accepting.did_write(Ok(output.len()), &mut output);
            }
            HandshakeNext::Wants(wants) if wants.shut_down_write => {
                fins += 1;
                accepting.did_shut_down(Ok(()));
            }
            HandshakeNext::Wants(_) => match pieces.next() {
                Some([]) => {}
                Some(piece) => {
                    input.extend_from_slice(piece);
                    accepting.did_read(Ok(piece.len()));
                }
                None if sent.is_empty() => return Outcome::Waits,
                None => accepting.did_read(Ok(0)),
            },
        }
    }
}

fn with_hook() -> Acceptor {
    Acceptor::new().plain_response(respond)
}

#[track_caller]
fn outcome(bytes: &str) -> Outcome {
    let outcome = however_cut(bytes.as_bytes(), |pieces| run(&with_hook(), pieces));
    // Bytes that a client sends after its request don't matter, and are dropped.
    if let Outcome::Ended(OpeningError::Answered(_), _) = outcome {
        let more = [bytes, "GET /bad HTTP/1.1\r\n\r\n\0garbage"].concat();
        assert_eq!(however_cut(more.as_bytes(), |pieces| run(&with_hook(), pieces)), outcome);
    }
    outcome
}

#[track_caller]
fn answered(bytes: &str, status: u16) -> String {
    match outcome(bytes) {
        Outcome::Ended(OpeningError::Answered(is), sent) if is == status => sent,
        other => panic!("{other:?}"),
    }
}

/// Checks that the outcome is the same as without the hook.
#[track_caller]
fn same_without_hook(bytes: &str) {
    let expected = however_cut(bytes.as_bytes(), |pieces| run(&Acceptor::new(), pieces));
    assert_eq!(outcome(bytes), expected, "{bytes:?}");
    assert!(!matches!(expected, Outcome::Ended(OpeningError::Answered(_), _)));
}

#[test]
fn get_is_answered() {
    assert_eq!(
        answered("GET /health HTTP/1.1\r\nHost: h\r\n\r\n", 200),
        "HTTP/1.1 200 OK\r\n\
        Connection: close\r\n\
        Content-Length: 5\r\n\
        Content-Type: text/plain; charset=utf-8\r\n\
        X: y\r\n\r\nfine\n",
    );
    let sent = answered("\r\nGET /empty HTTP/1.1\nHost: h\nContent-Length: 0\n\n", 204);
    assert_eq!(sent, "HTTP/1.1 204 \r\nConnection: close\r\n\r\n");
}

#[test]
fn head_is_answered_like_get_without_a_body() {
    let get = answered("GET /health HTTP/1.1\r\nHost: h\r\n\r\n", 200);
    let head = answered("HEAD /health HTTP/1.1\r\nHost: h\r\n\r\n", 200);
    assert_eq!(head + "fine\n", get);
    let sent = answered("HEAD /empty HTTP/1.1\r\nHost: h\r\n\r\n", 204);
    assert_eq!(sent, "HTTP/1.1 204 \r\nConnection: close\r\n\r\n");
}

#[test]
fn the_hook_sees_the_whole_request() {
    let sent = answered("GET http://x/echo?q=1 HTTP/1.1\r\nHost: h:1\r\nA: b\r\na: c\r\n\r\n", 200);
    let expected = (false, "http://x/echo?q=1", Some("q=1"), b"h:1", 3, 2);
    assert!(sent.ends_with(&format!("\r\n\r\n{expected:?}")), "{sent}");
}

#[test]
fn http_1_0_needs_no_host() {
    for method in ["GET", "HEAD"] {
        for host in ["", "Host: h\r\n"] {
            answered(&format!("{method} /health HTTP/1.0\r\n{host}\r\n"), 200);
        }
        same_without_hook(&format!("{method} /health HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n"));
        same_without_hook(&format!("{method} /health HTTP/1.1\r\n\r\n"));
    }
}

#[test]
fn a_request_that_the_hook_declines_is_refused() {
    for method in ["GET", "HEAD"] {
        for version in ["1.0", "1.1"] {
            same_without_hook(&format!("{method} / HTTP/{version}\r\nHost: h\r\n\r\n"));
        }
    }
    let Outcome::Ended(error, sent) = outcome("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n") else {
        panic!("expected a refusal");
    };
    assert_eq!(error, HandshakeError::Method("HEAD".into()).into());
    assert!(sent.starts_with("HTTP/1.1 405 ") && sent.ends_with("\r\n\r\n"), "{sent}");
    let Outcome::Ended(error, _) = outcome("GET / HTTP/1.0\r\n\r\n") else {
        panic!("expected a refusal");
    };
    let version = HttpVersion { major: 1, minor: 0 };
    assert_eq!(error, HandshakeError::HttpVersion(version).into());
}

#[test]
fn other_requests_are_refused_as_without_a_hook() {
    for method in ["GET", "HEAD"] {
        for line in [
            "Content-Length: 1",
            "Content-Length: x",
            "Content-Length: 0, 1",
            "Transfer-Encoding: chunked",
            "Upgrade: websocket",
            "Upgrade: h2c, WebSocket",
            "Host: again",
            "X",
            "X: \x01",
        ] {
            same_without_hook(&format!("{method} /health HTTP/1.1\r\nHost: h\r\n{line}\r\n\r\n"));
        }
        for target in ["*", "x", "/health#x", "ftp://h/health", "http:///health"] {
            same_without_hook(&format!("{method} {target} HTTP/1.1\r\nHost: h\r\n\r\n"));
        }
        same_without_hook(&format!("{method} /health HTTP/1.1\r\nHost: a b\r\n\r\n"));
    }
}

#[test]
fn requests_refused_early_still_are() {
    for line in ["PUT /health HTTP/1.1\r\n", "GET /health HTTP/0.9\r\n", "HEAD / HTTP/2.0\r\n"] {
        same_without_hook(line);
        assert!(matches!(outcome(line), Outcome::Ended(..)), "{line:?}");
    }
    same_without_hook("\x16");
    // Without a hook these also include HEAD and HTTP/1.0.
    for line in ["HEAD / HTTP/1.1\r\n", "GET / HTTP/1.0\r\n"] {
        let bytes = line.as_bytes();
        let without = however_cut(bytes, |pieces| run(&Acceptor::new(), pieces));
        assert!(matches!(without, Outcome::Ended(..)), "{without:?}");
        assert_eq!(outcome(line), Outcome::Waits);
    }
}

#[test]
fn a_valid_request_for_a_websocket_is_accepted() {
    let request = "GET /health HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    assert_eq!(outcome(request), Outcome::Asked);
    same_without_hook(&request.replace("Connection", "Connected"));
    same_without_hook(&request.replace("13", "8"));
    same_without_hook(&request.replace("\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n"));
}

#[test]
fn an_invalid_response_becomes_a_500() {
    for (method, body) in [("GET", "the server failed to answer\n"), ("HEAD", "")] {
        let outcome = outcome(&format!("{method} /bad HTTP/1.1\r\nHost: h\r\n\r\n"));
        let Outcome::Ended(OpeningError::Refused(500), sent) = outcome else {
            panic!("{outcome:?}");
        };
        assert!(sent.ends_with(&format!("\r\n\r\n{body}")), "{sent}");
        assert!(sent.contains("\r\nContent-Length: 28\r\n"), "{sent}");
    }
}

#[test]
fn limits_are_enforced() {
    let limits = Limits::default().handshake_bytes(60).handshake_headers(2).handshake_line(30);
    let acceptor = || Acceptor::new().config(Config::default().limits(limits));
    let run = |acceptor: &Acceptor, bytes: &str| {
        however_cut(bytes.as_bytes(), |pieces| run(acceptor, pieces))
    };
    let hooked = acceptor().plain_response(respond);
    let fits = run(&hooked, "GET /health HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n");
    assert!(matches!(fits, Outcome::Ended(OpeningError::Answered(200), _)), "{fits:?}");
    for method in ["GET", "HEAD"] {
        for rest in [
            "/health HTTP/1.1\r\nHost: h\r\nA: b\r\nA: b\r\n\r\n".into(),
            format!("/health HTTP/1.1\r\nHost: h\r\nA: {}\r\n\r\n", "x".repeat(60)),
            format!("/{} HTTP/1.1\r\nHost: h\r\n\r\n", "x".repeat(30)),
        ] {
            let bytes = format!("{method} {rest}");
            let (with, without) = (run(&hooked, &bytes), run(&acceptor(), &bytes));
            assert_eq!(with, without, "{bytes:?}");
            assert!(matches!(with, Outcome::Ended(OpeningError::Handshake(_), _)), "{with:?}");
        }
    }
}

#[test]
fn an_acceptor_with_a_hook_is_clone_and_debug() {
    let acceptor = with_hook();
    assert!(format!("{acceptor:?}").contains("plain_response: Some"));
    let pieces = &mut [&b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n"[..]].into_iter();
    let outcome = run(&acceptor.clone(), pieces);
    assert!(matches!(outcome, Outcome::Ended(OpeningError::Answered(200), _)), "{outcome:?}");
}
