//! Which file of `src` may import what. It is checked on the text of the sources.
//!
//! - A file or folder at the top of `src` imports only from those above it in [`ORDER`].
//! - Imports name the folder in which a thing is defined, `crate::frame::CloseCode`, and not a
//!   re-export of it, such as `crate::CloseCode`: that would hide where the arrow goes.
//! - The files of one folder do not import each other in circles.
//! - `feature = "tokio"` stands in the shells over it and in `lib.rs` only.
//! - The core does without `std`.
//!
//! `lib.rs` imports from everywhere, to re-export it. Strings, comments, and items that are compiled
//! for tests only are not looked at.
//!
//! # Circles
//!
//! An arrow goes to the file that defines the name, whatever re-exports lead there. So a `mod.rs` which
//! declares and re-exports its children has no arrows to them, unless its own code uses a name of
//! theirs; and a child that uses what `mod.rs` defines has an arrow to `mod.rs`.
//!
//! A file `x.rs` with a folder `x/` is one file in several pieces: children use the items of their
//! parent, and the parent the private helpers of its children. So the two count as one, and arrows
//! between them do not count at all. The files within `x/` still form no circles among themselves.
//!
//! Methods are called without an import, so calls that `impl` blocks in several files make of each
//! other are not seen.

mod cases;
mod parse;
mod rules;
mod tokens;
mod tree;

use parse::parse;
use rules::{Report, check};
use std::{fs, path::Path};
use tree::Tree;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Has no IO, no clock and no threads, and so no `std`.
    Core,
    /// Uses `std` as it likes.
    Shell,
}
use Part::{Core, Shell};

/// What stands at the top of `src`: each imports only from those above it.
const ORDER: &[(&str, Part)] = &[
    ("mask", Core),
    ("utf8", Core),
    ("limits", Core),
    ("thread_cache", Core),
    ("buffer", Core),
    ("frame", Core),
    ("headers", Core),
    ("deflate", Core),
    ("negotiated", Core),
    ("transport", Core),
    ("timers", Core),
    ("handshake", Core),
    ("connection", Core),
    ("pool", Shell),
    ("client", Core),
    ("server", Core),
    ("random", Shell),
    // The shells' error asks it which failures are none.
    ("io", Shell),
    ("error", Shell),
    ("sending", Shell),
    ("blocking", Shell),
    ("asynchronous", Shell),
    ("tokio", Shell),
];

/// Of these no one imports from another, whatever their order.
const APART: &[&[&str]] = &[&["blocking", "asynchronous"], &["blocking", "tokio"]];

/// What the core uses of `std` all the same: where, what, and why.
const STD_IN_CORE: &[(&str, &str, &str)] = &[
    ("thread_cache", "std", "only std has values of a thread; without it nothing is cached"),
    ("mask", "std::is_x86_feature_detected", "only std knows what the processor has"),
    ("buffer", "std::sync::Mutex", "only std has locks; without it unused memory is freed"),
];

/// Where `feature = "tokio"` may stand besides `lib.rs`.
const KNOW_TOKIO: &[&str] = &["asynchronous", "tokio"];

#[test]
fn the_sources_keep_to_their_layers() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    read(&root, "", &mut files);
    let Report { violations, files, arrows } = check(&Tree::new(files));
    // So that a parser that no longer finds anything is noticed.
    assert!(files > 100, "looked at {files} files only");
    assert!(arrows > 600, "found {arrows} arrows only");
    let list: String = violations.iter().map(|violation| format!("\n{violation}")).collect();
    let count = violations.len();
    assert!(count == 0, "{count} violations by {arrows} arrows of {files} files:{list}");
}

/// Reads the Rust files in `folder`, which is at `path` within the sources.
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
