//! Server-Sent Events (WHATWG HTML §9.2), without IO.
//!
//! A server has an [`EventStream`] for each request, which is the client's connection to a
//! [hub](crate::hub). [`Event`] and the functions of this module write streams by hand.
//!
//! A client reads them: [`Parser`] makes events of bytes, and [`Client`] also knows when to request
//! the stream again, and from where.
//!
//! Sections (§) are those of the HTML Standard.
//!
//! # Streams of a hub
//!
//! ```text
//! GET /events?topic=/topic/prices
//!
//! retry: 3000
//!
//! id: 5f3a-1042
//!
//! id: 5f3a-1044
//! data: 42
//!
//! ```
//!
//! [`EventStreamRequest`] has all parameters of the request. A stream begins with a reconnection time, and
//! with an ID without an event: from there a client resumes that has not got any event. In a stream that
//! begins with retained messages or with who is present, that ID follows them, so that a client which did
//! not get them begins again. IDs without events follow also later, when topics of others move on.
//!
//! A message is an event of the default type, `message`. Its ID is the cursor. In the form
//! [`Text`](EventStreamForm::Text), its data is the body. Two kinds of bodies don't fit an event stream:
//!
//! - One that is not UTF-8 is an event of the type [`BINARY`], and its data is in Base64 (RFC 4648 §4).
//! - Each CR and each CR LF in a text arrives as LF.
//!
//! In the form [`Json`](EventStreamForm::Json), the data of each message is a JSON object, exactly the one
//! that a [poll](crate::poll) answers with. It has the topic, which streams of several topics or of
//! patterns need, and all bodies arrive as they are.
//!
//! In both forms, an event of the type [`GAP`] tells that messages may have been lost: those that were
//! published after the cursor in `from`, up to the one in `to`, are not kept any more, or were published
//! before the server started again. Its data is a JSON object:
//!
//! ```json
//! {"from":"5f3a-1042","to":"77b0-3"}
//! ```
//!
//! After 15 seconds of silence, the client is sent a comment, so that no proxy ends the response. When a
//! server shuts down, each client is told a time of its own after which it reconnects.
//!
//! ```
//! use sansocket_realtime::{
//!     Epoch, Message,
//!     hub::{Command, ConnectionId, Hub},
//!     sse::{EventStream, EventStreamConfig, EventStreamRequest},
//! };
//! use std::time::Duration;
//!
//! // A random number tells this run of the hub from the last.
//! let mut hub = Hub::new(Epoch(0x5f3a));
//! let now = Duration::from_secs(100);
//!
//! fn handle(hub: &mut Hub, stream: &mut EventStream, command: Command, now: Duration) -> Vec<u8> {
//!     for effect in hub.handle(command, now) {
//!         // What is not of this stream is of another, of the application, or of the bridge.
//!         stream.apply(&effect, now);
//!     }
//!     std::iter::from_fn(|| stream.next_chunk()).flatten().collect()
//! }
//!
//! // The query of the request, and its field `Last-Event-ID`.
//! let config = EventStreamConfig::default();
//! let request = EventStreamRequest::parse("topic=/topic/prices", None, &config)?;
//! let random = 1 << 63; // Pass random numbers instead.
//! let (mut stream, commands) =
//!     EventStream::open(ConnectionId(1), None, request, config, now, random);
//! let mut body = Vec::new();
//! for command in commands {
//!     body.extend(handle(&mut hub, &mut stream, command, now));
//! }
//! assert_eq!(stream.head().expect("the hub has answered").status, 200);
//! assert_eq!(body, b"retry: 3000\n\nid: 5f3a-0\n\n");
//!
//! let message = Message::new("42");
//! let publish = Command::Publish { destination: "/topic/prices".into(), message, request: None };
//! assert_eq!(handle(&mut hub, &mut stream, publish, now), b"id: 5f3a-1\ndata: 42\n\n");
//!
//! // Nothing happens for 15 seconds.
//! let now = stream.next_deadline().expect("a heart-beat");
//! let (connection, subscription) = stream.subscription();
//! stream.time_passed(hub.cursor(connection, subscription), now);
//! assert_eq!(stream.next_chunk().as_deref(), Some(&b":\n\n"[..]));
//!
//! // The server shuts down. The client is to come back in 3 to 33 seconds.
//! stream.shut_down();
//! assert_eq!(stream.next_chunk().as_deref(), Some(&b"retry: 18000\n\n"[..]));
//! assert!(stream.has_ended());
//! hub.handle(stream.disconnect(), now);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod client;
mod config;
mod event;
mod lines;
mod parser;
mod request;
mod response;
mod stream;

pub use client::{Action, Client, ClientConfig, ReadyState, Refused};
pub use config::EventStreamConfig;
pub use event::{BINARY, Event, GAP, InvalidEvent, encode_cursor, encode_gap, heart_beat};
pub use parser::{MessageEvent, ParseError, Parser, ParserConfig, Received};
pub use request::{EventStreamForm, EventStreamRequest};
pub use response::{
    CONTENT_TYPE, InvalidLastEventId, NO_CONTENT, RESPONSE_FIELDS, STATUS, parse_last_event_id,
};
pub use stream::EventStream;
