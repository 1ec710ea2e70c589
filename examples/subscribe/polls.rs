//! Long and short polling.

use crate::{
    arguments::{Arguments, Transport},
    failure::Failure,
    http::Http,
    message::Told,
    server::{self, Server},
    source::{News, backoff, random},
};
use sansocket::client::Backoff;
use serde::Deserialize;
use std::{collections::VecDeque, time::Duration};
use tokio::time::{Instant, sleep_until};

pub(crate) struct Polls {
    pub(crate) http: Http,
    pub(crate) server: Server,
    pub(crate) news: VecDeque<News>,
    topics: Vec<String>,
    /// Where the next poll begins: a cursor, once the server has told one.
    since: String,
    /// The cursor up to which everything was told.
    told: Option<String>,
    /// What an answer has told and `next` has not.
    events: VecDeque<Told>,
    /// How long to pause between short polls. Long polls don't.
    interval: Option<Duration>,
    backoff: Backoff,
    /// Since when the server answers.
    connected: Option<Instant>,
    next_at: Instant,
}

#[derive(Deserialize)]
struct Answer {
    events: VecDeque<Told>,
    cursor: Option<String>,
}

/// How many seconds a long poll waits.
const WAIT: u64 = 25;
/// Pauses between polls that are answered at once without events, whatever the server thinks of it.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

impl Polls {
    pub(crate) fn new(arguments: &Arguments, http: Http) -> Self {
        let is_short = arguments.transport == Transport::ShortPoll;
        Self {
            http,
            server: arguments.server.clone(),
            news: VecDeque::new(),
            topics: arguments.topics.clone(),
            since: server::since(arguments.since),
            told: None,
            events: VecDeque::new(),
            interval: is_short.then_some(arguments.interval),
            backoff: backoff(),
            connected: None,
            next_at: Instant::now(),
        }
    }

    pub(crate) fn cursor(&self) -> Option<String> {
        self.told.clone()
    }

    pub(crate) async fn next(&mut self) -> Result<News, Failure> {
        loop {
            if let Some(news) = self.news.pop_front() {
                return Ok(news);
            }
            if let Some(event) = self.events.pop_front() {
                return Ok(self.tell(event));
            }
            sleep_until(self.next_at).await;
            match self.poll().await {
                Ok(()) => {}
                Err(failure) => return self.lost(failure),
            }
        }
    }

    fn tell(&mut self, event: Told) -> News {
        let cursor = match &event {
            Told::Message(message) => message.cursor.clone(),
            Told::Gap { gap } => Some(gap.to.clone()),
        };
        // The cursor of an answer can be further than that of its last event.
        let cursor = if self.events.is_empty() { Some(self.since.clone()) } else { cursor };
        self.told = cursor.or(self.told.take());
        match event {
            Told::Message(message) => News::Message(message),
            Told::Gap { gap } => News::Gap { topic: None, gap },
        }
    }

    async fn poll(&mut self) -> Result<(), Failure> {
        // The first poll does not wait. So the cursor is known before anything else can fail.
        let is_long = self.interval.is_none() && self.connected.is_some();
        let wait = if is_long { WAIT } else { 0 };
        let url = self.server.poll(&self.topics, &self.since, wait);
        let began = Instant::now();
        let fields = [("accept", "application/json")].into_iter();
        let response = self.http.get(&url, fields, Duration::from_secs(wait)).await?;
        if response.status() != 200 {
            return Err(self.http.refused(&url, response).await);
        }
        let body = self.http.body(&url, response).await?;
        let answer: Answer = serde_json::from_slice(&body).map_err(|error| {
            let text = format!("the server's answer is not that of a poll: {error}");
            Failure::lasting(text).advice("is it a server of polls? Check --server")
        })?;
        if self.connected.is_none() {
            self.connected = Some(Instant::now());
            self.news.extend([News::Connected, News::Subscribed]);
        }
        // What follows the events of an answer comes at once.
        self.next_at = match (self.interval, answer.events.is_empty()) {
            (Some(interval), true) => Instant::now() + interval,
            (None, true) if is_long => began + LEAST_INTERVAL,
            _ => Instant::now(),
        };
        if let Some(cursor) = answer.cursor {
            self.told =
                if answer.events.is_empty() { Some(cursor.clone()) } else { self.told.take() };
            self.since = cursor;
        }
        self.events = answer.events;
        Ok(())
    }

    fn lost(&mut self, failure: Failure) -> Result<News, Failure> {
        if !failure.is_transient {
            return Err(failure);
        }
        if let Some(connected) = self.connected.take() {
            self.backoff.lasted(connected.elapsed());
        }
        let pause = self.backoff.next(random()).unwrap_or_default();
        let pause = pause.max(failure.retry_after.unwrap_or_default());
        self.next_at = Instant::now() + pause;
        Ok(News::Lost { failure, pause })
    }
}
