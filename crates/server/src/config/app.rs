//! The table of `/app/…` destinations.

use super::checks::Checks;
use crate::app::{Action, Route, Template, USER};
use sansocket_realtime::{Epoch, hub::Hub};
use sansocket_server::access::DestinationPattern;
use serde::{Deserialize, Serialize};
use toml::Spanned;

/// What to do with messages to a destination of the application.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct App {
    pub(crate) destination: Spanned<String>,
    pub(crate) publish: Option<Spanned<String>>,
    pub(crate) send_to_user: Option<SendToUser>,
    pub(crate) reply: Option<Spanned<String>>,
    pub(crate) sender: Option<Spanned<String>>,
}

/// A user, and the queue of that user.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct SendToUser {
    pub(crate) user: Spanned<String>,
    pub(crate) queue: Spanned<String>,
}

/// Returns the routes of the table.
pub(crate) fn routes(checks: &mut Checks<'_>, apps: &[Spanned<App>]) -> Vec<Route> {
    // It knows what is a route, and which are the same.
    let mut hub = Hub::new(Epoch(0));
    let mut routes = Vec::new();
    for app in apps {
        let destination = &app.get_ref().destination;
        let is_route = checks.check(destination.span(), hub.route(destination.get_ref())).is_some();
        let action = action(checks, app);
        let sender = app.get_ref().sender.as_ref();
        let sender = sender.and_then(|name| header(checks, name));
        if let Some(action) = action.filter(|_| is_route) {
            routes.push(Route { destination: destination.get_ref().clone(), action, sender });
        }
    }
    routes
}

fn action(checks: &mut Checks<'_>, spanned: &Spanned<App>) -> Option<Action> {
    let App { destination, publish, send_to_user, reply, .. } = spanned.get_ref();
    match (publish, send_to_user, reply) {
        (Some(publish), None, None) => {
            let kinds = ["/topic/", "/queue/"];
            target(checks, destination, publish, &kinds).map(Action::Publish)
        }
        (None, Some(SendToUser { user, queue }), None) => {
            let user = template(checks, destination, user);
            let queue = target(checks, destination, queue, &["/queue/"]);
            Some(Action::SendToUser { user: user?, queue: queue? })
        }
        (None, None, Some(reply)) => {
            target(checks, destination, reply, &["/user/queue/"]).map(Action::Reply)
        }
        _ => {
            let problem = "an [[app]] has one of publish, send-to-user and reply";
            checks.problem(destination.span(), problem);
            None
        }
    }
}

/// Reads the name of a header: letters, digits and hyphens, and none that a MESSAGE has anyway.
fn header(checks: &mut Checks<'_>, name: &Spanned<String>) -> Option<String> {
    const OF_MESSAGE: [&str; 7] = [
        "destination",
        "message-id",
        "subscription",
        "ack",
        "redelivered",
        "content-type",
        "content-length",
    ];
    let text = name.get_ref();
    let is_name =
        !text.is_empty() && text.chars().all(|it| it.is_ascii_alphanumeric() || it == '-');
    if is_name && !OF_MESSAGE.iter().any(|it| it.eq_ignore_ascii_case(text)) {
        return Some(text.clone());
    }
    let problem =
        format!("{text:?} can't be the header of the sender: take another, such as \"sender\"");
    checks.problem(name.span(), problem);
    None
}

/// Reads where messages go: a destination of one of these kinds, with variables.
fn target(
    checks: &mut Checks<'_>,
    destination: &Spanned<String>,
    target: &Spanned<String>,
    kinds: &[&str],
) -> Option<Template> {
    let template = template(checks, destination, target)?;
    let example = template.filled_with("x");
    let is_of_kind = kinds.iter().any(|kind| target.get_ref().starts_with(kind));
    if !is_of_kind || example.contains(['*', '>']) {
        let problem = format!(
            "messages can't go to {:?}: it is to be below {}, and has no wildcards",
            target.get_ref(),
            kinds.join(" or "),
        );
        checks.problem(target.span(), problem);
        return None;
    }
    checks.check(target.span(), example.parse::<DestinationPattern>()).map(|_| template)
}

/// Reads a text with variables, all of which the destination has.
fn template(
    checks: &mut Checks<'_>,
    destination: &Spanned<String>,
    text: &Spanned<String>,
) -> Option<Template> {
    let template = checks.check(text.span(), text.get_ref().parse::<Template>())?;
    let of_destination: Vec<_> = destination.get_ref().split('/').collect();
    let is_known =
        |name: &&str| *name == USER || of_destination.contains(&format!("{{{name}}}").as_str());
    let unknown = template.variables().find(|name| !is_known(name)).map(ToOwned::to_owned);
    if let Some(name) = unknown {
        let problem = format!("there is no {{{name}}} in {:?}", destination.get_ref());
        checks.problem(text.span(), problem);
        return None;
    }
    if of_destination.contains(&"{user}") && template.variables().any(|name| name == USER) {
        let problem =
            "{user} is the user who sends: call the part of the destination something else";
        checks.problem(destination.span(), problem);
        return None;
    }
    Some(template)
}
