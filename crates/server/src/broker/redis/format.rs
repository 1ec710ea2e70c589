//! How a message is written in Redis: a line of JSON with its content type and headers, then its body.
//!
//! On a channel, its position and a space come before. So other programs can read it.

use bytes::Bytes;
use sansocket_realtime::Message;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Head<'a> {
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    content_type: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Vec::is_empty")]
    headers: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

/// Writes a message.
pub(super) fn write(message: &Message) -> serde_json::Result<Vec<u8>> {
    let headers = message.headers().map(|(name, value)| (name.into(), value.into()));
    let head = Head {
        content_type: message.get_content_type().map(Cow::Borrowed),
        headers: headers.collect(),
    };
    let mut written = Vec::with_capacity(message.size() + 64);
    serde_json::to_writer(&mut written, &head)?;
    written.push(b'\n');
    written.extend_from_slice(message.body());
    Ok(written)
}

/// Reads a message.
pub(super) fn read(written: &Bytes) -> Option<Message> {
    let end = written.iter().position(|&byte| byte == b'\n')?;
    let head: Head<'_> = serde_json::from_slice(&written[..end]).ok()?;
    let content_type = head.content_type.map(Cow::into_owned);
    let headers: Vec<_> = head
        .headers
        .into_iter()
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let message = Message::new(written.slice(end + 1..)).with_headers(headers);
    Some(match content_type {
        Some(content_type) => message.content_type(content_type),
        None => message,
    })
}

/// Reads what was told on a channel: a position, and a message.
pub(super) fn read_told(told: &Bytes) -> Option<(u64, Message)> {
    let (position, rest) = read_position(told)?;
    Some((position, read(&told.slice(told.len() - rest.len()..))?))
}

/// Reads the position of what was told on a channel. Returns it, and the message as it is written.
pub(super) fn read_position(told: &[u8]) -> Option<(u64, &[u8])> {
    let end = told.iter().take(21).position(|&byte| byte == b' ')?;
    let position = std::str::from_utf8(&told[..end]).ok()?.parse().ok()?;
    Some((position, &told[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_as_it_was_written() {
        let plain = Message::new(b"\xff\n\0".to_vec());
        assert_eq!(write(&plain).unwrap(), b"{}\n\xff\n\0");
        let full =
            Message::new("a").content_type("text/plain\n\"").header("x", "1").header("x", "é");
        for message in [Message::default(), plain, full] {
            let written = write(&message).unwrap();
            let told = [b"18446744073709551615 ", &written[..]].concat();
            assert_eq!(read(&written.into()), Some(message.clone()));
            assert_eq!(read_told(&told.into()), Some((u64::MAX, message)));
        }
    }

    #[test]
    fn what_others_write_is_no_message() {
        for wrong in ["", "{}", "a\n", "{\"headers\":1}\n", "{\"content_type\":\"a\nb\"}\n"] {
            assert_eq!(read(&Bytes::from(wrong)), None, "{wrong}");
            assert_eq!(read_told(&format!("1 {wrong}").into()), None, "{wrong}");
        }
        for wrong in ["", " {}\n", "{}\n", "-1 {}\n", "18446744073709551616 {}\n"] {
            assert_eq!(read_told(&wrong.into()), None, "{wrong}");
        }
    }
}
