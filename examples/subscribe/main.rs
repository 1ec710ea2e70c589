//! A client of the real-time server for the terminal: prints what topics get, over any of the transports,
//! and publishes.
//!
//! ```text
//! cargo run -p sansocket-examples --example subscribe -- --help
//! ```

mod arguments;
mod events;
mod failure;
mod http;
mod message;
mod polls;
mod publishing;
mod screen;
mod server;
mod source;
mod stomp;
#[path = "../terminal.rs"]
mod terminal;
mod tls;

use arguments::{Arguments, Transport};
use clap::Parser;
use events::Events;
use failure::Failure;
use http::Http;
use message::Seen;
use polls::Polls;
use publishing::Publication;
use sansocket_realtime::hub::Start;
use screen::Screen;
use source::{News, Source, reached};
use std::{future::pending, io, ops::ControlFlow, process::ExitCode, time::Duration};
use stomp::Stomp;
use tokio::{select, signal, time::Instant};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let screen = Screen::new(&arguments);
    let prepared = Publication::all(&arguments)
        .and_then(|publications| Ok((publications, connect(&arguments)?)));
    let (publications, connection) = match prepared {
        Ok(prepared) => prepared,
        Err(wrong) => {
            screen.error(&wrong);
            return ExitCode::from(2);
        }
    };
    let mut reader = Reader {
        arguments: &arguments,
        screen: &screen,
        publications,
        published: 0,
        was_connected: false,
        seen: Seen::default(),
        printed: 0,
        cursor: match arguments.since {
            Start::After(cursor) => Some(cursor.to_string()),
            _ => None,
        },
    };
    let outcome = match connection {
        Connection::Source(source) => reader.read(source).await,
        Connection::Http(http) => reader.publish(&http).await,
    };
    if let Some(cursor) = &reader.cursor {
        screen.note(&format!("to go on from here: --since {cursor}"));
    }
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            screen.failed(&failure);
            ExitCode::FAILURE
        }
    }
}

enum Connection {
    Source(Source),
    /// Requests alone: there is nothing to subscribe to.
    Http(Box<Http>),
}

/// Returns what the transport of the arguments needs, or what is wrong with these.
fn connect(arguments: &Arguments) -> Result<Connection, String> {
    let tls = tls::config(arguments)?;
    if arguments.transport == Transport::Stomp {
        let stomp = Stomp::new(arguments, tls).map_err(|error| error.to_string())?;
        return Ok(Connection::Source(Source::Stomp(Box::new(stomp))));
    }
    let http = Http::new(arguments, tls)?;
    if arguments.topics.is_empty() {
        return Ok(Connection::Http(Box::new(http)));
    }
    Ok(Connection::Source(match arguments.transport {
        Transport::Sse => Source::Events(Box::new(Events::new(arguments, http))),
        _ => Source::Polls(Box::new(Polls::new(arguments, http))),
    }))
}

/// Prints what comes, until there is enough.
struct Reader<'a> {
    arguments: &'a Arguments,
    screen: &'a Screen,
    /// What to publish, until it was handed to the connection.
    publications: Vec<Publication<'a>>,
    /// How many messages the server has taken.
    published: usize,
    was_connected: bool,
    seen: Seen,
    printed: u64,
    /// Everything up to it was printed.
    cursor: Option<String>,
}

impl Reader<'_> {
    async fn read(&mut self, mut source: Source) -> Result<(), Failure> {
        let stopped = stopped(self.arguments.timeout);
        tokio::pin!(stopped);
        let outcome = loop {
            let step = async {
                let news = source.next().await?;
                self.handle(news, &mut source).await
            };
            let flow = select! {
                flow = step => flow,
                () = &mut stopped => break self.is_enough(),
            };
            match flow {
                Ok(ControlFlow::Continue(())) => {}
                Ok(ControlFlow::Break(())) => break Ok(()),
                Err(failure) => break Err(failure),
            }
        };
        source.close().await;
        outcome
    }

    /// Publishes without reading anything.
    async fn publish(&mut self, http: &Http) -> Result<(), Failure> {
        for publication in std::mem::take(&mut self.publications) {
            let cursor = publication.post(http, &self.arguments.server).await?;
            self.note_published(cursor.as_deref());
        }
        Ok(())
    }

    async fn handle(
        &mut self,
        news: News,
        source: &mut Source,
    ) -> Result<ControlFlow<()>, Failure> {
        match news {
            News::Connected => {
                let again = if self.was_connected { " again" } else { "" };
                self.was_connected = true;
                self.screen.note(&format!("connected{again} to {}", self.arguments.server));
                for publication in std::mem::take(&mut self.publications) {
                    source.publish(&publication).await?;
                }
            }
            News::Subscribed => {
                self.screen.note(&format!("subscribed to {}", self.arguments.topics.join(", ")));
                self.cursor = source.cursor().or(self.cursor.take());
            }
            News::Published { cursor } => {
                self.note_published(cursor.as_deref());
                let is_all = self.published == self.arguments.publish.len();
                if is_all && self.arguments.topics.is_empty() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            News::Message(message) if !self.seen.is_new(&message) => {}
            News::Message(message) => {
                if let Some(stop) = stop_of_output(self.screen.message(message))? {
                    return Ok(stop);
                }
                self.printed += 1;
                self.cursor = source.cursor().or(self.cursor.take());
                if self.arguments.count.is_some_and(|count| self.printed >= count) {
                    return Ok(ControlFlow::Break(()));
                }
            }
            News::Gap { topic, gap } => {
                if let Some(stop) = stop_of_output(self.screen.gap(topic.as_deref(), gap))? {
                    return Ok(stop);
                }
                self.cursor = source.cursor().or(self.cursor.take());
            }
            News::Lost { failure, .. } if !self.was_connected && !self.arguments.retry => {
                return Err(failure);
            }
            News::Lost { failure, pause } => self.screen.lost(&failure, pause),
        }
        Ok(ControlFlow::Continue(()))
    }

    fn note_published(&mut self, cursor: Option<&str>) {
        self.published += 1;
        let place = cursor.map(|cursor| format!(" as {cursor}")).unwrap_or_default();
        self.screen.note(&format!("published{place}"));
    }

    /// Returns whether the user, who has stopped the client, has got everything.
    fn is_enough(&self) -> Result<(), Failure> {
        match self.arguments.count {
            _ if !self.was_connected => Err(Failure::lasting("no connection was made")),
            Some(count) if self.printed < count => {
                Err(Failure::lasting(format!("{} of {count} messages have come", self.printed)))
            }
            _ if self.published < self.arguments.publish.len() => {
                Err(Failure::lasting("the server has not taken all that was published"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether to stop after something was printed: not if that has worked, and without an error if nobody
/// reads any more.
fn stop_of_output(printed: io::Result<()>) -> Result<Option<ControlFlow<()>>, Failure> {
    match printed {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Some(ControlFlow::Break(()))),
        Err(error) => Err(Failure::lasting(format!("standard output: {error}"))),
    }
}

/// Waits until the user stops the client, or does not wait any longer.
async fn stopped(limit: Option<Duration>) {
    // A moment too late to be represented never comes.
    let moment = limit.and_then(|limit| Instant::now().checked_add(limit));
    select! {
        _ = signal::ctrl_c() => {}
        () = terminated() => {}
        () = reached(moment) => {}
    }
}

#[cfg(unix)]
async fn terminated() {
    use signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => drop(signal.recv().await),
        // Then the signal ends the process, as it does by default.
        Err(_) => pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    pending().await
}
