//! How a client subscribes.

use crate::{
    hub::Start,
    stomp::{
        header::{self, AckMode},
        server,
    },
};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use core::{fmt, num::NonZeroU32};

/// Options of [`Client::subscribe`](super::Client::subscribe).
///
/// ```
/// use sansocket_realtime::{hub::Start, stomp::{client::SubscribeOptions, header::AckMode}};
///
/// let cursor = "5f3a-1042".parse()?;
/// let options = SubscribeOptions::default().ack(AckMode::Client).start(Start::After(cursor));
/// assert!(options.gaps);
/// # Ok::<(), sansocket_realtime::InvalidCursor>(())
/// ```
///
/// `Debug` does not show the values of further headers, which may be secret.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscribeOptions {
    /// How messages are acknowledged. By default they need not be.
    pub ack: AckMode,
    /// Where the subscription begins: by default, with the next message. It is sent as a header of this
    /// crate's server, `since` or `start`, which others ignore.
    pub start: Start,
    /// Whether the server says what the subscription has missed, as an [`Event::Gap`](super::Event::Gap).
    /// By default it does. It is sent as a header of this crate's server, `gaps`, which others ignore.
    pub gaps: bool,
    /// How many messages may be unacknowledged at a time, as the header `prefetch-count` of RabbitMQ and
    /// of this crate's server. By default the server decides. For other servers, add a header.
    pub prefetch: Option<NonZeroU32>,
    /// Further headers, such as `selector`. By default there are none.
    pub headers: Vec<(String, String)>,
}

impl Default for SubscribeOptions {
    fn default() -> Self {
        Self {
            ack: AckMode::Auto,
            start: Start::Now,
            gaps: true,
            prefetch: None,
            headers: Vec::new(),
        }
    }
}

impl fmt::Debug for SubscribeOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubscribeOptions")
            .field("ack", &self.ack)
            .field("start", &self.start)
            .field("gaps", &self.gaps)
            .field("prefetch", &self.prefetch)
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .finish()
    }
}

impl SubscribeOptions {
    setters! { ack: AckMode, start: Start, gaps: bool, prefetch: Option<NonZeroU32> }

    /// Adds a [header](Self::headers).
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Returns the headers of SUBSCRIBE that stand for these options. `start` says where the
    /// subscription begins this time.
    pub(super) fn to_headers(&self, start: Start) -> Vec<(&str, String)> {
        let mut headers = Vec::new();
        // 1.2 §SUBSCRIBE ack Header: auto is the default.
        if self.ack != AckMode::Auto {
            headers.push((header::ACK, self.ack.to_string()));
        }
        match start {
            Start::Now => {}
            Start::Last => headers.push((server::header::START, String::from("last"))),
            Start::Beginning => headers.push((server::header::START, String::from("beginning"))),
            Start::After(cursor) => headers.push((server::header::SINCE, cursor.to_string())),
        }
        if self.gaps {
            headers.push((server::header::GAPS, String::from("true")));
        }
        if let Some(prefetch) = self.prefetch {
            headers.push((server::header::PREFETCH_COUNT, format!("{prefetch}")));
        }
        headers.extend(self.headers.iter().map(|(name, value)| (&**name, value.clone())));
        headers
    }
}
