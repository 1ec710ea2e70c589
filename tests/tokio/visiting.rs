//! `receive_with`: the meaning of its visitor's errors, and the bound of the queue.

use sansocket::{
    CloseCode, Config, Error, Event, Limits, Message,
    connection::{SendError, Server},
};
use sansocket_testkit::{
    endpoint::client_role,
    polling::poll_once,
    traffic::{decode_as_peer_of, encode},
    transports::wire::{CLIENT, EAGER, Manner, SERVER, Wire, websocket},
};
use std::task::Poll;

#[test]
fn an_error_of_the_visitor_ends_the_loop_but_not_the_connection() {
    #[derive(Debug)]
    struct Stop(String);
    impl From<Error> for Stop {
        fn from(error: Error) -> Self {
            panic!("{error}");
        }
    }
    let wire = Wire::new();
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    let names = ["a", "b", "c", "d"];
    let mut bytes = encode(client_role(), |client, output| {
        names.iter().for_each(|name| client.send_text(name, output).unwrap());
    });
    wire.put(CLIENT, &bytes);
    for expected in names {
        let stopped = poll_once(server.receive_with(|event, replies| {
            let Event::Text(text) = event else { panic!("{event:?}") };
            replies.try_feed(text)?;
            Err(Stop(text.into()))
        }));
        assert!(matches!(&stopped, Poll::Ready(Err(Stop(at))) if at == expected), "{stopped:?}");
        assert_eq!(wire.writes(SERVER), [], "there is more to visit");
    }
    // The connection continues, and ends as usual.
    assert!(poll_once(server.next()).is_pending());
    assert_eq!(wire.writes(SERVER).len(), 1);
    bytes = encode(client_role(), |client, output| {
        client.send_text("e", output).unwrap();
        client.close(CloseCode::NORMAL, "", output).unwrap();
    });
    wire.put(CLIENT, &bytes);
    wire.finish(CLIENT);
    let mut visited = 0;
    let ended = poll_once(server.receive_with(|_, _| {
        visited += 1;
        Ok::<(), Stop>(())
    }));
    assert!(matches!(ended, Poll::Ready(Ok(()))) && visited == 2, "{ended:?} {visited}");
    assert!(server.closed().unwrap().clean);
    let seen = decode_as_peer_of::<Server>(&wire.take(SERVER));
    assert_eq!((seen.messages, seen.closes), (names.map(Message::text).to_vec(), 1));
}

#[test]
fn an_unclean_end_is_reported_as_one_error() {
    let wire = Wire::new();
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    wire.finish(CLIENT);
    let ended = poll_once(server.receive_with(|_, _| Ok::<(), Error>(())));
    assert!(matches!(ended, Poll::Ready(Err(Error::Closed(_)))), "{ended:?}");
    assert!(matches!(
        poll_once(server.receive_with(|_, _| Ok::<(), Error>(()))),
        Poll::Ready(Ok(()))
    ));
}

/// For a peer that sends and does not read, the queue is filled plus one message, and nothing more
/// is read. Once the peer reads, everything is echoed.
#[test]
fn a_peer_that_does_not_read_only_fills_the_queue() {
    for (limit, size) in [(0, 100), (1000, 100), (10_000, 3000), (1000, 40_000)] {
        let wire = Wire::new();
        wire.set_room(SERVER, 500);
        let limits = Limits::default().queued_output(limit);
        // A read brings several messages, so it is not only reading that is held back.
        let manner = Manner { most: 50_000, ..EAGER };
        let config = Config::default().limits(limits);
        let mut server = websocket(wire.end(SERVER, manner), Server::new(), config);
        let count = 1_000_000 / size;
        for number in 0..count {
            wire.put(
                CLIENT,
                &encode(client_role(), |client, output| {
                    client.send_binary(&vec![number as u8; size], output).unwrap();
                }),
            );
        }
        let all = wire.pending(CLIENT);
        let (mut echoed, mut most) = (Vec::new(), 0);
        while echoed.len() < count * (size + 2) {
            for _ in 0..10 {
                let echo = server.receive_with(|event, replies| {
                    if let Event::Binary(data) = event {
                        replies.try_feed(data)?;
                        most = most.max(replies.buffered_amount());
                    }
                    Ok::<(), Error>(())
                });
                assert!(poll_once(echo).is_pending());
            }
            if echoed.is_empty() {
                let read = all - wire.pending(CLIENT);
                assert!(read <= 500 + limit + size + 200 + 100_000, "{read} bytes were read");
                wire.set_room(SERVER, 30_000);
            }
            let some = wire.take(SERVER);
            assert!(!some.is_empty());
            echoed.extend(some);
        }
        assert!(most > limit && most <= limit + size + 4, "{most} bytes for a limit of {limit}");
        let seen = decode_as_peer_of::<Server>(&echoed).messages;
        assert!(
            seen.iter()
                .enumerate()
                .all(|(number, message)| { *message == Message::binary(vec![number as u8; size]) })
        );
        assert_eq!(seen.len(), count);
    }
}

/// There is room for one message before each event; a visitor that replies with more is refused.
#[test]
fn a_visitor_that_answers_with_too_much_is_refused() {
    let wire = Wire::new();
    wire.set_room(SERVER, 0);
    let config = Config::default().limits(Limits::default().queued_output(0));
    let mut server = websocket(wire.end(SERVER, EAGER), Server::new(), config);
    let text = encode(client_role(), |client, output| client.send_text("a", output).unwrap());
    wire.put(CLIENT, &text);
    let refused = poll_once(server.receive_with(|_, replies| {
        replies.try_feed("one").unwrap();
        replies.try_feed("two")
    }));
    let Poll::Ready(Err(Error::Send(SendError::QueueFull { queued: 5, limit: 0 }))) = refused
    else {
        panic!("{refused:?}");
    };
}
