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
    blocking,
    handshake::{Accept, PlainResponse, Request},
    on_tokio as tokio_shell,
    server::{Acceptor, TrustedProxies},
    tls::ServerTls,
};
use sansocket_interop::{
    COOKIE, DEFLATE_PATH, FORBIDDEN, Shell,
    answers::{Asked, Ends, SUBPROTOCOLS, proxies, talk},
    block_on, deflate_config,
};
use std::{net::TcpListener, path::PathBuf, process::ExitCode, rc::Rc, thread};
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

fn decide(request: &Request, asked: &mut Asked) -> Result<Accept, PlainResponse> {
    if request.path() == "/forbidden" {
        return Err(PlainResponse::new(403).header("X-Interop", "forbidden").body(FORBIDDEN));
    }
    *asked = Asked::new(request);
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
    let is_offered = |name: &&str| request.subprotocols().any(|other| other == *name);
    let chosen = SUBPROTOCOLS.into_iter().find(is_offered);
    Ok(match chosen {
        Some(name) => accept.subprotocol(name),
        None => accept,
    })
}
