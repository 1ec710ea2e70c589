//! The server's answer to an opening handshake, for the shells: all of it but the waiting.

use crate::{Accept, Error, Negotiated, Reject, Request, WriteBuffer};

/// Queues what `decide` says to a request. An error has been answered too, with a refusal.
pub(crate) fn answer<'d>(
    request: &Request,
    decide: impl FnOnce(&Request) -> Result<Accept<'d>, Reject<'d>>,
    output: &mut WriteBuffer,
) -> Result<Negotiated, Error> {
    let accept = decide(request).map_err(|reject| {
        refuse(&reject, output);
        Error::Rejected(reject.status)
    })?;
    request.accept(&accept, output).map_err(|error| {
        refuse(&Reject::new(500), output);
        error.into()
    })
}

/// Queues a refusal.
pub(crate) fn refuse(reject: &Reject<'_>, output: &mut WriteBuffer) {
    if reject.write(output).is_err() {
        // The application's own refusal is not one that can be sent.
        let _ = Reject::new(500).write(output);
    }
}
