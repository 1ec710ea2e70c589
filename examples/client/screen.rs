//! What the user sees: messages on standard output, everything else on standard error.

use crate::{arguments::Arguments, terminal::harmless};
use sansocket::{
    Error,
    client::ProxyError,
    handshake::{HandshakeError, Response, UrlError},
    on_tokio::ClientWebSocket,
    tls::TlsFault,
};
use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

pub(crate) struct Screen {
    /// Whether to mark messages, because a person reads them between notes and what they typed.
    marks_messages: bool,
    output_color: bool,
    note_color: bool,
    binary: bool,
    verbose: bool,
    quiet: bool,
}

const DIM: &str = "2";
const CYAN: &str = "36";
const RED: &str = "1;31";

impl Screen {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        Self {
            marks_messages: io::stdout().is_terminal() && !arguments.quiet,
            output_color: arguments.color.is_used(io::stdout().is_terminal()),
            note_color: arguments.color.is_used(io::stderr().is_terminal()),
            binary: arguments.binary,
            verbose: arguments.verbose,
            quiet: arguments.quiet,
        }
    }

    pub(crate) fn text(&self, text: &str) -> io::Result<()> {
        if self.binary {
            return print(text.as_bytes());
        }
        // A message from the network must not control the terminal.
        let shown = if io::stdout().is_terminal() { harmless(text) } else { text.to_owned() };
        self.line(&shown)
    }

    pub(crate) fn binary(&self, data: &[u8]) -> io::Result<()> {
        if self.binary {
            return print(data);
        }
        let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
        self.line(&format!("binary, {} bytes: {hex}", data.len()))
    }

    fn line(&self, text: &str) -> io::Result<()> {
        let mark = match (self.marks_messages, self.output_color) {
            (true, true) => format!("\x1b[{CYAN}m<\x1b[0m "),
            (true, false) => "< ".to_owned(),
            (false, _) => String::new(),
        };
        print(format!("{mark}{text}\n").as_bytes())
    }

    /// Tells what was agreed on.
    pub(crate) fn connected(
        &self,
        arguments: &Arguments,
        websocket: &ClientWebSocket,
        response: &Response,
    ) {
        let (stream, negotiated) = (websocket.get_ref(), websocket.negotiated());
        let mut text = "connected".to_owned();
        if let Ok(address) = stream.peer_addr() {
            text += &format!(" to {}", arguments.place(address));
        }
        if stream.is_secure() {
            text += ", TLS";
        }
        if let Some(name) = &negotiated.subprotocol {
            text += &format!(", subprotocol {name}");
        }
        if negotiated.deflate.is_some() {
            text += ", compressed";
        }
        self.note(&text);
        if self.verbose {
            for (name, value) in response.headers() {
                self.note(&format!("  {name}: {}", value.escape_ascii()));
            }
        }
    }

    pub(crate) fn control(&self, name: &str, payload: &[u8]) {
        if self.verbose {
            self.note(&format!("{name} \"{}\"", payload.escape_ascii()));
        }
    }

    pub(crate) fn round_trip(&self, number: u32, took: Duration) {
        self.note(&format!("ping {number}: {}", milliseconds(took)));
    }

    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.report(DIM, &harmless(text));
        }
    }

    pub(crate) fn error(&self, text: &str) {
        self.report(RED, &format!("client: {}", harmless(text)));
    }

    /// Tells why no connection was made, and what may help.
    pub(crate) fn failed(&self, error: &Error) {
        self.error(&error.to_string());
        let refusal = match error {
            Error::Handshake(HandshakeError::Refused(refusal)) => Some(refusal),
            Error::Proxy(ProxyError::Refused(refusal)) => Some(refusal),
            _ => None,
        };
        if let Some(refusal) = refusal.filter(|refusal| !refusal.body().is_empty()) {
            self.note(&String::from_utf8_lossy(refusal.body()));
        }
        if let Some(advice) = advice(error) {
            self.note(advice);
        }
    }

    fn report(&self, color: &str, text: &str) {
        let text = text.trim_end();
        match self.note_color {
            true => eprintln!("\x1b[{color}m{text}\x1b[0m"),
            false => eprintln!("{text}"),
        }
    }
}

fn print(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1e3)
}

/// Returns what the user can do about an error.
fn advice(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::Url(UrlError::NoScheme) => "a URL begins with ws:// or wss://",
        Error::Handshake(HandshakeError::Refused(refusal)) => match refusal.status() {
            301..=308 => "follow redirections with --redirects 5",
            401 => "log in with --user, or with --header 'Authorization: ...'",
            403 => "some servers want an --origin",
            _ => return None,
        },
        Error::Proxy(ProxyError::Refused(refusal)) if refusal.status() == 407 => {
            "the proxy wants a user name and a password, and these are missing or wrong: \
            --proxy http://name:password@host:port"
        }
        Error::Proxy(ProxyError::NoAcceptableMethod { .. } | ProxyError::CredentialsRefused) => {
            "the proxy wants a user name and a password, and these are missing or wrong: \
            --proxy socks5://name:password@host:port"
        }
        Error::Proxy(_) => "connect without a proxy with --no-proxy",
        Error::Tls(error) => match error.fault() {
            TlsFault::UnknownIssuer => "name the file with the server's authority with --authority",
            TlsFault::InvalidData => "a server without TLS has a ws:// URL",
            _ => return None,
        },
        _ => return None,
    })
}
