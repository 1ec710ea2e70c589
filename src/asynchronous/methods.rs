//! The sending methods that a connection, its sending half, and the [`Replies`](super::Replies) to
//! an event have in common.

use crate::connection::SendError;
use crate::error::Error;

/// Returns the error of a message that can't be sent.
#[inline]
pub(super) fn report(error: Error) -> Result<(), Error> {
    Err(error)
}

/// Returns the error of a reply that can't be sent, but ignores [`SendError::Closed`]: a closing
/// peer no longer waits for replies, and the receiving loop should go on until the end of the
/// connection.
#[inline]
pub(super) fn report_unless_closing(error: Error) -> Result<(), Error> {
    match error {
        Error::Send(SendError::Closed { .. }) => Ok(()),
        error => Err(error),
    }
}

/// Implements the sending methods for a type. `$access` is the path to its
/// [`Access`](super::access::Access). `$refused` decides whether a refused message is an error.
macro_rules! sending_methods {
    ($type:ty, $($access:tt).+, $refused:path) => {
        impl<S, R: Role, M: Shell<S>> $type {
            /// Queues a message without waiting.
            ///
            /// [`flush`](Self::flush) writes the queue, and so does every receiving method before
            /// it waits. On a split connection, the sending half wakes the task that waits in the
            /// receiving half, and that task writes the queue.
            ///
            /// On a server, a large borrowed payload goes straight to the transport, as far as the
            /// transport accepts it now. Only the rest is copied into the queue.
            ///
            /// If the connection compresses messages, this method compresses each message in one
            /// go. [`feed`](Self::feed) lets other tasks run while it compresses a large one.
            ///
            /// # Errors
            ///
            /// Returns [`Error::Send`] if the message can't be sent; the message is then not
            /// queued. This includes
            /// [`SendError::QueueFull`](crate::connection::SendError::QueueFull) if too many bytes
            /// are queued and the transport does not accept them now, and
            /// [`SendError::Closed`](crate::connection::SendError::Closed) while the connection is
            /// closing. On [`Replies`](crate::asynchronous::Replies), a closing connection is not
            /// an error: the method returns `Ok` and discards the message. Returns
            /// [`Error::Closed`] once the connection has ended in any way, and [`Error::Io`] if the
            /// transport failed.
            pub fn try_feed(&mut self, payload: impl AsPayload) -> Result<(), Error> {
                let outcome = self.$($access).+.act(|outgoing| outgoing.try_feed(payload.as_payload().0));
                self.$($access).+.notify_queued();
                outcome.or_else($refused)
            }

            /// Waits until the queue has room, then queues a message.
            ///
            /// Unlike [`try_feed`](Self::try_feed), this lets other tasks run while it compresses a
            /// large message.
            ///
            /// Cancel safe: if you drop the future, the message is not queued.
            ///
            /// # Errors
            ///
            /// Returns the errors of [`try_feed`](Self::try_feed), except for a full queue: this
            /// waits instead.
            #[doc(alias = "write")]
            pub fn feed(
                &mut self,
                payload: impl AsPayload,
            ) -> impl Future<Output = Result<(), Error>> {
                async move {
                    if self.$($access).+.act(|outgoing| outgoing.feed_short(payload.as_payload().0)) {
                        self.$($access).+.notify_queued();
                        return Ok(());
                    }
                    // Boxed to keep the common path, and the futures of callers, small.
                    let fed = Box::pin(self.$($access).+.feed(payload, Outgoing::poll_feed)).await;
                    self.$($access).+.notify_queued();
                    fed.or_else($refused)
                }
            }

            /// Queues a piece of a message (RFC 6455 §5.4). Use it if you do not know the length
            /// yet, or to send pings between the pieces. Set `fin` on the last piece. Until then, a
            /// whole message is refused with
            /// [`MessageInProgress`](crate::connection::SendError::MessageInProgress).
            ///
            /// All pieces of a message must be text, or all must be binary. Each piece is
            /// compressed in one go.
            ///
            /// Cancel safe: if you drop the future, the piece is not queued.
            ///
            /// ```no_run
            /// # #[cfg(feature = "tokio")] {
            /// # async fn lines(mut websocket: sansocket::on_tokio::ServerWebSocket) -> Result<(), sansocket::Error> {
            /// for line in ["one\n", "two\n"] {
            ///     websocket.feed_fragment(line, false).await?;
            ///     websocket.flush().await?;
            /// }
            /// websocket.feed_fragment("", true).await?;
            /// websocket.flush().await?;
            /// # Ok(())
            /// # }
            /// # }
            /// ```
            ///
            /// # Errors
            ///
            /// Returns the errors of [`feed`](Self::feed), and
            /// [`MessageInProgress`](crate::connection::SendError::MessageInProgress) for a piece
            /// of the other kind.
            pub fn feed_fragment(
                &mut self,
                piece: impl AsPayload,
                fin: bool,
            ) -> impl Future<Output = Result<(), Error>> {
                async move {
                    let queued = self.$($access).+.wait(|outgoing, cx| {
                        outgoing.poll_queue(cx, |sender, output| {
                            sender.send_fragment(&piece, fin, output)
                        })
                    });
                    let queued = queued.await;
                    self.$($access).+.notify_queued();
                    queued.or_else($refused)
                }
            }

            /// Pushes a message to a peer that may be slow to read, without waiting.
            ///
            /// What the transport accepts now is written at once. The rest waits: in the queue if
            /// that is short, and otherwise in the [outbox](crate::Config::outbox), which decides
            /// what happens when it is full. Every receiving method writes what waits, before and
            /// while it waits itself. On a split connection, the task that waits in the receiving
            /// half does so.
            ///
            /// Pushed messages keep their order. What you send or [`feed`](Self::feed) overtakes
            /// pushed messages that wait in the outbox. A message is compressed in one go when it
            /// leaves the outbox; [`Sender::push`](crate::connection::Sender::push) has the details.
            ///
            /// ```
            /// # #[cfg(feature = "tokio")] {
            /// use sansocket::{Config, PreparedMessage};
            /// use sansocket::connection::{OutboxConfig, Pushed, WhenFull};
            /// use sansocket::on_tokio::ServerSendHalf;
            ///
            /// /// The configuration of the server: a slow client misses the oldest messages.
            /// fn config() -> Config {
            ///     Config::default().outbox(OutboxConfig::new(WhenFull::DropOldest))
            /// }
            ///
            /// fn tell(client: &mut ServerSendHalf, news: &PreparedMessage) -> Result<(), sansocket::Error> {
            ///     if let Pushed::DroppedOldest(count) = client.push(news)? {
            ///         println!("the client has missed {count} messages");
            ///     }
            ///     Ok(())
            /// }
            /// # let _ = (config, tell);
            /// # }
            /// ```
            ///
            /// # Errors
            ///
            /// Returns [`Error::Send`] if the message can't be pushed; it is then not queued. This
            /// includes [`SendError::QueueFull`](crate::connection::SendError::QueueFull) and
            /// [`SendError::TooManyQueued`](crate::connection::SendError::TooManyQueued) for an
            /// outbox that has to [wait](crate::connection::WhenFull::Wait), and
            /// [`SendError::Closed`](crate::connection::SendError::Closed) while the connection is
            /// closing. On [`Replies`](crate::asynchronous::Replies), a closing connection is not an
            /// error: the method returns [`Pushed::DroppedNewest`]. Returns [`Error::Closed`] once
            /// the connection has ended in any way, and [`Error::Io`] if the transport failed.
            pub fn push(&mut self, payload: impl AsPayload) -> Result<Pushed, Error> {
                self.push_with(payload, None)
            }

            /// Works like [`push`](Self::push). With
            /// [`WhenFull::KeepLatest`](crate::connection::WhenFull::KeepLatest), the message takes
            /// the place of the message with the same key, if that still waits in the outbox.
            ///
            /// ```
            /// # #[cfg(feature = "tokio")] {
            /// use sansocket::{Error, on_tokio::ServerSendHalf};
            ///
            /// fn tell(client: &mut ServerSendHalf, instrument: u64, price: &str) -> Result<(), Error> {
            ///     let _ = client.push_keyed(instrument, price)?;
            ///     Ok(())
            /// }
            /// # let _ = tell;
            /// # }
            /// ```
            ///
            /// # Errors
            ///
            /// Returns the errors of [`push`](Self::push).
            pub fn push_keyed(
                &mut self,
                key: u64,
                payload: impl AsPayload,
            ) -> Result<Pushed, Error> {
                self.push_with(payload, Some(key))
            }

            fn push_with(
                &mut self,
                payload: impl AsPayload,
                key: Option<u64>,
            ) -> Result<Pushed, Error> {
                let (pushed, has_to_be_written) =
                    self.$($access).+.act(|outgoing| outgoing.push(payload.as_payload().0, key));
                if has_to_be_written {
                    self.$($access).+.notify_queued();
                }
                pushed.or_else(|error| $refused(error).map(|()| Pushed::DroppedNewest))
            }

            /// Waits until the [outbox](crate::Config::outbox) has room, and writes meanwhile. This
            /// returns at once unless a message did not fit. After that, it waits until no more is
            /// left than the [low-water mark](crate::connection::OutboxConfig::low_water).
            ///
            /// Nothing is received in the meantime, except by the other half of a
            /// [split](crate::asynchronous::WebSocket::split) connection.
            ///
            /// Cancel safe: pushed messages stay in the outbox.
            ///
            /// ```no_run
            /// # #[cfg(feature = "tokio")] {
            /// use sansocket::{Error, Message, on_tokio::ServerSendHalf};
            ///
            /// /// Pushes all lines. The default outbox waits.
            /// async fn tell(client: &mut ServerSendHalf, lines: Vec<Message>) -> Result<(), Error> {
            ///     for line in &lines {
            ///         while let Err(error) = client.push(line) {
            ///             if !error.is_full() {
            ///                 return Err(error);
            ///             }
            ///             client.wait_for_room().await?;
            ///         }
            ///     }
            ///     Ok(())
            /// }
            /// # }
            /// ```
            ///
            /// # Errors
            ///
            /// Returns [`Error::Io`] or [`Error::Closed`] if the transport failed. Returns
            /// [`MessageInProgress`](crate::connection::SendError::MessageInProgress) if only the
            /// last [fragment](Self::feed_fragment) of a message can make room.
            pub async fn wait_for_room(&mut self) -> Result<(), Error> {
                self.$($access).+.wait(Outgoing::poll_outbox_room).await
            }

            /// Writes everything that is queued.
            ///
            /// Nothing is received in the meantime, except by the other half of a
            /// [split](crate::asynchronous::WebSocket::split) connection. If both endpoints may
            /// send more than the transport can buffer, split the connection: otherwise each can
            /// end up waiting for the other to read.
            ///
            /// Cancel safe: unwritten bytes stay queued.
            ///
            /// # Errors
            ///
            /// Returns [`Error::Io`] or [`Error::Closed`] if the transport failed.
            pub async fn flush(&mut self) -> Result<(), Error> {
                self.$($access).+.wait(Outgoing::poll_flush).await
            }

            /// Sends a message: [`feed`](Self::feed), then [`flush`](Self::flush).
            ///
            /// A server writes a [`PreparedMessage`](crate::connection::PreparedMessage) without
            /// copying it into the queue, if the queue is empty and the connection does not
            /// compress.
            ///
            /// Not cancel safe: if you drop the future, the message is sent later in full, or not
            /// at all, and you can't tell which. If that matters, call [`feed`](Self::feed) and
            /// [`flush`](Self::flush) yourself: both are cancel safe.
            ///
            /// # Errors
            ///
            /// Returns the errors of [`feed`](Self::feed) and [`flush`](Self::flush).
            #[doc(alias = "write_message")]
            #[doc(alias = "WriteMessage")]
            #[doc(alias = "write_frame")]
            pub fn send(
                &mut self,
                payload: impl AsPayload,
            ) -> impl Future<Output = Result<(), Error>> {
                async move {
                    if !self.$($access).+.act(|outgoing| outgoing.feed_short(payload.as_payload().0)) {
                        let fed = Box::pin(self.$($access).+.feed(payload, Outgoing::poll_send));
                        let fed = fed.await;
                        fed.or_else($refused)?;
                    }
                    self.flush().await
                }
            }

            /// Sends a ping of at most 125 bytes. The peer's answer arrives as
            /// [`Event::Pong`](crate::connection::Event::Pong).
            ///
            /// Not cancel safe: if you drop the future, the ping is sent later or not at all.
            ///
            /// # Errors
            ///
            /// Returns the errors of [`send`](Self::send).
            pub async fn ping(&mut self, payload: impl AsRef<[u8]>) -> Result<(), Error> {
                let queued = self.$($access).+.wait(|outgoing, cx| {
                    outgoing.poll_queue(cx, |sender, output| sender.ping(&payload, output))
                });
                queued.await.or_else($refused)?;
                self.flush().await
            }

            /// Queues a ping without waiting, as [`try_feed`](Self::try_feed) queues a message.
            ///
            /// # Errors
            ///
            /// Returns the errors of [`try_feed`](Self::try_feed).
            pub fn try_ping(&mut self, payload: impl AsRef<[u8]>) -> Result<(), Error> {
                let queued = self.$($access).+.act(|outgoing| {
                    outgoing.try_queue(|sender, output| sender.ping(payload, output))
                });
                self.$($access).+.notify_queued();
                queued.or_else($refused)
            }

            /// Sends an unsolicited pong of at most 125 bytes, as a heartbeat (RFC 6455 §5.5.3).
            /// You do not need this to answer pings: the connection answers them itself.
            ///
            /// Not cancel safe: if you drop the future, the pong is sent later or not at all.
            ///
            /// # Errors
            ///
            /// Returns the errors of [`send`](Self::send).
            pub async fn pong(&mut self, payload: impl AsRef<[u8]>) -> Result<(), Error> {
                let queued = self.$($access).+.wait(|outgoing, cx| {
                    outgoing.poll_queue(cx, |sender, output| sender.pong(&payload, output))
                });
                queued.await.or_else($refused)?;
                self.flush().await
            }

            /// Sends a Close (RFC 6455 §7.1.2).
            ///
            /// After that you can send nothing more, but messages of the peer still arrive. Keep
            /// receiving until you get `None`, or call
            /// [`wait_closed`](crate::asynchronous::WebSocket::wait_closed). The peer must answer
            /// within the [close timeout](crate::Config::close_timeout).
            ///
            /// If the connection is already closing or closed, this sends nothing. A reason that is
            /// too long is truncated. You can pass the code with which another connection ended:
            /// see [`Sender::close`](crate::connection::Sender::close).
            ///
            /// Cancel safe: the first poll queues the Close, and another call continues to write
            /// it.
            ///
            /// # Errors
            ///
            /// Returns [`Error::Send`] if `code` may not be sent. Returns [`Error::Io`] or
            /// [`Error::Closed`] if the connection ended before this Close was written. The Close
            /// follows what is queued: a peer that does not read that within the close timeout
            /// never sees the Close.
            pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
                let is_first = self.$($access).+.act(|outgoing| outgoing.close(code, reason))?;
                match self.flush().await {
                    Err(Error::Closed(closed)) if closed.clean || !is_first => Ok(()),
                    outcome => outcome,
                }
            }

            /// Queues a Close without waiting, even if the queue is full. It is written like a
            /// message that [`try_feed`](Self::try_feed) has queued.
            ///
            /// Messages of the peer still arrive until it answers. To ignore them, call `wait_closed`
            /// instead of receiving.
            ///
            /// # Errors
            ///
            /// Returns [`Error::Send`] if `code` may not be sent.
            pub fn try_close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
                let queued = self.$($access).+.act(|outgoing| outgoing.close(code, reason));
                self.$($access).+.notify_queued();
                queued.map(drop)
            }
        }
    };
}

pub(super) use sending_methods;
