//! Endings caused by a peer that broke the protocol.

use super::{
    ends::{Scripted, Seen, client, server},
    wire::Rules,
    world::{Action, CLIENT, SERVER, World, play},
    *,
};
use sansocket::{connection::ProtocolError, frame::FrameError, transport::IoFailure};

/// A reserved opcode.
const BAD: u8 = 0x83;
const ERROR: ProtocolError = ProtocolError::Frame(FrameError::ReservedOpCode(3));
const NOW: Duration = Duration::ZERO;
/// The most that the read buffer may hold while megabytes are dropped.
const FEW: usize = 64 << 10;

const FAILED: Parts = (LOST, 1002, Initiator::Local, false, Cause::Protocol(ERROR));

fn close_1002() -> Vec<u8> {
    failure_close(FrameError::ReservedOpCode(3))
}

/// Checks that the application is told as soon as the fault is read, with the same outcome as
/// later.
#[track_caller]
fn check_told_at_once(seen: &Seen, at: Duration) {
    assert_eq!(seen.error, Some((at, ERROR)));
    assert_eq!(seen.told.as_ref().unwrap().0, at);
    assert_eq!(seen.parts(), FAILED);
}

/// Runs two connections, one of which sends an invalid frame without knowing.
fn play_fault(by: usize, rules: Rules) -> [Seen; 2] {
    let fault = if by == CLIENT { masked(BAD, b"") } else { plain(BAD, b"") };
    play(|| {
        World::new(server(config()), client(config()), rules).at(
            NOW,
            by,
            Action::Say(fault.clone()),
        )
    })
}

#[test]
fn a_client_at_fault_treats_the_close_like_any_other() {
    for rules in ALL_RULES {
        let [server, client] = play_fault(CLIENT, rules);
        assert_eq!(server.parts(), FAILED, "{rules:?}");
        assert_eq!(server.error.unwrap().0, server.times().0, "{rules:?}");
        assert_eq!(
            client.parts(),
            (1002, 1002, Initiator::Peer, true, Cause::ClosingHandshake),
            "{rules:?}"
        );
        assert!(!client.fin_was_first);
    }
    let [server, client] = play_fault(CLIENT, TCP);
    check_told_at_once(&server, LATENCY);
    assert_eq!(server.fin, Some(LATENCY));
    assert_eq!((server.times().1, client.times().1), (3 * LATENCY, 2 * LATENCY));

    // The server can't signal its end, so it waits a moment for the client to read its Close.
    let [server, client] = play_fault(CLIENT, NO_HALF_CLOSE);
    check_told_at_once(&server, LATENCY);
    assert_eq!(server.times().1, LATENCY + LINGER);
    assert_eq!(client.times(), (2 * LATENCY + LINGER, 2 * LATENCY + LINGER));
}

#[test]
fn a_server_at_fault_ends_tcp_and_the_client_waits_for_it() {
    for rules in ALL_RULES {
        let [server, client] = play_fault(SERVER, rules);
        assert_eq!(client.parts(), FAILED, "{rules:?}");
        assert!(!client.fin_was_first);
        let clean = (1002, 1002, Initiator::Peer, true, Cause::ClosingHandshake);
        assert_eq!(server.parts(), clean, "{rules:?}");
    }
    for rules in [TCP, NO_HALF_CLOSE] {
        let [_, client] = play_fault(SERVER, rules);
        check_told_at_once(&client, LATENCY);
        assert_eq!(client.times().1, 3 * LATENCY);
    }
}

#[test]
fn the_close_arrives_despite_megabytes_of_unread_input() {
    for rules in [TCP, Rules { latency: NOW, ..TCP }] {
        let [server, client] = play(|| {
            World::new(server(config()), Scripted::new(), rules)
                .at(NOW, CLIENT, Action::Say(masked(BAD, b"")))
                .at(NOW, CLIENT, Action::Say(vec![0; 16 << 20]))
                .at(NOW, CLIENT, Action::Finish)
        });
        check_told_at_once(&server, rules.latency);
        assert_eq!(client.received, close_1002());
        assert_eq!(client.input_end, Some((2 * rules.latency, Ok(()))), "and no reset");
        assert!(server.times().1 < CLOSE);
        assert!(server.most_memory <= FEW, "{} bytes", server.most_memory);
    }
}

#[test]
fn dropped_input_is_bounded() {
    // Bounded by size if the input arrives quickly.
    let quick = Rules { latency: NOW, ..TCP };
    let flood = |rules| {
        play(move || {
            World::new(server(config()), Scripted::that_stays(), rules)
                .at(NOW, CLIENT, Action::Say(masked(BAD, b"")))
                .at(NOW, CLIENT, Action::Flood(60 * SECOND))
        })
    };
    let [server, client] = flood(quick);
    check_told_at_once(&server, NOW);
    assert_eq!(server.times().1, NOW);
    assert_eq!(client.received, close_1002());
    assert!(server.most_memory <= FEW, "{} bytes", server.most_memory);
    // Bounded by time if it does not, or if this endpoint can't signal that it has ended.
    let [server, client] = flood(TCP);
    assert_eq!(server.times(), (LATENCY, LATENCY + CLOSE));
    assert_eq!(client.received, close_1002());
    let [server, client] = flood(NO_HALF_CLOSE);
    assert_eq!(server.times(), (LATENCY, LATENCY + LINGER));
    assert_eq!(client.received, close_1002());
}

#[test]
fn dropping_is_bounded_in_time_however_little_arrives() {
    let [server, _] = play(|| {
        let world = World::new(server(config()), Scripted::that_stays(), TCP);
        (0..100).fold(world.at(NOW, CLIENT, Action::Say(masked(BAD, b""))), |world, tenths| {
            world.at(tenths * SECOND / 10, CLIENT, Action::Say(vec![0]))
        })
    });
    assert_eq!(server.times(), (LATENCY, LATENCY + CLOSE));
}

#[test]
fn a_client_drops_no_more_than_a_server() {
    let flood = |rules| {
        play(move || {
            World::new(Scripted::that_stays(), client(config()), rules)
                .at(NOW, SERVER, Action::Say(plain(BAD, b"")))
                .at(NOW, SERVER, Action::Flood(60 * SECOND))
        })
    };
    let [_, client] = flood(Rules { latency: NOW, ..TCP });
    check_told_at_once(&client, NOW);
    assert_eq!(client.times().1, NOW);
    let [_, client] = flood(TCP);
    assert_eq!(client.times(), (LATENCY, LATENCY + CLOSE));
    assert_eq!(client.fin, Some(LATENCY + CLOSE), "not before its deadline");
}

#[test]
fn a_fault_is_reported_at_once_while_the_peer_reads_nothing() {
    for (rules, over) in [(TCP, LATENCY + CLOSE), (NO_HALF_CLOSE, LATENCY + CLOSE)] {
        let [server, client] = play(move || {
            World::new(server(config()), Scripted::that_stays(), rules)
                .at(NOW, CLIENT, Action::StopReading)
                .at(NOW, SERVER, Action::Send(1 << 20))
                .at(NOW, CLIENT, Action::Say(masked(BAD, b"")))
        });
        check_told_at_once(&server, LATENCY);
        assert_eq!(server.times().1, over);
        assert_eq!(client.received, b"");
    }
}

#[test]
fn a_fault_after_this_endpoints_close_is_reported() {
    let [server, client] = play(|| {
        World::new(server(config()), Scripted::new(), TCP)
            .at(NOW, SERVER, Action::Close(4000, ""))
            .at(SECOND, CLIENT, Action::Say(masked(BAD, b"")))
    });
    assert_eq!(server.parts(), (LOST, 4000, Initiator::Local, false, Cause::Protocol(ERROR)));
    assert_eq!(server.times(), (SECOND + LATENCY, SECOND + 3 * LATENCY));
    assert_eq!(client.received, plain(0x88, &[0x0f, 0xa0]), "one Close, not two");
}

/// The deadline of this endpoint's Close stays; the fault does not give the peer more time.
#[test]
fn a_late_fault_after_this_endpoints_close_keeps_the_deadline() {
    let [server, _] = play(|| {
        World::new(server(config()), Scripted::that_stays(), TCP)
            .at(NOW, SERVER, Action::Close(4000, ""))
            .at(4 * SECOND, CLIENT, Action::Say(masked(BAD, b"")))
    });
    assert_eq!(server.times(), (4 * SECOND + LATENCY, CLOSE));
}

#[test]
fn a_fault_precedes_an_end_of_the_transport() {
    for (action, rules) in
        [(Action::Finish, TCP), (Action::Drop, TCP), (Action::Drop, NO_HALF_CLOSE)]
    {
        let [server, _] = play(|| {
            World::new(server(config()), Scripted::new(), rules)
                .at(NOW, CLIENT, Action::Say(masked(BAD, b"")))
                .at(MS, CLIENT, action.clone())
        });
        check_told_at_once(&server, LATENCY);
        assert!(server.times().1 <= 3 * LATENCY, "{server:?}");
    }
}

/// Nothing more can be done to tell the peer why.
#[test]
fn a_fault_while_writing_fails_ends_at_once() {
    let [server, _] = play(|| {
        World::new(server(config()), Scripted::that_stays(), TCP)
            .at(NOW, SERVER, Action::FailWrites(IoFailure::Reset))
            .at(NOW, CLIENT, Action::Say(masked(BAD, b"")))
    });
    check_told_at_once(&server, LATENCY);
    assert_eq!((server.times().1, server.fin), (LATENCY, None));
}
