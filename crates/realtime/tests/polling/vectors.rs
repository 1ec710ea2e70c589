//! Runs the vectors of `tests/vectors/poll`, whose format is in `tests/vectors/README.md`.

use crate::server::{SECOND, Server};
use sansocket_realtime::{
    Message,
    http::{InvalidRequest, Response},
    hub::{self, Command, Start, TopicConfig},
    poll::{Config, Request},
    sse::{EventStreamConfig, EventStreamForm, EventStreamRequest},
};
use sansocket_testkit::vectors::{
    scripts::{Lines, read_lines},
    words::Words,
};
use std::{num::NonZeroU32, path::Path};

fn read(file: &str) -> Vec<Lines> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/poll");
    read_lines(&folder.join(file))
}

fn text(words: &mut Words<'_>) -> String {
    String::from_utf8(words.bytes()).expect("text")
}

/// What a request asks for, as the lines of a vector.
fn outcome(topics: &[String], start: Start, last: String) -> Vec<String> {
    let since = match start {
        Start::Now => "now".to_owned(),
        Start::Last => "last".to_owned(),
        Start::Beginning => "beginning".to_owned(),
        Start::After(cursor) => cursor.to_string(),
        other => panic!("not in the vectors: {other:?}"),
    };
    let topics = topics.iter().map(|topic| format!("topic {topic}"));
    topics.chain([format!("since {since}"), last]).collect()
}

fn refused(error: InvalidRequest) -> Vec<String> {
    assert_eq!(error.response().head.status, 400);
    vec![format!("refused {error}")]
}

#[test]
fn requests() {
    for vector in read("requests.txt") {
        let (mut query, mut limit, mut last_event_id) = ("", 100, None);
        let mut is_stream = false;
        let mut expected = Vec::new();
        for (keyword, mut words) in vector.iter() {
            match keyword {
                "stream" => is_stream = true,
                "limit" => {
                    assert_eq!(words.word(), "topics");
                    limit = words.number();
                }
                "query" => query = words.rest,
                "last-event-id" => last_event_id = Some(words.bytes()),
                "topic" | "refused" => expected.push(format!("{keyword} {}", text(&mut words))),
                "since" | "wait" | "form" => expected.push(format!("{keyword} {}", words.rest)),
                other => panic!("{}: unknown keyword {other}", vector.place),
            }
        }
        let seen = if is_stream {
            let config = EventStreamConfig::default().topics(limit);
            EventStreamRequest::parse(query, last_event_id.as_deref(), &config).map(|request| {
                let is_json = request.form() == EventStreamForm::Json;
                let form = if is_json { "form json" } else { "form text" };
                outcome(request.topics(), request.start(), form.to_owned())
            })
        } else {
            Request::parse(query, &Config::default().topics(limit)).map(|request| {
                let wait = format!("wait {}", request.wait().as_secs());
                outcome(request.topics(), request.start(), wait)
            })
        };
        assert_eq!(seen.unwrap_or_else(refused), expected, "{}", vector.place);
    }
}

fn server(vector: &Lines) -> Server {
    let (mut config, mut hub, mut topics) =
        (Config::default(), hub::Config::default(), TopicConfig::default());
    for (_, mut words) in vector.iter().filter(|(keyword, _)| *keyword == "limit") {
        match words.word() {
            "events" => config = config.events(NonZeroU32::new(words.number()).expect("some")),
            "messages" => topics = topics.messages(words.number()),
            "destination" => hub = hub.destination(words.number()),
            "destinations" => hub = hub.destinations(words.number()),
            other => panic!("{}: unknown limit {other}", vector.place),
        }
    }
    Server::with(config, hub.other_topics(topics))
}

/// A response of which lines of the vector tell.
struct Told {
    response: Response,
    fields: Vec<(String, String)>,
}

impl Told {
    fn check(self, place: &str) {
        let fields = self.response.head.fields();
        let all: Vec<_> =
            fields.map(|(name, value)| (name.to_string(), value.to_string())).collect();
        assert!(self.fields.is_empty() || self.fields == all, "{place}: {all:?}");
    }
}

#[test]
fn answers() {
    for vector in read("answers.txt") {
        let place = &vector.place;
        let mut server = server(&vector);
        let (mut user, mut poll, mut message) = (None, 0, Message::default());
        let mut told: Option<Told> = None;
        for (keyword, mut words) in vector.iter() {
            match keyword {
                "limit" => {}
                "user" => user = Some(words.word()),
                "type" => message = message.content_type(words.word()),
                "header" => message = message.header(words.word(), &text(&mut words)),
                "publish" => {
                    let destination = words.word().to_owned();
                    let mut published = Message::new(words.bytes()).with_headers(message.headers());
                    if let Some(content_type) = message.get_content_type() {
                        published = published.content_type(content_type);
                    }
                    message = Message::default();
                    let message = published;
                    server.handle([Command::Publish { destination, message, request: None }]);
                }
                "get" => poll = server.poll_of(user, words.word()),
                "pass" => server.pass(words.number::<u32>() * SECOND),
                "shut-down" => {
                    server.polls.shut_down();
                    server.handle([]);
                }
                "waits" => assert!(server.is_waiting(poll), "{place}"),
                "status" => {
                    told.take().into_iter().for_each(|told| told.check(place));
                    let response = server.take_response(poll);
                    assert_eq!(response.head.status, words.number::<u16>(), "{place}");
                    told = Some(Told { response, fields: Vec::new() });
                }
                "field" => {
                    let field = (words.word().to_owned(), words.rest.to_owned());
                    told.as_mut().expect("a status first").fields.push(field);
                }
                "body" => {
                    let response = &told.as_ref().expect("a status first").response;
                    assert_eq!(response.body, words.rest, "{place}");
                }
                other => panic!("{place}: unknown keyword {other}"),
            }
        }
        told.expect("a status").check(place);
        assert!(server.polls.is_empty() && server.answers.is_empty(), "{place}");
    }
}
