//! A server that runs each connection in a thread.

use super::connections::{Connections, HandshakeSlot, ServedConnection};
use super::outcomes::Outcomes;
use super::{Acceptor, ServerWebSocket};
use crate::error::Error;
use crate::handshake::{Accept, PlainResponse, Request};
use crate::server::{AcceptFailure, AcceptFailures, Admission, PerAddress};
use crate::serving::{LimitedClients, Options, ServeError, Visitor, accept_failure, serve_options};
use crate::trace::accept_failed;
use alloc::{boxed::Box, string::ToString, sync::Arc};
use core::{fmt, net::SocketAddr, time::Duration};
use std::net::{TcpListener, TcpStream};
use std::{io, thread, time::Instant};

/// Serves WebSocket connections: accepts them until the [shutdown](Serve::shutdown_handle), and runs
/// `handler` for each open connection in its own thread. Set options, then call [`run`](Serve::run).
///
/// - A failure to accept a connection does not end the loop. If the system has no files, threads or
///   memory left, the loop pauses before it goes on.
/// - A handler that fails or panics ends only its own connection. [`on_error`](Serve::on_error)
///   receives the error; a panic goes to the panic hook instead.
/// - Dropping a WebSocket takes up to 2 seconds. In this time the server writes what is queued, and
///   reads and drops up to 1 MiB of what the peer still sends. This ends early when the peer ends
///   its side. The server sends no Close unless the handler did.
/// - Each connection uses two of the process's file descriptors, a split one three.
/// - The address of the client is [`Request::client_address`]. Behind a proxy, name
///   [trusted proxies](crate::server::TrustedProxies).
/// - If `handler` is a closure that ends with `Ok(())`, name the type of its error:
///   `Ok::<(), Error>(())`.
///
/// ```no_run
/// use sansocket::{Error, Event, blocking::{ServerWebSocket, serve}};
/// use std::{net::TcpListener, thread};
///
/// fn echo(mut websocket: ServerWebSocket) -> Result<(), Error> {
///     while let Some(received) = websocket.receive() {
///         // During a shutdown, `websocket.send` returns an error; a reply does not.
///         if let (Event::Text(text), mut replies) = received? {
///             replies.send(text)?;
///         }
///     }
///     Ok(())
/// }
///
/// let listener = TcpListener::bind("127.0.0.1:9001")?;
/// let server = serve(listener, |websocket, _request| echo(websocket))
///     .max_connections(100)
///     .on_error(|error| eprintln!("{error}"));
/// let shutdown = server.shutdown_handle();
/// thread::spawn(move || {
///     let _ = std::io::stdin().read_line(&mut String::new());
///     shutdown.shutdown();
/// });
/// server.run();
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn serve<H, E>(listener: TcpListener, handler: H) -> Serve<H>
where
    H: Fn(ServerWebSocket, Request) -> Result<(), E> + Send + Sync + 'static,
    E: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    let connections = Connections::new(listener.local_addr().ok());
    Serve { listener, handler, acceptor: Acceptor::new(), options: Options::new(), connections }
}

/// A server that is ready to run: see [`serve`].
#[must_use = "a server does nothing until you call `run`"]
pub struct Serve<H> {
    listener: TcpListener,
    handler: H,
    acceptor: Acceptor,
    options: Options,
    connections: Arc<Connections>,
}

/// A handle that shuts a server down from another thread: see [`Serve::shutdown_handle`].
#[derive(Clone, Debug)]
pub struct ShutdownHandle(Arc<Connections>);

impl ShutdownHandle {
    /// Tells the server to shut down. This does not wait for the connections, but can take up to a
    /// second itself: it connects to the server to wake it. A server that is not running yet shuts
    /// down when you run it.
    ///
    /// Connecting can fail, for example because of a firewall, because the process has no file
    /// descriptors left, or because another socket that listens on the same address
    /// (`SO_REUSEPORT`) gets the connections. The server then shuts down when the next client
    /// connects, or when you call this again.
    ///
    /// The server drops the listener, so new clients are refused. Each connection closes with
    /// [`CloseCode::GOING_AWAY`](crate::CloseCode::GOING_AWAY) while its handler waits to receive,
    /// within 200 milliseconds. The handler still receives what the client sends, and then the end.
    /// If the handler sends after that Close, it gets an error for which
    /// [`is_closed`](crate::Error::is_closed) is `true`. Opening handshakes in progress are
    /// finished first, so a client that has sent nothing yet can take the handshake timeout.
    ///
    /// [`Serve::run`] returns when all connections are gone. After the
    /// [`shutdown_timeout`](Serve::shutdown_timeout), the server ends the remaining transports, so
    /// that their handlers fail, and `run` returns within a second. A handler that is busy with
    /// something else continues in its thread.
    pub fn shutdown(&self) {
        self.0.begin_shutdown();
    }
}

impl<H> Serve<H> {
    serve_options!(
        "It may block. Meanwhile the connection counts towards \
        [`max_handshakes`](Self::max_handshakes)."
    );

    /// Returns a handle that stops the server.
    #[must_use]
    pub fn shutdown_handle(&self) -> ShutdownHandle {
        ShutdownHandle(Arc::clone(&self.connections))
    }
}

impl<H, E> Serve<H>
where
    H: Fn(ServerWebSocket, Request) -> Result<(), E> + Send + Sync + 'static,
    E: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    /// Serves until the server is stopped.
    pub fn run(self) {
        let Self { listener, handler, acceptor, options, connections } = self;
        let timeout = options.shutdown_timeout;
        connections.open(Admission::new(options.max_connections, options.max_handshakes));
        let began = Instant::now();
        let clients = LimitedClients::new(&options, move || began.elapsed());
        let service = Arc::new(Service { handler, acceptor, options, clients });
        service.accept(listener, &connections);
        if !connections.wait_empty(timeout) {
            connections.end();
            connections.wait_empty(LAST_WAIT);
        }
    }
}

/// How long handlers get to return after their transports were ended.
const LAST_WAIT: Duration = Duration::from_secs(1);

impl<H> fmt::Debug for Serve<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Serve")
            .field("listener", &self.listener)
            .field("acceptor", &self.acceptor)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Everything that the threads of the connections need.
struct Service<H> {
    handler: H,
    acceptor: Acceptor,
    options: Options,
    clients: Option<Arc<LimitedClients>>,
}

impl<H, E> Service<H>
where
    H: Fn(ServerWebSocket, Request) -> Result<(), E> + Send + Sync + 'static,
    E: Into<Box<dyn core::error::Error + Send + Sync>>,
{
    /// Accepts connections until the server shuts down.
    fn accept(self: &Arc<Self>, listener: TcpListener, connections: &Arc<Connections>) {
        // A nonblocking listener would make this a busy loop.
        let _ = listener.set_nonblocking(false);
        let mut failures = AcceptFailures::default();
        // A client for which there was no file or thread. It is served after the pause.
        let mut waiting = None;
        while connections.wait_for_room() {
            let accepted = waiting.take().map_or_else(
                || listener.accept().map(|(stream, peer)| (stream, peer, None)),
                |(stream, peer, visitor)| Ok((stream, peer, Some(visitor))),
            );
            connections.has_accepted();
            let begun = match accepted {
                // The server is shutting down: drop the stream. It is the connection that woke this
                // thread, or a client that was still waiting in the queue.
                Ok(_) if connections.is_shutting_down() => Ok(()),
                Ok((stream, peer, visitor)) => match visitor.or_else(|| self.arrive(peer)) {
                    // Only the system's lack of files, threads or memory makes this fail. The kind of
                    // the error does not say so: a lack of threads is an error that would block.
                    Some(visitor) => self.begin(stream, visitor, connections).map_err(
                        |(error, stream, visitor)| {
                            waiting = Some((stream, peer, visitor));
                            (AcceptFailure::OfThisEndpoint, error)
                        },
                    ),
                    // There are too many from this address: drop the stream.
                    None => Ok(()),
                },
                Err(error) => Err((accept_failure(&error), error)),
            };
            match begun {
                Ok(()) => failures.accepted(),
                Err((failure, error)) => {
                    let pause = failures.failed(failure);
                    self.options.report(ServeError::Accept(error));
                    connections.pause(pause.unwrap_or_default());
                }
            }
        }
    }

    /// Returns the client of a new connection, or `None` if the connection is to be dropped.
    fn arrive(&self, peer: SocketAddr) -> Option<Box<Visitor>> {
        Visitor::arrive(peer, self.clients.as_ref(), &self.acceptor)
    }

    /// Starts the thread of a connection. Returns the stream and the client if the system has no
    /// thread or file left.
    fn begin(
        self: &Arc<Self>,
        stream: TcpStream,
        visitor: Box<Visitor>,
        connections: &Arc<Connections>,
    ) -> Result<(), (io::Error, TcpStream, Box<Visitor>)> {
        let service = Arc::clone(self);
        // The thread gets the stream once it exists: a thread that can't start drops what it has.
        let given = Outcomes::<Option<(TcpStream, _, _, _)>>::new();
        let taken = given.clone();
        let attends = move || {
            if let Some(Some((stream, visitor, served, slot))) = taken.wait(None) {
                service.attend(stream, visitor, &served, slot);
            }
        };
        let thread = thread::Builder::new().name("sansocket serve".to_string());
        let begun = thread.spawn(attends).and_then(|_| connections.admit(&stream));
        match begun {
            Ok((served, slot)) => {
                given.report(Some((stream, visitor, served, slot)));
                Ok(())
            }
            Err(error) => {
                // The thread may wait.
                given.report(None);
                Err((error, stream, visitor))
            }
        }
    }

    /// Runs one connection, from its opening handshake on.
    fn attend(
        &self,
        stream: TcpStream,
        mut visitor: Box<Visitor>,
        served: &Arc<ServedConnection>,
        slot: HandshakeSlot,
    ) {
        let (websocket, request) = match self.open(&mut visitor, stream, slot) {
            Ok(opened) => opened,
            Err(error) => return visitor.failed(error, &self.options),
        };
        let peer = visitor.address();
        if let Some(client) = visitor.into_limited() {
            served.set_client(client);
        }
        // The connection counts as long as the handler runs, whatever the handler does with it.
        let handled = (self.handler)(websocket.with_server(Arc::clone(served)), request);
        if let Err(error) = handled {
            self.options.report(ServeError::Handler { peer, error: error.into() });
        }
    }

    fn open(
        &self,
        visitor: &mut Visitor,
        stream: TcpStream,
        slot: HandshakeSlot,
    ) -> Result<(ServerWebSocket, Request), Error> {
        let begun = self.acceptor.begin_tcp(stream, &mut visitor.peer);
        let (stream, end) =
            begun.inspect_err(|error| accept_failed(Some(visitor.address()), error))?;
        visitor.identified(&self.acceptor)?;
        let secured = self.acceptor.secure(stream, visitor.peer, end);
        let (stream, accepting) =
            secured.inspect_err(|error| accept_failed(Some(visitor.address()), error))?;
        let accepting = accepting.with_place(Box::new(slot));
        let decide = |request: &Request| visitor.decide(request, &self.options);
        Acceptor::accept_asked(accepting, stream, decide)
    }
}
