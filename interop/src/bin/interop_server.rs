//! Our server in the interop tests. The README.md of this package describes its answers.
//!
//! ```text
//! interop_server --shell blocking|tokio
//! ```
//!
//! If `INTEROP_TLS` names a directory, the server uses TLS with `chain.pem` and `key.pem` in there.
//! If `INTEROP_PROXY` is `proxy-protocol` or `x-forwarded-for`, it believes proxies at 127.0.0.1, and
//! answers with the address of the client in `X-Client`.

use sansocket::{
    Closed, Error, blocking,
    handshake::{Accept, PlainResponse, Request},
    on_tokio as tokio_shell,
    server::{Acceptor, ForwardingHeader, TrustedProxies},
    tls::ServerTls,
};
use sansocket_interop::{
    CLOSE_CODE, CLOSE_REASON, COOKIE, DEFLATE_PATH, FORBIDDEN, FRAGMENTS, PING, Received, Shell,
    Socket, block_on, deflate_config, describe,
};
use std::{
    collections::HashMap,
    net::TcpListener,
    path::PathBuf,
    process::ExitCode,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};
use tokio::task;

fn main() -> ExitCode {
    // A panic in a thread must not go unnoticed.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        hook(panic);
        std::process::exit(101);
    }));
    let shell = match Shell::from_arguments(std::env::args().skip(1)) {
        Ok((shell, rest)) if rest.is_empty() => shell,
        _ => {
            eprintln!("usage: interop_server --shell blocking|tokio");
            return ExitCode::from(2);
        }
    };
    let Err(error) = serve(shell);
    eprintln!("interop_server: {error}");
    ExitCode::FAILURE
}

fn serve(shell: Shell) -> Result<std::convert::Infallible, Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let tls = tls()?;
    let proxies = proxies()?;
    let scheme = if tls.is_some() { "wss" } else { "ws" };
    println!("listening on {scheme}://{}", listener.local_addr()?);
    let ends = Ends::default();
    match shell {
        Shell::Blocking => loop {
            let (stream, ends) = (listener.accept()?.0, ends.clone());
            let acceptor = configured(blocking::Acceptor::new(), &tls, &proxies);
            thread::spawn(move || {
                let mut asked = Asked::default();
                match acceptor.accept_tcp_with(stream, |request| decide(request, &mut asked)) {
                    Ok(socket) => block_on(talk(socket, asked, ends)),
                    Err(error) => eprintln!("refused: {error}"),
                }
            });
        },
        Shell::Tokio => block_on(task::LocalSet::new().run_until(async {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let acceptor = Rc::new(configured(tokio_shell::Acceptor::new(), &tls, &proxies));
            loop {
                let (stream, ends) = (listener.accept().await?.0, ends.clone());
                let acceptor = acceptor.clone();
                task::spawn_local(async move {
                    let mut asked = Asked::default();
                    let decide = |request: &Request| decide(request, &mut asked);
                    match acceptor.accept_tcp_with(stream, decide).await {
                        Ok(socket) => talk(socket, asked, ends).await,
                        Err(error) => eprintln!("refused: {error}"),
                    }
                });
            }
        })),
    }
}

fn tls() -> Result<Option<ServerTls>, Box<dyn std::error::Error>> {
    let Some(directory) = std::env::var_os("INTEROP_TLS").map(PathBuf::from) else {
        return Ok(None);
    };
    let read = |name| std::fs::read(directory.join(name));
    Ok(Some(ServerTls::new(read("chain.pem")?, read("key.pem")?)?))
}

fn proxies() -> Result<Option<TrustedProxies>, Box<dyn std::error::Error>> {
    let Some(how) = std::env::var_os("INTEROP_PROXY") else { return Ok(None) };
    let (proxies, networks) = (TrustedProxies::new(), ["127.0.0.1".parse()?]);
    Ok(Some(match how.to_str() {
        Some("proxy-protocol") => proxies.proxy_protocol(networks),
        Some("x-forwarded-for") => proxies.header(ForwardingHeader::XForwardedFor, networks),
        _ => return Err("INTEROP_PROXY is neither proxy-protocol nor x-forwarded-for".into()),
    }))
}

fn configured<M>(
    acceptor: Acceptor<M>,
    tls: &Option<ServerTls>,
    proxies: &Option<TrustedProxies>,
) -> Acceptor<M> {
    let acceptor = match tls {
        Some(tls) => acceptor.tls(tls.clone()),
        None => acceptor,
    };
    match proxies {
        Some(proxies) => acceptor.trusted_proxies(proxies.clone()),
        None => acceptor,
    }
}

/// What the client's request asked for.
#[derive(Default)]
struct Asked {
    target: String,
    cookie: String,
    own: String,
}

fn decide(request: &Request, asked: &mut Asked) -> Result<Accept, PlainResponse> {
    if request.path() == "/forbidden" {
        return Err(PlainResponse::new(403).header("X-Interop", "forbidden").body(FORBIDDEN));
    }
    let value = |name| String::from_utf8_lossy(request.header(name).unwrap_or_default()).into();
    *asked =
        Asked { target: request.target().into(), cookie: value("Cookie"), own: value("X-Interop") };
    let accept = Accept::new().header("Set-Cookie", COOKIE).header("X-Interop", "sansocket");
    let accept = match request.client_address() {
        Some(client) if std::env::var_os("INTEROP_PROXY").is_some() => {
            accept.header("X-Client", client.ip().to_string())
        }
        _ => accept,
    };
    let accept = match request.path() {
        DEFLATE_PATH => accept.deflate(deflate_config(request.raw_query().unwrap_or_default())),
        _ => accept,
    };
    // The server prefers the later version, whatever the client prefers.
    let spoken = ["chat.v2", "chat.v1"];
    let chosen = spoken.into_iter().find(|name| request.subprotocols().any(|other| other == *name));
    Ok(match chosen {
        Some(name) => accept.subprotocol(name),
        None => accept,
    })
}

async fn talk(mut socket: impl Socket, asked: Asked, ends: Ends) {
    if asked.target == "/hello" {
        // For a client that can't speak WebSocket: a message, then the end of the transport without
        // a Close.
        let _ = socket.send("hello").await;
        return;
    }
    let answered = answer(&mut socket, &asked, &ends).await;
    match (socket.closed(), answered) {
        (Some(closed), _) => {
            eprintln!("{}: {closed}", asked.target);
            ends.put(asked.target, &closed);
            // Lets a client at fault read why.
            socket.wait_closed().await;
        }
        (None, outcome) => eprintln!("{}: not ended, {outcome:?}", asked.target),
    }
}

async fn answer(socket: &mut impl Socket, asked: &Asked, ends: &Ends) -> Result<(), Error> {
    while let Some(received) = socket.receive().await {
        match received? {
            Received::Text(text) => match text.split_once(' ') {
                Some(("close", "me")) => socket.close(CLOSE_CODE, CLOSE_REASON).await?,
                Some(("ping", "me")) => socket.ping(PING).await?,
                Some(("fragment", "me")) => {
                    for (index, piece) in FRAGMENTS.into_iter().enumerate() {
                        socket.send_fragment(piece, index == FRAGMENTS.len() - 1).await?;
                    }
                }
                Some(("what", "headers")) => {
                    socket.send(&format!("{}\n{}", asked.cookie, asked.own)).await?;
                }
                Some(("what", "compression")) => {
                    let agreed = describe(socket.deflate());
                    socket.send(&agreed).await?;
                }
                Some(("closed", target)) => socket.send(&ends.get(target).await).await?,
                _ => socket.send(&text).await?,
            },
            Received::Binary(data) => socket.send(&data).await?,
            Received::Pong(payload) => {
                let payload = String::from_utf8_lossy(&payload);
                socket.send(&format!("pong: {payload}")).await?;
            }
            Received::Ping(_) | Received::Close(_) => {}
        }
    }
    Ok(())
}

/// Records how connections ended, by their target.
#[derive(Clone, Default)]
struct Ends(Arc<Mutex<HashMap<String, String>>>);

impl Ends {
    fn put(&self, target: String, closed: &Closed) {
        let clean = if closed.clean { "clean" } else { "unclean" };
        let end = format!("{} {clean} {}", closed.code.number(), closed.reason);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(target, end.trim_end().into());
    }

    /// Waits until the end is known, since one endpoint of a connection learns of it before the
    /// other.
    async fn get(&self, target: &str) -> String {
        for _ in 0..100 {
            let end = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(target);
            if let Some(end) = end {
                return end;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        "not closed".into()
    }
}
