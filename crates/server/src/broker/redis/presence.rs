//! Who is where, in Redis.
//!
//! For each topic, a hash maps its members to the nodes at which they are. For each node, another one maps what it
//! has entered to the message that is published when the member is gone, so that the other nodes can say so if
//! this one dies.

use super::{
    answers::Expected,
    batch::{Batch, Context, milliseconds},
    format, scripts,
};
use redis::{Cmd, Script};
use sansocket_realtime::{
    Epoch, Message,
    bridge::{Event, Member, QuestionId},
};
use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

/// How many bytes of members one answer has at most.
const MEMBERS: usize = 2 << 20;

impl Batch {
    /// Adds a member who has come.
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
        .arg(&*write(member))
        .arg(options.messages.get())
        .arg(milliseconds(options.age))
        .arg(options.topics.get());
    command
}

/// Reads the members of some topics.
pub(super) fn members(
    question: QuestionId,
    destinations: Arc<[Arc<str>]>,
    lists: Vec<Vec<Vec<u8>>>,
    is_partial: bool,
) -> Event {
    if is_partial {
        tracing::warn!(?destinations, "not all members are listed, since there are too many");
    }
    let members = lists.into_iter().map(|list| {
        let distinct: BTreeSet<_> = list.iter().filter_map(|written| read(written)).collect();
        distinct.into_iter().collect()
    });
    Event::Members { question, destinations, members: members.collect(), is_partial }
}

fn write(member: &Member) -> Cow<'static, str> {
    match member {
        Member::User(user) => format!("user {user}").into(),
        Member::Anonymous { node, connection } => format!("anonymous {node} {connection}").into(),
        // There is no other.
        _ => "".into(),
    }
}

/// Reads a member. Returns `None` for what other programs have written.
fn read(written: &[u8]) -> Option<Member> {
    let written = std::str::from_utf8(written).ok()?;
    match written.split_once(' ')? {
        ("user", user) => Some(Member::User(user.into())),
        ("anonymous", connection) => {
            let (node, connection) = connection.split_once(' ')?;
            let node = Epoch(u64::from_str_radix(node, 16).ok()?);
            Some(Member::Anonymous { node, connection: connection.parse().ok()? })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_read_as_it_was_written() {
        for user in ["joe", "", "a b\n", "é"] {
            let member = Member::User(user.into());
            assert_eq!(read(write(&member).as_bytes()), Some(member));
        }
        let member = Member::Anonymous { node: Epoch(u64::MAX), connection: u64::MAX };
        assert_eq!(read(write(&member).as_bytes()), Some(member));
        for wrong in ["", "user", "anonymous a", "anonymous x 1", "anonymous 1 x", "other a"] {
            assert_eq!(read(wrong.as_bytes()), None, "{wrong}");
        }
        assert_eq!(read(b"user \xff"), None);
    }

    #[test]
    fn a_member_that_is_read_twice_is_there_once() {
        let lists = ["user a", "?", "user b", "user a"].map(|it| it.as_bytes().to_vec()).to_vec();
        let told = members(QuestionId(1), ["/presence/topic/a".into()].into(), vec![lists], false);
        let Event::Members { members, .. } = told else { panic!("{told:?}") };
        assert_eq!(members, [["a", "b"].map(|user| Member::User(user.into()))]);
    }
}
