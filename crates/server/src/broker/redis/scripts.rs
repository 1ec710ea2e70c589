//! The scripts that Redis runs. Each is one step to all other clients.

use redis::{Cmd, Script};
use std::sync::LazyLock;

macro_rules! script {
    ($($file:literal),+) => {
        LazyLock::new(|| Script::new(concat!($(include_str!(concat!("scripts/", $file))),+)))
    };
}

/// A node has connected.
pub(super) static BEGIN: LazyLock<Script> = script!("watched.lua", "begin.lua");
/// A node is alive.
pub(super) static ALIVE: LazyLock<Script> =
    script!("watched.lua", "returned.lua", "topic.lua", "presence.lua", "alive.lua");
/// A message is published.
pub(super) static PUBLISH: LazyLock<Script> = script!("topic.lua", "publish.lua");
/// Messages of a topic or pattern are read.
pub(super) static HISTORY: LazyLock<Script> = script!("history.lua");
/// A node takes messages of a queue.
pub(super) static TAKE: LazyLock<Script> = script!("take.lua");
/// A node wants to know what is still with it.
pub(super) static STILL: LazyLock<Script> = script!("still.lua");
/// A node tells what has become of a message of a queue.
pub(super) static SETTLE: LazyLock<Script> = script!("settle.lua");

/// A member has come to a topic.
pub(super) static ENTER: LazyLock<Script> = script!("topic.lua", "presence.lua", "enter.lua");
/// A member has gone.
pub(super) static LEAVE: LazyLock<Script> = script!("topic.lua", "presence.lua", "leave.lua");
/// The members of topics are read.
pub(super) static MEMBERS: LazyLock<Script> = script!("members.lua");

/// Returns all scripts, to have Redis know them before they are called.
pub(super) fn all() -> [&'static Script; 10] {
    [&BEGIN, &ALIVE, &PUBLISH, &HISTORY, &TAKE, &STILL, &SETTLE, &ENTER, &LEAVE, &MEMBERS]
}

/// Begins the call of a script. Its arguments have to be added.
pub(super) fn call(script: &Script, keys: &[&str]) -> Cmd {
    let mut command = redis::cmd("EVALSHA");
    command.arg(script.get_hash()).arg(keys.len()).arg(keys);
    command
}
