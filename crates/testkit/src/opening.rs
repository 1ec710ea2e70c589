//! The heads of an opening handshake, for peers played by hand.

/// A client's request, with the key of RFC 6455 §1.3.
pub const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// Returns the response that accepts a client's request.
pub fn response_to(request: &[u8]) -> Vec<u8> {
    let request = std::str::from_utf8(request).unwrap();
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let mut response = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: "
        .to_vec();
    response.extend_from_slice(sansocket::handshake::accept_key(key).as_bytes());
    response.extend_from_slice(b"\r\n\r\n");
    response
}

/// The name and the value of a header field.
pub type Header<'a> = (&'a str, &'a str);

/// Returns a head with this first line and these header fields.
pub fn head(first_line: &str, headers: &[Header<'_>]) -> Vec<u8> {
    let lines: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("{first_line}\r\n{lines}\r\n").into_bytes()
}

/// Returns a head in which one of the header fields is replaced by a line for each of `values`.
pub fn head_with(
    first_line: &str,
    headers: &[Header<'_>],
    changed: &str,
    values: &[&str],
) -> Vec<u8> {
    let mut headers = headers.to_vec();
    headers.retain(|(name, _)| *name != changed);
    headers.extend(values.iter().map(|value| (changed, *value)));
    head(first_line, &headers)
}
