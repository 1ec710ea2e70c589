//! The server's session: between the bytes of one client and the [hub](crate::hub).
//!
//! A [`Session`] speaks all three versions. It takes bytes and effects of the hub, and gives commands for
//! the hub and frames. It has no socket and no clock: you own both.
//!
//! # A server
//!
//! This is a whole chat without its sockets. Whoever sends to `/app/say` is heard by all who are
//! subscribed to `/topic/chat`.
//!
//! ```
//! use sansocket::CloseCode;
//! use sansocket_realtime::{
//!     Epoch, Message,
//!     hub::{Answer, Call, ConnectionId, Effect, Handlers, Hub, Principal},
//!     stomp::server::{Config, Event, Output, Session},
//! };
//! use std::{collections::{HashMap, VecDeque}, sync::Arc, time::Duration};
//!
//! struct Chat {
//!     hub: Hub,
//!     handlers: Handlers<()>,
//!     sessions: HashMap<ConnectionId, Session>,
//! }
//!
//! impl Chat {
//!     fn new() -> Self {
//!         // Choose the epoch at random.
//!         let mut hub = Hub::new(Epoch(0x5f3a));
//!         let mut handlers = Handlers::new();
//!         let say = |(): &mut (), call: &Call| {
//!             let name = call.principal.as_ref().map_or("", Principal::name);
//!             Answer::new().publish("/topic/chat", call.message.clone().header("from", name))
//!         };
//!         handlers.on(&mut hub, "/app/say", say).expect("the route is valid");
//!         Self { hub, handlers, sessions: HashMap::new() }
//!     }
//!
//!     /// A message of a WebSocket, or a piece of a TCP stream, has come.
//!     fn receive(&mut self, client: ConnectionId, bytes: Vec<u8>, now: Duration) {
//!         if let Some(session) = self.sessions.get_mut(&client) {
//!             session.receive(bytes, now);
//!             self.settle(client, now);
//!         }
//!     }
//!
//!     /// The deadline of a session has passed.
//!     fn time_passed(&mut self, client: ConnectionId, now: Duration) {
//!         if let Some(session) = self.sessions.get_mut(&client) {
//!             session.time_passed(now);
//!             self.settle(client, now);
//!         }
//!     }
//!
//!     /// A WebSocket is closed, or its connection is lost.
//!     fn disconnected(&mut self, client: ConnectionId, now: Duration) {
//!         if let Some(session) = self.sessions.get_mut(&client) {
//!             session.transport_ended();
//!             self.settle(client, now);
//!         }
//!         self.sessions.remove(&client);
//!     }
//!
//!     /// Does what a session asks for, and what follows from that.
//!     fn settle(&mut self, client: ConnectionId, now: Duration) {
//!         let mut clients = vec![client];
//!         while let Some(client) = clients.pop() {
//!             while let Some(event) = self.sessions.get_mut(&client).and_then(Session::next_event) {
//!                 match event {
//!                     Event::Connect(request) => {
//!                         let Some(session) = self.sessions.get_mut(&client) else { continue };
//!                         match request.login() {
//!                             Some(name) => session.accept(Some(Principal::new(name)), now),
//!                             None => {
//!                                 let code = CloseCode::POLICY_VIOLATION;
//!                                 session.refuse("tell your name as the login", code, now);
//!                             }
//!                         }
//!                     }
//!                     Event::Command(command) => {
//!                         let mut commands = VecDeque::from([command]);
//!                         while let Some(command) = commands.pop_front() {
//!                             for effect in self.hub.handle(command, now) {
//!                                 if let Effect::Call(call) = &effect {
//!                                     commands.extend(self.handlers.handle(&mut (), call));
//!                                 }
//!                                 let client = effect.connection();
//!                                 let session = client.and_then(|client| self.sessions.get_mut(&client));
//!                                 if let Some(session) = session {
//!                                     session.apply(&effect, now);
//!                                     if session.has_ended() {
//!                                         // The hub has to know, so ask this session too.
//!                                         clients.extend(client);
//!                                     }
//!                                 }
//!                             }
//!                         }
//!                     }
//!                     _ => {}
//!                 }
//!             }
//!         }
//!     }
//!
//!     /// Returns what a client gets. A server with sockets sends each frame as the `sansocket::Message`
//!     /// that it converts to, and then closes.
//!     fn sent(&mut self, client: ConnectionId) -> String {
//!         let mut sent = String::new();
//!         while let Some(output) = self.sessions.get_mut(&client).and_then(Session::next_output) {
//!             match output {
//!                 Output::Frame(frame) => sent += &String::from_utf8_lossy(&frame.into_bytes()),
//!                 Output::Close(code) => sent += &format!("close {code}"),
//!                 _ => {}
//!             }
//!         }
//!         sent
//!     }
//! }
//!
//! let config = Arc::new(Config::default().server("chat"));
//! let now = Duration::ZERO;
//! let mut chat = Chat::new();
//! let (ann, ben) = (ConnectionId(1), ConnectionId(2));
//! for (client, name) in [(ann, "ann"), (ben, "ben")] {
//!     chat.sessions.insert(client, Session::new(client, config.clone(), now));
//!     let connect = format!("CONNECT\naccept-version:1.2\nhost:chat\nlogin:{name}\n\n\0");
//!     chat.receive(client, connect.into(), now);
//!     assert!(chat.sent(client).starts_with("CONNECTED\nversion:1.2\nheart-beat:25000,25000\n"));
//! }
//!
//! chat.receive(ben, b"SUBSCRIBE\nid:0\ndestination:/topic/chat\n\n\0".into(), now);
//! chat.receive(ann, b"SEND\ndestination:/app/say\nreceipt:1\n\nHello\0".into(), now);
//! assert_eq!(chat.sent(ann), "RECEIPT\nreceipt-id:1\n\n\0");
//! assert_eq!(
//!     chat.sent(ben),
//!     "MESSAGE\nsubscription:0\ncontent-length:5\nmessage-id:5f3a-1\ndestination:/topic/chat\n\
//!      from:ann\n\nHello\0",
//! );
//!
//! chat.receive(ann, b"DISCONNECT\nreceipt:2\n\n\0".into(), now);
//! assert_eq!(chat.sent(ann), "RECEIPT\nreceipt-id:2\n\n\0close 1000 (normal closure)");
//! chat.disconnected(ann, now);
//! # chat.time_passed(ben, Duration::from_secs(1));
//! ```
//!
//! # The subprotocol and the version
//!
//! Over WebSocket, agree on one of the [subprotocols](super::Version::subprotocol) that the client
//! offers, or on none if it offers none. The version is that of CONNECT all the same, since `accept-version`
//! alone is what the specification goes by: a client of `v12.stomp` whose CONNECT has no
//! `accept-version` gets 1.0.
//!
//! # Receipts
//!
//! A client can ask for a receipt with any frame but CONNECT. It gets RECEIPT when the frame was
//! processed:
//!
//! | frame | processed when |
//! |---|---|
//! | SEND | the message has its place in its topic, is in its queue, or its handler has finished |
//! | SUBSCRIBE, UNSUBSCRIBE | the hub has begun or ended the subscription |
//! | ACK, NACK | the hub has noted it |
//! | SEND, ACK, NACK with a `transaction` | it is in the transaction: nothing else happens to it before COMMIT |
//! | BEGIN, ABORT | at once |
//! | COMMIT | all that is in the transaction was processed |
//! | DISCONNECT | every receipt that was asked for before has been answered |
//!
//! Receipts of different frames can come in another order than the frames, as the specification
//! allows.
//!
//! # Acknowledging
//!
//! The handlers of a client finish in any order, and each acknowledges its own message. So an ACK or NACK
//! does nothing if a later one has covered it in mode `client`, or if its subscription has ended. It is
//! refused if the client never got the message, or has acknowledged it in mode `client-individual`.
//!
//! # Errors
//!
//! Whatever is refused, the client gets an ERROR that has the `receipt-id`, if the frame had one, and then
//! the connection is closed. STOMP leaves no other choice. Nothing of the client is looked at after an
//! ERROR. [`SessionError`] lists the reasons.
//!
//! # The guard
//!
//! A client proves who it is before the upgrade ([`Session::authenticated`]), or with its CONNECT:
//! [`Sources::in_connect`](crate::guard::Sources::in_connect) takes
//! [`ConnectRequest::headers`]. Let the [`Guard`](crate::guard::Guard) see each SEND and SUBSCRIBE among
//! the [commands](Event::Command) before the hub does, and [`end`](Session::end) the session with the
//! message and the code of its [`Answer`](crate::guard::Answer) to a breach: the guard's page
//! [has the code](crate::guard#the-commands-of-a-client). Tell a
//! [`SlowConsumer`](crate::guard::SlowConsumer) what is queued and what is written.
//!
//! # Resuming
//!
//! The `message-id` of a MESSAGE is its [cursor](crate::Cursor). So is the `cursor` of a RECEIPT: that of
//! a SUBSCRIBE is where the subscription begins, so a client can resume that has not got any message. A
//! client that comes back subscribes with `since`, and gets what it has missed. A reply to one client
//! can't be resumed after; its `message-id` is `reply-` and a number. [`header`] lists all headers that
//! are not in the specification.
//!
//! # Gaps
//!
//! Messages that a subscription has missed for good are never skipped in silence. A client that
//! understands it gets a MESSAGE without a body, with the cursors between which messages are missing as
//! `gap-from` and `gap-to`. Its `message-id` is the `gap-to`, so the client resumes behind the gap. It
//! need not be acknowledged. In mode `client`, an ACK of the last one is for all messages before it, and in
//! the other modes it does nothing. The destination is the one of the SUBSCRIBE. A client that does not understand gaps is disconnected with an ERROR instead.
//!
//! A gap can be one too many. The places of all topics are in one sequence, and STOMP has no frame that
//! moves the cursor of a subscription without a message. So a client whose topic was quiet comes back
//! with an old cursor. If the hub has forgotten the topic and others meanwhile, it says that messages may be
//! missing, although none are.

mod acknowledgement;
mod config;
mod conversation;
mod effects;
mod error;
mod event;
mod frames;
pub mod header;
mod input;
mod output;
mod receipts;
mod session;
mod subscribe_options;
mod subscriptions;
mod transactions;

pub use config::Config;
pub use error::SessionError;
pub use event::{ConnectRequest, Event};
pub use output::Output;
pub use session::Session;
