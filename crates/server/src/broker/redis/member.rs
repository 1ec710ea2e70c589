//! Members of topics, as Redis keeps them.

use sansocket_realtime::{
    Epoch,
    bridge::{Event, Member, QuestionId},
};
use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

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

/// Writes a member as Redis keeps it.
pub(super) fn write(member: &Member) -> Cow<'static, str> {
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
