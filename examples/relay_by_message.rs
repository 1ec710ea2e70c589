//! A relay that passes on whole messages, for programs that look at them on their way. Each side has a
//! connection of its own: with its own limits, compression, pings and fragments. `relay` passes on frames
//! instead, and needs less memory and time for it.
//!
//! ```text
//! cargo run --release --example relay_by_message -- URL [ADDR]
//! ```

use sansocket::{
    CloseCode, Config, DeflateConfig, Error,
    connection::Role,
    on_tokio::{Acceptor, Connector, ReceiveHalf, SendHalf, ServerWebSocket, Stream, serve},
    server::OriginPolicy,
};
use std::{env::args, process::ExitCode};
use tokio::{join, net::TcpListener, signal::ctrl_c};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let (Some(url), address) = (args().nth(1), args().nth(2)) else {
        eprintln!("usage: relay_by_message URL [ADDR]");
        return ExitCode::from(2);
    };
    match listen(url, address.as_deref().unwrap_or("127.0.0.1:9002")).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("relay_by_message: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn listen(url: String, address: &str) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    let config = Config::default().deflate(DeflateConfig::new());
    let connector = Connector::new().config(config);
    // The client is accepted before the server is asked: it learns of a refusal by a Close.
    serve(listener, move |client, _request| relay(client, connector.clone(), url.clone()))
        .acceptor(Acceptor::new().config(config).origin(OriginPolicy::any()))
        .on_error(|error| eprintln!("{error}"))
        .shutdown(async { drop(ctrl_c().await) })
        .await;
    Ok(())
}

async fn relay(
    mut client: ServerWebSocket,
    connector: Connector,
    url: String,
) -> Result<(), Error> {
    let server = match connector.connect(&url).await {
        Ok((server, _)) => server,
        Err(error) => {
            client.close(CloseCode::BAD_GATEWAY, "the server can't be reached").await?;
            return Err(error);
        }
    };
    let (mut to_client, mut from_client) = client.split();
    let (mut to_server, mut from_server) = server.split();
    join!(pass(&mut from_client, &mut to_server), pass(&mut from_server, &mut to_client));
    Ok(())
}

/// Passes on messages and then the end. A side that reads slowly slows the other one down.
async fn pass<F: Role, T: Role>(from: &mut ReceiveHalf<Stream, F>, to: &mut SendHalf<Stream, T>) {
    while let Some(Ok(message)) = from.next().await {
        // If this side is gone, its own direction says so to the other one, which still has to be read
        // up to its Close: a reset would take ours from it.
        let _ = to.send(message).await;
    }
    if let Some(end) = from.closed() {
        // For a peer that was lost, this sends 1011.
        let _ = to.close(end.code, &end.reason).await;
    }
}
