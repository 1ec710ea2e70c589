//! How a connection ends, as data and in time (RFC 6455 §7).
//!
//! Which bytes open and close the handshake, `tests/vectors/closing.txt` says; what the transport does
//! meanwhile, and when it is over, `tests/virtual_clock`.
#![cfg(feature = "std")]

use core::time::Duration;
use sansocket::{
    Cause, CloseCode, Closed, Config, Connection, FrameError, Initiator, IoFailure, Next, Progress,
    ProtocolError, Role, SendError, Server, State, TransportEnd, Wants,
};
use sansocket_testkit::{endpoint::*, frames::*};

const SECOND: Duration = Duration::from_secs(1);

/// What the peer's Close says in these tests.
fn close(code: u16, reason: &str) -> Vec<u8> {
    frame::<Server>(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// The parts of `Closed`, to be compared.
fn parts(closed: &Closed) -> (u16, &str, Initiator, bool, Cause) {
    let Closed { code, reason, initiator, clean, cause, .. } = closed;
    (code.number(), reason, *initiator, *clean, *cause)
}

#[test]
fn clean_by_the_peer() {
    let mut end = server(Config::default());
    end.fill(&close(4000, "done"));
    assert!(end.messages().unwrap().is_empty());
    assert_eq!(end.connection.state(), State::Closed);
    assert_eq!(end.written(), [0x88, 2, 0x0f, 0xa0]);
    let closed = end.transport_ended(TransportEnd::Eof);
    let expected = (4000, "done", Initiator::Peer, true, Cause::ClosingHandshake);
    assert_eq!(parts(&closed), expected);
}

#[test]
fn clean_by_this_end() {
    let mut end = server(Config::default());
    end.connection.close(CloseCode::GOING_AWAY, "bye", &mut end.output).unwrap();
    assert_eq!(end.connection.state(), State::CloseSent);
    end.written();
    end.fill(&close(1001, ""));
    assert!(end.messages().unwrap().is_empty());
    assert_eq!(end.connection.state(), State::Closed);
    // §5.5.1: what answers a Close is not answered.
    assert!(end.output.is_empty());
    let closed = end.transport_ended(TransportEnd::Eof);
    assert_eq!(parts(&closed), (1001, "", Initiator::Local, true, Cause::ClosingHandshake));
}

/// §7.1.5: each end has the code and the reason of the other.
#[test]
fn clean_by_both_at_once() {
    let (mut server, mut client) = (server(Config::default()), client(Config::default()));
    server.connection.close(CloseCode::new(4001), "server", &mut server.output).unwrap();
    client.connection.close(CloseCode::new(4002), "client", &mut client.output).unwrap();
    let (from_server, from_client) = (server.written(), client.written());
    server.fill(&from_client);
    client.fill(&from_server);
    assert!(server.messages().unwrap().is_empty() && client.messages().unwrap().is_empty());
    assert!(server.output.is_empty() && client.output.is_empty());
    assert_eq!(
        parts(&server.transport_ended(TransportEnd::Eof)),
        (4002, "client", Initiator::Local, true, Cause::ClosingHandshake)
    );
    assert_eq!(
        parts(&client.transport_ended(TransportEnd::Eof)),
        (4001, "server", Initiator::Local, true, Cause::ClosingHandshake)
    );
}

/// §7.1.4: the handshake was completed, so what the transport does then changes nothing.
#[test]
fn clean_however_the_transport_ends_after_both_closes() {
    let ends = [
        TransportEnd::Eof,
        TransportEnd::Reset,
        TransportEnd::TlsTruncated,
        TransportEnd::Timeout,
        TransportEnd::Dropped,
    ];
    for how in ends {
        let mut end = server(Config::default());
        end.fill(&close(1000, ""));
        end.messages().unwrap();
        end.written();
        let expected = (1000, "", Initiator::Peer, true, Cause::ClosingHandshake);
        assert_eq!(parts(&end.transport_ended(how)), expected);
    }
}

/// A Close that never left this end has not been exchanged.
#[test]
fn not_clean_while_the_answer_waits_to_be_written() {
    let mut end = server(Config::default());
    end.fill(&close(1000, "bye"));
    end.messages().unwrap();
    end.output.consume(3);
    let closed = end.transport_ended(TransportEnd::Reset);
    let cause = Cause::Transport(TransportEnd::Reset);
    assert_eq!(parts(&closed), (1000, "bye", Initiator::Peer, false, cause));
}

#[test]
fn failed_for_what_the_peer_did() {
    let mut end = server(Config::default());
    end.fill(&[0x83]);
    let error = end.messages().unwrap_err();
    assert_eq!(error, ProtocolError::Frame(FrameError::ReservedOpCode(3)).into());
    assert_eq!(end.connection.state(), State::Closed);
    assert_eq!(end.written(), [0x88, 2, 0x03, 0xea]);
    let cause = Cause::Protocol(ProtocolError::Frame(FrameError::ReservedOpCode(3)));
    let closed = end.transport_ended(TransportEnd::Eof);
    assert_eq!(parts(&closed), (1006, "", Initiator::Local, false, cause));
}

/// A Close that may not be is no Close: its code and reason are not taken for the connection's.
#[test]
fn failed_for_a_bad_close() {
    let mut end = server(Config::default());
    end.fill(&close(1005, "none"));
    end.messages().unwrap_err();
    let closed = end.transport_ended(TransportEnd::Eof);
    assert_eq!((closed.code, closed.reason.as_str()), (CloseCode::ABNORMAL, ""));
    assert!(!closed.clean && matches!(closed.cause, Cause::Protocol(_)));
}

#[test]
fn lost_without_a_close() {
    for how in [TransportEnd::Eof, TransportEnd::Reset, TransportEnd::TlsTruncated] {
        let mut end = client(Config::default());
        end.fill(b"\x81\x05Hel");
        assert!(end.messages().unwrap().is_empty());
        let closed = end.transport_ended(how);
        let expected = (1006, "", Initiator::Transport, false, Cause::Transport(how));
        assert_eq!(parts(&closed), expected);
        assert_eq!(end.connection.state(), State::Closed);
    }
}

#[test]
fn lost_after_this_ends_close() {
    for how in [TransportEnd::Eof, TransportEnd::Reset, TransportEnd::Timeout] {
        let mut end = client(Config::default());
        end.connection.close(CloseCode::NORMAL, "", &mut end.output).unwrap();
        end.written();
        let expected = (1006, "", Initiator::Local, false, Cause::Transport(how));
        assert_eq!(parts(&end.transport_ended(how)), expected);
    }
}

#[test]
fn how_the_transport_ended_stays_as_first_told() {
    let mut end = server(Config::default());
    let first = end.transport_ended(TransportEnd::Reset);
    assert_eq!(end.transport_ended(TransportEnd::Eof), first);
    assert_eq!(first.cause, Cause::Transport(TransportEnd::Reset));
}

/// What was not advanced through before the end is not received after it.
#[test]
fn nothing_is_received_or_sent_after_the_transport_ended() {
    let mut end = server(Config::default());
    end.fill(&frame::<Server>(TEXT, b"one"));
    end.fill(&frame::<Server>(PING, b"two"));
    assert_eq!(end.advance(), Ok(Progress::Event));
    end.transport_ended(TransportEnd::Eof);
    for _ in 0..2 {
        assert_eq!(end.advance(), Ok(Progress::Ended));
        assert_eq!(end.event(), None, "the event of the last advance, which found none");
        assert_eq!(end.advance_chunk(), Ok(Progress::Ended));
        assert_eq!(end.connection.chunk(&end.input), None);
    }
    let output = &mut end.output;
    assert_eq!(end.connection.send_text("late", output), Err(SendError::Closed));
    assert_eq!(end.connection.ping(b"", output), Err(SendError::Closed));
    assert_eq!(end.connection.close(CloseCode::NORMAL, "", output), Err(SendError::Closed));
    assert!(output.is_empty());
}

/// The end of the transport ends the waiting for it, and is not forgotten by the halves.
#[test]
fn the_end_of_the_transport_outlives_deadline_and_split() {
    let mut end = server(Config::default());
    end.connection.close(CloseCode::NORMAL, "", &mut end.output).unwrap();
    assert!(deadline(&mut end, SECOND).is_some());
    end.transport_ended(TransportEnd::Reset);
    end.connection.did_shut_down(Ok(()));
    let next = end.connection.next(&end.output, || SECOND);
    assert!(matches!(next, Next::Ended(closed) if !closed.clean), "{next:?}");

    let (receiver, sender) = end.connection.split();
    end.connection = Connection::join(receiver, sender);
    assert_eq!(end.connection.state(), State::Closed);
    let closed = end.transport_ended(TransportEnd::Eof);
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Reset));
}

#[test]
fn the_same_error_at_each_later_advance() {
    fn check<R: Role>(mut end: Endpoint<R>, input: &[u8], code: u16) {
        end.fill(input);
        let error = end.messages().unwrap_err();
        let close = end.written();
        assert!(!close.is_empty());
        for more in [&[][..], &frame::<R>(TEXT, b"good"), &[0xff; 20], &frame::<R>(CLOSE, b"")] {
            end.fill(more);
            assert_eq!(end.advance(), Err(error));
            assert_eq!(end.event(), None);
            assert_eq!(end.advance_chunk(), Err(error), "in the other mode too");
            assert!(end.output.is_empty(), "the Close goes out once");
        }
        end.transport_ended(TransportEnd::Eof);
        assert_eq!(end.advance(), Err(error));
        let code = CloseCode::new(code);
        assert!(matches!(error, sansocket::ReceiveError::Protocol(e) if e.close_code() == code));
    }
    let default = Config::default();
    check(server(default), &[0x83], 1002);
    check(server(default), &frame::<Server>(TEXT, &[0xff]), 1007);
    check(client(default), &[0x81, 0x80, 0, 0, 0, 0], 1002);
    // Amid a message too.
    let unfinished = frame::<Server>(TEXT_START, b"a");
    check(server(default), &[&unfinished[..], &frame::<Server>(TEXT, b"b")].concat(), 1002);
    check(server(default), &[&unfinished[..], &frame::<Server>(LAST, &[0x80])].concat(), 1007);
}

/// The peer may close amid a message; the connection is closed then for both ways to receive.
#[test]
fn ended_amid_a_message_is_ended_in_both_modes() {
    let mut end = server(Config::default());
    end.fill(&frame::<Server>(TEXT_START, b"a"));
    end.fill(&close(1000, ""));
    assert_eq!(end.advance(), Ok(Progress::Event));
    assert_eq!(end.advance(), Ok(Progress::Ended));
    assert_eq!(end.advance_chunk(), Ok(Progress::Ended));
    assert_eq!(end.advance(), Ok(Progress::Ended));
}

/// Whoever drives the transport reads on for a while, so what is read must not pile up.
#[test]
fn bytes_behind_the_end_are_dropped() {
    let unfinished = frame::<Server>(TEXT_START, &[b'a'; 100]);
    for last in [close(1000, "ok"), vec![0x83], [unfinished, vec![0x83]].concat()] {
        let mut end = server(Config::default());
        end.fill(&last);
        while end.advance() == Ok(Progress::Event) {}
        for _ in 0..1000 {
            end.fill(&[0; 1000]);
            assert!(matches!(end.advance(), Ok(Progress::Ended) | Err(_)));
        }
        assert!(end.input.is_drained() && end.input.capacity() < 10_000, "{:?}", end.input);
    }
}

/// What this end answers behind its own Close is no part of the closing handshake.
#[test]
fn a_pong_that_is_not_written_does_not_make_the_end_unclean() {
    let mut end = server(Config::default());
    end.connection.close(CloseCode::NORMAL, "", &mut end.output).unwrap();
    let len = end.output.len();
    end.connection.did_write(Ok(len), &mut end.output);
    end.fill(&[frame::<Server>(PING, b"?"), close(1000, "")].concat());
    assert!(end.messages().unwrap().is_empty());
    assert!(wants(&mut end, Duration::ZERO).is_some_and(|wants| wants.write));
    end.connection.did_write(Err(IoFailure::Reset), &mut end.output);
    end.connection.did_read(Err(IoFailure::Reset));
    while wants(&mut end, Duration::ZERO).is_some() {}
    let expected = (1000, "", Initiator::Local, true, Cause::ClosingHandshake);
    assert_eq!(parts(end.connection.closed().unwrap()), expected);
}

#[test]
fn a_close_that_the_transport_holds_back_is_not_clean() {
    for is_flushed in [false, true] {
        let mut end = server(Config::default());
        end.fill(&close(1000, ""));
        assert!(end.messages().unwrap().is_empty());
        let len = end.output.len();
        end.connection.did_write(Ok(len), &mut end.output);
        // The transport's own buffer has it, and is not ready to be flushed.
        end.connection.did_write(Err(IoFailure::NotReady), &mut end.output);
        let next = end.connection.next(&end.output, || SECOND);
        let Next::Wants(wants) = next else { panic!("{next:?}") };
        assert!(wants.write && !wants.shut_down_write, "{wants:?}");
        if is_flushed {
            end.connection.did_write(Ok(0), &mut end.output);
            let next = end.connection.next(&end.output, || SECOND);
            assert!(matches!(next, Next::Wants(wants) if wants.shut_down_write), "{next:?}");
            end.connection.did_shut_down(Err(IoFailure::Unsupported));
            let next = end.connection.next(&end.output, || SECOND);
            assert!(matches!(next, Next::Ended(closed) if closed.clean), "{next:?}");
        }
        assert_eq!(end.transport_ended(TransportEnd::Dropped).clean, is_flushed);
    }
}

#[test]
fn its_text_has_both_codes() {
    let text = |end: &mut Endpoint<Server>, how| end.transport_ended(how).to_string();
    let mut end = server(Config::default());
    end.fill(&close(4000, "done"));
    end.messages().unwrap();
    end.written();
    let by_peer = "closed by the peer with 4000, by this end with 4000: done";
    assert_eq!(text(&mut end, TransportEnd::Eof), by_peer);

    let mut end = server(Config::default());
    end.connection.close(CloseCode::new(4001), "", &mut end.output).unwrap();
    end.written();
    end.fill(&close(4002, ""));
    end.messages().unwrap();
    let by_this_end = "closed by this end with 4001, by the peer with 4002";
    assert_eq!(text(&mut end, TransportEnd::Eof), by_this_end);

    let mut end = server(Config::default());
    end.connection.close(CloseCode::new(4001), "", &mut end.output).unwrap();
    let lost = text(&mut end, TransportEnd::Reset);
    assert!(lost.ends_with(", after this end's close with 4001"), "{lost}");
}

mod leaving {
    use super::*;

    fn next(end: &mut Endpoint<Server>) -> Option<Wants> {
        match end.connection.next(&end.output, || SECOND) {
            Next::Wants(wants) => Some(wants),
            Next::Ended(_) => None,
        }
    }

    /// A server that leaves with a message queued.
    fn left() -> Endpoint<Server> {
        let mut end = server(Config::default());
        end.connection.send_text("last", &mut end.output).unwrap();
        end.connection.leave();
        end
    }

    #[test]
    fn what_is_queued_goes_then_the_writing_side_ends_and_what_has_come_is_dropped() {
        let mut end = left();
        let wants = next(&mut end).unwrap();
        assert!(wants.write && !wants.read && !wants.shut_down_write, "{wants:?}");
        end.connection.did_write(Ok(6), &mut end.output);
        let wants = next(&mut end).unwrap();
        assert!(!wants.write && wants.read && wants.shut_down_write, "{wants:?}");
        end.connection.did_shut_down(Ok(()));
        end.connection.did_read(Err(IoFailure::NotReady));
        assert_eq!(next(&mut end), None);
        let dropped = Cause::Transport(TransportEnd::Dropped);
        let expected = (1006, "", Initiator::Transport, false, dropped);
        assert_eq!(parts(end.connection.closed().unwrap()), expected);
    }

    #[test]
    fn a_transport_that_takes_nothing_is_not_waited_for() {
        let mut end = left();
        for _ in 0..4 {
            if wants(&mut end, SECOND).is_none() {
                return;
            }
        }
        panic!("it never ends");
    }

    #[test]
    fn a_peer_that_never_stops_is_left() {
        const PIECE: usize = 4096;
        let mut end = left();
        let mut dropped = 0;
        while let Some(wants) = next(&mut end) {
            if wants.write {
                end.connection.did_write(Ok(6), &mut end.output);
            }
            if wants.shut_down_write {
                end.connection.did_shut_down(Ok(()));
            }
            if wants.read {
                end.connection.did_read(Ok(PIECE));
                dropped += PIECE;
            }
            assert!(dropped < 1 << 20, "it never stops draining");
        }
        assert_eq!(dropped, 256 << 10);
    }
}

mod deadlines {
    use super::*;

    /// Ways in which this end comes to send its Close.
    fn closings() -> [fn(&mut Endpoint<Server>); 3] {
        [
            |end| end.connection.close(CloseCode::NORMAL, "", &mut end.output).unwrap(),
            |end| {
                end.fill(&close(1000, ""));
                end.messages().unwrap();
            },
            |end| {
                end.fill(&[0x83]);
                end.messages().unwrap_err();
            },
        ]
    }

    #[test]
    fn there_is_none_while_the_connection_is_open() {
        let mut end = server(Config::default());
        // Not even the time is asked for.
        let next = end.connection.next(&end.output, || unreachable!());
        let Next::Wants(wants) = next else { panic!("{next:?}") };
        assert_eq!((wants.deadline, wants.read, wants.write), (None, true, false));
    }

    #[test]
    fn closing_has_one_however_it_came_about() {
        for closing in closings() {
            let mut end = server(Config::default().close_timeout(3 * SECOND));
            wants(&mut end, 50 * SECOND);
            closing(&mut end);
            // There was no clock when the Close was queued: the time runs from when it is told.
            for early in [100, 101, 102] {
                assert_eq!(deadline(&mut end, early * SECOND), Some(103 * SECOND));
            }
            // What is there when it passes came in time, so it may be read; then TCP is ended.
            let mut asked = 0;
            while let Some(wants) = wants(&mut end, 103 * SECOND) {
                assert!(!wants.write);
                asked += 1;
            }
            assert!(asked <= 3, "{asked}");
            assert!(end.connection.closed().is_some());
        }
    }

    #[test]
    fn a_half_close_that_is_not_ready_has_one_too() {
        let mut end = server(Config::default().close_timeout(3 * SECOND));
        closings()[1](&mut end);
        end.written();
        let mut now = 10 * SECOND;
        for _ in 0..10 {
            let Next::Wants(wants) = end.connection.next(&end.output, || now) else {
                assert_eq!(now, 13 * SECOND);
                return;
            };
            if wants.shut_down_write {
                end.connection.did_shut_down(Err(IoFailure::NotReady));
            }
            if wants.read {
                end.connection.did_read(Ok(0));
            }
            now = now.max(wants.deadline.expect("something is waited for"));
        }
        panic!("it never ends");
    }

    /// A clock may be late, or told twice, or step back: only what it says counts.
    #[test]
    fn they_are_functions_of_the_time_told() {
        let mut end = server(Config::default().close_timeout(3 * SECOND));
        closings()[0](&mut end);
        assert_eq!(deadline(&mut end, 10 * SECOND), Some(13 * SECOND));
        assert_eq!(deadline(&mut end, 5 * SECOND), Some(13 * SECOND));
        while wants(&mut end, 1000 * SECOND).is_some() {}
        assert_eq!(wants(&mut end, 5 * SECOND), None);
    }

    /// The peer's Close, a fault of the peer's, a second attempt: none of them gives more time.
    #[test]
    fn what_happens_later_does_not_move_it() {
        let mut end = server(Config::default().close_timeout(3 * SECOND));
        closings()[0](&mut end);
        assert_eq!(deadline(&mut end, 10 * SECOND), Some(13 * SECOND));
        end.fill(&frame::<Server>(TEXT, b"still served"));
        end.fill(&frame::<Server>(PING, b""));
        assert_eq!(end.messages().unwrap().len(), 1);
        assert!(end.connection.close(CloseCode::NORMAL, "", &mut end.output).is_err());
        end.fill(&close(1000, ""));
        assert!(end.messages().unwrap().is_empty());
        assert_eq!(deadline(&mut end, 12 * SECOND), Some(13 * SECOND));
    }

    #[test]
    fn no_length_of_time_is_too_long_or_too_short() {
        let mut end = server(Config::default().close_timeout(Duration::MAX));
        closings()[0](&mut end);
        assert_eq!(deadline(&mut end, SECOND), Some(Duration::MAX));

        let mut end = server(Config::default().close_timeout(Duration::ZERO));
        closings()[0](&mut end);
        assert_eq!(deadline(&mut end, SECOND), Some(SECOND));
        while wants(&mut end, SECOND).is_some() {}
    }

    #[test]
    fn a_timeout_is_told_as_the_end_it_is() {
        let mut end = server(Config::default());
        closings()[0](&mut end);
        end.written();
        assert!(deadline(&mut end, Duration::ZERO).is_some());
        while wants(&mut end, 60 * SECOND).is_some() {}
        let cause = Cause::Transport(TransportEnd::Timeout);
        let closed = end.connection.closed().unwrap();
        assert_eq!(parts(closed), (1006, "", Initiator::Local, false, cause));
    }
}

/// What is wanted at a moment, of a transport that is never ready but to end; `None` once it is over.
fn wants<R: Role>(end: &mut Endpoint<R>, now: Duration) -> Option<Wants> {
    let Next::Wants(wants) = end.connection.next(&end.output, || now) else { return None };
    if wants.write {
        end.connection.did_write(Err(IoFailure::NotReady), &mut end.output);
    }
    if wants.shut_down_write {
        end.connection.did_shut_down(Ok(()));
    }
    if wants.read {
        end.connection.did_read(Err(IoFailure::NotReady));
    }
    Some(wants)
}

fn deadline<R: Role>(end: &mut Endpoint<R>, now: Duration) -> Option<Duration> {
    wants(end, now).expect("it is not over").deadline
}
