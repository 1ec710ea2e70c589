//! A connection over a blocking transport, and the means to reply to what it receives.

use super::Transport;
use super::access::Sending;
use super::connections::linger;
use super::incoming::{Incoming, leave, tell_end};
use super::methods::{report, report_unless_closing, sending_methods};
use super::outgoing::Outgoing;
use super::owning_server::{OwningServer, ServerHandle};
use super::shared::Reading;
use super::split::{ReceiveHalf, SendHalf};
use super::timed::Timed;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::connection::{
    AsPayload, Chunk, Client, Closed, Config, Connection, Counters, Dropped, Event, Message,
    Pushed, Receiver, Role, RoundTripTime, Server, State,
};
use crate::ends_on_drop::{End, EndsOnDrop};
use crate::error::Error;
use crate::frame::CloseCode;
use crate::handshake::{Request, Url};
use crate::mask::MaskKeys;
use crate::negotiated::Negotiated;
use crate::trace::Trace;
use crate::transport::Parts;
use alloc::{boxed::Box, sync::Arc};

/// A WebSocket connection over a blocking [`Transport`].
///
/// Receive with [`next`](Self::next), as an iterator, or with [`receive`](Self::receive), which
/// lends the message instead of copying it. While one of them waits, the connection answers pings
/// and finishes the closing handshake. Before they wait, they write what is queued.
///
/// The loop over messages ends with `None` after a clean close. After any other end it yields one
/// `Err` and then `None`. In both cases [`closed`](Self::closed) tells how the connection ended.
/// The loop ends as soon as that is known. On a server, the client may not have read everything by
/// then: [`wait_closed`](Self::wait_closed) gives it the time.
///
/// If the [transport](Self::get_mut) is nonblocking, or a timeout that you set on it expires, a
/// method returns an error for which [`is_would_block`](crate::Error::is_would_block) is `true`.
/// Nothing is lost: call the receiving method again. What you sent is queued: call
/// [`flush`](Self::flush).
///
/// A sending method waits until the transport has taken everything that is queued, and does not
/// read in the meantime. Two endpoints that both send a lot without reading can block each other. A
/// [`split`](Self::split) connection can read while it writes.
///
/// If you drop the connection before it has ended, it sends no Close. It spends a few milliseconds
/// writing what is queued and ending the transport, and abandons the rest. Under
/// [`serve`](super::serve) it takes up to 2 seconds for that, so that the peer can read all of it.
#[derive(Debug)]
pub struct WebSocket<S: Transport, R: Role> {
    pub(super) incoming: Incoming<R>,
    pub(super) outgoing: EndsOnDrop<Outgoing<S, Sending<R>>>,
    negotiated: Box<Negotiated>,
}

/// The sending side of a dropped connection writes what it can, and ends the transport.
impl<S: Transport, R: Role> End for Outgoing<S, Sending<R>> {
    fn end(&mut self) {
        let Sending { sender, queue } = &self.sending;
        if self.server.is_some() && sender.needs_lingering(queue) {
            let unwritten = self.take_unwritten();
            if !self.trace.is_none() {
                // Nobody learns more of the end than this.
                self.sending.end();
            }
            linger(&mut self.transport.transport, unwritten);
        } else {
            leave(self);
        }
        tell_end(self);
    }
}

impl<S: Transport, R: Role> WebSocket<S, R> {
    /// Creates a connection after an opening handshake that this crate or other code has done.
    ///
    /// `input` holds any bytes that the peer sent after its handshake.
    #[doc(alias = "from_raw_socket")]
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
        let outgoing =
            Outgoing::new(Timed::new(transport), Sending::new(sender, WriteBuffer::new()), trace);
        Self {
            incoming: Incoming::new(receiver, input),
            outgoing: EndsOnDrop::new(outgoing),
            negotiated: Box::new(negotiated),
        }
    }

    /// Sets the server that runs the connection.
    pub(super) fn with_server(mut self, server: Arc<impl OwningServer + 'static>) -> Self {
        if let Some(limit) = server.traffic_limit() {
            self.incoming.count_traffic(limit);
        }
        self.outgoing.server = Some(ServerHandle(server));
        self
    }

    /// Waits for the next event and lends it, together with the means to reply to it.
    ///
    /// ```no_run
    /// use sansocket::{Event, blocking};
    ///
    /// # fn echo(stream: std::net::TcpStream) -> Result<(), sansocket::Error> {
    /// let mut websocket = blocking::accept(stream)?;
    /// while let Some(received) = websocket.receive() {
    ///     match received? {
    ///         (Event::Text(text), mut replies) => replies.feed(text)?,
    ///         (Event::Binary(data), mut replies) => replies.feed(data)?,
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`Error::Protocol`] or [`Error::Closed`] once if the connection ended without a
    /// closing handshake, and `None` from then on. Returns [`Error::Receive`] if you began this
    /// message with [`receive_chunk`](Self::receive_chunk). Returns [`Error::Io`] if the transport
    /// failed or was not ready: if [`is_would_block`](Error::is_would_block) is `true`, nothing is
    /// lost, so call this again.
    pub fn receive(&mut self) -> Option<Result<(Event<'_>, Replies<'_, S, R>), Error>> {
        let (advance, look) = (Receiver::advance, Receiver::event);
        let received = self.incoming.receive(&mut *self.outgoing, advance, look)?;
        Some(received.map(|event| (event, Replies(&mut *self.outgoing))))
    }

    /// Returns the next event if all of it has already been read. This never waits and never reads.
    ///
    /// Use it after [`receive`](Self::receive) to handle everything that arrived together, and so
    /// answer all of it with one write. `None` does not mean that the connection has ended; only
    /// [`receive`](Self::receive) reports that.
    ///
    /// ```no_run
    /// # use sansocket::{Error, Event, blocking::ServerWebSocket};
    /// # fn echo(mut websocket: ServerWebSocket) -> Result<(), Error> {
    /// while let Some(received) = websocket.receive() {
    ///     let mut next = Some(received?);
    ///     while let Some((event, mut replies)) = next {
    ///         if let Event::Text(text) = event {
    ///             replies.feed(text)?;
    ///         }
    ///         next = websocket.receive_buffered();
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn receive_buffered(&mut self) -> Option<(Event<'_>, Replies<'_, S, R>)> {
        let event = self.incoming.receive_buffered(&mut *self.outgoing)?;
        Some((event, Replies(&mut *self.outgoing)))
    }

    /// Calls `visit` for each event until the connection ends. An error from `visit` ends the loop
    /// but not the connection.
    ///
    /// ```no_run
    /// use sansocket::{Error, Event, blocking::accept};
    ///
    /// # fn echo(stream: std::net::TcpStream) -> Result<(), Error> {
    /// accept(stream)?.receive_with(|event, replies| match event {
    ///     Event::Text(text) => replies.feed(text),
    ///     Event::Binary(data) => replies.feed(data),
    ///     _ => Ok(()),
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of `visit` and of [`receive`](Self::receive). Once the end has been
    /// reported, this returns `Ok`.
    pub fn receive_with<E: From<Error>>(
        &mut self,
        mut visit: impl FnMut(Event<'_>, &mut Replies<'_, S, R>) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(received) = self.receive() {
            let (event, mut replies) = received?;
            visit(event, &mut replies)?;
        }
        Ok(())
    }

    /// Waits for the next piece of a message, and lends it as soon as it has arrived. Apart from
    /// that it works like [`receive`](Self::receive). The limits for frames and messages do not
    /// apply.
    ///
    /// ```no_run
    /// use sansocket::{Error, Event, blocking::ServerWebSocket};
    ///
    /// /// Measures each binary message without holding it in memory.
    /// fn measure(mut websocket: ServerWebSocket) -> Result<(), Error> {
    ///     let mut len = 0;
    ///     while let Some(received) = websocket.receive_chunk() {
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
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`receive`](Self::receive), and [`Error::Receive`] if you began to
    /// receive this message with another method.
    pub fn receive_chunk(&mut self) -> Option<Result<(Chunk<'_>, Replies<'_, S, R>), Error>> {
        let (advance, look) = (Receiver::advance_chunk, Receiver::chunk);
        let received = self.incoming.receive(&mut *self.outgoing, advance, look)?;
        Some(received.map(|chunk| (chunk, Replies(&mut *self.outgoing))))
    }

    sending_methods!(report);

    fn with_outgoing<T>(&mut self, act: impl FnOnce(&mut Outgoing<S, Sending<R>>) -> T) -> T {
        act(&mut self.outgoing)
    }

    /// Waits until the connection no longer needs the transport, and drops messages that still
    /// arrive. Returns how the connection ended. The close timeout limits the wait. If you have not
    /// sent a Close, this sends one with [`CloseCode::NORMAL`].
    pub fn wait_closed(&mut self) -> Closed {
        if self.outgoing.sending.sender.is_open() {
            // If the Close can't be sent, the end of the connection says why.
            let _ = self.close(CloseCode::NORMAL, "");
        }
        self.incoming.wait_ended(&mut *self.outgoing);
        self.outgoing.sending.end().clone()
    }

    /// Splits the connection for a thread that reads and a thread that writes. Neither waits for
    /// the other: even while the writing thread is blocked by a peer that does not read, the
    /// reading thread receives messages and answers pings.
    ///
    /// When one half ends the connection, the other half notices: sending fails with
    /// [`Error::Closed`], and a blocked write returns. Splitting removes any timeouts that you have
    /// set on the transport, and the halves ignore those that you set later. To end a connection
    /// from another thread, for example because nothing answers pings any more, keep a second
    /// handle on the socket (`try_clone`) and shut that down.
    ///
    /// ```no_run
    /// use sansocket::{CloseCode, blocking};
    /// use std::thread;
    ///
    /// let websocket = blocking::connect("ws://127.0.0.1:9001/")?;
    /// let (mut send_half, mut receive_half) = websocket.split()?;
    /// let reader = thread::spawn(move || -> Result<(), sansocket::Error> {
    ///     for message in receive_half.by_ref() {
    ///         println!("{:?}", message?);
    ///     }
    ///     println!("{:?}", receive_half.closed());
    ///     Ok(())
    /// });
    /// send_half.send("hello")?;
    /// // The reader continues until the server has closed too.
    /// send_half.close(CloseCode::NORMAL, "")?;
    /// let _ = reader.join();
    /// # Ok::<(), sansocket::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`Error::Io`] if the transport can't make a second handle: see
    /// [`Transport::try_clone`]. The connection is then dropped.
    pub fn split(mut self) -> Result<(SendHalf<S, R>, ReceiveHalf<S, R>), Error> {
        let reader = self.outgoing.transport.try_clone()?;
        let reading = Reading::new(reader, self.outgoing.take());
        let shared = Arc::clone(&reading.shared);
        let Self { incoming, negotiated, .. } = self;
        Ok((
            SendHalf { shared },
            ReceiveHalf { incoming, reading: EndsOnDrop::new(reading), negotiated },
        ))
    }

    /// Returns how the connection ended, or `None` if it has not ended.
    #[must_use]
    pub fn closed(&self) -> Option<&Closed> {
        self.outgoing.sending.sender.closed()
    }

    /// Returns `true` once the connection has ended: [`closed`](Self::closed) then tells how.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state() == State::Closed
    }

    /// Returns the state of the connection.
    #[must_use]
    pub fn state(&self) -> State {
        self.outgoing.sending.sender.state()
    }

    /// Returns what the opening handshake agreed on.
    #[must_use]
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// Returns what was received and sent so far, or `None` if
    /// [`Config::counters`](crate::Config::counters) is off.
    #[must_use]
    pub fn counters(&self) -> Option<Counters> {
        self.incoming.counters(&self.outgoing.sending.sender)
    }

    /// Returns how long the peer takes to answer pings, or `None` before the first answer to a ping of
    /// [keepalive](crate::Config::keepalive). There is no ping, and so no new time, while the peer
    /// sends: [`RoundTripTime`] says how to measure then.
    #[doc(alias = "rtt")]
    #[must_use]
    pub fn round_trip_time(&self) -> Option<RoundTripTime> {
        self.outgoing.sending.sender.round_trip_time()
    }

    /// Returns the number of bytes that wait to be written: those that are queued, and the payloads in
    /// the [outbox](crate::Config::outbox).
    #[doc(alias = "bufferedAmount")]
    #[must_use]
    pub fn buffered_amount(&self) -> usize {
        self.outgoing.sending.buffered_amount()
    }

    /// Returns what the [outbox](crate::Config::outbox) has dropped so far.
    #[must_use]
    pub fn dropped(&self) -> Dropped {
        self.outgoing.sending.sender.dropped()
    }

    /// Takes the connection apart without sending a Close. You can continue to use the transport.
    /// To end the connection cleanly first, call [`wait_closed`](Self::wait_closed).
    ///
    /// ```no_run
    /// # use sansocket::blocking::ServerWebSocket;
    /// # fn hand_over(websocket: ServerWebSocket) -> std::io::Result<()> {
    /// use std::io::Write;
    ///
    /// let mut parts = websocket.into_parts();
    /// // What is queued goes out before anything else.
    /// parts.transport.write_all(&parts.unwritten)?;
    /// println!("{} bytes were read but not received", parts.unread.len());
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "into_inner")]
    #[must_use]
    pub fn into_parts(self) -> Parts<S> {
        let Self { incoming, outgoing, .. } = self;
        let (transport, unwritten) = outgoing.take().into_parts();
        Parts { transport, unread: incoming.into_unread(), unwritten }
    }

    /// Reassembles a connection from its two halves.
    pub(super) fn from_halves(
        incoming: Incoming<R>,
        outgoing: Outgoing<S, Sending<R>>,
        negotiated: Box<Negotiated>,
    ) -> Self {
        Self { incoming, outgoing: EndsOnDrop::new(outgoing), negotiated }
    }

    /// Returns the transport, so that you can inspect it or set its options. Don't read from it or
    /// write to it.
    #[doc(alias = "transport")]
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.outgoing.transport.transport
    }

    /// Returns the transport mutably. The restrictions of [`get_ref`](Self::get_ref) apply.
    ///
    /// You can set timeouts on it. When one expires, the method in progress returns an error for
    /// which [`is_would_block`](crate::Error::is_would_block) is `true`. While the connection waits
    /// for one of its own deadlines, it sets other timeouts, and afterwards restores yours.
    #[doc(alias = "transport_mut")]
    #[must_use]
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.outgoing.transport.transport
    }
}

impl<S: Transport> WebSocket<S, Server> {
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

impl<S: Transport, K: MaskKeys> WebSocket<S, Client<K>> {
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

/// Iterates over owned messages.
impl<S: Transport, R: Role> Iterator for WebSocket<S, R> {
    type Item = Result<Message, Error>;

    /// Waits for the next message. The connection handles control frames itself and does not return
    /// them; [`receive`](WebSocket::receive) does.
    #[doc(alias = "read")]
    #[doc(alias = "read_message")]
    fn next(&mut self) -> Option<Self::Item> {
        self.incoming.next(&mut *self.outgoing)
    }
}

/// The means to reply while you borrow a received event: see [`WebSocket::receive`].
#[derive(Debug)]
pub struct Replies<'a, S, R>(&'a mut Outgoing<S, Sending<R>>);

impl<S: Transport, R: Role> Replies<'_, S, R> {
    sending_methods!(report_unless_closing);

    fn with_outgoing<T>(&mut self, act: impl FnOnce(&mut Outgoing<S, Sending<R>>) -> T) -> T {
        act(self.0)
    }

    pub(super) fn outgoing(&mut self) -> &mut Outgoing<S, Sending<R>> {
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
