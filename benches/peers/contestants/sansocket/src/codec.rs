//! `default` drives the sans-IO connection with default buffers. `tuned` writes large payloads
//! without copying them, and its read buffer size was the best of 8 to 128 KiB. `tokio` is the
//! connection on tokio, and `tokio-owned` receives owned messages there.

use in_memory::{Contestant, Kernel, Messages, Variant, Wire, Work, run};
use sansocket::{
    AsPayload, Config, Event, Payload,
    buffer::{ReadBuffer, WriteBuffer},
    connection::{Client, Connection, Progress, Role, Server},
    handshake::Negotiated,
    mask::{MaskKey, apply_mask},
    on_tokio::WebSocket,
    random::SystemMaskKeys,
    utf8::validate_utf8_prefix,
};
use std::{
    future::poll_fn,
    io::{IoSlice, Read, Write},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// `tuned` writes payloads of at least this size without a copy.
const LEAST_BORROWED: usize = 8 * 1024;

fn main() -> ExitCode {
    run(Contestant {
        name: "sansocket",
        variants: &[
            Variant {
                name: "default",
                echo: Some(|wire| echo(wire, ReadBuffer::new(), usize::MAX)),
                client: Some(client),
            },
            Variant {
                name: "tuned",
                echo: Some(|wire| {
                    echo(wire, ReadBuffer::with_memory(vec![0; 8 * 1024]), LEAST_BORROWED)
                }),
                client: None,
            },
            Variant { name: "tokio", echo: Some(tokio_echo), client: Some(tokio_client) },
            Variant { name: "tokio-owned", echo: Some(tokio_owned_echo), client: None },
        ],
        kernels: &[
            Kernel::Mask("default", |data, key| apply_mask(data, MaskKey::new(key), 0)),
            Kernel::Utf8("default", |text| validate_utf8_prefix(text) == Ok(text.len())),
        ],
    })
}

/// Echoes messages. Writes payloads of `least_borrowed` bytes or more without copying them.
fn echo(mut wire: Wire, mut input: ReadBuffer, least_borrowed: usize) -> Work {
    let mut connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
    let mut output = WriteBuffer::new();
    Box::pin(poll_fn(move |_| {
        loop {
            match wire.read(input.spare(1)) {
                Ok(count) => input.filled(count),
                Err(_) => return Poll::Pending,
            }
            loop {
                match connection.advance(&mut input, &mut output) {
                    Ok(Progress::Event | Progress::More) => {}
                    Ok(Progress::NeedsInput | Progress::Ended) => break,
                    Err(error) => panic!("{error}"),
                }
                let sent = match connection.event(&input) {
                    Some(Event::Text(text)) if text.len() >= least_borrowed => {
                        write_borrowed(text, &mut connection, &mut output, &mut wire);
                        Ok(())
                    }
                    Some(Event::Binary(data)) if data.len() >= least_borrowed => {
                        write_borrowed(data, &mut connection, &mut output, &mut wire);
                        Ok(())
                    }
                    Some(Event::Text(text)) => connection.send_text(text, &mut output),
                    Some(Event::Binary(data)) => connection.send_binary(data, &mut output),
                    _ => Ok(()),
                };
                sent.expect("the queue has room");
            }
            write(&mut wire, &mut output);
        }
    }))
}

fn system_keys() -> SystemMaskKeys {
    SystemMaskKeys::new().expect("the system provides random numbers")
}

fn client(mut wire: Wire, mut messages: Messages) -> Work {
    let role = Client::new(system_keys());
    let mut connection = Connection::new(role, &Negotiated::new(), Config::default());
    let mut output = WriteBuffer::new();
    let is_text = messages.is_text();
    Box::pin(poll_fn(move |_| {
        while messages.has_more() {
            while let Some(message) = messages.next() {
                let sent = if is_text {
                    connection.send_text(message.as_str(), &mut output)
                } else {
                    connection.send_binary(message, &mut output)
                };
                sent.expect("the queue has room");
            }
            write(&mut wire, &mut output);
        }
        Poll::Pending
    }))
}

fn write_borrowed(
    payload: impl AsPayload,
    connection: &mut Connection<Server>,
    output: &mut WriteBuffer,
    wire: &mut Wire,
) {
    let mut message = connection.send_in_place(&payload, output).expect("the queue has room");
    while !message.is_written() {
        let mut slices = [&[][..]; 4];
        let used = message.slices(&mut slices);
        let slices = slices.map(IoSlice::new);
        let count = wire.write_vectored(&slices[..used]).expect("the wire never fails");
        message.consume(count);
    }
}

fn write(wire: &mut Wire, output: &mut WriteBuffer) {
    while !output.is_empty() {
        let count = wire.write(output.front()).expect("the wire never fails");
        output.consume(count);
    }
}

fn tokio_echo(wire: Wire) -> Work {
    let mut websocket = websocket(wire, Server::new());
    in_turns(async move {
        websocket
            .receive_with(|event, replies| match event {
                Event::Text(text) => replies.try_feed(text),
                Event::Binary(data) => replies.try_feed(data),
                _ => Ok(()),
            })
            .await
            .expect("the wire never ends");
    })
}

fn tokio_owned_echo(wire: Wire) -> Work {
    let mut websocket = websocket(wire, Server::new());
    in_turns(async move {
        while let Some(message) = websocket.next().await {
            let message = message.expect("the wire never fails");
            websocket.feed(&message).await.expect("the queue has room");
        }
    })
}

fn tokio_client(wire: Wire, mut messages: Messages) -> Work {
    let mut websocket = websocket(wire, Client::new(system_keys()));
    let is_text = messages.is_text();
    Box::pin(async move {
        loop {
            while let Some(message) = messages.next() {
                let payload: Payload<'_> = if is_text {
                    Payload::text(message.as_str())
                } else {
                    message[..].as_payload()
                };
                websocket.feed(payload).await.expect("the wire never ends");
            }
            websocket.flush().await.expect("the wire never ends");
            messages.more().await;
        }
    })
}

/// Polls `work` again as long as it wakes itself, as an executor would: a loop over messages yields
/// to other tasks now and then.
fn in_turns(work: impl Future<Output = ()> + 'static) -> Work {
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }

        fn wake_by_ref(self: &Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut work = Box::pin(work);
    Box::pin(poll_fn(move |_| {
        loop {
            let poll = work.as_mut().poll(&mut Context::from_waker(&waker));
            if poll.is_ready() || !woken.0.swap(false, Ordering::Relaxed) {
                return poll;
            }
        }
    }))
}

fn websocket<R: Role>(wire: Wire, role: R) -> WebSocket<Wire, R> {
    WebSocket::new(wire, role, Negotiated::new(), ReadBuffer::new(), Config::default())
}
