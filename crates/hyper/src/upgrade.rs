//! The server's part of an upgrade (RFC 6455 §4.2, RFC 8441 §5).

use crate::{
    error::Error,
    fields::{append, borrowed, fields, version as to_numbers},
    upgraded::Upgraded,
};
use http::{Extensions, HeaderMap, Method, Response, StatusCode, Uri, Version, request};
use hyper::upgrade::OnUpgrade;
use sansocket::{
    Config,
    buffer::ReadBuffer,
    handshake::{Accept, ExtendedConnect, HandshakeError, Negotiated, Request},
    on_tokio::{self, ServerWebSocket},
    server::Acceptor,
};
use std::{
    fmt,
    future::Future,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::{Sleep, sleep};

/// Answers a request that opens a WebSocket, with the default [`Acceptor`]: pages of other hosts may not
/// connect, and nothing is compressed.
///
/// Returns the response, which you return from your service, and a future of the WebSocket, which you
/// spawn: hyper upgrades the connection only after it has written the response.
///
/// `Acceptor` has limits, origins, compression, keepalive and more: see [`UpgradeRequest`].
///
/// # Errors
///
/// Returns an error if the request opens no WebSocket. [`Error::response`] is the response to send then.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use hyper::{Request, Response, body::Incoming};
///
/// async fn service(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
///     let version = request.version();
///     let (response, websocket) = match sansocket_hyper::upgrade(&mut request) {
///         Ok(upgrade) => upgrade,
///         Err(error) => return Ok(error.response(version)),
///     };
///     tokio::spawn(async move {
///         let mut websocket = websocket.await?;
///         while let Some(message) = websocket.next().await {
///             websocket.send(message?).await?;
///         }
///         Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
///     });
///     Ok(response)
/// }
/// ```
pub fn upgrade<B, R: Default>(
    request: &mut http::Request<B>,
) -> Result<(Response<R>, Upgrade), Error> {
    UpgradeRequest::new(&Acceptor::new(), request, None)?.accept(&Accept::new())
}

/// A request that opens a WebSocket, and waits for your answer.
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use hyper::{Request, Response, body::Incoming};
/// use sansocket::{handshake::Accept, server::Acceptor};
/// use sansocket_hyper::{Error, UpgradeRequest};
///
/// /// Chooses a subprotocol. A server makes one acceptor, and keeps it.
/// fn answer(
///     acceptor: &Acceptor,
///     request: &mut Request<Incoming>,
/// ) -> Result<Response<Full<Bytes>>, Error> {
///     let request = UpgradeRequest::new(acceptor, request, None)?;
///     let answer = match request.request().subprotocols().find(|name| *name == "chat") {
///         Some(name) => Accept::new().subprotocol(name),
///         None => Accept::new(),
///     };
///     let (response, websocket) = request.accept(&answer)?;
///     tokio::spawn(async move {
///         let mut websocket = websocket.await?;
///         websocket.send("hello").await?;
///         Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
///     });
///     Ok(response)
/// }
/// ```
pub struct UpgradeRequest {
    request: Request,
    peer: Option<SocketAddr>,
    acceptor: Acceptor,
    /// What the acceptor says of the request.
    checked: Result<(), HandshakeError>,
    on_upgrade: OnUpgrade,
}

/// A future of the WebSocket, which is ready once hyper has written the response.
///
/// Dropping it ends the connection. Dropping the WebSocket leaves the end to a task of the runtime: see
/// [`linger_on_drop`](on_tokio::WebSocket::linger_on_drop).
#[must_use = "spawn this, or the connection ends"]
pub struct Upgrade {
    on_upgrade: OnUpgrade,
    /// Boxed, because the task of the connection may keep the room for this future.
    request: Box<Request>,
    negotiated: Negotiated,
    config: Config,
    timeout: Option<(Duration, Pin<Box<Sleep>>)>,
}

impl UpgradeRequest {
    /// Checks a request: that it opens a WebSocket in HTTP/1.1 or HTTP/2, that its head is within the limits
    /// of the acceptor, and that its origin is allowed. `peer` is the address of the connection's other end, if
    /// you know it. The request then has a [client's address](Request::client_address).
    ///
    /// A request that fails is left as it was, for another handler.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Handshake`] if the request opens no WebSocket, if its head exceeds a limit, or if its
    /// origin is not allowed, and [`Error::NotUpgradable`] if hyper can't upgrade the connection. [`Error::response`] is the
    /// response to send then.
    pub fn new<B>(
        acceptor: &Acceptor,
        request: &mut http::Request<B>,
        peer: Option<SocketAddr>,
    ) -> Result<Self, Error> {
        let (method, uri, version) = (request.method(), request.uri(), request.version());
        let mut received = check(method, uri, version, request.headers(), request.extensions())?;
        acceptor.check(&mut received, peer)?;
        // A request that is refused keeps its upgrade, which another protocol may need.
        let on_upgrade = take_upgrade(request.extensions_mut())?;
        let acceptor = acceptor.clone();
        Ok(Self { request: received, peer, acceptor, checked: Ok(()), on_upgrade })
    }

    /// Works like [`new`](Self::new), for a framework that has taken the request apart, and whose handlers
    /// may [choose](Self::set_acceptor) another acceptor. If the acceptor does not allow the request,
    /// [`accept`](Self::accept) says so.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Handshake`] if the request opens no WebSocket, and [`Error::NotUpgradable`] if hyper
    /// can't upgrade the connection.
    pub fn from_parts(
        acceptor: &Acceptor,
        parts: &mut request::Parts,
        peer: Option<SocketAddr>,
    ) -> Result<Self, Error> {
        let request::Parts { method, uri, version, headers, extensions, .. } = parts;
        let mut received = check(method, uri, *version, headers, extensions)?;
        let checked = acceptor.check(&mut received, peer);
        let on_upgrade = take_upgrade(extensions)?;
        Ok(Self { request: received, peer, acceptor: acceptor.clone(), checked, on_upgrade })
    }

    /// Lets another acceptor decide on the request instead of the one that it was created with. In some
    /// frameworks, a handler chooses the acceptor after the framework has checked the request.
    ///
    /// If this acceptor does not allow the origin or the size of the request, [`accept`](Self::accept) returns
    /// that error.
    pub fn set_acceptor(&mut self, acceptor: &Acceptor) {
        self.checked = acceptor.check(&mut self.request, self.peer);
        self.acceptor = acceptor.clone();
    }

    /// Returns the client's request.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Accepts the client. Returns the response, which you return from your service, and a future of the
    /// WebSocket, which you spawn.
    ///
    /// To refuse the client, drop this and return a response of your own.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Accept`] if the answer is not valid for this request, and [`Error::Handshake`] if
    /// an acceptor that was [set](Self::set_acceptor) does not allow the request.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime if the acceptor has a handshake timeout.
    pub fn accept<B: Default>(self, answer: &Accept) -> Result<(Response<B>, Upgrade), Error> {
        self.checked?;
        let (acceptance, config) = self.acceptor.acceptance(&self.request, answer)?;
        let mut response = Response::new(B::default());
        *response.status_mut() =
            StatusCode::from_u16(acceptance.status).map_err(http::Error::from)?;
        append(response.headers_mut(), borrowed(&acceptance.headers))?;
        let timeout = self.acceptor.get_handshake_timeout();
        let upgrade = Upgrade {
            on_upgrade: self.on_upgrade,
            request: Box::new(self.request),
            negotiated: acceptance.negotiated,
            config,
            timeout: timeout.map(|timeout| (timeout, Box::pin(sleep(timeout)))),
        };
        Ok((response, upgrade))
    }
}

impl Future for Upgrade {
    type Output = Result<ServerWebSocket<Upgraded>, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match Pin::new(&mut self.on_upgrade).poll(cx) {
            Poll::Ready(Ok(io)) => {
                let transport = Upgraded::new(io, self.request.is_extended_connect());
                let negotiated = std::mem::take(&mut self.negotiated);
                // hyper has read the bytes that came after the request, and returns them first.
                let input = ReadBuffer::new();
                let websocket = on_tokio::WebSocket::for_request(
                    transport,
                    &self.request,
                    negotiated,
                    input,
                    self.config,
                );
                // hyper has no task for a connection that was handed over.
                Poll::Ready(Ok(websocket.linger_on_drop()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(Error::of_upgrade(error))),
            Poll::Pending => match &mut self.timeout {
                Some((timeout, sleep)) => {
                    sleep.as_mut().poll(cx).map(|()| Err(Error::Timeout(*timeout)))
                }
                None => Poll::Pending,
            },
        }
    }
}

/// Performs the checks that do not depend on the acceptor.
fn check(
    method: &Method,
    uri: &Uri,
    version: Version,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Request, Error> {
    let target = uri.path_and_query().map_or("", |target| target.as_str());
    if version >= Version::HTTP_2 {
        if method != Method::CONNECT {
            return Err(Error::NotConnect(method.clone()));
        }
        let connect = ExtendedConnect {
            protocol: protocol(extensions),
            scheme: uri.scheme_str().unwrap_or_default(),
            authority: uri.authority().map_or("", |authority| authority.as_str()),
            path: target,
        };
        return Ok(Request::extended_connect(connect, fields(headers))?);
    }
    let absolute = uri.scheme().is_some().then(|| uri.to_string());
    let target = absolute.as_deref().unwrap_or(target);
    Ok(Request::new(method.as_str(), target, to_numbers(version), fields(headers))?)
}

fn take_upgrade(extensions: &mut Extensions) -> Result<OnUpgrade, Error> {
    extensions.remove::<OnUpgrade>().ok_or(Error::NotUpgradable)
}

#[cfg(feature = "http2")]
fn protocol(extensions: &Extensions) -> &str {
    extensions.get::<hyper::ext::Protocol>().map_or("", |protocol| protocol.as_str())
}

#[cfg(not(feature = "http2"))]
fn protocol(_: &Extensions) -> &str {
    ""
}

impl fmt::Debug for UpgradeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpgradeRequest").field("request", &self.request).finish_non_exhaustive()
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade").field("negotiated", &self.negotiated).finish_non_exhaustive()
    }
}
