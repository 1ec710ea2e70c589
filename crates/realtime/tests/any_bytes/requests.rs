//! Properties of the queries of polls and event streams that hold for arbitrary bytes, whether from a
//! fuzzer, a random generator or a vector. The fuzz target `realtime_requests` includes this file, too.

use sansocket_realtime::{
    hub::Start,
    poll::{Config, Request},
    sse::{EventStreamConfig, EventStreamForm, EventStreamRequest},
};
use std::time::Duration;

/// Takes a query, and behind a NUL a last event ID. Checks that what a request asks for is what a second,
/// plain reader of queries finds, and that it asks for the same once it is written again, with all bytes
/// escaped.
pub(crate) fn check_request(data: &[u8]) {
    let (query, id) = match data.iter().position(|byte| *byte == 0) {
        Some(end) => (&data[..end], Some(&data[end + 1..])),
        None => (data, None),
    };
    let Ok(query) = std::str::from_utf8(query) else { return };
    if let Ok(request) = Request::parse(query, &Config::default()) {
        check_selection(query, request.topics(), request.start());
        assert!(request.wait() <= Config::default().longest_wait);
        let wait = request.wait().as_secs();
        let again = format!("{}&wait={wait}", write(request.topics(), request.start()));
        assert_eq!(Request::parse(&again, &Config::default()).as_ref(), Ok(&request));
        if values(query, "wait").is_empty() {
            assert_eq!(request.wait(), Duration::from_secs(25));
        }
    }
    let config = EventStreamConfig::default();
    let Ok(request) = EventStreamRequest::parse(query, None, &config) else { return };
    check_selection(query, request.topics(), request.start());
    let form = match request.form() {
        EventStreamForm::Json => "json",
        _ => "text",
    };
    let again = format!("form={form}&{}", write(request.topics(), request.start()));
    assert_eq!(EventStreamRequest::parse(&again, None, &config).as_ref(), Ok(&request));
    // A last event ID never has a request refused, and changes nothing but where it begins.
    let resumed = EventStreamRequest::parse(query, id, &config).unwrap();
    assert_eq!(resumed.clone().with_start(request.start()), request);
    let has_id = id.is_some_and(|id| !id.trim_ascii().is_empty());
    assert!(has_id && matches!(resumed.start(), Start::After(_)) || !has_id && resumed == request);
}

fn check_selection(query: &str, topics: &[String], start: Start) {
    assert!((1..=100).contains(&topics.len()));
    assert_eq!(values(query, "topic"), topics.iter().map(|it| it.as_bytes()).collect::<Vec<_>>());
    for topic in topics {
        let has_cursor =
            ["/topic/", "/user/queue/", "/presence/topic/"].iter().any(|it| topic.starts_with(it));
        assert!(has_cursor && !topic.contains(char::is_control), "{topic:?}");
    }
    let since = [values(query, "since"), values(query, "start")].concat();
    assert_eq!(since, since_of(start).map(String::into_bytes).into_iter().collect::<Vec<_>>());
}

/// Returns the value of `since`, unless it can also be left out and is here.
fn since_of(start: Start) -> Option<String> {
    match start {
        Start::Last => Some("last".into()),
        Start::Beginning => Some("beginning".into()),
        Start::After(cursor) => Some(cursor.to_string()),
        _ => None,
    }
}

/// Writes a query with all bytes of its values escaped.
fn write(topics: &[String], start: Start) -> String {
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let topics = topics.iter().map(|topic| format!("topic={}", escape(topic)));
    let since = since_of(start).map(|since| format!("since={}", escape(&since)));
    topics.chain(since).collect::<Vec<_>>().join("&")
}

/// Returns all values of a parameter, decoded, except `now`.
fn values(query: &str, name: &str) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    for parameter in query.as_bytes().split(|byte| *byte == b'&') {
        let mut parts = parameter.splitn(2, |byte| *byte == b'=');
        let is_wanted = decode(parts.next().unwrap()).as_deref() == Some(name.as_bytes());
        if is_wanted {
            values.push(decode(parts.next().unwrap_or_default()).expect("a value that decodes"));
        }
    }
    values.retain(|value| value != b"now");
    values
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut decoded = Vec::new();
    let mut rest = text;
    while let [first, behind @ ..] = rest {
        rest = behind;
        if *first == b'%' {
            let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
            let are_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            decoded.push(u8::from_str_radix(digits, 16).ok().filter(|_| are_digits)?);
            rest = &rest[2..];
        } else {
            decoded.push(if *first == b'+' { b' ' } else { *first });
        }
    }
    Some(decoded)
}
