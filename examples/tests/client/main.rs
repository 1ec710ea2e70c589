//! The example client as a process, against servers that follow a script.

use sansocket::{
    CloseCode, Error,
    blocking::{ServerWebSocket, accept},
};
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Returns the client, which must end by itself.
fn client(arguments: &[&str]) -> Command {
    let mut path = std::env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.extend(["examples", "client"]);
    let path: PathBuf = path;
    assert!(path.exists(), "{} is missing; `cargo build --examples` builds it", path.display());
    let mut command = Command::new("timeout");
    command.arg("60").arg(path).args(arguments);
    // What the environment of the tests says about proxies does not count.
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"]
    {
        command.env_remove(name);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn start(arguments: &[&str], input: &[u8]) -> Child {
    let mut client = client(arguments).spawn().unwrap();
    // A client that ends early does not read all of its input.
    let _ = client.stdin.take().unwrap().write_all(input);
    client
}

fn run(arguments: &[&str], input: &[u8]) -> Output {
    start(arguments, input).wait_with_output().unwrap()
}

/// Starts a server that handles each connection in a thread, given its number. Returns its URL.
fn serve(handle: impl Fn(TcpStream, usize) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let handle = handle.clone();
            thread::spawn(move || handle(stream.unwrap(), number));
        }
    });
    url
}

fn echo(mut websocket: ServerWebSocket) -> Result<(), Error> {
    while let Some(message) = websocket.next() {
        websocket.send(message?)?;
    }
    Ok(())
}

fn echo_server() -> String {
    serve(|stream, _| drop(echo(accept(stream).unwrap())))
}

#[track_caller]
fn assert_output(output: &Output, status: i32, stdout: &str, errors: &[&str]) {
    let noted = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{noted}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), stdout, "{noted}");
    for error in errors {
        assert!(noted.contains(error), "{error:?} is not in {noted}");
    }
    assert!(!noted.contains('\x1b'), "there is no terminal to colour: {noted}");
}

#[test]
fn lines_go_there_and_back() {
    let output = run(&[&echo_server()], "one\ntwo \u{e4}\n".as_bytes());
    let expected =
        ["connected to 127.0.0.1 (127.0.0.1:", "sent 2 messages (9 bytes), received 2 messages"];
    assert_output(&output, 0, "one\ntwo \u{e4}\n", &expected);
}

#[test]
fn given_messages_are_sent_and_answers_counted() {
    let url = echo_server();
    let output = run(&[&url, "-m", "a", "-m", "b", "-n", "2", "-q"], b"not read");
    assert_output(&output, 0, "a\nb\n", &[]);
    assert!(output.stderr.is_empty());
    // Without a count, everything that comes before the server's Close is printed.
    let output = run(&[&url, "--message", "c"], b"");
    assert_output(&output, 0, "c\n", &[]);
}

#[test]
fn binary_data_passes_unchanged() {
    let data: Vec<u8> = (0..300_000_u32).map(|index| ((index * 31) >> 3) as u8).collect();
    let output = run(&[&echo_server(), "--binary"], &data);
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout == data);
    // Without the option, it is shown as text.
    let url = serve(|stream, _| {
        let mut websocket = accept(stream).unwrap();
        websocket.send(&[0_u8, 255][..]).unwrap();
        let _ = websocket.close(CloseCode::GOING_AWAY, "done");
        websocket.wait_closed();
    });
    let output = run(&[&url, "--listen"], b"");
    assert_output(&output, 0, "binary, 2 bytes: 00ff\n", &["1001"]);
}

#[test]
fn pings_are_measured() {
    let url = serve(|stream, _| {
        let mut websocket = accept(stream).unwrap();
        // Pings are answered while this waits.
        let _ = websocket.next();
    });
    let mut client = start(&[&url, "--listen", "--ping=0.01", "--verbose"], b"");
    let mut noted = String::new();
    let mut stderr = client.stderr.take().unwrap();
    while !noted.contains("ping 3: ") {
        let mut byte = [0];
        stderr.read_exact(&mut byte).unwrap();
        noted.push(byte[0].into());
    }
    assert!(noted.contains("Sec-WebSocket-Accept: "), "{noted}");
    // `timeout` passes the signal on.
    let id = client.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    stderr.read_to_string(&mut noted).unwrap();
    client.wait().unwrap();
    assert!(noted.contains(" pings answered; "), "{noted}");
}

#[test]
fn it_connects_again_if_asked_to() {
    let (seen, log) = mpsc::channel();
    let server = move |stream: TcpStream, number| {
        let mut websocket = match number {
            // The first is cut off.
            1 => return drop(stream),
            _ => accept(stream).unwrap(),
        };
        seen.send(number).unwrap();
        websocket.send(format!("from {number}")).unwrap();
        if number == 3 {
            let _ = websocket.close(CloseCode::POLICY_VIOLATION, "");
            websocket.wait_closed();
        } else {
            let _ = websocket.close(CloseCode::SERVICE_RESTART, "");
            websocket.wait_closed();
        }
    };
    let output = run(&[&serve(server.clone()), "--listen", "--reconnect=9"], b"");
    let expected = ["attempt 1 is in", "attempt 2 is in", "1008", ", 3 connections"];
    assert_output(&output, 1, "from 0\nfrom 2\nfrom 3\n", &expected);
    assert_eq!(log.try_iter().collect::<Vec<_>>(), [0, 2, 3]);
    // Without the option, the end of the connection is the end.
    let output = run(&[&serve(server), "--listen"], b"");
    assert_output(&output, 1, "from 0\n", &["1012"]);
}

/// Starts a server that sends a message and closes with this code.
fn closing_server(code: CloseCode) -> String {
    serve(move |stream, _| {
        let mut websocket = accept(stream).unwrap();
        websocket.send("one").unwrap();
        let _ = websocket.close(code, "so it is");
        websocket.wait_closed();
    })
}

#[test]
fn the_exit_status_says_whether_all_went_well() {
    let (normal, violation) = (CloseCode::NORMAL, CloseCode::POLICY_VIOLATION);
    for code in [normal, CloseCode::GOING_AWAY, CloseCode::NO_STATUS_RECEIVED] {
        let output = run(&[&closing_server(code), "--listen", "-q"], b"");
        assert_output(&output, 0, "one\n", &[]);
        assert!(output.stderr.is_empty());
    }
    let output = run(&[&closing_server(violation), "--listen", "-q"], b"");
    assert_output(&output, 1, "one\n", &["client: closed by the peer with 1008", "so it is"]);
    for code in [normal, CloseCode::GOING_AWAY, violation] {
        let output = run(&[&closing_server(code), "-n", "2", "-q"], b"");
        let expected = ["client: 1 of 2 messages arrived; closed by the peer", "so it is"];
        assert_output(&output, 1, "one\n", &expected);
    }
    let output = run(&[&closing_server(violation), "--listen", "-q", "--reconnect"], b"");
    assert_output(&output, 1, "one\n", &["another attempt would not help; closed by the peer"]);
    // The messages have arrived, whatever the server says then.
    let output = run(&[&closing_server(normal), "-n", "1"], b"");
    assert_output(&output, 0, "one\n", &[]);
}

#[test]
fn the_messages_of_count_are_waited_for_as_long_as_the_user_says() {
    let url = serve(|stream, _| {
        let mut websocket = accept(stream).unwrap();
        websocket.send("one").unwrap();
        let _ = websocket.next();
    });
    let output = run(&[&url, "-n", "2", "--wait", "0.5", "-q"], b"");
    assert_output(
        &output,
        1,
        "one\n",
        &["client: 1 of 2 messages arrived; closed by this endpoint"],
    );
    let output = run(&[&url, "-n", "1", "--wait", "50"], b"");
    assert_output(&output, 0, "one\n", &[]);
    // Also without a connection.
    let silent = serve(|stream, _| {
        thread::sleep(Duration::from_secs(5));
        drop(stream);
    });
    let output = run(&[&silent, "-n", "1", "--wait", "0.1", "-q"], b"");
    assert_output(&output, 1, "", &["client: 0 of 1 messages arrived"]);
    assert_eq!(run(&[&url, "--wait", "1"], b"").status.code(), Some(2));
}

/// A proxy that answers the request and is then the server.
#[test]
fn the_host_of_the_url_is_shown_and_not_its_credentials() {
    let proxy = serve(|mut stream, _| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        drop(echo(accept(stream).unwrap()));
    });
    let proxy = proxy.replace("ws:", "http:");
    let output = run(&["ws://user:secret@h.test/", "-x", &proxy, "-m", "a"], b"");
    let expected = ["connected to h.test through the proxy 127.0.0.1 (127.0.0.1:"];
    assert_output(&output, 0, "a\n", &expected);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("secret"));
}

#[test]
fn input_that_is_not_text_is_an_error() {
    let output = run(&[&echo_server(), "-q"], b"one\n\xff\ntwo\n");
    assert_output(&output, 1, "one\n", &["client: standard input: "]);
    let output = run(&[&echo_server(), "-q", "-n", "2"], b"one\n\xff\ntwo\n");
    assert_output(&output, 1, "one\n", &["client: standard input: "]);
}

#[test]
fn failures_come_with_advice() {
    let refuse = |answer: &'static str| {
        serve(move |mut stream, _| {
            let _ = stream.read(&mut [0; 4096]);
            stream.write_all(answer.as_bytes()).unwrap();
            thread::sleep(Duration::from_millis(100));
        })
    };
    let url = refuse("HTTP/1.1 401 No\r\nContent-Length: 7\r\n\r\nsign in");
    let output = run(&[&url], b"");
    assert_output(
        &output,
        1,
        "",
        &["client: the server answered with status 401", "sign in", "--user"],
    );
    let url = refuse("HTTP/1.1 302 No\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n");
    assert_output(&run(&[&url], b""), 1, "", &["--redirects"]);
    assert_output(&run(&[&url, "-L", "3"], b""), 1, "", &["limit of redirections is exceeded: 3"]);
    assert_output(&run(&["ws://h/", "--header", "x"], b""), 2, "", &["'Name: value'"]);
    assert_output(&run(&["example.com"], b""), 1, "", &["ws:// or wss://"]);
    let proxy = refuse("HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n").replace("ws", "http");
    let output = run(&["wss://h.test/", "--proxy", &proxy], b"");
    assert_output(&output, 1, "", &["status 407", "wants a user name and a password"]);
    let output = client(&["wss://h.test/"]).env("HTTPS_PROXY", &proxy).output().unwrap();
    assert_output(&output, 1, "", &["status 407"]);
    let output = client(&["wss://h.test/"]).env("HTTPS_PROXY", "ftp://h").output().unwrap();
    assert_output(
        &output,
        2,
        "",
        &["user name and password, or connect without it with --no-proxy"],
    );
}

#[test]
fn credentials_and_subprotocols_are_sent() {
    let (seen, heads) = mpsc::channel();
    let url = serve(move |mut stream, _| {
        let mut head = vec![0; 4096];
        let len = stream.read(&mut head).unwrap();
        seen.send(String::from_utf8_lossy(&head[..len]).into_owned()).unwrap();
    });
    let arguments =
        ["-u", "user:pass", "-H", "X-A: b", "-s", "one", "-s", "two", "--origin", "http://o"];
    let output = run(&[&[url.as_str()], &arguments[..], &["--no-compression"]].concat(), b"");
    assert_eq!(output.status.code(), Some(1));
    let head = heads.recv().unwrap();
    for line in [
        "Authorization: Basic dXNlcjpwYXNz",
        "X-A: b",
        "Sec-WebSocket-Protocol: one, two",
        "Origin: http://o",
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line:?} is not in {head}");
    }
    assert!(!head.contains("Extensions"), "{head}");
}

#[test]
fn help_has_examples() {
    let output = run(&["--help"], b"");
    let help = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0));
    for text in ["Examples:\n  client wss://", "64 KiB", "1000, 1001 or no code"] {
        assert!(help.contains(text), "{text:?} is not in {help}");
    }
    assert_eq!(run(&["--what"], b"").status.code(), Some(2));
}
