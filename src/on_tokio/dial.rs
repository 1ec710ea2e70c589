//! Opening the stream that a connection begins with.

use super::hooks::Hooks;
use super::stream::Stream;
use super::timer::Timer;
use crate::asynchronous::{Timer as _, exchange::until};
use crate::client::{Addresses, Deadlines, NextAddress, SocketOptions, Stage};
use crate::error::Error;
use crate::socket;
use ::tokio::net::{TcpSocket, TcpStream, lookup_host};
use alloc::{borrow::ToOwned, boxed::Box, vec::Vec};
use core::{
    future::{Future, poll_fn},
    net::{IpAddr, SocketAddr},
    pin::Pin,
    task::{Context, Poll, ready},
};
use std::io;

/// Connects to a host, within the deadlines.
pub(super) async fn dial(
    host: &str,
    port: u16,
    hooks: &Hooks,
    options: SocketOptions,
    deadlines: &Deadlines,
    timer: &mut Timer,
) -> Result<Stream, Error> {
    if let Some(dial) = &hooks.dialer {
        let end = deadlines.until(Stage::Connect, timer.now());
        let dialed = until(timer, end, dial(host.to_owned(), port)).await;
        let stream = dialed.ok_or(Error::ConnectTimeout(Stage::Connect))?;
        let stream = stream.map_err(Error::final_io)?;
        if let Some(stream) = stream.tcp() {
            stream.set_nodelay(true)?;
        }
        return Ok(stream);
    }
    let end = deadlines.until(Stage::Lookup, timer.now());
    let found = until(timer, end, look_up(host, port, hooks)).await;
    let addresses = found
        .ok_or(Error::ConnectTimeout(Stage::Lookup))?
        .map_err(|error| Error::of_lookup(host, error))?;
    let end = deadlines.until(Stage::Connect, timer.now());
    let addresses = options.reachable(addresses).ok_or_else(Error::of_other_family)?;
    let mut attempts = Attempts::new(addresses, |address| attempt(address, options));
    let connected = until(timer, end, poll_fn(|cx| attempts.poll(cx))).await;
    let stream = connected.ok_or(Error::ConnectTimeout(Stage::Connect))??;
    stream.set_nodelay(true)?;
    Ok(stream.into())
}

/// Returns the addresses of a host, in the order of the resolver.
async fn look_up(host: &str, port: u16, hooks: &Hooks) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(Vec::from([SocketAddr::new(address, port)]));
    }
    match &hooks.resolver {
        Some(resolve) => resolve(host.to_owned(), port).await,
        None => Ok(lookup_host((host, port)).await?.collect()),
    }
}

async fn attempt(address: SocketAddr, options: SocketOptions) -> io::Result<TcpStream> {
    if options.is_default() {
        return TcpStream::connect(address).await;
    }
    let socket = socket::open(address, &options)?;
    socket.set_nonblocking(true)?;
    TcpSocket::from_std_stream(socket.into()).connect(address).await
}

/// Attempts to connect, of which several can run side by side.
struct Attempts<C, F> {
    addresses: Addresses,
    connect: C,
    running: Vec<(SocketAddr, Pin<Box<F>>)>,
    timer: Timer,
    failed: Option<Error>,
}

impl<T, C, F> Attempts<C, F>
where
    C: Fn(SocketAddr) -> F + Unpin,
    F: Future<Output = io::Result<T>>,
{
    fn new(addresses: impl IntoIterator<Item = SocketAddr>, connect: C) -> Self {
        let addresses = Addresses::new(addresses);
        Self { addresses, connect, running: Vec::new(), timer: Timer::default(), failed: None }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, Error>> {
        loop {
            if let Poll::Ready(connected) = self.poll_running(cx) {
                return Poll::Ready(Ok(connected));
            }
            match self.addresses.next(self.timer.now()) {
                NextAddress::Connect(address) => {
                    self.running.push((address, Box::pin((self.connect)(address))));
                }
                NextAddress::Wait(Some(moment)) => ready!(self.timer.poll_until(moment, cx)),
                NextAddress::Wait(None) => return Poll::Pending,
                NextAddress::Failed => {
                    let failed = self.failed.take();
                    return Poll::Ready(Err(failed.unwrap_or_else(Error::of_no_address)));
                }
            }
        }
    }

    /// Polls the running attempts, and removes those that have failed.
    fn poll_running(&mut self, cx: &mut Context<'_>) -> Poll<T> {
        let mut index = 0;
        while let Some((address, attempt)) = self.running.get_mut(index) {
            match attempt.as_mut().poll(cx) {
                Poll::Ready(Ok(connected)) => return Poll::Ready(connected),
                Poll::Ready(Err(error)) => {
                    self.failed = Some(Error::of_address(*address, error));
                    self.addresses.failed();
                    drop(self.running.remove(index));
                }
                Poll::Pending => index += 1,
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::tokio::{
        runtime::Builder,
        time::{Instant, sleep},
    };
    use alloc::string::ToString;
    use core::time::Duration;
    use std::io::ErrorKind;

    /// Connects to addresses whose port says what happens after how many milliseconds: even ports
    /// connect, odd ports are refused. Returns the port and when it was.
    fn connect(ports: &[u16]) -> (Result<u16, Error>, Duration) {
        let addresses = ports.iter().map(|&port| SocketAddr::from(([192, 0, 2, 1], port)));
        let mut attempts = Attempts::new(addresses, |address: SocketAddr| async move {
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
}
