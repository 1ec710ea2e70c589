//! How much memory messages take that are read or written as streams: the same, however long they are.
#![cfg(feature = "std")]

use sansocket::{
    Config, Limits,
    blocking::{Acceptor, Connector},
    connection::MessageKind,
};
use sansocket_testkit::{
    allocator::{self, Counting},
    frames::*,
    pair::blocking::{client_and_stream, server_and_stream},
};
use std::{
    io::{Read, Write},
    thread,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs `action` and returns how many more bytes were held at its peak.
fn peak<T>(action: impl FnOnce() -> T) -> (T, isize) {
    let (result, taken) = allocator::measure(action);
    (result, taken.most_if_moved)
}

/// Buffers for reading, and some reserve.
const MOST: isize = 200 << 10;
const LEN: u64 = 64 << 20;

/// A message that never ends, in one frame or in many, and a reader of a few bytes at a time.
#[test]
fn a_message_that_does_not_end_takes_no_more_memory() {
    let limits = Limits::default().message(1000).fragments(10);
    let acceptor = Acceptor::new().config(Config::default().limits(limits));
    for in_one_frame in [true, false] {
        let (mut server, mut client) = server_and_stream(acceptor.clone());
        let sends = thread::spawn(move || {
            let mut piece = vec![7; 64 << 10];
            if in_one_frame {
                client.write_all(&header_with(BINARY_START, 1 << 62, Some([0; 4]))).unwrap();
            } else {
                client.write_all(&masked(BINARY_START, b"")).unwrap();
                piece = masked(MORE, &piece);
            }
            // Until the server drops the connection.
            while client.write_all(&piece).is_ok() {}
        });
        let mut buffer = [0; 3000];
        let (read, most) = peak(|| {
            let mut reader = server.next_reader().unwrap().unwrap();
            let mut read = 0;
            while read < LEN {
                read += reader.read(&mut buffer).unwrap() as u64;
            }
            read
        });
        println!("{read} bytes of a message with {most} bytes of memory");
        assert!(most < MOST, "{most} bytes");
        drop(server);
        sends.join().unwrap();
    }
}

/// A writer holds a fragment, however much is written, and the queue what the peer has not taken.
#[test]
fn a_writer_takes_no_more_memory_for_a_long_message() {
    let (mut client, mut server) = client_and_stream(Connector::new());
    let reads = thread::spawn(move || std::io::copy(&mut server, &mut std::io::sink()).unwrap());
    let ((), most) = peak(|| {
        let mut writer = client.message_writer(MessageKind::Text);
        for _ in 0..LEN / 16 {
            writer.write_all(b"sixteen letters!").unwrap();
        }
        writer.finish().unwrap();
    });
    println!("{LEN} bytes written with {most} bytes of memory");
    assert!(most < 2 * MOST, "{most} bytes");
    drop(client);
    assert!(reads.join().unwrap() > LEN);
}

#[cfg(all(feature = "tokio", feature = "deflate"))]
mod deflate {
    use super::*;
    use sansocket::{
        DeflateConfig,
        buffer::ReadBuffer,
        connection::{Server, TransportEnd},
        deflate::DeflateParameters,
        handshake::Negotiated,
        on_tokio::WebSocket,
    };
    use sansocket_testkit::{
        endpoint::{Endpoint, client_role},
        polling::run,
        transports::wire::{CLIENT, EAGER, SERVER, Wire},
    };
    use std::pin::pin;
    use tokio::io::AsyncReadExt;

    /// 1000:1, read or skipped.
    #[test]
    fn a_bomb_takes_no_more_memory() {
        let agreed = Negotiated::new().deflate(DeflateParameters::default());
        let config = Config::default().deflate(DeflateConfig::new()).fragment_size(0);
        let mut sender = Endpoint::agreed(Server::new(), &agreed, config);
        sender.connection.send_binary(&vec![0; LEN as usize], &mut sender.output).unwrap();
        let bytes = sender.written();
        assert!(bytes.len() < LEN as usize / 900);
        let _ = sender.transport_ended(TransportEnd::Dropped);
        for skips in [false, true] {
            let wire = Wire::new();
            wire.put(SERVER, &bytes);
            wire.put(SERVER, &plain(TEXT, b"next"));
            let (end, input) = (wire.end(CLIENT, EAGER), ReadBuffer::new());
            let mut client = WebSocket::new(end, client_role(), agreed.clone(), input, config);
            let mut buffer = vec![0; 64 << 10];
            let user = async {
                let mut reader = client.next_reader().await.unwrap().unwrap();
                let mut read = 0;
                let mut is_done = skips;
                while !is_done {
                    let count = reader.read(&mut buffer).await.unwrap();
                    read += count as u64;
                    is_done = count == 0;
                }
                drop(reader);
                assert_eq!(read, if skips { 0 } else { LEN });
                assert!(client.next().await.unwrap().unwrap().is_text());
            };
            let mut user = pin!(user);
            let ((), most) = peak(|| run(&wire, &mut [user.as_mut()]));
            println!("{LEN} bytes from {} with {most} bytes of memory", bytes.len());
            assert!(most < 2 * MOST, "{most} bytes");
        }
    }
}
