//! `default` is a fragment collector on an upgraded hyper connection, as in the library's examples.
//! `tuned` takes the socket out of the upgraded connection, splits it, buffers writes, and flushes
//! when nothing is left to read. `frame` broadcasts a frame that the library encoded once. All run
//! without tokio's budget, as in the library's examples: running out of it would look like nothing
//! left to read.

use bytes::Bytes;
use fastwebsockets::{
    FragmentCollector, FragmentCollectorRead, Frame, OpCode, Payload, Role, WebSocket,
    WebSocketError, after_handshake_split, upgrade::upgrade,
};
use futures_util::future::{poll_immediate, ready};
use hyper::{
    server::conn::http1,
    service::service_fn,
    upgrade::{Parts, Upgraded},
};
use hyper_util::rt::TokioIo;
use serving::{Broadcast, Library, Options, run_with_broadcast};
use std::{
    io::Cursor,
    pin::pin,
    process::ExitCode,
    sync::{Mutex, PoisonError},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufWriter},
    net::TcpStream,
    task::unconstrained,
};

struct Fastwebsockets;

type Connection = WebSocket<TokioIo<Upgraded>>;

fn main() -> ExitCode {
    run_with_broadcast::<Fastwebsockets>()
}

impl Library for Fastwebsockets {
    const NAME: &'static str = "fastwebsockets";
    const VARIANTS: &'static [&'static str] = &["default", "tuned"];

    async fn echo(stream: TcpStream, options: Options) {
        let Some(websocket) = accept(stream).await else { return };
        // The outcome of the connection does not matter here.
        let _ = match options.variant {
            "tuned" => unconstrained(batching(websocket)).await,
            _ => unconstrained(collecting(websocket)).await,
        };
    }
}

async fn accept(stream: TcpStream) -> Option<Connection> {
    let accepted = Mutex::new(None);
    let service = service_fn(async |mut request| {
        let (response, websocket) = upgrade(&mut request)?;
        *accepted.lock().unwrap_or_else(PoisonError::into_inner) = Some(websocket);
        Ok::<_, WebSocketError>(response)
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    connection.with_upgrades().await.ok()?;
    let websocket = accepted.into_inner().unwrap_or_else(PoisonError::into_inner);
    websocket?.await.ok()
}

async fn collecting(websocket: Connection) -> Result<(), WebSocketError> {
    let mut websocket = FragmentCollector::new(websocket);
    loop {
        let frame = websocket.read_frame().await?;
        match frame.opcode {
            OpCode::Close => return Ok(()),
            OpCode::Text | OpCode::Binary => websocket.write_frame(frame).await?,
            _ => {}
        }
    }
}

fn parts(websocket: Connection) -> Parts<TokioIo<TcpStream>> {
    let Ok(parts) = websocket.into_inner().into_inner().downcast() else {
        unreachable!("the upgraded connection has this type");
    };
    parts
}

async fn batching(websocket: Connection) -> Result<(), WebSocketError> {
    let parts = parts(websocket);
    let (input, output) = parts.io.into_inner().into_split();
    let input = Cursor::new(parts.read_buf).chain(input);
    let output = BufWriter::with_capacity(64 * 1024, output);
    let (mut reader, mut writer) = after_handshake_split(input, output, Role::Server);
    // Then reading answers only a Close, which is the last frame.
    reader.set_auto_pong(false);
    // Write small frames straight into the buffer, without an intermediate copy.
    writer.set_writev_threshold(0);
    let mut reader = FragmentCollectorRead::new(reader);
    loop {
        let mut answer = None;
        let frame = {
            let mut keep = |frame| {
                answer = Some(frame);
                ready(Ok::<_, WebSocketError>(()))
            };
            let mut read = pin!(reader.read_frame(&mut keep));
            match poll_immediate(&mut read).await {
                Some(frame) => frame,
                None => {
                    writer.flush().await?;
                    read.await
                }
            }
        };
        if let Some(answer) = answer {
            writer.write_frame(answer).await?;
            return writer.flush().await;
        }
        let frame = frame?;
        match frame.opcode {
            OpCode::Text | OpCode::Binary => writer.write_frame(frame).await?,
            OpCode::Ping => writer.write_frame(Frame::pong(frame.payload)).await?,
            _ => {}
        }
    }
}

enum Writer {
    Library(Box<Connection>),
    Socket(TcpStream),
}

impl Broadcast for Fastwebsockets {
    const BROADCAST_VARIANTS: &'static [&'static str] = &["default", "frame"];

    type Writer = Writer;
    /// A payload and its frame. A server's frame is the same on every connection.
    type Prepared = (Bytes, Vec<u8>);

    async fn accept(stream: TcpStream, options: Options) -> Writer {
        let websocket = accept(stream).await.expect("the load generator's handshake is valid");
        match options.variant {
            "frame" => Writer::Socket(parts(websocket).io.into_inner()),
            _ => Writer::Library(websocket.into()),
        }
    }

    fn prepare(payload: Bytes) -> Self::Prepared {
        let mut frame = Vec::new();
        let len = Frame::binary(Payload::Borrowed(&payload)).write(&mut frame).len();
        frame.truncate(len);
        (payload, frame)
    }

    async fn send(writer: &mut Writer, (payload, frame): &Self::Prepared) {
        let sent = match writer {
            Writer::Library(websocket) => send_and_flush(websocket, payload).await,
            Writer::Socket(stream) => stream.write_all(frame).await.map_err(WebSocketError::from),
        };
        sent.expect("the load generator keeps reading");
    }
}

async fn send_and_flush(websocket: &mut Connection, payload: &[u8]) -> Result<(), WebSocketError> {
    websocket.write_frame(Frame::binary(Payload::Borrowed(payload))).await?;
    websocket.flush().await
}
