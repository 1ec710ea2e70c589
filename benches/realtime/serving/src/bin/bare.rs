//! The baselines: write the bytes that they get to many sockets, without any protocol.
//!
//! A client says in its first byte what it is: `s` gets everything, and `p` sends it. What `p` sends is
//! pieces, each behind its length in four bytes. With `--tasks`, each socket has a task of its own, which gets
//! the pieces by a channel; without it, the task of `p` writes to all sockets.

use std::{env, io, process::ExitCode, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{
        Mutex,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
};

type Piece = Arc<[u8]>;

enum Subscriber {
    Socket(TcpStream),
    Task(UnboundedSender<Piece>),
}

type Subscribers = Arc<Mutex<Vec<Subscriber>>>;

#[tokio::main]
async fn main() -> ExitCode {
    match serve(env::args().any(|argument| argument == "--tasks")).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(has_tasks: bool) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening {}", listener.local_addr()?.port());
    realtime_serving::until_input_ends(async move {
        let subscribers = Subscribers::default();
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(welcome(stream, subscribers.clone(), has_tasks));
            }
        }
    })
    .await;
    Ok(())
}

async fn welcome(
    mut stream: TcpStream,
    subscribers: Subscribers,
    has_tasks: bool,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let is_subscriber = stream.read_u8().await? == b's';
    stream.write_u8(b'.').await?;
    if is_subscriber {
        let subscriber = if has_tasks {
            let (sender, pieces) = unbounded_channel();
            tokio::spawn(write_pieces(stream, pieces));
            Subscriber::Task(sender)
        } else {
            Subscriber::Socket(stream)
        };
        subscribers.lock().await.push(subscriber);
        return Ok(());
    }
    let mut received = tokio::io::BufReader::with_capacity(64 << 10, stream);
    loop {
        let mut piece = vec![0; received.read_u32().await? as usize];
        received.read_exact(&mut piece).await?;
        let piece = Piece::from(piece);
        for subscriber in subscribers.lock().await.iter_mut() {
            match subscriber {
                Subscriber::Socket(stream) => write(stream, &piece).await,
                // The load waits for what it has not got, so whoever has left is not missed.
                Subscriber::Task(sender) => drop(sender.send(piece.clone())),
            }
        }
    }
}

/// Writes each piece for itself, as the other baseline does.
async fn write_pieces(mut stream: TcpStream, mut pieces: UnboundedReceiver<Piece>) {
    while let Some(piece) = pieces.recv().await {
        write(&mut stream, &piece).await;
    }
}

async fn write(subscriber: &mut TcpStream, piece: &[u8]) {
    match subscriber.try_write(piece) {
        Ok(written) if written == piece.len() => {}
        // The load waits for what it has not got, so whoever has left is not missed.
        Ok(written) => drop(subscriber.write_all(&piece[written..]).await),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            drop(subscriber.write_all(piece).await);
        }
        Err(_) => {}
    }
}
