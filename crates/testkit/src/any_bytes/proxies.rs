//! Arbitrary bytes from proxies: from one that a client connects through, and from those in front of a
//! server, with what a client makes them pass on.

use crate::cuts::cuts;
use sansocket::{
    buffer::{ReadBuffer, WriteBuffer},
    client::{Proxy, ProxyError, Tunneling},
    handshake::{HandshakeNext, HttpVersion, Request, Url},
    server::{ForwardingHeader, ProxyHeader, TrustedProxies},
};
use std::{net::SocketAddr, time::Duration};

const SOCKS: u8 = 1;
const CREDENTIALS: u8 = 2;

/// Checks a client that opens a tunnel: nothing panics, cuts change nothing, and what is sent does not
/// depend on them either.
///
/// | byte | meaning |
/// |---|---|
/// | 0 | bit 0: SOCKS 5 or HTTP; bit 1: with credentials |
/// | 1 | how the input is cut |
/// | 2… | what the proxy sends, until it ends the connection |
pub fn check_tunnel(data: &[u8]) {
    let Some((&[options, seed], input)) = data.split_first_chunk() else { return };
    let whole = tunnel(options, [input]);
    let mut places = vec![0];
    places.extend(cuts(seed, input.len()));
    places.push(input.len());
    let cut = tunnel(options, places.windows(2).map(|pair| &input[pair[0]..pair[1]]));
    assert_eq!(cut, whole);
}

/// Returns how the tunnel ended, and what was sent. Bytes behind the proxy's last reply may or may not
/// have arrived when it is looked at, so they make no difference.
fn tunnel<'a>(
    options: u8,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Result<(), ProxyError>, Vec<u8>) {
    let scheme = if options & SOCKS == 0 { "http" } else { "socks5" };
    let mut proxy = Proxy::parse(&format!("{scheme}://proxy.test")).unwrap();
    if options & CREDENTIALS != 0 {
        proxy = proxy.credentials("user", "password");
    }
    let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
    let url = Url::parse("wss://server.test/").unwrap();
    let mut tunneling = proxy.begin(&url, &mut output).unwrap();
    let mut sent = Vec::new();
    let mut pieces = pieces.into_iter();
    loop {
        let step = step(&mut tunneling, &mut input, &mut output, &mut sent);
        let Some(outcome) = step else {
            let piece = pieces.next().unwrap_or_default();
            input.extend_from_slice(piece);
            tunneling.did_read(Ok(piece.len()));
            continue;
        };
        let outcome = match outcome {
            Err(ProxyError::UnexpectedData { .. }) => Ok(()),
            outcome => outcome,
        };
        return (outcome, sent);
    }
}

/// Writes what is to be written, and returns the outcome once there is one.
fn step(
    tunneling: &mut Tunneling,
    input: &mut ReadBuffer,
    output: &mut WriteBuffer,
    sent: &mut Vec<u8>,
) -> Option<Result<(), ProxyError>> {
    loop {
        let ended = match tunneling.next(input, output, || Duration::ZERO) {
            HandshakeNext::Wants(wants) if !wants.write => return None,
            HandshakeNext::Wants(_) => None,
            HandshakeNext::Ready(()) => Some(Ok(())),
            HandshakeNext::Ended(error) => Some(Err(error)),
        };
        while !output.is_empty() {
            let count = output.front().len();
            sent.extend_from_slice(output.front());
            tunneling.did_write(Ok(count), output);
        }
        if ended.is_some() {
            return ended;
        }
    }
}

/// Checks a server behind a proxy that sends the PROXY protocol: nothing panics, and a header is found
/// where it ends, neither before nor after, however it arrives.
pub fn check_proxy_header(data: &[u8]) {
    let whole = ProxyHeader::parse(data);
    for arrived in 0..=data.len().min(5000) {
        match (ProxyHeader::parse(&data[..arrived]), &whole) {
            (Ok(ProxyHeader::Incomplete { missing }), Ok(ProxyHeader::Complete { len, .. })) => {
                assert!(missing > 0 && arrived + missing <= *len);
            }
            (Ok(ProxyHeader::Incomplete { missing }), _) => assert!(missing > 0),
            (complete @ Ok(ProxyHeader::Complete { len, .. }), _) => {
                assert!(len <= arrived);
                assert_eq!(complete, whole);
                return;
            }
            (Err(error), _) => {
                assert_eq!(Err(error), whole);
                return;
            }
        }
    }
}

/// Checks a server behind a proxy that adds a header field or appends to it: whatever the client sends,
/// the client is the address that the proxy has added, or the proxy itself.
///
/// The first byte says which field. Each line of the rest is a field of the client.
pub fn check_forwarding_header(data: &[u8]) {
    let Some((&[options], fields)) = data.split_first_chunk() else { return };
    let (header, name, own) = match options & 1 {
        0 => (ForwardingHeader::XForwardedFor, "X-Forwarded-For", "192.0.2.1"),
        _ => (ForwardingHeader::Forwarded, "Forwarded", "for=192.0.2.1"),
    };
    let proxies = TrustedProxies::new().header(header, ["10.0.0.0/8".parse().unwrap()]);
    let mut lines: Vec<_> = fields.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    // The proxy adds a field of its own, or appends to the last one.
    match lines.last_mut() {
        Some(last) if options & 2 != 0 => {
            last.extend_from_slice(b", ");
            last.extend_from_slice(own.as_bytes());
        }
        _ => lines.push(own.as_bytes().to_vec()),
    }
    let required: [(&str, &[u8]); 5] = [
        ("Host", b"h"),
        ("Upgrade", b"websocket"),
        ("Connection", b"Upgrade"),
        ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Version", b"13"),
    ];
    let headers = required.into_iter().chain(lines.iter().map(|line| (name, &**line)));
    let Ok(request) = Request::new("GET", "/", HttpVersion::HTTP_11, headers) else { return };
    let proxy = SocketAddr::from(([10, 0, 0, 1], 1));
    let client = proxies.client_address(proxy, &request).ip();
    // A quote that the client leaves open may hide what is appended to it.
    let may_hide = header == ForwardingHeader::Forwarded && fields.contains(&b'"');
    let is_hidden = may_hide && client == proxy.ip();
    let shown = String::from_utf8_lossy(fields);
    assert!(is_hidden || client.to_string() == "192.0.2.1", "{client} of {shown:?}");
    // Nobody else is believed.
    let stranger = SocketAddr::from(([192, 0, 2, 7], 1));
    assert_eq!(proxies.client_address(stranger, &request), stranger);
}
