//! `default` sends and flushes each message. `tuned` collects ready messages and flushes once.

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use in_memory::{Contestant, Messages, Variant, Wire, Work, run};
use std::process::ExitCode;
use tokio_websockets::{ClientBuilder, Config, Limits, Message, ServerBuilder};

/// Limits a batch to one read buffer, because collected messages keep it from being reused.
const BATCH: usize = 8 * 1024;

fn main() -> ExitCode {
    run(Contestant {
        name: "tokio-websockets",
        variants: &[
            Variant {
                name: "default",
                echo: Some(echo),
                client: Some(|wire, messages| client(wire, messages, Config::default())),
            },
            Variant {
                name: "tuned",
                echo: Some(tuned_echo),
                client: Some(|wire, messages| client(wire, messages, tuned())),
            },
        ],
        kernels: &[],
    })
}

fn tuned() -> Config {
    Config::default().frame_size(usize::MAX).flush_threshold(64 * 1024)
}

fn echo(wire: Wire) -> Work {
    let mut websocket = ServerBuilder::new().serve(wire);
    Box::pin(async move {
        while let Some(message) = websocket.next().await {
            let message = message.expect("the wire never fails");
            websocket.send(message).await.expect("the wire never fails");
        }
    })
}

/// Reading flushes the messages fed so far, so this reads a whole batch before it feeds any.
fn tuned_echo(wire: Wire) -> Work {
    let builder = ServerBuilder::new().config(tuned()).limits(Limits::unlimited());
    let mut websocket = builder.serve(wire);
    let mut batch: Vec<Message> = Vec::new();
    Box::pin(async move {
        let mut next = websocket.next().await;
        while let Some(message) = next {
            let message = message.expect("the wire never fails");
            let mut len = message.as_payload().len();
            batch.push(message);
            while len < BATCH
                && let Some(Some(message)) = websocket.next().now_or_never()
            {
                let message = message.expect("the wire never fails");
                len += message.as_payload().len();
                batch.push(message);
            }
            for message in batch.drain(..) {
                websocket.feed(message).await.expect("the wire never fails");
            }
            websocket.flush().await.expect("the wire never fails");
            next = websocket.next().await;
        }
    })
}

fn client(wire: Wire, mut messages: Messages, config: Config) -> Work {
    let mut websocket = ClientBuilder::new().config(config).take_over(wire);
    let is_text = messages.is_text();
    Box::pin(async move {
        loop {
            while let Some(payload) = messages.next() {
                let message = if is_text {
                    Message::text(Bytes::clone(payload))
                } else {
                    Message::binary(Bytes::clone(payload))
                };
                websocket.feed(message).await.expect("the wire never fails");
            }
            websocket.flush().await.expect("the wire never fails");
            messages.more().await;
        }
    })
}
