//! Endings that need a deadline, because the peer does not do its part.

use super::{
    ends::{Scripted, Seen, client, server},
    wire::Rules,
    world::{Action, CLIENT, SERVER, World, play},
    *,
};

const NOW: Duration = Duration::ZERO;

fn close_frame(of: usize) -> Vec<u8> {
    let frame = if of == CLIENT { masked } else { plain };
    frame(0x88, &[0x03, 0xe8])
}

/// Runs a connection, `who`, against a peer that keeps its transport whatever happens.
fn play_against_script(
    who: usize,
    config: Config,
    rules: Rules,
    script: impl Fn(World, usize) -> World,
) -> Seen {
    let [of_server, of_client] = play(|| match who {
        SERVER => script(World::new(server(config), Scripted::that_stays(), rules), CLIENT),
        _ => script(World::new(Scripted::that_stays(), client(config), rules), SERVER),
    });
    if who == SERVER { of_server } else { of_client }
}

const LEFT: Parts = (LOST, 1000, Initiator::Local, false, Cause::Transport(TransportEnd::Timeout));
const CLEAN_BY_PEER: Parts = (1000, 1000, Initiator::Peer, true, Cause::ClosingHandshake);
const CLEAN: Parts = (1000, 1000, Initiator::Local, true, Cause::ClosingHandshake);

#[test]
fn an_open_connection_has_no_deadline() {
    for who in [SERVER, CLIENT] {
        let seen = play_against_script(who, config(), TCP, |world, _| {
            world.at(NOW, who, Action::Send(10))
        });
        assert_eq!((seen.told, seen.over), (None, None));
    }
}

#[test]
fn a_peer_that_never_answers_a_close_is_abandoned() {
    for who in [SERVER, CLIENT] {
        for rules in [TCP, NO_HALF_CLOSE] {
            let seen = play_against_script(who, config(), rules, |world, _| {
                world.at(SECOND, who, Action::Close(1000, ""))
            });
            assert_eq!(seen.parts(), LEFT);
            assert_eq!(seen.times(), (SECOND + CLOSE, SECOND + CLOSE));
        }
    }
}

#[test]
fn the_close_timeout_is_configurable() {
    for timeout in [NOW, MS, 300 * MS, 60 * SECOND, 1_000_000 * SECOND] {
        let config = config().close_timeout(timeout);
        let seen = play_against_script(SERVER, config, TCP, |world, _| {
            world.at(NOW, SERVER, Action::Close(1000, ""))
        });
        assert_eq!((seen.parts(), seen.times().1), (LEFT, timeout));
        let seen = play_against_script(CLIENT, config, TCP, |world, peer| {
            world.at(NOW, peer, Action::Say(close_frame(peer)))
        });
        assert_eq!(seen.parts(), CLEAN_BY_PEER);
        assert_eq!(seen.times(), (LATENCY + timeout.min(LINGER), LATENCY + timeout));
    }
}

#[test]
fn a_peer_that_keeps_sending_after_this_endpoints_close_is_abandoned() {
    for who in [SERVER, CLIENT] {
        let frame = if who == SERVER { masked } else { plain };
        let seen = play_against_script(who, config(), TCP, |world, peer| {
            (0..100).fold(world.at(NOW, who, Action::Close(1000, "")), |world, tenths| {
                world.at(tenths * SECOND / 10, peer, Action::Say(frame(0x82, b"more")))
            })
        });
        assert_eq!(seen.parts(), LEFT);
        assert_eq!(seen.messages.len(), 50);
        assert_eq!(seen.times().1, CLOSE);
    }
}

#[test]
fn a_peer_that_keeps_its_transport_after_both_closes_is_abandoned() {
    let seen = play_against_script(SERVER, config(), TCP, |world, peer| {
        world.at(NOW, peer, Action::Say(close_frame(peer)))
    });
    assert_eq!(seen.parts(), CLEAN_BY_PEER);
    assert_eq!(seen.times(), (LATENCY, LATENCY + CLOSE));
    assert_eq!(seen.fin, Some(LATENCY));

    let seen = play_against_script(CLIENT, config(), TCP, |world, peer| {
        world.at(NOW, peer, Action::Say(close_frame(peer)))
    });
    assert_eq!(seen.parts(), CLEAN_BY_PEER);
    assert_eq!(seen.times(), (LATENCY + LINGER, LATENCY + CLOSE));
    assert_eq!(seen.fin, Some(LATENCY + CLOSE), "a client does not end first before its deadline");

    // Counted from its own Close, although the peer's comes late.
    let seen = play_against_script(SERVER, config(), TCP, |world, peer| {
        world.at(NOW, SERVER, Action::Close(1000, "")).at(
            4 * SECOND,
            peer,
            Action::Say(close_frame(peer)),
        )
    });
    assert_eq!((seen.parts(), seen.times()), (CLEAN, (4 * SECOND + LATENCY, CLOSE)));
    let seen = play_against_script(CLIENT, config(), TCP, |world, peer| {
        world.at(NOW, CLIENT, Action::Close(1000, "")).at(
            4 * SECOND + 500 * MS,
            peer,
            Action::Say(close_frame(peer)),
        )
    });
    assert_eq!((seen.parts(), seen.times()), (CLEAN, (CLOSE, CLOSE)));
}

#[test]
fn a_peer_that_closes_and_reads_nothing_is_abandoned() {
    for who in [SERVER, CLIENT] {
        let seen = play_against_script(who, config(), TCP, |world, peer| {
            world.at(NOW, peer, Action::StopReading).at(NOW, who, Action::Send(1 << 20)).at(
                SECOND,
                peer,
                Action::Say(close_frame(peer)),
            )
        });
        let cause = by_transport(TransportEnd::Timeout);
        assert_eq!(seen.parts(), (1000, 1000, Initiator::Peer, false, cause));
        assert_eq!(seen.times().0, SECOND + LATENCY + CLOSE);
    }
}

/// This endpoint is busy elsewhere until after its deadline: input from the meantime came in time.
#[test]
fn an_answer_that_is_read_late_counts() {
    let instant = Rules { latency: NOW, ..TCP };
    for who in [SERVER, CLIENT] {
        for (rules, len) in [(TCP, 4), (NO_HALF_CLOSE, 4), (instant, 1 << 20)] {
            let frame = if who == SERVER { masked } else { plain };
            let messages = frame(0x82, &[0; 100]).repeat(len / 100 + 1);
            // The pong for this ping can no longer be written.
            let ping = frame(0x89, b"?");
            let said = [messages, ping, close_frame(1 - who)].concat();
            let seen = play_against_script(who, config(), rules, |world, peer| {
                world
                    .at(NOW, who, Action::Close(1000, ""))
                    .at(MS, who, Action::Sleep(2 * CLOSE))
                    .at(SECOND, peer, Action::Say(said.clone()))
            });
            assert_eq!((seen.parts(), seen.messages.len()), (CLEAN, len / 100 + 1));
            assert_eq!(seen.times(), (2 * CLOSE, 2 * CLOSE));
        }
    }
}

#[test]
fn late_reading_is_bounded() {
    let instant = Rules { latency: NOW, ..TCP };
    let messages = masked(0x82, &[0; 900_000]).repeat(6);
    let seen = play_against_script(SERVER, config(), instant, |world, peer| {
        world.at(NOW, SERVER, Action::Close(1000, "")).at(MS, SERVER, Action::Sleep(2 * CLOSE)).at(
            SECOND,
            peer,
            Action::Say(messages.clone()),
        )
    });
    assert_eq!((seen.parts(), seen.times().1), (LEFT, 2 * CLOSE));
    assert_eq!(seen.messages, [900_000; 4], "what is in 4 MiB");
}

#[test]
fn a_deadline_passes_although_nobody_reads() {
    for who in [SERVER, CLIENT] {
        let seen = play_against_script(who, config(), TCP, |world, peer| {
            world.at(NOW, who, Action::StopReading).at(NOW, who, Action::Close(1000, "")).at(
                NOW,
                peer,
                Action::Say(close_frame(peer)),
            )
        });
        // The input that has arrived may be read for a while.
        assert_eq!((seen.parts(), seen.times().1), (LEFT, CLOSE + Duration::from_millis(500)));
    }
}
