//! `default` writes each frame immediately, as wtx's own streams do. `tuned` has a larger read
//! buffer and keeps small frames until the next read. There is no tuned client, because clients
//! here never read. Mask keys come from wtx's default generator, and in `chacha20` from its
//! stronger one.

mod buffered;

use buffered::{Buffered, write_all_vectored};
use in_memory::{Contestant, Messages, Variant, Wire, Work, run};
use std::process::ExitCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wtx::{
    collection::Vector,
    rng::{ChaCha20, CryptoSeedableRng, Rng, Xorshift64, simple_seed},
    stream::{Stream, StreamReader, StreamWriter},
    web_socket::{
        Frame, OpCode, WebSocket, WebSocketBuffer, WebSocketOwned, WebSocketPayloadOrigin,
    },
};

/// The buffer size of a connection that wtx's own acceptor opened.
const ACCEPTORS_BUFFER: usize = 2 * 1024;

fn main() -> ExitCode {
    run(Contestant {
        name: "wtx",
        variants: &[
            Variant {
                name: "default",
                echo: Some(|wire| echo(Unbuffered(wire), buffer(ACCEPTORS_BUFFER))),
                client: Some(|wire, messages| client(wire, messages, xorshift64())),
            },
            Variant {
                name: "tuned",
                echo: Some(|wire| echo(Buffered::new(wire), buffer(128 * 1024))),
                client: None,
            },
            Variant {
                name: "chacha20",
                echo: None,
                client: Some(|wire, messages| {
                    let keys = ChaCha20::from_getrandom();
                    client(wire, messages, keys.expect("the system provides random numbers"))
                }),
            },
        ],
        kernels: &[],
    })
}

/// Implements wtx's stream traits as wtx does for tokio's streams.
struct Unbuffered(Wire);

impl StreamReader for Unbuffered {
    async fn read(&mut self, into: &mut [u8]) -> wtx::Result<usize> {
        Ok(self.0.read(into).await?)
    }
}

impl StreamWriter for Unbuffered {
    async fn write_all(&mut self, bytes: &[u8]) -> wtx::Result<()> {
        Ok(self.0.write_all(bytes).await?)
    }

    async fn write_all_vectored(&mut self, bytes: &[&[u8]]) -> wtx::Result<()> {
        match bytes {
            [first, second] => Ok(write_all_vectored(&mut self.0, &[first, second]).await?),
            _ => {
                for bytes in bytes {
                    self.0.write_all(bytes).await?;
                }
                Ok(())
            }
        }
    }
}

fn buffer(capacity: usize) -> WebSocketBuffer {
    WebSocketBuffer::with_capacity(capacity, 0, 0).expect("enough memory")
}

fn xorshift64() -> Xorshift64 {
    Xorshift64::from(simple_seed())
}

type Socket<K, S, const IS_CLIENT: bool> = WebSocketOwned<(), K, S, IS_CLIENT>;

fn websocket<K: Rng, S: Stream, const IS_CLIENT: bool>(
    keys: K,
    stream: S,
    buffer: WebSocketBuffer,
) -> Socket<K, S, IS_CLIENT> {
    WebSocket::new((), false, keys, stream, buffer)
}

fn echo<S: Stream + 'static>(stream: S, buffer: WebSocketBuffer) -> Work {
    let mut websocket = websocket::<_, _, false>(xorshift64(), stream, buffer);
    Box::pin(async move {
        let (mut common, mut reader, mut writer) = websocket.split_mut();
        let mut assembled = Vector::new();
        loop {
            let origin = WebSocketPayloadOrigin::Adaptive;
            let frame = reader.read_frame(&mut assembled, &mut common, origin).await;
            let mut frame = frame.expect("the input is valid");
            if matches!(frame.op_code(), OpCode::Text | OpCode::Binary) {
                let written = writer.write_frame(&mut common, &mut frame).await;
                written.expect("the wire never fails");
            }
        }
    })
}

fn client<K: Rng + 'static>(wire: Wire, mut messages: Messages, keys: K) -> Work {
    let mut websocket = websocket::<_, _, true>(keys, Unbuffered(wire), WebSocketBuffer::new());
    let op_code = if messages.is_text() { OpCode::Text } else { OpCode::Binary };
    let mut payload = Vec::new();
    Box::pin(async move {
        loop {
            while let Some(message) = messages.next() {
                // The payload is masked in place, so send a copy.
                payload.clear();
                payload.extend_from_slice(message);
                let mut frame = Frame::new_fin(op_code, &mut payload[..]);
                websocket.write_frame(&mut frame).await.expect("the wire never fails");
            }
            messages.more().await;
        }
    })
}
