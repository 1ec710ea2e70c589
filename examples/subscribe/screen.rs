//! What the user sees: messages on standard output, everything else on standard error.

use crate::{
    arguments::Arguments,
    failure::Failure,
    message::{Body, Gap, Message, Told},
    terminal::harmless,
};
use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

pub(crate) struct Screen {
    json: bool,
    cursors: bool,
    /// Whether the user can't know the topic of a message.
    topics: bool,
    quiet: bool,
    is_terminal: bool,
    output_color: bool,
    note_color: bool,
}

const DIM: &str = "2";
const CYAN: &str = "36";
const YELLOW: &str = "33";
const RED: &str = "1;31";

impl Screen {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        Self {
            json: arguments.json,
            cursors: arguments.cursors,
            topics: arguments.has_many_topics(),
            quiet: arguments.quiet,
            is_terminal: io::stdout().is_terminal(),
            output_color: arguments.color.is_used(io::stdout().is_terminal()),
            note_color: arguments.color.is_used(io::stderr().is_terminal()),
        }
    }

    /// Prints a message. An error means that nobody reads it.
    pub(crate) fn message(&self, message: Message) -> io::Result<()> {
        if self.json {
            return print_json(&Told::Message(message));
        }
        let mut line = String::new();
        if self.cursors {
            let cursor = message.cursor.as_deref().unwrap_or("-");
            line += &self.marked(DIM, cursor);
        }
        if self.topics {
            line += &self.marked(CYAN, &message.topic);
        }
        match &message.body {
            // A message from the network must not control the terminal.
            Body::Data(text) if self.is_terminal => line += &harmless(text),
            Body::Data(text) => line += text,
            Body::Base64(text) => line += &format!("base64: {text}"),
        }
        line.push('\n');
        print(line.as_bytes())
    }

    /// Tells of messages that may be lost.
    pub(crate) fn gap(&self, topic: Option<&str>, gap: Gap) -> io::Result<()> {
        let of_topic = topic.map(|topic| format!(" of {topic}")).unwrap_or_default();
        let Gap { from, to } = &gap;
        self.report(
            YELLOW,
            &format!("gap: messages{of_topic} after {from} and up to {to} may be lost"),
        );
        if self.json { print_json(&Told::Gap { gap }) } else { Ok(()) }
    }

    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.report(DIM, text);
        }
    }

    pub(crate) fn error(&self, text: &str) {
        self.report(RED, &format!("subscribe: {text}"));
    }

    /// Tells why the client gives up.
    pub(crate) fn failed(&self, failure: &Failure) {
        self.error(&failure.text);
        if let Some(advice) = failure.advice {
            self.report(DIM, advice);
        }
    }

    /// Tells that there is another attempt.
    pub(crate) fn lost(&self, failure: &Failure, pause: Duration) {
        self.note(&format!("{}; connecting again in {pause:.1?}", failure.text));
    }

    fn marked(&self, color: &str, text: &str) -> String {
        let text = harmless(text);
        match self.output_color {
            true => format!("\x1b[{color}m{text}\x1b[0m "),
            false => format!("{text} "),
        }
    }

    fn report(&self, color: &str, text: &str) {
        let text = harmless(text);
        let text = text.trim_end();
        match self.note_color {
            true => eprintln!("\x1b[{color}m{text}\x1b[0m"),
            false => eprintln!("{text}"),
        }
    }
}

fn print_json(told: &Told) -> io::Result<()> {
    let mut line = serde_json::to_vec(told)?;
    line.push(b'\n');
    print(&line)
}

fn print(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}
