//! `default` is a fragment collector on an upgraded connection of hyper, as in the library's
//! examples; `tuned` takes the socket out of it, splits it, gathers what is written in a buffer and
//! flushes it when there is nothing more to read. `frame` broadcasts what the library encoded once.
//! All run without tokio's budget, as in the library's examples: what runs out of it looks like
//! nothing more to read.

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
        // How a connection ends is of no interest here.
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
        unreachable!("this is what was upgraded");
    };
    parts
}

async fn batching(websocket: Connection) -> Result<(), WebSocketError> {
    let parts = parts(websocket);
    let (input, output) = parts.io.into_inner().into_split();
    let input = Cursor::new(parts.read_buf).chain(input);
    let output = BufWriter::with_capacity(64 * 1024, output);
    let (mut reader, mut writer) = after_handshake_split(input, output, Role::Server);
    // So that only a closing frame, which is the last one, is answered from within the read.
    reader.set_auto_pong(false);
    // A small frame is put into the buffer without being put together elsewhere.
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
    /// A payload, and a frame of it: that of a server depends on no connection.
    type Prepared = (Bytes, Vec<u8>);

    async fn accept(stream: TcpStream, options: Options) -> Writer {
        let websocket = accept(stream).await.expect("the load generator's handshake is right");
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
        sent.expect("the load generator reads on");
    }
}

async fn send_and_flush(websocket: &mut Connection, payload: &[u8]) -> Result<(), WebSocketError> {
    websocket.write_frame(Frame::binary(Payload::Borrowed(payload))).await?;
    websocket.flush().await
}
