//! Sessions of SockJS 0.3.3, for servers.
//!
//! A client of SockJS uses a WebSocket if it can, and requests of HTTP if something in between does
//! not let WebSockets pass. With HTTP, one request after another *receives*, and others *send*. The
//! session joins them:
//!
//! ```text
//!  client                        server                          application
//!    │  GET /info                  │                                  │
//!    ├────────────────────────────▶│ Request::action → Respond        │
//!    │  POST /000/k3y/xhr          │                                  │
//!    ├────────────────────────────▶│ Sessions::attach ──── Opened ───▶│
//!    │◀─ o ────────────────────────┤ next_chunk                       │
//!    │  POST /000/k3y/xhr          │                                  │
//!    ├────────────────────────────▶│ attach: a receiver that waits    │
//!    │  POST …/xhr_send  ["hi"]    │                                  │
//!    ├────────────────────────────▶│ Sessions::received ─ Messages ──▶│
//!    │◀─ 204 ──────────────────────┤                                  │
//!    │                             │◀────────────────── send ─────────┤
//!    │◀─ a["hi"] ──────────────────┤ Ready → next_chunk               │
//! ```
//!
//! 1. [`Request::action`] says what a request is, and has the head of its response.
//! 2. [`Sessions`] has the sessions of HTTP by their ids. A WebSocket has a [`Session`] of its own.
//! 3. [`Effect`]s tell what happened. Chunks are *taken* by a receiver whose connection is ready for
//!    more, so what a slow client does not take waits in the session, within the limits of
//!    [`Config`].
//! 4. Call [`Sessions::time_passed`] at [`Sessions::next_deadline`]: it makes heartbeats, and ends
//!    sessions whose client is gone.
//!
//! An idle session takes about 500 bytes.
//!
//! The transports are `websocket`, `xhr`, `xhr_streaming`, `eventsource` and `xhr_send`, and `/websocket`
//! without SockJS. Those for browsers without CORS (`iframe`, `htmlfile`, `jsonp`) are not found.
//!
//! # What arrives
//!
//! Messages arrive in order and at most once. If all responses are written to their end, and the
//! client does not stay away for [`Config::disconnect_delay`], all of them arrive. If a response is
//! not, and you say so by [`Sessions::aborted`], the session closes and the client learns it: no
//! message follows a lost one.
//!
//! What a network swallows after you have written it is lost without a trace, because SockJS confirms
//! nothing to the server. To continue behind a lost connection, let the client resume at a
//! [`Cursor`](crate::Cursor).
//!
//! # STOMP in a session
//!
//! Each message of the client is a piece of what its STOMP session [receives], and each frame of that
//! session is a message. SockJS carries text alone, so a frame whose body is not UTF-8 can't be sent: end
//! such a session, or keep such messages out of the topics of these clients. `/websocket` without SockJS
//! is for [`stomp::server`](crate::stomp::server) as it is.
//!
//! ```
//! use core::{str, time::Duration};
//! use sansocket::CloseCode;
//! use sansocket_realtime::{
//!     hub::ConnectionId,
//!     sockjs::{self, PreparedMessage, Transport},
//!     stomp::server::{self, Event, Output},
//! };
//!
//! let now = Duration::ZERO;
//! let mut session = sockjs::Session::new(sockjs::Config::default().into(), now);
//! let mut stomp = server::Session::new(ConnectionId(1), server::Config::default().into(), now);
//! let receiver = session.attach(Transport::WebSocket, now)?;
//!
//! let text = r#"["CONNECT\naccept-version:1.2\nhost:a\n\n\u0000"]"#;
//! for message in session.received_text(text, now)? {
//!     stomp.receive(message, now);
//!     while let Some(event) = stomp.next_event() {
//!         match event {
//!             Event::Connect(_) => stomp.accept(None, now),
//!             Event::Command(_) => {} // The hub handles it.
//!             _ => {}
//!         }
//!     }
//! }
//! while let Some(output) = stomp.next_output() {
//!     match output {
//!         Output::Frame(frame) => match str::from_utf8(&frame.into_bytes()) {
//!             Ok(text) => session.send(&PreparedMessage::new(text), now)?,
//!             Err(_) => stomp.end("a message is not text", CloseCode::UNSUPPORTED_DATA, now),
//!         },
//!         Output::Close(code) => session.close(code.number(), "", now),
//!         _ => {}
//!     }
//! }
//!
//! assert_eq!(session.next_chunk(receiver, now).unwrap().text, "o");
//! let connected = session.next_chunk(receiver, now).unwrap().text;
//! assert!(connected.starts_with(r#"a["CONNECTED\nversion:1.2\n"#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The sessions of [`Sessions`] do the same with their effects: create the STOMP session at
//! [`Effect::Opened`], and tell it [`transport_ended`] at [`Effect::Closed`].
//!
//! [receives]: crate::stomp::server::Session::receive
//! [`transport_ended`]: crate::stomp::server::Session::transport_ended
//!
//! # What your server does
//!
//! The machines have no connections, so these are its own:
//!
//! - Decide which origins may use the service ([`Cors`]), also for WebSockets.
//! - Decide how many sessions a client may open: see below.
//! - Read the body of `xhr_send` only until it is longer than [`Config::payload_bytes`], and pass on
//!   what you have: [`Sessions::received`] refuses it.
//! - Call [`Sessions::written`] when the last chunk of a response is written.
//! - Notice that a client has left, and call [`Sessions::aborted`], such as when the body of a response
//!   is dropped. The session gives up a receiver by itself only if it takes nothing for a whole
//!   [`Config::heartbeat_delay`] after a heartbeat was due.
//!
//! A client opens a session with each request that has another id, and needs no connection to keep it
//! until [`Config::disconnect_delay`] has passed. [`Config::sessions`] bounds what all clients can
//! open, but one of them alone could use it up. So ask [`Sessions::find`] before [`Sessions::attach`].
//! If there is no such session, ask a [`Guard`](crate::guard::Guard) for a connection, and disconnect it
//! at [`Effect::Closed`]. If the guard refuses, say so by [`Response::answered`].
//!
//! # Example
//!
//! A client opens a session by `xhr`, sends by `xhr_send`, and gets an answer.
//!
//! ```
//! use core::time::Duration;
//! use sansocket::server::OriginPolicy;
//! use sansocket_realtime::sockjs::{
//!     Action, Config, Cors, Effect, PreparedMessage, Request, Sessions,
//! };
//!
//! /// Only pages of the same origin may use this service.
//! fn cors(host: &str, origin: Option<&str>) -> Cors<'static> {
//!     match OriginPolicy::same_origin().check_origin(host, origin.map(str::as_bytes)) {
//!         Ok(()) => Cors::SameOrigin,
//!         Err(_) => Cors::Refused,
//!     }
//! }
//!
//! /// Follows each call. The application answers each message.
//! fn run(sessions: &mut Sessions, now: Duration) {
//!     while let Some(effect) = sessions.next_effect() {
//!         match effect {
//!             Effect::Messages { session, messages } => {
//!                 for text in messages {
//!                     let answer = PreparedMessage::new(&format!("{text} to you"));
//!                     // If it can't be sent, the session is closed, and another effect says so.
//!                     let _ = sessions.send(session, &answer, now);
//!                 }
//!             }
//!             Effect::Ready { .. } => {} // Wake the response, to take its chunks.
//!             Effect::Abort { .. } => {} // End the connection of the response.
//!             _ => {}
//!         }
//!     }
//! }
//!
//! let config = std::sync::Arc::new(Config::default());
//! let mut sessions = Sessions::new(config.clone());
//! let (owner, now) = (b"", Duration::ZERO);
//!
//! // The first request to receive opens the session.
//! let cors = cors("app.example", Some("https://app.example"));
//! let request = Request::new("POST", "/000/k3y/xhr").cors(cors);
//! let Action::Receive { session: id, transport, head } = request.action(&config, 0) else { panic!() };
//! let (session, receiver) = sessions.attach(id, owner, transport, now)?;
//! run(&mut sessions, now);
//!
//! // The response is its head and the chunks. This one ends behind the first.
//! assert_eq!(head.status, 200);
//! let chunk = sessions.next_chunk(session, receiver, now).unwrap();
//! assert_eq!((chunk.text.as_str(), chunk.last), ("o\n", true));
//! sessions.written(session, receiver, now);
//!
//! // The client sends a message.
//! let request = Request::new("POST", "/000/k3y/xhr_send").cors(cors);
//! let Action::Send { session: id, head } = request.action(&config, 0) else { panic!() };
//! let response = match sessions.received(id, owner, br#"["hello"]"#) {
//!     Ok(()) => head.accepted(),
//!     Err(error) => error.response(head),
//! };
//! assert_eq!(response.status, 204);
//! run(&mut sessions, now);
//!
//! // The next request gets what waits.
//! let request = Request::new("POST", "/000/k3y/xhr").cors(cors);
//! let Action::Receive { session: id, transport, .. } = request.action(&config, 0) else { panic!() };
//! let (session, receiver) = sessions.attach(id, owner, transport, now)?;
//! let chunk = sessions.next_chunk(session, receiver, now).unwrap();
//! assert_eq!((chunk.text.as_str(), chunk.last), ("a[\"hello to you\"]\n", true));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod error;
mod frame;
mod payload;
mod queue;
mod receiver;
mod response;
mod route;
mod session;
mod sessions;
mod transport;

pub use config::Config;
pub use error::{AttachError, ReceiveError};
pub use frame::PreparedMessage;
pub use payload::PayloadError;
pub use queue::SendError;
pub use receiver::{Chunk, Receiver, Refused};
pub use response::{Cors, Response};
pub use route::{Action, Request, Route};
pub use session::{Cause, Session};
pub use sessions::{Effect, SessionKey, Sessions};
pub use transport::Transport;
