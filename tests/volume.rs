//! A lot of data in both directions at once through a stream of bytes over TCP on loopback: every byte
//! arrives, and the memory does not grow.
//!
//! `SANSOCKET_VOLUME` is the number of MiB in each direction, 64 by default.
#![cfg(feature = "std")]

use sansocket::random;
use sansocket_testkit::{
    allocator::{Counting, measure},
    noise::noise,
    pair,
};
use std::{
    collections::hash_map::DefaultHasher,
    env,
    hash::Hasher,
    io::{Read, Write},
    thread,
    time::{Duration, Instant},
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The bytes that are made and checked at a time.
const BLOCK: usize = 64 << 10;

/// The memory that a stream may take in all: its buffers, and those of its thread. The queue may be
/// full, and memory grows by doubling.
const MOST: isize = 4 << 20;

fn blocks() -> usize {
    let mib =
        env::var("SANSOCKET_VOLUME").map_or(64, |text| text.parse().expect("a number of MiB"));
    mib << 20 >> BLOCK.trailing_zeros()
}

/// Makes blocks of random bytes. Each block is different, so that a missing or repeated one is found.
struct Source {
    noise: Vec<u8>,
    block: Vec<u8>,
    hasher: DefaultHasher,
    count: u64,
}

impl Source {
    fn new() -> Self {
        let seed = random::number().unwrap() as u32;
        let noise = noise((1 << 20) + BLOCK, seed);
        Self { noise, block: vec![0; BLOCK], hasher: DefaultHasher::new(), count: 0 }
    }

    fn next(&mut self) -> &[u8] {
        let from = (self.count as usize).wrapping_mul(4099) % (1 << 20);
        self.block.copy_from_slice(&self.noise[from..from + BLOCK]);
        self.block[..8].copy_from_slice(&self.count.to_be_bytes());
        self.count += 1;
        self.hasher.write(&self.block);
        &self.block
    }
}

fn report(what: &str, blocks: usize, time: Duration, memory: isize) {
    let mib = (2 * blocks * BLOCK) >> 20;
    let rate = mib as f64 / time.as_secs_f64();
    println!("{what}: {mib} MiB in {time:.1?}, {rate:.0} MiB/s; {memory} bytes of memory");
}

/// Two threads at each end. Each counts its own memory.
#[test]
fn a_blocking_stream_carries_everything_with_flat_memory() {
    let (client, server) = pair::blocking::pair();
    let (blocks, began) = (blocks(), Instant::now());
    let (mut threads, mut hashes) = (Vec::new(), Vec::new());
    macro_rules! run {
        ($end:ident) => {
            let (sender, receiver) = $end.split().unwrap();
            let (mut writer, mut reader) = (sender.into_byte_writer(), receiver.into_byte_reader());
            threads.push(thread::spawn(move || {
                let mut source = Source::new();
                let ((), taken) = measure(|| {
                    for _ in 0..blocks {
                        writer.write_all(source.next()).unwrap();
                    }
                });
                // Kept until both directions are complete: a Close ends both.
                (source.hasher.finish(), taken.most_if_moved, Box::new(writer) as Box<dyn Send>)
            }));
            hashes.push(thread::spawn(move || {
                let (mut block, mut hasher) = (vec![0; BLOCK], DefaultHasher::new());
                let ((), taken) = measure(|| {
                    for _ in 0..blocks {
                        reader.read_exact(&mut block).unwrap();
                        hasher.write(&block);
                    }
                });
                (hasher.finish(), taken.most_if_moved, Box::new(reader) as Box<dyn Send>)
            }));
        };
    }
    run!(client);
    run!(server);
    let sent: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let received: Vec<_> = hashes.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!([sent[0].0, sent[1].0], [received[1].0, received[0].0]);
    let most = sent.iter().chain(&received).map(|(_, most, _)| *most).max().unwrap();
    report("blocking", blocks, began.elapsed(), most);
    assert!(most < MOST, "{most} bytes");
}

/// All in one thread, so that all memory is counted together.
#[cfg(feature = "tokio")]
#[test]
fn a_stream_of_tokio_carries_everything_with_flat_memory() {
    use sansocket::on_tokio::{Acceptor, Connector};
    use sansocket_testkit::allocator::live;
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};

    async fn send(mut writer: impl AsyncWrite + Unpin, mut source: Source, blocks: usize) -> u64 {
        for _ in 0..blocks {
            writer.write_all(source.next()).await.unwrap();
        }
        writer.flush().await.unwrap();
        source.hasher.finish()
    }

    /// Returns the hash, and the most memory in the first and in the second half.
    async fn receive(mut reader: impl AsyncRead + Unpin, blocks: usize) -> (u64, [isize; 2]) {
        let (mut block, mut hasher) = (vec![0; BLOCK], DefaultHasher::new());
        let mut most = [isize::MIN; 2];
        for number in 0..blocks {
            reader.read_exact(&mut block).await.unwrap();
            hasher.write(&block);
            let half = &mut most[usize::from(number > blocks / 2)];
            *half = live().max(*half);
        }
        (hasher.finish(), most)
    }

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, server) = pair::tokio::pair(Connector::new(), Acceptor::new()).await;
        let (blocks, began) = (blocks(), Instant::now());
        let (client_reader, client_writer) = split(client.into_byte_stream());
        let (server_reader, server_writer) = split(server.into_byte_stream());
        let sources = (Source::new(), Source::new());
        let before = live();
        let (up, down, (received_down, at_client), (received_up, at_server)) = tokio::join!(
            send(client_writer, sources.0, blocks),
            send(server_writer, sources.1, blocks),
            receive(client_reader, blocks),
            receive(server_reader, blocks),
        );
        assert_eq!((up, down), (received_up, received_down));
        let [first, second] = [0, 1].map(|half| at_client[half].max(at_server[half]) - before);
        report("tokio", blocks, began.elapsed(), first.max(second));
        assert!(first < 2 * MOST, "{first} bytes");
        // The most of a half depends on the system's timing. What stayed of each block would be 32 times as much.
        assert!(second <= first + (1 << 20), "{first} bytes at first, {second} bytes later");
    });
}
