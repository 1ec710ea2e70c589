//! A server of hyper over pipes in memory, and clients that connect to it.

use bytes::Bytes;
use http_body_util::{Empty, Full};
use hyper::{Request, Response, body::Incoming, client::conn, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use sansocket::{
    client::Connector,
    handshake::Accept,
    on_tokio::{ClientWebSocket, ServerWebSocket},
    server::Acceptor,
};
use sansocket_hyper::{Error, Http2, Upgrade, UpgradeRequest, Upgraded, connect};
use std::{
    convert::Infallible,
    future::Future,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};
use tokio::{
    io::{DuplexStream, duplex},
    sync::mpsc,
    task::JoinHandle,
};

pub(crate) type Body = Full<Bytes>;

/// The version of HTTP that a test uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    Http1,
    Http2,
}

pub(crate) const BOTH: [Version; 2] = [Version::Http1, Version::Http2];

/// The address that each client has.
pub(crate) const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 4711);

/// A server that hands over each of its WebSockets.
pub(crate) struct Server {
    acceptor: Acceptor,
    answer: Accept,
    upgrades: mpsc::UnboundedSender<Upgrade>,
    opened: Mutex<mpsc::UnboundedReceiver<Upgrade>>,
}

impl Server {
    pub(crate) fn new(acceptor: Acceptor) -> Arc<Self> {
        Self::answering(acceptor, Accept::new())
    }

    pub(crate) fn answering(acceptor: Acceptor, answer: Accept) -> Arc<Self> {
        let (upgrades, opened) = mpsc::unbounded_channel();
        Arc::new(Self { acceptor, answer, upgrades, opened: Mutex::new(opened) })
    }

    fn respond(&self, request: &mut Request<Incoming>) -> Response<Body> {
        let answered = UpgradeRequest::new(&self.acceptor, request, Some(PEER))
            .and_then(|request| request.accept(&self.answer));
        match answered {
            Ok((response, upgrade)) => {
                self.upgrades.send(upgrade).unwrap();
                response
            }
            Err(error) => error.response(request.version()),
        }
    }

    /// Returns the next future of a WebSocket, for which a request has already come.
    pub(crate) fn upgrade(&self) -> Upgrade {
        self.opened.lock().unwrap().try_recv().expect("a request came")
    }

    /// Returns the next WebSocket.
    pub(crate) async fn websocket(&self) -> ServerWebSocket<Upgraded> {
        self.upgrade().await.expect("the upgrade succeeds")
    }

    /// Serves a new connection, and returns its other end.
    pub(crate) fn connection(self: &Arc<Self>) -> (DuplexStream, JoinHandle<()>) {
        self.connection_of(1 << 16)
    }

    /// Serves a new connection with so many bytes on the way in each direction.
    pub(crate) fn connection_of(self: &Arc<Self>, room: usize) -> (DuplexStream, JoinHandle<()>) {
        self.serve(room, auto::Builder::new(TokioExecutor::new()))
    }

    /// Serves a new connection of HTTP/2 whose window is that of so many streams.
    pub(crate) fn connection_with_windows(
        self: &Arc<Self>,
        count: u32,
    ) -> (DuplexStream, JoinHandle<()>) {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http2().initial_stream_window_size(1 << 20);
        builder.http2().initial_connection_window_size(count << 20);
        self.serve(1 << 16, builder)
    }

    fn serve(
        self: &Arc<Self>,
        room: usize,
        mut builder: auto::Builder<TokioExecutor>,
    ) -> (DuplexStream, JoinHandle<()>) {
        let (near, far) = duplex(room);
        let server = Arc::clone(self);
        let service = service_fn(move |mut request| {
            let response = server.respond(&mut request);
            async { Ok::<_, Infallible>(response) }
        });
        let serving = tokio::spawn(async move {
            builder.http2().enable_connect_protocol();
            // How an HTTP connection ends is nothing that a test looks at.
            let _ = builder.serve_connection_with_upgrades(TokioIo::new(far), service).await;
        });
        (near, serving)
    }

    /// Opens a WebSocket on a connection of its own. Returns both ends.
    pub(crate) async fn open(
        self: &Arc<Self>,
        version: Version,
        connector: &Connector,
    ) -> Result<(ClientWebSocket<Upgraded>, ServerWebSocket<Upgraded>), Error> {
        let (stream, _) = self.connection();
        let client = client(version, stream, connector, "ws://h/chat").await?;
        Ok((client, self.websocket().await))
    }
}

/// Opens a WebSocket over a stream.
pub(crate) async fn client(
    version: Version,
    stream: DuplexStream,
    connector: &Connector,
    url: &str,
) -> Result<ClientWebSocket<Upgraded>, Error> {
    let opened = match version {
        Version::Http1 => connect(connector, &mut http1(stream).await, url).await,
        Version::Http2 => connect(connector, &mut http2(stream).await, url).await,
    };
    opened.map(|(websocket, response)| {
        let status = if version == Version::Http1 { 101 } else { 200 };
        assert_eq!(response.status(), status);
        websocket
    })
}

pub(crate) async fn http1(stream: DuplexStream) -> conn::http1::SendRequest<Empty<Bytes>> {
    let (sender, connection) = conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection.with_upgrades());
    sender
}

pub(crate) async fn http2(stream: DuplexStream) -> Http2<Empty<Bytes>> {
    let executor = TokioExecutor::new();
    let (sender, mut connection) =
        conn::http2::handshake(executor, TokioIo::new(stream)).await.unwrap();
    let http2 = Http2::enabled(sender, &mut connection).await.unwrap();
    tokio::spawn(connection);
    http2
}

/// Runs a test on both versions, one after another, on paused time.
pub(crate) fn on_both<F: Future<Output = ()>>(test: impl Fn(Version) -> F) {
    for version in BOTH {
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
