//! The code of the application: its handlers and its authorization. If it panics, the engine goes on.

use super::calls::{AsyncHandler, Calls, Limits, Ready, failed};
use crate::{guests, options::Options};
use sansocket_realtime::hub::{
    Authorization, Call, Command, Handlers, Hub, InvalidRoute, Principal, RouteId,
};
use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// The handlers of the application, and the calls that they have not answered.
pub(crate) struct Application {
    /// Those that answer at once, under the lock.
    pub(crate) handlers: Handlers<()>,
    async_handlers: HashMap<RouteId, AsyncHandler>,
    pub(super) calls: Calls,
}

impl Application {
    pub(super) fn new(options: &Options) -> (Self, Ready) {
        let limits = Limits { connection: options.calls_of_client, all: options.calls };
        let (calls, ready) = Calls::new(limits);
        (Self { handlers: Handlers::new(), async_handlers: HashMap::new(), calls }, ready)
    }

    pub(crate) fn on_async(
        &mut self,
        hub: &mut Hub<Rules>,
        destination: &str,
        handler: AsyncHandler,
    ) -> Result<(), InvalidRoute> {
        self.async_handlers.insert(hub.route(destination)?, handler);
        Ok(())
    }

    /// Calls a handler. If it panics, the sender alone learns that.
    pub(super) fn call(&mut self, call: Call) -> Vec<Command> {
        if let Some(handler) = self.async_handlers.get(&call.route) {
            return self.calls.add(handler.clone(), call).into_iter().collect();
        }
        let handlers = &mut self.handlers;
        let answer = catch_unwind(AssertUnwindSafe(|| handlers.handle(&mut (), &call)));
        answer.unwrap_or_else(|_| vec![failed(&call)])
    }
}

/// The authorization of the application, to which guests are as clients without a user.
pub(crate) struct Rules(Arc<dyn Authorization + Send + Sync>);

impl Rules {
    pub(crate) fn new(options: &Options) -> Self {
        Self(options.authorization.clone())
    }

    /// Asks the application. If it panics, the answer is no: the hub must not be left half-way.
    fn ask(
        &self,
        destination: &str,
        question: impl FnOnce(&(dyn Authorization + Send + Sync)) -> bool,
    ) -> bool {
        let answer = catch_unwind(AssertUnwindSafe(|| question(&*self.0)));
        answer.unwrap_or_else(|_| {
            tracing::error!(destination, "the authorization has panicked");
            false
        })
    }
}

impl Authorization for Rules {
    fn may_subscribe(&self, user: Option<&Principal>, destination: &str) -> bool {
        self.ask(destination, |rules| rules.may_subscribe(guests::known(user), destination))
    }

    fn may_subscribe_pattern(&self, user: Option<&Principal>, pattern: &str) -> bool {
        self.ask(pattern, |rules| rules.may_subscribe_pattern(guests::known(user), pattern))
    }

    fn may_send(&self, user: Option<&Principal>, destination: &str) -> bool {
        self.ask(destination, |rules| rules.may_send(guests::known(user), destination))
    }
}
