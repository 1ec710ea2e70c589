//! An echo server on smol with one task per connection.
//!
//! ```text
//! cargo run --release --example echo_smol [ADDR] [--no-deflate]
//! ```

mod command_line;

use sansocket::{
    CloseCode, Config, Error, Event,
    on_futures_io::{Acceptor, ServerWebSocket},
    server::OriginPolicy,
};
use smol::{Async, Timer, channel::Receiver, future};
use std::{
    convert::Infallible,
    io,
    net::{TcpListener, TcpStream},
    sync::Arc,
    time::Duration,
};

fn main() -> std::process::ExitCode {
    command_line::run("echo_smol", |listener, config| smol::block_on(serve(listener, config)))
}

async fn serve(listener: TcpListener, config: Config) -> io::Result<()> {
    let listener = Async::new(listener)?;
    // Nothing is ever sent: everyone who receives learns of the end of the channel.
    let (running, stopped) = smol::channel::bounded::<Infallible>(1);
    ctrlc::set_handler(move || _ = running.close()).map_err(io::Error::other)?;
    let acceptor = Arc::new(Acceptor::new().config(config).origin(OriginPolicy::any()));
    let executor = smol::Executor::new();
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let (acceptor, stopped) = (Arc::clone(&acceptor), stopped.clone());
                    executor.spawn(async move { echo(&acceptor, stream, stopped).await }).detach();
                }
                // The cause, such as too many open files, may go away.
                Err(_) => drop(Timer::after(Duration::from_millis(100)).await),
            }
        }
    };
    let stop = async { _ = stopped.recv().await };
    executor.run(future::or(stop, accept)).await;
    // The connections have until their close timeout.
    while !executor.is_empty() {
        executor.tick().await;
    }
    Ok(())
}

/// Sends back each message, until the client closes or the server stops.
async fn echo(
    acceptor: &Acceptor,
    stream: Async<TcpStream>,
    stopped: Receiver<Infallible>,
) -> Result<(), Error> {
    let stop = async { Err(stopped.recv().await) };
    let accept = async { Ok(acceptor.accept_tcp(stream).await) };
    // A client that is still in its handshake is dropped.
    let Ok(accepted) = future::or(stop, accept).await else { return Ok(()) };
    let mut websocket = accepted?;
    let stop = async { Err(stopped.recv().await) };
    let echoed = future::or(stop, async { Ok(echo_all(&mut websocket).await) }).await;
    if echoed.is_err() {
        // A code that may be sent, so that this never fails.
        let _ = websocket.try_close(CloseCode::GOING_AWAY, "the server stops");
    }
    // Waits, so that a client at fault gets to read why, however much it has sent in the meantime.
    websocket.wait_closed().await;
    echoed.unwrap_or(Ok(()))
}

async fn echo_all(websocket: &mut ServerWebSocket) -> Result<(), Error> {
    let visit = websocket.receive_with(|event, replies| match event {
        Event::Text(text) => replies.try_feed(text),
        Event::Binary(data) => replies.try_feed(data),
        _ => Ok(()),
    });
    visit.await
}
