//! The target of a request (RFC 9112 §3.2): a path with an optional query, or an absolute URI.

use super::authority::{Authority, default_port};
use super::error::HandshakeError;
use alloc::boxed::Box;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    text: Box<str>,
    /// The start of the authority. Without an authority, this and `path_start` are 0.
    authority_start: usize,
    path_start: usize,
}

impl Target {
    /// Checks a target according to RFC 9112 §3.2.1 and §3.2.2.
    pub(super) fn new(text: Box<str>) -> Result<Self, HandshakeError> {
        let (authority_start, path_start) = split(&text)?;
        Ok(Self { text, authority_start, path_start })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the host of an absolute URI with its optional port.
    pub(super) fn authority(&self) -> Option<&str> {
        let authority = &self.text[self.authority_start..self.path_start];
        (!authority.is_empty()).then_some(authority)
    }

    pub(super) fn path(&self) -> &str {
        match self.path_and_query().split_once('?').map_or(self.path_and_query(), |parts| parts.0) {
            "" => "/",
            path => path,
        }
    }

    pub(super) fn raw_query(&self) -> Option<&str> {
        self.path_and_query().split_once('?').map(|(_, query)| query)
    }

    fn path_and_query(&self) -> &str {
        &self.text[self.path_start..]
    }
}

/// Returns the start of the authority and the start of the path.
fn split(target: &str) -> Result<(usize, usize), HandshakeError> {
    // The target may come from a parser that is less strict about white space or fragments.
    if !target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
        return Err(HandshakeError::InvalidTarget);
    }
    if target.starts_with('/') {
        return Ok((0, 0));
    }
    let (scheme, rest) = target.split_once("://").ok_or(HandshakeError::InvalidTarget)?;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    if default_port(scheme).is_none() || Authority::parse(authority).is_err() {
        return Err(HandshakeError::InvalidTarget);
    }
    let authority_start = target.len() - rest.len();
    Ok((authority_start, authority_start + authority.len()))
}

/// Defines the accessors of a type that stores its request target in `target`.
macro_rules! target_accessors {
    () => {
        /// Returns the request target as received: a path with an optional query, or an absolute
        /// URI.
        #[must_use]
        pub fn target(&self) -> &str {
            self.target.as_str()
        }

        /// Returns the path of the target, percent-encoded as received.
        #[must_use]
        pub fn path(&self) -> &str {
            self.target.path()
        }

        /// Returns the query of the target without its question mark, percent-encoded as received. A
        /// library such as `form_urlencoded` parses it.
        #[doc(alias = "query")]
        #[must_use]
        pub fn raw_query(&self) -> Option<&str> {
            self.target.raw_query()
        }
    };
}

pub(super) use target_accessors;
