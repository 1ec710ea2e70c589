//! A raw TCP echo server on tokio. It is not a WebSocket server: the load generator sends it bytes
//! without a handshake or frames.

use serving::{Broadcast, Library, Options, run_with_broadcast};
use std::{cell::Cell, io::ErrorKind, process::ExitCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

struct RawTcp;

fn main() -> ExitCode {
    run_with_broadcast::<RawTcp>()
}

impl Library for RawTcp {
    const NAME: &'static str = "raw TCP (tokio)";
    const VARIANTS: &'static [&'static str] = &["default", "64k", "waiting"];

    async fn echo(mut stream: TcpStream, options: Options) {
        if options.variant == "waiting" {
            return wait(stream).await;
        }
        let mut buffer = vec![0; if options.variant == "64k" { 64 * 1024 } else { 16 * 1024 }];
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            if stream.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    }
}

/// Holds a buffer only while there is something to read. This is the least an idle task can cost.
async fn wait(mut stream: TcpStream) {
    thread_local! {
        static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    while stream.readable().await.is_ok() {
        let mut buffer = BUFFER.take();
        buffer.resize(64 * 1024, 0);
        let written = match stream.try_read(&mut buffer) {
            Ok(count @ 1..) => stream.write_all(&buffer[..count]).await,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            _ => return,
        };
        BUFFER.set(buffer);
        if written.is_err() {
            return;
        }
    }
}

impl Broadcast for RawTcp {
    type Writer = TcpStream;
    type Prepared = Vec<u8>;

    async fn accept(stream: TcpStream, _: Options) -> TcpStream {
        stream
    }

    fn prepare(payload: bytes::Bytes) -> Vec<u8> {
        payload.into()
    }

    async fn send(writer: &mut TcpStream, message: &Vec<u8>) {
        writer.write_all(message).await.expect("the load generator keeps reading");
    }
}
