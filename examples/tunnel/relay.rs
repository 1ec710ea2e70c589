//! Copies bytes between TCP and WebSocket, and passes on how each side ends.
//!
//! | what happens | what the other side sees |
//! |---|---|
//! | TCP ends its side | a Close with 1000, after all bytes. What the other side has sent before it answers still arrives; what it sends later is lost, because WebSocket has no half-close |
//! | the WebSocket closes with 1000, or without a code | all bytes, then the end of TCP |
//! | TCP is reset | a Close with 1001, or the bare end of the transport: not 1000 |
//! | the WebSocket ends in any other way | a reset, so that a part is not taken for the whole |

use sansocket::{
    connection::Role,
    on_tokio::{Stream, WebSocket},
};
use std::{
    io::{self, ErrorKind},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, sink},
    net::TcpStream,
    select,
    time::timeout,
};

/// How long TCP's other end may take to end its side once the WebSocket has ended. Closing at once
/// would turn what it still sends into a reset, which can overtake the last bytes for it.
const LINGER: Duration = Duration::from_secs(5);

/// The bytes that are copied at a time in each direction.
const BUFFER: usize = 64 << 10;

/// Copies in both directions until both have ended. Returns how much that was.
pub(crate) async fn relay<R: Role + Send>(
    mut stream: TcpStream,
    websocket: WebSocket<Stream, R>,
) -> Result<String, String> {
    // Each write is a message already, and small ones should not wait.
    let _ = stream.set_nodelay(true);
    let (sender, receiver) = websocket.split();
    let (mut reader, mut writer) = (receiver.into_byte_reader(), sender.into_byte_writer());
    let (mut up, mut down) = (0, 0);
    let relayed = {
        let (mut from_stream, mut to_stream) = stream.split();
        let upwards = async {
            let mut buffer = vec![0; BUFFER];
            loop {
                let count = from_stream.read(&mut buffer).await.map_err(End::Tcp)?;
                if count == 0 {
                    return writer.shutdown().await.map_err(End::WebSocket);
                }
                match writer.write_all(&buffer[..count]).await {
                    Ok(()) => up += count as u64,
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => break,
                    Err(error) => return Err(End::WebSocket(error)),
                }
            }
            // The WebSocket takes nothing more. What TCP still sends is lost.
            copy(&mut from_stream, &mut sink()).await.map(drop).map_err(End::Tcp)
        };
        let downwards = async {
            let mut buffer = vec![0; BUFFER];
            loop {
                let count = reader.read(&mut buffer).await.map_err(End::WebSocket)?;
                if count == 0 {
                    return to_stream.shutdown().await.map_err(End::Tcp);
                }
                to_stream.write_all(&buffer[..count]).await.map_err(End::Tcp)?;
                down += count as u64;
            }
        };
        let (mut upwards, mut downwards) = (std::pin::pin!(upwards), std::pin::pin!(downwards));
        select! {
            ended = &mut upwards => match ended {
                // The close timeout of the connection limits this.
                Ok(()) => downwards.await,
                cut => cut,
            },
            ended = &mut downwards => {
                if ended.is_ok() {
                    let _ = timeout(LINGER, upwards).await;
                }
                ended
            }
        }
    };
    match relayed {
        Ok(()) => Ok(format!("{up} bytes to the WebSocket, {down} bytes from it")),
        Err(End::WebSocket(error)) => {
            reset(stream);
            Err(format!("the WebSocket was cut: {error}"))
        }
        Err(End::Tcp(error)) => Err(format!("TCP was cut: {error}")),
    }
}

/// Which side has ended without being complete.
enum End {
    Tcp(io::Error),
    WebSocket(io::Error),
}

/// Ends a TCP connection with a reset.
pub(crate) fn reset(stream: TcpStream) {
    // If this fails, the other end sees an orderly end.
    let _ = stream.set_zero_linger();
}
