//! Pairs of the tokio shell.

use crate::opening::{REQUEST, response_to};
use core::time::Duration;
use sansocket::{
    connection::{Client, Server},
    on_tokio::{Acceptor, Connector, WebSocket},
    random::SystemMaskKeys,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A server's WebSocket.
pub type ServerSocket<S> = WebSocket<S, Server>;
/// A client's WebSocket.
pub type ClientSocket<S> = WebSocket<S, Client<SystemMaskKeys>>;

/// Returns the two endpoints of a TCP connection on loopback: the client's and the server's.
pub async fn streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

/// Returns both endpoints of a connection over TCP.
pub async fn pair(
    connector: Connector,
    acceptor: Acceptor,
) -> (ClientSocket<TcpStream>, ServerSocket<TcpStream>) {
    let (client, server) = streams().await;
    server.set_nodelay(true).unwrap();
    let (client, server) =
        tokio::join!(connector.connect_over("ws://localhost/", client), acceptor.accept(server));
    (client.unwrap().0, server.unwrap())
}

/// Returns a server over TCP and the bare stream of its client.
pub async fn server_and_stream(acceptor: Acceptor) -> (ServerSocket<TcpStream>, TcpStream) {
    let (mut client, server) = streams().await;
    let server = server_over(server, &mut client, acceptor).await;
    (server, client)
}

/// Returns a client over TCP and the bare stream of its server.
pub async fn client_and_stream(connector: Connector) -> (ClientSocket<TcpStream>, TcpStream) {
    let (client, mut server) = streams().await;
    let client = client_over(client, &mut server, connector).await;
    (client, server)
}

/// Opens a server over `server`. `client` is the stream of its client.
pub async fn server_over<S, C>(server: S, client: &mut C, acceptor: Acceptor) -> ServerSocket<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: AsyncRead + AsyncWrite + Unpin,
{
    client.write_all(REQUEST).await.unwrap();
    let (server, _) = tokio::join!(acceptor.accept(server), read_head(client));
    server.unwrap()
}

/// Opens a client over `client`. `server` is the stream of its server.
pub async fn client_over<S, C>(client: S, server: &mut C, connector: Connector) -> ClientSocket<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: AsyncRead + AsyncWrite + Unpin,
{
    let answer = async {
        let response = response_to(&read_head(server).await);
        server.write_all(&response).await.unwrap();
    };
    let (client, ()) = tokio::join!(connector.connect_over("ws://localhost/", client), answer);
    client.unwrap().0
}

/// Reads up to and including the empty line, and not a byte more.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    head
}

/// Reads to the end of the stream.
pub async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// Ends a TCP connection with a reset.
pub fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}
