//! Redis as the broker: many nodes are one server, and a client resumes at any of them.
//!
//! Each node has one connection. A message that is published on one node gets its position from Redis, is kept
//! there, and is told to all nodes that have subscribers for it, all in one step and in one order. Nodes need not
//! know each other.
//!
//! # What it needs
//!
//! Redis 6.2 or newer, or a server that speaks the same: with RESP3, streams and Lua scripts.
//!
//! - **One server, or Sentinels.** With Sentinels, the node asks them for the master each time it connects. A
//!   cluster is refused: all messages share one sequence, so one of its servers would do all the work.
//! - **Memory that nothing else is dropped for**: `maxmemory-policy noeviction`. When the memory is full,
//!   publishing waits until there is some. With a policy of `volatile-…`, messages of topics are dropped instead, and
//!   subscribers are told of gaps. One of `allkeys-…` drops what the nodes need: at each connection, a
//!   warning says so.
//! - **Room for slow moments**: a node for which too much waits is disconnected by Redis, above
//!   `client-output-buffer-limit pubsub 32mb 8mb 60` by default, and catches up. Raise it if messages come in
//!   bursts of tens of megabytes.
//! - **Permissions**, if the user is not the default one: all keys and channels that begin with the prefix
//!   in braces (`~{sansocket}*`, `&{sansocket}*`), and the commands `@read @write @scripting @pubsub @connection` and
//!   `info`.
//!
//! # What happens when Redis is away
//!
//! The hub is told, and [is degraded](sansocket_realtime::hub::Hub::is_degraded). Messages to publish wait in its
//! [outbox](sansocket_realtime::hub::Config::outbox), and are published once Redis is back, each of them once and
//! in their order. Subscribers get what they have missed from what Redis keeps. The same happens if Redis
//! refuses to write: without memory (`OOM`), without a disk (`MISCONF`), as a replica (`READONLY`). The
//! node tries again without a limit, and logs each reason.
//!
//! | | |
//! |---|---|
//! | a connection is lost | nothing is lost or doubled |
//! | Redis restarts, and is [durable](RedisOptions::durable) | nothing is lost or doubled |
//! | Redis restarts, and is not | another epoch begins: subscribers are told of a gap. A message without an answer is published again |
//! | a replica becomes master | the same |
//! | a node dies | its clients resume at another node. After [`absence`](RedisOptions::absence), what its consumers had of queues goes to others, and its members leave |
//!
//! Redis can lose its last seconds in a restart, and with asynchronous replication also in a failover.
//! Nobody knows what these contained, so a gap is told even if nothing is missing. With replicas,
//! `min-replicas-to-write 1` bounds what a master takes that has lost its network. Only a durable server
//! need not be doubted: `appendonly yes` and `appendfsync always`, which costs a write to the disk for each batch
//! of messages.
//!
//! # What it stores
//!
//! `{sansocket}` is the [prefix](RedisOptions::prefix), `5f3a` the epoch, and `c1` a node.
//!
//! | key | type | contains | goes |
//! |---|---|---|---|
//! | `{sansocket}` | hash | the epoch, the last position, what they depend on, and how many bytes all queues have | never |
//! | `{sansocket}:5f3a:messages:/topic/a` | stream | the last [messages](RedisOptions::messages) of a topic | [`age`](RedisOptions::age) after the last message |
//! | `{sansocket}:5f3a:topics` | sorted set | topics, by the positions of their last messages | with the epoch |
//! | `{sansocket}:5f3a:sizes`, `{sansocket}:5f3a:marks` | hash | how many bytes each topic has had since a position, and that position | with the epoch |
//! | `{sansocket}:5f3a:published:c1` | hash | the last message of a node | a day after the node |
//! | `{sansocket}:5f3a:members:/presence/topic/a` | hash | the members of a topic, each with the nodes at which it is | with the members |
//! | `{sansocket}:5f3a:entered:c1` | hash | the members at a node, each with the message that it has gone | with the members |
//! | `{sansocket}:5f3a:presences` | set | the presences that have members | with the members |
//! | `{sansocket}:queued:/queue/a` | hash | messages of a queue | when they are consumed |
//! | `{sansocket}:waiting:/queue/a` | sorted set | the positions of those that no node has | with them |
//! | `{sansocket}:deliveries:/queue/a` | hash | how often messages were delivered that came back | with them |
//! | `{sansocket}:taken:c1` | sorted set | the positions and queues of the messages that are with a node | when they are settled |
//! | `{sansocket}:nodes` | set | the nodes | when they are dead |
//! | `{sansocket}:alive:c1` | string | the connection of a node that is alive | [`absence`](RedisOptions::absence) after the node |
//! | `{sansocket}:watched` | string | nothing: without it, Redis was away itself, and no node counts as dead | [`absence`](RedisOptions::absence) after all nodes |
//!
//! Channels have the names `{sansocket}:5f3a:/topic/a`. A message is a line of JSON with its content type and its
//! headers, and then its body; on a channel, its position and a space come before. So other programs can
//! read messages. They can't publish, since only the script keeps the order.
//!
//! Of a topic, Redis drops messages behind which there are [`history_bytes`](RedisOptions::history_bytes): no answer
//! has them. It drops them in blocks, so it keeps up to twice as many bytes, and two messages more.
//!
//! A message of a topic takes about 40 bytes more than its own, and a topic takes at least 4.5 KB as long as it
//! keeps some, since Redis reserves memory for those that follow. A message in a queue takes about 180 bytes more
//! than its own. With the defaults, 1,000 topics with 1,000 messages of 200 bytes take about 240 MB, and 20,000
//! topics with one message each take 90 MB. (Measured with Redis 7.0.)
//!
//! # What it costs
//!
//! Publishing is one command, which takes Redis about 20 µs. It does not depend on the number of subscribers, and
//! grows with the number of nodes that follow the topic and of patterns that any node follows: Redis compares
//! each message with each of these. A history of a pattern looks at the topics that have newer messages, at most at 20,000; for what is
//! beyond, a gap is told.
//!
//! Nodes follow what they have subscribers for, and follow it once. While one batch of commands is on its
//! way, the next is gathered: so a busy node sends few large batches, and an idle one does not wait.
//!
//! # Queues
//!
//! All nodes share the queues. A node takes as many messages as its consumers have room for, and gives back
//! what they do not consume. What is given back goes first. When a node dies, one of the others gives back what it
//! had, 1,000 messages in a step, so that Redis can do other work in between. Unlike topics, queues outlast an
//! epoch: Redis loses of them only what it loses in a restart, and what was with a node is then delivered again.
//!
//! # Presence
//!
//! Each node tells Redis who comes and goes there, and Redis tells all nodes who comes to the first node and who
//! leaves the last one. When a node dies, one of the others notices at its next [`ping`](RedisOptions::ping) and has
//! its members leave, 200 in a step, so that Redis can do other work in between. Another epoch begins with
//! nobody, and each node enters its members again.
//!
//! A list is read in one step. One with 10,000 members takes Redis some milliseconds, and one is read for each
//! subscription of a presence that begins. An answer has at most 2 MiB of members, which are more than
//! 100,000 with short names; what is beyond is left out, and the list is
//! [partial](sansocket_realtime::hub::Presence::is_partial).
//!
//! # Example
//!
//! ```
//! use sansocket_server::{
//!     Options, Server,
//!     broker::redis::{Redis, RedisOptions},
//! };
//!
//! # fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut options = RedisOptions::default();
//! options.address = "redis://:secret@cache.example.com".parse()?;
//! let server = Server::builder(Options::default()).broker(Redis::new(options)?).build()?;
//! # Ok(())
//! # }
//! ```

mod address;
mod answers;
mod batch;
mod failure;
mod followed;
mod format;
mod keys;
mod link;
mod member;
mod options;
mod presence;
mod pump;
mod pushes;
mod queues;
mod scripts;
mod session;

pub use address::{Address, InvalidAddress};
pub use options::{InvalidOptions, RedisOptions};

use super::{Broker, Tell};
use pump::Pump;
use sansocket_realtime::{Epoch, bridge::Command};
use tokio::sync::mpsc::UnboundedReceiver;

/// A broker in Redis.
#[derive(Clone, Debug)]
pub struct Redis {
    options: RedisOptions,
}

impl Redis {
    /// Creates a broker. Nothing is connected before it [runs](Broker::run).
    ///
    /// # Errors
    ///
    /// Returns an error if options are wrong or contradict each other.
    pub fn new(options: RedisOptions) -> Result<Self, InvalidOptions> {
        options.check()?;
        Ok(Self { options })
    }
}

impl Broker for Redis {
    /// Connects the hub of a node to Redis, and connects it again whenever the connection is lost.
    ///
    /// `node` is the hub's epoch. `commands` are those of
    /// [`Effect::Bridge`](sansocket_realtime::hub::Effect::Bridge), in the order in which the hub gives them, sent
    /// before the hub handles anything else. `tell` has the hub handle an event by
    /// [`Command::Bridge`](sansocket_realtime::hub::Command::Bridge) before it returns. It is called within the
    /// task that runs this, so it can't take long.
    ///
    /// It ends when all senders of `commands` are dropped. What was sent before is then published and answered,
    /// if Redis is there and answers within the [`deadline`](RedisOptions::deadline). If this is dropped
    /// instead, it is as if the node had died.
    async fn run(self, node: Epoch, commands: UnboundedReceiver<Command>, tell: Tell) {
        Pump::new(&self.options, node, commands, tell).run().await;
    }
}
