//! Endings that both endpoints want.

use super::{
    ends::{Scripted, Seen, client, server},
    wire::Rules,
    world::{Action, CLIENT, SERVER, World, play},
    *,
};

const SERVERS: (u16, &str) = (1001, "server leaves");
const CLIENTS: (u16, &str) = (4000, "client is done");

/// Runs both endpoints under these rules; those in `who` close at the beginning.
fn closing(rules: Rules, who: &[usize]) -> [Seen; 2] {
    play(|| {
        who.iter().fold(World::new(server(config()), client(config()), rules), |world, who| {
            let (code, reason) = if *who == SERVER { SERVERS } else { CLIENTS };
            world.at(Duration::ZERO, *who, Action::Close(code, reason))
        })
    })
}

fn clean(code: u16, sent: u16, initiator: Initiator) -> Parts {
    (code, sent, initiator, true, Cause::ClosingHandshake)
}

/// Checks that the client does not end TCP first, and that a clean end needs no deadline.
fn check_order(seen: &[Seen; 2], rules: Rules) {
    let [server, client] = seen;
    assert!(!client.fin_was_first, "{client:?}");
    if rules.half_close {
        assert!(server.fin_was_first, "{server:?}");
        assert_eq!(server.told.as_ref().unwrap().0, server.fin.unwrap());
    }
}

#[test]
fn the_server_can_begin_a_clean_close() {
    for rules in ALL_RULES {
        let seen = closing(rules, &[SERVER]);
        let [server, client] = &seen;
        assert_eq!(server.parts(), clean(1001, 1001, Initiator::Local), "{rules:?}");
        assert_eq!(client.parts(), clean(1001, 1001, Initiator::Peer), "{rules:?}");
        assert_eq!((server.reason(), client.reason()), ("", SERVERS.1));
        check_order(&seen, rules);
    }
    let [server, client] = closing(TCP, &[SERVER]);
    assert_eq!(
        server.times(),
        (2 * LATENCY, 4 * LATENCY),
        "told after its FIN, over at the client's"
    );
    assert_eq!(client.times(), (3 * LATENCY, 3 * LATENCY), "told at the server's FIN");
    let [server, client] = closing(NO_HALF_CLOSE, &[SERVER]);
    assert_eq!(server.times(), (2 * LATENCY, 2 * LATENCY), "over once it has the client's Close");
    assert_eq!(client.times(), (3 * LATENCY, 3 * LATENCY));
}

#[test]
fn the_client_can_begin_a_clean_close() {
    for rules in ALL_RULES {
        let seen = closing(rules, &[CLIENT]);
        let [server, client] = &seen;
        assert_eq!(server.parts(), clean(4000, 4000, Initiator::Peer), "{rules:?}");
        assert_eq!(client.parts(), clean(4000, 4000, Initiator::Local), "{rules:?}");
        assert_eq!((server.reason(), client.reason()), (CLIENTS.1, ""));
        check_order(&seen, rules);
    }
    let [server, client] = closing(TCP, &[CLIENT]);
    assert_eq!(server.times(), (LATENCY, 3 * LATENCY));
    assert_eq!(client.times(), (2 * LATENCY, 2 * LATENCY));
    let [server, client] = closing(NO_HALF_CLOSE, &[CLIENT]);
    assert_eq!(server.times(), (LATENCY, LATENCY));
    assert_eq!(client.times(), (2 * LATENCY, 2 * LATENCY));
}

#[test]
fn both_can_begin_a_clean_close_at_once() {
    for rules in ALL_RULES {
        let seen = closing(rules, &[SERVER, CLIENT]);
        let [server, client] = &seen;
        assert_eq!(server.parts(), clean(4000, 1001, Initiator::Local), "{rules:?}");
        assert_eq!(client.parts(), clean(1001, 4000, Initiator::Local), "{rules:?}");
        assert_eq!((server.reason(), client.reason()), (CLIENTS.1, SERVERS.1));
        check_order(&seen, rules);
    }
    let [server, client] = closing(TCP, &[SERVER, CLIENT]);
    assert_eq!(server.times(), (LATENCY, 3 * LATENCY));
    assert_eq!(client.times(), (2 * LATENCY, 2 * LATENCY));
}

#[test]
fn messages_sent_before_arrive_in_both_directions() {
    let rules = Rules { capacity: 1000, piece: 700, ..TCP };
    for begins in [SERVER, CLIENT] {
        let [server, client] = play(|| {
            let world = World::new(server(config()), client(config()), rules);
            [SERVER, CLIENT]
                .into_iter()
                .fold(world, |world, who| {
                    world.at(Duration::ZERO, who, Action::Send(5000)).at(
                        Duration::ZERO,
                        who,
                        Action::Send(70_000),
                    )
                })
                .at(MS, begins, Action::Close(1000, ""))
        });
        for seen in [&server, &client] {
            assert_eq!(seen.messages, [5000, 70_000]);
            assert!(seen.parts().3, "{seen:?}");
        }
    }
}

#[test]
fn messages_are_received_between_this_endpoints_close_and_the_peers() {
    let [server, client] = play(|| {
        World::new(server(config()), client(config()), TCP)
            .at(Duration::ZERO, CLIENT, Action::Close(1000, ""))
            .at(LATENCY / 2, SERVER, Action::Send(3))
    });
    assert_eq!(client.messages, [3]);
    assert!(server.parts().3 && client.parts().3);
}

#[test]
fn a_close_without_a_code_is_answered_without_one() {
    let close = masked(0x88, b"");
    let [server, client] = play(|| {
        World::new(server(config()), Scripted::new(), TCP).at(
            Duration::ZERO,
            CLIENT,
            Action::Say(close.clone()),
        )
    });
    assert_eq!(server.parts(), clean(1005, 1005, Initiator::Peer));
    assert_eq!(client.received, plain(0x88, b""));
    assert_eq!(client.input_end, Some((2 * LATENCY, Ok(()))));
}

/// A client may end its side with its Close, and still receives the queue and the answer.
#[test]
fn a_client_may_end_its_side_after_its_close() {
    let [server, client] = play(|| {
        World::new(server(config()), Scripted::new(), TCP)
            .at(Duration::ZERO, SERVER, Action::Send(200_000))
            .at(Duration::ZERO, CLIENT, Action::Say(masked(0x88, &[0x03, 0xe8])))
            .at(Duration::ZERO, CLIENT, Action::Finish)
    });
    assert_eq!(server.parts(), clean(1000, 1000, Initiator::Peer));
    assert!(client.received.ends_with(&plain(0x88, &[0x03, 0xe8])));
    assert!(client.received.len() > 200_000);
    let fin = server.fin.expect("the server's side ends too");
    assert_eq!(server.times(), (fin, fin), "told after its FIN, and there is nothing to wait for");
    assert_eq!(client.input_end, Some((fin + LATENCY, Ok(()))));
}

/// The server ends TCP with its Close, before it has the client's, as some servers do.
#[test]
fn a_server_may_end_its_side_after_its_close() {
    let [server, client] = play(|| {
        World::new(Scripted::new(), client(config()), TCP)
            .at(Duration::ZERO, SERVER, Action::Say(plain(0x88, &[0x03, 0xe8])))
            .at(Duration::ZERO, SERVER, Action::Finish)
    });
    assert_eq!(client.parts(), clean(1000, 1000, Initiator::Peer));
    assert_eq!(client.times(), (LATENCY, LATENCY));
    assert_eq!(server.received.len(), 8);
    assert_eq!(server.input_end, Some((2 * LATENCY, Ok(()))));
}

/// A half-close that has to wait, as when TLS has to write, is reported once it is done.
#[test]
fn a_half_close_may_have_to_wait() {
    for (ready, told) in [(SECOND, SECOND), (2 * CLOSE, CLOSE + LATENCY)] {
        let [server, client] = play(|| {
            World::new(server(config()), client(config()), TCP)
                .at(Duration::ZERO, SERVER, Action::ShutDownFrom(ready))
                .at(Duration::ZERO, CLIENT, Action::Close(1000, ""))
        });
        assert_eq!(server.parts(), clean(1000, 1000, Initiator::Peer));
        assert_eq!(server.told.as_ref().unwrap().0, told);
        assert_eq!(client.parts(), clean(1000, 1000, Initiator::Local));
        assert!(!client.fin_was_first || ready > CLOSE);
    }
}

/// The same holds if the client has already ended its side: that does not make the FIN unnecessary.
#[test]
fn a_half_close_may_have_to_wait_after_the_clients() {
    let [server, _] = play(|| {
        World::new(server(config()), Scripted::new(), TCP)
            .at(Duration::ZERO, SERVER, Action::ShutDownFrom(SECOND))
            .at(Duration::ZERO, CLIENT, Action::Say(masked(0x88, &[0x03, 0xe8])))
            .at(Duration::ZERO, CLIENT, Action::Finish)
    });
    assert_eq!(server.parts(), clean(1000, 1000, Initiator::Peer));
    assert_eq!((server.fin, server.times()), (Some(SECOND), (SECOND, SECOND)));
}
