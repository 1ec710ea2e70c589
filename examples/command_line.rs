//! The command line shared by the echo servers except `echo_tokio`.

use sansocket::{Config, DeflateConfig, Limits};
use std::{fmt::Display, net::TcpListener, process::ExitCode};

const HELP: &str = "\
An echo server for WebSocket: sends back each text and binary message.

usage: NAME [ADDR] [--no-deflate]

ADDR is the address to listen on, 127.0.0.1:9001 by default; port 0 takes a free one.
Messages are compressed if the client offers it; --no-deflate leaves that out.
Ctrl-C closes all connections with 1001 and ends the server.";

/// Parses the command line and calls `serve`, unless help is asked for or an argument is invalid.
pub(crate) fn run<E: Display>(
    name: &str,
    serve: impl FnOnce(TcpListener, Config) -> Result<(), E>,
) -> ExitCode {
    let mut address = String::from("127.0.0.1:9001");
    let mut config = Config::default().limits(Limits::default().message(64 << 20));
    config = config.deflate(DeflateConfig::new());
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "-h" | "--help" => {
                println!("{}", HELP.replace("NAME", name));
                return ExitCode::SUCCESS;
            }
            "--no-deflate" => config.deflate = None,
            option if option.starts_with('-') => {
                eprintln!("{name}: unknown option '{option}', try --help");
                return ExitCode::from(2);
            }
            _ => address = argument,
        }
    }
    match listen(&address)
        .and_then(|listener| serve(listener, config).map_err(|error| error.to_string()))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: can't serve on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn listen(address: &str) -> Result<TcpListener, String> {
    let listener = TcpListener::bind(address).map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    println!("listening on ws://{address}");
    Ok(listener)
}
