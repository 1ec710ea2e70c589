//! The methods by which messages are sent, which a connection, its sending half and the
//! [`Replies`](super::Replies) to an event have in common.

/// Gives a type these methods. `$access` is the place in it of an [`Access`](super::access::Access).
macro_rules! sending_methods {
    ($type:ty, $($access:tt).+) => {
        impl<S, R: Role, M: Shell<S>> $type {
            /// Queues a message without waiting. What is queued is written by [`flush`](Self::flush),
            /// and before any wait for a message; a wait of the other half that has begun already does
            /// not write it.
            ///
            /// A large borrowed payload of a server is not copied as far as the transport takes it now. A
            /// compressed message is compressed in one go; [`feed`](Self::feed) lets other tasks run meanwhile.
            ///
            /// # Errors
            ///
            /// [`Error::Send`] for what can't be sent; the message is not queued then. That includes
            /// [`SendError::QueueFull`](crate::connection::SendError::QueueFull) if too much waits and
            /// the transport does not take it now. [`Error::Io`] or [`Error::Closed`] if the transport
            /// failed.
            pub fn try_feed<'p>(&mut self, payload: impl Into<Payload<'p>>) -> Result<(), Error> {
                let payload = payload.into();
                self.$($access).+.act(|outgoing| outgoing.try_feed(payload))
            }

            /// Queues a message as [`try_feed`](Self::try_feed), but waits while too much is queued, and lets
            /// other tasks go on while it compresses a large one.
            ///
            /// Cancel safe: a message whose future is dropped is not queued.
            ///
            /// # Errors
            ///
            /// As for [`try_feed`](Self::try_feed), without that the queue is full.
            pub async fn feed<'p>(&mut self, payload: impl Into<Payload<'p>>) -> Result<(), Error> {
                let payload = payload.into();
                if self.$($access).+.act(|outgoing| outgoing.feed_short(payload)) {
                    return Ok(());
                }
                self.$($access).+.feed(&payload, Outgoing::poll_feed).await
            }

            /// Queues a piece of a message whose end is not known yet; `fin` ends it. All pieces are text or
            /// all are binary. A piece is compressed in one go.
            ///
            /// Cancel safe: a piece whose future is dropped is not queued.
            ///
            /// # Errors
            ///
            /// As for [`feed`](Self::feed), and [`MessageInProgress`](crate::SendError::MessageInProgress)
            /// for a piece of the other kind.
            pub async fn feed_fragment<'p>(
                &mut self,
                piece: impl Into<Payload<'p>>,
                fin: bool,
            ) -> Result<(), Error> {
                let piece = piece.into();
                self.$($access)
                    .+
                    .wait(|outgoing, cx| {
                        outgoing.poll_queue(cx, |sender, output| {
                            sender.send_fragment(piece, fin, output)
                        })
                    })
                    .await
            }

            /// Writes all that is queued. Nothing is received meanwhile, unless by the other half of a
            /// connection that is [split](crate::asynchronous::WebSocket::split): two ends that both
            /// send more than the transport holds need that.
            ///
            /// Cancel safe: what is not written stays queued.
            ///
            /// # Errors
            ///
            /// [`Error::Io`] or [`Error::Closed`] if the transport failed.
            pub async fn flush(&mut self) -> Result<(), Error> {
                self.$($access).+.wait(Outgoing::poll_flush).await
            }

            /// Sends a message: [`feed`](Self::feed), then [`flush`](Self::flush). A server writes a
            /// [`PreparedMessage`](crate::connection::PreparedMessage) from where it is, if nothing is
            /// queued and the connection does not compress.
            ///
            /// If its future is dropped, either all of the message is sent later or nothing of it;
            /// which, can't be told. Where that matters call the two by themselves, which are cancel
            /// safe.
            ///
            /// # Errors
            ///
            /// As for these two.
            pub async fn send<'p>(&mut self, payload: impl Into<Payload<'p>>) -> Result<(), Error> {
                let payload = payload.into();
                if !self.$($access).+.act(|outgoing| outgoing.feed_short(payload)) {
                    self.$($access).+.feed(&payload, Outgoing::poll_send).await?;
                }
                self.flush().await
            }

            /// Sends a ping of at most 125 bytes. The answer is received as
            /// [`Event::Pong`](crate::connection::Event::Pong).
            ///
            /// If its future is dropped, the ping is sent later or not at all.
            ///
            /// # Errors
            ///
            /// As for [`send`](Self::send).
            pub async fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
                self.$($access)
                    .+
                    .wait(|outgoing, cx| {
                        outgoing.poll_queue(cx, |sender, output| sender.ping(payload, output))
                    })
                    .await?;
                self.flush().await
            }

            /// Sends a Close (RFC 6455 §7.1.2): nothing more can be sent. Messages on the way are still
            /// received, by who goes on to receive until `None`, or until
            /// [`wait_closed`](crate::asynchronous::WebSocket::wait_closed) is ready. The peer's Close is
            /// waited for at most for the close timeout.
            ///
            /// Cancel safe: the Close is queued at the first poll. After that go on with
            /// [`flush`](Self::flush); another close is refused.
            ///
            /// # Errors
            ///
            /// As for [`send`](Self::send).
            pub async fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
                self.$($access).+.act(|outgoing| outgoing.close(code, reason))?;
                self.flush().await
            }
        }
    };
}

pub(super) use sending_methods;
