//! The load generator of the comparison: a single-threaded WebSocket client that uses none of the
//! compared libraries. `--help` prints its documentation.

mod answers;
mod arguments;
mod connection;
mod deflate;
mod echo;
mod echoes;
mod expected;
mod frames;
mod handshake;
mod histogram;
mod hold;
mod incoming;
mod json_text;
mod latency;
mod opening;
mod payloads;
mod processor_time;
mod random;
mod reactor;
mod receive;

use arguments::{Arguments, Mode, Request};
use std::process::ExitCode;

/// Errors are messages for people. Each ends the program.
type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            answers::failed(&error);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let arguments = match Arguments::parse(std::env::args_os().skip(1))? {
        Request::Help => {
            print!("{}", arguments::HELP);
            return Ok(());
        }
        Request::Run(arguments) => arguments,
    };
    opening::allow_descriptors(arguments.connections)?;
    match arguments.mode {
        Mode::Echo => echo::run(&arguments),
        Mode::Hold => hold::run(&arguments),
        Mode::Receive => receive::run(&arguments),
    }
}
