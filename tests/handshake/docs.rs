//! `docs/handshake.md` lists which input causes which status and error. It is generated from the
//! vectors.

use crate::vectors::vectors;
use core::fmt::Write;
use sansocket_testkit::vectors::handshake::{drive::outcome, format::Vector};
use std::{collections::BTreeMap, env, fs, path::Path};

const BEGIN: &str = "<!-- generated from the vectors by tests/handshake/docs.rs -->\n";
const END: &str = "<!-- end -->\n";

/// With `UPDATE_DOCS` set, rewrites the file.
#[test]
fn the_page_matches_the_vectors() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/handshake.md");
    let page = fs::read_to_string(&path).unwrap();
    let mut parts = page.split(BEGIN);
    let mut expected = parts.next().unwrap().to_owned();
    let roles: Vec<_> = parts.collect();
    assert_eq!(roles.len(), 2, "expected a table for each role");
    for (is_client, part) in [false, true].into_iter().zip(roles) {
        let (_, behind) = part.split_once(END).expect("the table has an end");
        expected += &[BEGIN, &table(is_client), END, behind].concat();
    }
    if page != expected {
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, expected).unwrap();
        } else {
            panic!("docs/handshake.md is out of date: update it with UPDATE_DOCS=1 cargo test");
        }
    }
}

/// Returns every status and error of a role, with the shortest input that causes it.
fn table(is_client: bool) -> String {
    let vectors = vectors();
    let mut shortest: BTreeMap<(u16, &str, &str), &Vector> = BTreeMap::new();
    for vector in vectors.iter().filter(|vector| vector.is_client == is_client) {
        if let Some((status, name)) = vector.error() {
            // Errors of the same variant differ in their details here.
            let detail = match name {
                "Malformed" | "MissingHeader" | "RepeatedHeader" => vector.why.as_deref(),
                _ => None,
            };
            let key = (status.unwrap_or(0), name, detail.unwrap_or_default());
            let best = shortest.entry(key).or_insert(vector);
            // An input of HTTP/1.1 says more than the fields of a stream.
            let rank = |vector: &Vector| (vector.is_stream, vector.input.len());
            if rank(vector) < rank(best) {
                *best = vector;
            }
        }
    }
    let mut table = String::from(if is_client {
        "| error | what it says | the shortest input of the vectors |\n|---|---|---|\n"
    } else {
        "| status | error | what it says | the shortest input of the vectors |\n|---|---|---|---|\n"
    });
    for ((status, name, _), vector) in shortest {
        let status = match status {
            _ if is_client => String::new(),
            0 => "| none ".into(),
            status => format!("| {status} "),
        };
        let why = vector.why.as_deref().unwrap_or_default();
        let input = shown(vector);
        writeln!(table, "{status}| `{name}` | {why} | {input} |").unwrap();
    }
    table
}

/// Returns the input on one line, with notes about its circumstances.
fn shown(vector: &Vector) -> String {
    let mut text = String::new();
    let mut rest = &*vector.input;
    while let [byte, ..] = rest {
        let run = rest.iter().take_while(|next| *next == byte).count();
        let shown = if *byte == b'"' { "\"".into() } else { byte.escape_ascii().to_string() };
        if run > 16 {
            write!(text, "{shown}…({run} times)").unwrap();
            rest = &rest[run..];
        } else {
            text += &shown;
            rest = &rest[1..];
        }
    }
    let mut notes = Vec::new();
    let (limits, default) = (vector.limits, sansocket::Limits::default());
    for (name, limit, usual) in [
        ("line", limits.handshake_line, default.handshake_line),
        ("bytes", limits.handshake_bytes, default.handshake_bytes),
        ("headers", limits.handshake_headers, default.handshake_headers),
    ] {
        if limit != usual {
            notes.push(format!("`handshake_{name}` {limit}"));
        }
    }
    notes.extend(vector.subprotocols.iter().map(|name| format!("`{name}` offered")));
    notes.extend(vector.extensions.iter().map(|offer| format!("`{offer}` offered")));
    if vector.eof {
        notes.push("then the transport ends".into());
    }
    let input = match text.replace('|', "\\|") {
        text if text.is_empty() => "nothing".into(),
        text => format!("`{text}`"),
    };
    [vec![input], notes].concat().join(", ")
}

/// The names in the tables are those of actual errors.
#[test]
fn the_names_are_those_of_errors() {
    for vector in vectors() {
        if let Some((status, name)) = vector.error() {
            let error = outcome(&vector, &mut [&*vector.input].into_iter()).error.unwrap();
            assert!(format!("{error:?}").starts_with(name), "{}", vector.title);
            assert!(status.is_none_or(|status| status == error.status()));
        }
    }
}
