//! Requests of web pages: which are accepted, and who may read the answers.

use crate::{admission, answers, engine::Engine, refusals::Reason};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};
use sansocket::server::OriginPolicy;
use std::sync::Arc;

/// The page that a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// No page, as far as the request says, or one of this server.
    Own,
    /// A page of another origin, which is allowed.
    Other(HeaderValue),
    /// A page that may not use the server.
    Refused,
}

/// Returns the page that a request comes from.
pub(crate) fn page(policy: &OriginPolicy, request: &Parts) -> Page {
    // There is one at most, which is the host of the request.
    let host = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.unwrap_or_default();
    let origins = request.headers.get_all(header::ORIGIN);
    if policy.check_origin(host, origins.iter().map(HeaderValue::as_bytes)).is_err() {
        return Page::Refused;
    }
    let Some(origin) = origins.iter().next() else { return Page::Own };
    if OriginPolicy::same_origin().check_origin(host, [origin.as_bytes()]).is_ok() {
        return Page::Own;
    }
    Page::Other(origin.clone())
}

/// Counts and logs that a request is refused because of its page.
pub(crate) fn count_refusal(engine: &Engine, request: &Parts) {
    let address = admission::address(&engine.options, request);
    // Whoever operates the server learns what to add, and nobody can fill the log by a long one.
    let origin = request.headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let origin = origin.map(|origin| origin.get(..LOGGED).unwrap_or(origin));
    engine.refusals.add(Reason::Origin, address, origin, engine.now());
}

/// How much of an origin is logged.
const LOGGED: usize = 100;

/// Refuses a request because of its page.
pub(crate) fn refuse(engine: &Engine, request: &Parts) -> Response {
    count_refusal(engine, request);
    let detail = "pages of this origin may not use the server";
    let mut response = answers::plain_problem(StatusCode::FORBIDDEN.as_u16(), detail);
    response.headers_mut().insert(header::VARY, ORIGIN);
    response
}

/// Refuses requests of pages that may not use the server, answers preflight requests of the others
/// (WHATWG Fetch §3.3), and lets them read the answers.
pub(crate) async fn check(
    State(engine): State<Arc<Engine>>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let page = page(&engine.options.origins, &parts);
    if page == Page::Refused {
        return refuse(&engine, &parts);
    }
    let is_preflight = parts.method == Method::OPTIONS
        && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if is_preflight {
        let wanted = parts.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS);
        preflight(wanted)
    } else {
        next.run(Request::from_parts(parts, body)).await
    };
    let fields = response.headers_mut();
    fields.append(header::VARY, ORIGIN);
    if let Page::Other(origin) = page {
        fields.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        fields.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        let exposed = HeaderValue::from_static("retry-after, www-authenticate");
        fields.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    response
}

const ORIGIN: HeaderValue = HeaderValue::from_static("origin");

/// Browsers may keep this for two hours, which is as long as some of them do.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

fn preflight(wanted: Option<&HeaderValue>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let fields = response.headers_mut();
    let methods = HeaderValue::from_static("GET, HEAD, POST");
    fields.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    fields.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
    if let Some(names) = wanted {
        fields.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    response
}
