//! `default` forwards the stream of a split connection to its sink, as the library's example does.
//! `tuned` doesn't split, flushes when nothing is left to read, and has a smaller read buffer.
//! `small` has the buffer size that the documentation recommends for many connections. `frame`
//! broadcasts a frame that the library encoded once. `tasks` broadcasts through a channel for each
//! connection to a task that sends, as chat servers do.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt, TryStreamExt, future};
use serving::{Broadcast, Library, Options, run_with_broadcast};
use std::process::ExitCode;
use tokio::{
    io::AsyncWriteExt,
    net::TcpStream,
    sync::mpsc::{UnboundedSender, unbounded_channel},
    task::unconstrained,
};
use tokio_tungstenite::{
    WebSocketStream, accept_async_with_config,
    tungstenite::{
        Error, Message,
        protocol::{
            WebSocketConfig,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
    },
};

struct TokioTungstenite;

type WebSocket = WebSocketStream<TcpStream>;

fn main() -> ExitCode {
    run_with_broadcast::<TokioTungstenite>()
}

impl Library for TokioTungstenite {
    const NAME: &'static str = "tokio-tungstenite";
    const VARIANTS: &'static [&'static str] = &["default", "tuned", "small"];

    async fn echo(stream: TcpStream, options: Options) {
        let Ok(websocket) = accept(stream, options).await else { return };
        // The outcome of the connection does not matter here.
        let _ = match options.variant {
            "default" => forward(websocket).await,
            // With a budget from tokio, running out of it would look like nothing left to read.
            _ => unconstrained(feed(websocket)).await,
        };
    }
}

async fn accept(stream: TcpStream, options: Options) -> Result<WebSocket, Error> {
    let config = WebSocketConfig::default();
    let config = match options.variant {
        "tuned" => config.read_buffer_size(16 * 1024),
        "small" => config.read_buffer_size(4 * 1024).write_buffer_size(4 * 1024),
        _ => config,
    };
    accept_async_with_config(stream, Some(config)).await
}

async fn forward(websocket: WebSocket) -> Result<(), Error> {
    let (sink, stream) = websocket.split();
    stream
        .try_filter(|message| future::ready(message.is_text() || message.is_binary()))
        .forward(sink)
        .await
}

async fn feed(mut websocket: WebSocket) -> Result<(), Error> {
    loop {
        let next = match future::poll_immediate(websocket.next()).await {
            Some(next) => next,
            None => {
                websocket.flush().await?;
                websocket.next().await
            }
        };
        let Some(message) = next.transpose()? else { return Ok(()) };
        if message.is_text() || message.is_binary() {
            websocket.feed(message).await?;
        }
    }
}

enum Writer {
    Library(Box<WebSocket>),
    Socket(TcpStream),
    Task(UnboundedSender<Message>),
}

/// Sends what comes through a channel.
fn spawn_sender(mut websocket: WebSocket) -> UnboundedSender<Message> {
    let (sender, mut messages) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(message) = messages.recv().await {
            if websocket.send(message).await.is_err() {
                return;
            }
        }
    });
    sender
}

impl Broadcast for TokioTungstenite {
    const BROADCAST_VARIANTS: &'static [&'static str] = &["default", "frame", "tasks"];

    type Writer = Writer;
    /// A message and its frame. A server's frame is the same on every connection.
    type Prepared = (Message, Vec<u8>);

    async fn accept(stream: TcpStream, options: Options) -> Writer {
        let accepted = accept(stream, options).await;
        let websocket = accepted.expect("the load generator's handshake is valid");
        match options.variant {
            "frame" => Writer::Socket(websocket.into_inner()),
            "tasks" => Writer::Task(spawn_sender(websocket)),
            _ => Writer::Library(websocket.into()),
        }
    }

    fn prepare(payload: Bytes) -> Self::Prepared {
        let mut frame = Vec::new();
        let formatted =
            Frame::message(payload.clone(), OpCode::Data(Data::Binary), true).format(&mut frame);
        formatted.expect("writing to a vector never fails");
        (Message::Binary(payload), frame)
    }

    async fn send(writer: &mut Writer, (message, frame): &Self::Prepared) {
        let sent = match writer {
            Writer::Library(websocket) => websocket.send(message.clone()).await,
            Writer::Socket(stream) => stream.write_all(frame).await.map_err(Error::from),
            Writer::Task(sender) => {
                sender.send(message.clone()).map_err(|_| Error::ConnectionClosed)
            }
        };
        sent.expect("the load generator keeps reading");
    }
}
