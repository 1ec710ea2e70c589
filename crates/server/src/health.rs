//! What load balancers and monitors ask: `/healthz`, `/readyz`, `/metrics`.

use crate::{
    answers,
    engine::{Engine, Status},
};
use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{StatusCode, header};
use serde_json::json;
use std::{fmt::Write, sync::Arc};

/// Answers that the program runs.
pub(crate) async fn live() -> &'static str {
    "ok\n"
}

/// Answers whether clients should come here.
///
/// A server whose broker is away is still ready: its local topics and the replay of all others go on, and
/// the other nodes have the same broker.
pub(crate) async fn ready(State(engine): State<Arc<Engine>>) -> Response {
    let (code, status) = match engine.status() {
        Status::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting"),
        Status::Ready => (StatusCode::OK, "ready"),
        Status::Degraded => (StatusCode::OK, "degraded"),
        Status::ShuttingDown => (StatusCode::SERVICE_UNAVAILABLE, "shutting-down"),
    };
    answers::json(code, &json!({ "status": status }), None)
}

/// Answers with the figures of this node, as Prometheus reads them.
pub(crate) async fn metrics(State(engine): State<Arc<Engine>>) -> Response {
    let (counts, gauges) = engine.counts();
    let degraded = usize::from(engine.status() == Status::Degraded);
    let mut text = String::new();
    for (name, help, value) in [
        ("connections", "Clients of STOMP and event streams", gauges.connections),
        ("polls", "Polls that wait", gauges.polls),
        ("subscriptions", "Subscriptions", gauges.subscriptions),
        ("destinations", "Topics, patterns and queues", gauges.destinations),
        ("broker_degraded", "1 while the broker is away", degraded),
    ] {
        write_metric(&mut text, name, help, "gauge", value as u64);
    }
    for (name, help, value) in [
        ("commands_total", "Commands handled", counts.handled),
        ("deliveries_total", "Messages delivered to subscriptions", counts.delivered),
        ("gaps_total", "Gaps told to subscriptions", counts.gaps),
        ("refusals_total", "Commands refused", counts.refused),
        ("discarded_total", "Messages given up", counts.discarded),
        ("pauses_total", "Pauses of slow clients", counts.paused),
    ] {
        write_metric(&mut text, name, help, "counter", value);
    }
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

fn write_metric(out: &mut String, name: &str, help: &str, kind: &str, value: u64) {
    // Writing to a `String` can't fail.
    let _ = write!(
        out,
        "# HELP sansocket_{name} {help}.\n# TYPE sansocket_{name} {kind}\nsansocket_{name} {value}\n"
    );
}
