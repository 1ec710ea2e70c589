//! The command line.

use crate::{
    Result,
    frames::{self, Kind},
    json_text,
};
use lexopt::{Arg, Parser, ValueExt};
use std::{ffi::OsString, time::Duration};

pub(crate) const HELP: &str = include_str!("help.txt");

pub(crate) enum Request {
    Help,
    Run(Arguments),
}

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) mode: Mode,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) path: String,
    pub(crate) connections: usize,
    pub(crate) raw: bool,
    pub(crate) deflate: Deflate,
    pub(crate) timeout: Duration,
    pub(crate) size: usize,
    pub(crate) kind: Kind,
    pub(crate) json: bool,
    pub(crate) seed: u64,
    pub(crate) outstanding: usize,
    pub(crate) amount: Amount,
    pub(crate) warm_up_messages: u64,
    pub(crate) pid: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Echo,
    Hold,
    Receive,
}

/// How to offer permessage-deflate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deflate {
    Off,
    Takeover,
    NoTakeover,
}

/// How much to send in the measured part.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Amount {
    Time(Duration),
    Messages(u64),
}

impl Arguments {
    pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Request> {
        let hint = |error: String| format!("{error}; see 'load --help'");
        parse(Parser::from_args(arguments))
            .map_err(|error| error.to_string())
            .and_then(|request| match request {
                Request::Run(arguments) => arguments.checked().map(Request::Run),
                Request::Help => Ok(Request::Help),
            })
            .map_err(hint)
    }

    /// Returns the size of a message on the wire. A raw message is as long as a masked frame.
    pub(crate) fn size_on_connection(&self) -> usize {
        self.size + if self.raw { frames::masked_header_length(self.size) } else { 0 }
    }

    /// Returns `true` if every message is compressed without context. Such messages can be
    /// compressed in advance. The first message of a connection never has context.
    pub(crate) fn compresses_without_context(&self) -> bool {
        match self.deflate {
            Deflate::Off => false,
            Deflate::Takeover => self.mode == Mode::Hold,
            Deflate::NoTakeover => true,
        }
    }

    fn checked(self) -> Result<Self> {
        let complain = |complaint: &str| Err(complaint.to_owned());
        if self.port == 0 {
            return complain("--port is missing");
        }
        if self.connections == 0 || self.outstanding == 0 {
            return complain("--connections and --outstanding must be at least 1");
        }
        if self.raw && (self.deflate != Deflate::Off || self.json) {
            return complain("--raw can't be combined with --deflate or --json");
        }
        if self.json && self.size < json_text::LEAST {
            return Err(format!("--json needs a --size of at least {}", json_text::LEAST));
        }
        if !self.path.starts_with('/') || self.path.contains(|c: char| c.is_ascii_whitespace()) {
            return complain("--path must start with a slash and contain no spaces");
        }
        Ok(self)
    }
}

fn parse(mut parser: Parser) -> std::result::Result<Request, lexopt::Error> {
    let mut arguments = Arguments {
        mode: Mode::Echo,
        host: "127.0.0.1".into(),
        port: 0,
        path: "/".into(),
        connections: 100,
        raw: false,
        deflate: Deflate::Off,
        timeout: Duration::from_secs(60),
        size: 16,
        kind: Kind::Binary,
        json: false,
        seed: 1,
        outstanding: 1,
        amount: Amount::Time(Duration::from_secs(2)),
        warm_up_messages: 16,
        pid: None,
    };
    let (mut kind, mut seconds, mut messages) = (None, None, None);
    while let Some(argument) = parser.next()? {
        let Arg::Long(name) = argument else {
            if matches!(argument, Arg::Short('h')) {
                return Ok(Request::Help);
            }
            return Err(argument.unexpected());
        };
        match name {
            "help" => return Ok(Request::Help),
            "hold" => arguments.mode = Mode::Hold,
            "receive" => arguments.mode = Mode::Receive,
            "raw" => arguments.raw = true,
            "json" => arguments.json = true,
            "host" => arguments.host = parser.value()?.string()?,
            "port" => arguments.port = parser.value()?.parse()?,
            "path" => arguments.path = parser.value()?.string()?,
            "connections" => arguments.connections = parser.value()?.parse()?,
            "deflate" => arguments.deflate = parser.value()?.parse_with(deflate)?,
            "timeout" => arguments.timeout = parser.value()?.parse_with(duration)?,
            "size" => arguments.size = parser.value()?.parse()?,
            "kind" => kind = Some(parser.value()?.parse_with(parse_kind)?),
            "seed" => arguments.seed = parser.value()?.parse()?,
            "outstanding" => arguments.outstanding = parser.value()?.parse()?,
            "seconds" => seconds = Some(parser.value()?.parse_with(duration)?),
            "messages" => messages = Some(parser.value()?.parse()?),
            "warm-up-messages" => arguments.warm_up_messages = parser.value()?.parse()?,
            "pid" => arguments.pid = Some(parser.value()?.parse()?),
            _ => return Err(argument.unexpected()),
        }
    }
    arguments.kind = kind.unwrap_or(if arguments.json { Kind::Text } else { Kind::Binary });
    arguments.amount = match (seconds, messages) {
        (Some(_), Some(_)) => return Err("--seconds and --messages can't be combined".into()),
        (_, Some(0)) => return Err("--messages must be at least 1".into()),
        (_, Some(messages)) => Amount::Messages(messages),
        (Some(time), None) => Amount::Time(time),
        (None, None) => arguments.amount,
    };
    Ok(Request::Run(arguments))
}

fn deflate(word: &str) -> Result<Deflate> {
    match word {
        "off" => Ok(Deflate::Off),
        "takeover" => Ok(Deflate::Takeover),
        "no-takeover" => Ok(Deflate::NoTakeover),
        _ => Err("expected off, takeover or no-takeover".into()),
    }
}

fn parse_kind(word: &str) -> Result<Kind> {
    match word {
        "binary" => Ok(Kind::Binary),
        "text" => Ok(Kind::Text),
        _ => Err("expected binary or text".into()),
    }
}

fn duration(word: &str) -> Result<Duration> {
    let seconds = word.parse::<f64>().map_err(|error| error.to_string())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Arguments> {
        match Arguments::parse(line.split_whitespace().map(OsString::from))? {
            Request::Run(arguments) => Ok(arguments),
            Request::Help => Err("help".into()),
        }
    }

    #[test]
    fn json_is_sent_as_text_by_default() {
        let kind = |line| parsed(line).expect("the arguments are valid").kind;
        assert_eq!(kind("--port 1 --size 40"), Kind::Binary);
        assert_eq!(kind("--port 1 --size 40 --json"), Kind::Text);
        assert_eq!(kind("--port 1 --size 40 --json --kind binary"), Kind::Binary);
    }

    #[test]
    fn invalid_arguments_are_refused() {
        for line in [
            "",
            "--port 1 --connections 0",
            "--port 1 --raw --deflate takeover",
            "--port 1 --seconds 1 --messages 1",
            "--port 1 --seconds -1",
            "--port 1 --json --size 10",
            "--port 1 --path x",
            "--port 1 --deflate yes",
            "--port 1 --nothing",
        ] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
