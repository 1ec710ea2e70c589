//! The server with a library. ../README.md describes its answers.
//!
//! ```text
//! interop_rust_server tungstenite|fastwebsockets
//! ```
//!
//! If `INTEROP_TLS` names a directory, the server uses TLS with `chain.pem` and `key.pem` in there.

use interop_rust::{
    Error, Library, answers::Server, fastwebsockets::Fastwebsockets, tls, tungstenite::Tungstenite,
};
use std::{env, net::TcpListener, process::ExitCode};

fn main() -> ExitCode {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tungstenite"] => serve::<Tungstenite>(),
        ["fastwebsockets"] => serve::<Fastwebsockets>(),
        _ => {
            eprintln!("usage: interop_rust_server tungstenite|fastwebsockets");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("interop_rust_server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve<L: Library>() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let tls = tls::server()?;
    let scheme = if tls.is_some() { "wss" } else { "ws" };
    println!("listening on {scheme}://{}", listener.local_addr()?);
    L::serve(listener, Server::new(tls))
}
