//! A chat server with rooms, and the page for it on the same port.
//!
//! ```text
//! cargo run --release --example chat
//! ```
//!
//! Then open <http://127.0.0.1:9001/> in two tabs.
//!
//! The server checks requests before the upgrade ([`entry`]). It encodes a message once, and sends it to
//! all members of a room without a task or a channel for each ([`room`]). If a member reads too slowly,
//! the server drops the oldest messages for that member, and the page says how many are missing.

mod entry;
mod guest;
mod pages;
mod room;

use clap::Parser;
use entry::Door;
use room::Rooms;
use sansocket::{
    Budget, Config, DeflateConfig, Limits,
    connection::{Keepalive, OutboxConfig, WhenFull},
    on_tokio::{Acceptor, serve},
    server::{PerAddress, Rate},
};
use std::{process::ExitCode, sync::Arc, time::Duration};
use tokio::{net::TcpListener, signal};

/// A chat server with rooms. The page for it is on the same port.
#[derive(Debug, Parser)]
#[command(name = "chat", after_help = EXAMPLES, max_term_width = 100)]
struct Arguments {
    /// The address to listen on; port 0 takes a free one.
    #[arg(default_value = "127.0.0.1:9001")]
    address: String,
    /// Let in only those who know this passphrase.
    #[arg(short, long, value_name = "WORDS", env = "CHAT_PASSPHRASE", hide_env_values = true)]
    passphrase: Option<String>,
    /// How many messages a room keeps for those who come later.
    #[arg(long, value_name = "COUNT", default_value_t = 200)]
    history: usize,
}

const EXAMPLES: &str = "\
Examples:
  chat                                 for this machine only
  chat 0.0.0.0:9001 -p 'open sesame'   for those who know the passphrase
  client 'ws://127.0.0.1:9001/enter?room=lobby&name=Terminal'   join from a terminal

In the terminal, each line is a message. What arrives is JSON.

Put a server with TLS in front of it before you use it on the internet: without TLS, everybody on \
the way can read the passphrase.

Ctrl-C closes all connections with 1001, and ends the server.";

/// The longest message, in bytes. The page knows it too.
const LONGEST: u64 = 4096;

/// What all guests together may make the server hold, if they stop to read or send parts of messages.
static BUDGET: Budget = Budget::new(256 << 20);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chat: can't serve on {}: {error}", arguments.address);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> std::io::Result<()> {
    let listener = TcpListener::bind(&arguments.address).await?;
    println!("listening on http://{}/", listener.local_addr()?);
    let rooms = Arc::new(Rooms::new(arguments.history));
    let door = Arc::new(Door::new(arguments.passphrase.clone(), Arc::clone(&rooms)));

    // If a member reads too slowly, the oldest messages that wait for it are dropped.
    let outbox = OutboxConfig::new(WhenFull::DropOldest).high_water(256 << 10).messages(500);
    let config = Config::default()
        .limits(Limits::default().message(LONGEST))
        .deflate(DeflateConfig::new())
        .keepalive(Keepalive::new(Duration::from_secs(25), Duration::from_secs(20)))
        .outbox(outbox)
        .budget(&BUDGET);
    let at_the_door = Arc::clone(&door);
    let acceptor = Acceptor::new()
        .config(config)
        .plain_response(move |request| pages::respond(request, &at_the_door));
    let per_address =
        PerAddress::new().connections(100).handshakes(Rate::per_second(10).burst(100));

    serve(listener, move |websocket, request| {
        guest::attend(websocket, request, Arc::clone(&rooms))
    })
    .acceptor(acceptor)
    .decide(move |request| door.decide(request))
    .max_connections(10_000)
    .limits_per_address(per_address)
    .on_error(|error| eprintln!("{error}"))
    .shutdown(async { drop(signal::ctrl_c().await) })
    .await;
    Ok(())
}
