//! STOMP over WebSocket.

use crate::{
    arguments::Arguments,
    failure::Failure,
    http,
    message::{Gap, Message},
    publishing::Publication,
    source::{News, backoff, random, reached},
};
use hyper::body::{Buf, Bytes};
use sansocket::{
    CloseCode, Closed, Config, DeflateConfig,
    client::Stage,
    connection::Keepalive,
    on_tokio::{ClientWebSocket, Connector},
    tls::ClientTls,
};
use sansocket_realtime::{
    Cursor, Epoch,
    stomp::{
        Version,
        client::{
            Cause, Client, ClientConfig, ClientError, ConnectOptions, Event, Lost, ServerError,
            State, SubscribeError, SubscribeOptions, SubscriptionId,
        },
    },
};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};
use tokio::{
    select,
    time::{Instant, sleep_until, timeout},
};

pub(crate) struct Stomp {
    connector: Connector,
    url: String,
    /// How long the server may take to answer, and to take what is written.
    timeout: Duration,
    client: Client,
    topics: BTreeMap<SubscriptionId, String>,
    /// The moment that the times of the client are since.
    epoch: Instant,
    /// When the next connection is due.
    next_at: Duration,
    websocket: Option<ClientWebSocket>,
    /// What has arrived and was not handled.
    input: Bytes,
    news: VecDeque<News>,
    /// Whether it was told that all topics are subscribed.
    is_subscribed: bool,
    /// The sequence of the cursor that came last.
    sequence: Option<Epoch>,
    /// Why the connection is over, if it was not simply lost.
    error: Option<Failure>,
    /// Whether that is what the server has said, which then closes the connection.
    is_closing: bool,
}

/// How long the end of a connection may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

impl Stomp {
    /// Creates a client with a subscription for each topic.
    pub(crate) fn new(
        arguments: &Arguments,
        tls: Option<rustls::ClientConfig>,
    ) -> Result<Self, SubscribeError> {
        let config = ClientConfig::default()
            .connect(connect_options(arguments))
            .connect_timeout(arguments.connect_timeout)
            .backoff(backoff());
        let mut client = Client::new(config);
        let mut topics = BTreeMap::new();
        for topic in &arguments.topics {
            let options = SubscribeOptions::default().start(arguments.since);
            topics.insert(client.subscribe(topic, options)?, topic.clone());
        }
        Ok(Self {
            connector: connector(arguments, tls),
            url: arguments.server.stomp(),
            timeout: arguments.connect_timeout,
            client,
            topics,
            epoch: Instant::now(),
            next_at: Duration::ZERO,
            websocket: None,
            input: Bytes::new(),
            news: VecDeque::new(),
            is_subscribed: false,
            sequence: None,
            error: None,
            is_closing: false,
        })
    }

    /// Returns where the slowest of the subscriptions is, so that none misses anything. Before all have
    /// begun, nobody can tell. Those of queues have no place.
    pub(crate) fn cursor(&self) -> Option<String> {
        let mut slowest: Option<Cursor> = None;
        // A cursor of an earlier sequence is before all of this one.
        let order = |cursor: &Cursor| (Some(cursor.epoch) == self.sequence, cursor.position);
        for id in self.topics.keys() {
            match self.client.cursor(*id) {
                Some(cursor) => slowest = slowest.into_iter().chain([cursor]).min_by_key(order),
                None if self.client.has_begun(*id) => {}
                None => return None,
            }
        }
        slowest.map(|cursor| cursor.to_string())
    }

    pub(crate) fn publish(&mut self, publication: &Publication<'_>) -> Result<(), Failure> {
        let sent = self.client.send_with_receipt(publication.destination, &publication.message());
        sent.map(drop).map_err(|error| Failure::lasting(format!("can't publish: {error}")))
    }

    pub(crate) async fn next(&mut self) -> Result<News, Failure> {
        loop {
            self.handle_input();
            if let Some(news) = self.news.pop_front() {
                return Ok(news);
            }
            let step = match self.websocket {
                None => self.connect().await,
                Some(_) if self.client.state() == State::Over => Err(self.end().await),
                Some(_) => self.write_and_wait().await,
            };
            if let Err(failure) = step {
                return self.lost(failure);
            }
        }
    }

    /// Takes leave of the server. What still arrives is not handled: it comes again to who goes on.
    pub(crate) async fn close(mut self) {
        self.client.disconnect(self.epoch.elapsed());
        let goodbye = async {
            self.discard_input();
            while self.client.state() == State::Disconnecting && self.write_and_wait().await.is_ok()
            {
                self.discard_input();
            }
            if let Some(websocket) = &mut self.websocket {
                // It may be closed already.
                let _ = websocket.close(CloseCode::NORMAL, "").await;
                websocket.wait_closed().await;
            }
        };
        // A server that does not answer any more is left alone.
        let _ = timeout(CLOSE_TIMEOUT, goodbye).await;
    }

    async fn connect(&mut self) -> Result<(), Failure> {
        sleep_until(self.epoch + self.next_at).await;
        let connected = self.connector.connect(&self.url).await;
        let (websocket, _) = connected.map_err(|error| Failure::websocket(&self.url, &error))?;
        self.websocket = Some(websocket);
        self.client.connection_opened(self.epoch.elapsed()).map_err(|error| {
            Failure::lasting(format!("can't log in: {error}")).advice("check --token or --user")
        })
    }

    /// Handles what has arrived, up to the first news.
    fn handle_input(&mut self) {
        let now = self.epoch.elapsed();
        while self.news.is_empty() && !self.input.is_empty() {
            let mut rest = &self.input[..];
            match self.client.receive(&mut rest, now) {
                Ok(None) => {}
                Ok(Some(Event::Refused(error))) => {
                    let failure = refusal("the server refuses the connection", &error);
                    self.error = Some(failure.advice("log in with --token or --user"));
                    self.is_closing = true;
                }
                Ok(Some(Event::Error(error))) => {
                    self.error = Some(failure(&error, &self.topics));
                    self.is_closing = true;
                }
                Ok(Some(event)) => self.news.extend(news(&event, &self.topics)),
                Err(error) => self.error = Some(of_client(&error)),
            }
            let consumed = self.input.len() - rest.len();
            self.input.advance(consumed);
            self.note_progress();
        }
    }

    /// Handles all that has arrived, and forgets what it tells.
    fn discard_input(&mut self) {
        loop {
            self.handle_input();
            if self.news.pop_front().is_none() {
                return;
            }
        }
    }

    /// Tells once that all topics are subscribed, and keeps which sequence is the newest.
    fn note_progress(&mut self) {
        let newest = match self.news.back() {
            Some(News::Message(message)) => message.cursor.as_ref(),
            Some(News::Gap { gap, .. }) => Some(&gap.to),
            _ => None,
        };
        let newest = newest.and_then(|cursor| cursor.parse::<Cursor>().ok());
        self.sequence = newest.map(|cursor| cursor.epoch).or(self.sequence);
        let have_begun = self.topics.keys().all(|id| self.client.has_begun(*id));
        if have_begun && !self.is_subscribed && !self.topics.is_empty() {
            self.is_subscribed = true;
            self.news.push_back(News::Subscribed);
        }
    }

    /// Writes what is queued, and waits until something arrives or a deadline has passed.
    async fn write_and_wait(&mut self) -> Result<(), Failure> {
        let Some(websocket) = &mut self.websocket else { return Ok(()) };
        let client = &mut self.client;
        let writing = async {
            while let Some(frame) = client.next_output(self.epoch.elapsed()) {
                websocket.feed(sansocket::Message::from(frame)).await?;
            }
            websocket.flush().await
        };
        match timeout(self.timeout, writing).await {
            // If writing fails, reading tells how the connection has ended.
            Ok(Ok(()) | Err(_)) => {}
            Err(_) => return Err(Failure::no_answer(&self.url, self.timeout)),
        }
        let deadline = client.next_deadline().map(|deadline| self.epoch + deadline);
        select! {
            message = websocket.next() => match message {
                Some(Ok(message)) => self.input = message.into_bytes(),
                Some(Err(_)) | None => return Err(of_end(&websocket.wait_closed().await)),
            },
            () = reached(deadline) => {
                if let Err(error) = client.time_passed(self.epoch.elapsed()) {
                    self.error = Some(of_client(&error));
                }
            }
        }
        Ok(())
    }

    /// Returns why the connection is over. After an ERROR, the server closes with a code that says
    /// whether trying again helps.
    async fn end(&mut self) -> Failure {
        let error = self.error.take();
        let error = error.unwrap_or_else(|| Failure::transient("the connection has ended"));
        let (Some(websocket), true) = (&mut self.websocket, self.is_closing) else {
            return error;
        };
        let closing = async {
            while let Some(Ok(_)) = websocket.next().await {}
            websocket.wait_closed().await
        };
        match timeout(CLOSE_TIMEOUT, closing).await {
            Ok(closed) => {
                Failure { is_transient: error.is_transient && closed.is_transient(), ..error }
            }
            Err(_) => error,
        }
    }

    fn lost(&mut self, failure: Failure) -> Result<News, Failure> {
        self.websocket = None;
        self.input = Bytes::new();
        self.is_subscribed = false;
        self.is_closing = false;
        let now = self.epoch.elapsed();
        let Lost { reconnect_at, unconfirmed, .. } = self.client.connection_lost(now, random());
        let Some(reconnect_at) = reconnect_at.filter(|_| failure.is_transient) else {
            return Err(failure);
        };
        if let Some(message) = unconfirmed.first() {
            let text = format!(
                "{}; the message to {} may have been published or not",
                failure.text, message.destination
            );
            return Err(Failure::lasting(text));
        }
        self.next_at = reconnect_at.max(now + failure.retry_after.unwrap_or_default());
        Ok(News::Lost { failure, pause: self.next_at - now })
    }
}

fn connect_options(arguments: &Arguments) -> ConnectOptions {
    let options = ConnectOptions::default();
    match (&arguments.token, &arguments.user) {
        // Some servers look at the handshake for it, and some at CONNECT.
        (Some(token), _) => options.header("Authorization", format!("Bearer {token}")),
        (None, Some((name, password))) => options.login(name, password),
        (None, None) => options,
    }
}

fn connector(arguments: &Arguments, tls: Option<rustls::ClientConfig>) -> Connector {
    let config = Config::default().keepalive(Keepalive::default()).deflate(DeflateConfig::new());
    let timeout = arguments.connect_timeout;
    let mut connector = Connector::new()
        .config(config)
        .handshake_timeout(timeout)
        .stage_timeout(Stage::Connect, timeout);
    for version in Version::ALL {
        connector = connector.subprotocol(version.subprotocol());
    }
    if let Some(authorization) = arguments.token.as_ref().and(http::authorization(arguments)) {
        connector = connector.header("Authorization", authorization);
    }
    match tls {
        Some(tls) => connector.tls(ClientTls::from(tls)),
        None => connector,
    }
}

/// Returns what an event is to the user, if it is anything.
fn news(event: &Event<'_>, topics: &BTreeMap<SubscriptionId, String>) -> Option<News> {
    Some(match event {
        Event::Connected(_) => News::Connected,
        Event::Message(delivery) => News::Message(Message::from(delivery)),
        Event::Gap(gap) => News::Gap {
            topic: topics.get(&gap.subscription).cloned(),
            gap: Gap { from: gap.from.to_string(), to: gap.to.to_string() },
        },
        Event::Receipt { cursor, .. } => {
            News::Published { cursor: cursor.map(|cursor| cursor.to_string()) }
        }
        _ => return None,
    })
}

/// Returns why the server has sent ERROR.
fn failure(error: &ServerError<'_>, topics: &BTreeMap<SubscriptionId, String>) -> Failure {
    match error.cause() {
        Some(Cause::Subscribe(id)) => {
            let topic = topics.get(&id).map(String::as_str).unwrap_or_default();
            let failure = refusal(&format!("the server refuses {topic}"), error);
            Failure { is_transient: false, ..failure }
                .advice("check the topic, and --token or --user, if it is not for everybody")
        }
        Some(Cause::Send(_)) => {
            let failure = refusal("the server does not take the message", error);
            Failure { is_transient: false, ..failure }
        }
        _ => refusal("the server has failed", error),
    }
}

fn refusal(what: &str, error: &ServerError<'_>) -> Failure {
    let text = error.text();
    let body = text.lines().next().unwrap_or_default().chars().take(200).collect();
    let message = error.message().map_or(body, |message| message.into_owned());
    Failure::transient(format!("{what}: {message}"))
}

fn of_client(error: &ClientError) -> Failure {
    Failure { is_transient: error.is_temporary(), ..Failure::transient(error) }
}

fn of_end(closed: &Closed) -> Failure {
    Failure { is_transient: closed.is_transient(), ..Failure::transient(closed) }
}
