//! Polling: `GET /poll?topic=…&since=…&wait=…`.

use crate::{admission, answers, engine::Engine};
use axum::{
    extract::{Request, State},
    response::Response,
};
use http::request::Parts;
use sansocket_realtime::{guard::Answer, poll};
use std::sync::Arc;

/// Answers with what has happened, or waits for it.
pub(crate) async fn serve(State(engine): State<Arc<Engine>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    answer(&engine, &parts).await.unwrap_or_else(|response| response)
}

async fn answer(engine: &Arc<Engine>, parts: &Parts) -> Result<Response, Response> {
    let query = parts.uri.query().unwrap_or_default();
    let request = poll::Request::parse(query, &engine.options.polls)
        .map_err(|invalid| answers::whole(invalid.response()))?;
    let refuse = |answer: Answer| answers::problem(&answer, &engine.options.sources);
    let admitted = admission::admit(engine, parts).await.map_err(refuse)?;
    let mut client = admitted.client;
    for topic in request.topics() {
        let now = engine.now();
        let counted = engine.guard().subscribe(&mut client, topic, now);
        counted.map_err(|breach| refuse(engine.refuse(client.address(), &breach)))?;
    }
    let (polling, response) =
        engine.begin_poll(admitted.principal, request).map_err(answers::whole)?;
    let response = response.await;
    drop(polling);
    // The engine answers each poll while its server runs.
    let whole = response.map_err(|_| answers::unavailable())?;
    Ok(answers::response(&whole.head, answers::counted(whole.body, client)))
}
