//! fastwebsockets, on tokio and hyper.

use crate::{
    Error, Failure, Headers, Library, Message, Piece, Socket,
    answers::{Asked, Server, choose_subprotocol},
    block_on, split_url, tls,
};
use bytes::Bytes;
use fastwebsockets::{
    Frame, OpCode, Payload, WebSocket, WebSocketError, handshake,
    upgrade::{UpgradeFut, upgrade},
};
use http_body_util::{Empty, Full};
use hyper::{
    HeaderMap, Request, Response, StatusCode,
    body::Incoming,
    header,
    header::{HeaderName, HeaderValue},
    rt::Executor,
    server::conn::http1,
    service::service_fn,
    upgrade::Upgraded,
};
use hyper_util::rt::TokioIo;
use std::{cell::RefCell, net::TcpListener, rc::Rc};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    task,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

#[derive(Clone, Copy, Debug)]
pub struct Fastwebsockets;

/// With TLS or without.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

#[expect(missing_debug_implementations, reason = "the stream has none")]
pub struct Connection {
    socket: WebSocket<TokioIo<Upgraded>>,
    /// The first frames of a message.
    begun: Option<(OpCode, Vec<u8>)>,
    has_closed: bool,
}

impl Library for Fastwebsockets {
    type Socket = Connection;

    const NAME: &'static str = "fastwebsockets";
    const LACKS: &'static [(&'static str, &'static str)] = &[
        ("deflate", "fastwebsockets has no compression"),
        (
            "close sent behind messages",
            "once its Close is sent, fastwebsockets fails when a message arrives",
        ),
        ("refused", "fastwebsockets tells the status alone, without header fields and body"),
    ];
    const INSISTS_ON_A_SUBPROTOCOL: bool = false;

    async fn connect(
        url: &str,
        subprotocols: &[&str],
        headers: &[(&str, &str)],
    ) -> Result<(Connection, Headers), Failure> {
        let (is_secure, authority, target) = split_url(url)?;
        let mut request = Request::builder()
            .uri(target)
            .header(header::HOST, authority)
            .header(header::UPGRADE, "websocket")
            .header(header::CONNECTION, "upgrade")
            .header(header::SEC_WEBSOCKET_KEY, handshake::generate_key())
            .header(header::SEC_WEBSOCKET_VERSION, "13");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !subprotocols.is_empty() {
            request = request.header(header::SEC_WEBSOCKET_PROTOCOL, subprotocols.join(", "));
        }
        let request = request.body(Empty::<Bytes>::new())?;
        let stream = TcpStream::connect(authority).await?;
        stream.set_nodelay(true)?;
        let stream: Box<dyn Stream> = if is_secure {
            let connector = TlsConnector::from(tls::client()?);
            Box::new(connector.connect(tls::server_name(), stream).await?)
        } else {
            Box::new(stream)
        };
        match handshake::client(&SpawnExecutor, request, stream).await {
            Ok((socket, response)) => Ok((Connection::new(socket), fields(response.headers()))),
            Err(WebSocketError::InvalidStatusCode(status)) => Err(Failure::Refused(status, None)),
            Err(error) => Err(error.into()),
        }
    }

    fn serve(listener: TcpListener, server: Server) -> Result<(), Error> {
        block_on(task::LocalSet::new().run_until(async {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            loop {
                let (stream, server) = (listener.accept().await?.0, server.clone());
                task::spawn_local(async move {
                    if let Err(error) = serve_one(stream, &server).await {
                        eprintln!("refused: {error}");
                    }
                });
            }
        }))
    }
}

async fn serve_one(stream: TcpStream, server: &Server) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let stream: Box<dyn Stream> = match &server.tls {
        Some(tls) => Box::new(TlsAcceptor::from(tls.clone()).accept(stream).await?),
        None => Box::new(stream),
    };
    let accepted = Rc::new(RefCell::new(None));
    let service = service_fn(|request| {
        let outcome = decide(request);
        let accepted = accepted.clone();
        async move {
            let (response, opening) = outcome?;
            *accepted.borrow_mut() = opening;
            Ok::<_, WebSocketError>(response)
        }
    });
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades().await?;
    let Some((asked, opening)) = accepted.take() else { return Ok(()) };
    server.talk(Connection::new(opening.await?), asked).await;
    Ok(())
}

type Answer = (Response<Full<Bytes>>, Option<(Asked, UpgradeFut)>);

fn decide(mut request: Request<Incoming>) -> Result<Answer, WebSocketError> {
    let value = |name: &str| {
        let value = request.headers().get(name).map(HeaderValue::as_bytes);
        String::from_utf8_lossy(value.unwrap_or_default()).into()
    };
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let asked = Asked { target: target.into(), cookie: value("Cookie"), own: value("X-Interop") };
    if target == "/forbidden" {
        let mut refusal = Response::new(Full::from("not for you\n"));
        *refusal.status_mut() = StatusCode::FORBIDDEN;
        refusal.headers_mut().insert("X-Interop", HeaderValue::from_static("forbidden"));
        return Ok((refusal, None));
    }
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let chosen = choose_subprotocol(offered.iter().filter_map(|it| it.to_str().ok()));
    let (response, opening) = upgrade(&mut request)?;
    let mut response = response.map(|_| Full::default());
    let headers = response.headers_mut();
    let cookie = HeaderValue::from_static("interop=1; Path=/; HttpOnly");
    headers.insert(header::SET_COOKIE, cookie);
    headers.insert("X-Interop", HeaderValue::from_static(Fastwebsockets::NAME));
    if let Some(chosen) = chosen {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(chosen));
    }
    Ok((response, Some((asked, opening))))
}

fn fields(headers: &HeaderMap) -> Headers {
    let field = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into())
    };
    Headers(headers.iter().map(field).collect())
}

/// Ties hyper to tokio.
struct SpawnExecutor;

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for SpawnExecutor {
    fn execute(&self, future: F) {
        task::spawn(future);
    }
}

impl Connection {
    fn new(socket: WebSocket<TokioIo<Upgraded>>) -> Self {
        Self { socket, begun: None, has_closed: false }
    }

    async fn write(&mut self, frame: Frame<'_>) -> Result<(), Error> {
        // The library keeps a frame as long as the connection's type says.
        let payload = Payload::Owned(frame.payload.to_vec());
        let frame = Frame::new(frame.fin, frame.opcode, None, payload);
        self.socket.write_frame(frame).await?;
        Ok(self.socket.flush().await?)
    }

    /// Returns the next frame once its message is whole.
    fn collect(&mut self, frame: Frame<'_>) -> Option<Message> {
        let payload = frame.payload.to_vec();
        Some(match frame.opcode {
            OpCode::Ping => Message::Ping(payload),
            OpCode::Pong => Message::Pong(payload),
            OpCode::Close => {
                let close = payload.split_first_chunk::<2>().map(|(code, reason)| {
                    let reason = String::from_utf8_lossy(reason).into();
                    (u16::from_be_bytes(*code), reason)
                });
                Message::Close(close)
            }
            OpCode::Text | OpCode::Binary if frame.fin => message(frame.opcode, payload),
            OpCode::Text | OpCode::Binary => {
                self.begun = Some((frame.opcode, payload));
                return None;
            }
            OpCode::Continuation => {
                let (kind, mut whole) = self.begun.take().expect("a message has begun");
                whole.extend(payload);
                if !frame.fin {
                    self.begun = Some((kind, whole));
                    return None;
                }
                message(kind, whole)
            }
        })
    }
}

fn message(kind: OpCode, payload: Vec<u8>) -> Message {
    match kind {
        OpCode::Text => Message::Text(String::from_utf8(payload).expect("text is UTF-8")),
        _ => Message::Binary(payload),
    }
}

impl Socket for Connection {
    async fn send(&mut self, message: Message) -> Result<(), Error> {
        self.write(match message {
            Message::Text(text) => Frame::text(text.into_bytes().into()),
            Message::Binary(data) => Frame::binary(data.into()),
            Message::Ping(payload) => Frame::new(true, OpCode::Ping, None, payload.into()),
            Message::Pong(payload) => Frame::pong(payload.into()),
            Message::Close(None) => Frame::close_raw(Vec::new().into()),
            Message::Close(Some((code, reason))) => Frame::close(code, reason.as_bytes()),
        })
        .await
    }

    async fn send_piece(&mut self, kind: Piece, piece: &[u8], fin: bool) -> Result<(), Error> {
        let kind = match kind {
            Piece::Text => OpCode::Text,
            Piece::Binary => OpCode::Binary,
            Piece::Continuation => OpCode::Continuation,
        };
        self.write(Frame::new(fin, kind, None, piece.into())).await
    }

    async fn receive(&mut self) -> Option<Message> {
        while !self.has_closed {
            let frame = self.socket.read_frame().await.ok()?;
            self.has_closed = frame.opcode == OpCode::Close;
            let message = self.collect(frame);
            // Reading may have answered a Close or a ping.
            self.socket.flush().await.ok()?;
            if message.is_some() {
                return message;
            }
        }
        None
    }
}
