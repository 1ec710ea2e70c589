//! What a server's answer comes to together with its configuration.

use crate::buffer::WriteBuffer;
use crate::connection::Config;
use crate::handshake::{Accept, AcceptError, Request};
use crate::negotiated::Negotiated;
use alloc::borrow::Cow;

/// Queues the answer that opens the WebSocket, with compression if it or the configuration wants
/// that. Returns what the connection begins with.
pub(super) fn accept(
    request: &Request,
    answer: &Accept<'_>,
    config: Config,
    output: &mut WriteBuffer,
) -> Result<(Negotiated, Config), AcceptError> {
    // The connection that follows would not do what was agreed on, without a word.
    if let Some(text) = answer.extensions.first() {
        return Err(AcceptError::ExtensionNotImplemented((**text).into()));
    }
    let negotiated = request.accept(&with_config(answer, &config), output)?;
    Ok((negotiated, configured(config, answer)))
}

/// The answer with what the configuration adds to it.
fn with_config<'a>(answer: &'a Accept<'a>, config: &Config) -> Cow<'a, Accept<'a>> {
    #[cfg(feature = "deflate")]
    if let (None, false, Some(deflate)) = (answer.deflate, answer.no_deflate, config.deflate) {
        return Cow::Owned(answer.clone().deflate(deflate));
    }
    let _ = config;
    Cow::Borrowed(answer)
}

/// The configuration of a connection that was answered so.
#[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "nothing to look at"))]
fn configured(config: Config, answer: &Accept<'_>) -> Config {
    #[cfg(feature = "deflate")]
    let config = Config { deflate: answer.deflate.or(config.deflate), ..config };
    config
}
