//! `default` sends each message once it has read it. `tuned` flushes when nothing is left to read,
//! has a smaller read buffer, and sends text without a copy.

use in_memory::{Contestant, Message as Source, Messages, Variant, Wire, Work, run};
use std::{future::poll_fn, io::ErrorKind, process::ExitCode, task::Poll};
use tungstenite::{
    Error, Message, Utf8Bytes, WebSocket,
    protocol::{Role, WebSocketConfig},
};

fn main() -> ExitCode {
    run(Contestant {
        name: "tungstenite",
        variants: &[
            Variant { name: "default", echo: Some(echo), client: Some(client) },
            Variant { name: "tuned", echo: Some(batching_echo), client: Some(uncopied_client) },
        ],
        kernels: &[],
    })
}

fn echo(wire: Wire) -> Work {
    let mut websocket = WebSocket::from_raw_socket(wire, Role::Server, None);
    Box::pin(poll_fn(move |_| {
        while let Some(message) = read(&mut websocket) {
            if message.is_text() || message.is_binary() {
                websocket.send(message).expect("the wire never fails");
            }
        }
        Poll::Pending
    }))
}

fn batching_echo(wire: Wire) -> Work {
    let config = WebSocketConfig::default().read_buffer_size(16 * 1024);
    let mut websocket = WebSocket::from_raw_socket(wire, Role::Server, Some(config));
    Box::pin(poll_fn(move |_| {
        while let Some(message) = read(&mut websocket) {
            if message.is_text() || message.is_binary() {
                websocket.write(message).expect("the wire never fails");
            }
        }
        websocket.flush().expect("the wire never fails");
        Poll::Pending
    }))
}

/// Reads the next message. Returns `None` if there is nothing to read now.
fn read(websocket: &mut WebSocket<Wire>) -> Option<Message> {
    match websocket.read() {
        Ok(message) => Some(message),
        Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => None,
        Err(error) => panic!("{error}"),
    }
}

fn client(wire: Wire, messages: Messages) -> Work {
    send(wire, messages, |text| Message::text(text.as_str()))
}

fn uncopied_client(wire: Wire, messages: Messages) -> Work {
    send(wire, messages, |text| {
        // SAFETY: these bytes are those of `text.as_str()`, so they are UTF-8.
        Message::Text(unsafe { Utf8Bytes::from_bytes_unchecked((**text).clone()) })
    })
}

fn send(wire: Wire, mut messages: Messages, text: fn(&Source) -> Message) -> Work {
    let mut websocket = WebSocket::from_raw_socket(wire, Role::Client, None);
    let is_text = messages.is_text();
    Box::pin(poll_fn(move |_| {
        while messages.has_more() {
            while let Some(next) = messages.next() {
                let message = if is_text { text(next) } else { Message::Binary((**next).clone()) };
                websocket.write(message).expect("the wire never fails");
            }
            websocket.flush().expect("the wire never fails");
        }
        Poll::Pending
    }))
}
