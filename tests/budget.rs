//! A budget of buffered bytes that many connections share.
#![cfg(feature = "std")]

use sansocket::{
    Budget, CloseCode, Config, Event, Message, PreparedMessage,
    connection::{
        OutboxConfig, Progress, ProtocolError, Pushed, ReceiveError, Role, SendError, Server,
        TransportEnd, WhenFull,
    },
    transport::IoFailure,
};
use sansocket_testkit::{endpoint::*, frames::*};

/// Returns a budget of its own for a test.
fn budget(bytes: usize) -> &'static Budget {
    Box::leak(Box::new(Budget::new(bytes)))
}

fn config(budget: &'static Budget) -> Config {
    Config::default().budget(budget)
}

fn send(end: &mut Endpoint<Server>, len: usize) -> Result<(), SendError> {
    end.connection.send(vec![7; len], &mut end.output)
}

fn push(end: &mut Endpoint<Server>, len: usize) -> Result<Pushed, SendError> {
    end.connection.push(vec![7; len], &mut end.output)
}

/// Asks what to do next, as every loop does before it waits.
fn ask(end: &mut Endpoint<Server>) {
    let _ = end.connection.next(&mut end.output, Default::default);
}

/// Receives the first `len` bytes of a message of 1,000,000.
fn receive_part<R: Role>(end: &mut Endpoint<R>, len: usize) -> Result<Progress, ReceiveError> {
    let message = frame::<R>(BINARY, &vec![7; 1_000_000]);
    end.fill(&message[..len]);
    end.advance()
}

/// Receives `len` bytes more of that message.
fn receive_more<R: Role>(end: &mut Endpoint<R>, len: usize) -> Result<Progress, ReceiveError> {
    end.fill(&vec![0; len]);
    end.advance()
}

#[test]
fn the_peer_that_makes_us_hold_most_gives_way() {
    fn check<R: Role>(new: impl Fn(Config) -> Endpoint<R>) {
        let budget = budget(100_000);
        let mut ends: Vec<_> = (0..4).map(|_| new(config(budget))).collect();
        assert_eq!(receive_part(&mut ends[0], 90_000), Ok(Progress::NeedsInput));
        for end in &mut ends[1..] {
            assert_eq!(receive_part(end, 10_000), Ok(Progress::NeedsInput));
        }
        assert!((115_000..=120_000).contains(&budget.used()), "{budget:?}");
        // It is exceeded by a sixth, so the shares are smaller by that.
        assert!((20_000..=21_250).contains(&budget.fair_share()), "{budget:?}");
        // Those with less than their share go on.
        assert_eq!(receive_more(&mut ends[1], 5000), Ok(Progress::NeedsInput));
        let error = receive_more(&mut ends[0], 1000).unwrap_err();
        let ReceiveError::Protocol(error) = error else { panic!("{error}") };
        let ProtocolError::OverBudget { held, share } = error else { panic!("{error}") };
        assert!((90_000..=91_000).contains(&held) && share < 21_250, "{error}");
        assert!(error.is_transient());
        // The Close says why.
        assert!(budget.used() <= 40_000, "{budget:?}");
        let written = ends[0].written();
        if R::MASKS {
            assert_eq!(written.len(), failure_close(error).len() + 4);
        } else {
            assert_eq!(written, failure_close(error));
        }
        assert_eq!(receive_more(&mut ends[0], 5000), Err(error.into()));
        let closed = ends[0].transport_ended(TransportEnd::Eof);
        assert_eq!(closed.sent_code, CloseCode::TRY_AGAIN_LATER);
        // Then there is room for the others.
        assert_eq!(receive_more(&mut ends[1], 30_000), Ok(Progress::NeedsInput));
        drop(ends);
        assert_eq!((budget.used(), budget.fair_share()), (0, 100_000));
    }
    check(server);
    check(client);
}

#[test]
fn a_whole_message_is_delivered_however_large_it_is() {
    let budget = budget(10_000);
    let mut end = server(config(budget));
    end.fill(&frame::<Server>(BINARY, &[7; 50_000]));
    assert_eq!(end.messages().unwrap(), [Message::from(vec![7; 50_000])]);
    assert_eq!(budget.used(), 0);
}

#[cfg(feature = "deflate")]
#[test]
fn decompressed_bytes_count() {
    use sansocket::{DeflateConfig, handshake::Negotiated};

    let budget = budget(100_000);
    let deflate = DeflateConfig::new();
    let mut negotiated = Negotiated::new();
    negotiated.deflate = Some(Default::default());
    let config = config(budget).deflate(deflate);
    let mut peer = Endpoint::agreed(client_role(), &negotiated, config);
    peer.connection.send_fragment(&vec![0; 4 << 20][..], false, &mut peer.output).unwrap();
    let bomb = peer.written();
    assert!(bomb.len() < 10_000, "{}", bomb.len());
    drop(peer);
    let mut end = Endpoint::agreed(Server::new(), &negotiated, config);
    end.fill(&bomb);
    let mut most = 0;
    let error = loop {
        match end.connection.advance(&mut end.input, &mut end.output) {
            Ok(Progress::More) => most = most.max(budget.used()),
            outcome => break outcome.unwrap_err(),
        }
    };
    assert!(matches!(error, ReceiveError::Protocol(ProtocolError::OverBudget { .. })), "{error}");
    // One call does at most 256 KiB of work.
    assert!(most <= 100_000 + (256 << 10), "{most}");
    drop(end);
    assert_eq!(budget.used(), 0);
}

#[test]
fn sending_is_refused_above_the_share_until_something_is_written() {
    let budget = budget(100_000);
    let mut ends: Vec<_> = (0..2).map(|_| server(config(budget))).collect();
    send(&mut ends[0], 60_000).unwrap();
    ask(&mut ends[0]);
    send(&mut ends[1], 45_000).unwrap();
    ask(&mut ends[1]);
    assert!(budget.used() > 105_000);
    let refused = send(&mut ends[0], 70_000);
    let Err(SendError::QueueFull { queued, limit: 47_000..48_000 }) = refused else {
        panic!("{refused:?}")
    };
    assert!((60_000..60_020).contains(&queued));
    let [first, second] = &mut ends[..] else { unreachable!() };
    assert!(!first.connection.has_room(&first.output));
    assert_eq!(send(second, 4000), Ok(()));
    first.connection.did_write(Ok(20_000), &mut first.output);
    ask(first);
    assert!(first.connection.has_room(&first.output));
    assert_eq!(send(first, 70_000), Ok(()));
    ends[0].transport_ended(TransportEnd::Reset);
    drop(ends);
    assert_eq!(budget.used(), 0);
}

#[test]
fn an_outbox_counts_as_full_above_the_share() {
    let pushes = |when_full, expected: &dyn Fn(Result<Pushed, SendError>) -> bool| {
        let budget = budget(100_000);
        let config = config(budget).outbox(OutboxConfig::new(when_full));
        let mut ends: Vec<_> = (0..2).map(|_| server(config)).collect();
        for (end, messages) in ends.iter_mut().zip([4, 2]) {
            for _ in 0..messages {
                assert_eq!(push(end, 20_000), Ok(Pushed::Queued));
            }
        }
        assert!(budget.used() >= 120_000, "{budget:?}");
        let pushed = push(&mut ends[0], 20_000);
        assert!(expected(pushed), "{pushed:?}");
        drop(ends);
        assert_eq!(budget.used(), 0);
    };
    pushes(WhenFull::Wait, &|pushed| {
        matches!(pushed, Err(SendError::QueueFull { queued: 80_000.., limit: 39_000..40_000 }))
    });
    pushes(WhenFull::DropNewest, &|pushed| pushed == Ok(Pushed::DroppedNewest));
    pushes(WhenFull::DropOldest, &|pushed| pushed == Ok(Pushed::DroppedOldest(3)));
    pushes(WhenFull::KeepLatest, &|pushed| pushed == Ok(Pushed::DroppedOldest(3)));
    pushes(WhenFull::Close(CloseCode::TRY_AGAIN_LATER), &|pushed| pushed == Ok(Pushed::Closed));
}

/// One message of 50,000 bytes waits for 100 peers that do not read.
#[test]
fn a_shared_payload_counts_once() {
    for is_counted in [false, true] {
        let budget = budget(1 << 20);
        let mut message = PreparedMessage::new(vec![7; 50_000]);
        if is_counted {
            message = message.budget(budget);
        }
        let mut ends: Vec<_> = (0..100).map(|_| server(config(budget))).collect();
        for end in &mut ends {
            // One is in the output, and one in the outbox.
            for _ in 0..2 {
                assert!(end.connection.push(&message, &mut end.output).is_ok());
            }
            ask(end);
        }
        assert_eq!(budget.used() < 60_000, is_counted, "{budget:?}");
        drop(ends);
        assert_eq!(budget.used(), if is_counted { 50_000 } else { 0 });
        drop(message);
        assert_eq!(budget.used(), 0);
    }
}

#[test]
fn halves_release_what_they_hold() {
    let budget = budget(1 << 20);
    let mut end = server(config(budget));
    receive_part(&mut end, 30_000).unwrap();
    end.connection.send(vec![7; 30_000], &mut end.output).unwrap();
    let (mut sender, mut receiver) = end.connection.split();
    let _ = sender.next(&mut end.output, Default::default);
    assert!(budget.used() >= 59_000);
    drop(sender);
    assert!(budget.used() <= 30_000);
    end.input.extend_from_slice(&[0; 970_014]);
    while receiver.advance(&mut end.input) == Ok(Progress::More) {}
    assert!(
        matches!(receiver.event(&end.input), Some(Event::Binary(data)) if data.len() == 1_000_000)
    );
    assert!(receiver.take_message(&mut end.input).is_some());
    // What the application has taken is its own.
    while receiver.advance(&mut end.input).is_ok_and(Progress::goes_on) {}
    assert_eq!(budget.used(), 0);
}

/// Each peer stops just below its share, so none of them ever gives way.
#[test]
fn peers_that_stop_at_their_share_one_after_another_stay_bounded() {
    const LIMIT: usize = 1 << 20;
    const PEERS: usize = 100;
    let budget = budget(LIMIT);
    let mut ends = Vec::new();
    let message = frame::<Server>(BINARY, &vec![7; 2 * LIMIT]);
    for _ in 0..PEERS {
        let mut end = server(config(budget));
        for (number, bytes) in message.chunks(2000).enumerate() {
            end.fill(bytes);
            assert_eq!(end.advance(), Ok(Progress::NeedsInput));
            // Would the next read make it hold too much?
            let next = 2000 * (number + 2);
            if budget.used() + 2000 > LIMIT && next + 2000 > budget.fair_share() {
                break;
            }
        }
        ends.push(end);
    }
    assert!(budget.used() > LIMIT, "{budget:?}");
    // 4 KiB are always allowed.
    assert!(budget.used() <= 2 * LIMIT + PEERS * 4096, "{budget:?}");
}

/// Each message counts once, but there are many of them, and nobody holds any other bytes.
#[test]
fn who_holds_much_of_what_is_shared_gives_way_too() {
    let budget = budget(1 << 20);
    let config = config(budget);
    let mut rooms: Vec<[_; 2]> = (0..10).map(|_| [server(config), server(config)]).collect();
    let mut refused = 0;
    for _ in 0..50 {
        for room in &mut rooms {
            let message = PreparedMessage::new(vec![7; 20_000]).budget(budget);
            for end in room {
                refused += usize::from(end.connection.push(&message, &mut end.output).is_err());
                ask(end);
            }
        }
    }
    assert!(refused > 0, "{budget:?}");
    // What exceeds the limit is below the limit, and there may be two messages more for each.
    assert!(budget.used() <= (2 << 20) + 10 * 2 * 20_000, "{budget:?}");
    drop(rooms);
    assert_eq!((budget.used(), budget.fair_share()), (0, 1 << 20));
}

#[test]
fn an_outbox_above_the_share_drops_only_what_is_above_it() {
    let budget = budget(100_000);
    let outbox = OutboxConfig::new(WhenFull::KeepLatest);
    let mut slow = server(config(budget).outbox(outbox));
    assert_eq!(push(&mut slow, 17_000), Ok(Pushed::Queued));
    for key in 0..8 {
        let pushed = slow.connection.push_keyed(key, vec![7; 5000], &mut slow.output);
        assert_eq!(pushed, Ok(Pushed::Queued));
    }
    // 57,000 bytes wait. Then two others use up the budget.
    let mut others: [_; 2] = core::array::from_fn(|_| server(config(budget)));
    receive_part(&mut others[0], 40_000).unwrap();
    receive_part(&mut others[1], 6000).unwrap();
    assert!(budget.used() > 100_000 && budget.fair_share() < 34_000, "{budget:?}");
    let pushed = slow.connection.push_keyed(8, vec![7; 5000], &mut slow.output);
    let Ok(Pushed::DroppedOldest(dropped)) = pushed else { panic!("{pushed:?}") };
    assert!((4..=7).contains(&dropped), "{dropped}");
    // The state of a key that waits is replaced in its place.
    let pushed = slow.connection.push_keyed(8, vec![8; 5000], &mut slow.output);
    assert_eq!(pushed, Ok(Pushed::Replaced));
}

/// Only the last fragment can make room, so it must not be refused for want of room.
#[test]
fn the_last_fragment_is_sent_although_what_waits_for_it_exceeds_the_share() {
    let budget = budget(100_000);
    let mut end = server(config(budget));
    end.connection.send_fragment("a", false, &mut end.output).unwrap();
    for _ in 0..4 {
        assert_eq!(push(&mut end, 20_000), Ok(Pushed::Queued));
    }
    let mut others = [server(config(budget)), server(config(budget))];
    for other in &mut others {
        receive_part(other, 12_000).unwrap();
    }
    assert!(budget.used() > 100_000, "{budget:?}");
    end.written();
    assert!(end.connection.has_room(&end.output));
    assert_eq!(end.connection.send_fragment("b", true, &mut end.output), Ok(()));
    // Then the outbox empties.
    end.written();
    end.written();
    assert!(end.connection.outbox_has_room());
}

#[test]
fn a_connection_that_has_ended_holds_no_outbox() {
    let budget = budget(1 << 20);
    let stuck = || {
        let mut end = server(config(budget));
        for _ in 0..5 {
            assert_eq!(push(&mut end, 20_000), Ok(Pushed::Queued));
        }
        end
    };
    let mut end = stuck();
    assert!(budget.used() >= 100_000, "{budget:?}");
    end.transport_ended(TransportEnd::Reset);
    assert!(budget.used() < 21_000, "{budget:?}");
    drop(end);
    let mut end = stuck();
    end.connection.did_write(Err(IoFailure::Reset), &mut end.output);
    ask(&mut end);
    assert!(budget.used() < 21_000, "{budget:?}");
}

/// The bytes that wait are still there when the message is gone.
#[test]
fn a_shared_payload_counts_until_it_is_written() {
    let budget = budget(1 << 20);
    let mut end = server(config(budget));
    let message = PreparedMessage::new(vec![7; 50_000]).budget(budget);
    assert_eq!(end.connection.push(&message, &mut end.output), Ok(Pushed::Queued));
    drop(message.budget(budget));
    ask(&mut end);
    assert_eq!(budget.used(), 50_000);
    let written = end.output.len();
    end.connection.did_write(Ok(written), &mut end.output);
    assert_eq!(budget.used(), 0);
}

/// Many small messages are a long queue too.
#[test]
fn small_messages_do_not_pass_the_share() {
    let budget = budget(100_000);
    let mut ends: Vec<_> = (0..30).map(|_| server(config(budget))).collect();
    for end in &mut ends {
        for _ in 0..1000 {
            if send(end, 100).is_err() {
                break;
            }
            ask(end);
        }
    }
    // Twice the budget, and 4 KiB each that are always allowed.
    assert!(budget.used() < 200_000 + 30 * 4200, "{budget:?}");
}
