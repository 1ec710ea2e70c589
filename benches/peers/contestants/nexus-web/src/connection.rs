//! An upgraded connection to a server: with the companion crate, and by hand.

use nexus_async_web::{
    WireStream,
    ws::{WsReader, WsWriter},
};
use nexus_web::ws::{CloseCode, Error, FrameReader, FrameWriter, Message, Role};
use std::io::{self, IoSlice};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// A message of 1 MiB, which its write buffer is to hold with a header.
pub(crate) const WRITE_BUFFER: usize = 1024 * 1024 + 64;
pub(crate) const READ_BUFFER: usize = 128 * 1024;
/// A payload from here on is written from where it is.
const LEAST_BORROWED: usize = 8 * 1024;
const FIN_TEXT: u8 = 0x81;
const FIN_BINARY: u8 = 0x82;

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

/// The reader has room for `capacity`. What one read brought is answered by one write; a large payload is not copied.
pub(crate) async fn echo_batches<S: AsyncRead + AsyncWrite + Unpin>(
    reader: &mut FrameReader,
    capacity: usize,
    mut stream: S,
) -> Result<(), Error> {
    let mut writer = FrameWriter::new(Role::Server);
    let mut output = Vec::with_capacity(capacity);
    loop {
        while let Some(message) = reader.next()? {
            let (first, payload) = match message {
                Message::Text(text) => (FIN_TEXT, text.as_bytes()),
                Message::Binary(data) => (FIN_BINARY, data),
                Message::Ping(data) => {
                    let mut pong = [0; 139];
                    let len = writer.encode_pong(data, &mut pong)?;
                    output.extend_from_slice(&pong[..len]);
                    continue;
                }
                Message::Pong(_) => continue,
                Message::Close(close) => {
                    let mut reply = [0; 139];
                    let len = match close.code {
                        CloseCode::NoStatus => writer.encode_empty_close(&mut reply),
                        code => writer.encode_close_code(code, close.reason, &mut reply)?,
                    };
                    output.extend_from_slice(&reply[..len]);
                    return Ok(stream.write_all(&output).await?);
                }
            };
            let (header, _) = writer.build_header(first, payload.len());
            output.extend_from_slice(header.as_bytes());
            if payload.len() < LEAST_BORROWED {
                output.extend_from_slice(payload);
            } else {
                write_both(&mut stream, &output, payload).await?;
                output.clear();
            }
        }
        if !output.is_empty() {
            stream.write_all(&output).await?;
            output.clear();
        }
        if reader.spare().len() < capacity / 2 {
            reader.compact();
        }
        match stream.read(reader.spare()).await? {
            0 => return Ok(()),
            count => reader.filled(count),
        }
    }
}

async fn write_both<S: AsyncWrite + Unpin>(
    stream: &mut S,
    first: &[u8],
    second: &[u8],
) -> io::Result<()> {
    let mut rest = &mut [IoSlice::new(first), IoSlice::new(second)][..];
    while !rest.is_empty() {
        match stream.write_vectored(rest).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            count => IoSlice::advance_slices(&mut rest, count),
        }
    }
    Ok(())
}
