//! How both connections end.

use crate::world::{World, masked_close, plain_close, reason_for};
use sansocket::{
    CloseCode,
    connection::ProtocolError,
    frame::{FrameError, OpCode},
    relay::{RelayCause, RelayEnd, RelayNext, Side},
};
use sansocket_testkit::frames::*;
use std::time::Duration;

const LOST: &str = "the server behind the relay ended the connection";
const VIOLATED: &str = "the server behind the relay violated the protocol";

fn codes(end: RelayEnd) -> (RelayCause, Option<u16>, Option<u16>) {
    (end.cause, end.client_code.map(u16::from), end.server_code.map(u16::from))
}

#[test]
fn a_close_of_the_client_goes_to_the_server_and_back() {
    let mut world = World::new();
    world.client.sends([masked(TEXT, b"bye"), masked_close(4001, "later")].concat());
    assert_eq!(world.run(), None);
    assert_eq!(world.server.take(), [masked(TEXT, b"bye"), masked_close(4001, "later")].concat());
    // Until its Close, the server may send more.
    world.server.sends([plain(TEXT, b"last"), plain_close(4001, "")].concat());
    assert_eq!(world.run(), None);
    assert_eq!(world.client.take(), [plain(TEXT, b"last"), plain_close(4001, "")].concat());
    // RFC 6455 §7.1.1: the server ends TCP. To the client, that is the relay.
    assert!(world.client.has_fin && !world.server.has_fin);
    world.client.ends();
    assert_eq!(world.run(), None);
    world.server.ends();
    let end = world.run().unwrap();
    assert_eq!(codes(end), (RelayCause::Closed(Side::Client), Some(4001), Some(4001)));
    assert!(end.is_clean());
    assert!(world.server.received.is_empty() && world.client.received.is_empty());
    assert_eq!(end.to_string(), "the client closed; client: 4001; server: 4001");
}

#[test]
fn a_close_of_the_server_goes_to_the_client_and_back() {
    let mut world = World::new();
    world.server.sends(plain(CLOSE, b""));
    world.run();
    assert_eq!(world.client.take(), plain(CLOSE, b""));
    assert!(!world.client.has_fin);
    world.client.sends(masked(CLOSE, b""));
    world.run();
    assert_eq!(world.server.take(), masked(CLOSE, b""));
    assert!(world.client.has_fin && !world.server.has_fin);
    world.client.ends();
    world.server.ends();
    let end = world.run().unwrap();
    assert_eq!(codes(end), (RelayCause::Closed(Side::Server), Some(1005), Some(1005)));
}

/// The client waits for the end of the transport, which comes only when it is dropped.
#[test]
fn a_transport_without_half_close_is_not_waited_for() {
    let mut world = World::new();
    world.client.is_one_way = true;
    world.client.sends(masked_close(1000, ""));
    world.server.sends(plain_close(1000, ""));
    world.server.ends();
    assert!(world.run().unwrap().is_clean());
}

#[test]
fn nothing_passes_after_a_close() {
    let mut world = World::new();
    world.client.sends([masked_close(1000, ""), masked(TEXT, b"more"), vec![0xff; 10]].concat());
    assert_eq!(world.run(), None);
    assert_eq!(world.server.received, masked_close(1000, ""));
    world.client.sends(vec![0xff; 100_000]);
    assert_eq!(world.run(), None);
    assert_eq!((world.server.received.len(), world.client.unread()), (8, 0));
    assert!(world.client.received.is_empty());
}

/// What comes after a Close is dropped, but not before what is in front of it was written.
#[test]
fn a_flood_behind_a_close_takes_no_memory() {
    let mut world = World::new();
    world.server.takes = Some(0);
    world.client.sends([masked(TEXT, b"bye"), masked_close(1000, "")].concat());
    world.client.sends(vec![0xff; 1 << 20]);
    assert_eq!(world.run(), None);
    assert!(world.client.unread() > 1 << 19);
    world.server.takes = None;
    assert_eq!(world.run(), None);
    assert_eq!(world.client.unread(), 0);
    assert_eq!(world.server.received, [masked(TEXT, b"bye"), masked_close(1000, "")].concat());
}

#[test]
fn a_peer_that_does_not_answer_a_close_is_not_waited_for() {
    let mut world = World::with(|relay| relay.close_timeout(Duration::from_secs(3)));
    world.client.sends(masked_close(1000, ""));
    let before = world.now;
    let end = world.wait();
    assert_eq!(codes(end), (RelayCause::Closed(Side::Client), Some(1000), None));
    assert!(!end.is_clean());
    assert_eq!(world.now - before, Duration::from_secs(3));
}

#[test]
fn a_lost_server_is_a_bad_gateway_for_the_client() {
    for breaks in [false, true] {
        let mut world = World::new();
        world.server.sends([plain(TEXT, b"hi"), vec![TEXT]].concat());
        if breaks {
            world.server.breaks()
        } else {
            world.server.ends()
        }
        assert_eq!(world.run(), None);
        let told = [plain(TEXT, b"hi"), plain_close(1014, LOST)].concat();
        assert_eq!(world.client.received, told);
        assert!(!world.client.has_fin);
        world.client.sends(masked_close(1014, ""));
        world.run();
        assert!(world.client.has_fin);
        world.client.ends();
        // A server that has ended its side may still read.
        let end = world.run().unwrap();
        assert_eq!(codes(end), (RelayCause::Lost(Side::Server), Some(1014), None));
    }
}

#[test]
fn a_server_lost_between_fragments_is_told_to_the_client() {
    let mut world = World::new();
    world.server.sends(plain(TEXT_START, b"hi"));
    world.server.ends();
    world.run();
    let told = [plain(TEXT_START, b"hi"), plain_close(1014, LOST)].concat();
    assert_eq!(world.client.received, told);
}

#[test]
fn a_server_lost_amid_a_frame_is_an_end_without_a_close() {
    let mut world = World::new();
    let frame = plain(BINARY, &[1; 100]);
    world.server.sends(&frame[..50]);
    world.server.ends();
    world.run();
    assert_eq!(world.client.received, frame[..50]);
    assert!(world.client.has_fin);
    world.client.ends();
    let end = world.run().unwrap();
    assert_eq!(codes(end), (RelayCause::Lost(Side::Server), None, None));
}

#[test]
fn a_lost_client_is_an_end_without_a_close() {
    for breaks in [false, true] {
        let mut world = World::new();
        world.client.sends(masked(TEXT, b"bye"));
        if breaks {
            world.client.breaks()
        } else {
            world.client.ends()
        }
        world.run();
        assert_eq!(world.server.received, masked(TEXT, b"bye"));
        assert!(world.server.has_fin);
        world.server.ends();
        let end = world.run().unwrap();
        assert_eq!(codes(end), (RelayCause::Lost(Side::Client), None, None));
        assert!(world.client.received.is_empty());
    }
}

#[test]
fn what_a_slow_side_has_not_read_arrives_before_the_end() {
    let mut world = World::new();
    world.server.takes = Some(3);
    world.client.sends(masked(TEXT, b"bye"));
    world.client.ends();
    assert_eq!(world.run(), None);
    assert!(!world.server.has_fin);
    world.server.takes = None;
    world.run();
    assert_eq!(world.server.received, masked(TEXT, b"bye"));
    assert!(world.server.has_fin);
}

#[test]
fn a_fault_of_the_client_fails_it_and_the_server_is_told() {
    let mut world = World::new();
    world.client.sends([masked(TEXT, b"ok"), plain(TEXT, b"unmasked")].concat());
    world.run();
    let error = ProtocolError::Unmasked;
    assert_eq!(world.client.received, plain_close(1002, &error.to_string()));
    let told = [masked(TEXT, b"ok"), masked_close(1001, &reason_for(error))].concat();
    assert_eq!(world.server.received, told);
    assert!(world.client.has_fin && !world.server.has_fin);
    world.client.ends();
    world.server.sends(plain_close(1001, ""));
    world.server.ends();
    let end = world.run().unwrap();
    assert_eq!(codes(end), (RelayCause::Fault(Side::Client, error), None, Some(1001)));
    assert_eq!(world.client.received, plain_close(1002, &error.to_string()), "nothing follows");
}

#[test]
fn a_fault_of_the_server_fails_it_and_the_client_is_told() {
    let mut world = World::new();
    world.server.sends([0x83]);
    world.run();
    let error = ProtocolError::Frame(FrameError::ReservedOpCode(3));
    assert_eq!(world.server.received, masked_close(1002, &error.to_string()));
    assert_eq!(world.client.received, plain_close(1014, VIOLATED));
    assert!(world.server.has_fin);
    world.client.sends(masked_close(1014, ""));
    world.client.ends();
    world.server.ends();
    let end = world.run().unwrap();
    assert_eq!(codes(end), (RelayCause::Fault(Side::Server, error), Some(1014), None));
    assert_eq!(world.server.received, masked_close(1002, &error.to_string()), "nothing follows");
}

#[test]
fn a_close_of_the_relay_waits_for_the_end_of_the_frame() {
    let mut world = World::new();
    let frame = plain(BINARY, &[1; 100]);
    world.server.sends(&frame[..50]);
    world.run();
    world.client.sends(plain(TEXT, b"unmasked"));
    world.run();
    assert_eq!(world.client.received, frame[..50]);
    world.server.sends([&frame[50..], &plain(TEXT, b"not this")].concat());
    world.run();
    let close = plain_close(1002, &ProtocolError::Unmasked.to_string());
    assert_eq!(world.client.received, [frame, close].concat());
}

/// A side that does not read hides that the other one has left.
#[test]
fn a_side_that_takes_nothing_for_too_long_is_lost() {
    let timeout = Duration::from_secs(60);
    let mut world = World::with(|relay| relay.write_timeout(timeout));
    world.client.takes = Some(100);
    world.server.sends(plain(BINARY, &[1; 1 << 20]));
    world.server.ends();
    let before = world.now;
    assert_eq!(world.run(), None);
    world.now += timeout - Duration::from_secs(1);
    assert_eq!(world.run(), None);
    // Anything that it takes begins the time anew.
    world.client.takes = Some(1);
    assert_eq!(world.run(), None);
    world.now += timeout - Duration::from_secs(1);
    assert_eq!(world.run(), None);
    assert!(!world.server.has_fin);
    world.now += Duration::from_secs(1);
    assert_eq!(world.run(), None);
    assert!(world.server.has_fin);
    let end = world.wait();
    assert_eq!(codes(end), (RelayCause::Lost(Side::Client), None, None));
    assert_eq!(world.now - before, 2 * timeout - Duration::from_secs(1) + Duration::from_secs(5));

    let mut world = World::with(|relay| relay.write_timeout(timeout));
    world.server.takes = Some(0);
    world.client.sends(masked(TEXT, b"hello"));
    assert_eq!(world.run(), None);
    world.now += timeout;
    assert_eq!(world.run(), None);
    assert_eq!(
        world.client.received,
        plain_close(1014, "the server behind the relay does not read")
    );
    world.client.sends(masked_close(1014, ""));
    let end = world.wait();
    assert_eq!(codes(end), (RelayCause::Lost(Side::Server), Some(1014), None));
}

#[test]
fn a_side_that_has_nothing_to_take_has_all_the_time() {
    let mut world = World::with(|relay| relay.write_timeout(Duration::from_secs(60)));
    world.client.sends(masked(TEXT, b"hello"));
    assert_eq!(world.run(), None);
    world.now += Duration::from_secs(1000);
    world.server.sends(plain(TEXT, b"you?"));
    assert_eq!(world.run(), None);
    assert_eq!(world.client.received, plain(TEXT, b"you?"));
    // No timer is needed, and without a timeout the time is not asked for.
    let RelayNext::Wants { client, .. } = world.relay.next(|| unreachable!()) else { panic!() };
    assert_eq!(client.deadline, None);
}

/// Its Close comes in the same read as the frame that the relay's Close waits for, and nothing follows
/// it, because the client waits for the end of the transport.
#[test]
fn the_close_of_a_side_behind_a_close_of_the_relay_is_seen() {
    let mut world = World::new();
    let frame = masked(BINARY, &[1; 100]);
    world.client.sends(&frame[..50]);
    world.run();
    world.relay.close(CloseCode::GOING_AWAY, "");
    world
        .client
        .sends([&frame[50..], &masked(TEXT, b"not this"), &masked_close(1001, "")].concat());
    assert_eq!(world.run(), None);
    assert_eq!(world.server.received, [frame, masked_close(1001, "")].concat());
    assert!(world.client.has_fin);
    world.client.ends();
    world.server.sends(plain_close(1001, ""));
    world.server.ends();
    assert_eq!(codes(world.run().unwrap()), (RelayCause::Relay, Some(1001), Some(1001)));
}

#[test]
fn the_rest_of_a_frame_is_not_waited_for_without_end() {
    let mut world = World::new();
    world.server.sends(&plain(BINARY, &[1; 100])[..50]);
    world.run();
    world.client.sends(plain(TEXT, b"unmasked"));
    let end = world.wait();
    assert_eq!(end.cause, RelayCause::Fault(Side::Client, ProtocolError::Unmasked));
    assert_eq!(world.client.received.len(), 50);
}

#[test]
fn a_server_that_breaks_while_it_is_written_to_is_lost() {
    let mut world = World::new();
    world.client.sends(masked(TEXT, b"hello"));
    world.server.breaks();
    world.run();
    assert_eq!(world.client.received, plain_close(1014, LOST));
    world.client.sends([masked(TEXT, b"more"), masked_close(1014, "")].concat());
    world.client.ends();
    let end = world.run().unwrap();
    assert_eq!(codes(end), (RelayCause::Lost(Side::Server), Some(1014), None));
}

#[test]
fn a_stopping_relay_closes_both() {
    let mut world = World::new();
    world.relay.close(CloseCode::GOING_AWAY, "the relay stops");
    world.relay.close(CloseCode::NORMAL, "once is enough");
    world.run();
    assert_eq!(world.client.received, plain_close(1001, "the relay stops"));
    assert_eq!(world.server.received, masked_close(1001, "the relay stops"));
    world.client.sends(masked_close(1001, ""));
    world.server.sends(plain_close(1001, ""));
    world.run();
    assert!(world.client.has_fin && !world.server.has_fin);
    world.client.ends();
    world.server.ends();
    let end = world.run().unwrap();
    assert_eq!(codes(end), (RelayCause::Relay, Some(1001), Some(1001)));
    assert_eq!(world.client.received, plain_close(1001, "the relay stops"));
}

#[test]
fn codes_that_must_not_be_sent_are_not() {
    let mut world = World::new();
    world.relay.close(CloseCode::ABNORMAL, &"é".repeat(100));
    world.run();
    assert_eq!(world.client.received, plain_close(1011, &"é".repeat(61)));
}

#[test]
fn errors_of_control_frames_fail_with_their_code() {
    let mut world = World::new();
    world.client.sends(masked_close(1005, ""));
    world.run();
    assert_eq!(world.client.received[2..4], 1002_u16.to_be_bytes());
    let mut world = World::new();
    world.server.sends([0x09, 0]);
    world.run();
    let error = ProtocolError::Frame(FrameError::FragmentedControl(OpCode::Ping));
    assert_eq!(world.server.received, masked_close(1002, &error.to_string()));
}
