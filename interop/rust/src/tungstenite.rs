//! tungstenite, on sockets that block.

use crate::{
    Error, Failure, Headers, Library, Message, Piece, Socket,
    answers::{Asked, Server, choose_subprotocol},
    block_on, split_url, tls,
};
use rustls::{ClientConnection, ServerConnection, StreamOwned};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};
use tungstenite::{
    HandshakeError, Message as Theirs, WebSocket, accept_hdr, client,
    client::IntoClientRequest,
    handshake::server::{ErrorResponse, Request, Response},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    protocol::{
        CloseFrame,
        frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

/// The time limit of a read and of a write.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug)]
pub struct Tungstenite;

/// With TLS or without.
trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

#[expect(missing_debug_implementations, reason = "the stream has none")]
pub struct Connection(WebSocket<Box<dyn Stream>>);

impl Library for Tungstenite {
    type Socket = Connection;

    const NAME: &'static str = "tungstenite";
    const LACKS: &'static [(&'static str, &'static str)] =
        &[("deflate", "tungstenite has no compression")];
    const INSISTS_ON_A_SUBPROTOCOL: bool = true;

    async fn connect(
        url: &str,
        subprotocols: &[&str],
        headers: &[(&str, &str)],
    ) -> Result<(Connection, Headers), Failure> {
        let mut request = url.into_client_request()?;
        for (name, value) in headers {
            let name = HeaderName::try_from(*name)?;
            request.headers_mut().insert(name, HeaderValue::from_str(value)?);
        }
        if !subprotocols.is_empty() {
            let offered = HeaderValue::from_str(&subprotocols.join(", "))?;
            request.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, offered);
        }
        let (is_secure, authority, _) = split_url(url)?;
        let stream = connected(TcpStream::connect(authority)?)?;
        let stream: Box<dyn Stream> = if is_secure {
            let connection = ClientConnection::new(tls::client()?, tls::server_name())?;
            Box::new(StreamOwned::new(connection, stream))
        } else {
            Box::new(stream)
        };
        match client(request, stream) {
            Ok((socket, response)) => Ok((Connection(socket), fields(response.headers()))),
            Err(HandshakeError::Failure(tungstenite::Error::Http(response))) => {
                let body = response.body().as_deref().unwrap_or_default();
                let body = String::from_utf8_lossy(body).into();
                let told = (fields(response.headers()), body);
                Err(Failure::Refused(response.status().as_u16(), Some(told)))
            }
            Err(error) => Err(Failure::Other(error.to_string().into())),
        }
    }

    fn serve(listener: TcpListener, server: Server) -> Result<(), Error> {
        loop {
            let (stream, server) = (listener.accept()?.0, server.clone());
            thread::spawn(move || {
                if let Err(error) = serve_one(stream, &server) {
                    eprintln!("refused: {error}");
                }
            });
        }
    }
}

#[expect(clippy::result_large_err, reason = "as the callback of the library demands")]
fn serve_one(stream: TcpStream, server: &Server) -> Result<(), Error> {
    let stream = connected(stream)?;
    let stream: Box<dyn Stream> = match &server.tls {
        Some(tls) => Box::new(StreamOwned::new(ServerConnection::new(tls.clone())?, stream)),
        None => Box::new(stream),
    };
    let mut asked = Asked::default();
    let accepted =
        accept_hdr(stream, |request: &Request, response| decide(request, response, &mut asked));
    let socket = accepted.map_err(|error| error.to_string())?;
    block_on(server.talk(Connection(socket), asked));
    Ok(())
}

#[expect(clippy::result_large_err, reason = "as the callback of the library demands")]
fn decide(
    request: &Request,
    mut response: Response,
    asked: &mut Asked,
) -> Result<Response, ErrorResponse> {
    let value = |name: &str| {
        let value = request.headers().get(name).map(HeaderValue::as_bytes);
        String::from_utf8_lossy(value.unwrap_or_default()).into()
    };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    *asked = Asked { target: target.into(), cookie: value("Cookie"), own: value("X-Interop") };
    if target == "/forbidden" {
        let body = "not for you\n".to_owned();
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = StatusCode::FORBIDDEN;
        refusal.headers_mut().insert(header::CONTENT_LENGTH, body.len().into());
        refusal.headers_mut().insert("X-Interop", HeaderValue::from_static("forbidden"));
        *refusal.body_mut() = Some(body);
        return Err(refusal);
    }
    let headers = response.headers_mut();
    let cookie = HeaderValue::from_static("interop=1; Path=/; HttpOnly");
    headers.insert(header::SET_COOKIE, cookie);
    headers.insert("X-Interop", HeaderValue::from_static(Tungstenite::NAME));
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    if let Some(chosen) = choose_subprotocol(offered.iter().filter_map(|it| it.to_str().ok())) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(chosen));
    }
    Ok(response)
}

fn connected(stream: TcpStream) -> std::io::Result<TcpStream> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

fn fields(headers: &HeaderMap) -> Headers {
    let field = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into())
    };
    Headers(headers.iter().map(field).collect())
}

impl Socket for Connection {
    async fn send(&mut self, message: Message) -> Result<(), Error> {
        let message = match message {
            Message::Text(text) => Theirs::text(text),
            Message::Binary(data) => Theirs::binary(data),
            Message::Ping(payload) => Theirs::Ping(payload.into()),
            Message::Pong(payload) => Theirs::Pong(payload.into()),
            Message::Close(close) => Theirs::Close(
                close.map(|(code, reason)| CloseFrame { code: code.into(), reason: reason.into() }),
            ),
        };
        Ok(self.0.send(message)?)
    }

    async fn send_piece(&mut self, kind: Piece, piece: &[u8], fin: bool) -> Result<(), Error> {
        let kind = match kind {
            Piece::Text => Data::Text,
            Piece::Binary => Data::Binary,
            Piece::Continuation => Data::Continue,
        };
        let frame = Frame::message(piece.to_vec(), OpCode::Data(kind), fin);
        Ok(self.0.send(Theirs::Frame(frame))?)
    }

    async fn receive(&mut self) -> Option<Message> {
        Some(match self.0.read().ok()? {
            Theirs::Text(text) => Message::Text(text.as_str().into()),
            Theirs::Binary(data) => Message::Binary(data.into()),
            Theirs::Ping(payload) => {
                // The answer is queued. Reading again would write it, but this reader may have
                // something to send first.
                self.0.flush().ok()?;
                Message::Ping(payload.into())
            }
            Theirs::Pong(payload) => Message::Pong(payload.into()),
            Theirs::Close(close) => {
                // Reading on writes the answer; the error says that the connection has ended.
                while self.0.read().is_ok() {}
                let told = |close: CloseFrame| (close.code.into(), close.reason.as_str().into());
                Message::Close(close.map(told))
            }
            Theirs::Frame(_) => unreachable!("a whole message is read"),
        })
    }
}
