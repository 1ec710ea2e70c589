//! Clients that poll, with answers that are lost, hubs that forget, and hubs that start again.

use crate::{
    delivery::{Client, Published},
    json::Json,
    server::{SECOND, Server},
};
use proptest::{collection::vec, prelude::*, sample::select};
use sansocket_realtime::{
    Cursor, Epoch,
    hub::{self, ConnectionId, Hub, Open, TopicConfig},
    poll::Config,
};
use std::num::NonZeroU32;

const TOPICS: [&str; 4] = ["/topic/a", "/topic/b", "/topic/c", "/topic/x/y"];

#[derive(Clone, Debug)]
enum Step {
    Publish(Vec<&'static str>),
    Pass(u32),
    Poll { wait: u32 },
    Read,
    Lose,
    Abort,
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => vec(select(&TOPICS[..]), 1..6).prop_map(Step::Publish),
        3 => (1..20_u32).prop_map(Step::Pass),
        6 => (0..30_u32).prop_map(|wait| Step::Poll { wait }),
        6 => Just(Step::Read),
        2 => Just(Step::Lose),
        1 => Just(Step::Abort),
        1 => Just(Step::Restart),
    ];
    vec(step, 0..80)
}

#[derive(Clone, Copy, Debug)]
struct Subscription {
    query: &'static str,
    wants: fn(&str) -> bool,
}

const SUBSCRIPTIONS: [Subscription; 4] = [
    Subscription { query: "topic=/topic/a", wants: |topic| topic == "/topic/a" },
    Subscription {
        query: "topic=/topic/a&topic=/topic/b",
        wants: |topic| matches!(topic, "/topic/a" | "/topic/b"),
    },
    Subscription { query: "topic=/topic/*", wants: |topic| topic != "/topic/x/y" },
    Subscription {
        query: "topic=/topic/x/**&topic=/topic/a",
        wants: |topic| matches!(topic, "/topic/a" | "/topic/x/y"),
    },
];

struct Run {
    server: Server,
    query: &'static str,
    client: Client,
    published: Published,
    cursor: Option<Cursor>,
    /// The poll that is not answered yet, and the position at which it was begun.
    poll: Option<(u64, u64)>,
    epoch: u64,
}

impl Run {
    fn server(epoch: u64) -> Server {
        let topics = TopicConfig::default().messages(4).age(30 * SECOND);
        let config = hub::Config::default().other_topics(topics);
        let hub = Hub::with_config(Epoch(epoch), config, Open);
        Server::of(Config::default().events(NonZeroU32::new(3).unwrap()).bytes(250), hub)
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Publish(topics) => {
                let bodies: Vec<_> =
                    topics.iter().map(|topic| (*topic, self.published.add(topic))).collect();
                let messages: Vec<_> =
                    bodies.iter().map(|(topic, body)| (*topic, body.as_str())).collect();
                self.server.commit(&messages);
            }
            Step::Pass(seconds) => self.server.pass(*seconds * SECOND),
            Step::Poll { wait } if self.poll.is_none() => self.poll(*wait),
            Step::Read => self.read(),
            Step::Lose => {
                self.poll.take_if(|(poll, _)| self.server.answers.remove(poll).is_some());
            }
            Step::Abort => {
                if let Some((poll, _)) = self.poll.take() {
                    self.server.answers.remove(&poll);
                    let command = self.server.polls.abort(ConnectionId(poll));
                    self.server.handle(command.into_iter().collect::<Vec<_>>());
                }
            }
            Step::Restart => {
                self.epoch += 1;
                self.server = Self::server(self.epoch);
                self.published = Published::default();
                self.poll = None;
                if self.cursor.is_some() {
                    self.client.restart();
                }
            }
            Step::Poll { .. } => {}
        }
    }

    fn poll(&mut self, wait: u32) {
        let since = self.cursor.map_or(String::new(), |cursor| format!("&since={cursor}"));
        let begun = self.published.head();
        let poll = self.server.poll(&format!("{}&wait={wait}{since}", self.query));
        self.poll = Some((poll, begun));
    }

    fn read(&mut self) {
        let Some((poll, begun)) = self.poll else { return };
        let Some(response) = self.server.answers.remove(&poll) else { return };
        self.poll = None;
        assert_eq!(response.head.status, 200);
        let answer = Json::parse(&response.body);
        let events = answer.get("events").unwrap().items();
        assert!(events.len() <= 3, "{events:?}");
        if self.cursor.is_none() {
            self.client.begins(begun);
        }
        for event in events {
            match event.get("gap") {
                Some(gap) => self.client.gap(gap.text_of("to").parse().unwrap()),
                None => self.client.message(&self.published, event.text_of("data")),
            }
        }
        let cursor: Cursor = answer.text_of("cursor").parse().unwrap();
        assert_eq!(cursor.epoch, Epoch(self.epoch));
        self.client.cursor(&self.published, cursor);
        self.cursor = Some(cursor);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn each_message_arrives_once_and_in_order_or_is_a_gap(
        steps in steps(),
        subscription in select(&SUBSCRIPTIONS[..]),
    ) {
        let mut run = Run {
            server: Run::server(1),
            query: subscription.query,
            client: Client::new(subscription.wants),
            published: Published::default(),
            cursor: None,
            poll: None,
            epoch: 1,
        };
        for step in &steps {
            run.step(step);
        }
        run.step(&Step::Abort);
        // What topics keep fits into so many answers.
        for _ in 0..20 {
            run.step(&Step::Poll { wait: 0 });
            run.read();
        }
        run.client.check(&run.published);
        prop_assert_eq!(run.cursor.map(|cursor| cursor.position), Some(run.published.head()));
        prop_assert!(run.server.polls.is_empty() && run.server.hub.subscriptions() == 0);
    }
}
