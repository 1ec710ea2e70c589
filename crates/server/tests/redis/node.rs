//! A node without a hub: a test tells Redis what a hub would, and sees each event.

use crate::server::{PATIENCE, Server};
use sansocket_realtime::{
    Cursor, Epoch, Message,
    bridge::{Command, Event, History, Outcome, PublishId, QuestionId},
};
use sansocket_server::broker::{
    Broker,
    redis::{Redis, RedisOptions},
};
use std::time::Duration;
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinHandle,
    time::timeout,
};

#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) epoch: Epoch,
    pub(crate) commands: UnboundedSender<Command>,
    events: UnboundedReceiver<Event>,
    task: JoinHandle<()>,
}

/// Options for a server. What takes time in use is short in tests.
pub(crate) fn options(server: &Server) -> RedisOptions {
    let mut options = RedisOptions::default();
    options.address = server.address().parse().unwrap();
    options.ping = Duration::from_millis(100);
    options.first_pause = Duration::from_millis(20);
    options.longest_pause = Duration::from_millis(200);
    options
}

impl Node {
    pub(crate) fn start(epoch: u64, options: RedisOptions) -> Self {
        let (epoch, redis) = (Epoch(epoch), Redis::new(options).unwrap());
        let (commands, told) = unbounded_channel();
        let (sender, events) = unbounded_channel();
        let tell = move |event| drop(sender.send(event));
        let task = tokio::spawn(redis.run(epoch, told, Box::new(tell)));
        Self { epoch, commands, events, task }
    }

    /// Starts a node and waits until it is up. Returns the broker's epoch, and its last position.
    pub(crate) async fn up(epoch: u64, options: RedisOptions) -> (Self, Epoch, u64) {
        let mut node = Self::start(epoch, options);
        let (epoch, head) = node.is_up().await;
        (node, epoch, head)
    }

    /// Waits until the node is up, whatever it is told before.
    pub(crate) async fn is_up(&mut self) -> (Epoch, u64) {
        loop {
            if let Event::Up { epoch, head } = self.event().await {
                return (epoch, head);
            }
        }
    }

    pub(crate) fn tell(&self, command: Command) {
        self.commands.send(command).unwrap();
    }

    pub(crate) fn publish(&self, sequence: u64, destination: &str, body: impl Into<String>) {
        let id = PublishId { node: self.epoch, sequence };
        let message = Message::new(body.into());
        self.tell(Command::Publish { id, destination: destination.into(), message });
    }

    pub(crate) fn follow(&self, question: u32, destination: &str, after: Option<u64>) {
        let (question, destination) = (QuestionId(question), destination.into());
        self.tell(Command::Follow { question, destination, after });
    }

    pub(crate) fn unfollow(&self, destination: &str) {
        self.tell(Command::Unfollow { destination: destination.into() });
    }

    pub(crate) fn history(&self, question: u32, destination: &str, after: u64) {
        let (question, destination) = (QuestionId(question), destination.into());
        self.tell(Command::History { question, destination, after });
    }

    pub(crate) fn take(&self, queue: &str, count: u32) {
        self.tell(Command::Take { destination: queue.into(), count });
    }

    pub(crate) fn stop(&self, queue: &str) {
        self.tell(Command::Stop { destination: queue.into() });
    }

    pub(crate) fn settle(&self, queue: &str, cursor: Cursor, outcome: Outcome) {
        self.tell(Command::Settle { destination: queue.into(), cursor, outcome });
    }

    pub(crate) async fn event(&mut self) -> Event {
        let event = timeout(PATIENCE, self.events.recv()).await;
        event.expect("nothing is told").expect("it has ended")
    }

    /// Waits for so many events, and shows them.
    pub(crate) async fn shown(&mut self, count: usize) -> Vec<String> {
        let mut shown = Vec::new();
        while shown.len() < count {
            shown.push(show(&self.event().await));
        }
        shown
    }

    /// Publishes messages, and waits for their answers. Other events are not looked at.
    pub(crate) async fn has_published(&mut self, first: u64, destinations: &[&str]) {
        for (sequence, destination) in (first..).zip(destinations) {
            self.publish(sequence, destination, sequence.to_string());
        }
        let mut unanswered = destinations.len();
        while unanswered > 0 {
            if matches!(self.event().await, Event::Published { .. }) {
                unanswered -= 1;
            }
        }
    }

    /// Asks for a history, and waits for it. Other events are not looked at.
    pub(crate) async fn has_history(&mut self, destination: &str, after: u64) -> String {
        self.history(99, destination, after);
        loop {
            if let Event::History(history) = self.event().await {
                return show_history(&history);
            }
        }
    }

    /// Ends the node as a process that is killed does.
    pub(crate) fn dies(self) {
        self.task.abort();
    }

    /// Ends the node as a hub that stops does, and returns what it was told last.
    pub(crate) async fn ends(self) -> Vec<String> {
        let Self { commands, mut events, task, .. } = self;
        drop(commands);
        timeout(PATIENCE, task).await.expect("it does not end").unwrap();
        let mut shown = Vec::new();
        while let Some(event) = events.recv().await {
            shown.push(show(&event));
        }
        shown
    }
}

pub(crate) fn show(event: &Event) -> String {
    match event {
        Event::Up { head, .. } => format!("up at {head}"),
        Event::Down => "down".into(),
        Event::Published { id, position } => match position {
            Some(position) => format!("published {} at {position}", id.sequence),
            None => format!("published {}", id.sequence),
        },
        Event::Rejected { id, reason } => format!("rejected {}: {reason}", id.sequence),
        Event::Message(entry) => format!("{} {}", entry.position, entry.destination),
        Event::History(history) => show_history(history),
        Event::Taken { entry, deliveries, again } => {
            let again = if *again { " again" } else { "" };
            format!("taken {} {} after {deliveries}{again}", entry.position, entry.destination)
        }
        Event::Stopped { destination } => format!("stopped {destination}"),
        Event::Settled { cursor } => format!("settled {}", cursor.position),
        other => format!("{other:?}"),
    }
}

pub(crate) fn show_history(history: &History) -> String {
    let positions: Vec<_> = history.entries.iter().map(|it| it.position).collect();
    let History { destination, complete_after, head, .. } = history;
    format!("{destination} {positions:?} after {complete_after} of {head}")
}
