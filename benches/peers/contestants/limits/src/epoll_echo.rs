//! A raw TCP echo server without tokio or tasks: one loop over an event queue.

use mio::{Events, Interest, Poll, Token, net::TcpListener};
use std::{
    collections::HashMap,
    io::{self, Read, Write, stdin},
    thread,
};

const LISTENER: Token = Token(usize::MAX);

fn main() -> io::Result<()> {
    if std::env::args().any(|argument| argument == "--list") {
        println!("name raw TCP (epoll)\nvariants default\ndeflate \nbroadcast ");
        return Ok(());
    }
    thread::spawn(|| {
        for line in stdin().lines() {
            if line.is_err() {
                break;
            }
        }
        std::process::exit(0);
    });
    let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into())?;
    println!("listening {}", listener.local_addr()?.port());
    let mut poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    let mut events = Events::with_capacity(1024);
    let mut streams = HashMap::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut next = 0;
    loop {
        poll.poll(&mut events, None)?;
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((mut stream, _)) = listener.accept() {
                    stream.set_nodelay(true)?;
                    // The `Vec` holds bytes that the socket has not accepted yet.
                    let interest = Interest::READABLE | Interest::WRITABLE;
                    poll.registry().register(&mut stream, Token(next), interest)?;
                    streams.insert(Token(next), (stream, Vec::new()));
                    next += 1;
                }
                continue;
            }
            let Some((stream, unwritten)) = streams.get_mut(&event.token()) else { continue };
            match echo(stream, unwritten, &mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                _ => drop(streams.remove(&event.token())),
            }
        }
    }
}

/// Returns `WouldBlock` if nothing more can be done now, and `Ok` if the peer has closed.
fn echo(
    stream: &mut (impl Read + Write),
    unwritten: &mut Vec<u8>,
    buffer: &mut [u8],
) -> io::Result<()> {
    loop {
        while !unwritten.is_empty() {
            let count = stream.write(unwritten)?;
            unwritten.drain(..count);
        }
        let count = stream.read(buffer)?;
        if count == 0 {
            return Ok(());
        }
        let mut written = 0;
        while written < count {
            match stream.write(&buffer[written..count]) {
                Ok(more) => written += more,
                Err(error) => {
                    unwritten.extend_from_slice(&buffer[written..count]);
                    return Err(error);
                }
            }
        }
        if count < buffer.len() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
    }
}
