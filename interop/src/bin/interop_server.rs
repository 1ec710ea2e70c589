//! Our server in the interop tests. The README.md of this package describes its answers.
//!
//! ```text
//! interop_server --shell blocking|tokio
//! ```
//!
//! It listens on `INTEROP_ADDRESS`, or on a free port of 127.0.0.1. SIGTERM shuts it down: it closes its
//! connections with 1001.
//!
//! If `INTEROP_TLS` names a directory, the server uses TLS with `chain.pem` and `key.pem` in there.
//! If `INTEROP_PROXY` is `proxy-protocol` or `x-forwarded-for`, it believes proxies at 127.0.0.1, and
//! answers with the address of the client in `X-Client`. `INTEROP_KEEPALIVE` is the interval of its
//! pings, in milliseconds; without it there are none.

use sansocket::{
    Error, blocking,
    handshake::{Accept, PlainRequest, PlainResponse, Request},
    on_tokio as tokio_shell,
    server::Acceptor,
    tls::ServerTls,
};
use sansocket_interop::{
    COOKIE, DEFLATE_PATH, FORBIDDEN, PAGE, Shell,
    answers::{Asked, Ends, SUBPROTOCOLS, talk},
    block_on, deflate_config,
    settings::{self, terminated},
};
use std::{env, future::pending, net::TcpListener, path::PathBuf, process::ExitCode, thread};

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    // A panic in a thread must not go unnoticed.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        hook(panic);
        std::process::exit(101);
    }));
    let shell = match Shell::from_arguments(env::args().skip(1)) {
        Ok((shell, rest)) if rest.is_empty() => shell,
        _ => {
            eprintln!("usage: interop_server --shell blocking|tokio");
            return ExitCode::from(2);
        }
    };
    match serve(shell) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop_server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(shell: Shell) -> Result<(), Failure> {
    let listener = TcpListener::bind(settings::address())?;
    let tls = tls()?;
    let scheme = if tls.is_some() { "wss" } else { "ws" };
    println!("listening on {scheme}://{}", listener.local_addr()?);
    let ends = Ends::default();
    match shell {
        Shell::Blocking => {
            let server = blocking::serve(listener, move |socket, request| {
                block_on(talk(socket, Asked::new(&request), ends.clone(), pending()));
                Ok::<_, Error>(())
            });
            let server = server.acceptor(acceptor(tls)?);
            let server = server.decide(decide).on_error(|error| eprintln!("{error}"));
            let shutdown = server.shutdown_handle();
            thread::spawn(move || {
                block_on(terminated());
                shutdown.shutdown();
            });
            server.run();
        }
        Shell::Tokio => block_on(async {
            listener.set_nonblocking(true)?;
            let listener = tokio::net::TcpListener::from_std(listener)?;
            let server = tokio_shell::serve(listener, move |socket, request| {
                let ends = ends.clone();
                async move {
                    talk(socket, Asked::new(&request), ends, pending()).await;
                    Ok::<_, Error>(())
                }
            });
            let server = server.acceptor(acceptor(tls)?);
            let server = server.decide(decide).on_error(|error| eprintln!("{error}"));
            server.shutdown(terminated()).await;
            Ok::<_, Failure>(())
        })?,
    }
    Ok(())
}

fn tls() -> Result<Option<ServerTls>, Failure> {
    let Some(directory) = env::var_os("INTEROP_TLS").map(PathBuf::from) else {
        return Ok(None);
    };
    let read = |name| std::fs::read(directory.join(name));
    Ok(Some(ServerTls::new(read("chain.pem")?, read("key.pem")?)?))
}

fn acceptor<M>(tls: Option<ServerTls>) -> Result<Acceptor<M>, Failure> {
    let acceptor = settings::acceptor()?.plain_response(plain);
    Ok(match tls {
        Some(tls) => acceptor.tls(tls),
        None => acceptor,
    })
}

/// Answers a proxy's health check, and has a page for browsers.
fn plain(request: &PlainRequest) -> Option<PlainResponse> {
    match request.path() {
        "/health" => Some(PlainResponse::new(200).body("fine\n")),
        "/page" => {
            let html = PlainResponse::new(200).header("Content-Type", "text/html; charset=utf-8");
            Some(html.body(PAGE))
        }
        _ => None,
    }
}

fn decide(request: &Request) -> Result<Accept, PlainResponse> {
    if request.path() == "/forbidden" {
        return Err(PlainResponse::new(403).header("X-Interop", "forbidden").body(FORBIDDEN));
    }
    let accept = Accept::new().header("Set-Cookie", COOKIE).header("X-Interop", "sansocket");
    let accept = match request.client_address() {
        Some(client) if env::var_os("INTEROP_PROXY").is_some() => {
            accept.header("X-Client", client.ip().to_string())
        }
        _ => accept,
    };
    let accept = match request.path() {
        DEFLATE_PATH => accept.deflate(deflate_config(request.raw_query().unwrap_or_default())),
        _ => accept,
    };
    // The server prefers the later version, whatever the client prefers.
    let is_offered = |name: &&str| request.subprotocols().any(|other| other == *name);
    let chosen = SUBPROTOCOLS.into_iter().find(is_offered);
    Ok(match chosen {
        Some(name) => accept.subprotocol(name),
        None => accept,
    })
}
