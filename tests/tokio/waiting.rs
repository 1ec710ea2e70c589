//! Queued bytes are written before a wait, in one write; messages that arrived together need no
//! wait.

use futures_util::StreamExt;
use sansocket::{
    CloseCode, Config, Error, Event, Message,
    connection::{Client, Role, Server},
    mask::MaskKey,
    on_tokio::WebSocket,
};
use sansocket_testkit::{
    endpoint::client_role,
    polling::poll_once,
    traffic::{decode_as_peer_of, encode},
    transports::wire::{CLIENT, EAGER, End, SERVER, Wire, websocket},
};
use std::task::Poll;

type AnyClient = Client<fn() -> MaskKey>;

/// Returns `count` small messages, as a client sends them.
fn pipelined(count: usize) -> Vec<u8> {
    encode(client_role(), |client, output| {
        (0..count).for_each(|number| client.send_binary(&[number as u8; 16], output).unwrap());
    })
}

fn expected(count: usize) -> Vec<Message> {
    (0..count).map(|number| Message::binary(vec![number as u8; 16])).collect()
}

#[test]
fn fed_messages_are_written_at_once_before_a_wait() {
    async fn feed<R: Role>(websocket: &mut WebSocket<End, R>) {
        for part in ["one", "two", "three"] {
            websocket.feed(part).await.unwrap();
        }
        websocket.feed_fragment("four", true).await.unwrap();
    }
    macro_rules! check {
        (|$websocket:ident| $wait:expr) => {{
            let wire = Wire::new();
            let mut $websocket =
                websocket(wire.end(CLIENT, EAGER), client_role(), Config::default());
            assert!(poll_once(feed(&mut $websocket)).is_ready());
            assert_eq!(wire.pending(CLIENT), 0, "feeding writes nothing");
            assert_eq!($websocket.buffered_amount(), 4 * 6 + 15);
            assert!(poll_once($wait).is_pending());
            assert_eq!($websocket.buffered_amount(), 0);
            assert_eq!((wire.writes(CLIENT), wire.flushes(CLIENT)), (vec![4 * 6 + 15], 1));
            let seen = decode_as_peer_of::<AnyClient>(&wire.take(CLIENT));
            assert_eq!(seen.messages, ["one", "two", "three", "four"].map(Message::text));
        }};
    }
    check!(|websocket| websocket.next());
    check!(|websocket| websocket.receive());
    check!(|websocket| websocket.receive_chunk());
    check!(|websocket| websocket.receive_with(|_, _| Ok::<(), Error>(())));
    check!(|websocket| StreamExt::next(&mut websocket));
}

#[test]
fn messages_that_came_together_are_echoed_in_one_write() {
    let wire = Wire::new();
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    for round in 1..=3 {
        wire.put(CLIENT, &pipelined(32));
        let echo = server.receive_with(|event, replies| match event {
            Event::Binary(data) => replies.try_feed(data),
            _ => Ok::<(), Error>(()),
        });
        assert!(poll_once(echo).is_pending());
        assert_eq!(decode_as_peer_of::<Server>(&wire.take(SERVER)).messages, expected(32));
        assert_eq!((wire.writes(SERVER).len(), wire.flushes(SERVER)), (round, round));
        // One read brought everything, and one found nothing more.
        assert_eq!(wire.reads_from(CLIENT), round);
    }
}

#[test]
fn a_loop_over_messages_echoes_what_came_together_in_one_write() {
    let wire = Wire::new();
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    wire.put(CLIENT, &pipelined(32));
    let echo = async {
        while let Some(message) = server.next().await {
            server.feed(&message?).await?;
        }
        Ok::<(), Error>(())
    };
    assert!(poll_once(echo).is_pending());
    assert_eq!(wire.writes(SERVER).len(), 1);
    assert_eq!(decode_as_peer_of::<Server>(&wire.take(SERVER)).messages, expected(32));
}

#[test]
fn buffered_messages_are_returned_without_a_read() {
    let wire = Wire::new();
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    assert!(server.receive_buffered().is_none());
    let mut bytes = pipelined(32);
    let cut = bytes.split_off(bytes.len() - 5);
    wire.put(CLIENT, &bytes);
    assert!(server.receive_buffered().is_none());
    assert_eq!((wire.reads_from(CLIENT), wire.pending(CLIENT)), (0, bytes.len()), "no read");

    let Poll::Ready(Some(Ok((Event::Binary(first), _)))) = poll_once(server.receive()) else {
        panic!("nothing was received");
    };
    assert_eq!(first, [0; 16]);
    wire.put(CLIENT, &cut);
    let mut numbers = Vec::new();
    while let Some((event, mut replies)) = server.receive_buffered() {
        let Event::Binary(data) = event else { panic!("{event:?}") };
        numbers.push(data[0]);
        replies.try_feed(data).unwrap();
    }
    // The last message was incomplete when the read was made.
    assert_eq!(numbers, (1..31).collect::<Vec<_>>());
    assert_eq!((wire.reads_from(CLIENT), wire.pending(CLIENT)), (1, cut.len()));
    assert_eq!(wire.writes(SERVER), []);
    let next = poll_once(server.next());
    assert!(matches!(next, Poll::Ready(Some(Ok(last))) if last.as_bytes() == [31; 16]));
    // Written before the read that this required.
    assert_eq!(wire.writes(SERVER), [30 * 18]);
}

#[test]
fn a_buffered_ping_is_answered_and_an_end_is_not_reported() {
    let wire = Wire::new();
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    let mut bytes = pipelined(1);
    bytes.extend(encode(client_role(), |client, output| client.ping(b"hi", output).unwrap()));
    // An unmasked frame, which a server refuses.
    bytes.extend([0x82, 0]);
    wire.put(CLIENT, &bytes);
    assert!(matches!(poll_once(server.receive()), Poll::Ready(Some(Ok((Event::Binary(_), _))))));
    assert!(matches!(server.receive_buffered(), Some((Event::Ping(b"hi"), _))));
    assert!(server.receive_buffered().is_none() && server.receive_buffered().is_none());
    wire.finish(CLIENT);
    let told = poll_once(server.receive());
    assert!(matches!(told, Poll::Ready(Some(Err(Error::Protocol(_))))), "{told:?}");
    let seen = decode_as_peer_of::<Server>(&wire.take(SERVER));
    assert_eq!((seen.pongs, seen.closes), (vec![b"hi".to_vec()], 1));
}

/// Bytes that the transport does not take stay queued, and reading continues.
#[test]
fn reading_does_not_wait_for_writing() {
    let wire = Wire::new();
    wire.set_room(SERVER, 0);
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    wire.put(CLIENT, &pipelined(2));
    server.try_feed("stuck").unwrap();
    for expected in expected(2) {
        let next = poll_once(server.next());
        assert!(
            matches!(&next, Poll::Ready(Some(Ok(message))) if *message == expected),
            "{next:?}"
        );
    }
    assert!(poll_once(server.next()).is_pending() && server.buffered_amount() == 7);
    wire.set_room(SERVER, usize::MAX);
    assert!(poll_once(server.next()).is_pending() && server.buffered_amount() == 0);
}

/// A peer that has ended its own side after its Close may still read.
#[test]
fn the_queue_is_written_after_the_peers_close_and_end() {
    let wire = Wire::new();
    wire.set_room(SERVER, 3);
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    let close = encode(client_role(), |client, output| {
        client.close(CloseCode::NORMAL, "", output).unwrap();
    });
    wire.put(CLIENT, &close);
    wire.finish(CLIENT);
    server.try_feed("last").unwrap();
    let mut bytes = Vec::new();
    for _ in 0..3 {
        assert!(poll_once(server.next()).is_pending() && server.closed().is_none());
        bytes.extend(wire.take(SERVER));
    }
    assert!(matches!(poll_once(server.next()), Poll::Ready(None)));
    bytes.extend(wire.take(SERVER));
    assert!(server.closed().unwrap().clean);
    let seen = decode_as_peer_of::<Server>(&bytes);
    assert_eq!((seen.messages, seen.closes), (vec![Message::text("last")], 1));
}
