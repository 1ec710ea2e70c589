//! A client for the terminal: sends the lines you type and prints what arrives.
//!
//! ```text
//! cargo run --release --example client -- --help
//! ```

mod arguments;
mod conversation;
mod input;
mod screen;
mod summary;

use arguments::Arguments;
use clap::Parser;
use conversation::{Conversation, End};
use input::Input;
use sansocket::{
    Error,
    client::{Backoff, ReconnectConfig, ReconnectNext, Reconnecting, Retry},
    handshake::HandshakeError,
    on_tokio::Connector,
    random,
};
use screen::Screen;
use std::{
    process::ExitCode,
    time::{Duration, SystemTime},
};
use summary::Summary;
use tokio::{
    select, signal,
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
    let succeeded = run(&arguments, &connector, &screen, &mut summary).await;
    summary.print(&screen);
    // A thread may still wait for standard input, so the runtime can't shut down in order.
    std::process::exit(if succeeded { 0 } else { 1 });
}

/// Connects, and connects again if that is wanted. Returns `true` after a clean end.
async fn run(
    arguments: &Arguments,
    connector: &Connector,
    screen: &Screen,
    summary: &mut Summary,
) -> bool {
    let mut input = Input::new(arguments);
    let attempts = arguments.attempts();
    let config = ReconnectConfig::new().backoff(Backoff::new().attempts(attempts));
    let mut client = Reconnecting::new(config);
    let epoch = Instant::now();
    loop {
        if let ReconnectNext::Wait(Some(moment)) = client.next(epoch.elapsed()) {
            select! {
                () = sleep_until(epoch + moment) => {}
                _ = signal::ctrl_c() => return false,
            }
            continue;
        }
        let connected = select! {
            connected = connector.connect(&arguments.url) => connected,
            _ = signal::ctrl_c() => return false,
        };
        let retry = match connected {
            Ok((websocket, response)) => {
                client.connected(epoch.elapsed());
                summary.connected();
                screen.connected(&websocket, &response);
                let mut conversation = Conversation { arguments, screen, summary };
                match conversation.hold(websocket, &mut input).await {
                    End::Done => return true,
                    End::Interrupted => return false,
                    End::Lost { closed } if closed.clean && attempts == 0 => return true,
                    End::Lost { closed } => {
                        screen.note(&closed.to_string());
                        if closed.is_transient() { Retry::Yes } else { Retry::No }
                    }
                }
            }
            Err(error) => {
                screen.failed(&error);
                retry_after(&error)
            }
        };
        match client.failed(epoch.elapsed(), retry, random::number().unwrap_or(u64::MAX)) {
            Ok(next) => {
                let attempt = next.number;
                screen.note(&format!("attempt {attempt} is in {:.1?}", next.pause));
            }
            Err(_) if attempts == 0 => return false,
            Err(given_up) => {
                screen.error(&given_up.to_string());
                return false;
            }
        }
    }
}

/// Returns whether another attempt can help after this one has failed.
fn retry_after(error: &Error) -> Retry {
    if !error.is_transient() {
        return Retry::No;
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let asked = match error {
        Error::Handshake(HandshakeError::Refused(refusal)) => refusal.retry_after(now),
        _ => None,
    };
    asked.map_or(Retry::Yes, Retry::After)
}
