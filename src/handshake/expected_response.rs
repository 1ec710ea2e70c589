//! What a client expects of the response to its request (RFC 6455 §4.1, RFC 8441 §5).

use super::accept_key::AcceptKey;
use super::client_request::ClientRequest;
use super::error::{HandshakeError, excerpt};
use super::offer::single;
use super::refusal::Refusal;
use super::response::Response;
use super::version::HttpVersion;
#[cfg(feature = "deflate")]
use crate::deflate::{self, DeflateConfig, DeflateParameters};
use crate::headers::{Extension, ExtensionError, Fields, lists_token};
use crate::negotiated::Negotiated;
use alloc::{boxed::Box, string::String, vec::Vec};

/// The values that the response to a request must have.
///
/// [`ClientRequest::upgrade`] and [`ClientRequest::extended_connect`] create this for a request that an
/// HTTP library sends. [`ClientHandshake`](super::ClientHandshake) does without such a library.
#[derive(Debug)]
pub struct ExpectedResponse {
    /// `None` for an extended CONNECT (RFC 8441 §5).
    accept: Option<AcceptKey>,
    subprotocols: Vec<String>,
    /// The names of the offered extensions.
    extensions: Vec<String>,
    #[cfg(feature = "deflate")]
    deflate: Option<DeflateConfig>,
}

impl ExpectedResponse {
    pub(super) fn of(request: &ClientRequest, accept: Option<AcceptKey>) -> Self {
        let offers = request.offered_extensions();
        let extensions = offers.iter().flat_map(|text| Extension::list(text.as_bytes()));
        Self {
            accept,
            subprotocols: request.offered().to_vec(),
            extensions: extensions.flatten().map(|extension| extension.name).collect(),
            #[cfg(feature = "deflate")]
            deflate: request.deflate_config(),
        }
    }

    /// Checks a response that an HTTP library has received: status 101, or 2xx after an extended CONNECT,
    /// with fields that match the request. If you create the connection with its
    /// [`negotiated`](Response::negotiated), both endpoints agree.
    ///
    /// # Errors
    ///
    /// Returns [`HandshakeError::Refused`] for another status, without the body of the response: you can
    /// [add](Refusal::with_body) it. Returns another error if the response does not match the request;
    /// then end the stream.
    pub fn check<'a>(
        &self,
        status: u16,
        version: HttpVersion,
        headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Response, HandshakeError> {
        let fields: Fields = headers.into_iter().collect();
        if self.opens(status) {
            self.check_fields(status, version, fields)
        } else {
            Err(HandshakeError::Refused(Box::new(Refusal::new(status, fields))))
        }
    }

    fn opens(&self, status: u16) -> bool {
        match self.accept {
            Some(_) => status == 101,
            // RFC 9110 §9.3.6: any of them opens the tunnel.
            None => (200..300).contains(&status),
        }
    }

    /// Performs the checks of RFC 6455 §4.1, or of RFC 8441 §5, on a response whose status opens a
    /// WebSocket.
    pub(super) fn check_fields(
        &self,
        status: u16,
        version: HttpVersion,
        fields: Fields,
    ) -> Result<Response, HandshakeError> {
        if let Some(accept) = &self.accept {
            check_upgrade(accept, version, &fields)?;
        }
        let mut negotiated =
            Negotiated { extensions: self.extensions(&fields)?, ..Default::default() };
        #[cfg(feature = "deflate")]
        {
            negotiated.deflate = self.deflate(&negotiated)?;
        }
        if fields.first("Sec-WebSocket-Protocol").is_some() {
            let name = single(&fields, "Sec-WebSocket-Protocol")?;
            let offered = self.subprotocols.iter().find(|offered| offered.as_bytes() == name);
            let Some(name) = offered else {
                return Err(HandshakeError::SubprotocolNotOffered(excerpt(name)));
            };
            negotiated = negotiated.subprotocol(name);
        }
        Ok(Response::new(status, negotiated, fields))
    }

    #[cfg(feature = "deflate")]
    fn deflate(
        &self,
        negotiated: &Negotiated,
    ) -> Result<Option<DeflateParameters>, HandshakeError> {
        let Some(config) = &self.deflate else { return Ok(None) };
        let is_deflate = |extension: &&Extension| extension.name == deflate::NAME;
        let Some(response) = negotiated.extensions.iter().find(is_deflate) else { return Ok(None) };
        let parameters = DeflateParameters::from_response(response)?;
        parameters.check(response, config)?;
        // The client keeps its own offers, whether the server confirms them or not
        // (RFC 7692 §7.1.1.2).
        Ok(Some(DeflateParameters {
            client_no_context_takeover: parameters.client_no_context_takeover
                || config.client_no_context_takeover,
            client_max_window_bits: parameters
                .client_max_window_bits
                .min(config.client_max_window_bits),
            ..parameters
        }))
    }

    /// Returns the agreed extensions. Each must have been offered and may occur only once
    /// (RFC 6455 §9.1), and all must be on one line (§11.3.2).
    fn extensions(&self, fields: &Fields) -> Result<Vec<Extension>, HandshakeError> {
        const NAME: &str = "Sec-WebSocket-Extensions";
        if fields.first(NAME).is_none() {
            return Ok(Vec::new());
        }
        let mut agreed: Vec<Extension> = Vec::new();
        for extension in Extension::list(single(fields, NAME)?) {
            let extension = extension?;
            let name = &extension.name;
            if !self.extensions.contains(name) {
                return Err(HandshakeError::ExtensionNotOffered(excerpt(name.as_bytes())));
            }
            if agreed.iter().any(|other| other.name == *name) {
                return Err(HandshakeError::RepeatedExtension(excerpt(name.as_bytes())));
            }
            agreed.push(extension);
        }
        if agreed.is_empty() { Err(ExtensionError::Empty.into()) } else { Ok(agreed) }
    }
}

/// Checks what makes a response switch protocols in HTTP/1.1.
fn check_upgrade(
    accept: &AcceptKey,
    version: HttpVersion,
    fields: &Fields,
) -> Result<(), HandshakeError> {
    if version < HttpVersion::HTTP_11 {
        return Err(HandshakeError::HttpVersion(version));
    }
    // A response switches to exactly one protocol; it does not offer a list.
    if !single(fields, "Upgrade")?.eq_ignore_ascii_case(b"websocket") {
        return Err(HandshakeError::NoUpgrade);
    }
    if !lists_token(fields.named("Connection"), "upgrade") {
        return Err(HandshakeError::NoConnectionUpgrade);
    }
    if single(fields, "Sec-WebSocket-Accept")? != accept.as_bytes() {
        return Err(HandshakeError::WrongAccept);
    }
    Ok(())
}
