//! Both shells through proxies of others: tinyproxy, microsocks, and haproxy with TLS.
//!
//! The programs run on loopback. `./test` installs them; `SANSOCKET_WITHOUT=proxies` leaves these tests
//! out.
#![cfg(all(unix, feature = "rustls", feature = "tokio"))]

#[path = "../tls/authority.rs"]
#[allow(dead_code, reason = "shared with the tests of TLS")]
mod authority;
mod programs;

use authority::{client_tls, server_tls};
use programs::{CREDENTIALS, Running, are_left_out, free_port};
use sansocket::{
    Error,
    blocking::{self, ShutdownHandle},
    client::{Connector, Proxies, Proxy, ProxyError, SocksReply},
    on_tokio,
};
use std::{
    io::{self, ErrorKind},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    thread,
};

/// An echo server, with TLS or without, which ends when this is dropped.
struct EchoServer {
    port: u16,
    shutdown: ShutdownHandle,
}

impl EchoServer {
    fn new(tls: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = blocking::Acceptor::new();
        let acceptor = if tls { acceptor.tls(server_tls()) } else { acceptor };
        let server = blocking::serve(listener, |mut websocket, _| {
            while let Some(message) = websocket.next() {
                websocket.send(message?)?;
            }
            Ok::<_, Error>(())
        });
        let server = server.acceptor(acceptor);
        let shutdown = server.shutdown_handle();
        thread::spawn(|| server.run());
        Self { port, shutdown }
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        self.shutdown.shutdown();
    }
}

/// Only the proxy is looked up by the client. The host of the URL is the proxy's to find.
fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    match host {
        "proxy.test" => Ok(vec![(Ipv4Addr::LOCALHOST, port).into()]),
        _ => Err(io::Error::new(ErrorKind::NotFound, "the client looked up the server")),
    }
}

fn connector<M>(proxies: &Proxies) -> Connector<M> {
    Connector::new().tls(client_tls()).proxy(proxies.clone())
}

/// Sends a message to the server and back, through the proxy, with each shell.
fn echo(proxies: impl Into<Proxies>, url: &str) -> [Result<(), Error>; 2] {
    let proxies = proxies.into();
    [echo_blocking(&proxies, url), echo_on_tokio(&proxies, url)]
}

fn echo_blocking(proxies: &Proxies, url: &str) -> Result<(), Error> {
    let connector: blocking::Connector = connector(proxies);
    let connector = connector.resolver(|host, port| addresses(&host, port));
    let (mut websocket, _) = connector.connect(url)?;
    let sent = "x".repeat(100_000);
    websocket.send(&sent)?;
    assert_eq!(websocket.next().unwrap()?, sent.into());
    websocket.close(sansocket::CloseCode::NORMAL, "")?;
    assert!(websocket.wait_closed().clean);
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn echo_on_tokio(proxies: &Proxies, url: &str) -> Result<(), Error> {
    let connector: on_tokio::Connector = connector(proxies);
    let connector = connector.resolver(|host, port| async move { addresses(&host, port) });
    let (mut websocket, _) = connector.connect(url).await?;
    let sent = "x".repeat(100_000);
    websocket.send(&sent).await?;
    assert_eq!(websocket.next().await.unwrap()?, sent.into());
    websocket.close(sansocket::CloseCode::NORMAL, "").await?;
    assert!(websocket.wait_closed().await.clean);
    Ok(())
}

/// Returns a proxy with this scheme, with credentials or without.
fn proxy(scheme: &str, running: &Running, with_credentials: bool) -> Proxy {
    let proxy = Proxy::parse(&format!("{scheme}://proxy.test:{}", running.port)).unwrap();
    if with_credentials { proxy.credentials(CREDENTIALS.0, CREDENTIALS.1) } else { proxy }
}

/// Echoes with TLS to the server and without. The name of the server is for the proxy to find.
#[track_caller]
fn assert_leads_to_servers(proxy: &Proxy) {
    for (tls, scheme) in [(false, "ws"), (true, "wss")] {
        let server = EchoServer::new(tls);
        for outcome in echo(proxy.clone(), &format!("{scheme}://localhost:{}/", server.port)) {
            outcome.unwrap();
        }
    }
}

#[test]
fn tinyproxy_opens_tunnels() {
    if are_left_out() {
        return;
    }
    for credentials in [false, true] {
        let running = Running::tinyproxy(credentials);
        assert_leads_to_servers(&proxy("http", &running, credentials));
    }
}

#[test]
fn tinyproxy_opens_tunnels_behind_tls() {
    if are_left_out() {
        return;
    }
    let http = Running::tinyproxy(true);
    let tls = Running::haproxy(http.port);
    assert_leads_to_servers(&proxy("https", &tls, true));
    // A client that does not trust the certificate of the proxy does not get as far as the tunnel.
    let stranger =
        sansocket::tls::ClientTls::with_roots(authority::Authority::new().pem()).unwrap();
    for outcome in echo(proxy("https", &tls, true).tls(stranger), "ws://localhost:9/") {
        assert!(matches!(outcome, Err(Error::Tls(_))), "{outcome:?}");
    }
}

#[test]
fn microsocks_opens_tunnels() {
    if are_left_out() {
        return;
    }
    for credentials in [false, true] {
        let running = Running::microsocks(credentials);
        assert_leads_to_servers(&proxy("socks5", &running, credentials));
    }
}

#[test]
fn refusals_of_tinyproxy_have_a_status() {
    if are_left_out() {
        return;
    }
    let running = Running::tinyproxy(true);
    let server = EchoServer::new(false);
    let url = format!("ws://localhost:{}/", server.port);
    let nobody = proxy("http", &running, false);
    let stranger = nobody.clone().credentials("client", "wrong");
    for proxy in [nobody, stranger] {
        for outcome in echo(proxy, &url) {
            let Err(Error::Proxy(ProxyError::Refused(refusal))) = outcome else {
                panic!("{outcome:?}")
            };
            assert!(matches!(refusal.status(), 401 | 407), "{refusal:?}");
            assert!(!refusal.body().is_empty() && !refusal.is_transient());
        }
    }
    let url = format!("ws://localhost:{}/", free_port());
    for outcome in echo(proxy("http", &running, true), &url) {
        let Err(error @ Error::Proxy(ProxyError::Refused(_))) = &outcome else {
            panic!("{outcome:?}")
        };
        assert!(error.is_transient(), "{error}");
        assert!(!format!("{error} {error:?}").contains(CREDENTIALS.1));
    }
}

#[test]
fn refusals_of_microsocks_have_a_reason() {
    if are_left_out() {
        return;
    }
    let running = Running::microsocks(true);
    let url = format!("ws://localhost:{}/", free_port());
    let nobody = proxy("socks5", &running, false);
    for outcome in echo(nobody.clone(), &url) {
        let Err(Error::Proxy(ProxyError::NoAcceptableMethod { with_credentials: false })) = outcome
        else {
            panic!("{outcome:?}")
        };
    }
    for outcome in echo(nobody.credentials("client", "wrong"), &url) {
        assert!(
            matches!(outcome, Err(Error::Proxy(ProxyError::CredentialsRefused))),
            "{outcome:?}"
        );
    }
    for outcome in echo(proxy("socks5", &running, true), &url) {
        let reply = SocksReply::ConnectionRefused;
        let Err(Error::Proxy(ProxyError::Socks(found))) = outcome else { panic!("{outcome:?}") };
        assert_eq!(found, reply);
    }
}

/// This needs no program.
#[test]
fn a_proxy_that_is_not_there_is_named() {
    let port = free_port();
    let proxy = Proxy::parse(&format!("http://proxy.test:{port}")).unwrap();
    for outcome in echo(proxy, "ws://localhost:9/") {
        let error = outcome.unwrap_err();
        let expected = format!("can't reach the proxy proxy.test, port {port}: ");
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(error.is_transient());
    }
    let excepted = Proxies::from(Proxy::parse("http://proxy.test").unwrap()).except("localhost");
    for outcome in echo(excepted, "ws://localhost:9/") {
        let error = outcome.unwrap_err().to_string();
        assert!(error.ends_with("the client looked up the server"), "{error}");
    }
}
