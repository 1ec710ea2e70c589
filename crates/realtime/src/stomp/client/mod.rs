//! The client of STOMP: a state machine over bytes and time.
//!
//! A [`Client`] speaks STOMP 1.0 to 1.2 over WebSocket, or over a stream such as TCP, with this crate's
//! server or with others such as RabbitMQ, ActiveMQ and Artemis. It outlives its connections: after each
//! loss it says when to connect again, and then it makes its subscriptions again.
//!
//! # Driving it
//!
//! | when | call |
//! |---|---|
//! | a transport is open | [`connection_opened`](Client::connection_opened) |
//! | bytes have arrived | [`receive`](Client::receive), until it returns `None` |
//! | something can be written | [`next_output`](Client::next_output), until it returns `None` |
//! | [`next_deadline`](Client::next_deadline) has passed | [`time_passed`](Client::time_passed) |
//! | the [state](Client::state) is [`Over`](State::Over) | close the transport, without waiting for more |
//! | the transport has ended, or could not be opened | [`connection_lost`](Client::connection_lost) |
//!
//! `now` is a time since any moment that stays the same for all calls. Over WebSocket, offer the
//! [subprotocols](crate::stomp::Version::subprotocol) of the versions, and send each
//! [`EncodedFrame`](crate::stomp::EncodedFrame) as the [`Message`](sansocket::Message) that it converts to.
//!
//! ```
//! use sansocket_realtime::{Message, stomp::client::{Client, ClientConfig, Event, SubscribeOptions}};
//! use std::time::Duration;
//!
//! let now = Duration::ZERO; // Since any fixed moment.
//! let mut client = Client::new(ClientConfig::default());
//! // A subscription can be made before there is a connection.
//! let subscription = client.subscribe("/topic/greetings", SubscribeOptions::default())?;
//!
//! client.connection_opened(now)?;
//! let output = client.next_output(now).expect("CONNECT");
//! assert!(output.head().starts_with(b"CONNECT\naccept-version:1.0,1.1,1.2\n"));
//!
//! // The bytes of the server, in pieces of any size.
//! let mut input = &b"CONNECTED\nversion:1.2\n\n\0MESSAGE\nsubscription:0\nmessage-id:5f3a-7\n\
//!     destination:/topic/greetings\n\nHello\0"[..];
//! while let Some(event) = client.receive(&mut input, now)? {
//!     match event {
//!         Event::Connected(connected) => assert_eq!(connected.version().as_str(), "1.2"),
//!         Event::Message(message) => {
//!             assert_eq!(message.subscription(), Some(subscription));
//!             assert_eq!(message.text(), Some("Hello"));
//!         }
//!         Event::Error(error) => eprintln!("{}", error.text()),
//!         _ => {}
//!     }
//! }
//! client.send("/topic/greetings", &Message::new("Hello, too").content_type("text/plain"))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Acknowledging
//!
//! In the modes [`Client`](crate::stomp::header::AckMode::Client) and
//! [`ClientIndividual`](crate::stomp::header::AckMode::ClientIndividual), take the
//! [token](Delivery::ack_token) of a message, and acknowledge it once the message is processed.
//!
//! ```
//! use sansocket_realtime::stomp::{client::{Event, SubscribeOptions}, header::AckMode};
//! # use sansocket_realtime::stomp::client::{Client, ClientConfig};
//! # let now = core::time::Duration::ZERO;
//! # let mut client = Client::new(ClientConfig::default());
//! # client.connection_opened(now)?;
//! # client.receive(&mut &b"CONNECTED\nversion:1.2\n\n\0"[..], now)?;
//! # while client.next_output(now).is_some() {}
//!
//! client.subscribe("/queue/jobs", SubscribeOptions::default().ack(AckMode::ClientIndividual))?;
//! # client.next_output(now);
//! # let mut input = &b"MESSAGE\nsubscription:0\nmessage-id:1\nack:a-1\ndestination:/queue/jobs\n\nHi\0"[..];
//! if let Some(Event::Message(message)) = client.receive(&mut input, now)? {
//!     let token = message.ack_token().expect("messages of this subscription have one");
//!     // Process the message, and then:
//!     client.ack(&token)?; // or `nack`
//! }
//! # assert_eq!(client.next_output(now).unwrap().head(), b"ACK\nid:a-1\n\n\0");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Transactions
//!
//! ```
//! # use sansocket_realtime::{Message, stomp::client::{Client, ClientConfig, Event}};
//! # let now = core::time::Duration::ZERO;
//! # let mut client = Client::new(ClientConfig::default());
//! # client.connection_opened(now)?;
//! # client.receive(&mut &b"CONNECTED\nversion:1.2\n\n\0"[..], now)?;
//! let id = client.begin()?;
//! let mut transaction = client.transaction(id)?;
//! transaction.send("/queue/credit", &Message::new("5"))?;
//! transaction.send("/queue/debit", &Message::new("5"))?;
//! transaction.commit()?;
//! # let mut input = &b"RECEIPT\nreceipt-id:0\n\n\0"[..];
//! let event = client.receive(&mut input, now)?;
//! assert!(matches!(event, Some(Event::Committed(committed)) if committed == id));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A transaction is aborted if its connection ends, and so is one that is not committed before DISCONNECT.
//!
//! # Connecting again
//!
//! With this crate's server, a subscription of a topic resumes where it was: the client sends the
//! [cursor](Client::cursor) after which it continues as the header [`since`](crate::stomp::server::header). In mode `auto`, the cursor
//! moves with each message that [`receive`](Client::receive) returns. In the other modes it moves with
//! acknowledgements: it stands before the first message that is not acknowledged. So each message of a
//! topic comes at least once, and if the application acknowledges what it has processed, none is lost
//! with the process either. What it has settled already is dropped, and told as
//! [`Ignored::Duplicate`]. What the server can't give any more is told as [`Event::Gap`].
//!
//! The client asks for the receipt of each SUBSCRIBE, since it says where the subscription begins. So a
//! subscription resumes even if it has never got a message. If the receipt has no cursor, as with queues
//! and with other servers, nothing is resumed: the subscription begins again as it did first.
//!
//! ```
//! use sansocket_realtime::{Message, stomp::client::{Client, ClientConfig, SubscribeOptions}};
//! # use std::time::Duration;
//! # let mut now = Duration::from_secs(100);
//! # let mut client = Client::new(ClientConfig::default());
//! # client.connection_opened(now)?;
//! # client.receive(&mut &b"CONNECTED\nversion:1.2\n\n\0"[..], now)?;
//! # while client.next_output(now).is_some() {}
//! let subscription = client.subscribe("/topic/orders", SubscribeOptions::default())?;
//! let order = client.send_with_receipt("/topic/orders", &Message::new("42"))?;
//! # while client.next_output(now).is_some() {}
//! # client.receive(&mut &b"RECEIPT\nreceipt-id:0\ncursor:5f3a-7\n\n\0"[..], now)?;
//! assert_eq!(client.cursor(subscription), Some("5f3a-7".parse()?));
//!
//! // The transport ends.
//! let random = 1 << 63; // Pass a random number instead.
//! let lost = client.connection_lost(now, random);
//! assert_eq!(lost.reconnect_at, Some(now + Duration::from_millis(250)));
//!
//! // Then, on another transport:
//! # now = lost.reconnect_at.unwrap();
//! client.connection_opened(now)?;
//! # client.next_output(now);
//! # client.receive(&mut &b"CONNECTED\nversion:1.2\n\n\0"[..], now)?;
//! // Once it is connected, the subscription has been made again.
//! let output = client.next_output(now).expect("SUBSCRIBE");
//! # let text = String::from_utf8(output.head().to_vec())?;
//! # assert!(text.starts_with("SUBSCRIBE\nid:0\n") && text.contains("\nsince:5f3a-7\n"));
//! // Nobody can tell whether the order was processed. If it may be processed twice, send it again.
//! assert_eq!(lost.unconfirmed[0].receipt, order);
//! client.send_again(&lost.unconfirmed[0])?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Choices
//!
//! What the specifications leave open is decided so:
//!
//! - The client sends CONNECT, unless [STOMP](ConnectOptions::stomp_frame) is asked for.
//! - Heart-beats are sent a tenth earlier than agreed, and only if nothing else was sent. A server
//!   that was silent for twice the agreed interval is dead. 1.0 has no heart-beats.
//! - RECEIPT and MESSAGE have the texts that the client has chosen, digit by digit. A receipt that was
//!   never asked for on this connection, and a message of a subscription that was never made, are faults:
//!   a server that mixes up sessions must not be believed. One that comes twice, or after UNSUBSCRIBE,
//!   is ignored, because it can have been on its way.
//! - RabbitMQ delivers replies to temporary queues on subscriptions that nobody has made: set
//!   [`ClientConfig::unsolicited`].
//! - A message of 1.2 without an `ack` header need not be acknowledged, whatever the mode of its
//!   subscription: this crate's server sends replies of the application so.
//! - In 1.0 a message without a `subscription` belongs to the first subscription of its destination.
//! - An ERROR that names the receipt of a SUBSCRIBE ends that subscription: the next connection would be
//!   refused for the same reason, and with it everything on it.

mod config;
mod delivery;
mod endpoint;
mod error;
mod event;
mod ids;
mod machine;
mod operations;
mod progress;
mod receipts;
mod receiving;
mod sending;
mod state;
mod subscribe_options;
mod transaction;

pub use config::{ClientConfig, ClientLimits, ConnectOptions};
pub use delivery::{AckToken, Delivery};
pub use error::{
    AckError, BeginError, ClientError, OpenError, ProtocolError, SendError, SubscribeError,
    TransactionNotOpen,
};
pub use event::{Cause, Connected, Event, Gap, Ignored, ServerError};
pub use ids::{ReceiptId, SubscriptionId, TransactionId};
pub use machine::{Client, Lost};
pub use receipts::{LostTransaction, Unconfirmed};
pub use state::State;
pub use subscribe_options::SubscribeOptions;
pub use transaction::Transaction;
