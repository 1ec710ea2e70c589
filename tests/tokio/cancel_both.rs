//! Both endpoints drop each future whenever it is pending, and continue.

use sansocket::{CloseCode, Config, Event, Limits, Message, connection::Server};
use sansocket_testkit::{
    endpoint::client_role,
    polling::{dropping, run},
    transports::wire::{CLIENT, DRIP, EAGER, Manner, SERVER, Wire, websocket},
};
use std::pin::pin;

fn messages() -> Vec<Message> {
    let sizes = [0, 1, 125, 126, 16_384, 65_535, 65_536, 140_000];
    let mut messages: Vec<_> =
        sizes.iter().map(|&size| Message::binary(vec![size as u8; size])).collect();
    messages.push(Message::text("κόσμε 🌍".repeat(2000)));
    messages
}

/// Runs a client that asks and a server that echoes from borrowed events. Returns how many futures
/// each of them dropped, and how many bytes each wrote.
fn converse(manner: Manner) -> ([usize; 2], [usize; 2]) {
    let wire = Wire::new();
    let config = Config::default().limits(Limits::default().queued_output(1000));
    let client = websocket(wire.end(CLIENT, manner), client_role(), config);
    let mut server = websocket(wire.end(SERVER, manner), Server::new(), config);
    let messages = messages();
    let mut drops = [0, 0];
    let [client_drops, server_drops] = &mut drops;
    let asks = async {
        // Dropped at the end of this future, which ends its side of the transport.
        let mut client = client;
        for (number, message) in messages.iter().enumerate() {
            client.ping(&[number as u8; 100]).await.unwrap();
            dropping!(*client_drops, client.feed(message)).unwrap();
            dropping!(*client_drops, client.feed_fragment("in ", false)).unwrap();
            dropping!(*client_drops, client.feed_fragment("pieces", true)).unwrap();
            dropping!(*client_drops, client.flush()).unwrap();
            let echo = dropping!(*client_drops, client.next()).unwrap().unwrap();
            assert!(echo == *message, "{} bytes instead of {message:?}", echo.as_bytes().len());
            let echo = dropping!(*client_drops, client.next()).unwrap().unwrap();
            assert_eq!(echo, Message::text("in pieces"));
        }
        client.close(CloseCode::NORMAL, "bye").await.unwrap();
        let closed = dropping!(*client_drops, async { client.wait_closed().await });
        assert!(closed.clean, "{closed}");
    };
    let echoes = async {
        // Alternates between owned messages, whose `receive` is dropped, and borrowed events.
        loop {
            let received = dropping!(*server_drops, async {
                Some(server.receive().await?.unwrap().0.to_message())
            });
            match received {
                Some(Some(message)) => dropping!(*server_drops, server.feed(&message)).unwrap(),
                Some(None) => {}
                None => break,
            }
            let Some(received) = server.receive().await else { break };
            let (event, mut replies) = received.unwrap();
            match event {
                Event::Text(text) => dropping!(*server_drops, replies.feed(text)).unwrap(),
                Event::Binary(data) => dropping!(*server_drops, replies.feed(data)).unwrap(),
                _ => continue,
            }
            dropping!(*server_drops, replies.flush()).unwrap();
            assert_eq!(replies.buffered_amount(), 0);
        }
        assert!(server.closed().unwrap().clean);
    };
    run(&wire, &mut [pin!(asks), pin!(echoes)]);
    (drops, [CLIENT, SERVER].map(|side| wire.writes(side).iter().sum()))
}

#[test]
fn both_endpoints_can_drop_each_future_before_each_byte() {
    let (drops, written) = converse(DRIP);
    let total: usize = written.iter().sum();
    assert!(total > 600_000, "{written:?}");
    // The server writes what it feeds while it waits for more, and does not drop half of its
    // receives. The client drops everything that it feeds and receives.
    let [client, server] = drops;
    assert!(client >= total - 3000, "{client} of {total}");
    assert!(server >= total / 2, "{server} of {total}");
}

/// With steps of these sizes, a payload that is written directly stops anywhere in a fragment.
#[test]
fn both_endpoints_can_drop_each_future_between_larger_steps() {
    for (most, steps) in [(1000, 1), (7003, 2), (40_000, 3), (65_540, 2), (100_000, 1)] {
        let (drops, written) = converse(Manner { most, steps, ..EAGER });
        let least = written[CLIENT] / most / (steps + 1);
        assert!(drops[CLIENT] >= least && drops[SERVER] > 0, "{drops:?} at {most}, {steps}");
    }
}
