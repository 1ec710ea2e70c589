//! An echo server over `std::net`: a thread a connection.
//!
//! ```text
//! cargo run --release --example echo_blocking [ADDR] [--no-deflate]
//! ```

mod command_line;

use sansocket::{
    CloseCode, Config, Error, Event, OriginPolicy, SendError, Server, State,
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

/// Set by Ctrl-C; the connections' threads look at it between two reads.
static STOPPING: AtomicBool = AtomicBool::new(false);

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
        if STOPPING.load(Ordering::Relaxed) {
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
    // So that a thread that waits for a message sees the end of the server.
    websocket.transport().set_read_timeout(Some(Duration::from_millis(200)))?;
    let echoed = echo(&mut websocket);
    // So that the client comes to read why, however much it has sent meanwhile.
    websocket.wait_closed();
    echoed
}

fn echo(websocket: &mut WebSocket<TcpStream, Server>) -> Result<(), Error> {
    while let Some(received) = websocket.receive() {
        let sent = match received {
            Ok((Event::Text(text), mut replies)) => replies.send(text),
            Ok((Event::Binary(data), mut replies)) => replies.send(data),
            Ok(_) => Ok(()),
            Err(error) if error.is_would_block() => Ok(()),
            Err(error) => return Err(error),
        };
        match sent {
            // After the server's Close messages still come, until the client's.
            Ok(()) | Err(Error::Send(SendError::Closed)) => {}
            Err(error) => return Err(error),
        }
        if STOPPING.load(Ordering::Relaxed) && websocket.state() == State::Open {
            websocket.close(CloseCode::GOING_AWAY, "the server stops")?;
        }
    }
    Ok(())
}
