//! How connections end, in both orders, also over streams that do not half-close.

use crate::{
    compat::websocket,
    executors::pair,
    virtual_clock::{VirtualTimer, now, run},
};
use async_io::block_on;
use futures_io::{AsyncRead, AsyncWrite};
use futures_util::future::join;
use sansocket::{
    CloseCode, Config, Message,
    asynchronous::WebSocket,
    buffer::ReadBuffer,
    connection::{Initiator, Server},
    handshake::Negotiated,
    on_futures_io::FuturesIo,
};
use sansocket_testkit::{
    frames::{CLOSE_NORMAL, masked},
    transports::wire::{CLIENT, EAGER, SERVER, Wire},
};
use std::{
    io::{self, ErrorKind, Read},
    pin::Pin,
    task::{Context, Poll},
};

#[test]
fn either_endpoint_can_close_first() {
    block_on(async {
        for server_is_first in [false, true] {
            let (mut client, mut server) = pair(Config::default()).await;
            let client = async {
                if !server_is_first {
                    client.close(CloseCode::NORMAL, "bye").await.unwrap();
                }
                while let Some(message) = client.next().await {
                    assert_eq!(message.unwrap(), Message::text("last"));
                }
                client.wait_closed().await
            };
            let server = async {
                server.send("last").await.unwrap();
                if server_is_first {
                    server.close(CloseCode::NORMAL, "bye").await.unwrap();
                }
                assert!(server.next().await.is_none());
                server.wait_closed().await
            };
            let (client, server) = join(client, server).await;
            assert!(client.clean && server.clean, "{client:?} {server:?}");
            let began = if server_is_first { Initiator::Local } else { Initiator::Peer };
            assert_eq!(server.initiator, began);
        }
    });
}

/// A blocking client reads all of it although the server's user keeps the connection.
#[test]
fn the_server_ends_tcp_without_being_dropped() {
    let (client, mut server) = block_on(pair(Config::default()));
    // The raw socket below the client.
    let mut socket = client.into_parts().transport.tcp().unwrap().get_ref().try_clone().unwrap();
    socket.set_nonblocking(false).unwrap();
    io::Write::write_all(&mut socket, &masked(0x88, &[0x03, 0xe8])).unwrap();
    let next = block_on(server.next());
    assert!(next.is_none(), "{next:?}");
    let mut received = Vec::new();
    socket.read_to_end(&mut received).unwrap();
    assert_eq!(received, CLOSE_NORMAL);
    drop(server);
}

/// A stream that has no half-close, and says so or not.
struct NoHalfClose<S>(S, Poll<ErrorKind>);

impl<S: AsyncRead + Unpin> AsyncRead for NoHalfClose<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for NoHalfClose<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.1.map(|kind| Err(kind.into()))
    }
}

#[test]
fn a_server_ends_a_stream_without_half_close_once_both_have_closed() {
    for (way, waits) in [(Poll::Ready(ErrorKind::Unsupported), false), (Poll::Pending, true)] {
        run(async {
            let wire = Wire::new();
            let stream = NoHalfClose(crate::compat::Compat(wire.end(SERVER, EAGER)), way);
            let mut server: WebSocket<_, _, FuturesIo<VirtualTimer>> = WebSocket::new(
                stream,
                Server::new(),
                Negotiated::new(),
                ReadBuffer::new(),
                Config::default(),
            );
            let began = now();
            wire.put(CLIENT, &masked(0x88, &[0x03, 0xe8]));
            let closed = server.wait_closed().await;
            assert_eq!(wire.take(SERVER), CLOSE_NORMAL);
            assert!(closed.clean, "{closed:?}");
            assert_eq!(now() > began, waits, "only one that never ends takes time");
        });
    }
}

#[test]
fn a_stream_that_fails_is_reported_once() {
    run(async {
        let wire = Wire::new();
        let manner = sansocket_testkit::transports::wire::Manner {
            write_error: Some(ErrorKind::BrokenPipe),
            ..EAGER
        };
        let mut server = websocket::<_, VirtualTimer>(
            wire.end(SERVER, manner),
            Server::new(),
            Config::default(),
        );
        assert!(server.send("x").await.is_err());
        wire.finish(CLIENT);
        assert!(server.next().await.unwrap().is_err());
        assert!(server.next().await.is_none());
    });
}
