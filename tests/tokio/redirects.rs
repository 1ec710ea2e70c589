//! Redirections and challenges, with servers that follow a script.

use sansocket::{
    Error,
    client::RedirectError,
    handshake::HandshakeError,
    on_tokio::{Connector, Stream},
};
use sansocket_testkit::{clock::run_paused, opening::response_to, pair::tokio::read_head};
use std::{
    future::{pending, ready},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::{Instant, sleep},
};

/// The hosts and ports that were connected to, and the requests that were made there.
type Log = Arc<Mutex<Vec<String>>>;

/// A connector to servers that answer each request by `script`. An empty answer accepts.
fn connector(
    script: impl Fn(&str) -> &'static str + Clone + Send + Sync + 'static,
) -> (Connector, Log) {
    let log = Log::default();
    let seen = Arc::clone(&log);
    let connector = Connector::new().dialer(move |host, port| {
        seen.lock().unwrap().push(format!("{host}:{port}"));
        let (client, mut server) = duplex(4096);
        let (script, seen) = (script.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            loop {
                let head = read_head(&mut server).await;
                let head = String::from_utf8(head).unwrap();
                seen.lock().unwrap().push(head.lines().next().unwrap_or_default().to_owned());
                let answer = script(&head);
                if answer.is_empty() {
                    server.write_all(&response_to(head.as_bytes())).await.unwrap();
                    return pending().await;
                }
                server.write_all(answer.as_bytes()).await.unwrap();
                if answer.contains("Connection: close") {
                    return;
                }
            }
        });
        ready(Ok(Stream::boxed(client)))
    });
    (connector, log)
}

#[test]
fn redirections_lead_to_the_server() {
    run_paused(async {
        let script = |head: &str| match head.lines().nth(1).unwrap() {
            "Host: a.test" => {
                "HTTP/1.1 307 x\r\nLocation: http://b.test:81/c\r\nContent-Length: 0\r\n\r\n"
            }
            _ => "",
        };
        let (connector, log) = connector(script);
        let error = connector.connect("ws://a.test/").await.unwrap_err();
        assert!(matches!(error, Error::Handshake(HandshakeError::Refused(_))), "{error}");
        log.lock().unwrap().clear();
        let connector = connector.redirects(1);
        let (websocket, _) = connector.connect("ws://a.test/").await.unwrap();
        let expected = ["a.test:80", "GET / HTTP/1.1", "b.test:81", "GET /c HTTP/1.1"];
        assert_eq!(*log.lock().unwrap(), expected);
        drop(websocket);
    });
}

#[test]
fn redirections_that_are_not_followed_are_errors() {
    run_paused(async {
        let fail = async |connector: Connector, url: &str| match connector
            .connect(url)
            .await
            .map(drop)
            .unwrap_err()
        {
            Error::Redirect(error) => error,
            other => panic!("{other:?}"),
        };
        let (circle, log) =
            connector(|_| "HTTP/1.1 302 x\r\nLocation: /\r\nContent-Length: 0\r\n\r\n");
        let error = fail(circle.redirects(5), "ws://a.test/").await;
        assert_eq!(error, RedirectError::TooMany { limit: 5 });
        assert_eq!(log.lock().unwrap().len(), 2 * 6);
        let (elsewhere, _) =
            connector(|_| "HTTP/1.1 302 x\r\nLocation: ftp://b/\r\nContent-Length: 0\r\n\r\n");
        let error = fail(elsewhere.redirects(5), "ws://a.test/").await;
        assert!(matches!(error, RedirectError::InvalidLocation(_)));
    });
}

#[test]
fn all_requests_together_have_one_deadline() {
    run_paused(async {
        let dialed = |_, _| async {
            sleep(Duration::from_secs(4)).await;
            let (client, mut server) = duplex(4096);
            let answer = b"HTTP/1.1 302 x\r\nLocation: /\r\nContent-Length: 0\r\n\r\n";
            server.write_all(answer).await.unwrap();
            tokio::spawn(async move {
                let _server = server;
                pending::<()>().await;
            });
            Ok(Stream::boxed(client))
        };
        let began = Instant::now();
        let error = Connector::new().dialer(dialed).redirects(9).connect("ws://a/").await;
        assert!(matches!(error, Err(Error::ConnectTimeout(_))), "{error:?}");
        assert_eq!(began.elapsed(), Duration::from_secs(10));
    });
}

fn with_token(connector: Connector) -> Connector {
    connector.authenticate(|challenge| {
        assert_eq!(challenge.url.as_ref(), "ws://a.test/");
        assert_eq!(challenge.refusal.challenge(), Some("Bearer"));
        assert_eq!(challenge.refusal.body(), b"who?");
        Some("Bearer new".into())
    })
}

#[test]
fn a_challenge_is_answered_on_the_same_connection() {
    run_paused(async {
        let (connector, log) =
            connector(|head| match head.contains("Authorization: Bearer new\r\n") {
                false => {
                    "HTTP/1.1 401 x\r\nWWW-Authenticate: Bearer\r\nContent-Length: 4\r\n\r\nwho?"
                }
                true => "",
            });
        let (websocket, _) = with_token(connector).connect("ws://a.test/").await.unwrap();
        let expected = ["a.test:80", "GET / HTTP/1.1", "GET / HTTP/1.1"];
        assert_eq!(*log.lock().unwrap(), expected);
        drop(websocket);
    });
}

#[test]
fn a_challenge_is_answered_on_another_connection_if_need_be() {
    run_paused(async {
        for refusal in [
            "HTTP/1.1 401 x\r\nWWW-Authenticate: Bearer\r\nContent-Length: 4\r\n\
                Connection: close\r\n\r\nwho?",
            // Where the body ends is only known at the end of the connection.
            "HTTP/1.1 401 x\r\nWWW-Authenticate: Bearer\r\nX: Connection: close\r\n\r\nwho?",
            // Bytes that no request has asked for.
            "HTTP/1.1 401 x\r\nWWW-Authenticate: Bearer\r\nContent-Length: 4\r\n\
                X: Connection: close\r\n\r\nwho?HTTP/1.1 101",
        ] {
            let (connector, log) =
                connector(move |head| match head.contains("Authorization: Bearer new\r\n") {
                    false => refusal,
                    true => "",
                });
            let (websocket, _) = with_token(connector).connect("ws://a.test/").await.unwrap();
            let expected = ["a.test:80", "GET / HTTP/1.1", "a.test:80", "GET / HTTP/1.1"];
            assert_eq!(*log.lock().unwrap(), expected, "{refusal}");
            drop(websocket);
        }
    });
}

#[test]
fn a_second_challenge_is_final() {
    run_paused(async {
        let (connector, log) = connector(
            |_| "HTTP/1.1 401 x\r\nWWW-Authenticate: Bearer\r\nContent-Length: 4\r\n\r\nwho?",
        );
        let error = with_token(connector).connect("ws://a.test/").await.unwrap_err();
        assert!(matches!(error, Error::Handshake(HandshakeError::Refused(_))), "{error}");
        assert_eq!(log.lock().unwrap().len(), 3);
    });
}

/// A connector of which each stream leads to a server of its own, given their number.
fn scripted<R>(serve: impl Fn(usize, DuplexStream) -> R + Send + Sync + 'static) -> Connector
where
    R: Future<Output = ()> + Send + 'static,
{
    let count = AtomicUsize::new(0);
    Connector::new().redirects(1).authenticate(|_| Some("Bearer new".into())).dialer(move |_, _| {
        let (client, server) = duplex(1 << 16);
        tokio::spawn(serve(count.fetch_add(1, Ordering::Relaxed), server));
        ready(Ok(Stream::boxed(client)))
    })
}

async fn accept(server: &mut DuplexStream, head: &[u8]) {
    server.write_all(&response_to(head)).await.unwrap();
    pending::<()>().await;
}

const CHALLENGE: &[u8] = b"HTTP/1.1 401 x\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n";

/// The trailers of a chunked body would be read as the next response.
#[test]
fn after_a_chunked_challenge_there_is_another_connection() {
    run_paused(async {
        let connector = scripted(|number, mut server| async move {
            let head = read_head(&mut server).await;
            if number == 1 {
                return accept(&mut server, &head).await;
            }
            let answer = b"HTTP/1.1 401 x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nno!\r\n0\r\n";
            server.write_all(answer).await.unwrap();
            sleep(Duration::from_millis(10)).await;
            let _ = server.write_all(b"\r\n").await;
        });
        connector.connect("ws://a.test/").await.unwrap();
    });
}

/// A server may end a connection at any time, also one that it has announced to keep.
#[test]
fn a_kept_connection_that_ends_is_replaced_once() {
    run_paused(async {
        for ends in 1..=2 {
            let connector = scripted(move |number, mut server| async move {
                let head = read_head(&mut server).await;
                match number {
                    0 => server.write_all(CHALLENGE).await.unwrap(),
                    _ if ends == 1 => accept(&mut server, &head).await,
                    _ => {}
                }
            });
            let outcome = connector.connect("ws://a.test/").await.map(drop);
            assert_eq!(outcome.is_ok(), ends == 1, "{outcome:?}");
        }
    });
}

#[test]
fn an_answer_with_a_line_break_is_not_sent() {
    run_paused(async {
        let connector = scripted(|_, mut server| async move {
            read_head(&mut server).await;
            server.write_all(CHALLENGE).await.unwrap();
            assert_eq!(server.read_to_end(&mut Vec::new()).await.unwrap(), 0);
        });
        let connector = connector.authenticate(|_| Some("Bearer a\r\nX-Injected: 1".into()));
        let error = connector.connect("ws://a.test/").await.map(drop).unwrap_err();
        assert!(matches!(error, Error::Request(_)), "{error}");
    });
}

#[test]
fn both_requests_over_one_transport_have_one_deadline() {
    run_paused(async {
        let (client, mut server) = duplex(1 << 16);
        tokio::spawn(async move {
            read_head(&mut server).await;
            sleep(Duration::from_secs(9)).await;
            server.write_all(CHALLENGE).await.unwrap();
            let head = read_head(&mut server).await;
            sleep(Duration::from_secs(9)).await;
            accept(&mut server, &head).await;
        });
        let connector = Connector::new().authenticate(|_| Some("Bearer new".into()));
        let error = connector.connect_over("ws://a.test/", client).await.map(drop).unwrap_err();
        assert!(matches!(error, Error::HandshakeTimeout), "{error}");
    });
}

/// There is no other connection to make, so the caller learns why the server did not accept.
#[test]
fn a_server_that_ends_the_only_connection_after_a_challenge_has_refused() {
    run_paused(async {
        for reads_the_second in [false, true] {
            let (client, mut server) = duplex(1 << 16);
            tokio::spawn(async move {
                read_head(&mut server).await;
                server.write_all(CHALLENGE).await.unwrap();
                if reads_the_second {
                    read_head(&mut server).await;
                }
            });
            let connector = Connector::new().authenticate(|_| Some("Bearer new".into()));
            let error = connector.connect_over("ws://a.test/", client).await.map(drop).unwrap_err();
            let Error::Handshake(HandshakeError::Refused(refusal)) = error else {
                panic!("{error}")
            };
            assert_eq!(refusal.status(), 401);
        }
    });
}

/// Its head says what there is to do, and its body may trickle for as long as it wants.
#[test]
fn the_body_of_a_refusal_takes_a_moment_at_most() {
    run_paused(async {
        for head in [
            "HTTP/1.1 302 x\r\nLocation: /b\r\n\r\n",
            "HTTP/1.1 302 x\r\nLocation: /b\r\nContent-Length: 4000\r\n\r\n",
            "HTTP/1.1 401 x\r\nContent-Length: 4000\r\n\r\n",
        ] {
            let connector = scripted(move |number, mut server| async move {
                let request = read_head(&mut server).await;
                if number == 1 {
                    return accept(&mut server, &request).await;
                }
                server.write_all(head.as_bytes()).await.unwrap();
                while server.write_all(b"x").await.is_ok() {
                    sleep(Duration::from_millis(300)).await;
                }
            });
            let began = Instant::now();
            connector.connect("ws://a.test/").await.unwrap();
            assert!(began.elapsed() < Duration::from_secs(2), "{head} {:?}", began.elapsed());
        }
    });
}
