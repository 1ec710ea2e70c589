//! A client that connects again when it has lost its connection.

mod attempt;
mod methods;
mod queue;
mod stream;

use super::reconnect_error::{AttemptError, DisconnectReason};
use super::timer::Timer;
use super::{ClientWebSocket, Connector};
use crate::asynchronous::Timer as _;
use crate::client::{GiveUp, NextAttempt, ReconnectConfig, Reconnecting, Retry};
use crate::connection::{Closed, Message};
use crate::handshake::Response;
use crate::random;
use alloc::{boxed::Box, string::String, sync::Arc};
use attempt::Link;
use core::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};
use futures_core::Stream as _;
use std::{io, time::SystemTime};

/// A client that connects, and connects again when it has lost its connection.
///
/// It is a stream of [events](ReconnectEvent): connected, a message, disconnected, given up. It
/// needs no task of its own, and does nothing unless you poll it: [`next`](Self::next) connects,
/// waits for the next attempt, receives, and sends what is queued. So keep calling it.
///
/// ```no_run
/// use sansocket::{
///     Config, connection::Keepalive,
///     on_tokio::{Connector, ReconnectEvent, ReconnectingWebSocket},
/// };
///
/// # async fn listen() {
/// // Without a keepalive, a server that is gone without a Close may not be noticed for hours.
/// let config = Config::default().keepalive(Keepalive::default());
/// let connector = Connector::new().config(config);
/// let mut websocket = ReconnectingWebSocket::new(connector, "wss://example.com/feed")
///     // Runs after each connect.
///     .on_connect(|mut websocket| async move {
///         websocket.send("subscribe").await?;
///         Ok(websocket)
///     });
/// while let Some(event) = websocket.next().await {
///     match event {
///         ReconnectEvent::Connected(response) => println!("{:?}", response.negotiated()),
///         ReconnectEvent::Message(message) => println!("{message:?}"),
///         ReconnectEvent::Disconnected { why, next } => {
///             println!("{why}; attempt {} is in {:?}", next.number, next.pause);
///         }
///         ReconnectEvent::GivenUp { why, .. } => println!("{why}"),
///         _ => {}
///     }
/// }
/// # }
/// ```
///
/// # When it connects again
///
/// After each end and each failure for which [`DisconnectReason::is_transient`] is true, unless
/// [`retry_if`](Self::retry_if) says something else. This is so for the first attempt, too. After
/// anything else, and at the limits of its [`ReconnectConfig`], it gives up. The pauses are those of
/// [`Reconnecting`]: random, with a bound that doubles, and that returns to its start only after a
/// stable connection. The `Retry-After` of a server that refuses is respected within a bound.
///
/// Your own [`close`](Self::close) ends it for good.
///
/// # What happens to messages that you send
///
/// A message is sent **at most once**. While there is no connection, it is refused, and the error
/// returns it to you; or it is [queued](ReconnectConfig::queue) for the next connection, if you have
/// set room for that. By default it is refused.
///
/// Queued messages are sent in order, after [`on_connect`](Self::on_connect) and before newer ones.
/// Each leaves the queue when the connection takes it, which is once the transport has taken the one
/// before.
///
/// A message that a connection has taken is never sent again. If that connection ends, it may be
/// lost, even if sending it succeeded: it may be in the buffers of either system, or of a proxy, and
/// nothing in WebSocket says that the peer's application has seen it. If you need to know, have the
/// peer confirm messages, and send again what is not confirmed.
///
/// # Cancel safety
///
/// Each async method says whether it is cancel safe. An attempt to connect belongs to this type, not
/// to the future of [`next`](Self::next): if you drop that future in `select!`, the attempt goes on
/// with the next call.
///
/// In such a loop, send with [`try_feed`](Self::try_feed). [`send`](Self::send) waits until the
/// message is written, and nothing is received meanwhile: if the peer is gone without a Close, that
/// can be without end, because only receiving finds out, with a
/// [keepalive](crate::connection::Keepalive).
///
/// ```no_run
/// # use sansocket::on_tokio::{Connector, ReconnectEvent, ReconnectingWebSocket};
/// # use tokio::{select, sync::mpsc};
/// # async fn run(mut commands: mpsc::Receiver<String>) {
/// let mut websocket = ReconnectingWebSocket::new(Connector::new(), "wss://example.com/");
/// loop {
///     select! {
///         event = websocket.next() => match event {
///             Some(ReconnectEvent::Message(message)) => println!("{message:?}"),
///             Some(_) => {}
///             None => break,
///         },
///         Some(command) = commands.recv() => {
///             // `next` writes it.
///             if let Err(error) = websocket.try_feed(command) {
///                 println!("not sent: {error}");
///             }
///         }
///     }
/// }
/// # }
/// ```
#[doc(alias = "reconnect")]
#[doc(alias = "backoff")]
#[doc(alias = "retry")]
pub struct ReconnectingWebSocket {
    client: Reconnecting,
    timer: Timer,
    link: Link,
    connect: Connect,
    on_connect: Option<OnConnect>,
    retry_if: Option<RetryIf>,
    /// How the last connection ended.
    closed: Option<Box<Closed>>,
    /// Whether the connection has taken messages since the last flush that succeeded.
    has_unflushed: bool,
    /// The task that waits for an event while there is no connection. A connection has its own.
    receiver: Option<Waker>,
    /// The task that waits to send.
    sender: Option<Waker>,
}

type Attempt = Pin<Box<dyn Future<Output = Result<Connected, AttemptError>> + Send>>;
type Connected = (ClientWebSocket, Response);
type Setup = Pin<Box<dyn Future<Output = Result<ClientWebSocket, AttemptError>> + Send>>;
type Connect = Box<dyn FnMut() -> Attempt + Send>;
type OnConnect = Box<dyn FnMut(ClientWebSocket) -> Setup + Send>;
type RetryIf = Box<dyn FnMut(&DisconnectReason) -> bool + Send>;

/// What a client that reconnects reports.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReconnectEvent {
    /// There is a connection, and it is set up. The response tells what was
    /// [negotiated](Response::negotiated).
    Connected(Box<Response>),
    /// A message has arrived.
    Message(Message),
    /// The connection has ended, or an attempt to connect has failed. There will be another attempt.
    Disconnected {
        /// The reason.
        why: DisconnectReason,
        /// The next attempt, and the pause before it. The pause has begun. Attempts are counted since
        /// the last stable connection, by default one that lasted for 60 seconds.
        next: NextAttempt,
    },
    /// The connection has ended, or an attempt to connect has failed, and there will be no other
    /// attempt. This is the last event.
    GivenUp {
        /// What happened last.
        why: DisconnectReason,
        /// Why there is no other attempt.
        cause: GiveUp,
    },
}

impl ReconnectingWebSocket {
    /// Creates a client that connects to this URL whenever it has no connection.
    ///
    /// An invalid URL is reported by [`GivenUp`](ReconnectEvent::GivenUp), as the first event.
    #[must_use]
    pub fn new(connector: Connector, url: impl Into<String>) -> Self {
        let target = Arc::new((connector, url.into()));
        Self::with_connect(move || {
            let target = Arc::clone(&target);
            async move { Ok(target.0.connect(&target.1).await?) }
        })
    }

    /// Creates a client that connects with a function of yours. Use it if the URL or the header
    /// fields differ from one attempt to the next, or if the stream is your own.
    ///
    /// If the future is not finished within the [timeout](ReconnectConfig::attempt_timeout), it is
    /// dropped, and the attempt has failed.
    ///
    /// ```no_run
    /// use sansocket::on_tokio::{Connector, ReconnectingWebSocket};
    ///
    /// async fn fresh_token() -> std::io::Result<String> {
    ///     Ok("5ca1ab1e".to_owned()) // Ask your service for it.
    /// }
    ///
    /// let mut websocket = ReconnectingWebSocket::with_connect(|| async {
    ///     let url = format!("wss://example.com/feed?token={}", fresh_token().await?);
    ///     Ok(Connector::new().connect(url).await?)
    /// });
    /// ```
    #[must_use]
    pub fn with_connect<C, F>(mut connect: C) -> Self
    where
        C: FnMut() -> F + Send + 'static,
        F: Future<Output = Result<(ClientWebSocket, Response), AttemptError>> + Send + 'static,
    {
        Self {
            client: Reconnecting::new(ReconnectConfig::new()),
            timer: Timer::default(),
            link: Link::None,
            connect: Box::new(move || Box::pin(connect())),
            on_connect: None,
            retry_if: None,
            closed: None,
            has_unflushed: false,
            receiver: None,
            sender: None,
        }
    }

    /// Sets the pauses, the limits and the queue. Call it before anything else: it begins anew with
    /// an empty queue.
    #[must_use]
    pub fn config(mut self, config: ReconnectConfig) -> Self {
        self.client = Reconnecting::new(config);
        self.link = Link::None;
        self
    }

    /// Sets a function that runs after each connect, before
    /// [`Connected`](ReconnectEvent::Connected) is reported and before queued messages are sent:
    /// for example, to authenticate and subscribe.
    ///
    /// It gets the connection and returns it. Its time belongs to that of the
    /// [attempt](ReconnectConfig::attempt_timeout). If it fails, so has the attempt, and
    /// [`AttemptError`] decides whether there is another. If the connection ends meanwhile, return
    /// it all the same: then the end of the connection decides.
    ///
    /// What it receives is not reported as an event. It must not leave a
    /// [fragmented message](crate::asynchronous::WebSocket::feed_fragment) unfinished: a message that
    /// is queued can't be sent after that, so the connection is dropped, and the client gives up.
    #[must_use]
    pub fn on_connect<C, F>(mut self, mut on_connect: C) -> Self
    where
        C: FnMut(ClientWebSocket) -> F + Send + 'static,
        F: Future<Output = Result<ClientWebSocket, AttemptError>> + Send + 'static,
    {
        self.on_connect = Some(Box::new(move |websocket| Box::pin(on_connect(websocket))));
        self
    }

    /// Sets which ends and failures another attempt can help with, in place of
    /// [`DisconnectReason::is_transient`]. Many servers have close codes of their own, for which
    /// the default is to connect again.
    ///
    /// ```
    /// use sansocket::on_tokio::{Connector, DisconnectReason, ReconnectingWebSocket};
    ///
    /// let websocket = ReconnectingWebSocket::new(Connector::new(), "wss://example.com/")
    ///     .retry_if(|why: &DisconnectReason| {
    ///         let is_banned = why.closed().is_some_and(|closed| closed.code.number() == 4003);
    ///         why.is_transient() && !is_banned
    ///     });
    /// ```
    #[must_use]
    pub fn retry_if(
        mut self,
        retry_if: impl FnMut(&DisconnectReason) -> bool + Send + 'static,
    ) -> Self {
        self.retry_if = Some(Box::new(retry_if));
        self
    }

    /// Returns the next event, or `None` if the end was reported.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<ReconnectEvent>> {
        if !matches!(self.link, Link::Open(_) | Link::Refused(_)) && !self.client.is_over() {
            self.receiver = Some(cx.waker().clone());
            let attempted = ready!(self.poll_attempt(cx));
            self.receiver = None;
            return Poll::Ready(Some(match attempted {
                Ok((websocket, response)) => {
                    self.client.connected(self.timer.now());
                    self.link = Link::Open(websocket);
                    self.has_unflushed = false;
                    ReconnectEvent::Connected(Box::new(response))
                }
                Err(why) => self.failed(why),
            }));
        }
        // An error is not reported here: receiving tells how the connection has ended.
        if self.client.first_queued().is_some() && self.poll_queued(cx).is_ready() {
            self.wake_sender();
        }
        let websocket = match &mut self.link {
            Link::Open(websocket) => websocket,
            Link::Refused(_) => return Poll::Ready(self.refused()),
            _ => return Poll::Ready(None),
        };
        let error = match ready!(Pin::new(&mut *websocket).poll_next(cx)) {
            Some(Ok(message)) => return Poll::Ready(Some(ReconnectEvent::Message(message))),
            Some(Err(error)) => error,
            None => match websocket.closed() {
                Some(closed) => closed.clone().into(),
                // Your function left the connection in the middle of a message in chunks, which was
                // reported as an error before.
                None => io::Error::from(io::ErrorKind::NotConnected).into(),
            },
        };
        self.ended();
        if self.client.is_over() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(self.failed(DisconnectReason::Ended(error))))
    }

    /// Drops the connection, and remembers how it ended.
    fn ended(&mut self) {
        if let Link::Open(websocket) = core::mem::replace(&mut self.link, Link::None) {
            self.closed = websocket.closed().cloned().map(Box::new);
        }
        self.wake_sender();
    }

    /// Returns the event for a connection that was dropped because it refused a queued message.
    fn refused(&mut self) -> Option<ReconnectEvent> {
        let Link::Refused(error) = core::mem::replace(&mut self.link, Link::None) else {
            return None;
        };
        (!self.client.is_over()).then(|| self.failed(DisconnectReason::Ended(error)))
    }

    /// Returns the event for an attempt that has failed, or a connection that has ended.
    fn failed(&mut self, why: DisconnectReason) -> ReconnectEvent {
        let is_transient = match &mut self.retry_if {
            Some(retry_if) => retry_if(&why),
            None => why.is_transient(),
        };
        // A clock before the epoch counts as the epoch.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let retry_after = why.error().and_then(|error| error.retry_after(now));
        let retry = Retry::new(is_transient, retry_after);
        // Without random numbers the next attempt fails for good, because its handshake needs them.
        let random = random::number().unwrap_or(u64::MAX);
        match self.client.failed(self.timer.now(), retry, random) {
            Ok(next) => ReconnectEvent::Disconnected { why, next },
            Err(cause) => ReconnectEvent::GivenUp { why, cause },
        }
    }

    fn wake_sender(&mut self) {
        if let Some(waker) = self.sender.take() {
            waker.wake();
        }
    }
}

impl fmt::Debug for ReconnectingWebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReconnectingWebSocket")
            .field("client", &self.client)
            .field("link", &self.link)
            .field("closed", &self.closed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_small() {
        assert!(size_of::<ReconnectEvent>() <= 64);
    }
}
