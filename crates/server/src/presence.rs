//! Who is subscribed to a topic: `GET /presence?topic=…`.

use crate::{
    admission, answers,
    engine::{Engine, Rules},
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use http::StatusCode;
use sansocket_realtime::{
    guard::Answer,
    hub::{Action, Authorization, Presence, Refusal},
};
use serde_json::json;
use std::sync::Arc;

/// Answers with the users who are subscribed to a topic, and with how many clients are who are no users.
/// It is `partial` if those of other nodes are not known, because the broker is away or slow.
pub(crate) async fn serve(State(engine): State<Arc<Engine>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let sources = &engine.options.sources;
    let refuse = |answer: &Answer| answers::problem(answer, sources);
    let admitted = match admission::admit(&engine, &parts).await {
        Ok(admitted) => admitted,
        Err(answer) => return refuse(&answer),
    };
    let query = parts.uri.query().unwrap_or_default();
    let mut topics = form_urlencoded::parse(query.as_bytes())
        .filter_map(|(name, value)| (name == "topic").then(|| value.into_owned()));
    let (Some(topic), None) = (topics.next(), topics.next()) else {
        return answers::plain_problem(400, "name one topic");
    };
    let destination = format!("/presence{topic}");
    let user = admitted.principal.as_ref();
    let rules = Rules::new(&engine.options);
    if !rules.may_subscribe(user, &destination) || !rules.may_subscribe(user, &topic) {
        let refusal = Refusal::NotAllowed { action: Action::Subscribe, destination };
        return refuse(&Answer::from(&refusal));
    }
    let Presence { users, anonymous, is_partial, .. } = engine.presence(&topic).await;
    let users: Vec<_> = users.iter().map(|user| &**user).collect();
    answers::json(
        StatusCode::OK,
        &json!({ "topic": topic, "users": users, "anonymous": anonymous, "partial": is_partial }),
        Some(admitted.client),
    )
}
