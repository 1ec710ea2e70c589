//! What an idle WebSocket of axum holds: `cargo test -p sansocket-axum --test idle_memory -- --nocapture`
//! prints it.

use axum::{Router, response::Response, routing::any};
use sansocket_axum::{WebSocket, WebSocketUpgrade};
use sansocket_testkit::allocator::{Counting, live};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc::channel,
    thread,
    time::Duration,
};
use tokio::{net::TcpListener, runtime, sync::mpsc};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CONNECTIONS: isize = 200;
/// In bytes a connection, with its task.
const MOST: isize = 2048;

async fn handler(ws: WebSocketUpgrade) -> Response {
    ws.on_upgrade(echo)
}

async fn echo(mut websocket: WebSocket) {
    while let Some(Ok(message)) = websocket.next().await {
        if websocket.send(message).await.is_err() {
            break;
        }
    }
}

/// A server in a thread of its own, whose allocations are counted.
struct Serving {
    address: SocketAddr,
    /// Asks for the bytes that the thread has allocated.
    measure: mpsc::Sender<std::sync::mpsc::Sender<isize>>,
    thread: thread::JoinHandle<()>,
}

impl Serving {
    fn start() -> Self {
        let (tell, address) = channel();
        let (measure, mut asked) = mpsc::channel::<std::sync::mpsc::Sender<isize>>(1);
        let thread = thread::spawn(move || {
            let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let app = Router::new().route("/", any(handler));
                let serving = tokio::spawn(async { axum::serve(listener, app).await });
                while let Some(answer) = asked.recv().await {
                    // The last answers have been sent before their tasks wait again.
                    for _ in 0..100 {
                        tokio::task::yield_now().await;
                    }
                    answer.send(live()).unwrap();
                }
                serving.abort();
            });
        });
        Self { address: address.recv().unwrap(), measure, thread }
    }

    fn held(&self) -> isize {
        let (answer, held) = channel();
        self.measure.blocking_send(answer).unwrap();
        held.recv().unwrap()
    }

    fn stop(self) {
        drop(self.measure);
        self.thread.join().unwrap();
    }
}

fn open(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// Has a message of so many bytes echoed.
fn echoed(stream: &mut TcpStream, len: u16) {
    let mut frame = vec![0x82, 0xfe];
    frame.extend(len.to_be_bytes());
    frame.extend(vec![0; 4 + usize::from(len)]);
    stream.write_all(&frame).unwrap();
    let mut echo = vec![1; 4 + usize::from(len)];
    stream.read_exact(&mut echo).unwrap();
    assert!(echo[4..].iter().all(|byte| *byte == 0));
}

#[test]
fn an_idle_websocket_holds_little() {
    let serving = Serving::start();
    // What the first connection sets up for all.
    let mut first = open(serving.address);
    echoed(&mut first, 16 << 10);
    let before = serving.held();
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|_| open(serving.address)).collect();
    for len in [200, 16 << 10] {
        for client in &mut clients {
            echoed(client, len);
        }
        let held = (serving.held() - before) / CONNECTIONS;
        println!("after {len} bytes: {held} bytes a connection");
        assert!(
            (1..MOST).contains(&held),
            "{held} bytes a connection after messages of {len} bytes"
        );
    }
    drop((clients, first));
    serving.stop();
}
