//! Connections: TCP and TLS, HTTP/1.1 and HTTP/2.

mod write_deadline;

use axum::{Router, body::Body, extract::ConnectInfo};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, rustls};
use tower_service::Service;
use write_deadline::WriteDeadline;

/// How connections are served.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ListenOptions {
    /// How many connections there can be at a time. More wait in the system's queue. By default 100,000.
    pub connections: usize,
    /// How long a client has for its TLS handshake, and for the head of a request. By default 10 seconds.
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
    let (stopping, stopped) = watch::channel(false);
    let room = Arc::new(Semaphore::new(options.connections));
    let tls = options.tls.clone().map(|config| TlsAcceptor::from(with_protocols(config)));
    let mut http = auto::Builder::new(TokioExecutor::new());
    http.http1().timer(TokioTimer::new()).header_read_timeout(options.head_timeout);
    http.http2()
        .timer(TokioTimer::new())
        .enable_connect_protocol()
        .keep_alive_interval(Duration::from_secs(30));
    let connection = Connection { routes, tls, http, options, stopped };
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
        tasks.spawn(async move {
            connection.serve(stream, peer).await;
            drop(permit);
        });
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
) -> io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
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
    http: auto::Builder<TokioExecutor>,
    options: ListenOptions,
    stopped: watch::Receiver<bool>,
}

impl Connection {
    async fn serve(self, stream: TcpStream, peer: SocketAddr) {
        // A small frame is not to wait for the acknowledgement of the one before. If the option can't be
        // set, the connection has ended.
        let _ = stream.set_nodelay(true);
        match self.tls.clone() {
            None => self.serve_http(stream, peer).await,
            Some(tls) => {
                let handshake = tokio::time::timeout(self.options.head_timeout, tls.accept(stream));
                match handshake.await {
                    Ok(Ok(stream)) => self.serve_http(stream, peer).await,
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "no TLS"),
                    Err(_) => tracing::debug!(%peer, "the TLS handshake took too long"),
                }
            }
        }
    }

    async fn serve_http<S>(self, stream: S, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { routes, http, options, mut stopped, .. } = self;
        let stream = TokioIo::new(WriteDeadline::new(stream, options.write_timeout));
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            request.extensions_mut().insert(ConnectInfo(peer));
            let mut routes = routes.clone();
            routes.call(request.map(Body::new))
        });
        let mut connection = pin!(http.serve_connection_with_upgrades(stream, service));
        let stop = async {
            // If nobody can say it any more, it is time as well.
            let _ = stopped.wait_for(|stopped| *stopped).await;
        };
        let served = tokio::select! {
            served = &mut connection => served,
            () = stop => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = served {
            tracing::debug!(%peer, error, "a connection ended early");
        }
    }
}
