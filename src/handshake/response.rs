//! The response that opens a WebSocket, as a client receives it (RFC 6455 §4.1).

use super::accept_key::AcceptKey;
use super::client_request::ClientRequest;
use super::error::{HandshakeError, excerpt};
use super::offer::single;
use super::version::HttpVersion;
#[cfg(feature = "deflate")]
use crate::deflate::{self, DeflateConfig, DeflateParameters};
use crate::headers::{Extension, ExtensionError, Fields, header_accessors, lists_token};
use crate::negotiated::Negotiated;
use alloc::{string::String, vec::Vec};

/// A server's response that opens the WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    negotiated: Negotiated,
    fields: Fields,
}

impl Response {
    /// Returns the parameters that both endpoints agreed on, for the connection.
    #[must_use]
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// Returns the status, which is always 101.
    #[must_use]
    pub fn status(&self) -> u16 {
        101
    }

    header_accessors!();
}

/// The values that the response to a request must have.
#[derive(Debug)]
pub(super) struct Expected {
    accept: AcceptKey,
    subprotocols: Vec<String>,
    /// The names of the offered extensions.
    extensions: Vec<String>,
    #[cfg(feature = "deflate")]
    deflate: Option<DeflateConfig>,
}

impl Expected {
    pub(super) fn of(request: &ClientRequest, accept: AcceptKey) -> Self {
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

    /// Performs the checks of RFC 6455 §4.1 on a response with status 101.
    pub(super) fn check(
        &self,
        version: HttpVersion,
        fields: Fields,
    ) -> Result<Response, HandshakeError> {
        if version < HttpVersion::HTTP_11 {
            return Err(HandshakeError::HttpVersion(version));
        }
        // A response switches to exactly one protocol; it does not offer a list.
        if !single(&fields, "Upgrade")?.eq_ignore_ascii_case(b"websocket") {
            return Err(HandshakeError::NoUpgrade);
        }
        if !lists_token(fields.named("Connection"), "upgrade") {
            return Err(HandshakeError::NoConnectionUpgrade);
        }
        if single(&fields, "Sec-WebSocket-Accept")? != self.accept.as_bytes() {
            return Err(HandshakeError::WrongAccept);
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
        Ok(Response { negotiated, fields })
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
