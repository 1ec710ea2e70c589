//! Connections: TCP and TLS, HTTP/1.1 and HTTP/2.

mod write_deadline;

use crate::{mailbox::GivenUp, target_host};
use axum::{Router, body::Body, extract::ConnectInfo, middleware};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, rustls};
use tower_service::Service;
use write_deadline::WriteDeadline;

/// The longest head of a request over HTTP/1.1 that is waited for, in bytes. Its buffer can be twice as large.
/// Until the head is there, nobody knows who sends it.
const HEAD: usize = 64 << 10;

/// How connections are served.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListenOptions {
    /// How many connections there can be at a time, WebSockets among them. More wait in the system's queue.
    /// By default 100,000.
    pub connections: usize,
    /// How long a client has for its TLS handshake, for its first request, and for the head of each request.
    /// By default 10 seconds.
    pub head_timeout: Duration,
    /// How long a client may take none of what is written to it. By default 60 seconds.
    pub write_timeout: Duration,
    /// The certificates and the key of the server. By default there are none, and TLS is left to a proxy.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self {
            connections: 100_000,
            head_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(60),
            tls: None,
        }
    }
}

/// Serves the routes until `stop` is ready. Then it accepts nothing more, lets the requests that run come to
/// their end, and returns. To bound that, drop the future.
///
/// WebSockets are no requests any more once they are open: [`Server::shut_down`](crate::Server::shut_down)
/// ends them.
///
/// # Errors
///
/// Returns an error if the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    routes: Router,
    options: ListenOptions,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    // Whatever is around the routes of the server sees one host as well.
    let routes = routes.layer(middleware::from_fn(target_host::settle));
    let (stopping, stopped) = watch::channel(false);
    let room = Arc::new(Semaphore::new(options.connections.min(Semaphore::MAX_PERMITS)));
    let tls = options.tls.clone().map(|config| TlsAcceptor::from(with_protocols(config)));
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(options.head_timeout)
        .max_buf_size(HEAD);
    http.http2()
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .keep_alive_interval(Duration::from_secs(30));
    let mut http1 = http1::Builder::new();
    http1.timer(TokioTimer::new()).header_read_timeout(options.head_timeout).max_buf_size(HEAD);
    let connection = Connection { routes, tls, http1, http, options, stopped };
    let mut tasks = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = accept(&listener, &room) => accepted,
            Some(_) = tasks.join_next() => continue,
        };
        let (stream, peer, permit) = accepted?;
        let connection = connection.clone();
        tasks.spawn(connection.serve(stream, peer, permit));
    }
    drop(listener);
    // Nobody hears it if there is no connection.
    let _ = stopping.send(true);
    while tasks.join_next().await.is_some() {}
    Ok(())
}

/// Offers both versions of HTTP, unless the configuration says which.
fn with_protocols(config: Arc<rustls::ServerConfig>) -> Arc<rustls::ServerConfig> {
    if !config.alpn_protocols.is_empty() {
        return config;
    }
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = [b"h2".as_slice(), b"http/1.1"].map(Vec::from).into();
    Arc::new(config)
}

async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = room.clone().acquire_owned().await.map_err(io::Error::other)?;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return Ok((stream, peer, permit)),
            // A client that left before it was accepted.
            Err(error) if is_of_one_connection(&error) => {}
            // No file descriptor is left, or no memory: connections that end make room.
            Err(error) => {
                tracing::warn!(%error, "can't accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[derive(Clone)]
struct Connection {
    routes: Router,
    tls: Option<TlsAcceptor>,
    http1: http1::Builder,
    http: auto::Builder<TokioExecutor>,
    options: ListenOptions,
    stopped: watch::Receiver<bool>,
}

impl Connection {
    // What is boxed is what a client needs while it is served, and no more: most are idle.
    async fn serve(mut self, stream: TcpStream, peer: SocketAddr, permit: OwnedSemaphorePermit) {
        // A small frame is not to wait for the acknowledgement of the one before. If the option can't be
        // set, the connection has ended.
        let _ = stream.set_nodelay(true);
        let Some(tls) = self.tls.take() else {
            match self.begins_with_http1(&stream).await {
                Some(true) => Box::pin(self.serve_http1(stream, peer, permit)).await,
                Some(false) => Box::pin(self.serve_http(stream, peer, permit)).await,
                None => {}
            }
            return;
        };
        let handshake = Box::pin(tls.accept(stream));
        match tokio::time::timeout(self.options.head_timeout, handshake).await {
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"http/1.1") => {
                Box::pin(self.serve_http1(stream, peer, permit)).await;
            }
            Ok(Ok(stream)) => Box::pin(self.serve_http(stream, peer, permit)).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS"),
            Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
        }
    }

    /// Returns whether the client speaks HTTP/1, or `None` if it says nothing in time.
    ///
    /// hyper finds out as well, but then it reads the first head in two pieces, and has a read buffer of
    /// twice the size for as long as the connection lasts.
    async fn begins_with_http1(&self, stream: &TcpStream) -> Option<bool> {
        const HTTP2: &[u8] = b"PRI";
        let mut first = [0; HTTP2.len()];
        let mut stopped = self.stopped.clone();
        let peeked = tokio::select! {
            peeked = tokio::time::timeout(self.options.head_timeout, stream.peek(&mut first)) => peeked,
            _ = stopped.wait_for(|stopped| *stopped) => return None,
        };
        match peeked {
            Ok(Ok(count @ 1..)) => Some(!HTTP2.starts_with(&first[..count])),
            Ok(_) | Err(_) => None,
        }
    }

    // No async function: it would keep all of `self`. An upgraded connection outlives this, so the stream
    // has the permit.
    fn serve_http1<S>(
        self,
        stream: S,
        peer: SocketAddr,
        permit: OwnedSemaphorePermit,
    ) -> impl Future<Output = ()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let given_up = GivenUp::default();
        let limit = self.options.write_timeout;
        let stream = TokioIo::new(WriteDeadline::new(stream, limit, given_up.clone(), permit));
        let service = service_fn(service(self.routes, peer, given_up));
        let connection = self.http1.serve_connection(stream, service).with_upgrades();
        until_it_ends(connection, |it| it.graceful_shutdown(), self.stopped, peer)
    }

    /// Serves HTTP/1 or HTTP/2, whichever the client begins with.
    async fn serve_http<S>(self, stream: S, peer: SocketAddr, permit: OwnedSemaphorePermit)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let given_up = GivenUp::default();
        let limit = self.options.write_timeout;
        let stream = TokioIo::new(WriteDeadline::new(stream, limit, given_up.clone(), permit));
        let (asked, mut has_asked) = watch::channel(false);
        let answer = service(self.routes, peer, given_up);
        let service = service_fn(move |request| {
            asked.send_replace(true);
            answer(request)
        });
        let connection = self.http.serve_connection_with_upgrades(stream, service);
        // hyper knows no deadline while it waits for the bytes that tell HTTP/1 from HTTP/2, nor for the
        // first request of HTTP/2.
        let silence = async {
            let first = has_asked.wait_for(|has_asked| *has_asked);
            if tokio::time::timeout(self.options.head_timeout, first).await.is_ok() {
                std::future::pending().await
            }
        };
        tokio::select! {
            () = until_it_ends(connection, |it| it.graceful_shutdown(), self.stopped, peer) => {}
            () = silence => tracing::debug!(%peer, "no request has come"),
        }
    }
}

/// Returns what answers the requests of a client.
fn service(
    routes: Router,
    peer: SocketAddr,
    given_up: GivenUp,
) -> impl Fn(http::Request<Incoming>) -> <Router as Service<http::Request<Body>>>::Future {
    move |mut request| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(given_up.clone());
        routes.clone().call(request.map(Body::new))
    }
}

/// Runs a connection, and has it end in order once everything is to stop.
async fn until_it_ends<C, E: fmt::Display>(
    connection: C,
    shut_down: impl FnOnce(Pin<&mut C>),
    mut stopped: watch::Receiver<bool>,
    peer: SocketAddr,
) where
    C: Future<Output = Result<(), E>>,
{
    let mut connection = pin!(connection);
    let stop = async {
        // If nobody can say it any more, it is time as well.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    };
    let served = tokio::select! {
        served = &mut connection => served,
        () = stop => {
            shut_down(connection.as_mut());
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "a connection ended early");
    }
}
