//! Opening the stream that a connection begins with.

use super::hooks::Hooks;
use super::outcomes::Outcomes;
use super::stream::Stream;
use crate::client::{Addresses, NextAddress, SocketOptions, Stage};
use crate::error::Error;
#[cfg(feature = "socket2")]
use crate::socket;
use crate::transport::earliest;
use alloc::{string::ToString, sync::Arc, vec::Vec};
use core::net::{IpAddr, SocketAddr};
use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::io::{self, ErrorKind};
use std::net::{TcpStream, ToSocketAddrs};
use std::panic::{catch_unwind, resume_unwind};
use std::thread;
use std::time::Instant;

/// Connects to a host. `until` returns by when a stage that begins now must be over.
///
/// With a deadline, the lookup runs in a thread of its own. So does each attempt if there are
/// several addresses. The thread of an attempt that has lost ends when the system or the deadline
/// ends the attempt, and drops its connection.
pub(super) fn dial(
    host: &str,
    port: u16,
    hooks: &Hooks,
    options: SocketOptions,
    until: impl Fn(Stage) -> Option<Instant>,
) -> Result<Stream, Error> {
    if let Some(dial) = &hooks.dialer {
        let (dial, host) = (Arc::clone(dial), host.to_string());
        let dialed = bounded("sansocket connect", until(Stage::Connect), move || dial(host, port));
        let stream = dialed.map_err(Error::final_io)?;
        let stream = stream.ok_or(Error::ConnectTimeout(Stage::Connect))?;
        if let Some(stream) = stream.tcp() {
            stream.set_nodelay(true)?;
        }
        return Ok(stream);
    }
    let found = look_up(host, port, hooks, until(Stage::Lookup));
    let found = found.map_err(|error| Error::of_lookup(host, error))?;
    let addresses = found.ok_or(Error::ConnectTimeout(Stage::Lookup))?;
    let end = until(Stage::Connect);
    let addresses = options.reachable(addresses).ok_or_else(Error::of_other_family)?;
    let stream = match addresses.as_slice() {
        [address] => {
            attempt(*address, options, end).map_err(|error| of_attempt(*address, error, end))
        }
        addresses => race(addresses, end, move |address, end| attempt(address, options, end)),
    }?;
    stream.set_nodelay(true)?;
    Ok(stream.into())
}

/// Returns the addresses of a host, in the order of the resolver, or `None` if the time is over.
fn look_up(
    host: &str,
    port: u16,
    hooks: &Hooks,
    end: Option<Instant>,
) -> io::Result<Option<Vec<SocketAddr>>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(Some(Vec::from([SocketAddr::new(address, port)])));
    }
    let name = host.to_string();
    if let Some(resolve) = &hooks.resolver {
        let resolve = Arc::clone(resolve);
        return bounded("sansocket lookup", end, move || resolve(name, port));
    }
    let resolve = move || Ok((name.as_str(), port).to_socket_addrs()?.collect());
    bounded("sansocket lookup", end, resolve)
}

/// Does work that may take longer than there is time. It then goes on in a thread of its own, and
/// this returns `None`. A panic in that thread goes on here.
fn bounded<T: Send + 'static>(
    name: &str,
    end: Option<Instant>,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<Option<T>> {
    let Some(end) = end else { return work().map(Some) };
    let outcomes = Outcomes::new();
    let report = outcomes.clone();
    start(name, move || {
        report.report(catch_unwind(AssertUnwindSafe(work)));
    })?;
    let outcome = outcomes.wait(Some(left(end)));
    outcome.map(|outcome| outcome.unwrap_or_else(|panic| resume_unwind(panic))).transpose()
}

fn attempt(
    address: SocketAddr,
    options: SocketOptions,
    end: Option<Instant>,
) -> io::Result<TcpStream> {
    let left = end.map(left);
    // The system refuses a timeout of zero.
    if left == Some(Duration::ZERO) {
        return Err(ErrorKind::TimedOut.into());
    }
    #[cfg(feature = "socket2")]
    if !options.is_default() {
        let socket = socket::open(address, &options)?;
        match left {
            None => socket.connect(&address.into())?,
            Some(left) => socket.connect_timeout(&address.into(), left)?,
        }
        return Ok(socket.into());
    }
    #[cfg(not(feature = "socket2"))]
    let _ = options;
    match left {
        None => TcpStream::connect(address),
        Some(left) => TcpStream::connect_timeout(&address, left),
    }
}

fn left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}

/// Returns the error of an attempt. A timeout is ours if the deadline has passed.
fn of_attempt(address: SocketAddr, error: io::Error, end: Option<Instant>) -> Error {
    // A system may count the time less precisely.
    let is_over = |end| left(end) <= Duration::from_millis(1);
    let is_ours = error.kind() == ErrorKind::TimedOut && end.is_some_and(is_over);
    if is_ours { Error::ConnectTimeout(Stage::Connect) } else { Error::of_address(address, error) }
}

fn start(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_string()).spawn(work).map(drop)
}

/// Runs attempts as [`Addresses`] plans them, each in a thread of its own.
fn race<T: Send + 'static>(
    addresses: &[SocketAddr],
    end: Option<Instant>,
    attempt: impl Fn(SocketAddr, Option<Instant>) -> io::Result<T> + Copy + Send + 'static,
) -> Result<T, Error> {
    let epoch = Instant::now();
    let mut addresses = Addresses::new(addresses.iter().copied());
    let outcomes = Outcomes::new();
    let mut failed = None;
    loop {
        let wait = match addresses.next(epoch.elapsed()) {
            NextAddress::Connect(address) => {
                let report = outcomes.clone();
                let run = move || report.report((address, attempt(address, end)));
                if start("sansocket connect", run).is_err() {
                    // Without a thread, the attempt runs here.
                    match attempt(address, end) {
                        Ok(connected) => return Ok(connected),
                        Err(error) => failed = Some(of_attempt(address, error, end)),
                    }
                    addresses.failed();
                }
                continue;
            }
            NextAddress::Wait(moment) => {
                moment.map(|moment| moment.saturating_sub(epoch.elapsed()))
            }
            NextAddress::Failed => return Err(failed.unwrap_or_else(Error::of_no_address)),
        };
        let left = end.map(left);
        match outcomes.wait(earliest(wait, left)) {
            Some((_, Ok(connected))) => return Ok(connected),
            Some((address, Err(error))) => {
                failed = Some(of_attempt(address, error, end));
                addresses.failed();
            }
            None if left.is_some_and(|left| left.is_zero()) => {
                return Err(Error::ConnectTimeout(Stage::Connect));
            }
            // It is time for the next attempt.
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(ports: &[u16]) -> Vec<SocketAddr> {
        ports.iter().map(|&port| SocketAddr::from(([192, 0, 2, 1], port))).collect()
    }

    /// Connects to even ports and is refused by odd ones, after so many milliseconds.
    fn pretend(address: SocketAddr, _: Option<Instant>) -> io::Result<u16> {
        thread::sleep(Duration::from_millis(address.port().into()));
        let refused = address.port() % 2 == 1;
        if refused { Err(ErrorKind::ConnectionRefused.into()) } else { Ok(address.port()) }
    }

    #[test]
    fn the_first_attempt_that_succeeds_wins() {
        assert_eq!(race(&addresses(&[20_000, 2]), None, pretend).unwrap(), 2);
        assert_eq!(race(&addresses(&[2, 20_000]), None, pretend).unwrap(), 2);
        assert_eq!(race(&addresses(&[20_000, 1, 4]), None, pretend).unwrap(), 4);
    }

    #[test]
    fn a_failure_is_reported_with_its_address() {
        let error = race(&addresses(&[3]), None, pretend).unwrap_err();
        assert_eq!(error.to_string(), "can't connect to 192.0.2.1:3: connection refused");
        let error = race(&[], None, pretend).unwrap_err();
        assert!(matches!(&error, Error::Io(io) if io.kind() == ErrorKind::NotFound), "{error:?}");
    }

    #[test]
    fn the_deadline_ends_all_attempts() {
        let end = Instant::now() + Duration::from_millis(20);
        let error = race(&addresses(&[20_000, 30_000]), Some(end), pretend).unwrap_err();
        assert!(matches!(error, Error::ConnectTimeout(Stage::Connect)), "{error:?}");
    }

    #[test]
    fn an_address_needs_no_lookup() {
        let passed = Some(Instant::now());
        for (host, address) in [("::1", "[::1]:80"), ("127.0.0.1", "127.0.0.1:80")] {
            let found = look_up(host, 80, &Hooks::default(), passed).unwrap();
            assert_eq!(found.unwrap(), [address.parse().unwrap()]);
        }
    }
}
