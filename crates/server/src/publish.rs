//! Publishing over HTTP: `POST /publish`.
//!
//! | request | body |
//! |---|---|
//! | `?destination=/topic/a` | the body of the message, of the type that `content-type` says |
//! | `content-type: application/json`, without `destination` in the query | one message, or an array of messages |
//!
//! A message in JSON is an object: `destination`, `body` (a text) or `base64`, and, if there are some,
//! `content-type` and `headers`, an object of texts.

use crate::{
    admission::{self, Admitted},
    answers,
    engine::{Engine, Registration},
    mailboxes::Transport,
    request_body::{self, Unread},
};
use axum::{
    body::Body,
    extract::{Request, State},
    response::Response,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header, request::Parts};
use sansocket_realtime::{
    Cursor, Message,
    guard::{Answer, Client},
    hub::{Command, Effect, Operation, RequestId},
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, future::poll_fn, sync::Arc};
use tokio::task::yield_now;

/// How many messages one request may publish.
const BATCH: usize = 1_000;

/// Publishes what the body says, and answers with the cursors.
pub(crate) async fn serve(State(engine): State<Arc<Engine>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    // Whoever may not publish sends its body in vain.
    let admitted = match admission::admit(&engine, &parts).await {
        Ok(admitted) => admitted,
        Err(answer) => return answers::problem(&answer, &engine.options.sources),
    };
    match read(&engine, &parts, body).await {
        Ok(Publication { messages, is_batch }) => {
            publish(&engine, admitted, messages, is_batch).await
        }
        Err(error) => answers::plain_problem(error.status(), &error.to_string()),
    }
}

/// Why a request does not say what to publish. It is the client's fault.
#[derive(Debug, thiserror::Error)]
enum InvalidPublication {
    #[error(transparent)]
    Body(#[from] Unread),
    #[error("the parameter `destination` {problem}")]
    Destination { problem: &'static str },
    #[error("the body is no message: {0}")]
    Json(#[from] serde_json::Error),
    #[error("message {number} has {problem}")]
    Message { number: usize, problem: &'static str },
    #[error("there are {count} messages, at most {BATCH} can be published at once")]
    TooMany { count: usize },
    #[error("name the destination in the query, or send JSON with the type application/json")]
    NoDestination,
}

impl InvalidPublication {
    const fn status(&self) -> u16 {
        match self {
            Self::Body(unread) => unread.status(),
            Self::TooMany { .. } => 413,
            _ => 400,
        }
    }
}

struct Publication {
    messages: Vec<(String, Message)>,
    is_batch: bool,
}

async fn read(
    engine: &Engine,
    parts: &Parts,
    body: Body,
) -> Result<Publication, InvalidPublication> {
    let options = &engine.options;
    let body = request_body::read(options, body, options.publish_body).await?;
    if let Some(destination) = destination(parts)? {
        let mut message = Message::new(body);
        if let Some(content_type) = content_type(&parts.headers) {
            message = message.content_type(content_type);
        }
        return Ok(Publication { messages: vec![(destination, message)], is_batch: false });
    }
    let media_type = content_type(&parts.headers).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(InvalidPublication::NoDestination);
    }
    parse(&body)
}

fn parse(body: &Bytes) -> Result<Publication, InvalidPublication> {
    let is_batch = body.trim_ascii_start().starts_with(b"[");
    let messages: Vec<JsonMessage> =
        if is_batch { serde_json::from_slice(body)? } else { vec![serde_json::from_slice(body)?] };
    if messages.len() > BATCH {
        return Err(InvalidPublication::TooMany { count: messages.len() });
    }
    let messages = messages.into_iter().enumerate().map(|(index, message)| {
        message
            .decode()
            .map_err(|problem| InvalidPublication::Message { number: index + 1, problem })
    });
    Ok(Publication { messages: messages.collect::<Result<_, _>>()?, is_batch })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct JsonMessage {
    destination: String,
    body: Option<String>,
    base64: Option<String>,
    content_type: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

impl JsonMessage {
    fn decode(self) -> Result<(String, Message), &'static str> {
        let message = match (self.body, self.base64) {
            (Some(text), None) => Message::new(text),
            (None, Some(encoded)) => {
                let decoded = BASE64_STANDARD.decode(encoded);
                Message::new(decoded.map_err(|_| "a `base64` that is not Base64")?)
            }
            (None, None) => return Err("neither `body` nor `base64`"),
            (Some(_), Some(_)) => return Err("both `body` and `base64`"),
        };
        let message = match self.content_type {
            Some(content_type) => message.content_type(content_type),
            None => message,
        };
        Ok((self.destination, message.with_headers(self.headers)))
    }
}

fn content_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok()
}

/// Returns the destination that the query names.
fn destination(parts: &Parts) -> Result<Option<String>, InvalidPublication> {
    let query = parts.uri.query().unwrap_or_default();
    let mut found = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if name == "destination" && found.replace(value.into_owned()).is_some() {
            return Err(InvalidPublication::Destination { problem: "is there more than once" });
        }
    }
    if found.as_ref().is_some_and(|destination| destination.contains('\u{fffd}')) {
        return Err(InvalidPublication::Destination { problem: "is not UTF-8" });
    }
    Ok(found)
}

async fn publish(
    engine: &Arc<Engine>,
    admitted: Admitted,
    messages: Vec<(String, Message)>,
    is_batch: bool,
) -> Response {
    let mut registration = engine.register(Transport::Publish, None);
    // The server waits for who is registered, so it goes on from here if it has not ended yet.
    if engine.has_ended() {
        return answers::unavailable();
    }
    let connection = registration.connection;
    let mut outcomes: Vec<Option<Outcome>> = vec![None; messages.len()];
    let connect = Command::Connect { connection, principal: admitted.principal };
    let mut commands = vec![connect];
    for (index, (destination, message)) in messages.into_iter().enumerate() {
        let now = engine.now();
        let size = message.size();
        let counted = engine.guard().message(&admitted.client, &destination, size, now);
        match counted {
            Ok(()) => {
                let operation = Operation::Send { destination, message };
                let request = Some(RequestId(index as u64));
                commands.push(Command::Perform { connection, operation, request });
            }
            Err(breach) => {
                let answer = engine.refuse(admitted.client.address(), &breach);
                outcomes[index] = Some(Outcome::Refused(answer));
            }
        }
    }
    registration.client = Some(admitted.client);
    // A batch is published whole, also if its client goes meanwhile. Each message can go to many, so others
    // have their turns in between.
    let publishing = tokio::spawn(async move {
        for command in commands {
            registration.engine().perform(command);
            yield_now().await;
        }
        registration
    });
    // Only the end of the runtime ends it early.
    let Ok(mut registration) = publishing.await else { return answers::unavailable() };
    let timeout = engine.options.publish_timeout;
    // What is not answered by then is told as such.
    let _ = tokio::time::timeout(timeout, wait(&registration, &mut outcomes)).await;
    let client = registration.client.take();
    respond(engine, outcomes, is_batch, client)
}

/// What became of a message.
#[derive(Clone, Debug)]
enum Outcome {
    /// It has its place, which only a topic has.
    Published(Option<Cursor>),
    Refused(Answer),
}

async fn wait(registration: &Registration, outcomes: &mut [Option<Outcome>]) {
    while outcomes.iter().any(Option::is_none) {
        for effect in poll_fn(|cx| registration.mailbox.poll_take(cx)).await {
            let (request, outcome) = match effect {
                Effect::Processed { request, cursor, .. } => (request, Outcome::Published(cursor)),
                Effect::Refused { request: Some(request), refusal, .. } => {
                    (request, Outcome::Refused(Answer::from(&*refusal)))
                }
                _ => continue,
            };
            if let Some(slot) = outcomes.get_mut(request.0 as usize) {
                *slot = Some(outcome);
            }
        }
    }
}

/// One message has a status of its own. A batch has 200, and each message its own answer, unless all
/// wait.
fn respond(
    engine: &Engine,
    outcomes: Vec<Option<Outcome>>,
    is_batch: bool,
    client: Option<Client>,
) -> Response {
    let sources = &engine.options.sources;
    if is_batch {
        let answers: Vec<Value> = outcomes.iter().map(|outcome| tell(outcome.as_ref())).collect();
        return answers::json(StatusCode::OK, &Value::Array(answers), client);
    }
    match outcomes.into_iter().next().flatten() {
        Some(Outcome::Refused(answer)) => answers::problem(&answer, sources),
        Some(outcome) => answers::json(StatusCode::OK, &tell(Some(&outcome)), client),
        None => answers::json(StatusCode::ACCEPTED, &tell(None), client),
    }
}

fn tell(outcome: Option<&Outcome>) -> Value {
    match outcome {
        Some(Outcome::Published(cursor)) => {
            json!({ "cursor": cursor.map(|cursor| cursor.to_string()) })
        }
        Some(Outcome::Refused(answer)) => {
            json!({ "status": answer.status, "detail": answer.message })
        }
        // The server has it, and goes on.
        None => json!({ "status": 202, "detail": "not published yet" }),
    }
}
