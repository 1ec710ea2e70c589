//! Calls of `/app/…` by subscriptions, and how calls end.

use super::{
    Authorization, CallId, ConnectionId, Effect, Hub, Refusal, RequestId, SubscribeOptions,
    SubscriptionId,
    call::Application,
    keys::SubscriptionKey,
    subscription::{Link, Source, Sources, State},
};
use crate::bridge::QuestionId;
use alloc::boxed::Box;

impl<A: Authorization> Hub<A> {
    /// Subscribes to an `/app/…` destination: the application replies to the subscription.
    pub(super) fn subscribe_application(
        &mut self,
        connection: ConnectionId,
        id: SubscriptionId,
        destination: &str,
        request: Option<RequestId>,
    ) -> Result<(), Refusal> {
        let requester = self.requester(connection, request);
        let mut call = self.call(connection, destination, Default::default(), requester)?;
        let number = self.next_number();
        let application = Application { destination: destination.into(), call: Some(number) };
        let limit = u32::MAX as usize;
        let too_many = Refusal::TooManySubscriptions { limit };
        let application = self.applications.insert(application).ok_or(too_many)?;
        let sources = Sources::One(Link {
            source: Source::Application(application),
            slot: 0,
            needs: QuestionId(0),
        });
        let options = SubscribeOptions::default();
        let key = self.insert_subscription(connection, id, sources, false, options, None)?;
        if let Some(subscription) = self.subscriptions.get_mut(key) {
            subscription.state = State::Live;
            subscription.unusual = None;
        }
        call.subscription = Some(id);
        call.id.subscription = Some((id, number));
        if request.is_some() {
            call.id.requester = self.wait_for_parts(requester, 1);
        }
        self.effects.push(Effect::Subscribed {
            connection,
            subscription: id,
            request: None,
            cursor: None,
        });
        self.effects.push(Effect::Call(Box::new(call)));
        Ok(())
    }

    pub(super) fn finish(&mut self, call: CallId, refused: Option<Refusal>) {
        let CallId { requester, subscription } = call;
        let subscribed = self.finish_subscription(call);
        let Some(refusal) = refused else { return self.processed(requester, None) };
        if let (Some(connection), Some(key)) = (requester.connection, subscribed) {
            let id = subscription.map(|(id, _)| id);
            if let (Some(subscriber), Some(id)) = (self.connections.get_mut(&connection), id) {
                subscriber.remove(id);
            }
            self.end(key);
            return self.refused_with(requester, id, refusal);
        }
        // A call of a subscription is over once it was finished.
        if subscription.is_none() || requester.number.is_some() {
            self.refused(requester, refusal);
        }
    }

    /// Finds the subscription that has made a call and is not finished yet, and notes that it is.
    fn finish_subscription(&mut self, call: CallId) -> Option<SubscriptionKey> {
        let (id, number) = call.subscription?;
        let subscriber = self.connections.get(&call.requester.connection?)?;
        let key = subscriber.subscription(id)?;
        let link = self.subscriptions.get(key)?.sources.iter().next()?;
        let Source::Application(application) = link.source else { return None };
        let application = self.applications.get_mut(application)?;
        application.call.take_if(|waiting| *waiting == number).map(|_| key)
    }
}
