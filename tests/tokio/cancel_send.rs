//! Sending is cancel safe where its docs say so. Elsewhere either the whole message is sent or
//! nothing of it. The transport is pending before every byte.

use sansocket::{
    CloseCode, Config, Limits, Message, Payload, PreparedMessage, State,
    buffer::ReadBuffer,
    connection::{Role, Server},
    handshake::Negotiated,
    on_tokio::WebSocket,
};
use sansocket_testkit::{
    endpoint::client_role,
    polling::{dropping, poll_once, run},
    traffic::{Seen, decode_as_peer_of},
    transports::wire::{CLIENT, DRIP, End, SERVER, Wire, websocket},
};
use std::{pin::pin, task::Poll};

/// The number of bytes that may be queued before feeding waits.
const LIMIT: usize = 5000;

const AWAY: CloseCode = CloseCode::GOING_AWAY;

fn config() -> Config {
    Config::default().limits(Limits::default().queued_output(LIMIT))
}

/// Returns payloads above the limit and above the fragment size, in each form.
fn payloads() -> (Vec<Message>, PreparedMessage) {
    let mut messages = vec![Message::text("κόσμε 🌍"), Message::binary(Vec::new())];
    let sizes = [4000, 131_073, 0, 20_000, 1, 3000, 3000, 3000];
    messages.extend(sizes.iter().map(|&size| Message::binary(vec![size as u8; size])));
    (messages, PreparedMessage::new(Message::binary(vec![5; 10_000])))
}

/// Returns a borrowed payload, which a server writes directly, and a shared one, which it links.
fn forms(message: &Message) -> [Payload<'_>; 2] {
    let borrowed = match message {
        Message::Text(text) => Payload::from(text),
        Message::Binary(data) => Payload::from(data),
    };
    [borrowed, message.into()]
}

fn both_roles(check: impl Fn(usize)) {
    check(SERVER);
    check(CLIENT);
}

/// Feeds each payload with `$feed`, flushes, and compares what arrives.
///
/// Each byte that a feed or a flush waits for causes a drop. The transport may be ready for the
/// first byte, since it was pending at the end of the previous step.
macro_rules! feeds {
    ($role:expr, $side:expr, |$websocket:ident, $payload:ident| $feed:expr) => {{
        let (messages, prepared) = payloads();
        let mut expected = Vec::new();
        let mut queue = Vec::new();
        for message in &messages {
            for form in forms(message) {
                queue.push(form);
                expected.push(message.clone());
            }
        }
        queue.push((&prepared).into());
        expected.push(prepared.message().clone());
        let wire = Wire::new();
        let mut $websocket = websocket(wire.end($side, DRIP), $role, config());
        let (mut drops, mut waited, mut flush_drops, mut flushed) = (0_usize, 0, 0, 0);
        let user = async {
            for $payload in &queue {
                waited += $websocket.buffered_amount().saturating_sub(LIMIT);
                dropping!(drops, $feed).unwrap();
            }
            flushed = $websocket.buffered_amount();
            dropping!(flush_drops, $websocket.flush()).unwrap();
        };
        run(&wire, &mut [pin!(user)]);
        assert!(waited > 300_000 && flushed > 3000, "{waited} and {flushed} bytes");
        assert!((waited - queue.len()..=waited).contains(&drops), "{drops} of {waited}");
        assert!((flushed..=flushed + 1).contains(&flush_drops), "{flush_drops} of {flushed}");
        // A waiting feed only waits for room.
        assert_eq!(wire.flushes($side), 1);
        (wire.take($side), expected)
    }};
}

fn check_seen<R: Role>(_: &R, bytes: &[u8], expected: Vec<Message>) {
    let seen = decode_as_peer_of::<R>(bytes);
    assert!(seen == Seen { messages: expected, ..Seen::default() }, "{}", seen.messages.len());
}

#[test]
fn feed_and_flush_can_be_dropped_before_each_byte() {
    let (bytes, expected) =
        feeds!(Server::new(), SERVER, |websocket, payload| websocket.feed(payload));
    check_seen(&Server::new(), &bytes, expected);
    let (bytes, expected) =
        feeds!(client_role(), CLIENT, |websocket, payload| websocket.feed(payload));
    check_seen(&client_role(), &bytes, expected);
}

#[test]
fn feed_fragment_can_be_dropped_before_each_byte() {
    // Each piece is a complete message, so the same is expected.
    let (bytes, expected) =
        feeds!(Server::new(), SERVER, |websocket, payload| websocket.feed_fragment(payload, true));
    check_seen(&Server::new(), &bytes, expected);
    let (bytes, expected) =
        feeds!(client_role(), CLIENT, |websocket, payload| websocket.feed_fragment(payload, true));
    check_seen(&client_role(), &bytes, expected);
}

#[test]
fn pieces_that_waited_for_room_join_to_one_message() {
    fn check<R: Role>(side: usize, role: R) {
        let wire = Wire::new();
        let mut websocket = websocket(wire.end(side, DRIP), role, config());
        let mut drops = 0;
        let user = async {
            for piece in 0..30_u8 {
                dropping!(drops, websocket.feed_fragment(&[piece; 1000], piece == 29)).unwrap();
                if piece % 10 == 5 {
                    websocket.ping(&[piece]).await.unwrap();
                }
            }
            dropping!(drops, websocket.flush()).unwrap();
        };
        run(&wire, &mut [pin!(user)]);
        let seen = decode_as_peer_of::<R>(&wire.take(side));
        let whole: Vec<u8> = (0..30).flat_map(|piece| [piece; 1000]).collect();
        assert_eq!(seen.messages, [Message::binary(whole)]);
        assert_eq!(seen.pings, [[5], [15], [25]]);
        // Three pings, and everything before them, were sent without a drop.
        assert!(drops >= 4000, "{drops}");
    }
    check(SERVER, Server::new());
    check(CLIENT, client_role());
}

/// Returns a connection with at least `queued` bytes in the queue, and an event to reply to.
fn with_queue<R: Role>(wire: &Wire, role: R, queued: usize) -> WebSocket<End, R> {
    let side = if R::MASKS { CLIENT } else { SERVER };
    let mut input = ReadBuffer::new();
    let mask: &[u8] = if R::MASKS { &[] } else { &[0; 4] };
    input.extend_from_slice(&[0x81, if R::MASKS { 1 } else { 0x81 }]);
    input.extend_from_slice(mask);
    input.extend_from_slice(b"?");
    let config = Config::default().limits(Limits::default().queued_output(60));
    let end = wire.end(side, DRIP);
    let mut websocket = WebSocket::new(end, role, Negotiated::new(), input, config);
    assert_eq!(
        poll_once(async { websocket.feed(&vec![0; queued]).await.unwrap() }),
        Poll::Ready(())
    );
    websocket
}

/// For each number of polls, polls `$send` that often, drops it, and flushes the queue. Returns
/// whether each was sent.
macro_rules! at_each_poll {
    ($role:expr, $queued:expr, |$websocket:ident| $send:expr, |$seen:ident| $sent:expr) => {{
        let mut outcomes = Vec::new();
        for polls in 0.. {
            let wire = Wire::new();
            let role = $role;
            let side = side_of(&role);
            let mut $websocket = with_queue(&wire, role, $queued);
            let done = {
                let mut sending = pin!(async { $send.await.unwrap() });
                (0..polls).any(|_| poll_once(sending.as_mut()).is_ready())
            };
            run(&wire, &mut [pin!(async { $websocket.flush().await.unwrap() })]);
            let mut $seen = if side == CLIENT {
                decode_as_peer_of::<Client>(&wire.take(side))
            } else {
                decode_as_peer_of::<Server>(&wire.take(side))
            };
            assert_eq!($seen.messages.remove(0), Message::binary(vec![0; $queued]));
            outcomes.push($sent);
            if done {
                break;
            }
        }
        outcomes
    }};
}

type Client = sansocket::connection::Client<fn() -> sansocket::mask::MaskKey>;

fn side_of<R: Role>(_: &R) -> usize {
    if R::MASKS { CLIENT } else { SERVER }
}

/// If the queue is too full, nothing is sent until there is room, and then everything, at one poll
/// and from then on.
fn check_outcomes(full: &[bool], room: &[bool], frame_len: usize) {
    let first = full.iter().position(|&sent| sent).unwrap();
    // The bytes above the limit, and the poll that finds that it has to wait.
    assert!(first > 40 && full[first..].iter().all(|&sent| sent), "{full:?}");
    assert!(full.len() > 100 + frame_len);
    assert!(!room[0] && room[1..].iter().all(|&sent| sent), "{room:?}");
    assert!(room.len() > 50 + frame_len);
}

#[test]
fn a_dropped_send_sends_all_or_nothing() {
    let text = "all or nothing";
    macro_rules! check {
        ($role:expr, |$websocket:ident| $send:expr) => {{
            let [full, room] = [100, 50].map(|queued| {
                at_each_poll!($role, queued, |$websocket| $send, |seen| {
                    assert!(seen.messages.iter().all(|message| *message == Message::text(text)));
                    assert!(seen.messages.len() < 2);
                    seen.messages.len() == 1
                })
            });
            check_outcomes(&full, &room, text.len());
        }};
    }
    check!(Server::new(), |websocket| websocket.send(text));
    check!(client_role(), |websocket| websocket.send(text));
    check!(Server::new(), |websocket| websocket.receive_buffered().unwrap().1.send(text));
    check!(client_role(), |websocket| websocket.receive_buffered().unwrap().1.send(text));
}

#[test]
fn a_dropped_ping_is_sent_once_or_not_at_all() {
    macro_rules! check {
        ($role:expr, |$websocket:ident| $send:expr) => {{
            let [full, room] = [100, 50].map(|queued| {
                at_each_poll!($role, queued, |$websocket| $send, |seen| {
                    assert!(
                        seen.pings.len() < 2 && seen.pings.iter().all(|ping| ping == b"there?")
                    );
                    seen.pings.len() == 1
                })
            });
            check_outcomes(&full, &room, 6);
        }};
    }
    check!(Server::new(), |websocket| websocket.ping(b"there?"));
    check!(client_role(), |websocket| websocket.ping(b"there?"));
    check!(Server::new(), |websocket| websocket.receive_buffered().unwrap().1.ping(b"there?"));
    check!(client_role(), |websocket| websocket.receive_buffered().unwrap().1.ping(b"there?"));
}

/// It does not wait for room.
#[test]
fn a_close_is_queued_at_the_first_poll_and_once() {
    macro_rules! check {
        ($role:expr, |$websocket:ident| $send:expr) => {{
            for queued in [100, 50] {
                let closed = at_each_poll!($role, queued, |$websocket| $send, |seen| {
                    assert!(seen.closes < 2);
                    seen.closes == 1
                });
                assert!(!closed[0] && closed[1..].iter().all(|&sent| sent), "{closed:?}");
                assert!(closed.len() > queued + 4);
            }
        }};
    }
    check!(Server::new(), |websocket| websocket.close(AWAY, ""));
    check!(client_role(), |websocket| websocket.close(AWAY, ""));
    check!(Server::new(), |websocket| websocket.receive_buffered().unwrap().1.close(AWAY, ""));
    check!(client_role(), |websocket| websocket.receive_buffered().unwrap().1.close(AWAY, ""));
}

#[test]
fn a_dropped_close_is_finished_by_another() {
    both_roles(|side| {
        let wire = Wire::new();
        macro_rules! check {
            ($role:expr) => {{
                let mut websocket = websocket(wire.end(side, DRIP), $role, config());
                let mut drops = 0;
                let user = async {
                    assert!(poll_once(websocket.close(AWAY, "gone")).is_pending());
                    assert_eq!(websocket.state(), State::Closing);
                    dropping!(drops, websocket.close(CloseCode::NORMAL, "")).unwrap();
                };
                run(&wire, &mut [pin!(user)]);
                // The transport was pending before the first byte.
                let frame = wire.take(side);
                assert_eq!(drops, frame.len());
                assert!(frame.len() == if side == CLIENT { 12 } else { 8 });
            }};
        }
        if side == CLIENT { check!(client_role()) } else { check!(Server::new()) }
    });
}
