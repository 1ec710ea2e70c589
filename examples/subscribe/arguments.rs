//! The command line.

use crate::{server::Server, terminal::Color};
use clap::{Parser, ValueEnum};
use sansocket_realtime::hub::Start;
use std::{path::PathBuf, time::Duration};

/// A client of a real-time server for the terminal: prints the messages of topics as they come.
///
/// Messages go to standard output, one a line, and everything else to standard error. When the connection
/// is lost, the client connects again and goes on where it was. What the server does not have any more is
/// told as a gap. At the end, also by Ctrl-C, it prints the cursor with which --since goes on later.
#[derive(Debug, Parser)]
#[command(name = "subscribe", after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Arguments {
    /// What to print: topics such as /topic/orders/42, patterns such as '/topic/orders/*' or
    /// '/topic/**', your own queue /user/queue/…, or who is present, /presence/topic/…
    #[arg(value_name = "TOPIC", required_unless_present = "publish")]
    pub(crate) topics: Vec<String>,

    /// The URL of the server, without /ws, /events or /poll: http://, https://, ws:// or wss://.
    #[arg(short, long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    #[arg(help_heading = "Connection")]
    pub(crate) server: Server,
    /// How messages come, and how they are published.
    #[arg(short, long, value_enum, default_value = "stomp", help_heading = "Connection")]
    pub(crate) transport: Transport,
    /// Log in with this token (Bearer).
    #[arg(long, env = "SUBSCRIBE_TOKEN", hide_env_values = true, help_heading = "Connection")]
    pub(crate) token: Option<String>,
    /// Log in with this name and password: the login and passcode of STOMP, and Basic on the other
    /// transports.
    #[arg(long, value_name = "NAME:PASSWORD", conflicts_with = "token", value_parser = user)]
    #[arg(env = "SUBSCRIBE_USER", hide_env_values = true, help_heading = "Connection")]
    pub(crate) user: Option<(String, String)>,
    /// Trust only the authorities in this PEM file, instead of those that the system trusts.
    #[arg(long, value_name = "FILE", help_heading = "Connection")]
    pub(crate) authority: Option<PathBuf>,
    /// Give up an attempt to connect, or a request, that the server does not answer for so long.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    #[arg(help_heading = "Connection")]
    pub(crate) connect_timeout: Duration,
    /// Try again also if the first attempt to connect fails.
    #[arg(short, long, help_heading = "Connection")]
    pub(crate) retry: bool,
    /// How often short-poll asks.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = seconds)]
    #[arg(help_heading = "Connection")]
    pub(crate) interval: Duration,

    /// Where to begin: after a CURSOR that an earlier run has printed, with the next message (now), with
    /// the last message of each topic that retains it, or with all that the topics keep (beginning).
    #[arg(long, value_name = "CURSOR|now|last|beginning", default_value = "now")]
    #[arg(value_parser = start, help_heading = "Messages")]
    pub(crate) since: Start,
    /// Stop after so many messages.
    #[arg(short = 'n', long, help_heading = "Messages")]
    pub(crate) count: Option<u64>,
    /// Stop after this time. If there is a --count and fewer messages have come, the exit status is 1.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = "Messages")]
    pub(crate) timeout: Option<Duration>,

    /// Publish this text, once connected. Can be repeated. Without a TOPIC, the client stops when the
    /// server has taken it.
    #[arg(short, long, value_name = "TEXT", help_heading = "Publishing")]
    pub(crate) publish: Vec<String>,
    /// Where to publish: a topic, a queue, or /app/… By default, it is the one TOPIC.
    #[arg(long = "send", value_name = "DESTINATION", requires = "publish")]
    #[arg(help_heading = "Publishing")]
    destination: Option<String>,
    /// The content type of what is published.
    #[arg(long, value_name = "TYPE", default_value = "text/plain", help_heading = "Publishing")]
    pub(crate) content_type: String,

    /// Print each message as a JSON object: topic, cursor, type, headers, and data (or base64, if it is
    /// no text). A gap is an object too: {"gap":{"from":…,"to":…}}.
    #[arg(short, long, help_heading = "Output")]
    pub(crate) json: bool,
    /// Print the cursor of each message before it.
    #[arg(short, long, conflicts_with = "json", help_heading = "Output")]
    pub(crate) cursors: bool,
    /// Print only messages, gaps and errors.
    #[arg(short, long, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// When to use colours.
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    pub(crate) color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// STOMP over WebSocket, at /ws.
    Stomp,
    /// Server-Sent Events, at /events.
    Sse,
    /// Long polling, at /poll.
    Poll,
    /// Short polling, at /poll: asks once an --interval.
    ShortPoll,
}

const EXAMPLES: &str = "\
Examples:
  subscribe /topic/orders/42                         follow one order
  subscribe '/topic/orders/*' --since beginning      all orders, with what was kept of them
  subscribe /topic/orders/42 --transport sse --json  over Server-Sent Events, as JSON
  subscribe /topic/a --since 5f3a-1042               go on after a message
  subscribe /topic/a --count 1 --timeout 10          wait for one message
  subscribe /topic/a --publish hello                 publish, and see it come back
  subscribe --publish '{\"item\":7}' --send /app/orders --content-type application/json
  SUBSCRIBE_TOKEN=… subscribe /user/queue/replies --server https://example.com

The exit status is 0 once the client has what --count asks for or, without that, was stopped. It is 2 if
the arguments are wrong, and 1 after anything else.";

impl Arguments {
    /// Returns where to publish.
    pub(crate) fn destination(&self) -> Result<&str, String> {
        let destination = match (&self.destination, &self.topics[..]) {
            (Some(destination), _) => destination,
            (None, [topic]) => topic,
            (None, _) => return Err("say where to publish, with --send DESTINATION".to_owned()),
        };
        if is_pattern(destination) {
            return Err(format!("{destination} is a pattern: say where to publish, with --send"));
        }
        Ok(destination)
    }

    /// Returns whether messages can be of different topics.
    pub(crate) fn has_many_topics(&self) -> bool {
        self.topics.len() > 1 || self.topics.iter().any(|topic| is_pattern(topic))
    }
}

fn is_pattern(topic: &str) -> bool {
    topic.contains(['*', '>'])
}

fn start(text: &str) -> Result<Start, String> {
    Ok(match text {
        "now" => Start::Now,
        "last" => Start::Last,
        "beginning" => Start::Beginning,
        _ => Start::After(text.parse().map_err(|_| {
            "neither now, last nor beginning, nor a cursor such as 5f3a-1042".to_owned()
        })?),
    })
}

fn user(text: &str) -> Result<(String, String), String> {
    // The error does not show it, because it contains a password.
    let (name, password) = text.split_once(':').ok_or("not of the form NAME:PASSWORD")?;
    Ok((name.to_owned(), password.to_owned()))
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if time >= Duration::from_millis(1) => Ok(time),
        _ => Err("must be at least 0.001 seconds".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(["subscribe"].into_iter().chain(line.split_whitespace()))
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }

    #[test]
    fn where_it_begins() {
        let since = |line| parse(line).unwrap().since;
        assert_eq!(since("/topic/a"), Start::Now);
        assert_eq!(since("/topic/a --since beginning"), Start::Beginning);
        assert_eq!(since("/topic/a --since 5f3a-7"), Start::After("5f3a-7".parse().unwrap()));
        let error = parse("/topic/a --since 7").unwrap_err().to_string();
        assert!(error.contains("a cursor such as 5f3a-1042"), "{error}");
    }

    #[test]
    fn where_it_publishes() {
        let destination =
            |line| parse(line).unwrap().destination().map(str::to_owned).map_err(|_| ());
        assert_eq!(destination("/topic/a --publish x").as_deref(), Ok("/topic/a"));
        assert_eq!(destination("/topic/a --publish x --send /app/b").as_deref(), Ok("/app/b"));
        assert!(destination("/topic/a /topic/b --publish x").is_err());
        assert!(destination("/topic/* --publish x").is_err());
        assert!(destination("/topic/> --publish x").is_err());
        assert!(destination("--publish x").is_err());
        assert!(parse("").is_err(), "there is nothing to do");
        assert!(parse("/topic/a --send /app/b").is_err(), "there is nothing to send");
    }

    #[test]
    fn messages_of_patterns_have_their_topics() {
        let has_many = |line| parse(line).unwrap().has_many_topics();
        assert!(has_many("/topic/*") && has_many("/topic/>") && has_many("/topic/a /topic/b"));
        assert!(!has_many("/topic/a"));
    }

    #[test]
    fn a_password_is_not_shown() {
        let error = parse("/topic/a --user secret").unwrap_err().to_string();
        assert!(error.contains("NAME:PASSWORD"), "{error}");
    }

    #[test]
    fn times() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        for wrong in ["", "x", "-1", "0", "NaN", "inf", "1e30"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
