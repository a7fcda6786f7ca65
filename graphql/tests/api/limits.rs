//! What is refused, and how it is said.

use std::sync::atomic::Ordering;
use std::time::Duration;

use graphql::{Limits, ServerOptions};
use serde_json::json;

use crate::fake::{Fake, account};
use crate::http::{Server, only_error, start, start_with};
use crate::socket::Socket;

async fn limited(fake: Fake, change: impl FnOnce(&mut Limits)) -> Server {
    let mut options = ServerOptions::default();
    change(&mut options.limits);
    start_with(fake, options).await
}

#[tokio::test(flavor = "multi_thread")]
async fn depth_is_measured_and_told() {
    let server = start(Fake::new()).await;
    let nested = |levels: usize| {
        format!(
            "{{ block {}number{} }}",
            "{ parent ".repeat(levels) + "{ ",
            " }".repeat(levels + 1)
        )
    };
    let data = server.data(&nested(5)).await;
    assert_eq!(
        data["block"]["parent"]["parent"]["parent"]["parent"]["parent"]["number"],
        15
    );
    let (message, extensions) = server.error(&nested(20)).await;
    assert_eq!(
        extensions,
        json!({ "code": "LIMIT_EXCEEDED", "limit": "depth", "measured": 22, "allowed": 16 })
    );
    assert!(message.contains("depth is 22, but at most 16"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn cost_knows_page_sizes_and_that_matrices_are_big() {
    let server = start(Fake::new()).await;
    let measured = async |query: &str| {
        let (_, extensions) = server.error(query).await;
        assert_eq!(extensions["limit"], "complexity", "{query}");
        extensions["measured"].as_u64().unwrap()
    };
    let page = |first: u32, inner: u32| {
        format!(
            "{{ blocks(first: {first}) {{ nodes {{ extrinsics(first: {inner}) {{ nodes {{ call {{ args }} events {{ name }} }} }} }} }} }}"
        )
    };
    let (large, half) = (
        measured(&page(100, 1000)).await,
        measured(&page(50, 1000)).await,
    );
    assert!(large > half + half / 2, "{large} {half}");
    server.data(&page(100, 20)).await;
    server
        .data("{ weights(netuid: 1) { rows { entries { uid value } } } }")
        .await;
    measured("{ subnets { weights { rows { entries { uid value } } } } }").await;
    measured("{ a: weights(netuid: 1) { rows { entries { uid value } } } b: weights(netuid: 2) { rows { entries { uid value } } } }").await;
    // A few rows, or the small form, are cheap.
    server
        .data("{ a: weights(netuid: 1, uids: [0, 1]) { rows { entries { uid value } } } b: weights(netuid: 2) { rows { entries { uid } } } c: weights(netuid: 2) { rows { uids values } } }")
        .await;
    // Sizes as variables count too, and huge ones do not overflow.
    let query = "query($n: Int) { metagraph(netuid: 1) { neurons(first: $n) { uid hotkey } } }";
    for n in [i32::MAX, 2_000_000] {
        let answer = server.ask_with(query, json!({ "n": n })).await;
        // Never more than the neurons that a subnet may have.
        assert_eq!(answer.get("errors"), None, "{answer}");
    }
    let rows = "query($n: Int) { weights(netuid: 1) { rows(first: $n) { uid uids values } } }";
    let answer = server.ask_with(rows, json!({ "n": i32::MAX })).await;
    assert_eq!(only_error(&answer).1["limit"], "complexity");
}

/// So many aliases of a field are refused for what they cost, and fewer are answered.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_looked_through_costs_more_than_what_is_found() {
    let server = start(Fake::new()).await;
    let who = account(60);
    for (times, field) in [
        (
            100,
            "stakeMovements(netuid: 0, kind: LEASE_DIVIDENDS, first: 1) { nodes { id } }"
                .to_owned(),
        ),
        (
            100,
            format!("stakeMovements(netuid: 0, hotkey: \"{who}\", first: 1) {{ nodes {{ id }} }}"),
        ),
        (
            100,
            "commits(state: ORPHANED, first: 1) { nodes { id } }".to_owned(),
        ),
        (
            100,
            format!("commits(netuid: 1, hotkey: \"{who}\", first: 1) {{ nodes {{ id }} }}"),
        ),
        (
            40,
            "verifications(verdict: DIFFERS, first: 1) { nodes { blockNumber } }".to_owned(),
        ),
        (20, "verificationSummary(netuid: 1) { epochs }".to_owned()),
        (4, "verificationSummary { epochs }".to_owned()),
        (20, "badge(netuid: 1) { text }".to_owned()),
        (
            100,
            format!("stake(hotkey: \"{who}\", first: 1) {{ totalCount }}"),
        ),
        (
            100,
            format!("account(address: \"{who}\") {{ stakeOnIt(first: 1) {{ totalCount }} }}"),
        ),
        (
            100,
            format!(
                "account(address: \"{who}\") {{ stakeMovements(role: HOTKEY, first: 1) {{ nodes {{ id }} }} }}"
            ),
        ),
        (4, "weights(netuid: 1) { rows { uids values } }".to_owned()),
        (10, "weights(netuid: 1) { columns { values } }".to_owned()),
    ] {
        let aliased = |times: usize| {
            let all: String = (0..times).map(|n| format!("a{n}: {field} ")).collect();
            format!("{{ {all} }}")
        };
        let (message, extensions) = server.error(&aliased(times)).await;
        assert_eq!(extensions["limit"], "complexity", "{field}: {message}");
        assert!(message.contains("at most 200000"), "{message}");
        server.data(&aliased(1)).await;
    }
    // Where the ledger is in the order asked for, a page is what is given out.
    for field in [
        "stakeMovements(netuid: 1, first: 1) { nodes { id } }".to_owned(),
        format!("stakeMovements(hotkey: \"{who}\", first: 1) {{ nodes {{ id }} }}"),
        "stakeMovements(first: 1) { nodes { id } }".to_owned(),
        "commits(netuid: 1, first: 1) { nodes { id } }".to_owned(),
        format!("commits(hotkey: \"{who}\", first: 1) {{ nodes {{ id }} }}"),
        "verifications(netuid: 1, first: 1) { nodes { blockNumber } }".to_owned(),
    ] {
        let all: String = (0..128).map(|n| format!("a{n}: {field} ")).collect();
        server.data(&format!("{{ {all} }}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wide_and_self_repeating_queries_are_refused_before_they_are_walked() {
    let server = start(Fake::new()).await;
    let wide: String = (0..2_001).map(|i| format!("a{i}: __typename ")).collect();
    let (message, extensions) = server.error(&format!("{{ {wide} }}")).await;
    assert_eq!(extensions["limit"], "number of fields", "{message}");
    assert_eq!(extensions["measured"], 2_001);

    let doubling = |levels: usize| {
        let mut query = String::from("{ ...f0 }");
        for i in 0..levels {
            query += &format!(" fragment f{i} on Query {{ ...f{} ...f{} }}", i + 1, i + 1);
        }
        query + &format!(" fragment f{levels} on Query {{ __typename }}")
    };
    let (_, extensions) = server.error(&doubling(25)).await;
    assert_eq!(extensions["limit"], "number of fields");
    // 2^25 fields at the end of 2^26 - 1 spreads.
    assert_eq!(extensions["measured"], 100_663_295);
    let (_, extensions) = server.error(&doubling(60)).await;
    assert_eq!(extensions["limit"], "nesting of selections");

    let circle = "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }";
    let (message, extensions) = server.error(circle).await;
    assert_eq!(extensions["code"], "BAD_INPUT");
    assert!(message.contains("contains itself"), "{message}");

    // Would overflow the stack of a parser that calls itself for each bracket.
    for query in [
        "{a".repeat(30_000),
        format!("{{ a(b: {} }}", "[".repeat(60_000)),
    ] {
        let (message, extensions) = server.error(&query).await;
        assert_eq!(extensions["limit"], "nesting of brackets", "{message}");
    }
    assert_eq!(
        server.data("{ status { last } }").await["status"]["last"],
        20
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_bounded_however_they_are_sent() {
    let server = limited(Fake::new(), |limits| limits.body_bytes = 1_000).await;
    let large = json!({ "query": format!("{{ status {{ last }} }} #{}", "x".repeat(5_000)) });
    let large = large.to_string();
    let answer = server.post(&large).await;
    let expected = |answer: &crate::http::Answer| {
        assert_eq!(answer.status, 413, "{}", answer.body);
        let (message, extensions) = only_error(&answer.json());
        assert_eq!(extensions["limit"], "body in bytes");
        assert!(message.contains("1000 bytes"), "{message}");
    };
    expected(&answer);
    let chunked = format!(
        "POST /graphql HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
         content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
        large.len()
    );
    expected(&server.raw(chunked.into_bytes()).await);
    assert_eq!(
        server.data("{ status { last } }").await["status"]["last"],
        20
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_single_request_is_refused() {
    let server = start(Fake::new()).await;
    for (body, part) in [
        (
            r#" [{"query":"{ status { last } }"}]"#,
            "batches are not accepted",
        ),
        ("{", "not a GraphQL request"),
        ("", "not a GraphQL request"),
        ("{}", "no `query`"),
        (r#"{"query": 1}"#, "not a GraphQL request"),
        ("\u{0}", "not a GraphQL request"),
    ] {
        let answer = server.post(body).await;
        assert_eq!(answer.status, 400, "{body}");
        let (message, extensions) = only_error(&answer.json());
        assert_eq!(extensions["code"], "BAD_INPUT");
        assert!(message.contains(part), "{body}: {message}");
    }
    let (message, _) = server.error("subscription { blocks { __typename } }").await;
    assert!(message.contains("not supported"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_query_is_given_up() {
    let slow = Fake::with(|held| held.slow = Duration::from_secs(2));
    let server = limited(slow, |limits| limits.query_timeout_ms = 100).await;
    let began = std::time::Instant::now();
    let (message, extensions) = server.error("{ status { last } }").await;
    assert!(began.elapsed() < Duration::from_secs(2));
    assert_eq!(
        extensions,
        json!({ "code": "TIMEOUT", "limit": "time in milliseconds", "measured": 100, "allowed": 100 })
    );
    assert!(message.contains("100 ms"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_is_refused() {
    let server = limited(Fake::new(), |limits| limits.response_bytes = 500).await;
    let (message, extensions) = server
        .error("{ blocks { nodes { hash stateRoot } } }")
        .await;
    assert_eq!(extensions["limit"], "answer in bytes");
    assert_eq!(extensions["allowed"], 500);
    assert!(message.contains("at most 500"), "{message}");
    // On a WebSocket too, and the socket goes on.
    let mut socket = Socket::open(&server).await;
    let query = "{ blocks { nodes { hash stateRoot } } }";
    let refused = socket.ask("1", json!({ "query": query })).await;
    assert_eq!(
        refused["payload"]["errors"][0]["extensions"]["limit"], "answer in bytes",
        "{refused}"
    );
    let small = socket
        .ask("2", json!({ "query": "{ status { last } }" }))
        .await;
    assert_eq!(small["payload"]["data"]["status"]["last"], 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_at_the_same_time_are_bounded() {
    let slow = Fake::with(|held| held.slow = Duration::from_millis(20));
    let server = limited(slow, |limits| limits.concurrent_reads = 2).await;
    let answers = futures::future::join_all((0..12).map(|_| server.ask("{ status { last } }")));
    for answer in answers.await {
        assert_eq!(answer["data"]["status"]["last"], 20);
    }
    assert_eq!(server.fake.most_running.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn introspection_can_be_switched_off() {
    let options = ServerOptions {
        introspection: false,
        query_page: false,
        ..ServerOptions::default()
    };
    let server = start_with(Fake::new(), options).await;
    let answer = server
        .ask("{ __schema { queryType { name } } status { last } }")
        .await;
    assert!(!answer.to_string().contains("queryType"), "{answer}");
    assert_eq!(server.get("/graphql").await.status, 405);
    assert_eq!(server.get("/assets/query.js").await.status, 404);
}

#[test]
fn limits_are_read_from_a_config_and_unknown_ones_refused() {
    let limits: Limits = serde_json::from_str(r#"{ "depth": 3 }"#).unwrap();
    assert_eq!(limits.depth, 3);
    assert_eq!(limits.complexity, Limits::default().complexity);
    assert!(serde_json::from_str::<Limits>(r#"{ "dpeth": 3 }"#).is_err());
}
