//! A connection that waits for its peer does nothing. `async-io` has room for one task that waits to
//! write, and wakes it if another one takes its place: two tasks must not wake each other in turns.

use crate::executors::pair;
use async_io::{Timer, block_on};
use futures_util::{AsyncReadExt, AsyncWriteExt, SinkExt, StreamExt};
use sansocket::{Config, Message};
use std::{
    future::Future,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

/// More than the system buffers for a peer that does not read.
const LARGE: usize = 32 << 20;

/// A task that counts how often it is woken.
#[derive(Default)]
struct Counting {
    woken: AtomicBool,
    count: AtomicUsize,
}

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.count.fetch_add(1, Ordering::SeqCst);
    }
}

/// Runs two tasks that wait, for a while. Returns how often they were woken.
fn wakes(one: impl Future, other: impl Future) -> usize {
    let (mut one, mut other) = (pin!(one), pin!(other));
    let tasks = [Arc::new(Counting::default()), Arc::new(Counting::default())];
    let wakers = tasks.clone().map(Waker::from);
    tasks.iter().for_each(|task| task.wake_by_ref());
    for _ in 0..100 {
        if tasks[0].woken.swap(false, Ordering::SeqCst) {
            assert!(one.as_mut().poll(&mut Context::from_waker(&wakers[0])).is_pending());
        }
        if tasks[1].woken.swap(false, Ordering::SeqCst) {
            assert!(other.as_mut().poll(&mut Context::from_waker(&wakers[1])).is_pending());
        }
        block_on(Timer::after(Duration::from_millis(1)));
    }
    tasks.iter().map(|task| task.count.load(Ordering::SeqCst)).sum()
}

#[test]
fn two_tasks_that_wait_do_not_wake_each_other() {
    let message = || Message::binary(vec![7; LARGE]);

    let (client, server) = block_on(pair(Config::default()));
    let (mut sender, mut receiver) = server.split();
    let halves = wakes(sender.send(message()), receiver.next());
    drop(client);

    let (client, server) = block_on(pair(Config::default()));
    let (mut sink, mut stream) = StreamExt::split(server);
    let split = wakes(SinkExt::send(&mut sink, message()), StreamExt::next(&mut stream));
    drop(client);

    let (client, server) = block_on(pair(Config::default()));
    let (mut reader, mut writer) = AsyncReadExt::split(server.into_byte_stream());
    let (bytes, mut into) = (vec![7; LARGE], [0]);
    let of_bytes = wakes(writer.write_all(&bytes), reader.read(&mut into));
    drop(client);

    let most = [halves, split, of_bytes].into_iter().max().unwrap();
    assert!(most < 50, "{halves} {split} {of_bytes}");
}
