//! Tests of the rules on sources in strings: violations are found, and correct code is left alone.

use crate::{
    SANSOCKET,
    parse::parse,
    rules::{Rule, check},
    tokens::tokens,
    tree::Tree,
};

/// A crate of four folders. Each case adds files or replaces some of these.
const BASE: &[(&str, &str)] = &[
    (
        "lib.rs",
        "mod mask; mod frame; mod headers; mod connection; mod blocking; mod asynchronous; mod tokio;
         pub use frame::*;
         pub use {connection::Role, mask::{MaskKey, apply_mask}};",
    ),
    ("mask/mod.rs", "mod kernel; pub struct MaskKey([u8; 4]); pub fn apply_mask() { kernel::xor() }"),
    ("mask/kernel.rs", "pub(crate) fn xor() {}"),
    ("frame/mod.rs", "mod close; pub(crate) mod header; pub use close::{CloseCode, MAX};"),
    ("frame/close.rs", "pub enum CloseCode { Normal } pub const MAX: usize = 1;"),
    ("frame/header.rs", "pub struct Header;"),
    ("headers/mod.rs", "pub struct Headers;"),
    ("connection/mod.rs", "pub enum Role { Client, Server }"),
    ("blocking/mod.rs", "pub struct Plain;"),
    ("asynchronous/mod.rs", "pub struct Shell;"),
    ("on_tokio/mod.rs", "pub struct Tokio;"),
];

/// Returns the violations: file, line, and rule.
fn broken<'a>(files: &[(&'a str, &str)]) -> Vec<(&'a str, usize, Rule)> {
    let violations = violations(files);
    let name = |path: &str| {
        let found = files.iter().find(|(file, _)| *file == path);
        found.unwrap_or_else(|| panic!("{path} is not of this case")).0
    };
    violations.iter().map(|found| (name(&found.file), found.line, found.rule)).collect()
}

fn violations(files: &[(&str, &str)]) -> Vec<crate::rules::Violation> {
    let base = BASE.iter().filter(|(path, _)| files.iter().all(|(file, _)| file != path));
    let files = base.chain(files).map(|(path, source)| parse(path, source));
    check(&Tree::new(files.collect()), &SANSOCKET).violations
}

#[test]
fn text_and_comments_are_not_code() {
    let source = r####"
        a /* b /* c */ d */ "e \" f" r#"g " h"# b"i\\" j 'k' '\'' '"' 'l: m // n
        "two
        lines" br"o\" r#p 0..q"####;
    let words: Vec<_> = tokens(source)
        .into_iter()
        .filter(|token| token.kind == crate::tokens::Kind::Word)
        .map(|token| (token.text, token.line))
        .collect();
    assert_eq!(words, [("a", 2), ("j", 2), ("m", 2), ("r#p", 4), ("0", 4), ("q", 4)]);
}

#[test]
fn correct_code_is_left_alone() {
    assert_eq!(broken(&[]), []);
    let connection = "
        //! [`crate::asynchronous::Shell`], use crate::on_tokio::Tokio;
        mod sender;
        pub use sender::Sender;
        use crate::{frame::{self, CloseCode, header::Header}, mask::{MaskKey, apply_mask}};
        /// `use crate::CloseCode;`
        pub enum Role<'a> { Client(&'a str), Server }
        fn code<T: Default>() -> impl Iterator + use<T> {
            let text = \"use crate::on_tokio::Tokio;\";
            let (code, max) = (crate::frame::CloseCode::Normal, frame::MAX);
            <T as Default>::default(); Vec::<T>::new(); Role::Server; std_like::crate_like();
        }";
    let sender = "
        use super::Role as Part;
        use alloc::vec::Vec;
        use ::core::{fmt::{self, Debug as _}, time::Duration};
        pub(in crate::connection) struct Sender;
        mod sealed { use super::Sender; impl Sealed for super::super::Role {} }";
    let files = [("connection/mod.rs", connection), ("connection/sender.rs", sender)];
    assert_eq!(broken(&files), []);
}

#[test]
fn an_arrow_down_is_found() {
    let order = |source| broken(&[("headers/mod.rs", source)]);
    let first = [("headers/mod.rs", 1, Rule::Order)];
    assert_eq!(order("use crate::connection::Role;"), first);
    assert_eq!(order("pub(crate) use crate::connection::Role as Other;"), first);
    assert_eq!(order("use super::connection::Role;"), first);
    assert_eq!(order("use self::super::connection;"), first);
    assert_eq!(order("use crate::connection::*;"), first);
    assert_eq!(order("fn role() { let role = crate::connection::Role::Client; }"), first);
    assert_eq!(order("fn role() { &all[..crate::connection::Role::MAX] }"), first);
    assert_eq!(order("fn role() { use crate::connection::Role; }"), first);
    assert_eq!(order("macro_rules! role { () => { $crate::connection::Role::Client }; }"), first);
    assert_eq!(order("#[derive(crate::connection::Role)] struct Here;"), first);
    assert_eq!(
        order("mod inner { fn f() { super::super::connection::role(); } }"),
        [("headers/mod.rs", 1, Rule::Order), ("headers/mod.rs", 1, Rule::Unknown),]
    );
    let nested = "use crate::{\n    frame::{\n        CloseCode,\n        header::Header,\n    },
        connection::{\n        Role,\n    },\n};";
    assert_eq!(order(nested), [("headers/mod.rs", 7, Rule::Order)]);

    let found = violations(&[("headers/mod.rs", "\nuse crate::connection::Role;")]);
    assert_eq!(
        found[0].to_string(),
        "src/headers/mod.rs:2: headers → connection (crate::connection::Role): \
         each imports only from those above it in the order"
    );
}

#[test]
fn shells_stay_apart() {
    let files = [
        ("blocking/mod.rs", "use crate::asynchronous::Shell;"),
        ("asynchronous/mod.rs", "use crate::blocking::Plain;"),
        ("on_tokio/mod.rs", "use crate::asynchronous::Shell;\nuse crate::blocking::Plain;"),
    ];
    // The first two also refer to what the replaced file no longer defines.
    let order: Vec<_> = broken(&files).into_iter().filter(|found| found.2 == Rule::Order).collect();
    assert_eq!(
        order,
        [
            ("asynchronous/mod.rs", 1, Rule::Order),
            ("blocking/mod.rs", 1, Rule::Order),
            ("on_tokio/mod.rs", 2, Rule::Order),
        ]
    );
}

#[test]
fn a_module_without_a_place_in_the_order_is_found() {
    let files = [("lib.rs", "mod util;"), ("util.rs", "fn help() {}")];
    assert_eq!(broken(&files), [("util.rs", 1, Rule::Order)]);
}

#[test]
fn code_for_tests_is_left_out() {
    let source = "
        #[cfg(test)]
        #[allow(unused)]
        mod tests { use super::*; fn f() { crate::on_tokio::Tokio } mod inner { use crate::Role; } }
        #[cfg(all(test, feature = \"std\"))]
        pub(crate) mod model;
        #[cfg(test)] use crate::on_tokio::{Tokio};
        #[cfg(all(any(test), not(loom)))] const fn f(all: [u8; 3]) -> Role { crate::Role::Client }
        #[cfg(test)] const ROLE: Role = { crate::Role::Client };
        #[cfg(any(test, feature = \"std\"))] use crate::connection::Role as A;
        #[cfg(not(test))] use crate::connection::Role as B;
        #[cfg_attr(test, derive(Debug))] pub struct C(crate::connection::Role);";
    let model = "use crate::on_tokio::Tokio;";
    let files =
        [("headers/mod.rs", source), ("headers/model.rs", model), ("headers/model/deep.rs", model)];
    assert_eq!(broken(&files), [10, 11, 12].map(|line| ("headers/mod.rs", line, Rule::Order)));
}

#[test]
fn an_import_through_a_re_export_is_found() {
    let definition = |source| broken(&[("connection/mod.rs", source)]);
    let first = [("connection/mod.rs", 1, Rule::Definition)];
    assert_eq!(definition("use crate::CloseCode;"), first);
    assert_eq!(definition("use super::CloseCode;"), first);
    assert_eq!(definition("use crate::{frame::{self, header::Header}, CloseCode};"), first);
    assert_eq!(definition("fn f() { crate::apply_mask(); }"), first);
    assert_eq!(definition("fn f() { crate::CloseCode::Normal; }"), first);
    assert_eq!(definition("use crate::*;"), first);
    assert_eq!(definition("use crate as all;"), first);
    let found = violations(&[("connection/mod.rs", "use crate::CloseCode;")]);
    assert_eq!(
        found[0].to_string(),
        "src/connection/mod.rs:1: connection → frame (crate::CloseCode is crate::frame::CloseCode): \
         imports name the folder where a thing is defined"
    );

    // A re-export by the root does not hide an arrow.
    assert_eq!(
        broken(&[("headers/mod.rs", "use crate::Role;")]),
        [("headers/mod.rs", 1, Rule::Order), ("headers/mod.rs", 1, Rule::Definition),]
    );
    // A re-export by another folder does not replace the definition.
    let files = [
        ("headers/mod.rs", "pub(crate) use crate::frame::CloseCode;"),
        ("connection/mod.rs", "use crate::headers::CloseCode; pub enum Role {}"),
    ];
    assert_eq!(broken(&files), first);
}

#[test]
fn an_undefined_name_is_found() {
    let files = [("connection/mod.rs", "use crate::frame::Missing; pub enum Role {}")];
    assert_eq!(broken(&files), [("connection/mod.rs", 1, Rule::Unknown)]);
}

/// Returns the circles among the files of `frame`: file and line.
fn circles<'a>(files: &[(&'a str, &str)]) -> Vec<(&'a str, usize)> {
    let found = broken(files);
    assert!(found.iter().all(|(_, _, rule)| *rule == Rule::Circle), "{found:?}");
    found.into_iter().map(|(file, line, _)| (file, line)).collect()
}

#[test]
fn circles_of_files_are_found() {
    let parent = ("frame/mod.rs", "mod a; mod b; mod c; pub use {a::A, b::{B, make}, c::C};");
    let circles = |a: &str, b: &str, c: &str| {
        let (a, b) =
            (format!("pub struct A;\n{a}"), format!("pub struct B; pub fn make() {{}}\n{b}"));
        let c = format!("pub struct C;\n{c}");
        circles(&[parent, ("frame/a.rs", &a), ("frame/b.rs", &b), ("frame/c.rs", &c)])
    };
    let (a, b, c) = (("frame/a.rs", 2), ("frame/b.rs", 2), ("frame/c.rs", 2));
    assert_eq!(circles("use super::B;", "use super::C;", ""), []);
    assert_eq!(circles("use super::B;", "use super::A;", ""), [a, b]);
    assert_eq!(circles("use super::b::B;", "use crate::frame::A;", ""), [a, b]);
    assert_eq!(circles("use super::B;", "use super::C;", "use super::A;"), [a, b, c]);
    assert_eq!(circles("use super::B;", "use super::A;", "use super::{A, B};"), [a, b]);
    assert_eq!(circles("fn f() { super::make(); }", "type T = super::a::A;", ""), [a, b]);
    assert_eq!(circles("use super::*; fn f() { make() }", "use super::A;", ""), [a, b]);
    assert_eq!(circles("use super::*; fn f() { other() }", "use super::A;", ""), []);
    // A module imported by name: only the items used from it count.
    assert_eq!(circles("use super::b as x; fn f() { x::make() }", "use super::A;", ""), [a, b]);
    assert_eq!(circles("use crate::frame; fn f() { frame::B; }", "use super::A;", ""), [a, b]);
    assert_eq!(circles("use crate::frame; fn f() { frame::C; }", "use super::A;", ""), []);
    // Code for tests does not form circles.
    assert_eq!(circles("use super::B;", "#[cfg(test)] mod tests { use super::super::A; }", ""), []);
}

#[test]
fn a_circle_is_reported_with_its_path() {
    let files = [
        ("frame/mod.rs", "mod a; mod b;"),
        ("frame/a.rs", "pub struct A; use super::b::B;"),
        ("frame/b.rs", "pub struct B; use super::a::A;"),
    ];
    assert_eq!(
        violations(&files)[0].to_string(),
        "src/frame/a.rs:1: frame/a.rs → frame/b.rs (super::b::B), in a → b → a: \
         the files of a folder do not import each other in circles"
    );
}

#[test]
fn a_parent_with_definitions_is_a_file_like_others() {
    let child = ("frame/a.rs", "use super::LIMIT; pub struct A;");
    let circles = |parent: &str| circles(&[("frame/mod.rs", parent), child]);
    let both = [("frame/a.rs", 1), ("frame/mod.rs", 2)];
    // Re-exporting, and importing for its children, does not count as use by the parent.
    assert_eq!(circles("mod a; pub use a::A; pub const LIMIT: usize = 1;"), []);
    assert_eq!(circles("mod a;\nuse a::A; pub const LIMIT: usize = 1;"), both);
    assert_eq!(circles("mod a; pub const LIMIT: usize = 1;\nfn f() { a::A; }"), both);
    assert_eq!(circles("mod a;\npub use a::A; pub const LIMIT: usize = 1; fn f() { A; }"), both);
    assert_eq!(circles("mod a;\npub use a::A; pub const LIMIT: usize = 1; fn f() { x.A; }"), []);
}

#[test]
fn a_file_and_the_folder_of_its_name_are_one() {
    let frame = ("frame/mod.rs", "mod x; mod y; pub use {x::X, y::Y};");
    let x = "mod p; mod q; use p::P; pub struct X; fn f() { q::Q }";
    let p = ("frame/x/p.rs", "use super::X; pub struct P;");
    let q = ("frame/x/q.rs", "use super::{X, p::P}; pub struct Q;");
    let y = ("frame/y.rs", "pub struct Y;");
    assert_eq!(circles(&[frame, ("frame/x.rs", x), p, q, y]), []);

    // The pieces form no circles among themselves.
    let p_of_q = ("frame/x/p.rs", "use super::X;\nuse super::q::Q; pub struct P;");
    let found = circles(&[frame, ("frame/x.rs", x), p_of_q, q, y]);
    assert_eq!(found, [("frame/x/p.rs", 2), ("frame/x/q.rs", 1)]);

    // To other files the pieces count as one file.
    let p_of_y = ("frame/x/p.rs", "use super::X;\nuse crate::frame::Y; pub struct P;");
    let y_of_x = ("frame/y.rs", "use super::X; pub struct Y;");
    let found = circles(&[frame, ("frame/x.rs", x), p_of_y, q, y_of_x]);
    assert_eq!(found, [("frame/x/p.rs", 2), ("frame/y.rs", 1)]);
}

#[test]
fn uses_of_the_tokio_feature_are_found() {
    let source = "#[cfg(all(feature = \"std\",\n feature = \"tokio\"))] fn f() {}
        fn g() -> bool { cfg!(not(feature = \"tokio\")) && \"feature = tokio\".is_empty() }";
    let found = broken(&[("headers/mod.rs", source)]);
    assert_eq!(found, [2, 3].map(|line| ("headers/mod.rs", line, Rule::Tokio)));
    assert_eq!(broken(&[("asynchronous/mod.rs", source), ("on_tokio/mod.rs", source)]), []);
    assert_eq!(broken(&[("lib.rs", source)]), []);
}

#[test]
fn std_in_the_core_is_found() {
    let source = "use std::io;\nuse core::fmt;\nuse ::std::time::Instant;\nfn f() { std::thread::park(); }
        #[cfg(feature = \"std\")] fn g(std: Option<u8>) { io::Error::other(\"std::io\"); stdx::io(); }
        #[cfg(test)] mod tests { use std::thread; }
        fn h() { ::std::process::exit(0); }";
    let found = broken(&[("headers/mod.rs", source)]);
    assert_eq!(found, [1, 3, 4, 7].map(|line| ("headers/mod.rs", line, Rule::Std)));
    assert_eq!(broken(&[("blocking/mod.rs", source)]), []);

    let listed = "fn f() -> bool { std::is_x86_feature_detected!(\"avx2\") }\nuse std::thread;";
    assert_eq!(broken(&[("mask/kernel.rs", listed)]), [("mask/kernel.rs", 2, Rule::Std)]);
}
