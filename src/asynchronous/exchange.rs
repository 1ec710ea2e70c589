use crate::{Error, ReadBuffer, WriteBuffer, io::REFUSAL_DRAIN_LIMIT, opening::REFUSAL_LINGER};
use ::tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::timeout,
};
use core::{
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};
use std::io::{self, ErrorKind};

/// A transport during the opening handshake.
#[derive(Debug)]
pub(crate) struct Exchange<S> {
    pub(crate) transport: S,
    pub(crate) input: ReadBuffer,
    pub(crate) output: WriteBuffer,
}

/// Bounds a step of the opening handshake.
pub(crate) async fn within<T>(
    limit: Option<Duration>,
    step: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    match limit {
        Some(limit) => timeout(limit, step).await.unwrap_or(Err(Error::HandshakeTimeout)),
        None => step.await,
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Exchange<S> {
    pub(crate) fn new(transport: S) -> Self {
        Self { transport, input: ReadBuffer::new(), output: WriteBuffer::new() }
    }

    /// Reads once; 0 at the end of the transport.
    pub(crate) async fn read(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.poll_read(cx)).await
    }

    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let count = ready!(poll_read(&mut self.transport, self.input.spare(1), cx))?;
        self.input.filled(count);
        Poll::Ready(Ok(count))
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        while !self.output.is_empty() {
            let transport = Pin::new(&mut self.transport);
            match ready!(transport.poll_write(cx, self.output.front()))? {
                0 => return Poll::Ready(Err(io::Error::from(ErrorKind::WriteZero).into())),
                count => self.output.consume(count),
            }
        }
        Pin::new(&mut self.transport).poll_flush(cx).map_err(Error::from)
    }

    /// Sends the refusal that is queued, and ends the transport so that it arrives: what the client
    /// still sends is read and dropped, within bounds. That the client is gone already or does not
    /// read is no news: why it was refused is what counts.
    pub(crate) async fn end_refused(&mut self) {
        let _ = within(Some(REFUSAL_LINGER), async {
            self.flush().await?;
            poll_fn(|cx| Pin::new(&mut self.transport).poll_shutdown(cx)).await?;
            let mut drained = 0;
            poll_fn(|cx| {
                let mut scrap = [0; 4096];
                while drained < REFUSAL_DRAIN_LIMIT {
                    match ready!(poll_read(&mut self.transport, &mut scrap, cx))? {
                        0 => break,
                        count => drained += count,
                    }
                }
                Poll::Ready(Ok(()))
            })
            .await
        })
        .await;
    }
}

fn poll_read<S: AsyncRead + Unpin>(
    transport: &mut S,
    into: &mut [u8],
    cx: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let mut buffer = ReadBuf::new(into);
    ready!(Pin::new(transport).poll_read(cx, &mut buffer))?;
    Poll::Ready(Ok(buffer.filled().len()))
}
