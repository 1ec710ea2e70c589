//! Under which names a server that is for this machine alone can be reached.

use axum::{
    extract::Request,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header, uri::Authority};
use std::net::IpAddr;

const REFUSAL: &str = "This server lets everybody in, because it is for its own machine alone. So it answers \
    only to localhost and to addresses. To use another name, say in its configuration who may use it: by \
    tokens, passwords or keys, or with access.anonymous = true.\n";

/// Refuses requests for hosts with other names than this machine. A page of the web can have its name lead
/// to 127.0.0.1, and would then count as a page of this server; and a proxy that forwards the name that it
/// has in public lets in everybody.
pub(crate) async fn check(request: Request, next: Next) -> Response {
    // `serve` has left one field, which is the host of the request.
    let host = request.headers().get(header::HOST);
    if host.is_some_and(|host| is_this_machine(host.as_bytes())) {
        return next.run(request).await;
    }
    (StatusCode::MISDIRECTED_REQUEST, REFUSAL).into_response()
}

fn is_this_machine(host: &[u8]) -> bool {
    let Ok(authority) = Authority::try_from(host) else { return false };
    let name = authority.host().trim_matches(['[', ']']).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_are_not_of_this_machine() {
        for host in ["localhost", "LOCALHOST:1", "a.localhost:8080", "127.0.0.1:8080", "[::1]:80"] {
            assert!(is_this_machine(host.as_bytes()), "{host}");
        }
        let others =
            ["", "example.com", "localhost.example.com:80", "notlocalhost", "127.0.0.1.a", "a/b"];
        for host in others {
            assert!(!is_this_machine(host.as_bytes()), "{host}");
        }
    }
}
