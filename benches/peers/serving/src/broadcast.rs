//! Sends one message to many connections, from one task.

use crate::{Library, Options, listen};
use bytes::Bytes;
use std::{
    future::Future,
    io::{self, stdin},
    thread,
    time::{SystemTime, UNIX_EPOCH},
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

enum Command {
    Send { size: usize, count: usize },
    SendTimed { size: usize },
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
    while let Some(command) = commands.recv().await {
        match command {
            Command::Send { size, count } => {
                for number in 0..count {
                    let message = B::prepare(payload(size, number).into());
                    B::send_to_all(&mut writers, &message).await;
                }
            }
            Command::SendTimed { size } => {
                let message = B::prepare(timed_payload(size).into());
                B::send_to_all(&mut writers, &message).await;
            }
        }
        println!("sent");
    }
    Ok(())
}

/// Returns the payload that the load generator expects. Its bytes differ from message to message.
fn payload(size: usize, number: usize) -> Vec<u8> {
    (0..size).map(|position| (position.wrapping_mul(31) + number) as u8).collect()
}

/// Returns a payload that begins with the time, in nanoseconds since 1970.
fn timed_payload(size: usize) -> Vec<u8> {
    let mut payload = payload(size, 0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let nanoseconds = now.map_or(0, |now| now.as_nanos() as u64).to_le_bytes();
    payload[..nanoseconds.len()].copy_from_slice(&nanoseconds);
    payload
}

fn commands() -> mpsc::UnboundedReceiver<Command> {
    let (sender, receiver) = mpsc::unbounded_channel();
    thread::spawn(move || {
        for line in stdin().lines() {
            let Ok(line) = line else { break };
            let words: Vec<&str> = line.split(' ').collect();
            let command = match words[..] {
                ["send", size, count] => size
                    .parse()
                    .and_then(|size| count.parse().map(|count| Command::Send { size, count }))
                    .ok(),
                ["send-timed", size] => {
                    let size = size.parse().ok().filter(|size| *size >= size_of::<u64>());
                    size.map(|size| Command::SendTimed { size })
                }
                _ => continue,
            };
            let Some(command) = command else { break };
            if sender.send(command).is_err() {
                break;
            }
        }
        std::process::exit(0);
    });
    receiver
}
