//! Pages, probes and headers.

use std::sync::Arc;
use std::time::Duration;

use graphql::ServerOptions;
use serde_json::{Value, json};

use crate::fake::Fake;
use crate::http::{start, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn readiness_is_computed_when_asked() {
    let server = start(Fake::with(|held| {
        (held.first, held.last) = (None, None);
        held.following = true;
    }))
    .await;
    assert_eq!(server.get("/health").await.status, 200);
    let ready = async || {
        let answer = server.get("/ready").await;
        (answer.status, answer.json())
    };
    let (status, body) = ready().await;
    assert_eq!(status, 503);
    assert_eq!(body["ready"], false);
    assert_eq!(body["reason"], "nothing is stored yet");
    assert_eq!(body["last"], Value::Null);

    server.fake.commit(&[]);
    let (status, body) = ready().await;
    assert_eq!(status, 503);
    assert!(body["reason"].as_str().unwrap().contains("has not told"));

    server.fake.held().node_finalized = Some(11);
    let (status, body) = ready().await;
    assert_eq!((status, &body["lag"]), (503, &json!(11)), "{body}");
    assert!(
        body["reason"]
            .as_str()
            .unwrap()
            .contains("11 blocks behind")
    );

    server.fake.commit(&[]);
    let (status, body) = ready().await;
    assert_eq!(status, 200);
    assert_eq!(
        body,
        json!({
            "ready": true, "reason": null, "last": 1, "node_finalized": 11,
            "node_finalized_age_ms": 5, "lag": 10, "following": true,
        })
    );
    server.fake.held().following = false;
    server.fake.held().node_finalized = None;
    assert_eq!(ready().await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_work_without_any_other_host() {
    let server = start(Fake::new()).await;
    let landing = server.get("/").await;
    assert_eq!(landing.status, 200);
    assert!(
        landing.body.contains("&lt;Fake&gt; chain"),
        "{}",
        landing.body
    );
    assert!(landing.body.contains("10 to 20"));
    assert!(!landing.body.contains("{{"));
    assert!(landing.body.contains("http://test/graphql"));
    let page = server.get("/graphql").await;
    assert_eq!(page.status, 200);
    assert!(page.head.contains("content-type: text/html"));
    assert!(page.head.contains("default-src 'none'"), "{}", page.head);
    for (path, kind) in [
        ("/assets/query.js", "text/javascript"),
        ("/assets/style.css", "text/css"),
    ] {
        assert!(page.body.contains(path));
        let asset = server.get(path).await;
        assert_eq!(asset.status, 200);
        assert!(asset.head.contains(kind), "{}", asset.head);
    }
    assert_eq!(server.get("/nothing").await.status, 404);
}

/// The examples of the query page, cut out of its script.
fn examples(script: &str) -> Vec<(String, String)> {
    let from = script.find("const EXAMPLES = {").unwrap();
    let block = &script[from..from + script[from..].find("\n};").unwrap()];
    let lines = block
        .lines()
        .skip(1)
        .map(|line| line.trim().trim_end_matches(','));
    lines
        .map(|line| {
            let (name, query) = line.split_once("\": \"").unwrap();
            let query: String = serde_json::from_str(&format!("\"{query}")).unwrap();
            (name.trim_start_matches('"').to_owned(), query)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_and_the_documentation_of_the_query_page_are_answered() {
    let server = start(Fake::new()).await;
    let script = server.get("/assets/query.js").await.body;
    let examples = examples(&script);
    assert!(examples.len() >= 10);
    for (name, query) in &examples {
        if name.starts_with("Subscription") {
            // Over POST it must fail for the transport only, so the document itself is valid.
            let (message, _) = server.error(query).await;
            assert!(message.contains("not supported"), "{name}: {message}");
        } else {
            server.data(query).await;
        }
    }
    let from = script.find("const INTROSPECTION = `").unwrap() + "const INTROSPECTION = `".len();
    let query = &script[from..from + script[from..].find('`').unwrap()];
    let data = server.data(query).await;
    assert_eq!(data["__schema"]["queryType"]["name"], "Query");
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_exist_only_when_given() {
    let server = start(Fake::new()).await;
    assert_eq!(server.get("/metrics").await.status, 404);
    let options = ServerOptions {
        metrics: Some(Arc::new(|| "blocks_total 7\n".to_owned())),
        ..ServerOptions::default()
    };
    let server = start_with(Fake::new(), options).await;
    let answer = server.get("/metrics").await;
    assert_eq!(
        (answer.status, answer.body.as_str()),
        (200, "blocks_total 7\n")
    );
    assert!(answer.head.contains("text/plain; version=0.0.4"));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_readable_by_other_origins_and_never_cached() {
    let server = start(Fake::new()).await;
    let answer = server.post(r#"{"query":"{ status { last } }"}"#).await;
    assert!(answer.head.contains("content-type: application/json"));
    assert!(answer.head.contains("cache-control: no-store"));
    assert!(
        answer.head.contains("access-control-allow-origin: *"),
        "{}",
        answer.head
    );
    let options = ServerOptions {
        cors: graphql::Cors::Off,
        ..ServerOptions::default()
    };
    let server = start_with(Fake::new(), options).await;
    let answer = server.post(r#"{"query":"{ status { last } }"}"#).await;
    assert!(!answer.head.contains("access-control"), "{}", answer.head);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_a_running_query_finish() {
    let server = start(Fake::with(|held| held.slow = Duration::from_millis(400))).await;
    let addr = server.addr;
    let query = tokio::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        let body = r#"{"query":"{ status { last } }"}"#;
        let mut stream = std::net::TcpStream::connect(addr).unwrap();
        let head = format!(
            "POST /graphql HTTP/1.1\r\nhost: t\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    while !server.fake.take_counts().contains_key("status") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.stop().await;
    let answer = query.await.unwrap();
    assert!(answer.contains("\"last\":20"), "{answer}");
    assert!(std::net::TcpStream::connect(addr).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_never_ends_is_cut_after_the_grace() {
    let options = ServerOptions {
        shutdown_grace: Duration::from_millis(200),
        ..ServerOptions::default()
    };
    let server = start_with(Fake::new(), options).await;
    let mut hanging = std::net::TcpStream::connect(server.addr).unwrap();
    std::io::Write::write_all(
        &mut hanging,
        b"POST /graphql HTTP/1.1\r\nhost: t\r\ncontent-length: 100\r\n\r\n{",
    )
    .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_do_not_wait_for_reads_that_take_long() {
    let options = ServerOptions {
        limits: graphql::Limits {
            concurrent_reads: 1,
            ..graphql::Limits::default()
        },
        ..ServerOptions::default()
    };
    // Longer than a probe waits.
    let slow = Fake::with(|held| held.slow = Duration::from_secs(12));
    let server = start_with(slow, options).await;
    let addr = server.addr;
    let long = tokio::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(addr).unwrap();
        let ask = "GET /v1/metagraph/1 HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n";
        stream.write_all(ask.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    // It has the only place now, and has looked how long to take.
    let reading = || {
        server
            .fake
            .most_running
            .load(std::sync::atomic::Ordering::SeqCst)
            > 0
    };
    let started = std::time::Instant::now();
    while !reading() {
        assert!(started.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    server.fake.held().slow = Duration::ZERO;
    let ready = server.get("/ready").await;
    assert_eq!((ready.status, &ready.json()["ready"]), (200, &json!(true)));
    assert!(long.await.unwrap().starts_with("HTTP/1.1 "));
    server.stop().await;
}
