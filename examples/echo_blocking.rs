//! An echo server over `std::net`: a thread a connection.
//!
//! ```text
//! cargo run --release --example echo_blocking [ADDR] [--no-deflate]
//! ```

use sansocket::{
    CloseCode, Config, DeflateConfig, Error, Event, Limits, OriginPolicy, Server, State,
    blocking::{Acceptor, WebSocket},
};
use std::{
    net::{TcpListener, TcpStream},
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

const HELP: &str = "\
An echo server for WebSocket: sends back each text and binary message.

usage: echo_blocking [ADDR] [--no-deflate]

ADDR is the address to listen on, 127.0.0.1:9001 by default; port 0 takes a free one.
Messages are compressed if the client offers it; --no-deflate leaves that out.
Ctrl-C closes all connections with 1001 and ends the server.";

/// Set by Ctrl-C; the connections' threads look at it after each message, and as often as this while
/// they wait for the client.
static STOPPING: AtomicBool = AtomicBool::new(false);
const LOOK: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let (mut address, mut deflate) = (String::from("127.0.0.1:9001"), true);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "-h" | "--help" => {
                println!("{HELP}");
                return ExitCode::SUCCESS;
            }
            "--no-deflate" => deflate = false,
            option if option.starts_with('-') => {
                eprintln!("echo_blocking: unknown option '{option}', try --help");
                return ExitCode::from(2);
            }
            _ => address = argument,
        }
    }
    match serve(&address, deflate) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo_blocking: can't serve on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(address: &str, deflate: bool) -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(address)?;
    let address = listener.local_addr()?;
    println!("listening on ws://{address}");
    ctrlc::set_handler(move || {
        STOPPING.store(true, Ordering::Relaxed);
        // Wakes the loop below.
        let _ = TcpStream::connect(address);
    })?;

    let mut config = Config::default().limits(Limits::default().message(64 << 20));
    if deflate {
        config = config.deflate(DeflateConfig::new());
    }
    let acceptor = Acceptor::new().config(config).origin(OriginPolicy::any());
    let mut connections = Vec::new();
    for stream in listener.incoming() {
        if is_stopping() {
            break;
        }
        match stream {
            Ok(stream) => {
                let acceptor = acceptor.clone();
                connections.retain(|thread: &thread::JoinHandle<()>| !thread.is_finished());
                connections.push(thread::spawn(move || {
                    if let Err(error) = echo(&acceptor, stream) {
                        eprintln!("{error}");
                    }
                }));
            }
            // Such as too many open files: it may pass.
            Err(error) => {
                eprintln!("can't accept: {error}");
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
    for connection in connections {
        let _ = connection.join();
    }
    Ok(())
}

fn echo(acceptor: &Acceptor, stream: TcpStream) -> Result<(), Error> {
    let mut websocket = acceptor.accept_tcp(stream)?;
    // So that a thread that waits for its client sees the end of the server.
    websocket.transport().set_read_timeout(Some(LOOK))?;
    websocket.transport().set_write_timeout(Some(LOOK))?;
    let outcome = echo_messages(&mut websocket);
    // The client has time to close too, and to read what it did wrong.
    websocket.wait_closed();
    outcome
}

fn echo_messages(websocket: &mut WebSocket<TcpStream, Server>) -> Result<(), Error> {
    while let Some(received) = websocket.receive() {
        let mut outcome = match received {
            Ok((Event::Text(text), mut replies)) => replies.send(text),
            Ok((Event::Binary(data), mut replies)) => replies.send(data),
            Ok(_) => Ok(()),
            Err(error) if error.is_would_block() => Ok(()),
            Err(error) => return Err(error),
        };
        // The client does not read: what is sent is queued.
        while outcome.as_ref().is_err_and(Error::is_would_block) && !is_stopping() {
            outcome = websocket.flush();
        }
        if is_stopping() && websocket.state() == State::Open {
            return websocket.close(CloseCode::GOING_AWAY, "the server stops");
        }
        outcome?;
    }
    Ok(())
}

fn is_stopping() -> bool {
    STOPPING.load(Ordering::Relaxed)
}
