//! `default` is on the bare transport, as in the documentation; `tuned` takes the quicker of the
//! functions that a user can validate text with. Buffers, which are for transports that take time, made
//! both slower here.

use in_memory::{Contestant, Kernel, Messages, Variant, Wire, Work, run};
use soketto::{
    base::{Codec, Header, OpCode},
    connection::{Builder, Mode},
};
use std::process::ExitCode;

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

fn client(wire: Wire, mut messages: Messages) -> Work {
    let (mut sender, _) = Builder::new(wire, Mode::Client).finish();
    Box::pin(async move {
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
    })
}
