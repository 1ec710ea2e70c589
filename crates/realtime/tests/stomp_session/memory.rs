//! What a session holds.

use sansocket_realtime::{
    Message, Published,
    hub::{ConnectionId, Effect, SubscriptionId},
    stomp::server::{Config, Event, Session},
};
use sansocket_testkit::allocator::{live, measure};
use std::{sync::Arc, time::Duration};

const NOW: Duration = Duration::ZERO;

/// Returns a session whose client has connected and has one subscription, as most have.
fn connected(config: &Arc<Config>) -> Box<Session> {
    let mut session = Box::new(Session::new(ConnectionId(1), config.clone(), NOW));
    session.receive(&b"CONNECT\naccept-version:1.2\nheart-beat:10000,10000\n\n\0"[..], NOW);
    assert!(matches!(session.next_event(), Some(Event::Connect(_))));
    session.accept(None, NOW);
    session.receive(&b"SUBSCRIBE\nid:sub-0\ndestination:/topic/orders/42\n\n\0"[..], NOW);
    pull(&mut session);
    session
}

fn pull(session: &mut Session) {
    while session.next_event().is_some() {}
    while session.next_output().is_some() {}
}

fn deliver(session: &mut Session, message: &Arc<Published>) {
    let (connection, subscription) = (ConnectionId(1), SubscriptionId(0));
    let (delivery, is_redelivered, message) = (None, false, message.clone());
    let effect = Effect::Deliver { connection, subscription, delivery, is_redelivered, message };
    session.apply(&effect, NOW);
}

#[test]
fn an_idle_session_is_small() {
    let config = Arc::new(Config::default());
    let before = live();
    let session = connected(&config);
    let idle = live() - before;
    assert!(idle <= 400, "{idle} bytes, {} of them the session", size_of::<Session>());
    drop(session);
    assert_eq!(live(), before);
}

#[test]
fn what_was_needed_for_a_while_is_given_back() {
    let config = Arc::new(Config::default());
    let mut session = connected(&config);
    let before = live();
    let message = Arc::new(Published::new(None, "/topic/a".into(), Message::new(vec![b'a'; 1000])));
    deliver(&mut session, &message);
    for frame in [
        &b"SEND\ndestination:/topic/a\nreceipt:1\n\n"[..],
        &[b'a'; 10_000],
        b"\0BEGIN\ntransaction:t\nreceipt:2\n\n\0",
        b"SEND\ndestination:/queue/a\ntransaction:t\n\nhello\0COMMIT\ntransaction:t\n\n\0",
    ] {
        session.receive(frame, NOW);
        pull(&mut session);
    }
    drop(message);
    let processed = Effect::Processed {
        connection: Some(ConnectionId(1)),
        request: sansocket_realtime::hub::RequestId(0),
        cursor: None,
    };
    session.apply(&processed, NOW);
    pull(&mut session);
    assert_eq!(live(), before);
}

/// What is allocated follows what has come, not what a header says.
#[test]
fn a_promised_body_takes_no_memory() {
    let config = Arc::new(Config::default());
    let mut session = connected(&config);
    let promise = &b"SEND\ndestination:/topic/a\ncontent-length:1000000\n\n"[..];
    let ((), taken) = measure(|| {
        session.receive(promise, NOW);
        pull(&mut session);
    });
    assert!(taken.most_if_moved <= 600, "{taken:?}");
}

#[test]
fn a_message_is_shared_by_its_subscribers() {
    let config = Arc::new(Config::default());
    let mut sessions: Vec<_> = (0..10).map(|_| connected(&config)).collect();
    let body = vec![b'a'; 100_000];
    let message = Arc::new(Published::new(None, "/topic/a".into(), Message::new(body)));
    let ((), taken) = measure(|| sessions.iter_mut().for_each(|each| deliver(each, &message)));
    assert!(taken.most < 110_000, "{taken:?}");
}

/// A body is taken over from a large input, not copied. A small one does not keep a large input.
#[test]
fn a_large_body_is_taken_over() {
    let config = Arc::new(Config::default());
    let mut session = connected(&config);
    let mut input = b"SEND\ndestination:/topic/a\ncontent-length:100000\n\n".to_vec();
    input.extend([b'a'; 100_000]);
    input.push(0);
    input.shrink_to_fit();
    let before = live();
    let (event, taken) = measure(|| {
        session.receive(input, NOW);
        session.next_event()
    });
    assert!(event.is_some());
    assert!(taken.most < 1_000, "{taken:?}");
    drop(event);

    let mut input = b"SEND\ndestination:/topic/a\ncontent-length:100000\n\n".to_vec();
    input.extend([b'a'; 100_000]);
    input.extend(b"\0SEND\ndestination:/topic/a\n\nhello\0");
    session.receive(input, NOW);
    assert!(session.next_event().is_some());
    let small = session.next_event();
    assert!(small.is_some());
    assert!(live() - before < 1_000);
    drop(small);
}

#[test]
fn a_session_that_has_ended_holds_nothing() {
    let config = Arc::new(Config::default());
    let before = live();
    let mut session = connected(&config);
    let frames = "BEGIN\ntransaction:t\n\n\0SEND\ndestination:/queue/a\ntransaction:t\n\nhello\0\
        SEND\ndestination:/topic/a\nreceipt:1\n\n\0DISCONNECT\n\n\0";
    session.receive(frames, NOW);
    pull(&mut session);
    assert!(!session.has_ended(), "a receipt is not answered");
    session.receive(vec![0; 100_000], NOW);
    assert!(live() - before < 2_000);
    session.transport_ended();
    session.receive(vec![0; 100_000], NOW);
    assert!(matches!(session.next_event(), Some(Event::Command(_))));
    assert!(session.next_event().is_none());
    assert_eq!(live() - before, size_of::<Session>() as isize);
}

/// Short frames count with what they take, not only with their length.
#[test]
fn receipts_that_are_not_read_are_bounded() {
    let config = Arc::new(Config::default().queued_output(100_000));
    let mut session = connected(&config);
    let before = live();
    while !session.has_ended() {
        session
            .receive(&b"BEGIN\ntransaction:t\nreceipt:1\n\n\0ABORT\ntransaction:t\n\n\0"[..], NOW);
        while session.next_event().is_some() {}
        assert!(live() - before < 3 * 100_000, "{} bytes", live() - before);
    }
}
