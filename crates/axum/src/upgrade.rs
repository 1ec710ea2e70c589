//! The extractor: a request for a WebSocket, and how to answer it.

use crate::{
    Acceptor, DefaultOnFailedUpgrade, OnFailedUpgrade, UpgradeError, WebSocket,
    WebSocketUpgradeRejection,
};
use axum_core::response::Response;
use http::Version;
#[cfg(feature = "deflate")]
use sansocket::DeflateConfig;
use sansocket::{
    Config,
    connection::{Keepalive, OutboxConfig},
    handshake::{Accept, Request},
    server::OriginPolicy,
};
use sansocket_hyper::{Upgrade, UpgradeRequest};
use std::{borrow::Cow, fmt, future::Future};

/// An extractor for requests that open a WebSocket, on HTTP/1.1 and HTTP/2.
///
/// Route it with [`any`]: it is a GET on HTTP/1.1 and a CONNECT on HTTP/2.
///
/// ```
/// use axum::{Router, response::Response, routing::any};
/// use sansocket_axum::{WebSocket, WebSocketUpgrade};
///
/// async fn handler(ws: WebSocketUpgrade) -> Response {
///     ws.on_upgrade(echo)
/// }
///
/// async fn echo(mut websocket: WebSocket) {
///     while let Some(Ok(message)) = websocket.next().await {
///         if websocket.send(message).await.is_err() {
///             break;
///         }
///     }
/// }
///
/// let app: Router = Router::new().route("/ws", any(handler));
/// ```
///
/// A request that opens no WebSocket is answered by the
/// [`WebSocketUpgradeRejection`](crate::WebSocketUpgradeRejection). `Option<WebSocketUpgrade>` is `None`
/// for a request that asks for something else, so that one route can also have a page.
///
/// # Which policy applies
///
/// The [`Acceptor`] says which origins may connect, and how connections behave. Without one, only pages
/// of the same host may connect. There are three ways to change that, and later ones override earlier
/// ones:
///
/// - For all handlers of a router, add the acceptor as a layer: `.layer(Extension(acceptor))`.
/// - For one handler, keep the acceptor in the state, and call [`acceptor`](Self::acceptor).
/// - Other methods, such as [`keepalive`](Self::keepalive), change one thing for one connection.
///
/// ```
/// use axum::{Extension, Router, response::Response, routing::any};
/// use sansocket_axum::sansocket::{Config, connection::Keepalive, server::OriginPolicy};
/// use sansocket_axum::{Acceptor, WebSocketUpgrade};
///
/// async fn handler(ws: WebSocketUpgrade) -> Response {
///     ws.max_message_size(64 << 10).on_upgrade(|_websocket| async {})
/// }
///
/// let acceptor: Acceptor = Acceptor::new()
///     .origin(OriginPolicy::same_origin().also_allow(["https://example.com"])?)
///     .config(Config::default().keepalive(Keepalive::default()));
/// let app: Router = Router::new().route("/ws", any(handler)).layer(Extension(acceptor));
/// # Ok::<(), sansocket_axum::sansocket::server::OriginPatternError>(())
/// ```
///
/// The origin and the size of the head are checked when the handler calls
/// [`on_upgrade`](Self::on_upgrade). So do not act on behalf of the user, such as with a cookie of the
/// request, before that.
///
/// # The address of the client
///
/// With `into_make_service_with_connect_info::<SocketAddr>()`, the [`request`](Self::request) has the
/// [client's address](Request::client_address). It comes from a proxy if that is one of
/// [`Acceptor::trusted_proxies`]. This is the feature `connect-info`, which is on by default.
///
/// [`any`]: https://docs.rs/axum/0.8/axum/routing/fn.any.html
/// [`Acceptor::trusted_proxies`]: sansocket::server::Acceptor::trusted_proxies
#[must_use = "return the response of `on_upgrade`"]
pub struct WebSocketUpgrade<F = DefaultOnFailedUpgrade> {
    request: UpgradeRequest,
    acceptor: Acceptor,
    config: Config,
    version: Version,
    protocol: Option<Cow<'static, str>>,
    answer: Accept,
    on_failed_upgrade: F,
}

impl WebSocketUpgrade {
    pub(crate) fn new(request: UpgradeRequest, acceptor: Acceptor, version: Version) -> Self {
        let config = *acceptor.get_config();
        let answer = Accept::new();
        let on_failed_upgrade = DefaultOnFailedUpgrade;
        Self { request, acceptor, config, version, protocol: None, answer, on_failed_upgrade }
    }
}

impl<F> WebSocketUpgrade<F> {
    /// Returns the request: its path, its fields, what the client offers, and its address.
    #[must_use]
    pub fn request(&self) -> &Request {
        self.request.request()
    }

    /// Sets which origins may connect and how the connection behaves. An acceptor is cheap to clone; keep
    /// it in the state of your app.
    ///
    /// This overrides what other methods have set before, apart from protocols and header fields.
    /// The TLS and the plain responses of an acceptor have no effect here.
    ///
    /// ```
    /// use axum::{Router, extract::State, response::Response, routing::any};
    /// use sansocket_axum::sansocket::server::OriginPolicy;
    /// use sansocket_axum::{Acceptor, WebSocketUpgrade};
    ///
    /// #[derive(Clone)]
    /// struct App {
    ///     acceptor: Acceptor,
    /// }
    ///
    /// async fn handler(ws: WebSocketUpgrade, State(app): State<App>) -> Response {
    ///     ws.acceptor(app.acceptor).on_upgrade(|_websocket| async {})
    /// }
    ///
    /// let acceptor = Acceptor::new().origin(OriginPolicy::any());
    /// let app: Router = Router::new().route("/ws", any(handler)).with_state(App { acceptor });
    /// ```
    pub fn acceptor(mut self, acceptor: Acceptor) -> Self {
        self.request.set_acceptor(&acceptor);
        self.config = *acceptor.get_config();
        self.acceptor = acceptor;
        self
    }

    /// Sets which web pages may connect from a browser (RFC 6455 §10.2). By default, only those of the
    /// same host and port may.
    #[doc(alias = "CorsLayer")]
    pub fn origin(mut self, policy: OriginPolicy) -> Self {
        self.acceptor = self.acceptor.origin(policy);
        self.request.set_acceptor(&self.acceptor);
        self
    }

    /// Sets how the connection behaves.
    ///
    /// Buffers have no sizes to set: they grow as needed, and an idle connection has none. An unmasked
    /// frame of a client is always an error (RFC 6455 §5.1).
    #[doc(alias = "accept_unmasked_frames")]
    #[doc(alias = "max_write_buffer_size")]
    #[doc(alias = "read_buffer_size")]
    #[doc(alias = "write_buffer_size")]
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Sets the largest message of the client, in bytes: [`Limits::message`](sansocket::Limits::message).
    /// The default is 16 MiB. A larger one fails the connection with 1009.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.config.limits.message = as_u64(bytes);
        self
    }

    /// Sets the largest frame of the client, in bytes: [`Limits::frame`](sansocket::Limits::frame). The
    /// default is a little more than the [largest message](Self::max_message_size).
    pub fn max_frame_size(mut self, bytes: usize) -> Self {
        self.config.limits.frame = Some(as_u64(bytes));
        self
    }

    /// Pings a silent client, and gives up on one that stays silent: see
    /// [`Config::keepalive`](sansocket::Config::keepalive). This is off by default.
    pub fn keepalive(mut self, keepalive: Keepalive) -> Self {
        self.config = self.config.keepalive(keepalive);
        self
    }

    /// Sets what happens to messages that you push to a slow client: see
    /// [`Config::outbox`](sansocket::Config::outbox).
    pub fn outbox(mut self, outbox: OutboxConfig) -> Self {
        self.config = self.config.outbox(outbox);
        self
    }

    /// Compresses messages if the client offers it: see [`Config::deflate`](sansocket::Config::deflate).
    /// This is off by default.
    #[cfg(feature = "deflate")]
    #[doc(alias = "compression")]
    pub fn deflate(mut self, deflate: DeflateConfig) -> Self {
        self.config = self.config.deflate(deflate);
        self
    }

    /// Adds a header field to the response that opens the WebSocket, such as a cookie.
    ///
    /// If the field can't be sent, the response is 500, and
    /// [`on_failed_upgrade`](Self::on_failed_upgrade) gets the error.
    ///
    /// ```
    /// use axum::{http::header::SET_COOKIE, response::Response};
    /// use sansocket_axum::WebSocketUpgrade;
    ///
    /// async fn handler(ws: WebSocketUpgrade) -> Response {
    ///     ws.header(SET_COOKIE, "seen=1; HttpOnly").on_upgrade(|_websocket| async {})
    /// }
    /// # let _ = handler;
    /// ```
    pub fn header(mut self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.answer = self.answer.header(name.as_ref(), value);
        self
    }

    /// Selects a subprotocol: the first of these that the client offers, if it offers any. List those
    /// that you prefer first.
    ///
    /// ```
    /// use axum::response::Response;
    /// use sansocket_axum::WebSocketUpgrade;
    ///
    /// async fn handler(ws: WebSocketUpgrade) -> Response {
    ///     ws.protocols(["graphql-transport-ws", "graphql-ws"]).on_upgrade(|websocket| async move {
    ///         println!("{:?}", websocket.negotiated().subprotocol);
    ///     })
    /// }
    /// # let _ = handler;
    /// ```
    #[doc(alias = "subprotocol")]
    pub fn protocols<I>(mut self, protocols: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Cow<'static, str>>,
    {
        let offered =
            |name: &Cow<'static, str>| self.requested_protocols().any(|other| other == name);
        self.protocol = protocols.into_iter().map(Into::into).find(offered);
        self
    }

    /// Iterates over the subprotocols that the client offers, in its order of preference.
    pub fn requested_protocols(&self) -> impl Iterator<Item = &str> {
        self.request().subprotocols()
    }

    /// Selects a subprotocol, which must be one of those that the client
    /// [offers](Self::requested_protocols). It replaces what [`protocols`](Self::protocols) has selected.
    ///
    /// If the client does not offer it, the response is 500, and
    /// [`on_failed_upgrade`](Self::on_failed_upgrade) gets the error.
    pub fn set_selected_protocol(&mut self, protocol: impl Into<Cow<'static, str>>) {
        self.protocol = Some(protocol.into());
    }

    /// Returns the selected subprotocol.
    #[must_use]
    pub fn selected_protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Sets what to do if the WebSocket is not opened: the origin is not allowed, the head exceeds a limit,
    /// your answer is not valid for the request, or the connection ends before the response is written. By
    /// default, the error is ignored.
    ///
    /// ```
    /// use axum::response::Response;
    /// use sansocket_axum::WebSocketUpgrade;
    ///
    /// async fn handler(ws: WebSocketUpgrade) -> Response {
    ///     ws.on_failed_upgrade(|error| eprintln!("no WebSocket: {error}"))
    ///         .on_upgrade(|_websocket| async {})
    /// }
    /// # let _ = handler;
    /// ```
    pub fn on_failed_upgrade<C: OnFailedUpgrade>(self, callback: C) -> WebSocketUpgrade<C> {
        WebSocketUpgrade {
            request: self.request,
            acceptor: self.acceptor,
            config: self.config,
            version: self.version,
            protocol: self.protocol,
            answer: self.answer,
            on_failed_upgrade: callback,
        }
    }

    /// Opens the WebSocket. Return the response from your handler: the callback runs in a task of its own
    /// once the response is written.
    ///
    /// If the origin is not allowed, the response is 403 instead. If the head exceeds a limit, it is 414 or
    /// 431, and if the answer is not valid for the request, 500. In each case,
    /// [`on_failed_upgrade`](Self::on_failed_upgrade) gets the error and the callback is not called.
    ///
    /// Refuse a client before you call this, in the handler or in an extractor: on HTTP/1.1, hyper hands
    /// the connection over even if a layer replaces the response.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime with a time driver.
    #[must_use = "return the response from your handler"]
    pub fn on_upgrade<C, Fut>(self, callback: C) -> Response
    where
        C: FnOnce(WebSocket) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
        F: OnFailedUpgrade,
    {
        let version = self.version;
        let (accepted, on_failed_upgrade) = self.into_answer();
        match accepted {
            Ok((response, upgrade)) => {
                tokio::spawn(async move {
                    match upgrade.await {
                        Ok(websocket) => callback(websocket).await,
                        Err(error) => on_failed_upgrade.call(error),
                    }
                });
                response
            }
            Err(error) => {
                let response = error.response(version);
                on_failed_upgrade.call(error);
                response
            }
        }
    }

    /// Opens the WebSocket without a callback. Return the response from your handler, and await the
    /// WebSocket in a task that you spawn, for example in a `JoinSet`.
    ///
    /// ```
    /// use axum::response::Response;
    /// use sansocket_axum::{WebSocketUpgrade, WebSocketUpgradeRejection};
    ///
    /// async fn handler(ws: WebSocketUpgrade) -> Result<Response, WebSocketUpgradeRejection> {
    ///     let (response, upgrade) = ws.accept()?;
    ///     tokio::spawn(async move {
    ///         match upgrade.await {
    ///             Ok(websocket) => println!("{:?}", websocket.negotiated()),
    ///             Err(error) => eprintln!("no WebSocket: {error}"),
    ///         }
    ///     });
    ///     Ok(response)
    /// }
    /// # let _: axum::Router = axum::Router::new().route("/", axum::routing::any(handler));
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the origin is not allowed, if the head exceeds a limit, or if the answer is not
    /// valid for the request. It is also the response to send then. [`on_failed_upgrade`](Self::on_failed_upgrade) is not called.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime with a time driver.
    pub fn accept(self) -> Result<(Response, Upgrade), WebSocketUpgradeRejection> {
        let version = self.version;
        self.into_answer().0.map_err(|error| WebSocketUpgradeRejection::new(error, version))
    }

    fn into_answer(self) -> (Result<(Response, Upgrade), UpgradeError>, F) {
        let Self { mut request, acceptor, config, protocol, answer, on_failed_upgrade, .. } = self;
        request.set_acceptor(&acceptor.config(config));
        let answer = match protocol {
            Some(name) => answer.subprotocol(name),
            None => answer,
        };
        (request.accept(&answer), on_failed_upgrade)
    }
}

/// A `usize` has at most 64 bits on all platforms of Rust.
fn as_u64(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

impl<F> fmt::Debug for WebSocketUpgrade<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("request", &self.request)
            .field("config", &self.config)
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}
