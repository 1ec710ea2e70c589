//! Pairs of the blocking shell, over TCP on loopback.

use crate::opening::{REQUEST, response_to};
use sansocket::{
    blocking::{Acceptor, Connector, WebSocket},
    connection::{Client, Server},
    random::SystemMaskKeys,
};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

/// A server's WebSocket.
pub type ServerSocket = WebSocket<TcpStream, Server>;
/// A client's WebSocket.
pub type ClientSocket = WebSocket<TcpStream, Client<SystemMaskKeys>>;

/// Returns the two endpoints of a TCP connection on loopback.
pub fn streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = thread::spawn(move || TcpStream::connect(address).unwrap());
    let (server, _) = listener.accept().unwrap();
    (client.join().unwrap(), server)
}

/// Returns two connected endpoints.
pub fn pair_with(connector: Connector, acceptor: Acceptor) -> (ClientSocket, ServerSocket) {
    let (client, server) = streams();
    server.set_nodelay(true).unwrap();
    let server = thread::spawn(move || acceptor.accept(server).unwrap());
    let (client, _) = connector.connect_over("ws://localhost/", client).unwrap();
    (client, server.join().unwrap())
}

/// Returns two connected endpoints with the default configuration.
pub fn pair() -> (ClientSocket, ServerSocket) {
    pair_with(Connector::new(), Acceptor::new())
}

/// Returns a client and, after the opening handshake, the bare stream of its server.
pub fn client_and_stream(connector: Connector) -> (ClientSocket, TcpStream) {
    let (client, mut server) = streams();
    let thread =
        thread::spawn(move || connector.connect_over("ws://localhost/", client).unwrap().0);
    let response = response_to(&read_head(&mut server));
    server.write_all(&response).unwrap();
    (thread.join().unwrap(), server)
}

/// Returns a server and, after the opening handshake, the bare stream of its client.
pub fn server_and_stream(acceptor: Acceptor) -> (ServerSocket, TcpStream) {
    let (mut client, server) = streams();
    client.write_all(REQUEST).unwrap();
    server.set_nodelay(true).unwrap();
    let server = acceptor.accept(server).unwrap();
    read_head(&mut client);
    (server, client)
}

/// Reads up to and including the empty line, and not a byte more.
pub fn read_head(stream: &mut impl Read) -> Vec<u8> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    head
}

/// Reads to the end of the stream.
pub fn read_to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}
