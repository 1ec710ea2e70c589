use super::client_request::ClientRequest;
use super::error::{HandshakeError, excerpt};
use super::offer::only;
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
    /// What both ends have agreed on, for the connection.
    #[must_use]
    pub fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// The status: 101 always.
    #[must_use]
    pub fn status(&self) -> u16 {
        101
    }

    header_accessors!();
}

/// What the response to a request has to say.
#[derive(Debug)]
pub(super) struct Expected {
    accept: [u8; 28],
    subprotocols: Vec<String>,
    /// The names alone.
    extensions: Vec<String>,
    #[cfg(feature = "deflate")]
    deflate: Option<DeflateConfig>,
}

impl Expected {
    pub(super) fn of(request: &ClientRequest, accept: [u8; 28]) -> Self {
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

    /// The checks of RFC 6455 §4.1 on a response with status 101.
    pub(super) fn check(
        &self,
        version: HttpVersion,
        fields: Fields,
    ) -> Result<Response, HandshakeError> {
        if version < HttpVersion::HTTP_11 {
            return Err(HandshakeError::HttpVersion(version));
        }
        // Here one protocol is switched to, not a list offered.
        if !only(&fields, "Upgrade")?.eq_ignore_ascii_case(b"websocket") {
            return Err(HandshakeError::NoUpgrade);
        }
        if !lists_token(fields.named("Connection"), "upgrade") {
            return Err(HandshakeError::NoConnectionUpgrade);
        }
        if only(&fields, "Sec-WebSocket-Accept")? != self.accept {
            return Err(HandshakeError::WrongAccept);
        }
        let mut negotiated =
            Negotiated { extensions: self.extensions(&fields)?, ..Default::default() };
        #[cfg(feature = "deflate")]
        {
            negotiated.deflate = self.deflate(&negotiated)?;
        }
        if fields.first("Sec-WebSocket-Protocol").is_some() {
            let name = only(&fields, "Sec-WebSocket-Protocol")?;
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
        // What the client has offered of itself it keeps to, confirmed or not (RFC 7692 §7.1.1.2).
        Ok(Some(DeflateParameters {
            client_no_context_takeover: parameters.client_no_context_takeover
                || config.client_no_context_takeover,
            client_max_window_bits: parameters
                .client_max_window_bits
                .min(config.client_max_window_bits),
            ..parameters
        }))
    }

    /// Of what was offered, each at most once (RFC 6455 §9.1), on one line (§11.3.2).
    fn extensions(&self, fields: &Fields) -> Result<Vec<Extension>, HandshakeError> {
        const NAME: &str = "Sec-WebSocket-Extensions";
        if fields.first(NAME).is_none() {
            return Ok(Vec::new());
        }
        let mut agreed: Vec<Extension> = Vec::new();
        for extension in Extension::list(only(fields, NAME)?) {
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
