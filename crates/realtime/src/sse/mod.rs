//! Server-Sent Events (WHATWG HTML §9.2), without IO.
//!
//! A server writes blocks: [`Event`] has all that a block can say, and [`encode_message`],
//! [`encode_cursor`], [`encode_gap`] and [`heart_beat`] make those that a hub's subscribers need. The
//! response has the status [`STATUS`] and [`RESPONSE_FIELDS`], and [`parse_last_event_id`] says where
//! a client resumes.
//!
//! A client reads them: [`Parser`] makes events of bytes, and [`Client`] also knows when to request
//! the stream again, and from where.
//!
//! Sections (§) are those of the HTML Standard.

mod client;
mod event;
mod lines;
mod parser;
mod response;

pub use client::{Action, Client, ClientConfig, ReadyState, Refused};
pub use event::{Event, GAP, InvalidEvent, encode_cursor, encode_gap, encode_message, heart_beat};
pub use parser::{MessageEvent, ParseError, Parser, ParserConfig, Received};
pub use response::{
    CONTENT_TYPE, InvalidLastEventId, NO_CONTENT, RESPONSE_FIELDS, STATUS, parse_last_event_id,
};
