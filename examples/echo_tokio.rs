//! An echo server over tokio with one task per connection.
//!
//! ```text
//! cargo run --release --example echo_tokio [ADDR] [--threads N] [--no-deflate]
//! ```

use sansocket::{
    Config, DeflateConfig, Error, Event, Limits,
    on_tokio::{Acceptor, ServerWebSocket, serve},
    server::OriginPolicy,
};
use std::process::ExitCode;
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    signal,
};

const HELP: &str = "\
An echo server for WebSocket: sends back each text and binary message.

usage: echo_tokio [ADDR] [--threads N] [--no-deflate]

ADDR is the address to listen on, 127.0.0.1:9001 by default; port 0 takes a free one.
N is the number of threads that connections are served on, 1 by default.
Messages are compressed if the client offers it; --no-deflate leaves that out.
Ctrl-C closes all connections with 1001 and ends the server.";

struct Arguments {
    address: String,
    threads: usize,
    deflate: bool,
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("echo_tokio: {error}, try --help");
            return ExitCode::from(2);
        }
    };
    let served =
        runtime(arguments.threads).and_then(|runtime| runtime.block_on(listen(&arguments)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo_tokio: can't serve on {}: {error}", arguments.address);
            ExitCode::FAILURE
        }
    }
}

/// Returns `None` if help is asked for.
fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Arguments>, String> {
    let mut parsed = Arguments { address: "127.0.0.1:9001".into(), threads: 1, deflate: true };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-h" | "--help" => return Ok(None),
            "--threads" => {
                let count = arguments.next().ok_or("--threads needs a number")?;
                parsed.threads = count
                    .parse()
                    .ok()
                    .filter(|count| *count > 0)
                    .ok_or_else(|| format!("'{count}' is not a number of threads"))?;
            }
            "--no-deflate" => parsed.deflate = false,
            option if option.starts_with('-') => return Err(format!("unknown option '{option}'")),
            _ => parsed.address = argument,
        }
    }
    Ok(Some(parsed))
}

fn runtime(threads: usize) -> std::io::Result<Runtime> {
    if threads == 1 {
        return Builder::new_current_thread().enable_all().build();
    }
    Builder::new_multi_thread().worker_threads(threads).enable_all().build()
}

async fn listen(arguments: &Arguments) -> std::io::Result<()> {
    let listener = TcpListener::bind(&arguments.address).await?;
    println!("listening on ws://{}", listener.local_addr()?);
    let mut config = Config::default().limits(Limits::default().message(64 << 20));
    if arguments.deflate {
        config = config.deflate(DeflateConfig::new());
    }
    serve(listener, |websocket, _request| echo(websocket))
        .acceptor(Acceptor::new().config(config).origin(OriginPolicy::any()))
        .on_error(|error| eprintln!("{error}"))
        .shutdown(async { drop(signal::ctrl_c().await) })
        .await;
    Ok(())
}

async fn echo(mut websocket: ServerWebSocket) -> Result<(), Error> {
    let echoed = websocket
        .receive_with(|event, replies| match event {
            Event::Text(text) => replies.try_feed(text),
            Event::Binary(data) => replies.try_feed(data),
            _ => Ok(()),
        })
        .await;
    // Waits, so that a client at fault gets to read why, however much it has sent in the meantime.
    websocket.wait_closed().await;
    echoed
}
