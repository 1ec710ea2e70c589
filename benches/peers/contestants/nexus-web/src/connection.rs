//! What both programs share.

use nexus_async_web::{
    WireStream,
    ws::{WsReader, WsWriter},
};
use nexus_web::ws::{Error, Message};

/// A message of 1 MiB, which its write buffer is to hold with a header.
pub(crate) const WRITE_BUFFER: usize = 1024 * 1024 + 64;
pub(crate) const READ_BUFFER: usize = 128 * 1024;
/// A payload from here on is written from where it is.
pub(crate) const LEAST_BORROWED: usize = 8 * 1024;
/// Room for the longest header.
pub(crate) const HEADROOM: usize = 14;
pub(crate) const FIN_TEXT: u8 = 0x81;
pub(crate) const FIN_BINARY: u8 = 0x82;

/// Each message is written by itself.
pub(crate) async fn echo<S: WireStream + Unpin>(
    mut reader: WsReader,
    mut writer: WsWriter,
    mut stream: S,
) -> Result<(), Error> {
    while let Some(message) = reader.recv(&mut stream).await? {
        match message {
            Message::Text(text) => writer.send_text(&mut stream, text).await?,
            Message::Binary(data) => writer.send_binary(&mut stream, data).await?,
            Message::Ping(data) => writer.send_pong(&mut stream, data).await?,
            Message::Pong(_) => {}
            Message::Close(close) => {
                return writer.close(&mut stream, close.code, close.reason).await;
            }
        }
    }
    Ok(())
}
