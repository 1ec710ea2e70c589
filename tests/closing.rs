//! How a connection ends, as data and in time (RFC 6455 §7).
//!
//! `tests/vectors/closing.txt` covers the bytes of the closing handshake. `tests/virtual_clock`
//! covers what the transport does in the meantime, and when the connection is over.
#![cfg(feature = "std")]

use core::time::Duration;
use sansocket::{
    CloseCode, Closed, Config, State,
    connection::{
        Cause, Connection, Initiator, MinDataRate, Next, Progress, ProtocolError, Role, SendError,
        Server, TransportEnd,
    },
    frame::FrameError,
    transport::{IoFailure, Wants},
};
use sansocket_testkit::{endpoint::*, frames::*};

const SECOND: Duration = Duration::from_secs(1);

/// Encodes the peer's Close.
fn close(code: u16, reason: &str) -> Vec<u8> {
    frame::<Server>(CLOSE, &[&code.to_be_bytes(), reason.as_bytes()].concat())
}

/// Returns the parts of `Closed` for comparison.
fn parts(closed: &Closed) -> (u16, &str, Initiator, bool, Cause) {
    let Closed { code, reason, initiator, clean, cause, .. } = closed;
    (code.number(), reason, *initiator, *clean, *cause)
}

#[test]
fn a_close_by_the_peer_is_clean() {
    let mut end = server(Config::default());
    end.fill(&close(4000, "done"));
    assert!(end.messages().unwrap().is_empty());
    assert_eq!(end.connection.state(), State::Closing);
    assert_eq!(end.written(), [0x88, 2, 0x0f, 0xa0]);
    let closed = end.transport_ended(TransportEnd::Eof);
    assert_eq!(end.connection.state(), State::Closed);
    let expected = (4000, "done", Initiator::Peer, true, Cause::ClosingHandshake);
    assert_eq!(parts(&closed), expected);
}

#[test]
fn a_close_by_this_endpoint_is_clean() {
    let mut end = server(Config::default());
    end.connection.close(CloseCode::GOING_AWAY, "bye", &mut end.output).unwrap();
    assert_eq!(end.connection.state(), State::Closing);
    end.written();
    end.fill(&close(1001, ""));
    assert!(end.messages().unwrap().is_empty());
    assert_eq!(end.connection.state(), State::Closing);
    // §5.5.1: the answer to a Close is not answered.
    assert!(end.output.is_empty());
    let closed = end.transport_ended(TransportEnd::Eof);
    assert_eq!(parts(&closed), (1001, "", Initiator::Local, true, Cause::ClosingHandshake));
}

/// §7.1.5: each endpoint has the code and the reason of the other.
#[test]
fn closes_by_both_at_once_are_clean() {
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

/// §7.1.4: the handshake is complete, so the transport no longer matters.
#[test]
fn the_end_of_the_transport_does_not_matter_after_both_closes() {
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

/// A Close that was never written has not been exchanged.
#[test]
fn a_close_is_not_clean_while_its_answer_is_unwritten() {
    let mut end = server(Config::default());
    end.fill(&close(1000, "bye"));
    end.messages().unwrap();
    end.output.consume(3);
    let closed = end.transport_ended(TransportEnd::Reset);
    let cause = Cause::Transport(TransportEnd::Reset);
    assert_eq!(parts(&closed), (1000, "bye", Initiator::Peer, false, cause));
}

#[test]
fn a_fault_of_the_peer_fails_the_connection() {
    let mut end = server(Config::default());
    end.fill(&[0x83]);
    let error = end.messages().unwrap_err();
    assert_eq!(error, ProtocolError::Frame(FrameError::ReservedOpCode(3)).into());
    assert_eq!(end.connection.state(), State::Closing);
    assert_eq!(end.written(), failure_close(FrameError::ReservedOpCode(3)));
    let cause = Cause::Protocol(ProtocolError::Frame(FrameError::ReservedOpCode(3)));
    let closed = end.transport_ended(TransportEnd::Eof);
    assert_eq!(parts(&closed), (1006, "", Initiator::Local, false, cause));
}

/// An invalid Close does not count: the connection does not take its code and reason.
#[test]
fn an_invalid_close_fails_the_connection() {
    let mut end = server(Config::default());
    end.fill(&close(1005, "none"));
    end.messages().unwrap_err();
    let closed = end.transport_ended(TransportEnd::Eof);
    assert_eq!((closed.code, closed.reason.as_str()), (CloseCode::ABNORMAL, ""));
    assert!(!closed.clean && matches!(closed.cause, Cause::Protocol(_)));
}

#[test]
fn an_end_without_a_close_loses_the_connection() {
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
fn an_end_after_this_endpoints_close_loses_the_connection() {
    for how in [TransportEnd::Eof, TransportEnd::Reset, TransportEnd::Timeout] {
        let mut end = client(Config::default());
        end.connection.close(CloseCode::NORMAL, "", &mut end.output).unwrap();
        end.written();
        let expected = (1006, "", Initiator::Local, false, Cause::Transport(how));
        assert_eq!(parts(&end.transport_ended(how)), expected);
    }
}

#[test]
fn the_first_report_of_the_transports_end_counts() {
    let mut end = server(Config::default());
    let first = end.transport_ended(TransportEnd::Reset);
    assert_eq!(end.transport_ended(TransportEnd::Eof), first);
    assert_eq!(first.cause, Cause::Transport(TransportEnd::Reset));
}

/// A loop that both sends and receives may learn of the end when it sends.
#[test]
fn a_late_message_is_refused_with_the_code_that_matters() {
    let refused = |end: &mut Endpoint<Server>| end.connection.send_text("late", &mut end.output);
    let closed = |number, initiator, is_transient| {
        Err(SendError::Closed { code: CloseCode::new(number), initiator, is_transient })
    };

    let mut end = server(Config::default());
    end.fill(&frame::<Server>(CLOSE, b"\x03\xf0banned"));
    assert_eq!(end.advance(), Ok(Progress::Event));
    assert_eq!(refused(&mut end), closed(1008, Initiator::Peer, false));
    end.transport_ended(TransportEnd::Eof);
    assert_eq!(refused(&mut end), closed(1008, Initiator::Peer, false));

    let mut end = server(Config::default());
    end.fill(&frame::<Server>(TEXT, b"\xff"));
    end.advance().unwrap_err();
    assert_eq!(refused(&mut end), closed(1007, Initiator::Local, false));

    let mut end = server(Config::default());
    end.connection.close(CloseCode::new(4000), "", &mut end.output).unwrap();
    assert_eq!(refused(&mut end), closed(4000, Initiator::Local, false));
    end.fill(&frame::<Server>(CLOSE, b"\x03\xe9"));
    assert_eq!(end.advance(), Ok(Progress::Event));
    assert_eq!(refused(&mut end), closed(1001, Initiator::Local, false));

    let mut end = server(Config::default());
    end.fill(&frame::<Server>(CLOSE, b"\x03\xe9"));
    assert_eq!(end.advance(), Ok(Progress::Event));
    assert_eq!(refused(&mut end), closed(1001, Initiator::Peer, true));
}

/// A timeout is no reason not to come back, neither before the end nor after it.
#[test]
fn a_message_after_a_timeout_is_refused_with_a_transient_error() {
    let idle = Config::default().idle_timeout(4 * SECOND);
    let slow = Config::default().min_data_rate(MinDataRate::new(100, SECOND));
    for (config, code) in [(idle, 1001), (slow, 1008)] {
        let mut end = server(config);
        end.fill(&frame::<Server>(TEXT, b"begun")[..3]);
        for tenth in 0..100 {
            assert!(end.advance().is_ok());
            let _ = end.connection.next(&mut end.output, || tenth * SECOND / 10);
            end.connection.did_read(Err(IoFailure::NotReady));
        }
        let (code, initiator) = (CloseCode::new(code), Initiator::Local);
        let closed = Err(SendError::Closed { code, initiator, is_transient: true });
        assert_eq!(end.connection.send_text("late", &mut end.output), closed);
        end.transport_ended(TransportEnd::Reset);
        assert_eq!(end.connection.send_text("late", &mut end.output), closed);
        assert!(end.connection.closed().unwrap().is_transient());
    }
}

/// Input that was not processed before the end is not received after it.
#[test]
fn nothing_is_received_or_sent_after_the_transport_ended() {
    let mut end = server(Config::default());
    end.fill(&frame::<Server>(TEXT, b"one"));
    end.fill(&frame::<Server>(PING, b"two"));
    assert_eq!(end.advance(), Ok(Progress::Event));
    end.transport_ended(TransportEnd::Eof);
    for _ in 0..2 {
        assert_eq!(end.advance(), Ok(Progress::Ended));
        assert_eq!(end.event(), None, "the last advance found no event");
        assert_eq!(end.advance_chunk(), Ok(Progress::Ended));
        assert_eq!(end.connection.chunk(&end.input), None);
    }
    let output = &mut end.output;
    let initiator = Initiator::Transport;
    let closed =
        Err(SendError::Closed { code: CloseCode::ABNORMAL, initiator, is_transient: true });
    assert_eq!(end.connection.send_text("late", output), closed);
    assert_eq!(end.connection.ping(b"", output), closed);
    end.connection.close(CloseCode::NORMAL, "", output).unwrap();
    assert!(output.is_empty());
}

/// The end of the transport ends the wait for it, and both halves remember it.
#[test]
fn the_end_of_the_transport_survives_the_deadline_and_a_split() {
    let mut end = server(Config::default());
    end.connection.close(CloseCode::NORMAL, "", &mut end.output).unwrap();
    assert!(deadline(&mut end, SECOND).is_some());
    end.transport_ended(TransportEnd::Reset);
    end.connection.did_shut_down(Ok(()));
    let next = end.connection.next(&mut end.output, || SECOND);
    assert!(matches!(next, Next::Ended(closed) if !closed.clean), "{next:?}");

    let (sender, receiver) = end.connection.split();
    end.connection = Connection::join(sender, receiver);
    assert_eq!(end.connection.state(), State::Closed);
    let closed = end.transport_ended(TransportEnd::Eof);
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Reset));
}

#[test]
fn every_later_advance_returns_the_same_error() {
    fn check<R: Role>(mut end: Endpoint<R>, input: &[u8], code: u16) {
        end.fill(input);
        let error = end.messages().unwrap_err();
        let close = end.written();
        assert!(!close.is_empty());
        for more in [&[][..], &frame::<R>(TEXT, b"good"), &[0xff; 20], &frame::<R>(CLOSE, b"")] {
            end.fill(more);
            assert_eq!(end.advance(), Err(error));
            assert_eq!(end.event(), None);
            assert_eq!(end.advance_chunk(), Err(error), "the other mode");
            assert!(end.output.is_empty(), "the Close goes out once");
        }
        end.transport_ended(TransportEnd::Eof);
        assert_eq!(end.advance(), Err(error));
        let code = CloseCode::new(code);
        assert!(
            matches!(error, sansocket::connection::ReceiveError::Protocol(e) if e.close_code() == code)
        );
    }
    let default = Config::default();
    check(server(default), &[0x83], 1002);
    check(server(default), &frame::<Server>(TEXT, &[0xff]), 1007);
    check(client(default), &[0x81, 0x80, 0, 0, 0, 0], 1002);
    // The same holds inside a message.
    let unfinished = frame::<Server>(TEXT_START, b"a");
    check(server(default), &[&unfinished[..], &frame::<Server>(TEXT, b"b")].concat(), 1002);
    check(server(default), &[&unfinished[..], &frame::<Server>(LAST, &[0x80])].concat(), 1007);
}

/// The peer may close inside a message, which closes the connection in both receiving modes.
#[test]
fn an_end_inside_a_message_is_an_end_in_both_modes() {
    let mut end = server(Config::default());
    end.fill(&frame::<Server>(TEXT_START, b"a"));
    end.fill(&close(1000, ""));
    assert_eq!(end.advance(), Ok(Progress::Event));
    assert_eq!(end.advance(), Ok(Progress::Ended));
    assert_eq!(end.advance_chunk(), Ok(Progress::Ended));
    assert_eq!(end.advance(), Ok(Progress::Ended));
}

/// The driver of the transport keeps reading for a while, so its input must not pile up.
#[test]
fn bytes_after_the_end_are_dropped() {
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

/// Replies sent after this endpoint's own Close are not part of the closing handshake.
#[test]
fn an_unwritten_pong_does_not_make_the_end_unclean() {
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
        // The transport has buffered the Close, but is not ready to flush it.
        end.connection.did_write(Err(IoFailure::NotReady), &mut end.output);
        let next = end.connection.next(&mut end.output, || SECOND);
        let Next::Wants(wants) = next else { panic!("{next:?}") };
        assert!(wants.write && !wants.shut_down_write, "{wants:?}");
        if is_flushed {
            end.connection.did_write(Ok(0), &mut end.output);
            let next = end.connection.next(&mut end.output, || SECOND);
            assert!(matches!(next, Next::Wants(wants) if wants.shut_down_write), "{next:?}");
            end.connection.did_shut_down(Err(IoFailure::Unsupported));
            let next = end.connection.next(&mut end.output, || SECOND);
            assert!(matches!(next, Next::Ended(closed) if closed.clean), "{next:?}");
        }
        assert_eq!(end.transport_ended(TransportEnd::Dropped).clean, is_flushed);
    }
}

#[test]
fn the_description_has_both_codes() {
    let text = |end: &mut Endpoint<Server>, how| end.transport_ended(how).to_string();
    let mut end = server(Config::default());
    end.fill(&close(4000, "done"));
    end.messages().unwrap();
    end.written();
    let by_peer = r#"closed by the peer with 4000 "done", by this endpoint with 4000"#;
    assert_eq!(text(&mut end, TransportEnd::Eof), by_peer);

    let mut end = server(Config::default());
    end.connection.close(CloseCode::new(4001), "", &mut end.output).unwrap();
    end.written();
    end.fill(&close(4002, ""));
    end.messages().unwrap();
    let by_this_endpoint = "closed by this endpoint with 4001, by the peer with 4002";
    assert_eq!(text(&mut end, TransportEnd::Eof), by_this_endpoint);

    let mut end = server(Config::default());
    end.connection.close(CloseCode::new(4001), "", &mut end.output).unwrap();
    let lost = "closed by this endpoint with 4001, but the peer's Close did not arrive: the \
        transport was reset";
    assert_eq!(text(&mut end, TransportEnd::Reset), lost);

    let mut end = server(Config::default());
    end.fill(&close(4000, "done"));
    end.messages().unwrap();
    let unanswered = r#"closed by the peer with 4000 "done", but this endpoint's Close was not "#
        .to_owned()
        + "delivered: the transport was reset";
    assert_eq!(text(&mut end, TransportEnd::Reset), unanswered);

    let lost = text(&mut server(Config::default()), TransportEnd::Eof);
    assert_eq!(lost, "ended without a Close: the peer ended the transport");
}

mod leaving {
    use super::*;

    fn next(end: &mut Endpoint<Server>) -> Option<Wants> {
        match end.connection.next(&mut end.output, || SECOND) {
            Next::Wants(wants) => Some(wants),
            Next::Ended(_) => None,
        }
    }

    /// Returns a server that leaves with a message queued.
    fn left() -> Endpoint<Server> {
        let mut end = server(Config::default());
        end.connection.send_text("last", &mut end.output).unwrap();
        end.connection.leave();
        end
    }

    #[test]
    fn the_queue_is_written_then_the_writing_side_ends_and_input_is_dropped() {
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
    fn a_transport_that_takes_nothing_is_abandoned() {
        let mut end = left();
        for _ in 0..4 {
            if wants(&mut end, SECOND).is_none() {
                return;
            }
        }
        panic!("the connection never ends");
    }

    #[test]
    fn a_peer_that_never_stops_is_abandoned() {
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
            assert!(dropped < 1 << 20, "draining never stops");
        }
        assert_eq!(dropped, 256 << 10);
    }
}

mod deadlines {
    use super::*;

    /// The ways in which this endpoint comes to send its Close.
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
    fn an_open_connection_has_no_deadline() {
        let mut end = server(Config::default());
        // The connection does not even ask for the time.
        let next = end.connection.next(&mut end.output, || unreachable!());
        let Next::Wants(wants) = next else { panic!("{next:?}") };
        assert_eq!((wants.deadline, wants.read, wants.write), (None, true, false));
    }

    #[test]
    fn closing_has_a_deadline_whatever_its_cause() {
        for closing in closings() {
            let mut end = server(Config::default().close_timeout(3 * SECOND));
            wants(&mut end, 50 * SECOND);
            closing(&mut end);
            // No clock was available when the Close was queued: the time runs from the first call
            // with one.
            for early in [100, 101, 102] {
                assert_eq!(deadline(&mut end, early * SECOND), Some(103 * SECOND));
            }
            // Input that has arrived by the deadline came in time, so it may be read; then TCP is
            // ended.
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
    fn a_half_close_that_is_not_ready_has_a_deadline() {
        let mut end = server(Config::default().close_timeout(3 * SECOND));
        closings()[1](&mut end);
        end.written();
        let mut now = 10 * SECOND;
        for _ in 0..10 {
            let Next::Wants(wants) = end.connection.next(&mut end.output, || now) else {
                assert_eq!(now, 13 * SECOND);
                return;
            };
            if wants.shut_down_write {
                end.connection.did_shut_down(Err(IoFailure::NotReady));
            }
            if wants.read {
                end.connection.did_read(Ok(0));
            }
            now = now.max(wants.deadline.expect("the connection waits for something"));
        }
        panic!("the connection never ends");
    }

    /// A clock may be late, repeat a time, or step back: only the times passed in count.
    #[test]
    fn deadlines_depend_only_on_the_times_passed_in() {
        let mut end = server(Config::default().close_timeout(3 * SECOND));
        closings()[0](&mut end);
        assert_eq!(deadline(&mut end, 10 * SECOND), Some(13 * SECOND));
        assert_eq!(deadline(&mut end, 5 * SECOND), Some(13 * SECOND));
        while wants(&mut end, 1000 * SECOND).is_some() {}
        assert_eq!(wants(&mut end, 5 * SECOND), None);
    }

    /// The peer's Close, a fault of the peer or a second attempt to close do not extend the
    /// deadline.
    #[test]
    fn later_events_do_not_move_the_deadline() {
        let mut end = server(Config::default().close_timeout(3 * SECOND));
        closings()[0](&mut end);
        assert_eq!(deadline(&mut end, 10 * SECOND), Some(13 * SECOND));
        end.fill(&frame::<Server>(TEXT, b"still served"));
        end.fill(&frame::<Server>(PING, b""));
        assert_eq!(end.messages().unwrap().len(), 1);
        end.connection.close(CloseCode::NORMAL, "", &mut end.output).unwrap();
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
    fn a_timeout_is_reported_as_the_end_of_the_transport() {
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

/// Returns what the connection wants at a moment, from a transport that is only ever ready to end.
/// Returns `None` once the connection is over.
fn wants<R: Role>(end: &mut Endpoint<R>, now: Duration) -> Option<Wants> {
    let Next::Wants(wants) = end.connection.next(&mut end.output, || now) else { return None };
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
    wants(end, now).expect("the connection is over").deadline
}
