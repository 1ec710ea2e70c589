//! A client for the terminal: sends the lines you type and prints what arrives.
//!
//! ```text
//! cargo run --release --example client -- --help
//! ```

mod arguments;
mod conversation;
mod input;
mod screen;
mod stop;
mod summary;
#[path = "../terminal.rs"]
mod terminal;

use arguments::Arguments;
use clap::Parser;
use conversation::{Conversation, End};
use input::Input;
use sansocket::{
    Error,
    client::{Backoff, ReconnectConfig, ReconnectNext, Reconnecting, Retry},
    on_tokio::Connector,
    random,
};
use screen::Screen;
use std::{process::ExitCode, time::SystemTime};
use stop::Stop;
use summary::{Outcome, Summary};
use tokio::{
    select,
    time::{Instant, sleep_until},
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let screen = Screen::new(&arguments);
    let connector = match arguments.connector() {
        Ok(connector) => connector,
        Err(wrong) => {
            screen.error(&wrong);
            return ExitCode::from(2);
        }
    };
    let mut summary = Summary::new();
    let outcome = run(&arguments, &connector, &screen, &mut summary).await;
    if let Err(Some(reason)) = &outcome {
        screen.error(reason);
    }
    summary.print(&screen);
    // A thread may still wait for standard input, so the runtime can't shut down in order.
    std::process::exit(if outcome.is_ok() { 0 } else { 1 });
}

/// Connects, and connects again if that is wanted.
async fn run(
    arguments: &Arguments,
    connector: &Connector,
    screen: &Screen,
    summary: &mut Summary,
) -> Outcome {
    let stop = Stop::new(arguments);
    let mut input = Input::new(arguments);
    let attempts = arguments.attempts();
    let config = ReconnectConfig::new().backoff(Backoff::new().attempts(attempts));
    let mut client = Reconnecting::new(config);
    let epoch = Instant::now();
    loop {
        if let ReconnectNext::Wait(Some(moment)) = client.next(epoch.elapsed()) {
            select! {
                () = sleep_until(epoch + moment) => {}
                () = stop.requested() => return summary.outcome(arguments, None).and(Err(None)),
            }
            continue;
        }
        let connected = select! {
            connected = connector.connect(&arguments.url) => connected,
            () = stop.requested() => return summary.outcome(arguments, None).and(Err(None)),
        };
        let mut lost = None;
        let retry = match connected {
            Ok((websocket, response)) => {
                client.connected(epoch.elapsed());
                summary.connected();
                screen.connected(arguments, &websocket, &response);
                let mut conversation = Conversation { arguments, screen, stop: &stop, summary };
                let End { closed, is_done } = conversation.hold(websocket, &mut input).await;
                if is_done || attempts == Some(0) {
                    let outcome = summary.outcome(arguments, Some(&closed));
                    if outcome.is_ok() {
                        screen.note(&closed.to_string());
                    }
                    return outcome;
                }
                screen.note(&closed.to_string());
                let retry = Retry::new(closed.is_transient(), None);
                lost = Some(closed);
                retry
            }
            Err(error) => {
                screen.failed(&error);
                retry(&error)
            }
        };
        match client.failed(epoch.elapsed(), retry, random::number().unwrap_or(u64::MAX)) {
            Ok(next) => {
                let attempt = next.number;
                screen.note(&format!("attempt {attempt} is in {:.1?}", next.pause));
            }
            // The error of the attempt was printed.
            Err(_) if attempts == Some(0) => return Err(None),
            Err(given_up) => {
                let lost = lost.map(|closed| format!("; {closed}")).unwrap_or_default();
                return Err(Some(format!("{given_up}{lost}")));
            }
        }
    }
}

/// Returns whether another attempt can help after this one has failed.
fn retry(error: &Error) -> Retry {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Retry::new(error.is_transient(), error.retry_after(now))
}
