//! What event streams hold while nothing happens.

use sansocket_realtime::{
    Epoch, Message,
    hub::{Command, ConnectionId, Hub},
    sse::{EventStream, EventStreamConfig, EventStreamRequest},
};
use sansocket_testkit::allocator::live;
use std::time::Duration;

const STREAMS: u64 = 10_000;

fn open(hub: &mut Hub, id: u64) -> EventStream {
    let (config, now) = (EventStreamConfig::default(), Duration::ZERO);
    let request = EventStreamRequest::parse("topic=/topic/a", Some(b"a-0"), &config).unwrap();
    let (mut stream, commands) =
        EventStream::open(ConnectionId(id), None, request, config, now, id << 40);
    for command in commands {
        for effect in hub.handle(command, now) {
            stream.apply(&effect, now);
        }
    }
    while stream.next_chunk().is_some() {}
    stream
}

#[test]
fn an_idle_stream_holds_some_hundred_bytes_also_after_a_message() {
    let mut hub = Hub::new(Epoch(0xa));
    let before = live();
    let mut streams: Vec<_> = (0..STREAMS).map(|id| open(&mut hub, id)).collect();
    let idle = (live() - before) / STREAMS as isize;
    println!("an idle stream holds {idle} bytes");
    assert!(idle <= 600, "{idle}");

    let message = Message::new("x".repeat(10_000));
    let publish = Command::Publish { destination: "/topic/a".into(), message, request: None };
    let effects: Vec<_> = hub.handle(publish, Duration::ZERO).collect();
    let before = live();
    for (stream, effect) in streams.iter_mut().zip(&effects) {
        assert!(stream.apply(effect, Duration::ZERO));
    }
    let queued = (live() - before) / STREAMS as isize;
    assert!(queued < 200, "a message of 10,000 bytes takes {queued} in each queue");
    streams.iter_mut().for_each(|stream| while stream.next_chunk().is_some() {});
    let left = live() - before;
    assert!(left < 11_000, "{left} bytes are left, and the message once");
}
