//! The hub alone: what it does with each command.

mod answers;
mod calls;
mod model;
mod options;
mod presence;
mod queues;
mod replay;
mod topics;
mod transactions;

use core::time::Duration;
use sansocket_realtime::{
    Cursor, Epoch, Message,
    hub::{
        Acknowledgement, Authorization, Command, Config, ConnectionId, DeliveryId, DeliveryOf,
        Effect, Hub, Open, Operation, Principal, RequestId, Start, SubscribeOptions,
        SubscriptionId,
    },
};

const EPOCH: Epoch = Epoch(0xe);

/// A hub, whose effects become short texts.
struct World<A = Open> {
    hub: Hub<A>,
    now: Duration,
}

impl World {
    fn new() -> Self {
        Self::with_config(Config::default())
    }

    fn with_config(config: Config) -> Self {
        Self::with_authorization(config, Open)
    }
}

impl<A: Authorization> World<A> {
    fn with_authorization(config: Config, authorization: A) -> Self {
        Self { hub: Hub::with_config(EPOCH, config, authorization), now: Duration::ZERO }
    }

    fn handle(&mut self, command: Command) -> Vec<String> {
        self.hub.handle(command, self.now).map(show).collect()
    }

    fn connect(&mut self, connection: u64) {
        assert_eq!(self.handle(connect(connection, None)), [""; 0]);
    }

    fn log_in(&mut self, connection: u64, user: &str) {
        assert_eq!(self.handle(connect(connection, Some(user))), [""; 0]);
    }

    fn disconnect(&mut self, connection: u64) -> Vec<String> {
        self.handle(Command::Disconnect { connection: ConnectionId(connection) })
    }

    fn subscribe(&mut self, connection: u64, subscription: u32, destination: &str) -> Vec<String> {
        self.subscribe_with(connection, subscription, &[destination], SubscribeOptions::default())
    }

    fn resume(
        &mut self,
        connection: u64,
        subscription: u32,
        destination: &str,
        position: u64,
    ) -> Vec<String> {
        self.subscribe_with(connection, subscription, &[destination], after(position))
    }

    fn subscribe_with(
        &mut self,
        connection: u64,
        subscription: u32,
        destinations: &[&str],
        options: SubscribeOptions,
    ) -> Vec<String> {
        self.handle(Command::Subscribe {
            connection: ConnectionId(connection),
            subscription: SubscriptionId(subscription),
            destinations: destinations.iter().map(|&destination| destination.into()).collect(),
            options,
            request: None,
        })
    }

    fn unsubscribe(&mut self, connection: u64, subscription: u32) -> Vec<String> {
        self.handle(Command::Unsubscribe {
            connection: ConnectionId(connection),
            subscription: SubscriptionId(subscription),
            request: None,
        })
    }

    fn publish(&mut self, destination: &str, body: &str) -> Vec<String> {
        self.handle(Command::Publish {
            destination: destination.into(),
            message: Message::new(body.to_owned()),
            request: None,
        })
    }

    fn send(&mut self, connection: u64, destination: &str, body: &str) -> Vec<String> {
        self.perform(connection, send(destination, body))
    }

    fn perform(&mut self, connection: u64, operation: Operation) -> Vec<String> {
        let request = Some(RequestId(7));
        self.handle(Command::Perform { connection: ConnectionId(connection), operation, request })
    }

    fn ack(&mut self, connection: u64, subscription: u32, delivery: u64) -> Vec<String> {
        self.perform(connection, Operation::Ack(delivery_of(subscription, delivery)))
    }

    fn nack(&mut self, connection: u64, subscription: u32, delivery: u64) -> Vec<String> {
        self.perform(connection, Operation::Nack(delivery_of(subscription, delivery)))
    }

    fn pause(&mut self, connection: u64) {
        assert_eq!(self.handle(Command::Pause { connection: ConnectionId(connection) }), [""; 0]);
    }

    fn go_on(&mut self, connection: u64) -> Vec<String> {
        self.handle(Command::Resume { connection: ConnectionId(connection) })
    }

    fn after(&mut self, length: Duration) {
        self.now += length;
        self.handle(Command::TimePassed);
    }
}

fn connect(connection: u64, user: Option<&str>) -> Command {
    Command::Connect { connection: ConnectionId(connection), principal: user.map(Principal::new) }
}

fn send(destination: &str, body: &str) -> Operation {
    Operation::Send { destination: destination.into(), message: Message::new(body.to_owned()) }
}

fn delivery_of(subscription: u32, delivery: u64) -> DeliveryOf {
    DeliveryOf::Delivery(SubscriptionId(subscription), DeliveryId(delivery))
}

fn after(position: u64) -> SubscribeOptions {
    SubscribeOptions::default().start(Start::After(Cursor::new(EPOCH, position)))
}

fn with_acks(acknowledgement: Acknowledgement, window: u32) -> SubscribeOptions {
    SubscribeOptions::default().acknowledgement(acknowledgement).window(window.try_into().ok())
}

/// Writes an effect down: `1/0 a@5` is the delivery of the message `a` at position 5 on subscription 0
/// of connection 1.
fn show(effect: Effect) -> String {
    match effect {
        Effect::Deliver { connection, subscription, delivery, is_redelivered, message } => {
            let body = message.message().text().unwrap().to_owned();
            let position =
                message.cursor().map(|cursor| format!("@{}", cursor.position)).unwrap_or_default();
            let delivery = delivery.map(|delivery| format!(" #{}", delivery.0)).unwrap_or_default();
            let again = if is_redelivered { " again" } else { "" };
            format!("{}/{} {body}{position}{delivery}{again}", connection.0, subscription.0)
        }
        Effect::Gap { connection, subscription, gap } => {
            format!("{}/{} gap {} to {}", connection.0, subscription.0, gap.from, gap.to)
        }
        Effect::Subscribed { connection, subscription, request, cursor } => {
            let request = request.map(|request| format!(" ?{}", request.0)).unwrap_or_default();
            let cursor = cursor.map(|cursor| format!(" from {cursor}")).unwrap_or_default();
            format!("{}/{} begins{cursor}{request}", connection.0, subscription.0)
        }
        Effect::Processed { connection, request, cursor } => {
            let connection = connection.map(|it| it.0.to_string()).unwrap_or_default();
            let cursor = cursor.map(|cursor| format!(" {cursor}")).unwrap_or_default();
            format!("{connection}?{} done{cursor}", request.0)
        }
        Effect::Refused { connection, request, subscription, refusal } => {
            let connection = connection.map(|it| it.0.to_string()).unwrap_or_default();
            let request = request.map(|request| format!("?{}", request.0)).unwrap_or_default();
            let subscription = subscription.map(|it| format!("/{}", it.0)).unwrap_or_default();
            format!("{connection}{subscription}{request} refused: {refusal}")
        }
        Effect::Call(call) => {
            let user =
                call.principal.map(|user| format!(" by {}", user.name())).unwrap_or_default();
            let subscription = call.subscription.map(|it| format!("/{}", it.0)).unwrap_or_default();
            format!("{}{subscription} calls {}{user}", call.connection.0, call.destination)
        }
        Effect::Discarded { message, deliveries } => {
            format!("discarded {} after {deliveries}", message.message().text().unwrap())
        }
        Effect::Presence { request, presence } => {
            assert!(!presence.is_partial);
            format!("?{} {:?} and {}", request.0, presence.users, presence.anonymous)
        }
        other => panic!("{other:?}"),
    }
}
