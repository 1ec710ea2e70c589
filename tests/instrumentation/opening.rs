//! How connections of the tokio shell open, or don't.

use crate::recorder::Recorder;
use sansocket::{
    Config, Error,
    buffer::ReadBuffer,
    client::{Backoff, ReconnectConfig},
    connection::Server,
    handshake::{Accept, HttpVersion, Negotiated, PlainResponse, Request, Url},
    on_tokio::{
        Acceptor, ClientWebSocket, Connector, ReconnectEvent, ReconnectingWebSocket,
        ServerWebSocket, WebSocket, serve,
    },
    server::{ForwardingHeader, OriginPolicy, TrustedProxies},
};
use sansocket_testkit::{
    clock::run,
    endpoint::client_role,
    opening::REQUEST,
    pair::tokio::{pair, read_head, reset, streams},
};
use std::{future::IntoFuture, time::Duration};
use tokio::{
    io::AsyncWriteExt,
    join,
    net::{TcpListener, TcpStream},
};

/// In what nobody but the two endpoints should know.
pub(crate) const SECRET: &str = "5ca1ab1e";

pub(crate) fn refused(status: u16) -> Result<Accept, PlainResponse> {
    Err(PlainResponse::new(status).header("WWW-Authenticate", SECRET).body(SECRET))
}

/// A client and a server over TCP, with secrets wherever there can be some.
async fn connect_with(
    acceptor: Acceptor,
    decide: impl FnOnce() -> Result<Accept, PlainResponse>,
) -> (Result<ClientWebSocket, Error>, Result<ServerWebSocket, Error>, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connector = Connector::new()
        .header("X-Key", SECRET)
        .header("Origin", format!("http://{SECRET}.example"))
        .subprotocol("other")
        .subprotocol("chat");
    let url = format!("ws://user:{SECRET}@localhost:{port}/room/1?token={SECRET}");
    let (client, server) = join!(connector.connect(url), async {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept_tcp_with(stream, |_| decide()).await
    });
    (client.map(|(client, _)| client), server, port)
}

#[test]
fn a_span_says_who_is_connected_and_what_was_agreed() {
    let recorder = Recorder::default();
    let (client, server, port) = recorder.record(|| {
        run(connect_with(Acceptor::new().origin(OriginPolicy::any()), || {
            Ok(Accept::new().subprotocol("chat"))
        }))
    });
    let (client, server) = (client.unwrap(), server.unwrap());
    let of_client = recorder.span("client");
    assert_eq!(of_client.field("server.address"), Some("localhost"));
    assert_eq!(of_client.field("server.port"), Some(&*port.to_string()));
    assert_eq!(of_client.field("client.address"), None);
    let of_server = recorder.span("server");
    assert_eq!(of_server.field("client.address"), Some("127.0.0.1"));
    let client_port = client.get_ref().local_addr().unwrap().port();
    assert_eq!(of_server.field("client.port"), Some(&*client_port.to_string()));
    assert_eq!(of_server.field("server.address"), None);
    for span in [of_client, of_server] {
        assert_eq!(span.field("url.path"), Some("/room/1"));
        assert_eq!(span.field("websocket.subprotocol"), Some("chat"));
        assert_eq!(span.field("websocket.extensions"), None);
        assert!(!span.has_ended());
    }
    for kind in ["client", "server"] {
        assert_eq!(recorder.events_of(kind), [format!("DEBUG {kind} connection opened")]);
    }
    recorder.assert_never_told(SECRET);
    recorder.record(|| drop((client, server)));
    assert!(recorder.spans().iter().all(|span| span.has_ended()));
}

#[test]
fn a_port_that_the_proxy_does_not_tell_is_left_out() {
    let recorder = Recorder::default();
    let local = "127.0.0.1".parse().unwrap();
    let trusted = TrustedProxies::new().header(ForwardingHeader::XForwardedFor, [local]);
    let open = |origin: Option<&str>| {
        let mut connector = Connector::new().header("X-Forwarded-For", "192.0.2.7");
        if let Some(origin) = origin {
            connector = connector.header("Origin", origin);
        }
        let acceptor = Acceptor::new().trusted_proxies(trusted.clone());
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let url = format!("ws://localhost:{port}/");
            join!(connector.connect(url), async {
                acceptor.accept_tcp(listener.accept().await.unwrap().0).await
            })
        })
    };
    let (_client, server) = recorder.record(|| open(None));
    let of_server = recorder.span("server");
    assert_eq!(of_server.field("client.address"), Some("192.0.2.7"));
    assert_eq!(of_server.field("client.port"), None);
    recorder.record(|| drop(server));
    assert!(recorder.record(|| open(Some("http://other.example"))).1.is_err());
    let events = recorder.events();
    let refused = events.iter().find(|event| event.contains("request refused")).unwrap();
    assert!(refused.contains("client.address=192.0.2.7"), "{refused}");
    assert!(!refused.contains("client.port"), "{refused}");
}

#[cfg(feature = "deflate")]
#[test]
fn a_span_has_the_extensions_that_were_agreed() {
    let recorder = Recorder::default();
    let config = Config::default().deflate(sansocket::DeflateConfig::new());
    let connector = Connector::new().config(config);
    let acceptor = Acceptor::new().config(config);
    let _pair = recorder.record(|| run(pair(connector, acceptor)));
    for kind in ["client", "server"] {
        let span = recorder.span(kind);
        let extensions = span.field("websocket.extensions").unwrap();
        assert!(extensions.starts_with("permessage-deflate"), "{extensions}");
    }
}

#[test]
fn a_connection_after_another_handshake_has_a_span_too() {
    let recorder = Recorder::default();
    let new = || {
        let (negotiated, input) = (Negotiated::new(), ReadBuffer::new());
        WebSocket::new(tokio::io::empty(), Server::new(), negotiated, input, Config::default())
    };
    let parts = recorder.record(|| new().into_parts());
    drop(parts);
    let span = recorder.span("server");
    assert_eq!(span.fields.len(), 1, "{span:?}");
    assert!(span.has_ended());
    let events = ["DEBUG server connection opened", "DEBUG server connection taken apart"];
    assert_eq!(recorder.events(), events);
}

/// A framework that has performed the handshake knows as much of the connection.
#[test]
fn a_connection_after_another_handshake_tells_what_is_known() {
    let recorder = Recorder::default();
    let negotiated = Negotiated::new().subprotocol("chat");
    recorder.record(|| {
        let target = format!("/room/1?token={SECRET}");
        let fields: [(_, &[u8]); 5] = [
            ("Host", b"a"),
            ("Upgrade", b"websocket"),
            ("Connection", b"Upgrade"),
            ("Sec-WebSocket-Version", b"13"),
            ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let mut request = Request::new("GET", &target, HttpVersion::HTTP_11, fields).unwrap();
        Acceptor::new().check(&mut request, Some(([192, 0, 2, 1], 4711).into())).unwrap();
        let (input, config) = (ReadBuffer::new(), Config::default());
        let io = tokio::io::empty();
        drop(WebSocket::for_request(io, &request, negotiated.clone(), input, config));
        let url = Url::parse(&format!("ws://user:{SECRET}@example.com/room/1?{SECRET}")).unwrap();
        let (io, input) = (tokio::io::empty(), ReadBuffer::new());
        drop(WebSocket::for_url(io, client_role(), &url, negotiated, input, config));
    });
    let (server, client) = (recorder.span("server"), recorder.span("client"));
    assert_eq!(server.field("client.address"), Some("192.0.2.1"));
    assert_eq!(server.field("client.port"), Some("4711"));
    assert_eq!(client.field("server.address"), Some("example.com"));
    assert_eq!(client.field("server.port"), Some("80"));
    for span in [server, client] {
        assert_eq!(span.field("url.path"), Some("/room/1"));
        assert_eq!(span.field("websocket.subprotocol"), Some("chat"));
        assert!(span.has_ended());
    }
    recorder.assert_never_told(SECRET);
}

#[test]
fn a_refusal_tells_the_status_and_no_origin() {
    let recorder = Recorder::default();
    let (client, server, port) =
        recorder.record(|| run(connect_with(Acceptor::new(), || Ok(Accept::new()))));
    assert!(matches!(server, Err(Error::Handshake(_))) && client.is_err());
    let mut events = recorder.events();
    events.sort();
    let [on_server, on_client] = &*events else { panic!("{events:?}") };
    assert!(on_server.starts_with("INFO none request refused client.address=127.0.0.1"));
    assert!(on_server.ends_with(
        "http.response.status_code=403 error=this server does not allow the origin of the request"
    ));
    let expected = format!(
        "WARN none connect failed server.address=localhost server.port={port} url.path=/room/1 \
        http.response.status_code=403 error=the server answered with status 403"
    );
    assert_eq!(on_client, &expected);
    assert!(recorder.spans().is_empty());
    recorder.assert_never_told(SECRET);
}

#[test]
fn a_refusal_by_the_application_tells_the_path() {
    let recorder = Recorder::default();
    let acceptor = Acceptor::new().origin(OriginPolicy::any());
    let (client, server, _) = recorder.record(|| run(connect_with(acceptor, || refused(401))));
    assert!(matches!(server, Err(Error::Refused(401))) && client.is_err());
    let events = recorder.events();
    let [on_server, on_client] = &*events else { panic!("{events:?}") };
    assert!(on_server.starts_with("INFO none request refused client.address=127.0.0.1"));
    assert!(on_server.ends_with(
        " url.path=/room/1 http.response.status_code=401 \
        error=the client was refused with status 401"
    ));
    assert!(on_client.starts_with("WARN none connect failed "), "{on_client}");
    recorder.assert_never_told(SECRET);
}

#[test]
fn an_answer_that_can_not_be_sent_is_the_applications_fault() {
    let recorder = Recorder::default();
    let acceptor = Acceptor::new().origin(OriginPolicy::any());
    let decide = || Ok(Accept::new().subprotocol(SECRET));
    let (_, server, _) = recorder.record(|| run(connect_with(acceptor, decide)));
    assert!(matches!(server, Err(Error::Accept(_))));
    let event = &recorder.events()[0];
    assert!(event.starts_with("WARN none invalid answer "), "{event}");
    assert!(event.contains("http.response.status_code=500"), "{event}");
    recorder.assert_never_told(SECRET);
}

#[test]
fn a_refusal_that_can_not_be_sent_is_the_applications_fault() {
    let recorder = Recorder::default();
    let acceptor = Acceptor::new().origin(OriginPolicy::any());
    let decide = || Err(PlainResponse::new(400).header(format!("Set-Cookie: id={SECRET}"), ""));
    let (_, server, _) = recorder.record(|| run(connect_with(acceptor, decide)));
    assert!(matches!(server, Err(Error::PlainResponse(_))), "{server:?}");
    let event = &recorder.events()[0];
    assert!(event.starts_with("WARN none invalid answer "), "{event}");
    recorder.assert_never_told(SECRET);
}

#[test]
fn a_plain_response_is_no_refusal() {
    let recorder = Recorder::default();
    let acceptor = Acceptor::new().plain_response(|_| Some(PlainResponse::new(200).body("ok")));
    recorder.record(|| {
        run(async {
            let (mut client, server) = streams().await;
            client.write_all(b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
            client.shutdown().await.unwrap();
            let _ = acceptor.accept(server).await.unwrap_err();
        });
    });
    let expected = "DEBUG none plain request answered http.response.status_code=200 \
        error=the client made a plain HTTP request, which was answered with status 200";
    assert_eq!(recorder.events(), [expected]);
}

#[test]
fn a_client_that_sends_nothing_is_not_worth_much() {
    let recorder = Recorder::default();
    recorder.record(|| {
        run(async {
            let (client, server) = streams().await;
            drop(client);
            let _ = Acceptor::new().accept_tcp(server).await.unwrap_err();
        });
    });
    let events = recorder.events();
    let [event] = &*events else { panic!("{events:?}") };
    assert!(event.starts_with("DEBUG none opening handshake failed client.address=127.0.0.1"));
}

/// On Linux its address is not known any more.
#[test]
fn a_client_that_is_gone_is_told() {
    let recorder = Recorder::default();
    recorder.record(|| {
        run(async {
            let (client, server) = streams().await;
            reset(client);
            let _ = Acceptor::new().accept_tcp(server).await.unwrap_err();
        });
    });
    let events = recorder.events();
    let [event] = &*events else { panic!("{events:?}") };
    assert!(event.starts_with("INFO none opening handshake failed"), "{event}");
}

#[test]
fn a_server_that_can_not_be_reached_is_told_once() {
    let recorder = Recorder::default();
    let port = recorder.record(|| {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            drop(listener);
            let url = format!("ws://127.0.0.1:{port}/a?b={SECRET}");
            let _ = Connector::new().connect(url).await.unwrap_err();
            port
        })
    });
    let expected = format!(
        "WARN none connect failed server.address=127.0.0.1 server.port={port} url.path=/a \
        error=can't connect to 127.0.0.1:{port}: "
    );
    let events = recorder.events();
    assert!(events.len() == 1 && events[0].starts_with(&expected), "{events:?}");
    recorder.assert_never_told(SECRET);
}

#[test]
fn a_server_that_redirects_elsewhere_is_no_leak() {
    let recorder = Recorder::default();
    recorder.record(|| {
        run(async {
            let (client, mut server) = streams().await;
            let connector = Connector::new();
            let (connected, ()) = join!(connector.connect_over("ws://a/", client), async {
                read_head(&mut server).await;
                let head = format!(
                    "HTTP/1.1 302 Found\r\nLocation: ws://b/?{SECRET}\r\nContent-Length: 0\r\n\r\n"
                );
                server.write_all(head.as_bytes()).await.unwrap();
            });
            assert!(connected.is_err());
        });
    });
    assert_eq!(recorder.events().len(), 1);
    recorder.assert_never_told(SECRET);
}

#[test]
fn each_connection_of_a_reconnecting_client_has_its_own_span() {
    let recorder = Recorder::default();
    recorder.record(|| {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("ws://{}/", listener.local_addr().unwrap());
            let backoff = Backoff::new().base(Duration::from_millis(1));
            let config = ReconnectConfig::new().backoff(backoff);
            let mut client = ReconnectingWebSocket::new(Connector::new(), url).config(config);
            let serve = async {
                let (stream, _) = listener.accept().await.unwrap();
                reset(stream);
                for _ in 0..2 {
                    let (stream, _) = listener.accept().await.unwrap();
                    let mut server = Acceptor::new().accept_tcp(stream).await.unwrap();
                    server.send("hello").await.unwrap();
                }
            };
            let receive = async {
                let mut messages = 0;
                while messages < 2 {
                    let event = client.next().await.unwrap();
                    messages += u32::from(matches!(event, ReconnectEvent::Message(_)));
                }
            };
            join!(serve, receive);
        });
    });
    let spans = recorder.spans();
    let of_client = spans.iter().filter(|span| span.field("otel.kind") == Some("client"));
    assert_eq!(of_client.count(), 2);
    assert!(spans.iter().all(|span| span.has_ended()));
    let failed = recorder.events().into_iter().filter(|event| event.contains("connect failed"));
    assert_eq!(failed.count(), 1);
}

#[test]
fn a_server_tells_of_its_connections_by_itself() {
    let recorder = Recorder::default();
    recorder.record(|| {
        run(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let decide = |request: &sansocket::handshake::Request| match request.path() {
                "/no" => refused(404),
                _ => Ok(Accept::new()),
            };
            let handler = |mut websocket: ServerWebSocket, _| async move {
                while websocket.next().await.is_some() {}
                Ok::<(), Error>(())
            };
            let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
            let server = serve(listener, handler)
                .decide(decide)
                .shutdown(async { drop(stopped.await) })
                .into_future();
            let server = tokio::spawn(server);
            let url = format!("ws://{address}");
            let _ = Connector::new().connect(format!("{url}/no")).await.unwrap_err();
            let (mut client, _) = Connector::new().connect(format!("{url}/yes")).await.unwrap();
            assert!(client.wait_closed().await.clean);
            let mut raw = TcpStream::connect(address).await.unwrap();
            raw.write_all(&REQUEST[..9]).await.unwrap();
            drop(raw);
            drop(stop);
            server.await.unwrap();
        });
    });
    assert_eq!(recorder.span("server").field("url.path"), Some("/yes"));
    assert_eq!(recorder.events_of("server").len(), 2);
    let of_none = recorder.events_of("none");
    assert!(of_none.iter().any(|event| event.contains("request refused")), "{of_none:?}");
}
