//! What nobody gets past the door, and what one caller leaves for the others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use graphql::{DoorOptions, Limits, ServerOptions, key_text};
use serde_json::json;

use crate::fake::Fake;
use crate::http::{Answer, Server, start_with};
use crate::server_access::{READER, SECRET, TELLER, guarded, keys, slow};
use crate::server_sockets::{hear, say, socket};

/// A query in the query string.
const ASKED: &str = "%7B%20status%20%7B%20last%20%7D%20%7D";

fn shown(id: &str) -> String {
    format!("x-api-key: {}\r\n", key_text(id, &SECRET))
}

fn from(address: &str) -> String {
    format!("x-forwarded-for: {address}\r\n")
}

/// Behind a proxy of this machine, so that a test can be several callers.
fn proxied() -> DoorOptions {
    DoorOptions {
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..DoorOptions::default()
    }
}

async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..6_000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("{what}: that did not come about");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_in_the_address_needs_a_key_like_any_other() {
    let server = guarded(DoorOptions {
        keys: keys(),
        require_key: true,
        ..DoorOptions::default()
    })
    .await;
    let persisted = "extensions=%7B%22persistedQuery%22:%7B%22version%22:1%7D%7D";
    for query in [
        format!("query={ASKED}"),
        format!("qu%65ry={ASKED}"),
        format!("a=b&query={ASKED}"),
        persisted.to_owned(),
    ] {
        let path = format!("/graphql?{query}");
        for method in ["GET", "HEAD"] {
            let ask = async |headers: &str| server.ask_as(method, &path, headers).await.status;
            assert_eq!(ask("").await, 401, "{method} {path}");
            assert_eq!(ask(&shown("00000000000d")).await, 401, "{method} {path}");
            assert_eq!(ask("x-api-key: ysk_1\r\n").await, 401, "{method} {path}");
            assert_eq!(ask(&shown(TELLER)).await, 403, "{method} {path}");
        }
    }
    let path = format!("/graphql?query={ASKED}");
    let answer = server.ask_as("GET", &path, &shown(READER)).await;
    assert_eq!(
        answer.json(),
        json!({ "data": { "status": { "last": 20 } } })
    );
    // The page itself tells nothing.
    assert_eq!(server.get("/graphql").await.status, 200);
    assert_eq!(server.get("/graphql?").await.status, 200);

    // Where no key is needed, a wrong one is not taken for none.
    let open = guarded(DoorOptions::default()).await;
    assert_eq!(open.get(&path).await.status, 200);
    assert_eq!(open.ask_as("GET", &path, &shown(READER)).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_alone_opens_no_socket() {
    let server = guarded(DoorOptions {
        keys: keys(),
        require_key: true,
        ..DoorOptions::default()
    })
    .await;
    for (method, path) in [
        ("GET", "/v1/metagraph/1"),
        ("GET", "/v1/status"),
        ("GET", "/v1/streams/blocks"),
        ("GET", "/v1/profiles"),
        ("POST", "/graphql"),
        ("POST", "/graphql/ws"),
    ] {
        let answer = server.ask_as(method, path, "upgrade: websocket\r\n").await;
        assert_eq!(answer.status, 401, "{method} {path}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_first_message_holds_the_socket_and_its_place() {
    let keys = keys();
    let server = guarded(DoorOptions {
        keys: keys.clone(),
        streams_per_caller: 1,
        limit_loopback: true,
        ..DoorOptions::default()
    })
    .await;
    let init = json!({
        "type": "connection_init",
        "payload": { "apiKey": key_text(READER, &SECRET) },
    });
    let mut first = socket(&server, &[]).await.unwrap();
    say(&mut first, init.clone()).await;
    assert_eq!(hear(&mut first).await.unwrap()["type"], "connection_ack");
    // The place of the address is free again, and that of the key is taken.
    let mut second = socket(&server, &[]).await.unwrap();
    say(&mut second, init).await;
    assert_eq!(hear(&mut second).await, None);

    keys.replace([]);
    // Nothing is asked on it, and it ends all the same.
    assert_eq!(hear(&mut first).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_cannot_be_read_cost_too() {
    let server = guarded(DoorOptions {
        anonymous: slow(3.0),
        limit_loopback: true,
        ..DoorOptions::default()
    })
    .await;
    let mut client = socket(&server, &[]).await.unwrap();
    say(&mut client, json!({ "type": "connection_init" })).await;
    hear(&mut client).await.unwrap();
    let mut refused = Vec::new();
    for (id, query) in ["{", "{ nothing }", "{", "{ nothing }"].iter().enumerate() {
        let payload = json!({ "query": query });
        let message = json!({ "id": id.to_string(), "type": "subscribe", "payload": payload });
        say(&mut client, message).await;
        let answer = hear(&mut client).await.unwrap();
        refused.push(answer.to_string().contains("RATE_LIMITED"));
        if answer["type"] == "next" {
            assert_eq!(hear(&mut client).await.unwrap()["type"], "complete");
        }
    }
    assert_eq!(refused, [false, false, true, true]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_only_makes_noise_is_closed() {
    let server = guarded(DoorOptions::default()).await;
    let mut client = socket(&server, &[]).await.unwrap();
    say(&mut client, json!({ "type": "connection_init" })).await;
    hear(&mut client).await.unwrap();
    let mut answers = 0;
    // Each is answered, until there is nobody left who would.
    for _ in 0..20_000 {
        let ping = json!({ "type": "ping" }).to_string();
        let said = futures::SinkExt::send(
            &mut client.0,
            tokio_tungstenite::tungstenite::Message::text(ping),
        );
        if said.await.is_err() || hear(&mut client).await.is_none() {
            break;
        }
        answers += 1;
    }
    assert!((60..15_000).contains(&answers), "{answers} were answered");
}

/// Sends a request and leaves its end open.
fn begun(server: &Server, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.addr).unwrap();
    let wait = Some(Duration::from_secs(30));
    stream.set_read_timeout(wait).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slow_bodies_of_one_caller_leave_places_for_others() {
    let server = guarded(proxied()).await;
    let path = "/get_scoring_result";
    let slow = format!(
        "POST {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{}content-length: 100\r\n\
         expect: 100-continue\r\n\r\n",
        from("7.7.7.7")
    );
    let mut held: Vec<_> = (0..64).map(|_| begun(&server, &slow)).collect();
    // The server asks for a body when it begins to read it: it reads so many of one caller.
    let reader = std::thread::spawn(move || {
        for stream in &held {
            stream.set_nonblocking(true).unwrap();
        }
        let mut told = vec![String::new(); held.len()];
        let mut most = 0;
        // Until one was given up for its pace.
        for _ in 0..6_000 {
            for (stream, told) in held.iter_mut().zip(&mut told) {
                let mut bytes = [0; 4_096];
                if let Ok(count) = stream.read(&mut bytes) {
                    told.push_str(&String::from_utf8_lossy(&bytes[..count]));
                }
            }
            if told.iter().any(|told| told.contains("BODY_TOO_SLOW")) {
                return most;
            }
            let asked = told.iter().filter(|told| told.contains("100 Continue"));
            most = asked.count();
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("no slow body was given up");
    });
    let body = json!({ "challenge_name": "known", "encrypted_commits": [] }).to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{}content-length: {}\r\n\r\n{body}",
        from("8.8.8.8"),
        body.len()
    );
    let answer = server.raw(request.into_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let asked = tokio::task::spawn_blocking(|| reader.join().unwrap()).await;
    // Four, and perhaps those that came after the first was given up.
    let asked = asked.unwrap();
    assert!(asked <= 8, "{asked} bodies of one caller were read at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queries_of_one_caller_leave_places_for_others() {
    let limits = Limits {
        concurrent_queries: 4,
        query_timeout_ms: 120_000,
        ..Limits::default()
    };
    let options = ServerOptions {
        limits,
        door: proxied(),
        ..ServerOptions::default()
    };
    let server = Arc::new(start_with(Fake::new(), options).await);
    // The store answers nobody as long as this thread holds it.
    let (release, released) = mpsc::channel::<()>();
    let (hold, holding) = mpsc::channel();
    let fake = server.fake.clone();
    let holder = std::thread::spawn(move || {
        let held = fake.held();
        hold.send(()).unwrap();
        let _ = released.recv();
        drop(held);
    });
    holding.recv().unwrap();
    let many: Vec<_> = (0..12)
        .map(|at| {
            let server = server.clone();
            let (path, method) = match at % 3 {
                0 => ("/graphql", "POST"),
                1 => ("/v1/status", "GET"),
                _ => ("/v1/profiles", "GET"),
            };
            tokio::spawn(async move { server.ask_as(method, path, &from("7.7.7.7")).await.status })
        })
        .collect();
    let running = &server.fake.most_running;
    eventually("a query runs", || running.load(Ordering::SeqCst) > 0).await;
    // Another one finds a place while they wait.
    let ask = async |address: &str| -> Answer {
        let path = "/graphql?query=%7B__typename%7D";
        server.ask_as("GET", path, &from(address)).await
    };
    for address in ["8.8.8.8", "9.9.9.9"] {
        let answer = ask(address).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
    assert_eq!(running.load(Ordering::SeqCst), 1, "one of four places");
    release.send(()).unwrap();
    holder.join().unwrap();
    for answer in many {
        assert_eq!(answer.await.unwrap(), 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_caller_waits_for_so_many_blocks_at_once() {
    let fake = Fake::with(|held| {
        held.following = true;
        held.node_finalized = Some(22);
    });
    let options = ServerOptions {
        door: proxied(),
        ..ServerOptions::default()
    };
    let server = start_with(fake, options).await;
    let request = |address: &str| {
        let from = from(address);
        format!("GET /v1/status?minBlock=21 HTTP/1.1\r\nhost: t\r\nconnection: close\r\n{from}\r\n")
    };
    let waiting: Vec<_> = (0..16)
        .map(|_| begun(&server, &request("7.7.7.7")))
        .collect();
    eventually("all wait", || server.fake.listeners() >= 16).await;
    let refused = server.raw(request("7.7.7.7").into_bytes()).await;
    assert_eq!(
        (refused.status, &refused.json()["code"]),
        (503, &json!("BUSY"))
    );
    assert!(refused.body.contains("16 requests of this caller"));
    let other = begun(&server, &request("8.8.8.8"));
    eventually("another waits", || server.fake.listeners() >= 17).await;
    server.fake.commit(&[]);
    for mut stream in waiting.into_iter().chain([other]) {
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probes_of_the_other_listener_have_places_of_their_own() {
    let side = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = side.local_addr().unwrap();
    let options = ServerOptions {
        door: DoorOptions {
            max_connections: 1,
            limit_loopback: true,
            ..DoorOptions::default()
        },
        metrics: Some(Arc::new(|| "a 1\n".to_owned())),
        metrics_listener: Some(Arc::new(side)),
        ..ServerOptions::default()
    };
    let mut server = start_with(Fake::new(), options).await;
    // Holds the only place, once it has been answered on it.
    let mut idle = begun(&server, "GET /health HTTP/1.1\r\nhost: t\r\n\r\n");
    let mut first = [0; 12];
    idle.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");
    let mut turned = String::new();
    begun(&server, "").read_to_string(&mut turned).unwrap();
    assert!(turned.starts_with("HTTP/1.1 503"), "{turned}");
    server.addr = address;
    for path in ["/health", "/ready", "/metrics"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }
    drop(idle);
}

#[tokio::test(flavor = "multi_thread")]
async fn preflights_are_counted_for_themselves() {
    let server = guarded(DoorOptions {
        anonymous: slow(2.0),
        keyed: slow(3.0),
        limit_loopback: true,
        ..DoorOptions::default()
    })
    .await;
    let preflight = "origin: https://a.example\r\naccess-control-request-method: POST\r\n";
    let mut seen = Vec::new();
    for path in ["/graphql", "/v1/status", "/nothing", "/graphql"] {
        let answer = server.ask_as("OPTIONS", path, preflight).await;
        seen.push(answer.status);
        let wait = answer.header("retry-after").is_some();
        assert_eq!(wait, answer.status == 429, "{}", answer.body);
    }
    assert_eq!(seen, [200, 200, 200, 429]);
    // They took nothing from what may be asked.
    for wanted in [200, 200, 429] {
        let answer = server.ask_as("POST", "/graphql", "").await;
        assert_eq!(answer.status, wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_may_send_and_read_what_the_routes_speak_of() {
    let server = guarded(DoorOptions::default()).await;
    let preflight = "origin: https://a.example\r\naccess-control-request-method: HEAD\r\n";
    let answer = server.ask_as("OPTIONS", "/v1/status", preflight).await;
    let list = |answer: &Answer, name: &str| -> Vec<String> {
        let text = answer.header(name).unwrap_or_default();
        text.split(',').map(|one| one.trim().to_owned()).collect()
    };
    let methods = list(&answer, "access-control-allow-methods");
    assert!(methods.contains(&"head".to_owned()), "{methods:?}");
    let asked = list(&answer, "access-control-allow-headers");
    for name in [
        "x-min-block",
        "if-none-match",
        "authorization",
        "x-api-key",
        "last-event-id",
    ] {
        assert!(asked.contains(&name.to_owned()), "{name}: {asked:?}");
    }
    let origin = "origin: https://a.example\r\n";
    let answer = server.ask_as("GET", "/v1/status", origin).await;
    let told = list(&answer, "access-control-expose-headers");
    for name in [
        "etag",
        "link",
        "x-block",
        "x-block-hash",
        "x-spec-version",
        "x-finalized",
        "x-epoch-block",
    ] {
        assert!(told.contains(&name.to_owned()), "{name}: {told:?}");
    }
}
