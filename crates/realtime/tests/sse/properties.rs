//! Properties of writing and parsing event streams.

use crate::any_bytes::check_stream;
use proptest::{collection::vec, option, prelude::*, sample::select};
use sansocket_realtime::sse::{
    self, Action, Client, ClientConfig, Event, Parser, ParserConfig, ReadyState, Received,
};
use sansocket_testkit::vectors::words::Words;
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// Pieces of streams, so that random ones are more than unknown fields.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let tokens: Vec<&'static [u8]> = vec![
        b"data",
        b"event",
        b"id",
        b"retry",
        b":",
        b": ",
        b" ",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\xef\xbb\xbf",
        b"\xef\xbb",
        b"\0",
        b"0",
        b"18446744073709551616",
        b"a",
        b"\xc3\xa9",
        b"\xf0\x9f\x8c\x8d",
        b"\xf0\x9f",
        b"\xff",
        b"data:x\n\n",
        b"id:7\n",
        b"Data",
    ];
    let token = prop_oneof![
        8 => select(tokens).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..4),
    ];
    vec(token, 0..60).prop_map(|tokens| tokens.concat())
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[\r\n: \u{feff}\0aé]{0,20}"]
}

fn with_lf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_stream_passes(head: [u8; 3], stream in pieces()) {
        check_stream(&[&head[..], &stream].concat());
    }

    #[test]
    fn any_bytes_pass(data in vec(any::<u8>(), 0..200)) {
        check_stream(&data);
    }

    #[test]
    fn parsing_is_the_inverse_of_encoding_up_to_line_breaks(
        event_type in option::of(texts()),
        id in option::of(texts()),
        data in option::of(texts()),
        comment in option::of(texts()),
        retry in option::of(any::<u64>()),
    ) {
        let mut event = Event::new();
        event.event = event_type.as_deref();
        event.id = id.as_deref();
        event.data = data.as_deref();
        event.comment = comment.as_deref();
        event.retry = retry.map(Duration::from_millis);
        let is_broken = |text: &Option<String>, forbidden: &[char]| {
            text.as_ref().is_some_and(|text| text.contains(forbidden))
        };
        let encoded = event.encode();
        if is_broken(&event_type, &['\r', '\n']) || is_broken(&id, &['\r', '\n', '\0']) {
            prop_assert!(encoded.is_err());
            return Ok(());
        }
        let encoded = encoded?;
        let mut input = &encoded[..];
        let mut parser = Parser::new(ParserConfig::default().comments(true));
        let (mut messages, mut comments) = (Vec::new(), Vec::new());
        while let Some(received) = parser.next(&mut input)? {
            match received {
                Received::Message(message) => {
                    let event_type = event_type.as_deref().filter(|text| !text.is_empty());
                    prop_assert_eq!(message.event_type, event_type.unwrap_or("message"));
                    prop_assert_eq!(message.last_event_id, id.as_deref().unwrap_or_default());
                    messages.push(message.data.to_owned());
                }
                Received::Comment(comment) => comments.push(comment.to_owned()),
                _ => {}
            }
        }
        prop_assert_eq!(messages, data.iter().map(|data| with_lf(data)).collect::<Vec<_>>());
        prop_assert_eq!(comments.is_empty(), comment.is_none());
        prop_assert_eq!(comments.join("\n"), with_lf(comment.as_deref().unwrap_or_default()));
        prop_assert_eq!(parser.last_event_id(), id.as_deref().unwrap_or_default());
        prop_assert_eq!(parser.reconnection_time(), event.retry);
    }
}

fn folder(path: impl AsRef<Path>) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Each of these files once made the fuzz target `sse_parser` fail.
#[test]
fn regressions_stay_fixed() {
    let Ok(files) = fs::read_dir(folder("fuzz/regressions/sse_parser")) else {
        return;
    };
    for file in files {
        check_stream(&fs::read(file.unwrap().path()).unwrap());
    }
}

/// Runs the input of each vector as a stream. Writes it into the folder that `SANSOCKET_SEEDS` names,
/// if it is set, to start the fuzzer from.
#[test]
fn seeds_of_the_fuzzer_pass() {
    let seeds = std::env::var_os("SANSOCKET_SEEDS").map(|seeds| folder(seeds).join("sse_parser"));
    let mut count = 0;
    for file in ["decoding.txt", "fields.txt", "limits.txt", "lines.txt"] {
        let text = fs::read_to_string(folder("tests/vectors/sse").join(file)).unwrap();
        for input in text.lines().filter_map(|line| line.strip_prefix("in ")) {
            let stream = Words { rest: input, place: file }.bytes();
            let data = [&[count as u8, 40, 40], &stream[..]].concat();
            check_stream(&data);
            if let Some(seeds) = &seeds {
                fs::create_dir_all(seeds).unwrap();
                fs::write(seeds.join(format!("vector-{count:04}")), &data).unwrap();
            }
            count += 1;
        }
    }
    assert!(count > 0);
}

/// What can happen to a client.
#[derive(Clone, Debug)]
enum Step {
    Pass(u32),
    Act,
    Respond(bool),
    Receive(Vec<u8>),
    End,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => any::<u32>().prop_map(Step::Pass),
        4 => Just(Step::Act),
        3 => (0..20).prop_map(|number| Step::Respond(number > 0)),
        3 => pieces().prop_map(Step::Receive),
        2 => Just(Step::End),
    ];
    vec(step, 0..60)
}

proptest! {
    /// Whatever happens in whichever order: a client that is not closed either waits for the network
    /// or has a deadline, it makes no request too early, and a closed one stays closed.
    #[test]
    fn a_client_goes_on_until_it_is_closed(steps in steps(), silence: bool, random: u64) {
        let silence = silence.then_some(Duration::from_secs(45));
        let mut client = Client::new(ClientConfig::default().silence(silence), Duration::ZERO);
        let mut now = Duration::ZERO;
        let mut earliest = now;
        let mut is_requested = false;
        for step in steps {
            let state = client.ready_state();
            match step {
                Step::Pass(milliseconds) => now += Duration::from_millis(milliseconds.into()),
                Step::Act => match client.next_action(now, random) {
                    Some(Action::Request) => {
                        prop_assert!(!is_requested && now >= earliest);
                        is_requested = true;
                    }
                    Some(Action::Drop) => {
                        prop_assert!(is_requested && silence.is_some());
                        is_requested = false;
                        earliest = now.saturating_add(client.reconnection_time());
                    }
                    _ => {}
                },
                Step::Respond(is_stream) => {
                    let content_type = if is_stream { sse::CONTENT_TYPE } else { "text/html" };
                    let response = client.response(200, Some(content_type.as_bytes()), now);
                    let is_awaited = is_requested && state == ReadyState::Connecting;
                    prop_assert_eq!(response.is_ok(), is_awaited && is_stream);
                }
                Step::Receive(bytes) => {
                    let mut input = &bytes[..];
                    while client.next(&mut input, now)?.is_some() {
                        prop_assert_eq!(state, ReadyState::Open);
                    }
                    prop_assert!(input.is_empty());
                }
                Step::End => {
                    let next = client.ended(now, random);
                    prop_assert_eq!(next.is_none(), state == ReadyState::Closed);
                    if std::mem::take(&mut is_requested) {
                        earliest = now.saturating_add(client.reconnection_time());
                    }
                }
            }
            let is_closed = client.ready_state() == ReadyState::Closed;
            prop_assert!(is_closed || state != ReadyState::Closed);
            let waits = is_requested && silence.is_none();
            prop_assert_eq!(client.next_deadline().is_none(), is_closed || waits);
        }
    }
}
