//! Groups: each member gets what is sent, and none of them holds up the others.

use sansocket::{
    CloseCode, Config, Error, Message, PreparedMessage,
    buffer::ReadBuffer,
    connection::{OutboxConfig, Pushed, Role, SendError, Server, WhenFull},
    handshake::Negotiated,
    on_tokio::{Group, Membership, ReceiveHalf, WebSocket},
};
use sansocket_testkit::{
    endpoint::client_role,
    polling::{advance, poll_once},
    traffic::decode_as_peer_of,
    transports::wire::{CLIENT, EAGER, End, Manner, SERVER, Wire, websocket},
};
use std::{
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

struct Member<R: Role> {
    wire: Wire,
    side: usize,
    receiver: ReceiveHalf<End, R>,
    membership: Membership<End, R>,
}

impl<R: Role> Member<R> {
    fn join(group: &Group<End, R>, role: R, manner: Manner, config: Config) -> Self {
        let side = if R::MASKS { CLIENT } else { SERVER };
        let wire = Wire::new();
        let (sender, receiver) = websocket(wire.end(side, manner), role, config).split();
        Self { wire, side, receiver, membership: group.join(sender) }
    }

    /// Returns what its peer has got so far.
    fn got(&self) -> Vec<Message> {
        decode_as_peer_of::<R>(&self.wire.take(self.side)).messages
    }

    fn stop_reading(&self) {
        self.wire.set_room(self.side, 0);
    }

    /// Lets the receiving half write what waits, and returns what its peer has got.
    fn read_all(&mut self) -> Vec<Message> {
        self.wire.set_room(self.side, usize::MAX);
        let receives = async { while self.receiver.next().await.is_some() {} };
        advance(&self.wire, &mut [pin!(receives)]);
        self.got()
    }
}

fn servers(group: &Group<End, Server>, count: usize, outbox: OutboxConfig) -> Vec<Member<Server>> {
    let config = Config::default().outbox(outbox);
    (0..count).map(|_| Member::join(group, Server::new(), EAGER, config)).collect()
}

fn prepared(text: &str) -> PreparedMessage {
    PreparedMessage::new(text)
}

fn texts(messages: &[Message]) -> Vec<&str> {
    messages.iter().map(|message| message.as_text().unwrap()).collect()
}

#[test]
fn all_members_get_a_message_in_both_roles() {
    fn check<R: Role>(role: impl Fn() -> R) {
        let group = Group::new();
        assert!(group.is_empty());
        let members: Vec<_> =
            (0..5).map(|_| Member::join(&group, role(), EAGER, Config::default())).collect();
        let clone = group.clone();
        assert_eq!((group.len(), clone.len()), (5, 5));
        let sent = clone.send(&prepared("all"));
        assert_eq!((sent.queued, sent.dropped, sent.gone), (5, 0, 0));
        let (first, second) = (members[0].membership.id(), members[1].membership.id());
        assert!(first < second);
        assert_eq!(group.send_except(first, &prepared("others")).queued, 4);
        assert_eq!(group.send_if(&prepared("two"), |id| id == first || id == second).queued, 2);
        let one = group.send_to(second, &prepared("one")).unwrap().unwrap();
        assert_eq!(one, Pushed::Queued);
        assert_eq!(texts(&members[0].got()), ["all", "two"]);
        assert_eq!(texts(&members[1].got()), ["all", "others", "two", "one"]);
        assert_eq!(texts(&members[2].got()), ["all", "others"]);
    }
    check(Server::new);
    check(client_role);
}

#[test]
fn a_member_leaves_with_its_half_or_when_its_membership_is_dropped() {
    let group = Group::new();
    let mut members = servers(&group, 3, OutboxConfig::default());
    let Member { wire, receiver, membership, .. } = members.remove(0);
    let id = membership.id();
    let mut sender = membership.leave().unwrap();
    assert_eq!(group.len(), 2);
    assert!(group.send_to(id, &prepared("late")).is_none());
    assert!(sender.push("alone").unwrap().is_queued());
    let rejoined = group.join(sender);
    assert!(rejoined.id() > id);
    drop(rejoined);
    assert_eq!(group.len(), 2);
    drop(members.pop());
    assert_eq!(group.len(), 1);
    assert_eq!(group.send(&prepared("rest")).queued, 1);
    assert_eq!(texts(&decode_as_peer_of::<Server>(&wire.take(SERVER)).messages), ["alone"]);
    assert_eq!(texts(&members[0].got()), ["rest"]);
    drop(receiver);
}

/// A half that has left can be reunited, although a call may still know the member.
#[test]
fn a_half_that_has_left_can_be_reunited() {
    let group = Group::new();
    let Member { receiver, membership, .. } = servers(&group, 1, OutboxConfig::default()).remove(0);
    let mut receiver = Some(receiver);
    let membership = Mutex::new(Some(membership));
    let sent = group.send_if(&prepared("to none"), |_| {
        let sender = membership.lock().unwrap().take().unwrap().leave().unwrap();
        assert!(sender.reunite(receiver.take().unwrap()).is_ok());
        true
    });
    assert_eq!((sent.queued, sent.gone, group.len()), (0, 0, 0));
}

#[test]
fn a_member_that_does_not_read_holds_up_nobody() {
    let group = Group::new();
    let outbox = OutboxConfig::new(WhenFull::DropOldest).messages(10);
    let mut members = servers(&group, 3, outbox);
    members[1].stop_reading();
    let block = PreparedMessage::new(vec![0; 20_000]);
    assert_eq!(group.send(&block).queued, 3);
    let mut dropped = 0;
    for number in 0..100 {
        let sent = group.send(&prepared(&number.to_string()));
        assert_eq!(sent.queued, 3);
        dropped += sent.dropped;
    }
    assert_eq!(dropped, 90);
    assert_eq!(members[0].got().len(), 101);
    assert_eq!(members[2].got().len(), 101);
    let late = members[1].read_all();
    let numbers: Vec<_> = (90..100).map(|number| number.to_string()).collect();
    assert_eq!(texts(&late[1..]), numbers);
}

/// The tasks of the members are woken once, not for each message.
#[test]
fn a_member_that_does_not_read_is_woken_once() {
    #[derive(Default)]
    struct Wakes(AtomicUsize);
    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let group = Group::new();
    let mut members = servers(&group, 2, OutboxConfig::new(WhenFull::DropOldest));
    members[1].stop_reading();
    let wakes = [(); 2].map(|()| Arc::new(Wakes::default()));
    let mut receiving: Vec<_> =
        members.iter_mut().map(|member| Box::pin(member.receiver.next())).collect();
    for _ in 0..50 {
        for (receiving, wakes) in receiving.iter_mut().zip(&wakes) {
            let waker = Waker::from(Arc::clone(wakes));
            assert!(receiving.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        group.send(&prepared("news"));
    }
    assert_eq!(wakes.map(|wakes| wakes.0.load(Ordering::Relaxed)), [0, 1]);
}

#[test]
fn members_that_have_ended_leave() {
    let group = Group::new();
    let mut members = servers(&group, 3, OutboxConfig::default());
    let failing = Manner { write_error: Some(io::ErrorKind::BrokenPipe), ..EAGER };
    let _failing = Member::join(&group, Server::new(), failing, Config::default());
    // The first one's peer closes, and the second one's receiving half is dropped.
    members[0].wire.put(CLIENT, b"\x88\x80\0\0\0\0");
    let _ = poll_once(members[0].receiver.next());
    let Member { membership, .. } = members.remove(1);
    assert_eq!(group.len(), 4);
    let sent = group.send(&prepared("news"));
    assert_eq!((sent.queued, sent.gone), (1, 3));
    assert_eq!(group.len(), 1);
    assert!(membership.leave().is_none());
    assert_eq!(group.send(&prepared("news")).queued, 1);
    assert_eq!(members[1].got().len(), 2);
}

#[test]
fn a_member_that_is_too_slow_is_closed_if_its_outbox_says_so() {
    let group = Group::new();
    let outbox = OutboxConfig::new(WhenFull::Close(CloseCode::TRY_AGAIN_LATER)).messages(1);
    let mut members = servers(&group, 2, outbox);
    members[0].stop_reading();
    let block = PreparedMessage::new(vec![0; 20_000]);
    assert_eq!((group.send(&block).queued, group.send(&block).queued), (2, 2));
    let sent = group.send(&block);
    assert_eq!((sent.queued, sent.closed, group.len()), (1, 1, 1));
    // The receiving half writes the Close.
    let wire = members[0].wire.clone();
    assert_eq!(members[0].read_all().len(), 1);
    wire.put(CLIENT, b"\x88\x80\0\0\0\0");
    assert!(matches!(poll_once(members[0].receiver.next()), Poll::Ready(None)));
    assert_eq!(members[0].receiver.closed().unwrap().sent_code, CloseCode::TRY_AGAIN_LATER);
}

#[test]
fn an_outbox_that_waits_refuses_for_its_member_alone() {
    let group = Group::new();
    let members = servers(&group, 2, OutboxConfig::default().messages(1));
    members[1].stop_reading();
    let block = PreparedMessage::new(vec![0; 20_000]);
    let outcomes: Vec<_> = (0..4).map(|_| group.send(&block)).collect();
    assert_eq!(outcomes.iter().map(|sent| sent.queued).collect::<Vec<_>>(), [2, 2, 1, 1]);
    assert_eq!(outcomes.iter().map(|sent| sent.refused).sum::<usize>(), 2);
    let outcome = group.send_to(members[1].membership.id(), &block).unwrap();
    assert!(matches!(outcome, Err(Error::Send(SendError::TooManyQueued { .. }))));
    assert_eq!(group.len(), 2);
}

#[test]
fn only_the_latest_message_of_each_key_waits() {
    let group = Group::new();
    let mut members = servers(&group, 2, OutboxConfig::new(WhenFull::KeepLatest));
    members[0].stop_reading();
    group.send(&PreparedMessage::new(vec![0; 20_000]));
    for (key, text) in [(1, "a"), (2, "b"), (1, "c"), (1, "d")] {
        assert_eq!(group.send_keyed(key, &prepared(text)).queued, 2);
    }
    assert_eq!(texts(&members[1].got()[1..]), ["a", "b", "c", "d"]);
    assert_eq!(texts(&members[0].read_all()[1..]), ["d", "b"]);
}

#[test]
fn shared_payloads_count_once() {
    let group = Group::new();
    let members = servers(&group, 10, OutboxConfig::default());
    members.iter().for_each(Member::stop_reading);
    group.send(&PreparedMessage::new(vec![0; 20_000]));
    let queued = group.buffered_amount();
    assert_eq!(queued, 10 * 20_004);
    let news = PreparedMessage::new(vec![0; 1000]);
    group.send(&news);
    group.send(&news.clone());
    group.send(&PreparedMessage::new(vec![0; 30]));
    assert_eq!(group.buffered_amount(), queued + 1030);
    let (mut each, mut ids) = (Vec::new(), Vec::new());
    group.for_each(|id, member| {
        each.push(member.buffered_amount());
        ids.push(id);
    });
    assert_eq!(each, [20_004 + 2030; 10]);
    assert!(ids.into_iter().eq(members.iter().map(|member| member.membership.id())));
}

#[test]
fn control_frames_go_to_all() {
    let group = Group::new();
    let mut members = servers(&group, 2, OutboxConfig::default());
    assert_eq!(group.ping_all("?").unwrap().queued, 2);
    assert!(matches!(group.ping_all([0; 126]), Err(SendError::ControlTooLong { len: 126 })));
    let unsendable = CloseCode::from(999);
    assert!(matches!(group.close_all(unsendable, ""), Err(SendError::UnsendableCode(_))));
    assert_eq!(group.len(), 2);
    group.send(&prepared("last"));
    assert_eq!(group.close_all(CloseCode::GOING_AWAY, "bye").unwrap(), 2);
    assert_eq!(group.close_all(CloseCode::GOING_AWAY, "bye").unwrap(), 0);
    assert!(group.is_empty());
    for member in &mut members {
        let receives = async { while member.receiver.next().await.is_some() {} };
        advance(&member.wire, &mut [pin!(receives)]);
        let seen = decode_as_peer_of::<Server>(&member.wire.take(SERVER));
        assert_eq!(texts(&seen.messages), ["last"]);
        assert_eq!((seen.pings, seen.closes), (vec![b"?".to_vec()], 1));
    }
}

#[test]
fn a_member_that_is_closing_already_is_not_closed_again() {
    let group = Group::new();
    let _members = servers(&group, 1, OutboxConfig::default());
    let wire = Wire::new();
    let websocket = websocket(wire.end(SERVER, EAGER), Server::new(), Config::default());
    let (mut sender, _receiver) = websocket.split();
    sender.try_close(CloseCode::NORMAL, "").unwrap();
    let _closing = group.join(sender);
    assert_eq!(group.close_all(CloseCode::GOING_AWAY, "bye").unwrap(), 1);
    assert!(group.is_empty());
}

/// Each member gets the messages that came before its Close, in order, and nothing after it.
#[test]
fn what_is_sent_while_all_are_closed_comes_before_the_close_or_not_at_all() {
    const MESSAGES: usize = 30;
    for round in 0..50 {
        let group = Group::new();
        let outbox = OutboxConfig::new(WhenFull::KeepLatest);
        let mut members = servers(&group, 4, outbox);
        members[1].stop_reading();
        members[2].wire.set_room(SERVER, 30);
        let sent: usize = std::thread::scope(|scope| {
            let sends = scope.spawn(|| {
                let numbers = (0..MESSAGES).map(|number| prepared(&number.to_string()));
                numbers.map(|message| group.send(&message).queued).sum()
            });
            for _ in 0..round {
                std::hint::spin_loop();
            }
            assert_eq!(group.close_all(CloseCode::GOING_AWAY, "bye").unwrap(), 4);
            sends.join().unwrap()
        });
        let mut got = 0;
        for member in &mut members {
            member.wire.set_room(SERVER, usize::MAX);
            let receives = async { while member.receiver.next().await.is_some() {} };
            advance(&member.wire, &mut [pin!(receives)]);
            let seen = decode_as_peer_of::<Server>(&member.wire.take(SERVER));
            let numbers: Vec<_> =
                (0..seen.messages.len()).map(|number| number.to_string()).collect();
            assert_eq!(texts(&seen.messages), numbers);
            assert_eq!(seen.closes, 1);
            got += numbers.len();
        }
        assert_eq!(got, sent);
    }
}

/// A transport whose writes panic.
#[derive(Debug)]
struct Panics;

impl AsyncRead for Panics {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl AsyncWrite for Panics {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        panic!("on purpose")
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A panic reaches the task that sends, and blocks no other.
#[test]
fn a_panic_of_one_transport_blocks_nobody() {
    type Stream = either::Either;
    let group = Group::new();
    let join = |stream: Stream| {
        let (negotiated, input) = (Negotiated::new(), ReadBuffer::new());
        let config = Config::default();
        let (sender, receiver) =
            WebSocket::new(stream, Server::new(), negotiated, input, config).split();
        (group.join(sender), receiver)
    };
    let wire = Wire::new();
    let panics = join(Stream::Panics(Panics));
    let other = join(Stream::Wire(wire.end(SERVER, EAGER)));
    let news = prepared("news");
    assert!(catch_unwind(AssertUnwindSafe(|| group.send(&news))).is_err());
    assert_eq!(group.len(), 2);
    assert_eq!(group.send_except(panics.0.id(), &news).queued, 1);
    assert!(!wire.take(SERVER).is_empty());
    std::mem::forget(panics);
    drop(other);
    assert_eq!(group.len(), 1);
}

/// A stream of one of two types.
mod either {
    use super::*;

    #[derive(Debug)]
    pub(super) enum Either {
        Panics(Panics),
        Wire(End),
    }

    macro_rules! forward {
        ($self:expr, |$stream:ident| $call:expr) => {
            match $self.get_mut() {
                Either::Panics(stream) => {
                    let $stream = Pin::new(stream);
                    $call
                }
                Either::Wire(stream) => {
                    let $stream = Pin::new(stream);
                    $call
                }
            }
        };
    }

    impl AsyncRead for Either {
        fn poll_read(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            into: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            forward!(self, |stream| stream.poll_read(cx, into))
        }
    }

    impl AsyncWrite for Either {
        fn poll_write(
            self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            from: &[u8],
        ) -> Poll<io::Result<usize>> {
            forward!(self, |stream| stream.poll_write(cx, from))
        }

        fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            forward!(self, |stream| stream.poll_flush(cx))
        }

        fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            forward!(self, |stream| stream.poll_shutdown(cx))
        }
    }
}

/// An executor may run a task as soon as it is woken.
#[test]
fn a_task_that_is_woken_may_use_the_group_at_once() {
    struct Sends(Group<End, Server>, AtomicUsize);
    impl Wake for Sends {
        fn wake(self: Arc<Self>) {
            if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
                assert_eq!(self.0.send(&prepared("from the waker")).queued, 2);
            }
        }
    }
    let group = Group::new();
    let mut members = servers(&group, 2, OutboxConfig::default());
    members[0].stop_reading();
    let sends = Arc::new(Sends(group.clone(), AtomicUsize::new(0)));
    let waker = Waker::from(sends.clone());
    {
        let mut receiving = pin!(members[0].receiver.next());
        assert!(receiving.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert_eq!(group.send(&prepared("first")).queued, 2);
    }
    assert!(sends.1.load(Ordering::Relaxed) > 0);
    assert_eq!(members[1].got().len(), 2);
    assert_eq!(members[0].read_all().len(), 2);
}

/// A task of tokio may do a limited number of operations before others have their turn.
#[tokio::test]
async fn one_call_writes_to_more_members_than_a_task_has_turns() {
    let group = Group::new();
    let members: Vec<_> = (0..1000)
        .map(|_| {
            let (stream, peer) = tokio::io::duplex(64);
            let (negotiated, input) = (Negotiated::new(), ReadBuffer::new());
            let config = Config::default();
            let (sender, receiver) =
                WebSocket::new(stream, Server::new(), negotiated, input, config).split();
            (group.join(sender), receiver, peer)
        })
        .collect();
    assert_eq!(group.send(&prepared("news")).queued, 1000);
    assert_eq!(group.buffered_amount(), 0);
    drop(members);
}

/// Each connection gets the form that fits what it has agreed on, also after the message has waited.
#[cfg(feature = "deflate")]
#[test]
fn members_get_the_compressed_form_that_fits_them() {
    use sansocket::{DeflateConfig, deflate::DeflateParameters};
    use sansocket_testkit::endpoint::Endpoint;
    let group = Group::new();
    let text = "a sentence that is worth compressing, ".repeat(1000);
    let block = PreparedMessage::new(vec![0; 20_000]);
    let news = PreparedMessage::new(text.as_str()).deflate(&DeflateConfig::new());
    let mut members = Vec::new();
    for deflate in [None, Some(9), Some(15)] {
        let mut negotiated = Negotiated::new();
        negotiated.deflate = deflate.map(|bits| {
            let mut parameters = DeflateParameters::default();
            parameters.server_max_window_bits = bits;
            parameters
        });
        let wire = Wire::new();
        wire.set_room(SERVER, 0);
        let config = Config::default().deflate(DeflateConfig::new());
        let (end, input) = (wire.end(SERVER, EAGER), ReadBuffer::new());
        let websocket = WebSocket::new(end, Server::new(), negotiated.clone(), input, config);
        let (sender, receiver) = websocket.split();
        members.push((wire, negotiated, receiver, group.join(sender)));
    }
    assert_eq!((group.send(&block).queued, group.send(&news).queued), (3, 3));
    let lens = members.iter_mut().map(|(wire, negotiated, receiver, _)| {
        wire.set_room(SERVER, usize::MAX);
        let receives = async { while receiver.next().await.is_some() {} };
        advance(wire, &mut [pin!(receives)]);
        let bytes = wire.take(SERVER);
        let mut peer = Endpoint::agreed(client_role(), negotiated, Config::default());
        peer.fill(&bytes);
        let messages = peer.messages().unwrap();
        assert_eq!(messages[1], Message::text(text.as_str()));
        bytes.len() - 20_000
    });
    let lens: Vec<_> = lens.collect();
    // No form fits the small window.
    assert!(lens[0] > text.len() && lens[1] > text.len() && lens[2] < 2000, "{lens:?}");
}
