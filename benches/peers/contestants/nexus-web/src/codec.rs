//! `default` is the companion crate for tokio, which writes each message by itself; `tuned` drives
//! the sans-IO part by hand and writes what one read brought at once.

mod connection;

use connection::{READ_BUFFER, WRITE_BUFFER, echo, echo_batches};
use in_memory::{Contestant, Kernel, Messages, Variant, Wire, Work, run};
use nexus_async_web::{
    AsyncReadAdapter, WriteBuf,
    ws::{WsReader, WsWriter},
};
use nexus_web::ws::{FrameReader, FrameWriter, Role, apply_mask};
use std::{io::Write, process::ExitCode};

/// What one read of the companion crate brings at most: an eighth of the reader's buffer.
const LARGEST_READ: usize = 128 * 1024;
/// Room before the payload for the longest header.
const HEADROOM: usize = 14;

fn main() -> ExitCode {
    run(Contestant {
        name: "nexus-web",
        variants: &[
            Variant {
                name: "default",
                echo: Some(|wire| {
                    let reader =
                        WsReader::from_raw_parts(FrameReader::builder().build(), LARGEST_READ);
                    let writer = writer(Role::Server);
                    Box::pin(async {
                        let echoed = echo(reader, writer, AsyncReadAdapter::new(wire)).await;
                        echoed.expect("the input is right");
                    })
                }),
                client: Some(client),
            },
            Variant {
                name: "tuned",
                echo: Some(|wire| {
                    let mut reader = FrameReader::builder().buffer_capacity(READ_BUFFER).build();
                    Box::pin(async move {
                        let echoed = echo_batches(&mut reader, READ_BUFFER, wire).await;
                        echoed.expect("the input is right");
                    })
                }),
                client: Some(batching_client),
            },
        ],
        kernels: &[Kernel::Mask("default", apply_mask)],
    })
}

fn writer(role: Role) -> WsWriter {
    WsWriter::from_raw_parts(FrameWriter::new(role), WriteBuf::new(WRITE_BUFFER, HEADROOM))
}

fn client(wire: Wire, mut messages: Messages) -> Work {
    let mut writer = writer(Role::Client);
    let mut stream = AsyncReadAdapter::new(wire);
    let is_text = messages.is_text();
    Box::pin(async move {
        loop {
            while let Some(message) = messages.next() {
                let sent = if is_text {
                    writer.send_text(&mut stream, message.as_str()).await
                } else {
                    writer.send_binary(&mut stream, message).await
                };
                sent.expect("the wire takes all");
            }
            messages.more().await;
        }
    })
}

fn batching_client(mut wire: Wire, mut messages: Messages) -> Work {
    let mut writer = FrameWriter::new(Role::Client);
    let first = if messages.is_text() { 0x81 } else { 0x82 };
    let mut output = Vec::new();
    Box::pin(async move {
        loop {
            while let Some(message) = messages.next() {
                let (header, key) = writer.build_header(first, message.len());
                output.extend_from_slice(header.as_bytes());
                let start = output.len();
                output.extend_from_slice(message);
                apply_mask(&mut output[start..], key.expect("a client masks"));
            }
            wire.write_all(&output).expect("the wire takes all");
            output.clear();
            messages.more().await;
        }
    })
}
