//! A budget of buffered bytes that many connections share.
#![cfg(feature = "std")]

use sansocket::{
    Budget, CloseCode, Config, Event, Message, PreparedMessage,
    connection::{
        OutboxConfig, Progress, ProtocolError, Pushed, ReceiveError, Role, SendError, Server,
        TransportEnd, WhenFull,
    },
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
        assert_eq!(budget.fair_share(), 25_000);
        // Those with less than their share go on.
        assert_eq!(receive_more(&mut ends[1], 10_000), Ok(Progress::NeedsInput));
        let error = receive_more(&mut ends[0], 1000).unwrap_err();
        let ReceiveError::Protocol(error) = error else { panic!("{error}") };
        let ProtocolError::OverBudget { held, share } = error else { panic!("{error}") };
        assert!((90_000..=91_000).contains(&held) && share == 25_000, "{error}");
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
    let Err(SendError::QueueFull { queued, limit: 50_000 }) = refused else {
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
        for (end, messages) in ends.iter_mut().zip([4, 3]) {
            for _ in 0..messages {
                assert_eq!(push(end, 20_000), Ok(Pushed::Queued));
            }
        }
        assert!(budget.used() >= 140_000, "{budget:?}");
        let pushed = push(&mut ends[0], 20_000);
        assert!(expected(pushed), "{pushed:?}");
        drop(ends);
        assert_eq!(budget.used(), 0);
    };
    pushes(WhenFull::Wait, &|pushed| {
        matches!(pushed, Err(SendError::QueueFull { queued: 80_000.., limit: 50_000 }))
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
