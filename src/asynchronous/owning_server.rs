//! The server that runs a connection for its user. It announces a shutdown, and takes over the
//! transport and the queue of a dropped connection.

use super::exchange::drive;
use super::shell::Shell;
use crate::buffer::{ReadBuffer, WriteBuffer};
use crate::connection::TrafficLimit;
use crate::handshake::LingeringClose;
use alloc::sync::Arc;
use core::{fmt, task::Context};

/// The server that runs a connection.
pub(crate) trait OwningServer<S>: Send + Sync + fmt::Debug {
    /// Returns `true` if the server is shutting down, so that its connections close with 1001.
    fn is_shutting_down(&self) -> bool;

    /// Returns the same as [`is_shutting_down`](Self::is_shutting_down). If that is `false`, the
    /// task of `cx` is woken once the shutdown begins.
    fn is_shutting_down_or_wakes(&self, cx: &Context<'_>) -> bool;

    /// Returns the limit of what the connection receives, if there is one.
    #[cfg_attr(
        not(feature = "tokio"),
        allow(dead_code, reason = "only the shell over tokio serves")
    )]
    fn traffic_limit(&self) -> Option<Arc<dyn TrafficLimit>> {
        None
    }

    /// Takes over a transport that its user has dropped, and the bytes that were still to be
    /// written to it.
    fn linger(self: Arc<Self>, transport: S, unwritten: WriteBuffer);
}

/// Writes the remaining bytes, and then ends the transport in such a way that they arrive.
#[cfg_attr(not(feature = "tokio"), allow(dead_code, reason = "only the shell over tokio serves"))]
pub(crate) async fn linger<S, M: Shell<S>>(mut transport: S, mut output: WriteBuffer) {
    let mut input = ReadBuffer::new();
    // Whatever the outcome, there is nothing left to do.
    let _ =
        drive::<S, M, _>(&mut LingeringClose::new(), &mut transport, &mut input, &mut output).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asynchronous::{Runtime, Timer, WebSocket};
    use crate::connection::{Config, Connection, Message, Server};
    use crate::negotiated::Negotiated;
    use alloc::vec::Vec;
    use core::{
        future::Future,
        pin::pin,
        task::{Poll, Waker},
        time::Duration,
    };
    use std::io::{self, IoSlice};
    use std::sync::Mutex;

    /// A runtime whose clock stands still.
    enum Still {}

    #[derive(Debug, Default)]
    struct Clock;

    impl Runtime for Still {
        type Timer = Clock;
    }

    impl Timer for Clock {
        fn now(&self) -> Duration {
            Duration::ZERO
        }

        fn poll_until(&mut self, _: Duration, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }
    }

    /// A client that always has one more message to send, and accepts every write.
    #[derive(Debug, Default)]
    struct Endless(Vec<u8>);

    impl Shell<Endless> for Still {
        fn poll_read(
            _: &mut Endless,
            _: &mut Context<'_>,
            into: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            const MESSAGE: &[u8] = b"\x82\x80\0\0\0\0";
            into[..MESSAGE.len()].copy_from_slice(MESSAGE);
            Poll::Ready(Ok(MESSAGE.len()))
        }

        fn poll_write(
            stream: &mut Endless,
            _: &mut Context<'_>,
            from: &[u8],
        ) -> Poll<io::Result<usize>> {
            stream.0.extend_from_slice(from);
            Poll::Ready(Ok(from.len()))
        }

        fn poll_write_vectored(
            stream: &mut Endless,
            cx: &mut Context<'_>,
            from: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            Self::poll_write(stream, cx, &from[0])
        }

        fn is_write_vectored(_: &Endless) -> bool {
            false
        }

        fn poll_flush(_: &mut Endless, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(_: &mut Endless, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// A client that has left, and accepts every write.
    #[derive(Debug, Default)]
    struct Left(Arc<Mutex<Vec<Vec<u8>>>>);

    impl Shell<Left> for Still {
        fn poll_read(_: &mut Left, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(0))
        }

        fn poll_write(
            stream: &mut Left,
            _: &mut Context<'_>,
            from: &[u8],
        ) -> Poll<io::Result<usize>> {
            stream.0.lock().unwrap().push(from.to_vec());
            Poll::Ready(Ok(from.len()))
        }

        fn poll_write_vectored(
            stream: &mut Left,
            cx: &mut Context<'_>,
            from: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all: Vec<u8> = from.iter().flat_map(|slice| slice.iter().copied()).collect();
            Self::poll_write(stream, cx, &all)
        }

        fn is_write_vectored(_: &Left) -> bool {
            true
        }

        fn poll_flush(_: &mut Left, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(_: &mut Left, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// The payload is linked and not copied, and its header still does not leave alone.
    #[test]
    fn what_is_delivered_at_the_end_leaves_in_one_write() {
        let connection = Connection::new(Server::new(), &Negotiated::new(), Config::default());
        let (mut sender, _) = connection.split();
        let mut output = WriteBuffer::new();
        sender.send(Message::from(alloc::vec![7; 50_000]), &mut output).unwrap();
        assert!(output.front().len() < output.len(), "the payload is linked");
        let client = Left::default();
        let writes = Arc::clone(&client.0);
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(pin!(linger::<_, Still>(client, output)).poll(cx).is_ready());
        let lengths: Vec<_> = writes.lock().unwrap().iter().map(Vec::len).collect();
        assert_eq!(lengths, [50_004]);
    }

    #[derive(Debug)]
    struct ShuttingDown;

    impl OwningServer<Endless> for ShuttingDown {
        fn is_shutting_down(&self) -> bool {
            true
        }

        fn is_shutting_down_or_wakes(&self, _: &Context<'_>) -> bool {
            panic!("the connection must not wait")
        }

        fn linger(self: Arc<Self>, _: Endless, _: WriteBuffer) {}
    }

    #[test]
    fn a_connection_that_never_waits_closes_once_on_shutdown() {
        let (negotiated, input) = (Negotiated::new(), ReadBuffer::new());
        let (client, role) = (Endless::default(), Server::new());
        let mut server: WebSocket<_, _, Still> =
            WebSocket::new(client, role, negotiated, input, Config::default())
                .with_server(Arc::new(ShuttingDown));
        let cx = &mut Context::from_waker(Waker::noop());
        for _ in 0..10 {
            let next = pin!(server.next()).poll(cx);
            assert!(matches!(next, Poll::Ready(Some(Ok(_)))), "{next:?}");
        }
        assert_eq!(server.get_ref().0, b"\x88\x02\x03\xe9");
    }
}
