//! What connections of the tokio shell hold while they wait: no buffer, whatever was transferred
//! before.
#![cfg(feature = "tokio")]

use core::future::Future;
use futures_util::FutureExt;
use sansocket::{
    CloseCode, Config, Error, Event, Message,
    buffer::ReadBuffer,
    connection::{Client, Server},
    handshake::Negotiated,
    on_tokio::{Acceptor, ClientWebSocket, Connector, ServerWebSocket, WebSocket, accept, connect},
    random::SystemMaskKeys,
};
use sansocket_testkit::allocator::{Counting, live};
use std::{
    io::{Read, Write},
    net::SocketAddr,
    sync::mpsc::{Receiver, Sender, TryRecvError, channel},
    thread,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
    task::unconstrained,
    time::sleep,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The memory that an idle connection may hold, with its task.
const MOST: isize = 640;

/// The memory that an unused connection over an empty transport may hold.
const MOST_EMPTY: isize = 200;

/// The memory of a connection that has ended: it keeps its outcome, and may have had a timer.
const MOST_ENDED: isize = 1024;

/// The number of buffers that a thread's pool keeps, for reads and for writes.
const POOLED: usize = 16;

/// The most that the pool may keep: 64 KiB for each buffer, except for two of slightly over 1 MiB
/// each for reads and for writes.
const POOL: isize = 2 * (POOLED as isize * (64 << 10) + 2 * ((1 << 20) + 4096));

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Leases everything that this thread's pool keeps, and frees it.
fn empty_pool() {
    // Each connection has to keep the start of a frame, and can write only a part of a reply.
    let mut holders: Vec<_> = (0..POOLED).map(|_| holder(&[0x82], &[1; 100])).collect();
    // Large buffers are at the bottom of the pool, and are leased to connections that hold a lot
    // and want more.
    let much = [&[0x82, 0xfe, 0xff, 0xff, 1, 2, 3, 4][..], &[0; 12 << 10]].concat();
    for _ in 0..POOLED {
        let (mut near, mut large) = server(16 << 10);
        near.write_all(&much).now_or_never().unwrap().unwrap();
        // The first call finds the header, the second the part of the frame that has arrived.
        assert!(large.next().now_or_never().is_none());
        near.write_all(&[0]).now_or_never().unwrap().unwrap();
        large.try_feed([1; 80 << 10]).unwrap();
        assert!(large.next().now_or_never().is_none());
        holders.push((near, large));
    }
}

fn server(room: usize) -> (DuplexStream, WebSocket<DuplexStream, Server>) {
    let (near, far) = tokio::io::duplex(room);
    let (negotiated, input) = (Negotiated::new(), ReadBuffer::new());
    (near, WebSocket::new(far, Server::new(), negotiated, input, Config::default()))
}

/// Returns a connection that waits with a part of a frame received, and with a part of `reply`
/// written unless that is empty.
fn holder(received: &[u8], reply: &[u8]) -> (DuplexStream, WebSocket<DuplexStream, Server>) {
    let (mut near, mut holder) = server(64);
    near.write_all(received).now_or_never().unwrap().unwrap();
    if !reply.is_empty() {
        holder.try_feed(reply).unwrap();
    }
    assert!(holder.next().now_or_never().is_none());
    (near, holder)
}

/// A thread that accepts connections and runs a task for each. On request it reports how many bytes
/// it holds without its pool, and how many the pool keeps.
struct Serving {
    address: SocketAddr,
    measure: Sender<()>,
    held: Receiver<(isize, isize)>,
    thread: thread::JoinHandle<()>,
}

impl Serving {
    fn start<F>(count: usize, serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (tell_address, address) = channel();
        let (measure, asked) = channel::<()>();
        let (tell, held) = channel();
        let thread = thread::spawn(move || {
            runtime().block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell_address.send(listener.local_addr().unwrap()).unwrap();
                let mut tasks = Vec::with_capacity(count);
                for _ in 0..count {
                    let (stream, _) = listener.accept().await.unwrap();
                    tasks.push(tokio::spawn(serve(stream)));
                }
                loop {
                    match asked.try_recv() {
                        Ok(()) => {
                            // The tasks have sent everything; this lets them reach their next
                            // wait.
                            for _ in 0..100 {
                                tokio::task::yield_now().await;
                            }
                            let before = live();
                            // Without this, exceeding the task budget would register additional
                            // wakers.
                            unconstrained(async { empty_pool() }).await;
                            tell.send((live(), before - live())).unwrap();
                        }
                        Err(TryRecvError::Empty) => sleep(Duration::from_millis(1)).await,
                        Err(TryRecvError::Disconnected) => break,
                    }
                }
                for task in tasks {
                    task.await.unwrap();
                }
            });
        });
        Self { address: address.recv().unwrap(), measure, held, thread }
    }

    fn held(&self) -> (isize, isize) {
        self.measure.send(()).unwrap();
        self.held.recv().unwrap()
    }

    /// Stops the thread once the clients are gone.
    fn stop(self) {
        drop(self.measure);
        self.thread.join().unwrap();
    }
}

/// Measures what a thread holds with `count` tasks that wait for a byte.
fn bare(count: usize) -> isize {
    let serving = Serving::start(count, |mut stream| async move {
        let mut byte = [0];
        while stream.read(&mut byte).await.unwrap() > 0 {
            stream.write_all(&byte).await.unwrap();
        }
    });
    let mut clients: Vec<_> =
        (0..count).map(|_| std::net::TcpStream::connect(serving.address).unwrap()).collect();
    for client in &mut clients {
        client.write_all(b"x").unwrap();
        client.read_exact(&mut [0]).unwrap();
    }
    let (held, _) = serving.held();
    drop(clients);
    serving.stop();
    held
}

/// Measures what each of `count` connections holds beyond a bare task, after an echo of each size.
fn measure<F>(name: &str, count: usize, sizes: &[usize], serve: fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    measure_up_to(MOST, name, count, sizes, ("ws", Connector::new()), serve);
}

fn measure_up_to<F>(
    most: isize,
    name: &str,
    count: usize,
    sizes: &[usize],
    (scheme, connector): (&str, Connector),
    serve: impl Fn(TcpStream) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let bare = bare(count);
    let serving = Serving::start(count, serve);
    let url = format!("{scheme}://{}/", serving.address);
    let runtime = runtime();
    let mut clients = Vec::new();
    for _ in 0..count {
        let client = runtime.block_on(connector.connect(&url)).unwrap().0;
        clients.push(client);
    }
    for &size in sizes {
        for client in &mut clients {
            runtime.block_on(echo(client, size));
        }
        let (held, pool) = serving.held();
        let each = (held - bare) / count as isize;
        println!("{name}: {each} bytes each above a bare task after {size} B; in the pool {pool}");
        assert!(each <= most, "{each} bytes each, {name} after {size} B");
        // Memory of a message that is larger than what the pool keeps was freed.
        let least = if size > 1 << 20 { 0 } else { 20 << 10 };
        assert!((least..=POOL).contains(&pool), "{pool} in the pool, {name} after {size} B");
    }
    drop(clients);
    serving.stop();
}

async fn echo(client: &mut ClientWebSocket, size: usize) {
    let message = Message::binary(vec![7; size]);
    client.send(&message).await.unwrap();
    assert!(client.next().await.unwrap().unwrap() == message);
}

/// Checks the end of a server whose client just disconnects.
fn check_end(server: &ServerWebSocket) {
    assert!(server.closed().is_some());
}

async fn visit(stream: TcpStream) {
    let mut server = accept(stream).await.unwrap();
    let visited = server.receive_with(|event, replies| match event {
        Event::Binary(data) => replies.try_feed(data),
        _ => Ok::<(), Error>(()),
    });
    visited.await.unwrap_err();
    check_end(&server);
}

async fn lend(stream: TcpStream) {
    let mut server = accept(stream).await.unwrap();
    while let Some(Ok((event, mut replies))) = server.receive().await {
        if let Event::Binary(data) = event {
            replies.send(data).await.unwrap();
        }
    }
    check_end(&server);
}

async fn own(stream: TcpStream) {
    let mut server = accept(stream).await.unwrap();
    while let Some(Ok(message)) = server.next().await {
        server.send(&message).await.unwrap();
    }
    check_end(&server);
}

const SIZES: [usize; 2] = [16, 16 << 10];

#[test]
fn a_connection_that_receives_with_a_visitor_holds_no_buffer() {
    measure("receive_with", 200, &SIZES, visit);
    measure("receive_with", 10, &[4 << 20, 16], visit);
}

#[test]
fn a_connection_that_receives_borrowed_events_holds_no_buffer() {
    measure("receive", 200, &SIZES, lend);
    measure("receive", 10, &[4 << 20, 16], lend);
}

#[test]
fn a_connection_that_receives_owned_messages_holds_no_buffer() {
    measure("next", 200, &SIZES, own);
    measure("next", 10, &[4 << 20, 16], own);
}

/// The user may wait for something other than the peer.
#[test]
fn keepalive_takes_little() {
    // Most of it is the timer of tokio, which also takes memory once for all connections.
    const MOST_WITH_KEEPALIVE: isize = 357 + 280;
    let connector = ("ws", Connector::new());
    // Shared, as in a server. In each task it would make that larger.
    let config = Config::default().keepalive(sansocket::connection::Keepalive::default());
    let acceptor: &Acceptor = Box::leak(Box::new(Acceptor::new().config(config)));
    measure_up_to(
        MOST_WITH_KEEPALIVE,
        "receive, keepalive",
        200,
        &SIZES,
        connector,
        move |stream| async move {
            let mut server = acceptor.accept_tcp(stream).await.unwrap();
            while let Some(Ok((event, mut replies))) = server.receive().await {
                if let Event::Binary(data) = event {
                    replies.send(data).await.unwrap();
                }
            }
            check_end(&server);
        },
    );
}

/// Holds what TLS holds, and no more: the keys, and 4 KiB in which rustls collects a record.
#[cfg(feature = "rustls")]
#[test]
fn a_connection_with_tls_holds_no_buffer_of_ours() {
    use sansocket::tls::{ClientTls, ServerTls};

    const MOST_WITH_TLS: isize = 10 << 10;
    let identity = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (chain, key) = (identity.cert.pem(), identity.key_pair.serialize_pem());
    let connector = Connector::new().tls(ClientTls::with_roots(&chain).unwrap());
    let acceptor = Acceptor::new().tls(ServerTls::new(&chain, key).unwrap());
    let serve = move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut server = acceptor.accept_tcp(stream).await.unwrap();
            while let Some(Ok((event, mut replies))) = server.receive().await {
                if let Event::Binary(data) = event {
                    replies.send(data).await.unwrap();
                }
            }
            check_end(&server);
        }
    };
    measure_up_to(MOST_WITH_TLS, "receive, TLS", 200, &SIZES, ("wss", connector), serve);
}

#[test]
fn a_connection_that_only_sends_holds_no_buffer() {
    let mut servers = Vec::with_capacity(100);
    for _ in 0..100 {
        let transport = tokio::io::join(tokio::io::empty(), tokio::io::sink());
        let (negotiated, input) = (Negotiated::new(), ReadBuffer::new());
        servers.push(WebSocket::new(
            transport,
            Server::new(),
            negotiated,
            input,
            Config::default(),
        ));
    }
    let before = live();
    runtime().block_on(async {
        for server in &mut servers {
            server.send(&[1; 10_000]).await.unwrap();
            server.feed(&[1; 10_000]).await.unwrap();
            server.flush().await.unwrap();
        }
    });
    let each = (live() - before) / 100;
    println!("send: {each} bytes more than before, with a share of the pool");
    assert!(each <= MOST, "{each} bytes each");
}

/// The user may keep the connection to ask how it ended.
#[test]
fn a_connection_that_has_ended_holds_no_buffer() {
    let mut servers = Vec::with_capacity(100);
    empty_pool();
    let before = live();
    runtime().block_on(async {
        for _ in 0..100 {
            // A message, then a Close.
            let bytes = [&[0x82, 0x81, 0, 0, 0, 0, 9][..], &[0x88, 0x80, 0, 0, 0, 0]].concat();
            let transport = tokio::io::join(std::io::Cursor::new(bytes), tokio::io::sink());
            let (negotiated, input) = (Negotiated::new(), ReadBuffer::new());
            let mut server =
                WebSocket::new(transport, Server::new(), negotiated, input, Config::default());
            server.next().await.unwrap().unwrap();
            server.feed(&[1; 10_000]).await.unwrap();
            let end = unconstrained(server.next()).await;
            assert!(end.is_none(), "{end:?}");
            servers.push(server);
        }
    });
    empty_pool();
    let each = (live() - before) / 100;
    println!("ended: {each} bytes more than before");
    assert!(each <= MOST_ENDED, "{each} bytes each");
}

/// An honest connection has received a message of 1 MiB, whose memory is now in the pool. Then
/// fifty connections each receive only these bytes. Returns what each of them holds.
fn held_by_dribbling(bytes: &[u8]) -> isize {
    let (mut peer, mut honest) = server(4 << 20);
    let message =
        [&[0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0][..], &[7; 1 << 20]].concat();
    let mut slow_ones = Vec::with_capacity(50);
    empty_pool();
    let before = live();
    for _ in 0..50 {
        peer.write_all(&message).now_or_never().unwrap().unwrap();
        // The connection yields in the meantime.
        let mut turns =
            (0..100).map(|_| unconstrained(honest.receive()).now_or_never().map(|it| it.is_some()));
        assert_eq!(turns.find_map(|received| received), Some(true));
        assert!(unconstrained(honest.receive()).now_or_never().is_none());
        slow_ones.push(holder(bytes, &[]));
    }
    empty_pool();
    (live() - before) / 50
}

#[test]
fn a_few_bytes_hold_no_large_buffer_of_another_connection() {
    for bytes in [&[0x82][..], &[0x82, 0xff, 0, 0, 0, 0, 0, 0x0f, 0xff, 0, 1, 2, 3, 4, 5]] {
        let each = held_by_dribbling(bytes);
        println!("dribbling {} bytes: {each} held", bytes.len());
        assert!(each <= 64 << 10, "{each} bytes for {bytes:x?}");
    }
}

#[test]
fn drained_input_is_not_kept() {
    for end in [&b"\x88\x80\0\0\0\0"[..], b"\x81\x01a"] {
        let (mut near, mut server) = server(1 << 20);
        near.write_all(end).now_or_never().unwrap().unwrap();
        // Its buffer may be leased to another connection.
        assert!(server.next().now_or_never().unwrap().is_none_or(|last| last.is_err()));
        let _other = holder(b"\x81", b"");
        let before = live();
        for _ in 0..16 {
            near.write_all(&[0; 1 << 20]).now_or_never().unwrap().unwrap();
            // The drain proceeds in turns.
            for _ in 0..32 {
                assert!(unconstrained(server.wait_closed()).now_or_never().is_none());
            }
            // Includes the bytes in the pipe.
            let kept = live() - before;
            assert!(kept <= 2 << 20, "{kept} bytes");
        }
    }
}

#[test]
fn a_connection_that_waits_for_the_end_holds_no_output() {
    let (mut peer, far) = tokio::io::duplex(16 << 20);
    let role = Client::new(SystemMaskKeys::new().unwrap());
    let mut client =
        WebSocket::new(far, role, Negotiated::new(), ReadBuffer::new(), Config::default());
    let data = vec![7; 4 << 20];
    runtime().block_on(async {
        client.try_feed(&data).unwrap();
        peer.write_all(&[0x88, 2, 0x03, 0xe8]).await.unwrap();
        assert!(unconstrained(client.next()).now_or_never().is_none());
    });
    let before = live();
    drop(client);
    let freed = before - live();
    println!("closing: {freed} bytes held");
    assert_eq!(peer.read(&mut [0; 1]).now_or_never().unwrap().unwrap(), 1);
    // The Close that was read, and the bytes in the pipe.
    assert!(freed <= 64 << 10, "{freed} bytes");
}

#[test]
fn looking_for_buffered_messages_leases_no_buffer() {
    let (mut peer, mut server) = server(1000);
    peer.write_all(&[0x82, 0x81, 0, 0, 0, 0, 9]).now_or_never().unwrap().unwrap();
    let before = live();
    assert!(server.receive_buffered().is_none());
    assert_eq!(live(), before);
    assert!(server.receive().now_or_never().unwrap().unwrap().is_ok());
    assert!(server.receive_buffered().is_none());
    empty_pool();
    // The pool keeps its list, even if empty.
    assert!(live() <= before + 256, "{} bytes", live() - before);
}

/// Another connection's leftovers in a buffer, from compression or from its demand for room, do not
/// affect the next connection.
#[cfg(feature = "deflate")]
#[test]
fn a_buffer_keeps_no_state_of_its_last_connection() {
    let (mut compressing, far) = tokio::io::duplex(1000);
    let agreed = Negotiated::new().deflate(sansocket::deflate::DeflateParameters::default());
    let mut one = WebSocket::new(far, Server::new(), agreed, ReadBuffer::new(), Config::default());
    // The header of a compressed frame and one byte, from which nothing is inflated yet.
    let bytes = [0xc2, 0x80 | 100, 0, 0, 0, 0, 0x04];
    compressing.write_all(&bytes).now_or_never().unwrap().unwrap();
    assert!(one.next().now_or_never().is_none());
    let (mut plain, mut other) = server(1000);
    for (first, payload) in [(0x82, b"123"), (0x81, b"abc")] {
        let frame = [&[first, 0x83, 0, 0, 0, 0][..], payload].concat();
        plain.write_all(&frame).now_or_never().unwrap().unwrap();
        let message = other.next().now_or_never().unwrap().unwrap().unwrap();
        assert_eq!(message.as_bytes(), payload);
    }
}

/// At this size, with a TCP stream, the connection fits into its task's allocation, which is a
/// multiple of 128 bytes: 8 bytes more here are 128 bytes more of resident memory.
#[test]
fn a_connection_is_small() {
    let new = || {
        let (negotiated, input) = (Negotiated::new(), ReadBuffer::new());
        WebSocket::new(tokio::io::empty(), Server::new(), negotiated, input, Config::default())
    };
    let before = live();
    let _server = new();
    let each = live() - before;
    assert!(each <= MOST_EMPTY, "{each} bytes");
}

fn size_of_future<T, F>(_: fn(T) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn futures_are_small() {
    let (stream, _peer) = tokio::io::duplex(64);
    let (negotiated, input) = (Negotiated::new(), ReadBuffer::new());
    let mut server = WebSocket::new(stream, Server::new(), negotiated, input, Config::default());
    println!("WebSocket over TCP: {} bytes", size_of::<ServerWebSocket>());
    assert_eq!(size_of::<ServerWebSocket>(), size_of::<usize>());
    let (mut largest, data) = (0, [1]);
    let mut note = |name: &str, size: usize| {
        println!("{name}: {size} bytes");
        largest = largest.max(size);
    };
    note("next", size_of_val(&server.next()));
    note("receive", size_of_val(&server.receive()));
    note("receive_chunk", size_of_val(&server.receive_chunk()));
    note("receive_with", size_of_val(&server.receive_with(|_, _| Ok::<(), Error>(()))));
    note("feed", size_of_val(&server.feed(&data)));
    note("feed_fragment", size_of_val(&server.feed_fragment(&data, true)));
    note("flush", size_of_val(&server.flush()));
    note("send", size_of_val(&server.send(&data)));
    note("ping", size_of_val(&server.ping(&data)));
    note("close", size_of_val(&server.close(CloseCode::NORMAL, "")));
    note("wait_closed", size_of_val(&server.wait_closed()));
    // A task that keeps the connection also has room for these.
    let (acceptor, connector) = (Acceptor::new(), Connector::new());
    let (stream, _peer) = tokio::io::duplex(64);
    note("Acceptor::accept", size_of_val(&acceptor.accept(stream)));
    note("Connector::connect", size_of_val(&connector.connect("ws://a/")));
    note("accept", size_of_future(accept));
    note("connect", size_of_val(&connect("ws://a/")));
    assert!(largest <= 256, "{largest} bytes");
}
