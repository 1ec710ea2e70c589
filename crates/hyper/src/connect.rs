//! The client's part of an upgrade (RFC 6455 §4.1, RFC 8441 §5).

use crate::{
    error::Error,
    fields::{append, borrowed, fields, version},
    send_request::SendRequest,
    upgraded::Upgraded,
};
use http::{Request, Uri, uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use sansocket::{
    buffer::ReadBuffer,
    client::Connector,
    connection::Client,
    handshake::{ExpectedResponse, HandshakeError, RequestParts, Response, Url},
    on_tokio::{self, ClientWebSocket},
    random::{self, SystemMaskKeys},
};
use std::{future::Future, time::Duration};
use tokio::time::{Instant, timeout_at};

/// How much of a refusal's body is read.
const MOST_OF_BODY: usize = 4096;

/// Opens a WebSocket over a connection or a client of hyper: see [`SendRequest`] for which there are.
///
/// The connector says what to offer and how the connection behaves. Its options for reaching a server
/// (TLS, proxies, redirects, authentication) have no effect, because reaching it is up to the sender. The
/// handshake timeout applies to the request and its response.
///
/// On HTTP/1.1 the WebSocket takes over the connection of the sender, whose task must run
/// `with_upgrades`. On HTTP/2 it takes a stream, beside others.
///
/// ```no_run
/// use bytes::Bytes;
/// use http_body_util::Empty;
/// use hyper_util::rt::TokioIo;
/// use sansocket::client::Connector;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let stream = tokio::net::TcpStream::connect("127.0.0.1:9001").await?;
/// let (mut sender, connection) =
///     hyper::client::conn::http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await?;
/// tokio::spawn(connection.with_upgrades());
///
/// let connector = Connector::new();
/// let (mut websocket, response) =
///     sansocket_hyper::connect(&connector, &mut sender, "ws://127.0.0.1:9001/chat").await?;
/// println!("the server answered with {}", response.status());
/// websocket.send("hello").await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Returns an error if the request can't be sent, if the server refuses, or if its response does not
/// match the request. Nothing is sent if the URL or the connector's header fields are invalid.
///
/// # Cancel safety
///
/// Not cancel safe: if you drop the future, the handshake is abandoned. A connection of HTTP/1.1 can't be
/// used again then; on HTTP/2 only the stream is reset.
pub async fn connect<S: SendRequest>(
    connector: &Connector,
    sender: &mut S,
    url: impl AsRef<str>,
) -> Result<(ClientWebSocket<Upgraded>, Response), Error> {
    let url = Url::parse(url.as_ref())?;
    let limit = Limit::new(connector.get_handshake_timeout());
    let keys = SystemMaskKeys::new()?;
    let request = connector.request(&url);
    let is_stream = S::IS_STREAM;
    let (parts, expected) =
        if is_stream { request.extended_connect()? } else { request.upgrade(random::nonce()?)? };
    let request = to_http::<S>(&parts, &url)?;
    let mut response = limit.apply(sender.send_request(request)).await??;
    let opened = check(&expected, &mut response, limit).await?;
    let upgraded = limit.apply(hyper::upgrade::on(response)).await?;
    let websocket = on_tokio::WebSocket::for_url(
        Upgraded::new(upgraded.map_err(Error::of_upgrade)?, is_stream),
        Client::new(keys),
        &url,
        opened.negotiated().clone(),
        ReadBuffer::new(),
        *connector.get_config(),
    );
    Ok((websocket, opened))
}

/// The time limit of the handshake, and when it is reached.
#[derive(Clone, Copy)]
struct Limit(Option<(Duration, Instant)>);

impl Limit {
    fn new(limit: Option<Duration>) -> Self {
        // A moment too far away to be represented is no limit.
        Self(limit.and_then(|limit| Some((limit, Instant::now().checked_add(limit)?))))
    }

    async fn apply<T>(self, step: impl Future<Output = T>) -> Result<T, Error> {
        match self.0 {
            Some((limit, end)) => timeout_at(end, step).await.map_err(|_| Error::Timeout(limit)),
            None => Ok(step.await),
        }
    }
}

/// Checks the response. The error of a refusal has the beginning of its body.
async fn check(
    expected: &ExpectedResponse,
    response: &mut http::Response<Incoming>,
    limit: Limit,
) -> Result<Response, Error> {
    let status = response.status().as_u16();
    let version = version(response.version());
    match expected.check(status, version, fields(response.headers())) {
        Err(HandshakeError::Refused(refusal)) => {
            let mut beginning = Vec::new();
            // The status says more than a body that does not arrive.
            let read = limit.apply(read_beginning(response.body_mut(), &mut beginning)).await;
            let refusal = refusal.with_body(beginning, read.unwrap_or(false));
            Err(HandshakeError::Refused(Box::new(refusal)).into())
        }
        outcome => Ok(outcome?),
    }
}

/// Reads the beginning of a body. Returns whether that is all of it.
async fn read_beginning(body: &mut Incoming, beginning: &mut Vec<u8>) -> bool {
    while beginning.len() <= MOST_OF_BODY {
        match body.frame().await {
            Some(Ok(frame)) => {
                let data = frame.data_ref();
                beginning.extend_from_slice(data.map_or(&[], |data| &data[..]));
            }
            Some(Err(_)) => return false,
            None => return true,
        }
    }
    false
}

fn to_http<S: SendRequest>(parts: &RequestParts, url: &Url) -> Result<Request<S::Body>, Error> {
    let mut target = uri::Builder::new().path_and_query(&*parts.target);
    if S::NEEDS_AUTHORITY {
        let scheme = if url.is_secure() { "https" } else { "http" };
        target = target.scheme(scheme).authority(&*parts.authority);
    }
    let target: Uri = target.build()?;
    let mut request = Request::builder()
        .method(parts.method)
        .version(S::VERSION)
        .uri(target)
        .body(S::Body::default())?;
    append(request.headers_mut(), borrowed(&parts.headers))?;
    #[cfg(feature = "http2")]
    if let Some(protocol) = parts.protocol {
        request.extensions_mut().insert(hyper::ext::Protocol::from_static(protocol));
    }
    Ok(request)
}
