//! Many connections at once.

#[cfg(target_os = "linux")]
use super::client::REQUEST;
use super::{
    client::{Client, close},
    server::Server,
};
use sansocket_testkit::frames::{TEXT, masked};
#[cfg(target_os = "linux")]
use std::collections::VecDeque;
use std::{
    thread,
    time::{Duration, Instant},
};

/// The number of connections for the server that uses a thread for each.
const MOST_THREADS: usize = 1000;
const CONNECTIONS: usize = 10_000;
/// File descriptors for the tests that run at the same time, and for the threaded server, which
/// uses two for each connection.
const SPARE_FILES: u64 = 2000;

/// Opens all connections, echoes on each, and ends half of them in order and the others abruptly.
pub(crate) fn many_connections_are_served_at_once(name: &str) {
    let count = allowed(if name == "echo_blocking" { MOST_THREADS } else { CONNECTIONS });
    let server = Server::start(name);
    let started = Instant::now();
    let clients = in_threads(count, |_| Client::open(&server));
    println!("{name}: {count} connections are open after {:?}", started.elapsed());
    #[cfg(target_os = "linux")]
    {
        assert!(server.files() >= count);
        println!("{name}: {} KiB of memory", server.memory() >> 10);
    }
    let mut clients = clients;
    for _ in 0..2 {
        for client in &mut clients {
            client.send(&masked(TEXT, b"are you there?"));
        }
        for client in &mut clients {
            assert_eq!(client.read_frame(), (TEXT, b"are you there?".to_vec()));
        }
    }
    println!("{name}: two echoes each after {:?}", started.elapsed());
    for (index, mut client) in clients.into_iter().enumerate() {
        if index % 2 == 0 {
            client.send(&close(1000));
            client.expect_end(1000);
        }
    }
    println!("{name}: all have ended after {:?}", started.elapsed());
    #[cfg(target_os = "linux")]
    while server.files() > 100 {
        assert!(started.elapsed() < Duration::from_secs(60), "{} files are open", server.files());
        thread::sleep(Duration::from_millis(100));
    }
    Client::open(&server).echo("still there?");
}

/// Opens connections until the server has no files left, and ends some of them. The server then
/// serves those that had to wait.
#[cfg(target_os = "linux")]
pub(crate) fn a_server_without_files_goes_on_later(name: &str) {
    // The connections of the threaded server take two files each, so with one of these limits it
    // accepts a client and has no file for the second handle.
    for files in [50, 51] {
        wait_for_files(name, files);
    }
}

#[cfg(target_os = "linux")]
fn wait_for_files(name: &str, files: usize) {
    let server = Server::start_with_files(name, files);
    let mut waiting: VecDeque<_> = (0..2 * files).map(|_| Client::connect(&server)).collect();
    for client in &mut waiting {
        client.send(REQUEST.as_bytes());
    }
    let started = Instant::now();
    while server.files() < files - 1 {
        assert!(started.elapsed() < Duration::from_secs(30), "{} files are open", server.files());
        thread::sleep(Duration::from_millis(10));
    }
    // The first waits for an answer, and is then dropped with everything that it holds.
    while let Some(mut client) = waiting.pop_front() {
        let head = client.read_head();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        client.echo("is there room?");
    }
}

/// Returns as many as this process may open: all, unless the system forbids it.
fn allowed(wanted: usize) -> usize {
    let needed = wanted as u64 + SPARE_FILES;
    // The server inherits this limit.
    let files = rlimit::increase_nofile_limit(needed).expect("the limit of open files is known");
    if files >= needed {
        return wanted;
    }
    let fewer = files.saturating_sub(SPARE_FILES).max(files / 2) as usize;
    eprintln!(
        "\n!!! ONLY {fewer} CONNECTIONS AND NOT {wanted}: this system allows {files} open files !!!\n"
    );
    fewer
}

/// Makes `count` items on a few threads.
fn in_threads<T: Send>(count: usize, make: impl Fn(usize) -> T + Sync) -> Vec<T> {
    const THREADS: usize = 8;
    thread::scope(|scope| {
        let make = &make;
        let some = |first| move || (first..count).step_by(THREADS).map(make).collect::<Vec<T>>();
        let threads: Vec<_> = (0..THREADS).map(|first| scope.spawn(some(first))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}
