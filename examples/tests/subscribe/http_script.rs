//! A server of HTTP whose answers are given.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

/// A request, as it has come.
#[derive(Debug)]
pub(crate) struct Request {
    /// The method and the target.
    pub(crate) line: String,
    head: String,
    pub(crate) body: String,
}

impl Request {
    /// Returns the value of a field, by its name in lowercase.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Returns the value of a parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let target = self.line.split(' ').nth(1)?;
        let query = target.split_once('?')?.1;
        let mut parameters = form_urlencoded::parse(query.as_bytes());
        parameters.find(|(found, _)| found == name).map(|(_, value)| value.into_owned())
    }
}

/// Starts a server that answers each connection with the next of the answers, and those after the last
/// not at all. Returns its URL, and what is requested.
pub(crate) fn serve<A: Into<String>>(
    answers: impl IntoIterator<Item = A>,
) -> (String, Receiver<Request>) {
    let answers: Vec<String> = answers.into_iter().map(Into::into).collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (seen, requests) = channel();
    thread::spawn(move || {
        let mut answers = answers.into_iter();
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            // A test that looks at no requests drops the receiver.
            let _ = seen.send(read(&mut stream));
            match answers.next() {
                Some(answer) => stream.write_all(answer.as_bytes()).unwrap(),
                None => held.push(stream),
            }
        }
    });
    (url, requests)
}

fn read(stream: &mut TcpStream) -> Request {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        more(stream, &mut bytes);
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let line = head.lines().next().unwrap().to_owned();
    let mut request = Request { line, head, body: String::new() };
    let length = request.field("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < end + 4 + length {
        more(stream, &mut bytes);
    }
    request.body = String::from_utf8(bytes[end + 4..].to_vec()).unwrap();
    request
}

fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) {
    let mut piece = [0; 4096];
    let len = stream.read(&mut piece).unwrap();
    assert_ne!(len, 0, "the client has hung up");
    bytes.extend(&piece[..len]);
}

/// Returns a whole response.
pub(crate) fn response(status: &str, content_type: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len(),
    )
}

/// Returns an event stream that ends.
pub(crate) fn stream(events: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n{events}"
    )
}

/// Returns an event stream that is cut: more was promised.
pub(crate) fn cut_stream(events: &str) -> String {
    stream(events).replace("Connection: close", "Content-Length: 1000000\r\nConnection: close")
}

/// Returns the answer to a poll.
pub(crate) fn poll(events: &str, cursor: &str) -> String {
    response(
        "200 OK",
        "application/json",
        &format!(r#"{{"events":[{events}],"cursor":"{cursor}"}}"#),
    )
}

/// Returns a message of the topic /topic/a as JSON.
pub(crate) fn message(position: u32) -> String {
    format!(r#"{{"topic":"/topic/a","cursor":"a-{position}","data":"m{position}"}}"#)
}

/// Returns the event of a message of the topic /topic/a.
pub(crate) fn event(position: u32) -> String {
    format!("id: a-{position}\ndata: {}\n\n", message(position))
}
