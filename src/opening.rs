//! The server's answer to an opening handshake, for the shells: all of it but the waiting.

use crate::{Accept, AcceptError, Error, Negotiated, Reject, Request, WriteBuffer};

/// Queues what `decide` says to a request. An error has been answered too, with a refusal.
pub(crate) fn answer<'d>(
    request: &Request,
    decide: impl FnOnce(&Request) -> Result<Accept<'d>, Reject<'d>>,
    output: &mut WriteBuffer,
) -> Result<Negotiated, Error> {
    let answered = match decide(request) {
        Ok(accept) => open(request, &accept, output).map_err(Error::from),
        Err(reject) => {
            let status = reject.status;
            reject.write(output).map_err(Error::from).and(Err(Error::Rejected(status)))
        }
    };
    answered.inspect_err(|error| {
        if !matches!(error, Error::Rejected(_)) {
            fail(output);
        }
    })
}

fn open(
    request: &Request,
    accept: &Accept<'_>,
    output: &mut WriteBuffer,
) -> Result<Negotiated, AcceptError> {
    // The connection that follows would not do what was agreed on, without a word.
    if let Some(text) = accept.extensions.first() {
        return Err(AcceptError::ExtensionNotImplemented((**text).into()));
    }
    request.accept(accept, output)
}

/// Queues a refusal.
pub(crate) fn refuse(reject: &Reject<'_>, output: &mut WriteBuffer) {
    if reject.write(output).is_err() {
        fail(output);
    }
}

/// Queues the answer to a request that the application itself has no good answer to. What it did
/// wrong is for the application to know.
fn fail(output: &mut WriteBuffer) {
    let _ = Reject::new(500).body("the server failed to answer\n").write(output);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HttpVersion, RejectError};
    use alloc::string::String;

    /// What the shell's user gets, and the client.
    fn answered(decision: Result<Accept<'_>, Reject<'_>>) -> (Result<Negotiated, Error>, String) {
        let headers = [
            ("Host", "h"),
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Extensions", "x"),
        ];
        let headers = headers.map(|(name, value)| (name, value.as_bytes()));
        let request = Request::new("GET", "/", HttpVersion::HTTP_11, headers).unwrap();
        let mut output = WriteBuffer::new();
        let outcome = answer(&request, |_| decision, &mut output);
        (outcome, String::from_utf8(output.front().to_vec()).unwrap())
    }

    #[track_caller]
    fn is_500(sent: &str) {
        assert!(sent.starts_with("HTTP/1.1 500 "), "{sent}");
        assert!(sent.ends_with("\r\n\r\nthe server failed to answer\n"), "{sent}");
        assert_eq!(sent.matches("HTTP/1.1").count(), 1, "{sent}");
    }

    #[test]
    fn what_is_decided_is_sent() {
        let (outcome, sent) = answered(Ok(Accept::new()));
        assert!(outcome.is_ok() && sent.starts_with("HTTP/1.1 101 "), "{sent}");
        let (outcome, sent) = answered(Err(Reject::new(404).body("no\n")));
        assert!(matches!(outcome, Err(Error::Rejected(404))), "{outcome:?}");
        assert!(sent.starts_with("HTTP/1.1 404 ") && sent.ends_with("no\n"), "{sent}");
    }

    #[test]
    fn what_may_not_be_sent_is_an_error() {
        let (outcome, sent) = answered(Err(Reject::new(101)));
        let error = outcome.unwrap_err();
        assert!(matches!(error, Error::Reject(RejectError::Status { status: 101 })), "{error:?}");
        is_500(&sent);
        let (outcome, sent) = answered(Ok(Accept::new().subprotocol("y")));
        let error = outcome.unwrap_err();
        let expected = AcceptError::SubprotocolNotOffered("y".into());
        assert!(matches!(&error, Error::Accept(error) if *error == expected), "{error:?}");
        is_500(&sent);
    }

    #[test]
    fn no_extension_is_agreed_on_that_a_connection_would_ignore() {
        let (outcome, sent) = answered(Ok(Accept::new().extension("x")));
        let error = outcome.unwrap_err();
        let expected = AcceptError::ExtensionNotImplemented("x".into());
        assert!(matches!(&error, Error::Accept(error) if *error == expected), "{error:?}");
        is_500(&sent);
    }
}
