//! Counters: each way to send and to receive counts, and none of it counts twice.
#![cfg(feature = "tokio")]

use sansocket::{
    CloseCode, Config, Message, Payload, PreparedMessage,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Client, Connection, Counters, DirectionCounters, MessageKind, Role, Server},
    handshake::Negotiated,
    on_tokio,
    random::SystemMaskKeys,
};
use sansocket_testkit::{
    clock::run,
    frames::masked,
    pair::{blocking, tokio as pair},
};
use std::thread;
use tokio::{io::AsyncWriteExt, join};

fn config() -> Config {
    Config::default().counters(true).fragment_size(1000)
}

/// A connection with its buffers.
struct End<R> {
    connection: Connection<R>,
    input: ReadBuffer,
    output: WriteBuffer,
}

impl<R: Role> End<R> {
    fn new(role: R, negotiated: &Negotiated) -> Self {
        let connection = Connection::new(role, negotiated, config());
        Self { connection, input: ReadBuffer::new(), output: WriteBuffer::new() }
    }

    /// Moves all output to the peer, which receives all of it.
    fn send_to<P: Role>(&mut self, peer: &mut End<P>) {
        while !self.output.is_empty() {
            let front = self.output.front();
            let count = front.len();
            peer.input.extend_from_slice(front);
            self.connection.did_write(Ok(count), &mut self.output);
            peer.connection.did_read(Ok(count));
        }
        while peer.connection.advance(&mut peer.input, &mut peer.output).unwrap().goes_on() {}
    }

    fn counters(&self) -> Counters {
        self.connection.counters().unwrap()
    }
}

fn ends(negotiated: &Negotiated) -> (End<Client<SystemMaskKeys>>, End<Server>) {
    let client = Client::new(SystemMaskKeys::new().unwrap());
    (End::new(client, negotiated), End::new(Server::new(), negotiated))
}

/// The frames, messages, pings and pongs.
fn numbers(of: DirectionCounters) -> [u64; 4] {
    [of.frames, of.messages, of.pings, of.pongs]
}

#[track_caller]
fn assert_agree<R: Role, P: Role>(left: &End<R>, right: &End<P>) {
    let (left, right) = (left.counters(), right.counters());
    assert_eq!((left.sent, left.received), (right.received, right.sent));
}

/// Sends in every way, with the number of frames that each takes.
fn send_everything<R: Role, P: Role>(from: &mut End<R>, to: &mut End<P>) {
    let mut frames = 0;
    let mut messages = 0;
    let mut count = |from: &mut End<R>, to: &mut End<P>, add: u64| {
        from.send_to(to);
        (frames, messages) = (frames + add, messages + 1);
        assert_eq!(numbers(from.counters().sent), [frames, messages, 0, 0]);
        assert_agree(from, to);
    };
    let long = vec![b'x'; 20_000];
    from.connection.send_text("", &mut from.output).unwrap();
    count(from, to, 1);
    from.connection.send_binary(b"short", &mut from.output).unwrap();
    count(from, to, 1);
    from.connection.send_binary(&long, &mut from.output).unwrap();
    count(from, to, 20);
    from.connection.send(Payload::binary(&long).uncompressed(), &mut from.output).unwrap();
    count(from, to, 20);
    // A server links it.
    from.connection.send(Message::binary(long.clone()), &mut from.output).unwrap();
    count(from, to, 20);
    drop(from.connection.send_in_place(&long, &mut from.output).unwrap());
    count(from, to, 20);
    let prepared = PreparedMessage::new(vec![7; 200_000]);
    from.connection.send_prepared(&prepared, &mut from.output).unwrap();
    // It is cut at 64 KiB, and a client has to encode it anew.
    let is_client = R::MASKS;
    count(from, to, if is_client { 200 } else { 4 });
    assert!(from.connection.push("pushed", &mut from.output).unwrap().is_queued());
    count(from, to, 1);
    from.connection.send_fragment("piece", false, &mut from.output).unwrap();
    from.connection.send_fragment("", true, &mut from.output).unwrap();
    count(from, to, 2);
}

#[test]
fn every_way_to_send_counts_once_in_both_roles() {
    let (mut client, mut server) = ends(&Negotiated::new());
    send_everything(&mut client, &mut server);
    send_everything(&mut server, &mut client);
    assert!(client.counters().sent.bytes > client.counters().received.bytes, "masks have bytes");
}

#[test]
fn control_frames_count() {
    let (mut client, mut server) = ends(&Negotiated::new());
    client.connection.ping("1", &mut client.output).unwrap();
    client.connection.pong("", &mut client.output).unwrap();
    client.send_to(&mut server);
    server.send_to(&mut client);
    assert_eq!(numbers(client.counters().sent), [2, 0, 1, 1]);
    assert_eq!(numbers(server.counters().sent), [1, 0, 0, 1]);
    assert_agree(&client, &server);
    client.connection.close(CloseCode::NORMAL, "", &mut client.output).unwrap();
    client.send_to(&mut server);
    server.send_to(&mut client);
    assert_eq!(numbers(client.counters().sent), [3, 0, 1, 1]);
    assert_eq!(numbers(server.counters().sent), [2, 0, 0, 1]);
    assert_agree(&client, &server);
}

#[test]
fn chunks_and_faults_count_what_is_complete() {
    let (_, mut server) = ends(&Negotiated::new());
    let frames = [masked(0x01, b"a"), masked(0x00, b"b"), masked(0x80, b"\xff")].concat();
    server.input.extend_from_slice(&frames);
    server.connection.did_read(Ok(frames.len()));
    while server
        .connection
        .advance_chunk(&mut server.input, &mut server.output)
        .is_ok_and(|progress| progress.goes_on())
    {}
    let received = server.counters().received;
    assert_eq!((numbers(received), received.bytes), ([2, 0, 0, 0], frames.len() as u64));
    // The Close.
    assert_eq!(numbers(server.counters().sent), [1, 0, 0, 0]);
}

/// They take another path than those that do not count.
#[test]
fn limits_hold_although_messages_count() {
    let limits = sansocket::Limits::default().message(3);
    let config = config().limits(limits);
    let mut server = Connection::new(Server::new(), &Negotiated::new(), config);
    let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
    input.extend_from_slice(&masked(0x81, b"abcd"));
    assert!(server.advance(&mut input, &mut output).is_err());
}

#[test]
fn nothing_is_counted_unless_that_is_asked_for() {
    let server = Connection::new(Server::new(), &Negotiated::new(), Config::default());
    assert_eq!(server.counters(), None);
    let (sender, receiver) = server.split();
    assert_eq!((sender.counters(), receiver.counters()), (None, None));
}

#[test]
fn halves_of_the_core_tell_each_other() {
    let (_, server) = ends(&Negotiated::new());
    let (mut sender, mut receiver) = server.connection.split();
    let mut input = server.input;
    let frame = masked(0x81, b"hello");
    input.extend_from_slice(&frame);
    assert!(receiver.advance(&mut input).unwrap().goes_on());
    sender.did_read(Ok(frame.len()));
    sender.note_received(receiver.counters().unwrap());
    let received = sender.counters().unwrap().received;
    assert_eq!((numbers(received), received.bytes), ([1, 1, 0, 0], 11));
}

#[cfg(feature = "deflate")]
#[test]
fn compressed_messages_count_their_compressed_bytes() {
    use sansocket::deflate::DeflateParameters;
    let (mut client, mut server) = ends(&Negotiated::new().deflate(DeflateParameters::default()));
    let text = "again ".repeat(10_000);
    client.connection.send_text(&text, &mut client.output).unwrap();
    client.send_to(&mut server);
    assert_eq!(client.counters().sent.messages, 1);
    assert!(client.counters().sent.bytes < 1000, "{:?}", client.counters());
    assert_agree(&client, &server);
}

/// The two ends count by themselves, so that they agree only if each frame counts once.
#[cfg(feature = "deflate")]
#[test]
fn every_way_to_send_compressed_counts_once_in_both_roles() {
    use sansocket::deflate::DeflateParameters;
    fn send_all<R: Role, P: Role>(from: &mut End<R>, to: &mut End<P>) {
        let noise: Vec<u8> = (0..200_000_u32).map(|at| (at.wrapping_mul(at) >> 7) as u8).collect();
        let prepared = PreparedMessage::new(noise.clone());
        let End { connection, output, .. } = from;
        connection.send_text("short", output).unwrap();
        connection.ping("", output).unwrap();
        connection.send_binary(&noise, output).unwrap();
        connection.send(Message::binary(noise.clone()), output).unwrap();
        connection.send(Payload::binary(&noise).uncompressed(), output).unwrap();
        drop(connection.send_in_place(&noise, output).unwrap());
        connection.send_prepared(&prepared, output).unwrap();
        assert!(connection.push(&noise, output).unwrap().is_queued());
        connection.send_fragment("again again", false, output).unwrap();
        connection.send_fragment("", true, output).unwrap();
        from.send_to(to);
        to.send_to(from);
        assert_eq!(from.counters().sent.messages, 8);
        assert_eq!(from.counters().sent.pings, 1);
        assert_agree(from, to);
        assert_agree(to, from);
    }
    let mut without_context = DeflateParameters::default();
    without_context.server_no_context_takeover = true;
    without_context.client_no_context_takeover = true;
    for parameters in [DeflateParameters::default(), without_context] {
        let (mut client, mut server) = ends(&Negotiated::new().deflate(parameters));
        send_all(&mut client, &mut server);
        let (mut client, mut server) = ends(&Negotiated::new().deflate(parameters));
        send_all(&mut server, &mut client);
    }
}

#[cfg(feature = "deflate")]
#[test]
fn a_skipped_message_counts() {
    use sansocket::deflate::DeflateParameters;
    for negotiated in [Negotiated::new(), Negotiated::new().deflate(DeflateParameters::default())] {
        let (mut client, mut server) = ends(&negotiated);
        let noise: Vec<u8> = (0..5000_u32).map(|at| (at.wrapping_mul(at) >> 7) as u8).collect();
        client.connection.send_binary(&noise, &mut client.output).unwrap();
        client.connection.send_text("next", &mut client.output).unwrap();
        while !client.output.is_empty() {
            let count = client.output.front().len();
            server.input.extend_from_slice(client.output.front());
            client.connection.did_write(Ok(count), &mut client.output);
            server.connection.did_read(Ok(count));
        }
        let End { connection, input, output } = &mut server;
        assert!(connection.advance_chunk(input, output).unwrap().goes_on());
        connection.skip_message();
        while connection.advance(input, output).unwrap().goes_on() {}
        assert_eq!(numbers(server.counters().received)[1], 2);
        assert_agree(&client, &server);
    }
}

#[test]
fn a_connection_on_tokio_and_its_halves_have_counters() {
    run(async {
        let (connector, acceptor) = (
            on_tokio::Connector::new().config(config()),
            on_tokio::Acceptor::new().config(config()),
        );
        let (mut client, mut server) = pair::pair(connector, acceptor).await;
        let echo = async {
            for _ in 0..4 {
                let message = server.next().await.unwrap().unwrap();
                server.send(message).await.unwrap();
            }
        };
        let talk = async {
            let long = vec![7; 100_000];
            client.ping("").await.unwrap();
            client.send("hello").await.unwrap();
            client.send(&long).await.unwrap();
            client.send(Message::binary(long)).await.unwrap();
            client.send(PreparedMessage::new("prepared")).await.unwrap();
            for _ in 0..4 {
                client.next().await.unwrap().unwrap();
            }
        };
        join!(echo, talk);
        let (of_client, of_server) = (client.counters().unwrap(), server.counters().unwrap());
        assert_eq!(numbers(of_client.sent), [203, 4, 1, 0]);
        assert_eq!(of_client.sent, of_server.received);
        assert_eq!(of_client.received, of_server.sent);
        let (mut sender, mut receiver) = server.split();
        // A server without a queue writes it without a buffer.
        sender.send(PreparedMessage::new(vec![7; 200_000])).await.unwrap();
        let (received, _) = join!(client.next(), async { sender.flush().await.unwrap() });
        assert_eq!(received.unwrap().unwrap().as_bytes().len(), 200_000);
        client.send("more").await.unwrap();
        assert!(receiver.next().await.unwrap().is_ok());
        let counters = receiver.counters().unwrap();
        assert_eq!(counters.received, client.counters().unwrap().sent);
        assert_eq!(counters.sent, client.counters().unwrap().received);
        // It has not yet waited again.
        assert_eq!(sender.counters().unwrap().received.messages, 4);
        join!(client.close(CloseCode::NORMAL, ""), async {
            assert!(receiver.next().await.is_none())
        })
        .0
        .unwrap();
        assert_eq!(sender.counters(), receiver.counters());
        assert_eq!(sender.counters().unwrap().received.messages, 5);
    });
}

#[test]
fn what_comes_with_the_handshake_counts_too() {
    run(async {
        let (mut client, server) = pair::streams().await;
        let request = [sansocket_testkit::opening::REQUEST, &masked(0x81, b"early")].concat();
        client.write_all(&request).await.unwrap();
        let acceptor = on_tokio::Acceptor::new().config(config());
        let mut server = acceptor.accept(server).await.unwrap();
        assert!(server.next().await.unwrap().is_ok());
        let received = server.counters().unwrap().received;
        assert_eq!((received.bytes, received.messages), (11, 1));
    });
}

#[test]
fn a_blocking_connection_and_its_halves_have_counters() {
    use sansocket::blocking::{Acceptor, Connector};
    let (connector, acceptor) =
        (Connector::new().config(config()), Acceptor::new().config(config()));
    let (mut client, mut server) = blocking::pair_with(connector, acceptor);
    let echo = thread::spawn(move || {
        for _ in 0..3 {
            let message = server.next().unwrap().unwrap();
            server.send(message).unwrap();
        }
        server
    });
    let long = vec![7; 100_000];
    client.ping("").unwrap();
    client.send("hello").unwrap();
    client.send(&long).unwrap();
    client.send(Message::binary(long)).unwrap();
    for _ in 0..3 {
        client.next().unwrap().unwrap();
    }
    let server = echo.join().unwrap();
    let (of_client, of_server) = (client.counters().unwrap(), server.counters().unwrap());
    assert_eq!(numbers(of_client.sent), [202, 3, 1, 0]);
    assert_eq!(of_client.sent, of_server.received);
    assert_eq!(of_client.received, of_server.sent);
    let (mut sender, mut receiver) = server.split().unwrap();
    sender.send("more").unwrap();
    client.next().unwrap().unwrap();
    client.close(CloseCode::NORMAL, "").unwrap();
    assert!(receiver.next().is_none());
    assert_eq!(sender.counters(), receiver.counters());
    assert_eq!(sender.counters().unwrap().sent.messages, 4);
}

#[test]
fn a_message_writer_counts() {
    run(async {
        let acceptor = on_tokio::Acceptor::new().config(config());
        let (mut server, _client) = pair::server_and_stream(acceptor).await;
        let mut writer = server.message_writer(MessageKind::Binary);
        writer.write_all(&[7; 1500]).await.unwrap();
        writer.finish().await.unwrap();
        assert_eq!(server.counters().unwrap().sent.messages, 1);
    });
}
