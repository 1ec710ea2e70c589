//! Runs the scenarios with a library as the client, and prints a line for each.
//!
//! ```text
//! interop_rust_client tungstenite|fastwebsockets URL
//! ```

use interop_rust::{
    block_on, fastwebsockets::Fastwebsockets, scenarios::run, tungstenite::Tungstenite,
};
use std::{env, process::ExitCode};

fn main() -> ExitCode {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    let all_passed = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tungstenite", url] => block_on(run::<Tungstenite>(url)),
        ["fastwebsockets", url] => block_on(run::<Fastwebsockets>(url)),
        _ => {
            eprintln!("usage: interop_rust_client tungstenite|fastwebsockets URL");
            return ExitCode::from(2);
        }
    };
    if all_passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
