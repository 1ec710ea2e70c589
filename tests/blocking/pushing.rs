//! Messages that are pushed: nothing waits for the peer, and whoever writes next writes them.

use sansocket::{
    CloseCode, Config, Error, Message,
    blocking::{Acceptor, Connector, Replies, Transport, WebSocket},
    connection::{Cause, OutboxConfig, Pushed, Role, SendError, WhenFull},
};
use sansocket_testkit::{
    pair::blocking::{client_and_stream, server_and_stream},
    traffic::decode_as_peer_of,
};
use std::{io::Read, net::TcpStream, thread, time::Duration};

/// Turns a hang into a failure.
const WATCHDOG: Duration = Duration::from_secs(60);

fn config() -> Config {
    let outbox = OutboxConfig::default().high_water(30_000).low_water(10_000);
    Config::default().outbox(outbox).fragment_size(5000)
}

/// Runs a check in both roles, with the bare stream of the peer.
macro_rules! both_roles {
    ($config:expr, $check:ident) => {{
        let (server, peer) = server_and_stream(Acceptor::new().config($config));
        peer.set_read_timeout(Some(WATCHDOG)).unwrap();
        $check(server, peer);
        let (client, peer) = client_and_stream(Connector::new().config($config));
        peer.set_read_timeout(Some(WATCHDOG)).unwrap();
        $check(client, peer);
    }};
}

/// Reads until the end.
fn read_all(mut peer: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    peer.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_push_does_not_write_and_a_flush_does() {
    fn check<S: Transport, R: Role>(mut websocket: WebSocket<S, R>, peer: TcpStream) {
        assert_eq!(websocket.push(vec![0; 20_000]).unwrap(), Pushed::Queued);
        assert_eq!(websocket.push_keyed(1, "waits").unwrap(), Pushed::Queued);
        let queued = websocket.buffered_amount();
        assert!(queued > 20_005);
        peer.set_nonblocking(true).unwrap();
        assert!((&peer).read(&mut [0]).is_err(), "something was written");
        peer.set_nonblocking(false).unwrap();
        websocket.flush().unwrap();
        assert_eq!(websocket.buffered_amount(), 0);
        drop(websocket);
        let seen = decode_as_peer_of::<R>(&read_all(peer)).messages;
        assert_eq!(seen[1], Message::text("waits"));
    }
    both_roles!(config(), check);
}

/// The sending thread pushes and never writes. The receiving thread writes, and never blocks.
#[test]
fn a_receiving_thread_writes_what_was_pushed() {
    fn check<S, R>(websocket: WebSocket<S, R>, peer: TcpStream)
    where
        S: Transport + Send + 'static,
        R: Role + Send + 'static,
    {
        let (mut sender, mut receiver) = websocket.split().unwrap();
        let receives = thread::spawn(move || {
            let _ = receiver.next();
            receiver.buffered_amount()
        });
        let mut expected = Vec::new();
        for number in 0..2000_u32 {
            let message = Message::binary(number.to_be_bytes().repeat(3000));
            assert_eq!(sender.push(&message).unwrap(), Pushed::Queued);
            expected.push(message);
        }
        let count = sender.buffered_amount();
        assert!(count > 0 && sender.dropped().total().messages == 0);
        let mut seen = Vec::new();
        let mut bytes = Vec::new();
        let mut peer = peer;
        while seen.len() < expected.len() {
            let mut piece = vec![0; 1 << 20];
            let read = peer.read(&mut piece).unwrap();
            assert!(read > 0);
            bytes.extend_from_slice(&piece[..read]);
            if bytes.len() >= expected.iter().map(Message::len).sum() {
                let overhead = if R::MASKS { 8 } else { 4 };
                let len = expected.iter().map(|message| message.len() + overhead).sum::<usize>();
                bytes.extend(read_exact(&mut peer, len - bytes.len()));
                seen = decode_as_peer_of::<R>(&bytes).messages;
            }
        }
        assert!(seen == expected);
        drop(peer);
        assert_eq!(receives.join().unwrap(), 0);
    }
    fn read_exact(peer: &mut TcpStream, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        peer.read_exact(&mut bytes).unwrap();
        bytes
    }
    let large = OutboxConfig::default().high_water(u32::MAX).messages(u32::MAX);
    both_roles!(Config::default().outbox(large), check);
}

#[test]
fn a_thread_waits_for_room() {
    fn check<S, R>(mut websocket: WebSocket<S, R>, peer: TcpStream)
    where
        S: Transport + Send + 'static,
        R: Role + Send + 'static,
    {
        let reads = thread::spawn(move || read_all(peer));
        let mut refused = 0;
        websocket.wait_for_room().unwrap();
        for number in 0..1000_u32 {
            let message = Message::binary(number.to_be_bytes().repeat(1000));
            while let Err(error) = websocket.push(&message) {
                assert!(error.is_full(), "{error}");
                refused += 1;
                websocket.wait_for_room().unwrap();
            }
        }
        assert!(refused > 10);
        websocket.flush().unwrap();
        let (mut sender, receiver) = websocket.split().unwrap();
        for len in [20_000, 15_000] {
            assert!(sender.push(vec![1; len]).unwrap().is_queued());
        }
        assert!(sender.push(vec![1; 200_000]).unwrap_err().is_full());
        sender.wait_for_room().unwrap();
        assert!(sender.push(vec![1; 4000]).unwrap().is_queued());
        sender.flush().unwrap();
        drop((sender, receiver));
        let seen = decode_as_peer_of::<R>(&reads.join().unwrap()).messages;
        assert_eq!(seen.len(), 1003);
        for (number, message) in (0..1000_u32).zip(&seen) {
            assert_eq!(message.as_bytes()[..4], number.to_be_bytes());
        }
    }
    both_roles!(config(), check);
}

/// A large message leaves frame by frame. No pushed message comes between its frames, although
/// control frames may (RFC 6455 §5.4).
#[test]
fn no_pushed_message_comes_between_the_frames_of_another() {
    fn check<S, R>(mut websocket: WebSocket<S, R>, peer: TcpStream)
    where
        S: Transport + Send + 'static,
        R: Role + Send + 'static,
    {
        let large = vec![9; 300_000];
        let reads = thread::spawn(move || read_all(peer));
        let push_some = |push: &mut dyn FnMut(Message) -> Pushed| {
            assert!(push(Message::binary(vec![1; 17_000])).is_queued());
            for _ in 0..10 {
                assert!(push(Message::text("small")).is_queued());
            }
        };
        push_some(&mut |message| websocket.push(message).unwrap());
        websocket.send(&large).unwrap();
        let (mut sender, receiver) = websocket.split().unwrap();
        push_some(&mut |message| sender.push(message).unwrap());
        sender.send(&large).unwrap();
        drop((sender, receiver));
        let seen = decode_as_peer_of::<R>(&reads.join().unwrap()).messages;
        assert_eq!(seen.len(), 24);
        assert_eq!(seen.iter().filter(|message| message.as_bytes() == large).count(), 2);
    }
    both_roles!(config(), check);
}

#[test]
fn a_full_outbox_closes_the_connection() {
    fn check<S: Transport, R: Role>(mut websocket: WebSocket<S, R>, peer: TcpStream) {
        assert!(websocket.push(vec![0; 20_000]).unwrap().is_queued());
        assert!(websocket.push("waits").unwrap().is_queued());
        assert_eq!(websocket.push("one more").unwrap(), Pushed::Closed);
        let late = websocket.push("late");
        assert!(matches!(late, Err(Error::Send(SendError::Closed { .. }))));
        assert_eq!(websocket.dropped().total().messages, 2);
        drop(peer);
        assert_eq!(websocket.wait_closed().cause, Cause::OutboxFull);
    }
    let outbox = OutboxConfig::new(WhenFull::Close(CloseCode::TRY_AGAIN_LATER)).messages(1);
    both_roles!(Config::default().outbox(outbox), check);
}

#[test]
fn replies_are_pushed_and_parts_have_what_waits() {
    use std::io::Write;
    let (mut server, mut peer) = server_and_stream(Acceptor::new().config(config()));
    peer.write_all(b"\x81\x80\0\0\0\0").unwrap();
    let reply = |mut replies: Replies<'_, _, _>| {
        assert!(replies.push(vec![1; 17_000]).unwrap().is_queued());
        assert!(replies.push("waits").unwrap().is_queued());
        assert!(replies.buffered_amount() > 17_005);
        replies.wait_for_room().unwrap();
        assert_eq!(replies.dropped().total().messages, 0);
    };
    reply(server.receive().unwrap().unwrap().1);
    let parts = server.into_parts();
    let seen = decode_as_peer_of::<sansocket::connection::Server>(&parts.unwritten).messages;
    assert_eq!(seen.last(), Some(&Message::text("waits")));
}
