//! An echo server over `std::net` with one thread per connection.
//!
//! ```text
//! cargo run --release --example echo_blocking [ADDR] [--no-deflate]
//! ```

mod command_line;

use sansocket::{
    Config, Error, Event,
    blocking::{Acceptor, ServerWebSocket, serve},
    server::OriginPolicy,
};
use std::{net::TcpListener, process::ExitCode};

fn main() -> ExitCode {
    command_line::run("echo_blocking", run)
}

fn run(listener: TcpListener, config: Config) -> Result<(), ctrlc::Error> {
    let server = serve(listener, |websocket, _request| echo(websocket))
        .acceptor(Acceptor::new().config(config).origin(OriginPolicy::any()))
        .on_error(|error| eprintln!("{error}"));
    let stop = server.shutdown_handle();
    ctrlc::set_handler(move || stop.shutdown())?;
    server.run();
    Ok(())
}

fn echo(mut websocket: ServerWebSocket) -> Result<(), Error> {
    let echoed = websocket.receive_with(|event, replies| match event {
        Event::Text(text) => replies.send(text),
        Event::Binary(data) => replies.send(data),
        _ => Ok(()),
    });
    // Waits, so that a client at fault gets to read why, however much it has sent in the meantime.
    websocket.wait_closed();
    echoed
}
