//! Properties of event streams that hold for arbitrary bytes, whether from a fuzzer, a random
//! generator or a vector. The fuzz target `sse_parser` includes this file, too.

use sansocket_realtime::sse::{Event, ParseError, Parser, ParserConfig, Received};
use sansocket_testkit::cuts::cuts;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Message { event_type: String, data: String, id: String },
    Comment(String),
}

/// All that a stream does to a client.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    seen: Vec<Seen>,
    last_event_id: String,
    retry: Option<u64>,
    failed: Option<ParseError>,
}

/// Takes how to cut, limits, and an event stream. Checks that the outcome is the same whole and cut,
/// that it is that of a second, plain implementation, that limits hold, and that all events survive
/// being encoded and parsed again.
pub(crate) fn check_stream(data: &[u8]) {
    let Some((&[seed, line, limit], stream)) = data.split_first_chunk() else {
        return;
    };
    let config = ParserConfig::default().comments(true);
    let whole = parse(config, stream, &[]);
    assert_eq!(whole, reference(stream));
    assert_eq!(parse(config, stream, &cuts(seed, stream.len())), whole);

    let limited = config.line(usize::from(line)).data(usize::from(limit));
    let outcome = parse(limited, stream, &[]);
    assert_eq!(parse(limited, stream, &cuts(seed, stream.len())), outcome);
    let all: Vec<_> = (1..stream.len()).collect();
    assert_eq!(parse(limited, stream, &all), outcome);
    assert!(whole.seen.starts_with(&outcome.seen));
    assert!(outcome.failed.is_some() || outcome == whole);
    for seen in &outcome.seen {
        if let Seen::Message { data, .. } = seen {
            assert!(data.len() <= usize::from(limit));
        }
    }
    encode_again(&whole.seen);
}

fn parse(config: ParserConfig, stream: &[u8], cuts: &[usize]) -> Outcome {
    let mut parser = Parser::new(config);
    let mut outcome = Outcome::default();
    let ends = cuts.iter().copied().chain([stream.len()]);
    let mut start = 0;
    for end in ends {
        let mut piece = &stream[start..end];
        start = end;
        loop {
            match parser.next(&mut piece) {
                Ok(Some(received)) => outcome.seen.push(seen(received)),
                Ok(None) => break,
                Err(error) => {
                    assert!(outcome.failed.is_none_or(|earlier| earlier == error));
                    outcome.failed = Some(error);
                    break;
                }
            }
        }
    }
    outcome.last_event_id = parser.last_event_id().to_owned();
    outcome.retry = parser.reconnection_time().map(|time| time.as_millis() as u64);
    outcome
}

fn seen(received: Received<'_>) -> Seen {
    match received {
        Received::Message(message) => Seen::Message {
            event_type: message.event_type.to_owned(),
            data: message.data.to_owned(),
            id: message.last_event_id.to_owned(),
        },
        Received::Comment(comment) => Seen::Comment(comment.to_owned()),
        other => panic!("unknown: {other:?}"),
    }
}

/// Follows WHATWG HTML §9.2.6 on the decoded text of the whole stream.
fn reference(stream: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(stream);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = text.split('\n').collect();
    // What follows the last line end is no line.
    lines.pop();
    let mut outcome = Outcome::default();
    let (mut data, mut event_type, mut id) = (String::new(), String::new(), String::new());
    for line in lines {
        if line.is_empty() {
            outcome.last_event_id.clone_from(&id);
            if let Some(data) = data.strip_suffix('\n') {
                let event_type = if event_type.is_empty() { "message" } else { &event_type };
                outcome.seen.push(Seen::Message {
                    event_type: event_type.to_owned(),
                    data: data.to_owned(),
                    id: id.clone(),
                });
            }
            data.clear();
            event_type.clear();
            continue;
        }
        if let Some(comment) = line.strip_prefix(':') {
            outcome.seen.push(Seen::Comment(comment.to_owned()));
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "data" => data.extend([value, "\n"]),
            "event" => value.clone_into(&mut event_type),
            "id" if !value.contains('\0') => value.clone_into(&mut id),
            "retry" if !value.is_empty() && value.chars().all(|c| c.is_ascii_digit()) => {
                // Digits alone: parsing fails only because the number is too large.
                outcome.retry = Some(value.parse().unwrap_or(u64::MAX));
            }
            _ => {}
        }
    }
    outcome
}

fn encode_again(all: &[Seen]) {
    let mut stream = String::new();
    for seen in all {
        let event = match seen {
            Seen::Message { event_type, data, id } => {
                Event::new().event(event_type).data(data).id(id)
            }
            Seen::Comment(comment) => Event::new().comment(comment),
        };
        event.encode_into(&mut stream).expect("parsed fields have no line breaks");
    }
    let again = parse(ParserConfig::default().comments(true), stream.as_bytes(), &[]);
    assert_eq!(again.seen, all);
}
