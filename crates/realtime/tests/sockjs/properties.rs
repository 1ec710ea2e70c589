//! What holds for any order of requests, aborts, messages and time.

use proptest::prelude::*;
use sansocket_realtime::sockjs::{
    AttachError, Cause, Config, Effect, PreparedMessage, Receiver, SendError, SessionKey, Sessions,
    Transport,
};
use std::{collections::HashMap, time::Duration};

const QUEUED: usize = 8;

#[derive(Clone, Copy, Debug)]
enum Step {
    Attach(u8, Transport),
    /// The connections of all receivers take so many chunks.
    Take(u8),
    Abort(u8),
    Send(u8),
    Receive(u8),
    Close(u8),
    Wait(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let transport = prop_oneof![
        Just(Transport::Xhr),
        Just(Transport::XhrStreaming),
        Just(Transport::EventSource)
    ];
    prop_oneof![
        6 => (0..3_u8, transport).prop_map(|(id, transport)| Step::Attach(id, transport)),
        6 => (1..5_u8).prop_map(Step::Take),
        1 => (0..3_u8).prop_map(Step::Abort),
        6 => (0..3_u8).prop_map(Step::Send),
        3 => (0..3_u8).prop_map(Step::Receive),
        1 => (0..3_u8).prop_map(Step::Close),
        3 => (0..12_000_u16).prop_map(Step::Wait),
    ]
}

/// What became of one session.
#[derive(Debug, Default)]
struct Story {
    id: String,
    receiver: Option<(Receiver, Transport)>,
    latest: Option<Receiver>,
    /// Whether all that the latest receiver took was written.
    written: bool,
    /// Messages that the application has sent, numbered from 0.
    sent: usize,
    /// How many of them were taken, without a gap.
    taken: usize,
    /// The same in the other direction.
    posted: usize,
    received: usize,
    closed: Option<Cause>,
    aborted: bool,
}

#[derive(Debug)]
struct Server {
    sessions: Sessions,
    stories: HashMap<SessionKey, Story>,
    now: Duration,
}

impl Server {
    fn new() -> Self {
        let config = Config::default()
            .queued_messages(QUEUED)
            .frame_limit(12)
            .response_limit(60)
            .sessions(2);
        let sessions = Sessions::new(config.into());
        Self { sessions, stories: HashMap::new(), now: Duration::ZERO }
    }

    /// The session that has this id now, as its client sees it.
    fn latest(&self, id: u8) -> Option<SessionKey> {
        let is_of = |key: &&SessionKey| self.stories[key].id == id.to_string();
        self.stories.keys().filter(is_of).max().copied()
    }

    fn run(&mut self, step: Step) {
        let now = self.now;
        match step {
            Step::Attach(id, transport) => self.attach(id, transport),
            Step::Take(count) => {
                for key in self.receiving() {
                    for _ in 0..count {
                        self.take(key);
                    }
                }
            }
            Step::Abort(id) => {
                let Some(key) = self.latest(id) else { return };
                let story = self.stories.get_mut(&key).unwrap();
                let Some(receiver) = story.latest else { return };
                story.receiver = None;
                story.aborted |= !story.written;
                self.sessions.aborted(key, receiver, now);
            }
            Step::Send(id) => self.send(id),
            Step::Receive(id) => self.receive(id),
            Step::Close(id) => {
                let Some(key) = self.latest(id) else { return };
                self.sessions.close(key, 3000, "bye", now);
            }
            Step::Wait(milliseconds) => {
                self.wait(now + Duration::from_millis(milliseconds.into()));
            }
        }
        self.effects();
    }

    fn receiving(&self) -> Vec<SessionKey> {
        let mut keys: Vec<_> = self.stories.keys().copied().collect();
        keys.retain(|key| self.stories[key].receiver.is_some());
        keys
    }

    fn attach(&mut self, id: u8, transport: Transport) {
        let id = id.to_string();
        match self.sessions.attach(&id, b"", transport, self.now) {
            Ok((key, receiver)) => {
                let story = self.stories.entry(key).or_default();
                assert!(story.receiver.is_none(), "two receivers at a time");
                (story.id, story.written) = (id, false);
                (story.receiver, story.latest) = (Some((receiver, transport)), Some(receiver));
            }
            Err(AttachError::Refused(refused)) => {
                let key = self.latest(id.parse().unwrap()).unwrap();
                let text = refused.into_text();
                if text.contains("c[2010,") {
                    assert!(self.stories[&key].receiver.is_some());
                } else {
                    self.end(key, &text);
                }
            }
            Err(AttachError::Full { limit }) => assert_eq!(self.sessions.len(), limit),
            Err(error) => panic!("{error}"),
        }
    }

    fn take(&mut self, key: SessionKey) {
        let story = self.stories.get_mut(&key).unwrap();
        let Some((receiver, transport)) = story.receiver else { return };
        let Some(chunk) = self.sessions.next_chunk(key, receiver, self.now) else { return };
        if chunk.last {
            story.receiver = None;
            story.written = story.sent % 2 == 0;
            if story.written {
                self.sessions.written(key, receiver, self.now);
            }
        }
        let frame = match transport {
            Transport::EventSource => chunk.text.trim_start_matches("data: "),
            _ => &chunk.text,
        };
        match frame.as_bytes()[0] {
            b'a' => {
                assert!(!story.aborted, "a message follows what may be lost");
                for number in frame.split(|byte: char| !byte.is_ascii_digit()) {
                    if !number.is_empty() {
                        assert_eq!(number.parse(), Ok(story.taken), "lost, doubled or reordered");
                        story.taken += 1;
                    }
                }
                assert!(story.taken <= story.sent);
            }
            b'c' => {
                assert!(chunk.last, "a response goes on behind a close");
                self.end(key, &chunk.text);
            }
            _ => {}
        }
    }

    /// The client of a session gets a close frame.
    fn end(&mut self, key: SessionKey, text: &str) {
        let story = &self.stories[&key];
        if text.contains("c[3000,") {
            assert_eq!(story.taken, story.sent, "closed before all was delivered");
        } else if text.contains("c[1008,") {
            assert_eq!(story.closed, Some(Cause::QueueFull));
        } else {
            assert!(text.contains("c[1002,"), "{text}");
            assert!(story.aborted);
        }
    }

    fn send(&mut self, id: u8) {
        let Some(key) = self.latest(id) else { return };
        let story = self.stories.get_mut(&key).unwrap();
        let message = PreparedMessage::new(&story.sent.to_string());
        match self.sessions.send(key, &message, self.now) {
            Ok(()) => story.sent += 1,
            Err(SendError::Closed) => assert!(story.closed.is_some()),
            Err(_) => assert_eq!(story.sent - story.taken, QUEUED),
        }
        assert!(story.sent - story.taken <= QUEUED || story.closed.is_some());
    }

    fn receive(&mut self, id: u8) {
        let Some(key) = self.latest(id) else { return };
        let story = self.stories.get_mut(&key).unwrap();
        let body = format!("[\"{}\",\"{}\"]", story.posted, story.posted + 1);
        let received = self.sessions.received(&id.to_string(), b"", body.as_bytes());
        if received.is_ok() && story.closed.is_none() {
            story.posted += 2;
        }
    }

    /// Lets time pass, and looks that it is never in vain.
    fn wait(&mut self, until: Duration) {
        while let Some(deadline) = self.sessions.next_deadline().filter(|next| *next <= until) {
            assert!(deadline >= self.now, "a deadline in the past");
            self.now = deadline;
            self.sessions.time_passed(deadline);
            assert!(self.sessions.next_deadline().is_none_or(|next| next > deadline));
            self.effects();
        }
        self.now = until;
    }

    fn effects(&mut self) {
        while let Some(effect) = self.sessions.next_effect() {
            match effect {
                Effect::Opened { session } => assert!(self.stories.contains_key(&session)),
                Effect::Messages { session, messages } => {
                    let story = self.stories.get_mut(&session).unwrap();
                    assert_eq!(story.closed, None, "a message after the end");
                    for text in messages {
                        assert_eq!(text, story.received.to_string());
                        story.received += 1;
                    }
                }
                Effect::Ready { .. } => {}
                Effect::Abort { session, receiver } => {
                    let story = self.stories.get_mut(&session).unwrap();
                    let attached = story.receiver.take();
                    assert_eq!(attached.map(|(it, _)| it), Some(receiver));
                    story.aborted = true;
                }
                Effect::Closed { session, cause } => {
                    let story = self.stories.get_mut(&session).unwrap();
                    assert_eq!(story.closed.replace(cause), None, "closed twice");
                    assert_eq!(story.received, story.posted);
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Each client goes on receiving until there is nothing more.
    fn drain(&mut self) {
        for id in 0..3 {
            let Some(key) = self.latest(id) else { continue };
            for _ in 0..40 {
                if self.stories[&key].receiver.is_none() && self.latest(id) == Some(key) {
                    self.run(Step::Attach(id, Transport::Xhr));
                }
                self.take(key);
                self.effects();
            }
            let story = &self.stories[&key];
            if story.closed.is_none() {
                assert_eq!(
                    (story.taken, story.aborted),
                    (story.sent, false),
                    "messages are missing"
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn messages_keep_their_order_and_none_is_lost_in_silence(
        steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut server = Server::new();
        for step in steps {
            server.run(step);
            prop_assert!(server.sessions.len() <= 2);
        }
        server.drain();
        // Without clients, nothing stays.
        server.wait(server.now + Duration::from_secs(100));
        prop_assert!(server.sessions.is_empty());
        prop_assert_eq!(server.sessions.next_deadline(), None);
        prop_assert!(server.stories.values().all(|story| story.closed.is_some()));
    }
}
