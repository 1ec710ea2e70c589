//! Frames, as each transport writes them, and what clients send.

use super::{options::Options, transport::Transport};
use crate::json::{self, Escape, InvalidStrings, StringLimits};
use alloc::{string::String, vec::Vec};
use sansocket::Text;

/// A message for clients, encoded once. Clones share it, so that many sessions can send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(Text);

impl Message {
    /// Encodes a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut json = String::new();
        json::write_string(text, Escape::SockJs, &mut json);
        Self(json.into())
    }

    /// Returns how many bytes the message takes in a frame, its quotation marks included.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "no message is empty: it has quotation marks")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// Frames of the protocol.
#[derive(Clone, Copy, Debug)]
pub(super) enum Frame<'a> {
    /// The session is open.
    Open,
    /// Nothing happened, and the connection still works.
    Heartbeat,
    /// Messages.
    Messages(&'a [Message]),
    /// The session is closed.
    Close(u16, &'a str),
}

impl Frame<'_> {
    /// Encodes the frame for a transport.
    pub(super) fn encode(self, transport: Transport) -> Text {
        let mut out = String::new();
        match transport {
            Transport::WebSocket => self.write(&mut out, String::push_str),
            Transport::Xhr | Transport::XhrStreaming => {
                self.write(&mut out, String::push_str);
                out.push('\n');
            }
            Transport::EventSource => {
                out.push_str("data: ");
                self.write(&mut out, push_percent_escaped);
                out.push_str("\r\n\r\n");
            }
        }
        out.into()
    }

    fn write(self, out: &mut String, push: fn(&mut String, &str)) {
        match self {
            Self::Open => out.push('o'),
            Self::Heartbeat => out.push('h'),
            Self::Messages(messages) => {
                // Room for `a[`, a comma behind each, and the transport's own bytes.
                let bytes = messages.iter().map(|message| message.len().saturating_add(1));
                out.reserve(bytes.fold(16, usize::saturating_add));
                out.push('a');
                for (index, message) in messages.iter().enumerate() {
                    out.push(if index == 0 { '[' } else { ',' });
                    push(out, &message.0);
                }
                out.push(']');
            }
            Self::Close(code, reason) => {
                let reason = Message::new(reason);
                out.push_str(&alloc::format!("c[{code},"));
                push(out, &reason.0);
                out.push(']');
            }
        }
    }
}

/// What a response begins with, before its frames. It does not count as sent bytes.
pub(super) fn prelude(transport: Transport) -> Option<Text> {
    match transport {
        Transport::WebSocket | Transport::Xhr => None,
        // Some browsers show nothing of a response until they have 2 KiB of it.
        Transport::XhrStreaming => {
            let mut prelude = "h".repeat(2048);
            prelude.push('\n');
            Some(prelude.into())
        }
        // Opera needs a line before the first event.
        Transport::EventSource => Some("\r\n".into()),
    }
}

/// Parses the body of `xhr_send`: an array of strings.
pub(super) fn parse_body(body: &[u8], options: &Options) -> Result<Vec<String>, PayloadError> {
    if body.is_empty() {
        return Err(PayloadError::Empty);
    }
    check_length(body, options)?;
    json::parse_strings(body, limits(options)).map_err(|error| PayloadError::from_json(&error))
}

/// Parses a message of a WebSocket: an array of strings, or one string. An empty one has no messages.
pub(super) fn parse_text(text: &str, options: &Options) -> Result<Vec<String>, PayloadError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    check_length(text.as_bytes(), options)?;
    json::parse_strings_or_string(text.as_bytes(), limits(options))
        .map_err(|error| PayloadError::from_json(&error))
}

/// Why a payload of a client holds no messages. It is the client's fault, and the same payload fails
/// again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// The body is empty. Even no messages are an array.
    #[error("the client sent an empty body")]
    Empty,
    /// The payload is not a JSON array of strings.
    #[error("the client sent no JSON array of strings")]
    BrokenJson,
    /// The payload is longer than [`Options::payload_bytes`].
    #[error("the client sent {bytes} bytes, more than the {limit} that are allowed")]
    TooLong {
        /// The length of the payload in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// The payload has more messages than [`Options::payload_messages`].
    #[error("the client sent more than the {limit} messages that are allowed at once")]
    TooManyMessages {
        /// The limit.
        limit: usize,
    },
}

impl PayloadError {
    fn from_json(error: &InvalidStrings) -> Self {
        match *error {
            InvalidStrings::TooMany { limit } => Self::TooManyMessages { limit },
            _ => Self::BrokenJson,
        }
    }
}

fn check_length(payload: &[u8], options: &Options) -> Result<(), PayloadError> {
    let (bytes, limit) = (payload.len(), options.payload_bytes);
    if bytes > limit { Err(PayloadError::TooLong { bytes, limit }) } else { Ok(()) }
}

/// Decoded strings are never longer than their JSON, so the limit on the payload bounds them too.
fn limits(options: &Options) -> StringLimits {
    StringLimits { count: options.payload_messages, bytes: usize::MAX }
}

/// Clients pass events through JavaScript's `decodeURI`.
fn push_percent_escaped(out: &mut String, text: &str) {
    let mut parts = text.split('%');
    out.extend(parts.next());
    for part in parts {
        out.push_str("%25");
        out.push_str(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, vec};
    use proptest::prelude::*;

    #[test]
    fn a_payload_that_is_cut_is_refused() {
        let options = Options::default();
        let text = "[\"a\\u00e9\",\"b\\n\\\"\",\"é\u{1f600}\"]";
        assert_eq!(parse_body(text.as_bytes(), &options), parse_text(text, &options));
        assert_eq!(parse_body(text.as_bytes(), &options).unwrap().len(), 3);
        for end in 1..text.len() {
            let body = &text.as_bytes()[..end];
            assert_eq!(parse_body(body, &options), Err(PayloadError::BrokenJson), "{end}");
            if let Ok(text) = core::str::from_utf8(body) {
                assert_eq!(parse_text(text, &options), Err(PayloadError::BrokenJson), "{end}");
            }
        }
        assert_eq!(parse_body(b"", &options), Err(PayloadError::Empty));
        assert_eq!(parse_text("", &options), Ok(vec![]));
    }

    #[test]
    fn a_message_is_encoded_once() {
        let message = Message::new("x");
        assert_eq!(message.clone().0.as_ptr(), message.0.as_ptr());
        assert_eq!(message.len(), 3);
    }

    proptest! {
        #[test]
        fn a_frame_has_what_a_client_would_send(texts in prop::collection::vec(".*", 1..5)) {
            let messages: Vec<Message> = texts.iter().map(|text| Message::new(text)).collect();
            for (transport, before, behind) in [
                (Transport::WebSocket, "a", ""),
                (Transport::Xhr, "a", "\n"),
                (Transport::XhrStreaming, "a", "\n"),
                (Transport::EventSource, "data: a", "\r\n\r\n"),
            ] {
                let frame = Frame::Messages(&messages).encode(transport);
                let json = frame.strip_prefix(before).unwrap().strip_suffix(behind).unwrap();
                prop_assert!(!json.contains(['\r', '\n', '\0']));
                let json = match transport {
                    Transport::EventSource => json.replace("%25", "%"),
                    _ => json.into(),
                };
                prop_assert_eq!(parse_text(&json, &Options::default()), Ok(texts.clone()));
            }
        }

        #[test]
        fn decoded_messages_are_no_longer_than_their_payload(parts in prop::collection::vec(
            prop_oneof![Just("\\ud800"), Just("\\u0000"), Just("\\n"), Just("x"), Just("\\uffff")], 0..20,
        )) {
            let json = format!("[\"{}\"]", parts.concat());
            let messages = parse_text(&json, &Options::default()).unwrap();
            prop_assert!(messages[0].len() <= json.len());
        }
    }
}
