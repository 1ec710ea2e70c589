//! Long and short polling, without IO.
//!
//! A client asks for what came after a cursor, and gets it with the next cursor:
//!
//! ```text
//! GET /poll?topic=/topic/orders/*&since=5f3a-1042&wait=25
//!
//! HTTP/1.1 200 OK
//! content-type: application/json
//! cache-control: no-store
//! x-content-type-options: nosniff
//!
//! {"events":[{"topic":"/topic/orders/42","cursor":"5f3a-1044","data":"shipped"}],"cursor":"5f3a-1044"}
//! ```
//!
//! If there is nothing, the request waits for the next event, at most for as many seconds as `wait`
//! says: this is long polling. With `wait=0` it is answered at once: this is short polling.
//! [`Request`] has all parameters.
//!
//! # The answer
//!
//! An answer has the status 200, and its body is a JSON object:
//!
//! | member | |
//! |---|---|
//! | `events` | an array of what has happened, in order. It is empty if the time is over |
//! | `cursor` | the value of `since` for the next poll. It moves on without events too, so always take it from the last answer |
//!
//! Each event is an object. A message has these members:
//!
//! | member | |
//! |---|---|
//! | `topic` | where it was published |
//! | `cursor` | its place in the sequence of messages. A reply to this client alone has none, nor has a list of those who are present |
//! | `type` | its content type, if it has one |
//! | `headers` | an object of its headers, if it has some. Of two with one name, this is the first |
//! | `data` | its body, if that is UTF-8 |
//! | `base64` | its body in Base64 (RFC 4648 §4), if that is not UTF-8 |
//!
//! A gap has one member, `gap`, and tells that messages may have been lost: those that were published
//! after the cursor in its member `from`, up to the one in `to`, are not kept any more, or were
//! published before the server started again.
//!
//! ```json
//! {"gap":{"from":"5f3a-1042","to":"77b0-3"}}
//! ```
//!
//! An answer has a limited number of events and bytes. The next poll gets the rest at once: what topics
//! keep of it, and a gap for the others. So a poll since `last` suits as many topics as an answer has
//! room for.
//!
//! A client is subscribed only while its poll waits. So topics that tell
//! [who is present](crate::hub::TopicConfig::presence) do not count polls: users who poll can see who is
//! there, and are not seen themselves.
//!
//! A request that is refused gets a problem (RFC 9457), as `application/problem+json`:
//!
//! ```json
//! {"title":"Bad Request","status":400,"detail":"the parameter `topic` is missing"}
//! ```
//!
//! The status is the one that [`Answer`](crate::guard::Answer) has for the refusal. A client can try again
//! after as many seconds as `retry-after` says, if there is that field.
//!
//! # Limits
//!
//! [`Config`] bounds a request, its answer, and all polls together. How many polls a user or an address
//! can have is for the [guard](crate::guard) to say, to which each is a connection:
//! [connect](crate::guard::Guard::connect) it before [`Polls::begin`], and
//! [disconnect](crate::guard::Guard::disconnect) it after its answer or when its client has gone.
//!
//! A poll changes nothing, so `GET` is its method, and a client can repeat it whenever it fails. `HEAD`
//! waits as `GET` does (RFC 9110 §9.3.2), and has no body.
//!
//! # A server
//!
//! [`Polls`] holds the requests that wait. A server with a hub and polls does this with each command:
//!
//! ```
//! use sansocket_realtime::{
//!     Epoch, Message,
//!     http::Response,
//!     hub::{Command, ConnectionId, Hub},
//!     poll::{Config, Polls, Request},
//! };
//! use std::{collections::VecDeque, time::Duration};
//!
//! struct Server {
//!     hub: Hub,
//!     polls: Polls,
//! }
//!
//! impl Server {
//!     /// Returns the responses that are to be written now.
//!     fn handle(
//!         &mut self,
//!         commands: impl Into<VecDeque<Command>>,
//!         now: Duration,
//!     ) -> Vec<(ConnectionId, Response)> {
//!         let mut commands = commands.into();
//!         let mut responses = Vec::new();
//!         loop {
//!             while let Some(answer) = self.polls.next_answer(&self.hub) {
//!                 commands.push_back(answer.disconnect());
//!                 responses.push((answer.connection, answer.response));
//!             }
//!             let Some(command) = commands.pop_front() else { return responses };
//!             for effect in self.hub.handle(command, now) {
//!                 // What is not of a poll is of another transport, of the application, or of the bridge.
//!                 self.polls.apply(&effect, now);
//!             }
//!         }
//!     }
//!
//!     fn poll(&mut self, id: u64, query: &str, now: Duration) -> Vec<(ConnectionId, Response)> {
//!         let connection = ConnectionId(id);
//!         let request = match Request::parse(query, &Config::default()) {
//!             Ok(request) => request,
//!             Err(invalid) => return vec![(connection, invalid.response())],
//!         };
//!         match self.polls.begin(connection, None, request, now) {
//!             Ok(commands) => self.handle(commands, now),
//!             Err(refused) => vec![(connection, refused)],
//!         }
//!     }
//! }
//!
//! // A random number tells this run of the hub from the last.
//! let mut server = Server { hub: Hub::new(Epoch(0x5f3a)), polls: Polls::new(Config::default()) };
//! let now = Duration::from_secs(100);
//!
//! // The first poll waits.
//! assert_eq!(server.poll(1, "topic=/topic/prices", now), []);
//! let message = Message::new("42");
//! let publish = Command::Publish { destination: "/topic/prices".into(), message, request: None };
//! let responses = server.handle([publish], now);
//! assert_eq!(
//!     responses[0].1.body,
//!     r#"{"events":[{"topic":"/topic/prices","cursor":"5f3a-1","data":"42"}],"cursor":"5f3a-1"}"#,
//! );
//!
//! // The second waits in vain.
//! assert_eq!(server.poll(2, "topic=/topic/prices&since=5f3a-1&wait=10", now), []);
//! let deadline = server.polls.next_deadline().expect("the poll waits");
//! assert_eq!(deadline, now + Duration::from_secs(10));
//! server.polls.time_passed(deadline);
//! let responses = server.handle([], deadline);
//! assert_eq!(responses[0].1.body, r#"{"events":[],"cursor":"5f3a-1"}"#);
//!
//! // A third is refused.
//! assert_eq!(server.poll(3, "topic=/topic/prices&since=1", now)[0].1.head.status, 400);
//! ```

mod batch;
mod config;
mod polls;
mod request;

pub use config::Config;
pub use polls::{Answer, Polls};
pub use request::Request;
