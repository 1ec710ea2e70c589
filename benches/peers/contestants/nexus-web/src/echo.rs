//! `default` is the companion crate for tokio, which writes each message separately. `tuned` drives
//! the sans-IO part by hand and answers all messages of one read with one write. `small` is `tuned`
//! with a buffer size for many connections. A `default` broadcast uses the companion crate's
//! writer, and `frame` writes a frame that the sans-IO part encoded once.

mod connection;

use bytes::Bytes;
use connection::{FIN_BINARY, FIN_TEXT, HEADROOM, LEAST_BORROWED, READ_BUFFER, WRITE_BUFFER, echo};
use nexus_async_web::{
    AsyncReadAdapter,
    ws::{WsStreamBuilder, WsWriter},
};
use nexus_web::ws::{CloseCode, Error, FrameReader, FrameWriter, Message, Role};
use serving::{Broadcast, Library, Options, run_with_broadcast};
use std::{
    io::{self, IoSlice},
    process::ExitCode,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

struct Nexus;

fn main() -> ExitCode {
    run_with_broadcast::<Nexus>()
}

impl Library for Nexus {
    const NAME: &'static str = "nexus-web";
    const VARIANTS: &'static [&'static str] = &["default", "tuned", "small"];

    async fn echo(stream: TcpStream, options: Options) {
        // The outcome of the connection does not matter here.
        let _ = serve(stream, options).await;
    }
}

async fn serve(stream: TcpStream, options: Options) -> Result<(), Error> {
    let stream = AsyncReadAdapter::new(stream);
    if options.variant == "default" {
        let builder = WsStreamBuilder::new().write_buffer_capacity(WRITE_BUFFER);
        let (reader, writer, stream) = builder.accept(stream).await?;
        echo(reader, writer, stream).await
    } else {
        let capacity = if options.variant == "small" { 4 * 1024 } else { READ_BUFFER };
        let builder = WsStreamBuilder::new().buffer_capacity(capacity);
        let (mut reader, _, stream) = builder.accept(stream).await?;
        batching_echo(reader.frame_reader_mut(), capacity, stream.into_inner()).await
    }
}

/// Answers all messages of one read with one write. Does not copy large payloads. `capacity` is the
/// size of the reader's buffer.
async fn batching_echo(
    reader: &mut FrameReader,
    capacity: usize,
    mut stream: TcpStream,
) -> Result<(), Error> {
    let mut writer = FrameWriter::new(Role::Server);
    let mut output = vec![0; capacity];
    let least_borrowed = LEAST_BORROWED.min(capacity / 2);
    loop {
        let mut len = 0;
        while let Some(message) = reader.next()? {
            if capacity - len < HEADROOM + least_borrowed {
                stream.write_all(&output[..len]).await?;
                len = 0;
            }
            let rest = &mut output[len..];
            let (first, payload) = match message {
                Message::Text(text) if text.len() < least_borrowed => {
                    len += writer.encode_text(text.as_bytes(), rest);
                    continue;
                }
                Message::Binary(data) if data.len() < least_borrowed => {
                    len += writer.encode_binary(data, rest);
                    continue;
                }
                Message::Text(text) => (FIN_TEXT, text.as_bytes()),
                Message::Binary(data) => (FIN_BINARY, data),
                Message::Ping(data) => {
                    len += writer.encode_pong(data, rest)?;
                    continue;
                }
                Message::Pong(_) => continue,
                Message::Close(close) => {
                    len += match close.code {
                        CloseCode::NoStatus => writer.encode_empty_close(rest),
                        code => writer.encode_close_code(code, close.reason, rest)?,
                    };
                    return Ok(stream.write_all(&output[..len]).await?);
                }
            };
            let (header, _) = writer.build_header(first, payload.len());
            write_all(&mut stream, [&output[..len], header.as_bytes(), payload]).await?;
            len = 0;
        }
        stream.write_all(&output[..len]).await?;
        if reader.spare().len() < capacity / 2 {
            reader.compact();
        }
        match stream.read(reader.spare()).await? {
            0 => return Ok(()),
            count => reader.filled(count),
        }
    }
}

async fn write_all(stream: &mut TcpStream, slices: [&[u8]; 3]) -> io::Result<()> {
    let mut rest = &mut slices.map(IoSlice::new)[..];
    IoSlice::advance_slices(&mut rest, 0);
    while !rest.is_empty() {
        match stream.write_vectored(rest).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => IoSlice::advance_slices(&mut rest, count),
        }
    }
    Ok(())
}

enum Writer {
    Library(Box<WsWriter>, AsyncReadAdapter<TcpStream>),
    Socket(TcpStream),
}

impl Broadcast for Nexus {
    const BROADCAST_VARIANTS: &'static [&'static str] = &["default", "frame"];

    type Writer = Writer;
    /// A payload and its frame. A server's frame is the same on every connection.
    type Prepared = (Bytes, Vec<u8>);

    async fn accept(stream: TcpStream, options: Options) -> Writer {
        let builder = WsStreamBuilder::new().write_buffer_capacity(WRITE_BUFFER);
        let accepted = builder.accept(AsyncReadAdapter::new(stream)).await;
        let (_, writer, stream) = accepted.expect("the load generator's handshake is valid");
        match options.variant {
            "frame" => Writer::Socket(stream.into_inner()),
            _ => Writer::Library(writer.into(), stream),
        }
    }

    fn prepare(payload: Bytes) -> Self::Prepared {
        let mut writer = FrameWriter::new(Role::Server);
        let mut frame = vec![0; writer.max_encoded_len(payload.len())];
        let len = writer.encode_binary(&payload, &mut frame);
        frame.truncate(len);
        (payload, frame)
    }

    async fn send(writer: &mut Writer, (payload, frame): &Self::Prepared) {
        let sent = match writer {
            Writer::Library(writer, stream) => writer.send_binary(stream, payload).await,
            Writer::Socket(stream) => stream.write_all(frame).await.map_err(Error::from),
        };
        sent.expect("the load generator keeps reading");
    }
}
