//! `default` assembles and answers each message as the library's examples do. `tuned` leaves frames
//! that arrive whole in the read buffer, validates text with simdutf8, and answers all messages of
//! one read at once. Its buffer size was the best of 8 to 128 KiB.

use in_memory::{Contestant, Kernel, Messages, Variant, Wire, Work, run};
use std::{
    future::poll_fn,
    io::{Read, Write},
    process::ExitCode,
    task::Poll,
};
use websocket_sans_io::{
    FrameInfo, Opcode, WebsocketFrameDecoder, WebsocketFrameEncoder, WebsocketFrameEvent,
    apply_mask,
};

/// The buffer size of the library's examples.
const SMALL_BUFFER: usize = 4 * 1024;
const LARGE_BUFFER: usize = 64 * 1024;
/// Payloads of at least this size are written without a copy.
const LEAST_BORROWED: usize = 8 * 1024;

fn main() -> ExitCode {
    run(Contestant {
        name: "websocket-sans-io",
        variants: &[
            Variant { name: "default", echo: Some(echo), client: Some(client) },
            Variant { name: "tuned", echo: Some(in_place), client: Some(batching_client) },
        ],
        kernels: &[Kernel::Mask("default", |data, key| apply_mask(key, data, 0))],
    })
}

fn frame(opcode: Opcode, len: usize, mask: Option<[u8; 4]>) -> FrameInfo {
    FrameInfo { opcode, payload_length: len as u64, mask, fin: true, reserved: 0 }
}

/// Decodes the next event from `start` on. Returns it with its bytes, and moves `start` past them.
fn next<'a>(
    decoder: &mut WebsocketFrameDecoder,
    input: &'a mut [u8],
    start: &mut usize,
) -> Option<(WebsocketFrameEvent, &'a mut [u8])> {
    loop {
        let Ok(result) = decoder.add_data(&mut input[*start..]);
        let consumed = *start..*start + result.consumed_bytes;
        *start = consumed.end;
        match result.event {
            Some(event) => return Some((event, &mut input[consumed])),
            None if consumed.is_empty() => return None,
            None => {}
        }
    }
}

fn echo(mut wire: Wire) -> Work {
    let mut decoder = WebsocketFrameDecoder::new();
    let mut encoder = WebsocketFrameEncoder::new();
    let mut input = vec![0; SMALL_BUFFER];
    let mut message = Vec::new();
    Box::pin(poll_fn(move |_| {
        while let Ok(count) = wire.read(&mut input) {
            let mut start = 0;
            while let Some((event, bytes)) = next(&mut decoder, &mut input[..count], &mut start) {
                match event {
                    WebsocketFrameEvent::PayloadChunk {
                        original_opcode: Opcode::Text | Opcode::Binary,
                    } => message.extend_from_slice(bytes),
                    WebsocketFrameEvent::End {
                        frame_info: FrameInfo { fin: true, .. },
                        original_opcode: opcode @ (Opcode::Text | Opcode::Binary),
                    } => {
                        if opcode == Opcode::Text {
                            std::str::from_utf8(&message).expect("the text is UTF-8");
                        }
                        let header = encoder.start_frame(&frame(opcode, message.len(), None));
                        wire.write_all(&header).expect("the wire never fails");
                        wire.write_all(&message).expect("the wire never fails");
                        message.clear();
                    }
                    _ => {}
                }
            }
        }
        Poll::Pending
    }))
}

fn in_place(mut wire: Wire) -> Work {
    let mut decoder = WebsocketFrameDecoder::new();
    let mut encoder = WebsocketFrameEncoder::new();
    let mut input = vec![0; LARGE_BUFFER];
    let mut output = Vec::with_capacity(LARGE_BUFFER);
    let mut message = Vec::new();
    // The length of the current frame if it is a message, which may still arrive whole.
    let mut expected = None;
    let mut reply = move |wire: &mut Wire, output: &mut Vec<u8>, opcode, payload: &[u8]| {
        if opcode == Opcode::Text {
            simdutf8::basic::from_utf8(payload).expect("the text is UTF-8");
        }
        output.extend_from_slice(&encoder.start_frame(&frame(opcode, payload.len(), None)));
        if payload.len() < LEAST_BORROWED {
            output.extend_from_slice(payload);
        } else {
            write(wire, output);
            wire.write_all(payload).expect("the wire never fails");
        }
    };
    Box::pin(poll_fn(move |_| {
        while let Ok(count) = wire.read(&mut input) {
            let mut start = 0;
            while let Some((event, bytes)) = next(&mut decoder, &mut input[..count], &mut start) {
                match event {
                    WebsocketFrameEvent::Start {
                        frame_info:
                            FrameInfo {
                                opcode: Opcode::Text | Opcode::Binary,
                                fin: true,
                                payload_length,
                                ..
                            },
                        ..
                    } => expected = Some(payload_length),
                    WebsocketFrameEvent::PayloadChunk {
                        original_opcode: opcode @ (Opcode::Text | Opcode::Binary),
                    } => {
                        if expected == Some(bytes.len() as u64) {
                            reply(&mut wire, &mut output, opcode, bytes);
                        } else {
                            expected = None;
                            message.extend_from_slice(bytes);
                        }
                    }
                    WebsocketFrameEvent::End {
                        frame_info: FrameInfo { fin: true, .. },
                        original_opcode: opcode @ (Opcode::Text | Opcode::Binary),
                    } if expected.take().is_none_or(|len| len == 0) => {
                        reply(&mut wire, &mut output, opcode, &message);
                        message.clear();
                    }
                    _ => {}
                }
            }
            write(&mut wire, &mut output);
        }
        Poll::Pending
    }))
}

fn client(mut wire: Wire, mut messages: Messages) -> Work {
    let mut encoder = WebsocketFrameEncoder::new();
    let opcode = opcode(&messages);
    let mut payload = Vec::new();
    Box::pin(poll_fn(move |_| {
        while messages.has_more() {
            while let Some(message) = messages.next() {
                let mask = Some(rand::random());
                let header = encoder.start_frame(&frame(opcode, message.len(), mask));
                payload.clear();
                payload.extend_from_slice(message);
                encoder.transform_frame_payload(&mut payload);
                wire.write_all(&header).expect("the wire never fails");
                wire.write_all(&payload).expect("the wire never fails");
            }
        }
        Poll::Pending
    }))
}

fn batching_client(mut wire: Wire, mut messages: Messages) -> Work {
    let mut encoder = WebsocketFrameEncoder::new();
    let opcode = opcode(&messages);
    let mut output = Vec::new();
    Box::pin(poll_fn(move |_| {
        while messages.has_more() {
            while let Some(message) = messages.next() {
                let mask = Some(rand::random());
                output.extend_from_slice(&encoder.start_frame(&frame(opcode, message.len(), mask)));
                let start = output.len();
                output.extend_from_slice(message);
                encoder.transform_frame_payload(&mut output[start..]);
            }
            write(&mut wire, &mut output);
        }
        Poll::Pending
    }))
}

fn opcode(messages: &Messages) -> Opcode {
    if messages.is_text() { Opcode::Text } else { Opcode::Binary }
}

fn write(wire: &mut Wire, output: &mut Vec<u8>) {
    wire.write_all(output).expect("the wire never fails");
    output.clear();
}
