//! The program, as it is run.

use crate::served::{Folder, PATIENCE, Served, program, run, stderr, stdout};
use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// Sends a request, and returns the answer to its end.
fn request(address: &str, head: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{head}\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn it_says_what_it_is() {
    let help = run(&["--help"]);
    assert!(help.status.success());
    for text in ["--listen", "--config", "--print-defaults", "http://127.0.0.1:8080", "SANSOCKET_"]
    {
        assert!(stdout(&help).contains(text), "{text}");
    }
    let version = run(&["--version"]);
    assert_eq!(stdout(&version).trim(), concat!("sansocket-server ", env!("CARGO_PKG_VERSION")));
    let unknown = run(&["--lisen", "127.0.0.1:1"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(stderr(&unknown).contains("--listen"), "{}", stderr(&unknown));
}

/// Returns the configurations in a text of the documentation, with files that exist.
fn configurations<'a>(text: &'a str, secret: &'a str) -> impl Iterator<Item = String> + 'a {
    const PUBLIC_KEY: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config/keys/p256.public.pem");
    let with_files = move |line: &str| match line.split_once(" = ") {
        Some(("public-key-file", _)) => format!("public-key-file = '{PUBLIC_KEY}'\n"),
        Some((key, _)) if key.ends_with("-file") => format!("{key} = '{secret}'\n"),
        _ => format!("{line}\n"),
    };
    let blocks = text.split("\n```toml\n").skip(1).filter_map(|block| block.split_once("\n```\n"));
    blocks.map(move |(block, _)| block.lines().map(with_files).collect())
}

#[test]
fn configurations_in_the_documentation_are_fine() {
    let folder = Folder::new("documentation");
    let secret = folder.write("secret", "for-tests-at-least-thirty-two-bytes");
    for (text, count) in
        [(include_str!("../../README.md"), 1), (include_str!("../../docs/coming_from.md"), 3)]
    {
        let configurations: Vec<_> = configurations(text, &secret).collect();
        assert_eq!(configurations.len(), count);
        for configuration in configurations {
            let file = folder.write("sansocket.toml", &configuration);
            let checked = run(&["--config", &file, "--check-config"]);
            assert_eq!(checked.status.code(), Some(0), "{configuration}\n{}", stderr(&checked));
        }
    }
}

#[test]
fn printed_defaults_are_a_file_to_begin_with() {
    let folder = Folder::new("defaults");
    let defaults = run(&["--print-defaults"]);
    let file = folder.write("sansocket.toml", stdout(&defaults));
    let checked = run(&["--config", &file, "--check-config"]);
    assert_eq!((checked.status.code(), stdout(&checked)), (Some(0), "the configuration is fine\n"));
    let printed = run(&["--config", &file, "--print-config"]);
    assert_eq!(stdout(&printed), stdout(&defaults));
}

#[test]
fn problems_are_told_with_their_places_and_a_status() {
    let folder = Folder::new("problems");
    let file = folder
        .write("a.toml", "page = true\nlisen = \"127.0.0.1:1\"\n[limits]\nmessage = \"1 MB\"\n");
    let output = program()
        .args(["--config", &file, "--check-config", "--log-format", "xml"])
        .env("SANSOCKET_STOMP__RECEIPTS", "many")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<_> = stderr(&output).lines().collect();
    let [first, second, third, fourth] = lines[..] else { panic!("{lines:#?}") };
    assert!(first.starts_with(&format!("{file}:2:1: unknown field `lisen`")), "{first}");
    assert!(second.starts_with(&format!("{file}:4:11: \"1 MB\" is not a size")), "{second}");
    assert!(third.starts_with("variable SANSOCKET_STOMP__RECEIPTS: \"many\""), "{third}");
    assert!(fourth.starts_with("flag --log-format: unknown variant `xml`"), "{fourth}");
}

#[test]
fn a_token_that_nobody_can_send_is_refused() {
    for (token, status) in [("a secret", 1), ("sécret", 1), ("a-secret", 0)] {
        let tokens = format!("access.token=[{{ user = \"ann\", token = \"{token}\" }}]");
        let checked = run(&["--set", &tokens, "--check-config"]);
        assert_eq!(checked.status.code(), Some(status), "{token}: {}", stderr(&checked));
        assert_eq!(stderr(&checked).contains("nobody can send this token"), status == 1);
    }
}

#[test]
fn the_variable_names_the_file() {
    let folder = Folder::new("variable");
    let file = folder.write("a.toml", "access.realm = \"orders\"\n");
    let output = program().arg("--print-config").env("SANSOCKET_CONFIG", file).output().unwrap();
    assert!(stdout(&output).contains("realm = \"orders\"\n"), "{}", stdout(&output));
}

#[test]
fn it_does_not_start_open_to_everybody_unless_it_is_said() {
    let refused = run(&["--listen", "0.0.0.0:0"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("flag --listen: everybody who reaches"),
        "{}",
        stderr(&refused)
    );
    let accepted = run(&["--listen", "0.0.0.0:0", "--anonymous", "--check-config"]);
    assert_eq!(accepted.status.code(), Some(0), "{}", stderr(&accepted));
}

#[test]
fn a_port_that_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&["--listen", &address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains(&format!("can't listen on {address}: ")),
        "{}",
        stderr(&output)
    );
}

#[cfg(unix)]
#[test]
fn it_serves_until_a_signal_comes() {
    for signal in ["-TERM", "-INT"] {
        let mut server = Served::start(&[]);
        let address = server.address();
        let answer = request(&address, "GET /healthz HTTP/1.1");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        server.signal(signal);
        assert!(server.wait().success(), "{:#?}", server.lines);
        assert!(TcpStream::connect(&address).is_err());
    }
}

/// Opens an event stream, and waits for the head of its response.
#[cfg(unix)]
fn event_stream(address: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(client, "GET /events?topic=/topic/a HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut first = [0; 12];
    client.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    client
}

#[cfg(unix)]
#[test]
fn clients_are_told_that_it_ends() {
    let mut server = Served::start(&["--set=shutdown.spread=0 s"]);
    let address = server.address();
    let mut client = event_stream(&address);
    server.signal("-TERM");
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("retry: "), "{rest}");
    assert!(server.wait().success());
    assert!(server.lines.iter().any(|line| line.contains("ended")), "{:#?}", server.lines);
}

/// A WebSocket is no request any more, so nothing else waits for it.
#[cfg(unix)]
#[test]
fn websockets_are_closed_before_it_ends() {
    let mut server = Served::start(&["--set=shutdown.spread=200 ms"]);
    let address = server.address();
    let mut client = TcpStream::connect(&address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let fields = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    write!(client, "GET /ws HTTP/1.1\r\nHost: {address}\r\n{fields}\r\n\r\n").unwrap();
    let mut first = [0; 12];
    client.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 101");
    let (mut read, mut byte) = (Vec::new(), [0]);
    // A text message, which is masked with zeros.
    let connect = b"CONNECT\naccept-version:1.2\n\n\0";
    client.write_all(&[0x81, 0x80 | connect.len() as u8, 0, 0, 0, 0]).unwrap();
    client.write_all(connect).unwrap();
    while !read.ends_with(b"CONNECTED\n") {
        assert_eq!(client.read(&mut byte).unwrap(), 1, "{:?}", String::from_utf8_lossy(&read));
        read.extend(byte);
    }
    server.signal("-TERM");
    // The start of a Close with 1001: its length is that of the reason and two bytes.
    while !read.windows(4).any(|it| it[0] == 0x88 && it[2..] == 1001_u16.to_be_bytes()) {
        assert_eq!(client.read(&mut byte).unwrap(), 1, "{:?}", String::from_utf8_lossy(&read));
        read.extend(byte);
    }
    drop(client);
    assert!(server.wait().success());
}

#[cfg(unix)]
#[test]
fn a_second_signal_ends_it_at_once() {
    // An event stream keeps its connection, and may end at any time within the spread.
    let mut server =
        Served::start(&["--set=shutdown.deadline=10 min", "--set=shutdown.spread=10 min"]);
    let address = server.address();
    let _client = event_stream(&address);
    server.signal("-TERM");
    server.line("ending");
    server.signal("-TERM");
    assert!(server.wait().success());
}

#[cfg(unix)]
#[test]
fn logs_have_a_format_and_no_secrets() {
    let mut server = Served::start(&[
        "--log=trace",
        "--log-format=json",
        "--set=access.sources=[\"query:token\", \"bearer\"]",
        "--set=access.token=[{ user = \"joe\", token = \"hidden-token\" }]",
    ]);
    let address = server.address();
    for head in [
        "GET /poll?topic=/topic/a&wait=0&token=hidden-token HTTP/1.1",
        "GET /poll?topic=/topic/a&wait=0&token=hidden-wrong HTTP/1.1",
        "GET /unknown?token=hidden-token HTTP/1.1",
        "GET /poll?topic=/topic/a&wait=0 HTTP/1.1\r\nAuthorization: Bearer hidden-token",
    ] {
        let answer = request(&address, head);
        let status = if head.contains("unknown") {
            "404"
        } else if head.contains("wrong") {
            "401"
        } else {
            "200"
        };
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{head}: {answer}");
    }
    server.signal("-TERM");
    assert!(server.wait().success());
    for line in &server.lines {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["level"].is_string() && !line.contains("hidden"), "{line}");
    }
}

#[cfg(unix)]
#[test]
fn it_serves_tls() {
    let folder = Folder::new("tls");
    let authority = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let certificate = folder.write("certificate.pem", &authority.cert.pem());
    let key = folder.write("key.pem", &authority.key_pair.serialize_pem());
    let mut server = Served::start(&["--tls-certificate", &certificate, "--tls-key", &key]);
    assert!(server.line("listening on https://").contains("127.0.0.1:"));
    // A key of another certificate.
    let other = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
    let key = folder.write("other.pem", &other.key_pair.serialize_pem());
    let output = run(&["--tls-certificate", &certificate, "--tls-key", &key, "--check-config"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).starts_with("flag --tls-certificate: the certificate can't be used"));
    let output = run(&["--tls-certificate", &key, "--tls-key", &certificate, "--check-config"]);
    let lines: Vec<_> = stderr(&output).lines().collect();
    assert!(
        lines[0].starts_with("flag --tls-certificate: there is no certificate in"),
        "{lines:#?}"
    );
    assert!(lines[1].starts_with("flag --tls-key: there is no private key in"), "{lines:#?}");
}

/// Sends a message by POST, and returns the status of the answer.
fn publish(address: &str, destination: &str, body: &str) -> String {
    let fields = format!("Content-Type: text/plain\r\nContent-Length: {}", body.len());
    let head = format!("POST /publish?destination={destination} HTTP/1.1\r\n{fields}");
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "{head}\r\nHost: {address}\r\nConnection: close\r\n\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().into()
}

/// A page can have its name lead to 127.0.0.1, and a proxy can forward the name that it has in public.
#[test]
fn a_server_that_is_open_by_default_has_no_other_name_than_this_machine() {
    let status = |address: &str, request: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "{request}Connection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    let path = "/poll?topic=/topic/a&wait=0";
    let to = |host: &str| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n");
    for (flags, host, expected) in [
        (&[][..], "localhost:1", "200"),
        (&[], "example.com:1", "421"),
        (&["--anonymous"], "example.com:1", "200"),
        (&["--set=access.token=[{ user = \"joe\", token = \"a\" }]"], "example.com", "401"),
    ] {
        let mut server = Served::start(flags);
        assert_eq!(status(&server.address(), &to(host)), expected, "{flags:?} {host}");
    }
    let mut server = Served::start(&[]);
    let address = server.address();
    for (request, expected) in [
        // The target wins over the field.
        (format!("GET http://example.com{path} HTTP/1.1\r\nHost: localhost\r\n"), "421"),
        (format!("GET http://localhost{path} HTTP/1.1\r\nHost: example.com\r\n"), "200"),
        (to("localhost") + "Host: example.com\r\n", "400"),
        (to("localhost@example.com"), "400"),
        (to(""), "421"),
        (format!("GET {path} HTTP/1.1\r\n"), "400"),
        (format!("GET {path} HTTP/1.0\r\n"), "421"),
    ] {
        assert_eq!(status(&address, &request), expected, "{request}");
    }
}

/// By its handlers, users would publish to topics that they may not publish to.
#[test]
fn users_do_not_publish_by_way_of_the_page() {
    let token = "--set=access.token=[{ user = \"joe\", token = \"a\" }]";
    let mut server = Served::start(&[token]);
    let address = server.address();
    let status = |destination: &str| {
        let head = format!(
            "POST /publish?destination={destination} HTTP/1.1\r\nAuthorization: Bearer a\r\n\
             Content-Length: 0"
        );
        request(&address, &head).split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(status("/topic/orders/42"), "403");
    assert_eq!(status("/app/orders/42"), "404");
}

#[test]
fn the_table_of_the_application_is_served() {
    let folder = Folder::new("app");
    let file = folder.write(
        "a.toml",
        "[[app]]\ndestination = \"/app/orders/{id}\"\npublish = \"/topic/orders/{id}/events\"\n",
    );
    let mut server = Served::start(&["--config", &file]);
    let address = server.address();
    assert_eq!(publish(&address, "/app/orders/42", "packed"), "200");
    assert_eq!(publish(&address, "/app/other", "packed"), "404");
    let poll = "GET /poll?topic=/topic/orders/42/events&since=beginning&wait=0 HTTP/1.1";
    assert!(request(&address, poll).contains("packed"));
}

/// Without credentials there is no sender, and a client can't give itself one.
#[test]
fn a_header_of_the_sender_is_not_the_clients() {
    let folder = Folder::new("sender");
    let table = "[[app]]\ndestination = \"/app/a\"\npublish = \"/topic/a\"\n";
    let file = folder.write("a.toml", &format!("{table}sender = \"sender\"\n"));
    let mut server = Served::start(&[
        "--config",
        &file,
        "--anonymous",
        "--set=access.token=[{ user = \"joe\", token = \"a\" }]",
        "--set=access.anonymous-clients.publish=[\"/app/**\"]",
    ]);
    let address = server.address();
    let body = r#"{"destination":"/app/a","body":"x","headers":{"Sender":"eve","sender":"eve"}}"#;
    let publish = |fields: &str| {
        let (length, kind) = (body.len(), "Content-Type: application/json");
        let head = "POST /publish HTTP/1.1\r\nConnection: close";
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "{head}\r\nHost: {address}\r\n{kind}\r\n{fields}Content-Length: {length}\r\n\r\n{body}"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    };
    let poll = "GET /poll?topic=/topic/a&since=beginning&wait=0 HTTP/1.1";
    publish("");
    let answer = request(&address, poll);
    assert!(answer.contains("/topic/a") && !answer.contains("sender"), "{answer}");
    publish("Authorization: Bearer a\r\n");
    let answer = request(&address, poll);
    assert!(answer.contains(r#""sender":"joe""#) && !answer.contains(r#""eve""#), "{answer}");
    for name in ["", "a:b", "Message-ID", "destination"] {
        let file = folder.write("b.toml", &format!("{table}sender = {name:?}\n"));
        let refused = run(&["--config", &file, "--check-config"]);
        assert_eq!(refused.status.code(), Some(1), "{name:?}");
        assert!(stderr(&refused).contains("can't be the header of the sender"), "{name:?}");
    }
}

#[test]
fn json_web_tokens_say_what_their_users_may() {
    use jsonwebtoken::{EncodingKey, Header, encode};
    let folder = Folder::new("jwt");
    let secret = "a secret that has thirty-two bytes";
    let file = folder.write("secret", &format!("{secret}\n"));
    let key = format!("access.jwt.key=[{{ algorithm = \"HS256\", secret-file = {file:?} }}]");
    let mut server = Served::start(&["--set", &key]);
    let address = server.address();
    let token = |claims: serde_json::Value| {
        encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    };
    let status = |token: Option<String>| {
        let field = token.map(|token| format!("\r\nAuthorization: Bearer {token}"));
        let head = format!("GET /poll?topic=/topic/a&wait=0 HTTP/1.1{}", field.unwrap_or_default());
        request(&address, &head).split(' ').nth(1).unwrap().to_owned()
    };
    let later = 32_503_680_000_u64;
    assert_eq!(status(None), "401");
    assert_eq!(status(Some(token(serde_json::json!({ "sub": "joe", "exp": later })))), "200");
    assert_eq!(status(Some(token(serde_json::json!({ "sub": "joe", "exp": 1 })))), "401");
    let claims = serde_json::json!({ "sub": "joe", "exp": later, "subscribe": ["/topic/b"] });
    assert_eq!(status(Some(token(claims))), "403");
}
