//! TCP sockets of `async-io`, and the traits of `futures-io` for the streams that are made of them.

use super::shell::FuturesIo;
use super::timer::Timer;
use crate::asynchronous::{self, Sockets};
use ::futures_io::{AsyncRead, AsyncWrite};
use alloc::{borrow::ToOwned, vec::Vec};
use async_io::Async;
use core::{
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};
use rustix::io::Errno;
use std::io;
use std::net::{Shutdown, TcpStream, ToSocketAddrs};

/// The stream of a connection that a [`Connector`](super::Connector) opened or an
/// [`Acceptor`](super::Acceptor) accepted: TCP, TLS, or
/// [a stream of your own](asynchronous::Stream::boxed).
///
/// Its methods are those of [`asynchronous::Stream`], and of `AsyncRead` and `AsyncWrite`.
pub type Stream<T = Timer> = asynchronous::Stream<FuturesIo<T>>;

impl<T: asynchronous::Timer + 'static> Sockets for FuturesIo<T> {
    type Tcp = Async<TcpStream>;

    /// The system's lookup blocks, so it runs in a thread of the pool of the crate `blocking`.
    async fn look_up(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let host = host.to_owned();
        ::blocking::unblock(move || Ok((host.as_str(), port).to_socket_addrs()?.collect())).await
    }

    async fn connect(socket: TcpStream, address: SocketAddr) -> io::Result<Async<TcpStream>> {
        match rustix::net::connect(&socket, &address) {
            // Unix says that the attempt goes on with the one, Windows with the other.
            Ok(()) | Err(Errno::INPROGRESS | Errno::WOULDBLOCK) => {}
            Err(error) => return Err(error.into()),
        }
        let stream = Async::new_nonblocking(socket)?;
        // A socket becomes writable once the attempt is over, whatever came of it.
        stream.writable().await?;
        match stream.get_ref().take_error()? {
            Some(error) => Err(error),
            None => Ok(stream),
        }
    }

    fn set_nodelay(stream: &Async<TcpStream>) -> io::Result<()> {
        stream.get_ref().set_nodelay(true)
    }

    /// `poll_close` of `Async` only flushes.
    fn poll_shutdown_tcp(
        stream: &mut Async<TcpStream>,
        _: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(stream.get_ref().shutdown(Shutdown::Write))
    }

    fn peer_addr(stream: &Async<TcpStream>) -> io::Result<SocketAddr> {
        stream.get_ref().peer_addr()
    }

    fn local_addr(stream: &Async<TcpStream>) -> io::Result<SocketAddr> {
        stream.get_ref().local_addr()
    }
}

impl<T: asynchronous::Timer + 'static> From<Async<TcpStream>>
    for asynchronous::Stream<FuturesIo<T>>
{
    fn from(stream: Async<TcpStream>) -> Self {
        Self::from_tcp(stream)
    }
}

impl<T: asynchronous::Timer + 'static> AsyncRead for asynchronous::Stream<FuturesIo<T>> {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Self::poll_read(self.get_mut(), cx, into)
    }
}

impl<T: asynchronous::Timer + 'static> AsyncWrite for asynchronous::Stream<FuturesIo<T>> {
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
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Self::poll_write_vectored(self.get_mut(), cx, from)
    }

    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_flush(self.get_mut(), cx)
    }

    /// Ends the writing side. TLS sends its `close_notify` first.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Self::poll_shutdown(self.get_mut(), cx)
    }
}
