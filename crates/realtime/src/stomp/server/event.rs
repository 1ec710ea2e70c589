//! What a session asks for.

use crate::{
    hub::{Command, Principal},
    stomp::{Frame, Version, header},
};
use alloc::{boxed::Box, string::String};
use core::fmt;

/// What a session asks for. See [`Session::next_event`](super::Session::next_event).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A client wants to connect. Answer with [`accept`](super::Session::accept) or
    /// [`refuse`](super::Session::refuse). Nothing else of the client is looked at before that.
    Connect(ConnectRequest),
    /// A command for the hub. Pass it to [`Hub::handle`](crate::hub::Hub::handle).
    Command(Command),
}

/// A CONNECT that waits for its answer: who the client says it is, and all headers that it sent.
///
/// `Debug` shows neither values of headers nor the passcode.
#[derive(Clone)]
pub struct ConnectRequest {
    version: Version,
    principal: Option<Principal>,
    headers: Box<[(String, String)]>,
}

impl ConnectRequest {
    pub(super) fn new(version: Version, principal: Option<Principal>, frame: &Frame<'_>) -> Self {
        let headers = frame.headers();
        let headers =
            headers.map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        Self { version, principal, headers }
    }

    /// Returns the version that the session will use.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Returns the user who was authenticated before the session, if there is one.
    #[must_use]
    pub const fn principal(&self) -> Option<&Principal> {
        self.principal.as_ref()
    }

    /// Returns the `login`: the name of the user.
    #[must_use]
    pub fn login(&self) -> Option<&str> {
        self.get(header::LOGIN)
    }

    /// Returns the `passcode`: the password of the user, or a token.
    #[must_use]
    pub fn passcode(&self) -> Option<&str> {
        self.get(header::PASSCODE)
    }

    /// Returns the `host`: the virtual host. Many clients leave it out.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.get(header::HOST)
    }

    /// Returns the value of a header, such as a token. If it is repeated, the first one counts.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers().find(|(candidate, _)| *candidate == name).map(|(_, value)| value)
    }

    /// Returns all headers, in the order of transmission.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl fmt::Debug for ConnectRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: alloc::vec::Vec<_> = self.headers().map(|(name, _)| name).collect();
        f.debug_struct("ConnectRequest")
            .field("version", &self.version)
            .field("principal", &self.principal)
            .field("login", &self.login())
            .field("headers", &names)
            .finish()
    }
}
