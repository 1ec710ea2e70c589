//! A chat in one room, with its page. Ctrl-C closes all connections with 1001, and waits for them.
//!
//! ```console
//! $ cargo run -p sansocket-axum --example chat_axum
//! ```

use axum::{
    Router,
    extract::State,
    response::{Html, Response},
    routing::{any, get},
};
use sansocket_axum::{
    Acceptor, CloseCode, Error, Group, Message, PreparedMessage, ReceiveHalf, WebSocket,
    WebSocketUpgrade,
    sansocket::{
        Config, Limits,
        connection::{Keepalive, OutboxConfig, WhenFull},
    },
};
use std::{env, time::Duration};
use tokio::{net::TcpListener, sync::watch};

#[derive(Clone)]
struct App {
    acceptor: Acceptor,
    room: Group,
    /// Turns `true` when the server stops. Each task that has a WebSocket holds a copy, so that the
    /// server can wait until all of them are dropped.
    stops: watch::Receiver<bool>,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:3000".into());
    let listener = TcpListener::bind(address).await?;
    println!("open http://{}/ in two windows", listener.local_addr()?);

    let (stop, stops) = watch::channel(false);
    let room = Group::new();
    let app = App { acceptor: acceptor(), room: room.clone(), stops };
    let router = Router::new()
        .route("/", get(async || Html(include_str!("page.html"))))
        .route("/chat", any(handler))
        .with_state(app);
    axum::serve(listener, router)
        .with_graceful_shutdown({
            let stop = stop.clone();
            async move {
                if let Err(error) = tokio::signal::ctrl_c().await {
                    eprintln!("can't wait for Ctrl-C: {error}");
                    std::future::pending::<()>().await;
                }
                stop.send_replace(true);
                close(&room);
            }
        })
        .await?;
    // On HTTP/1.1, axum does not wait for WebSockets.
    stop.closed().await;
    println!("all connections are closed");
    Ok(())
}

/// The policy of all connections: pages of this host may connect, and a client that reads slowly misses
/// the oldest lines.
fn acceptor() -> Acceptor {
    let outbox = OutboxConfig::new(WhenFull::DropOldest).high_water(64 << 10);
    let keepalive = Keepalive::new(Duration::from_secs(25), Duration::from_secs(20));
    let config = Config::default()
        .limits(Limits::default().message(4 << 10))
        .outbox(outbox)
        .keepalive(keepalive);
    Acceptor::new().config(config)
}

async fn handler(ws: WebSocketUpgrade, State(app): State<App>) -> Response {
    ws.acceptor(app.acceptor.clone())
        .on_failed_upgrade(|error| eprintln!("no WebSocket: {error}"))
        .on_upgrade(async |websocket| {
            if let Err(error) = chat(websocket, app).await {
                eprintln!("{error}");
            }
        })
}

async fn chat(websocket: WebSocket, app: App) -> Result<(), Error> {
    let (sender, mut receiver) = websocket.split();
    // Dropping the membership leaves the room.
    let _member = app.room.join(sender);
    if *app.stops.borrow() {
        // It came while the others were closed.
        close(&app.room);
    }
    let outcome = pass_on(&mut receiver, &app.room).await;
    // Lets a client at fault read why.
    receiver.wait_closed().await;
    outcome
}

async fn pass_on(receiver: &mut ReceiveHalf, room: &Group) -> Result<(), Error> {
    while let Some(message) = receiver.next().await {
        if let Message::Text(line) = message? {
            // Encoded once, whatever the number of members.
            room.send(&PreparedMessage::new(line));
        }
    }
    Ok(())
}

fn close(room: &Group) {
    // It fails only for a code that may not be sent.
    let _ = room.close_all(CloseCode::GOING_AWAY, "the server stops");
}
