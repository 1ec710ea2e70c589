//! A client for the terminal: sends the lines you type and prints what arrives.
//!
//! ```text
//! cargo run --example client -- URL [--header 'Name: value']… [--subprotocol NAME]… [--authority FILE]
//! ```

use sansocket::{
    CloseCode, Config, DeflateConfig, Error, Message, State,
    blocking::{self, ClientWebSocket},
    connection::{Keepalive, SendError},
    tls::ClientTls,
};
use std::{
    io::{BufRead, IsTerminal, Write},
    process::ExitCode,
    sync::mpsc::{Receiver, TryRecvError, sync_channel},
    thread,
    time::Duration,
};

const HELP: &str = "\
A WebSocket client: each line of standard input is sent as a text message, and what arrives is
printed on standard output. At the end of input it closes with 1000 and waits for the answer.
Messages are compressed if the server agrees. A server that is silent for 45 seconds, and answers
no ping either, is given up.

usage: client URL [--header 'Name: value']... [--subprotocol NAME]... [--authority FILE]

  URL                      ws://host:port/path, or wss:// for TLS
  --header 'Name: value'   adds a header field to the request
  --subprotocol NAME       offers a subprotocol, in order of preference
  --authority FILE         trusts only the authorities in this PEM file, instead of those that the
                           system trusts

examples:
  client wss://example.com/chat --header 'Authorization: Bearer 5ca1ab1e'
  echo hello | client ws://127.0.0.1:9001

The exit status is 0 after a clean close, 1 after anything else, 2 if the arguments are wrong.";

fn main() -> ExitCode {
    let (connector, url) = match arguments() {
        Ok(Some(parsed)) => parsed,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(wrong) => {
            eprintln!("client: {wrong}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match talk(&connector, &url) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("client: {error}");
            ExitCode::FAILURE
        }
    }
}

fn arguments() -> Result<Option<(blocking::Connector, String)>, String> {
    let config = Config::default().deflate(DeflateConfig::new()).keepalive(Keepalive::default());
    let mut connector = blocking::Connector::new().config(config);
    let mut url = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-h" | "--help" => return Ok(None),
            "--header" => {
                let field = arguments.next().ok_or("--header needs a field")?;
                let (name, value) = field
                    .split_once(':')
                    .ok_or(format!("--header {field:?} is not of the form 'Name: value'"))?;
                connector = connector.header(name.trim(), value.trim());
            }
            "--subprotocol" => {
                let name = arguments.next().ok_or("--subprotocol needs a name")?;
                connector = connector.subprotocol(name);
            }
            "--authority" => {
                let file = arguments.next().ok_or("--authority needs a file")?;
                let pem = std::fs::read(&file).map_err(|error| format!("{file}: {error}"))?;
                let tls = ClientTls::with_roots(pem).map_err(|error| format!("{file}: {error}"))?;
                connector = connector.tls(tls);
            }
            option if option.starts_with('-') => return Err(format!("unknown option {option}")),
            _ if url.is_some() => return Err(format!("more than one URL: {argument}")),
            _ => url = Some(argument),
        }
    }
    url.map(|url| Some((connector, url))).ok_or_else(|| "which URL?".into())
}

fn talk(connector: &blocking::Connector, url: &str) -> Result<(), Error> {
    let (mut websocket, _) = connector.connect(url)?;
    let negotiated = websocket.negotiated();
    let subprotocol = negotiated.subprotocol.iter().map(|name| format!(", subprotocol {name}"));
    let compressed = negotiated.deflate.iter().map(|_| ", compressed".to_owned());
    eprintln!("connected to {url}{}", subprotocol.chain(compressed).collect::<String>());
    // Reads are short, so that lines are sent while nothing arrives. Reading continues while the
    // server does not read.
    websocket.get_ref().set_read_timeout(Some(Duration::from_millis(20)))?;
    websocket.get_ref().set_write_timeout(Some(Duration::from_millis(1)))?;
    let lines = lines();
    // `closed` below tells how the connection ended; an error of the loop adds nothing.
    let outcome = exchange(&mut websocket, &lines);
    match websocket.closed() {
        Some(closed) if closed.clean => {
            eprintln!("{closed}");
            Ok(())
        }
        _ => outcome,
    }
}

fn exchange(websocket: &mut ClientWebSocket, lines: &Receiver<String>) -> Result<(), Error> {
    let mut unsent = None;
    while let Some(received) = websocket.next() {
        match received {
            Ok(message) => print(&message)?,
            Err(error) if error.is_would_block() => {}
            Err(error) => return Err(error),
        }
        match send_lines(websocket, lines, &mut unsent) {
            // The rest of the line is queued, or kept in `unsent`.
            Err(error) if error.is_would_block() => {}
            Err(Error::Send(SendError::QueueFull { .. })) => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

/// Sends the available lines until the server takes no more.
fn send_lines(
    websocket: &mut ClientWebSocket,
    lines: &Receiver<String>,
    unsent: &mut Option<String>,
) -> Result<(), Error> {
    while websocket.state() == State::Open {
        match unsent.take().map_or_else(|| lines.try_recv(), Ok) {
            Ok(line) => {
                let sent = websocket.send(&line);
                if matches!(sent, Err(Error::Send(SendError::QueueFull { .. }))) {
                    *unsent = Some(line);
                }
                sent?;
            }
            Err(TryRecvError::Empty) => break,
            Err(TryRecvError::Disconnected) => websocket.close(CloseCode::NORMAL, "")?,
        }
    }
    Ok(())
}

fn print(message: &Message) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match message {
        Message::Text(text) => writeln!(out, "{text}"),
        Message::Binary(data) => {
            let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(out, "binary, {} bytes: {hex}", data.len())
        }
    }
}

/// Returns the lines of standard input, read by a separate thread.
fn lines() -> Receiver<String> {
    let (sender, receiver) = sync_channel(16);
    if std::io::stdin().is_terminal() {
        eprintln!("type lines to send; end the input (Ctrl-D) to close");
    }
    thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}
