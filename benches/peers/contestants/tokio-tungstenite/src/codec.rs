//! `default` forwards the stream of a split connection to its sink, as the library's example does.
//! `tuned` doesn't split, flushes when nothing is left to read, has a smaller read buffer, and
//! sends text without a copy.

use futures_util::{SinkExt, StreamExt, TryStreamExt, future};
use in_memory::{Contestant, Message as Source, Messages, Variant, Wire, Work, run};
use std::process::ExitCode;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message, Utf8Bytes,
        protocol::{Role, WebSocketConfig},
    },
};

fn main() -> ExitCode {
    run(Contestant {
        name: "tokio-tungstenite",
        variants: &[
            Variant { name: "default", echo: Some(echo), client: Some(client) },
            Variant { name: "tuned", echo: Some(batching_echo), client: Some(uncopied_client) },
        ],
        kernels: &[],
    })
}

fn echo(wire: Wire) -> Work {
    Box::pin(async {
        let websocket = WebSocketStream::from_raw_socket(wire, Role::Server, None).await;
        let (sink, stream) = websocket.split();
        stream
            .try_filter(|message| future::ready(message.is_text() || message.is_binary()))
            .forward(sink)
            .await
            .expect("the wire never ends");
    })
}

fn batching_echo(wire: Wire) -> Work {
    Box::pin(async {
        let config = Some(WebSocketConfig::default().read_buffer_size(16 * 1024));
        let mut websocket = WebSocketStream::from_raw_socket(wire, Role::Server, config).await;
        loop {
            let next = match future::poll_immediate(websocket.next()).await {
                Some(next) => next,
                None => {
                    websocket.flush().await.expect("the wire never ends");
                    websocket.next().await
                }
            };
            match next.expect("the wire never ends") {
                Ok(message @ (Message::Text(_) | Message::Binary(_))) => {
                    websocket.feed(message).await.expect("the wire never ends");
                }
                other => panic!("unexpected message: {other:?}"),
            }
        }
    })
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
    let is_text = messages.is_text();
    Box::pin(async move {
        let mut websocket = WebSocketStream::from_raw_socket(wire, Role::Client, None).await;
        loop {
            while let Some(next) = messages.next() {
                let message = if is_text { text(next) } else { Message::Binary((**next).clone()) };
                websocket.feed(message).await.expect("the wire never ends");
            }
            websocket.flush().await.expect("the wire never ends");
            messages.more().await;
        }
    })
}
