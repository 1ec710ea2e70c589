//! `default` is the companion crate for tokio, which writes each message by itself; `tuned` drives
//! the sans-IO part by hand and writes what one read brought at once; `small` does so with a
//! buffer for many connections. A broadcast of `default` goes through the companion crate's writer;
//! `frame` writes what the sans-IO part encoded once.

mod connection;

use bytes::Bytes;
use connection::{READ_BUFFER, WRITE_BUFFER, echo, echo_batches};
use nexus_async_web::{
    AsyncReadAdapter,
    ws::{WsStreamBuilder, WsWriter},
};
use nexus_web::ws::{Error, FrameWriter, Role};
use serving::{Broadcast, Library, Options, run_with_broadcast};
use std::process::ExitCode;
use tokio::{io::AsyncWriteExt, net::TcpStream};

struct Nexus;

fn main() -> ExitCode {
    run_with_broadcast::<Nexus>()
}

impl Library for Nexus {
    const NAME: &'static str = "nexus-web";
    const VARIANTS: &'static [&'static str] = &["default", "tuned", "small"];

    async fn echo(stream: TcpStream, options: Options) {
        // How a connection ends is of no interest here.
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
        echo_batches(reader.frame_reader_mut(), capacity, stream.into_inner()).await
    }
}

enum Writer {
    Library(Box<WsWriter>, AsyncReadAdapter<TcpStream>),
    Socket(TcpStream),
}

impl Broadcast for Nexus {
    const BROADCAST_VARIANTS: &'static [&'static str] = &["default", "frame"];

    type Writer = Writer;
    /// A payload, and a frame of it: that of a server depends on no connection.
    type Prepared = (Bytes, Vec<u8>);

    async fn accept(stream: TcpStream, options: Options) -> Writer {
        let builder = WsStreamBuilder::new().write_buffer_capacity(WRITE_BUFFER);
        let accepted = builder.accept(AsyncReadAdapter::new(stream)).await;
        let (_, writer, stream) = accepted.expect("the load generator's handshake is right");
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
        sent.expect("the load generator reads on");
    }
}
