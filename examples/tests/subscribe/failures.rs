//! What a user can get wrong, and servers that are not there.

use crate::{
    http_script::{response, serve},
    process::{Client, run},
    stomp_script::{self, Connection, header},
};
use sansocket::CloseCode;
use std::net::TcpListener;

const TRANSPORTS: [&str; 4] = ["stomp", "sse", "poll", "short-poll"];

/// Where no server is: a port that the system gives to nobody. One that was free a moment ago can be that of
/// another test by now.
const NOWHERE: &str = "http://127.0.0.1:1";

#[test]
fn a_server_that_is_not_there() {
    for transport in TRANSPORTS {
        let done = run(&["/topic/a", "-t", transport, "-s", NOWHERE]);
        done.assert(1, &[], &["Connection refused", "is the server running? --server says"]);
    }
}

#[test]
fn a_server_that_is_not_there_yet() {
    for transport in TRANSPORTS {
        let client = Client::start(&["/topic/a", "-t", transport, "-s", NOWHERE, "--retry"]);
        client.wait_for_note("Connection refused");
        client.wait_for_note("; connecting again in");
        client.interrupt().assert(1, &[], &["no connection was made"]);
    }
}

#[test]
fn a_server_that_never_answers() {
    // Connections are taken by the system, and nobody reads them.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    for transport in TRANSPORTS {
        let arguments = ["/topic/a", "-t", transport, "-s", &url, "--connect-timeout", "0.2"];
        run(&arguments).assert(1, &[], &["give it longer with --connect-timeout"]);
        let client = Client::start(&[&arguments[..], &["--retry"]].concat());
        client.wait_for_notes("connecting again in", 2);
        client.interrupt().assert(1, &[], &["no connection was made"]);
    }
}

#[test]
fn a_server_of_stomp_that_does_not_answer_connect() {
    let url = stomp_script::serve(|connection: Connection, _| connection.listen());
    let done = run(&["/topic/a", "-s", &url, "--connect-timeout", "0.2"]);
    done.assert(1, &[], &["the server has not answered CONNECT within 200ms"]);
}

#[test]
fn a_wrong_token() {
    for transport in TRANSPORTS {
        let refused = response("401 Unauthorized", "text/plain", "the token has expired\n");
        let (url, requests) = serve([refused]);
        let done = run(&["/topic/a", "-t", transport, "-s", &url, "--token", "s3cret", "--retry"]);
        done.assert(1, &[], &["401 Unauthorized: the token has expired", "log in with --token"]);
        assert!(!done.notes.contains("s3cret"), "{}", done.notes);
        assert_eq!(requests.recv().unwrap().field("authorization"), Some("Bearer s3cret"));
    }
}

#[test]
fn a_wrong_token_in_connect() {
    let url = stomp_script::serve(|mut connection: Connection, _| {
        let connect = connection.expect("CONNECT");
        assert_eq!(connection.authorization.as_deref(), Some("Bearer s3cret"));
        assert_eq!(header(&connect, "Authorization"), Some("Bearer s3cret"));
        connection.send("ERROR\nmessage:the token has expired\n\n");
        connection.close(CloseCode::POLICY_VIOLATION);
    });
    let done = run(&["/topic/a", "-s", &url, "--token", "s3cret", "--retry"]);
    let note = "the server refuses the connection: the token has expired";
    done.assert(1, &[], &[note, "log in with --token"]);
}

#[test]
fn a_user_and_a_password() {
    let url = stomp_script::serve(|mut connection: Connection, _| {
        let connect = connection.expect("CONNECT");
        let login = ["login", "passcode"].map(|name| header(&connect, name));
        assert_eq!(login, [Some("ann"), Some("pass:word")]);
        connection.send("ERROR\nmessage:seen\n\n");
        connection.close(CloseCode::POLICY_VIOLATION);
    });
    let arguments = ["/topic/a", "--user", "ann:pass:word", "-s"];
    run(&[&arguments[..], &[&url]].concat()).assert(1, &[], &["seen"]);
    let (url, requests) = serve([response("403 Forbidden", "text/plain", "")]);
    let done = run(&[&arguments[..], &[&url, "-t", "poll"]].concat());
    done.assert(1, &[], &["403 Forbidden", "is not for this user"]);
    assert_eq!(requests.recv().unwrap().field("authorization"), Some("Basic YW5uOnBhc3M6d29yZA=="));
}

#[test]
fn a_url_of_something_else() {
    for transport in TRANSPORTS {
        let (url, _) = serve([
            response("404 Not Found", "text/html", "<html>"),
            response("302 Found\r\nLocation: https://example.com/", "text/html", ""),
            "SSH-2.0-OpenSSH\r\n".to_owned(),
        ]);
        let arguments = ["/topic/a", "-t", transport, "-s", &url];
        run(&arguments).assert(1, &[], &["404 Not Found", "is --server the base URL"]);
        let redirected = ["302 Found, location \"https://example.com/\"", "as --server"];
        run(&arguments).assert(1, &[], &redirected);
        assert_eq!(run(&arguments).status, Some(1));
    }
    for wrong in ["example", "ftp://example.com", "http://joe:pass@example.com"] {
        assert_eq!(run(&["/topic/a", "-s", wrong]).status, Some(2), "{wrong}");
    }
}

#[test]
fn a_server_without_tls_at_a_url_with_tls() {
    for transport in TRANSPORTS {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let server = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1000]);
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
            // Until the client has gone.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let done = run(&["/topic/a", "-t", transport, "-s", &url]);
        done.assert(1, &[], &["a server without TLS has an http:// or ws:// URL"]);
        server.join().unwrap();
    }
}
