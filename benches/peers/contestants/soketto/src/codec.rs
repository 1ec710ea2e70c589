//! `default` is on the bare transport, as in the documentation; `tuned` takes the quicker of the
//! functions that a user can validate text with; `buffered` does too, reads and writes through
//! buffers, and flushes when there is nothing more to read, which is for transports that take time.

use futures_util::{
    future::{join, poll_immediate},
    io::{AsyncRead, AsyncWrite, BufReader, BufWriter},
};
use in_memory::{Contestant, Kernel, Messages, Variant, Wire, Work, run};
use soketto::{
    Data,
    base::{Codec, Header, OpCode},
    connection::{Builder, Mode, Sender},
};
use std::{pin::pin, process::ExitCode};

const BUFFER: usize = 64 * 1024;

fn main() -> ExitCode {
    run(Contestant {
        name: "soketto",
        variants: &[
            Variant {
                name: "default",
                echo: Some(|wire| echo(wire, |text| str::from_utf8(text).ok())),
                client: Some(client),
            },
            Variant {
                name: "tuned",
                echo: Some(|wire| echo(wire, |text| simdutf8::basic::from_utf8(text).ok())),
                client: None,
            },
            Variant { name: "buffered", echo: Some(batching_echo), client: Some(buffered_client) },
        ],
        kernels: &[Kernel::Mask("default", |data, key| {
            let mut header = Header::new(OpCode::Binary);
            header.set_masked(true).set_mask(u32::from_be_bytes(key));
            Codec::apply_mask(&header, data);
        })],
    })
}

fn echo(wire: Wire, validated: fn(&[u8]) -> Option<&str>) -> Work {
    let (mut sender, mut receiver) = Builder::new(wire, Mode::Server).finish();
    Box::pin(async move {
        let mut message = Vec::new();
        loop {
            message.clear();
            let data = receiver.receive_data(&mut message).await.expect("the frames are right");
            let sent = if data.is_text() {
                sender.send_text(validated(&message).expect("it is UTF-8")).await
            } else {
                sender.send_binary(&message).await
            };
            sent.expect("the wire takes all");
            sender.flush().await.expect("the wire takes all");
        }
    })
}

fn batching_echo(wire: Wire) -> Work {
    let (mut sender, mut receiver) = Builder::new(buffered(wire), Mode::Server).finish();
    Box::pin(async move {
        let mut message = Vec::new();
        loop {
            message.clear();
            let data = {
                let mut receive = pin!(receiver.receive_data(&mut message));
                match poll_immediate(&mut receive).await {
                    Some(data) => data,
                    // The receiver answers control frames and so may hold what the sender needs.
                    None => join(receive, sender.flush()).await.0,
                }
            };
            let sent = match data.expect("the frames are right") {
                Data::Text(_) => {
                    let text = simdutf8::basic::from_utf8(&message).expect("it is UTF-8");
                    sender.send_text(text).await
                }
                Data::Binary(_) => sender.send_binary(&message).await,
            };
            sent.expect("the wire takes all");
        }
    })
}

fn buffered(wire: Wire) -> BufReader<BufWriter<Wire>> {
    BufReader::with_capacity(BUFFER, BufWriter::with_capacity(BUFFER, wire))
}

fn client(wire: Wire, messages: Messages) -> Work {
    let (sender, _) = Builder::new(wire, Mode::Client).finish();
    Box::pin(send(sender, messages))
}

fn buffered_client(wire: Wire, messages: Messages) -> Work {
    let (sender, _) = Builder::new(buffered(wire), Mode::Client).finish();
    Box::pin(send(sender, messages))
}

async fn send<T>(mut sender: Sender<T>, mut messages: Messages)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let is_text = messages.is_text();
    loop {
        while let Some(message) = messages.next() {
            let sent = if is_text {
                sender.send_text(message.as_str()).await
            } else {
                // It masks a copy. What saves that, `send_binary_mut`, overwrites the message, which
                // would have to be copied for it.
                sender.send_binary(&message[..]).await
            };
            sent.expect("the wire takes all");
        }
        sender.flush().await.expect("the wire takes all");
        messages.more().await;
    }
}
