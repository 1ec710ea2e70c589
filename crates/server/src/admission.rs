//! Who a client is, and whether it may come in.

use crate::{Options, engine::Engine, guests};
use axum::extract::ConnectInfo;
use http::request::Parts;
use sansocket_realtime::{
    guard::{Answer, AuthenticationError, Client, Credentials, CredentialsError},
    hub::Principal,
};
use std::net::{IpAddr, SocketAddr};

/// A client that was let in.
pub(crate) struct Admitted {
    pub(crate) client: Client,
    pub(crate) principal: Option<Principal>,
}

/// Lets in the client of a request, or says what it gets instead.
pub(crate) fn admit(engine: &Engine, request: &Parts) -> Result<Admitted, Answer> {
    // This comes first, so that it bounds how often somebody can try to log in.
    let client =
        engine.admit(address(&engine.options, request)).map_err(|breach| Answer::from(&breach))?;
    let found = engine.options.sources.in_request(fields(request), request.uri.query());
    let mut admitted = Admitted { client, principal: None };
    let identified = identify(&engine.options, found).map_err(|error| Answer::from(&error));
    let answer = match identified {
        Ok(principal) => match count(engine, &mut admitted.client, principal.as_ref()) {
            Ok(()) => {
                admitted.principal = principal;
                return Ok(admitted);
            }
            Err(answer) => answer,
        },
        Err(answer) => answer,
    };
    let now = engine.now();
    engine.guard().disconnect(admitted.client, now);
    Err(answer)
}

/// Counts a client as this user from now on.
pub(crate) fn count(
    engine: &Engine,
    client: &mut Client,
    principal: Option<&Principal>,
) -> Result<(), Answer> {
    let Some(principal) = principal else { return Ok(()) };
    let now = engine.now();
    engine.guard().authenticated(client, principal, now).map_err(|breach| Answer::from(&breach))
}

/// Returns who a client is by its credentials, or `None` if it is anonymous and may be.
pub(crate) fn identify(
    options: &Options,
    found: Result<Option<Credentials<'_>>, CredentialsError>,
) -> Result<Option<Principal>, AuthenticationError> {
    let Some(authenticate) = &options.authenticate else {
        // Nobody could say whether credentials are right, so malformed ones are no error.
        let found = found.ok().flatten().filter(|_| options.page);
        return Ok(found.and_then(|credentials| guests::guest(&credentials)));
    };
    match found? {
        Some(credentials) => authenticate(&credentials).map(Some),
        None if options.anonymous => Ok(None),
        None => Err(AuthenticationError::Missing),
    }
}

/// Returns the address of the client, which a trusted proxy may have forwarded.
pub(crate) fn address(options: &Options, request: &Parts) -> Option<IpAddr> {
    let ConnectInfo(peer) = request.extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(options.trusted_proxies.client_address_in(*peer, fields(request)).ip())
}

pub(crate) fn fields(request: &Parts) -> impl Iterator<Item = (&str, &[u8])> {
    request.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
}
