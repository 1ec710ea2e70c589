//! Requests of web pages.

use crate::server::{Running, options};
use sansocket::server::OriginPolicy;

#[tokio::test]
async fn pages_of_other_origins_are_refused_unless_they_are_allowed() {
    let mut options = options();
    let policy = OriginPolicy::same_origin().also_allow(["https://app.example"]);
    options.origins = policy.unwrap();
    let running = Running::start(options).await;
    let own = [("origin", "http://test.example")];
    let allowed = [("origin", "https://app.example")];
    let other = [("origin", "https://other.example")];
    for target in ["/poll?topic=/topic/a&wait=0", "/presence?topic=/topic/a", "/ws/info"] {
        let response = running.connect().await.request("GET", target, &own, "").await;
        assert_eq!((response.status, response.field("access-control-allow-origin")), (200, None));
        let response = running.connect().await.request("GET", target, &allowed, "").await;
        let field = response.field("access-control-allow-origin");
        assert_eq!((response.status, field), (200, Some("https://app.example")), "{target}");
        assert_eq!(response.field("access-control-allow-credentials"), Some("true"));
        let response = running.connect().await.request("GET", target, &other, "").await;
        assert_eq!((response.status, response.field("access-control-allow-origin")), (403, None));
        assert!(response.field("vary").unwrap().eq_ignore_ascii_case("origin"), "{target}");
    }
    let target = "/publish?destination=/topic/a";
    assert_eq!(running.connect().await.request("POST", target, &other, "x").await.status, 403);
    running.wait_for("sansocket_destinations", 0).await;
    // What is refused can be read by the page that may.
    let response = running.connect().await.request("POST", "/publish", &allowed, "x").await;
    assert_eq!(response.status, 400);
    assert_eq!(response.field("access-control-allow-origin"), Some("https://app.example"));
}

#[tokio::test]
async fn a_preflight_request_is_answered() {
    let mut options = options();
    options.origins = OriginPolicy::allow(["https://app.example"]).unwrap();
    let running = Running::start(options).await;
    let wanted = [
        ("origin", "https://app.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization, content-type"),
    ];
    let response = running.connect().await.request("OPTIONS", "/publish", &wanted, "").await;
    assert_eq!(response.status, 204);
    let headers = response.field("access-control-allow-headers");
    assert_eq!(headers, Some("authorization, content-type"));
    assert!(response.field("access-control-allow-methods").unwrap().contains("POST"));
    let other = [("origin", "https://other.example"), ("access-control-request-method", "POST")];
    let response = running.connect().await.request("OPTIONS", "/publish", &other, "").await;
    assert_eq!((response.status, response.field("access-control-allow-methods")), (403, None));
}

#[tokio::test]
async fn a_page_is_of_the_host_that_the_request_is_for() {
    let running = Running::start(options()).await;
    for (target, fields, status) in [
        ("/poll?topic=/topic/a&wait=0", "Host: a.example\r\n", 200),
        ("http://a.example/poll?topic=/topic/a&wait=0", "Host: other.example\r\n", 200),
        ("http://other.example/poll?topic=/topic/a&wait=0", "Host: a.example\r\n", 403),
        ("/poll?topic=/topic/a&wait=0", "Host: a.example\r\nHost: a.example\r\n", 400),
        ("/poll?topic=/topic/a&wait=0", "Host: a.example\r\nHost: other.example\r\n", 400),
        ("/poll?topic=/topic/a&wait=0", "Host: a.example, other.example\r\n", 400),
        ("/poll?topic=/topic/a&wait=0", "Host: a@a.example\r\n", 400),
        ("/poll?topic=/topic/a&wait=0", "", 400),
        ("/ws/info", "", 400),
        ("/healthz", "Host: a.example\r\nHost: b.example\r\n", 400),
    ] {
        let mut client = running.connect().await;
        let origin = "Origin: http://a.example\r\n";
        client.write(&format!("GET {target} HTTP/1.1\r\n{fields}{origin}\r\n")).await;
        assert_eq!(client.head().await.status, status, "{target} {fields}");
    }
}
