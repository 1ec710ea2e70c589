//! Sockets with options that must be set before they connect.

use crate::client::{self, SocketOptions};
use core::net::SocketAddr;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use std::io;

/// Opens a socket to connect to an address of this family.
pub(crate) fn open(address: SocketAddr, options: &SocketOptions) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(local) = options.local {
        socket.bind(&SocketAddr::new(local, 0).into())?;
    }
    if let Some(keepalive) = options.keepalive {
        socket.set_tcp_keepalive(&settings(keepalive)?)?;
    }
    Ok(socket)
}

#[cfg(any(target_os = "android", target_os = "linux", target_vendor = "apple", windows))]
fn settings(keepalive: client::TcpKeepalive) -> io::Result<TcpKeepalive> {
    let mut settings = TcpKeepalive::new().with_time(keepalive.idle);
    if let Some(interval) = keepalive.interval {
        settings = settings.with_interval(interval);
    }
    if let Some(probes) = keepalive.probes {
        settings = settings.with_retries(probes);
    }
    Ok(settings)
}

/// Not every other system can set these.
#[cfg(not(any(target_os = "android", target_os = "linux", target_vendor = "apple", windows)))]
fn settings(keepalive: client::TcpKeepalive) -> io::Result<TcpKeepalive> {
    if keepalive.interval.is_some() || keepalive.probes.is_some() {
        let message = "the interval and the number of TCP's probes can't be set on this system";
        return Err(io::Error::new(io::ErrorKind::Unsupported, message));
    }
    Ok(TcpKeepalive::new().with_time(keepalive.idle))
}
