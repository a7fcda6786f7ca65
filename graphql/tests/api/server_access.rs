//! Who is let in, how often, and what is said to others.

use std::sync::Arc;

use graphql::{ApiKey, Cors, DoorOptions, Keys, Rate, Scopes, ServerOptions, key_hash, key_text};
use serde_json::json;

use crate::fake::Fake;
use crate::http::{Answer, Server, start, start_with};
use crate::server_sockets::socket;

pub(crate) const SECRET: [u8; 32] = [9; 32];

/// So slow that nothing comes back during a test.
pub(crate) fn slow(burst: f64) -> Rate {
    Rate {
        per_second: 0.001,
        burst,
    }
}

pub(crate) fn key(id: &str, read: bool, ingest: bool) -> ApiKey {
    ApiKey {
        id: id.to_owned(),
        name: format!("key {id}"),
        hash: key_hash(id, &SECRET),
        scopes: Scopes { read, ingest },
        rate: None,
        expires_ms: None,
    }
}

fn bearer(id: &str) -> String {
    format!("authorization: Bearer {}\r\n", key_text(id, &SECRET))
}

pub(crate) const READER: &str = "00000000000a";
pub(crate) const TELLER: &str = "00000000000b";
pub(crate) const BOTH: &str = "00000000000c";

pub(crate) fn keys() -> Arc<Keys> {
    Arc::new(Keys::new([
        key(READER, true, false),
        key(TELLER, false, true),
        key(BOTH, true, true),
    ]))
}

pub(crate) async fn guarded(door: DoorOptions) -> Server {
    let options = ServerOptions {
        door,
        ..ServerOptions::default()
    };
    start_with(Fake::new(), options).await
}

/// The stable code, in either shape.
fn code(answer: &Answer) -> String {
    let body = answer.json();
    let code = match body.get("errors") {
        Some(errors) => &errors[0]["extensions"]["code"],
        None => &body["code"],
    };
    code.as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_anonymous_tier_a_key_is_needed() {
    let keys = keys();
    let server = guarded(DoorOptions {
        keys: keys.clone(),
        require_key: true,
        ..DoorOptions::default()
    })
    .await;
    for (path, wanted) in [
        ("/", 200),
        ("/health", 200),
        ("/ready", 200),
        ("/graphql", 200),
    ] {
        assert_eq!(server.get(path).await.status, wanted, "{path}");
    }
    let answer = server.ask_as("POST", "/graphql", "").await;
    assert_eq!(
        (answer.status, code(&answer).as_str()),
        (401, "UNAUTHENTICATED")
    );
    assert!(answer.body.contains("X-Api-Key"), "{}", answer.body);
    assert_eq!(
        answer.header("www-authenticate"),
        Some("bearer realm=\"yumascope\"")
    );
    let answer = server.get("/v1/profiles").await;
    assert_eq!(
        (answer.status, code(&answer).as_str()),
        (401, "UNAUTHENTICATED")
    );
    assert!(answer.head.contains("application/problem+json"));
    // Also where there is nothing: a stranger learns no routes.
    assert_eq!(server.get("/v1/nothing").await.status, 401);

    let other = format!("x-api-key: {}\r\n", key_text(READER, &SECRET));
    for headers in [bearer(READER), bearer(BOTH), other] {
        let answer = server.ask_as("POST", "/graphql", &headers).await;
        assert_eq!(
            (answer.status, answer.json()),
            (200, json!({"data":{"status":{"last":20}}}))
        );
    }
    let answer = server.ask_as("POST", "/graphql", &bearer(TELLER)).await;
    assert_eq!((answer.status, code(&answer).as_str()), (403, "FORBIDDEN"));
    let unknown = server
        .ask_as("POST", "/graphql", &bearer("00000000000d"))
        .await;
    assert_eq!(
        (unknown.status, code(&unknown).as_str()),
        (401, "UNAUTHENTICATED")
    );
    for headers in [
        "authorization: Basic abc\r\n",
        "x-api-key: ysk_1\r\n",
        "x-api-key: \r\n",
    ] {
        let answer = server.ask_as("POST", "/graphql", headers).await;
        assert_eq!(answer.status, 401, "{headers}");
        assert!(answer.body.contains("no API key"), "{}", answer.body);
    }

    keys.replace([key(BOTH, true, true)]);
    let revoked = server.ask_as("POST", "/graphql", &bearer(READER)).await;
    assert_eq!(revoked.status, 401);
    assert!(revoked.body.contains("revoked"), "{}", revoked.body);
    assert_eq!(
        server
            .ask_as("POST", "/graphql", &bearer(BOTH))
            .await
            .status,
        200
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_is_not_taken_for_none() {
    let server = start(Fake::new()).await;
    assert_eq!(server.ask_as("POST", "/graphql", "").await.status, 200);
    let answer = server.ask_as("POST", "/graphql", &bearer(READER)).await;
    assert_eq!(answer.status, 401, "{}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_need_a_key_only_when_told_so() {
    let path = "/v1/results/1";
    let open = guarded(DoorOptions {
        keys: keys(),
        require_key: true,
        ..DoorOptions::default()
    })
    .await;
    // Past the door; this server takes nothing in.
    let answer = open.ask_as("POST", path, "").await;
    assert_eq!(
        (answer.status, code(&answer).as_str()),
        (403, "NOT_TAKEN_IN")
    );
    // Reading the same path is reading.
    assert_eq!(open.ask_as("GET", path, "").await.status, 401);

    let closed = guarded(DoorOptions {
        keys: keys(),
        ingest_requires_key: true,
        ..DoorOptions::default()
    })
    .await;
    for path in [path, "/v1/scoring/1/reports"] {
        assert_eq!(closed.ask_as("POST", path, "").await.status, 401);
        let reader = closed.ask_as("POST", path, &bearer(READER)).await;
        assert_eq!((reader.status, code(&reader).as_str()), (403, "FORBIDDEN"));
        for id in [TELLER, BOTH] {
            let answer = closed.ask_as("POST", path, &bearer(id)).await;
            assert_eq!(code(&answer), "NOT_TAKEN_IN", "{}", answer.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_are_told_and_held() {
    let server = guarded(DoorOptions {
        keys: keys(),
        anonymous: slow(3.0),
        keyed: slow(5.0),
        limit_loopback: true,
        ..DoorOptions::default()
    })
    .await;
    for left in ["2", "1", "0"] {
        let answer = server.ask_as("POST", "/graphql", "").await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-limit"), Some("3"));
        assert_eq!(answer.header("ratelimit-remaining"), Some(left));
        assert_eq!(
            answer.header("ratelimit-policy"),
            Some("\"anonymous\";q=3;w=3000")
        );
        assert!(
            answer.header("ratelimit-reset").is_some() && answer.header("retry-after").is_none()
        );
    }
    let answer = server.ask_as("POST", "/graphql", "").await;
    assert_eq!(
        (answer.status, code(&answer).as_str()),
        (429, "RATE_LIMITED")
    );
    let wait: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!((880..=1000).contains(&wait), "{wait}");
    let told = &answer.json()["errors"][0];
    assert_eq!(told["extensions"]["limit"], "anonymous rate");
    assert_eq!(told["extensions"]["allowed"], 3);
    assert!(
        told["message"]
            .as_str()
            .unwrap()
            .contains("with an API key"),
        "{told}"
    );
    // The rest of the window is the same bucket, in its own shape, and readable by pages.
    let answer = server.get("/v1/profiles").await;
    assert_eq!(
        (answer.status, code(&answer).as_str()),
        (429, "RATE_LIMITED")
    );
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(
        answer
            .header("access-control-expose-headers")
            .unwrap()
            .contains("ratelimit-reset")
    );
    // Probes and preflights are always answered.
    assert_eq!(server.get("/ready").await.status, 200);
    let preflight = "origin: https://a.example\r\naccess-control-request-method: POST\r\n\
                     access-control-request-headers: authorization\r\n";
    let answer = server.ask_as("OPTIONS", "/graphql", preflight).await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .header("access-control-allow-headers")
            .unwrap()
            .contains("x-api-key")
    );

    // A key has a bucket of its own.
    for left in ["4", "3", "2", "1", "0"] {
        let answer = server.ask_as("POST", "/graphql", &bearer(READER)).await;
        assert_eq!(answer.header("ratelimit-remaining"), Some(left));
        let told = answer.header("ratelimit").unwrap();
        let (who, rest) = told.split_once(";t=").unwrap();
        assert_eq!(who, format!("\"key\";r={left}"));
        // A token comes back in 1,000 seconds; some of them may have passed.
        let full = (5 - left.parse::<u64>().unwrap()) * 1_000;
        let rest: u64 = rest.parse().unwrap();
        assert!((full - 120..=full).contains(&rest), "{told}");
    }
    let answer = server.ask_as("POST", "/graphql", &bearer(READER)).await;
    assert_eq!(answer.status, 429);
    assert!(answer.body.contains("key rate"));
    assert_eq!(
        server
            .ask_as("POST", "/graphql", &bearer(BOTH))
            .await
            .status,
        200
    );
    // Wrong keys are paid for by the address, which has nothing left.
    assert_eq!(
        server
            .ask_as("POST", "/graphql", &bearer("00000000000d"))
            .await
            .status,
        429
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn large_queries_cost_more() {
    let server = guarded(DoorOptions {
        anonymous: slow(8.0),
        limit_loopback: true,
        ..DoorOptions::default()
    })
    .await;
    // About 256 rows of 256 entries: the answer comes, and what it costs is owed.
    let answer = server
        .post(r#"{"query":"{ weights(netuid: 1) { rows { entries { uid } } } }"}"#)
        .await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let left: u64 = answer
        .header("ratelimit-remaining")
        .unwrap()
        .parse()
        .unwrap();
    assert!(left < 7, "{left}");
    let huge = r#"{"query":"{ a: weights(netuid: 1) { rows { entries { uid } } } b: weights(netuid: 2) { rows { entries { uid } } } }"}"#;
    let answer = server.post(huge).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(server.post(huge).await.status, 429);
}

/// What is left after a request, of so many tokens.
async fn left(server: &Server, method: &str, path: &str) -> u64 {
    let answer = server.ask_as(method, path, "").await;
    assert!(answer.status != 429, "{path}: {}", answer.body);
    let left = answer.header("ratelimit-remaining").unwrap();
    left.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn large_answers_by_rest_cost_more() {
    let door = DoorOptions {
        anonymous: slow(200.0),
        limit_loopback: true,
        ..DoorOptions::default()
    };
    let options = ServerOptions {
        door,
        ..ServerOptions::default()
    };
    let fake = Fake::with(|held| held.neurons = 1_000);
    let server = start_with(fake, options).await;
    assert_eq!(left(&server, "GET", "/v1/status").await, 199);
    // A token for each 64 KiB, in any form.
    let mut before = 199;
    for path in [
        "/v1/metagraph/1",
        "/v1/metagraph/1?format=csv",
        "/api/metagraph/latest/v1?netuid=1&limit=1000",
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        let bytes = u64::try_from(answer.body.len()).unwrap();
        assert!(bytes > 64 << 10, "{path}: {bytes}");
        let after = answer.header("ratelimit-remaining").unwrap();
        let after: u64 = after.parse().unwrap();
        assert_eq!(before - after, 1 + bytes / (64 << 10), "{path}");
        before = after;
    }
    // A search, led by topics and not, and one that need not be one.
    for (path, cost) in [
        ("/api/extrinsic/v1?full_name=Balances.transfer&limit=1", 2),
        ("/api/extrinsic/v1?limit=1", 11),
        ("/api/event/v1?pallet=System&limit=1", 11),
        ("/api/event/v1?full_name=System.X&limit=1", 2),
        ("/api/event/v1?block_number=12&limit=1", 1),
    ] {
        let after = left(&server, "GET", path).await;
        assert_eq!(before - after, cost, "{path}");
        before = after;
    }
    // A body is worked on, whatever comes of it.
    let body = " ".repeat(200_000);
    let answer = server.post_to("/v1/profiles/nobody/score", &body).await;
    assert_eq!(
        answer.header("ratelimit-remaining"),
        Some(&*(before - 4).to_string())
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn this_machine_is_not_counted_unless_a_proxy_speaks() {
    let server = guarded(DoorOptions {
        anonymous: slow(2.0),
        ..DoorOptions::default()
    })
    .await;
    for _ in 0..5 {
        let answer = server.ask_as("POST", "/graphql", "").await;
        assert_eq!(
            (answer.status, answer.header("ratelimit-limit")),
            (200, None)
        );
    }
    // A proxy that was not named: its clients are one, whatever they claim to be.
    let mut seen = Vec::new();
    for claimed in ["1.1.1.1", "2.2.2.2", "127.0.0.1"] {
        let headers = format!("x-forwarded-for: {claimed}\r\n");
        seen.push(server.ask_as("POST", "/graphql", &headers).await.status);
    }
    assert_eq!(seen, [200, 200, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_every_client_counts_for_itself() {
    let server = guarded(DoorOptions {
        anonymous: slow(1.0),
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..DoorOptions::default()
    })
    .await;
    let ask = async |list: &str| {
        let headers = format!("x-forwarded-for: {list}\r\n");
        server.ask_as("POST", "/graphql", &headers).await.status
    };
    assert_eq!(ask("7.7.7.7").await, 200);
    assert_eq!(ask("7.7.7.7").await, 429);
    assert_eq!(ask("8.8.8.8").await, 200);
    // What a client put in front of the list does not make it another one.
    assert_eq!(ask("9.9.9.9, 7.7.7.7").await, 429);
    assert_eq!(ask("9.9.9.9").await, 200);
    // A network of IPv6 is one client.
    assert_eq!(ask("2001:db8::1").await, 200);
    assert_eq!(ask("2001:db8::2").await, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_writes_forwarded_passes_no_forged_address() {
    let server = guarded(DoorOptions {
        anonymous: slow(1.0),
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        proxy_header: "forwarded".parse().unwrap(),
        ..DoorOptions::default()
    })
    .await;
    let mut seen = Vec::new();
    for claimed in ["1.1.1.1", "2.2.2.2"] {
        let headers = format!("x-forwarded-for: {claimed}\r\nforwarded: for=7.7.7.7\r\n");
        seen.push(server.ask_as("POST", "/graphql", &headers).await.status);
    }
    assert_eq!(seen, [200, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_names_its_request() {
    let server = start(Fake::with(|held| held.broken = Some(20))).await;
    let own = server.get("/health").await;
    assert_eq!(own.header("x-request-id").unwrap().len(), 32);
    let taken = server
        .ask_as("GET", "/health", "x-request-id: Abc-1._\r\n")
        .await;
    assert_eq!(taken.header("x-request-id"), Some("abc-1._"));
    for wrong in ["a b", "a\"b", "{}", &"x".repeat(65)] {
        let headers = format!("x-request-id: {wrong}\r\n");
        let answer = server.ask_as("GET", "/nothing", &headers).await;
        let id = answer.header("x-request-id").unwrap();
        assert!(
            id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()),
            "{id}"
        );
    }
    let body = json!({ "query": "{ metagraph(netuid: 1) { neuronCount } }" }).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: t\r\nconnection: close\r\nx-request-id: mine\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let failed = server.raw(request.into_bytes()).await;
    let told = &failed.json()["errors"][0]["extensions"];
    assert_eq!(
        (&told["code"], &told["requestId"]),
        (&json!("INTERNAL"), &json!("mine")),
        "{}",
        failed.body
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_pages_of_named_origins_may_read() {
    let options = |cors: &str| ServerOptions {
        cors: cors.parse().unwrap(),
        ..ServerOptions::default()
    };
    let server = start_with(Fake::new(), options("https://a.example")).await;
    let ask = async |server: &Server, origin: &str| {
        let headers = format!("origin: {origin}\r\n");
        let answer = server.ask_as("POST", "/graphql", &headers).await;
        assert_eq!(answer.status, 200);
        answer
            .header("access-control-allow-origin")
            .map(str::to_owned)
    };
    assert_eq!(
        ask(&server, "https://a.example").await.as_deref(),
        Some("https://a.example")
    );
    assert_eq!(ask(&server, "https://b.example").await, None);
    let opened = async |server: &Server, origin: &'static str| {
        socket(server, &[("origin", origin)]).await.is_ok()
    };
    assert!(opened(&server, "https://a.example").await);
    assert!(!opened(&server, "https://b.example").await);
    let server = start_with(
        Fake::new(),
        ServerOptions {
            cors: Cors::Off,
            ..ServerOptions::default()
        },
    )
    .await;
    assert_eq!(ask(&server, "https://a.example").await, None);
    assert!(!opened(&server, "https://a.example").await);
    assert!(socket(&server, &[]).await.is_ok());
    let own: &'static str = format!("http://{}", server.addr).leak();
    assert!(opened(&server, own).await, "the server's own pages");
}
