//! A hub's way to Redis, over one connection after another.

use super::{
    RedisOptions,
    batch::Context,
    failure::Failure,
    keys::Keys,
    link::{Link, Seen},
    session::Session,
};
use crate::random::random;
use redis::aio::MultiplexedConnection;
use sansocket::client::Backoff;
use sansocket_realtime::{
    Epoch,
    bridge::{Command, Event},
};
use std::{future::Future, time::Duration};
use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep, timeout},
};

/// What stands between a hub and Redis.
pub(super) struct Pump<'a, T> {
    options: &'a RedisOptions,
    node: Epoch,
    commands: UnboundedReceiver<Command>,
    tell: T,
    seen: Option<Seen>,
}

/// The hub tells nothing any more.
struct HubGone;

impl<'a, T: FnMut(Event) + Send> Pump<'a, T> {
    pub(super) fn new(
        options: &'a RedisOptions,
        node: Epoch,
        commands: UnboundedReceiver<Command>,
        tell: T,
    ) -> Self {
        Self { options, node, commands, tell, seen: None }
    }

    /// Connects again and again, until the hub tells nothing any more.
    pub(super) async fn run(mut self) {
        let mut backoff = Backoff::new()
            .base(self.options.first_pause)
            .cap(self.options.longest_pause)
            .stable_after(self.options.longest_pause);
        loop {
            let options = self.options;
            let connecting = Link::connect(options, self.node, self.seen);
            let failure = match ignoring(&mut self.commands, connecting).await {
                Err(HubGone) => return,
                Ok(Err(failure)) => failure,
                Ok(Ok(link)) => {
                    let began = Instant::now();
                    let served = self.serve(link).await;
                    backoff.lasted(began.elapsed());
                    let Err(failure) = served else { return };
                    (self.tell)(Event::Down);
                    if self.commands.is_closed() {
                        tracing::warn!("not all is published, since {failure}");
                        return;
                    }
                    failure
                }
            };
            let pause = backoff.next(random()).unwrap_or(Duration::ZERO);
            tracing::warn!(address = %options.address, ?pause, "{failure}");
            if ignoring(&mut self.commands, sleep(pause)).await.is_err() {
                return;
            }
        }
    }

    /// Passes on what the hub and Redis tell each other. Returns once the hub tells nothing any more and all of
    /// it is answered.
    async fn serve(&mut self, link: Link) -> Result<(), Failure> {
        // What the hub has told before it knows of this connection is void.
        while self.commands.try_recv().is_ok() {}
        let Link { connection, id: connection_id, mut pushes, keys, seen } = link;
        let Seen { epoch, head } = seen;
        let address = &self.options.address;
        tracing::info!(%address, %epoch, head, "connected to Redis");
        (self.tell)(Event::Up { epoch, head });
        let (options, node) = (self.options, self.node);
        let context = Context { options, node, keys: &keys, epoch, connection_id };
        let mut session = Session::new(connection.clone(), context, seen, &mut self.tell);
        let served = session.serve(&mut self.commands, &mut pushes).await;
        self.seen = Some(session.seen());
        if served.is_ok() {
            say_goodbye(self.options, self.node, connection).await;
        }
        served
    }
}

/// Tells the other nodes that this one is gone, so that they need not wait for it.
async fn say_goodbye(options: &RedisOptions, node: Epoch, mut connection: MultiplexedConnection) {
    let mut command = redis::cmd("UNLINK");
    command.arg(Keys::alive(&options.prefix, node));
    match timeout(options.deadline, command.exec_async(&mut connection)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!("Redis was not told that this node is gone: {error}"),
        Err(_) => tracing::warn!("Redis was not told in time that this node is gone"),
    }
}

/// Waits for something while what the hub tells is for nobody.
async fn ignoring<F: Future>(
    commands: &mut UnboundedReceiver<Command>,
    what: F,
) -> Result<F::Output, HubGone> {
    tokio::pin!(what);
    loop {
        tokio::select! {
            done = &mut what => return Ok(done),
            command = commands.recv() => {
                if command.is_none() {
                    return Err(HubGone);
                }
            }
        }
    }
}
