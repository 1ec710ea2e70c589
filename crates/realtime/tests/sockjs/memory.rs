//! What sessions of SockJS hold while they wait, whatever they have transferred before.

use sansocket_realtime::sockjs::{Config, PreparedMessage, Sessions, Transport};
use sansocket_testkit::allocator::live;
use std::time::Duration;

const SESSIONS: u16 = 10_000;
const NOW: Duration = Duration::ZERO;

#[test]
fn an_idle_session_is_small() {
    let before = live();
    let mut sessions = Sessions::new(Config::default().into());
    let large = PreparedMessage::new(&"x".repeat(10_000));
    for index in 0..SESSIONS {
        let id = format!("{index:08x}");
        let (session, receiver) = sessions.attach(&id, b"", Transport::XhrStreaming, NOW).unwrap();
        for _ in 0..20 {
            sessions.send(session, &large, NOW).unwrap();
        }
        while sessions.next_chunk(session, receiver, NOW).is_some() {}
        let waiting = sessions.attach(&id, b"", Transport::Xhr, NOW).unwrap();
        while sessions.next_chunk(waiting.0, waiting.1, NOW).is_some() {}
        while sessions.next_effect().is_some() {}
    }
    drop(large);
    let each = (live() - before) / isize::try_from(SESSIONS).unwrap();
    assert!(each <= 500, "{each} bytes a session");

    let mut now = NOW;
    while let Some(deadline) = sessions.next_deadline() {
        now = now.max(deadline);
        sessions.time_passed(now);
        while sessions.next_effect().is_some() {}
    }
    assert!(sessions.is_empty());
    let kept = live() - before;
    assert!(kept < 50_000, "{kept} bytes after a rush");
    drop(sessions);
    assert_eq!(live(), before);
}
