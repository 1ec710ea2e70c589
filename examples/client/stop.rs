//! When the client stops although the conversation is not over.

use crate::arguments::Arguments;
use std::future::pending;
use tokio::{
    select, signal,
    time::{Instant, sleep_until},
};

pub(crate) struct Stop {
    /// When the time to wait for messages is over.
    deadline: Option<Instant>,
}

impl Stop {
    /// The time to wait begins now.
    pub(crate) fn new(arguments: &Arguments) -> Self {
        // A moment too late to be represented never comes.
        let deadline = arguments.wait.and_then(|time| Instant::now().checked_add(time));
        Self { deadline }
    }

    /// Waits until the user stops the client with Ctrl-C, or does not wait any longer. Cancel safe.
    pub(crate) async fn requested(&self) {
        let is_late = async {
            match self.deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => pending().await,
            }
        };
        select! {
            _ = signal::ctrl_c() => {}
            () = is_late => {}
        }
    }
}
