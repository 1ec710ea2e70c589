//! `default` sends and flushes each message. `tuned` flushes when nothing more is ready, and its
//! buffer size was the best of 8 to 128 KiB. The library does not validate text by default; here it
//! does.

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

/// Raises the message limit, which is just below 1 MiB by default.
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
    WebSocket::from_stream(wire, role, options).expect("no extension is requested")
}

fn echo(wire: Wire) -> Work {
    let mut websocket = websocket(wire, Role::Server, options());
    Box::pin(async move {
        while let Ok(frame) = websocket.next_frame().await {
            websocket.send(frame).await.expect("the wire never fails");
        }
    })
}

fn tuned_echo(wire: Wire) -> Work {
    let mut websocket = websocket(wire, Role::Server, tuned());
    Box::pin(async move {
        while let Ok(frame) = websocket.next_frame().await {
            websocket.feed(frame).await.expect("the wire never fails");
            while let Some(Ok(frame)) = websocket.next_frame().now_or_never() {
                websocket.feed(frame).await.expect("the wire never fails");
            }
            websocket.flush().await.expect("the wire never fails");
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
                websocket.feed(frame).await.expect("the wire never fails");
            }
            websocket.flush().await.expect("the wire never fails");
            messages.more().await;
        }
    })
}
