//! The two opening handshakes: the server is asked for what the client asks for, and the client gets
//! what the server answers.

use crate::headers::{Forwarding, end_to_end, forwarding};
use sansocket::{
    Error,
    buffer::{ReadBuffer, WriteBuffer},
    handshake::{Accept, HandshakeError, Negotiated, PlainResponse, Request, Response, Url},
    on_tokio::{Acceptor, Connector, Stream},
    transport::Parts,
};
use std::{fmt, future, io, time::Duration};
use tokio::{
    io::{AsyncWriteExt, Interest},
    net::TcpStream,
    select,
    time::{sleep, timeout},
};

const NOT_UTF8: &str = "a header field is not UTF-8";

/// Where the server is and how to reach it.
pub(crate) struct Upstream {
    pub(crate) url: Url,
    pub(crate) connector: Connector,
    pub(crate) forwarding: Option<Forwarding>,
    /// Whether the clients use TLS.
    pub(crate) is_secure: bool,
    pub(crate) frame_limit: Option<u64>,
    pub(crate) timeout: Duration,
    pub(crate) close_timeout: Duration,
    pub(crate) write_timeout: Duration,
}

/// Two connections that have agreed on the same.
pub(crate) struct Opened {
    pub(crate) client: (Stream, ReadBuffer),
    pub(crate) server: (Stream, ReadBuffer),
    pub(crate) negotiated: Negotiated,
    pub(crate) frame_limit: Option<u64>,
    pub(crate) close_timeout: Duration,
    pub(crate) write_timeout: Duration,
}

/// Why there is nothing to pass on.
pub(crate) enum NotOpened {
    /// The client asked for no WebSocket, or left.
    Client(Error),
    /// The client left while the server was asked.
    Left,
    /// The client's answer could not be sent.
    Answer(io::Error),
    /// The client was refused with this status, for this reason.
    Refused(u16, String),
}

impl fmt::Display for NotOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => write!(f, "client: {error}"),
            Self::Left => f.write_str("client: it left before the server answered"),
            Self::Answer(error) => write!(f, "client: {error}"),
            Self::Refused(status, reason) => write!(f, "refused with {status}: {reason}"),
        }
    }
}

/// Opens both connections, or refuses the client.
pub(crate) async fn open(
    acceptor: &Acceptor,
    upstream: &Upstream,
    stream: TcpStream,
) -> Result<Opened, NotOpened> {
    let pending = acceptor.receive_tcp_request(stream).await.map_err(NotOpened::Client)?;
    let mut output = WriteBuffer::new();
    let asked = select! {
        asked = upstream.ask(pending.request()) => asked,
        () = left(pending.get_ref()) => return Err(NotOpened::Left),
    };
    let asked = asked.and_then(|(parts, response)| {
        match answer(pending.request(), &response, &mut output) {
            Ok(()) => Ok((parts, response)),
            Err(reason) => Err((PlainResponse::new(502), reason)),
        }
    });
    let (parts, response) = match asked {
        Ok(connected) => connected,
        Err((refusal, reason)) => {
            let status = refusal.status();
            // It is also over if the client does not read this.
            let _ = pending.refuse(&refusal).await;
            return Err(NotOpened::Refused(status, reason));
        }
    };
    let (mut client, _, input) = pending.into_parts();
    let written = timeout(upstream.timeout, async {
        client.write_all(output.front()).await?;
        client.flush().await
    });
    match written.await {
        Ok(written) => written.map_err(NotOpened::Answer)?,
        Err(late) => return Err(NotOpened::Answer(late.into())),
    }
    Ok(Opened {
        client: (client, input),
        server: (parts.transport, ReadBuffer::from(parts.unread)),
        negotiated: response.negotiated().clone(),
        frame_limit: upstream.frame_limit,
        close_timeout: upstream.close_timeout,
        write_timeout: upstream.write_timeout,
    })
}

/// Waits until the client has ended its side, so that nobody waits for the server's answer any more.
async fn left(client: &Stream) {
    let Some(tcp) = client.tcp() else { return future::pending().await };
    loop {
        match tcp.ready(Interest::READABLE).await {
            // It has sent something already, which is read later.
            Ok(ready) if !ready.is_read_closed() => sleep(Duration::from_millis(100)).await,
            Ok(_) | Err(_) => return,
        }
    }
}

impl Upstream {
    /// Asks the server for what the client asks for. If it does not answer with a WebSocket, this
    /// returns what to answer the client, and the reason.
    async fn ask(
        &self,
        request: &Request,
    ) -> Result<(Parts<Stream>, Response), (PlainResponse, String)> {
        let Some(mut fields) = end_to_end(request.headers().collect::<Vec<_>>().into_iter()) else {
            return Err((PlainResponse::new(400), NOT_UTF8.to_owned()));
        };
        let client = request.client_address();
        let added = self
            .forwarding
            .map(|forward| forwarding(forward, request, client, self.is_secure, &mut fields));
        let mut connector = self.connector.clone();
        for (name, value) in fields {
            connector = connector.header(name, value);
        }
        for (name, value) in added.into_iter().flatten() {
            connector = connector.header(name, value);
        }
        for name in request.subprotocols() {
            connector = connector.subprotocol(name);
        }
        // What both ends agree on is then what one of them has offered.
        let offers: Vec<_> = request.extensions().map(|offer| offer.to_string()).collect();
        connector.connect_parts(self.url_for(request), offers).await.map_err(|error| {
            let reason = error.to_string();
            (refusal(error), reason)
        })
    }

    fn url_for(&self, request: &Request) -> String {
        let scheme = if self.url.is_secure() { "wss" } else { "ws" };
        let (authority, before) = (self.url.authority(), self.url.target().trim_end_matches('/'));
        // RFC 9112 §3.2.2: the target may be an absolute URI, whose host must not come into this one.
        let (path, query) = (request.path(), request.raw_query().unwrap_or_default());
        format!("{scheme}://{authority}{before}{path}?{query}")
    }
}

/// Returns what the client is told if the server does not accept.
fn refusal(error: Error) -> PlainResponse {
    match error {
        Error::Handshake(HandshakeError::Refused(refusal)) => {
            let fields = end_to_end(refusal.headers().collect::<Vec<_>>().into_iter());
            let (Some(fields), status @ 200..=599) = (fields, refusal.status()) else {
                // This can't be passed on.
                return PlainResponse::new(502);
            };
            let response = PlainResponse::new(status).body_bytes(refusal.body());
            fields
                .into_iter()
                .fold(response, |response, (name, value)| response.header(name, value))
        }
        Error::ConnectTimeout(_) | Error::HandshakeTimeout => PlainResponse::new(504),
        _ => PlainResponse::new(502),
    }
}

/// Queues the client's answer: what the server has agreed to, and its header. Returns the reason if it
/// can't be passed on.
fn answer(request: &Request, response: &Response, output: &mut WriteBuffer) -> Result<(), String> {
    let negotiated = response.negotiated();
    let mut accept = Accept::new();
    if let Some(name) = &negotiated.subprotocol {
        accept = accept.subprotocol(name);
    }
    for extension in &negotiated.extensions {
        accept = accept.extension(extension.to_string());
    }
    let fields = end_to_end(response.headers().collect::<Vec<_>>().into_iter()).ok_or(NOT_UTF8)?;
    for (name, value) in fields {
        accept = accept.header(name, value);
    }
    request.accept(&accept, output).map(|_| ()).map_err(|error| error.to_string())
}
