//! Who a client is, and whether it may come in.

use crate::{access::Claims, engine::Engine, guests, options::Options};
use axum::extract::ConnectInfo;
use http::request::Parts;
use sansocket_realtime::{
    guard::{Answer, AuthenticationError, Client, Credentials, CredentialsError},
    hub::Principal,
};
use std::{
    net::{IpAddr, SocketAddr},
    time::{Duration, SystemTime},
};

/// A client that was let in.
pub(crate) struct Admitted {
    pub(crate) client: Client,
    pub(crate) principal: Option<Principal>,
}

/// Lets in the client of a request, or says what it gets instead.
pub(crate) async fn admit(engine: &Engine, request: &Parts) -> Result<Admitted, Answer> {
    let admitted = admit_for_connect(engine, request).await?;
    if admitted.principal.is_none() && !engine.options.authenticator.accepts_anonymous() {
        let now = engine.now();
        let answer = engine.refuse(admitted.client.address(), &AuthenticationError::Missing);
        engine.guard().disconnect(admitted.client, now);
        return Err(answer);
    }
    Ok(admitted)
}

/// Lets in the client of a request that can still have its credentials in the CONNECT of STOMP: scripts
/// in browsers can't add any to the request.
pub(crate) async fn admit_for_connect(
    engine: &Engine,
    request: &Parts,
) -> Result<Admitted, Answer> {
    // This comes first, so that it bounds how often somebody can try to log in.
    let address = address(&engine.options, request);
    let mut admitted = Admitted { client: engine.admit(address)?, principal: None };
    let principal = identify_for_connect(engine, request).await;
    let principal = principal.map_err(|error| engine.refuse(address, &error));
    let counted = principal.and_then(|principal| {
        count(engine, &mut admitted.client, principal.as_ref())?;
        Ok(principal)
    });
    match counted {
        Ok(principal) => {
            admitted.principal = principal;
            Ok(admitted)
        }
        Err(answer) => {
            let now = engine.now();
            engine.guard().disconnect(admitted.client, now);
            Err(answer)
        }
    }
}

/// Returns who the client of a request is, or `None` if it has no credentials.
pub(crate) async fn identify_for_connect(
    engine: &Engine,
    request: &Parts,
) -> Result<Option<Principal>, AuthenticationError> {
    match identify(engine, credentials(&engine.options, request)).await {
        Err(AuthenticationError::Missing) => Ok(None),
        identified => identified,
    }
}

/// Returns whether somebody has to be asked who the client of a request is.
pub(crate) fn has_credentials(options: &Options, request: &Parts) -> bool {
    options.authenticator.has_methods() && !matches!(credentials(options, request), Ok(None))
}

fn credentials<'a>(
    options: &Options,
    request: &'a Parts,
) -> Result<Option<Credentials<'a>>, CredentialsError> {
    options.sources.in_request(fields(request), request.uri.query())
}

/// Returns when the credentials of a client stop to be valid, on the clock of the engine.
pub(crate) fn expires_at(engine: &Engine, principal: Option<&Principal>) -> Option<Duration> {
    let at = Claims::expires_at(principal?)?;
    // What has expired already expires now.
    let left = at.duration_since(SystemTime::now()).unwrap_or_default();
    Some(engine.now().saturating_add(left))
}

/// Counts a client as this user from now on.
pub(crate) fn count(
    engine: &Engine,
    client: &mut Client,
    principal: Option<&Principal>,
) -> Result<(), Answer> {
    let Some(principal) = principal else { return Ok(()) };
    let now = engine.now();
    let counted = engine.guard().authenticated(client, principal, now);
    counted.map_err(|breach| engine.refuse(client.address(), &breach))
}

/// Returns who a client is by its credentials, or `None` if it is anonymous and may be. A server that shuts
/// down does not wait for that.
pub(crate) async fn identify(
    engine: &Engine,
    found: Result<Option<Credentials<'_>>, CredentialsError>,
) -> Result<Option<Principal>, AuthenticationError> {
    let options = &engine.options;
    let authenticator = &options.authenticator;
    if !authenticator.has_methods() {
        // Nobody could say whether credentials are right, so malformed ones are no error.
        let found = found.ok().flatten().filter(|_| options.has_page());
        let guest = found.and_then(|credentials| guests::guest(&credentials));
        return Ok(authenticator.authenticate(None).await?.or(guest));
    }
    let credentials = found?;
    // In a box, since what waits for something else later would keep room for it.
    let identified = Box::pin(authenticator.authenticate(credentials.as_ref()));
    tokio::select! {
        // What is known at once is known also when the server shuts down.
        biased;
        identified = identified => identified,
        () = engine.shuts_down() => Err(AuthenticationError::Unavailable { retry_after: None }),
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
