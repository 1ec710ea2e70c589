//! The client under test of the Autobahn test suite: `autobahn/run client blocking`.
//!
//! ```text
//! autobahn_client_blocking URL AGENT      such as ws://127.0.0.1:9002 sansocket
//! ```

use sansocket::{
    Config, DeflateConfig, Error, Event, Limits,
    blocking::{ClientWebSocket, Connector},
};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(agent)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: autobahn_client_blocking URL AGENT");
        return ExitCode::from(2);
    };
    match run(&url, &agent) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("autobahn_client_blocking: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(url: &str, agent: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut count = open(&format!("{url}/getCaseCount"))?;
    let cases: usize = match count.next() {
        Some(message) => std::str::from_utf8(message?.as_bytes())?.parse()?,
        None => return Err("the suite did not say how many cases there are".into()),
    };
    count.wait_closed();
    for case in 1..=cases {
        // A failed case shows up in the suite's report.
        let _ = echo(&mut open(&format!("{url}/runCase?case={case}&agent={agent}"))?);
    }
    open(&format!("{url}/updateReports?agent={agent}"))?.wait_closed();
    Ok(())
}

fn open(url: &str) -> Result<ClientWebSocket, Error> {
    let limits = Limits::default().message(64 << 20);
    let config = Config::default().limits(limits).deflate(DeflateConfig::new());
    Ok(Connector::new().config(config).connect(url)?.0)
}

fn echo(websocket: &mut ClientWebSocket) -> Result<(), Error> {
    while let Some(received) = websocket.receive() {
        match received? {
            (Event::Text(text), mut replies) => replies.send(text)?,
            (Event::Binary(data), mut replies) => replies.send(data)?,
            _ => {}
        }
    }
    Ok(())
}
