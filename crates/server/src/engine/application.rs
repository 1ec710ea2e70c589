//! The code of the application that runs under the lock: its handlers and its authorization. If it panics,
//! the engine goes on.

use crate::{guests, options::Options};
use sansocket_realtime::hub::{Authorization, Call, Command, Handlers, Principal};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// Calls the application. If its handler panics, the sender alone learns that.
pub(super) fn call_handler(handlers: &mut Handlers<()>, call: &Call) -> Vec<Command> {
    let answer = catch_unwind(AssertUnwindSafe(|| handlers.handle(&mut (), call)));
    answer.unwrap_or_else(|_| {
        tracing::error!(destination = call.destination, "a handler has panicked");
        vec![call.refused("the handler has failed")]
    })
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
