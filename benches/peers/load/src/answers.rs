//! The printed results: one JSON object a line.

use serde::Serialize;
use std::io::{Write, stdout};

#[derive(Serialize)]
pub(crate) struct Echoed {
    pub(crate) ok: bool,
    pub(crate) messages: u64,
    pub(crate) seconds: f64,
    pub(crate) server_cpu_us: Option<f64>,
    pub(crate) server_user_us: Option<f64>,
    pub(crate) server_sys_us: Option<f64>,
    pub(crate) generator_cpu_us: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) max_us: f64,
    pub(crate) request_bytes: f64,
    pub(crate) reply_bytes: f64,
    pub(crate) agreed: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Held {
    pub(crate) ok: bool,
    pub(crate) connections: usize,
    pub(crate) messages: u64,
    pub(crate) seconds: f64,
    pub(crate) agreed: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct Received {
    pub(crate) ok: bool,
    pub(crate) messages: u64,
    pub(crate) seconds: f64,
}

#[derive(Serialize)]
pub(crate) struct Timed {
    pub(crate) ok: bool,
    pub(crate) messages: u64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) last_us: f64,
    pub(crate) generator_cpu_us: f64,
}

#[derive(Serialize)]
struct Failed<'a> {
    ok: bool,
    error: &'a str,
}

pub(crate) fn print(answer: &impl Serialize) {
    let line = serde_json::to_string(answer).expect("numbers and strings are valid JSON");
    say(&line);
}

pub(crate) fn failed(error: &str) {
    print(&Failed { ok: false, error });
}

/// Prints a line. Ignores errors: the reader may have exited.
pub(crate) fn say(line: &str) {
    let mut stdout = stdout().lock();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}
