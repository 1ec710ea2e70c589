//! Opening handshakes that fail or take too long.

use sansocket::{
    Error,
    handshake::{Accept, HandshakeError, PlainResponse, Request},
    on_tokio::{Acceptor, Connector, accept, connect},
};
use sansocket_testkit::{
    clock::{DAY, run, run_paused},
    opening::{REQUEST, response_to},
    pair::tokio::{read_head, read_to_end, streams},
};
use std::{
    io::{self, ErrorKind},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex},
    net::{TcpListener, lookup_host},
    time::{Instant, sleep, timeout},
};

/// The default handshake timeout.
const HANDSHAKE: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);

const URL: &str = "ws://localhost/";

#[test]
fn a_silent_client_is_abandoned_after_ten_seconds() {
    run_paused(async {
        let (_client, server) = duplex(4096);
        let started = Instant::now();
        let accepted = Acceptor::new().accept(server).await;
        assert!(matches!(accepted, Err(Error::HandshakeTimeout)), "{accepted:?}");
        assert_eq!(started.elapsed(), HANDSHAKE);
    });
}

#[test]
fn a_silent_server_is_abandoned_after_ten_seconds() {
    run_paused(async {
        let (client, _server) = duplex(4096);
        let started = Instant::now();
        let connected = Connector::new().connect_over(URL, client).await;
        assert!(matches!(connected, Err(Error::HandshakeTimeout)), "{connected:?}");
        assert_eq!(started.elapsed(), HANDSHAKE);
    });
}

#[test]
fn a_client_that_drips_its_request_is_abandoned_after_ten_seconds() {
    run_paused(async {
        let (mut client, server) = duplex(4096);
        let started = Instant::now();
        let drip = async {
            for byte in REQUEST {
                sleep(SECOND / 10).await;
                let _ = client.write_all(&[*byte]).await;
            }
        };
        let (accepted, ()) = tokio::join!(
            async {
                let accepted = Acceptor::new().accept(server).await;
                assert_eq!(started.elapsed(), HANDSHAKE);
                accepted
            },
            drip
        );
        assert!(matches!(accepted, Err(Error::HandshakeTimeout)), "{accepted:?}");
    });
}

#[test]
fn a_server_that_drips_its_response_is_abandoned_after_ten_seconds() {
    run_paused(async {
        let (client, mut server) = duplex(4096);
        let started = Instant::now();
        let drip = async {
            for byte in response_to(&read_head(&mut server).await) {
                sleep(SECOND / 10).await;
                let _ = server.write_all(&[byte]).await;
            }
        };
        let (connected, ()) = tokio::join!(
            async {
                let connected = Connector::new().connect_over(URL, client).await;
                assert_eq!(started.elapsed(), HANDSHAKE);
                connected
            },
            drip
        );
        assert!(matches!(connected, Err(Error::HandshakeTimeout)), "{connected:?}");
    });
}

#[test]
fn a_peer_that_does_not_read_our_part_is_abandoned() {
    run_paused(async {
        // Such a small pipe holds neither a request nor a response.
        let (client, _server) = duplex(16);
        let connected = Connector::new().connect_over(URL, client).await;
        assert!(matches!(connected, Err(Error::HandshakeTimeout)), "{connected:?}");

        let (mut client, server) = duplex(16);
        let acceptor = Acceptor::new();
        let (accepted, _client) = tokio::join!(acceptor.accept(server), async {
            client.write_all(REQUEST).await.unwrap();
            client
        });
        assert!(matches!(accepted, Err(Error::HandshakeTimeout)), "{accepted:?}");
    });
}

#[test]
fn the_handshake_timeout_is_configurable() {
    run_paused(async {
        for limit in [SECOND, 2 * HANDSHAKE] {
            let started = Instant::now();
            let (client, server) = duplex(4096);
            let acceptor = Acceptor::new().handshake_timeout(limit);
            assert!(matches!(acceptor.accept(server).await, Err(Error::HandshakeTimeout)));
            assert_eq!(started.elapsed(), limit);
            drop(client);
            let (client, _server) = duplex(4096);
            let connector = Connector::new().handshake_timeout(limit);
            let connected = connector.connect_over(URL, client).await;
            assert!(matches!(connected, Err(Error::HandshakeTimeout)));
            assert_eq!(started.elapsed(), 2 * limit);
        }
        let (_client, server) = duplex(4096);
        let acceptor = Acceptor::new().handshake_timeout(None);
        assert!(timeout(DAY, acceptor.accept(server)).await.is_err());
        let (client, _server) = duplex(4096);
        let connector = Connector::new().handshake_timeout(None);
        assert!(timeout(DAY, connector.connect_over(URL, client)).await.is_err());
    });
}

#[test]
fn a_refused_client_that_never_leaves_is_abandoned_and_the_error_is_kept() {
    run_paused(async {
        let (mut client, server) = duplex(4096);
        client.write_all(b"PUT / HTTP/1.1\r\n\r\n").await.unwrap();
        let started = Instant::now();
        let acceptor = Acceptor::new();
        let read = async {
            // The server's side ends right after the refusal.
            assert!(read_to_end(&mut client).await.starts_with(b"HTTP/1.1 405 "));
            assert_eq!(started.elapsed(), Duration::ZERO);
        };
        let (accepted, ()) = tokio::join!(acceptor.accept(server), read);
        let error = accepted.unwrap_err();
        assert!(matches!(error, Error::Handshake(HandshakeError::Method(_))), "{error:?}");
        assert_eq!(started.elapsed(), 2 * SECOND);
    });
}

#[test]
fn a_refused_client_that_floods_is_abandoned_at_once() {
    run_paused(async {
        let (mut client, server) = duplex(4096);
        let flood = async {
            client.write_all(b"PUT / HTTP/1.1\r\n\r\n").await.unwrap();
            // Twice as much as is dropped, then silence.
            for _ in 0..512 {
                let _ = client.write_all(&[0; 4096]).await;
            }
            client
        };
        let started = Instant::now();
        let acceptor = Acceptor::new();
        let (accepted, _client) = tokio::join!(acceptor.accept(server), flood);
        assert!(matches!(accepted, Err(Error::Handshake(_))), "{accepted:?}");
        assert_eq!(started.elapsed(), Duration::ZERO);
    });
}

#[test]
fn a_refusal_arrives_even_if_the_client_sends_more_than_it_should() {
    run(async {
        let (mut client, server) = streams().await;
        let request = String::from_utf8(REQUEST.to_vec()).unwrap();
        client.write_all(request.replace("GET", "PUT").as_bytes()).await.unwrap();
        client.write_all(&[b'x'; 200_000]).await.unwrap();
        client.shutdown().await.unwrap();
        let accepted = Acceptor::new().accept_tcp(server).await;
        assert!(matches!(accepted, Err(Error::Handshake(_))), "{accepted:?}");
        let head = String::from_utf8(read_head(&mut client).await).unwrap();
        assert!(head.starts_with("HTTP/1.1 405 "), "{head}");
        assert!(head.contains("\r\nAllow: GET\r\n"), "{head}");
        assert!(!read_to_end(&mut client).await.is_empty());
    });
}

#[test]
fn a_refused_client_sees_status_headers_and_body() {
    run(async {
        let (client, server) = streams().await;
        let refuse = |_: &Request| {
            Err(PlainResponse::new(403).header("X-Why", "members").body("members only"))
        };
        let acceptor = Acceptor::new();
        let (connector, accepted) = (Connector::new(), acceptor.accept_with(server, refuse));
        let (accepted, refused) = tokio::join!(accepted, async {
            // The client disconnects once it has read the refusal, which the server waits for.
            connector.connect_over(URL, client).await.unwrap_err()
        });
        assert!(matches!(accepted, Err(Error::Refused(403))), "{accepted:?}");
        let Error::Handshake(HandshakeError::Refused(refusal)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!((refusal.status(), refusal.body()), (403, &b"members only"[..]));
        assert_eq!(refusal.header("X-Why"), Some(&b"members"[..]));
    });
}

#[test]
fn an_invalid_response_is_a_server_error_and_the_client_is_told() {
    run(async {
        let (client, server) = streams().await;
        let decide = |_: &Request| Ok(Accept::new().subprotocol("not offered"));
        let (acceptor, connector) = (Acceptor::new(), Connector::new());
        let (accepted, refused) = tokio::join!(acceptor.accept_with(server, decide), async {
            connector.connect_over(URL, client).await.unwrap_err()
        });
        assert!(matches!(accepted, Err(Error::Accept(_))), "{accepted:?}");
        let Error::Handshake(HandshakeError::Refused(refusal)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(refusal.status(), 500);
    });
}

#[test]
fn a_refused_connection_is_an_io_error() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        drop(listener);
        let Err(Error::Io(error)) = connect(&url).await else { panic!("connected") };
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let without_end = Connector::new().handshake_timeout(None);
        let Err(Error::Io(error)) = without_end.connect(&url).await else { panic!("connected") };
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn all_addresses_of_a_name_are_tried() {
    run(async {
        // The system decides which of the two comes first, and whether both exist.
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address).await else { continue };
            let address = listener.local_addr().unwrap();
            let mut known = lookup_host(("localhost", address.port())).await.unwrap();
            if !known.any(|known| known == address) {
                continue;
            }
            let url = format!("ws://localhost:{}/", address.port());
            let (client, _server) = tokio::try_join!(connect(&url), async {
                accept(listener.accept().await.unwrap().0).await
            })
            .unwrap();
            assert_eq!(client.get_ref().peer_addr().unwrap(), address);
        }
    });
}

#[test]
fn both_endpoints_send_small_segments_at_once() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let (client, server) =
            tokio::join!(connect(&url), async { accept(listener.accept().await.unwrap().0).await });
        assert!(client.unwrap().get_ref().tcp().unwrap().nodelay().unwrap());
        assert!(server.unwrap().get_ref().tcp().unwrap().nodelay().unwrap());
    });
}

#[cfg(not(feature = "rustls"))]
#[test]
fn without_tls_a_secure_url_is_refused_with_a_hint() {
    run(async {
        let Err(error) = connect("wss://localhost/").await else { panic!("connected") };
        assert!(matches!(error, Error::TlsUnsupported), "{error}");
        assert!(error.to_string().contains("the feature `rustls`"), "{error}");
        assert_eq!(std::io::Error::from(error).kind(), ErrorKind::Unsupported);
    });
}

#[test]
fn a_stream_that_the_caller_has_secured_is_accepted() {
    run(async {
        assert!(matches!(connect("http://localhost/").await, Err(Error::Url(_))));
        let (client, mut server) = duplex(4096);
        let connector = Connector::new();
        let (connected, ()) =
            tokio::join!(connector.connect_over("wss://localhost/", client), async {
                let response = response_to(&read_head(&mut server).await);
                server.write_all(&response).await.unwrap();
            });
        connected.unwrap();
    });
}

#[test]
fn an_incomplete_refusal_is_reported_as_a_refusal() {
    run(async {
        let (client, mut server) = streams().await;
        let refuse = async {
            read_head(&mut server).await;
            let head = b"HTTP/1.1 503 Later\r\nContent-Length: 100\r\n\r\ncut short";
            server.write_all(head).await.unwrap();
            server.shutdown().await.unwrap();
            assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
        };
        let connector = Connector::new();
        let (connected, ()) =
            tokio::join!(async { connector.connect_over(URL, client).await.unwrap_err() }, refuse);
        let Error::Handshake(HandshakeError::Refused(refusal)) = connected else {
            panic!("{connected:?}")
        };
        assert_eq!((refusal.status(), refusal.body()), (503, &b"cut short"[..]));
    });
}

/// A transport with this input, which takes nothing or everything, and then fails.
#[derive(Debug)]
struct Failing {
    incoming: &'static [u8],
    writes: bool,
    kind: ErrorKind,
}

impl AsyncRead for Failing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.incoming.is_empty() {
            return Poll::Ready(Err(self.kind.into()));
        }
        buffer.put_slice(std::mem::take(&mut self.incoming));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Failing {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(if self.writes { Ok(bytes.len()) } else { Err(self.kind.into()) })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[test]
fn a_failed_handshake_never_looks_retryable() {
    run(async {
        for kind in [ErrorKind::TimedOut, ErrorKind::WouldBlock] {
            for writes in [true, false] {
                let failing = |incoming| Failing { incoming, writes, kind };
                let connected = Connector::new().connect_over(URL, failing(b"")).await;
                let mut errors = vec![connected.unwrap_err()];
                errors.push(Acceptor::new().accept(failing(b"")).await.unwrap_err());
                if !writes {
                    errors.push(Acceptor::new().accept(failing(REQUEST)).await.unwrap_err());
                }
                for error in errors {
                    assert!(matches!(error, Error::Io(_)), "{error:?}");
                    assert!(!error.is_would_block(), "{error:?}");
                }
            }
        }
    });
}
