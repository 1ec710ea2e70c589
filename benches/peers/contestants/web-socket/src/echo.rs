//! `default` reads through a buffer, as the library's examples do. `tuned` also writes through a
//! buffer, and flushes it when all buffered input is answered.
//!
//! The library leaves the handshake and the validation of text to its user. `default` validates
//! with the standard library, as the library's examples do, and `tuned` with simdutf8, which is
//! faster. `frame` broadcasts a frame that the library encoded once.

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serving::{Broadcast, Library, Options, run_with_broadcast};
use sha1::{Digest, Sha1};
use std::{
    io::{Error, ErrorKind, Result},
    process::ExitCode,
};
use tokio::{
    io::{
        AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader, BufWriter,
    },
    net::TcpStream,
};
use web_socket::{DataType, Event, Frame, MessageType, Stream, WebSocket};

const BUFFER: usize = 64 * 1024;

struct WebSocketCrate;

type Validate = fn(&[u8]) -> Option<&str>;

fn main() -> ExitCode {
    run_with_broadcast::<WebSocketCrate>()
}

impl Library for WebSocketCrate {
    const NAME: &'static str = "web-socket";
    const VARIANTS: &'static [&'static str] = &["default", "tuned"];

    async fn echo(stream: TcpStream, options: Options) {
        // The outcome of the connection does not matter here.
        let _ = match options.variant {
            "tuned" => buffered(stream).await,
            _ => plain(stream).await,
        };
    }
}

async fn plain(stream: TcpStream) -> Result<()> {
    let mut websocket = accept(BufReader::new(stream)).await?;
    let mut fragments = Vec::new();
    while answer(&mut websocket, &mut fragments, |text| str::from_utf8(text).ok()).await? {}
    websocket.close(()).await
}

async fn buffered(stream: TcpStream) -> Result<()> {
    let writer = BufWriter::with_capacity(BUFFER, stream);
    let mut websocket = accept(BufReader::with_capacity(BUFFER, writer)).await?;
    let mut fragments = Vec::new();
    let validated: Validate = |text| simdutf8::basic::from_utf8(text).ok();
    while answer(&mut websocket, &mut fragments, validated).await? {
        if websocket.stream.buffer().is_empty() {
            websocket.flash().await?;
        }
    }
    websocket.close(()).await
}

/// Answers one event. Returns `false` if the connection should be closed.
async fn answer(
    websocket: &mut WebSocket<impl AsyncRead + AsyncWrite + Unpin>,
    fragments: &mut Vec<u8>,
    validated: Validate,
) -> Result<bool> {
    match websocket.recv_event().await? {
        Event::Data { ty: DataType::Complete(kind), data } => {
            send(websocket, kind, &data, validated).await?;
        }
        Event::Data { ty: DataType::Stream(part), data } => {
            fragments.extend_from_slice(&data);
            if let Stream::End(kind) = part {
                send(websocket, kind, fragments, validated).await?;
                fragments.clear();
            }
        }
        Event::Ping(data) => websocket.send_pong(data).await?,
        Event::Pong(_) => {}
        Event::Error(_) | Event::Close { .. } => return Ok(false),
    }
    Ok(true)
}

async fn send(
    websocket: &mut WebSocket<impl AsyncWrite + Unpin>,
    kind: MessageType,
    data: &[u8],
    validated: Validate,
) -> Result<()> {
    match kind {
        MessageType::Text => {
            let text = validated(data).ok_or(Error::from(ErrorKind::InvalidData))?;
            websocket.send(text).await
        }
        MessageType::Binary => websocket.send(data).await,
    }
}

/// Does the opening handshake. Checks none of the errors that a real server must refuse.
async fn accept<S: AsyncBufRead + AsyncWrite + Unpin>(mut stream: S) -> Result<WebSocket<S>> {
    let mut key = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end().split_once(':') {
            None if line == "\r\n" => break,
            Some((name, value)) if name.eq_ignore_ascii_case("sec-websocket-key") => {
                key = value.trim().into();
            }
            _ => {}
        }
    }
    let digest = Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let accept = BASE64_STANDARD.encode(digest.finalize());
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(response.as_bytes()).await?;
    stream.flush().await?;
    Ok(WebSocket::server(stream))
}

enum Writer {
    /// Writes header and payload with one vectored write, without a copy.
    Library(WebSocket<BufReader<TcpStream>>),
    Socket(TcpStream),
}

impl Broadcast for WebSocketCrate {
    const BROADCAST_VARIANTS: &'static [&'static str] = &["default", "frame"];

    type Writer = Writer;
    /// A payload and its frame. A server's frame is the same on every connection.
    type Prepared = (Bytes, Vec<u8>);

    async fn accept(stream: TcpStream, options: Options) -> Writer {
        let accepted = accept(BufReader::new(stream)).await;
        let websocket = accepted.expect("the load generator's handshake is valid");
        match options.variant {
            "frame" => Writer::Socket(websocket.stream.into_inner()),
            _ => Writer::Library(websocket),
        }
    }

    fn prepare(payload: Bytes) -> Self::Prepared {
        let frame = Frame::from(&payload[..]).encode_without_mask();
        (payload, frame)
    }

    async fn send(writer: &mut Writer, (payload, frame): &Self::Prepared) {
        let sent = match writer {
            Writer::Library(websocket) => send_and_flush(websocket, payload).await,
            Writer::Socket(stream) => stream.write_all(frame).await,
        };
        sent.expect("the load generator keeps reading");
    }
}

async fn send_and_flush(
    websocket: &mut WebSocket<BufReader<TcpStream>>,
    payload: &[u8],
) -> Result<()> {
    websocket.send(payload).await?;
    websocket.flash().await
}
