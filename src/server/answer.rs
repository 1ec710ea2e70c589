//! Combines a server's answer with its configuration.

use crate::buffer::WriteBuffer;
use crate::connection::Config;
#[cfg(feature = "deflate")]
use crate::deflate::ContextBudget;
use crate::handshake::{Accept, AcceptError, Acceptance, Request};
use crate::negotiated::Negotiated;
use alloc::borrow::Cow;

/// Queues the answer that opens the WebSocket, with compression if the answer or the configuration
/// enables it. Returns what the connection begins with.
pub(super) fn accept(
    request: &Request,
    answer: &Accept,
    config: Config,
    output: &mut WriteBuffer,
) -> Result<(Negotiated, Config), AcceptError> {
    check(answer)?;
    let negotiated = request.accept(&with_config(answer, &config), output)?;
    Ok((negotiated, configured(config, answer)))
}

/// Like [`accept`], but returns the answer as data.
pub(super) fn acceptance(
    request: &Request,
    answer: &Accept,
    config: Config,
) -> Result<(Acceptance, Config), AcceptError> {
    check(answer)?;
    let acceptance = request.acceptance(&with_config(answer, &config))?;
    Ok((acceptance, configured(config, answer)))
}

/// The connection would silently ignore an extension that it does not implement.
fn check(answer: &Accept) -> Result<(), AcceptError> {
    match answer.extensions.first() {
        Some(text) => Err(AcceptError::ExtensionNotImplemented(text.as_str().into())),
        None => Ok(()),
    }
}

/// Returns the answer with the budget of the acceptor, unless it has one of its own.
#[cfg(feature = "deflate")]
pub(super) fn within<'a>(answer: &'a Accept, budget: Option<&ContextBudget>) -> Cow<'a, Accept> {
    match (&answer.context_budget, budget) {
        (None, Some(budget)) => Cow::Owned(answer.clone().context_budget(budget)),
        _ => Cow::Borrowed(answer),
    }
}

/// Returns the answer with what the configuration adds to it.
fn with_config<'a>(answer: &'a Accept, config: &Config) -> Cow<'a, Accept> {
    #[cfg(feature = "deflate")]
    if let (None, Some(deflate)) = (answer.deflate, config.deflate) {
        return Cow::Owned(answer.clone().deflate(deflate));
    }
    let _ = config;
    Cow::Borrowed(answer)
}

/// Returns the configuration of the connection that this answer opens.
#[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "only deflate uses it"))]
fn configured(config: Config, answer: &Accept) -> Config {
    #[cfg(feature = "deflate")]
    let config = Config { deflate: answer.deflate.unwrap_or(config.deflate), ..config };
    config
}
