//! Constants and the `default` echo, shared by both programs.

use nexus_async_web::{
    WireStream,
    ws::{WsReader, WsWriter},
};
use nexus_web::ws::{Error, Message};

/// Room for a message of 1 MiB and its header, which the write buffer must hold.
pub(crate) const WRITE_BUFFER: usize = 1024 * 1024 + 64;
pub(crate) const READ_BUFFER: usize = 128 * 1024;
/// Payloads of at least this size are written without a copy.
pub(crate) const LEAST_BORROWED: usize = 8 * 1024;
/// The length of the longest header.
pub(crate) const HEADROOM: usize = 14;
pub(crate) const FIN_TEXT: u8 = 0x81;
pub(crate) const FIN_BINARY: u8 = 0x82;

/// Echoes messages, and writes each one separately.
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
