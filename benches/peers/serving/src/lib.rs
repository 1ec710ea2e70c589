//! The program around one library's server on tokio, with one thread and one task per connection.
//!
//! It prints `listening PORT` and serves until its standard input ends, so that it never outlives
//! its parent process. With `--broadcast N` it accepts N connections, prints `ready`, and then
//! sends messages to all of them on command:
//!
//! ```text
//! > send 1024 50        payload bytes, number of messages
//! < sent
//! > send-timed 125      payload bytes: one message that begins with the time
//! < sent
//! ```

mod broadcast;
mod options;

pub use broadcast::Broadcast;
pub use options::{Deflate, Options};

use std::{future::Future, io::stdin, process::ExitCode, thread};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};

/// What one library's server can do.
pub trait Library: 'static {
    /// The library's name, as published.
    const NAME: &'static str;
    /// The configurations to measure, `default` first.
    const VARIANTS: &'static [&'static str];
    /// The supported modes of permessage-deflate.
    const DEFLATE: &'static [Deflate] = &[];

    /// Does the opening handshake and echoes every message until the connection ends.
    /// The stream has `TCP_NODELAY` set.
    fn echo(stream: TcpStream, options: Options) -> impl Future<Output = ()> + Send + 'static;
}

/// Runs the program of a library that echoes and broadcasts. Call it from `main`.
pub fn run_with_broadcast<L: Library + Broadcast>() -> ExitCode {
    let options = match Options::parse::<L>(L::BROADCAST_VARIANTS) {
        Ok(options) => options,
        Err(status) => return status,
    };
    finish(runtime().block_on(async {
        match options.broadcast {
            Some(connections) => broadcast::serve::<L>(options, connections).await,
            None => echo::<L>(options).await,
        }
    }))
}

fn runtime() -> Runtime {
    // Building a runtime fails only if the system refuses an epoll descriptor.
    Builder::new_current_thread().enable_all().build().expect("the system provides an event queue")
}

fn finish(result: std::io::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn listen(options: &Options) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
    println!("listening {}", listener.local_addr()?.port());
    Ok(listener)
}

async fn echo<L: Library>(options: Options) -> std::io::Result<()> {
    thread::spawn(|| {
        for line in stdin().lines() {
            if line.is_err() {
                break;
            }
        }
        std::process::exit(0);
    });
    let listener = listen(&options).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(L::echo(stream, options));
    }
}
