//! Two ends of a connection, one of them often bare, and what a test sees of how they ended.

use futures_util::StreamExt;
use sansocket::{
    Cause, Client, Closed, Error, Event, Message, Role, Server, SystemMaskKeys, TransportEnd,
    tokio::{Acceptor, Connector, WebSocket},
};
use std::{future::Future, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::Builder,
    time::timeout,
};

pub(crate) type ServerSocket<S> = WebSocket<S, Server>;
pub(crate) type ClientSocket<S> = WebSocket<S, Client<SystemMaskKeys>>;

/// Longer than any deadline of a connection. Only a paused clock comes so far.
pub(crate) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A Close with 1000, unmasked.
pub(crate) const CLOSE_NORMAL: [u8; 4] = [0x88, 2, 0x03, 0xe8];

pub(crate) const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Version: 13\r\n\r\n";

/// Runs a test by the real clock, and turns one that hangs into a failure.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { timeout(Duration::from_secs(60), test).await.expect("it hangs") })
}

/// Runs a test by a clock that jumps to the next deadline once every task waits, so that time can be
/// told exactly. It does not see bytes that are still in a socket: such tests use
/// [`duplex`](tokio::io::duplex).
pub(crate) fn run_paused<T>(test: impl Future<Output = T>) -> T {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async { timeout(10 * DAY, test).await.expect("it hangs") })
}

/// The two ends of a TCP connection on loopback: the client's and the server's.
pub(crate) async fn streams() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(address), listener.accept());
    (client.unwrap(), server.unwrap().0)
}

/// Both ends of a connection over TCP.
pub(crate) async fn pair(
    connector: Connector,
    acceptor: Acceptor,
) -> (ClientSocket<TcpStream>, ServerSocket<TcpStream>) {
    let (client, server) = streams().await;
    let (client, server) = tokio::join!(
        connector.connect_over(client, "ws://localhost/"),
        acceptor.accept_tcp(server)
    );
    (client.unwrap().0, server.unwrap())
}

/// A server over TCP and the bare stream of its client.
pub(crate) async fn server_and_stream(acceptor: Acceptor) -> (ServerSocket<TcpStream>, TcpStream) {
    let (mut client, server) = streams().await;
    let server = server_over(server, &mut client, acceptor).await;
    (server, client)
}

/// A client over TCP and the bare stream of its server.
pub(crate) async fn client_and_stream(
    connector: Connector,
) -> (ClientSocket<TcpStream>, TcpStream) {
    let (client, mut server) = streams().await;
    let client = client_over(client, &mut server, connector).await;
    (client, server)
}

/// A server over `server`, whose client has the other end.
pub(crate) async fn server_over<S, C>(
    server: S,
    client: &mut C,
    acceptor: Acceptor,
) -> ServerSocket<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: AsyncRead + AsyncWrite + Unpin,
{
    client.write_all(REQUEST).await.unwrap();
    let (server, _) = tokio::join!(acceptor.accept(server), read_head(client));
    server.unwrap()
}

/// A client over `client`, whose server has the other end.
pub(crate) async fn client_over<S, C>(
    client: S,
    server: &mut C,
    connector: Connector,
) -> ClientSocket<S>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: AsyncRead + AsyncWrite + Unpin,
{
    let answer = async {
        let response = response_to(&read_head(server).await);
        server.write_all(&response).await.unwrap();
    };
    let (client, ()) = tokio::join!(connector.connect_over(client, "ws://localhost/"), answer);
    client.unwrap().0
}

/// The response that accepts a client's request.
pub(crate) fn response_to(request: &[u8]) -> Vec<u8> {
    let request = std::str::from_utf8(request).unwrap();
    let key = request.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
    let mut response = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: "
        .to_vec();
    response.extend_from_slice(&sansocket::accept_key(key.as_bytes()));
    response.extend_from_slice(b"\r\n\r\n");
    response
}

/// The bytes up to the empty line, and not one more.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    head
}

/// All that still comes, up to the end.
pub(crate) async fn read_to_end(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.unwrap();
    bytes
}

/// Ends a TCP connection by a reset.
pub(crate) fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
}

/// A frame as a server sends it; `first` is its first byte.
pub(crate) fn plain(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, None)
}

/// A frame as a client sends it; `first` is its first byte.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    frame(first, payload, Some([1, 2, 3, 4]))
}

fn frame(first: u8, payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let mask_bit = if key.is_some() { 0x80 } else { 0 };
    let mut frame = match payload.len() {
        len @ 0..126 => vec![first, mask_bit | len as u8],
        len => [vec![first, mask_bit | 126], (len as u16).to_be_bytes().to_vec()].concat(),
    };
    frame.extend(key.into_iter().flatten());
    let key = key.unwrap_or_default();
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// A way to receive.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By {
    Next,
    Receive,
    ReceiveWith,
    ReceiveChunk,
    Stream,
}

pub(crate) const WAYS: [By; 5] =
    [By::Next, By::Receive, By::ReceiveWith, By::ReceiveChunk, By::Stream];

/// Receives until nothing more is reported: the messages, and what was reported as an error.
pub(crate) async fn receive_all<S, R>(
    socket: &mut WebSocket<S, R>,
    by: By,
) -> (Vec<Vec<u8>>, Vec<Error>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    R: Role + Unpin,
{
    let (mut messages, mut errors) = (Vec::new(), Vec::new());
    let mut piece = Vec::new();
    loop {
        assert!(errors.len() < 2, "told again and again: {errors:?}");
        match by {
            By::Next | By::Stream => {
                let received = match by {
                    By::Next => socket.next().await,
                    _ => StreamExt::next(socket).await,
                };
                match received {
                    Some(Ok(message)) => messages.push(message.as_bytes().to_vec()),
                    Some(Err(error)) => errors.push(error),
                    None => break,
                }
            }
            By::Receive => match socket.receive().await {
                Some(Ok((event, _))) => messages.extend(data(event)),
                Some(Err(error)) => errors.push(error),
                None => break,
            },
            By::ReceiveWith => {
                let visited = socket.receive_with(|event, _| {
                    messages.extend(data(event));
                    Ok::<(), Error>(())
                });
                match visited.await {
                    Err(error) => errors.push(error),
                    Ok(()) => break,
                }
            }
            By::ReceiveChunk => match socket.receive_chunk().await {
                Some(Ok((chunk, _))) => {
                    piece.extend(data(chunk.event).into_iter().flatten());
                    if chunk.last && matches!(chunk.event, Event::Text(_) | Event::Binary(_)) {
                        messages.push(std::mem::take(&mut piece));
                    }
                }
                Some(Err(error)) => errors.push(error),
                None => break,
            },
        }
    }
    (messages, errors)
}

fn data(event: Event<'_>) -> Option<Vec<u8>> {
    match event {
        Event::Text(text) => Some(text.as_bytes().to_vec()),
        Event::Binary(data) => Some(data.to_vec()),
        _ => None,
    }
}

/// The end that a connection reports, which must be the one error that it does report.
#[track_caller]
pub(crate) fn only_end(errors: Vec<Error>) -> Closed {
    match <[Error; 1]>::try_from(errors) {
        Ok([Error::Closed(closed)]) => *closed,
        other => panic!("{other:?}"),
    }
}

/// Whether what was received next says that the connection ended so.
#[track_caller]
pub(crate) fn assert_ended(next: Option<Result<Message, Error>>, how: TransportEnd) {
    match next {
        Some(Err(Error::Closed(closed))) => assert_eq!(closed.cause, Cause::Transport(how)),
        other => panic!("{other:?}"),
    }
}
