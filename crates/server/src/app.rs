//! The application of the program: a table of what to do with messages to `/app/…` destinations.

use sansocket_realtime::{
    Message,
    hub::{Answer, Call, Principal},
};
use std::str::FromStr;

/// A destination of the application, and what happens with messages to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// `/app/…`, with variables in braces.
    pub(crate) destination: String,
    pub(crate) action: Action,
    /// The header in which receivers get the name of the user who sends the message.
    pub(crate) sender: Option<String>,
}

/// What happens with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// It is published to a topic, or put into a queue.
    Publish(Template),
    /// It goes to all connections of a user.
    SendToUser { user: Template, queue: Template },
    /// It goes back to the connection that has sent it.
    Reply(Template),
}

/// A text with variables: `/topic/orders/{id}`. `{user}` is the user who sends the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String),
}

/// Why a text is not a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidTemplate {
    #[error("{0:?} has a brace without its other one")]
    Brace(String),
    #[error("{0:?} has a variable without a name")]
    Name(String),
}

/// The variable that is the name of the user who sends the message.
pub(crate) const USER: &str = "user";

impl Route {
    /// Returns the function that handles calls of this route.
    pub(crate) fn handler(self) -> impl FnMut(&Call) -> Answer + Send + 'static {
        move |call| {
            if call.subscription.is_some() {
                return Answer::refuse("this destination can be sent to, not subscribed to");
            }
            let message = match &self.sender {
                Some(header) => with_sender(call, header),
                None => call.message.clone(),
            };
            self.action.answer(call, message).unwrap_or_else(Answer::refuse)
        }
    }
}

impl Action {
    /// Returns the answer to a call, or why it is refused.
    fn answer(&self, call: &Call, message: Message) -> Result<Answer, &'static str> {
        let answer = Answer::new();
        Ok(match self {
            Self::Publish(destination) => answer.publish(destination.destination(call)?, message),
            Self::SendToUser { user, queue } => {
                let user = Principal::new(user.filled(call)?);
                answer.send_to_user(user, queue.destination(call)?, message)
            }
            Self::Reply(destination) => answer.reply(destination.destination(call)?, message),
        })
    }
}

impl Template {
    /// Returns the names of the variables.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Variable(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// Returns the text with `value` for each variable.
    pub(crate) fn filled_with(&self, value: &str) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Variable(_) => value.into(),
        };
        self.0.iter().map(part).collect()
    }

    /// Fills in a destination. The name of a user can be anything, so it could lead elsewhere.
    fn destination(&self, call: &Call) -> Result<String, &'static str> {
        let has_user = self.variables().any(|name| name == USER);
        if has_user && !is_within_a_part(user(call)?) {
            return Err("your name can't be a part of a destination");
        }
        self.filled(call)
    }

    fn filled(&self, call: &Call) -> Result<String, &'static str> {
        let part = |part: &Part| match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Variable(name) if name == USER => user(call).map(Into::into),
            // It was checked that the destination has it.
            Part::Variable(name) => Ok(call.variable(name).unwrap_or_default().into()),
        };
        self.0.iter().map(part).collect()
    }
}

/// Returns the message with the name of its sender in a header. What the client has sent under that name, in
/// any case, is removed: also if it has no user, or else it could have any name.
fn with_sender(call: &Call, header: &str) -> Message {
    let others = call.message.headers().filter(|(name, _)| !name.eq_ignore_ascii_case(header));
    let sender = call.principal.as_ref().map(|user| (header, user.name()));
    call.message.clone().with_headers(others.chain(sender))
}

fn user(call: &Call) -> Result<&str, &'static str> {
    let user = call.principal.as_ref().map(Principal::name);
    user.ok_or("only users can send to this destination: log in")
}

/// Returns whether a text is nothing but some characters within one part of a destination.
fn is_within_a_part(text: &str) -> bool {
    !text.is_empty() && !text.contains(['/', '*', '>']) && !text.contains(char::is_control)
}

impl FromStr for Template {
    type Err = InvalidTemplate;

    fn from_str(text: &str) -> Result<Self, InvalidTemplate> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from_brace) = rest.split_at(at);
            if !before.is_empty() {
                parts.push(Part::Text(before.into()));
            }
            let inside = from_brace.strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let (name, after) = inside.ok_or_else(|| InvalidTemplate::Brace(text.into()))?;
            match name {
                "" => return Err(InvalidTemplate::Name(text.into())),
                _ if name.contains('{') => return Err(InvalidTemplate::Brace(text.into())),
                _ => parts.push(Part::Variable(name.into())),
            }
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.into()));
        }
        Ok(Self(parts))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sansocket_realtime::hub::{
        Command, ConnectionId, Effect, Handlers, Hub, Operation, Principal, SubscribeOptions,
        SubscriptionId,
    };
    use sansocket_realtime::{Epoch, Message};
    use std::time::Duration;

    const CONNECTION: ConnectionId = ConnectionId(1);

    fn template(text: &str) -> Template {
        text.parse().unwrap()
    }

    /// A hub with one route, and a connection.
    struct Node(Hub, Handlers<()>);

    impl Node {
        fn new(destination: &str, action: Action, user: Option<&str>) -> Self {
            let route = Route { destination: destination.into(), action, sender: None };
            let (mut hub, mut handlers) = (Hub::new(Epoch(1)), Handlers::new());
            let mut handler = route.handler();
            handlers.on(&mut hub, destination, move |(): &mut (), call| handler(call)).unwrap();
            let mut node = Self(hub, handlers);
            let principal = user.map(Principal::new);
            node.run(Command::Connect { connection: CONNECTION, principal });
            node
        }

        /// Returns what is delivered where, and refused.
        fn run(&mut self, command: Command) -> Vec<String> {
            let (mut commands, mut lines) = (vec![command], Vec::new());
            while let Some(command) = commands.pop() {
                for effect in self.0.handle(command, Duration::ZERO) {
                    match effect {
                        Effect::Call(call) => {
                            commands.extend(self.1.handle(&mut (), &call).into_iter().rev());
                        }
                        Effect::Deliver { message, .. } => {
                            lines.push(message.destination().to_string())
                        }
                        Effect::Refused { refusal, .. } => lines.push(refusal.to_string()),
                        _ => {}
                    }
                }
            }
            lines
        }

        fn subscribe(&mut self, destination: &str) -> Vec<String> {
            self.run(Command::Subscribe {
                connection: CONNECTION,
                subscription: SubscriptionId(1),
                destinations: vec![destination.into()],
                options: SubscribeOptions::default(),
                request: None,
            })
        }

        fn send(&mut self, destination: &str) -> Vec<String> {
            let (destination, message) = (destination.into(), Message::new("a"));
            let operation = Operation::Send { destination, message };
            self.run(Command::Perform { connection: CONNECTION, operation, request: None })
        }
    }

    #[test]
    fn a_message_is_published_with_its_variables() {
        let publish = Action::Publish(template("/topic/orders/{id}/{user}"));
        let mut node = Node::new("/app/orders/{id}", publish, Some("joe"));
        node.subscribe("/topic/**");
        assert_eq!(node.send("/app/orders/42"), ["/topic/orders/42/joe"]);
        assert_eq!(node.send("/app/other"), ["nothing handles \"/app/other\""]);
    }

    #[test]
    fn a_message_goes_to_a_user_or_back() {
        let (user, queue) = (template("{to}"), template("/queue/private"));
        let mut node =
            Node::new("/app/private/{to}", Action::SendToUser { user, queue }, Some("joe"));
        node.subscribe("/user/queue/private");
        assert_eq!(node.send("/app/private/joe"), ["/user/queue/private"]);
        assert!(node.send("/app/private/ann").is_empty());

        let reply = Action::Reply(template("/user/queue/echo"));
        let mut node = Node::new("/app/echo", reply, None);
        node.subscribe("/user/queue/echo");
        assert_eq!(node.send("/app/echo"), ["/user/queue/echo"]);
    }

    #[test]
    fn the_name_of_a_user_leads_nowhere_else() {
        let publish = || Action::Publish(template("/topic/users/{user}"));
        let refusal = ["your name can't be a part of a destination"];
        for name in ["a/b", "*", "**", ">", "", "a\n"] {
            let mut node = Node::new("/app/a", publish(), Some(name));
            node.subscribe("/topic/**");
            assert_eq!(node.send("/app/a"), refusal, "{name:?}");
        }
        let mut nobody = Node::new("/app/a", publish(), None);
        let refusal = ["only users can send to this destination: log in"];
        assert_eq!(nobody.send("/app/a"), refusal);
        // To the queues of users, any name leads.
        let (user, queue) = (template("{user}"), template("/queue/a"));
        let mut node = Node::new("/app/a", Action::SendToUser { user, queue }, Some("a/b"));
        node.subscribe("/user/queue/a");
        assert_eq!(node.send("/app/a"), ["/user/queue/a"]);
    }

    /// Returns the headers of what is published for a message with `headers`.
    fn headers_with_sender(user: Option<&str>, headers: &[(&str, &str)]) -> Vec<(String, String)> {
        let action = Action::Publish(template("/topic/a"));
        let sender = Some("sender".into());
        let mut handler = Route { destination: "/app/a".into(), action, sender }.handler();
        let (mut hub, mut handlers) = (Hub::new(Epoch(1)), Handlers::new());
        handlers.on(&mut hub, "/app/a", move |(): &mut (), call| handler(call)).unwrap();
        let (connection, request) = (CONNECTION, None);
        let principal = user.map(Principal::new);
        hub.handle(Command::Connect { connection, principal }, Duration::ZERO);
        let message = Message::new("a").with_headers(headers.iter().copied());
        let operation = Operation::Send { destination: "/app/a".into(), message };
        let send = Command::Perform { connection, operation, request };
        let effects: Vec<_> = hub.handle(send, Duration::ZERO).collect();
        let [Effect::Call(call)] = &effects[..] else { panic!("{effects:?}") };
        let commands = handlers.handle(&mut (), call);
        let Some(Command::PublishFor { message, .. }) = commands.first() else {
            panic!("{commands:?}")
        };
        message.headers().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn a_sender_is_the_user_whatever_the_client_says() {
        let forged = [("sender", "eve"), ("x", "1"), ("Sender", "eve"), ("SENDER", "eve")];
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let of_joe = headers_with_sender(Some("joe"), &forged);
        assert_eq!(of_joe, [header("x", "1"), header("sender", "joe")]);
        // Who is no user has no name either.
        assert_eq!(headers_with_sender(None, &forged), [header("x", "1")]);
    }

    #[test]
    fn nobody_subscribes_to_the_table() {
        let mut node = Node::new("/app/a", Action::Publish(template("/topic/a")), Some("joe"));
        let refusal = ["this destination can be sent to, not subscribed to"];
        assert_eq!(node.subscribe("/app/a"), refusal);
    }

    #[test]
    fn templates_have_their_braces() {
        assert_eq!(template("a{b}c{d}").variables().collect::<Vec<_>>(), ["b", "d"]);
        assert_eq!(template("a{b}c{d}").filled_with("-"), "a-c-");
        for text in ["{", "}", "a{b", "a}b", "{{a}}", "{a{b}"] {
            assert_eq!(
                text.parse::<Template>(),
                Err(InvalidTemplate::Brace(text.into())),
                "{text}"
            );
        }
        assert_eq!("{}".parse::<Template>(), Err(InvalidTemplate::Name("{}".into())));
    }
}
