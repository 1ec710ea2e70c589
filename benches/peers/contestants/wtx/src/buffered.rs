//! A stream for wtx's WebSocket that buffers writes.

use std::io::IoSlice;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use wtx::stream::{StreamReader, StreamWriter};

/// Payloads of at least this size are written without a copy.
const LEAST_BORROWED: usize = 8 * 1024;
/// Written immediately once this many bytes are buffered.
const MOST_WAITING: usize = 64 * 1024;

/// Keeps small message frames until the next read.
pub(crate) struct Buffered<T> {
    inner: T,
    waiting: Vec<u8>,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Buffered<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self { inner, waiting: Vec::with_capacity(MOST_WAITING) }
    }

    async fn flush(&mut self) -> wtx::Result<()> {
        if !self.waiting.is_empty() {
            self.inner.write_all(&self.waiting).await?;
            self.waiting.clear();
        }
        Ok(())
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> StreamReader for Buffered<T> {
    async fn read(&mut self, into: &mut [u8]) -> wtx::Result<usize> {
        self.flush().await?;
        Ok(self.inner.read(into).await?)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> StreamWriter for Buffered<T> {
    async fn write_all(&mut self, bytes: &[u8]) -> wtx::Result<()> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= MOST_WAITING {
            self.flush().await?;
        }
        Ok(())
    }

    async fn write_all_vectored(&mut self, frame: &[&[u8]]) -> wtx::Result<()> {
        let Some((last, rest)) = frame.split_last() else { return Ok(()) };
        for bytes in rest {
            self.waiting.extend_from_slice(bytes);
        }
        if last.len() < LEAST_BORROWED {
            self.write_all(last).await?;
            // After a Close there may be no next read.
            let is_control = frame[0].first().is_some_and(|first| first & 0x08 != 0);
            return if is_control { self.flush().await } else { Ok(()) };
        }
        let written = write_all_vectored(&mut self.inner, &[&self.waiting, last]).await;
        self.waiting.clear();
        Ok(written?)
    }
}

pub(crate) async fn write_all_vectored<T: AsyncWrite + Unpin>(
    stream: &mut T,
    bytes: &[&[u8]; 2],
) -> std::io::Result<()> {
    let mut rest = &mut bytes.map(IoSlice::new)[..];
    while !rest.is_empty() {
        match stream.write_vectored(rest).await? {
            0 => return Err(std::io::ErrorKind::WriteZero.into()),
            count => IoSlice::advance_slices(&mut rest, count),
        }
    }
    Ok(())
}
