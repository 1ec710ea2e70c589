//! Conversations over transports that hold bytes back until they are flushed, and over TCP.

use sansocket::{
    CloseCode, Config, Event, Limits, Message,
    buffer::ReadBuffer,
    connection::{Client, Role, Server},
    handshake::Negotiated,
    on_tokio::{Acceptor, Connector, WebSocket},
    random::SystemMaskKeys,
};
use sansocket_testkit::{
    endpoint::client_role,
    pair::tokio::streams,
    polling::run,
    receiving,
    transports::wire::{CLIENT, EAGER, Manner, SERVER, Wire},
};
use std::{future::Future, pin::pin, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader, BufStream, BufWriter},
    net::TcpStream,
};

/// Turns a hang into a failure: far more time than the action takes.
async fn in_time<T>(action: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), action).await.expect("it hangs")
}

async fn handshake<C, S>(
    client: C,
    server: S,
    config: Config,
) -> (WebSocket<C, Client<SystemMaskKeys>>, WebSocket<S, Server>)
where
    C: AsyncRead + AsyncWrite + Unpin,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (connector, acceptor) = (Connector::new().config(config), Acceptor::new().config(config));
    let (client, server) =
        tokio::join!(connector.connect_over("ws://localhost/", client), acceptor.accept(server));
    (client.unwrap().0, server.unwrap())
}

async fn echo<S: AsyncRead + AsyncWrite + Unpin>(server: WebSocket<S, Server>) {
    let (_, closed) = receiving::echo(server).await;
    assert!(closed.clean);
}

/// Sends nothing before the answer has arrived, so no byte may stay in a buffer anywhere.
async fn ask<S: AsyncRead + AsyncWrite + Unpin, R: Role>(mut client: WebSocket<S, R>) {
    for size in [0, 1, 125, 126, 5000, 8191, 8192, 8193, 16_384, 70_000, 200_000].repeat(3) {
        let message = Message::binary(vec![size as u8; size]);
        client.send(&message).await.unwrap();
        assert!(client.next().await.unwrap().unwrap() == message, "{size} bytes");
        // A fed message is flushed before the wait, too.
        client.feed(message.as_bytes()).await.unwrap();
        assert!(client.next().await.unwrap().unwrap() == message, "{size} bytes");
        client.ping(b"there?").await.unwrap();
        let (answer, _) = client.receive().await.unwrap().unwrap();
        assert_eq!(answer, Event::Pong(b"there?"));
    }
    client.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(client.wait_closed().await.clean);
}

#[tokio::test]
async fn no_byte_stays_in_a_buffered_stream() {
    let (client, server) = streams().await;
    let (client, server) = (BufStream::new(client), BufStream::new(server));
    let (client, server) = handshake(client, server, Config::default()).await;
    in_time(async { tokio::join!(ask(client), echo(server)) }).await;
}

#[tokio::test]
async fn no_byte_stays_in_a_reader_or_a_writer_that_buffers() {
    for capacity in [1, 20, 300_000] {
        let (client, server) = streams().await;
        let client = BufReader::with_capacity(capacity, client);
        let server = BufWriter::with_capacity(capacity, server);
        let (client, server) = handshake(client, server, Config::default()).await;
        in_time(async { tokio::join!(ask(client), echo(server)) }).await;
    }
}

/// The transport is slow as well: the flush has to wait, and is not forgotten then.
#[test]
fn a_flush_that_has_to_wait_is_finished() {
    for (most, steps, room) in [(7, 1, usize::MAX), (3000, 2, 100), (usize::MAX, 1, usize::MAX)] {
        let wire = Wire::new();
        for side in [CLIENT, SERVER] {
            wire.set_room(side, room);
        }
        let manner = Manner { most, steps, ..EAGER };
        let end = |side| BufStream::new(wire.end(side, manner));
        fn adopt<S: AsyncRead + AsyncWrite + Unpin, R: Role>(end: S, role: R) -> WebSocket<S, R> {
            let (negotiated, config) = (Negotiated::new(), Config::default());
            WebSocket::new(end, role, negotiated, ReadBuffer::new(), config)
        }
        let (client, server) =
            (adopt(end(CLIENT), client_role()), adopt(end(SERVER), Server::new()));
        run(&wire, &mut [pin!(ask(client)), pin!(echo(server))]);
    }
}

#[tokio::test]
async fn thousands_of_frames_in_the_queue_arrive_over_tcp() {
    let (client, server) = streams().await;
    let config = Config::default().limits(Limits::default().queued_output(64 << 20));
    let (mut client, mut server) = handshake(client, server, config).await;
    let mut expected = Vec::new();
    for number in 0..1500_u32 {
        expected.push(Message::text(number.to_string()));
        expected.push(Message::binary(vec![number as u8; 8192 + number as usize % 3]));
    }
    for message in &expected {
        server.try_feed(message).unwrap();
    }
    assert!(server.buffered_amount() > 1500 * 8192);
    let sends = async {
        server.flush().await.unwrap();
        assert_eq!(server.buffered_amount(), 0);
        server.wait_closed().await.clean
    };
    let receives = async {
        for (number, message) in expected.iter().enumerate() {
            assert!(client.next().await.unwrap().unwrap() == *message, "number {number}");
        }
        client.next().await.is_none()
    };
    assert_eq!(in_time(async { tokio::join!(sends, receives) }).await, (true, true));
}

/// More is queued than the sockets of both endpoints hold, in both directions at once.
#[tokio::test]
async fn two_endpoints_that_flood_each_other_do_not_stall() {
    async fn flood<R: Role>(mut websocket: WebSocket<TcpStream, R>) {
        let message = Message::binary(vec![7; 1 << 20]);
        let mut received = 0;
        for _ in 0..20 {
            websocket.feed(&message).await.unwrap();
        }
        while received < 20 {
            assert!(websocket.next().await.unwrap().unwrap() == message);
            received += 1;
        }
        assert!(websocket.wait_closed().await.clean);
    }
    let (client, server) = streams().await;
    let limits = Limits::default().queued_output(64 << 20);
    let (client, server) = handshake(client, server, Config::default().limits(limits)).await;
    in_time(async { tokio::join!(flood(client), flood(server)) }).await;
}
