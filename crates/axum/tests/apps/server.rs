//! An app that is served over pipes in memory, and clients that connect to it.

use axum::{Router, serve::ListenerExt};
use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sansocket::{
    client::Connector,
    handshake::{HandshakeError, Refusal, Response},
    on_tokio::ClientWebSocket,
};
use sansocket_axum::{UpgradeError, Upgraded};
use sansocket_hyper::{Http2, connect};
use std::{future::Future, io, net::SocketAddr};
use tokio::{
    io::{DuplexStream, duplex},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// The address that all clients have.
pub(crate) const CLIENT: &str = "192.0.2.7:4711";

/// The version of HTTP that a test uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

pub(crate) struct Server {
    connections: mpsc::UnboundedSender<DuplexStream>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

struct Pipes(mpsc::UnboundedReceiver<DuplexStream>);

impl axum::serve::Listener for Pipes {
    type Io = DuplexStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (DuplexStream, SocketAddr) {
        match self.0.recv().await {
            Some(stream) => (stream, CLIENT.parse().unwrap()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from(([127, 0, 0, 1], 80)))
    }
}

impl Server {
    pub(crate) fn new(app: Router) -> Self {
        let (connections, pipes) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let app = app.into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async {
            let served = axum::serve(Pipes(pipes).tap_io(|_| {}), app);
            let stopped = async { stopped.await.unwrap_or_default() };
            served.with_graceful_shutdown(stopped).await.unwrap();
        });
        Self { connections, stop, serving }
    }

    /// Opens a connection without a request.
    pub(crate) fn connection(&self) -> DuplexStream {
        let (near, far) = duplex(1 << 16);
        self.connections.send(far).unwrap();
        near
    }

    /// Opens a WebSocket on a connection of its own.
    pub(crate) async fn connect(
        &self,
        version: Version,
        connector: &Connector,
        path: &str,
    ) -> Result<(ClientWebSocket<Upgraded>, Response), UpgradeError> {
        let url = format!("ws://h{path}");
        let stream = self.connection();
        match version {
            Version::Http1 => connect(connector, &mut http1(stream).await, url).await,
            Version::Http2 => connect(connector, &mut http2(stream).await, url).await,
        }
    }

    /// Opens a WebSocket for `/`.
    pub(crate) async fn open(&self, version: Version) -> ClientWebSocket<Upgraded> {
        self.connect(version, &Connector::new(), "/").await.expect("the server accepts").0
    }

    /// Sends a request that the server refuses.
    pub(crate) async fn refusal(&self, version: Version, connector: &Connector) -> Refusal {
        match self.connect(version, connector, "/").await {
            Err(UpgradeError::Handshake(HandshakeError::Refused(refusal))) => *refusal,
            other => panic!("{other:?}"),
        }
    }

    /// Begins a graceful shutdown. Returns the task that serves.
    pub(crate) fn stop(self) -> JoinHandle<()> {
        self.stop.send(()).unwrap();
        self.serving
    }
}

async fn http1(stream: DuplexStream) -> conn::http1::SendRequest<Empty<Bytes>> {
    let (sender, connection) = conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    sender
}

pub(crate) async fn http2(stream: DuplexStream) -> Http2<Empty<Bytes>> {
    let (sender, mut connection) =
        conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let http2 = Http2::enabled(sender, &mut connection).await.unwrap();
    tokio::spawn(connection);
    http2
}

/// Runs a test on both versions, one after another, on paused time.
pub(crate) fn on_both<F: Future<Output = ()>>(test: impl Fn(Version) -> F) {
    for version in [Version::Http1, Version::Http2] {
        run(test(version));
    }
}

/// Runs a test on paused time. A test that waits for something that never comes fails.
pub(crate) fn run(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(async {
        let hour = std::time::Duration::from_secs(3600);
        tokio::time::timeout(hour, test).await.expect("the test ends");
    });
}
