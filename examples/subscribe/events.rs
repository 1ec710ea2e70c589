//! Server-Sent Events.

use crate::{
    arguments::Arguments,
    failure::Failure,
    http::Http,
    message::Told,
    server::Server,
    source::{News, backoff, random, reached},
};
use ::http::header::CONTENT_TYPE;
use http_body_util::BodyExt;
use hyper::body::{Buf, Bytes, Incoming};
use sansocket_realtime::sse::{
    Action, Client, ClientConfig, GAP, NO_CONTENT, ReadyState, Received,
};
use std::{collections::VecDeque, time::Duration};
use tokio::{
    select,
    time::{Instant, sleep_until},
};

pub(crate) struct Events {
    pub(crate) http: Http,
    pub(crate) server: Server,
    pub(crate) news: VecDeque<News>,
    url: String,
    client: Client,
    /// The moment that the times of the client are since.
    epoch: Instant,
    /// The response, and what has arrived of it and was not parsed.
    body: Option<Incoming>,
    input: Bytes,
    /// Before this moment, the server wants no request.
    not_before: Instant,
}

/// The longest silence of a stream that is not given up.
const SILENCE: Duration = Duration::from_secs(45);

impl Events {
    pub(crate) fn new(arguments: &Arguments, http: Http) -> Self {
        let config = ClientConfig::default()
            // A server sends something every 15 seconds, so two beats can be lost.
            .silence(SILENCE)
            // The stream itself sets the pace of streams that end.
            .backoff(backoff().stable_after(Duration::ZERO));
        let epoch = Instant::now();
        Self {
            http,
            server: arguments.server.clone(),
            news: VecDeque::new(),
            url: arguments.server.events(arguments),
            client: Client::new(config, Duration::ZERO),
            epoch,
            body: None,
            input: Bytes::new(),
            not_before: epoch,
        }
    }

    pub(crate) fn cursor(&self) -> Option<String> {
        Some(self.client.last_event_id()).filter(|id| !id.is_empty()).map(str::to_owned)
    }

    pub(crate) async fn next(&mut self) -> Result<News, Failure> {
        loop {
            if let Some(news) = self.news.pop_front() {
                return Ok(news);
            }
            if let Some(news) = self.parse()? {
                return Ok(news);
            }
            let deadline = self.client.next_deadline().map(|deadline| self.epoch + deadline);
            let Some(body) = &mut self.body else {
                // A client without a deadline is closed, which `parse` and `request` have told.
                let Some(deadline) = deadline else { return Err(closed()) };
                sleep_until(deadline.max(self.not_before)).await;
                self.request().await?;
                continue;
            };
            select! {
                frame = body.frame() => match frame {
                    Some(Ok(frame)) => self.input = frame.into_data().unwrap_or_default(),
                    Some(Err(error)) => {
                        let failure = Failure::http(&self.url, &error);
                        return self.lost(failure);
                    }
                    None => return self.lost(Failure::transient("the stream has ended")),
                },
                () = reached(deadline) => {
                    let now = self.epoch.elapsed();
                    if self.client.next_action(now, random()) == Some(Action::Drop) {
                        let failure = Failure::transient(format!("nothing has come for {SILENCE:?}"));
                        return self.lost(failure);
                    }
                }
            }
        }
    }

    /// Returns the next event of what has arrived.
    fn parse(&mut self) -> Result<Option<News>, Failure> {
        while !self.input.is_empty() {
            let mut rest = &self.input[..];
            let received = self.client.next(&mut rest, self.epoch.elapsed());
            let received = received.map_err(|error| Failure::lasting(format!("{error}")))?;
            let news = match received {
                Some(Received::Message(event)) => read(event.event_type, event.data)?,
                _ => None,
            };
            let consumed = self.input.len() - rest.len();
            self.input.advance(consumed);
            if news.is_some() {
                return Ok(news);
            }
        }
        Ok(None)
    }

    async fn request(&mut self) -> Result<(), Failure> {
        let now = self.epoch.elapsed();
        if self.client.next_action(now, random()) != Some(Action::Request) {
            return Ok(());
        }
        let fields = self.client.request_fields();
        let response = match self.http.get(&self.url, fields, Duration::ZERO).await {
            Ok(response) => response,
            Err(failure) => return self.failed(failure),
        };
        let status = response.status().as_u16();
        let content_type = response.headers().get(CONTENT_TYPE).map(|value| value.as_bytes());
        if status != 200 && status != NO_CONTENT {
            let failure = self.http.refused(&self.url, response).await;
            // EventSource would give up, but a proxy whose server restarts answers so, too.
            return self.failed(failure);
        }
        let judged = self.client.response(status, content_type, self.epoch.elapsed());
        judged.map_err(|refused| match status {
            NO_CONTENT => Failure::lasting("the server asks the client to stop (status 204)"),
            _ => Failure::lasting(refused)
                .advice("is it a server of events? Check --server, or try another --transport"),
        })?;
        self.body = Some(response.into_body());
        self.news.extend([News::Connected, News::Subscribed]);
        Ok(())
    }

    fn failed(&mut self, failure: Failure) -> Result<(), Failure> {
        let news = self.lost(failure)?;
        self.news.push_back(news);
        Ok(())
    }

    /// Forgets the response. The client has another attempt, if that can help.
    fn lost(&mut self, failure: Failure) -> Result<News, Failure> {
        self.body = None;
        self.input = Bytes::new();
        if !failure.is_transient {
            self.client.close();
            return Err(failure);
        }
        let now = self.epoch.elapsed();
        let pause = match self.client.ready_state() {
            ReadyState::Closed => return Err(failure),
            _ => self.client.ended(now, random()).map(|next| next.saturating_sub(now)),
        };
        let Some(pause) = pause else { return Err(failure) };
        let pause = pause.max(failure.retry_after.unwrap_or_default());
        self.not_before = Instant::now() + pause;
        Ok(News::Lost { failure, pause })
    }
}

/// Reads an event of a stream in the form of JSON.
fn read(event_type: &str, data: &str) -> Result<Option<News>, Failure> {
    let unreadable = |error| {
        let text = format!("the server sends an event that is not as this server's are: {error}");
        Failure::lasting(text).advice("is it a server of events? Check --server")
    };
    if event_type == GAP {
        let gap = serde_json::from_str(data).map_err(unreadable)?;
        return Ok(Some(News::Gap { topic: None, gap }));
    }
    // Types that a later server has are ignored, as browsers do.
    if event_type != "message" {
        return Ok(None);
    }
    Ok(Some(match serde_json::from_str(data).map_err(unreadable)? {
        Told::Gap { gap } => News::Gap { topic: None, gap },
        Told::Message(message) => News::Message(message),
    }))
}

fn closed() -> Failure {
    Failure::lasting("the stream was given up")
}
