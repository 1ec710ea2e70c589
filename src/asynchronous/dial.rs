//! Opening the stream that a connection begins with.

use super::exchange::until;
use super::hooks::Hooks;
use super::shell::Timer;
use super::stream::{Stream, sockets::Sockets};
use crate::client::{Addresses, Deadlines, NextAddress, SocketOptions, Stage};
use crate::error::Error;
use crate::socket;
use alloc::{borrow::ToOwned, boxed::Box, vec::Vec};
use core::{
    future::{Future, poll_fn},
    net::{IpAddr, SocketAddr},
    pin::Pin,
    task::{Context, Poll, ready},
};
use std::io;

/// Connects to a host, within the deadlines.
pub(super) async fn dial<M: Sockets>(
    host: &str,
    port: u16,
    hooks: &Hooks<M>,
    options: SocketOptions,
    deadlines: &Deadlines,
    timer: &mut M::Timer,
) -> Result<Stream<M>, Error> {
    if let Some(dial) = &hooks.dialer {
        let end = deadlines.until(Stage::Connect, timer.now());
        let dialed = until(timer, end, dial(host.to_owned(), port)).await;
        let stream = dialed.ok_or(Error::ConnectTimeout(Stage::Connect))?;
        let stream = stream.map_err(Error::final_io)?;
        if let Some(stream) = stream.tcp() {
            M::set_nodelay(stream)?;
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
    let mut attempts =
        Attempts::<_, _, M::Timer>::new(addresses, |address| attempt::<M>(address, options));
    let connected = until(timer, end, poll_fn(|cx| attempts.poll(cx))).await;
    let stream = connected.ok_or(Error::ConnectTimeout(Stage::Connect))??;
    M::set_nodelay(&stream)?;
    Ok(Stream::from_tcp(stream))
}

/// Returns the addresses of a host, in the order of the resolver.
async fn look_up<M: Sockets>(
    host: &str,
    port: u16,
    hooks: &Hooks<M>,
) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(Vec::from([SocketAddr::new(address, port)]));
    }
    match &hooks.resolver {
        Some(resolve) => resolve(host.to_owned(), port).await,
        None => M::look_up(host, port).await,
    }
}

async fn attempt<M: Sockets>(address: SocketAddr, options: SocketOptions) -> io::Result<M::Tcp> {
    let socket = socket::open(address, &options)?;
    socket.set_nonblocking(true)?;
    M::connect(socket.into(), address).await
}

/// Attempts to connect, of which several can run side by side.
pub(crate) struct Attempts<C, F, T> {
    addresses: Addresses,
    connect: C,
    running: Vec<(SocketAddr, Pin<Box<F>>)>,
    timer: T,
    failed: Option<Error>,
}

impl<S, C, F, T> Attempts<C, F, T>
where
    C: Fn(SocketAddr) -> F + Unpin,
    F: Future<Output = io::Result<S>>,
    T: Timer,
{
    pub(crate) fn new(addresses: impl IntoIterator<Item = SocketAddr>, connect: C) -> Self {
        let addresses = Addresses::new(addresses);
        Self { addresses, connect, running: Vec::new(), timer: T::default(), failed: None }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<S, Error>> {
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
    fn poll_running(&mut self, cx: &mut Context<'_>) -> Poll<S> {
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
