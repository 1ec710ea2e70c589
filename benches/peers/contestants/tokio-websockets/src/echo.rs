//! `default` sends and flushes each message. `tuned` collects ready messages and flushes once.

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use serving::{Broadcast, Library, Options, run_with_broadcast};
use std::process::ExitCode;
use tokio::{net::TcpStream, task::unconstrained};
use tokio_websockets::{Config, Error, Limits, Message, ServerBuilder, WebSocketStream};

/// Limits a batch to one read buffer, because collected messages keep it from being reused.
const BATCH: usize = 8 * 1024;

struct TokioWebsockets;

fn main() -> ExitCode {
    run_with_broadcast::<TokioWebsockets>()
}

impl Library for TokioWebsockets {
    const NAME: &'static str = "tokio-websockets";
    const VARIANTS: &'static [&'static str] = &["default", "tuned"];

    async fn echo(stream: TcpStream, options: Options) {
        let Ok((_, websocket)) = builder(options).accept(stream).await else { return };
        // The outcome of the connection does not matter here.
        let _ = match options.variant {
            "tuned" => unconstrained(batched(websocket)).await,
            _ => plain(websocket).await,
        };
    }
}

async fn plain(mut websocket: WebSocketStream<TcpStream>) -> Result<(), Error> {
    while let Some(message) = websocket.next().await {
        let message = message?;
        if message.is_text() || message.is_binary() {
            websocket.send(message).await?;
        }
    }
    Ok(())
}

/// Reading flushes the messages fed so far, so this reads a whole batch before it feeds any.
async fn batched(mut websocket: WebSocketStream<TcpStream>) -> Result<(), Error> {
    let mut batch = Vec::new();
    while let Some(message) = websocket.next().await {
        let mut len = collect(&mut batch, message?);
        while len < BATCH
            && let Some(Some(message)) = websocket.next().now_or_never()
        {
            len += collect(&mut batch, message?);
        }
        for message in batch.drain(..) {
            websocket.feed(message).await?;
        }
        websocket.flush().await?;
    }
    Ok(())
}

fn collect(batch: &mut Vec<Message>, message: Message) -> usize {
    let len = message.as_payload().len();
    if message.is_text() || message.is_binary() {
        batch.push(message);
    }
    len
}

fn builder(options: Options) -> ServerBuilder {
    match options.variant {
        "tuned" => ServerBuilder::new()
            .config(Config::default().frame_size(usize::MAX).flush_threshold(64 * 1024))
            .limits(Limits::unlimited()),
        _ => ServerBuilder::new(),
    }
}

impl Broadcast for TokioWebsockets {
    type Writer = WebSocketStream<TcpStream>;
    type Prepared = Message;

    async fn accept(stream: TcpStream, options: Options) -> Self::Writer {
        let accepted = builder(options).accept(stream).await;
        accepted.expect("the load generator's handshake is valid").1
    }

    fn prepare(payload: Bytes) -> Message {
        Message::binary(payload)
    }

    async fn send(writer: &mut Self::Writer, message: &Message) {
        writer.send(message.clone()).await.expect("the load generator keeps reading");
    }
}
