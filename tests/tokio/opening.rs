//! An answer to the opening handshake that is left open, and refusals that do not arrive whole.

use sansocket::{
    Accept, AcceptError, Error, HandshakeError, Message, Reject, RejectError,
    tokio::{Acceptor, Connector},
};
use sansocket_testkit::{
    clock::{run, run_paused},
    opening::REQUEST,
    pair::tokio::{read_head, read_to_end, streams},
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    time::{Instant, sleep},
};

const URL: &str = "ws://localhost/chat?room=1";

#[test]
fn a_decision_can_wait_and_see_who_asks() {
    run(async {
        let (client, server) = streams().await;
        let connector = Connector::new().subprotocol("chat").header("Authorization", "Bearer x");
        let connect = async { connector.connect_over(client, URL).await.unwrap() };
        let accept = async {
            let opening = Acceptor::new().receive_request(server).await.unwrap();
            assert_eq!(opening.request().query(), Some("room=1"));
            assert_eq!(opening.request().header("authorization"), Some(&b"Bearer x"[..]));
            assert!(opening.transport().peer_addr().unwrap().ip().is_loopback());
            assert_eq!(opening.unread(), b"");
            sleep(Duration::from_millis(10)).await;
            opening.accept(&Accept::new().subprotocol("chat")).await.unwrap()
        };
        let ((mut client, _), mut server) = tokio::join!(connect, accept);
        assert_eq!(client.negotiated().subprotocol.as_deref(), Some("chat"));
        server.send("welcome").await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), Message::text("welcome"));
    });
}

#[test]
fn an_opening_can_be_refused_and_the_client_is_told() {
    run(async {
        let (client, server) = streams().await;
        let connector = Connector::new();
        let connect = async { connector.connect_over(client, URL).await.unwrap_err() };
        let refuse = async {
            let opening = Acceptor::new().receive_request(server).await.unwrap();
            opening.refuse(&Reject::new(401).header("WWW-Authenticate", "Bearer")).await.unwrap();
        };
        let (refused, ()) = tokio::join!(connect, refuse);
        let Error::Handshake(HandshakeError::Refused(refusal)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(refusal.status(), 401);
    });
}

#[test]
fn an_answer_that_can_not_be_sent_is_the_servers_error_and_a_500() {
    run(async {
        for wrong_accept in [true, false] {
            let (mut client, server) = streams().await;
            client.write_all(REQUEST).await.unwrap();
            let opening = Acceptor::new().receive_request(server).await.unwrap();
            let read = async {
                let answer = String::from_utf8(read_to_end(&mut client).await).unwrap();
                client.shutdown().await.unwrap();
                answer
            };
            let answer = async {
                if wrong_accept {
                    let error = opening.accept(&Accept::new().subprotocol("x")).await.unwrap_err();
                    let Error::Accept(AcceptError::SubprotocolNotOffered(_)) = error else {
                        panic!("{error:?}")
                    };
                } else {
                    let error = opening.refuse(&Reject::new(101)).await.unwrap_err();
                    let Error::Reject(RejectError::Status { status: 101 }) = error else {
                        panic!("{error:?}")
                    };
                }
            };
            let (answer, ()) = tokio::join!(read, answer);
            assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        }
    });
}

#[test]
fn a_request_can_be_handed_to_someone_else_with_what_came_behind_it() {
    run(async {
        let (mut client, server) = streams().await;
        client.write_all(&[REQUEST, b"behind"].concat()).await.unwrap();
        let opening = Acceptor::new().receive_request(server).await.unwrap();
        let before = opening.unread().to_vec();
        let (mut stream, request, input) = opening.into_parts();
        assert_eq!((before.as_slice(), input.unread()), (&b"behind"[..], &b"behind"[..]));
        assert_eq!(request.path(), "/");
        stream.write_all(b"by someone else").await.unwrap();
        drop(stream);
        assert_eq!(read_to_end(&mut client).await, b"by someone else");
    });
}

#[test]
fn a_client_that_goes_amid_its_request_is_told_as_such() {
    run(async {
        let (mut client, server) = streams().await;
        client.write_all(&REQUEST[..20]).await.unwrap();
        client.shutdown().await.unwrap();
        let error = Acceptor::new().accept(server).await.unwrap_err();
        let ended = HandshakeError::TransportEnded { received: 20 };
        assert!(matches!(&error, Error::Handshake(error) if *error == ended), "{error:?}");
        assert_eq!(read_to_end(&mut client).await, b"", "nobody asked for an answer");
    });
}

fn assert_refused(error: &Error, status: u16) {
    let Error::Handshake(HandshakeError::Refused(refusal)) = error else { panic!("{error:?}") };
    assert_eq!(refusal.status(), status);
}

#[test]
fn a_refusal_whose_body_stalls_is_told_as_a_refusal() {
    run_paused(async {
        let (client, mut server) = duplex(4096);
        let started = Instant::now();
        let refuse = async {
            read_head(&mut server).await;
            let head = b"HTTP/1.1 401 Who?\r\nContent-Length: 100\r\n\r\n";
            server.write_all(head).await.unwrap();
        };
        let connector = Connector::new();
        let (refused, ()) = tokio::join!(connector.connect_over(client, URL), refuse);
        assert_refused(&refused.unwrap_err(), 401);
        assert_eq!(started.elapsed(), Duration::from_secs(10));
    });
}

#[test]
fn a_refusal_that_a_reset_cuts_short_is_told_as_a_refusal() {
    run(async {
        let (client, mut server) = streams().await;
        let refuse = async {
            read_head(&mut server).await;
            let head = b"HTTP/1.1 503 Later\r\nContent-Length: 100\r\n\r\n";
            server.write_all(head).await.unwrap();
            // So that the client has read it before the reset.
            sleep(Duration::from_millis(50)).await;
            socket2::SockRef::from(&server).set_linger(Some(Duration::ZERO)).unwrap();
            drop(server);
        };
        let connector = Connector::new();
        let (refused, ()) = tokio::join!(connector.connect_over(client, URL), refuse);
        assert_refused(&refused.unwrap_err(), 503);
    });
}

#[test]
fn a_refusal_that_comes_before_the_request_was_taken_is_told_as_a_refusal() {
    run_paused(async {
        let (client, mut server) = duplex(256);
        let connector = Connector::new().header("Cookie", "x".repeat(4000));
        let refuse = async {
            server.read_exact(&mut [0; 100]).await.unwrap();
            server.write_all(b"HTTP/1.1 431 Too much\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            // It reads no more, and does not go.
            sleep(Duration::from_secs(60)).await;
        };
        tokio::select! {
            refused = connector.connect_over(client, URL) => {
                assert_refused(&refused.unwrap_err(), 431);
            }
            () = refuse => panic!("the client waits for ever"),
        }
    });
}

#[test]
fn a_server_that_takes_no_request_and_says_nothing_is_left() {
    run_paused(async {
        let (client, server) = duplex(64);
        let error = Connector::new().connect_over(client, URL).await.unwrap_err();
        assert!(matches!(error, Error::HandshakeTimeout), "{error:?}");
        drop(server);
    });
}

#[test]
fn a_refusal_without_a_length_is_complete_only_if_the_server_has_ended() {
    for ends in [true, false] {
        run_paused(async {
            let (client, mut server) = duplex(4096);
            let refuse = async {
                read_head(&mut server).await;
                server.write_all(b"HTTP/1.1 403 No\r\n\r\nbecause").await.unwrap();
                if ends {
                    server.shutdown().await.unwrap();
                }
            };
            let connector = Connector::new();
            let (refused, ()) = tokio::join!(connector.connect_over(client, URL), refuse);
            let error = refused.unwrap_err();
            let Error::Handshake(HandshakeError::Refused(refusal)) = error else {
                panic!("{error:?}")
            };
            assert_eq!((refusal.body(), refusal.is_complete()), (&b"because"[..], ends));
        });
    }
}

/// The whole of `connect` has the limit, and a refusal that came in time is told as one.
#[test]
fn a_refusal_that_stalls_is_told_as_one_by_connect_too() {
    run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let refuse = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                read_head(&mut stream).await;
                let head = b"HTTP/1.1 401 Who?\r\nContent-Length: 100\r\n\r\n";
                stream.write_all(head).await.unwrap();
                // It stays.
                std::mem::forget(stream);
            }
        };
        let connect = async {
            for _ in 0..50 {
                let connector = Connector::new().handshake_timeout(Duration::from_millis(50));
                assert_refused(&connector.connect(&url).await.unwrap_err(), 401);
            }
        };
        tokio::select! {
            () = connect => {}
            () = refuse => {}
        }
    });
}

#[test]
fn without_a_limit_a_refusal_before_the_request_was_taken_is_seen_too() {
    run(async {
        let (client, mut server) = streams().await;
        server.write_all(b"HTTP/1.1 431 Too much\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        let connector =
            Connector::new().handshake_timeout(None).header("X", "x".repeat(20_000_000));
        assert_refused(&connector.connect_over(client, URL).await.unwrap_err(), 431);
        drop(server);
    });
}

#[test]
fn what_may_be_secret_is_not_shown() {
    let connector = Connector::new().header("Authorization", "Bearer SECRET");
    let shown = format!("{connector:?}");
    assert!(!shown.contains("SECRET") && shown.contains("Authorization"), "{shown}");
}
