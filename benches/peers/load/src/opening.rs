//! Opens connections, a limited number at a time.

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

/// The number of connections to open at a time. Every server's accept queue has room for these.
pub(crate) const AT_ONCE: usize = 64;
const LONGEST_HEAD: usize = 64 * 1024;

/// Raises the limit on open files to the hard limit, and fails if that is not enough.
pub(crate) fn allow_descriptors(connections: usize) -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // If this fails, the check below reports the limit.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    let needed = connections as u64 + 16;
    match getrlimit(Resource::Nofile).current {
        Some(allowed) if allowed < needed => Err(format!(
            "{connections} connections need {needed} file descriptors, and {allowed} are allowed: \
             raise the hard limit ('ulimit -Hn'), or use fewer --connections"
        )),
        _ => Ok(()),
    }
}

/// Opens the connections with these numbers. The number of a connection is also its token.
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
                .map_err(|error| format!("can't poll a connection: {error}"))?;
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
            let one = opening.remove(&number).expect("the connection was just found");
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
        .map_err(|error| format!("can't resolve --host {host:?}: {error}"))?
        .collect();
    // Prefer IPv4: most servers that listen on "localhost" use it.
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.first().copied().ok_or_else(|| format!("--host {host:?} has no address"))
}

struct Opening {
    stream: TcpStream,
    key: String,
    is_connected: bool,
    /// The part of the response read so far.
    head: Vec<u8>,
}

impl Opening {
    /// Continues the handshake. Returns `None` until it is complete.
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
            // The send buffer of a new socket has room for the request.
            match self.stream.write(request.as_bytes()) {
                Ok(count) if count == request.len() => {}
                result => return Err(format!("can't write the request in one piece: {result:?}")),
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
                Err("the server closed the connection during the opening handshake".into())
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
        ErrorKind::ConnectionRefused => "is the server listening there?",
        ErrorKind::AddrNotAvailable => "closed connections still use all ports; wait a minute",
        _ => "are --host and --port right?",
    };
    format!("can't connect to {address}: {error}; {hint}")
}
