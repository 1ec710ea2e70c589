//! `default` uses the bare socket, as in the documentation. `tuned` reads and writes through
//! buffers, flushes when nothing is left to read, and validates text with the fastest function
//! available to a user. `frame` broadcasts a frame that was encoded once with the library's codec.
//! Compression is left out: it needs another version of flate2 than the other libraries.

use bytes::Bytes;
use futures_util::{
    future::{join, poll_immediate},
    io::{AsyncRead, AsyncWrite, BufReader, BufWriter},
};
use serving::{Broadcast, Library, Options, run_with_broadcast};
use soketto::{
    BoxedError, Data,
    base::{Codec, Header, OpCode},
    connection::{Builder, Receiver, Sender},
    handshake::{Server, server::Response},
};
use std::{pin::pin, process::ExitCode};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::unconstrained};
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

const BUFFER: usize = 64 * 1024;

struct Soketto;

type Buffered = BufReader<BufWriter<Compat<TcpStream>>>;

fn main() -> ExitCode {
    run_with_broadcast::<Soketto>()
}

impl Library for Soketto {
    const NAME: &'static str = "soketto";
    const VARIANTS: &'static [&'static str] = &["default", "tuned"];

    async fn echo(stream: TcpStream, options: Options) {
        // The outcome of the connection does not matter here.
        let _ = match options.variant {
            // With a budget from tokio, running out of it would look like nothing left to read.
            "tuned" => unconstrained(batching(buffered(stream))).await,
            _ => plain(stream.compat()).await,
        };
    }
}

fn buffered(stream: TcpStream) -> Buffered {
    BufReader::with_capacity(BUFFER, BufWriter::with_capacity(BUFFER, stream.compat()))
}

async fn accept<T>(stream: T) -> Result<Builder<T>, BoxedError>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    Ok(upgrade(stream).await?.into_builder())
}

async fn upgrade<T>(stream: T) -> Result<Server<'static, T>, BoxedError>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut server = Server::new(stream);
    let key = server.receive_request().await?.key();
    server.send_response(&Response::Accept { key, protocol: None }).await?;
    Ok(server)
}

async fn plain(stream: Compat<TcpStream>) -> Result<(), BoxedError> {
    let (mut sender, mut receiver) = accept(stream).await?.finish();
    let mut message = Vec::new();
    loop {
        message.clear();
        if receiver.receive_data(&mut message).await?.is_text() {
            sender.send_text(str::from_utf8(&message)?).await?;
        } else {
            sender.send_binary(&message).await?;
        }
        sender.flush().await?;
    }
}

async fn batching(stream: Buffered) -> Result<(), BoxedError> {
    let (mut sender, mut receiver) = accept(stream).await?.finish();
    let mut message = Vec::new();
    loop {
        message.clear();
        let data = {
            let mut receive = pin!(receiver.receive_data(&mut message));
            match poll_immediate(&mut receive).await {
                Some(data) => data?,
                // The receiver answers control frames, so it may hold what the sender needs.
                None => {
                    let (data, flushed) = join(receive, sender.flush()).await;
                    flushed?;
                    data?
                }
            }
        };
        match data {
            Data::Text(_) => sender.send_text(simdutf8::basic::from_utf8(&message)?).await?,
            Data::Binary(_) => sender.send_binary(&message).await?,
        }
    }
}

enum Writer {
    /// The receiver is never read from, but dropping it would close the connection.
    Library((Sender<Buffered>, Receiver<Buffered>)),
    Socket(TcpStream),
}

impl Broadcast for Soketto {
    const BROADCAST_VARIANTS: &'static [&'static str] = &["default", "frame"];

    type Writer = Writer;
    /// A payload and its frame. A server's frame is the same on every connection.
    type Prepared = (Bytes, Vec<u8>);

    async fn accept(stream: TcpStream, options: Options) -> Writer {
        let accepted = if options.variant == "frame" {
            upgrade(stream.compat()).await.map(|server| {
                let stream = server.into_inner();
                Writer::Socket(stream.into_inner())
            })
        } else {
            accept(buffered(stream)).await.map(|builder| Writer::Library(builder.finish()))
        };
        accepted.expect("the load generator's handshake is valid")
    }

    fn prepare(payload: Bytes) -> Self::Prepared {
        let mut header = Header::new(OpCode::Binary);
        header.set_payload_len(payload.len());
        let frame = [Codec::new().encode_header(&header), &payload[..]].concat();
        (payload, frame)
    }

    async fn send(writer: &mut Writer, (payload, frame): &Self::Prepared) {
        match writer {
            Writer::Library((sender, _)) => {
                sender.send_binary(payload).await.expect("the load generator keeps reading");
                sender.flush().await.expect("the load generator keeps reading");
            }
            Writer::Socket(stream) => {
                stream.write_all(frame).await.expect("the load generator keeps reading");
            }
        }
    }
}
