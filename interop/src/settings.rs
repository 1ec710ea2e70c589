//! The settings of our servers, which come from variables of the environment: see `bin/interop_server.rs`.

use sansocket::{
    Config,
    connection::Keepalive,
    server::{Acceptor, ForwardingHeader, TrustedProxies},
};
use std::{env, error::Error, time::Duration};
use tokio::signal::unix::{SignalKind, signal};

/// Returns the address to listen on.
#[must_use]
pub fn address() -> String {
    env::var("INTEROP_ADDRESS").unwrap_or_else(|_| "127.0.0.1:0".into())
}

/// Returns an acceptor with the settings, apart from TLS.
///
/// # Errors
///
/// Returns an error if a setting is invalid.
pub fn acceptor<M>() -> Result<Acceptor<M>, Box<dyn Error>> {
    let mut acceptor = Acceptor::new();
    if let Some(proxies) = proxies()? {
        acceptor = acceptor.trusted_proxies(proxies);
    }
    if let Ok(interval) = env::var("INTEROP_KEEPALIVE") {
        let interval = Duration::from_millis(interval.parse()?);
        let keepalive = Keepalive::new(interval, Duration::from_secs(10));
        acceptor = acceptor.config(Config::default().keepalive(keepalive));
    }
    Ok(acceptor)
}

/// Waits until the process is asked to end.
pub async fn terminated() {
    signal(SignalKind::terminate()).expect("a handler can be installed").recv().await;
}

fn proxies() -> Result<Option<TrustedProxies>, Box<dyn Error>> {
    let Some(how) = env::var_os("INTEROP_PROXY") else { return Ok(None) };
    let (proxies, networks) = (TrustedProxies::new(), ["127.0.0.1".parse()?]);
    Ok(Some(match how.to_str() {
        Some("proxy-protocol") => proxies.proxy_protocol(networks),
        Some("x-forwarded-for") => proxies.header(ForwardingHeader::XForwardedFor, networks),
        _ => return Err("INTEROP_PROXY is neither proxy-protocol nor x-forwarded-for".into()),
    }))
}
