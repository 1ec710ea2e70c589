//! Opens connections, some at a time.

use crate::{
    Result,
    arguments::Arguments,
    connection::{Connection, Tools, Unwritten},
    deflate::{Compressor, Decompressor},
    handshake::{self, Agreed},
    incoming::Incoming,
    reactor::Reactor,
};
use mio::{Events, Interest, Token, net::TcpStream};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{
    collections::HashMap,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, ToSocketAddrs},
    ops::Range,
    time::Instant,
};

/// A server's queue of connections to be accepted has room for so many.
pub(crate) const AT_ONCE: usize = 64;
const LONGEST_HEAD: usize = 64 * 1024;

/// Allows as many open connections as the system lets us.
pub(crate) fn allow_descriptors(connections: usize) -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // If it can't be raised, then what follows tells how many there are.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let needed = connections as u64 + 16;
    match getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < needed => Err(format!(
            "{connections} connections need {needed} file descriptors, and {allowed} are allowed: \
             raise the hard limit ('ulimit -Hn'), or take fewer --connections"
        )),
        _ => Ok(()),
    }
}

/// Opens the connections of these numbers. Their tokens are their numbers.
pub(crate) fn open(
    arguments: &Arguments,
    reactor: &mut Reactor,
    events: &mut Events,
    tools: &mut Tools,
    mut numbers: Range<usize>,
) -> Result<Vec<Connection>> {
    let address = address(arguments)?;
    let mut opening = HashMap::new();
    let wanted = numbers.len();
    let mut opened = Vec::with_capacity(wanted);
    reactor.progressed(Instant::now());
    while opened.len() < wanted {
        while opening.len() < AT_ONCE
            && let Some(number) = numbers.next()
        {
            let mut stream =
                TcpStream::connect(address).map_err(|error| unconnected(address, &error))?;
            reactor
                .registry()
                .register(&mut stream, Token(number), Interest::READABLE | Interest::WRITABLE)
                .map_err(|error| format!("a connection can't be polled: {error}"))?;
            let key = handshake::new_key(&mut tools.random);
            opening.insert(number, Opening { stream, key, is_connected: false, head: Vec::new() });
        }
        reactor.wait(events, || {
            let connected = opening.values().filter(|opening| opening.is_connected).count();
            format!(
                "{} TCP connections and {connected} answers to opening handshakes; {} of {wanted} \
                 connections are open",
                opening.len() - connected,
                opened.len()
            )
        })?;
        for Token(number) in events.iter().map(|event| event.token()) {
            let Some(one) = opening.get_mut(&number) else { continue };
            let in_context = |error| format!("opening connection {number}: {error}");
            let Some(agreed) = one.advance(arguments, address).map_err(in_context)? else {
                continue;
            };
            let one = opening.remove(&number).expect("it was there just now");
            opened.push(one.finish(number, arguments, agreed));
            reactor.progressed(Instant::now());
        }
    }
    opened.sort_unstable_by_key(|connection| connection.number);
    Ok(opened)
}

fn address(arguments: &Arguments) -> Result<SocketAddr> {
    let Arguments { host, port, .. } = arguments;
    let mut addresses: Vec<SocketAddr> = (host.as_str(), *port)
        .to_socket_addrs()
        .map_err(|error| format!("no address of --host {host:?} can be found: {error}"))?
        .collect();
    // A server that was told to listen on "localhost" mostly does so there.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.first().copied().ok_or_else(|| format!("--host {host:?} has no address"))
}

struct Opening {
    stream: TcpStream,
    key: String,
    is_connected: bool,
    /// What there is of the response.
    head: Vec<u8>,
}

impl Opening {
    /// Goes on with the handshake; `None` until it is done.
    fn advance(&mut self, arguments: &Arguments, address: SocketAddr) -> Result<Option<Agreed>> {
        if !self.is_connected {
            if let Ok(Some(error)) | Err(error) = self.stream.take_error() {
                return Err(unconnected(address, &error));
            }
            if self.stream.peer_addr().is_err() {
                return Ok(None);
            }
            self.is_connected = true;
            self.stream.set_nodelay(true).map_err(|error| error.to_string())?;
            if arguments.raw {
                return Ok(Some(Agreed::default()));
            }
            let request = handshake::request(arguments, &self.key);
            // The buffer of a new socket has room for it.
            match self.stream.write(request.as_bytes()) {
                Ok(count) if count == request.len() => {}
                result => return Err(format!("the request can't be written at once: {result:?}")),
            }
        }
        let mut buffer = [0; 4096];
        let mut has_ended = false;
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => {
                    has_ended = true;
                    break;
                }
                Ok(count) => self.head.extend(&buffer[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(format!("can't read: {error}")),
            }
        }
        let Some(length) = handshake::head_length(&self.head) else {
            return if has_ended {
                Err("the server closed it during the opening handshake".into())
            } else if self.head.len() > LONGEST_HEAD {
                Err(format!("the response is longer than {LONGEST_HEAD} bytes"))
            } else {
                Ok(None)
            };
        };
        let agreed = handshake::check(&self.head[..length], &self.key, arguments.deflate)?;
        self.head.drain(..length);
        Ok(Some(agreed))
    }

    fn finish(self, number: usize, arguments: &Arguments, agreed: Agreed) -> Connection {
        let has_frames = !arguments.raw;
        Connection {
            number,
            stream: self.stream,
            has_frames,
            compressor: Compressor::of(&agreed, arguments),
            incoming: if has_frames {
                Incoming::frames(Decompressor::of(&agreed))
            } else {
                Incoming::raw(arguments.size_on_connection())
            },
            early: self.head,
            unwritten: Unwritten::default(),
            agreed: agreed.deflate,
        }
    }
}

fn unconnected(address: SocketAddr, error: &std::io::Error) -> String {
    let hint = match error.kind() {
        ErrorKind::ConnectionRefused => "does the server listen there?",
        ErrorKind::AddrNotAvailable => {
            "all ports are in use by connections that were closed; wait a minute"
        }
        _ => "are --host and --port right?",
    };
    format!("can't connect to {address}: {error}; {hint}")
}
