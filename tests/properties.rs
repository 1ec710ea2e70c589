//! Properties of arbitrary messages and fragments, whatever the sizes of reads and writes.
#![cfg(feature = "std")]

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::Index};
use sansocket::{
    Config, Event, Limits, Message, Payload, PreparedMessage,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{MessageKind, Progress, Role},
    frame::OpCode,
};
use sansocket_testkit::{
    any_bytes::{messages::check, scenario::Scenario},
    endpoint::*,
    frames::frame_with,
    vectors::format::Seen,
};

/// Something that one endpoint sends.
#[derive(Clone, Debug)]
enum Sending {
    Whole(Message, Sender),
    /// Sent in frames of these lengths and one for the rest, with a ping after each if the flag is
    /// set.
    Fragments(Message, Vec<usize>, bool),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
}

/// The method that sends it.
#[derive(Clone, Copy, Debug)]
enum Sender {
    Borrowed,
    Shared,
    Prepared,
    InPlace,
}

fn message() -> impl Strategy<Value = Message> {
    // Lengths close to the boundaries of the length field and to the sizes at which buffers change
    // strategy.
    let len = prop_oneof![
        4 => 0_usize..300,
        1 => 4_000_usize..9_000,
        1 => 60_000_usize..140_000,
    ];
    let text = prop_oneof![any::<String>(), Just("a".to_owned()), Just("🌍é, ".to_owned())];
    prop_oneof![
        (len.clone(), any::<u8>()).prop_map(|(len, first)| {
            let data: Vec<_> = (0..len).map(|at| (at as u8).wrapping_mul(31) ^ first).collect();
            Message::binary(data)
        }),
        (len, text).prop_map(|(len, unit)| {
            let count = len.checked_div(unit.len()).unwrap_or(0);
            Message::text(unit.repeat(count + usize::from(len % 2 == 0)))
        }),
    ]
}

fn sending() -> impl Strategy<Value = Sending> {
    let sender = prop_oneof![
        Just(Sender::Borrowed),
        Just(Sender::Shared),
        Just(Sender::Prepared),
        Just(Sender::InPlace)
    ];
    let lengths = vec(prop_oneof![Just(0), 1_usize..10, 1_usize..5_000], 1..6);
    prop_oneof![
        3 => (message(), sender).prop_map(|(message, sender)| Sending::Whole(message, sender)),
        3 => (message(), lengths, any::<bool>())
            .prop_map(|(message, lengths, pings)| Sending::Fragments(message, lengths, pings)),
        1 => vec(any::<u8>(), 0..=125).prop_map(Sending::Ping),
        1 => vec(any::<u8>(), 0..=125).prop_map(Sending::Pong),
    ]
}

/// Sends it, and records what the other endpoint should see.
fn send<R: Role>(end: &mut Endpoint<R>, sending: &Sending, expected: &mut Vec<Seen>) {
    let (connection, output) = (&mut end.connection, &mut end.output);
    match sending {
        Sending::Whole(message, sender) => {
            match (sender, message) {
                (Sender::Borrowed, Message::Text(text)) => connection.send_text(text, output),
                (Sender::Borrowed, Message::Binary(data)) => connection.send_binary(data, output),
                (Sender::Shared, message) => connection.send(message, output),
                (Sender::Prepared, message) => {
                    connection.send_prepared(&PreparedMessage::new(message.clone()), output)
                }
                (Sender::InPlace, message) => {
                    send_in_place(end, message);
                    Ok(())
                }
            }
            .unwrap();
            expected.push(Seen::from(message));
        }
        Sending::Fragments(message, lengths, pings) => {
            let mut rest = message.as_bytes();
            let mut opcode = match message.kind() {
                MessageKind::Text => OpCode::Text,
                MessageKind::Binary => OpCode::Binary,
            };
            for len in lengths {
                let (front, back) = rest.split_at((*len).min(rest.len()));
                send_frame(end, opcode, front, false);
                opcode = OpCode::Continuation;
                if *pings {
                    let payload = (*len as u64).to_le_bytes();
                    end.connection.ping(payload, &mut end.output).unwrap();
                    expected.push(Seen::Ping(payload.into()));
                }
                rest = back;
            }
            send_frame(end, opcode, rest, true);
            expected.push(Seen::from(message));
        }
        Sending::Ping(payload) => {
            connection.ping(payload, output).unwrap();
            expected.push(Seen::Ping(payload.clone()));
        }
        Sending::Pong(payload) => {
            connection.pong(payload, output).unwrap();
            expected.push(Seen::Pong(payload.clone()));
        }
    }
}

/// Sends a message, a part of which is written directly from the caller's buffer.
fn send_in_place<R: Role>(end: &mut Endpoint<R>, message: &Message) {
    let payload = Payload::from(message.as_bytes());
    let text = message.as_text().map(Payload::from);
    let payload = text.as_ref().unwrap_or(&payload);
    drop(end.connection.send_in_place(payload, &mut end.output).unwrap());
}

/// Sends a frame made by hand, which may be cut anywhere.
fn send_frame<R: Role>(end: &mut Endpoint<R>, opcode: OpCode, payload: &[u8], fin: bool) {
    let first = opcode.to_bits() | if fin { 0x80 } else { 0 };
    let key = R::MASKS.then_some([1, 2, 3, 4]);
    end.output.extend_from_slice(&frame_with(first, payload, key));
}

/// How bytes travel from one endpoint to the other.
#[derive(Clone, Debug)]
struct Wire {
    /// How many bytes each write takes, repeated in turn.
    writes: Vec<usize>,
    /// How much room each read asks for, repeated in turn.
    rooms: Vec<usize>,
    /// The memory leased to an empty read buffer; 0 means none.
    lease: usize,
}

fn wire() -> impl Strategy<Value = Wire> {
    let size = || prop_oneof![2 => 1_usize..20, 1 => 1_usize..5_000, 2 => 5_000_usize..300_000];
    let lease = prop_oneof![Just(0_usize), 1_usize..100, Just(4096_usize), Just(65_536_usize)];
    (vec(size(), 1..8), vec(size(), 1..4), lease).prop_map(|(writes, rooms, lease)| Wire {
        writes,
        rooms,
        lease,
    })
}

/// How the receiving endpoint looks at its input.
#[derive(Clone, Copy, Debug)]
enum Look {
    Borrowed,
    Owned,
    Chunks,
}

fn exchange<A: Role, B: Role>(
    mut from: Endpoint<A>,
    mut to: Endpoint<B>,
    sendings: &[Sending],
    wire: &Wire,
    look: Look,
) {
    let mut expected = Vec::new();
    for sending in sendings {
        send(&mut from, sending, &mut expected);
    }
    // Sending a lot of data byte by byte would take too long.
    let least = from.output.len() / 500;
    let (mut received, mut answers) = (Vec::new(), Vec::new());
    let mut joined: Option<Seen> = None;
    let mut rooms = wire.rooms.iter().cycle();
    let mut writes = wire.writes.iter().cycle();
    while !from.output.is_empty() {
        let before = from.output.len();
        let count = carry(
            &mut from.output,
            &mut to.input,
            least.max(*writes.next().unwrap()),
            *rooms.next().unwrap(),
            wire,
        );
        assert!(count > 0);
        assert_eq!(from.output.len(), before - count);
        loop {
            let progress = match look {
                Look::Chunks => to.advance_chunk(),
                _ => to.advance(),
            };
            match progress.unwrap() {
                Progress::Event => {}
                Progress::More => continue,
                Progress::NeedsInput => break,
                Progress::Ended => panic!("ended"),
            }
            // The answers return at once, so none of them is left out.
            from.input.extend_from_slice(&to.written());
            while from.advance().unwrap() == Progress::Event {
                answers.push(Seen::from(from.event().unwrap()));
            }
            match look {
                Look::Borrowed => received.push(Seen::from(to.event().unwrap())),
                Look::Owned => {
                    let borrowed = Seen::from(to.event().unwrap());
                    if let Some(message) = to.connection.take_message(&mut to.input) {
                        assert_eq!(Seen::from(&message), borrowed);
                        assert!(to.event().is_none());
                    }
                    received.push(borrowed);
                }
                Look::Chunks => {
                    let chunk = to.connection.chunk(&to.input).unwrap();
                    let is_control = matches!(chunk.event, Event::Ping(_) | Event::Pong(_));
                    // A piece of a message is not an event by itself.
                    assert_eq!(to.event(), is_control.then_some(chunk.event));
                    let piece = match (joined.take_if(|_| !is_control), Seen::from(chunk.event)) {
                        (Some(Seen::Text(front)), Seen::Text(text)) => Seen::Text(front + &text),
                        (Some(Seen::Binary(front)), Seen::Binary(data)) => {
                            Seen::Binary([front, data].concat())
                        }
                        (None, piece) => {
                            assert!(chunk.first);
                            piece
                        }
                        (front, piece) => panic!("{piece:?} after {front:?}"),
                    };
                    if chunk.last {
                        received.push(piece);
                    } else {
                        joined = Some(piece);
                    }
                }
            }
        }
    }
    assert_eq!(received, expected);
    let pings = expected.into_iter().filter_map(|seen| match seen {
        Seen::Ping(payload) => Some(Seen::Pong(payload)),
        _ => None,
    });
    assert!(answers.into_iter().eq(pings), "pongs are not the answers to the pings");
    assert!(to.input.is_drained() && to.output.is_empty());
}

/// Writes at most `count` queued bytes, gathered from as many slices as there are, and reads them
/// into at least `room` bytes of room.
fn carry(
    output: &mut WriteBuffer,
    input: &mut ReadBuffer,
    count: usize,
    room: usize,
    wire: &Wire,
) -> usize {
    if wire.lease > 0 && input.is_drained() {
        input.take_memory().unwrap();
        input.put_memory(vec![0xff; wire.lease]).unwrap();
    }
    let spare = input.spare(room);
    assert!(spare.len() >= room);
    let mut slices = [&[][..]; 7];
    let used = output.slices(&mut slices);
    let mut filled = 0;
    for slice in &slices[..used] {
        let taken = slice.len().min(spare.len() - filled).min(count - filled);
        spare[filled..filled + taken].copy_from_slice(&slice[..taken]);
        filled += taken;
    }
    input.filled(filled);
    output.consume(filled);
    filled
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn messages_are_received_as_sent(
        sendings in vec(sending(), 1..8),
        wire in wire(),
        look in prop_oneof![Just(Look::Borrowed), Just(Look::Owned), Just(Look::Chunks)],
        fragment_size in prop_oneof![Just(0_usize), 1_usize..2000, Just(65_536_usize)],
        from_server: bool,
    ) {
        let limits = Limits::default().queued_output(usize::MAX);
        let config = Config::default().limits(limits).fragment_size(fragment_size.max(50));
        if from_server {
            exchange(server(config), client(config), &sendings, &wire, look);
        } else {
            exchange(client(config), server(config), &sendings, &wire, look);
        }
    }
}

/// An operation on a write buffer.
#[derive(Clone, Debug)]
enum Change {
    Append(Vec<u8>),
    Link(Vec<u8>),
    Consume(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let bytes = || (0_usize..3000, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]);
    prop_oneof![
        bytes().prop_map(Change::Append),
        bytes().prop_map(Change::Link),
        (0_usize..4000).prop_map(Change::Consume),
        (100_000_usize..200_000).prop_map(|len| Change::Append(vec![3; len])),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever is appended, linked and consumed, the buffer contains the bytes that were added and
    /// not yet consumed.
    #[test]
    fn a_write_buffer_is_a_queue(changes in vec(change(), 1..60), places in 1_usize..5) {
        let mut buffer = WriteBuffer::new();
        let mut model: Vec<u8> = Vec::new();
        for change in changes {
            match change {
                Change::Append(bytes) => {
                    buffer.extend_from_slice(&bytes);
                    model.extend(bytes);
                }
                Change::Link(bytes) => {
                    model.extend(&bytes);
                    buffer.link(Bytes::from(bytes));
                }
                Change::Consume(count) => {
                    buffer.consume(count);
                    model.drain(..count.min(model.len()));
                }
            }
            prop_assert_eq!(buffer.len(), model.len());
            prop_assert_eq!(buffer.is_empty(), model.is_empty());
            prop_assert!(contents(&buffer) == model);
            // With too few slices, they show the front of the buffer.
            let mut slices = vec![&[][..]; places];
            let used = buffer.slices(&mut slices);
            prop_assert!(slices[..used].iter().all(|slice| !slice.is_empty()));
            prop_assert!(model.starts_with(&slices[..used].concat()));
            prop_assert!(used == places || slices[..used].concat().len() == model.len());
            prop_assert!(model.starts_with(buffer.front()));
        }
    }
}

/// A frame that may have any fault, but mostly has none.
fn any_frame() -> impl Strategy<Value = (u8, bool, u8, Vec<u8>)> {
    let first = prop_oneof![
        8 => prop_oneof![Just(0x01_u8), Just(0x02), Just(0x00), Just(0x80), Just(0x81), Just(0x82)],
        4 => prop_oneof![Just(0x89_u8), Just(0x8a), Just(0x88)],
        1 => any::<u8>(),
    ];
    let is_masked_right = prop::bool::weighted(0.98);
    // The form of the length: 0 is correct, 1 and 2 are longer forms, 3 is wrong.
    let form = prop_oneof![40 => Just(0_u8), 1 => 1_u8..4];
    let payload = prop_oneof![
        3 => ".{0,12}".prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..6),
        1 => prop_oneof![Just(vec![0xf0_u8, 0x9f]), Just(vec![0x8c_u8, 0x8d]), Just(vec![0xc3_u8])],
        1 => vec(b'a'..=b'z', 100..300),
        1 => (990_u16..5010, ".{0,5}").prop_map(|(code, reason)| {
            [&code.to_be_bytes()[..], reason.as_bytes()].concat()
        }),
    ];
    (first, is_masked_right, form, payload)
}

fn bytes_of(frames: Vec<(u8, bool, u8, Vec<u8>)>, is_client: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (first, is_masked_right, form, payload) in frames {
        let is_masked = is_client != is_masked_right;
        let mask = u8::from(is_masked) << 7;
        let len = payload.len() as u64 + u64::from(form == 3);
        bytes.push(first);
        match (form, len) {
            (0 | 3, 0..=125) => bytes.push(mask | len as u8),
            (2, _) => {
                bytes.push(mask | 127);
                bytes.extend(len.to_be_bytes());
            }
            _ => {
                bytes.push(mask | 126);
                bytes.extend((len as u16).to_be_bytes());
            }
        }
        let key = if is_masked { [len as u8, 0x5a, 0, first] } else { [0; 4] };
        if is_masked {
            bytes.extend(key);
        }
        bytes.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    }
    bytes
}

fn scenario(
    is_client: bool,
    input: Vec<u8>,
    limits: Option<(u8, u8, u8)>,
    closes_at: Option<Index>,
    cuts: &[Index],
) -> Scenario {
    let len = input.len();
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(len + 1)).collect();
    cuts.sort_unstable();
    cuts.dedup();
    let closes_at = closes_at.map(|at| at.index(len + 1));
    Scenario::new(is_client, limits, &input, closes_at, cuts)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn frames_good_and_bad_have_one_outcome(
        is_client: bool,
        frames in vec(any_frame(), 1..12),
        limits in prop::option::weighted(0.3, (any::<u8>(), any::<u8>(), 0_u8..6)),
        closes_at in prop::option::weighted(0.3, any::<Index>()),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let input = bytes_of(frames, is_client);
        check(&scenario(is_client, input, limits, closes_at, &cuts));
    }

    #[test]
    fn any_bytes_have_one_outcome(
        is_client: bool,
        input in vec(any::<u8>(), 0..60),
        limits in prop::option::of((any::<u8>(), any::<u8>(), 0_u8..6)),
        closes_at in prop::option::of(any::<Index>()),
        cuts in vec(any::<Index>(), 0..10),
    ) {
        check(&scenario(is_client, input, limits, closes_at, &cuts));
    }
}
