//! `default` reads through a buffer, as the library's examples do. `tuned` also writes through a
//! buffer, and flushes it when all buffered input is answered.
//!
//! The library leaves the validation of text to its user. `default` validates with the standard
//! library, as the library's examples do, and `tuned` with simdutf8, which is faster.

use in_memory::{Contestant, Messages, Variant, Wire, Work, run};
use std::{io::Result, process::ExitCode};
use tokio::io::{AsyncRead, AsyncWrite, BufReader, BufWriter};
use web_socket::{DataType, Event, MessageType, WebSocket};

const BUFFER: usize = 64 * 1024;

fn main() -> ExitCode {
    run(Contestant {
        name: "web-socket",
        variants: &[
            Variant {
                name: "default",
                echo: Some(echo),
                client: Some(|wire, messages| client(wire, messages)),
            },
            Variant {
                name: "tuned",
                echo: Some(tuned_echo),
                client: Some(|wire, messages| {
                    client(BufWriter::with_capacity(BUFFER, wire), messages)
                }),
            },
        ],
        kernels: &[],
    })
}

type Validate = fn(&[u8]) -> Option<&str>;

fn echo(wire: Wire) -> Work {
    let mut websocket = WebSocket::server(BufReader::new(wire));
    Box::pin(async move {
        loop {
            let answered = answer(&mut websocket, |text| str::from_utf8(text).ok()).await;
            answered.expect("the wire never fails");
        }
    })
}

fn tuned_echo(wire: Wire) -> Work {
    let writer = BufWriter::with_capacity(BUFFER, wire);
    let mut websocket = WebSocket::server(BufReader::with_capacity(BUFFER, writer));
    Box::pin(async move {
        loop {
            let answered =
                answer(&mut websocket, |text| simdutf8::basic::from_utf8(text).ok()).await;
            answered.expect("the wire never fails");
            if websocket.stream.buffer().is_empty() {
                websocket.flash().await.expect("the wire never fails");
            }
        }
    })
}

async fn answer(
    websocket: &mut WebSocket<impl AsyncRead + AsyncWrite + Unpin>,
    validated: Validate,
) -> Result<()> {
    match websocket.recv_event().await? {
        Event::Data { ty: DataType::Complete(MessageType::Text), data } => {
            websocket.send(validated(&data).expect("the text is UTF-8")).await
        }
        Event::Data { ty: DataType::Complete(MessageType::Binary), data } => {
            websocket.send(&*data).await
        }
        event => panic!("unexpected event: {event:?}"),
    }
}

fn client(stream: impl AsyncWrite + Unpin + 'static, mut messages: Messages) -> Work {
    let mut websocket = WebSocket::client(stream);
    let is_text = messages.is_text();
    Box::pin(async move {
        loop {
            while let Some(message) = messages.next() {
                let sent = if is_text {
                    websocket.send(message.as_str()).await
                } else {
                    websocket.send(&message[..]).await
                };
                sent.expect("the wire never fails");
            }
            websocket.flash().await.expect("the wire never fails");
            messages.more().await;
        }
    })
}
