//! Who is present in a topic, over a bridge: each rule of a hub.

use crate::alone::{Alone, BROKER};
use core::time::Duration;
use sansocket_realtime::{
    Epoch,
    bridge::{Event, Member, QuestionId},
    hub::{Command, Config, RequestId, Start, SubscribeOptions, TopicConfig},
};

const NOTHING: [&str; 0] = [];
const A: &str = "/presence/topic/a";

/// Creates a hub whose topics tell who is there, with connection 1 of a user, and a bridge that is up.
fn telling(local: &[&str]) -> Alone {
    let topics = TopicConfig::default().presence(true);
    let patterns = local.iter().map(|pattern| pattern.parse().unwrap());
    let config = patterns.fold(Config::default().other_topics(topics), Config::local);
    let mut hub = Alone::with_config(config);
    assert_eq!(hub.up(BROKER, 0), NOTHING);
    hub.log_in(1, "joe");
    hub
}

/// Creates a hub with a live subscription 0 of the presence of `/topic/a`, in which nobody is, on connection
/// 9.
fn watching() -> Alone {
    let mut hub = telling(&[]);
    hub.connect(9);
    let options = SubscribeOptions::default().gaps(true);
    assert_eq!(hub.subscribe_on(9, 0, &[A], options), [format!("?1 follow {A}")]);
    assert_eq!(hub.answer(1, A, &[], 0, 0), [format!("?2 members {A}")]);
    assert_eq!(hub.members(2, &[(A, &[])]), ["0: begins from b-0", &list(&[])]);
    hub
}

/// Adds a live subscription 1 of `/topic/a` on connection 1: its user is a member.
fn join(hub: &mut Alone, question: u32) {
    assert_eq!(hub.subscribe(1, &["/topic/a"]), [format!("?{question} follow /topic/a")]);
    let begins = hub.answer(question, "/topic/a", &[], 0, 0);
    assert_eq!(begins, ["1: begins from b-0".into(), format!("enter joe {A}")]);
}

fn list(users: &[&str]) -> String {
    format!(r#"0: {{"event":"members","users":{users:?}}}"#).replace(", ", ",")
}

fn partial(users: &[&str]) -> String {
    list(users).replace("]}", r#"],"partial":true}"#)
}

fn ask(hub: &mut Alone, topic: &str) -> Vec<String> {
    let (topic, timeout, request) = (topic.into(), Duration::from_secs(2), RequestId(7));
    hub.handle(Command::Presence { topic, timeout, request })
}

#[test]
fn a_user_enters_with_the_first_subscription_and_leaves_with_the_last() {
    let mut hub = watching();
    join(&mut hub, 3);
    hub.log_in(2, "joe");
    let options = SubscribeOptions::default();
    assert_eq!(hub.subscribe_on(2, 2, &["/topic/a"], options), ["2: begins from b-0"]);
    // The hub tells what the broker tells, and nothing itself.
    assert_eq!(hub.message(A, 1), ["0: 1"]);
    assert_eq!(hub.unsubscribe(1), NOTHING);
    let leaves = [format!("?4 leave joe {A}"), "unfollow /topic/a".into()];
    assert_eq!(hub.disconnect(2), leaves);
    assert_eq!(hub.message(A, 2), ["0: 2"]);
}

#[test]
fn each_connection_without_a_user_is_a_member() {
    let mut hub = watching();
    let options = SubscribeOptions::default();
    hub.connect(3);
    hub.subscribe_on(3, 1, &["/topic/a"], options);
    let begins = hub.answer(3, "/topic/a", &[], 0, 0);
    assert_eq!(begins, ["1: begins from b-0".into(), format!("enter a:3 {A}")]);
    assert_eq!(hub.subscribe_on(9, 1, &["/topic/a"], options)[1..], [format!("enter a:9 {A}")]);
    assert_eq!(hub.disconnect(3), [format!("?4 leave a:3 {A}")]);
}

#[test]
fn a_subscription_of_a_presence_begins_with_the_members_of_all_hubs() {
    let mut hub = telling(&[]);
    join(&mut hub, 1);
    let beginning = SubscribeOptions::default().start(Start::Beginning);
    assert_eq!(hub.subscribe_with(0, &[A], beginning), [format!("?2 follow {A} after 0")]);
    assert_eq!(hub.answer(2, A, &[(A, 1)], 0, 1), [format!("?3 members {A}")]);
    // What comes before the list is in it, and what comes later follows.
    assert_eq!(hub.message(A, 2), NOTHING);
    let list = list(&["ann", "joe"]);
    assert_eq!(
        hub.members(3, &[(A, &["joe", "ann"])]),
        ["0: begins from b-0", "0: 1", "0: 2", &list]
    );
    assert_eq!(hub.message(A, 3), ["0: 3"]);
    // Who resumes knows who is there.
    assert_eq!(hub.resume(2, &[A], 2), ["2: begins from b-2", "2: 3"]);
}

#[test]
fn a_subscription_that_begins_now_has_what_follows_the_list() {
    let mut hub = telling(&[]);
    hub.subscribe(0, &[A]);
    hub.answer(1, A, &[], 0, 0);
    hub.message(A, 1);
    assert_eq!(hub.members(2, &[(A, &["ann"])]), ["0: begins from b-1", &list(&["ann"])]);
    assert_eq!(hub.message(A, 2), ["0: 2"]);
}

#[test]
fn those_who_wait_share_a_question() {
    let mut hub = telling(&[]);
    hub.subscribe(0, &[A]);
    hub.answer(1, A, &[], 0, 0);
    assert_eq!(hub.subscribe(1, &[A]), NOTHING);
    assert_eq!(hub.subscribe(2, &[A]), NOTHING);
    assert_eq!(ask(&mut hub, "/topic/a"), NOTHING);
    // One that ends is not told, and who takes its place is no member of those who wait.
    assert_eq!(hub.unsubscribe(1), NOTHING);
    assert_eq!(hub.subscribe(3, &["/topic/b"]), ["?3 follow /topic/b"]);
    let told = hub.members(2, &[(A, &[])]);
    let list = list(&[]);
    let other = list.replace("0:", "2:");
    assert_eq!(told, ["0: begins from b-0", &list, "2: begins from b-0", &other, "[] and 0 #7"]);
    assert_eq!(hub.members(2, &[(A, &[])]), NOTHING);
    // The next one asks again.
    assert_eq!(hub.subscribe(4, &[A]), [format!("?4 members {A}")]);
    assert_eq!(hub.unsubscribe(4), NOTHING);
    assert_eq!(hub.members(4, &[(A, &[])]), NOTHING);
}

#[test]
fn a_subscription_of_several_presences_asks_for_all_at_once() {
    let mut hub = telling(&[]);
    let b = "/presence/topic/b";
    hub.subscribe(0, &[b, "/topic/c", A]);
    hub.answer(1, b, &[], 0, 0);
    hub.answer(2, "/topic/c", &[], 0, 0);
    assert_eq!(hub.answer(3, A, &[], 0, 0), [format!("?4 members {A} {b}")]);
    // The answer to another question is none to this.
    assert_eq!(hub.members(4, &[(A, &[])]), NOTHING);
    let told = hub.members(4, &[(A, &["ann"]), (b, &[])]);
    assert_eq!(told[..3], ["0: begins from b-0", &list(&["ann"]), &list(&[])]);
    assert_eq!(told[3..], ["enter joe /presence/topic/c"]);
}

#[test]
fn hidden_subscriptions_and_topics_that_tell_nothing_enter_nobody() {
    let mut hub = Alone::keeping(10);
    assert_eq!(hub.subscribe(0, &["/topic/a"]), ["?1 follow /topic/a"]);
    assert_eq!(hub.answer(1, "/topic/a", &[], 0, 0), ["0: begins from b-0"]);
    let mut hub = watching();
    hub.subscribe_with(1, &["/topic/a"], SubscribeOptions::default().hidden(true));
    assert_eq!(hub.answer(3, "/topic/a", &[], 0, 0), ["1: begins from b-0"]);
    assert_eq!(hub.unsubscribe(1), ["unfollow /topic/a"]);
}

#[test]
fn presence_is_local_apart_from_its_topic() {
    let mut hub = telling(&["/presence/topic/*"]);
    assert_eq!(hub.subscribe(0, &[A]), ["0: begins from a-0", &list(&[])]);
    let joined = r#"{"event":"join","user":"joe","node":"a"}"#;
    assert_eq!(hub.subscribe(1, &["/topic/a"]), ["?1 follow /topic/a"]);
    assert_eq!(
        hub.answer(1, "/topic/a", &[], 0, 0),
        ["1: begins from b-0", &format!("0: {joined}")]
    );
    assert_eq!(ask(&mut hub, "/topic/a"), [r#"["joe"] and 0 #7"#]);
    assert_eq!(hub.down(), NOTHING);
    assert_eq!(hub.up(BROKER, 0), ["?2 follow /topic/a after 0"]);

    let mut hub = telling(&["/topic/a"]);
    assert_eq!(
        hub.subscribe(1, &["/topic/a"]),
        ["1: begins from a-0".into(), format!("enter joe {A}")]
    );
}

#[test]
fn all_members_enter_again_when_the_bridge_is_up_again() {
    let mut hub = watching();
    join(&mut hub, 3);
    let follows = [format!("?4 follow {A} after 0"), "?5 follow /topic/a after 0".into()];
    let enters = format!("enter joe {A}");
    hub.down();
    let [first, second] = follows;
    assert_eq!(hub.up(BROKER, 1), [first, second, enters.clone()]);
    // So they do when the broker took the hub for dead.
    assert_eq!(hub.hear(Event::CountedAsDead), [&*enters]);
    // They have left nowhere.
    assert_eq!(hub.unsubscribe(1), [format!("?6 leave joe {A}"), "unfollow /topic/a".into()]);
    assert_eq!(hub.hear(Event::CountedAsDead), NOTHING);
}

#[test]
fn who_comes_and_goes_while_the_bridge_is_down_is_told_when_it_is_up() {
    let mut hub = watching();
    let options = SubscribeOptions::default();
    // One that stays has the hub know the topic, so that others begin while the bridge is down.
    hub.subscribe_on(9, 1, &["/topic/a"], options.hidden(true));
    hub.answer(3, "/topic/a", &[], 0, 0);
    for (connection, user) in [(2, "ann"), (3, "bob"), (4, "eve")] {
        hub.log_in(connection, user);
    }
    hub.subscribe_on(2, 1, &["/topic/a"], options);
    hub.subscribe_on(3, 1, &["/topic/a"], options);
    hub.down();
    assert_eq!(hub.hear(Event::CountedAsDead), NOTHING);
    // Ann goes, Bob goes and comes, Eve comes and goes, Joe comes.
    assert_eq!(hub.disconnect(2), NOTHING);
    assert_eq!(hub.disconnect(3), NOTHING);
    hub.log_in(3, "bob");
    for connection in [3, 4, 1] {
        let begins = hub.subscribe_on(connection, 1, &["/topic/a"], options);
        assert_eq!(begins, ["1: begins from b-0"]);
    }
    assert_eq!(hub.disconnect(4), NOTHING);
    let told = hub.up(BROKER, 0);
    let told: Vec<_> = told.iter().filter(|it| !it.contains("follow")).collect();
    let expected =
        [format!("?4 leave ann {A}"), format!("enter bob {A}"), format!("enter joe {A}")];
    assert_eq!(told, expected.each_ref());
}

#[test]
fn a_leave_is_told_until_it_is_answered() {
    let mut hub = watching();
    join(&mut hub, 3);
    let leave = |question| format!("?{question} leave joe {A}");
    assert_eq!(hub.unsubscribe(1)[0], leave(4));
    // It comes and goes again, and only the first leave is answered.
    hub.subscribe(1, &["/topic/a"]);
    assert_eq!(hub.answer(5, "/topic/a", &[], 0, 0)[1..], [format!("enter joe {A}")]);
    assert_eq!(hub.unsubscribe(1)[0], leave(6));
    assert_eq!(hub.left(4), NOTHING);
    hub.down();
    assert_eq!(hub.up(BROKER, 0), [format!("?7 follow {A} after 0"), leave(6)]);
    assert_eq!(hub.left(6), NOTHING);
    assert_eq!(hub.left(9), NOTHING);
    hub.down();
    assert_eq!(hub.up(BROKER, 0), [format!("?8 follow {A} after 0")]);
}

#[test]
fn without_the_broker_a_list_is_partial_until_it_is_back() {
    let mut hub = watching();
    join(&mut hub, 3);
    hub.down();
    // Another subscription begins with what is known, and so do polls.
    let options = SubscribeOptions::default();
    let begins = hub.subscribe_on(9, 2, &[A], options);
    assert_eq!(begins, ["2: begins from b-0", &partial(&["joe"]).replace("0:", "2:")]);
    let told = hub.up(BROKER, 0);
    assert_eq!(told.last(), Some(&format!("?6 members {A}")));
    // Who knew all members before need not be told again.
    hub.answer(4, A, &[], 0, 0);
    let full = list(&["ann", "joe"]).replace("0:", "2:");
    assert_eq!(hub.members(6, &[(A, &["ann", "joe"])]), [full]);
}

#[test]
fn a_broker_that_goes_before_it_answers_leaves_a_partial_list() {
    let mut hub = telling(&[]);
    hub.subscribe(0, &[A]);
    assert_eq!(hub.answer(1, A, &[], 0, 0), [format!("?2 members {A}")]);
    assert_eq!(hub.down(), ["0: begins from b-0", &partial(&[])]);
    let follow = format!("?3 follow {A} after 0");
    assert_eq!(hub.up(BROKER, 0), [follow, format!("?4 members {A}")]);
    // It has to wait once more, and can do with the list that it has.
    assert_eq!(hub.down(), [partial(&[])]);
    assert_eq!(hub.members(4, &[(A, &["late"])]), NOTHING);
    let follow = format!("?5 follow {A} after 0");
    assert_eq!(hub.up(BROKER, 0), [follow, format!("?6 members {A}")]);
    assert_eq!(hub.members(6, &[(A, &["ann"])]), [list(&["ann"])]);
}

#[test]
fn a_list_of_which_the_broker_leaves_some_out_is_partial() {
    let mut hub = telling(&[]);
    hub.subscribe(0, &[A]);
    hub.answer(1, A, &[], 0, 0);
    let (question, destinations) = (QuestionId(2), [A.into()].into());
    let members = vec![vec![Member::User("ann".into())]];
    let told = hub.hear(Event::Members { question, destinations, members, is_partial: true });
    assert_eq!(told, ["0: begins from b-0", &partial(&["ann"])]);
}

#[test]
fn a_gap_is_followed_by_a_list() {
    let mut hub = watching();
    join(&mut hub, 3);
    let told = hub.hear(Event::EpochChanged { epoch: Epoch(0xc), head: 5 });
    let follows = [format!("?4 follow {A} after 0"), "?5 follow /topic/a after 5".into()];
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!((&told[0], &told[2]), (&follows[0], &format!("enter joe {A}")));
    let missed = hub.answer(4, A, &[], 5, 5);
    assert_eq!(missed, ["0: gap b-0 to c-5".into(), format!("?6 members {A}")]);
    assert_eq!(hub.members(6, &[(A, &["joe"])]), [list(&["joe"])]);
}

#[test]
fn a_list_comes_even_if_its_subscriber_is_paused() {
    let mut hub = telling(&[]);
    hub.subscribe(0, &[A]);
    hub.pause();
    assert_eq!(hub.answer(1, A, &[], 0, 0), [format!("?2 members {A}")]);
    assert_eq!(hub.members(2, &[(A, &["ann"])]), ["0: begins from b-0", &list(&["ann"])]);
    assert_eq!(hub.message(A, 1), NOTHING);
    assert_eq!(hub.go_on(), ["0: 1"]);
}

#[test]
fn the_application_can_ask_who_is_there() {
    let mut hub = telling(&[]);
    join(&mut hub, 1);
    assert_eq!(ask(&mut hub, "/topic/a"), [format!("?2 members {A}")]);
    assert_eq!(ask(&mut hub, "/topic/a"), NOTHING);
    let all = r#"["ann", "joe"] and 0 #7"#;
    assert_eq!(hub.members(2, &[(A, &["joe", "ann", "joe"])]), [all, all]);
    assert_eq!(hub.hub.next_deadline(), None);
    // Nobody is in what is no topic with presence.
    for nowhere in ["/topic/*", "/queue/a", A, "topic", "/user/queue/a"] {
        assert_eq!(ask(&mut hub, nowhere), ["[] and 0 #7"], "{nowhere}");
    }
}

#[test]
fn a_question_of_the_application_is_answered_in_time() {
    let mut hub = telling(&[]);
    join(&mut hub, 1);
    ask(&mut hub, "/topic/a");
    hub.after(1);
    ask(&mut hub, "/topic/a");
    let here = r#"["joe"] and 0 partial #7"#;
    assert_eq!(hub.hub.next_deadline(), Some(Duration::from_secs(2)));
    assert_eq!(hub.after(1), [here]);
    assert_eq!(hub.after(1), [here]);
    assert_eq!(hub.hub.next_deadline(), None);
    assert_eq!(hub.members(2, &[(A, &["ann", "joe"])]), NOTHING);
    // Without the broker it is answered at once.
    assert_eq!(ask(&mut hub, "/topic/a"), [format!("?3 members {A}")]);
    assert_eq!(hub.down(), [here]);
    assert_eq!(ask(&mut hub, "/topic/a"), [here]);
    assert_eq!(hub.hub.next_deadline(), None);
}
