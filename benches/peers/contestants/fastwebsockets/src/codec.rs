//! `default` is a fragment collector, as in the library's examples. `tuned` splits the connection,
//! buffers writes, and flushes when nothing is left to read. Its buffer size was the best of 8 to
//! 128 KiB. A `tuned` client masks in a buffer that it reuses.

use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, Role, WebSocket,
    WebSocketError, after_handshake_split, unmask,
};
use futures_util::future::{poll_immediate, ready};
use in_memory::{Contestant, Kernel, Messages, Variant, Wire, Work, run};
use std::{pin::pin, process::ExitCode};
use tokio::io::BufWriter;

fn main() -> ExitCode {
    run(Contestant {
        name: "fastwebsockets",
        variants: &[
            Variant { name: "default", echo: Some(echo), client: Some(client) },
            Variant { name: "tuned", echo: Some(batching_echo), client: Some(buffered_client) },
        ],
        kernels: &[
            Kernel::Mask("default", unmask),
            Kernel::Utf8("default", |text| Frame::text(Payload::Borrowed(text)).is_utf8()),
        ],
    })
}

fn echo(wire: Wire) -> Work {
    let mut websocket = FragmentCollector::new(WebSocket::after_handshake(wire, Role::Server));
    Box::pin(async move {
        loop {
            let frame = websocket.read_frame().await.expect("the frames are valid");
            if let OpCode::Text | OpCode::Binary = frame.opcode {
                websocket.write_frame(frame).await.expect("the wire never fails");
            }
        }
    })
}

fn batching_echo(wire: Wire) -> Work {
    let (input, output) = tokio::io::split(wire);
    let output = BufWriter::with_capacity(16 * 1024, output);
    let (reader, mut writer) = after_handshake_split(input, output, Role::Server);
    let mut reader = FragmentCollectorRead::new(reader);
    // Write small frames straight into the buffer, without an intermediate copy.
    writer.set_writev_threshold(0);
    Box::pin(async move {
        loop {
            let frame = {
                // No frame arrives that needs an answer from within the read.
                let mut unanswered = |_| ready(Ok::<_, WebSocketError>(()));
                let mut read = pin!(reader.read_frame(&mut unanswered));
                match poll_immediate(&mut read).await {
                    Some(frame) => frame,
                    None => {
                        writer.flush().await.expect("the wire never fails");
                        read.await
                    }
                }
            };
            let frame = frame.expect("the frames are valid");
            if let OpCode::Text | OpCode::Binary = frame.opcode {
                writer.write_frame(frame).await.expect("the wire never fails");
            }
        }
    })
}

fn client(wire: Wire, mut messages: Messages) -> Work {
    let mut websocket = WebSocket::after_handshake(wire, Role::Client);
    let is_text = messages.is_text();
    Box::pin(async move {
        loop {
            while let Some(message) = messages.next() {
                let payload = Payload::Borrowed(message);
                let frame = if is_text { Frame::text(payload) } else { Frame::binary(payload) };
                websocket.write_frame(frame).await.expect("the wire never fails");
            }
            websocket.flush().await.expect("the wire never fails");
            messages.more().await;
        }
    })
}

fn buffered_client(wire: Wire, mut messages: Messages) -> Work {
    let output = BufWriter::with_capacity(64 * 1024, wire);
    let mut websocket = WebSocket::after_handshake(output, Role::Client);
    websocket.set_writev_threshold(0);
    let is_text = messages.is_text();
    Box::pin(async move {
        let mut masked = Vec::new();
        loop {
            while let Some(message) = messages.next() {
                masked.clear();
                masked.extend_from_slice(message);
                let payload = Payload::BorrowedMut(&mut masked);
                let frame = if is_text { Frame::text(payload) } else { Frame::binary(payload) };
                websocket.write_frame(frame).await.expect("the wire never fails");
            }
            websocket.flush().await.expect("the wire never fails");
            messages.more().await;
        }
    })
}
