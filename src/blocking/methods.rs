//! The methods that send, once for all that have them: a connection, its sending half, and what an event
//! is answered with.

/// Makes them of a type's `with_outgoing`, which does something with the sending side.
macro_rules! sending_methods {
    () => {
        /// Queues a message. It writes only if the queue is full, or if a reply waits while a large message is
        /// compressed. What is queued is written by [`flush`](Self::flush), and before and during any wait for a
        /// message.
        ///
        /// # Errors
        ///
        /// [`Error::Send`] for what can't be sent; the message is not queued then. That includes
        /// [`SendError::QueueFull`](crate::SendError::QueueFull) if too much waits and the transport
        /// does not take it now. [`Error::Io`] or [`Error::Closed`] if the transport failed.
        pub fn feed<'p>(&mut self, payload: impl Into<Payload<'p>>) -> Result<(), Error> {
            let payload = payload.into();
            self.with_outgoing(|outgoing| outgoing.feed(payload))
        }

        /// Queues a piece of a message whose end is not known yet; `fin` ends it. All pieces are text or all
        /// are binary. A piece is compressed in one go. Meanwhile a split connection answers nothing.
        ///
        /// # Errors
        ///
        /// As for [`feed`](Self::feed), and [`MessageInProgress`](crate::SendError::MessageInProgress) for
        /// a piece of the other kind.
        pub fn feed_fragment<'p>(
            &mut self,
            piece: impl Into<Payload<'p>>,
            fin: bool,
        ) -> Result<(), Error> {
            let piece = piece.into();
            self.with_outgoing(|outgoing| {
                outgoing.queue(|sender, queue| sender.send_fragment(piece, fin, queue))
            })
        }

        /// Writes all that is queued.
        ///
        /// # Errors
        ///
        /// [`Error::Io`] or [`Error::Closed`] if the transport failed.
        pub fn flush(&mut self) -> Result<(), Error> {
            self.with_outgoing(|outgoing| outgoing.flush())
        }

        /// Sends a message: queues it and writes all that is queued. A large borrowed payload of a
        /// server is written from where it is.
        ///
        /// In a split connection pongs, and the Close that answers the peer's or a failure, may go out between
        /// the frames of a message. After a Close no more of it is sent: that is
        /// [`SendError::Closed`](crate::SendError::Closed) or, if the connection has ended by it,
        /// [`Error::Closed`], although part of the message has gone.
        ///
        /// # Errors
        ///
        /// [`Error::Send`] for what can't be sent; the message is not queued then. After [`Error::Io`]
        /// of a transport that was not ready it is queued: go on with [`flush`](Self::flush), don't
        /// send it again.
        pub fn send<'p>(&mut self, payload: impl Into<Payload<'p>>) -> Result<(), Error> {
            let payload = payload.into();
            self.with_outgoing(|outgoing| outgoing.send(payload))
        }

        /// Sends a ping of at most 125 bytes. The answer is an [`Event::Pong`](crate::Event::Pong).
        ///
        /// # Errors
        ///
        /// As for [`send`](Self::send).
        pub fn ping(&mut self, payload: &[u8]) -> Result<(), Error> {
            self.with_outgoing(|outgoing| {
                outgoing.queue_and_flush(|sender, queue| sender.ping(payload, queue))
            })
        }

        /// Sends a Close (RFC 6455 §7.1.2): nothing more can be sent. Messages on the way are still
        /// received; go on until `None`, which comes at the latest when the close timeout is over.
        ///
        /// # Errors
        ///
        /// As for [`send`](Self::send).
        pub fn close(&mut self, code: CloseCode, reason: &str) -> Result<(), Error> {
            self.with_outgoing(|outgoing| {
                outgoing.queue_and_flush(|sender, queue| sender.close(code, reason, queue))
            })
        }
    };
}

pub(super) use sending_methods;
