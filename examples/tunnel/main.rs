//! A tunnel for TCP through WebSocket, in both directions.
//!
//! ```text
//! cargo run --release --example tunnel -- --help
//! ```

mod arguments;
mod relay;

use arguments::{Arguments, Listen, Mode, Serve};
use clap::Parser;
use relay::relay;
use sansocket::{
    CloseCode, Error,
    handshake::{Accept, PlainResponse, Request},
    on_tokio::{Connector, ServerWebSocket, serve},
};
use std::{fmt::Display, io, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    select, signal,
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ran = match arguments.mode {
        Mode::Listen(listen) => run_listen(listen).await,
        Mode::Serve(serve) => run_serve(serve).await,
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tunnel: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Accepts TCP connections, and connects a WebSocket for each.
async fn run_listen(arguments: Listen) -> Result<(), String> {
    let connector = Arc::new(arguments.connector()?);
    let (listener, address) = bind(&arguments.address).await?;
    println!("listening on {address}");
    let url: Arc<str> = arguments.url.into();
    let places = Arc::new(Semaphore::new(arguments.common.connections));
    let mut tunnels = JoinSet::new();
    let mut stop = std::pin::pin!(stop());
    loop {
        // While all places are taken, clients wait in the queue of the operating system.
        let place = Arc::clone(&places).acquire_owned();
        let accepted = async { (place.await, listener.accept().await) };
        let (place, accepted) = select! {
            accepted = accepted => accepted,
            () = &mut stop => break,
            Some(_) = tunnels.join_next() => continue,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                eprintln!("can't accept: {error}");
                sleep(PAUSE).await;
                continue;
            }
        };
        let (connector, url) = (Arc::clone(&connector), Arc::clone(&url));
        tunnels.spawn(async move {
            let _place = place;
            report(peer, connect(&connector, &url, stream).await);
        });
    }
    // The tunnels end with the process, and their peers see that they were cut.
    Ok(())
}

async fn connect(connector: &Connector, url: &str, stream: TcpStream) -> Result<String, String> {
    match connector.connect(url).await {
        Ok((websocket, _)) => relay(stream, websocket).await,
        Err(error) => {
            relay::reset(stream);
            Err(format!("can't connect to {url}: {error}"))
        }
    }
}

/// Accepts WebSockets, and connects to the target for each.
async fn run_serve(arguments: Serve) -> Result<(), String> {
    let acceptor = arguments.acceptor()?;
    let (listener, address) = bind(&arguments.address).await?;
    let scheme = if arguments.certificate.is_some() { "wss" } else { "ws" };
    println!("listening on {scheme}://{address}");
    let Serve { target, common, connect_timeout, .. } = arguments;
    let (target, subprotocols) = (Arc::<str>::from(target), common.subprotocol);
    serve(listener, move |websocket, request| {
        let target = Arc::clone(&target);
        async move {
            let outcome = forward(websocket, &target, connect_timeout).await;
            match request.client_address() {
                Some(peer) => report(peer, outcome),
                None => report("a client", outcome),
            }
            Ok::<(), Error>(())
        }
    })
    .acceptor(acceptor)
    .decide(move |request| decide(request, &subprotocols))
    .max_connections(common.connections)
    .on_error(|error| eprintln!("{error}"))
    .shutdown(stop())
    .await;
    Ok(())
}

/// Chooses the first of the subprotocols that the client offers too.
fn decide(request: &Request, subprotocols: &[String]) -> Result<Accept, PlainResponse> {
    if subprotocols.is_empty() {
        return Ok(Accept::new());
    }
    let offered = |name: &&String| request.subprotocols().any(|offered| offered == *name);
    match subprotocols.iter().find(offered) {
        Some(name) => Ok(Accept::new().subprotocol(name)),
        None => {
            let names = subprotocols.join(", ");
            Err(PlainResponse::new(400).body(format!("the subprotocol has to be {names}\n")))
        }
    }
}

async fn forward(
    mut websocket: ServerWebSocket,
    target: &str,
    connect_timeout: Duration,
) -> Result<String, String> {
    let connected = timeout(connect_timeout, TcpStream::connect(target)).await;
    let error = match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(stream) => return relay(stream, websocket).await,
        Err(error) => error,
    };
    // `serve` waits a moment for the answer.
    let _ = websocket.close(CloseCode::BAD_GATEWAY, "the target is not reachable").await;
    Err(format!("can't connect to {target}: {error}"))
}

/// How long to wait after a failure to accept: the system may be out of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

async fn bind(address: &str) -> Result<(TcpListener, SocketAddr), String> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok::<_, io::Error>((listener, address))
    };
    bound.await.map_err(|error| format!("can't listen on {address}: {error}"))
}

fn report(peer: impl Display, outcome: Result<String, String>) {
    match outcome {
        Ok(summary) => eprintln!("{peer}: {summary}"),
        Err(error) => eprintln!("{peer}: {error}"),
    }
}

/// Waits for Ctrl-C or, on Unix, SIGTERM.
async fn stop() {
    #[cfg(unix)]
    {
        use signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            select! {
                _ = signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    let _ = signal::ctrl_c().await;
}
