//! The log of the program.

use crate::config::LogFormat;
use tracing_subscriber::{EnvFilter, fmt};

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error(transparent)]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("there is a log already: {0}")]
    Exists(Box<dyn std::error::Error + Send + Sync>),
}

/// Starts to write events to standard error, those that the filter lets through.
///
/// Neither the server nor the libraries below it tell credentials, or targets of requests, which can have a
/// token in their query.
pub(crate) fn start(format: LogFormat, filter: &str) -> Result<(), LogError> {
    let builder = fmt()
        .with_env_filter(EnvFilter::try_new(filter)?)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let started = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(LogError::Exists)
}
