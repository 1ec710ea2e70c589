//! What compression makes an end hold at most, on a system that grows a large block where it is:
//! `deflate_memory.rs` counts it as if each were moved.
#![cfg(all(feature = "deflate", feature = "std"))]

mod endpoint;

use core::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
};
use endpoint::*;
use sansocket::{
    Client, Config, Connection, DeflateConfig, DeflateParameters, Limits, MaskKey, Negotiated,
    ProtocolError, ReadBuffer, Role, Server, WriteBuffer,
};
use std::alloc::System;

/// Counts what each thread, thus each test, holds.
struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: isize) {
    // At the end of a thread its counts may be gone already.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: all is left to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps to what `GlobalAlloc` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Systems grow a large block where it is, by moving pages and not bytes.
        count(size as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What `work` leaves behind, and the most that it held.
fn held<T>(work: impl FnOnce() -> T) -> (T, isize, isize) {
    let before = LIVE.with(Cell::get);
    PEAK.with(|peak| peak.set(before));
    let result = work();
    (result, LIVE.with(Cell::get) - before, PEAK.with(Cell::get) - before)
}

fn end<R: Role>(role: R, negotiated: &Negotiated, config: Config) -> Endpoint<R> {
    Endpoint {
        connection: Connection::new(role, negotiated, config),
        input: ReadBuffer::new(),
        output: WriteBuffer::new(),
    }
}

fn compressing() -> Negotiated {
    Negotiated::new().deflate(DeflateParameters::default())
}

fn eager() -> Config {
    Config::default().deflate(DeflateConfig::new().threshold(0))
}

fn client(config: Config) -> Endpoint<Client<impl FnMut() -> MaskKey>> {
    end(Client::new(|| MaskKey::new([0; 4])), &compressing(), config)
}

/// Messages of zeros, compressed as one stream, in frames of at most `frame` bytes.
fn bombs(len: usize, count: usize, frame: usize) -> Vec<u8> {
    let mut sender = end(Server::new(), &compressing(), eager().fragment_size(frame));
    let zeros = vec![0; len];
    let mut bytes = Vec::new();
    for _ in 0..count {
        sender.connection.send_binary(&zeros, &mut sender.output).unwrap();
        bytes.extend(sender.written());
    }
    bytes
}

#[test]
fn a_compressor_takes_no_more_than_it_may() {
    let text = "said again and again ".repeat(1000);
    for memory in [0, 130, 134, 140, 160, 200, 250, 300, 372, 1000] {
        let config = Config::default().deflate(DeflateConfig::new().memory(memory << 10));
        let (len, _, peak) = held(|| {
            let mut server = end(Server::new(), &compressing(), config);
            server.connection.send_text(&text, &mut server.output).unwrap();
            server.written().len()
        });
        assert_eq!(len < text.len(), memory >= 140, "{memory} KiB");
        // Beside it there are the message, compressed and queued, or plain.
        let beside = 4 * text.len().min(len * 10) as isize;
        assert!(peak <= (memory << 10) as isize + beside.max(16_384), "{memory} KiB: {peak}");
    }
}

const LIMIT: usize = 1 << 20;

/// The window, what the decompressor has beside it, the history, and what a read takes.
const CONTEXT: isize = 128 * 1024;

#[test]
fn a_bomb_takes_no_more_than_the_limit_and_a_context() {
    for frame in [0, 1, 100] {
        let bytes = bombs(50 * LIMIT, 1, frame);
        assert!(bytes.len() < LIMIT / 2);
        let config = eager().limits(Limits::default().message(LIMIT as u64));
        let (error, _, peak) = held(|| {
            let mut receiver = client(config);
            let mut error = None;
            for piece in bytes.chunks(1000) {
                receiver.fill(piece);
                if let Err(failure) = receiver.messages() {
                    error = Some(failure);
                    break;
                }
            }
            error
        });
        let (len, limit) = (LIMIT as u64 + 1, LIMIT as u64);
        assert_eq!(error, Some(ProtocolError::MessageTooLarge { len, limit }.into()), "{frame}");
        assert!(peak < LIMIT as isize + CONTEXT, "{frame}: {peak}");
    }
}
