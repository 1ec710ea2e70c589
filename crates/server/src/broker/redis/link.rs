//! A connection to Redis, from which the node knows which sequence there is.

use super::{
    RedisOptions,
    failure::Failure,
    keys::Keys,
    pushes::{self, Receiver},
    scripts,
};
use crate::random::random;
use redis::{AsyncConnectionConfig, InfoDict, aio::MultiplexedConnection};
use sansocket_realtime::Epoch;
use tokio::time::timeout;

/// The version of what is stored.
const VERSION: u32 = 2;

/// What a node knows of the sequence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub(super) epoch: Epoch,
    pub(super) head: u64,
}

impl Seen {
    /// Notes the position of a message, if it is known.
    pub(super) fn has_published(&mut self, position: Option<u64>) {
        self.head = self.head.max(position.unwrap_or(0));
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) connection: MultiplexedConnection,
    /// Names the connection among those of the node: Redis can still get what was sent on an earlier one.
    pub(super) id: u64,
    /// What Redis tells. What it has told before an answer is here before the answer is.
    pub(super) pushes: Receiver,
    pub(super) keys: Keys,
    /// The sequence.
    pub(super) seen: Seen,
}

impl Link {
    /// Connects, and agrees with the other nodes on the sequence. `seen` is what this node knows of it.
    pub(super) async fn connect(
        options: &RedisOptions,
        node: Epoch,
        seen: Option<Seen>,
    ) -> Result<Self, Failure> {
        let connecting = Self::connect_without_deadline(options, node, seen);
        let connected = timeout(options.connect, connecting).await;
        connected.unwrap_or(Err(Failure::Timeout(options.connect)))
    }

    async fn connect_without_deadline(
        options: &RedisOptions,
        node: Epoch,
        seen: Option<Seen>,
    ) -> Result<Self, Failure> {
        if options.address.is_encrypted() {
            // Without a default, rustls would look for one provider among those that are built in, and panic
            // if there are two. If there is a default, it is the application's.
            drop(tokio_rustls::rustls::crypto::ring::default_provider().install_default());
        }
        let (sender, pushes) = pushes::queue(options.received);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(options.connect))
            .set_response_timeout(Some(options.deadline))
            .set_push_sender(move |push| {
                sender.send(push);
                Ok::<_, std::convert::Infallible>(())
            });
        let mut connection = options.address.connect(config).await?;
        let run = check(&mut connection, options).await?;
        let id = random();
        let seen = begin(&mut connection, id, options, node, seen, &run).await?;
        let keys = Keys::new(&options.prefix, seen.epoch);
        Ok(Self { connection, id, pushes, keys, seen })
    }
}

/// Checks that the server can do what is needed. Returns the name of its run.
async fn check(
    connection: &mut MultiplexedConnection,
    options: &RedisOptions,
) -> Result<String, Failure> {
    let info: InfoDict = redis::cmd("INFO").query_async(connection).await?;
    let field = |name: &str| info.get::<String>(name).unwrap_or_default();
    let policy = field("maxmemory_policy");
    if policy.starts_with("allkeys") {
        tracing::warn!(
            policy,
            "Redis drops keys that are needed when its memory is full: set maxmemory-policy to noeviction"
        );
    }
    examine(field, options.durable)
}

fn examine(field: impl Fn(&str) -> String, is_durable: bool) -> Result<String, Failure> {
    let version = field("redis_version");
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    if (numbers.next(), numbers.next()) < (Some(6), Some(2)) {
        return Err(Failure::TooOld(version));
    }
    if field("cluster_enabled") == "1" {
        return Err(Failure::Cluster);
    }
    if is_durable && field("aof_enabled") != "1" {
        return Err(Failure::NotDurable);
    }
    let run = field("run_id");
    // Some services hide it.
    if !is_durable && run.trim_matches('0').is_empty() {
        return Err(Failure::NoRun);
    }
    Ok(run)
}

/// Agrees with the other nodes on the sequence.
async fn begin(
    connection: &mut MultiplexedConnection,
    id: u64,
    options: &RedisOptions,
    node: Epoch,
    seen: Option<Seen>,
    run: &str,
) -> Result<Seen, Failure> {
    let mut loading = redis::pipe();
    for script in scripts::all() {
        loading.load_script(script).ignore();
    }
    loading.cmd("CLIENT").arg("SETNAME").arg(format!("sansocket-{node}")).ignore();
    loading.exec_async(connection).await?;
    let state = Keys::state(&options.prefix);
    let alive = Keys::alive(&options.prefix, node);
    let new = Epoch(random());
    let nodes = Keys::nodes(&options.prefix);
    let mut command = scripts::call(&scripts::BEGIN, &[&state, &alive, &nodes]);
    command
        .arg(new.to_string())
        .arg(run)
        .arg(u8::from(options.durable))
        .arg(seen.map(|seen| seen.epoch.to_string()).unwrap_or_default())
        .arg(seen.map_or(0, |seen| seen.head))
        .arg(VERSION)
        .arg(options.absence.as_millis() as u64)
        .arg(node.to_string())
        .arg(id);
    let begun: redis::RedisResult<(String, u64)> = command.query_async(connection).await;
    let (epoch, head) = begun.map_err(|error| match error.code() {
        Some("VERSION") => {
            Failure::Version { stored: error.detail().unwrap_or("?").into(), known: VERSION }
        }
        _ => error.into(),
    })?;
    let unexpected = Failure::Unexpected { what: "which sequence there is" };
    let epoch = Epoch(u64::from_str_radix(&epoch, 16).map_err(|_| unexpected)?);
    Ok(Seen { epoch, head })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examined(changed: &str, value: &str, is_durable: bool) -> Result<String, String> {
        let field = |name: &str| match name {
            _ if name == changed => value.into(),
            "redis_version" => "6.2.0".into(),
            "cluster_enabled" => "0".into(),
            "aof_enabled" => "1".into(),
            "run_id" => "5f3a".into(),
            _ => String::new(),
        };
        examine(field, is_durable).map_err(|failure| failure.to_string())
    }

    #[test]
    fn servers_that_lack_something_are_refused() {
        for version in ["6.2.0", "7.0.15", "8.0", "10.0.0"] {
            assert_eq!(examined("redis_version", version, false).as_deref(), Ok("5f3a"));
        }
        for version in ["", "5.0.14", "6.0.16", "6", "unknown"] {
            let refused = examined("redis_version", version, false).unwrap_err();
            assert!(refused.ends_with("is too old: it has to be 6.2 or newer"), "{refused}");
        }
        let refused = examined("cluster_enabled", "1", false).unwrap_err();
        assert!(refused.starts_with("Redis is a cluster"), "{refused}");
        let refused = examined("aof_enabled", "0", true).unwrap_err();
        assert!(refused.starts_with("Redis has to be durable"), "{refused}");
        assert!(examined("aof_enabled", "0", false).is_ok());
        for run in ["", "0000"] {
            let refused = examined("run_id", run, false).unwrap_err();
            assert!(refused.contains("run_id"), "{refused}");
            assert_eq!(examined("run_id", run, true).as_deref(), Ok(run));
        }
    }
}
