//! Two halves of a connection in two tasks, over real TCP.

use futures_util::{SinkExt, StreamExt};
use sansocket::{
    CloseCode, Config, Error, Event, Message,
    connection::{Cause, Initiator, Role, SendError, TransportEnd},
    on_tokio::{Acceptor, Connector, ReceiveHalf, SendHalf},
};
use sansocket_testkit::{frames::CLOSE_NORMAL, pair::tokio as tcp};
use std::{future::Future, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::timeout,
};

type ServerSocket = tcp::ServerSocket<TcpStream>;
type ClientSocket = tcp::ClientSocket<TcpStream>;

/// Turns a hang into a failure.
async fn watched<T>(test: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), test).await.expect("the test hangs")
}

/// Returns two connected endpoints. With `small`, the sockets' buffers have 4 KiB.
async fn pair(small: bool, config: Config) -> (ClientSocket, ServerSocket) {
    let socket = || {
        let socket = TcpSocket::new_v4().unwrap();
        if small {
            socket.set_send_buffer_size(4096).unwrap();
            socket.set_recv_buffer_size(4096).unwrap();
            // Segments that fit into the buffers: TCP would delay each larger one.
            socket2::SockRef::from(&socket).set_tcp_mss(536).unwrap();
        }
        socket
    };
    let listener = socket();
    listener.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = listener.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let connect = async {
        let stream = socket().connect(address).await.unwrap();
        let connector = Connector::new().config(config);
        connector.connect_over("ws://localhost/", stream).await.unwrap().0
    };
    let accept = async {
        let (stream, _) = listener.accept().await.unwrap();
        Acceptor::new().config(config).accept(stream).await.unwrap()
    };
    tokio::join!(connect, accept)
}

/// Returns a server and the bare stream of its client.
async fn server_and_stream(config: Config) -> (ServerSocket, TcpStream) {
    tcp::server_and_stream(Acceptor::new().config(config)).await
}

const PING: [u8; 8] = [0x89, 0x82, 0, 0, 0, 0, b'h', b'i'];
const PONG: [u8; 4] = [0x8a, 2, b'h', b'i'];
const CLOSE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];

async fn read<const N: usize>(stream: &mut TcpStream) -> [u8; N] {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test]
async fn pongs_and_the_answer_to_a_close_are_sent_while_the_user_only_reads() {
    watched(async {
        let (server, mut client) = server_and_stream(Config::default()).await;
        let (sender, mut receiver) = server.split();
        let reading = tokio::spawn(async move {
            let mut events = 0;
            while let Some(event) = receiver.receive().await {
                event.unwrap();
                events += 1;
            }
            (events, receiver.closed().unwrap())
        });
        client.write_all(&PING).await.unwrap();
        assert_eq!(read(&mut client).await, PONG);
        client.write_all(&PING).await.unwrap();
        assert_eq!(read(&mut client).await, PONG);
        client.write_all(&CLOSE).await.unwrap();
        assert_eq!(read(&mut client).await, CLOSE_NORMAL);
        client.shutdown().await.unwrap();
        let (events, closed) = reading.await.unwrap();
        assert_eq!((events, closed.clean, closed.initiator), (3, true, Initiator::Peer));
        assert_eq!(sender.closed(), Some(closed));
    })
    .await;
}

#[tokio::test]
async fn a_half_writes_what_the_other_queued_before_it_waits() {
    watched(async {
        let (client, server) = pair(false, Config::default()).await;
        let ((mut sender, mut receiver), mut client) = (server.split(), client);
        sender.try_feed("queued").unwrap();
        assert_eq!(sender.buffered_amount(), 8);
        let reading = tokio::spawn(async move { receiver.next().await });
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("queued"));
        client.send("end").await.unwrap();
        assert_eq!(reading.await.unwrap().unwrap().unwrap(), Message::text("end"));
        assert_eq!(sender.buffered_amount(), 0);
    })
    .await;
}

#[tokio::test]
async fn dropping_the_sending_half_leaves_the_connection_open() {
    watched(async {
        let (mut client, server) = pair(false, Config::default()).await;
        let (mut sender, mut receiver) = server.split();
        sender.feed("queued").await.unwrap();
        // It already waits when the other half is dropped.
        let reading = tokio::spawn(async move {
            let last = receiver.next().await;
            (last, receiver.next().await.is_none(), receiver.closed().unwrap())
        });
        tokio::task::yield_now().await;
        drop(sender);
        let queued = client.next().await.unwrap().unwrap();
        assert_eq!(queued, Message::text("queued"));
        client.ping(b"?").await.unwrap();
        client.feed("on its way").await.unwrap();
        // The remaining half answers pings, and then the peer's Close.
        let received = client.receive().await.unwrap().unwrap();
        assert_eq!(received.0, Event::Pong(b"?"));
        client.close(CloseCode::GOING_AWAY, "").await.unwrap();
        assert!(client.next().await.is_none());
        let at_client = client.closed().unwrap();
        assert_eq!((at_client.clean, at_client.code), (true, CloseCode::GOING_AWAY));
        let (last, then_none, closed) = reading.await.unwrap();
        assert_eq!(last.unwrap().unwrap(), Message::text("on its way"));
        assert!(then_none && closed.clean);
        assert_eq!(closed.initiator, Initiator::Peer);
    })
    .await;
}

#[tokio::test]
async fn dropping_the_receiving_half_ends_the_connection() {
    watched(async {
        let (mut client, server) = pair(true, Config::default()).await;
        let (mut sender, receiver) = server.split();
        // It waits for a client that does not read.
        let writing = tokio::spawn(async move {
            let sent = sender.send(&vec![7; 32 << 20]).await;
            (sent, sender.send("more").await, sender)
        });
        tokio::task::yield_now().await;
        drop(receiver);
        let (sent, then, sender) = writing.await.unwrap();
        let Err(Error::Closed(closed)) = sent else { panic!("{sent:?}") };
        assert_eq!(closed.cause, Cause::Transport(TransportEnd::Dropped));
        assert!(matches!(then, Err(Error::Closed(_))), "{then:?}");
        assert_eq!(sender.closed(), Some(*closed));
        drop(sender);
        assert!(matches!(client.next().await, Some(Err(_))));
    })
    .await;
}

#[tokio::test]
async fn a_peer_is_told_that_the_receiving_half_was_dropped() {
    watched(async {
        let (mut client, server) = pair(false, Config::default()).await;
        let (sender, receiver) = server.split();
        drop(receiver);
        assert!(client.next().await.is_none());
        assert_eq!(client.closed().unwrap().code, CloseCode::GOING_AWAY);
        drop(sender);
    })
    .await;
}

#[tokio::test]
async fn a_waiting_half_sees_that_the_other_closes() {
    watched(async {
        let short = Config::default().close_timeout(Duration::from_millis(100));
        let (server, _client) = server_and_stream(short).await;
        let (mut sender, mut receiver) = server.split();
        let reading = tokio::spawn(async move { receiver.next().await });
        tokio::task::yield_now().await;
        sender.close(CloseCode::NORMAL, "").await.unwrap();
        assert!(matches!(sender.send("late").await, Err(Error::Send(SendError::Closed { .. }))));
        // The client never answers, so the close timeout runs for the half that waits.
        let Some(Err(Error::Closed(closed))) = reading.await.unwrap() else { panic!() };
        assert_eq!(closed.cause, Cause::Transport(TransportEnd::Timeout));
    })
    .await;
}

#[tokio::test]
async fn a_failure_seen_by_one_half_ends_a_wait_of_the_other() {
    watched(async {
        let (server, mut client) = server_and_stream(Config::default()).await;
        let (mut sender, mut receiver) = server.split();
        let (keep, kept) = tokio::sync::oneshot::channel();
        let writing = tokio::spawn(async move {
            loop {
                if let Err(error) = sender.send(&vec![7; 1 << 20]).await {
                    // Dropped only when both halves have seen it.
                    let _ = keep.send(sender);
                    break error;
                }
            }
        });
        let reading = tokio::spawn(async move { receiver.next().await });
        let closed = tokio::spawn(async move { kept.await.unwrap().closed() });
        // A reserved opcode; then the client disconnects without reading.
        client.write_all(&[0x83, 0x80, 0, 0, 0, 0]).await.unwrap();
        tokio::task::yield_now().await;
        drop(client);
        let seen = reading.await.unwrap();
        assert!(matches!(seen, Some(Err(Error::Protocol(_)))), "{seen:?}");
        // Which of the three it is depends on where the writer is when the connection ends.
        let error = writing.await.unwrap();
        assert!(
            matches!(
                error,
                Error::Closed(_) | Error::Io(_) | Error::Send(SendError::Closed { .. })
            ),
            "{error}"
        );
        assert!(matches!(closed.await.unwrap().unwrap().cause, Cause::Protocol(_)));
    })
    .await;
}

/// Each endpoint sends and receives at the same time, in two tasks.
async fn flood<R1: Role + Send + 'static, R2: Role + Send + 'static>(
    one: (SendHalf<TcpStream, R1>, ReceiveHalf<TcpStream, R1>),
    two: (SendHalf<TcpStream, R2>, ReceiveHalf<TcpStream, R2>),
) {
    const MESSAGES: u32 = 5000;
    async fn write<R: Role>(mut sender: SendHalf<TcpStream, R>) -> SendHalf<TcpStream, R> {
        let mut data = vec![0; 5000];
        for number in 0..MESSAGES {
            data[..4].copy_from_slice(&number.to_be_bytes());
            let len = 4 + (number as usize * 7919) % 4996;
            sender.send(&data[..len]).await.unwrap();
            if number % 10 == 0 {
                sender.ping(b"still there?").await.unwrap();
            }
        }
        sender
    }
    async fn count<R: Role>(mut receiver: ReceiveHalf<TcpStream, R>) -> ReceiveHalf<TcpStream, R> {
        let (mut messages, mut pongs) = (0_u32, 0);
        while messages < MESSAGES {
            match receiver.receive().await.unwrap().unwrap() {
                Event::Binary(data) => {
                    assert_eq!(data[..4], messages.to_be_bytes());
                    messages += 1;
                }
                Event::Pong(payload) => {
                    assert_eq!(payload, b"still there?");
                    pongs += 1;
                }
                _ => {}
            }
        }
        assert!(pongs > 0, "pings are answered during the flood");
        receiver
    }
    // Neither half is dropped before the other endpoint is done.
    let (reading, writing) = (tokio::spawn(count(one.1)), tokio::spawn(write(one.0)));
    let (reading_too, writing_too) = (tokio::spawn(count(two.1)), tokio::spawn(write(two.0)));
    let all = tokio::try_join!(reading, writing, reading_too, writing_too);
    drop(all.unwrap());
}

#[tokio::test]
async fn endpoints_that_flood_each_other_do_not_stall_in_one_thread() {
    watched(async {
        let (client, server) = pair(true, Config::default()).await;
        flood(client.split(), server.split()).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn endpoints_that_flood_each_other_do_not_stall_in_many_threads() {
    watched(async {
        let (client, server) = pair(true, Config::default()).await;
        flood(client.split(), server.split()).await;
    })
    .await;
}

#[tokio::test]
async fn the_halves_are_a_stream_and_a_sink() {
    watched(async {
        let (client, server) = pair(false, Config::default()).await;
        let echo = tokio::spawn(async move {
            let (sender, receiver) = server.split();
            receiver.forward(sender).await
        });
        let (mut sender, mut receiver) = client.split();
        SinkExt::send(&mut sender, Message::text("there and back")).await.unwrap();
        let back = StreamExt::next(&mut receiver).await.unwrap().unwrap();
        assert_eq!(back, Message::text("there and back"));
        SinkExt::close(&mut sender).await.unwrap();
        assert!(StreamExt::next(&mut receiver).await.is_none());
        assert!(receiver.closed().unwrap().clean);
        echo.await.unwrap().unwrap();
    })
    .await;
}
