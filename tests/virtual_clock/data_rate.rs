//! The least data rate: a peer that begins a frame or a message and does not go on fails with 1008.

use super::{
    ends::{Scripted, Seen, client, server},
    world::{Action, CLIENT, SERVER, World, play},
    *,
};
use sansocket::{
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Connection, MinDataRate, Next, Progress, ProtocolError, Server},
    handshake::Negotiated,
    transport::IoFailure,
};

const BYTES: u32 = 100;
const PERIOD: Duration = Duration::from_secs(10);

fn limited() -> Config {
    config().min_data_rate(MinDataRate::new(BYTES, PERIOD))
}

/// Runs a connection with a least rate, `who`, against a peer that says only what the script says.
#[track_caller]
fn play_against_script(who: usize, script: impl Fn(World, usize) -> World) -> Seen {
    let [of_server, of_client] = play(|| match who {
        SERVER => script(World::new(server(limited()), Scripted::that_stays(), TCP), CLIENT),
        _ => script(World::new(Scripted::that_stays(), client(limited()), TCP), SERVER),
    });
    if who == SERVER { of_server } else { of_client }
}

/// Checks that the connection failed a period after `last`, and at most another later.
#[track_caller]
fn assert_too_slow_after(last: Duration, received: u32, seen: &Seen) {
    let error = ProtocolError::TooSlow { received, least: BYTES, millis: 10_000 };
    assert_eq!(seen.parts(), (LOST, 1008, Initiator::Local, false, Cause::Protocol(error)));
    let failed = seen.times().0;
    assert!(failed >= last + PERIOD && failed <= last + 2 * PERIOD + SECOND, "{failed:?}");
}

#[test]
fn a_peer_that_does_not_go_on_is_failed() {
    for who in [SERVER, CLIENT] {
        let frame = if who == SERVER { masked } else { plain };
        let message = frame(0x82, &[7; 120]);
        let ping = frame(0x89, b"ping");
        let fragment = frame(0x02, &[7; 120]);
        let unfinished = [
            &message[..1],
            &message[..message.len() - 120],
            &message[..message.len() - 1],
            &ping[..1],
            &ping[..ping.len() - 1],
            &fragment,
            &[&message[..], &message[..1]].concat(),
        ];
        for bytes in unfinished {
            let seen = play_against_script(who, |world, peer| {
                world.at(SECOND, peer, Action::Say(bytes.to_vec()))
            });
            assert_too_slow_after(SECOND, 0, &seen);
        }
    }
}

#[test]
fn a_peer_that_crawls_is_failed_and_one_that_does_not_is_kept() {
    for who in [SERVER, CLIENT] {
        let frame = if who == SERVER { masked } else { plain };
        let message = frame(0x82, &[7; 1000]);
        for per_second in [9, 11] {
            let seen = play_against_script(who, |world, peer| {
                message.chunks(per_second).zip(1..).fold(world, |world, (piece, number)| {
                    world.at(number * SECOND, peer, Action::Say(piece.to_vec()))
                })
            });
            if per_second == 9 {
                assert_too_slow_after(SECOND, 90, &seen);
                assert_eq!(seen.messages, []);
            } else {
                assert_eq!((seen.messages.clone(), seen.told.clone()), (vec![1000], None));
            }
        }
    }
}

#[test]
fn a_peer_that_has_finished_may_pause() {
    for who in [SERVER, CLIENT] {
        let frame = if who == SERVER { masked } else { plain };
        let (message, ping) = (frame(0x82, &[7; 20]), frame(0x89, b"ping"));
        let seen = play_against_script(who, |world, peer| {
            (1..20).fold(world, |world, number| {
                // Each takes a second, which is slow, but short.
                let (begin, rest) = message.split_at(number as usize);
                world
                    .at(number * 17 * SECOND, peer, Action::Say(begin.to_vec()))
                    .at((number * 17 + 1) * SECOND, peer, Action::Say(rest.to_vec()))
                    .at((number * 17 + 2) * SECOND, peer, Action::Say(ping.clone()))
            })
        });
        assert_eq!((seen.messages.len(), seen.told), (19, None));
    }
}

/// Less than the least rate, but each message and each ping is finished within seconds, by a read that
/// brings the beginning of the next.
#[test]
fn a_peer_that_finishes_may_begin_anew_in_the_same_read() {
    for who in [SERVER, CLIENT] {
        let frame = if who == SERVER { masked } else { plain };
        let (message, ping) = (frame(0x82, &[7; 20]), frame(0x89, &[7; 20]));
        for frames in [[&message, &message], [&message, &ping], [&ping, &ping]] {
            let stream = frames.map(|frame| frame.as_slice()).concat().repeat(18);
            let seen = play_against_script(who, |world, peer| {
                stream.chunks(9).zip(1..).fold(world, |world, (piece, number)| {
                    world.at(number * SECOND, peer, Action::Say(piece.to_vec()))
                })
            });
            let messages = frames.iter().filter(|frame| **frame == &message).count() * 18;
            assert_eq!((seen.messages.len(), seen.told), (messages, None));
        }
        // A ping inside a message does not finish it.
        let stream = [frame(0x02, &[7; 20]), ping.repeat(36)].concat();
        let seen = play_against_script(who, |world, peer| {
            stream.chunks(9).zip(1..).fold(world, |world, (piece, number)| {
                world.at(number * SECOND, peer, Action::Say(piece.to_vec()))
            })
        });
        assert_too_slow_after(SECOND, 90, &seen);
    }
}

#[test]
fn time_in_which_nobody_reads_does_not_count() {
    for who in [SERVER, CLIENT] {
        let frame = if who == SERVER { masked } else { plain };
        let message = frame(0x82, &[7; 300]);
        // The rest arrives in time, but the endpoint is busy, or has stopped reading for good.
        for action in [Action::Sleep(100 * SECOND), Action::StopReading] {
            let has_stopped = matches!(action, Action::StopReading);
            let seen = play_against_script(who, |world, peer| {
                world
                    .at(SECOND, peer, Action::Say(message[..10].to_vec()))
                    .at(2 * SECOND, who, action.clone())
                    .at(3 * SECOND, peer, Action::Say(message[10..].to_vec()))
                    .at(1000 * SECOND, who, Action::Drop)
            });
            let messages = if has_stopped { vec![] } else { vec![300] };
            assert_eq!(seen.messages, messages);
            assert_eq!(seen.parts().4, by_transport(TransportEnd::Dropped));
            assert!(seen.times().0 >= 1000 * SECOND);
        }
    }
}

#[test]
fn the_peer_is_told_why() {
    let [of_server, of_client] = play(|| {
        let begun = vec![0x82, 0x85, 0, 0, 0, 0, 7];
        World::new(server(limited()), Scripted::new(), TCP).at(SECOND, CLIENT, Action::Say(begun))
    });
    assert_too_slow_after(SECOND, 0, &of_server);
    let error = ProtocolError::TooSlow { received: 0, least: BYTES, millis: 10_000 };
    assert_eq!(of_client.received, failure_close(error));
    let text = "an unfinished message brought 0 bytes in 10000 ms instead of 100";
    assert_eq!(error.to_string(), text);
}

/// A program may read, but not advance while there is no room for its answers.
#[test]
fn what_was_read_and_not_looked_at_costs_no_live_peer() {
    let config = limited().idle_timeout(PERIOD);
    let mut connection = Connection::new(Server::new(), &Negotiated::new(), config);
    let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
    let message = masked(0x82, b"message");
    let (begin, rest) = message.split_at(5);
    input.extend_from_slice(begin);
    connection.did_read(Ok(begin.len()));
    assert_eq!(connection.advance(&mut input, &mut output), Ok(Progress::NeedsInput));
    let mut ask = |connection: &mut Connection<Server>, moment: u64| {
        matches!(connection.next(&mut output, || SECOND * moment as u32), Next::Wants(_))
            && connection.closed().is_none()
    };
    assert!(ask(&mut connection, 0));
    input.extend_from_slice(rest);
    connection.did_read(Ok(rest.len()));
    for second in 1..1000 {
        assert!(ask(&mut connection, second), "{second}");
        connection.did_read(Err(IoFailure::NotReady));
    }
}

/// A thread that waits for input finds each byte alone, and never nothing.
#[test]
fn a_peer_whose_every_byte_is_waited_for_is_failed() {
    let millisecond = Duration::from_millis(1);
    let config = config().min_data_rate(MinDataRate::new(60_000, SECOND));
    let mut connection = Connection::new(Server::new(), &Negotiated::new(), config);
    let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
    input.extend_from_slice(&[0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0]);
    connection.did_read(Ok(input.unread().len()));
    let failed = (1..10_000).map(|number| number * millisecond).find(|now| {
        let _ = connection.advance(&mut input, &mut output);
        let _ = connection.next(&mut output, || *now);
        input.extend_from_slice(&[7]);
        connection.did_read(Ok(1));
        !output.is_empty()
    });
    assert!(failed.is_some_and(|now| now > SECOND && now < 3 * SECOND), "{failed:?}");
}
