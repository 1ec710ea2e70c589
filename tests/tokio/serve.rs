//! `serve`: handshakes, limits, failing handlers and shutdown.

use core::future::Future;
use sansocket::{
    CloseCode, Error,
    connection::Initiator,
    handshake::{Accept, HandshakeError, PlainResponse, Request},
    on_tokio::{
        Acceptor, ClientWebSocket, Connector, Serve, ServeError, ServerWebSocket, connect, serve,
    },
};
use sansocket_testkit::{
    clock::run,
    frames::{masked, plain},
    opening::REQUEST,
    pair::tokio::{read_head, read_to_end},
};
use std::{io::ErrorKind, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::{JoinHandle, yield_now},
};

/// A server in a task of its own.
struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    errors: mpsc::UnboundedReceiver<ServeError>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start<H, F>(handler: H, options: impl FnOnce(Serve<H>) -> Serve<H>) -> Self
    where
        H: Fn(ServerWebSocket, Request) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let (report, errors) = mpsc::unbounded_channel();
        let server = serve(listener, handler)
            .on_error(move |error| drop(report.send(error)))
            .shutdown(async { drop(stopped.await) });
        let task = tokio::spawn(options(server).into_future());
        Self { address, stop: Some(stop), errors, task }
    }

    async fn echo() -> Self {
        Self::start(echo, |serve| serve).await
    }

    async fn connect(&self) -> ClientWebSocket {
        connect(format!("ws://{}/", self.address)).await.unwrap()
    }

    async fn stream(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Opens a connection and returns its raw stream.
    async fn opened(&self) -> TcpStream {
        let mut stream = self.stream().await;
        stream.write_all(REQUEST).await.unwrap();
        assert!(read_head(&mut stream).await.starts_with(b"HTTP/1.1 101 "));
        stream
    }

    fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Waits for the server to end and checks that it reported no error.
    async fn check_end(mut self) {
        (&mut self.task).await.unwrap();
        assert!(self.errors.recv().await.is_none());
    }
}

async fn echo(mut websocket: ServerWebSocket, _: Request) -> Result<(), Error> {
    while let Some(message) = websocket.next().await {
        websocket.send(message?).await?;
    }
    Ok(())
}

async fn check_echo(client: &mut ClientWebSocket) {
    client.send("hello").await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap().as_bytes(), b"hello");
}

fn close_away() -> Vec<u8> {
    plain(0x88, &1001_u16.to_be_bytes())
}

async fn check_closed_as_away(mut client: ClientWebSocket) {
    while let Some(message) = client.next().await {
        message.unwrap();
    }
    let closed = client.closed().unwrap();
    assert!(closed.clean && closed.initiator == Initiator::Peer, "{closed:?}");
    assert_eq!(closed.code, CloseCode::GOING_AWAY);
}

/// Lets the other tasks run for a while.
async fn run_others() {
    for _ in 0..100 {
        yield_now().await;
    }
}

#[test]
fn every_way_to_accept_tcp_sends_small_segments_at_once() {
    run(async {
        let (report, mut reported) = mpsc::unbounded_channel();
        let mut server = Running::start(
            move |websocket, _| {
                let report = report.clone();
                async move {
                    report.send(websocket.get_ref().tcp().unwrap().nodelay()?).unwrap();
                    Ok(())
                }
            },
            |serve| serve,
        )
        .await;
        drop(server.connect().await);
        assert!(reported.recv().await.unwrap(), "serve");
        server.stop();
        server.check_end().await;

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let stream = async || listener.accept().await.unwrap().0;
        let url = &url;
        let both = async |accepting: &mut dyn FnMut(TcpStream) -> Accepting| {
            let accepted = async { accepting(stream().await).await };
            let (client, server) = tokio::join!(connect(url), accepted);
            client.unwrap();
            assert!(server.unwrap().get_ref().tcp().unwrap().nodelay().unwrap());
        };
        both(&mut |stream| Box::pin(sansocket::on_tokio::accept(stream))).await;
        both(&mut |stream| Box::pin(async { Acceptor::new().accept_tcp(stream).await })).await;
        both(&mut |stream| {
            Box::pin(async { Acceptor::new().accept_tcp_with(stream, |_| Ok(Accept::new())).await })
        })
        .await;
    });
}

type Accepting = std::pin::Pin<Box<dyn Future<Output = Result<ServerWebSocket, Error>>>>;

#[test]
fn a_shutdown_closes_every_connection() {
    run(async {
        let mut server = Running::echo().await;
        let mut clients = Vec::new();
        for _ in 0..20 {
            clients.push(server.connect().await);
        }
        for client in &mut clients {
            check_echo(client).await;
        }
        // One of them leaves before the shutdown.
        clients.pop().unwrap().wait_closed().await;
        server.stop();
        for client in clients {
            check_closed_as_away(client).await;
        }
        server.check_end().await;
    });
}

#[test]
fn a_handler_that_asks_for_lingering_keeps_its_server() {
    run(async {
        let handler =
            |websocket: ServerWebSocket, request| echo(websocket.linger_on_drop(), request);
        let mut server = Running::start(handler, |serve| serve).await;
        let mut client = server.connect().await;
        check_echo(&mut client).await;
        server.stop();
        check_closed_as_away(client).await;
        server.check_end().await;
    });
}

#[test]
fn a_shutdown_without_connections_is_immediate() {
    run(async {
        let mut server = Running::start(echo, |serve| serve.shutdown_timeout(Duration::MAX)).await;
        server.stop();
        server.check_end().await;
    });
}

#[test]
fn each_request_is_passed_to_decide_and_then_to_the_handler() {
    run(async {
        let handler = async |mut websocket: ServerWebSocket, request: Request| {
            assert_eq!(websocket.negotiated().subprotocol.as_deref(), Some("chat"));
            websocket.send(request.path()).await
        };
        let decide = |request: &Request| match request.path() {
            "/no" => Err(PlainResponse::new(404)),
            "/never" => Ok(Accept::new().subprotocol("not offered")),
            _ => Ok(Accept::new().subprotocol("chat")),
        };
        let handler = move |websocket, request| Box::pin(handler(websocket, request));
        let mut server = Running::start(handler, |serve| serve.decide(decide)).await;
        let connect = async |path| {
            let url = format!("ws://{}{path}", server.address);
            Connector::new().subprotocol("chat").connect(url).await
        };
        let (mut client, _) = connect("/yes").await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap().as_bytes(), b"/yes");
        for path in ["/no", "/never"] {
            connect(path).await.unwrap_err();
        }
        let mut error = async || match server.errors.recv().await {
            Some(ServeError::Handshake { error, peer }) if peer.ip().is_loopback() => error,
            other => panic!("{other:?}"),
        };
        assert!(matches!(error().await, Error::Refused(404)));
        assert!(matches!(error().await, Error::Accept(_)));
    });
}

#[test]
fn a_plain_http_request_gets_its_response_and_is_not_an_error() {
    run(async {
        let acceptor =
            Acceptor::new().plain_response(|_| Some(PlainResponse::new(200).body("fine")));
        let mut server = Running::start(echo, |serve| serve.acceptor(acceptor)).await;
        let mut stream = server.stream().await;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: h\r\n\r\n").await.unwrap();
        let response = read_to_end(&mut stream).await;
        assert!(response.starts_with(b"HTTP/1.1 200 ") && response.ends_with(b"fine"));
        drop(stream);
        server.stop();
        server.check_end().await;
    });
}

#[test]
fn a_client_that_sends_no_request_times_out_and_others_are_served() {
    run(async {
        let acceptor = Acceptor::new().handshake_timeout(Duration::from_millis(100));
        let mut server = Running::start(echo, |serve| serve.acceptor(acceptor)).await;
        let mut silent = server.stream().await;
        let silent_address = silent.local_addr().unwrap();
        let mut other = server.connect().await;
        check_echo(&mut other).await;
        assert_eq!(read_to_end(&mut silent).await, b"");
        match server.errors.recv().await {
            Some(ServeError::Handshake { peer, error: Error::HandshakeTimeout }) => {
                assert_eq!(peer, silent_address);
            }
            other => panic!("{other:?}"),
        }
        // An invalid request gets a response that says what is wrong.
        let mut wrong = server.stream().await;
        wrong.write_all(b"PUT / HTTP/1.1\r\n\r\n").await.unwrap();
        assert!(read_to_end(&mut wrong).await.starts_with(b"HTTP/1.1 405 "));
        drop(wrong);
        let error = server.errors.recv().await.unwrap();
        let ServeError::Handshake { error: Error::Handshake(HandshakeError::Method(_)), .. } =
            error
        else {
            panic!("{error:?}");
        };
        assert!(server.errors.is_empty());
    });
}

#[test]
fn pending_handshakes_are_limited() {
    run(async {
        let server = Running::start(echo, |serve| serve.max_handshakes(2)).await;
        // Open connections do not count.
        let mut open = [server.connect().await, server.connect().await, server.connect().await];
        let silent = [server.stream().await, server.stream().await];
        let mut next = server.stream().await;
        next.write_all(REQUEST).await.unwrap();
        run_others().await;
        assert_eq!(next.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        check_echo(&mut open[2]).await;
        drop(silent);
        assert!(read_head(&mut next).await.starts_with(b"HTTP/1.1 101 "));
    });
}

#[test]
fn a_refused_client_holds_up_no_other_handshake() {
    for refused in ["GET /no HTTP/1.1", "GET /plain HTTP/1.0", "POST / HTTP/1.1"] {
        run(async {
            let acceptor = Acceptor::new().plain_response(|_| Some(PlainResponse::new(200)));
            let mut server = Running::start(echo, |serve| {
                serve.acceptor(acceptor).max_handshakes(1).max_connections(2).decide(|request| {
                    if request.path() == "/no" {
                        Err(PlainResponse::new(404))
                    } else {
                        Ok(Accept::new())
                    }
                })
            })
            .await;
            let mut stream = server.stream().await;
            let request = String::from_utf8(REQUEST.to_vec()).unwrap();
            let (_, headers) = request.split_once("\r\n").unwrap();
            let headers = if refused.contains("plain") { "\r\n" } else { headers };
            stream.write_all(format!("{refused}\r\n{headers}").as_bytes()).await.unwrap();
            assert!(!read_head(&mut stream).await.starts_with(b"HTTP/1.1 101 "));
            // The client does not end its side, so the server still waits for that.
            let mut next = server.connect().await;
            check_echo(&mut next).await;
            assert!(server.errors.try_recv().is_err(), "{refused}");
            // It counts as a connection until then.
            let mut last = server.stream().await;
            last.write_all(REQUEST).await.unwrap();
            run_others().await;
            assert_eq!(last.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
            drop(stream);
            assert!(read_head(&mut last).await.starts_with(b"HTTP/1.1 101 "));
        });
    }
}

#[test]
fn open_connections_are_limited() {
    run(async {
        let mut server = Running::start(echo, |serve| serve.max_connections(2)).await;
        let (mut one, mut two) = (server.connect().await, server.connect().await);
        let mut next = server.stream().await;
        next.write_all(REQUEST).await.unwrap();
        run_others().await;
        assert_eq!(next.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        check_echo(&mut one).await;
        drop(one);
        assert!(read_head(&mut next).await.starts_with(b"HTTP/1.1 101 "));
        check_echo(&mut two).await;
        // A full server shuts down like any other.
        server.stop();
        check_closed_as_away(two).await;
    });
}

#[test]
fn a_handler_that_panics_or_fails_ends_only_its_own_connection() {
    run(async {
        let handler = |mut websocket: ServerWebSocket, _| async move {
            while let Some(message) = websocket.next().await {
                match message?.as_bytes() {
                    b"panic" => panic!("asked for by the client"),
                    b"fail" => return Err(std::io::Error::other("asked for by the client").into()),
                    other => websocket.send(other).await?,
                }
            }
            Ok(())
        };
        let mut server = Running::start(handler, |serve| serve).await;
        let mut good = server.connect().await;
        for what in ["panic", "fail"] {
            let mut bad = server.opened().await;
            bad.write_all(&masked(0x82, what.as_bytes())).await.unwrap();
            assert_eq!(read_to_end(&mut bad).await, b"", "{what}");
            good.send("still there").await.unwrap();
            good.next().await.unwrap().unwrap();
            let mut next = server.connect().await;
            check_echo(&mut next).await;
            assert!(next.wait_closed().await.clean);
            if what == "fail" {
                let error = server.errors.recv().await.unwrap();
                let ServeError::Handler { peer, error } = error else { panic!("{error:?}") };
                assert_eq!(peer, bad.local_addr().unwrap());
                assert_eq!(error.to_string(), "asked for by the client");
            }
        }
        server.stop();
        check_closed_as_away(good).await;
        server.check_end().await;
    });
}

#[test]
fn a_dropped_connection_ends_without_a_reset_while_the_peer_still_sends() {
    run(async {
        for closes in [true, false] {
            let handler = move |mut websocket: ServerWebSocket, _| async move {
                websocket.next().await.unwrap()?;
                if closes {
                    websocket.close(CloseCode::POLICY_VIOLATION, "enough").await?;
                }
                Ok(())
            };
            let mut server = Running::start(handler, |serve| serve).await;
            let mut client = server.opened().await;
            // This is more than the server would read if it did not wait for the client.
            client.write_all(&masked(0x82, b"x")).await.unwrap();
            for _ in 0..8 {
                client.write_all(&masked(0x82, &[0; 100_000])).await.unwrap();
            }
            let close = [&1008_u16.to_be_bytes()[..], b"enough"].concat();
            let expected = if closes { plain(0x88, &close) } else { Vec::new() };
            assert_eq!(read_to_end(&mut client).await, expected, "{closes}");
            // The server still reads it.
            client.write_all(&[0; 1000]).await.unwrap();
            drop(client);
            server.stop();
            server.check_end().await;
        }
    });
}

#[test]
fn queued_messages_arrive_after_the_handler_drops_the_connection() {
    const LEN: usize = 8 << 20;
    run(async {
        for splits in [false, true] {
            let handler = move |mut websocket: ServerWebSocket, _| async move {
                if splits {
                    let (mut sender, receiver) = websocket.split();
                    sender.feed(vec![7; LEN]).await?;
                    drop(receiver);
                } else {
                    websocket.feed(vec![7; LEN]).await?;
                }
                Ok(())
            };
            let mut server = Running::start(handler, |serve| serve).await;
            let mut client = server.connect().await;
            run_others().await;
            assert!(client.next().await.unwrap().unwrap().as_bytes() == vec![7; LEN]);
            // Dropping the receiving half sends a Close. Dropping a whole connection sends none.
            let end = client.next().await;
            assert_eq!(end.is_some_and(|end| end.is_err()), !splits);
            let code = client.closed().unwrap().code;
            let expected = if splits { CloseCode::GOING_AWAY } else { CloseCode::ABNORMAL };
            assert_eq!(code, expected);
            drop(client);
            server.stop();
            server.check_end().await;
        }
    });
}

#[test]
fn a_handler_that_takes_the_transport_keeps_it() {
    run(async {
        let (sender, mut taken) = mpsc::unbounded_channel();
        let handler = move |websocket: ServerWebSocket, _| {
            let sender = sender.clone();
            async move {
                let _ = sender.send(websocket.into_parts().transport);
                Ok(())
            }
        };
        let mut server = Running::start(handler, |serve| serve).await;
        let mut client = server.opened().await;
        let mut transport = taken.recv().await.unwrap();
        server.stop();
        server.check_end().await;
        transport.write_all(b"other").await.unwrap();
        drop(transport);
        assert_eq!(read_to_end(&mut client).await, b"other");
    });
}

#[test]
fn a_shutdown_reaches_a_busy_handler() {
    run(async {
        let handler = |mut websocket: ServerWebSocket, _| async move {
            while let Some(message) = websocket.next().await {
                match websocket.send(message?).await {
                    // The connection is closing, but the client's messages still arrive.
                    Err(error) if error.is_closed() => {}
                    outcome => outcome?,
                }
            }
            Ok(())
        };
        let mut server = Running::start(handler, |serve| serve).await;
        let mut client = server.opened().await;
        let (mut reader, mut writer) = client.split();
        let message = masked(0x82, &[1; 1000]);
        let floods = async {
            let many = message.repeat(100);
            while writer.write_all(&many).await.is_ok() {}
        };
        let reads = async {
            let echo = plain(0x82, &[1; 1000]);
            let mut frame = vec![0; echo.len()];
            for count in 0.. {
                if count == 1000 {
                    server.stop();
                }
                reader.read_exact(&mut frame[..4]).await.unwrap();
                if frame[..4] == close_away()[..] {
                    break;
                }
                reader.read_exact(&mut frame[4..]).await.unwrap();
                assert!(frame == echo);
            }
        };
        tokio::select! { () = floods => panic!("writing failed"), () = reads => {} }
        drop(client);
        server.task.await.unwrap();
    });
}

#[test]
fn a_shutdown_wakes_a_handler_that_waits_for_a_peer_that_does_not_read() {
    run(async {
        let (report, mut reports) = mpsc::unbounded_channel();
        let handler = move |mut websocket: ServerWebSocket, _| {
            let report = report.clone();
            async move {
                let error = loop {
                    match websocket.feed(vec![0; 100_000]).await {
                        Ok(()) => {}
                        Err(error) => break error,
                    }
                };
                let _ = report.send(error.is_closed());
                Ok(())
            }
        };
        let mut server = Running::start(handler, |serve| serve).await;
        let client = server.opened().await;
        run_others().await;
        server.stop();
        assert_eq!(reports.recv().await, Some(true));
        drop(client);
        server.check_end().await;
    });
}

#[test]
fn a_shutdown_reaches_a_split_connection() {
    run(async {
        let handler = |websocket: ServerWebSocket, _| async move {
            let (mut sender, mut receiver) = websocket.split();
            let sends = tokio::spawn(async move {
                for number in 0.. {
                    if sender.send(format!("{number}")).await.is_err() {
                        return;
                    }
                    yield_now().await;
                }
            });
            while let Some(message) = receiver.next().await {
                message?;
            }
            sends.await.unwrap();
            Ok(())
        };
        let mut server = Running::start(handler, |serve| serve).await;
        let mut client = server.connect().await;
        client.next().await.unwrap().unwrap();
        server.stop();
        check_closed_as_away(client).await;
        server.check_end().await;
    });
}

#[test]
fn a_shutdown_finishes_pending_handshakes_and_accepts_no_new_client() {
    run(async {
        let mut server = Running::echo().await;
        let mut late = server.stream().await;
        late.write_all(&REQUEST[..20]).await.unwrap();
        let client = server.connect().await;
        server.stop();
        check_closed_as_away(client).await;
        let refused = TcpStream::connect(server.address).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        late.write_all(&REQUEST[20..]).await.unwrap();
        assert!(read_head(&mut late).await.starts_with(b"HTTP/1.1 101 "));
        let mut close = [0; 4];
        late.read_exact(&mut close).await.unwrap();
        assert_eq!(close[..], close_away());
        late.write_all(&masked(0x88, &1001_u16.to_be_bytes())).await.unwrap();
        assert_eq!(read_to_end(&mut late).await, b"");
        drop(late);
        server.check_end().await;
    });
}

#[test]
fn the_shutdown_timeout_drops_all_connections() {
    run(async {
        let (entered, mut has_entered) = mpsc::unbounded_channel();
        let handler = move |mut websocket: ServerWebSocket, request: Request| {
            let entered = entered.clone();
            async move {
                let _ = entered.send(());
                match request.path() {
                    // This handler never receives.
                    "/deaf" => core::future::pending().await,
                    // This handler sends to a peer that does not read.
                    "/full" => loop {
                        websocket.send(vec![0; 100_000]).await?;
                    },
                    _ => echo(websocket, request).await,
                }
            }
        };
        let timeout = Duration::from_millis(100);
        let mut server = Running::start(handler, |serve| serve.shutdown_timeout(timeout)).await;
        let mut clients = vec![server.stream().await];
        for path in ["/deaf", "/full", "/silent"] {
            let mut stream = server.stream().await;
            let request = String::from_utf8(REQUEST.to_vec()).unwrap();
            stream.write_all(request.replacen('/', path, 1).as_bytes()).await.unwrap();
            read_head(&mut stream).await;
            has_entered.recv().await.unwrap();
            clients.push(stream);
        }
        server.stop();
        server.task.await.unwrap();
        for mut client in clients {
            // The stream ends, in order or by a reset.
            let _ = client.read_to_end(&mut Vec::new()).await;
        }
    });
}

#[test]
fn a_dropped_server_drops_its_connections() {
    run(async {
        let server = Running::echo().await;
        let mut client = server.opened().await;
        server.task.abort();
        assert!(server.task.await.unwrap_err().is_cancelled());
        assert_eq!(read_to_end(&mut client).await, b"");
    });
}

#[test]
fn the_debug_output_shows_the_options() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = serve(listener, echo).max_connections(7).max_handshakes(8);
        let shown = format!("{server:?}");
        assert!(shown.contains("max_connections: 7") && shown.contains("max_handshakes: 8"));
    });
}
