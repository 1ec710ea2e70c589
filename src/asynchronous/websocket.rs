//! A connection over an async stream, and the handle to answer what it receives.

use super::access::Access;
use super::incoming::Incoming;
use super::methods::{report, report_unless_closing, sending_methods};
use super::outgoing::Outgoing;
use super::owning_server::OwningServer;
use super::rare_state::RareState;
use super::shell::Shell;
use super::split::{ReceiveHalf, SendHalf, halves};
use crate::buffer::ReadBuffer;
use crate::connection::{
    AsPayload, Chunk, Client, Closed, Config, Connection, Counters, Dropped, Event, Message,
    Pushed, Receiver, Role, RoundTripTime, Server, State,
};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::handshake::{Request, Url};
use crate::mask::MaskKeys;
use crate::negotiated::Negotiated;
use crate::trace::Trace;
use crate::transport::Parts;
use alloc::{boxed::Box, sync::Arc};
use core::{
    future::poll_fn,
    task::{Poll, ready},
};

/// A WebSocket connection over an async stream.
///
/// While one of the receiving methods waits, the connection answers pings and completes the closing
/// handshake. Before it waits, it writes the queue. So keep receiving, even if you expect no
/// messages.
///
/// # The end
///
/// The loop over messages ends with `None` after a clean close. After anything else it ends with
/// one `Err` and then `None`. Either way, [`closed`](Self::closed) tells you how the connection
/// ended.
///
/// The connection reports its end as soon as that is known. It may need the transport for longer,
/// so that the peer can read the Close of this endpoint: [`wait_closed`](Self::wait_closed) takes
/// care of that.
///
/// Dropping a connection sends no Close: the peer sees the end of the transport. The queue is
/// written and the writing side of the transport is ended, as far as that is possible without
/// waiting. For an orderly end, call [`close`](Self::close) and then
/// [`wait_closed`](Self::wait_closed).
///
/// # Cancel safety
///
/// Each async method says whether it is cancel safe. If it is, you can drop its future before it is
/// ready, for example in `select!` or with a timeout. The connection then continues, and nothing is
/// lost, duplicated or out of order.
#[doc(alias = "WebSocketStream")]
#[doc(alias = "Conn")]
#[derive(Debug)]
pub struct WebSocket<S, R: Role, M: Shell<S>> {
    /// Boxed to keep futures small.
    pub(super) sides: Box<Sides<S, R, M>>,
}

#[derive(Debug)]
pub(super) struct Sides<S, R: Role, M: Shell<S>> {
    pub(super) incoming: Incoming<R>,
    pub(super) outgoing: Outgoing<S, R, M>,
    pub(super) rare: RareState,
}

impl<S, R: Role, M: Shell<S>> WebSocket<S, R, M> {
    /// Creates a connection whose opening handshake is complete, whether this crate performed it or
    /// not.
    ///
    /// `input` holds the bytes that arrived after the peer's handshake, if any.
    #[doc(alias = "from_raw_socket")]
    #[doc(alias = "after_handshake")]
    pub fn new(
        transport: S,
        role: R,
        negotiated: Negotiated,
        input: ReadBuffer,
        config: Config,
    ) -> Self {
        let trace = Trace::of::<R>(&negotiated);
        Self::traced(transport, role, negotiated, input, config, trace)
    }

    /// Works like [`new`](Self::new), for a connection of which more can be told.
    fn traced(
        transport: S,
        role: R,
        negotiated: Negotiated,
        input: ReadBuffer,
        config: Config,
        trace: Trace,
    ) -> Self {
        let (mut sender, receiver) = Connection::new(role, &negotiated, config).split();
        sender.count_early_bytes(input.unread_len());
        Self {
            sides: Box::new(Sides {
                incoming: Incoming::new(receiver, input),
                outgoing: Outgoing::new(transport, sender, trace),
                rare: RareState::new(negotiated),
            }),
        }
    }

    /// Sets the server that runs this connection.
    #[cfg_attr(
        not(feature = "tokio"),
        allow(dead_code, reason = "only the shell over tokio serves")
    )]
    pub(crate) fn with_server(mut self, server: Arc<dyn OwningServer<S>>) -> Self {
        if let Some(limit) = server.traffic_limit() {
            self.sides.incoming.count_traffic(limit);
        }
        self.sides.outgoing.server = Some(server);
        self
    }

    /// Returns `true` if a server runs this connection.
    #[cfg(feature = "tokio")]
    pub(crate) fn has_server(&self) -> bool {
        self.sides.outgoing.server.is_some()
    }

    /// Waits for the next message, and returns it as an owned value. This method handles control
    /// frames itself and does not return them. To see them, use [`receive`](Self::receive).
    ///
    /// Cancel safe.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`receive`](Self::receive).
    #[doc(alias = "read")]
    #[doc(alias = "read_message")]
    #[doc(alias = "ReadMessage")]
    #[doc(alias = "recv")]
    pub async fn next(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|cx| self.sides.incoming.poll_message(&mut self.sides.outgoing, cx)).await
    }

    /// Waits for the next event, and lends it to you together with a handle to answer it.
    ///
    /// Cancel safe.
    ///
    /// ```no_run
    /// # #[cfg(feature = "tokio")] {
    /// use sansocket::{Event, on_tokio::accept};
    ///
    /// # async fn echo(stream: tokio::net::TcpStream) -> Result<(), sansocket::Error> {
    /// let mut websocket = accept(stream).await?;
    /// while let Some(received) = websocket.receive().await {
    ///     match received? {
    ///         (Event::Text(text), mut replies) => replies.feed(text).await?,
    ///         (Event::Binary(data), mut replies) => replies.feed(data).await?,
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`Error::Protocol`] or [`Error::Closed`] once, if the connection ended without a
    /// closing handshake. Returns [`Error::Io`] once for any other failure of the transport, which
    /// is also the end. After that, and after a clean close, this returns `None`. Returns
    /// [`Error::Receive`] if [`receive_chunk`](Self::receive_chunk) has already waited for part of
    /// the message.
    #[doc(alias = "read_frame")]
    pub async fn receive(&mut self) -> Option<Result<(Event<'_>, Replies<'_, S, R, M>), Error>> {
        let Sides { incoming, outgoing, .. } = &mut *self.sides;
        let found = poll_fn(|cx| incoming.poll_event(outgoing, Receiver::advance, cx)).await?;
        Some(found.map(|found| (incoming.event(found), Replies(outgoing))))
    }

    /// Returns the next event if it has already been read in full. This neither waits nor reads.
    ///
    /// Call this after [`receive`](Self::receive) to get the other events that arrived with the
    /// first. One write can then answer all of them. `None` does not mean that the connection has
    /// ended: only [`receive`](Self::receive) reports that.
    ///
    /// ```no_run
    /// # #[cfg(feature = "tokio")] {
    /// # use sansocket::{Error, Event, on_tokio::WebSocket, connection::Role};
    /// # use tokio::io::{AsyncRead, AsyncWrite};
    /// # async fn echo<S, R>(mut websocket: WebSocket<S, R>) -> Result<(), Error>
    /// # where S: AsyncRead + AsyncWrite + Unpin, R: Role {
    /// while let Some(received) = websocket.receive().await {
    ///     let mut next = Some(received?);
    ///     while let Some((event, mut replies)) = next {
    ///         if let Event::Text(text) = event {
    ///             replies.feed(text).await?;
    ///         }
    ///         next = websocket.receive_buffered();
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    pub fn receive_buffered(&mut self) -> Option<(Event<'_>, Replies<'_, S, R, M>)> {
        let Sides { incoming, outgoing, .. } = &mut *self.sides;
        let found = incoming.find_buffered(outgoing)?;
        Some((incoming.event(found), Replies(outgoing)))
    }

    /// Calls `visit` for each event until the connection ends. This is the fastest way to receive,
    /// because control stays inside this method between events that arrived together.
    ///
    /// The visitor answers with [`Replies::try_feed`]. Before each message there is room in the
    /// queue for at least one answer: while the queue is full because the peer does not read, the
    /// next message waits. The queue is written once all received events have been visited. An
    /// error that the visitor returns ends the loop but not the connection.
    ///
    /// Cancel safe: an event that has been visited is not visited again.
    ///
    /// ```no_run
    /// # #[cfg(feature = "tokio")] {
    /// use sansocket::{Error, Event, on_tokio::accept};
    ///
    /// # async fn echo(stream: tokio::net::TcpStream) -> Result<(), Error> {
    /// let mut websocket = accept(stream).await?;
    /// websocket
    ///     .receive_with(|event, replies| match event {
    ///         Event::Text(text) => replies.try_feed(text),
    ///         Event::Binary(data) => replies.try_feed(data),
    ///         _ => Ok(()),
    ///     })
    ///     .await?;
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of the visitor and of [`receive`](Self::receive). Once the end has been
    /// reported, this returns `Ok`.
    pub async fn receive_with<E: From<Error>>(
        &mut self,
        mut visit: impl FnMut(Event<'_>, &mut Replies<'_, S, R, M>) -> Result<(), E>,
    ) -> Result<(), E> {
        poll_fn(|cx| {
            loop {
                let found = match ready!(self.sides.incoming.poll_event(
                    &mut self.sides.outgoing,
                    Receiver::advance,
                    cx
                )) {
                    Some(Ok(found)) => found,
                    Some(Err(error)) => return Poll::Ready(Err(error.into())),
                    None => return Poll::Ready(Ok(())),
                };
                // If waiting for room fails, the event is visited all the same.
                let event = self.sides.incoming.event(found);
                let is_message = matches!(event, Event::Text(_) | Event::Binary(_));
                if is_message && self.sides.outgoing.poll_room(cx).is_pending() {
                    self.sides.incoming.hold();
                    return Poll::Pending;
                }
                visit(event, &mut Replies(&mut self.sides.outgoing))?;
            }
        })
        .await
    }

    /// Works like [`receive`](Self::receive), but returns each piece of a message as soon as it
    /// arrives. The limits on frames and messages do not apply.
    ///
    /// Cancel safe.
    ///
    /// ```no_run
    /// # #[cfg(feature = "tokio")] {
    /// use sansocket::{Error, Event, on_tokio::ServerWebSocket};
    ///
    /// /// Measures each binary message without holding it in memory.
    /// async fn measure(mut websocket: ServerWebSocket) -> Result<(), Error> {
    ///     let mut len = 0;
    ///     while let Some(received) = websocket.receive_chunk().await {
    ///         let (chunk, _replies) = received?;
    ///         if let Event::Binary(piece) = chunk.event {
    ///             len = if chunk.first { piece.len() } else { len + piece.len() };
    ///             if chunk.last {
    ///                 println!("{len} bytes");
    ///             }
    ///         }
    ///     }
    ///     Ok(())
    /// }
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`receive`](Self::receive), and [`Error::Receive`] if another method
    /// has already waited for part of the message.
    pub async fn receive_chunk(
        &mut self,
    ) -> Option<Result<(Chunk<'_>, Replies<'_, S, R, M>), Error>> {
        let Sides { incoming, outgoing, .. } = &mut *self.sides;
        let found =
            poll_fn(|cx| incoming.poll_event(outgoing, Receiver::advance_chunk, cx)).await?;
        Some(found.map(|found| (incoming.chunk(found), Replies(outgoing))))
    }

    /// Waits until the connection no longer needs the transport, and drops messages that still
    /// arrive. Returns how the connection ended. The close timeout limits the wait. If you have not
    /// sent a Close, this sends one with [`CloseCode::NORMAL`].
    ///
    /// After the end is known, this also waits for the peer to end the transport. Otherwise bytes
    /// that the peer sends in the meantime could cause a reset, and the reset could overtake the
    /// last frames of this endpoint.
    ///
    /// Cancel safe: you can call it again.
    pub async fn wait_closed(&mut self) -> Closed {
        if self.sides.outgoing.sending.sender.is_open() {
            // If the Close can't be queued, the end of the transport tells why.
            let _ = self.sides.outgoing.close(CloseCode::NORMAL, "");
        }
        poll_fn(|cx| self.sides.incoming.poll_ended(&mut self.sides.outgoing, cx)).await;
        self.sides.outgoing.sending.end().clone()
    }

    /// Returns how the connection ended, or `None` if it has not ended yet.
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        self.sides.outgoing.sending.sender.closed()
    }

    /// Returns `true` once the connection has ended: [`closed`](Self::closed) then tells how.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state() == State::Closed
    }

    /// Returns the state of the connection.
    #[must_use]
    pub fn state(&self) -> State {
        self.sides.outgoing.sending.sender.state()
    }

    /// Returns the result of the opening handshake.
    #[must_use]
    pub fn negotiated(&self) -> &Negotiated {
        self.sides.rare.negotiated()
    }

    /// Returns what was received and sent so far, or `None` if
    /// [`Config::counters`](crate::Config::counters) is off.
    #[must_use]
    pub fn counters(&self) -> Option<Counters> {
        let Sides { incoming, outgoing, .. } = &*self.sides;
        incoming.counters(&outgoing.sending.sender)
    }

    /// Returns how long the peer takes to answer pings, or `None` before the first answer to a ping of
    /// [keepalive](crate::Config::keepalive). There is no ping, and so no new time, while the peer
    /// sends: [`RoundTripTime`] says how to measure then.
    #[doc(alias = "rtt")]
    #[must_use]
    pub fn round_trip_time(&self) -> Option<RoundTripTime> {
        self.sides.outgoing.sending.sender.round_trip_time()
    }

    /// Returns the number of bytes that wait to be written: those that are queued, and the payloads in
    /// the [outbox](crate::Config::outbox).
    #[doc(alias = "bufferedAmount")]
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.sides.outgoing.sending.buffered_amount()
    }

    /// Returns what the [outbox](crate::Config::outbox) has dropped so far.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        self.sides.outgoing.sending.sender.dropped()
    }

    /// Splits the connection into two halves for two tasks, which may run on different threads.
    ///
    /// The receiving half alone is enough to send pongs, the answer to a Close, and the Close of a
    /// failure. Dropping the [`SendHalf`] does not close the connection. Dropping the
    /// [`ReceiveHalf`] ends it, since nothing answers the peer any more. This includes a half that
    /// is dropped at once, as in `let (sender, _) = websocket.split()`.
    ///
    /// ```no_run
    /// # #[cfg(feature = "tokio")] {
    /// # async fn chat(stream: tokio::net::TcpStream) -> Result<(), sansocket::Error> {
    /// let (mut sender, mut receiver) = sansocket::on_tokio::accept(stream).await?.split();
    /// tokio::spawn(async move {
    ///     while let Some(Ok(message)) = receiver.next().await {
    ///         println!("{message:?}");
    ///     }
    /// });
    /// sender.send("hello").await?;
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    pub fn split(self) -> (SendHalf<S, R, M>, ReceiveHalf<S, R, M>) {
        let Sides { incoming, outgoing, rare } = *self.sides;
        halves(incoming, outgoing, rare)
    }

    /// Takes the connection apart without sending a Close, so that you can continue to use the
    /// transport. For an orderly end of the connection, call [`wait_closed`](Self::wait_closed)
    /// first.
    ///
    /// If you dropped the future of [`receive_with`](Self::receive_with) while it waited for room
    /// in the queue, receive the message that it held back before you call this.
    ///
    /// ```no_run
    /// # #[cfg(feature = "tokio")] {
    /// # use sansocket::on_tokio::ServerWebSocket;
    /// # async fn hand_over(websocket: ServerWebSocket) -> std::io::Result<()> {
    /// use tokio::io::AsyncWriteExt;
    ///
    /// let mut parts = websocket.into_parts();
    /// // What is queued goes out before anything else.
    /// parts.transport.write_all(&parts.unwritten).await?;
    /// println!("{} bytes were read but not received", parts.unread.len());
    /// # Ok(())
    /// # }
    /// # }
    /// ```
    #[doc(alias = "into_inner")]
    #[must_use]
    pub fn into_parts(self) -> Parts<S> {
        let Sides { incoming, outgoing, .. } = *self.sides;
        let (transport, unwritten) = outgoing.into_parts();
        Parts { transport, unread: incoming.into_unread(), unwritten }
    }

    /// Returns the transport, for example to read its options. Do not read from it or write to it.
    #[doc(alias = "transport")]
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.sides.outgoing.transport
    }

    /// Returns the transport mutably, for example to set its options. Do not read from it or write
    /// to it.
    #[doc(alias = "transport_mut")]
    #[must_use]
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.sides.outgoing.transport
    }
}

sending_methods!(WebSocket<S, R, M>, sides.outgoing, report);

impl<S, M: Shell<S>> WebSocket<S, Server, M> {
    /// Works like [`new`](Self::new), for a client whose request is known. With the feature `tracing`, the
    /// span of the connection then has the path and the [client's address](Request::client_address).
    pub fn for_request(
        transport: S,
        request: &Request,
        negotiated: Negotiated,
        input: ReadBuffer,
        config: Config,
    ) -> Self {
        let trace = Trace::of_request(request, &negotiated);
        Self::traced(transport, Server::new(), negotiated, input, config, trace)
    }
}

impl<S, K: MaskKeys, M: Shell<S>> WebSocket<S, Client<K>, M> {
    /// Works like [`new`](Self::new), for a server whose URL is known. With the feature `tracing`, the span
    /// of the connection then has the path, and the host and port of the server.
    pub fn for_url(
        transport: S,
        role: Client<K>,
        url: &Url,
        negotiated: Negotiated,
        input: ReadBuffer,
        config: Config,
    ) -> Self {
        let trace = Trace::of_url(url, &negotiated);
        Self::traced(transport, role, negotiated, input, config, trace)
    }
}

/// A handle to answer a received event: see [`WebSocket::receive`].
///
/// If a reply is refused because the connection is closing, its method returns `Ok`. Go on
/// receiving until the end.
#[derive(Debug)]
pub struct Replies<'a, S, R: Role, M: Shell<S>>(&'a mut Outgoing<S, R, M>);

sending_methods!(Replies<'_, S, R, M>, 0, report_unless_closing);

impl<S, R: Role, M: Shell<S>> Replies<'_, S, R, M> {
    pub(super) fn outgoing(&mut self) -> &mut Outgoing<S, R, M> {
        self.0
    }

    /// Returns the number of bytes that wait to be written: those that are queued, and the payloads in
    /// the [outbox](crate::Config::outbox).
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.0.sending.buffered_amount()
    }

    /// Returns what the [outbox](crate::Config::outbox) has dropped so far.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        self.0.sending.sender.dropped()
    }
}
