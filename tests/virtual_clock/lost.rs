//! Endings caused by a transport that ended or broke.

use super::{
    ends::{Scripted, client, server},
    wire::Rules,
    world::{Action, CLIENT, SERVER, World, play},
    *,
};
use sansocket::{
    CloseCode, State,
    buffer::WriteBuffer,
    connection::{Connection, SendError, Server},
    handshake::Negotiated,
    transport::IoFailure,
};

const NOW: Duration = Duration::ZERO;

fn lost(how: TransportEnd) -> Parts {
    (LOST, LOST, Initiator::Transport, false, by_transport(how))
}

/// Runs a connection, `who`, against a scripted peer, and returns what the connection saw.
fn play_against_script(
    who: usize,
    rules: Rules,
    script: impl Fn(World, usize) -> World,
) -> ends::Seen {
    let [of_server, of_client] = play(|| match who {
        SERVER => script(World::new(server(config()), Scripted::new(), rules), CLIENT),
        _ => script(World::new(Scripted::new(), client(config()), rules), SERVER),
    });
    if who == SERVER { of_server } else { of_client }
}

#[test]
fn an_end_without_a_close_is_reported() {
    for who in [SERVER, CLIENT] {
        for rules in [TCP, NO_HALF_CLOSE] {
            let seen =
                play_against_script(who, rules, |world, peer| world.at(NOW, peer, Action::Drop));
            assert_eq!(seen.parts(), lost(TransportEnd::Eof));
            assert_eq!(seen.times(), (LATENCY, LATENCY));
            assert_eq!(seen.fin, Some(LATENCY), "its user may keep the transport");
        }
    }
}

#[test]
fn an_end_after_this_endpoints_close_is_reported() {
    for who in [SERVER, CLIENT] {
        let seen = play_against_script(who, TCP, |world, peer| {
            world.at(NOW, who, Action::Close(1001, "")).at(SECOND, peer, Action::Finish)
        });
        let parts = (LOST, 1001, Initiator::Local, false, by_transport(TransportEnd::Eof));
        assert_eq!(seen.parts(), parts);
        assert_eq!(seen.times(), (SECOND + LATENCY, SECOND + LATENCY));
    }
}

/// The peer may keep reading, so the queue is written.
#[test]
fn a_peer_that_ends_its_side_receives_the_queue() {
    for who in [SERVER, CLIENT] {
        let [of_server, of_client] = play(|| {
            let world = match who {
                SERVER => World::new(server(config()), Scripted::new(), TCP),
                _ => World::new(Scripted::new(), client(config()), TCP),
            };
            world.at(NOW, who, Action::Send(1 << 20)).at(NOW, 1 - who, Action::Finish)
        });
        let (seen, peer) =
            if who == SERVER { (of_server, of_client) } else { (of_client, of_server) };
        assert_eq!(seen.parts(), lost(TransportEnd::Eof));
        assert!(peer.received.len() > 1 << 20, "received {} bytes", peer.received.len());
        assert_eq!(peer.input_end.unwrap().1, Ok(()));
        let told = seen.times().0;
        assert!(told > LATENCY && told < CLOSE, "{told:?}");
        assert_eq!((seen.fin, seen.times().1), (Some(told), told));
    }
}

#[test]
fn a_peer_that_ends_its_side_and_reads_nothing_is_abandoned() {
    for who in [SERVER, CLIENT] {
        let seen = play_against_script(who, TCP, |world, peer| {
            world.at(NOW, who, Action::Send(1 << 20)).at(NOW, peer, Action::StopReading).at(
                NOW,
                peer,
                Action::Finish,
            )
        });
        assert_eq!(seen.parts(), lost(TransportEnd::Eof));
        assert_eq!(seen.times(), (LATENCY + CLOSE, LATENCY + CLOSE));
    }
}

/// The peer is gone, and answers further input with a reset.
#[test]
fn a_peer_may_leave_while_much_is_queued() {
    for who in [SERVER, CLIENT] {
        let seen = play_against_script(who, TCP, |world, peer| {
            world.at(NOW, who, Action::Send(1 << 20)).at(MS, peer, Action::Drop)
        });
        assert_eq!(seen.parts(), lost(TransportEnd::Reset));
        assert!(seen.times().1 <= 4 * LATENCY, "{:?}", seen.times());
    }
}

const READS: [(IoFailure, TransportEnd); 6] = [
    (IoFailure::Reset, TransportEnd::Reset),
    (IoFailure::TimedOut, TransportEnd::Timeout),
    (IoFailure::TlsTruncated, TransportEnd::TlsTruncated),
    (IoFailure::Ended, TransportEnd::Reset),
    (IoFailure::Unsupported, TransportEnd::Reset),
    (IoFailure::Other, TransportEnd::Reset),
];

#[test]
fn an_error_of_reading_ends_the_connection() {
    for who in [SERVER, CLIENT] {
        for (failure, how) in READS {
            let seen = play_against_script(who, TCP, |world, peer| {
                world.at(NOW, peer, Action::StopReading).at(NOW, who, Action::Send(1 << 20)).at(
                    SECOND,
                    who,
                    Action::FailReads(failure),
                )
            });
            assert_eq!(seen.parts(), lost(how), "{failure:?}");
            assert_eq!(seen.times(), (SECOND, SECOND), "writing would be useless");
            assert_eq!(seen.fin, Some(SECOND), "its user may keep the transport");

            let seen = play_against_script(who, TCP, |world, _| {
                world.at(NOW, who, Action::Close(1000, "")).at(
                    SECOND,
                    who,
                    Action::FailReads(failure),
                )
            });
            let parts = (LOST, 1000, Initiator::Local, false, by_transport(how));
            assert_eq!(seen.parts(), parts, "{failure:?}");
            assert_eq!(seen.times(), (SECOND, SECOND));
        }
    }
}

const CLEAN: Parts = (1000, 1000, Initiator::Peer, true, Cause::ClosingHandshake);

/// §7.1.4: both Closes were exchanged, so the transport no longer matters.
#[test]
fn an_error_of_reading_after_both_closes_does_not_matter() {
    for (failure, _) in READS {
        let close = plain(0x88, &[0x03, 0xe8]);
        let seen = play_against_script(CLIENT, TCP, |world, peer| {
            world.at(NOW, peer, Action::Say(close.clone())).at(
                5 * LATENCY,
                CLIENT,
                Action::FailReads(failure),
            )
        });
        assert_eq!(seen.parts(), CLEAN);
        assert_eq!(seen.times(), (5 * LATENCY, 5 * LATENCY));

        let close = masked(0x88, &[0x03, 0xe8]);
        let [server, _] = play(|| {
            World::new(server(config()), Scripted::that_stays(), TCP)
                .at(NOW, CLIENT, Action::Say(close.clone()))
                .at(5 * LATENCY, SERVER, Action::FailReads(failure))
        });
        assert_eq!(server.parts(), CLEAN);
        assert_eq!(server.times(), (LATENCY, 5 * LATENCY));
    }
}

#[test]
fn a_truncated_tls_stream_is_reported() {
    for who in [SERVER, CLIENT] {
        let seen = play_against_script(who, NO_HALF_CLOSE, |world, peer| {
            world.at(NOW, peer, Action::Truncate)
        });
        assert_eq!(seen.parts(), lost(TransportEnd::TlsTruncated));
        assert_eq!(seen.times(), (LATENCY, LATENCY));
    }
}

#[test]
fn the_peers_close_is_read_after_writing_has_failed() {
    for who in [SERVER, CLIENT] {
        for failure in [IoFailure::Reset, IoFailure::TimedOut, IoFailure::Other] {
            let frame = if who == SERVER { masked } else { plain };
            let said = [frame(0x82, b"last"), frame(0x88, &[0x03, 0xe9])].concat();
            let seen = play_against_script(who, TCP, |world, peer| {
                world
                    .at(NOW, peer, Action::Say(said.clone()))
                    .at(NOW, who, Action::FailWrites(failure))
                    .at(NOW, who, Action::Send(10))
            });
            assert_eq!(seen.messages, [4]);
            let (code, _, initiator, clean, cause) = seen.parts();
            assert_eq!((code, initiator, clean), (1001, Initiator::Peer, false));
            let how = match failure {
                IoFailure::TimedOut => TransportEnd::Timeout,
                _ => TransportEnd::Reset,
            };
            assert_eq!(cause, by_transport(how), "{failure:?}");
            assert_eq!(seen.times(), (LATENCY, LATENCY));
        }
    }
}

#[test]
fn an_orderly_end_is_read_after_writing_has_failed() {
    let ends = [
        (IoFailure::Reset, TransportEnd::Reset),
        (IoFailure::TimedOut, TransportEnd::Timeout),
        (IoFailure::Other, TransportEnd::Reset),
        (IoFailure::Ended, TransportEnd::Eof),
    ];
    for (failure, how) in ends {
        let seen = play_against_script(SERVER, TCP, |world, peer| {
            world.at(NOW, SERVER, Action::FailWrites(failure)).at(NOW, SERVER, Action::Send(10)).at(
                SECOND,
                peer,
                Action::Finish,
            )
        });
        assert_eq!(seen.parts(), lost(how), "{failure:?}");
        assert_eq!(seen.times(), (SECOND + LATENCY, SECOND + LATENCY));
    }
}

#[test]
fn a_silent_peer_is_abandoned_after_writing_has_failed() {
    let over = CLOSE;
    for who in [SERVER, CLIENT] {
        for action in [Action::FailWrites(IoFailure::Reset), Action::TakeNothing] {
            let seen = play_against_script(who, TCP, |world, _| {
                world.at(NOW, who, action.clone()).at(NOW, who, Action::Send(10))
            });
            assert_eq!(seen.parts(), lost(TransportEnd::Reset));
            assert_eq!(seen.times(), (over, over));
            assert_eq!(seen.fin, None);
        }
    }
}

/// Nobody would ever receive it.
#[test]
fn nothing_is_queued_after_writing_has_failed() {
    let mut connection = Connection::new(Server::new(), &Negotiated::new(), config());
    let mut output = WriteBuffer::new();
    connection.send_text("first", &mut output).unwrap();
    connection.did_write(Err(IoFailure::NotReady), &mut output);
    assert_eq!(connection.state(), State::Open);
    connection.did_write(Err(IoFailure::Reset), &mut output);
    assert_eq!(connection.state(), State::Closing);
    let queued = output.len();
    let refused = connection.send_text("second", &mut output);
    assert!(matches!(refused, Err(SendError::Closed { .. })), "{refused:?}");
    connection.close(CloseCode::NORMAL, "", &mut output).unwrap();
    assert_eq!(output.len(), queued);
}

/// The transport still ends in order for the peer.
#[test]
fn this_endpoint_may_leave() {
    for who in [SERVER, CLIENT] {
        for rules in [TCP, NO_HALF_CLOSE] {
            let [server, client] = play(|| {
                World::new(server(config()), client(config()), rules).at(SECOND, who, Action::Drop)
            });
            let (leaver, left) = if who == SERVER { (server, client) } else { (client, server) };
            assert_eq!(leaver.parts(), lost(TransportEnd::Dropped));
            assert_eq!((leaver.times(), leaver.fin), ((SECOND, SECOND), Some(SECOND)));
            assert_eq!(left.parts(), lost(TransportEnd::Eof));
            assert_eq!(left.times().1, SECOND + LATENCY);
        }
    }
}
