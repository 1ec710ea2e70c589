//! Clients of event streams that break anywhere, with hubs that forget and start again.

use crate::{
    delivery::{Client, Published},
    json::Json,
    server::{SECOND, Server},
};
use proptest::{collection::vec, prelude::*, sample::select};
use sansocket_realtime::{
    Cursor, Epoch,
    hub::{self, Command, Hub, Open, TopicConfig},
    sse::{EventStreamConfig, GAP, Parser, Received},
};

const TOPICS: [&str; 4] = ["/topic/a", "/topic/b", "/topic/c", "/topic/x/y"];

#[derive(Clone, Debug)]
enum Step {
    Publish(&'static str),
    Pass(u32),
    /// So many chunks arrive.
    Receive(usize),
    /// So many bytes arrive, and then the connection breaks.
    Break(usize),
    Open,
    Pause,
    Resume,
    ShutDown,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => select(&TOPICS[..]).prop_map(Step::Publish),
        3 => (1..20_u32).prop_map(Step::Pass),
        4 => (1..10_usize).prop_map(Step::Receive),
        3 => (0..200_usize).prop_map(Step::Break),
        4 => Just(Step::Open),
        1 => Just(Step::Pause),
        1 => Just(Step::Resume),
        1 => Just(Step::ShutDown),
        1 => Just(Step::Restart),
    ];
    vec(step, 0..120)
}

struct Run {
    server: Server,
    query: String,
    is_json: bool,
    client: Client,
    published: Published,
    parser: Parser,
    is_open: bool,
    /// The position at which the first stream of the client was opened, until its ID has arrived.
    begun: Option<u64>,
    epoch: u64,
}

impl Run {
    fn server(epoch: u64) -> Server {
        let topics = TopicConfig::default().messages(4).age(30 * SECOND);
        let config = hub::Config::default().other_topics(topics);
        let hub = Hub::with_config(Epoch(epoch), config, Open);
        Server::of(EventStreamConfig::default().queued(200), hub)
    }

    fn step(&mut self, step: &Step) {
        let connection = self.server.stream.subscription().0;
        match step {
            Step::Publish(topic) => {
                let body = self.published.add(topic);
                self.server.publish(topic, body);
            }
            Step::Pass(seconds) => self.server.pass(*seconds * SECOND),
            Step::Receive(chunks) if self.is_open => {
                for _ in 0..*chunks {
                    let Some(chunk) = self.server.stream.next_chunk() else { break };
                    self.receive(&chunk);
                }
                if self.server.stream.has_ended() {
                    self.close();
                }
            }
            Step::Break(bytes) if self.is_open => {
                let rest = self.server.take();
                self.receive(&rest[..rest.len().min(*bytes)]);
                self.close();
            }
            Step::Open if !self.is_open => self.open(),
            Step::Pause => self.server.handle(Command::Pause { connection }),
            Step::Resume => self.server.handle(Command::Resume { connection }),
            Step::ShutDown => self.server.stream.shut_down(),
            Step::Restart => {
                self.close();
                self.epoch += 1;
                self.server = Self::server(self.epoch);
                self.published = Published::default();
                if !self.parser.last_event_id().is_empty() {
                    self.client.restart();
                }
            }
            Step::Receive(_) | Step::Break(_) | Step::Open => {}
        }
    }

    fn open(&mut self) {
        let id = self.parser.last_event_id().to_owned();
        if id.is_empty() {
            self.begun = Some(self.published.head());
        }
        self.server.open(&self.query, Some(&id));
        assert_eq!(self.server.status(), Some(200));
        self.is_open = true;
    }

    fn close(&mut self) {
        self.parser.end();
        self.is_open = false;
        let disconnect = self.server.stream.disconnect();
        self.server.handle(disconnect);
    }

    fn receive(&mut self, mut input: &[u8]) {
        while let Some(received) = self.parser.next(&mut input).unwrap() {
            let Received::Message(message) = received else { panic!("{received:?}") };
            if let Some(begun) = self.begun.take() {
                self.client.begins(begun);
            }
            let id: Cursor = message.last_event_id.parse().unwrap();
            assert_eq!(id.epoch, Epoch(self.epoch));
            if message.event_type == GAP {
                let gap = Json::parse(message.data.as_bytes());
                assert_eq!(gap.text_of("to"), message.last_event_id);
                self.client.gap(id);
            } else if self.is_json {
                let data = Json::parse(message.data.as_bytes());
                assert_eq!(data.text_of("cursor"), message.last_event_id);
                self.client.message(&self.published, data.text_of("data"));
            } else {
                self.client.message(&self.published, message.data);
            }
        }
        let Ok(cursor) = self.parser.last_event_id().parse::<Cursor>() else { return };
        if let Some(begun) = self.begun.take() {
            self.client.begins(begun);
        }
        if cursor.epoch == Epoch(self.epoch) {
            self.client.cursor(&self.published, cursor);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn each_message_arrives_once_and_in_order_or_is_a_gap(
        steps in steps(),
        (query, wants) in select(vec![
            ("topic=/topic/a", (|topic| topic == "/topic/a") as fn(&str) -> bool),
            ("topic=/topic/a&topic=/topic/b", |topic| matches!(topic, "/topic/a" | "/topic/b")),
            ("topic=/topic/*", |topic| topic != "/topic/x/y"),
        ]),
        is_json: bool,
    ) {
        let mut run = Run {
            server: Run::server(1),
            query: format!("{query}&form={}", if is_json { "json" } else { "text" }),
            is_json,
            client: Client::new(wants),
            published: Published::default(),
            parser: Parser::default(),
            is_open: false,
            begun: None,
            epoch: 1,
        };
        for step in &steps {
            run.step(step);
        }
        // A stream has room for at least one event, and topics keep only some.
        for _ in 0..20 {
            run.step(&Step::Open);
            run.step(&Step::Break(usize::MAX));
        }
        run.client.check(&run.published);
        prop_assert_eq!(run.server.hub.subscriptions(), 0);
    }
}
