//! A split connection: one thread reads, one writes, and both see what the other does.

use sansocket::{
    CloseCode, Closed, Config, Error, Event, Limits, Message, Payload, State,
    blocking::{Acceptor, Connector, Plain, ReceiveHalf, SendHalf, Transport, WebSocket},
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Cause, Client, Connection, Progress, ProtocolError, Role, Server, TransportEnd},
    frame::FrameError,
    handshake::Negotiated,
    mask::MaskKey,
};
use sansocket_testkit::{
    frames::{CLOSE, CLOSE_AWAY, CLOSE_NORMAL, failure_close, masked, plain},
    pair::blocking::{client_and_stream, pair, read_to_end, server_and_stream, streams},
    transports::breakable::{Breakable, Lack},
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{Arc, atomic::Ordering, mpsc},
    thread,
    time::Duration,
};

type ServerHalves = (SendHalf<TcpStream, Server>, ReceiveHalf<TcpStream, Server>);

const SHORT: Duration = Duration::from_millis(150);
/// Turns a hang into a failure.
const WATCHDOG: Duration = Duration::from_secs(60);
/// More than sockets with bounded buffers take.
const MUCH: usize = 16 << 20;

/// The result of a thread. Waiting for it fails if the thread hangs.
struct Outcome<T>(mpsc::Receiver<T>);

fn start<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Outcome<T> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    Outcome(receiver)
}

impl<T> Outcome<T> {
    #[track_caller]
    fn get(self) -> T {
        self.0.recv_timeout(WATCHDOG).expect("the thread hangs or has panicked")
    }

    fn is_there(&self) -> bool {
        !matches!(self.0.try_recv(), Err(mpsc::TryRecvError::Empty))
    }
}

/// Returns a split server and the bare stream of its client. A message is a single frame, whatever
/// its size.
fn split_server(config: Config) -> (ServerHalves, TcpStream) {
    let (server, client) = server_and_stream(Acceptor::new().config(config.fragment_size(0)));
    bound(server.get_ref(), &client, 64 << 10);
    (server.split().unwrap(), client)
}

/// Bounds the sockets' buffers, and gives the peer a timeout so that it fails instead of hanging.
fn bound(stream: &TcpStream, peer: &TcpStream, bytes: usize) {
    for stream in [stream, peer] {
        let socket = socket2::SockRef::from(stream);
        socket.set_send_buffer_size(bytes).unwrap();
        socket.set_recv_buffer_size(bytes).unwrap();
    }
    peer.set_read_timeout(Some(WATCHDOG)).unwrap();
    peer.set_write_timeout(Some(WATCHDOG)).unwrap();
}

/// Returns a configuration whose deadlines never pass, however slow the machine is.
fn calm() -> Config {
    Config::default().close_timeout(WATCHDOG)
}

fn short_close() -> Config {
    Config::default().close_timeout(SHORT)
}

/// Starts to send a frame larger than the sockets take, and waits until the write has begun.
fn stuck_writer(mut half: SendHalf<TcpStream, Server>, client: &TcpStream) -> Outcome<Sent> {
    let writer = start(move || {
        let outcome = half.send(vec![7; MUCH]);
        (outcome, half)
    });
    client.peek(&mut [0]).unwrap();
    writer
}

type Sent = (Result<(), Error>, SendHalf<TcpStream, Server>);

/// What the other endpoint of a connection sees, in order.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// A message or part of it; the number of bytes so far.
    Part(usize),
    Whole(usize),
    Pong(Vec<u8>),
    Close(u16),
}

/// Reads frames up to a Close or the end of the stream.
fn watch<R: Role>(role: R, stream: &mut TcpStream) -> Vec<Seen> {
    let mut connection = Connection::new(role, &Negotiated::new(), Config::default());
    let (mut input, mut output) = (ReadBuffer::new(), WriteBuffer::new());
    let (mut seen, mut len) = (Vec::new(), 0);
    loop {
        while connection.advance_chunk(&mut input, &mut output).unwrap() == Progress::Event {
            let chunk = connection.chunk(&input).unwrap();
            let what = match chunk.event {
                Event::Pong(payload) => Seen::Pong(payload.to_vec()),
                Event::Close(frame) => Seen::Close(frame.unwrap().code.number()),
                Event::Binary(data) => {
                    len = data.len() + if chunk.first { 0 } else { len };
                    if chunk.last { Seen::Whole(len) } else { Seen::Part(len) }
                }
                other => panic!("{other:?}"),
            };
            if let (Seen::Part(_), Some(last @ Seen::Part(_))) = (&what, seen.last_mut()) {
                *last = what;
            } else {
                seen.push(what);
            }
            if let Some(Seen::Close(_)) = seen.last() {
                return seen;
            }
        }
        match stream.read(input.spare(1)).unwrap() {
            0 => return seen,
            count => input.filled(count),
        }
    }
}

fn watch_server(stream: &mut TcpStream) -> Vec<Seen> {
    watch(Client::new(|| MaskKey::new([0; 4])), stream)
}

#[track_caller]
fn ended_by<T>(outcome: Result<T, Error>) -> Closed {
    match outcome {
        Err(Error::Closed(closed)) => *closed,
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("expected an error"),
    }
}

#[test]
fn the_reader_does_not_wait_for_a_stuck_writer() {
    let data = Message::binary(vec![7; MUCH]);
    let forms: [fn(&Message) -> Payload<'_>; 2] =
        [|data| Payload::from(data), |data| Payload::from(data.as_bytes())];
    for form in forms {
        let (server, client) = server_and_stream(Acceptor::new().config(calm()));
        does_not_wait(server, client, masked, data.clone(), form, watch_server);
        let (client, server) = client_and_stream(Connector::new().config(calm()));
        let watch_client = |stream: &mut TcpStream| watch(Server::new(), stream);
        does_not_wait(client, server, plain, data.clone(), form, watch_client);
    }
}

fn does_not_wait<R: Role + Send + 'static>(
    websocket: WebSocket<TcpStream, R>,
    mut peer: TcpStream,
    frame: impl Fn(u8, &[u8]) -> Vec<u8>,
    data: Message,
    form: fn(&Message) -> Payload<'_>,
    watch: impl FnOnce(&mut TcpStream) -> Vec<Seen>,
) {
    bound(websocket.get_ref(), &peer, 64 << 10);
    let (mut send, mut receive) = websocket.split().unwrap();
    let writer = start(move || {
        send.send(form(&data)).unwrap();
        send.close(CloseCode::NORMAL, "").unwrap();
    });
    peer.peek(&mut [0]).unwrap();
    peer.write_all(&frame(0x81, b"one")).unwrap();
    peer.write_all(&frame(0x89, b"amid")).unwrap();
    peer.write_all(&frame(0x81, b"two")).unwrap();
    let reader = start(move || {
        let messages = [receive.next(), receive.next()].map(|next| next.unwrap().unwrap());
        (messages, receive)
    });
    let (messages, mut receive) = reader.get();
    assert_eq!(messages, [Message::text("one"), Message::text("two")]);
    assert!(!writer.is_there());
    let reader = start(move || receive.next().is_none());
    let seen = watch(&mut peer);
    let [Seen::Part(_), Seen::Pong(pong), .., Seen::Whole(MUCH), Seen::Close(1000)] = &seen[..]
    else {
        panic!("{seen:?}")
    };
    assert_eq!(pong, b"amid");
    peer.write_all(&frame(0x88, &[0x03, 0xe8])).unwrap();
    drop(peer);
    assert!(reader.get());
}

#[test]
fn pings_and_a_close_are_answered_while_the_user_only_reads() {
    let ((mut send, mut receive), mut client) = split_server(calm());
    let reader = start(move || (receive.next().is_none(), receive));
    for number in 0..3 {
        client.write_all(&masked(0x89, &[number; 5])).unwrap();
        let mut pong = [0; 7];
        client.read_exact(&mut pong).unwrap();
        assert_eq!(pong, [0x8a, 5, number, number, number, number, number]);
    }
    client.write_all(&masked(0x88, &[0x03, 0xe9])).unwrap();
    assert_eq!(read_to_end(&mut client), CLOSE_AWAY);
    drop(client);
    let (ended, receive) = reader.get();
    assert!(ended);
    let closed = receive.closed().unwrap();
    assert!(closed.clean && closed.code == CloseCode::GOING_AWAY);
    assert_eq!(send.closed(), Some(closed.clone()));
    assert_eq!((receive.state(), send.state()), (State::Closed, State::Closed));
    assert_eq!(ended_by(send.send("too late")), closed);
    drop(receive);
    assert_eq!(send.closed(), Some(closed));
}

#[test]
fn the_close_of_a_failure_is_sent_while_the_user_only_reads() {
    let ((mut send, mut receive), mut client) = split_server(calm());
    let reader = start(move || (receive.next(), receive.next().is_none()));
    client.write_all(&[0x83]).unwrap();
    assert_eq!(read_to_end(&mut client), failure_close(FrameError::ReservedOpCode(3)));
    drop(client);
    let (first, then_none) = reader.get();
    let error = ProtocolError::Frame(FrameError::ReservedOpCode(3));
    assert!(matches!(first, Some(Err(Error::Protocol(got))) if got == error), "{first:?}");
    assert!(then_none);
    assert_eq!(ended_by(send.send("too late")).cause, Cause::Protocol(error));
}

#[test]
fn a_close_is_answered_after_the_frame_of_a_stuck_writer() {
    for half_closed in [false, true] {
        let ((send, mut receive), mut client) = split_server(calm());
        let writer = stuck_writer(send, &client);
        client.write_all(&masked(0x88, &[0x03, 0xe9])).unwrap();
        if half_closed {
            client.shutdown(Shutdown::Write).unwrap();
        }
        // The reader receives the Close before any more of the frame is written.
        assert_eq!(receive.state(), State::Open);
        assert!(matches!(receive.receive(), Some(Ok(Event::Close(Some(_))))));
        assert_eq!(receive.state(), State::Closing);
        let reader = start(move || (receive.next().is_none(), receive.closed().unwrap()));
        let seen = watch_server(&mut client);
        assert_eq!(seen[1..], [Seen::Whole(MUCH), Seen::Close(1001)]);
        drop(client);
        let (ended, closed) = reader.get();
        assert!(ended && closed.clean, "{closed:?}");
        let (outcome, send) = writer.get();
        assert!(outcome.is_ok(), "{outcome:?}");
        assert_eq!(send.closed(), Some(closed));
    }
}

#[test]
fn many_pings_at_once_are_all_answered_in_order() {
    let ((_send, mut receive), mut client) = split_server(calm());
    let reader = start(move || receive.next().is_none());
    let mut bytes: Vec<u8> = (0..200).flat_map(|number| masked(0x89, &[number])).collect();
    bytes.extend(masked(0x88, &[0x03, 0xe8]));
    client.write_all(&bytes).unwrap();
    let expected: Vec<u8> = (0..200).flat_map(|number| [0x8a, 1, number]).collect();
    assert_eq!(read_to_end(&mut client), [&expected[..], &CLOSE_NORMAL].concat());
    drop(client);
    assert!(reader.get());
}

#[test]
fn pings_during_a_stuck_write_take_no_memory_and_the_last_is_answered() {
    let ((send, mut receive), mut client) = split_server(calm());
    let writer = stuck_writer(send, &client);
    for number in 0..5_000_u32 {
        client.write_all(&masked(0x89, &number.to_be_bytes())).unwrap();
    }
    client.write_all(&masked(0x81, b"behind the pings")).unwrap();
    assert_eq!(receive.next().unwrap().unwrap(), Message::text("behind the pings"));
    let mut watched = client.try_clone().unwrap();
    let watching = start(move || watch_server(&mut watched));
    assert!(writer.get().0.is_ok());
    client.write_all(&masked(0x88, &[0x03, 0xe8])).unwrap();
    let reader = start(move || receive.next().is_none());
    let mut seen = watching.get();
    drop(client);
    assert!(reader.get());
    assert_eq!(seen.pop(), Some(Seen::Close(1000)));
    assert_eq!(seen.pop(), Some(Seen::Pong(4_999_u32.to_be_bytes().to_vec())));
    assert_eq!(seen.remove(1), Seen::Whole(MUCH));
    // As many pongs as fit, in order, plus the last one.
    let most = 4096 / 6;
    let expected = (0..most).map(|number: u32| Seen::Pong(number.to_be_bytes().to_vec()));
    assert!(seen.drain(1..).eq(expected));
}

#[test]
fn dropping_the_sending_half_leaves_the_other_working() {
    for closed_before in [false, true] {
        let ((mut send, mut receive), mut client) = split_server(calm());
        if closed_before {
            send.close(CloseCode::GOING_AWAY, "").unwrap();
        }
        drop(send);
        assert_eq!(receive.state(), if closed_before { State::Closing } else { State::Open });
        client.write_all(&masked(0x89, b"alive?")).unwrap();
        client.write_all(&masked(0x81, b"late")).unwrap();
        client.write_all(&masked(0x88, &[0x03, 0xe8])).unwrap();
        let reader = start(move || {
            assert_eq!(receive.next().unwrap().unwrap(), Message::text("late"));
            assert!(receive.next().is_none());
            receive.closed().unwrap()
        });
        let pong = b"\x8a\x06alive?";
        let expected =
            if closed_before { [&CLOSE_AWAY[..], pong] } else { [&pong[..], &CLOSE_NORMAL] };
        assert_eq!(read_to_end(&mut client), expected.concat());
        drop(client);
        assert!(reader.get().clean);
    }
}

#[test]
fn dropping_both_halves_tells_the_peer() {
    let ((send, receive), mut client) = split_server(calm());
    drop(send);
    drop(receive);
    assert_eq!(read_to_end(&mut client), CLOSE_AWAY);
}

#[test]
fn a_half_can_wait_until_the_peer_has_ended_too() {
    let ((_send, mut receive), mut client) = split_server(calm());
    client.write_all(&masked(CLOSE, &[0x03, 0xe8])).unwrap();
    assert!(receive.next().is_none());
    let waiting = start(move || receive.wait_closed());
    // If nobody read these bytes, the end would become a reset.
    client.write_all(&[0; 4 << 20]).unwrap();
    assert_eq!(read_to_end(&mut client), CLOSE_NORMAL);
    assert!(!waiting.is_there());
    drop(client);
    assert!(waiting.get().clean);
}

#[test]
fn the_reader_writes_what_the_sending_half_has_queued() {
    let limits = Limits::default().queued_output(usize::MAX);
    let ((mut send, mut receive), mut client) = split_server(calm().limits(limits));
    send.feed(vec![7; MUCH]).unwrap();
    assert!(send.buffered_amount() >= MUCH);
    drop(send);
    let reader = start(move || receive.next().is_none());
    client.write_all(&masked(0x88, &[0x03, 0xe8])).unwrap();
    let seen = watch_server(&mut client);
    assert_eq!(seen[1..], [Seen::Whole(MUCH), Seen::Close(1000)], "{:?}", seen[0]);
    drop(client);
    assert!(reader.get());
}

#[test]
fn a_reader_does_not_wait_for_its_writes() {
    let limits = Limits::default().queued_output(usize::MAX);
    let ((mut send, mut receive), mut client) = split_server(calm().limits(limits));
    send.feed(vec![7; MUCH]).unwrap();
    let (started, starts) = mpsc::channel();
    let reader = start(move || {
        for number in 0..20 {
            started.send(()).unwrap();
            assert_eq!(receive.next().unwrap().unwrap(), Message::binary(vec![number]));
        }
        receive
    });
    for number in 0..20 {
        starts.recv_timeout(WATCHDOG).unwrap();
        client.write_all(&masked(0x82, &[number])).unwrap();
    }
    reader.get();
    assert!(send.buffered_amount() > 0);
}

#[test]
fn fed_messages_are_written_while_the_reader_waits() {
    let ((mut send, mut receive), mut client) = split_server(calm());
    send.feed("fed").unwrap();
    assert_eq!(send.buffered_amount(), 5);
    let reader = start(move || receive.next().is_some());
    let mut frame = [0; 5];
    client.read_exact(&mut frame).unwrap();
    assert_eq!(&frame, b"\x81\x03fed");
    drop(client);
    assert!(reader.get());
}

#[test]
fn the_close_deadline_ends_a_blocked_reader() {
    for drops in [false, true] {
        let ((mut send, mut receive), client) = split_server(short_close());
        let reader = start(move || (receive.next().unwrap(), receive.next().is_none()));
        // A reader that has not begun its read would notice the deadline by itself.
        thread::sleep(SHORT);
        send.close(CloseCode::NORMAL, "").unwrap();
        let send = (!drops).then_some(send);
        let (outcome, then_none) = reader.get();
        assert_eq!(ended_by(outcome).cause, Cause::Transport(TransportEnd::Timeout));
        assert!(then_none);
        drop((client, send));
    }
}

#[test]
fn dropping_the_receiving_half_ends_the_connection() {
    let ((mut send, receive), mut client) = split_server(calm());
    drop(receive);
    assert_eq!(read_to_end(&mut client), CLOSE_AWAY);
    let closed = ended_by(send.send("nobody reads the reply"));
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Dropped));
    assert_eq!(send.closed(), Some(closed));
    assert_eq!(send.state(), State::Closed);
    send.close(CloseCode::NORMAL, "").unwrap();
}

#[test]
fn dropping_the_receiving_half_unblocks_a_stuck_writer() {
    let ((send, receive), client) = split_server(calm());
    let writer = stuck_writer(send, &client);
    assert!(!writer.is_there());
    drop(receive);
    let (outcome, send) = writer.get();
    let closed = ended_by(outcome);
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Dropped));
    assert_eq!(send.closed(), Some(closed));
}

#[test]
fn an_end_seen_by_the_reader_unblocks_a_stuck_writer() {
    // A peer that has ended its side has this long to read what was begun.
    let ((send, mut receive), client) = split_server(short_close());
    let writer = stuck_writer(send, &client);
    client.shutdown(Shutdown::Write).unwrap();
    let reader = start(move || (receive.next().unwrap(), receive.next().is_none()));
    let (outcome, then_none) = reader.get();
    let closed = ended_by(outcome);
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Eof));
    assert!(then_none);
    let (outcome, mut send) = writer.get();
    assert_eq!(ended_by(outcome), closed);
    assert_eq!(ended_by(send.ping(b"")), closed);
    assert_eq!(ended_by(send.feed("")), closed);
}

#[test]
fn a_reset_is_seen_by_both_halves() {
    let ((mut send, mut receive), client) = split_server(calm());
    send.send("never read by the client, so that its end is a reset").unwrap();
    client.peek(&mut [0]).unwrap();
    drop(client);
    let closed = ended_by(start(move || receive.next().unwrap()).get());
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Reset));
    assert_eq!(ended_by(send.send("gone")), closed);
}

#[test]
fn the_deadline_of_an_answer_unblocks_a_stuck_writer() {
    for fails in [false, true] {
        let ((send, mut receive), mut client) = split_server(short_close());
        let writer = stuck_writer(send, &client);
        client.write_all(&if fails { vec![0x83] } else { masked(0x88, b"") }).unwrap();
        let reader = start(move || (receive.next(), receive.closed().unwrap()));
        let (outcome, closed) = reader.get();
        let outcome = outcome.unwrap();
        assert!(!closed.clean);
        if fails {
            assert!(matches!(outcome, Err(Error::Protocol(_))), "{outcome:?}");
        } else {
            assert_eq!(ended_by(outcome).cause, Cause::Transport(TransportEnd::Timeout));
        }
        assert_eq!(ended_by(writer.get().0), closed);
    }
}

#[test]
fn an_end_or_a_timeout_unblocks_a_stuck_writer() {
    for (lack, drops) in [
        (Lack::WriteTimeout, true),
        (Lack::WriteTimeout, false),
        (Lack::Shutdown, true),
        (Lack::Shutdown, false),
    ] {
        let (client, stream) = streams();
        bound(&stream, &client, 64 << 10);
        let server = Breakable::server(stream, Some(lack), short_close().fragment_size(0));
        let (mut send, mut receive) = server.split().unwrap();
        let writer = start(move || send.send(vec![7; MUCH]));
        client.peek(&mut [0]).unwrap();
        let how = if drops {
            drop(receive);
            TransportEnd::Dropped
        } else {
            client.shutdown(Shutdown::Write).unwrap();
            assert!(start(move || receive.next().unwrap()).get().is_err());
            TransportEnd::Eof
        };
        assert_eq!(ended_by(writer.get()).cause, Cause::Transport(how), "{lack:?}");
    }
}

#[test]
fn after_a_failed_write_the_reader_reads_on_for_a_while() {
    for peer_ends in [true, false] {
        let (mut client, stream) = streams();
        let config = if peer_ends { calm() } else { short_close() };
        let server = Breakable::server(stream, None, config);
        let broken = Arc::clone(&server.get_ref().broken);
        let (mut send, mut receive) = server.split().unwrap();
        let received = start(move || {
            let outcomes: Vec<_> = receive.by_ref().collect();
            (outcomes, receive.closed().unwrap())
        });
        broken.store(true, Ordering::SeqCst);
        let failure = send.send("lost");
        assert!(matches!(failure, Err(Error::Io(_))), "{failure:?}");
        if peer_ends {
            client.write_all(&masked(0x81, b"last words")).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
        }
        let (mut outcomes, closed) = received.get();
        let how = if peer_ends { TransportEnd::Eof } else { TransportEnd::Reset };
        assert_eq!(closed.cause, Cause::Transport(how));
        assert_eq!(ended_by(outcomes.pop().unwrap()), closed);
        assert_eq!(outcomes.len(), usize::from(peer_ends), "{outcomes:?}");
        assert_eq!(ended_by(send.send("later")), closed);
    }
}

#[test]
fn messages_of_all_forms_keep_their_order() {
    let (mut client, server) = pair();
    let (mut send, mut receive) = server.split().unwrap();
    let reader = start(move || receive.by_ref().map(Result::unwrap).count());
    let writer = start(move || {
        for number in 0..2_000_u32 {
            let size = [4, 9_000, 20_000, 70_000][number as usize % 4];
            let mut data = number.to_be_bytes().to_vec();
            data.resize(size, 0);
            let data = Message::binary(data);
            match number % 3 {
                0 => send.feed(data.as_bytes()),
                1 => send.send(data.as_bytes()),
                _ => send.send(&data),
            }
            .unwrap();
        }
        send.flush().unwrap();
        assert_eq!(send.buffered_amount(), 0);
    });
    for number in 0..2_000_u32 {
        client.ping(number.to_be_bytes()).unwrap();
        let message = client.next().unwrap().unwrap();
        assert_eq!(message.as_bytes()[..4], number.to_be_bytes());
    }
    writer.get();
    assert!(client.wait_closed().clean);
    assert_eq!(reader.get(), 0);
}

/// Sends `count` numbered messages of these sizes with pings in between, and receives everything
/// that the other endpoint sends.
fn flood<S: Transport + Send + 'static, R: Role + Send + 'static>(
    websocket: WebSocket<S, R>,
    count: u32,
    sizes: [usize; 4],
) -> (Outcome<SendHalf<S, R>>, Outcome<(u32, ReceiveHalf<S, R>)>) {
    let (mut send, mut receive) = websocket.split().unwrap();
    let writer = start(move || {
        for number in 0..count {
            let mut data = number.to_be_bytes().to_vec();
            data.resize(sizes[number as usize % 4], 0);
            send.send(&data).unwrap();
            if number % 5 == 0 {
                send.ping(number.to_be_bytes()).unwrap();
            }
        }
        send
    });
    let reader = start(move || {
        let (mut messages, mut pongs) = (0, 0);
        while let Some(event) = receive.receive() {
            match event.unwrap() {
                Event::Binary(data) => {
                    assert_eq!(data[..4], u32::to_be_bytes(messages));
                    messages += 1;
                }
                Event::Pong(_) => pongs += 1,
                _ => {}
            }
        }
        assert!(receive.closed().unwrap().clean && pongs > 0);
        (messages, receive)
    });
    (writer, reader)
}

fn flood_each_other<S: Transport + Send + 'static>(
    client: S,
    server: S,
    count: u32,
    sizes: [usize; 4],
) {
    let server = start(move || Acceptor::new().config(calm()).accept(server).unwrap());
    let (client, _) =
        Connector::new().config(calm()).connect_over("ws://localhost/", client).unwrap();
    let (client_writer, client_reader) = flood(client, count, sizes);
    let (server_writer, server_reader) = flood(server.get(), count, sizes);
    // Once both have sent everything, both close.
    let (mut client, mut server) = (client_writer.get(), server_writer.get());
    let closing = start(move || client.close(CloseCode::NORMAL, "").is_ok());
    // The client's Close may have arrived first.
    let _ = server.close(CloseCode::NORMAL, "");
    closing.get();
    // A client that leaves does not wait long for a server that still reads and answers pings.
    let ((of_client, _client), (of_server, _server)) = (client_reader.get(), server_reader.get());
    assert_eq!((of_client, of_server), (count, count));
}

#[test]
fn two_endpoints_that_flood_each_other_never_stall() {
    // TCP itself is slow when a segment is larger than the receive buffer.
    for (room, sizes) in [(4096, [4, 30, 300, 4]), (65_536, [4, 300, 5_000, 20_000])] {
        let (client, server) = streams();
        for stream in [&client, &server] {
            stream.set_nodelay(true).unwrap();
            let socket = socket2::SockRef::from(stream);
            socket.set_send_buffer_size(4096).unwrap();
            socket.set_recv_buffer_size(room).unwrap();
        }
        flood_each_other(client, server, 1_000, sizes);
    }
}

#[cfg(unix)]
#[test]
fn two_endpoints_that_flood_each_other_over_a_unix_socket_never_stall() {
    let (client, server) = std::os::unix::net::UnixStream::pair().unwrap();
    for stream in [&client, &server] {
        socket2::SockRef::from(stream).set_send_buffer_size(4096).unwrap();
    }
    flood_each_other(client, server, 5_000, [4, 300, 5_000, 20_000]);
}

#[test]
fn a_half_receives_a_message_in_chunks() {
    let ((_send, mut receive), mut client) = split_server(calm());
    assert_eq!(receive.negotiated(), &Negotiated::new());
    client.write_all(&[0x81, 0x80 | 100, 0, 0, 0, 0]).unwrap();
    client.write_all(b"first").unwrap();
    let chunk = receive.receive_chunk().unwrap().unwrap();
    assert_eq!((chunk.event, chunk.first, chunk.last), (Event::Text("first"), true, false));
    assert!(matches!(receive.receive(), Some(Err(Error::Receive(_)))));
}

#[test]
fn a_nonblocking_stream_reports_would_block_to_each_half() {
    let (server, client) = server_and_stream(Acceptor::new().config(calm()));
    bound(server.get_ref(), &client, 64 << 10);
    server.get_ref().set_nonblocking(true).unwrap();
    let (mut send, mut receive) = server.split().unwrap();
    assert!(receive.next().unwrap().unwrap_err().is_would_block());
    assert!(send.send(vec![7; MUCH]).unwrap_err().is_would_block());
    assert!(receive.next().unwrap().unwrap_err().is_would_block());
    assert!(receive.closed().is_none());
}

#[test]
fn a_transport_without_a_second_handle_can_not_be_split() {
    let (_client, server) = streams();
    let negotiated = Negotiated::new();
    let server =
        WebSocket::new(Plain(server), Server::new(), negotiated, ReadBuffer::new(), calm());
    match server.split() {
        Err(Error::Io(error)) => {
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.to_string().contains("second handle"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_split_clears_earlier_timeouts() {
    let (client, mut server) = pair();
    client.get_ref().set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    client.get_ref().set_write_timeout(Some(Duration::from_millis(20))).unwrap();
    let (_send, mut receive) = client.split().unwrap();
    let sender = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        server.send("late").unwrap();
        server
    });
    assert_eq!(receive.next().unwrap().unwrap(), Message::text("late"));
    drop(sender.join().unwrap());
}
