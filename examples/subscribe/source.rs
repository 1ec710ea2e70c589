//! Where messages come from: the transports, behind one face.

use crate::{
    events::Events,
    failure::Failure,
    message::{Gap, Message},
    polls::Polls,
    publishing::Publication,
    stomp::Stomp,
};
use sansocket::{client::Backoff, random};
use std::{future::pending, time::Duration};
use tokio::time::{Instant, sleep_until};

pub(crate) enum Source {
    Stomp(Box<Stomp>),
    Events(Box<Events>),
    Polls(Box<Polls>),
}

/// What has happened.
#[derive(Debug)]
pub(crate) enum News {
    /// The server has accepted the client, for the first time or again.
    Connected,
    /// All topics are subscribed: what is published from now on comes.
    Subscribed,
    Message(Message),
    /// Messages of a topic may have been lost. Without a topic, the gap is one of all.
    Gap {
        topic: Option<String>,
        gap: Gap,
    },
    /// The server has taken a message, which has this cursor if it went to a topic.
    Published {
        cursor: Option<String>,
    },
    /// The connection has ended, or was not made. There is another attempt after a pause.
    Lost {
        failure: Failure,
        pause: Duration,
    },
}

/// Returns a random number for the pauses between attempts. Without randomness, they are the longest.
pub(crate) fn random() -> u64 {
    random::number().unwrap_or(u64::MAX)
}

/// Returns the pauses between attempts. Somebody looks at the screen, so they are shorter than usual.
pub(crate) const fn backoff() -> Backoff {
    Backoff::new().cap(Duration::from_secs(10))
}

/// Waits until a moment. Without one, it never ends.
pub(crate) async fn reached(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => pending().await,
    }
}

impl Source {
    /// Waits for what happens next. Connects, and connects again, when that is due.
    ///
    /// # Errors
    ///
    /// Returns an error if another attempt would not help.
    pub(crate) async fn next(&mut self) -> Result<News, Failure> {
        match self {
            Self::Stomp(stomp) => stomp.next().await,
            Self::Events(events) => events.next().await,
            Self::Polls(polls) => polls.next().await,
        }
    }

    /// Publishes over the connection. [`News::Published`] follows.
    pub(crate) async fn publish(&mut self, publication: &Publication<'_>) -> Result<(), Failure> {
        let (http, server, news) = match self {
            Self::Stomp(stomp) => return stomp.publish(publication),
            Self::Events(events) => (&events.http, &events.server, &mut events.news),
            Self::Polls(polls) => (&polls.http, &polls.server, &mut polls.news),
        };
        let cursor = publication.post(http, server).await?;
        news.push_back(News::Published { cursor });
        Ok(())
    }

    /// Returns the cursor with which another run would go on after what [`next`](Self::next) has returned.
    pub(crate) fn cursor(&self) -> Option<String> {
        match self {
            Self::Stomp(stomp) => stomp.cursor(),
            Self::Events(events) => events.cursor(),
            Self::Polls(polls) => polls.cursor(),
        }
    }

    /// Takes leave of the server.
    pub(crate) async fn close(self) {
        if let Self::Stomp(stomp) = self {
            stomp.close().await;
        }
    }
}
