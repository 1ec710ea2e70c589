//! `/poll`.

use crate::server::{Running, options, with_users};

#[tokio::test]
async fn a_poll_waits_for_the_next_event() {
    let running = Running::start(options()).await;
    let mut poll = running.connect().await;
    poll.send("GET", "/poll?topic=/topic/a", &[], "").await;
    running.wait_for("sansocket_connections{transport=\"poll\"}", 1).await;
    running.publish("/topic/a", "one");
    let head = poll.head().await;
    assert_eq!((head.status, head.field("cache-control")), (200, Some("no-store")));
    running.wait_for("sansocket_connections{transport=\"poll\"}", 0).await;
    let all = running.connect().await.get("/poll?topic=/topic/a&since=beginning&wait=0").await;
    assert!(all.body.contains(r#""data":"one""#), "{all:?}");
}

#[tokio::test]
async fn a_poll_whose_client_goes_is_forgotten() {
    let running = Running::start(options()).await;
    let mut poll = running.connect().await;
    poll.send("GET", "/poll?topic=/topic/a&wait=50", &[], "").await;
    running.wait_for("sansocket_connections{transport=\"poll\"}", 1).await;
    running.wait_for("sansocket_subscriptions", 1).await;
    drop(poll);
    running.wait_for("sansocket_connections{transport=\"poll\"}", 0).await;
    running.wait_for("sansocket_subscriptions", 0).await;
}

#[tokio::test]
async fn a_poll_that_may_not_be_gets_a_problem() {
    let running = Running::start(with_users()).await;
    let bearer = [("authorization", "Bearer ann")];
    for (target, status) in [
        ("/poll", 400),
        ("/poll?topic=/topic/a&wait=x", 400),
        ("/poll?topic=/queue/a", 400),
        ("/poll?topic=/topic/secret&wait=0", 403),
        ("/poll?topic=/topic/a&wait=0", 200),
    ] {
        let response = running.connect().await.request("GET", target, &bearer, "").await;
        assert_eq!(response.status, status, "{target}: {response:?}");
    }
    assert_eq!(running.connect().await.get("/poll?topic=/topic/a&wait=0").await.status, 401);
}
