//! `default` is the companion crate for tokio, which writes each message separately. `tuned` drives
//! the sans-IO part by hand and answers all messages of one read with one write.

mod connection;

use connection::{FIN_BINARY, FIN_TEXT, HEADROOM, LEAST_BORROWED, READ_BUFFER, WRITE_BUFFER, echo};
use in_memory::{Contestant, Kernel, Messages, Variant, Wire, Work, run};
use nexus_async_web::{
    AsyncReadAdapter, WriteBuf,
    ws::{WsReader, WsWriter},
};
use nexus_web::ws::{FrameReader, FrameWriter, Message, Role, apply_mask};
use std::{
    future::poll_fn,
    io::{IoSlice, Write},
    process::ExitCode,
    task::Poll,
};

/// The most that the companion crate reads at once: an eighth of the reader's buffer.
const LARGEST_READ: usize = 128 * 1024;

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
                        echoed.expect("the input is valid");
                    })
                }),
                client: Some(client),
            },
            Variant { name: "tuned", echo: Some(batching_echo), client: Some(batching_client) },
        ],
        kernels: &[Kernel::Mask("default", apply_mask)],
    })
}

/// Answers all messages of one read with one write. Does not copy large payloads.
fn batching_echo(mut wire: Wire) -> Work {
    let mut reader = FrameReader::builder().buffer_capacity(READ_BUFFER).build();
    let mut writer = FrameWriter::new(Role::Server);
    let mut output = vec![0; READ_BUFFER];
    Box::pin(poll_fn(move |_| {
        while reader.read_from(&mut wire).is_ok_and(|count| count > 0) {
            let mut len = 0;
            while let Some(message) = reader.next().expect("the frames are valid") {
                if output.len() - len < HEADROOM + LEAST_BORROWED {
                    wire.write_all(&output[..len]).expect("the wire never fails");
                    len = 0;
                }
                let rest = &mut output[len..];
                let (first, payload) = match message {
                    Message::Text(text) if text.len() < LEAST_BORROWED => {
                        len += writer.encode_text(text.as_bytes(), rest);
                        continue;
                    }
                    Message::Binary(data) if data.len() < LEAST_BORROWED => {
                        len += writer.encode_binary(data, rest);
                        continue;
                    }
                    Message::Text(text) => (FIN_TEXT, text.as_bytes()),
                    Message::Binary(data) => (FIN_BINARY, data),
                    other => panic!("unexpected message: {other:?}"),
                };
                let (header, _) = writer.build_header(first, payload.len());
                let parts = [&output[..len], header.as_bytes(), payload].map(IoSlice::new);
                let _all = wire.write_vectored(&parts).expect("the wire never fails");
                len = 0;
            }
            wire.write_all(&output[..len]).expect("the wire never fails");
        }
        Poll::Pending
    }))
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
                sent.expect("the wire never fails");
            }
            messages.more().await;
        }
    })
}

fn batching_client(mut wire: Wire, mut messages: Messages) -> Work {
    let mut writer = FrameWriter::new(Role::Client);
    let is_text = messages.is_text();
    let mut output = vec![0; READ_BUFFER];
    Box::pin(async move {
        loop {
            let mut len = 0;
            while let Some(message) = messages.next() {
                if output.len() - len < HEADROOM + message.len() {
                    wire.write_all(&output[..len]).expect("the wire never fails");
                    len = 0;
                    let longest = output.len().max(HEADROOM + message.len());
                    output.resize(longest, 0);
                }
                len += if is_text {
                    writer.encode_text(message, &mut output[len..])
                } else {
                    writer.encode_binary(message, &mut output[len..])
                };
            }
            wire.write_all(&output[..len]).expect("the wire never fails");
            messages.more().await;
        }
    })
}
