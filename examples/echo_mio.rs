//! An echo server over mio that uses only the sans-IO core: one thread serves all connections. The
//! core tells what to do with a socket next, and by when; this server does it as far as the socket
//! is ready.
//!
//! ```text
//! cargo run --release --example echo_mio [ADDR] [--no-deflate]
//! ```

mod command_line;

use mio::{Events, Interest, Poll, Token, Waker, net::TcpListener, net::TcpStream};
use sansocket::pool::Leased;
use sansocket::server::{Accepting, Acceptor, OriginPolicy, Step};
use sansocket::{
    CloseCode, Config, Event,
    connection::{Connection, Next},
    handshake::{Accept, HandshakeNext},
    transport::IoFailure,
};
use sansocket::{
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Progress, Server},
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
                peers.retain(|_, peer| peer.close());
                turns.extend(peers.keys().map(|token| (now, *token)));
            } else if token == LISTENER && !stopping {
                match listener.accept() {
                    Ok((mut socket, _)) => {
                        let token = Token(numbers.next().expect("the range never ends"));
                        let both = Interest::READABLE | Interest::WRITABLE;
                        registry.register(&mut socket, token, both)?;
                        // If this fails the peer is gone, which reading will tell.
                        let _ = socket.set_nodelay(true);
                        let (input, output) = (Leased::none(), Leased::none());
                        let stage = Stage::Opening(Box::new(acceptor.begin()));
                        peers.insert(token, Peer { socket, stage, input, output });
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
    stage: Stage,
    input: Leased<ReadBuffer>,
    output: Leased<WriteBuffer>,
}

enum Stage {
    Opening(Box<Accepting>),
    Open(Connection<Server>),
}

/// Both stages have methods of the same names to learn the outcome of a socket operation.
macro_rules! tell {
    ($stage:ident, $($words:tt)*) => {
        match $stage {
            Stage::Opening(accepting) => accepting.$($words)*,
            Stage::Open(connection) => connection.$($words)*,
        }
    };
}

impl Peer {
    /// Does what is wanted, as far as possible without waiting. Returns `None` if the socket is to
    /// be dropped; otherwise when the next turn is, if that does not only depend on the socket.
    fn turn(&mut self, now: Duration) -> Option<Option<Duration>> {
        let is_all_echoed = self.echo();
        let Self { socket, stage, input, output } = self;
        let wants = loop {
            match stage {
                Stage::Opening(accepting) => match accepting.next(input, output, || now) {
                    HandshakeNext::Wants(wants) => break wants,
                    HandshakeNext::Ready(Step::Request(request)) => {
                        // A response that can't be sent becomes one with status 500.
                        let _ = accepting.accept(&request, &Accept::new(), output);
                    }
                    HandshakeNext::Ready(Step::Open(negotiated, config)) => {
                        *stage = Stage::Open(Connection::new(Server::new(), &negotiated, config));
                        return Some(Some(now));
                    }
                    HandshakeNext::Ended(_) => return None,
                },
                Stage::Open(connection) => match connection.next(output, || now) {
                    Next::Wants(wants) => break wants,
                    Next::Ended(_) => return None,
                },
            }
        };
        let mut next = wants.deadline;
        if wants.write {
            let written = socket.write(output.front()).map_err(|error| (&error).into());
            next = if written == Err(IoFailure::NotReady) { next } else { Some(now) };
            tell!(stage, did_write(written, output));
        }
        if wants.shut_down_write {
            let ended = socket.shutdown(Shutdown::Write).map_err(|error| (&error).into());
            tell!(stage, did_shut_down(ended));
            next = Some(now);
        }
        if wants.read && is_all_echoed {
            let read = socket.read(input.room()).map_err(|error| (&error).into());
            next = if read == Err(IoFailure::NotReady) { next } else { Some(now) };
            input.filled(read.unwrap_or(0));
            tell!(stage, did_read(read));
        }
        // A waiting connection holds no buffers.
        let has_let_go = match stage {
            Stage::Opening(_) => true,
            Stage::Open(connection) => connection.unbind(input),
        };
        if has_let_go {
            input.give_back();
        }
        output.give_back();
        Some(next)
    }

    /// Sends back what was received. Returns `false` if messages have to wait because too many
    /// bytes are queued.
    fn echo(&mut self) -> bool {
        let Self { stage: Stage::Open(connection), input, output, .. } = self else { return true };
        // A closing connection has room, and nothing more is sent back.
        while connection.has_room(output) {
            // `next` handles errors of the peer.
            if !connection.advance(input, output).is_ok_and(Progress::goes_on) {
                return true;
            }
            let _ = match connection.event(input) {
                Some(Event::Text(text)) => connection.send_text(text, output),
                Some(Event::Binary(data)) => connection.send_binary(data, output),
                _ => Ok(()),
            };
        }
        false
    }

    /// Tells the peer that the server stops. Returns `false` if there is nobody to tell.
    fn close(&mut self) -> bool {
        let Stage::Open(connection) = &mut self.stage else { return false };
        let _ = connection.close(CloseCode::GOING_AWAY, "the server stops", &mut self.output);
        true
    }
}
