//! Drives one endpoint of an opening handshake.

use super::format::Vector;
use crate::vectors::format::Hex;
use sansocket::{
    Limits,
    buffer::{ReadBuffer, WriteBuffer},
    handshake::{
        ClientHandshake, ClientRequest, ExtendedConnect, HandshakeError, HttpVersion, Request,
        Response, ServerHandshake,
    },
};

/// The nonce of the key in RFC 6455 §1.3.
pub const NONCE: [u8; 16] = *b"the sample nonce";

/// Runs a server on pieces of input. Returns its outcome and the bytes left after the request.
pub fn serve<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &Limits,
    eof: bool,
) -> (Result<Option<Request>, HandshakeError>, Vec<u8>) {
    feed(ServerHandshake::new(limits), pieces, eof)
}

/// Runs a client on pieces of input. Returns its outcome and the bytes left after the response.
pub fn ask<'a>(
    request: &ClientRequest,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    limits: &Limits,
    eof: bool,
) -> (Result<Option<Response>, HandshakeError>, Vec<u8>) {
    let mut output = WriteBuffer::new();
    let handshake =
        ClientHandshake::start(request, NONCE, &mut output, limits).expect("the request is valid");
    feed(handshake, pieces, eof)
}

/// Has a server check an extended CONNECT. Pseudo-header fields that are missing are empty.
pub fn serve_stream(fields: &[(&str, &[u8])]) -> Result<Request, HandshakeError> {
    let pseudo = |name| {
        let value = fields.iter().find(|field| field.0 == name).map_or(&b""[..], |field| field.1);
        std::str::from_utf8(value).expect("pseudo-header fields are text")
    };
    let connect = ExtendedConnect {
        protocol: pseudo(":protocol"),
        scheme: pseudo(":scheme"),
        authority: pseudo(":authority"),
        path: pseudo(":path"),
    };
    let headers = fields.iter().filter(|(name, _)| !name.starts_with(':')).copied();
    Request::extended_connect(connect, headers)
}

/// Has a client check the response to its extended CONNECT.
pub fn ask_stream(
    request: &ClientRequest,
    fields: &[(&str, &[u8])],
) -> Result<Response, HandshakeError> {
    let (_, expected) = request.extended_connect().expect("the request is valid");
    let status = fields.iter().find(|field| field.0 == ":status").expect("a status").1;
    let status = std::str::from_utf8(status).expect("text").parse().expect("a number");
    let headers = fields.iter().filter(|(name, _)| !name.starts_with(':')).copied();
    expected.check(status, HttpVersion::HTTP_2, headers)
}

/// Splits lines into the names and values of fields. The names of pseudo-header fields begin with a
/// colon.
pub fn fields(lines: &[u8]) -> Vec<(&str, &[u8])> {
    let lines =
        lines.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            let len = 1 + line[1..].iter().position(|byte| *byte == b':').expect("a colon");
            (std::str::from_utf8(&line[..len]).expect("a name"), line[len + 1..].trim_ascii())
        })
        .collect()
}

/// Either endpoint of a handshake, waiting for a head.
trait Waiting {
    type Head: PartialEq;

    fn receive(&mut self, input: &mut ReadBuffer) -> Result<Option<Self::Head>, HandshakeError>;

    fn receive_eof(&mut self, input: &mut ReadBuffer) -> HandshakeError;
}

impl Waiting for ServerHandshake {
    type Head = Request;

    fn receive(&mut self, input: &mut ReadBuffer) -> Result<Option<Request>, HandshakeError> {
        self.receive(input)
    }

    fn receive_eof(&mut self, input: &mut ReadBuffer) -> HandshakeError {
        self.receive_eof(input)
    }
}

impl Waiting for ClientHandshake {
    type Head = Response;

    fn receive(&mut self, input: &mut ReadBuffer) -> Result<Option<Response>, HandshakeError> {
        self.receive(input)
    }

    fn receive_eof(&mut self, input: &mut ReadBuffer) -> HandshakeError {
        self.receive_eof(input)
    }
}

/// Feeds pieces until there is an outcome, and then the end of the transport, if any.
fn feed<'a, W: Waiting>(
    mut handshake: W,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    eof: bool,
) -> (Result<Option<W::Head>, HandshakeError>, Vec<u8>) {
    let mut input = ReadBuffer::new();
    let mut outcome = Ok(None);
    for piece in pieces {
        input.extend_from_slice(piece);
        if outcome == Ok(None) {
            outcome = handshake.receive(&mut input);
        }
    }
    if eof && outcome == Ok(None) {
        outcome = Err(handshake.receive_eof(&mut input));
    }
    let rest = if outcome.is_ok() { input.unread().to_vec() } else { Vec::new() };
    (outcome, rest)
}

/// The outcome of a vector.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Facts about the request or the response, as pairs of subject and value.
    pub facts: Vec<(&'static str, Vec<u8>)>,
    /// All header fields.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The bytes left after the head.
    pub left: Vec<u8>,
    /// The error, if any.
    pub error: Option<HandshakeError>,
    /// The outcome, as a vector states it after `end`.
    pub end: String,
}

/// Returns the outcome of a vector whose input arrives in these pieces.
pub fn outcome(vector: &Vector, pieces: &mut dyn Iterator<Item = &[u8]>) -> Outcome {
    let mut facts = Vec::new();
    let mut headers = Vec::new();
    let mut fact = |subject, what: &str| facts.push((subject, what.as_bytes().to_vec()));
    let (end, error, left) = if vector.is_client {
        let request = ClientRequest::from_parts("h", "/").subprotocols(&vector.subprotocols);
        let request = vector.extensions.iter().fold(request, ClientRequest::extension);
        let (outcome, left) = if vector.is_stream {
            let lines: Vec<u8> = pieces.flatten().copied().collect();
            (ask_stream(&request, &fields(&lines)).map(Some), Vec::new())
        } else {
            ask(&request, pieces, &vector.limits, vector.eof)
        };
        match outcome {
            Ok(None) => ("more".into(), None, Vec::new()),
            Ok(Some(response)) => {
                let agreed = response.negotiated();
                agreed.subprotocol.iter().for_each(|name| fact("subprotocol", name));
                agreed.extensions.iter().for_each(|agreed| fact("extension", &agreed.to_string()));
                headers.extend(response.headers().map(owned));
                ("opened".into(), None, left)
            }
            Err(HandshakeError::Refused(refusal)) => {
                refusal.location().iter().for_each(|location| fact("location", location));
                refusal.challenges().for_each(|challenge| fact("challenge", challenge));
                facts.push(("body", refusal.body().to_vec()));
                facts.retain(|(_, what)| !what.is_empty());
                headers.extend(refusal.headers().map(owned));
                let how = if refusal.is_complete() { "whole" } else { "part" };
                let end = format!("answered {} {how}", refusal.status());
                (end, Some(HandshakeError::Refused(refusal)), left)
            }
            Err(error) => (format!("failed {}", name_of(&error)), Some(error), left),
        }
    } else {
        let (outcome, left) = if vector.is_stream {
            let lines: Vec<u8> = pieces.flatten().copied().collect();
            (serve_stream(&fields(&lines)).map(Some), Vec::new())
        } else {
            serve(pieces, &vector.limits, vector.eof)
        };
        let outcome = match outcome {
            Ok(Some(request)) => vector.origin.check(&request).map(|()| Some(request)),
            other => other,
        };
        match outcome {
            Ok(None) => ("more".into(), None, Vec::new()),
            Ok(Some(request)) => {
                fact("host", request.host());
                fact("path", request.path());
                request.raw_query().iter().for_each(|query| fact("query", query));
                request.origin().iter().for_each(|origin| fact("origin", origin));
                request.subprotocols().for_each(|name| fact("subprotocol", name));
                request.extensions().for_each(|offer| fact("extension", &offer.to_string()));
                headers.extend(request.headers().map(owned));
                ("accepted".into(), None, left)
            }
            // This error is not answered.
            Err(error @ HandshakeError::TransportEnded { .. }) => {
                (format!("failed {}", name_of(&error)), Some(error), left)
            }
            Err(error) => {
                let end = format!("refused {} {}", error.status(), name_of(&error));
                (end, Some(error), Vec::new())
            }
        }
    };
    Outcome { facts, headers, left, error, end }
}

/// Compares an outcome with a vector's expectations. The error describes the difference.
pub fn compare(vector: &Vector, outcome: &Outcome) -> Result<(), String> {
    if outcome.end != vector.end {
        return Err(format!(
            "end {} ({:?})\ninstead of {}",
            outcome.end, outcome.error, vector.end
        ));
    }
    let why = outcome.error.as_ref().map(ToString::to_string);
    if why != vector.why {
        return Err(format!("why {why:?}\ninstead of {:?}", vector.why));
    }
    if outcome.left != vector.left {
        let (got, expected) = (Hex(&outcome.left), Hex(&vector.left));
        return Err(format!("left {got}\ninstead of {expected}"));
    }
    // A vector that does not mention one of these subjects expects it to be absent.
    let always = ["subprotocol", "extension", "location", "challenge", "body"];
    for subject in always.into_iter().chain(["host", "path", "query", "origin"]) {
        let got: Vec<_> = of(subject, &outcome.facts).collect();
        let expected: Vec<_> = of(subject, &vector.facts).collect();
        let is_said = !expected.is_empty() || always.contains(&subject);
        if is_said && got != expected {
            let text = |all: Vec<&[u8]>| String::from_utf8_lossy(&all.join(&b'|')).into_owned();
            return Err(format!("{subject} {}\ninstead of {}", text(got), text(expected)));
        }
    }
    for expected in of("header", &vector.facts) {
        let is_it = |(name, value): &(String, Vec<u8>)| {
            [name.as_bytes(), b": ", value].concat() == expected
        };
        if !outcome.headers.iter().any(is_it) {
            return Err(format!("no header {}", String::from_utf8_lossy(expected)));
        }
    }
    Ok(())
}

fn of<'a, S: AsRef<str>>(
    subject: &str,
    facts: &'a [(S, Vec<u8>)],
) -> impl Iterator<Item = &'a [u8]> {
    facts.iter().filter(move |fact| fact.0.as_ref() == subject).map(|fact| &*fact.1)
}

fn owned((name, value): (&str, &[u8])) -> (String, Vec<u8>) {
    (name.into(), value.into())
}

/// Returns the name of an error's variant.
pub fn name_of(error: &HandshakeError) -> String {
    let text = format!("{error:?}");
    text.split(|letter: char| !letter.is_alphanumeric()).next().expect("a name").into()
}
