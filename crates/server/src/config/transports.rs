//! The sections of the transports.

use super::setting::{Meaning, Setting, of};
use super::units::{AtLeastOne, Count, Interval, Size, Time};
use sansocket_realtime::stomp::{self, header::HeartBeat};
use sansocket_realtime::{poll, sockjs, sse};

section! {
    Stomp {
        connect_timeout: Setting<Interval> = of("10 s"),
        disconnect_timeout: Setting<Interval> = of("10 s"),
        send_heart_beat: Setting<Time> = of("25 s"),
        want_heart_beat: Setting<Time> = of("25 s"),
        heart_beat_margin: Setting<Time> = of("5 s"),
        require_host: bool = false,
        headers: Setting<Count> = of("100"),
        header_line: Setting<Size> = of("8 KiB"),
        head: Setting<Size> = of("32 KiB"),
        waiting_input: Setting<Size> = of("64 KiB"),
        identifier: Setting<Size> = of("255"),
        receipts: Setting<Count> = of("10000"),
        transactions: Setting<Count> = of("100"),
        transaction_operations: Setting<Count> = of("1000"),
        transaction_bytes: Setting<Size> = of("4 MiB"),
        queued_output: Setting<Size> = of("4 MiB"),
    }
}

section! {
    Events for sse::EventStreamConfig {
        topics: Setting<Count> = of("100"),
        queued: Setting<Size> = of("4 MiB"),
        retry: Setting<Time> = of("3 s"),
        spread: Setting<Time> = of("30 s"),
        heart_beat: Setting<Interval> = of("15 s"),
        begin: Setting<Interval> = of("5 s"),
    }
}

section! {
    Poll for poll::Config {
        topics: Setting<Count> = of("100"),
        wait: Setting<Time> = of("25 s"),
        longest_wait: Setting<Time> = of("55 s"),
        begin: Setting<Interval> = of("5 s"),
        parked: Setting<Count> = of("100000"),
        events: Setting<AtLeastOne> = of("100"),
        bytes: Setting<Size> = of("1 MiB"),
    }
}

section! {
    SockJs for sockjs::Config {
        websocket: bool = true,
        cookie_needed: bool = false,
        heartbeat_delay: Setting<Interval> = of("25 s"),
        disconnect_delay: Setting<Time> = of("5 s"),
        response_limit: Setting<Size> = of("128 KiB"),
        frame_limit: Setting<Size> = of("64 KiB"),
        queued_messages: Setting<Count> = of("1024"),
        queued_bytes: Setting<Size> = of("8 MiB"),
        payload_bytes: Setting<Size> = of("1 MiB"),
        payload_messages: Setting<Count> = of("4096"),
        sessions: Setting<Count> = of("100000"),
        session_id_bytes: Setting<Size> = of("128"),
    }
}

section! {
    Publish {
        body: Setting<Size> = of("4 MiB"),
        timeout: Setting<Interval> = of("10 s"),
    }
}

impl Stomp {
    /// Returns the options of sessions whose messages have so many bytes at most.
    pub(crate) fn config(&self, message: usize) -> stomp::server::Config {
        let limits = stomp::Limits::default()
            .headers(self.headers.meaning())
            .header_line(self.header_line.0)
            .head(self.head.0)
            .body(message);
        let before_login = stomp::Limits::before_login();
        // A client that is not logged in gets no more than one that is.
        let before_login = before_login
            .headers(before_login.headers.min(limits.headers))
            .header_line(before_login.header_line.min(limits.header_line))
            .head(before_login.head.min(limits.head));
        stomp::server::Config::default()
            .connect_timeout(self.connect_timeout.0)
            .disconnect_timeout(self.disconnect_timeout.0)
            .heart_beat(HeartBeat::new(self.send_heart_beat.0, self.want_heart_beat.0))
            .heart_beat_margin(self.heart_beat_margin.0)
            .require_host(self.require_host)
            .limits(limits)
            .limits_before_login(before_login)
            .waiting_input(self.waiting_input.0)
            .identifier(self.identifier.0)
            .receipts(self.receipts.meaning())
            .transactions(self.transactions.meaning())
            .transaction_operations(self.transaction_operations.meaning())
            .transaction_bytes(self.transaction_bytes.0)
            .queued_output(self.queued_output.0)
    }
}
