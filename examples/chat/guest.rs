//! One guest, from entering a room to leaving it.

use crate::entry::Entry;
use crate::room::{Refused, Rooms};
use sansocket::{
    CloseCode, Error, Message,
    handshake::Request,
    on_tokio::{ServerReceiveHalf, ServerSendHalf, ServerWebSocket},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until};

/// How often a guest may speak for long, and how many messages may come at once.
const PAUSE: Duration = Duration::from_millis(250);
const AT_ONCE: u32 = 20;

/// The code with which a guest is sent away whose name is taken, for the page.
const NAME_TAKEN: CloseCode = CloseCode::new(4009);

pub(crate) async fn attend(
    mut websocket: ServerWebSocket,
    request: Request,
    rooms: Arc<Rooms>,
) -> Result<(), Error> {
    let Ok(entry) = Entry::of(request.raw_query()) else {
        // The door has checked the request.
        return websocket.close(CloseCode::POLICY_VIOLATION, "bad request").await;
    };
    let (sender, mut receiver) = websocket.split();
    let stay = match rooms.enter(entry, sender) {
        Ok(stay) => stay,
        // Others were faster between the check and now.
        Err((refused, sender)) => {
            let (code, reason) = match refused {
                Refused::NameTaken => (NAME_TAKEN, "the name is taken"),
                Refused::TooManyRooms => (CloseCode::TRY_AGAIN_LATER, "there are too many rooms"),
            };
            return send_away(sender, receiver, code, reason).await;
        }
    };
    let mut pace = Pace::new();
    while let Some(received) = receiver.next().await {
        match received? {
            Message::Text(text) if text.trim().is_empty() => {}
            Message::Text(text) => stay.say(text.trim()),
            Message::Binary(_) => {
                let Some(sender) = stay.leave() else { break };
                return send_away(sender, receiver, CloseCode::UNSUPPORTED_DATA, "only text").await;
            }
        }
        // A guest who sends too much is slowed down: while nothing is received, TCP holds back the
        // rest at the sender.
        pace.wait().await;
    }
    Ok(())
}

async fn send_away(
    mut sender: ServerSendHalf,
    mut receiver: ServerReceiveHalf,
    code: CloseCode,
    reason: &str,
) -> Result<(), Error> {
    sender.close(code, reason).await?;
    receiver.wait_closed().await;
    Ok(())
}

/// Slows down who does too much.
struct Pace {
    /// When everything that was done is paid off, at one for each pause.
    paid_off: Instant,
}

impl Pace {
    fn new() -> Self {
        Self { paid_off: Instant::now() }
    }

    async fn wait(&mut self) {
        self.paid_off = self.paid_off.max(Instant::now()) + PAUSE;
        sleep_until(self.paid_off - PAUSE * AT_ONCE).await;
    }
}
