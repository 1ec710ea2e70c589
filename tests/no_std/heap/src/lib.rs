//! A whole connection with an allocator and without std.
#![no_std]
#![no_main]

use core::{
    alloc::{GlobalAlloc, Layout},
    sync::atomic::{AtomicUsize, Ordering},
};
use sansocket::{CloseCode, Config, Event, Limits, buffer::{ReadBuffer, WriteBuffer}, connection::{Client, Connection, Role, Server, TransportEnd}, handshake::{ClientHandshake, ClientRequest, ServerHandshake, Url}, mask::MaskKey};

/// Runs a handshake, a message in each direction, and a clean close. Returns 0 on success.
#[unsafe(no_mangle)]
pub extern "C" fn check() -> i32 {
    match conversation() {
        Some(true) => 0,
        _ => 1,
    }
}

fn conversation() -> Option<bool> {
    let mut to_server = (WriteBuffer::new(), ReadBuffer::new());
    let mut to_client = (WriteBuffer::new(), ReadBuffer::new());

    let limits = Limits::default();
    let request = ClientRequest::new(&Url::parse("ws://localhost/").ok()?);
    let mut client =
        ClientHandshake::start(&request, [7; 16], &mut to_server.0, &limits).ok()?;
    pass(&mut to_server);
    let request = ServerHandshake::new(&limits).receive(&mut to_server.1).ok()??;
    let negotiated = request.accept(&sansocket::handshake::Accept::new(), &mut to_client.0).ok()?;
    let mut server = Connection::new(Server::new(), &negotiated, Config::default());
    pass(&mut to_client);
    let response = client.receive(&mut to_client.1).ok()??;
    let role = Client::new(|| MaskKey::new([1, 2, 3, 4]));
    let mut client = Connection::new(role, response.negotiated(), Config::default());

    client.send_text("ping", &mut to_server.0).ok()?;
    client.close(CloseCode::NORMAL, "", &mut to_server.0).ok()?;
    pass(&mut to_server);
    let mut answered = false;
    while server.advance(&mut to_server.1, &mut to_client.0).ok()?.goes_on() {
        if let Some(Event::Text("ping")) = server.event(&to_server.1) {
            server.send_text("pong", &mut to_client.0).ok()?;
        }
    }
    pass(&mut to_client);
    while client.advance(&mut to_client.1, &mut to_server.0).ok()?.goes_on() {
        answered |= client.event(&to_client.1) == Some(Event::Text("pong"));
    }
    Some(answered && ended(&mut client, &to_server.0) && ended(&mut server, &to_client.0))
}

fn pass((from, to): &mut (WriteBuffer, ReadBuffer)) {
    while !from.is_empty() {
        to.extend_from_slice(from.front());
        from.consume(from.front().len());
    }
}

fn ended<R: Role>(connection: &mut Connection<R>, output: &WriteBuffer) -> bool {
    connection.transport_ended(TransportEnd::Eof, output).clean
}

/// Allocates from a fixed piece of memory and frees nothing.
struct Bump {
    used: AtomicUsize,
}

const SIZE: usize = 1 << 20;
static mut MEMORY: [u8; SIZE] = [0; SIZE];

#[global_allocator]
static BUMP: Bump = Bump { used: AtomicUsize::new(0) };

// SAFETY: each call returns a separate part of `MEMORY`, aligned as requested.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let base = &raw mut MEMORY as usize;
        let taken = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
            let start = (base + used).next_multiple_of(layout.align()) - base;
            start.checked_add(layout.size()).filter(|&end| end <= SIZE)
        });
        match taken {
            Ok(used) => ((base + used).next_multiple_of(layout.align())) as *mut u8,
            Err(_) => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
