//! The opening handshake as both shells make it: all of it but the waiting.

use crate::{
    Accept, AcceptError, ClientHandshake, Config, Error, HandshakeError, Negotiated, ReadBuffer,
    Reject, RejectError, Request, WriteBuffer,
};
use alloc::borrow::Cow;
use core::time::Duration;

/// How long a peer has for its part of the opening handshake, by default.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a refused client has at most to read the refusal and end its side.
pub(crate) const REFUSAL_LINGER: Duration = Duration::from_secs(2);

/// How long a client waits for the answer of a server that does not take its request: that may be a
/// refusal.
pub(crate) const UNSENT_LINGER: Duration = Duration::from_secs(1);

/// Queues what opens the WebSocket. On an error the refusal of a server that failed is queued.
pub(crate) fn accept(
    request: &Request,
    accept: &Accept<'_>,
    config: &Config,
    output: &mut WriteBuffer,
) -> Result<Negotiated, AcceptError> {
    // The connection that follows would not do what was agreed on, without a word.
    let accepted = match accept.extensions.first() {
        Some(text) => Err(AcceptError::ExtensionNotImplemented((**text).into())),
        None => request.accept(&with_config(accept, config), output),
    };
    accepted.inspect_err(|_| fail(output))
}

/// The configuration of a connection that was answered so.
#[cfg_attr(not(feature = "deflate"), expect(unused_variables, reason = "nothing to look at"))]
pub(crate) fn configured(config: Config, accept: &Accept<'_>) -> Config {
    #[cfg(feature = "deflate")]
    let config = Config { deflate: accept.deflate.or(config.deflate), ..config };
    config
}

/// With what the configuration adds to the application's answer.
fn with_config<'a>(accept: &'a Accept<'a>, config: &Config) -> Cow<'a, Accept<'a>> {
    #[cfg(feature = "deflate")]
    if let (None, false, Some(deflate)) = (accept.deflate, accept.no_deflate, config.deflate) {
        return Cow::Owned(accept.clone().deflate(deflate));
    }
    let _ = config;
    Cow::Borrowed(accept)
}

/// Queues a refusal. On an error the refusal of a server that failed is queued.
pub(crate) fn refuse(reject: &Reject<'_>, output: &mut WriteBuffer) -> Result<(), RejectError> {
    reject.write(output).inspect_err(|_| fail(output))
}

/// Queues the refusal that answers a failed request; false if there is nothing to answer.
pub(crate) fn refuse_for(error: &Error, output: &mut WriteBuffer) -> bool {
    match error {
        Error::Handshake(HandshakeError::TransportEnded { .. }) => false,
        Error::Handshake(error) => refuse(&error.reject(), output).is_ok(),
        _ => false,
    }
}

/// Queues the answer to a request that the application itself has no good answer to. What it did
/// wrong is for the application to know.
fn fail(output: &mut WriteBuffer) {
    let _ = Reject::new(500).body("the server failed to answer\n").write(output);
}

/// What a client is told that waited for a response and got `error`: that it was refused, if so much
/// of the response has come.
pub(crate) fn refusal_or(
    error: Error,
    handshake: &mut ClientHandshake,
    input: &mut ReadBuffer,
) -> Error {
    if !matches!(error, Error::Io(_) | Error::HandshakeTimeout) {
        return error;
    }
    match handshake.give_up(input) {
        refused @ HandshakeError::Refused(_) => refused.into(),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HttpVersion;
    use alloc::string::String;

    fn request() -> Request {
        let headers = [
            ("Host", "h"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Extensions", "x"),
        ];
        let headers = headers.map(|(name, value)| (name, value.as_bytes()));
        Request::new("GET", "/", HttpVersion::HTTP_11, headers).unwrap()
    }

    fn sent(output: &WriteBuffer) -> String {
        String::from_utf8(output.front().to_vec()).unwrap()
    }

    #[track_caller]
    fn is_500(output: &WriteBuffer) {
        let sent = sent(output);
        assert!(sent.starts_with("HTTP/1.1 500 "), "{sent}");
        assert!(sent.ends_with("\r\n\r\nthe server failed to answer\n"), "{sent}");
        assert_eq!(sent.matches("HTTP/1.1").count(), 1, "{sent}");
    }

    #[test]
    fn what_may_not_be_sent_is_an_error_and_a_500() {
        let mut output = WriteBuffer::new();
        let refused = refuse(&Reject::new(101), &mut output);
        assert!(matches!(refused, Err(RejectError::Status { status: 101 })), "{refused:?}");
        is_500(&output);

        let mut output = WriteBuffer::new();
        let accepted =
            accept(&request(), &Accept::new().subprotocol("y"), &Config::default(), &mut output);
        assert_eq!(accepted, Err(AcceptError::SubprotocolNotOffered("y".into())));
        is_500(&output);
    }

    #[test]
    fn no_extension_is_agreed_on_that_a_connection_would_ignore() {
        let mut output = WriteBuffer::new();
        let accepted =
            accept(&request(), &Accept::new().extension("x"), &Config::default(), &mut output);
        assert_eq!(accepted, Err(AcceptError::ExtensionNotImplemented("x".into())));
        is_500(&output);
    }
}
