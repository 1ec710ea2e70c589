//! The idle timeout: a peer that sends no messages is closed with 1001.

use super::{
    ends::{Scripted, Seen, client, server},
    wire::Rules,
    world::{Action, CLIENT, SERVER, World, play},
    *,
};
use sansocket::{
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Connection, Keepalive, Progress, Server},
    handshake::Negotiated,
};

const TIMEOUT: Duration = Duration::from_secs(40);

fn idle() -> Config {
    config().idle_timeout(TIMEOUT)
}

const IDLE: Cause = Cause::IdleTimeout(TIMEOUT);

/// Runs a connection with an idle timeout, `who`, against a peer that says only what the script says.
#[track_caller]
fn play_against_script(who: usize, rules: Rules, script: impl Fn(World, usize) -> World) -> Seen {
    let [of_server, of_client] = play(|| match who {
        SERVER => script(World::new(server(idle()), Scripted::that_stays(), rules), CLIENT),
        _ => script(World::new(Scripted::that_stays(), client(idle()), rules), SERVER),
    });
    if who == SERVER { of_server } else { of_client }
}

/// Checks that the connection closed a timeout after `last`, and at most a part of one later.
#[track_caller]
fn assert_idle_after(last: Duration, seen: &Seen) {
    assert_eq!(seen.parts(), (LOST, 1001, Initiator::Local, false, IDLE));
    let closed = seen.times().0 - CLOSE;
    assert!(closed >= last + TIMEOUT, "{closed:?}");
    assert!(closed <= last + TIMEOUT + TIMEOUT / 4 + SECOND, "{closed:?}");
}

#[test]
fn a_peer_that_never_says_anything_is_closed() {
    for who in [SERVER, CLIENT] {
        for rules in ALL_RULES {
            assert_idle_after(Duration::ZERO, &play_against_script(who, rules, |world, _| world));
        }
    }
}

#[test]
fn a_peer_that_answers_the_close_is_told_why() {
    for who in [SERVER, CLIENT] {
        // Keepalive sends and receives, but no messages.
        for config in [config(), config().keepalive(Keepalive::new(SECOND, SECOND))] {
            let seen = play(|| {
                let idle = config.idle_timeout(TIMEOUT);
                let (of_server, of_client) =
                    if who == SERVER { (idle, config) } else { (config, idle) };
                World::new(server(of_server), client(of_client), TCP)
            });
            assert_eq!(seen[who].parts(), (1001, 1001, Initiator::Local, true, IDLE));
            let by_peer = Cause::ClosingHandshake;
            assert_eq!(seen[1 - who].parts(), (1001, 1001, Initiator::Peer, true, by_peer));
            assert_eq!(seen[1 - who].reason(), "idle timeout");
        }
    }
}

#[test]
fn messages_keep_the_connection_and_control_frames_do_not() {
    for who in [SERVER, CLIENT] {
        let frame = if who == SERVER { masked } else { plain };
        let [binary, text, begin, go_on] =
            [frame(0x82, b"here"), frame(0x81, b""), frame(0x01, b"a"), frame(0x00, b"b")];
        let messages = [binary, text, begin, go_on.clone(), go_on];
        for rules in [TCP, DRIP] {
            let seen = play_against_script(who, rules, |world, peer| {
                let world = (1..20).fold(world, |world, number| {
                    let opcode = if number % 2 == 0 { 0x89 } else { 0x8a };
                    world.at(number * 10 * SECOND, peer, Action::Say(frame(opcode, b"")))
                });
                messages.iter().zip(1..).fold(world, |world, (message, number)| {
                    world.at(number * 35 * SECOND, peer, Action::Say(message.clone()))
                })
            });
            assert_idle_after(5 * 35 * SECOND, &seen);
            assert_eq!(seen.messages, [4]);
        }
    }
}

#[test]
fn a_message_counts_only_while_it_arrives() {
    for who in [SERVER, CLIENT] {
        let frame = if who == SERVER { masked } else { plain };
        let bytes = frame(0x82, &[7; 120]);
        for len in [1, 10, 100] {
            let seen = play_against_script(who, TCP, |world, peer| {
                // One byte every three seconds.
                bytes[..len].iter().zip(1..).fold(world, |world, (byte, number)| {
                    world.at(number * 3 * SECOND, peer, Action::Say(vec![*byte]))
                })
            });
            let header = bytes.len() - 120;
            let last = if len > header { len as u32 * 3 * SECOND } else { Duration::ZERO };
            assert_idle_after(last, &seen);
        }
    }
}

#[test]
fn an_endpoint_that_was_busy_reads_the_message_that_arrived_in_time() {
    for who in [SERVER, CLIENT] {
        let frame = if who == SERVER { masked } else { plain };
        let seen = play_against_script(who, TCP, |world, peer| {
            // It is about to give up.
            world.at(TIMEOUT - SECOND, who, Action::Sleep(100 * SECOND)).at(
                50 * SECOND,
                peer,
                Action::Say(frame(0x82, b"in time")),
            )
        });
        assert_eq!(seen.messages, [7]);
        assert_idle_after(100 * SECOND, &seen);
    }
}

#[test]
fn messages_that_cross_the_close_are_received() {
    for who in [SERVER, CLIENT] {
        let frame = if who == SERVER { masked } else { plain };
        let seen = play_against_script(who, TCP, |world, peer| {
            let late = [frame(0x82, b"late"), frame(0x88, &[3, 0xe9])].concat();
            world.at(TIMEOUT + LATENCY / 2, peer, Action::Say(late))
        });
        assert_eq!(seen.messages, [4]);
        assert_eq!(seen.parts(), (1001, 1001, Initiator::Local, true, IDLE));
    }
}

/// Halves may report a read before they pass on its replies, or afterwards.
#[test]
fn control_frames_without_a_pause_keep_no_halves() {
    let pong = masked(0x8a, b"");
    for replies_first in [false, true] {
        let connection = Connection::new(Server::new(), &Negotiated::new(), idle());
        let (mut sender, mut receiver) = connection.split();
        let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
        let closes = (0..).map(Duration::from_millis).find(|now| {
            let _ = sender.next(&mut output, || *now);
            input.extend_from_slice(&pong);
            if !replies_first {
                sender.did_read(Ok(pong.len()));
            }
            loop {
                let progress = receiver.advance(&mut input);
                if let Some(reply) = receiver.reply(&input) {
                    sender.reply(&reply, &mut output);
                }
                if !progress.is_ok_and(Progress::goes_on) {
                    break;
                }
            }
            if replies_first {
                sender.did_read(Ok(pong.len()));
            }
            !output.is_empty() || *now > 10 * TIMEOUT
        });
        let closes = closes.unwrap();
        assert!(closes > TIMEOUT && closes < TIMEOUT + 2 * SECOND, "{replies_first}: {closes:?}");
    }
}
