//! `default` sends each reply. `tuned` feeds replies, which the library writes before it waits to
//! read, and turns the heartbeat off. `protocol` drives the library's sans-IO part and cork buffer
//! by hand. `frame` broadcasts a frame that the sans-IO part encoded once.

#[cfg(feature = "deflate")]
mod compressed;

use bytes::{Bytes, BytesMut};
use futures_util::{Sink, SinkExt, Stream, StreamExt};
#[cfg(feature = "deflate")]
use serving::Deflate;
use serving::{Broadcast, Library, Options, run_with_broadcast};
use sockudo_ws::{
    Config, Error, Http1, MAX_FRAME_HEADER_SIZE, Message, OpCode, Result, Role, WebSocketStream,
    cork::{CorkBuffer, ZERO_COPY_MIN},
    frame::{encode_frame, encode_frame_header},
    handshake::server_handshake,
    init_clock,
    protocol::Protocol,
    server::WebSocketServer,
};
use std::{io::IoSlice, process::ExitCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Room reserved in the read buffer of `protocol`: the best of the sizes tried.
const READ_ROOM: usize = 16 * 1024;

struct Sockudo;

fn main() -> ExitCode {
    init_clock();
    run_with_broadcast::<Sockudo>()
}

impl Library for Sockudo {
    const NAME: &'static str = "sockudo-ws";
    const VARIANTS: &'static [&'static str] = &["default", "tuned", "protocol"];
    #[cfg(feature = "deflate")]
    const DEFLATE: &'static [Deflate] = &[Deflate::Takeover, Deflate::NoTakeover];

    async fn echo(stream: TcpStream, options: Options) {
        // The outcome of the connection does not matter here.
        let _ = serve(stream, options).await;
    }
}

async fn serve(mut stream: TcpStream, options: Options) -> Result<()> {
    #[cfg(feature = "deflate")]
    if options.deflate != Deflate::Off {
        return compressed::serve(stream, options).await;
    }
    if options.variant == "protocol" {
        let leftover = server_handshake(&mut stream).await?.leftover;
        let Config { max_frame_size, max_message_size, .. } = config(options);
        let protocol = Protocol::new(Role::Server, max_frame_size, max_message_size);
        return by_hand(stream, leftover.unwrap_or_default().into(), protocol).await;
    }
    echo(accept(stream, options).await?, options).await
}

fn config(options: Options) -> Config {
    match options.variant {
        "default" => Config::default(),
        _ => Config::builder().auto_ping(false).idle_timeout(0).build(),
    }
}

async fn accept(stream: TcpStream, options: Options) -> Result<WebSocketStream<TcpStream>> {
    let server = WebSocketServer::<Http1>::new(config(options));
    Ok(server.accept_raw(stream).await?.0)
}

async fn echo<W>(mut websocket: W, options: Options) -> Result<()>
where
    W: Stream<Item = Result<Message>> + Sink<Message, Error = Error> + Unpin,
{
    while let Some(message) = websocket.next().await {
        match message? {
            message @ (Message::Text(_) | Message::Binary(_)) => match options.variant {
                "default" => websocket.send(message).await?,
                _ => websocket.feed(message).await?,
            },
            Message::Close(_) => break,
            _ => {}
        }
    }
    Ok(())
}

/// The library's sans-IO part, with or without compression.
trait Codec {
    fn process(&mut self, input: &mut BytesMut, messages: &mut Vec<Message>) -> Result<()>;
    fn encode(&mut self, message: &Message, output: &mut CorkBuffer) -> Result<()>;
}

impl Codec for Protocol {
    fn process(&mut self, input: &mut BytesMut, messages: &mut Vec<Message>) -> Result<()> {
        self.process_into(input, messages)
    }

    fn encode(&mut self, message: &Message, output: &mut CorkBuffer) -> Result<()> {
        let (opcode, payload) = match message {
            Message::Text(text) if text.len() >= ZERO_COPY_MIN => (OpCode::Text, text),
            Message::Binary(data) if data.len() >= ZERO_COPY_MIN => (OpCode::Binary, data),
            _ => return self.encode_message(message, output.buffer_mut()),
        };
        encode_frame_header(output.buffer_mut(), opcode, payload.len(), true, None);
        output.push_segment(payload.clone());
        Ok(())
    }
}

async fn by_hand(mut stream: TcpStream, mut input: BytesMut, mut codec: impl Codec) -> Result<()> {
    let mut received = Vec::new();
    let mut output = CorkBuffer::new();
    loop {
        codec.process(&mut input, &mut received)?;
        for message in received.drain(..) {
            match message {
                Message::Ping(data) => codec.encode(&Message::Pong(data), &mut output)?,
                Message::Pong(_) => {}
                Message::Close(_) => {
                    codec.encode(&message, &mut output)?;
                    return write(&mut stream, &mut output).await;
                }
                _ => codec.encode(&message, &mut output)?,
            }
        }
        write(&mut stream, &mut output).await?;
        if input.capacity() - input.len() < 4096 {
            input.reserve(READ_ROOM);
        }
        if stream.read_buf(&mut input).await? == 0 {
            return Ok(());
        }
    }
}

async fn write(stream: &mut TcpStream, output: &mut CorkBuffer) -> Result<()> {
    while output.has_data() {
        let mut slices = [IoSlice::new(&[]); 64];
        let filled = output.fill_write_slices(&mut slices);
        let count = stream.write_vectored(&slices[..filled]).await?;
        output.consume(count);
    }
    Ok(())
}

enum Writer {
    Library(Box<WebSocketStream<TcpStream>>),
    Socket(TcpStream),
}

impl Broadcast for Sockudo {
    const BROADCAST_VARIANTS: &'static [&'static str] = &["default", "frame"];

    type Writer = Writer;
    /// A message and its frame. A server's frame is the same on every connection.
    type Prepared = (Message, BytesMut);

    async fn accept(mut stream: TcpStream, options: Options) -> Writer {
        let accepted = if options.variant == "frame" {
            server_handshake(&mut stream).await.map(|_| Writer::Socket(stream))
        } else {
            accept(stream, options).await.map(|stream| Writer::Library(stream.into()))
        };
        accepted.expect("the load generator's handshake is valid")
    }

    fn prepare(payload: Bytes) -> (Message, BytesMut) {
        let mut frame = BytesMut::with_capacity(MAX_FRAME_HEADER_SIZE + payload.len());
        encode_frame(&mut frame, OpCode::Binary, &payload, true, None);
        (Message::Binary(payload), frame)
    }

    async fn send(writer: &mut Writer, (message, frame): &(Message, BytesMut)) {
        let sent = match writer {
            Writer::Library(stream) => stream.send(message.clone()).await,
            Writer::Socket(stream) => stream.write_all(frame).await.map_err(Error::from),
        };
        sent.expect("the load generator keeps reading");
    }
}
