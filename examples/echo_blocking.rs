//! An echo server over `std::net`: a thread a connection.
//!
//! ```text
//! cargo run --release --example echo_blocking [ADDR] [--no-deflate]
//! ```

mod command_line;

use sansocket::{
    CloseCode, Config, Error, Event, OriginPolicy, Server, State,
    blocking::{Acceptor, WebSocket},
};
use std::{
    error,
    net::{TcpListener, TcpStream},
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// Set by Ctrl-C; the connections' threads look at it after each message, and as often as this while
/// they wait for the client.
static STOPPING: AtomicBool = AtomicBool::new(false);
const LOOK: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    command_line::run("echo_blocking", serve)
}

fn serve(listener: TcpListener, config: Config) -> Result<(), Box<dyn error::Error>> {
    let address = listener.local_addr()?;
    ctrlc::set_handler(move || {
        STOPPING.store(true, Ordering::Relaxed);
        // Wakes the loop below.
        let _ = TcpStream::connect(address);
    })?;

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
                    if let Err(error) = serve_one(&acceptor, stream) {
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

fn serve_one(acceptor: &Acceptor, stream: TcpStream) -> Result<(), Error> {
    let mut websocket = acceptor.accept_tcp(stream)?;
    // So that a thread that waits for its client sees the end of the server.
    websocket.transport().set_read_timeout(Some(LOOK))?;
    websocket.transport().set_write_timeout(Some(LOOK))?;
    let echoed = echo(&mut websocket);
    // So that the client comes to read why, however much it has sent meanwhile.
    websocket.wait_closed();
    echoed
}

fn echo(websocket: &mut WebSocket<TcpStream, Server>) -> Result<(), Error> {
    while let Some(received) = websocket.receive() {
        let mut sent = match received {
            Ok((Event::Text(text), mut replies)) => replies.send(text),
            Ok((Event::Binary(data), mut replies)) => replies.send(data),
            Ok(_) => Ok(()),
            Err(error) if error.is_would_block() => Ok(()),
            Err(error) => return Err(error),
        };
        // A client that does not read: what was sent is queued.
        while sent.as_ref().is_err_and(Error::is_would_block) && !is_stopping() {
            sent = websocket.flush();
        }
        if is_stopping() && websocket.state() == State::Open {
            // What still comes until the client has closed too is not echoed.
            return websocket.close(CloseCode::GOING_AWAY, "the server stops");
        }
        sent?;
    }
    Ok(())
}

fn is_stopping() -> bool {
    STOPPING.load(Ordering::Relaxed)
}
