//! A client that stays connected: prints what arrives, and sends a greeting every five seconds.
//!
//! ```text
//! cargo run --example reconnect -- URL
//! ```
//!
//! Start it with the echo server `echo_tokio`, then stop that server and start it again.

use sansocket::{
    CloseCode, Config,
    client::{Backoff, ReconnectConfig},
    connection::Keepalive,
    on_tokio::{Connector, ReconnectEvent, ReconnectingWebSocket},
};
use std::{process::ExitCode, time::Duration};
use tokio::{select, signal, time::interval};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("usage: reconnect URL");
        return ExitCode::from(2);
    };
    // Without a keepalive, a server that is gone without a Close may not be noticed for hours.
    let connector = Connector::new().config(Config::default().keepalive(Keepalive::default()));
    let config = ReconnectConfig::new()
        .backoff(Backoff::new().cap(Duration::from_secs(10)))
        .time_limit(Duration::from_secs(10 * 60))
        // What is sent in the meantime waits for the next connection.
        .queue(10, 10_000);
    let mut websocket = ReconnectingWebSocket::new(connector, url).config(config).on_connect(
        |mut websocket| async move {
            websocket.send("I am here").await?;
            Ok(websocket)
        },
    );
    let mut greetings = interval(Duration::from_secs(5));
    let mut outcome = ExitCode::SUCCESS;
    loop {
        select! {
            event = websocket.next() => match event {
                Some(ReconnectEvent::Connected(_)) => eprintln!("connected"),
                Some(ReconnectEvent::Message(message)) => println!("{message:?}"),
                Some(ReconnectEvent::Disconnected { why, next }) => {
                    eprintln!("{why}; attempt {} is in {:?}", next.number, next.pause);
                }
                Some(ReconnectEvent::GivenUp { why, cause }) => {
                    eprintln!("{why}; {cause}");
                    outcome = ExitCode::FAILURE;
                }
                Some(_) => {}
                None => break,
            },
            _ = greetings.tick() => {
                if let Err(error) = websocket.send("hello").await {
                    eprintln!("not sent: {error}");
                }
            }
            _ = signal::ctrl_c() => {
                if let Err(error) = websocket.close(CloseCode::NORMAL, "").await {
                    eprintln!("{error}");
                }
            }
        }
    }
    outcome
}
