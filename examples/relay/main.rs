//! A reverse proxy for WebSocket: passes connections on to a server, frame by frame and as the bytes
//! arrive.
//!
//! ```text
//! cargo run --release --example relay -- --help
//! ```

mod arguments;
mod headers;
mod opening;
mod passing;

use arguments::Arguments;
use clap::Parser;
use opening::Upstream;
use passing::Passing;
use sansocket::on_tokio::Acceptor;
use std::{process::ExitCode, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    runtime::Builder,
    select, signal, spawn,
    sync::{Semaphore, watch},
    time::sleep,
};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (acceptor, upstream) =
        match arguments.acceptor().and_then(|acceptor| Ok((acceptor, arguments.upstream()?))) {
            Ok(both) => both,
            Err(wrong) => {
                eprintln!("relay: {wrong}");
                return ExitCode::from(2);
            }
        };
    let runtime =
        Builder::new_multi_thread().worker_threads(arguments.threads).enable_all().build();
    match runtime.and_then(|runtime| runtime.block_on(serve(&arguments, acceptor, upstream))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("relay: can't serve on {}: {error}", arguments.listen);
            ExitCode::FAILURE
        }
    }
}

async fn serve(
    arguments: &Arguments,
    acceptor: Acceptor,
    upstream: Upstream,
) -> std::io::Result<()> {
    let listener = TcpListener::bind(&arguments.listen).await?;
    let scheme = if arguments.is_secure() { "wss" } else { "ws" };
    println!("listening on {scheme}://{}", listener.local_addr()?);
    let shared = Arc::new((acceptor, upstream));
    let places = Arc::new(Semaphore::new(arguments.connections));
    let (stop, stopped) = watch::channel(());
    let mut interrupted = std::pin::pin!(signal::ctrl_c());
    loop {
        let accepted = async {
            // Others wait in the system's queue.
            let place = places.clone().acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = select! {
            // The first poll installs the handler: no connection may come before that.
            biased;
            _ = &mut interrupted => break,
            accepted = accepted => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                eprintln!("relay: {error}");
                // The cause, such as too many open files, may go away.
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (shared, mut stopped, verbose) = (shared.clone(), stopped.clone(), arguments.verbose);
        spawn(async move {
            let (acceptor, upstream) = &*shared;
            let opened = select! {
                opened = opening::open(acceptor, upstream, stream) => opened,
                _ = stopped.changed() => return,
            };
            let ended = match opened {
                Ok(opened) => match Passing::new(opened) {
                    Ok(passing) => passing.run(stopped).await.to_string(),
                    Err(error) => error.to_string(),
                },
                Err(error) => error.to_string(),
            };
            if verbose {
                eprintln!("{ended}");
            }
            drop(place);
        });
    }
    drop(listener);
    drop(stopped);
    let _ = stop.send(());
    // Every connection has a receiver, and its end a timeout.
    stop.closed().await;
    Ok(())
}
