//! `default` writes each frame immediately. `tuned` has a larger read buffer and keeps small frames
//! until the next read.

mod buffered;

use buffered::Buffered;
use bytes::Bytes;
use serving::{Broadcast, Deflate, Library, Options, run_with_broadcast};
use std::{cell::Cell, process::ExitCode};
use tokio::net::TcpStream;
#[cfg(feature = "deflate")]
use wtx::web_socket::{
    DeflateConfig,
    compression::{CompressionLevel, Flate2, WindowBits},
};
use wtx::{
    collection::Vector,
    rng::Xorshift64,
    stream::Stream,
    web_socket::{
        Frame, OpCode, WebSocketAcceptor, WebSocketBuffer, WebSocketOwned, WebSocketPayloadOrigin,
        compression::NegotiatedCompression,
    },
};

struct Wtx;

fn main() -> ExitCode {
    run_with_broadcast::<Wtx>()
}

impl Library for Wtx {
    const NAME: &'static str = "wtx";
    const VARIANTS: &'static [&'static str] = &["default", "tuned"];
    #[cfg(feature = "deflate")]
    const DEFLATE: &'static [Deflate] = &[Deflate::NoTakeover];

    async fn echo(stream: TcpStream, options: Options) {
        // The outcome of the connection does not matter here.
        let _ = match options.variant {
            "default" => serve(stream, WebSocketBuffer::new(), options.deflate).await,
            _ => match WebSocketBuffer::with_capacity(128 * 1024, 0, 0) {
                Ok(buffer) => serve(Buffered::new(stream), buffer, options.deflate).await,
                Err(error) => Err(error),
            },
        };
    }
}

async fn serve<S: Stream>(stream: S, buffer: WebSocketBuffer, deflate: Deflate) -> wtx::Result<()> {
    let acceptor = WebSocketAcceptor::default().wsb(buffer);
    match deflate {
        #[cfg(feature = "deflate")]
        Deflate::NoTakeover => {
            // All libraries here run with these settings.
            let deflate = Flate2::from(DeflateConfig {
                client_max_window_bits: WindowBits::Fifteen,
                compression_level: CompressionLevel::Six,
                server_max_window_bits: WindowBits::Fifteen,
            });
            echo(acceptor.compression(deflate).accept(stream).await?).await
        }
        _ => echo(acceptor.accept(stream).await?).await,
    }
}

async fn echo<NC: NegotiatedCompression, S: Stream>(
    mut websocket: WebSocketOwned<NC, Xorshift64, S, false>,
) -> wtx::Result<()> {
    let (mut common, mut reader, mut writer) = websocket.split_mut();
    let mut assembled = Vector::new();
    loop {
        let origin = WebSocketPayloadOrigin::Adaptive;
        let mut frame = reader.read_frame(&mut assembled, &mut common, origin).await?;
        match frame.op_code() {
            OpCode::Text | OpCode::Binary => writer.write_frame(&mut common, &mut frame).await?,
            OpCode::Close => return Ok(()),
            _ => {}
        }
    }
}

impl Broadcast for Wtx {
    type Writer = WebSocketOwned<(), Xorshift64, TcpStream, false>;
    /// A `Cell`, because a frame borrows its payload mutably.
    type Prepared = Cell<Vec<u8>>;

    async fn accept(stream: TcpStream, _: Options) -> Self::Writer {
        let accepted: wtx::Result<_> = WebSocketAcceptor::default().accept(stream).await;
        accepted.expect("the load generator's handshake is valid")
    }

    fn prepare(payload: Bytes) -> Self::Prepared {
        Cell::new(payload.into())
    }

    async fn send(writer: &mut Self::Writer, message: &Self::Prepared) {
        let mut payload = message.take();
        let mut frame = Frame::new_fin(OpCode::Binary, &mut payload[..]);
        writer.write_frame(&mut frame).await.expect("the load generator keeps reading");
        message.set(payload);
    }
}
