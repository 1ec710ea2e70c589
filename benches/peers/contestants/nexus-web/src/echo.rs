//! `default` is the companion crate for tokio, which writes each message by itself; `tuned` drives
//! the sans-IO part by hand and writes what one read brought at once; `small` does so with a
//! buffer for many connections.

mod connection;

use bytes::Bytes;
use connection::{READ_BUFFER, WRITE_BUFFER, echo, echo_batches};
use nexus_async_web::{AsyncReadAdapter, ws::WsStreamBuilder};
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

impl Broadcast for Nexus {
    type Writer = TcpStream;
    /// A frame of a server depends on no connection.
    type Prepared = Vec<u8>;

    async fn accept(stream: TcpStream, _: Options) -> TcpStream {
        let accepted = WsStreamBuilder::new().accept(AsyncReadAdapter::new(stream)).await;
        let (_, _, stream) = accepted.expect("the load generator's handshake is right");
        stream.into_inner()
    }

    fn prepare(payload: Bytes) -> Vec<u8> {
        let mut writer = FrameWriter::new(Role::Server);
        let mut frame = vec![0; writer.max_encoded_len(payload.len())];
        writer.encode_binary(&payload, &mut frame);
        frame
    }

    async fn send(writer: &mut TcpStream, frame: &Vec<u8>) {
        writer.write_all(frame).await.expect("the load generator reads on");
    }
}
