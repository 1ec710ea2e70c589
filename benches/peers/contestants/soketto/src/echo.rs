//! `default` is on the bare socket, as in the documentation; `tuned` reads and writes through
//! buffers, flushes when there is nothing more to read, and takes the quicker of the functions that
//! a user can validate text with. Its compression wants another version of flate2 than the other
//! libraries here and is left out.

use futures_util::{
    future::{join, poll_immediate},
    io::{AsyncRead, AsyncWrite, BufReader, BufWriter},
};
use serving::{Broadcast, Library, Options, run_with_broadcast};
use soketto::{
    BoxedError, Data,
    connection::{Builder, Receiver, Sender},
    handshake::{Server, server::Response},
};
use std::{pin::pin, process::ExitCode};
use tokio::{net::TcpStream, task::unconstrained};
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
        // How a connection ends is of no interest here.
        let _ = match options.variant {
            // What runs out of tokio's budget looks like nothing more to read.
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
    let mut server = Server::new(stream);
    let key = server.receive_request().await?.key();
    server.send_response(&Response::Accept { key, protocol: None }).await?;
    Ok(server.into_builder())
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
                // The receiver answers control frames and so may hold what the sender needs.
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

impl Broadcast for Soketto {
    /// What is not read from must be kept open nevertheless.
    type Writer = (Sender<Buffered>, Receiver<Buffered>);
    type Prepared = bytes::Bytes;

    async fn accept(stream: TcpStream, _: Options) -> Self::Writer {
        let builder = accept(buffered(stream)).await;
        builder.expect("the load generator's handshake is right").finish()
    }

    fn prepare(payload: bytes::Bytes) -> bytes::Bytes {
        payload
    }

    async fn send((sender, _): &mut Self::Writer, message: &bytes::Bytes) {
        sender.send_binary(message).await.expect("the load generator reads on");
        sender.flush().await.expect("the load generator reads on");
    }
}
