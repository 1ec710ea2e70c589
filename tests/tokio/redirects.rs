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
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    io::{AsyncWriteExt, duplex},
    time::Instant,
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
            tokio::time::sleep(Duration::from_secs(4)).await;
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
    connector.authenticate(|refusal| {
        assert_eq!(refusal.challenge(), Some("Bearer"));
        assert_eq!(refusal.body(), b"who?");
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
