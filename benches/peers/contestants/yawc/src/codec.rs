//! `default` sends and flushes each message; `tuned` has buffers of the size that was best of 8
//! to 128 KiB, and flushes when nothing more is ready. The library leaves out the validation of text
//! unless it is told otherwise, which it is here.

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt};
use in_memory::{Contestant, Kernel, Messages, Variant, Wire, Work, run};
use std::process::ExitCode;
use yawc::{Frame, Options, Role, WebSocket};

fn main() -> ExitCode {
    run(Contestant {
        name: "yawc",
        variants: &[
            Variant {
                name: "default",
                echo: Some(echo),
                client: Some(|wire, messages| client(wire, messages, options())),
            },
            Variant {
                name: "tuned",
                echo: Some(tuned_echo),
                client: Some(|wire, messages| client(wire, messages, tuned())),
            },
        ],
        kernels: &[Kernel::Mask("default", yawc::mask::apply_mask)],
    })
}

/// Its usual limit is just below 1 MiB.
fn options() -> Options {
    Options::default().with_utf8().with_max_payload_read(16 * 1024 * 1024)
}

fn tuned() -> Options {
    options()
        .with_read_buffer_capacity(16 * 1024)
        .with_write_buffer_capacity(16 * 1024)
        .with_backpressure_boundary(8 * 1024)
}

fn websocket(wire: Wire, role: Role, options: Options) -> WebSocket<Wire> {
    WebSocket::from_stream(wire, role, options).expect("no extension is named")
}

fn echo(wire: Wire) -> Work {
    let mut websocket = websocket(wire, Role::Server, options());
    Box::pin(async move {
        while let Ok(frame) = websocket.next_frame().await {
            websocket.send(frame).await.expect("the wire takes all");
        }
    })
}

fn tuned_echo(wire: Wire) -> Work {
    let mut websocket = websocket(wire, Role::Server, tuned());
    Box::pin(async move {
        while let Ok(frame) = websocket.next_frame().await {
            websocket.feed(frame).await.expect("the wire takes all");
            while let Some(Ok(frame)) = websocket.next_frame().now_or_never() {
                websocket.feed(frame).await.expect("the wire takes all");
            }
            websocket.flush().await.expect("the wire takes all");
        }
    })
}

fn client(wire: Wire, mut messages: Messages, options: Options) -> Work {
    let mut websocket = websocket(wire, Role::Client, options);
    let is_text = messages.is_text();
    Box::pin(async move {
        loop {
            while let Some(message) = messages.next() {
                let frame = if is_text {
                    Frame::text(Bytes::clone(message))
                } else {
                    Frame::binary(Bytes::clone(message))
                };
                websocket.feed(frame).await.expect("the wire takes all");
            }
            websocket.flush().await.expect("the wire takes all");
            messages.more().await;
        }
    })
}
