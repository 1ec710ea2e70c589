//! The tokio shell over TLS.

use crate::authority::{Authority, TRUSTED, Validity, client_tls, server_tls};
use crate::blocking::assert_refused_by_peer;
use ::tokio::{
    io::{AsyncWriteExt, BufStream},
    join,
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::spawn,
};
use sansocket::{
    CloseCode, Config, Error, Limits, Message,
    client::Stage,
    connection::{Cause, TransportEnd},
    on_tokio::{Acceptor, ClientWebSocket, Connector, ServerWebSocket, Stream, serve},
    tls::{ServerTls, TlsFault},
};
use std::{future::IntoFuture, io::ErrorKind, time::Duration};

fn large() -> Config {
    Config::default().limits(Limits::default().message(64 << 20))
}

async fn pair() -> (ClientWebSocket, ServerWebSocket) {
    let (client, server) = handshake(server_tls(), "localhost").await;
    (client.unwrap(), server.unwrap())
}

async fn handshake(
    server: ServerTls,
    host: &str,
) -> (Result<ClientWebSocket, Error>, Result<ServerWebSocket, Error>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let accept = async {
        let acceptor = Acceptor::new().config(large()).tls(server);
        acceptor.accept_tcp(listener.accept().await.unwrap().0).await
    };
    let connector = Connector::new().config(large()).tls(client_tls());
    let (client, server) = join!(connector.connect(format!("wss://{host}:{port}/")), accept);
    (client.map(|(client, _)| client), server)
}

fn data(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|index| (index * 31 + seed) as u8).collect()
}

#[::tokio::test]
async fn large_messages_pass_in_both_directions() {
    let (mut client, mut server) = pair().await;
    assert!(client.get_ref().is_secure() && server.get_ref().is_secure());
    assert_eq!(client.get_ref().peer_addr().unwrap(), server.get_ref().local_addr().unwrap());
    let echo = spawn(async move {
        while let Some(message) = server.next().await {
            server.send(message.unwrap()).await.unwrap();
        }
    });
    for len in [0, 1, 125, 126, 16_383, 16_384, 16_385, 65_536, 1 << 20, 5 << 20] {
        let sent = data(len, len);
        client.send(&sent).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap().into_bytes(), sent);
    }
    client.close(CloseCode::NORMAL, "").await.unwrap();
    assert!(client.wait_closed().await.clean);
    echo.await.unwrap();
}

#[::tokio::test]
async fn both_ends_can_flood_each_other() {
    const COUNT: usize = 40;
    const LEN: usize = 300_000;
    let (client, server) = pair().await;
    let (mut client_sender, mut client_receiver) = client.split();
    let (mut server_sender, mut server_receiver) = server.split();
    let sending = spawn(async move {
        for number in 0..COUNT {
            client_sender.send(data(LEN, number)).await.unwrap();
        }
        client_sender.close(CloseCode::NORMAL, "").await.unwrap();
    });
    let answering = spawn(async move {
        for number in 0..COUNT {
            server_sender.send(data(LEN, number + 7)).await.unwrap();
        }
    });
    let receiving = spawn(async move {
        for number in 0..COUNT {
            let message = client_receiver.next().await.unwrap().unwrap();
            assert_eq!(message.into_bytes(), data(LEN, number + 7));
        }
        assert!(client_receiver.wait_closed().await.clean);
    });
    for number in 0..COUNT {
        let message = server_receiver.next().await.unwrap().unwrap();
        assert_eq!(message.into_bytes(), data(LEN, number));
    }
    assert!(server_receiver.next().await.is_none());
    let (sent, answered, received) = join!(sending, answering, receiving);
    for outcome in [sent, answered, received] {
        outcome.unwrap();
    }
}

#[::tokio::test]
async fn certificates_are_checked() {
    let trusted = |name, validity| TRUSTED.issue(name, validity).server();
    for (server, host, fault) in [
        (trusted("example.com", Validity::Now), "localhost", TlsFault::WrongHost),
        (trusted("localhost", Validity::Now), "127.0.0.1", TlsFault::WrongHost),
        (trusted("localhost", Validity::Past), "localhost", TlsFault::Expired),
        (trusted("localhost", Validity::Future), "localhost", TlsFault::NotYetValid),
        (
            Authority::new().issue("localhost", Validity::Now).server(),
            "localhost",
            TlsFault::UnknownIssuer,
        ),
    ] {
        let (client, server) = handshake(server, host).await;
        let error = client.unwrap_err();
        assert!(matches!(&error, Error::Tls(tls) if tls.fault() == fault), "{error}");
        let error = server.unwrap_err();
        assert!(
            matches!(&error, Error::Tls(tls) if tls.fault() == TlsFault::RefusedByPeer),
            "{error}"
        );
    }
    let (client, server) = handshake(trusted("127.0.0.1", Validity::Now), "127.0.0.1").await;
    assert_eq!(client.unwrap().get_ref().peer_certificates().len(), 1);
    assert!(server.unwrap().get_ref().peer_certificates().is_empty());
}

#[::tokio::test]
async fn a_transport_that_ends_without_close_notify_is_truncated() {
    let (mut client, server) = pair().await;
    // Ends TCP behind the back of TLS.
    socket2::SockRef::from(server.get_ref().tcp().unwrap())
        .shutdown(std::net::Shutdown::Write)
        .unwrap();
    let error = client.next().await.unwrap().unwrap_err();
    let Error::Closed(closed) = &error else { panic!("{error:?}") };
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::TlsTruncated), "{closed:?}");

    // A dropped server ends TLS in order.
    let (mut client, server) = pair().await;
    drop(server);
    let error = client.next().await.unwrap().unwrap_err();
    let Error::Closed(closed) = &error else { panic!("{error:?}") };
    assert_eq!(closed.cause, Cause::Transport(TransportEnd::Eof), "{closed:?}");
}

#[::tokio::test]
async fn the_handshake_timeout_covers_tls() {
    let timeout = Duration::from_millis(50);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let _silent = TcpStream::connect(address).await.unwrap();
    let acceptor = Acceptor::new().tls(server_tls()).handshake_timeout(timeout);
    let (stream, _) = listener.accept().await.unwrap();
    let error = acceptor.accept_tcp(stream).await.unwrap_err();
    assert!(matches!(error, Error::HandshakeTimeout), "{error}");

    let connector = Connector::new().tls(client_tls()).handshake_timeout(timeout);
    let error = connector.connect(format!("wss://localhost:{}/", address.port())).await;
    assert!(matches!(error, Err(Error::ConnectTimeout(Stage::Tls))));
}

#[::tokio::test]
async fn a_peer_that_ends_in_the_handshake_is_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    drop(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
    let (stream, _) = listener.accept().await.unwrap();
    let error = Acceptor::new().tls(server_tls()).accept_tcp(stream).await.unwrap_err();
    assert!(matches!(&error, Error::Io(io) if io.kind() == ErrorKind::UnexpectedEof), "{error}");
}

#[::tokio::test]
async fn a_server_serves_tls_and_reports_who_does_not_speak_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (report, mut reports) = mpsc::unbounded_channel();
    let (stop, stopped) = oneshot::channel::<()>();
    let server = serve(listener, |mut websocket, _request| async move {
        assert!(websocket.get_ref().is_secure());
        while let Some(message) = websocket.next().await {
            websocket.send(message?).await?;
        }
        Ok::<(), Error>(())
    })
    .acceptor(Acceptor::new().tls(server_tls()))
    .on_error(move |error| report.send(error.to_string()).unwrap())
    .shutdown(async { drop(stopped.await) });
    let running = spawn(server.into_future());
    let connector = Connector::new().tls(client_tls());
    let (mut client, _) = connector.connect(format!("wss://localhost:{port}/")).await.unwrap();
    client.send("hello").await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::from("hello"));
    connector.connect(format!("ws://localhost:{port}/")).await.unwrap_err();
    let error = reports.recv().await.unwrap();
    assert!(error.contains("does not speak TLS"), "{error}");
    stop.send(()).unwrap();
    assert!(client.next().await.is_none());
    assert_eq!(client.closed().unwrap().code, CloseCode::GOING_AWAY);
    running.await.unwrap();
}

#[::tokio::test]
async fn a_request_over_tls_can_be_answered_later() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = async {
        let acceptor = Acceptor::new().tls(server_tls());
        let stream = listener.accept().await.unwrap().0;
        let pending = acceptor.receive_tcp_request(stream).await.unwrap();
        assert!(pending.get_ref().is_secure());
        pending.refuse(&sansocket::handshake::PlainResponse::new(401)).await.unwrap();
    };
    let connector = Connector::new().tls(client_tls());
    let (connected, ()) = join!(connector.connect(format!("wss://localhost:{port}/")), answer);
    let error = connected.unwrap_err();
    assert!(error.to_string().contains("401"), "{error}");
}

#[::tokio::test]
async fn a_stream_of_the_users_own_can_take_the_place() {
    let (near, far) = ::tokio::io::duplex(1000);
    let connect = async {
        let stream = Stream::boxed(near);
        assert!(stream.tcp().is_none() && !stream.is_secure());
        assert_eq!(stream.peer_addr().unwrap_err().kind(), ErrorKind::Unsupported);
        Connector::new().connect_over("wss://localhost/", stream).await.unwrap().0
    };
    let accept = async { Acceptor::new().accept(Stream::boxed(far)).await.unwrap() };
    let (mut client, mut server): (ClientWebSocket, ServerWebSocket) = join!(connect, accept);
    client.send(data(500, 1)).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(server.next().await.unwrap().unwrap().into_bytes(), data(500, 1));
    let mut transport = server.into_parts().transport;
    transport.shutdown().await.unwrap();
}

#[::tokio::test]
async fn an_alert_is_flushed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accept = async {
        let (stream, _) = listener.accept().await.unwrap();
        Acceptor::new().tls(server_tls()).accept_tcp(stream).await.map(drop)
    };
    let connector = Connector::new().tls(client_tls()).dialer(move |_, _| async move {
        Ok(Stream::boxed(BufStream::new(TcpStream::connect(address).await?)))
    });
    let connect = async { drop(connector.connect("wss://example.com/").await.unwrap_err()) };
    let ((), accepted) = join!(connect, accept);
    assert_refused_by_peer(&accepted.unwrap_err());
}
