//! Responses to requests that are not for a WebSocket.

use crate::buffer::WriteBuffer;
use crate::handshake::{OpeningError, PlainRequest, PlainResponse, PlainResponseError};
use alloc::sync::Arc;
use core::fmt;

type Respond = dyn Fn(&PlainRequest) -> Option<PlainResponse> + Send + Sync;

/// The application's hook that makes these responses.
#[derive(Clone)]
pub(super) struct PlainResponder(Arc<Respond>);

impl PlainResponder {
    pub(super) fn new(
        respond: impl Fn(&PlainRequest) -> Option<PlainResponse> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(respond))
    }

    /// Queues the response, or the refusal if the application has no response. Returns what the
    /// handshake ends with.
    pub(super) fn answer(&self, request: &PlainRequest, output: &mut WriteBuffer) -> OpeningError {
        let Some(response) = (self.0)(request) else {
            // This can't fail: the refusal is always a valid response, also to HEAD.
            let _ = request.refusal().response().write(output);
            return request.refusal().clone().into();
        };
        match write(&response, request, output) {
            Ok(()) => OpeningError::Answered(response.status()),
            Err(_) => {
                // This can't fail either.
                let _ = write(&unanswered(), request, output);
                OpeningError::Refused(unanswered().status())
            }
        }
    }
}

/// Returns the response for a client to which the application gave an invalid answer. It does not
/// say what was wrong: that is for the application to know.
pub(super) fn unanswered() -> PlainResponse {
    PlainResponse::new(500).body("the server failed to answer\n")
}

fn write(
    response: &PlainResponse,
    request: &PlainRequest,
    output: &mut WriteBuffer,
) -> Result<(), PlainResponseError> {
    if request.is_head() { response.write_head(output) } else { response.write(output) }
}

impl fmt::Debug for PlainResponder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainResponder")
    }
}
