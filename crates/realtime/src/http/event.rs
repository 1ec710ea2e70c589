//! Messages and gaps as JSON objects: the events of a poll, and the data of an event stream in the JSON
//! form. The documentation of [`poll`](crate::poll) has the format.

use crate::{
    hub::Gap,
    json::{Escape, write_string},
    message::{Encoded, Form, Published},
};
use alloc::{collections::BTreeSet, string::String};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use core::fmt::Write;

/// Returns a message as a JSON object, which is made once for all who get it.
pub(crate) fn of_message(message: &Published) -> &Bytes {
    let encode = |message: &Published| Encoded { bytes: encode(message).into(), is_text: true };
    &message.encoded(Form::Json, encode).bytes
}

/// Appends what was missed as a JSON object.
pub(crate) fn write_gap(gap: &Gap, out: &mut String) {
    // Writing to a `String` can't fail.
    let _ = write!(out, "{{\"from\":\"{}\",\"to\":\"{}\"}}", gap.from, gap.to);
}

fn encode(published: &Published) -> String {
    let message = published.message();
    // Texts that need no escapes fit.
    let estimated_len = published.destination().len() + message.size() + 100;
    let mut out = String::with_capacity(estimated_len);
    out.push_str("{\"topic\":");
    write(published.destination(), &mut out);
    if let Some(cursor) = published.cursor() {
        // Writing to a `String` can't fail.
        let _ = write!(out, ",\"cursor\":\"{cursor}\"");
    }
    if let Some(content_type) = message.get_content_type() {
        out.push_str(",\"type\":");
        write(content_type, &mut out);
    }
    write_headers(message.headers(), &mut out);
    match message.text() {
        Some(text) => {
            out.push_str(",\"data\":");
            write(text, &mut out);
        }
        None => {
            out.push_str(",\"base64\":\"");
            BASE64_STANDARD.encode_string(message.body(), &mut out);
            out.push('"');
        }
    }
    out.push('}');
    out.shrink_to_fit();
    out
}

/// Writes each name once, because parsers of JSON differ in which of two they take. The first counts, as
/// it does for [`Message::get_header`](crate::Message::get_header).
fn write_headers<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>, out: &mut String) {
    let mut names = BTreeSet::new();
    for (name, value) in headers {
        if !names.insert(name) {
            continue;
        }
        out.push_str(if names.len() == 1 { ",\"headers\":{" } else { "," });
        write(name, out);
        out.push(':');
        write(value, out);
    }
    if !names.is_empty() {
        out.push('}');
    }
}

fn write(text: &str, out: &mut String) {
    write_string(text, Escape::Required, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cursor::{Cursor, Epoch},
        message::Message,
    };

    fn published(cursor: Option<Cursor>, topic: &str, message: Message) -> Published {
        Published::new(cursor, topic.into(), message)
    }

    #[test]
    fn an_object_has_what_the_message_has() {
        let cursor = Some(Cursor::new(Epoch(0x5f3a), 7));
        let message = Message::new("a\"\n").content_type("text/plain").header("x", "1");
        let message = message.header("y", "2").header("x", "3");
        assert_eq!(
            of_message(&published(cursor, "/topic/é", message)),
            "{\"topic\":\"/topic/é\",\"cursor\":\"5f3a-7\",\"type\":\"text/plain\",\
             \"headers\":{\"x\":\"1\",\"y\":\"2\"},\"data\":\"a\\\"\\n\"}",
        );
        let nothing = published(None, "/topic/a", Message::default());
        assert_eq!(of_message(&nothing), "{\"topic\":\"/topic/a\",\"data\":\"\"}");
        let binary = published(None, "/topic/a", Message::new(&b"\xff\x00"[..]));
        assert_eq!(of_message(&binary), "{\"topic\":\"/topic/a\",\"base64\":\"/wA=\"}");
    }

    #[test]
    fn a_message_is_encoded_once() {
        let message = published(None, "/topic/a", Message::new("a"));
        assert_eq!(of_message(&message).as_ptr(), of_message(&message).as_ptr());
    }
}
