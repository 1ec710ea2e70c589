//! Connections that your own tasks run, and that are still ended well if they are dropped.

use super::{ServerWebSocket, Tokio};
use crate::asynchronous::{OwningServer, linger};
use crate::buffer::WriteBuffer;
use ::tokio::{
    io::{AsyncRead, AsyncWrite},
    runtime::Handle,
};
use alloc::sync::Arc;
use core::task::Context;

/// The runtime as the server of a connection: it never shuts down, and ends what was dropped.
#[derive(Debug)]
struct Lingering(Handle);

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> OwningServer<S> for Lingering {
    fn is_shutting_down(&self) -> bool {
        false
    }

    fn is_shutting_down_or_wakes(&self, _: &Context<'_>) -> bool {
        false
    }

    fn linger(self: Arc<Self>, transport: S, unwritten: WriteBuffer) {
        // A runtime that has shut down drops the task, and the transport with it.
        self.0.spawn(linger::<S, Tokio>(transport, unwritten));
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> ServerWebSocket<S> {
    /// Makes a drop of this connection end it as [`serve`](super::serve) does: a task of the current
    /// runtime writes what is queued, for at most 2 seconds, and reads and drops up to 1 MiB that the
    /// client still sends. So the client learns what you sent last, such as why the connection failed. No
    /// Close is added. If you split the connection, this applies once both halves are dropped.
    ///
    /// Connections of `serve` have this already. Without it, a drop writes only what the transport takes at
    /// once, and a TCP connection with unread bytes is reset, which may destroy what the client has not read
    /// yet. The other shells do not have this method, because they know no runtime to run the task.
    ///
    /// Outside of a tokio runtime, this does nothing. A runtime that shuts down drops such tasks; what the
    /// transport takes at once is written before. The tasks count towards no limit of yours: each holds its
    /// transport and its queue until it ends.
    ///
    /// ```no_run
    /// use sansocket::on_tokio::accept;
    /// use tokio::net::TcpListener;
    ///
    /// # async fn run(listener: TcpListener) -> Result<(), sansocket::Error> {
    /// let (stream, _) = listener.accept().await?;
    /// let mut websocket = accept(stream).await?.linger_on_drop();
    /// websocket.feed("written even though nobody waits for it").await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn linger_on_drop(self) -> Self {
        match Handle::try_current() {
            // A server that runs this connection does more.
            Ok(runtime) if !self.has_server() => self.with_server(Arc::new(Lingering(runtime))),
            _ => self,
        }
    }
}
