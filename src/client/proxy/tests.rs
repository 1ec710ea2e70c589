//! Tunnels on a virtual clock, without a transport.

use super::*;
use crate::buffer::ReadBuffer;
use crate::handshake::{HandshakeError, HandshakeNext, HeadPart};
use crate::headers::HeaderError;
use crate::transport::{IoFailure, Wants};
use alloc::{boxed::Box, string::ToString, vec};

const SECOND: Duration = Duration::from_secs(1);

/// A client and its connection to the proxy.
struct Client {
    tunneling: Tunneling,
    input: ReadBuffer,
    output: WriteBuffer,
    sent: Vec<u8>,
    now: Duration,
}

type Outcome = Result<(), ProxyError>;

impl Client {
    fn new(proxy: &Proxy, url: &str) -> Self {
        let (input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
        let tunneling = proxy.begin(&Url::parse(url).unwrap(), &mut output).unwrap();
        Self { tunneling, input, output, sent: Vec::new(), now: 5 * SECOND }
    }

    fn next(&mut self) -> Result<Wants, Outcome> {
        let now = self.now;
        match self.tunneling.next(&mut self.input, &mut self.output, || now) {
            HandshakeNext::Wants(wants) => Ok(wants),
            HandshakeNext::Ready(()) => Err(Ok(())),
            HandshakeNext::Ended(error) => Err(Err(error)),
        }
    }

    /// Writes all that is queued.
    fn write(&mut self) {
        while !self.output.is_empty() {
            let front = self.output.front();
            let count = front.len();
            self.sent.extend_from_slice(front);
            self.tunneling.did_write(Ok(count), &mut self.output);
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.tunneling.did_read(Ok(bytes.len()));
    }

    /// Receives replies as the proxy sends them, in pieces that end at `cuts`, then the end of the
    /// transport. Returns the outcome and what was sent.
    fn run(mut self, replies: &[&[u8]], piece: usize) -> (Outcome, Vec<u8>) {
        for reply in replies {
            for bytes in reply.chunks(piece) {
                match self.next() {
                    Ok(wants) => assert!(wants.read && !wants.shut_down_write),
                    Err(outcome) => return (outcome, self.sent),
                }
                self.write();
                self.receive(bytes);
            }
        }
        if let Err(outcome) = self.next() {
            return (outcome, self.sent);
        }
        self.write();
        self.tunneling.did_read(Ok(0));
        (self.next().expect_err("the transport has ended"), self.sent)
    }
}

/// Runs with replies cut in every way, which must make no difference.
#[track_caller]
fn run(proxy: &Proxy, url: &str, replies: &[&[u8]]) -> (Outcome, Vec<u8>) {
    let whole = Client::new(proxy, url).run(replies, usize::MAX);
    for piece in 1..replies.iter().map(|reply| reply.len()).max().unwrap_or(0) {
        let cut = Client::new(proxy, url).run(replies, piece);
        assert_eq!(cut, whole, "pieces of {piece}");
    }
    whole
}

fn http() -> Proxy {
    Proxy::parse("http://proxy.test:3128").unwrap()
}

fn socks() -> Proxy {
    Proxy::parse("socks5://proxy.test").unwrap()
}

#[track_caller]
fn assert_fails(proxy: &Proxy, replies: &[&[u8]], expected: &ProxyError) {
    let (outcome, _) = run(proxy, "ws://h/", replies);
    assert_eq!(outcome.as_ref(), Err(expected), "{replies:?}");
}

#[test]
fn an_http_proxy_is_asked_for_the_host_and_port() {
    for (url, authority) in [
        ("ws://h/", "h:80"),
        ("wss://h/chat?x", "h:443"),
        ("ws://u:p@h:81/", "h:81"),
        ("wss://[::1]/", "[::1]:443"),
    ] {
        let (outcome, sent) = run(&http(), url, &[b"HTTP/1.1 200 OK\r\n\r\n"]);
        assert_eq!(outcome, Ok(()));
        let expected = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        assert_eq!(String::from_utf8(sent).unwrap(), expected);
    }
}

#[test]
fn credentials_and_headers_go_to_the_proxy() {
    let answer: &[&[u8]] = &[b"HTTP/1.0 200 Connection established\r\n\r\n"];
    let sent = |proxy: &Proxy| {
        let (outcome, sent) = run(proxy, "ws://h/", answer);
        assert_eq!(outcome, Ok(()));
        String::from_utf8(sent).unwrap()
    };
    let proxy = Proxy::parse("http://us%65r:p%3A%40@p").unwrap().header("User-Agent", "us");
    let text = sent(&proxy);
    assert!(text.ends_with(
        "Host: h:80\r\nProxy-Authorization: Basic dXNlcjpwOkA=\r\nUser-Agent: us\r\n\r\n"
    ));
    let text = sent(&proxy.header("proxy-authorization", "Bearer x"));
    assert!(text.contains("Bearer x") && !text.contains("Basic"));
}

#[test]
fn what_can_not_be_sent_is_refused_before() {
    let begin = |proxy: Proxy, url: &str| {
        let mut output = WriteBuffer::new();
        let begun = proxy.begin(&Url::parse(url).unwrap(), &mut output);
        assert!(output.is_empty());
        begun.map(drop).unwrap_err()
    };
    for (user, password) in [("a:b", ""), ("a\n", ""), ("a", "\0")] {
        let error = begin(http().credentials(user, password), "ws://h/");
        assert_eq!(error, ProxyError::InvalidCredentials);
    }
    for header in ["Host", "content-length", "transfer-encoding", "Connection"] {
        let error = begin(http().header(header, "x"), "ws://h/");
        assert!(matches!(error, ProxyError::Header(HeaderError::Reserved(_))), "{error:?}");
    }
    assert!(matches!(begin(http().header("a", "b\r\nc: d"), "ws://h/"), ProxyError::Header(_)));
    let long = "x".repeat(256);
    for (user, password) in [("", "p"), ("u", ""), (&long, "p"), ("u", &long)] {
        let error = begin(socks().credentials(user, password), "ws://h/");
        assert_eq!(error, ProxyError::InvalidCredentials);
    }
    assert_eq!(begin(socks(), &format!("ws://{long}/")), ProxyError::HostTooLong { len: 256 });
    assert!(
        socks()
            .begin(&Url::parse(&format!("ws://{}/", &long[1..])).unwrap(), &mut WriteBuffer::new())
            .is_ok()
    );
}

#[test]
fn any_success_opens_a_tunnel_and_has_no_body() {
    for answer in [
        "HTTP/1.1 200\r\n\r\n",
        "HTTP/1.1 204 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 299 x\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        assert_eq!(run(&http(), "ws://h/", &[answer.as_bytes()]).0, Ok(()), "{answer}");
    }
}

#[test]
fn a_refusal_has_its_status_and_body() {
    let answer = b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\
        Content-Length: 7\r\n\r\nsign in";
    let (outcome, _) = run(&http(), "ws://h/", &[answer]);
    let Err(ProxyError::Refused(refusal)) = &outcome else { panic!("{outcome:?}") };
    assert_eq!((refusal.status(), refusal.body()), (407, &b"sign in"[..]));
    assert_eq!(refusal.challenge(), Some("Basic realm=\"x\""));
    assert!(!outcome.unwrap_err().is_transient());
    // A switch of protocols is no tunnel either.
    for (line, transient) in [("403 No", false), ("502 Bad", true), ("101 Yes", false)] {
        let answer = format!("HTTP/1.1 {line}\r\n\r\npart");
        let (outcome, _) = run(&http(), "ws://h/", &[answer.as_bytes()]);
        let Err(ProxyError::Refused(refusal)) = &outcome else { panic!("{outcome:?}") };
        assert_eq!(refusal.body(), b"part");
        assert_eq!(outcome.unwrap_err().is_transient(), transient);
    }
}

#[test]
fn what_is_not_http_is_an_error() {
    let invalid = |error| ProxyError::InvalidResponse(Box::new(error));
    let malformed = invalid(HandshakeError::Malformed(HeadPart::StatusLine));
    assert_fails(&http(), &[b"\x05\x00"], &malformed);
    assert_fails(&http(), &[b"HTTP/1.1 2000\r\n\r\n"], &malformed);
    assert_fails(&http(), &[b""], &ProxyError::Ended { received: 0 });
    assert_fails(&http(), &[b"HTTP/1.1 200 OK\r\n"], &ProxyError::Ended { received: 17 });
    let interim = b"HTTP/1.1 100 x\r\n\r\n".repeat(9);
    let error = HandshakeError::TooManyInterimResponses { limit: 8 };
    assert_fails(&http(), &[&interim], &invalid(error));
}

/// A tunnel in which bytes come before the client's would lead to someone else than the server, or
/// their order would be unclear.
#[test]
fn bytes_in_front_of_the_servers_are_an_error() {
    let mut client = Client::new(&http(), "wss://h/");
    client.next().unwrap();
    client.write();
    client.receive(b"HTTP/1.1 200 OK\r\n\r\n\x16\x03");
    assert_eq!(client.next(), Err(Err(ProxyError::UnexpectedData { count: 2 })));
    let mut client = Client::new(&socks(), "wss://h/");
    client.next().unwrap();
    client.write();
    client.receive(b"\x05\x00");
    client.next().unwrap();
    client.write();
    client.receive(b"\x05\x00\x00\x01\0\0\0\0\0\0!");
    assert_eq!(client.next(), Err(Err(ProxyError::UnexpectedData { count: 1 })));
}

#[test]
fn the_request_is_written_whole_before_the_tunnel_is_used() {
    let mut client = Client::new(&http(), "wss://h/");
    assert!(client.next().unwrap().write);
    client.tunneling.did_write(Ok(3), &mut client.output);
    client.receive(b"HTTP/1.1 200 OK\r\n\r\n");
    let wants = client.next().unwrap();
    assert!(wants.write && !wants.read && wants.deadline.is_some());
    client.write();
    assert_eq!(client.next(), Err(Ok(())));
    assert_eq!(client.next(), Err(Err(ProxyError::Over)));
    // The same, but the rest can't be written.
    let mut client = Client::new(&http(), "wss://h/");
    client.next().unwrap();
    client.receive(b"HTTP/1.1 200 OK\r\n\r\n");
    client.next().unwrap();
    client.tunneling.did_write(Err(IoFailure::Reset), &mut client.output);
    assert_eq!(client.next(), Err(Err(ProxyError::Transport(IoFailure::Reset))));
}

#[test]
fn socks_without_credentials() {
    let replies: &[&[u8]] = &[b"\x05\x00", b"\x05\x00\x00\x01\x7f\0\0\x01\x12\x34"];
    let (outcome, sent) = run(&socks(), "wss://example.com/", replies);
    assert_eq!(outcome, Ok(()));
    assert_eq!(sent, b"\x05\x01\x00\x05\x01\x00\x03\x0bexample.com\x01\xbb");
    let (_, sent) = run(&socks(), "ws://192.0.2.7:8080/", replies);
    assert_eq!(sent[3..], *b"\x05\x01\x00\x01\xc0\x00\x02\x07\x1f\x90");
    let (_, sent) = run(&socks(), "ws://[2001:db8::1]/", replies);
    assert_eq!(sent[3..9], *b"\x05\x01\x00\x04\x20\x01");
    assert_eq!(sent.len(), 3 + 4 + 16 + 2);
}

#[test]
fn socks_with_credentials() {
    let proxy = Proxy::parse("socks5h://me:p%00w@proxy.test:1081").unwrap();
    let reply = [&b"\x05\x00\x00\x03\x05proxy"[..], &[0, 0]].concat();
    for version in [1, 5] {
        let replies: &[&[u8]] = &[b"\x05\x02", &[version, 0], &reply];
        let (outcome, sent) = run(&proxy, "ws://h/", replies);
        assert_eq!(outcome, Ok(()));
        assert_eq!(sent, b"\x05\x02\x00\x02\x01\x02me\x03p\0w\x05\x01\x00\x03\x01h\x00\x50");
    }
    // The proxy need not want them.
    let (outcome, sent) = run(&proxy, "ws://h/", &[b"\x05\x00", &reply]);
    assert_eq!(outcome, Ok(()));
    assert!(!sent.windows(2).any(|bytes| bytes == b"me"));
    for status in [1, 0xff] {
        let replies: &[&[u8]] = &[b"\x05\x02", &[1, status]];
        assert_fails(&proxy, replies, &ProxyError::CredentialsRefused);
    }
}

#[test]
fn refusals_of_socks_have_their_reason() {
    let none = |with_credentials| ProxyError::NoAcceptableMethod { with_credentials };
    assert_fails(&socks(), &[b"\x05\xff"], &none(false));
    assert_fails(&socks().credentials("u", "p"), &[b"\x05\xff"], &none(true));
    for (code, reply, transient) in [
        (1, SocksReply::GeneralFailure, true),
        (2, SocksReply::NotAllowed, false),
        (3, SocksReply::NetworkUnreachable, true),
        (4, SocksReply::HostUnreachable, true),
        (5, SocksReply::ConnectionRefused, true),
        (6, SocksReply::TtlExpired, true),
        (7, SocksReply::CommandNotSupported, false),
        (8, SocksReply::AddressTypeNotSupported, false),
        (9, SocksReply::Other(9), true),
    ] {
        let error = ProxyError::Socks(reply);
        // The rest of a reply need not come.
        assert_fails(&socks(), &[b"\x05\x00", &[5, code]], &error);
        assert_eq!(error.is_transient(), transient);
    }
}

#[test]
fn what_is_not_socks_5_is_an_error() {
    let invalid = |part, found| ProxyError::InvalidSocks { part, found };
    assert_fails(&socks(), &[b"HTTP/1.1 400"], &invalid("version", b'H'));
    assert_fails(&socks(), &[b"\x04\x00"], &invalid("version", 4));
    // Methods that were not offered, and credentials that were not given.
    assert_fails(&socks(), &[b"\x05\x01"], &invalid("method", 1));
    assert_fails(&socks(), &[b"\x05\x02"], &invalid("method", 2));
    let part = "version of its answer to the credentials";
    assert_fails(&socks().credentials("u", "p"), &[b"\x05\x02", b"\x00"], &invalid(part, 0));
    assert_fails(&socks(), &[b"\x05\x00", b"\x04"], &invalid("version", 4));
    assert_fails(&socks(), &[b"\x05\x00", b"\x05\x00\x01"], &invalid("reserved byte", 1));
    assert_fails(&socks(), &[b"\x05\x00", b"\x05\0\0\x02"], &invalid("type of address", 2));
    assert_fails(&socks(), &[b"\x05"], &ProxyError::Ended { received: 1 });
    let short = [&b"\x05\0\0\x03\xff"[..], &[b'x'; 256]].concat();
    assert_fails(&socks(), &[b"\x05\x00", &short], &ProxyError::Ended { received: 263 });
}

#[test]
fn time_and_failures_end_the_wait() {
    for proxy in [http(), socks()] {
        let mut client = Client::new(&proxy, "ws://h/");
        client.next().unwrap();
        client.write();
        assert_eq!(client.next().unwrap().deadline, Some(15 * SECOND));
        client.now = 15 * SECOND;
        // What arrived in time may still be unread.
        let outcome = loop {
            match client.next() {
                Ok(wants) => assert!(wants.read),
                Err(outcome) => break outcome,
            }
            client.tunneling.did_read(Err(IoFailure::NotReady));
            client.now += SECOND;
        };
        assert_eq!(outcome, Err(ProxyError::TimedOut));
        let mut client = Client::new(&proxy, "ws://h/");
        client.next().unwrap();
        client.tunneling.did_read(Err(IoFailure::Reset));
        assert_eq!(client.next(), Err(Err(ProxyError::Transport(IoFailure::Reset))));
    }
    // A refusal that came before counts more.
    let mut client = Client::new(&http(), "ws://h/");
    client.next().unwrap();
    client.receive(b"HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\npart");
    client.next().unwrap();
    client.tunneling.did_read(Err(IoFailure::Reset));
    assert!(
        matches!(client.next(), Err(Err(ProxyError::Refused(refusal))) if !refusal.is_complete())
    );
}

#[test]
fn urls_of_proxies() {
    for (text, secure, host, port) in [
        ("http://p", false, "p", 80),
        ("HTTPS://p/", true, "p", 443),
        ("socks5://[::1]", false, "::1", 1080),
        ("socks5h://u:p@p:1", false, "p", 1),
        ("p:3128", false, "p", 3128),
        ("u:p@127.0.0.1:3128/", false, "127.0.0.1", 3128),
    ] {
        let proxy: Proxy = text.parse().unwrap();
        assert_eq!((proxy.is_secure(), proxy.host(), proxy.port()), (secure, host, port), "{text}");
    }
    for (text, error) in [
        ("ftp://p", ProxyUrlError::UnknownScheme),
        ("socks4://p", ProxyUrlError::UnknownScheme),
        ("http://", ProxyUrlError::InvalidHost),
        ("", ProxyUrlError::InvalidHost),
        ("http://a b", ProxyUrlError::InvalidHost),
        ("http://::1", ProxyUrlError::InvalidHost),
        ("http://p:0", ProxyUrlError::InvalidPort),
        ("http://p:x", ProxyUrlError::InvalidPort),
        ("http://u%@p", ProxyUrlError::InvalidUserinfo),
        ("http://u@v@p", ProxyUrlError::InvalidUserinfo),
        ("http://p/path", ProxyUrlError::Path),
        ("http://p?q", ProxyUrlError::Path),
        ("http://p#f", ProxyUrlError::Path),
    ] {
        assert_eq!(Proxy::parse(text).map(drop), Err(error), "{text}");
    }
}

#[test]
fn credentials_are_never_shown() {
    for proxy in [http(), socks()] {
        let proxy = proxy.credentials("secretuser", "secretpassword").header("X", "secretvalue");
        let url = Url::parse("ws://h/").unwrap();
        let tunneling = proxy.begin(&url, &mut WriteBuffer::new()).unwrap();
        let proxies = Proxies::from(proxy.clone());
        for shown in [format!("{proxy:?}"), format!("{tunneling:?}"), format!("{proxies:?}")] {
            assert!(!shown.contains("secret") && !shown.contains("Basic"), "{shown}");
        }
    }
    let error = Proxy::parse("http://secret%:secret@p").unwrap_err();
    assert!(!format!("{error} {error:?}").contains("secret"));
    for error in [ProxyError::CredentialsRefused, ProxyError::InvalidCredentials] {
        assert!(!error.to_string().is_empty());
    }
}

fn proxies(variables: &[(&str, &str)]) -> Result<Proxies, ProxyVariableError> {
    Proxies::from_variables(|name| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| (*value).into())
    })
}

/// Returns the hosts of the proxies for a `ws` and a `wss` URL.
fn of_variables(variables: &[(&str, &str)]) -> Vec<Option<String>> {
    let proxies = proxies(variables).unwrap();
    let host = |url| {
        let proxy = proxies.proxy_for(&Url::parse(url).unwrap());
        proxy.map(|proxy| proxy.host().to_owned())
    };
    vec![host("ws://h/"), host("wss://h/")]
}

#[test]
fn the_environment_names_proxies_by_scheme() {
    let some = |host: &str| Some(host.to_owned());
    assert_eq!(of_variables(&[]), [None, None]);
    assert_eq!(of_variables(&[("HTTP_PROXY", "a")]), [some("a"), None]);
    assert_eq!(of_variables(&[("HTTPS_PROXY", "a:1")]), [None, some("a")]);
    assert_eq!(of_variables(&[("ALL_PROXY", "socks5://a")]), [some("a"), some("a")]);
    let both = [("all_proxy", "a"), ("HTTPS_PROXY", "b")];
    assert_eq!(of_variables(&both), [some("a"), some("b")]);
    let cases = [("http_proxy", "lower"), ("HTTP_PROXY", "upper")];
    assert_eq!(of_variables(&cases), [some("lower"), None]);
    let empty = [("http_proxy", " "), ("HTTP_PROXY", " upper ")];
    assert_eq!(of_variables(&empty), [some("upper"), None]);
    let excepted = [("ALL_PROXY", "a"), ("no_proxy", "g,h")];
    assert_eq!(of_variables(&excepted), [None, None]);
    // In CGI, anyone can set this one with a header field `Proxy`.
    let cgi = [("HTTP_PROXY", "evil"), ("REQUEST_METHOD", "GET")];
    assert_eq!(of_variables(&cgi), [None, None]);
    // On Windows, names of variables have no case.
    let cgi = [("http_proxy", "evil"), ("REQUEST_METHOD", "GET")];
    assert_eq!(of_variables(&cgi), [None, None]);
    let error = proxies(&[("all_proxy", "ftp://a"), ("HTTPS_PROXY", "b")]).unwrap_err();
    assert_eq!((error.name, error.error), ("all_proxy", ProxyUrlError::UnknownScheme));
    assert!(
        proxies(&[("all_proxy", "ftp://a"), ("HTTPS_PROXY", "b"), ("HTTP_PROXY", "b")]).is_ok()
    );
}

#[test]
fn exceptions_by_name_address_network_and_port() {
    for (list, direct, through) in [
        ("", &[][..], &["ws://h/", "ws://127.0.0.1/"][..]),
        ("*", &["ws://h/", "ws://[::1]/"], &[]),
        (
            "example.com",
            &["ws://example.com/", "ws://A.Example.COM/", "ws://example.com./"],
            &["ws://badexample.com/", "ws://example.com.evil/", "ws://com/"],
        ),
        (".example.com", &["ws://example.com/", "ws://a.b.example.com/"], &["ws://xample.com/"]),
        ("*.Example.com.", &["ws://example.com/", "ws://a.example.com/"], &["ws://example.org/"]),
        ("a , b\tc", &["ws://a/", "ws://b/", "ws://c/"], &["ws://d/"]),
        ("h:81", &["ws://h:81/", "ws://x.h:81/"], &["ws://h/", "wss://h/"]),
        (
            "127.0.0.1",
            &["ws://127.0.0.1:9/", "ws://[::ffff:127.0.0.1]/"],
            &["ws://127.0.0.2/", "ws://localhost/", "ws://x.127.0.0.1/"],
        ),
        ("127.0.0.1:9", &["ws://127.0.0.1:9/"], &["ws://127.0.0.1/"]),
        ("::1", &["ws://[::1]/"], &["ws://[::2]/"]),
        ("[::1]:9,[::2]", &["ws://[::1]:9/", "ws://[::2]/"], &["ws://[::1]/"]),
        ("10.0.0.0/8", &["ws://10.255.0.1/"], &["ws://11.0.0.1/", "ws://[::a]/"]),
        ("10.1.2.3/0", &["ws://192.0.2.1/"], &["ws://[::1]/", "ws://h/"]),
        ("10.1.2.3/32", &["ws://10.1.2.3/"], &["ws://10.1.2.2/"]),
        ("2001:db8::/33", &["ws://[2001:db8:7fff::]/"], &["ws://[2001:db8:8000::]/"]),
        ("::/0", &["ws://[::1]/"], &["ws://127.0.0.1/"]),
        (
            "::ffff:10.0.0.0/104",
            &["ws://10.1.2.3/", "ws://[::ffff:10.1.2.3]/"],
            &["ws://11.0.0.0/"],
        ),
        ("[2001:db8::]/32", &["ws://[2001:db8::1]/"], &["ws://[2001:db9::]/"]),
        ("127.0.0.1", &["ws://127.0.0.1./"], &[]),
        ("*ample.com,10.0.0.0/+8", &[], &["ws://ample.com/", "ws://10.0.0.0/"]),
        // What means nothing has no effect.
        ("10.0.0.0/33,x/8,/,:,.,*.,h:x,[h]", &[], &["ws://10.0.0.0/", "ws://x/", "ws://h/"]),
    ] {
        let proxies = Proxies::from(http()).except(list);
        for (urls, expected) in [(direct, true), (through, false)] {
            for url in urls {
                let is_direct = proxies.proxy_for(&Url::parse(url).unwrap()).is_none();
                assert_eq!(is_direct, expected, "{list:?} {url}");
            }
        }
    }
    assert!(Proxies::from(None).proxy_for(&Url::parse("ws://h/").unwrap()).is_none());
}
