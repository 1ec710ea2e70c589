//! `default` sends each reply. `tuned` feeds replies, which the library writes before it waits to
//! read, and turns the heartbeat off. `protocol` drives the library's sans-IO part and cork buffer
//! by hand.

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use in_memory::{Contestant, Kernel, Messages, Variant, Wire, Work, run};
use sockudo_ws::{
    Config, Message, OpCode, RECV_BUFFER_SIZE, Role, WebSocketStream,
    cork::{CorkBuffer, ZERO_COPY_MIN},
    frame::encode_frame_header,
    init_clock,
    protocol::Protocol,
    simd::apply_mask,
    utf8::validate_utf8,
};
use std::{
    io::{IoSlice, Write},
    process::ExitCode,
};
use tokio::io::AsyncReadExt;

fn main() -> ExitCode {
    init_clock();
    // The heartbeat needs a runtime.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime without I/O can always be built");
    let _entered = runtime.enter();
    run(Contestant {
        name: "sockudo-ws",
        variants: &[
            Variant {
                name: "default",
                echo: Some(echo),
                client: Some(|wire, messages| client(wire, messages, Config::default())),
            },
            Variant {
                name: "tuned",
                echo: Some(|wire| feeding(wire, without_heartbeat())),
                client: Some(|wire, messages| client(wire, messages, without_heartbeat())),
            },
            Variant { name: "protocol", echo: Some(by_hand), client: Some(client_by_hand) },
        ],
        kernels: &[Kernel::Mask("default", apply_mask), Kernel::Utf8("default", validate_utf8)],
    })
}

fn without_heartbeat() -> Config {
    Config::builder().auto_ping(false).idle_timeout(0).build()
}

fn echo(wire: Wire) -> Work {
    let mut websocket = WebSocketStream::server(wire, Config::default());
    Box::pin(async move {
        while let Some(message) = websocket.next().await {
            let message = message.expect("the input is valid");
            if matches!(message, Message::Text(_) | Message::Binary(_)) {
                websocket.send(message).await.expect("the wire never fails");
            }
        }
    })
}

fn feeding(wire: Wire, config: Config) -> Work {
    let mut websocket = WebSocketStream::server(wire, config);
    Box::pin(async move {
        while let Some(message) = websocket.next().await {
            let message = message.expect("the input is valid");
            if matches!(message, Message::Text(_) | Message::Binary(_)) {
                websocket.feed(message).await.expect("the wire never fails");
            }
        }
    })
}

fn client(wire: Wire, mut messages: Messages, config: Config) -> Work {
    let mut websocket = WebSocketStream::client(wire, config);
    Box::pin(async move {
        loop {
            while let Some(message) = next(&mut messages) {
                websocket.feed(message).await.expect("the wire never fails");
            }
            websocket.flush().await.expect("the wire never fails");
            messages.more().await;
        }
    })
}

fn next(messages: &mut Messages) -> Option<Message> {
    let kind = if messages.is_text() { Message::Text } else { Message::Binary };
    messages.next().map(|message| kind(Bytes::clone(message)))
}

fn protocol(role: Role) -> Protocol {
    let config = Config::default();
    Protocol::new(role, config.max_frame_size, config.max_message_size)
}

fn by_hand(mut wire: Wire) -> Work {
    let mut protocol = protocol(Role::Server);
    let mut input = BytesMut::with_capacity(RECV_BUFFER_SIZE);
    let mut received = Vec::new();
    let mut output = CorkBuffer::new();
    Box::pin(async move {
        loop {
            if input.capacity() - input.len() < 4096 {
                input.reserve(RECV_BUFFER_SIZE);
            }
            wire.read_buf(&mut input).await.expect("the wire never ends");
            protocol.process_into(&mut input, &mut received).expect("the input is valid");
            for message in received.drain(..) {
                let (opcode, payload) = match &message {
                    Message::Text(text) => (OpCode::Text, text),
                    Message::Binary(data) => (OpCode::Binary, data),
                    _ => continue,
                };
                if payload.len() < ZERO_COPY_MIN {
                    let encoded = protocol.encode_message(&message, output.buffer_mut());
                    encoded.expect("messages can be encoded");
                } else {
                    encode_frame_header(output.buffer_mut(), opcode, payload.len(), true, None);
                    output.push_segment(payload.clone());
                }
            }
            write(&mut wire, &mut output);
        }
    })
}

fn client_by_hand(mut wire: Wire, mut messages: Messages) -> Work {
    let mut protocol = protocol(Role::Client);
    let mut output = CorkBuffer::new();
    Box::pin(async move {
        loop {
            while let Some(message) = next(&mut messages) {
                let encoded = protocol.encode_message(&message, output.buffer_mut());
                encoded.expect("messages can be encoded");
            }
            write(&mut wire, &mut output);
            messages.more().await;
        }
    })
}

fn write(wire: &mut Wire, output: &mut CorkBuffer) {
    while output.has_data() {
        let mut slices = [IoSlice::new(&[]); 64];
        let filled = output.fill_write_slices(&mut slices);
        let count = wire.write_vectored(&slices[..filled]).expect("the wire never fails");
        output.consume(count);
    }
}
