//! What the server answers to requests that are not for a WebSocket.

use crate::entry::Door;
use sansocket::handshake::{PlainRequest, PlainResponse};
use serde::Serialize;

/// What a page has to know before its user enters.
#[derive(Serialize)]
struct About {
    passphrase: bool,
    rooms: Vec<String>,
}

/// Allows the page what it needs, and nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn respond(request: &PlainRequest, door: &Door) -> Option<PlainResponse> {
    let (content_type, body) = match request.path() {
        "/" => ("text/html; charset=utf-8", include_str!("page.html").into()),
        "/page.css" => ("text/css; charset=utf-8", include_str!("page.css").into()),
        "/page.js" => ("text/javascript; charset=utf-8", include_str!("page.js").into()),
        "/about" => {
            // This request carries no passphrase, so a chat with a passphrase does not list its rooms.
            let passphrase = door.asks_for_passphrase();
            let rooms = if passphrase { Vec::new() } else { door.rooms().open() };
            let about = serde_json::to_string(&About { passphrase, rooms });
            ("application/json", about.expect("texts and flags are always JSON"))
        }
        "/may-enter" => return Some(guarded(door.foretell(request))),
        "/enter" => return None,
        _ => return Some(guarded(PlainResponse::new(404))),
    };
    Some(guarded(PlainResponse::new(200).header("Content-Type", content_type).body(body)))
}

fn guarded(response: PlainResponse) -> PlainResponse {
    response
        .header("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        .header("X-Content-Type-Options", "nosniff")
        .header("Referrer-Policy", "no-referrer")
        .header("Cache-Control", "no-cache")
}
