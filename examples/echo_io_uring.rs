//! An echo server over io_uring, with compio, that uses only the sans-IO core. An operation owns its
//! buffer until it is over: each connection has at most one read and one write in flight.
//!
//! ```text
//! cargo run --release --example echo_io_uring [ADDR] [--no-deflate]
//! ```

mod command_line;
mod sans_io_echo;

use compio::{BufResult, io::AsyncRead, io::AsyncWrite, net::TcpListener, net::TcpStream};
use compio::{runtime::Runtime, runtime::spawn, time::sleep};
use sans_io_echo::Echo;
use sansocket::{Config, server::Acceptor, server::OriginPolicy, transport::IoFailure};
use smol::{channel::Receiver, channel::Sender, channel::bounded, future::or, future::pending};
use std::{io, net, pin::Pin, time::Duration, time::Instant};

fn main() -> std::process::ExitCode {
    command_line::run("echo_io_uring", |tcp, config| Runtime::new()?.block_on(serve(tcp, config)))
}

async fn serve(tcp: net::TcpListener, config: Config) -> io::Result<()> {
    // compio polls if the system has no io_uring or forbids it.
    eprintln!("driver: {:?}", Runtime::with_current(Runtime::driver_type));
    let listener = TcpListener::from_std(tcp)?;
    // Nothing is ever sent: receiving ends when the channel does.
    let ((running, stopped), (connected, ended)) = (bounded::<()>(1), bounded::<()>(1));
    ctrlc::set_handler(move || _ = running.close()).map_err(io::Error::other)?;
    let ends = (stopped.clone(), connected);
    let acceptor = Acceptor::new().config(config).origin(OriginPolicy::any());
    let accept = async {
        loop {
            let echo = Echo::new(acceptor.begin());
            match listener.accept().await {
                Ok((stream, _)) => spawn(attend(stream, echo, ends.clone())).detach(),
                Err(_) => sleep(Duration::from_millis(100)).await, // Too many open files, perhaps.
            }
        }
    };
    or(accept, async { _ = stopped.recv().await }).await;
    drop(ends);
    _ = ended.recv().await;
    Ok(())
}

type InFlight<'a> = Option<Pin<Box<dyn Future<Output = BufResult<usize, Vec<u8>>> + 'a>>>;

/// Waits for the operation in flight, if there is one. Returns the outcome and the buffer.
async fn finish(operation: &mut InFlight<'_>) -> (Result<usize, IoFailure>, Vec<u8>) {
    let Some(running) = operation else { return pending().await };
    let BufResult(outcome, bytes) = running.await;
    *operation = None;
    (outcome.map_err(|error| (&error).into()), bytes)
}

async fn attend(stream: TcpStream, mut echo: Echo, ends: (Receiver<()>, Sender<()>)) {
    let (started, stream, stopped) = (Instant::now(), &stream, &ends.0);
    let (mut reading, mut writing): (InFlight<'_>, InFlight<'_>) = (None, None);
    _ = stream.set_nodelay(true); // If this fails the peer is gone, which reading will tell.
    loop {
        let is_stopping = stopped.is_closed();
        // A client that is still in its handshake is dropped.
        let goes_on = !is_stopping || echo.close();
        let Some(wants) = echo.next(started.elapsed()).filter(|_| goes_on) else { return };
        if wants.shut_down_write {
            echo.did_shut_down({ stream }.shutdown().await.map_err(|error| (&error).into()));
            continue;
        }
        if wants.write && writing.is_none() {
            // For a slow peer, copying everything for each write would be in vain.
            let bytes = echo.output.front().chunks(64 << 10).next().unwrap_or_default().to_vec();
            // From now on the core puts nothing before these bytes.
            echo.did_write(Err(IoFailure::NotReady));
            writing = Some(Box::pin(async move { { stream }.write(bytes).await }));
        }
        if wants.read && reading.is_none() {
            reading = Some(Box::pin(async { { stream }.read(Vec::with_capacity(4096)).await }));
        }
        echo.give_back();
        let deadline = async {
            let Some(moment) = wants.deadline else { return pending().await };
            sleep(moment.saturating_sub(started.elapsed())).await;
            None
        };
        let stop = async {
            if is_stopping { pending().await } else { stopped.recv().await.ok().and(None) }
        };
        let read = async { Some((true, finish(&mut reading).await)) };
        let write = async { Some((false, finish(&mut writing).await)) };
        match or(or(read, write), or(deadline, stop)).await {
            Some((true, (read, bytes))) => {
                echo.input.extend_from_slice(&bytes);
                echo.did_read(read);
            }
            Some((false, (written, _))) => echo.did_write(written),
            None if reading.is_some() => echo.did_read(Err(IoFailure::NotReady)), // by the deadline
            None => {}
        }
    }
}
