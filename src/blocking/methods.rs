//! The sending methods, defined once for all types that have them: a connection, its sending half,
//! and the replies to an event.

use crate::connection::SendError;
use crate::error::Error;

/// Reports that a message can't be sent.
pub(super) fn report(error: Error) -> Result<(), Error> {
    Err(error)
}

/// Reports that a reply can't be sent, unless the connection is closing. In that case nobody waits
/// for the reply, and the receiving loop should go on to the end.
pub(super) fn report_unless_closing(error: Error) -> Result<(), Error> {
    match error {
        Error::Send(SendError::Closed { .. }) => Ok(()),
        error => Err(error),
    }
}

/// Defines the sending methods of a type by its `with_outgoing`, which gives access to the sending
/// side.
macro_rules! sending_methods {
    ($refused:path) => {
        /// Queues a message. This writes only if the queue is full, or if a reply waits while a
        /// large message is compressed. [`flush`](Self::flush) writes what is queued. So does
        /// waiting for a message, before and during the wait.
        ///
        /// # Errors
        ///
        /// Returns [`Error::Send`] if the message can't be sent; it is then not queued. This
        /// includes [`SendError::QueueFull`](crate::connection::SendError::QueueFull) if too much
        /// is queued and the transport can't take it now, and
        /// [`SendError::Closed`](crate::connection::SendError::Closed) while the connection is
        /// closing. On [`Replies`](crate::blocking::Replies), a closing connection is not an error:
        /// the method returns `Ok` and discards the message. Returns [`Error::Closed`] once the
        /// connection has ended in any way, and [`Error::Io`] if the transport failed.
        #[doc(alias = "write")]
        pub fn feed(&mut self, payload: impl AsPayload) -> Result<(), Error> {
            self.with_outgoing(|outgoing| outgoing.feed(payload.as_payload().0)).or_else($refused)
        }

        /// Queues a message without writing. A large message is compressed in one go.
        ///
        /// # Errors
        ///
        /// Returns [`SendError::QueueFull`](crate::connection::SendError::QueueFull) as soon as too
        /// much is queued, and otherwise the errors of [`feed`](Self::feed).
        pub fn try_feed(&mut self, payload: impl AsPayload) -> Result<(), Error> {
            self.with_outgoing(|outgoing| {
                outgoing
                    .try_queue(|sender, queue| sender.send_payload(payload.as_payload().0, queue))
            })
            .or_else($refused)
        }

        /// Queues a piece of a message (RFC 6455 §5.4). Use it if you do not know the length yet,
        /// or to send pings between the pieces. Set `fin` on the last piece. Until then, a whole
        /// message is refused with
        /// [`MessageInProgress`](crate::connection::SendError::MessageInProgress).
        ///
        /// All pieces must be text or all must be binary. Each piece is compressed in one go, and
        /// meanwhile a split connection does not reply to anything.
        ///
        /// ```no_run
        /// # fn lines(mut websocket: sansocket::blocking::ServerWebSocket) -> Result<(), sansocket::Error> {
        /// for line in ["one\n", "two\n"] {
        ///     websocket.feed_fragment(line, false)?;
        ///     websocket.flush()?;
        /// }
        /// websocket.feed_fragment("", true)?;
        /// websocket.flush()?;
        /// # Ok(())
        /// # }
        /// ```
        ///
        /// # Errors
        ///
        /// Returns the errors of [`feed`](Self::feed), and
        /// [`MessageInProgress`](crate::connection::SendError::MessageInProgress) if the piece is
        /// text and the message is binary, or the other way round.
        pub fn feed_fragment(&mut self, piece: impl AsPayload, fin: bool) -> Result<(), Error> {
            self.with_outgoing(|outgoing| {
                outgoing.queue(|sender, queue| sender.send_fragment(&piece, fin, queue))
            })
            .or_else($refused)
        }

        /// Pushes a message to a peer that may be slow to read. This neither writes nor waits for the
        /// peer.
        ///
        /// The message goes into the queue if that is short, and otherwise into the
        /// [outbox](crate::Config::outbox), which decides what happens when it is full.
        /// [`flush`](Self::flush) writes all of it, and waits for the peer. So does waiting for a
        /// message, before and during the wait. On a split connection, the receiving half looks five
        /// times a second whether there is something to write, and never waits for the peer. So if
        /// the sending thread must not block, let it push, and leave the writing to the receiving
        /// thread.
        ///
        /// Pushed messages keep their order. What you send or [`feed`](Self::feed) overtakes pushed
        /// messages that wait in the outbox. A message is compressed in one go when it leaves the
        /// outbox; [`Sender::push`](crate::connection::Sender::push) has the details.
        ///
        /// ```
        /// use sansocket::Config;
        /// use sansocket::connection::{OutboxConfig, Pushed, WhenFull};
        /// use sansocket::blocking::ServerSendHalf;
        ///
        /// /// The configuration of the server: a slow client misses the oldest messages.
        /// fn config() -> Config {
        ///     Config::default().outbox(OutboxConfig::new(WhenFull::DropOldest))
        /// }
        ///
        /// fn tell(client: &mut ServerSendHalf, news: &str) -> Result<(), sansocket::Error> {
        ///     if let Pushed::DroppedOldest(count) = client.push(news)? {
        ///         println!("the client has missed {count} messages");
        ///     }
        ///     Ok(())
        /// }
        /// # let _ = (config, tell);
        /// ```
        ///
        /// # Errors
        ///
        /// Returns [`Error::Send`] if the message can't be pushed; it is then not queued. This
        /// includes [`SendError::QueueFull`](crate::connection::SendError::QueueFull) and
        /// [`SendError::TooManyQueued`](crate::connection::SendError::TooManyQueued) for an outbox
        /// that has to [wait](crate::connection::WhenFull::Wait), and
        /// [`SendError::Closed`](crate::connection::SendError::Closed) while the connection is
        /// closing. On [`Replies`](crate::blocking::Replies), a closing connection is not an error:
        /// the method returns [`Pushed::DroppedNewest`]. Returns [`Error::Closed`] once the
        /// connection has ended in any way.
        pub fn push(&mut self, payload: impl AsPayload) -> Result<Pushed, Error> {
            self.with_outgoing(|outgoing| outgoing.push(payload.as_payload().0, None))
                .or_else(|error| $refused(error).map(|()| Pushed::DroppedNewest))
        }

        /// Works like [`push`](Self::push). With
        /// [`WhenFull::KeepLatest`](crate::connection::WhenFull::KeepLatest), the message takes the
        /// place of the message with the same key, if that still waits in the outbox.
        ///
        /// ```
        /// use sansocket::{Error, blocking::ServerSendHalf};
        ///
        /// fn tell(client: &mut ServerSendHalf, instrument: u64, price: &str) -> Result<(), Error> {
        ///     let _ = client.push_keyed(instrument, price)?;
        ///     Ok(())
        /// }
        /// # let _ = tell;
        /// ```
        ///
        /// # Errors
        ///
        /// Returns the errors of [`push`](Self::push).
        pub fn push_keyed(&mut self, key: u64, payload: impl AsPayload) -> Result<Pushed, Error> {
            self.with_outgoing(|outgoing| outgoing.push(payload.as_payload().0, Some(key)))
                .or_else(|error| $refused(error).map(|()| Pushed::DroppedNewest))
        }

        /// Writes until the [outbox](crate::Config::outbox) has room. This returns at once unless a
        /// message did not fit. After that, it writes until no more is left than the
        /// [low-water mark](crate::connection::OutboxConfig::low_water), or up to 200 milliseconds
        /// longer.
        ///
        /// ```no_run
        /// use sansocket::{Error, Message, blocking::ServerSendHalf};
        ///
        /// /// Pushes all lines. The default outbox waits.
        /// fn tell(client: &mut ServerSendHalf, lines: &[Message]) -> Result<(), Error> {
        ///     for line in lines {
        ///         while let Err(error) = client.push(line) {
        ///             if !error.is_full() {
        ///                 return Err(error);
        ///             }
        ///             client.wait_for_room()?;
        ///         }
        ///     }
        ///     Ok(())
        /// }
        /// ```
        ///
        /// # Errors
        ///
        /// Returns [`Error::Io`] or [`Error::Closed`] if the transport failed. Returns
        /// [`MessageInProgress`](crate::connection::SendError::MessageInProgress) if only the last
        /// [fragment](Self::feed_fragment) of a message can make room.
        pub fn wait_for_room(&mut self) -> Result<(), Error> {
            self.with_outgoing(|outgoing| outgoing.wait_for_room())
        }

        /// Writes everything that is queued.
        ///
        /// # Errors
        ///
        /// Returns [`Error::Io`] or [`Error::Closed`] if the transport failed.
        pub fn flush(&mut self) -> Result<(), Error> {
            self.with_outgoing(|outgoing| outgoing.flush())
        }

        /// Sends a message: queues it and writes everything that is queued. A server writes a large
        /// borrowed payload in place, without copying it.
        ///
        /// In a split connection, control frames may go out between the frames of a message: pongs,
        /// and the Close that answers the peer's Close or a failure. After a Close, the rest of the
        /// message is not sent. You then get
        /// [`SendError::Closed`](crate::connection::SendError::Closed) or, if the connection has
        /// ended by then, [`Error::Closed`], although part of the message was sent.
        ///
        /// # Errors
        ///
        /// Returns [`Error::Send`] if the message can't be sent; it is then not queued. If this
        /// returns [`Error::Io`] because the transport is not ready, the message is queued: call
        /// [`flush`](Self::flush), and don't send the message again.
        #[doc(alias = "write_message")]
        #[doc(alias = "WriteMessage")]
        pub fn send(&mut self, payload: impl AsPayload) -> Result<(), Error> {
            self.with_outgoing(|outgoing| outgoing.send(payload.as_payload().0)).or_else($refused)
        }

        /// Sends a ping of at most 125 bytes. The answer arrives as an
        /// [`Event::Pong`](crate::Event::Pong).
        ///
        /// # Errors
        ///
        /// Returns the errors of [`send`](Self::send).
        pub fn ping(&mut self, payload: impl AsRef<[u8]>) -> Result<(), Error> {
            self.with_outgoing(|outgoing| {
                outgoing.queue_and_flush(|sender, queue| sender.ping(&payload, queue))
            })
            .or_else($refused)
        }

        /// Queues a ping without writing, as [`try_feed`](Self::try_feed) queues a message.
        ///
        /// # Errors
        ///
        /// Returns the errors of [`try_feed`](Self::try_feed).
        pub fn try_ping(&mut self, payload: impl AsRef<[u8]>) -> Result<(), Error> {
            self.with_outgoing(|outgoing| {
                outgoing.try_queue(|sender, queue| sender.ping(payload, queue))
            })
            .or_else($refused)
        }

        /// Sends an unsolicited pong of at most 125 bytes, as a heartbeat (RFC 6455 §5.5.3). You
        /// don't need it to answer pings: the connection does that.
        ///
        /// # Errors
        ///
        /// Returns the errors of [`send`](Self::send).
        pub fn pong(&mut self, payload: impl AsRef<[u8]>) -> Result<(), Error> {
            self.with_outgoing(|outgoing| {
                outgoing.queue_and_flush(|sender, queue| sender.pong(&payload, queue))
            })
            .or_else($refused)
        }

        /// Sends a Close (RFC 6455 §7.1.2). After it you can't send anything, but messages from the
        /// peer still arrive: continue to receive until `None`, or call
        /// [`wait_closed`](crate::blocking::WebSocket::wait_closed). The peer must answer within
        /// the [close timeout](crate::Config::close_timeout).
        ///
        /// If the connection is already closing or closed, this sends nothing. A reason that is too
        /// long is truncated. You can pass the code that ended another connection: see
        /// [`Sender::close`](crate::connection::Sender::close).
        ///
        /// # Errors
        ///
        /// Returns [`Error::Send`] if the code may not be sent. Returns [`Error::Io`] or
        /// [`Error::Closed`] if the connection ended before this Close was written.
        pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
            self.with_outgoing(|outgoing| outgoing.close(code, reason))
        }

        /// Queues a Close without writing, even if the queue is full. It is written like a message
        /// that [`try_feed`](Self::try_feed) has queued.
        ///
        /// Messages of the peer still arrive until it answers. To ignore them, call `wait_closed`
        /// instead of receiving.
        ///
        /// # Errors
        ///
        /// Returns [`Error::Send`] if `code` may not be sent.
        pub fn try_close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
            self.with_outgoing(|outgoing| outgoing.queue_close(code, reason)).map(drop)
        }
    };
}

pub(super) use sending_methods;
