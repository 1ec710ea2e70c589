//! Who is where, in Redis.
//!
//! For each topic, a hash maps its members to the nodes at which they are. For each node, another one maps what it
//! has entered to the message that is published when the member is gone, so that the other nodes can say so if
//! this one dies.

use super::{
    answers::Expected,
    batch::{Batch, Context, milliseconds},
    format, member, scripts,
};
use redis::{Cmd, Script};
use sansocket_realtime::{
    Message,
    bridge::{Member, QuestionId},
};
use std::sync::Arc;

/// How many bytes of members one answer has at most.
const MEMBERS: usize = 2 << 20;

impl Batch {
    /// Adds a member that comes.
    ///
    /// # Errors
    ///
    /// Returns an error if one of the messages can't be written.
    pub(super) fn enter(
        &mut self,
        presence: &str,
        member: &Member,
        [join, leave]: [&Message; 2],
        context: Context<'_>,
    ) -> serde_json::Result<()> {
        let (join, leave) = (format::write(join)?, format::write(leave)?);
        let Context { keys, node, .. } = context;
        let (members, entered) = (keys.members(presence), keys.entered(node));
        let of_epoch = [&*members, &entered, &keys.presences()];
        let mut command = call(&scripts::ENTER, &of_epoch, presence, member, context);
        command.arg(&join).arg(&leave);
        self.add_with(command, join.len() + leave.len(), 0, Expected::Entered);
        Ok(())
    }

    /// Adds a member who has gone.
    pub(super) fn leave(
        &mut self,
        question: QuestionId,
        presence: &str,
        member: &Member,
        context: Context<'_>,
    ) {
        let command = call(&scripts::LEAVE, &[], presence, member, context);
        self.add_with(command, 0, 0, Expected::Left(question));
    }

    /// Adds the question who is in some topics.
    pub(super) fn members(
        &mut self,
        question: QuestionId,
        destinations: Arc<[Arc<str>]>,
        context: Context<'_>,
    ) {
        let Context { keys, epoch, .. } = context;
        let mut command = scripts::call(&scripts::MEMBERS, &[&keys.state_of_all()]);
        command.arg(epoch.to_string()).arg(MEMBERS).arg(keys.members(""));
        for destination in &*destinations {
            command.arg(&**destination);
        }
        let expected = Expected::Members { question, destinations };
        self.add_with(command, 0, MEMBERS, expected);
    }
}

/// Begins the call of a script about a member.
fn call(
    script: &Script,
    of_epoch: &[&str],
    presence: &str,
    member: &Member,
    context: Context<'_>,
) -> Cmd {
    let Context { options, node, connection_id, keys, epoch } = context;
    let (state, alive, nodes) = (keys.state_of_all(), keys.alive_of(node), keys.nodes_of_all());
    let mut all = vec![&*state, &alive, &nodes];
    all.extend(of_epoch);
    let mut command = scripts::call(script, &all);
    command
        .arg(epoch.to_string())
        .arg(connection_id)
        .arg(node.to_string())
        .arg(presence)
        .arg(&*member::write(member))
        .arg(options.messages.get())
        .arg(milliseconds(options.age))
        .arg(options.topics.get())
        .arg(options.history_bytes);
    command
}
