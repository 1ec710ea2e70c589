//! `default` sends and flushes each message. `tuned` flushes when nothing more is ready, and its
//! buffer size was the best of 8 to 128 KiB. `small` has the buffer size that the documentation
//! recommends for many idle connections. The library does not validate text by default; here it
//! does.

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt};
use hyper::{
    Request, body::Incoming, header::SEC_WEBSOCKET_EXTENSIONS, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serving::{Broadcast, Deflate, Library, Options, run_with_broadcast};
use std::{future::ready, process::ExitCode, sync::LazyLock};
use tokio::{net::TcpStream, sync::mpsc, task::unconstrained};
use yawc::{DeflatePool, Frame, HttpWebSocket, OpCode, WebSocket};

struct Yawc;

fn main() -> ExitCode {
    run_with_broadcast::<Yawc>()
}

impl Library for Yawc {
    const NAME: &'static str = "yawc";
    const VARIANTS: &'static [&'static str] = &["default", "tuned", "small"];
    const DEFLATE: &'static [Deflate] = &[Deflate::Takeover, Deflate::NoTakeover];

    async fn echo(stream: TcpStream, options: Options) {
        let Some(websocket) = accept(stream, options).await else { return };
        // The outcome of the connection does not matter here.
        let _ = match options.variant {
            "default" => plain(websocket).await,
            // With a budget from tokio, running out of it would look like nothing left to read.
            _ => unconstrained(batched(websocket)).await,
        };
    }
}

async fn plain(mut websocket: HttpWebSocket) -> yawc::Result<()> {
    loop {
        let frame = websocket.next_frame().await?;
        if is_message(&frame) {
            websocket.send(frame).await?;
        }
    }
}

async fn batched(mut websocket: HttpWebSocket) -> yawc::Result<()> {
    loop {
        let mut next = Some(websocket.next_frame().await);
        while let Some(frame) = next {
            let frame = frame?;
            if is_message(&frame) {
                websocket.feed(frame).await?;
            }
            next = websocket.next_frame().now_or_never();
        }
        websocket.flush().await?;
    }
}

fn is_message(frame: &Frame) -> bool {
    matches!(frame.opcode(), OpCode::Text | OpCode::Binary)
}

/// Does the opening handshake with hyper.
async fn accept(stream: TcpStream, options: Options) -> Option<HttpWebSocket> {
    let (upgrades, mut upgraded) = mpsc::channel(1);
    let service = service_fn(|mut request: Request<Incoming>| {
        let config = config(options, &request);
        let answer = WebSocket::upgrade_with_options(&mut request, config);
        ready(answer.map(|(response, upgrade)| {
            // The channel has room for one, and no connection is upgraded twice.
            let _ = upgrades.try_send(upgrade);
            response
        }))
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    connection.with_upgrades().await.ok()?;
    upgraded.try_recv().ok()?.await.ok()
}

fn config(options: Options, request: &Request<Incoming>) -> yawc::Options {
    // The default limit is just below 1 MiB.
    let mut config = yawc::Options::default().with_utf8().with_max_payload_read(16 * 1024 * 1024);
    if options.variant != "default" {
        let capacity = if options.variant == "small" { 1024 } else { 16 * 1024 };
        config = config
            .with_read_buffer_capacity(capacity)
            .with_write_buffer_capacity(capacity)
            .with_backpressure_boundary(capacity / 2);
    }
    if options.deflate == Deflate::Off { config } else { with_deflate(config, options, request) }
}

/// Adds permessage-deflate with the largest windows, as in every contestant.
fn with_deflate(
    config: yawc::Options,
    options: Options,
    request: &Request<Incoming>,
) -> yawc::Options {
    static POOL: LazyLock<DeflatePool> = LazyLock::new(|| DeflatePool::new(1));
    let offer = request.headers().get(SEC_WEBSOCKET_EXTENSIONS).map_or(&[][..], |v| v.as_bytes());
    let offers = |name: &str| offer.windows(name.len()).any(|part| part == name.as_bytes());
    let mut config = config.with_balanced_compression();
    if offers("client_max_window_bits") {
        config = config.with_client_max_window_bits(15);
    }
    if offers("server_max_window_bits") {
        config = config.with_server_max_window_bits(15);
    }
    if options.deflate == Deflate::NoTakeover {
        config = config.server_no_context_takeover().client_no_context_takeover();
        if options.variant != "default" {
            config = config.with_deflate_pool(POOL.clone());
        }
    }
    config
}

impl Broadcast for Yawc {
    type Writer = HttpWebSocket;
    type Prepared = Frame;

    async fn accept(stream: TcpStream, options: Options) -> Self::Writer {
        accept(stream, options).await.expect("the load generator's handshake is valid")
    }

    fn prepare(payload: Bytes) -> Frame {
        Frame::binary(payload)
    }

    async fn send(writer: &mut Self::Writer, message: &Frame) {
        writer.send(message.clone()).await.expect("the load generator keeps reading");
    }
}
