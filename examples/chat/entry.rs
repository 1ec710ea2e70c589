//! Who may enter which room: decided before the upgrade.

use crate::room::Rooms;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use sansocket::handshake::{Accept, PlainRequest, PlainResponse, Request};
use std::sync::Arc;
use subtle::ConstantTimeEq;

/// What a guest asks for.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) room: String,
    pub(crate) name: String,
    /// The number of the last message that the guest has already seen.
    pub(crate) since: u64,
}

/// Checks those who want to enter.
#[derive(Debug)]
pub(crate) struct Door {
    passphrase: Option<String>,
    rooms: Arc<Rooms>,
}

/// The most characters of a name, of a guest or of a room.
const LONGEST_NAME: usize = 32;

/// The subprotocol of the chat.
pub(crate) const SUBPROTOCOL: &str = "chat.v1";

impl Entry {
    /// Reads the query of a request.
    pub(crate) fn of(query: Option<&str>) -> Result<Self, PlainResponse> {
        let mut entry = Self { room: String::new(), name: String::new(), since: 0 };
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "room" => entry.room = checked("room", &value)?,
                "name" => entry.name = checked("name", &value)?,
                "since" => {
                    let number = value.parse();
                    entry.since = number.map_err(|_| refusal(400, "`since` is not a number."))?;
                }
                _ => {}
            }
        }
        if entry.room.is_empty() || entry.name.is_empty() {
            return Err(refusal(400, "Name a room and yourself: ?room=lobby&name=Ada"));
        }
        Ok(entry)
    }
}

fn checked(what: &str, name: &str) -> Result<String, PlainResponse> {
    // Two names that differ only in their spaces look the same.
    let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.chars().count() > LONGEST_NAME {
        let text = format!("The {what} has more than {LONGEST_NAME} characters.");
        return Err(refusal(400, &text));
    }
    if name.chars().any(is_invisible) {
        return Err(refusal(400, &format!("The {what} has a character that nobody can see.")));
    }
    Ok(name)
}

/// Returns `true` for characters with which a name could look like another, or turn the text around
/// it. This does not find letters that look alike, such as those of two alphabets.
fn is_invisible(character: char) -> bool {
    // Format characters, fillers, and what chooses or joins the signs before it.
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{feff}'
        )
        || matches!(character, '\u{17b4}' | '\u{17b5}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}')
        || matches!(character, '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}')
        || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
        || matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{fff0}'..='\u{fffb}')
        || matches!(character, '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

impl Door {
    pub(crate) fn new(passphrase: Option<String>, rooms: Arc<Rooms>) -> Self {
        Self { passphrase, rooms }
    }

    pub(crate) fn asks_for_passphrase(&self) -> bool {
        self.passphrase.is_some()
    }

    pub(crate) fn rooms(&self) -> &Rooms {
        &self.rooms
    }

    /// Decides on a request for a WebSocket.
    pub(crate) fn decide(&self, request: &Request) -> Result<Accept, PlainResponse> {
        if request.path() != "/enter" {
            return Err(refusal(404, "There is nothing here."));
        }
        // A page in a browser can't set header fields, so it has the passphrase among its
        // subprotocols.
        let offered = request.subprotocols().find_map(|name| name.strip_prefix("passphrase."));
        let offered = offered.map(str::as_bytes);
        self.check_passphrase(offered.or_else(|| bearer(request.header("Authorization"))))?;
        self.check_entry(&Entry::of(request.raw_query())?)?;
        let speaks = request.subprotocols().any(|name| name == SUBPROTOCOL);
        Ok(if speaks { Accept::new().subprotocol(SUBPROTOCOL) } else { Accept::new() })
    }

    /// Tells a page what the decision would be. A browser does not tell it why a WebSocket was
    /// refused.
    pub(crate) fn foretell(&self, request: &PlainRequest) -> PlainResponse {
        let decision = self
            .check_passphrase(bearer(request.header("Authorization")))
            .and_then(|()| self.check_entry(&Entry::of(request.raw_query())?));
        match decision {
            Ok(()) => PlainResponse::new(204),
            Err(refusal) => refusal,
        }
    }

    fn check_passphrase(&self, encoded: Option<&[u8]>) -> Result<(), PlainResponse> {
        let Some(passphrase) = &self.passphrase else { return Ok(()) };
        let given = encoded.and_then(|encoded| BASE64_URL_SAFE_NO_PAD.decode(encoded).ok());
        // In constant time, so that the time tells nothing about the passphrase.
        let is_right = given.is_some_and(|given| given.ct_eq(passphrase.as_bytes()).into());
        if is_right {
            return Ok(());
        }
        Err(refusal(401, "The passphrase is wrong.").header("WWW-Authenticate", "Bearer"))
    }

    fn check_entry(&self, entry: &Entry) -> Result<(), PlainResponse> {
        if self.rooms.is_taken(&entry.room, &entry.name) {
            return Err(refusal(409, "Somebody in this room has this name."));
        }
        if !self.rooms.has_room_for(&entry.room) {
            return Err(refusal(503, "There are too many rooms. Enter one that is open."));
        }
        Ok(())
    }
}

fn bearer(authorization: Option<&[u8]>) -> Option<&[u8]> {
    authorization?.strip_prefix(b"Bearer ")
}

fn refusal(status: u16, text: &str) -> PlainResponse {
    PlainResponse::new(status).header("Content-Type", "text/plain; charset=utf-8").body(text)
}
