//! Tests of the guard, among them its properties over random steps.

use super::*;
use crate::guard::{ClientLimits, DestinationLimits};
use proptest::prelude::*;
use sansocket::server::Rate;

const SECOND: Duration = Duration::from_secs(1);

fn ip(last: u8) -> Option<IpAddr> {
    Some(IpAddr::from([192, 0, 2, last]))
}

fn none() -> Limits {
    Limits::default().principal(ClientLimits::none()).address(ClientLimits::none())
}

#[test]
fn connections_of_an_address_are_bounded() {
    let rate = Rate::per_second(1).burst(3);
    let limits = ClientLimits::none().connections(2).new_connections(rate);
    let mut guard = Guard::new(none().address(limits));
    let first = guard.connect(ip(1), SECOND).unwrap();
    let _second = guard.connect(ip(1), SECOND).unwrap();
    let (scope, limit) = (Scope::Address, 2);
    let breach = guard.connect(ip(1), SECOND).unwrap_err();
    assert_eq!(breach, Breach::Connections { scope, limit });
    assert_eq!(breach.retry_after(), Some(Duration::ZERO));
    let _other = guard.connect(ip(2), SECOND).unwrap();
    guard.disconnect(first, SECOND);
    let third = guard.connect(ip(1), SECOND).unwrap();
    guard.disconnect(third, SECOND);
    let breach = guard.connect(ip(1), SECOND * 3 / 2).unwrap_err();
    let retry_after = Some(SECOND / 2);
    assert_eq!(breach, Breach::NewConnections { scope, rate, retry_after });
    assert!(guard.connect(ip(1), 2 * SECOND).is_ok());
    // A socket of Unix has no address.
    for _ in 0..10 {
        assert!(guard.connect(None, SECOND).is_ok());
    }
}

#[test]
fn a_network_of_ipv6_counts_as_one_address() {
    let mut guard = Guard::new(none().address(ClientLimits::none().connections(1)));
    let mut connect = |text: &str| guard.connect(Some(text.parse().unwrap()), SECOND);
    let _first = connect("2001:db8::1").unwrap();
    assert!(connect("2001:db8::2").is_err());
    assert!(connect("2001:db8:0:1::1").is_ok());
}

#[test]
fn what_is_exempt_has_the_limits_of_destinations_alone() {
    let once = Rate::per_second(1).burst(1);
    let client = ClientLimits::none().connections(1).messages(once).subscriptions(1);
    let of_topic = DestinationLimits::default().messages(Rate::per_second(1).burst(3));
    let limits = Limits::default().principal(client).address(client);
    let limits = limits.destination("/topic/b", of_topic).unwrap();
    let networks = ["192.0.2.1", "2001:db8::/32"].map(|it| it.parse().unwrap());
    let mut guard = Guard::new(limits.exempt(networks.into()));
    let joe = Principal::new("joe");
    let mapped = "::ffff:192.0.2.1".parse().ok();
    let mut clients = [ip(1), mapped, "2001:db8::1".parse().ok()].map(|address| {
        let mut client = guard.connect(address, SECOND).unwrap();
        assert_eq!(client.address(), address);
        guard.authenticated(&mut client, &joe, SECOND).unwrap();
        client
    });
    for client in &mut clients {
        for topic in ["/topic/a", "/topic/b"] {
            guard.message(client, topic, 1, SECOND).unwrap();
            guard.subscribe(client, topic, SECOND).unwrap();
        }
    }
    let breach = guard.message(&clients[0], "/topic/b", 1, SECOND).unwrap_err();
    assert!(matches!(breach, Breach::Messages { scope: Scope::Destination, .. }), "{breach:?}");
    // The user has not used up anything there.
    let mut other = guard.connect(ip(2), SECOND).unwrap();
    guard.authenticated(&mut other, &joe, SECOND).unwrap();
    guard.message(&other, "/topic/a", 1, SECOND).unwrap();
    assert!(guard.message(&other, "/topic/a", 1, SECOND).is_err());
    assert!(guard.connect(ip(2), SECOND).is_err());
}

#[test]
fn a_client_can_become_another_principal() {
    let limits = ClientLimits::none().connections(1).subscriptions(1);
    let mut guard = Guard::new(none().principal(limits));
    let [ann, joe] = ["ann", "joe"].map(Principal::new);
    let [mut first, mut second] = [(); 2].map(|()| guard.connect(ip(1), SECOND).unwrap());
    guard.authenticated(&mut first, &ann, SECOND).unwrap();
    guard.authenticated(&mut first, &ann, SECOND).unwrap();
    assert!(guard.authenticated(&mut second, &ann, SECOND).is_err());
    guard.subscribe(&mut first, "/topic/a", SECOND).unwrap();
    guard.authenticated(&mut first, &joe, SECOND).unwrap();
    guard.authenticated(&mut second, &ann, SECOND).unwrap();
    // The subscription has moved too.
    assert!(guard.subscribe(&mut first, "/topic/a", SECOND).is_err());
    guard.subscribe(&mut second, "/topic/a", SECOND).unwrap();
    guard.disconnect(first, SECOND);
    guard.disconnect(second, SECOND);
    // An anonymous client may subscribe as often as it likes, and then can't become a user.
    let mut third = guard.connect(ip(1), SECOND).unwrap();
    guard.subscribe(&mut third, "/topic/a", SECOND).unwrap();
    guard.subscribe(&mut third, "/topic/a", SECOND).unwrap();
    let breach = Breach::Subscriptions { scope: Scope::Principal, limit: 1 };
    assert_eq!(guard.authenticated(&mut third, &joe, SECOND), Err(breach));
    guard.disconnect(third, SECOND);
    assert_eq!((guard.principals.len(), guard.addresses.len()), (0, 0));
}

#[test]
fn a_message_that_is_refused_costs_nothing() {
    let rate = Rate::per_second(1).burst(1);
    let limits = none()
        .principal(ClientLimits::none().messages(Rate::per_second(0).burst(2)))
        .destination("/app/slow", DestinationLimits::default().messages(rate))
        .unwrap();
    let mut guard = Guard::new(limits);
    let mut client = guard.connect(ip(1), SECOND).unwrap();
    guard.authenticated(&mut client, &Principal::new("joe"), SECOND).unwrap();
    guard.message(&client, "/app/slow", 1, SECOND).unwrap();
    let (scope, retry_after) = (Scope::Destination, Some(SECOND));
    let breach = Err(Breach::Messages { scope, rate, retry_after });
    for _ in 0..5 {
        assert_eq!(guard.message(&client, "/app/slow", 1, SECOND), breach);
    }
    guard.message(&client, "/app/other", 1, SECOND).unwrap();
    // Now the principal's limit lasts longer: it never ends.
    let breach = guard.message(&client, "/app/slow", 1, SECOND).unwrap_err();
    assert!(matches!(breach, Breach::Messages { scope: Scope::Principal, .. }));
    assert_eq!(breach.retry_after(), None);
}

#[test]
fn the_first_pattern_counts_and_each_destination_for_itself() {
    let size = |bytes| DestinationLimits::default().message_size(bytes);
    let limits = none()
        .destination("/topic/a/b", size(1))
        .unwrap()
        .destination("/topic/a/*", size(2))
        .unwrap()
        .destination("/queue/**", DestinationLimits::default().bytes(Rate::per_second(3)))
        .unwrap()
        .other_destinations(size(4));
    let mut guard = Guard::new(limits);
    let client = guard.connect(ip(1), SECOND).unwrap();
    for (destination, limit) in [("/topic/a/b", 1), ("/topic/a/c", 2), ("/app/a", 4)] {
        assert_eq!(guard.message(&client, destination, limit, SECOND), Ok(()));
        let breach = Err(Breach::MessageTooLarge { size: limit + 1, limit });
        assert_eq!(guard.message(&client, destination, limit + 1, SECOND), breach);
    }
    for queue in ["/queue/a", "/queue/b"] {
        assert_eq!(guard.message(&client, queue, 3, SECOND), Ok(()));
        let breach = guard.message(&client, queue, 1, SECOND).unwrap_err();
        assert_eq!(breach.retry_after(), Some(Duration::from_nanos(333_333_334)));
    }
    let breach = guard.message(&client, "/queue/c", 4, SECOND).unwrap_err();
    assert!(matches!(breach, Breach::Bytes { size: 4, retry_after: None, .. }));
    // What was refused is not remembered.
    assert_eq!(guard.destinations.len(), 2);
}

#[test]
fn subscriptions_end_with_their_connection() {
    let one = DestinationLimits::default().subscriptions(1);
    let limits = none().address(ClientLimits::none().subscriptions(3)).other_destinations(one);
    let mut guard = Guard::new(limits);
    let [mut first, mut second] = [(); 2].map(|()| guard.connect(ip(1), SECOND).unwrap());
    guard.subscribe(&mut first, "/topic/a", SECOND).unwrap();
    let breach = Breach::Subscriptions { scope: Scope::Destination, limit: 1 };
    assert_eq!(guard.subscribe(&mut second, "/topic/a", SECOND), Err(breach));
    // What each user sees under one name is a queue for each.
    guard.subscribe(&mut first, "/user/queue/a", SECOND).unwrap();
    guard.subscribe(&mut second, "/user/queue/a", SECOND).unwrap();
    let breach = Breach::Subscriptions { scope: Scope::Address, limit: 3 };
    assert_eq!(guard.subscribe(&mut second, "/topic/b", SECOND), Err(breach));
    guard.unsubscribe(&mut second, "/user/queue/a", SECOND);
    guard.unsubscribe(&mut second, "/topic/a", SECOND);
    assert!(guard.subscribe(&mut second, "/topic/a", SECOND).is_err(), "it is the first's");
    guard.disconnect(first, SECOND);
    guard.subscribe(&mut second, "/topic/a", SECOND).unwrap();
    guard.disconnect(second, SECOND);
    assert_eq!((guard.addresses.len(), guard.destinations.len()), (0, 0));
}

/// A task that is cancelled drops its client, and can't tell the guard.
#[test]
fn a_client_that_is_dropped_no_longer_counts() {
    let one = ClientLimits::none().connections(1).subscriptions(1);
    let destination = DestinationLimits::default().subscriptions(1);
    let limits = Limits::default().principal(one).address(one).other_destinations(destination);
    let mut guard = Guard::new(limits);
    for _ in 0..3 {
        let mut client = guard.connect(ip(1), SECOND).unwrap();
        guard.authenticated(&mut client, &Principal::new("joe"), SECOND).unwrap();
        guard.subscribe(&mut client, "/topic/a", SECOND).unwrap();
        assert!(guard.connect(ip(1), SECOND).is_err());
        drop(client);
    }
    // What nothing counts at any more is forgotten with the next new keys.
    for last in 2..4 {
        let mut client = guard.connect(ip(last), SECOND).unwrap();
        let name = alloc::format!("user {last}");
        guard.authenticated(&mut client, &Principal::new(name), SECOND).unwrap();
        guard.subscribe(&mut client, &alloc::format!("/topic/{last}"), SECOND).unwrap();
    }
    assert!(guard.addresses.find(&AddressKey::from(ip(1).unwrap())).is_none());
    assert!(guard.principals.find(&Principal::new("joe")).is_none());
    assert!(guard.destinations.find("/topic/a").is_none());
    // A guard that ends before its clients is no fault.
    let client = guard.connect(ip(9), SECOND).unwrap();
    assert_eq!(client.address(), ip(9));
    drop(guard);
    drop(client);
}

#[test]
fn long_names_of_destinations_are_not_kept() {
    let limits = DestinationLimits::default().messages(Rate::per_second(1)).subscriptions(1);
    let mut guard = Guard::new(none().other_destinations(limits).destination_name(8));
    let mut client = guard.connect(ip(1), SECOND).unwrap();
    let breach = Err(Breach::DestinationTooLong { length: 9, limit: 8 });
    assert_eq!(guard.message(&client, "/topic/ab", 1, SECOND), breach);
    assert_eq!(guard.subscribe(&mut client, "/topic/ab", SECOND), breach);
    assert_eq!(guard.message(&client, "/topic/a", 1, SECOND), Ok(()));
    // A destination without limits is not remembered, whatever its name.
    let mut guard = Guard::new(none().destination_name(8));
    let client = guard.connect(ip(1), SECOND).unwrap();
    assert_eq!(guard.message(&client, "/topic/ab", 1, SECOND), Ok(()));
}

/// Destinations that nobody has used before do not push out one that has no tokens left, nor do
/// they get past its limit.
#[test]
fn a_full_table_forgets_nobody() {
    let limits = DestinationLimits::default().messages(Rate::per_minute(1));
    let mut guard = Guard::new(none().other_destinations(limits).remembered(3));
    let client = guard.connect(ip(1), SECOND).unwrap();
    guard.message(&client, "/topic/victim", 1, SECOND).unwrap();
    let accepted = (0..1000)
        .filter(|number| {
            let destination = alloc::format!("/topic/{number}");
            guard.message(&client, &destination, 1, SECOND).is_ok()
        })
        .count();
    // Two that find room, and one among all others.
    assert_eq!(accepted, 3);
    assert!(guard.message(&client, "/topic/victim", 1, SECOND).is_err());
    assert_eq!(guard.destinations.len(), 3);
    // A minute later they make room.
    guard.message(&client, "/topic/new", 1, 61 * SECOND).unwrap();
    assert!(guard.destinations.len() < 3);
}

/// What the clients in a property test may do.
fn few() -> Limits {
    let client = ClientLimits::none()
        .connections(3)
        .new_connections(Rate::per_second(2).burst(4))
        .messages(Rate::per_second(3).burst(5))
        .bytes(Rate::per_second(10).burst(20))
        .subscriptions(3);
    let destination = DestinationLimits::default()
        .messages(Rate::per_second(2).burst(3))
        .bytes(Rate::per_second(7).burst(9))
        .subscriptions(2);
    Limits::default()
        .principal(client)
        .address(client.connections(4).subscriptions(5))
        .other_destinations(destination)
}

/// Something that passed: when, and how much of what for which key.
type Passed = (Duration, &'static str, u8, u64);

/// Asserts that no key got more than its burst and what its rate gives, in any stretch of time.
fn assert_bounded(passed: &[Passed], what: &str, rate: Rate) {
    for key in 0..8 {
        let passed: Vec<_> = passed.iter().filter(|it| (it.1, it.2) == (what, key)).collect();
        for first in 0..passed.len() {
            let mut sum = 0;
            for (at, _, _, count) in &passed[first..] {
                sum += u128::from(*count);
                let time = (*at - passed[first].0).as_nanos();
                let gained = time * u128::from(rate.amount());
                let second = rate.period().as_nanos();
                assert!(sum * second <= u128::from(rate.at_once()) * second + gained);
            }
        }
    }
}

/// A client in a property test, with what it is subscribed to.
struct Connected {
    client: Client,
    address: u8,
    principal: Option<u8>,
    subscriptions: Vec<u8>,
}

proptest! {
    /// Whatever happens: no key gets more than its limits, what is refused changes nothing, the
    /// tables are bounded, and everything that was counted ends.
    #[test]
    fn limits_hold_for_each_key(
        steps in prop::collection::vec(
            (0..8_u8, 0..4_u8, 0..3_u8, 0..12_usize, 0..600_u64),
            1..150,
        ),
        remembered in 0..5_usize,
    ) {
        let mut guard = Guard::new(few().remembered(remembered));
        // A key that found no room can still have connections at the shared place.
        let times = if remembered == 4 { 1 } else { 2 };
        let names = ["a", "b", "c", "d"].map(Principal::new);
        let (mut now, mut passed) = (Duration::ZERO, Vec::<Passed>::new());
        let mut clients: Vec<Connected> = Vec::new();
        for (act, key, place, size, pause) in steps {
            now += Duration::from_millis(pause);
            let destination = alloc::format!("/topic/{place}");
            let before = (
                guard.principals.snapshot(now),
                guard.addresses.snapshot(now),
                guard.destinations.snapshot(now),
            );
            let chosen = (!clients.is_empty()).then(|| size % clients.len().max(1));
            let outcome = match (act, chosen) {
                (0 | 1, _) => guard.connect(ip(key), now).map(|client| {
                    passed.push((now, "address connects", key, 1));
                    clients.push(Connected {
                        client, address: key, principal: None, subscriptions: Vec::new(),
                    });
                }),
                (2, Some(index)) if clients[index].principal != Some(key) => {
                    let connected = &mut clients[index];
                    let name = &names[usize::from(key)];
                    let outcome = guard.authenticated(&mut connected.client, name, now);
                    if outcome.is_ok() {
                        passed.push((now, "principal connects", key, 1));
                        connected.principal = Some(key);
                    }
                    outcome
                }
                (3 | 4, Some(index)) => {
                    let connected = &clients[index];
                    let outcome = guard.message(&connected.client, &destination, size, now);
                    if outcome.is_ok() {
                        passed.push((now, "address messages", connected.address, 1));
                        passed.push((now, "address bytes", connected.address, size as u64));
                        passed.push((now, "destination messages", place, 1));
                        passed.push((now, "destination bytes", place, size as u64));
                        if let Some(principal) = connected.principal {
                            passed.push((now, "principal messages", principal, 1));
                            passed.push((now, "principal bytes", principal, size as u64));
                        }
                    }
                    outcome
                }
                (5, Some(index)) => {
                    let connected = &mut clients[index];
                    let outcome = guard.subscribe(&mut connected.client, &destination, now);
                    if outcome.is_ok() {
                        connected.subscriptions.push(place);
                    }
                    outcome
                }
                (6, Some(index)) => {
                    let Connected { client, subscriptions, .. } = &mut clients[index];
                    if let Some(at) = subscriptions.iter().position(|it| *it == place) {
                        subscriptions.swap_remove(at);
                        guard.unsubscribe(client, &destination, now);
                    }
                    Ok(())
                }
                (7, Some(index)) => {
                    let Connected { client, .. } = clients.swap_remove(index);
                    if size % 2 == 0 {
                        guard.disconnect(client, now);
                    } else {
                        drop(client);
                    }
                    Ok(())
                }
                _ => Ok(()),
            };
            if let Err(breach) = outcome {
                prop_assert_eq!(&before.0, &guard.principals.snapshot(now));
                prop_assert_eq!(&before.1, &guard.addresses.snapshot(now));
                prop_assert_eq!(&before.2, &guard.destinations.snapshot(now));
                prop_assert!(breach.retry_after().is_some() || size > 9, "{}", breach);
            }
            let connected = guard.addresses.snapshot(now).iter().map(|it| it.1[0]).sum();
            prop_assert_eq!(clients.len(), connected);
            let subscribed = guard.destinations.snapshot(now).iter().map(|it| it.1[1]).sum();
            prop_assert_eq!(clients.iter().map(|it| it.subscriptions.len()).sum::<usize>(), subscribed);
            prop_assert!(guard.principals.len() <= remembered);
            prop_assert!(guard.addresses.len() <= remembered);
            prop_assert!(guard.destinations.len() <= remembered);
            for key in 0..4 {
                let of_address = clients.iter().filter(|it| it.address == key);
                prop_assert!(of_address.count() <= 4 * times);
                let of_principal = clients.iter().filter(|it| it.principal == Some(key));
                prop_assert!(of_principal.count() <= 3 * times);
                let at_place = clients.iter().flat_map(|it| &it.subscriptions);
                prop_assert!(at_place.filter(|it| **it == key).count() <= 2 * times);
            }
        }
        let Limits { principal, other_destinations: destination, .. } = few();
        for what in ["address connects", "principal connects"] {
            assert_bounded(&passed, what, principal.new_connections.unwrap());
        }
        if times == 1 {
            for what in ["address messages", "principal messages"] {
                assert_bounded(&passed, what, principal.messages.unwrap());
            }
            for what in ["address bytes", "principal bytes"] {
                assert_bounded(&passed, what, principal.bytes.unwrap());
            }
        }
        assert_bounded(&passed, "destination messages", destination.messages.unwrap());
        assert_bounded(&passed, "destination bytes", destination.bytes.unwrap());
        for connected in clients {
            guard.disconnect(connected.client, now);
        }
        let later = now + Duration::from_secs(1000);
        prop_assert!(guard.principals.snapshot(later).is_empty());
        prop_assert!(guard.addresses.snapshot(later).is_empty());
        prop_assert!(guard.destinations.snapshot(later).is_empty());
    }

    /// A message that is refused is refused until exactly the time that the breach says.
    #[test]
    fn a_breach_says_when_trying_again_succeeds(
        steps in prop::collection::vec((0..3_u8, 0..12_usize, 0..600_u64), 1..50),
    ) {
        let mut guard = Guard::new(few());
        let mut client = guard.connect(ip(1), SECOND).unwrap();
        guard.authenticated(&mut client, &Principal::new("joe"), SECOND).unwrap();
        let mut now = SECOND;
        for (place, size, pause) in steps {
            now += Duration::from_millis(pause);
            let destination = alloc::format!("/topic/{place}");
            let Err(breach) = guard.message(&client, &destination, size, now) else { continue };
            let Some(wait) = breach.retry_after() else { continue };
            let early = now + wait - Duration::from_nanos(1);
            prop_assert!(guard.message(&client, &destination, size, early).is_err());
            now += wait;
            prop_assert_eq!(guard.message(&client, &destination, size, now), Ok(()));
        }
    }
}
