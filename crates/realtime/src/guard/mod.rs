//! The guard: what protects a server from its clients, before a command reaches the hub.
//!
//! | question | answered by |
//! |---|---|
//! | Does the request come from a page of another site? | [`OriginPolicy`] of the core: [see below](#requests-of-other-sites) |
//! | Who is the client? | [`Sources`] finds its [`Credentials`]; [whose they are](#authentication), a [`TokenTable`] says or your own code |
//! | Does it connect, send or subscribe too much? | [`Guard`], with [`Limits`] for each principal, address and destination |
//! | Does it take what it gets? | [`SlowConsumer`], with [`SlowConsumerConfig`] |
//! | Which destinations may it use? | [`Authorization`](crate::hub::Authorization) of the hub |
//! | What does it get if not? | [`Answer`]: the ERROR, the close code, the status |
//!
//! Each of these can be used without the others. None does IO or has a clock.
//!
//! # A client from its request to its end
//!
//! Before an upgrade, or for an event stream, a poll, or a message that is published over HTTP:
//!
//! ```
//! use core::{net::IpAddr, time::Duration};
//! use sansocket::handshake::PlainResponse;
//! use sansocket_realtime::guard::{
//!     Answer, AuthenticationError, Client, Guard, Limits, Source, Sources, TokenTable,
//! };
//! use sansocket_realtime::hub::Principal;
//!
//! struct Server {
//!     guard: Guard,
//!     sources: Sources,
//!     users: TokenTable,
//! }
//!
//! impl Server {
//!     /// Lets a client in, or returns the response to its request.
//!     fn admit<'a>(
//!         &mut self,
//!         address: IpAddr,
//!         fields: impl IntoIterator<Item = (&'a str, &'a [u8])>,
//!         raw_query: Option<&'a str>,
//!         now: Duration,
//!     ) -> Result<(Client, Principal), PlainResponse> {
//!         let refuse = |answer: Answer| answer.response(&self.sources);
//!         // This comes first, so that it bounds how often somebody can try to log in.
//!         let mut client =
//!             self.guard.connect(Some(address), now).map_err(|breach| refuse((&breach).into()))?;
//!         let found = self.sources.in_request(fields, raw_query).map_err(Into::into);
//!         let user = found
//!             .and_then(|found| found.ok_or(AuthenticationError::Missing))
//!             .and_then(|credentials| self.users.authenticate(&credentials));
//!         let answer = match user {
//!             Ok(user) => match self.guard.authenticated(&mut client, &user, now) {
//!                 Ok(()) => return Ok((client, user)),
//!                 Err(breach) => Answer::from(&breach),
//!             },
//!             Err(error) => Answer::from(&error),
//!         };
//!         self.guard.disconnect(client, now);
//!         Err(refuse(answer))
//!     }
//! }
//!
//! let users = TokenTable::new().token("abc", Principal::new("joe"));
//! let sources = Sources::new([Source::Bearer, Source::Cookie("session".into())]);
//! let mut server = Server { guard: Guard::new(Limits::default()), sources, users };
//! let address = IpAddr::from([192, 0, 2, 1]);
//!
//! let fields = [("Authorization", b"Bearer abc".as_slice())];
//! let (client, user) = server.admit(address, fields, None, Duration::ZERO).unwrap();
//! assert_eq!(user.name(), "joe");
//! server.guard.message(&client, "/app/orders", 1024, Duration::ZERO).unwrap();
//! server.guard.disconnect(client, Duration::ZERO);
//!
//! let response = server.admit(address, [], None, Duration::ZERO).unwrap_err();
//! assert_eq!(response.status(), 401);
//! ```
//!
//! The same guard counts what happens before an upgrade and what happens after it. So if tasks of their own
//! accept connections, share it with them behind a lock, or have the owner of the hub admit clients.
//!
//! # The commands of a client
//!
//! After CONNECT, the guard sees each command of a [session](crate::stomp::server::Session) before the hub
//! does. A subscription ends by its name, so remember its destinations:
//!
//! ```
//! use core::time::Duration;
//! use sansocket_realtime::guard::{Breach, Client, Guard};
//! use sansocket_realtime::hub::{Command, Operation, SubscriptionId};
//! use std::collections::HashMap;
//!
//! struct Counted {
//!     client: Client,
//!     subscriptions: HashMap<SubscriptionId, Vec<String>>,
//! }
//!
//! impl Counted {
//!     /// Returns an error if the session is to [end](sansocket_realtime::stomp::server::Session::end)
//!     /// instead of having the command handled.
//!     fn check(&mut self, guard: &mut Guard, command: &Command, now: Duration) -> Result<(), Breach> {
//!         let operations = match command {
//!             Command::Perform { operation, .. } => core::slice::from_ref(operation),
//!             Command::Commit { operations, .. } => operations,
//!             Command::Subscribe { subscription, destinations, .. } => {
//!                 for destination in destinations {
//!                     guard.subscribe(&mut self.client, destination, now)?;
//!                 }
//!                 self.subscriptions.insert(*subscription, destinations.clone());
//!                 return Ok(());
//!             }
//!             Command::Unsubscribe { subscription, .. } => {
//!                 for destination in self.subscriptions.remove(subscription).unwrap_or_default() {
//!                     guard.unsubscribe(&mut self.client, &destination, now);
//!                 }
//!                 return Ok(());
//!             }
//!             _ => return Ok(()),
//!         };
//!         operations.iter().try_for_each(|operation| match operation {
//!             Operation::Send { destination, message } => {
//!                 guard.message(&self.client, destination, message.size(), now)
//!             }
//!             _ => Ok(()),
//!         })
//!     }
//! }
//! # use sansocket::server::Rate;
//! # use sansocket_realtime::guard::{Answer, ClientLimits, Limits};
//! # use sansocket_realtime::{Message, hub::ConnectionId};
//! #
//! # let once = ClientLimits::of_address().messages(Rate::per_second(1)).subscriptions(1);
//! # let mut guard = Guard::new(Limits::default().address(once));
//! # let (now, connection) = (Duration::ZERO, ConnectionId(1));
//! # let client = guard.connect(Some([192, 0, 2, 1].into()), now)?;
//! # let mut counted = Counted { client, subscriptions: HashMap::new() };
//! # let (destination, message) = (String::from("/topic/a"), Message::new("a"));
//! # let send = Operation::Send { destination: destination.clone(), message };
//! # let send = Command::Commit { connection, operations: vec![send], request: None };
//! # counted.check(&mut guard, &send, now)?;
//! # let breach = counted.check(&mut guard, &send, now).unwrap_err();
//! # assert_eq!(Answer::from(&breach).close_code.number(), 1008);
//! # let subscription = SubscriptionId(0);
//! # let (destinations, options) = (vec![destination], Default::default());
//! # let request = None;
//! # let subscribe =
//! #     Command::Subscribe { connection, subscription, destinations, options, request };
//! # let unsubscribe = Command::Unsubscribe { connection, subscription, request };
//! # for _ in 0..2 {
//! #     counted.check(&mut guard, &subscribe, now)?;
//! #     counted.check(&mut guard, &unsubscribe, now)?;
//! # }
//! # Ok::<(), Breach>(())
//! ```
//!
//! A client whose messages exceed a limit gets in STOMP an ERROR and a Close with 1008, and for a POST the
//! status 429 with `Retry-After`. [`Answer`] has the whole table.
//!
//! # Authentication
//!
//! A client proves who it is before the upgrade, or, in STOMP, with CONNECT
//! ([`Sources::in_connect`]). A client that was authenticated before the upgrade needs no credentials
//! in CONNECT. If it has some, they have to be those of the same principal.
//!
//! | client | can use |
//! |---|---|
//! | `WebSocket` in browsers | [a cookie](Source::Cookie), [the query](Source::Query), or CONNECT |
//! | `EventSource` in browsers | [a cookie](Source::Cookie), or [the query](Source::Query) |
//! | `fetch`, other programs | [`Bearer`](Source::Bearer), [a field of your own](Source::Header) |
//! | programs for STOMP with a login and a passcode | [`Login`](Source::Login), [`Passcode`](Source::Passcode) |
//! | curl | [`Basic`](Source::Basic) with `-u`, and all others |
//!
//! `Debug` of credentials shows no secrets, and no error contains one. A target with a token in its query
//! does: don't log it.
//!
//! Whose credentials are, your own code says: a function that returns a
//! [`Principal`](crate::hub::Principal) or an [`AuthenticationError`]. For a few users, a [`TokenTable`]
//! is enough. If the answer takes time, because a database or another server knows it, take
//! [`into_owned`](Credentials::into_owned) credentials with you, and ask. The machines of this crate wait:
//! they ask for the decision, and take nothing more from the client until you have told them. They have no
//! deadline meanwhile, so give your question one, and answer with
//! [`Unavailable`](AuthenticationError::Unavailable) when it has passed. Before an upgrade, the
//! `PendingRequest` of the core waits in the same way.
//!
//! Many clients of STOMP have nothing but fields for a login and a passcode. With
//! [`Source::Passcode`], a token can stand in the passcode. A [login](Credentials::login) beside it proves
//! nothing, so it must not say another name than the token: a [`TokenTable`] checks that, and your own code
//! does so by [`may_be_of`](Credentials::may_be_of).
//!
//! ```
//! use sansocket_realtime::guard::{AuthenticationError, Credentials, Source};
//! use sansocket_realtime::hub::Principal;
//!
//! /// Checks a token that names its user, without asking anybody.
//! fn user(credentials: &Credentials<'_>) -> Result<Principal, AuthenticationError> {
//!     let token = credentials.as_token().ok_or(AuthenticationError::Refused)?;
//!     let user = token.strip_prefix("test-").ok_or(AuthenticationError::Refused)?;
//!     Ok(Principal::new(user))
//! }
//!
//! let credentials = Credentials::token(Source::Bearer, "test-joe");
//! assert_eq!(user(&credentials), Ok(Principal::new("joe")));
//! ```
//!
//! # Requests of other sites
//!
//! A browser sends its cookies with requests of every site's pages. Where a cookie authenticates, check
//! the `Origin` too, and refuse with status 403:
//!
//! - For a WebSocket, an [`Acceptor`](sansocket::server::Acceptor) of the core does so by default.
//! - For an event stream, a poll or a message that is published, use
//!   [`OriginPolicy::check_origin`].
//!
//! Tokens that a script has to add itself, in a field or in the query, are not sent for other sites.
//! Nevertheless, an attribute `SameSite=Lax` or `Strict` on the cookie is a good second lock.
//!
//! [`OriginPolicy`]: sansocket::server::OriginPolicy
//! [`OriginPolicy::check_origin`]: sansocket::server::OriginPolicy::check_origin

mod admission;
mod answer;
mod authentication;
mod breach;
mod counts;
mod credentials;
mod found;
mod limits;
mod slow_consumer;
mod sources;
mod syntax;
mod table;

pub use admission::{Client, Guard};
pub use answer::{Answer, EventStreamAnswer};
pub use authentication::{AuthenticationError, TokenTable};
pub use breach::{Breach, Scope};
pub use credentials::{Credentials, CredentialsError, Source};
pub use limits::{ClientLimits, DestinationLimits, Limits};
pub use slow_consumer::{Reaction, SlowConsumer, SlowConsumerConfig, TooSlow};
pub use sources::Sources;
