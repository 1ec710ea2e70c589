//! Authenticators that take time.

use crate::{
    http::Connection,
    server::{Running, few_connections, options, with_users},
    stomp::Client,
};
use sansocket::{connection::Event, server::Rate};
use sansocket_realtime::{
    guard::{AuthenticationError, ClientLimits, Credentials, Source, Sources},
    hub::Principal,
};
use sansocket_server::{Options, access::Authenticator};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::sync::Semaphore;

const ANN: [(&str, &str); 1] = [("authorization", "Bearer ann")];
const CONNECT: &str = "CONNECT\naccept-version:1.2\nhost:a\nauthorization:Bearer ann\n\n\0";

/// What happens to the lookups.
#[derive(Clone, Default)]
struct Counts {
    /// How many clients have come to the authenticator.
    asked: Arc<AtomicUsize>,
    begun: Arc<AtomicUsize>,
    /// How many are no longer there, answered or not.
    ended: Arc<AtomicUsize>,
}

/// A lookup that is counted as ended however it ends.
struct Counted(Counts);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
    }
}

/// A server whose authenticator waits until the test lets it go on. The token of users is their name.
struct Slow {
    running: Running,
    /// How many lookups may be answered.
    may_answer: Arc<Semaphore>,
    counts: Counts,
}

impl Slow {
    async fn start(change: impl FnOnce(&mut Options)) -> Self {
        let (may_answer, counts) = (Arc::new(Semaphore::new(0)), Counts::default());
        let asked = counts.asked.clone();
        let of_lookups = (may_answer.clone(), counts.clone());
        let look_up = move |credentials: Credentials<'static>| {
            let (may_answer, counts) = of_lookups.clone();
            async move {
                counts.begun.fetch_add(1, Ordering::SeqCst);
                let _counted = Counted(counts);
                may_answer.acquire().await.unwrap().forget();
                match credentials.as_token() {
                    Some("panic") => panic!("this is the fault of an authenticator"),
                    Some(name @ ("ann" | "joe")) => Ok(Principal::new(name)),
                    _ => Err(AuthenticationError::Refused),
                }
            }
        };
        let mut options = options();
        // What these tests wait for comes long before that.
        options.authenticator = Authenticator::new()
            .timeout(Duration::from_secs(3_600))
            .method(move |_| {
                asked.fetch_add(1, Ordering::SeqCst);
                Err(AuthenticationError::Refused)
            })
            .method_async(look_up);
        change(&mut options);
        Self { running: Running::start(options).await, may_answer, counts }
    }

    async fn with_timeout(timeout: Duration) -> Self {
        Self::start(|options| {
            options.authenticator = options.authenticator.clone().timeout(timeout);
        })
        .await
    }

    fn answer(&self, lookups: usize) {
        self.may_answer.add_permits(lookups);
    }

    async fn has_begun(&self, lookups: usize) {
        wait_for(&self.counts.begun, lookups).await;
    }

    async fn has_ended(&self, lookups: usize) {
        wait_for(&self.counts.ended, lookups).await;
    }

    /// Sends a request of `ann`.
    async fn send(&self, method: &str, target: &str) -> Connection {
        let mut connection = self.running.connect().await;
        connection.send(method, target, &ANN, "").await;
        connection
    }

    /// Opens a WebSocket, and sends the CONNECT of `ann`.
    async fn connect(&self) -> Client {
        let mut client = Client::open(&self.running, &[]).await;
        client.send(CONNECT).await;
        client
    }
}

/// Waits until there are so many, and no more.
async fn wait_for(counted: &AtomicUsize, count: usize) {
    let reached = async {
        while counted.load(Ordering::SeqCst) < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reached).await.expect("nothing happens");
    assert_eq!(counted.load(Ordering::SeqCst), count);
}

#[tokio::test]
async fn every_request_waits_for_its_user() {
    let slow = Slow::start(|_| {}).await;
    let requests = [
        ("GET", "/presence?topic=/topic/room/1"),
        ("GET", "/poll?topic=/topic/a&wait=0"),
        ("POST", "/publish?destination=/topic/a"),
        ("GET", "/events?topic=/topic/a"),
        ("POST", "/ws/0/a/xhr"),
    ];
    let mut begun = 0;
    for (method, target) in requests {
        let mut request = slow.send(method, target).await;
        begun += 1;
        slow.has_begun(begun).await;
        // Meanwhile others are served.
        assert_eq!(slow.running.connect().await.get("/healthz").await.status, 200);
        slow.answer(1);
        assert_eq!(request.head().await.status, 200, "{target}");
    }
    let opening = Client::open(&slow.running, &ANN);
    let (mut client, ()) = tokio::join!(opening, async {
        slow.has_begun(begun + 1).await;
        slow.answer(1);
    });
    // Who is known by the request is not asked again.
    client.send("CONNECT\naccept-version:1.2\nhost:a\n\n\0").await;
    assert!(client.next().await.contains("user-name:ann\n"));
    slow.has_ended(begun + 1).await;
}

#[tokio::test]
async fn whoever_nobody_knows_is_refused_late() {
    let slow = Slow::start(|_| {}).await;
    slow.answer(2);
    let eve = [("authorization", "Bearer eve")];
    let target = "/poll?topic=/topic/a";
    let refused = slow.running.connect().await.request("GET", target, &eve, "").await;
    assert_eq!(refused.status, 401);
    let mut client = Client::open(&slow.running, &[]).await;
    client.send(&CONNECT.replace("ann", "eve")).await;
    assert!(client.next().await.starts_with("ERROR\n"));
    assert_eq!(client.ended().await, Some(1008));
    // A client without credentials needs no lookup.
    assert_eq!(slow.running.connect().await.get(target).await.status, 401);
    slow.has_begun(2).await;
}

#[tokio::test]
async fn a_client_of_stomp_is_served_while_it_waits() {
    let slow = Slow::start(|_| {}).await;
    let mut client = slow.connect().await;
    client.send("SUBSCRIBE\nid:0\ndestination:/topic/a\nreceipt:1\n\n\0").await;
    slow.has_begun(1).await;
    let mut websocket = client.into_inner();
    websocket.ping("are you there").await.unwrap();
    let (event, _) = websocket.receive().await.unwrap().unwrap();
    assert_eq!(event, Event::Pong(b"are you there"));
    slow.answer(1);
    for frame in ["CONNECTED\n", "RECEIPT\n"] {
        let message = websocket.next().await.unwrap().unwrap().into_text().unwrap();
        assert!(message.starts_with(frame), "{message}");
    }
}

#[tokio::test]
async fn a_lookup_that_takes_too_long_is_given_up() {
    let slow = Slow::with_timeout(Duration::from_millis(50)).await;
    let refused = slow.send("GET", "/poll?topic=/topic/a").await.response().await;
    assert_eq!((refused.status, refused.field("retry-after")), (503, Some("5")));
    // A browser comes back for this alone.
    let stream = slow.send("GET", "/events?topic=/topic/a").await.response().await;
    assert_eq!(stream.status, 200);
    assert!(stream.body.starts_with("retry: "), "{stream:?}");
    let session = slow.send("POST", "/ws/0/a/xhr").await.response().await;
    assert_eq!(session.status, 503);
    let mut client = slow.connect().await;
    let error = client.next().await;
    assert!(error.starts_with("ERROR\n") && error.contains("try again later"), "{error}");
    assert_eq!(client.ended().await, Some(1013));
    slow.has_begun(4).await;
    slow.has_ended(4).await;
    slow.running.wait_for("sansocket_connections", 0).await;
}

#[tokio::test]
async fn lookups_beyond_the_limit_wait_for_their_turn() {
    let slow = Slow::start(|options| {
        options.authenticator = options.authenticator.clone().lookups(2);
    })
    .await;
    let mut requests = Vec::new();
    for asked in 1..=3 {
        requests.push(slow.send("GET", "/poll?topic=/topic/a&wait=0").await);
        wait_for(&slow.counts.asked, asked).await;
    }
    let mut client = slow.connect().await;
    wait_for(&slow.counts.asked, 4).await;
    slow.has_begun(2).await;
    // The one that goes makes room as well.
    drop(requests.remove(0));
    slow.has_begun(3).await;
    slow.answer(1);
    assert_eq!(requests.remove(0).head().await.status, 200);
    slow.has_begun(4).await;
    slow.answer(2);
    assert_eq!(requests.remove(0).head().await.status, 200);
    assert!(client.next().await.starts_with("CONNECTED\n"));
}

#[tokio::test]
async fn who_waits_for_a_turn_waits_no_longer_than_the_timeout() {
    let mut patient = None;
    let slow = Slow::start(|options| {
        // Clones share their turns.
        let authenticator = options.authenticator.clone().lookups(1);
        patient = Some(authenticator.clone());
        options.authenticator = authenticator.timeout(Duration::from_millis(50));
    })
    .await;
    let has_turn = tokio::spawn(async move {
        let ann = Credentials::token(Source::Bearer, "ann");
        patient.unwrap().authenticate(Some(&ann)).await
    });
    slow.has_begun(1).await;
    let refused = slow.send("GET", "/poll?topic=/topic/a").await.response().await;
    assert_eq!(refused.status, 503);
    let mut client = slow.connect().await;
    assert!(client.next().await.starts_with("ERROR\n"));
    assert_eq!(client.ended().await, Some(1013));
    slow.answer(1);
    assert_eq!(has_turn.await.unwrap(), Ok(Some(Principal::new("ann"))));
    slow.has_begun(1).await;
}

#[tokio::test]
async fn an_authenticator_that_panics_refuses_one_client() {
    let slow = Slow::start(|_| {}).await;
    slow.answer(3);
    let panic = [("authorization", "Bearer panic")];
    let target = "/poll?topic=/topic/a";
    let refused = slow.running.connect().await.request("GET", target, &panic, "").await;
    assert_eq!(refused.status, 503);
    let mut client = Client::open(&slow.running, &[]).await;
    client.send(&CONNECT.replace("ann", "panic")).await;
    assert!(client.next().await.starts_with("ERROR\n"));
    assert_eq!(client.ended().await, Some(1013));
    let mut client = slow.connect().await;
    assert!(client.next().await.starts_with("CONNECTED\n"));
}

#[tokio::test]
async fn the_lookup_of_a_client_that_goes_is_given_up() {
    let slow = Slow::start(|_| {}).await;
    let requests = [
        ("GET", "/poll?topic=/topic/a"),
        ("GET", "/events?topic=/topic/a"),
        ("POST", "/ws/0/a/xhr_streaming"),
    ];
    let mut lookups = 0;
    for (method, target) in requests {
        let request = slow.send(method, target).await;
        lookups += 1;
        slow.has_begun(lookups).await;
        drop(request);
        slow.has_ended(lookups).await;
    }
    let client = slow.connect().await;
    slow.has_begun(lookups + 1).await;
    drop(client.into_inner().into_parts());
    slow.has_ended(lookups + 1).await;
    slow.running.wait_for("sansocket_connections", 0).await;
}

#[tokio::test]
async fn a_client_that_sends_too_much_while_it_waits_is_refused() {
    let slow = Slow::start(|_| {}).await;
    let mut client = slow.connect().await;
    slow.has_begun(1).await;
    let limit = options().stomp.waiting_input;
    client.send(&format!("SEND\ndestination:/topic/a\n\n{}\0", "x".repeat(limit))).await;
    // The lookup is given up with the session, before the client has left.
    slow.has_ended(1).await;
    slow.running.wait_for("sansocket_connections", 1).await;
    assert!(client.next().await.starts_with("ERROR\n"));
    assert!(client.ended().await.is_some());
}

#[tokio::test]
async fn a_server_that_shuts_down_waits_for_no_lookup() {
    let slow = Slow::start(|_| {}).await;
    let mut request = slow.send("GET", "/poll?topic=/topic/a").await;
    let mut client = slow.connect().await;
    slow.has_begun(2).await;
    slow.running.server.shut_down(Duration::ZERO);
    assert_eq!(request.response().await.status, 503);
    assert!(client.next().await.contains("the server shuts down"));
    assert_eq!(client.ended().await, Some(1001));
    slow.has_ended(2).await;
    // Who comes now is not asked about either.
    let refused = slow.send("GET", "/poll?topic=/topic/a").await.response().await;
    assert_eq!(refused.status, 503);
    drop((request, client));
    let ended = tokio::time::timeout(Duration::from_secs(20), slow.running.server.ended());
    ended.await.expect("somebody is still there");
    tokio::time::timeout(Duration::from_secs(20), slow.running.stop()).await.expect("no end");
}

#[tokio::test]
async fn a_request_of_sockjs_is_asked_about_once() {
    let slow = Slow::start(|options| {
        let connections =
            |burst| ClientLimits::none().new_connections(Rate::per_minute(1).burst(burst));
        options.guard = options.guard.clone().address(connections(3)).principal(connections(1));
    })
    .await;
    slow.answer(10);
    // A new session, one that is there, and what is sent to it: each of these counts once as a connection of
    // the address. The session alone is one of the user.
    let opened = slow.send("POST", "/ws/0/a/xhr").await.response().await;
    assert_eq!((opened.status, &*opened.body), (200, "o\n"));
    wait_for(&slow.counts.asked, 1).await;
    let connect = r#"["CONNECT\naccept-version:1.2\nhost:a\n\n\u0000"]"#;
    let mut sending = slow.running.connect().await;
    sending.send("POST", "/ws/0/a/xhr_send", &ANN, connect).await;
    assert_eq!(sending.head().await.status, 204);
    wait_for(&slow.counts.asked, 2).await;
    let connected = slow.send("POST", "/ws/0/a/xhr").await.response().await;
    assert!(connected.body.starts_with(r#"a["CONNECTED\n"#), "{connected:?}");
    wait_for(&slow.counts.asked, 3).await;
    // Guesses are bounded, also for a session that is there.
    assert_eq!(slow.send("POST", "/ws/0/a/xhr").await.response().await.status, 429);
    wait_for(&slow.counts.asked, 3).await;
}

#[tokio::test]
async fn a_client_counts_as_a_connection_while_it_is_looked_up() {
    let slow = Slow::start(|options| *options = few_connections(options.clone(), 1)).await;
    let first = slow.send("GET", "/poll?topic=/topic/a").await;
    slow.has_begun(1).await;
    assert_eq!(slow.send("GET", "/poll?topic=/topic/a").await.response().await.status, 429);
    slow.has_begun(1).await;
    drop(first);
    slow.has_ended(1).await;
    let mut next = slow.send("GET", "/poll?topic=/topic/a&wait=0").await;
    slow.has_begun(2).await;
    slow.answer(1);
    assert_eq!(next.head().await.status, 200);
}

#[tokio::test]
async fn a_passcode_can_be_a_token() {
    let mut options = with_users();
    options.sources = Sources::new([Source::Bearer, Source::Passcode]);
    let running = Running::start(options).await;
    for (headers, user) in [
        ("login:\npasscode:joe", Some("joe")),
        ("passcode:joe", Some("joe")),
        ("login:joe\npasscode:joe", Some("joe")),
        ("login:ann\npasscode:joe", None),
        ("login:ann\npasscode:joe\nauthorization:Bearer joe", None),
        ("login:joe\npasscode:", None),
        ("login:joe\npasscode:eve", None),
    ] {
        let mut client = Client::open(&running, &[]).await;
        client.send(&format!("CONNECT\naccept-version:1.2\nhost:a\n{headers}\n\n\0")).await;
        let answer = client.next().await;
        match user {
            Some(user) => assert!(answer.contains(&format!("user-name:{user}\n")), "{answer}"),
            None => assert!(answer.starts_with("ERROR\n"), "{headers}: {answer}"),
        }
    }
}
