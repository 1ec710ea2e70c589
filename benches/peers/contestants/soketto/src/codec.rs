//! `default` uses the bare transport, as in the documentation. `tuned` validates text with the
//! fastest function available to a user. Neither is buffered: buffers are meant for slow transports
//! and made both slower here.

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
            let data = receiver.receive_data(&mut message).await.expect("the frames are valid");
            let sent = if data.is_text() {
                sender.send_text(validated(&message).expect("the text is UTF-8")).await
            } else {
                sender.send_binary(&message).await
            };
            sent.expect("the wire never fails");
            sender.flush().await.expect("the wire never fails");
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
                    // This masks a copy. `send_binary_mut` would mask in place, but overwriting the
                    // message would need a copy first.
                    sender.send_binary(&message[..]).await
                };
                sent.expect("the wire never fails");
            }
            sender.flush().await.expect("the wire never fails");
            messages.more().await;
        }
    })
}
