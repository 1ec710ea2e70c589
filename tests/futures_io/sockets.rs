//! Connecting by name, and the options for it.

use async_io::{Async, block_on};
use futures_util::future::join;
use sansocket::{
    Config, Error, Message, blocking,
    client::{Stage, TcpKeepalive},
    on_futures_io::{Acceptor, Connector, Stream, accept, connect},
    server::OriginPolicy,
};
use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

fn listen() -> (Async<TcpListener>, u16) {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).unwrap();
    let port = listener.get_ref().local_addr().unwrap().port();
    (listener, port)
}

/// Returns an address at which nobody listens.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn echo_once(listener: &Async<TcpListener>) -> SocketAddr {
    let (stream, peer) = listener.accept().await.unwrap();
    let mut server = accept(stream).await.unwrap();
    assert!(server.get_ref().tcp().unwrap().get_ref().nodelay().unwrap());
    while let Some(message) = server.next().await {
        server.send(message.unwrap()).await.unwrap();
    }
    server.wait_closed().await;
    peer
}

#[test]
fn it_talks_to_the_blocking_shell_in_both_roles() {
    let (listener, port) = listen();
    let client = thread::spawn(move || {
        let mut client = blocking::connect(format!("ws://localhost:{port}/")).unwrap();
        client.send("hello").unwrap();
        assert_eq!(client.next().unwrap().unwrap(), Message::text("hello"));
        client.wait_closed()
    });
    block_on(echo_once(&listener));
    assert!(client.join().unwrap().clean);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = thread::spawn(move || {
        let mut server = blocking::accept(listener.accept().unwrap().0).unwrap();
        while let Some(message) = server.next() {
            server.send(message.unwrap()).unwrap();
        }
        server.wait_closed()
    });
    block_on(async {
        let mut client = connect(format!("ws://localhost:{port}/")).await.unwrap();
        client.send("hello").await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("hello"));
        assert!(client.wait_closed().await.clean);
    });
    assert!(server.join().unwrap().clean);
}

#[test]
fn a_resolver_and_socket_options_are_used() {
    let (listener, port) = listen();
    let refused = closed_port();
    let local = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let connector = Connector::new()
        .resolver(move |host: String, _| async move {
            assert_eq!(host, "chat.test");
            // The first refuses, so the second gets its turn at once.
            Ok(vec![
                SocketAddr::from(([127, 0, 0, 1], refused)),
                SocketAddr::from(([127, 0, 0, 1], port)),
            ])
        })
        .local_address(local)
        .tcp_keepalive(TcpKeepalive::new(Duration::from_secs(30)));
    block_on(async {
        let talk = async {
            let (mut client, _) = connector.connect("ws://chat.test/").await.unwrap();
            let stream = client.get_ref();
            assert_eq!(stream.peer_addr().unwrap().port(), port);
            assert!(!stream.is_secure());
            let socket = socket2::SockRef::from(stream.tcp().unwrap());
            assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
            client.wait_closed().await
        };
        let (closed, peer) = join(talk, echo_once(&listener)).await;
        assert!(closed.clean);
        assert_eq!(peer.ip(), local);
    });
}

#[test]
fn a_dialer_replaces_the_sockets() {
    let (listener, port) = listen();
    let connector = Connector::new().dialer(move |_, _| async move {
        Ok(Stream::boxed(Async::<TcpStream>::connect(([127, 0, 0, 1], port)).await?))
    });
    block_on(async {
        let talk = async {
            let (mut client, _) = connector.connect("ws://elsewhere.test/").await.unwrap();
            let stream = client.get_ref();
            assert!(stream.tcp().is_none());
            assert_eq!(stream.peer_addr().unwrap_err().kind(), ErrorKind::Unsupported);
            client.send("hello").await.unwrap();
            assert_eq!(client.next().await.unwrap().unwrap(), Message::text("hello"));
            client.wait_closed().await
        };
        let (closed, _) = join(talk, echo_once(&listener)).await;
        assert!(closed.clean);
    });
}

#[test]
fn an_error_names_the_address_and_what_can_help() {
    let port = closed_port();
    let failed = block_on(connect(format!("ws://127.0.0.1:{port}/"))).unwrap_err();
    assert!(failed.to_string().contains(&format!("127.0.0.1:{port}")), "{failed}");
    assert!(matches!(&failed, Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused));
    assert!(failed.is_transient());
    let failed = block_on(connect("ws://no-such-host.invalid/")).unwrap_err();
    assert!(failed.to_string().contains("no-such-host.invalid"), "{failed}");
}

#[test]
fn connecting_times_out() {
    let timeout = Duration::from_millis(50);
    let connector = Connector::new()
        .stage_timeout(Stage::Lookup, timeout)
        .resolver(|_, _| std::future::pending());
    let failed = block_on(connector.connect("ws://chat.test/")).unwrap_err();
    assert!(matches!(failed, Error::ConnectTimeout(Stage::Lookup)), "{failed:?}");
}

#[test]
fn a_request_can_be_decided_on() {
    let (listener, port) = listen();
    let connector = Connector::new().header("Authorization", "Bearer 5ca1ab1e");
    block_on(async {
        let accept = async {
            let acceptor = Acceptor::new().config(Config::default()).origin(OriginPolicy::any());
            for _ in 0..2 {
                let (stream, _) = listener.accept().await.unwrap();
                let opening = acceptor.receive_tcp_request(stream).await.unwrap();
                if opening.request().header("Authorization").is_none() {
                    let refusal = sansocket::handshake::PlainResponse::new(401);
                    opening.refuse(&refusal).await.unwrap();
                    continue;
                }
                let accept = sansocket::handshake::Accept::new();
                let mut server = opening.accept(&accept).await.unwrap();
                assert!(server.next().await.is_none());
                server.wait_closed().await;
            }
        };
        let connect = async {
            let url = format!("ws://localhost:{port}/");
            let refused = connect(&url).await.unwrap_err();
            assert!(refused.to_string().contains("401"), "{refused}");
            let (mut client, _) = connector.connect(&url).await.unwrap();
            client.wait_closed().await
        };
        let (closed, ()) = join(connect, accept).await;
        assert!(closed.clean);
    });
}
