//! Frames, as each transport writes them.

use super::transport::Transport;
use crate::json::{self, Escape};
use alloc::string::String;
use sansocket::Text;

/// A message for clients, encoded once. Clones share it, so that many sessions can send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedMessage(Text);

impl PreparedMessage {
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

impl From<&str> for PreparedMessage {
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
    Messages(&'a [PreparedMessage]),
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
                let reason = PreparedMessage::new(reason);
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
    use crate::sockjs::{config::Config, payload::parse_text};
    use alloc::vec::Vec;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_encoded_once() {
        let message = PreparedMessage::new("x");
        assert_eq!(message.clone().0.as_ptr(), message.0.as_ptr());
        assert_eq!(message.len(), 3);
    }

    proptest! {
        #[test]
        fn a_frame_has_what_a_client_would_send(texts in prop::collection::vec(".*", 1..5)) {
            let messages: Vec<PreparedMessage> = texts.iter().map(|text| PreparedMessage::new(text)).collect();
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
                prop_assert_eq!(parse_text(&json, &Config::default()), Ok(texts.clone()));
            }
        }
    }
}
