//! What load balancers and orchestrators ask: `/healthz`, `/readyz`.

use crate::{
    answers,
    engine::{Engine, Status},
};
use axum::{extract::State, response::Response};
use http::StatusCode;
use serde_json::json;
use std::sync::Arc;

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
