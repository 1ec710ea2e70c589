//! Properties of the codec of STOMP for arbitrary frames and arbitrary bytes.

use crate::any_bytes::check_stomp;
use proptest::{collection::vec, prelude::*, sample::select};
use sansocket_realtime::stomp::{
    Command, Decoder, Encoder, Frame, Limits, MessageTail, Version, header,
};

type Headers = Vec<(String, String)>;

const COMMANDS: [&str; 15] = [
    "CONNECT",
    "STOMP",
    "SEND",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "ACK",
    "NACK",
    "BEGIN",
    "COMMIT",
    "ABORT",
    "DISCONNECT",
    "CONNECTED",
    "MESSAGE",
    "RECEIPT",
    "ERROR",
];

/// Pieces of frames, valid and not.
const PIECES: [&[u8]; 26] = [
    b"\n",
    b"\n\n",
    b"\r\n",
    b"\r",
    b"\0",
    b"\n\n\0",
    b":",
    b"a:b\n",
    b"a\\c:\\n\\\\\n",
    b"a:\\r\n",
    b"\\",
    b"\\t",
    b"content-length:3\n",
    b"content-length:03\n\nabc\0",
    b"content-length:0\n",
    b"content-length:-1\n",
    b"content-length:99999999999999999999\n",
    b"\xc3\xa4",
    b"\xc3",
    b"abc",
    b"SEND\n",
    b"SEND\n\nabc\0",
    b"CONNECT\n\n\0",
    b"CONNECTED\nversion:1.1\n\n\0",
    b"MESSAGE\nsubscription:0\nmessage-id:1\ndestination:/a\n\nabc\0",
    b"DISCONNECT\r\nreceipt:1\r\n\r\n\0\r\n",
];

fn version() -> impl Strategy<Value = Version> {
    select(Version::ALL.to_vec())
}

fn command() -> impl Strategy<Value = Command> {
    select(COMMANDS.map(|name| Command::from_name(name).unwrap()).to_vec())
}

/// Headers with everything that needs care.
fn headers() -> impl Strategy<Value = Headers> {
    let text = || "[a-c:\\\\\n\r \tä🌍\0]{0,6}|\\PC{0,6}|content-length";
    vec((text(), text()), 0..6)
}

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let any_bytes = vec(any::<u8>(), 0..4);
    let commands = select(COMMANDS.to_vec()).prop_map(|name| name.as_bytes().to_vec());
    let pieces = select(PIECES.to_vec()).prop_map(<[u8]>::to_vec);
    vec(prop_oneof![1 => any_bytes, 2 => commands, 6 => pieces], 0..20).prop_map(|all| all.concat())
}

fn decoder(command: Command, version: Version) -> Decoder {
    let new = if command.is_client() { Decoder::server } else { Decoder::client };
    let mut decoder = new(Limits::default());
    decoder.set_version(version);
    decoder
}

fn pairs(frame: &Frame<'_>) -> Headers {
    frame.headers().map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// Whether the specification of a version has a way to write a text in a header, told in another way
/// than by the encoder.
fn can_write(text: &str, is_name: bool, version: Version, is_escaped: bool) -> bool {
    let forbidden: &[char] = match version {
        Version::V1_2 if is_escaped => &['\0'],
        Version::V1_1 if is_escaped => &['\0', '\r'],
        _ if is_name => &['\0', '\r', '\n', ':'],
        _ => &['\0', '\r', '\n'],
    };
    let is_empty_name = is_name && text.is_empty();
    !is_empty_name && !text.contains(forbidden)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_frame_is_the_same_after_encoding_and_decoding(
        version in version(),
        command in command(),
        headers in headers(),
        body in vec(any::<u8>(), 0..20),
        before in vec(any::<u8>(), 0..4),
    ) {
        let mut bytes = before.clone();
        let encoded = Encoder::new(version).encode(command, headers.iter().cloned(), &body, &mut bytes);
        let mut expected = headers;
        expected.retain(|(name, _)| name != header::CONTENT_LENGTH);
        let is_escaped = !matches!(command, Command::Connect | Command::Stomp | Command::Connected);
        let can_encode = command.is_in(version)
            && (command.has_body() || body.is_empty())
            && expected.iter().all(|(name, value)| {
                can_write(name, true, version, is_escaped)
                    && can_write(value, false, version, is_escaped)
            });
        prop_assert_eq!(encoded.is_ok(), can_encode, "{:?}", encoded);
        prop_assert_eq!(&bytes[..before.len()], &before);
        if can_encode {
            if command.has_body() {
                expected.insert(0, (header::CONTENT_LENGTH.to_owned(), body.len().to_string()));
            }
            let mut input = &bytes[before.len()..];
            let mut decoder = decoder(command, version);
            let frame = decoder.decode(&mut input).unwrap().unwrap();
            prop_assert_eq!(frame.command(), command);
            prop_assert_eq!(pairs(&frame), expected);
            prop_assert_eq!(frame.body(), body);
            prop_assert!(input.is_empty());
        } else {
            prop_assert_eq!(bytes, before);
        }
    }

    #[test]
    fn a_message_for_many_is_a_head_and_a_shared_tail(
        version in version(),
        headers in headers(),
        reserved in select(vec![
            header::ACK, header::CONTENT_LENGTH, header::DESTINATION, header::MESSAGE_ID, header::RECEIPT,
            header::REDELIVERED, header::SUBSCRIPTION, header::TRANSACTION,
        ]),
        body in vec(any::<u8>(), 0..20),
    ) {
        let publishers = headers.iter().cloned().chain([(reserved.to_owned(), "forged".to_owned())]);
        let tail = MessageTail::encode(version, "1-2", "/topic/a", publishers, &body).unwrap();
        let mut bytes = Vec::new();
        Encoder::new(version).encode_message_head([(header::SUBSCRIPTION, "7")], &mut bytes).unwrap();
        bytes.extend_from_slice(tail.bytes());
        let mut decoder = decoder(Command::Message, version);
        let mut input = &bytes[..];
        let frame = decoder.decode(&mut input).unwrap().unwrap();

        let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let (written, left_out): (Headers, Headers) = headers
            .into_iter()
            .filter(|(name, _)| name != header::CONTENT_LENGTH)
            .partition(|(name, value)| {
                can_write(name, true, version, true) && can_write(value, false, version, true)
            });
        let mut expected = vec![own("subscription", "7"), own("content-length", &body.len().to_string()), own("message-id", "1-2"), own("destination", "/topic/a")];
        expected.extend(written);
        prop_assert_eq!(pairs(&frame), expected);
        prop_assert_eq!(tail.left_out(), left_out.len());
        prop_assert_eq!(frame.body(), &body);
        prop_assert!(input.is_empty());
        let is_text = tail.kind() == sansocket::connection::MessageKind::Text;
        prop_assert_eq!(is_text, String::from_utf8(bytes).is_ok());
    }

    #[test]
    fn any_pieces_of_frames(choice: u8, seed: u8, pieces in pieces()) {
        check_stomp(&[&[choice, seed][..], &pieces].concat());
    }

    #[test]
    fn any_bytes(data in vec(any::<u8>(), 0..200)) {
        check_stomp(&data);
    }
}
