//! Checks on the text of the sources which file of `src` imports what.
//!
//! - A file or folder at the top of `src` imports only from those above it in the [order](Layers::order).
//! - Imports name the folder in which a thing is defined, `crate::frame::CloseCode`, and not a
//!   re-export such as `crate::CloseCode`, which would hide where the arrow goes.
//! - The files of one folder do not import each other in circles.
//! - `feature = "tokio"` occurs only in the shells over tokio and in `lib.rs`.
//! - The core does not use `std`.
//!
//! `lib.rs` imports from everywhere, to re-export. Strings, comments, and items that are only
//! compiled for tests are ignored.
//!
//! # Circles
//!
//! An arrow goes to the file that defines the name, whatever re-exports lead there. So a `mod.rs`
//! that declares and re-exports its children has no arrows to them, unless its own code uses one of
//! their names. A child that uses a definition of `mod.rs` has an arrow to `mod.rs`.
//!
//! A file `x.rs` with a folder `x/` is one file in several pieces: children use the items of their
//! parent, and the parent uses the private helpers of its children. So the two count as one, and
//! arrows between them do not count. The files within `x/` must still not form circles among
//! themselves.
//!
//! Methods are called without an import, so the check does not see calls between `impl` blocks in
//! different files.

mod cases;
mod parse;
mod rules;
mod tokens;
mod tree;

use parse::parse;
use rules::check;
use std::{fs, path::Path};
use tree::Tree;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// No IO, no clock and no threads, and therefore no `std`.
    Core,
    /// May use `std`.
    Shell,
}
use Part::{Core, Shell};

/// How the sources of a crate may depend on each other.
struct Layers {
    /// The files and folders at the top of `src`. Each imports only from those above it.
    order: &'static [(&'static str, Part)],
    /// Groups whose members do not import from each other, whatever their order.
    apart: &'static [&'static [&'static str]],
    /// The uses of `std` that the core is allowed: where, what, and why.
    std_in_core: &'static [(&'static str, &'static str, &'static str)],
    /// The files and folders at the top that are a program, which is a crate of its own.
    program: &'static [&'static str],
    /// Where `feature = "tokio"` may occur besides `lib.rs`.
    know_tokio: &'static [&'static str],
}

const SANSOCKET: Layers = Layers {
    order: &[
        ("mask", Core),
        ("utf8", Core),
        ("limits", Core),
        ("budget", Core),
        ("network", Core),
        ("thread_cache", Core),
        ("buffer", Core),
        ("frame", Core),
        ("headers", Core),
        ("deflate", Core),
        ("negotiated", Core),
        ("transport", Core),
        ("timers", Core),
        ("rate", Core),
        ("handshake", Core),
        ("connection", Core),
        ("relay", Core),
        ("pool", Shell),
        ("tls", Shell),
        ("client", Core),
        ("server", Core),
        ("random", Shell),
        // The shells' error asks this module which failures to ignore.
        ("io", Shell),
        ("error", Shell),
        ("environment", Shell),
        ("route", Shell),
        ("socket", Shell),
        ("ends_on_drop", Shell),
        ("trace", Shell),
        ("sending", Shell),
        ("streaming", Shell),
        ("serving", Shell),
        ("blocking", Shell),
        ("asynchronous", Shell),
        ("on_futures_io", Shell),
        ("on_tokio", Shell),
    ],
    apart: &[
        &["blocking", "asynchronous"],
        &["blocking", "on_tokio"],
        &["blocking", "on_futures_io"],
        &["on_futures_io", "on_tokio"],
    ],
    std_in_core: &[
        ("thread_cache", "std", "only std has thread-local values; without it nothing is cached"),
        ("mask", "std::is_x86_feature_detected", "only std detects the processor's features"),
        ("buffer", "std::sync::Mutex", "only std has locks; without it unused memory is freed"),
    ],
    program: &[],
    know_tokio: &["asynchronous", "on_tokio"],
};

const REALTIME: Layers = Layers {
    order: &[
        ("setters", Core),
        ("json", Core),
        ("query", Core),
        ("shrink", Core),
        ("cursor", Core),
        ("destination", Core),
        ("message", Core),
        ("bridge", Core),
        ("hub", Core),
        ("guard", Core),
        ("http", Core),
        ("stomp", Core),
        ("sse", Core),
        ("poll", Core),
        ("sockjs", Core),
    ],
    apart: &[],
    std_in_core: &[
        ("hub", "std::collections::HashMap", "only std has hash maps with random keys"),
        ("guard", "std::collections::HashMap", "only std has hash maps with random keys"),
        ("poll", "std::collections::HashMap", "only std has hash maps with random keys"),
        ("shrink", "std::collections::HashMap", "only std has hash maps with random keys"),
        ("sockjs", "std::collections::HashMap", "only std has hash maps with random keys"),
        ("message", "std::sync::OnceLock", "only std has cells that threads can write once"),
    ],
    program: &[],
    know_tokio: &[],
};

const SERVER: Layers = Layers {
    order: &[
        ("random", Shell),
        ("clock", Shell),
        ("access", Shell),
        ("broker", Shell),
        ("options", Shell),
        ("guests", Shell),
        ("mailbox", Shell),
        ("mailboxes", Shell),
        ("tally", Shell),
        ("refusals", Shell),
        ("engine", Shell),
        ("admission", Shell),
        ("subscribed", Shell),
        ("answers", Shell),
        ("target_host", Shell),
        ("origins", Shell),
        ("request_body", Shell),
        ("stomp", Shell),
        ("websocket", Shell),
        ("sockjs", Shell),
        ("events", Shell),
        ("poll", Shell),
        ("publish", Shell),
        ("presence", Shell),
        ("health", Shell),
        ("metrics", Shell),
        ("mqtt", Shell),
        ("page", Shell),
        ("server", Shell),
        ("listen", Shell),
    ],
    apart: &[],
    std_in_core: &[],
    program: &["app", "config", "hosts", "logs", "main", "signals"],
    know_tokio: &[],
};

#[test]
fn the_sources_follow_their_layers() {
    check_sources("src", &SANSOCKET, 100, 600);
}

#[test]
fn the_real_time_layer_follows_its_layers() {
    check_sources("crates/realtime/src", &REALTIME, 50, 300);
}

#[test]
fn the_server_follows_its_layers() {
    check_sources("crates/server/src", &SERVER, 40, 150);
}

/// Checks the sources in a folder, which have at least so many files and arrows.
fn check_sources(folder: &str, layers: &Layers, files: usize, arrows: usize) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut parsed = Vec::new();
    read(&root, "", &mut parsed);
    parsed.retain(|file| {
        let top = file.path.split(['/', '.']).next().unwrap_or_default();
        !layers.program.contains(&top)
    });
    let report = check(&Tree::new(parsed), layers);
    // Detects a parser that no longer finds anything.
    assert!(report.files > files, "only looked at {} files", report.files);
    assert!(report.arrows > arrows, "only found {} arrows", report.arrows);
    let list: String = report.violations.iter().map(|violation| format!("\n{violation}")).collect();
    let (count, arrows, files) = (report.violations.len(), report.arrows, report.files);
    assert!(
        count == 0,
        "{count} violations by {arrows} arrows of {files} files in {folder}:{list}"
    );
}

/// Reads the Rust files in `folder`. `path` is its path within the sources.
fn read(folder: &Path, path: &str, files: &mut Vec<parse::File>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            read(&entry.path(), &format!("{path}{name}/"), files);
        } else if name.ends_with(".rs") {
            let source = fs::read_to_string(entry.path()).unwrap();
            files.push(parse(&format!("{path}{name}"), &source));
        }
    }
}
