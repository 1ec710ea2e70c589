//! An echo server over mio that uses only the sans-IO core: one thread serves all connections. The
//! core tells what to do with a socket next, and by when; this server does it as far as the socket
//! is ready.
//!
//! ```text
//! cargo run --release --example echo_mio [ADDR] [--no-deflate]
//! ```

mod command_line;
mod sans_io_echo;

use mio::{Events, Interest, Poll, Token, Waker, net::TcpListener, net::TcpStream};
use sans_io_echo::Echo;
use sansocket::{
    Config,
    server::{Acceptor, OriginPolicy},
    transport::IoFailure,
};
use std::collections::{BTreeSet, HashMap};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{self, Shutdown};
use std::time::{Duration, Instant};

/// All other tokens belong to peers.
const LISTENER: Token = Token(usize::MAX);
const STOP: Token = Token(usize::MAX - 1);

fn main() -> std::process::ExitCode {
    command_line::run("echo_mio", serve)
}

fn serve(listener: net::TcpListener, config: Config) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let (mut listener, mut poll) = (TcpListener::from_std(listener), Poll::new()?);
    let registry = poll.registry().try_clone()?;
    registry.register(&mut listener, LISTENER, Interest::READABLE)?;
    let waker = Waker::new(&registry, STOP)?;
    ctrlc::set_handler(move || drop(waker.wake())).map_err(io::Error::other)?;
    let acceptor = Acceptor::new().config(config).origin(OriginPolicy::any());
    let (mut peers, mut numbers, mut stopping) = (HashMap::<_, Peer>::new(), 0_usize.., false);
    // Whose turn it is and when, the next one first. A turn whose deadline has moved stays in the
    // set.
    let mut turns = BTreeSet::<(Duration, Token)>::new();
    let (mut events, started) = (Events::with_capacity(1024), Instant::now());
    while !stopping || !peers.is_empty() {
        let next = turns.first().map(|(moment, _)| moment.saturating_sub(started.elapsed()));
        match poll.poll(&mut events, next) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => turns.extend(events.iter().map(|event| (Duration::ZERO, event.token()))),
        }
        // The time of this round, in which each peer has one turn.
        let now = started.elapsed();
        let later = turns.split_off(&(now, Token(0)));
        for (_, token) in std::mem::replace(&mut turns, later) {
            if token == STOP {
                stopping = true;
                peers.retain(|_, peer| peer.echo.close());
                turns.extend(peers.keys().map(|token| (now, *token)));
            } else if token == LISTENER && !stopping {
                match listener.accept() {
                    Ok((mut socket, _)) => {
                        let token = Token(numbers.next().expect("the range never ends"));
                        let both = Interest::READABLE | Interest::WRITABLE;
                        registry.register(&mut socket, token, both)?;
                        // If this fails the peer is gone, which reading will tell.
                        let _ = socket.set_nodelay(true);
                        let echo = Echo::new(acceptor.begin());
                        peers.insert(token, Peer { socket, echo });
                        turns.extend([(now, token), (now, LISTENER)]);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    // The cause, such as too many open files, may go away.
                    Err(_) => drop(turns.insert((now + Duration::from_millis(100), LISTENER))),
                }
            } else if let Some(peer) = peers.get_mut(&token) {
                match peer.turn(now) {
                    Some(next) => turns.extend(next.map(|moment| (moment, token))),
                    None => drop(peers.remove(&token)),
                }
            }
        }
    }
    Ok(())
}

struct Peer {
    socket: TcpStream,
    echo: Echo,
}

impl Peer {
    /// Does what is wanted, as far as possible without waiting. Returns `None` if the socket is to
    /// be dropped; otherwise when the next turn is, if that does not only depend on the socket.
    fn turn(&mut self, now: Duration) -> Option<Option<Duration>> {
        let Self { socket, echo } = self;
        let wants = echo.next(now)?;
        let mut next = wants.deadline;
        if wants.write {
            let written = socket.write(echo.output.front()).map_err(|error| (&error).into());
            next = if written == Err(IoFailure::NotReady) { next } else { Some(now) };
            echo.did_write(written);
        }
        if wants.shut_down_write {
            let ended = socket.shutdown(Shutdown::Write).map_err(|error| (&error).into());
            echo.did_shut_down(ended);
            next = Some(now);
        }
        if wants.read {
            let read = socket.read(echo.input.room()).map_err(|error| (&error).into());
            next = if read == Err(IoFailure::NotReady) { next } else { Some(now) };
            echo.input.filled(read.unwrap_or(0));
            echo.did_read(read);
        }
        echo.give_back();
        Some(next)
    }
}
