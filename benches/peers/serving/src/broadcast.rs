//! Sends one message to many connections, from one task.

use crate::{Library, Options, listen};
use bytes::Bytes;
use std::{
    future::Future,
    io::{self, stdin},
    thread,
};
use tokio::{net::TcpStream, sync::mpsc};

/// A library's fastest way to send the same message to many connections.
pub trait Broadcast: Library {
    /// The variants that broadcast in different ways, including those that only broadcast.
    const BROADCAST_VARIANTS: &'static [&'static str] = &["default"];
    /// A connection to write to.
    type Writer;
    /// A message that is prepared once and sent to many connections.
    type Prepared;

    /// Does the opening handshake.
    fn accept(stream: TcpStream, options: Options) -> impl Future<Output = Self::Writer>;
    /// Prepares a binary message.
    fn prepare(payload: Bytes) -> Self::Prepared;
    /// Sends and flushes a message.
    fn send(writer: &mut Self::Writer, message: &Self::Prepared) -> impl Future<Output = ()>;
    /// Sends and flushes a message on all connections.
    fn send_to_all(
        writers: &mut [Self::Writer],
        message: &Self::Prepared,
    ) -> impl Future<Output = ()> {
        async move {
            for writer in writers {
                Self::send(writer, message).await;
            }
        }
    }
}

struct Command {
    size: usize,
    count: usize,
}

pub(crate) async fn serve<B: Broadcast>(options: Options, connections: usize) -> io::Result<()> {
    let mut commands = commands();
    let listener = listen(&options).await?;
    let mut writers = Vec::with_capacity(connections);
    while writers.len() < connections {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        writers.push(B::accept(stream, options).await);
    }
    println!("ready");
    while let Some(Command { size, count }) = commands.recv().await {
        for number in 0..count {
            let message = B::prepare(payload(size, number));
            B::send_to_all(&mut writers, &message).await;
        }
        println!("sent");
    }
    Ok(())
}

/// Returns the payload that the load generator expects. Its bytes differ from message to message.
fn payload(size: usize, number: usize) -> Bytes {
    (0..size).map(|position| (position.wrapping_mul(31) + number) as u8).collect::<Vec<_>>().into()
}

fn commands() -> mpsc::UnboundedReceiver<Command> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in stdin().lines() {
            let Ok(line) = line else { break };
            let words: Vec<&str> = line.split(' ').collect();
            let command = match words[..] {
                ["send", size, count] => {
                    size.parse().and_then(|size| count.parse().map(|count| Command { size, count }))
                }
                _ => continue,
            };
            let Ok(command) = command else { break };
            if sender.send(command).is_err() {
                break;
            }
        }
        std::process::exit(0);
    });
    receiver
}
