//! SockJS below `/ws`, and STOMP in its sessions.
//!
//! Each session has a task, as each WebSocket has. Requests that send put messages into the session's inbox,
//! and responses that receive take what its task has sent.

mod body;
mod inbox;
mod sessions;
mod websocket;

use crate::{
    admission::{self, Admitted},
    answers,
    engine::Engine,
    mailboxes,
    origins::{self, Page},
    random::random,
    request_body::{self, Unread},
    stomp,
};
use axum::{
    Router,
    body::Body,
    extract::{FromRequestParts, OptionalFromRequestParts, Request, State},
    response::{IntoResponse, Response},
    routing::any,
};
use body::ReceiverBody;
use http::{HeaderName, HeaderValue, StatusCode, header, request::Parts};
use sansocket_axum::WebSocketUpgrade;
use sansocket_realtime::{
    guard::{Answer, Client},
    hub::Principal,
    sockjs::{self, Action, Cors, ReceiveError, Transport},
};
pub(crate) use sessions::Service;
use std::sync::Arc;
use websocket::SockJsWebSocket;

/// Where all of this is.
const PREFIX: &str = "/ws";

/// Returns the routes: STOMP over WebSocket, and SockJS.
pub(crate) fn routes(service: Arc<Service>) -> Router {
    Router::new()
        .route(PREFIX, any(serve_prefix))
        .route("/ws/", any(serve))
        .route("/ws/{*path}", any(serve))
        .with_state(service)
}

/// Serves the prefix alone: a WebSocket without SockJS, or the greeting of SockJS.
async fn serve_prefix(State(service): State<Arc<Service>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    match <WebSocketUpgrade as OptionalFromRequestParts<()>>::from_request_parts(&mut parts, &())
        .await
    {
        // This comes first, so that pages of others have nobody asked who their users are.
        Ok(Some(_)) if origins::page(&service.engine.options.origins, &parts) == Page::Refused => {
            origins::refuse(&service.engine, &parts)
        }
        Ok(Some(upgrade)) => crate::websocket::open(&service.engine, upgrade, &parts).await,
        Ok(None) => serve(State(service), Request::from_parts(parts, body)).await,
        Err(rejection) => rejection.into_response(),
    }
}

async fn serve(State(service): State<Arc<Service>>, request: Request) -> Response {
    let (mut parts, body) = request.into_parts();
    let page = origins::page(&service.engine.options.origins, &parts);
    let uri = parts.uri.clone();
    let (method, path) = (parts.method.clone(), uri.path().strip_prefix(PREFIX));
    let (cookie, requested) =
        (cookies(&parts), field(&parts, &header::ACCESS_CONTROL_REQUEST_HEADERS));
    let request = sockjs::Request::new(method.as_str(), path.unwrap_or_default())
        .cors(cors(&page))
        .requested_fields(requested.as_deref())
        .cookie(cookie.as_deref());
    match request.action(&service.engine.options.sockjs, random() as u32) {
        Action::Respond(response) => {
            // The greeting is for everybody.
            if page == Page::Refused && response.status == 403 {
                origins::count_refusal(&service.engine, &parts);
            }
            respond(response)
        }
        Action::RawWebSocket => match upgrade(&mut parts).await {
            Ok(upgrade) => crate::websocket::open(&service.engine, upgrade, &parts).await,
            Err(response) => response,
        },
        Action::WebSocket => match upgrade(&mut parts).await {
            Ok(upgrade) => open(&service.engine, upgrade, &parts).await,
            Err(response) => response,
        },
        Action::Receive { session, transport, head } => {
            receive(&service, &parts, session, transport, head).await
        }
        Action::Send { session, head } => send(&service, &parts, body, session, head).await,
        _ => respond(sockjs::Response::not_found()),
    }
}

fn field(parts: &Parts, name: &HeaderName) -> Option<String> {
    Some(parts.headers.get(name)?.to_str().ok()?.to_owned())
}

/// Returns the cookies of a request. HTTP/2 may have each in a field of its own (RFC 9113 §8.2.3).
fn cookies(parts: &Parts) -> Option<String> {
    let fields = parts.headers.get_all(header::COOKIE).iter();
    let fields: Vec<_> = fields.filter_map(|value| value.to_str().ok()).collect();
    (!fields.is_empty()).then(|| fields.join("; "))
}

fn cors(page: &Page) -> Cors<'_> {
    match page {
        Page::Own => Cors::SameOrigin,
        Page::Other(origin) => origin.to_str().map_or(Cors::Refused, Cors::Origin),
        Page::Refused => Cors::Refused,
    }
}

async fn upgrade(parts: &mut Parts) -> Result<WebSocketUpgrade, Response> {
    let upgrade = <WebSocketUpgrade as FromRequestParts<()>>::from_request_parts(parts, &()).await;
    upgrade.map_err(|_| respond(sockjs::Response::not_a_websocket()))
}

/// Opens a WebSocket with the frames of SockJS.
async fn open(engine: &Arc<Engine>, upgrade: WebSocketUpgrade, parts: &Parts) -> Response {
    let admitted = match admission::admit_for_connect(engine, parts).await {
        Ok(admitted) => admitted,
        Err(answer) => return answers::problem(&answer, &engine.options.sources),
    };
    // From now on the client is there: a server that ends waits for it.
    let mut registration =
        engine.register(mailboxes::Transport::SockJs, parts.extensions.get().cloned());
    registration.client = Some(admitted.client);
    let engine = engine.clone();
    let upgrade = crate::websocket::with_policy(&engine.options, upgrade);
    upgrade.on_upgrade(move |websocket| async move {
        match SockJsWebSocket::new(&engine, websocket) {
            Ok(transport) => {
                tokio::spawn(stomp::serve(registration, admitted.principal, transport));
            }
            // A new session takes its first receiver.
            Err(error) => tracing::error!(%error, "no session"),
        }
    })
}

/// Answers with what the session sends.
async fn receive(
    service: &Arc<Service>,
    parts: &Parts,
    session: &str,
    transport: Transport,
    head: sockjs::Response,
) -> Response {
    let (principal, client) = match admit(service, parts, session).await {
        Ok(admitted) => admitted,
        Err(answer) => return refuse(service, head, &answer),
    };
    let admitted = client.map(|client| Admitted { client, principal: principal.clone() });
    match service.attach(session, owner(principal.as_ref()), transport, admitted) {
        Ok((key, receiver)) => {
            let body = ReceiverBody::new(service.clone(), key, receiver);
            let mut response = respond(head);
            *response.body_mut() = Body::new(body);
            response
        }
        Err(error) => respond(error.response(head)),
    }
}

/// Takes what the client sends.
async fn send(
    service: &Arc<Service>,
    parts: &Parts,
    body: Body,
    session: &str,
    head: sockjs::Response,
) -> Response {
    let options = &service.engine.options;
    // What arrives takes memory, so it counts as a connection until it is there.
    let address = admission::address(options, parts);
    let counted = match service.engine.admit(address) {
        Ok(counted) => counted,
        Err(answer) => return refuse(service, head, &answer),
    };
    let principal = match admission::identify_for_connect(&service.engine, parts).await {
        Ok(principal) => principal,
        Err(error) => return refuse(service, head, &service.engine.refuse(address, &error)),
    };
    // Nobody waits for what goes to no session.
    if !service.has(session, owner(principal.as_ref())) {
        return respond(ReceiveError::NotFound.response(head));
    }
    // A longer one is refused without being read to its end.
    let body = match request_body::read(options, body, options.sockjs.payload_bytes).await {
        Ok(body) => body,
        Err(unread) => {
            let text = match unread {
                Unread::TooLong { .. } => "Payload too large.\n",
                Unread::CutOff => "Payload cut off.\n",
                Unread::TooSlow => "Too slow.\n",
            };
            return respond(head.answered(unread.status(), text));
        }
    };
    drop(counted);
    respond(match service.received(session, owner(principal.as_ref()), &body) {
        Ok(()) => head.accepted(),
        Err(error) => error.response(head),
    })
}

/// Returns who the client of a request is, and what counts the client if its session is a new one.
async fn admit(
    service: &Service,
    parts: &Parts,
    session: &str,
) -> Result<(Option<Principal>, Option<Client>), Answer> {
    let engine = &service.engine;
    if !admission::has_credentials(&engine.options, parts) && service.has(session, owner(None)) {
        return Ok((None, None));
    }
    // A new session counts as a connection. So does a request with credentials while these are checked, or
    // else they could be guessed without a limit.
    let address = admission::address(&engine.options, parts);
    let mut client = engine.admit(address)?;
    let principal = admission::identify_for_connect(engine, parts).await;
    let principal = principal.map_err(|error| engine.refuse(address, &error))?;
    if service.has(session, owner(principal.as_ref())) {
        return Ok((principal, None));
    }
    admission::count(engine, &mut client, principal.as_ref())?;
    Ok((principal, Some(client)))
}

fn owner(principal: Option<&Principal>) -> &[u8] {
    principal.map_or(b"", |principal| principal.name().as_bytes())
}

fn refuse(service: &Service, head: sockjs::Response, answer: &Answer) -> Response {
    let mut response = respond(head.answered(answer.status, "Refused\n"));
    answers::add_challenge(&mut response, answer.status, &service.engine.options.sources);
    response
}

fn respond(response: sockjs::Response) -> Response {
    let mut answer = Response::new(Body::from(response.body));
    *answer.status_mut() =
        StatusCode::from_u16(response.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in response.fields {
        // What the client sent is in no field unless it can be sent.
        if let Ok(value) = HeaderValue::from_str(&value) {
            answer.headers_mut().append(HeaderName::from_static(name), value);
        }
    }
    answer
}
