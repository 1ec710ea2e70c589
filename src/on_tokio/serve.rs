//! A server that runs each connection in a task.

use super::connections::{Connections, HandshakeSlot, ServedConnection};
use super::timer::Timer;
use super::{Acceptor, ServerWebSocket};
use crate::asynchronous::{Timer as _, exchange::until};
use crate::error::Error;
use crate::handshake::{Accept, PlainResponse, Request};
use crate::server::{AcceptFailures, Admission, PerAddress};
use crate::serving::{
    LimitedClient, LimitedClients, Options, ServeError, Visitor, accept_failure, serve_options,
};
use crate::trace::accept_failed;
use ::tokio::{
    net::{TcpListener, TcpStream},
    runtime::Handle,
};
use alloc::{boxed::Box, sync::Arc};
use core::{
    fmt,
    future::{Future, IntoFuture, pending, poll_fn},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use std::io;

/// Serves WebSocket connections: accepts them until [`shutdown`](Serve::shutdown), and runs
/// `handler` with each open connection in a task of its own. Set options, then `await` the result.
///
/// - A failure to accept does not stop the server. It pauses before the next attempt if the system
///   is out of file descriptors or memory.
/// - A handler that fails or panics ends only its own connection. Failures are reported to
///   [`on_error`](Serve::on_error). Panics are not reported there, but the panic hook sees them.
/// - When a handler drops a WebSocket, the server still writes its queue, for at most 2 seconds,
///   and reads and drops up to 1 MiB that the peer still sends. It sends no Close of its own.
///   Dropping a [`ReceiveHalf`](super::ReceiveHalf) sends one with 1001.
/// - Dropping the future drops the connections too. Those that are not split send no Close. The same
///   happens if `main` returns while the server runs in a task. To close all connections, use
///   [`shutdown`](Serve::shutdown), and wait for the server.
/// - To run the server in a task, write `tokio::spawn(serve(..).into_future())`.
/// - The address of the client is [`Request::client_address`]. Behind a proxy, name
///   [trusted proxies](crate::server::TrustedProxies).
/// - If `handler` is a closure that ends with `Ok(())`, name the type of its error:
///   `Ok::<(), Error>(())`.
///
/// ```no_run
/// use sansocket::{Error, Event, on_tokio::{ServerWebSocket, serve}};
/// use tokio::{net::TcpListener, sync::oneshot};
///
/// async fn echo(mut websocket: ServerWebSocket) -> Result<(), Error> {
///     while let Some(received) = websocket.receive().await {
///         // During a shutdown, `websocket.send` returns an error; a reply does not.
///         if let (Event::Text(text), mut replies) = received? {
///             replies.send(text).await?;
///         }
///     }
///     Ok(())
/// }
///
/// # async fn run(stopped: oneshot::Receiver<()>) -> std::io::Result<()> {
/// let listener = TcpListener::bind("127.0.0.1:9001").await?;
/// serve(listener, |websocket, _request| echo(websocket))
///     .max_connections(10_000)
///     .on_error(|error| eprintln!("{error}"))
///     .shutdown(async { drop(stopped.await) })
///     .await;
/// # Ok(())
/// # }
/// ```
pub fn serve<H, F, E>(listener: TcpListener, handler: H) -> Serve<H>
where
    H: Fn(ServerWebSocket, Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<Box<dyn core::error::Error + Send + Sync>> + 'static,
{
    Serve {
        listener,
        handler,
        acceptor: Acceptor::new(),
        options: Options::new(),
        shutdown: Box::pin(pending()),
    }
}

type Shutdown = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A configured server: see [`serve`]. It serves once you `await` it.
#[must_use = "a server does nothing until it is awaited"]
pub struct Serve<H> {
    listener: TcpListener,
    handler: H,
    acceptor: Acceptor,
    options: Options,
    shutdown: Shutdown,
}

impl<H> Serve<H> {
    serve_options!(
        "It must not block the thread. For a decision that takes time, use \
        [`Acceptor::receive_request`](crate::server::Acceptor::receive_request) in a loop of your \
        own."
    );

    /// Sets when to shut down: once `when` is ready. By default the server runs until you drop it.
    ///
    /// At shutdown the listener is dropped, so new clients are refused. Each connection closes with
    /// [`CloseCode::GOING_AWAY`](crate::CloseCode::GOING_AWAY) as soon as its handler receives or
    /// waits to receive. The handler still receives what the client sends, and then the end.
    /// Messages that it sends after that Close fail with an error for which
    /// [`is_closed`](crate::Error::is_closed) is true. Handshakes in progress are finished first, so
    /// a client that has sent nothing yet can take the handshake timeout.
    ///
    /// The server returns when all connections have ended. When the
    /// [`shutdown_timeout`](Self::shutdown_timeout) has passed, it drops the remaining handlers
    /// with their connections. A handler that blocks its thread is dropped only once it yields. If a
    /// handler spawns tasks of its own, ending them is up to you.
    pub fn shutdown(mut self, when: impl Future<Output = ()> + Send + 'static) -> Self {
        self.shutdown = Box::pin(when);
        self
    }
}

impl<H, F, E> IntoFuture for Serve<H>
where
    H: Fn(ServerWebSocket, Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<Box<dyn core::error::Error + Send + Sync>> + 'static,
{
    type Output = ();
    type IntoFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(run(self))
    }
}

impl<H> fmt::Debug for Serve<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("acceptor", &self.acceptor)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// The parts that the task of each connection needs.
struct Service<H> {
    handler: H,
    acceptor: Acceptor,
    options: Options,
    clients: Option<Arc<LimitedClients>>,
}

/// Aborts the tasks when the server is dropped.
struct Running(Arc<Connections>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.end();
    }
}

async fn run<H, F, E>(serve: Serve<H>)
where
    H: Fn(ServerWebSocket, Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<Box<dyn core::error::Error + Send + Sync>> + 'static,
{
    let Serve { listener, handler, acceptor, options, mut shutdown } = serve;
    let admission = Admission::new(options.max_connections, options.max_handshakes);
    let timeout = options.shutdown_timeout;
    let running = Running(Connections::new(admission, Handle::current()));
    let connections = &running.0;
    let clock = Timer::default();
    let clients = LimitedClients::new(&options, move || clock.now());
    let service = Arc::new(Service { handler, acceptor, options, clients });
    let mut accepting = Accepting::new(listener);
    poll_fn(|cx| {
        if shutdown.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let _ = connections.poll_tasks(cx);
        loop {
            let (stream, peer) = ready!(accepting.poll(connections, &service.options, cx));
            let Some(visitor) = service.arrive(peer) else { continue };
            let (served, slot) = connections.admit();
            connections.spawn(attend(Arc::clone(&service), stream, visitor, served, slot));
        }
    })
    .await;
    // From now on new clients are refused.
    drop(accepting);
    connections.begin_shutdown();
    let mut timer = Timer::default();
    let end = timer.now().saturating_add(timeout);
    until(&mut timer, Some(end), poll_fn(|cx| connections.poll_empty(cx))).await;
    connections.end();
    poll_fn(|cx| connections.poll_tasks(cx)).await;
}

/// Runs one connection, from its handshake on.
async fn attend<H, F, E>(
    service: Arc<Service<H>>,
    stream: TcpStream,
    visitor: Box<Visitor>,
    served: Arc<ServedConnection>,
    slot: HandshakeSlot,
) where
    H: Fn(ServerWebSocket, Request) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Into<Box<dyn core::error::Error + Send + Sync>> + 'static,
{
    // Boxed to keep the handshakes out of the task that continues with the connection.
    let opened = Box::pin(service.open(stream, visitor, slot)).await;
    let Opened { peer, client, websocket, request } = match opened {
        Ok(opened) => opened,
        Err((visitor, error)) => return visitor.failed(error, &service.options),
    };
    // The connection counts as long as the handler, whatever the handler does with it.
    let server = served.owned(client);
    let websocket = websocket.with_server(Arc::clone(&server));
    let handled = (service.handler)(websocket, request).await;
    if let Err(error) = handled {
        service.options.report(ServeError::Handler { peer, error: error.into() });
    }
}

impl<H> Service<H> {
    /// Returns the client of a new connection, or `None` if the connection is to be dropped.
    fn arrive(&self, peer: SocketAddr) -> Option<Box<Visitor>> {
        Visitor::arrive(peer, self.clients.as_ref(), &self.acceptor)
    }

    /// Performs the opening handshake. An error comes with the client.
    async fn open(
        &self,
        stream: TcpStream,
        mut visitor: Box<Visitor>,
        slot: HandshakeSlot,
    ) -> Result<Opened, (Box<Visitor>, Error)> {
        match self.open_for(&mut visitor, stream, slot).await {
            Ok((websocket, request)) => {
                let (peer, client) = (visitor.address(), visitor.into_limited());
                Ok(Opened { peer, client, websocket, request })
            }
            Err(error) => Err((visitor, error)),
        }
    }

    async fn open_for(
        &self,
        visitor: &mut Visitor,
        stream: TcpStream,
        slot: HandshakeSlot,
    ) -> Result<(ServerWebSocket, Request), Error> {
        let begun = self.acceptor.begin_tcp(stream, &mut visitor.peer).await;
        let (stream, end) =
            begun.inspect_err(|error| accept_failed(Some(visitor.address()), error))?;
        visitor.identified(&self.acceptor)?;
        let secured = self.acceptor.secure(stream, visitor.peer, end).await;
        let (stream, accepting) =
            secured.inspect_err(|error| accept_failed(Some(visitor.address()), error))?;
        let accepting = accepting.with_place(Box::new(slot));
        let decide = |request: &Request| visitor.decide(request, &self.options);
        Acceptor::accept_asked(accepting, stream, decide).await
    }
}

/// An open connection.
struct Opened {
    /// The address of the client.
    peer: SocketAddr,
    /// The place among the connections of that address, if they are limited.
    client: Option<Arc<LimitedClient>>,
    websocket: ServerWebSocket,
    request: Request,
}

/// A listener that continues after failures.
struct Accepting {
    listener: TcpListener,
    failures: AcceptFailures,
    timer: Timer,
    /// When to try again after a failure.
    pause: Option<Duration>,
}

impl Accepting {
    fn new(listener: TcpListener) -> Self {
        let failures = AcceptFailures::default();
        Self { listener, failures, timer: Timer::default(), pause: None }
    }

    /// Waits for room for a connection, and then for the connection.
    fn poll(
        &mut self,
        connections: &Connections,
        options: &Options,
        cx: &mut Context<'_>,
    ) -> Poll<(TcpStream, SocketAddr)> {
        loop {
            if let Some(moment) = self.pause {
                ready!(self.timer.poll_until(moment, cx));
                self.pause = None;
            }
            ready!(connections.poll_room(cx));
            match ready!(self.listener.poll_accept(cx)) {
                Ok(accepted) => {
                    self.failures.accepted();
                    return Poll::Ready(accepted);
                }
                Err(error) => self.failed(error, options),
            }
        }
    }

    fn failed(&mut self, error: io::Error, options: &Options) {
        let pause = self.failures.failed(accept_failure(&error));
        self.pause = pause.map(|pause| self.timer.now().saturating_add(pause));
        options.report(ServeError::Accept(error));
    }
}
