//! WebSockets on the streams of an HTTP/2 connection (RFC 8441), for clients.

use crate::{error::Error, send_request::SendRequest};
use http::{Request, Response, Version};
use hyper::{
    body::{Body, Incoming},
    client::conn::http2::{Connection, SendRequest as Sender},
    rt::{Read, Write, bounds::Http2ClientConnExec},
};
use std::{fmt, time::Duration};
use tokio::time::timeout;

/// How long the settings of a server may take.
const SETTINGS_TIMEOUT: Duration = Duration::from_secs(10);

/// The pauses after which the settings are looked at again: they begin with the first, and double up to
/// the second.
const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(50)];

/// The sender of an HTTP/2 connection whose server has enabled extended CONNECT (RFC 8441 §3).
///
/// Clones share the connection: each [`connect`](crate::connect) opens a WebSocket on a stream of its own.
///
/// ```no_run
/// use bytes::Bytes;
/// use http_body_util::Empty;
/// use hyper_util::rt::{TokioExecutor, TokioIo};
/// use sansocket::client::Connector;
/// use sansocket_hyper::{Http2, connect};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let stream = tokio::net::TcpStream::connect("127.0.0.1:9001").await?;
/// let executor = TokioExecutor::new();
/// let (sender, mut connection) =
///     hyper::client::conn::http2::handshake::<_, _, Empty<Bytes>>(executor, TokioIo::new(stream))
///         .await?;
/// let mut http2 = Http2::enabled(sender, &mut connection).await?;
/// tokio::spawn(connection);
///
/// let connector = Connector::new();
/// let (mut one, _) = connect(&connector, &mut http2, "ws://127.0.0.1:9001/one").await?;
/// let (mut two, _) = connect(&connector, &mut http2, "ws://127.0.0.1:9001/two").await?;
/// one.send("on the first stream").await?;
/// two.send("on the second").await?;
/// # Ok(())
/// # }
/// ```
pub struct Http2<B>(Sender<B>);

impl<B> Http2<B> {
    /// Drives a new connection until the server has enabled extended CONNECT: a client must not use it
    /// earlier (RFC 8441 §3). Spawn the connection afterwards.
    ///
    /// # Errors
    ///
    /// Returns [`Error::ExtendedConnectDisabled`] if the server has not enabled it within 10 seconds, and
    /// [`Error::Hyper`] if the connection fails or ends.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: the connection is as it was, and `sender` is dropped.
    pub async fn enabled<T, E>(
        sender: Sender<B>,
        connection: &mut Connection<T, B, E>,
    ) -> Result<Self, Error>
    where
        T: Read + Write + Unpin + 'static,
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>>
            + Unpin
            + 'static,
        E: Http2ClientConnExec<B, T> + Unpin,
    {
        // hyper reads the settings in a task of its own and wakes nobody when they come, so ask again.
        let enabled = async {
            let [mut pause, longest] = PAUSES;
            while !connection.is_extended_connect_protocol_enabled() {
                match timeout(pause, &mut *connection).await {
                    Ok(Ok(())) => return Err(Error::ConnectionEnded),
                    Ok(Err(error)) => return Err(Error::Hyper(error)),
                    Err(_) => pause = longest.min(2 * pause),
                }
            }
            Ok(())
        };
        timeout(SETTINGS_TIMEOUT, enabled)
            .await
            .map_err(|_| Error::ExtendedConnectDisabled(SETTINGS_TIMEOUT))??;
        Ok(Self(sender))
    }

    /// Returns the sender, for other requests on the same connection.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut Sender<B> {
        &mut self.0
    }
}

impl<B: Body + Default + Send + 'static> SendRequest for Http2<B> {
    type Body = B;

    const IS_STREAM: bool = true;
    const VERSION: Version = Version::HTTP_2;
    const NEEDS_AUTHORITY: bool = true;

    async fn send_request(&mut self, request: Request<B>) -> Result<Response<Incoming>, Error> {
        self.0.ready().await.map_err(Error::Hyper)?;
        self.0.send_request(request).await.map_err(Error::Hyper)
    }
}

impl<B> Clone for Http2<B> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B> fmt::Debug for Http2<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Http2").field(&self.0).finish()
    }
}
