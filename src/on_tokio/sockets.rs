//! tokio's TCP sockets, and its traits for the streams that are made of them.

use super::Tokio;
use crate::asynchronous;
use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::net::{TcpSocket, TcpStream, lookup_host};
use alloc::vec::Vec;
use core::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};
use std::io::{self, IoSlice};

/// The stream of a connection that a [`Connector`](super::Connector) opened or a server accepted:
/// TCP, TLS, or [a stream of your own](asynchronous::Stream::boxed).
///
/// Its methods are those of [`asynchronous::Stream`], and of tokio's `AsyncRead` and `AsyncWrite`.
pub type Stream = asynchronous::Stream<Tokio>;

impl asynchronous::Sockets for Tokio {
    type Tcp = TcpStream;

    async fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(lookup_host((host, port)).await?.collect())
    }

    async fn connect(socket: std::net::TcpStream, address: SocketAddr) -> io::Result<TcpStream> {
        TcpSocket::from_std_stream(socket).connect(address).await
    }

    fn set_nodelay(stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)
    }

    fn peer_addr(stream: &TcpStream) -> io::Result<SocketAddr> {
        stream.peer_addr()
    }

    fn local_addr(stream: &TcpStream) -> io::Result<SocketAddr> {
        stream.local_addr()
    }
}

impl From<TcpStream> for asynchronous::Stream<Tokio> {
    fn from(stream: TcpStream) -> Self {
        Self::from_tcp(stream)
    }
}

impl AsyncRead for asynchronous::Stream<Tokio> {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        // Directly, because TCP leaves the rest of `into` as it is, initialized or not.
        if let Some(tcp) = stream.plain_tcp() {
            return Pin::new(tcp).poll_read(cx, into);
        }
        let read = Self::poll_read(stream, cx, into.initialize_unfilled());
        read.map_ok(|count| into.advance(count))
    }
}

impl AsyncWrite for asynchronous::Stream<Tokio> {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        Self::poll_write(self.get_mut(), cx, from)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Self::poll_write_vectored(self.get_mut(), cx, from)
    }

    fn is_write_vectored(&self) -> bool {
        Self::is_write_vectored(self)
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_flush(self.get_mut(), cx)
    }

    /// Ends the writing side. TLS sends its `close_notify` first.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_shutdown(self.get_mut(), cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::asynchronous::dial::Attempts;
    use crate::error::Error;
    use crate::on_tokio::timer::Timer;
    use ::tokio::{
        runtime::Builder,
        time::{Instant, sleep},
    };
    use alloc::string::ToString;
    use core::{fmt::Debug, future::poll_fn, mem::MaybeUninit, time::Duration};
    use std::io::ErrorKind;

    /// Connects to addresses whose port says what happens after how many milliseconds: even ports
    /// connect, odd ports are refused. Returns the port and when it was.
    fn connect(ports: &[u16]) -> (Result<u16, Error>, Duration) {
        let addresses = ports.iter().map(|&port| SocketAddr::from(([192, 0, 2, 1], port)));
        let mut attempts =
            Attempts::<_, _, Timer>::new(addresses, |address: SocketAddr| async move {
                sleep(Duration::from_millis(address.port().into())).await;
                let refused = address.port() % 2 == 1;
                if refused { Err(ErrorKind::ConnectionRefused.into()) } else { Ok(address.port()) }
            });
        let runtime =
            Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let started = Instant::now();
            (poll_fn(|cx| attempts.poll(cx)).await, started.elapsed())
        })
    }

    #[track_caller]
    fn assert_connects(ports: &[u16], expected: u16, after: u64) {
        let (connected, took) = connect(ports);
        assert_eq!((connected.unwrap(), took), (expected, Duration::from_millis(after)));
    }

    #[test]
    fn the_first_attempt_that_succeeds_wins() {
        assert_connects(&[100, 10], 100, 100);
        assert_connects(&[1000, 10], 10, 260);
        assert_connects(&[60_000, 40_000, 2], 2, 502);
        // The first is late, but still earlier than the second.
        assert_connects(&[300, 200], 300, 300);
    }

    #[test]
    fn a_refused_attempt_is_soon_followed() {
        assert_connects(&[1, 3, 10], 10, 30);
        assert_connects(&[60_000, 1, 10], 10, 270);
    }

    #[test]
    fn the_last_failure_is_reported_with_its_address() {
        let (failed, took) = connect(&[1, 3]);
        let error = failed.unwrap_err();
        assert_eq!(error.to_string(), "can't connect to 192.0.2.1:3: connection refused");
        assert!(matches!(&error, Error::Io(io) if io.kind() == ErrorKind::ConnectionRefused));
        assert_eq!(took, Duration::from_millis(13));
        let (failed, _) = connect(&[]);
        assert!(matches!(failed, Err(Error::Io(io)) if io.kind() == ErrorKind::NotFound));
    }

    /// Zeroing a large buffer for each read would cost more than what arrives.
    #[test]
    fn reading_tcp_does_not_initialize_what_it_leaves() {
        let runtime = Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let listener = ::tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let mut stream = Stream::from(TcpStream::connect(address).await.unwrap());
            let (peer, _) = listener.accept().await.unwrap();
            assert_eq!(peer.try_write(b"hello").unwrap(), 5);
            let mut memory = [MaybeUninit::uninit(); 1024];
            let mut into = ReadBuf::uninit(&mut memory);
            poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, &mut into)).await.unwrap();
            assert_eq!((into.filled(), into.initialized().len()), (&b"hello"[..], 5));
        });
    }

    /// The traits that later versions must keep.
    fn check<T: Send + Sync + Unpin + Debug + 'static>() {}

    #[test]
    fn a_stream_can_be_used_anywhere() {
        check::<Stream>();
    }
}
