//! Keepalive: a peer that is silent is pinged, and one that stays silent is given up.

use super::{
    ends::{Scripted, Seen, client, server},
    wire::Rules,
    world::{Action, CLIENT, SERVER, World, play},
    *,
};
use sansocket::{
    buffer::WriteBuffer,
    connection::{Connection, Keepalive, Next, Server},
    handshake::Negotiated,
    transport::IoFailure,
};

const INTERVAL: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(4);

fn keepalive() -> Config {
    config().keepalive(Keepalive::new(INTERVAL, TIMEOUT))
}

const GIVEN_UP: Parts =
    (LOST, LOST, Initiator::Transport, false, Cause::Transport(TransportEnd::Timeout));

/// Runs a connection with keepalive, `who`, against a peer that says only what the script says.
fn play_against_script(who: usize, rules: Rules, script: impl Fn(World, usize) -> World) -> Seen {
    let [of_server, of_client] = play(|| match who {
        SERVER => script(World::new(server(keepalive()), Scripted::that_stays(), rules), CLIENT),
        _ => script(World::new(Scripted::that_stays(), client(keepalive()), rules), SERVER),
    });
    if who == SERVER { of_server } else { of_client }
}

#[test]
fn a_peer_that_never_says_anything_is_given_up() {
    for who in [SERVER, CLIENT] {
        for rules in ALL_RULES {
            let seen = play_against_script(who, rules, |world, _| world);
            assert_eq!(seen.parts(), GIVEN_UP);
            // A slow transport takes a while for the ping.
            let (told, over) = seen.times();
            let soonest = INTERVAL + TIMEOUT;
            assert!((soonest..soonest + SECOND).contains(&told), "{told:?}");
            assert_eq!(told, over);
        }
    }
}

#[test]
fn a_peer_that_answers_is_kept() {
    for rules in ALL_RULES {
        for who in [SERVER, CLIENT] {
            // Both have keepalive, or only one of them.
            for peer in [config(), keepalive()] {
                let seen = play(|| {
                    let (of_server, of_client) =
                        if who == SERVER { (keepalive(), peer) } else { (peer, keepalive()) };
                    World::new(server(of_server), client(of_client), rules).at(
                        1000 * SECOND,
                        who,
                        Action::Close(1000, ""),
                    )
                });
                for seen in seen {
                    assert!(seen.parts().3, "{:?}", seen.parts());
                    assert!(seen.times().0 >= 1000 * SECOND);
                }
            }
        }
    }
}

#[test]
fn the_round_trip_time_of_pings_is_measured() {
    for who in [SERVER, CLIENT] {
        let seen = play(|| {
            let (of_server, of_client) =
                if who == SERVER { (keepalive(), config()) } else { (config(), keepalive()) };
            World::new(server(of_server), client(of_client), TCP).at(
                100 * SECOND,
                who,
                Action::Close(1000, ""),
            )
        });
        assert_eq!(seen[who].round_trip, Some((2 * LATENCY, 2 * LATENCY)));
        assert_eq!(seen[1 - who].round_trip, None);
    }
}

#[test]
fn anything_that_a_peer_says_is_a_sign_of_life() {
    for who in [SERVER, CLIENT] {
        let frame = if who == SERVER { masked } else { plain };
        let seen = play_against_script(who, TCP, |world, peer| {
            // None of it answers a ping.
            (1..=10).fold(world, |world, number| {
                world.at(number * 8 * SECOND, peer, Action::Say(frame(0x82, b"here")))
            })
        });
        assert_eq!((seen.parts(), seen.messages.len()), (GIVEN_UP, 10));
        // The interval in which the last one came, one in which nothing came, and the timeout.
        assert_eq!(seen.times().0, 90 * SECOND + INTERVAL + TIMEOUT);
    }
}

#[test]
fn a_slow_upload_is_not_given_up() {
    // A byte takes 20 ms, and the peer says nothing while a message of 64 seconds arrives.
    for who in [SERVER, CLIENT] {
        let seen = play(|| {
            let (of_server, of_client) =
                if who == SERVER { (keepalive(), config()) } else { (config(), keepalive()) };
            World::new(server(of_server), client(of_client), NARROW)
                .at(SECOND, who, Action::Send(3200))
                .at(200 * SECOND, who, Action::Close(1000, ""))
        });
        assert!(seen[who].parts().3, "{:?}", seen[who].parts());
        assert_eq!(seen[1 - who].messages, [3200]);
    }
}

#[test]
fn a_peer_that_stops_reading_is_given_up() {
    for who in [SERVER, CLIENT] {
        let seen = play_against_script(who, TCP, |world, peer| {
            world.at(SECOND, peer, Action::TakeNothing).at(2 * SECOND, who, Action::Send(1 << 20))
        });
        assert_eq!(seen.parts(), GIVEN_UP);
    }
}

#[test]
fn the_close_timeout_takes_the_place_of_keepalive() {
    for who in [SERVER, CLIENT] {
        let seen = play_against_script(who, TCP, |world, _| {
            world.at(INTERVAL + SECOND, who, Action::Close(1000, ""))
        });
        let left = (LOST, 1000, Initiator::Local, false, by_transport(TransportEnd::Timeout));
        assert_eq!(seen.parts(), left);
        assert_eq!(seen.times().0, INTERVAL + SECOND + CLOSE);
    }
}

#[test]
fn an_endpoint_that_was_busy_reads_what_arrived_in_time() {
    for who in [SERVER, CLIENT] {
        let frame = if who == SERVER { masked } else { plain };
        let seen = play_against_script(who, TCP, |world, peer| {
            world.at(INTERVAL + SECOND, who, Action::Sleep(60 * SECOND)).at(
                INTERVAL + 2 * SECOND,
                peer,
                Action::Say(frame(0x8a, b"")),
            )
        });
        assert_eq!(seen.parts(), GIVEN_UP);
        assert!(seen.times().0 >= 60 * SECOND + INTERVAL, "{:?}", seen.times());
    }
}

#[test]
fn pings_behind_a_write_that_is_stuck_leave_room_for_pongs() {
    let mut connection = Connection::new(Server::new(), &Negotiated::new(), keepalive());
    let mut output = WriteBuffer::new();
    connection.send_binary(&[0; 5000], &mut output).unwrap();
    let message = output.len();
    // Nothing is written, and the peer says something after each ping.
    for second in 0..100_000 {
        let now = Duration::from_secs(second);
        assert!(matches!(connection.next(&mut output, || now), Next::Wants(_)), "{now:?}");
        let outcome = if second % 13 == 0 { Ok(1) } else { Err(IoFailure::NotReady) };
        connection.did_read(outcome);
    }
    let pings = output.len() - message;
    assert!((2000..=2100).contains(&pings), "{pings} bytes of pings");
}
