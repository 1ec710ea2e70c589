//! The baseline: writes the bytes that it gets to many sockets, without any protocol.
//!
//! A client says in its first byte what it is: `s` gets everything, and `p` sends it. What `p` sends is
//! pieces, each behind its length in four bytes.

use std::{io, process::ExitCode, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Mutex,
};

type Subscribers = Arc<Mutex<Vec<TcpStream>>>;

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("listening {}", listener.local_addr()?.port());
    realtime_serving::until_input_ends(async move {
        let subscribers = Subscribers::default();
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(welcome(stream, subscribers.clone()));
            }
        }
    })
    .await;
    Ok(())
}

async fn welcome(mut stream: TcpStream, subscribers: Subscribers) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if stream.read_u8().await? == b's' {
        stream.write_u8(b'.').await?;
        subscribers.lock().await.push(stream);
        return Ok(());
    }
    stream.write_u8(b'.').await?;
    let mut received = tokio::io::BufReader::with_capacity(64 << 10, stream);
    loop {
        let mut piece = vec![0; received.read_u32().await? as usize];
        received.read_exact(&mut piece).await?;
        let mut subscribers = subscribers.lock().await;
        for subscriber in subscribers.iter_mut() {
            write(subscriber, &piece).await;
        }
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
