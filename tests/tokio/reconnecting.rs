//! A client that reconnects: when it connects again, and when it gives up.
//!
//! Pipes in memory connect the endpoints, and the clock is paused, except where noted.

use futures_util::{StreamExt, stream::FusedStream};
use sansocket::{
    CloseCode, Error, Message, Text,
    client::{Backoff, GiveUp, NextAttempt, Proxy, ProxyError, ReconnectConfig},
    connection::SendError,
    handshake::Response,
    on_tokio::{
        Acceptor, AttemptError, ClientWebSocket, Connector, DisconnectReason, ReconnectEvent,
        ReconnectSendError, ReconnectingWebSocket, ServerWebSocket, Stream,
    },
};
use sansocket_testkit::{
    clock::{DAY, run, run_paused},
    pair::tokio::read_head,
};
use std::{
    future::pending,
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncWriteExt, DuplexStream, duplex},
    join,
    net::TcpListener,
    select,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::spawn,
    time::{Instant, sleep, timeout},
};

const SECOND: Duration = Duration::from_secs(1);

/// A server that clients reach over pipes.
pub(crate) struct PipeServer(UnboundedReceiver<DuplexStream>);

impl PipeServer {
    pub(crate) async fn stream(&mut self) -> DuplexStream {
        self.0.recv().await.unwrap()
    }

    pub(crate) async fn accept(&mut self) -> ServerWebSocket {
        Acceptor::new().accept(Stream::boxed(self.stream().await)).await.unwrap()
    }

    /// Refuses the next client with this status and these fields.
    async fn refuse(&mut self, status: u16, fields: &str) {
        let mut stream = self.stream().await;
        read_head(&mut stream).await;
        let head = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n{fields}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
    }

    /// Closes the next connection with this code as soon as it is open.
    async fn accept_and_close(&mut self, code: u16) {
        let mut server = self.accept().await;
        server.close(CloseCode::new(code), "").await.unwrap();
        server.wait_closed().await;
    }

    pub(crate) fn assert_no_client(&mut self) {
        assert!(self.0.try_recv().is_err(), "another attempt");
    }
}

/// Returns a client of a new server. The pipes between them take this many bytes.
pub(crate) fn client_over_pipes(capacity: usize) -> (ReconnectingWebSocket, PipeServer) {
    let (sender, incoming) = unbounded_channel();
    let client = ReconnectingWebSocket::with_connect(move || {
        let (client, server) = duplex(capacity);
        let sent = sender.send(server);
        async move {
            sent.map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
            Ok(Connector::new().connect_over("ws://localhost/", Stream::boxed(client)).await?)
        }
    });
    (client.config(config()), PipeServer(incoming))
}

fn client() -> (ReconnectingWebSocket, PipeServer) {
    client_over_pipes(1000)
}

fn backoff() -> Backoff {
    Backoff::new().base(SECOND).cap(30 * SECOND).stable_after(60 * SECOND)
}

pub(crate) fn config() -> ReconnectConfig {
    ReconnectConfig::new().backoff(backoff())
}

pub(crate) async fn connected(client: &mut ReconnectingWebSocket) -> Response {
    match client.next().await {
        Some(ReconnectEvent::Connected(response)) => *response,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn disconnected(
    client: &mut ReconnectingWebSocket,
) -> (DisconnectReason, NextAttempt) {
    match client.next().await {
        Some(ReconnectEvent::Disconnected { why, next }) => (why, next),
        other => panic!("{other:?}"),
    }
}

async fn text(client: &mut ReconnectingWebSocket) -> Text {
    match client.next().await {
        Some(ReconnectEvent::Message(Message::Text(text))) => text,
        other => panic!("{other:?}"),
    }
}

/// Expects that the client gives up and that nothing comes after that.
async fn given_up(client: &mut ReconnectingWebSocket) -> (DisconnectReason, GiveUp) {
    let (why, cause) = match client.next().await {
        Some(ReconnectEvent::GivenUp { why, cause }) => (why, cause),
        other => panic!("{other:?}"),
    };
    assert!(client.is_terminated() && !client.is_connected());
    assert!(client.next().await.is_none());
    let late = client.send("late").await.unwrap_err();
    assert_eq!(late.into_message(), Some(Message::from("late")));
    (why, cause)
}

#[test]
fn it_connects_again_and_goes_on() {
    run_paused(async {
        let (mut client, mut server) = client();
        let serve = spawn(async move {
            for restart in 0..3 {
                let mut server = server.accept().await;
                server.send(format!("hello {restart}")).await.unwrap();
                assert_eq!(server.next().await.unwrap().unwrap().as_text(), Some("thanks"));
                server.close(CloseCode::SERVICE_RESTART, "soon back").await.unwrap();
                server.wait_closed().await;
            }
            server
        });
        for restart in 0..3 {
            let response = connected(&mut client).await;
            assert_eq!((response.status(), client.is_connected()), (101, true));
            assert_eq!(text(&mut client).await, format!("hello {restart}"));
            client.send("thanks").await.unwrap();
            let (why, next) = disconnected(&mut client).await;
            let closed = why.closed().unwrap();
            assert_eq!((closed.code, &*closed.reason), (CloseCode::SERVICE_RESTART, "soon back"));
            assert_eq!(client.closed(), Some(closed));
            assert!(closed.clean && why.is_transient() && !client.is_connected());
            assert_eq!(next.number, restart + 1);
        }
        drop(serve.await.unwrap());
    });
}

#[test]
fn it_pauses_as_long_as_it_says_and_not_longer() {
    run_paused(async {
        let (mut client, server) = client();
        drop(server);
        let mut bound = SECOND;
        for number in 1..10 {
            let (why, next) = disconnected(&mut client).await;
            assert!(matches!(why, DisconnectReason::Attempt { .. }) && why.is_transient());
            assert_eq!(next.number, number);
            assert!(next.pause <= bound, "{next:?}");
            bound = (2 * bound).min(30 * SECOND);
            let almost = next.pause.saturating_sub(Duration::from_millis(2));
            if !almost.is_zero() {
                assert!(timeout(almost, client.next()).await.is_err(), "an early attempt");
            }
            // The next event is that of the next attempt.
        }
    });
}

#[test]
fn a_server_that_accepts_and_closes_at_once_is_tried_less_and_less() {
    run_paused(async {
        let (mut client, mut server) = client();
        let serve = spawn(async move {
            for _ in 0..8 {
                server.accept_and_close(1011).await;
            }
            let stable = server.accept().await;
            sleep(60 * SECOND).await;
            drop(stable);
            server
        });
        for number in 1..=8 {
            connected(&mut client).await;
            assert_eq!(disconnected(&mut client).await.1.number, number);
        }
        connected(&mut client).await;
        // Only a stable connection starts anew.
        let (_, next) = disconnected(&mut client).await;
        assert_eq!(next.number, 1);
        assert!(next.pause <= SECOND);
        drop(serve.await.unwrap());
    });
}

#[test]
fn the_close_code_decides() {
    run_paused(async {
        for code in [1000, 1001, 1011, 1012, 1013, 1014, 3000, 4000] {
            let (mut client, mut server) = client();
            let serve = spawn(async move { server.accept_and_close(code).await });
            connected(&mut client).await;
            let (why, _) = disconnected(&mut client).await;
            assert_eq!(why.closed().unwrap().code.number(), code);
            serve.await.unwrap();
        }
        for code in [1002, 1003, 1007, 1008, 1009] {
            let (mut client, mut server) = client();
            let serve = spawn(async move { server.accept_and_close(code).await });
            connected(&mut client).await;
            let (why, cause) = given_up(&mut client).await;
            assert_eq!((why.closed().unwrap().code.number(), cause), (code, GiveUp::Useless));
            serve.await.unwrap();
        }
        // Without a Close: 1006.
        let (mut client, mut server) = client();
        let (_, ()) = join!(connected(&mut client), async { drop(server.accept().await) });
        let (why, _) = disconnected(&mut client).await;
        assert_eq!(why.closed().unwrap().code, CloseCode::ABNORMAL);
    });
}

#[test]
fn a_server_that_breaks_the_protocol_is_given_up() {
    run_paused(async {
        let (mut client, mut server) = client();
        let serve = async {
            let server = server.accept().await;
            // A masked frame.
            server.into_parts().transport.write_all(&[0x81, 0x80, 0, 0, 0, 0]).await.unwrap();
        };
        join!(connected(&mut client), serve);
        let (why, cause) = given_up(&mut client).await;
        assert!(matches!(why, DisconnectReason::Ended(Error::Protocol(_))), "{why:?}");
        assert_eq!((cause, why.closed()), (GiveUp::Useless, None));
    });
}

#[test]
fn the_status_decides() {
    run_paused(async {
        for status in [302, 400, 401, 403, 404, 426] {
            let (mut client, mut server) = client();
            let serve = spawn(async move { server.refuse(status, "").await });
            let (why, cause) = given_up(&mut client).await;
            assert!(matches!(why.error(), Some(Error::Handshake(_))), "{why:?}");
            assert_eq!(cause, GiveUp::Useless);
            serve.await.unwrap();
        }
        for status in [408, 429, 500, 502, 503] {
            let (mut client, mut server) = client();
            let serve = spawn(async move { server.refuse(status, "").await });
            assert!(disconnected(&mut client).await.1.pause <= SECOND);
            serve.await.unwrap();
        }
    });
}

#[test]
fn a_server_can_ask_for_a_pause() {
    run_paused(async {
        for (value, least) in [
            ("20", 20),
            // Bounded to five minutes.
            ("31536000", 300),
            ("99999999999999999999999999", 300),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 300),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
            ("whenever", 0),
        ] {
            for status in [429, 503] {
                let (mut client, mut server) = client();
                let field = format!("Retry-After: {value}\r\n");
                let serve = async {
                    server.refuse(status, &field).await;
                    let since = Instant::now();
                    server.accept().await;
                    since.elapsed()
                };
                let ask = async {
                    let (_, next) = disconnected(&mut client).await;
                    connected(&mut client).await;
                    next.pause
                };
                let (pause, waited) = join!(ask, serve);
                let least = least * SECOND;
                assert!((least..=least + SECOND).contains(&pause), "{value}: {pause:?}");
                assert!(waited >= pause);
            }
        }
    });
}

/// Over sockets.
#[test]
fn a_proxy_can_ask_for_a_pause() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let connector = Connector::new().proxy(proxy);
        let mut client =
            ReconnectingWebSocket::new(connector, "ws://example.test/").config(config());
        let refuse = async {
            let mut stream = listener.accept().await.unwrap().0;
            read_head(&mut stream).await;
            let head = b"HTTP/1.1 503 No\r\nRetry-After: 20\r\nContent-Length: 0\r\n\r\n";
            stream.write_all(head).await.unwrap();
        };
        let ((why, next), ()) = join!(disconnected(&mut client), refuse);
        assert!(matches!(why.error(), Some(Error::Proxy(ProxyError::Refused(_)))), "{why:?}");
        assert!((20 * SECOND..=21 * SECOND).contains(&next.pause), "{:?}", next.pause);
    });
}

#[test]
fn attempts_and_time_are_limited() {
    run_paused(async {
        let (client, server) = client();
        drop(server);
        let mut client = client.config(ReconnectConfig::new().backoff(backoff().attempts(3)));
        for number in 1..=3 {
            assert_eq!(disconnected(&mut client).await.1.number, number);
        }
        assert_eq!(given_up(&mut client).await.1, GiveUp::Attempts { attempts: 3 });

        let (client, server) = client_over_pipes(1);
        drop(server);
        let limit = 100 * SECOND;
        let mut client = client.config(config().time_limit(limit));
        let since = Instant::now();
        loop {
            match client.next().await {
                Some(ReconnectEvent::Disconnected { .. }) => {}
                Some(ReconnectEvent::GivenUp { cause, .. }) => {
                    assert_eq!(cause, GiveUp::TimeLimit { limit });
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        // It does not wait for an attempt that it would not make.
        assert!(since.elapsed() <= limit);
    });
}

#[test]
fn an_attempt_that_hangs_is_abandoned() {
    run_paused(async {
        let config = config().attempt_timeout(7 * SECOND).time_limit(20 * SECOND);
        let hangs = ReconnectingWebSocket::with_connect(pending).config(config.clone());
        let (client, mut server) = client();
        let accept = spawn(async move {
            loop {
                let mut server = server.accept().await;
                spawn(async move { server.next().await });
            }
        });
        let never_set_up = client.config(config).on_connect(|_| pending());
        for mut client in [hangs, never_set_up] {
            let since = Instant::now();
            let (why, next) = disconnected(&mut client).await;
            assert!(
                matches!(why, DisconnectReason::AttemptTimeout { after } if after >= 7 * SECOND)
            );
            assert!(since.elapsed() < 8 * SECOND && next.number == 1);
            disconnected(&mut client).await;
            // What is left of the limit of all attempts.
            let (_, cause) = given_up(&mut client).await;
            assert_eq!(cause, GiveUp::TimeLimit { limit: 20 * SECOND });
            assert!(since.elapsed() < 21 * SECOND);
        }
        accept.abort();
    });
}

#[test]
fn an_attempt_that_is_abandoned_leaves_nothing_behind() {
    run_paused(async {
        let (client, mut server) = client();
        let mut client =
            client.config(config().attempt_timeout(7 * SECOND)).on_connect(|websocket| async {
                let _websocket = websocket;
                pending().await
            });
        let serve = async {
            let mut peer = server.accept().await;
            timeout(DAY, peer.next()).await.expect("the connection is still there").unwrap()
        };
        let (_, end) = join!(disconnected(&mut client), serve);
        assert!(end.is_err());
    });
}

#[test]
fn your_own_rule_decides_if_you_set_one() {
    run_paused(async {
        let (client, mut server) = client();
        let banned = |why: &DisconnectReason| {
            why.closed().is_some_and(|closed| closed.code == CloseCode::new(4003))
        };
        let mut client = client.retry_if(move |why| !banned(why));
        let serve = spawn(async move {
            server.refuse(401, "").await;
            server.accept_and_close(1008).await;
            server.accept_and_close(4003).await;
        });
        disconnected(&mut client).await;
        connected(&mut client).await;
        disconnected(&mut client).await;
        connected(&mut client).await;
        assert_eq!(given_up(&mut client).await.1, GiveUp::Useless);
        serve.await.unwrap();
    });
}

#[test]
fn each_attempt_can_have_its_own_url() {
    run_paused(async {
        let (sender, mut incoming) = unbounded_channel();
        let mut token = 0;
        let mut client = ReconnectingWebSocket::with_connect(move || {
            let (client, server) = duplex(1000);
            sender.send(server).unwrap();
            token += 1;
            let url = format!("ws://localhost/?token={token}");
            async { Ok(Connector::new().connect_over(url, Stream::boxed(client)).await?) }
        });
        let serve = spawn(async move {
            for token in 1..4 {
                let head = read_head(&mut incoming.recv().await.unwrap()).await;
                assert!(head.starts_with(format!("GET /?token={token} ").as_bytes()));
            }
        });
        for _ in 1..4 {
            disconnected(&mut client).await;
        }
        serve.await.unwrap();
    });
}

#[test]
fn setting_up_is_part_of_the_attempt() {
    run_paused(async {
        let (client, mut server) = client();
        let tries = AtomicU32::new(0);
        let mut client = client.on_connect(move |mut websocket: ClientWebSocket| {
            let number = tries.fetch_add(1, Relaxed);
            async move {
                match number {
                    // An error of your own is transient.
                    0 => Err(io::Error::other("no token yet"))?,
                    // The server closes meanwhile, for a reason that may pass.
                    1 => assert!(websocket.next().await.is_none()),
                    // It leaves an error of this crate.
                    2 => drop(websocket.next().await.unwrap()?),
                    3 => websocket.send("subscribe").await?,
                    _ => return Err(AttemptError::permanent("the password is wrong")),
                }
                Ok(websocket)
            }
        });
        let serve = spawn(async move {
            drop(server.accept().await);
            server.accept_and_close(1013).await;
            drop(server.accept().await);
            let mut subscribed = server.accept().await;
            assert_eq!(subscribed.next().await.unwrap().unwrap().as_text(), Some("subscribe"));
            drop(subscribed);
            drop(server.accept().await);
        });
        let (why, next) = disconnected(&mut client).await;
        assert_eq!(why.to_string(), "the attempt to connect failed: no token yet");
        assert!(why.error().is_none() && next.number == 1);
        connected(&mut client).await;
        let (why, next) = disconnected(&mut client).await;
        assert_eq!((why.closed().unwrap().code.number(), next.number), (1013, 2));
        let (why, next) = disconnected(&mut client).await;
        assert!(matches!(why, DisconnectReason::Attempt { .. }));
        assert_eq!((why.closed().unwrap().code, next.number), (CloseCode::ABNORMAL, 3));
        connected(&mut client).await;
        disconnected(&mut client).await;
        let (why, cause) = given_up(&mut client).await;
        assert!(!why.is_transient() && cause == GiveUp::Useless);
        serve.await.unwrap();
    });
}

#[test]
fn a_server_that_refuses_what_sets_up_is_given_up() {
    run_paused(async {
        let (client, mut server) = client();
        let mut client = client.on_connect(|mut websocket| async move {
            websocket.send("a wrong password").await?;
            if let Some(answer) = websocket.next().await {
                answer?;
            }
            Ok(websocket)
        });
        let serve = spawn(async move { server.accept_and_close(1008).await });
        connected(&mut client).await;
        let (why, cause) = given_up(&mut client).await;
        assert_eq!(why.closed().unwrap().code, CloseCode::POLICY_VIOLATION);
        assert_eq!(cause, GiveUp::Useless);
        serve.await.unwrap();
    });
}

#[test]
fn your_own_close_is_the_end() {
    run_paused(async {
        let (mut client, mut server) = client();
        let serve = async {
            let mut server_side = server.accept().await;
            server_side.send("last words").await.unwrap();
            let closed = server_side.wait_closed().await;
            assert_eq!((closed.code, &*closed.reason), (CloseCode::GOING_AWAY, "bye"));
            server
        };
        let ask = async {
            connected(&mut client).await;
            client.close(CloseCode::GOING_AWAY, "bye").await.unwrap();
            assert!(!client.is_connected() && !client.is_terminated());
            assert!(client.send("late").await.is_err());
            assert_eq!(text(&mut client).await, "last words");
            assert!(client.next().await.is_none() && client.is_terminated());
            assert!(client.closed().unwrap().clean);
            client.close(CloseCode::NORMAL, "").await.unwrap();
            assert!(timeout(DAY, client.next()).await.unwrap().is_none());
        };
        let ((), mut server) = join!(ask, serve);
        server.assert_no_client();
    });
}

#[test]
fn a_code_that_may_not_be_sent_changes_nothing() {
    run_paused(async {
        for is_connected in [false, true] {
            let (mut client, mut server) = client();
            let mut peer = None;
            if is_connected {
                peer = Some(join!(connected(&mut client), server.accept()).1);
            }
            let error = client.close(CloseCode::new(1004), "").await.unwrap_err();
            assert!(matches!(error, Error::Send(SendError::UnsendableCode(_))), "{error:?}");
            if peer.is_none() {
                peer = Some(join!(connected(&mut client), server.accept()).1);
            }
            assert!(client.is_connected());
            peer.unwrap().send("hello").await.unwrap();
            assert_eq!(text(&mut client).await, "hello");
        }
    });
}

#[test]
fn it_can_be_closed_at_any_moment() {
    run_paused(async {
        // Before it has begun.
        let (mut never, mut server) = client();
        never.close(CloseCode::NORMAL, "").await.unwrap();
        assert!(never.next().await.is_none() && never.is_terminated());
        assert!(never.wait_closed().await.is_none());
        server.assert_no_client();

        // In an attempt.
        let (mut connecting, mut server) = client();
        assert!(timeout(SECOND, connecting.next()).await.is_err());
        assert!(connecting.wait_closed().await.is_none());
        assert!(connecting.next().await.is_none());
        // The attempt is dropped.
        assert_eq!(read_head(&mut server.stream().await).await.last(), Some(&b'\n'));
        server.assert_no_client();

        // In a pause.
        let (mut pausing, mut server) = client();
        let (_, ()) = join!(disconnected(&mut pausing), server.refuse(503, ""));
        pausing.close(CloseCode::NORMAL, "").await.unwrap();
        assert!(pausing.next().await.is_none());
        server.assert_no_client();

        // With a code that may not be sent, nothing changes.
        let (mut open, mut server) = client();
        let (_, mut peer) = join!(connected(&mut open), server.accept());
        assert!(open.close(CloseCode::new(999), "").await.is_err());
        assert!(open.is_connected());
        let (closed, _) = join!(open.wait_closed(), peer.wait_closed());
        assert!(closed.unwrap().clean && open.next().await.is_none());
    });
}

#[test]
fn a_task_that_waits_in_a_pause_learns_of_a_close_by_another() {
    run_paused(async {
        let (client, mut server) = client();
        let (mut sink, mut stream) = client.split::<Message>();
        let (event, ()) = join!(stream.next(), server.refuse(503, "Retry-After: 200\r\n"));
        assert!(matches!(event, Some(ReconnectEvent::Disconnected { .. })));
        let waits = spawn(async move { (stream.next().await.is_none(), Instant::now()) });
        sleep(SECOND).await;
        let since = Instant::now();
        futures_util::SinkExt::close(&mut sink).await.unwrap();
        let (is_over, at) = waits.await.unwrap();
        assert!(is_over && at == since);
    });
}

#[test]
fn a_future_that_is_dropped_costs_no_attempt_and_no_pause() {
    run_paused(async {
        let attempts = Arc::new(AtomicU32::new(0));
        let (sender, incoming) = unbounded_channel();
        let counter = Arc::clone(&attempts);
        let mut client = ReconnectingWebSocket::with_connect(move || {
            counter.fetch_add(1, Relaxed);
            let (client, server) = duplex(1000);
            sender.send(server).unwrap();
            async {
                sleep(SECOND).await;
                Ok(Connector::new().connect_over("ws://localhost/", Stream::boxed(client)).await?)
            }
        });
        let mut server = PipeServer(incoming);
        let serve = spawn(async move {
            server.refuse(503, "Retry-After: 5\r\n").await;
            let mut open = server.accept().await;
            sleep(SECOND).await;
            open.send("hello").await.unwrap();
            (open, server)
        });
        let (since, mut ticks, mut seen) = (Instant::now(), 0, Vec::new());
        while seen.len() < 3 {
            select! {
                event = client.next() => seen.push(event.unwrap()),
                () = sleep(Duration::from_millis(10)) => ticks += 1,
            }
        }
        assert!(matches!(seen[0], ReconnectEvent::Disconnected { .. }));
        assert!(matches!(seen[1], ReconnectEvent::Connected(_)));
        let ReconnectEvent::Message(message) = &seen[2] else { panic!("{:?}", seen[2]) };
        assert_eq!(message.as_text(), Some("hello"));
        assert_eq!(attempts.load(Relaxed), 2);
        // Two attempts of a second each, a pause, and another second.
        assert!(since.elapsed() < 9 * SECOND && ticks > 700, "{ticks}");
        drop(serve.await.unwrap());
    });
}

/// On real sockets and the real clock.
#[test]
fn a_server_that_restarts_is_found_again() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let backoff = Backoff::new().base(Duration::from_millis(5));
        let mut client = ReconnectingWebSocket::new(Connector::new(), format!("ws://{address}/"))
            .config(ReconnectConfig::new().backoff(backoff));
        let accept = |listener: TcpListener| async move {
            let stream = Stream::from(listener.accept().await.unwrap().0);
            drop(listener);
            Acceptor::new().accept(stream).await.unwrap()
        };
        let (_, mut server) = join!(connected(&mut client), accept(listener));
        server.close(CloseCode::SERVICE_RESTART, "").await.unwrap();
        let ((why, _), _) = join!(disconnected(&mut client), server.wait_closed());
        drop(server);
        assert_eq!(why.closed().unwrap().code, CloseCode::SERVICE_RESTART);
        // Nobody listens.
        let (why, next) = disconnected(&mut client).await;
        assert!(matches!(why.error(), Some(Error::Io(_))), "{why:?}");
        assert_eq!(next.number, 2);
        let listener = TcpListener::bind(address).await.unwrap();
        let again = async {
            while !matches!(client.next().await.unwrap(), ReconnectEvent::Connected(_)) {}
            client.send("here again").await.unwrap();
            client.websocket().unwrap().get_ref().peer_addr().unwrap()
        };
        let serve = async { accept(listener).await.next().await.unwrap().unwrap() };
        let (peer, message) = join!(again, serve);
        assert_eq!((peer, message.as_text()), (address, Some("here again")));
    });
}

#[test]
fn an_invalid_url_is_given_up() {
    run(async {
        let mut client = ReconnectingWebSocket::new(Connector::new(), "http://localhost/");
        let (why, cause) = given_up(&mut client).await;
        assert!(matches!(why.error(), Some(Error::Url(_))), "{why:?}");
        assert_eq!(cause, GiveUp::Useless);
        assert!(matches!(client.send("late").await, Err(ReconnectSendError::NotQueued(_))));
    });
}

#[test]
fn it_can_run_in_a_task_of_any_thread() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    let (client, _server) = client();
    let mut client = assert_send(client);
    drop(assert_send(client.next()));
    drop(assert_send(client.send("hello")));
    drop(assert_send(client.close(CloseCode::NORMAL, "")));
    drop(assert_send(client.wait_closed()));
}
