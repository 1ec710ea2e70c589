//! A model of a server with one topic, which keeps some messages, and an application on a client.

use sansocket_realtime::{
    Cursor, Epoch,
    stomp::{
        Command, Decoder, Encoder, Limits, Version,
        client::{AckToken, Client, ClientConfig, Event, Ignored, SubscribeOptions},
        header::{self, AckMode},
    },
};
use std::{collections::BTreeSet, time::Duration};

const NOW: Duration = Duration::from_secs(1000);

/// What happens next.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// The server publishes a message, this far behind the one before.
    Publish(u64),
    /// So many bytes arrive at the client.
    Arrive(usize),
    /// The application acknowledges one of the messages that wait.
    Acknowledge(usize),
    /// The connection ends, and another one begins.
    Reconnect,
    /// The server starts anew, and has forgotten its messages.
    Restart,
}

#[derive(Debug)]
pub(crate) struct Model {
    mode: AckMode,
    server: Server,
    client: Client,
    /// Where the subscription has begun.
    begun: Option<Cursor>,
    /// What was delivered on this connection and waits for its acknowledgement.
    waiting: Vec<(AckToken, Cursor)>,
    settled: BTreeSet<(u64, u64)>,
    /// The messages in gaps that were told.
    missed: BTreeSet<(u64, u64)>,
}

#[derive(Debug)]
struct Server {
    epoch: u64,
    head: u64,
    /// The most messages that are kept.
    keeps: usize,
    kept: Vec<u64>,
    forgotten: u64,
    /// All messages of all epochs.
    published: Vec<(u64, u64)>,
    decoder: Decoder,
    /// What is on its way to the client.
    bytes: Vec<u8>,
    is_subscribed: bool,
}

impl Server {
    fn cursor(&self, position: u64) -> Cursor {
        Cursor::new(Epoch(self.epoch), position)
    }

    fn publish(&mut self, distance: u64) {
        self.head += distance;
        self.published.push((self.epoch, self.head));
        self.kept.push(self.head);
        if self.kept.len() > self.keeps {
            self.forgotten = self.kept.remove(0);
        }
        if self.is_subscribed {
            self.deliver(self.head);
        }
    }

    fn restart(&mut self) {
        self.epoch += 1;
        self.head = 0;
        self.kept.clear();
        self.forgotten = 0;
    }

    fn push(&mut self, command: Command, headers: &[(&str, String)]) {
        let headers = headers.iter().map(|(name, value)| (*name, value));
        Encoder::new(Version::V1_2).encode(command, headers, &[], &mut self.bytes).unwrap();
    }

    fn deliver(&mut self, position: u64) {
        let cursor = self.cursor(position).to_string();
        let headers = [
            (header::SUBSCRIPTION, "0".to_owned()),
            (header::MESSAGE_ID, cursor.clone()),
            (header::ACK, cursor),
            (header::DESTINATION, "/topic/a".to_owned()),
        ];
        self.push(Command::Message, &headers);
    }

    /// Begins a subscription: from its cursor on, or behind a gap.
    fn subscribe(&mut self, receipt: String, since: Option<Cursor>) {
        let missed =
            since.filter(|since| since.epoch.0 != self.epoch || since.position < self.forgotten);
        let begins = since.unwrap_or(self.cursor(self.head));
        let headers = [(header::RECEIPT_ID, receipt), ("cursor", begins.to_string())];
        self.push(Command::Receipt, &headers);
        let mut from = begins.position;
        if let Some(missed) = missed {
            from = self.forgotten;
            let to = self.cursor(from).to_string();
            let headers = [
                (header::SUBSCRIPTION, "0".to_owned()),
                (header::MESSAGE_ID, to.clone()),
                (header::DESTINATION, "/topic/a".to_owned()),
                ("gap-from", missed.to_string()),
                ("gap-to", to),
            ];
            self.push(Command::Message, &headers);
        }
        for position in self.kept.clone() {
            if position > from {
                self.deliver(position);
            }
        }
        self.is_subscribed = true;
    }

    fn receive(&mut self, mut input: &[u8]) {
        loop {
            let (receipt, since) = match self.decoder.decode(&mut input).unwrap() {
                None => break,
                Some(frame) if frame.command() == Command::Subscribe => {
                    let since = frame.get("since").map(|since| since.parse().unwrap());
                    (frame.get(header::RECEIPT).unwrap().into_owned(), since)
                }
                Some(_) => continue,
            };
            self.subscribe(receipt, since);
        }
    }
}

impl Model {
    pub(crate) fn new(mode: AckMode, keeps: usize) -> Self {
        let mut model = Self {
            mode,
            server: Server {
                epoch: 1,
                head: 0,
                keeps,
                kept: Vec::new(),
                forgotten: 0,
                published: Vec::new(),
                decoder: Decoder::server(Limits::default()),
                bytes: Vec::new(),
                is_subscribed: false,
            },
            client: Client::new(ClientConfig::default()),
            begun: None,
            waiting: Vec::new(),
            settled: BTreeSet::new(),
            missed: BTreeSet::new(),
        };
        model.client.subscribe("/topic/a", SubscribeOptions::default().ack(mode)).unwrap();
        model.connect();
        model
    }

    pub(crate) fn step(&mut self, step: Step) {
        match step {
            Step::Publish(distance) => self.server.publish(distance),
            Step::Arrive(count) => self.arrive(count),
            Step::Acknowledge(at) => self.acknowledge(at),
            Step::Reconnect => self.reconnect(),
            Step::Restart => {
                self.server.restart();
                self.reconnect();
            }
        }
        self.write();
    }

    /// Lets everything arrive, acknowledges it, and checks that nothing is missing.
    pub(crate) fn finish(mut self) {
        self.reconnect();
        while !self.server.bytes.is_empty() || !self.waiting.is_empty() {
            self.arrive(usize::MAX);
            self.acknowledge(usize::MAX);
            self.write();
        }
        let Some(begun) = self.begun else { return };
        let begun = (begun.epoch.0, begun.position);
        for message in self.server.published.iter().filter(|message| **message > begun) {
            let is_accounted = self.settled.contains(message) || self.missed.contains(message);
            assert!(is_accounted, "{message:?} is lost: {self:?}");
        }
    }

    fn connect(&mut self) {
        self.client.connection_opened(NOW).unwrap();
        self.server.bytes = b"CONNECTED\nversion:1.2\n\n\0".to_vec();
        self.write();
    }

    fn reconnect(&mut self) {
        let _ = self.client.connection_lost(NOW, 0);
        self.server.decoder = Decoder::server(Limits::default());
        self.server.is_subscribed = false;
        self.waiting.clear();
        self.connect();
    }

    fn write(&mut self) {
        while let Some(output) = self.client.next_output(NOW) {
            self.server.receive(output.head());
        }
    }

    fn arrive(&mut self, count: usize) {
        let count = count.min(self.server.bytes.len());
        let rest = self.server.bytes.split_off(count);
        let bytes = std::mem::replace(&mut self.server.bytes, rest);
        let mut input = &bytes[..];
        while let Some(event) = self.client.receive(&mut input, NOW).unwrap() {
            match event {
                Event::Subscribed { cursor, .. } => self.begun = self.begun.or(cursor),
                Event::Message(delivery) => {
                    let cursor = delivery.cursor().unwrap();
                    let message = (cursor.epoch.0, cursor.position);
                    assert!(!self.settled.contains(&message), "{message:?} comes twice");
                    match delivery.ack_token() {
                        Some(token) => self.waiting.push((token, cursor)),
                        None => assert!(self.settled.insert(message)),
                    }
                }
                Event::Gap(gap) => {
                    let to = (gap.to.epoch.0, gap.to.position);
                    let published = self.server.published.iter().copied();
                    self.missed.extend(published.filter(|message| *message <= to));
                }
                Event::Connected(_) | Event::Ignored(Ignored::Duplicate { .. }) => {}
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    fn acknowledge(&mut self, at: usize) {
        if self.waiting.is_empty() {
            return;
        }
        let at = at % self.waiting.len();
        let (token, _) = &self.waiting[at];
        self.client.ack(token).unwrap();
        let first = if self.mode == AckMode::Client { 0 } else { at };
        for (_, cursor) in self.waiting.drain(first..=at) {
            self.settled.insert((cursor.epoch.0, cursor.position));
        }
    }
}
