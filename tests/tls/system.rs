//! The certificates that the system trusts, in a process of its own: it loads them once.

use crate::authority::{Authority, TRUSTED, server_tls};
use sansocket::{
    Error,
    blocking::{Acceptor, connect},
};
use std::{
    env, fs,
    net::TcpListener,
    process::{self, Command},
    thread::{self, JoinHandle},
};

const URL: &str = "SANSOCKET_TEST_URL";

/// Connects twice from another process, which trusts the authorities in `roots`. Returns what that
/// process prints.
fn connect_elsewhere(roots: &str, url: &str) -> String {
    let path = env::temp_dir().join(format!("sansocket-{}-{}.pem", process::id(), roots.len()));
    fs::write(&path, roots).unwrap();
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture", "system::child"])
        .env("SSL_CERT_FILE", &path)
        .env_remove("SSL_CERT_DIR")
        .env(URL, url)
        .output()
        .unwrap();
    fs::remove_file(path).unwrap();
    assert!(child.status.success(), "{child:?}");
    String::from_utf8(child.stdout).unwrap()
}

#[test]
#[ignore = "run in a process of its own by the other tests"]
fn child() {
    let url = env::var(URL).unwrap();
    // The second connection resumes the session of the first.
    for number in 1..=2 {
        match connect(&url) {
            Ok(mut websocket) => {
                let message = websocket.next().unwrap().unwrap();
                assert!(websocket.wait_closed().clean);
                println!("connection {number}: {}", message.as_text().unwrap());
            }
            Err(Error::Tls(error)) => println!("connection {number}: {:?}", error.fault()),
            Err(error) => panic!("{error}"),
        }
    }
    // Nothing was installed for the process, nor is anything needed.
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}

/// Serves two connections, and returns the URL.
fn serve_two() -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
    let acceptor = Acceptor::new().tls(server_tls());
    let server = thread::spawn(move || {
        for _ in 0..2 {
            let (stream, _) = listener.accept().unwrap();
            if let Ok(mut websocket) = acceptor.accept_tcp(stream) {
                websocket.send("hello").unwrap();
                assert!(websocket.wait_closed().clean);
            }
        }
    });
    (url, server)
}

#[test]
fn by_default_a_client_trusts_what_the_system_trusts() {
    let (url, server) = serve_two();
    let output = connect_elsewhere(&TRUSTED.pem(), &url);
    assert!(output.contains("connection 1: hello\nconnection 2: hello\n"), "{output}");
    server.join().unwrap();
}

#[test]
fn by_default_a_client_trusts_nobody_else() {
    let (url, server) = serve_two();
    // The lengths differ, and so do the names of the files.
    let output = connect_elsewhere(&format!("{}\n", Authority::new().pem()), &url);
    assert!(output.contains("1: UnknownIssuer\nconnection 2: UnknownIssuer\n"), "{output}");
    server.join().unwrap();
}

#[test]
fn a_system_without_certificates_is_an_error_of_its_own() {
    let output = connect_elsewhere("", "wss://localhost:1/");
    assert!(output.contains("1: Configuration"), "{output}");
}
