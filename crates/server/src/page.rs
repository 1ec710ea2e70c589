//! The page at `/`: one order on four transports, and a chat.
//!
//! It is one response. Its parts are files of their own in `page/`, so that each can be read alone.

use crate::options::Options;
use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sansocket_realtime::{
    Message,
    hub::{Answer, Authorization, Call, Handlers, Hub, TopicConfig},
};
use sha2::{Digest, Sha256};
use std::{fmt::Write, sync::LazyLock, time::Duration};

/// The longest message of the chat, in bytes.
const CHAT_MESSAGE: usize = 4 << 10;

/// The longest update of an order, in bytes.
const UPDATE: usize = 4 << 10;

/// Answers with the page, or says that the browser has it.
pub(crate) async fn serve(headers: HeaderMap) -> Response {
    let page = &*PAGE;
    let mut response = if has(&headers, &page.etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(page.html.clone()))
    };
    let fields = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        // The browser asks each time, so that it never has the page of another version.
        (header::CACHE_CONTROL, "no-cache"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
    fields.insert(header::ETAG, page.etag.clone());
    fields.insert(header::CONTENT_SECURITY_POLICY, page.policy.clone());
    response
}

/// Makes topics keep what the page needs: it reads an order from its beginning, and shows who is in the
/// chat. What the options say of these topics already comes first.
pub(crate) fn prepare(options: &mut Options) {
    let orders =
        TopicConfig::default().messages(10_000).bytes(4 << 20).age(Duration::from_secs(600));
    let chat = TopicConfig::default().presence(true);
    for (pattern, topic) in [("/topic/orders/*", orders), ("/topic/chat/*", chat)] {
        options.hub.topics.push((pattern.parse().expect("it is a pattern"), topic));
    }
}

type Handler = fn(&mut (), &Call) -> Answer;

/// Handles what the page sends, except where the application does so itself.
pub(crate) fn add_handlers<A: Authorization>(handlers: &mut Handlers<()>, hub: &mut Hub<A>) {
    let all: [(&str, Handler); 3] = [
        ("/app/orders/{order}", |(), call| update(call)),
        ("/app/orders/{order}/position", |(), call| tell_position(call)),
        ("/app/chat/{room}", |(), call| say(call)),
    ];
    for (destination, handler) in all {
        if handlers.on(hub, destination, handler).is_err() {
            tracing::debug!(destination, "the application handles what the page sends");
        }
    }
}

/// Tells all who follow an order what has become of it, and the sender alone that the server knows.
fn update(call: &Call) -> Answer {
    let note = Message::new("{\"received\":true}").content_type("application/json");
    tell_position(call).reply("/user/queue/order-updates", note)
}

/// Tells all who follow an order where it is.
fn tell_position(call: &Call) -> Answer {
    let (Some(order), None) = (call.variable("order"), call.subscription) else {
        return Answer::refuse("send to this destination, and subscribe to /topic/orders/…");
    };
    let size = call.message.size();
    if size > UPDATE {
        return Answer::refuse(format!("{size} bytes are too many for an update, {UPDATE} fit"));
    }
    Answer::new().publish(format!("/topic/orders/{order}"), call.message.clone())
}

/// Tells a room what a user says, and who that is.
fn say(call: &Call) -> Answer {
    let (Some(room), None) = (call.variable("room"), call.subscription) else {
        return Answer::refuse("send to this destination, and subscribe to /topic/chat/…");
    };
    let (Some(user), Some(text)) = (&call.principal, call.message.text()) else {
        return Answer::refuse("tell a name as the login, and say a text");
    };
    if text.len() > CHAT_MESSAGE {
        let size = text.len();
        return Answer::refuse(format!("{size} bytes are too long, {CHAT_MESSAGE} fit"));
    }
    let message =
        Message::new(text.to_owned()).content_type("text/plain").header("from", user.name());
    Answer::new().publish(format!("/topic/chat/{room}"), message)
}

/// The page as it is sent.
struct Page {
    html: Bytes,
    etag: HeaderValue,
    policy: HeaderValue,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let style = include_str!("page/page.css");
    let script = concat!(
        "\"use strict\";\n",
        include_str!("page/stomp.js"),
        include_str!("page/sockjs.js"),
        include_str!("page/feeds.js"),
        include_str!("page/ledger.js"),
        include_str!("page/panes.js"),
        include_str!("page/orders.js"),
        include_str!("page/chat.js"),
        include_str!("page/page.js"),
    );
    let html = include_str!("page/page.html").replacen("/* page.css */", style, 1).replacen(
        "/* scripts */",
        script,
        1,
    );
    // Only what is in this file runs, and it talks to this server alone.
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        source(style),
        source(script)
    );
    let mut etag = String::from("\"");
    for byte in &Sha256::digest(&html)[..16] {
        // Writing to a `String` can't fail.
        let _ = write!(etag, "{byte:02x}");
    }
    etag.push('"');
    let value = |text: String| HeaderValue::try_from(text).expect("the text is ASCII");
    Page { html: html.into(), etag: value(etag), policy: value(policy) }
});

/// Returns how a policy names a style or a script (CSP §2.3.1).
fn source(text: &str) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}

/// Returns whether the client has this version (RFC 9110 §13.1.2).
fn has(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let etag = etag.to_str().unwrap_or_default();
    let listed = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|it| it.to_str().ok());
    listed.flat_map(|list| list.split(',')).any(|entry| {
        let entry = entry.trim();
        entry == "*" || entry.strip_prefix("W/").unwrap_or(entry) == etag
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use sansocket_realtime::{
        Epoch,
        hub::{
            self, Command, ConnectionId, Effect, Operation, Principal, RequestId, SubscribeOptions,
            SubscriptionId,
        },
    };
    use std::collections::VecDeque;

    /// Sends to a destination, and returns what subscribers of the topics and the sender get.
    fn send(user: Option<&str>, destination: &str, body: &str) -> Result<Vec<String>, String> {
        let (sender, other) = (ConnectionId(1), ConnectionId(2));
        let (mut hub, mut handlers) = (Hub::new(Epoch(1)), Handlers::new());
        add_handlers(&mut handlers, &mut hub);
        let subscribe = |connection, subscription, destination: &str| Command::Subscribe {
            connection,
            subscription: SubscriptionId(subscription),
            destinations: vec![destination.to_owned()],
            options: SubscribeOptions::default(),
            request: None,
        };
        let operation = Operation::Send {
            destination: destination.to_owned(),
            message: Message::new(body.to_owned()),
        };
        let mut commands = VecDeque::from([
            Command::Connect { connection: sender, principal: user.map(Principal::new) },
            Command::Connect { connection: other, principal: None },
            subscribe(sender, 1, "/user/queue/order-updates"),
            subscribe(other, 1, "/topic/orders/7"),
            subscribe(other, 2, "/topic/chat/lobby"),
            Command::Perform { connection: sender, operation, request: Some(RequestId(1)) },
        ]);
        let mut delivered = Vec::new();
        while let Some(command) = commands.pop_front() {
            for effect in hub.handle(command, Duration::ZERO) {
                match effect {
                    Effect::Call(call) => commands.extend(handlers.handle(&mut (), &call)),
                    Effect::Refused { refusal, .. } => return Err(refusal.to_string()),
                    Effect::Deliver { connection, message, .. } => {
                        let message = message.message();
                        let from = message.get_header("from").unwrap_or_default();
                        let text = message.text().unwrap_or_default();
                        delivered.push(format!("{}: {from} {text}", connection.0));
                    }
                    _ => {}
                }
            }
        }
        Ok(delivered)
    }

    #[test]
    fn an_update_goes_to_those_who_follow_the_order_and_its_sender_is_told() {
        let update = send(None, "/app/orders/7", "{}");
        assert_eq!(update.unwrap(), ["2:  {}", "1:  {\"received\":true}"]);
        assert_eq!(send(None, "/app/orders/7/position", "{}").unwrap(), ["2:  {}"]);
        let error = send(None, "/app/orders/7", &"x".repeat(UPDATE + 1)).unwrap_err();
        assert!(error.contains("4097 bytes are too many for an update, 4096 fit"), "{error}");
    }

    #[test]
    fn what_is_said_has_the_name_of_its_speaker() {
        let said = send(Some("guest:ann"), "/app/chat/lobby", "Hello");
        assert_eq!(said.unwrap(), ["2: guest:ann Hello"]);
        let error = send(None, "/app/chat/lobby", "Hello").unwrap_err();
        assert!(error.contains("tell a name as the login"), "{error}");
        let long = "x".repeat(CHAT_MESSAGE + 1);
        let error = send(Some("ann"), "/app/chat/lobby", &long).unwrap_err();
        assert!(error.contains("4097 bytes are too long, 4096 fit"), "{error}");
    }

    #[test]
    fn the_application_can_have_these_destinations_for_itself() {
        let mut hub = Hub::<hub::Open>::new(Epoch(1));
        let mut handlers = Handlers::new();
        let own = |(): &mut (), _: &Call| Answer::refuse("the application's own");
        handlers.on(&mut hub, "/app/orders/{id}", own).unwrap();
        add_handlers(&mut handlers, &mut hub);
        let connection = ConnectionId(1);
        let destination = "/app/orders/7".to_owned();
        let operation = Operation::Send { destination, message: Message::default() };
        hub.handle(Command::Connect { connection, principal: None }, Duration::ZERO);
        let perform = Command::Perform { connection, operation, request: None };
        let effects: Vec<_> = hub.handle(perform, Duration::ZERO).collect();
        let [Effect::Call(call)] = &*effects else { panic!("{effects:?}") };
        let answer = format!("{:?}", handlers.handle(&mut (), call));
        assert!(answer.contains("the application's own"), "{answer}");
    }

    #[test]
    fn what_options_say_of_a_topic_comes_first() {
        let mut options = Options::default();
        let own = TopicConfig::default().messages(7);
        options.hub = options.hub.topic("/topic/orders/*".parse().unwrap(), own);
        prepare(&mut options);
        let first = options.hub.topics.iter().find(|(it, _)| it.matches("/topic/orders/1"));
        assert_eq!(first.map(|(_, config)| config.messages), Some(7));
        let chat = options.hub.topics.iter().find(|(it, _)| it.matches("/topic/chat/lobby"));
        assert!(chat.unwrap().1.presence);
    }

    #[tokio::test]
    async fn a_browser_that_has_the_page_is_not_sent_it_again() {
        let first = serve(HeaderMap::new()).await;
        assert_eq!(first.status(), StatusCode::OK);
        let etag = first.headers()[header::ETAG].to_str().unwrap();
        for (sent, status) in [
            (etag.to_owned(), StatusCode::NOT_MODIFIED),
            (format!("\"other\", W/{etag}"), StatusCode::NOT_MODIFIED),
            ("*".to_owned(), StatusCode::NOT_MODIFIED),
            ("\"other\"".to_owned(), StatusCode::OK),
        ] {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, sent.parse().unwrap())]);
            let response = serve(headers).await;
            assert_eq!(response.status(), status, "{sent}");
            assert_eq!(response.headers()[header::ETAG], etag);
        }
    }

    /// A part that is not put in would leave a page without its style or its script.
    #[test]
    fn the_page_has_all_of_its_parts() {
        let html = str::from_utf8(&PAGE.html).unwrap();
        for part in ["page.css */", "/* scripts */", "http://", "https://", "//cdn"] {
            assert!(!html.contains(part), "{part}");
        }
        assert_eq!((html.matches("<script>").count(), html.matches("<style>").count()), (1, 1));
    }
}
