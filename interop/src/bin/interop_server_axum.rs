//! A server of axum in the interop tests, on HTTP/1.1 and HTTP/2. It answers like `interop_server`.
//!
//! ```text
//! interop_server_axum
//! ```
//!
//! If `INTEROP_TLS` names a directory, the server uses TLS with `chain.pem` and `key.pem` in there, and
//! negotiates `h2` or `http/1.1`. Without TLS, a client chooses HTTP/2 by prior knowledge. The other
//! variables are those of `interop_server`, but there is no PROXY protocol.

use axum::{
    Router,
    extract::State,
    http::StatusCode,
    response::{Html, IntoResponse, Response},
    routing::get,
    serve::{Listener, ListenerExt},
};
use sansocket::server::Acceptor;
use sansocket_axum::WebSocketUpgrade;
use sansocket_interop::{
    COOKIE, DEFLATE_PATH, FORBIDDEN, PAGE,
    answers::{Asked, Ends, SUBPROTOCOLS, talk},
    block_on, deflate_config,
    settings::{self, terminated},
};
use std::{error::Error, io, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
    server::TlsStream,
};

fn main() -> ExitCode {
    // A panic in a task must not go unnoticed.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        hook(panic);
        std::process::exit(101);
    }));
    if std::env::args().len() > 1 {
        eprintln!("usage: interop_server_axum");
        return ExitCode::from(2);
    }
    match block_on(serve()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop_server_axum: {error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Clone)]
struct App {
    acceptor: Acceptor,
    ends: Ends,
    /// Closes when the server shuts down.
    shutdown: watch::Receiver<()>,
    /// Each connection has a clone, so that the server can wait for all.
    connected: mpsc::Sender<()>,
}

async fn serve() -> Result<(), Box<dyn Error>> {
    let (shut_down, shutdown) = watch::channel(());
    let (connected, mut all_connected) = mpsc::channel(1);
    let acceptor = settings::acceptor()?;
    let app = App { acceptor, ends: Ends::default(), shutdown, connected };
    let app = Router::new()
        .route("/health", get("fine\n"))
        .route("/page", get(Html(PAGE)))
        .fallback(handler)
        .with_state(app);
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let listener = TcpListener::bind(settings::address()).await?;
    let terminated = async move {
        terminated().await;
        drop(shut_down);
    };
    let address = listener.local_addr()?;
    match tls()? {
        Some(tls) => {
            let listener = TlsListener::new(listener, tls)?;
            println!("listening on wss://{address}");
            let server = axum::serve(listener.tap_io(|_| {}), app);
            server.with_graceful_shutdown(terminated).await?;
        }
        None => {
            println!("listening on ws://{address}");
            axum::serve(listener, app).with_graceful_shutdown(terminated).await?;
        }
    }
    // Ready once nothing is connected any more.
    all_connected.recv().await;
    Ok(())
}

async fn handler(ws: WebSocketUpgrade, State(app): State<App>) -> Response {
    let App { acceptor, ends, mut shutdown, connected } = app;
    // The acceptor says which proxies to believe.
    let mut ws = ws.acceptor(acceptor);
    if ws.request().path() == "/forbidden" {
        let headers = [("X-Interop", "forbidden")];
        return (StatusCode::FORBIDDEN, headers, FORBIDDEN).into_response();
    }
    ws = ws.header("Set-Cookie", COOKIE).header("X-Interop", "sansocket").protocols(SUBPROTOCOLS);
    let client = ws.request().client_address();
    if let (Some(client), Some(_)) = (client, std::env::var_os("INTEROP_PROXY")) {
        ws = ws.header("X-Client", client.ip().to_string());
    }
    if ws.request().path() == DEFLATE_PATH {
        let config = deflate_config(ws.request().raw_query().unwrap_or_default());
        ws = ws.deflate(config);
    }
    let asked = Asked::new(ws.request());
    ws.on_failed_upgrade(|error| eprintln!("refused: {error}")).on_upgrade(async move |socket| {
        let shutdown = async { while shutdown.changed().await.is_ok() {} };
        talk(socket, asked, ends, shutdown).await;
        drop(connected);
    })
}

fn tls() -> Result<Option<TlsAcceptor>, Box<dyn Error>> {
    let Some(directory) = std::env::var_os("INTEROP_TLS").map(PathBuf::from) else {
        return Ok(None);
    };
    let chain = CertificateDer::pem_file_iter(directory.join("chain.pem"))?;
    let chain = chain.collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(directory.join("key.pem"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(TlsAcceptor::from(Arc::new(config))))
}

/// Accepts TLS on TCP. A client that is slow to do so does not keep others waiting.
struct TlsListener {
    accepted: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    fn new(mut listener: TcpListener, tls: TlsAcceptor) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (sender, accepted) = mpsc::channel(16);
        tokio::spawn(async move {
            loop {
                let (stream, peer) = Listener::accept(&mut listener).await;
                let (tls, sender) = (tls.clone(), sender.clone());
                tokio::spawn(async move {
                    match tls.accept(stream).await {
                        // The server stops if nobody receives.
                        Ok(stream) => drop(sender.send((stream, peer)).await),
                        Err(error) => eprintln!("{peer}: {error}"),
                    }
                });
            }
        });
        Ok(Self { accepted, address })
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}
