//! Conversations over real sockets.

use sansocket::{
    CloseCode, Config, Event, Limits, Message, PreparedMessage, State,
    connection::Initiator,
    handshake::{Accept, Request},
    on_tokio::{Acceptor, Connector},
};
use sansocket_testkit::{
    clock::run,
    frames::{masked, plain},
    opening::{REQUEST, response_to},
    pair::tokio::{pair, read_head, server_and_stream, streams},
    receiving::{By, WAYS, echo, receive_all},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn messages_of_all_sizes_come_back() {
    run(async {
        let (mut client, server) = pair(Connector::new(), Acceptor::new()).await;
        let server = tokio::spawn(echo(server));
        let sizes = [0, 1, 125, 126, 4096, 65_535, 65_536, 65_537, 1 << 20, 5_000_000];
        for size in sizes {
            let data: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
            client.send(&data).await.unwrap();
            assert_eq!(client.next().await.unwrap().unwrap(), Message::binary(data));
            let text = "é漢".repeat(size / 5);
            client.send(&text).await.unwrap();
            assert_eq!(client.next().await.unwrap().unwrap(), Message::text(text));
        }
        client.close(CloseCode::NORMAL, "done").await.unwrap();
        assert!(client.next().await.is_none());
        let closed = client.closed().unwrap();
        assert!(closed.clean && closed.initiator == Initiator::Local, "{closed:?}");
        let (messages, closed) = server.await.unwrap();
        assert_eq!(messages, 2 * sizes.len() as u32);
        assert!(closed.clean && closed.initiator == Initiator::Peer, "{closed:?}");
        assert_eq!((closed.code, closed.reason.as_str()), (CloseCode::NORMAL, "done"));
    });
}

#[test]
fn a_message_is_the_same_in_every_form_and_for_every_receiver() {
    run(async {
        for by in WAYS {
            let (mut client, mut server) = pair(Connector::new(), Acceptor::new()).await;
            let large = Message::binary(vec![7; 100_000]);
            let send = async {
                server.feed(&large).await.unwrap();
                server.feed(&PreparedMessage::new(large.clone())).await.unwrap();
                server.feed(large.as_bytes()).await.unwrap();
                server.feed_fragment(&large.as_bytes()[..1], false).await.unwrap();
                server.feed_fragment(&large.as_bytes()[1..], true).await.unwrap();
                server.send(large.as_bytes()).await.unwrap();
                server.wait_closed().await.clean
            };
            let (clean, (messages, errors)) = tokio::join!(send, receive_all(&mut client, by));
            assert!(clean && errors.is_empty(), "{by:?}: {errors:?}");
            assert_eq!(messages.len(), 5, "{by:?}");
            assert!(messages.iter().all(|message| message == large.as_bytes()), "{by:?}");
        }
    });
}

#[test]
fn pings_are_answered_while_the_user_only_reads() {
    run(async {
        let (mut client, mut server) = pair(Connector::new(), Acceptor::new()).await;
        let ask = async {
            client.ping(b"are you there").await.unwrap();
            let (event, _) = client.receive().await.unwrap().unwrap();
            assert_eq!(event, Event::Pong(b"are you there"));
            assert!(client.wait_closed().await.clean);
        };
        let ((), next) = tokio::join!(ask, server.next());
        assert!(next.is_none());
    });
}

#[test]
fn a_message_is_received_in_chunks_before_it_is_finished() {
    run(async {
        let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
        let frame = masked(0x81, &[b'x'; 100]);
        client.write_all(&frame[..11]).await.unwrap();
        let (chunk, _) = server.receive_chunk().await.unwrap().unwrap();
        assert_eq!((chunk.event, chunk.first, chunk.last), (Event::Text("xxxxx"), true, false));
        client.write_all(&frame[11..]).await.unwrap();
        let mut rest = 0;
        loop {
            let (chunk, _) = server.receive_chunk().await.unwrap().unwrap();
            let Event::Text(text) = chunk.event else { panic!("{chunk:?}") };
            rest += text.len();
            if chunk.last {
                break;
            }
        }
        assert_eq!(rest, 95);
    });
}

#[test]
fn messages_that_arrived_together_need_no_wait_and_are_answered_in_order() {
    run(async {
        let (mut server, mut client) = server_and_stream(Acceptor::new()).await;
        let names = ["a", "b", "c", "d"];
        let said: Vec<u8> = names.iter().flat_map(|name| masked(0x81, name.as_bytes())).collect();
        client.write_all(&said).await.unwrap();
        let mut seen = 0;
        let Some(Ok((Event::Text(text), mut replies))) = server.receive().await else { panic!() };
        replies.try_feed(text).unwrap();
        while let Some((event, mut replies)) = server.receive_buffered() {
            let Event::Text(text) = event else { panic!("{event:?}") };
            replies.try_feed(text).unwrap();
            seen += 1;
        }
        assert_eq!(seen, 3);
        server.flush().await.unwrap();
        let expected: Vec<u8> =
            names.iter().flat_map(|name| plain(0x81, name.as_bytes())).collect();
        let mut answered = vec![0; expected.len()];
        client.read_exact(&mut answered).await.unwrap();
        assert_eq!(answered, expected);
    });
}

#[test]
fn thousands_of_queued_frames_leave_in_order() {
    run(async {
        let limits = Limits::default().queued_output(usize::MAX);
        let acceptor = Acceptor::new().config(Config::default().limits(limits));
        let (mut client, mut server) = pair(Connector::new(), acceptor).await;
        let send = async {
            for number in 0..5_000_u32 {
                // Every third message is large enough to be linked instead of copied.
                let size = if number % 3 == 0 { 10_000 } else { 4 };
                let mut data = number.to_be_bytes().to_vec();
                data.resize(size, 0);
                server.feed(&Message::binary(data)).await.unwrap();
            }
            server.flush().await.unwrap();
            assert_eq!(server.buffered_amount(), 0);
            server.wait_closed().await.clean
        };
        let (clean, (messages, errors)) = tokio::join!(send, receive_all(&mut client, By::Next));
        assert!(clean && errors.is_empty(), "{errors:?}");
        let numbers = messages.iter().map(|message| message[..4].to_vec());
        assert!(numbers.eq((0..5_000_u32).map(|number| number.to_be_bytes().to_vec())));
    });
}

#[test]
fn feeding_above_the_limit_writes() {
    run(async {
        let config = Config::default().limits(Limits::default().queued_output(1000));
        let (mut client, server) = pair(Connector::new().config(config), Acceptor::new()).await;
        let server = tokio::spawn(echo(server));
        for _ in 0..100 {
            client.feed(&[1; 400]).await.unwrap();
            assert!(client.buffered_amount() <= 1000 + 408);
        }
        for _ in 0..100 {
            assert_eq!(client.next().await.unwrap().unwrap().as_bytes(), [1; 400]);
        }
        assert!(client.wait_closed().await.clean);
        assert_eq!(server.await.unwrap().0, 100);
    });
}

#[test]
fn a_message_in_the_same_segment_as_the_handshake_is_received() {
    run(async {
        let (client, mut server) = streams().await;
        let connector = Connector::new();
        let (connected, ()) =
            tokio::join!(connector.connect_over("ws://localhost/", client), async {
                let mut bytes = response_to(&read_head(&mut server).await);
                bytes.extend(plain(0x81, b"welcome"));
                server.write_all(&bytes).await.unwrap();
            });
        let (mut client, _) = connected.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("welcome"));

        let (mut client, server) = streams().await;
        let bytes = [REQUEST, &masked(0x81, b"hello")].concat();
        client.write_all(&bytes).await.unwrap();
        let mut server = Acceptor::new().accept_tcp(server).await.unwrap();
        assert_eq!(server.next().await.unwrap().unwrap(), Message::text("hello"));
    });
}

#[test]
fn the_subprotocol_is_negotiated_and_the_request_is_seen() {
    run(async {
        let (client, server) = streams().await;
        let decide = |request: &Request| {
            assert_eq!(request.path(), "/chat");
            assert_eq!(request.header("X-Token"), Some(&b"secret"[..]));
            Ok(Accept::new().subprotocol("v2"))
        };
        let connector =
            Connector::new().header("X-Token", "secret").subprotocol("v1").subprotocol("v2");
        let acceptor = Acceptor::new();
        let (connected, accepted) = tokio::join!(
            connector.connect_over("ws://localhost/chat?x=1", client),
            acceptor.accept_with(server, decide)
        );
        let ((mut client, _), mut server) = (connected.unwrap(), accepted.unwrap());
        assert_eq!(client.negotiated().subprotocol.as_deref(), Some("v2"));
        assert_eq!(server.negotiated().subprotocol.as_deref(), Some("v2"));
        assert_eq!((client.state(), server.state()), (State::Open, State::Open));
        let (left, right) = tokio::join!(client.wait_closed(), server.wait_closed());
        assert!(left.clean && right.clean);
    });
}
