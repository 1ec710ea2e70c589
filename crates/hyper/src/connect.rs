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
use tokio::time::timeout;

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
    let opening = open(connector, sender, &url);
    match connector.get_handshake_timeout() {
        Some(limit) => timeout(limit, opening).await.map_err(|_| Error::Timeout(limit))?,
        None => opening.await,
    }
}

async fn open<S: SendRequest>(
    connector: &Connector,
    sender: &mut S,
    url: &Url,
) -> Result<(ClientWebSocket<Upgraded>, Response), Error> {
    let keys = SystemMaskKeys::new()?;
    let request = connector.request(url);
    let is_stream = S::IS_STREAM;
    let (parts, expected) =
        if is_stream { request.extended_connect()? } else { request.upgrade(random::nonce()?)? };
    let request = to_http::<S>(&parts, url)?;
    let mut response = sender.send_request(request).await?;
    let opened = check(&expected, &mut response).await?;
    let io = hyper::upgrade::on(response).await.map_err(Error::Hyper)?;
    let websocket = on_tokio::WebSocket::new(
        Upgraded::new(io, is_stream),
        Client::new(keys),
        opened.negotiated().clone(),
        ReadBuffer::new(),
        *connector.get_config(),
    );
    Ok((websocket, opened))
}

/// Checks the response. The error of a refusal has the beginning of its body.
async fn check(
    expected: &ExpectedResponse,
    response: &mut http::Response<Incoming>,
) -> Result<Response, Error> {
    let status = response.status().as_u16();
    let version = version(response.version());
    match expected.check(status, version, fields(response.headers())) {
        Err(HandshakeError::Refused(refusal)) => {
            let (body, is_complete) = beginning(response.body_mut()).await;
            let refusal = refusal.with_body(body, is_complete);
            Err(HandshakeError::Refused(Box::new(refusal)).into())
        }
        outcome => Ok(outcome?),
    }
}

/// Returns the beginning of a body, and whether that is all of it.
async fn beginning(body: &mut Incoming) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    while bytes.len() <= MOST_OF_BODY {
        match body.frame().await {
            Some(Ok(frame)) => {
                let data = frame.data_ref();
                bytes.extend_from_slice(data.map_or(&[], |data| &data[..]));
            }
            // The status says more than a body that does not arrive.
            Some(Err(_)) => return (bytes, false),
            None => return (bytes, true),
        }
    }
    (bytes, false)
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
