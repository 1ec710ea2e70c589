//! The blocking shell: over real sockets, and over a transport that does the least at every call.
#![cfg(feature = "std")]

#[cfg(feature = "deflate")]
mod deflate;
mod endings;
mod opening;
mod plain;
mod reluctant;
mod sockets;
mod split;
mod stubborn;

use sansocket::{
    Client, Server, SystemMaskKeys,
    blocking::{Acceptor, Connector, WebSocket},
};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

type ServerSocket = WebSocket<TcpStream, Server>;
type ClientSocket = WebSocket<TcpStream, Client<SystemMaskKeys>>;

/// The two ends of a TCP connection on loopback.
fn streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = thread::spawn(move || TcpStream::connect(address).unwrap());
    let (server, _) = listener.accept().unwrap();
    (client.join().unwrap(), server)
}

/// Two connected ends.
fn pair_with(connector: Connector, acceptor: Acceptor) -> (ClientSocket, ServerSocket) {
    let (client, server) = streams();
    let server = thread::spawn(move || acceptor.accept_tcp(server).unwrap());
    let (client, _) = connector.connect_over(client, "ws://localhost/").unwrap();
    (client, server.join().unwrap())
}

fn pair() -> (ClientSocket, ServerSocket) {
    pair_with(Connector::new(), Acceptor::new())
}

/// A client's end and, after the opening handshake, the bare stream of its server.
fn client_and_stream(connector: Connector) -> (ClientSocket, TcpStream) {
    let (client, mut server) = streams();
    let thread =
        thread::spawn(move || connector.connect_over(client, "ws://localhost/").unwrap().0);
    let head = String::from_utf8(read_head(&mut server)).unwrap();
    let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let accept = sansocket::accept_key(key.as_bytes());
    let accept = std::str::from_utf8(&accept).unwrap();
    write!(
        server,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
    .unwrap();
    (thread.join().unwrap(), server)
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// A server's end and, after the opening handshake, the bare stream of its client.
fn server_and_stream(acceptor: Acceptor) -> (ServerSocket, TcpStream) {
    let (mut client, server) = streams();
    client.write_all(REQUEST).unwrap();
    let server = acceptor.accept_tcp(server).unwrap();
    read_head(&mut client);
    (server, client)
}

/// The bytes up to the empty line, and not one more.
fn read_head(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    head
}

/// All that still comes, up to the end.
fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}
