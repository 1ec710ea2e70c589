//! A server that sends every message back, on HTTP/1.1 and HTTP/2.
//!
//! ```console
//! $ cargo run -p sansocket-axum --example echo_axum
//! $ cargo run --example client -- ws://127.0.0.1:3000/ws
//! ```

use axum::{Router, response::Response, routing::any};
use sansocket_axum::{Error, Event, WebSocket, WebSocketUpgrade};
use std::env;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".into());
    let listener = TcpListener::bind(address).await?;
    println!("listening on ws://{}/ws", listener.local_addr()?);
    // A WebSocket begins with a GET on HTTP/1.1 and with a CONNECT on HTTP/2: `any` takes both.
    axum::serve(listener, Router::new().route("/ws", any(handler))).await
}

async fn handler(ws: WebSocketUpgrade) -> Response {
    ws.on_failed_upgrade(|error| eprintln!("no WebSocket: {error}")).on_upgrade(async |websocket| {
        if let Err(error) = echo(websocket).await {
            eprintln!("{error}");
        }
    })
}

async fn echo(mut websocket: WebSocket) -> Result<(), Error> {
    while let Some(received) = websocket.receive().await {
        match received? {
            (Event::Text(text), mut replies) => replies.feed(text).await?,
            (Event::Binary(data), mut replies) => replies.feed(data).await?,
            _ => {}
        }
    }
    Ok(())
}
