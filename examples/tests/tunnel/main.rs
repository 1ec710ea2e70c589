//! The tunnel as processes: both ends together, and each with a peer that follows a script.

mod mqtt;
mod running;

use running::{Running, tunnel};
use sansocket::{
    CloseCode,
    blocking::{Connector, accept},
};
use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    thread,
    time::Duration,
};

/// Starts a TCP server that handles each connection in a thread. Returns its address.
fn tcp_server(handle: impl Fn(TcpStream) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let handle = handle.clone();
            thread::spawn(move || handle(stream.unwrap()));
        }
    });
    address
}

fn echo(mut stream: TcpStream) {
    let mut from = stream.try_clone().unwrap();
    let _ = std::io::copy(&mut from, &mut stream);
}

/// Both ends of a tunnel to this target. A connection to the first leads there.
fn both(target: &str, options: &[&str]) -> (Running, Running) {
    let serve = Running::start(&[&["serve", "127.0.0.1:0", target], options].concat());
    let url = serve.address();
    let listen = Running::start(&[&["listen", "127.0.0.1:0", &url], options].concat());
    (listen, serve)
}

fn connect(running: &Running) -> TcpStream {
    let stream = TcpStream::connect(running.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

fn data(len: usize, seed: usize) -> Vec<u8> {
    (0..len).map(|index| ((index * 31 + seed) >> 3) as u8).collect()
}

#[test]
fn bytes_go_there_and_back_for_many_connections() {
    let (listen, _serve) = both(&tcp_server(echo), &[]);
    let clients: Vec<_> = (0..20)
        .map(|number| {
            let stream = connect(&listen);
            thread::spawn(move || {
                let sent = data(300_000 + number, number);
                let mut from = stream.try_clone().unwrap();
                let len = sent.len();
                let reads = thread::spawn(move || {
                    let mut bytes = vec![0; len];
                    from.read_exact(&mut bytes).unwrap();
                    bytes
                });
                (&stream).write_all(&sent).unwrap();
                assert!(reads.join().unwrap() == sent);
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
}

/// The server answers before its own end, and all of that arrives.
#[test]
fn the_end_of_tcp_arrives_at_the_other_end_after_all_bytes() {
    const LEN: usize = 3 << 20;
    // The client ends first.
    let (ended, has_ended) = std::sync::mpsc::channel();
    let target = tcp_server(move |mut stream| {
        stream.write_all(b"welcome").unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        ended.send(bytes).unwrap();
    });
    let (listen, _serve) = both(&target, &[]);
    let mut client = connect(&listen);
    let mut welcome = [0; 7];
    client.read_exact(&mut welcome).unwrap();
    client.write_all(&data(LEN, 1)).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read(&mut welcome).unwrap(), 0);
    assert!(has_ended.recv().unwrap() == data(LEN, 1));
    // The server ends first.
    let target = tcp_server(|mut stream| stream.write_all(&data(LEN, 2)).unwrap());
    let (listen, _serve) = both(&target, &[]);
    let mut bytes = Vec::new();
    connect(&listen).read_to_end(&mut bytes).unwrap();
    assert!(bytes == data(LEN, 2));
}

/// A connection that is cut is never taken for one that has ended.
#[test]
fn a_cut_is_a_reset_at_the_other_end() {
    // The tunnel itself ends.
    let (listen, serve) = both(&tcp_server(echo), &[]);
    let mut client = connect(&listen);
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
    serve.kill();
    let error = client.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    // The WebSocket closes with a code that does not mean the end.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let mut websocket = accept(listener.accept().unwrap().0).unwrap();
        websocket.send(b"part").unwrap();
        websocket.close(CloseCode::INTERNAL_ERROR, "").unwrap();
        websocket.wait_closed()
    });
    let listen = Running::start(&["listen", "127.0.0.1:0", &url]);
    let mut client = connect(&listen);
    let mut part = Vec::new();
    let error = client.read_to_end(&mut part).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(server.join().unwrap().clean);
    // Nobody is at the URL.
    let listen = Running::start(&["listen", "127.0.0.1:0", "ws://127.0.0.1:1/"]);
    let error = connect(&listen).read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

/// The other end of a tunnel can be any program that sends and receives binary messages.
#[test]
fn any_websocket_client_can_use_the_tunnel() {
    let serve = Running::start(&["serve", "127.0.0.1:0", &tcp_server(echo)]);
    let (mut client, _) = Connector::new().connect(serve.address()).unwrap();
    client.send(b"hello").unwrap();
    assert_eq!(client.next().unwrap().unwrap().as_bytes(), b"hello");
    client.close(CloseCode::NORMAL, "").unwrap();
    let closed = client.wait_closed();
    assert!(closed.clean && closed.code == CloseCode::NORMAL, "{closed}");
    // Text is no stream of bytes.
    let (mut client, _) = Connector::new().connect(serve.address()).unwrap();
    client.send("hello").unwrap();
    assert!(client.next().is_none());
    assert_eq!(client.closed().unwrap().code, CloseCode::UNSUPPORTED_DATA);
    // A TCP server that resets its connection has not ended its bytes: it drops unread ones.
    let serve = Running::start(&[
        "serve",
        "127.0.0.1:0",
        &tcp_server(|mut stream| {
            stream.read_exact(&mut [0]).unwrap();
        }),
    ]);
    let (mut client, _) = Connector::new().connect(serve.address()).unwrap();
    client.send(b"two bytes and more").unwrap();
    assert!(client.next().is_none_or(|next| next.is_err()));
    assert_ne!(client.closed().unwrap().code, CloseCode::NORMAL);
}

#[test]
fn a_target_that_is_not_reachable_is_reported() {
    let serve = Running::start(&["serve", "127.0.0.1:0", "127.0.0.1:1"]);
    let (mut client, _) = Connector::new().connect(serve.address()).unwrap();
    assert!(client.next().is_none());
    assert_eq!(client.closed().unwrap().code, CloseCode::BAD_GATEWAY);
}

#[test]
fn the_subprotocol_is_chosen_and_demanded() {
    let target = tcp_server(echo);
    let options = ["--subprotocol", "mqtt", "-s", "binary"];
    let (listen, serve) = both(&target, &options);
    let mut client = connect(&listen);
    client.write_all(b"x").unwrap();
    client.read_exact(&mut [0]).unwrap();
    let connector = Connector::new().subprotocol("binary").subprotocol("x");
    let (websocket, _) = connector.connect(serve.address()).unwrap();
    assert_eq!(websocket.negotiated().subprotocol.as_deref(), Some("binary"));
    let refused = Connector::new().subprotocol("other").connect(serve.address()).unwrap_err();
    assert!(refused.to_string().contains("400"), "{refused}");
}

#[test]
fn only_so_many_connections_are_carried_at_a_time() {
    for limits_listen in [true, false] {
        let one = ["--connections", "1"];
        let target = tcp_server(echo);
        let serve_options = if limits_listen { &one[..0] } else { &one[..] };
        let listen_options = if limits_listen { &one[..] } else { &one[..0] };
        let serve = Running::start(&[&["serve", "127.0.0.1:0", &target], serve_options].concat());
        let url = serve.address();
        let listen = Running::start(&[&["listen", "127.0.0.1:0", &url], listen_options].concat());
        let mut first = connect(&listen);
        first.write_all(b"1").unwrap();
        first.read_exact(&mut [0]).unwrap();
        let mut second = connect(&listen);
        second.write_all(b"2").unwrap();
        second.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert!(second.read(&mut [0]).is_err(), "the second is carried beside the first");
        second.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        drop(first);
        second.read_exact(&mut [0]).unwrap();
    }
}

#[test]
fn help_and_wrong_arguments() {
    let output = tunnel(&["--help"]).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && help.contains("half-close"), "{help}");
    for mode in ["listen", "serve"] {
        let output = tunnel(&[mode, "--help"]).output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && help.contains("--subprotocol"), "{help}");
    }
    for wrong in [&["listen"][..], &["serve", "127.0.0.1:0", "h:1", "--connections", "0"]] {
        assert_eq!(tunnel(wrong).output().unwrap().status.code(), Some(2));
    }
    let output = tunnel(&["serve", "192.0.2.1:80", "127.0.0.1:1"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("can't listen on 192.0.2.1:80"));
}

/// A client of TCP that is cut is no end of its bytes either.
#[test]
fn a_reset_of_the_client_is_a_reset_at_the_server() {
    let (ended, has_ended) = std::sync::mpsc::channel();
    let target = tcp_server(move |mut stream| {
        stream.write_all(b"not read").unwrap();
        ended.send(stream.read_to_end(&mut Vec::new())).unwrap();
    });
    let (listen, _serve) = both(&target, &[]);
    let client = connect(&listen);
    // Waits for what it does not read, so that closing it is a reset.
    client.peek(&mut [0]).unwrap();
    drop(client);
    let read = has_ended.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

/// TCP lets a program pause for as long as it likes. The tunnel answers neither pings nor a Close
/// meanwhile, since they are behind bytes that nobody takes.
#[test]
fn a_client_that_pauses_is_not_cut() {
    // The system buffers some MB for the client, and about as many before the listening end. The Close
    // after the bytes is delayed if they are more than the first and less than both.
    let clients = [6, 8, 9, 10, 11, 24].map(|megabytes| {
        let len = megabytes * 1_000_000;
        thread::spawn(move || {
            let sent = data(len, 1);
            let target = tcp_server({
                let sent = sent.clone();
                move |mut stream| stream.write_all(&sent).unwrap()
            });
            let (listen, _serve) = both(&target, &["--keepalive", "0.1"]);
            let mut client = connect(&listen);
            // Many intervals, and longer than a connection waits for a Close by default.
            thread::sleep(Duration::from_secs(8));
            let mut bytes = Vec::new();
            client.read_to_end(&mut bytes).unwrap();
            assert!(bytes == sent);
        })
    });
    for client in clients {
        client.join().unwrap();
    }
}

#[test]
fn a_peer_that_stays_silent_is_given_up() {
    let options = ["--keepalive", "0.1", "--give-up", "0.1"];
    let serve =
        Running::start(&[&["serve", "127.0.0.1:0", &tcp_server(echo)], &options[..]].concat());
    let (client, _) = Connector::new().connect(serve.address()).unwrap();
    // Not through the WebSocket, which would answer the ping.
    let mut stream = client.into_parts().transport;
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.read_to_end(&mut Vec::new()).unwrap();
}
