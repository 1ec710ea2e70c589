//! The response that has the page.

use crate::visit::Running;
use sansocket_server::Options;
use std::{
    io::{Read, Write},
    net::TcpStream,
};

fn request(running: &Running, method: &str, fields: &str) -> String {
    let mut stream = TcpStream::connect(running.address).unwrap();
    let head = "Host: example\r\nConnection: close\r\n";
    write!(stream, "{method} / HTTP/1.1\r\n{head}{fields}\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

fn field<'a>(response: &'a str, name: &str) -> &'a str {
    let line = response.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {name} in {response}"))
}

#[test]
fn the_page_is_one_response_that_caches_can_check() {
    let running = Running::start(Options::default());
    let response = request(&running, "GET", "");
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    assert_eq!(field(&response, "content-type"), "text/html; charset=utf-8");
    assert_eq!(field(&response, "cache-control"), "no-cache");
    let policy = field(&response, "content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    let head = request(&running, "HEAD", "");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    for name in ["content-length", "etag", "content-security-policy"] {
        assert_eq!(field(&head, name), field(&response, name));
    }
    let condition = format!("If-None-Match: {}\r\n", field(&response, "etag"));
    let unchanged = request(&running, "GET", &condition);
    assert!(unchanged.starts_with("HTTP/1.1 304 "), "{unchanged}");
    assert!(unchanged.ends_with("\r\n\r\n"));
    assert!(request(&running, "POST", "").starts_with("HTTP/1.1 405 "));
}

#[test]
fn a_page_that_is_off_is_not_found() {
    let mut options = Options::default();
    options.page = Some(false);
    let running = Running::start(options);
    assert!(request(&running, "GET", "").starts_with("HTTP/1.1 404 "));
}
