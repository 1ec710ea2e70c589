//! Responses to an opening handshake that are decided later, and refusals that arrive incomplete.

use sansocket::{
    Error, Message,
    handshake::{Accept, AcceptError, HandshakeError, PlainResponse, PlainResponseError},
    on_tokio::{Acceptor, Connector},
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
fn a_decision_can_wait_and_inspect_the_request() {
    run(async {
        let (client, server) = streams().await;
        let connector = Connector::new().subprotocol("chat").header("Authorization", "Bearer x");
        let connect = async { connector.connect_over(URL, client).await.unwrap() };
        let accept = async {
            let opening = Acceptor::new().receive_request(server).await.unwrap();
            assert_eq!(opening.request().raw_query(), Some("room=1"));
            assert_eq!(opening.request().header("authorization"), Some(&b"Bearer x"[..]));
            assert!(opening.get_ref().peer_addr().unwrap().ip().is_loopback());
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
        let connect = async { connector.connect_over(URL, client).await.unwrap_err() };
        let refuse = async {
            let opening = Acceptor::new().receive_request(server).await.unwrap();
            opening
                .refuse(&PlainResponse::new(401).header("WWW-Authenticate", "Bearer"))
                .await
                .unwrap();
        };
        let (refused, ()) = tokio::join!(connect, refuse);
        let Error::Handshake(HandshakeError::Refused(refusal)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(refusal.status(), 401);
    });
}

#[test]
fn a_response_that_can_not_be_sent_is_a_server_error_and_a_500() {
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
                    let error = opening.refuse(&PlainResponse::new(101)).await.unwrap_err();
                    let Error::PlainResponse(PlainResponseError::Status { status: 101 }) = error
                    else {
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
fn a_request_can_be_passed_on_with_the_bytes_after_it() {
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
fn an_incomplete_request_is_reported_as_such() {
    run(async {
        let (mut client, server) = streams().await;
        client.write_all(&REQUEST[..20]).await.unwrap();
        client.shutdown().await.unwrap();
        let error = Acceptor::new().accept(server).await.unwrap_err();
        let ended = HandshakeError::TransportEnded { received: 20 };
        assert!(matches!(&error, Error::Handshake(error) if *error == ended), "{error:?}");
        assert_eq!(read_to_end(&mut client).await, b"", "an incomplete request has no response");
    });
}

fn assert_refused(error: &Error, status: u16) {
    let Error::Handshake(HandshakeError::Refused(refusal)) = error else { panic!("{error:?}") };
    assert_eq!(refusal.status(), status);
}

#[test]
fn a_refusal_whose_body_stalls_is_reported_as_a_refusal() {
    run_paused(async {
        let (client, mut server) = duplex(4096);
        let started = Instant::now();
        let refuse = async {
            read_head(&mut server).await;
            let head = b"HTTP/1.1 401 Who?\r\nContent-Length: 100\r\n\r\n";
            server.write_all(head).await.unwrap();
        };
        let connector = Connector::new();
        let (refused, ()) = tokio::join!(connector.connect_over(URL, client), refuse);
        assert_refused(&refused.unwrap_err(), 401);
        assert_eq!(started.elapsed(), Duration::from_secs(1));
    });
}

#[test]
fn a_refusal_cut_short_by_a_reset_is_reported_as_a_refusal() {
    run(async {
        let (client, mut server) = streams().await;
        let refuse = async {
            read_head(&mut server).await;
            let head = b"HTTP/1.1 503 Later\r\nContent-Length: 100\r\n\r\n";
            server.write_all(head).await.unwrap();
            // Gives the client time to read it before the reset.
            sleep(Duration::from_millis(50)).await;
            socket2::SockRef::from(&server).set_linger(Some(Duration::ZERO)).unwrap();
            drop(server);
        };
        let connector = Connector::new();
        let (refused, ()) = tokio::join!(connector.connect_over(URL, client), refuse);
        assert_refused(&refused.unwrap_err(), 503);
    });
}

#[test]
fn a_refusal_sent_before_the_request_was_read_is_reported_as_a_refusal() {
    run_paused(async {
        let (client, mut server) = duplex(256);
        let connector = Connector::new().header("Cookie", "x".repeat(4000));
        let refuse = async {
            server.read_exact(&mut [0; 100]).await.unwrap();
            server.write_all(b"HTTP/1.1 431 Too much\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            // The server reads no more, and does not disconnect.
            sleep(Duration::from_secs(60)).await;
        };
        tokio::select! {
            refused = connector.connect_over(URL, client) => {
                assert_refused(&refused.unwrap_err(), 431);
            }
            () = refuse => panic!("the client waits forever"),
        }
    });
}

#[test]
fn a_server_that_reads_no_request_and_says_nothing_is_abandoned() {
    run_paused(async {
        let (client, server) = duplex(64);
        let error = Connector::new().connect_over(URL, client).await.unwrap_err();
        assert!(matches!(error, Error::HandshakeTimeout), "{error:?}");
        drop(server);
    });
}

#[test]
fn a_refusal_without_a_length_is_complete_only_at_the_end_of_the_stream() {
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
            let (refused, ()) = tokio::join!(connector.connect_over(URL, client), refuse);
            let error = refused.unwrap_err();
            let Error::Handshake(HandshakeError::Refused(refusal)) = error else {
                panic!("{error:?}")
            };
            assert_eq!((refusal.body(), refusal.is_complete()), (&b"because"[..], ends));
        });
    }
}

/// The limit covers the whole of `connect`, and a refusal that came in time is reported as one.
#[test]
fn connect_reports_a_refusal_that_stalls_as_a_refusal() {
    run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let refuse = async {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                read_head(&mut stream).await;
                let head = b"HTTP/1.1 401 Who?\r\nContent-Length: 100\r\n\r\n";
                stream.write_all(head).await.unwrap();
                // The stream stays open.
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
fn a_refusal_before_the_request_was_read_is_seen_without_a_timeout() {
    run(async {
        let (client, mut server) = streams().await;
        server.write_all(b"HTTP/1.1 431 Too much\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        let connector =
            Connector::new().handshake_timeout(None).header("X", "x".repeat(20_000_000));
        assert_refused(&connector.connect_over(URL, client).await.unwrap_err(), 431);
        drop(server);
    });
}

#[test]
fn debug_output_hides_possible_secrets() {
    let connector = Connector::new().header("Authorization", "Bearer SECRET");
    let shown = format!("{connector:?}");
    assert!(!shown.contains("SECRET") && shown.contains("Authorization"), "{shown}");
}
