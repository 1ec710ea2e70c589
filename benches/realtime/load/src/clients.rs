//! What each transport says to open a subscription, and how its bytes are read.

use crate::{payload, websocket};
use memchr::memmem;
use std::io::{self, Read, Write};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    /// STOMP over WebSocket.
    Stomp,
    /// Server-Sent Events.
    Events,
    /// Long polling.
    Poll,
    /// Engine.IO over WebSocket.
    SocketIo,
    /// Frames without a protocol around them.
    Bare,
}

impl Transport {
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "stomp" => Self::Stomp,
            "events" => Self::Events,
            "poll" => Self::Poll,
            "socket.io" => Self::SocketIo,
            "bare" => Self::Bare,
            _ => return None,
        })
    }
}

/// Where the server is, and what it knows its topic as.
#[derive(Debug)]
pub(crate) struct Place {
    /// The path of the WebSocket.
    pub(crate) path: String,
    pub(crate) topic: String,
}

/// Opens a subscription. A poll goes on from the cursor of another one, so it misses nothing.
pub(crate) fn subscribe(
    transport: Transport,
    stream: &mut (impl Read + Write),
    place: &Place,
) -> io::Result<()> {
    let topic = &place.topic;
    match transport {
        Transport::Stomp => {
            connect_stomp(stream, place)?;
            let subscribe =
                format!("SUBSCRIBE\nid:0\ndestination:{topic}\nack:auto\nreceipt:r\n\n\0");
            websocket::send(stream, &subscribe)?;
            websocket::expect(stream, "RECEIPT")?;
        }
        Transport::Events => {
            write!(stream, "GET /events?topic={topic} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
            let head = read_head(stream)?;
            if !head.starts_with(b"HTTP/1.1 200") {
                return Err(websocket::unexpected("200", &head));
            }
        }
        Transport::Poll => {
            stream.write_all(&poll(topic, b"", 0))?;
            let head = read_head(stream)?;
            let mut body = vec![0; length(&head).unwrap_or(0)];
            stream.read_exact(&mut body)?;
            let cursor = cursor(&body).ok_or_else(|| websocket::unexpected("a cursor", &body))?;
            stream.write_all(&poll(topic, cursor, 25))?;
        }
        Transport::SocketIo => {
            connect_socket_io(stream)?;
            websocket::send(stream, &format!("420[\"join\",\"{topic}\"]"))?;
            websocket::expect(stream, "430")?;
        }
        Transport::Bare => hello(stream, b's')?,
    }
    Ok(())
}

/// Opens the connection that publishes.
pub(crate) fn open_publisher(
    transport: Transport,
    stream: &mut (impl Read + Write),
    place: &Place,
) -> io::Result<()> {
    match transport {
        Transport::Stomp | Transport::Events | Transport::Poll => connect_stomp(stream, place),
        Transport::SocketIo => connect_socket_io(stream),
        Transport::Bare => hello(stream, b'p'),
    }
}

/// Returns what the publisher sends for a message. A bare piece is padded to `bytes`.
pub(crate) fn publication(
    transport: Transport,
    place: &Place,
    body: &[u8],
    bytes: usize,
) -> Vec<u8> {
    let topic = &place.topic;
    match transport {
        Transport::Stomp | Transport::Events | Transport::Poll => {
            let mut frame = format!("SEND\ndestination:{topic}\n\n").into_bytes();
            frame.extend_from_slice(body);
            frame.push(0);
            websocket::masked(1, &frame)
        }
        Transport::SocketIo => {
            let body = String::from_utf8_lossy(body);
            let event = format!("42[\"publish\",\"{topic}\",\"{body}\"]");
            websocket::masked(1, event.as_bytes())
        }
        Transport::Bare => {
            let mut padding = bytes.saturating_sub(body.len() + 4);
            let mut frame = Vec::new();
            while frame.len() < bytes {
                frame = websocket::unmasked(&[&vec![b'-'; padding], body].concat());
                padding += bytes.saturating_sub(frame.len()).min(1);
            }
            [&(frame.len() as u32).to_be_bytes(), &*frame].concat()
        }
    }
}

fn connect_stomp(stream: &mut (impl Read + Write), place: &Place) -> io::Result<()> {
    websocket::open(stream, &place.path, Some("v12.stomp"))?;
    let connect =
        "CONNECT\naccept-version:1.2\nhost:/\nlogin:guest\npasscode:guest\nheart-beat:0,0\n\n\0";
    websocket::send(stream, connect)?;
    websocket::expect(stream, "CONNECTED")
}

fn connect_socket_io(stream: &mut (impl Read + Write)) -> io::Result<()> {
    websocket::open(stream, "/socket.io/?EIO=4&transport=websocket", None)?;
    websocket::expect(stream, "0{")?;
    websocket::send(stream, "40")?;
    websocket::expect(stream, "40")
}

fn hello(stream: &mut (impl Read + Write), role: u8) -> io::Result<()> {
    stream.write_all(&[role])?;
    stream.read_exact(&mut [0])
}

fn poll(topic: &str, since: &[u8], wait: u32) -> Vec<u8> {
    let since = match std::str::from_utf8(since) {
        Ok(since) if !since.is_empty() => format!("&since={since}"),
        _ => String::new(),
    };
    format!("GET /poll?topic={topic}{since}&wait={wait} HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .into_bytes()
}

fn read_head(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    Ok(head)
}

fn length(head: &[u8]) -> Option<usize> {
    const NAME: &[u8] = b"content-length: ";
    let digits = &head[memmem::find(head, NAME)? + NAME.len()..];
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

fn cursor(body: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"\"cursor\":\"";
    let rest = &body[memmem::rfind(body, NAME)? + NAME.len()..];
    Some(&rest[..rest.iter().position(|byte| *byte == b'"')?])
}

/// Reads what a server has sent. Returns how many of the bytes are done with, and adds to `replies` what the
/// client says.
pub(crate) fn read(
    transport: Transport,
    place: &Place,
    bytes: &[u8],
    replies: &mut Vec<u8>,
    mut found: impl FnMut(u64),
) -> Result<usize, String> {
    match transport {
        Transport::Events => Ok(payload::each_time(bytes, found)),
        Transport::Poll => read_responses(place, bytes, replies, found),
        Transport::Stomp | Transport::SocketIo | Transport::Bare => {
            let mut done = 0;
            while let Some(frame) = websocket::first(&bytes[done..]) {
                done += frame.length;
                match frame.opcode {
                    1 | 2 if transport == Transport::SocketIo && frame.payload == b"2" => {
                        replies.extend(websocket::masked(1, b"3"));
                    }
                    1 | 2 => {
                        payload::each_time(frame.payload, &mut found);
                    }
                    websocket::PING => {
                        replies.extend(websocket::masked(websocket::PONG, frame.payload));
                    }
                    websocket::CLOSE => {
                        let why = frame.payload.get(2..).unwrap_or_default();
                        return Err(format!("closed: {}", String::from_utf8_lossy(why)));
                    }
                    _ => {}
                }
            }
            Ok(done)
        }
    }
}

/// Reads responses to polls, and polls again after each.
fn read_responses(
    place: &Place,
    bytes: &[u8],
    replies: &mut Vec<u8>,
    mut found: impl FnMut(u64),
) -> Result<usize, String> {
    let mut done = 0;
    loop {
        let rest = &bytes[done..];
        let Some(end) = memmem::find(rest, b"\r\n\r\n") else { return Ok(done) };
        let head = &rest[..end + 4];
        if !head.starts_with(b"HTTP/1.1 200") {
            return Err(format!("not 200: {}", String::from_utf8_lossy(head)));
        }
        let length = length(head).ok_or("a response without a content-length")?;
        let Some(body) = rest.get(head.len()..head.len() + length) else { return Ok(done) };
        payload::each_time(body, &mut found);
        let cursor = cursor(body).ok_or("a response without a cursor")?;
        replies.extend(poll(&place.topic, cursor, 25));
        done += head.len() + length;
    }
}
