//! MQTT over WebSocket (MQTT 5 §6): `/mqtt` is a tunnel to an MQTT broker.
//!
//! Nothing of MQTT is parsed: packets need not align with messages, and the broker asks for the
//! credentials of its own clients.

use crate::{
    admission, answers,
    engine::{Engine, Registration},
    mailbox::End,
    mailboxes::Transport,
    websocket,
};
use axum::{
    extract::{FromRequestParts, Request, State},
    response::{IntoResponse, Response},
};
use http::StatusCode;
use sansocket_axum::{WebSocket, WebSocketUpgrade};
use std::{future::poll_fn, io, sync::Arc, task::Poll, time::Duration};
use tokio::{io::copy_bidirectional_with_sizes, net::TcpStream, time};

/// How long the broker may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The bytes that are copied at a time in each direction.
const BUFFER: usize = 8 << 10;

/// The subprotocols by which clients ask for MQTT; the second is that of MQTT 3.1.
const SUBPROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];

/// Opens a tunnel to the broker.
pub(crate) async fn serve(State(engine): State<Arc<Engine>>, request: Request) -> Response {
    let (mut parts, _) = request.into_parts();
    let Some(broker) = engine.options.mqtt.clone() else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let upgrade =
        <WebSocketUpgrade as FromRequestParts<()>>::from_request_parts(&mut parts, &()).await;
    let upgrade = match upgrade {
        Ok(upgrade) => websocket::with_policy(&engine.options, upgrade).protocols(SUBPROTOCOLS),
        Err(rejection) => return rejection.into_response(),
    };
    if upgrade.selected_protocol().is_none() {
        let why = "MQTT over WebSocket needs the subprotocol mqtt (MQTT 5 §6)\n";
        return (StatusCode::BAD_REQUEST, why).into_response();
    }
    let admitted = match admission::admit(&engine, &parts).await {
        Ok(admitted) => admitted,
        Err(answer) => return answers::problem(&answer, &engine.options.sources),
    };
    let stream = match time::timeout(CONNECT_TIMEOUT, TcpStream::connect(&broker)).await {
        Ok(Ok(stream)) => stream,
        failed => {
            let why = failed.map_or_else(|late| late.to_string(), |it| format!("{:?}", it.err()));
            tracing::warn!(broker, why, "can't reach the MQTT broker");
            return (StatusCode::BAD_GATEWAY, "the MQTT broker is away\n").into_response();
        }
    };
    let mut registration = engine.register(Transport::Mqtt, parts.extensions.get().cloned());
    registration.client = Some(admitted.client);
    let expires_at = admission::expires_at(&engine, admitted.principal.as_ref());
    upgrade.on_upgrade(move |websocket| async move {
        if let Err(error) = tunnel(&registration, websocket, stream, expires_at).await {
            tracing::debug!(%error, "a tunnel to the MQTT broker was cut");
        }
    })
}

/// Copies bytes until both sides have ended, or the server shuts down.
async fn tunnel(
    registration: &Registration,
    websocket: WebSocket,
    mut stream: TcpStream,
    expires_at: Option<Duration>,
) -> io::Result<()> {
    // Each write is a whole message already, and small ones are not to wait.
    stream.set_nodelay(true)?;
    let mut bytes = websocket.into_byte_stream();
    tokio::select! {
        copied = copy_bidirectional_with_sizes(&mut bytes, &mut stream, BUFFER, BUFFER) => {
            copied.map(drop)
        }
        () = end(registration, expires_at) => {
            // The broker learns that by the end of TCP, and publishes what the client wanted for that.
            // A client that takes nothing does not hold this up: the connection has a close timeout.
            tokio::io::AsyncWriteExt::shutdown(&mut bytes).await
        }
    }
}

/// Waits until the server shuts down, or the credentials of the client expire.
async fn end(registration: &Registration, expires_at: Option<Duration>) {
    let clock = registration.engine().clock;
    let shut_down = poll_fn(|cx| {
        // The hub has nothing for this connection. It is woken when the server shuts down.
        let _ = registration.mailbox.poll_take(cx);
        match registration.mailbox.end() {
            Some(End::ShuttingDown(at)) => Poll::Ready(at),
            _ => Poll::Pending,
        }
    });
    let expired = async {
        match expires_at {
            Some(at) => time::sleep_until(clock.instant(at)).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        at = shut_down => time::sleep_until(clock.instant(at)).await,
        () = expired => {}
    }
}
