//! Streams as Server-Sent Events, over a real socket.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use graphql::{Limits, ServerOptions};
use serde_json::{Value, json};

use crate::fake::streams::until;
use crate::fake::{Fake, account};
use crate::http::{Server, start, start_with};

/// One open stream; it reads on a thread of its own.
struct Events {
    events: tokio::sync::mpsc::UnboundedReceiver<Event>,
    head: String,
    _socket: TcpStream,
}

#[derive(Debug, Clone, PartialEq)]
struct Event {
    id: Option<String>,
    name: String,
    data: Value,
}

async fn open(server: &Server, path: &str, headers: &str) -> Events {
    let (addr, path, headers) = (server.addr, path.to_owned(), headers.to_owned());
    tokio::task::spawn_blocking(move || {
        let mut socket = TcpStream::connect(addr).unwrap();
        let limit = Some(Duration::from_secs(30));
        socket.set_read_timeout(limit).unwrap();
        write!(
            socket,
            "GET {path} HTTP/1.1\r\nhost: test\r\naccept-encoding: gzip\r\n{headers}\r\n"
        )
        .unwrap();
        let mut reader = BufReader::new(socket.try_clone().unwrap());
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(reader.read_line(&mut head).unwrap(), 0, "{head}");
        }
        let (sender, events) = tokio::sync::mpsc::unbounded_channel();
        std::thread::spawn(move || read(reader, &sender));
        Events {
            events,
            head: head.to_lowercase(),
            _socket: socket,
        }
    })
    .await
    .unwrap()
}

/// Chunks come between the lines; none of ours looks like one.
fn read(reader: BufReader<TcpStream>, sender: &tokio::sync::mpsc::UnboundedSender<Event>) {
    let (mut id, mut name) = (None, String::new());
    for line in reader.lines() {
        let Ok(line) = line else { return };
        if let Some(text) = line.strip_prefix("id: ") {
            id = Some(text.to_owned());
        } else if let Some(text) = line.strip_prefix("event: ") {
            text.clone_into(&mut name);
        } else if let Some(text) = line.strip_prefix("data: ") {
            let event = Event {
                id: id.take(),
                name: std::mem::take(&mut name),
                data: serde_json::from_str(text).unwrap(),
            };
            if sender.send(event).is_err() {
                return;
            }
        }
    }
}

impl Events {
    async fn next(&mut self) -> Event {
        let next = tokio::time::timeout(Duration::from_secs(30), self.events.recv()).await;
        next.expect("silence").expect("it ended")
    }

    async fn item(&mut self) -> Event {
        loop {
            let event = self.next().await;
            if event.name != "heartbeat" {
                return event;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_replayed_goes_on_and_is_taken_up_again() {
    let server = start(Fake::new()).await;
    let mut events = open(&server, "/v1/streams/blocks?after=first", "").await;
    assert!(events.head.starts_with("http/1.1 200"), "{}", events.head);
    for header in [
        "content-type: text/event-stream",
        "cache-control: no-store",
        "x-accel-buffering: no",
    ] {
        assert!(events.head.contains(header), "{}", events.head);
    }
    assert!(!events.head.contains("content-encoding"), "{}", events.head);
    let first = events.next().await;
    assert_eq!(first.name, "heartbeat");
    assert_eq!(first.data["indexed"], 20);
    let mut seen = Vec::new();
    for number in 10..=20 {
        let event = events.next().await;
        assert_eq!(event.name, "item");
        assert_eq!(event.id.as_deref(), event.data["cursor"].as_str());
        assert_eq!(event.data["block"], number);
        assert_eq!(event.data["finalized"], true);
        assert_eq!(event.data["value"]["number"], number);
        assert_eq!(event.data["value"]["hash"], event.data["blockHash"]);
        seen.push(event);
    }
    server.fake.commit(&[3]);
    let new = events.next().await;
    assert_eq!(new.data["value"]["epochs"], json!([3]));
    // The header of a client that comes back is stronger than where it once began.
    let id = seen[4].id.clone().unwrap();
    let headers = format!("last-event-id: {id}\r\n");
    let mut again = open(&server, "/v1/streams/blocks?after=first", &headers).await;
    for old in seen.iter().skip(5).chain([&new]) {
        assert_eq!(again.item().await, *old);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_topic_is_shown_with_its_values() {
    let fake = Fake::new();
    fake.held().epochs.insert(12, vec![2]);
    let server = start(fake).await;
    let epoch = open(&server, "/v1/streams/epochs?after=first&netuid=2", "")
        .await
        .item()
        .await;
    assert_eq!(epoch.data["block"], 12);
    assert_eq!(epoch.data["value"]["verification"]["verdict"], "EXACT");
    assert_eq!(epoch.data["value"]["epochIndex"], "7");
    let path = format!(
        "/v1/streams/weights?after=first&netuid=1,2&hotkey={}&kind=hash_reveal",
        account(2)
    );
    let row = open(&server, &path, "").await.item().await;
    assert_eq!(row.data["value"]["netuid"], 2);
    assert_eq!(row.data["value"]["set"]["kind"], "HASH_REVEAL");
    assert_eq!(row.data["value"]["set"]["versionKey"], "9007199254740993");
    let step = open(
        &server,
        "/v1/streams/commits?after=first&kind=attempted",
        "",
    )
    .await
    .item()
    .await;
    assert_eq!(step.data["value"]["step"], "ATTEMPTED");
    assert_eq!(step.data["value"]["commit"]["id"], "10-0");
    let moved = open(&server, "/v1/streams/stake?after=first", "")
        .await
        .item()
        .await;
    assert_eq!(moved.data["value"]["movement"]["tao"], "9007199254740993");
    assert_eq!(moved.data["value"]["movement"]["fee"], Value::Null);
    let score = open(&server, "/v1/streams/scores?after=first&kind=score", "")
        .await
        .item()
        .await;
    assert_eq!(score.data["value"]["kind"], "SCORE");
    assert_eq!(score.data["blockHash"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn forks_are_told() {
    let server = start(Fake::with(|held| held.unfinalized = Some(0))).await;
    let mut events = open(&server, "/v1/streams/blocks?unfinalized=true", "").await;
    assert_eq!(events.next().await.name, "heartbeat");
    server.fake.add();
    server.fake.add();
    for number in [21, 22] {
        let item = events.item().await;
        assert_eq!(
            (&item.data["block"], &item.data["finalized"]),
            (&json!(number), &json!(false))
        );
    }
    let lost = server.fake.held().hash(22);
    server.fake.fork(22, 3, 1);
    let retracted = events.item().await;
    assert_eq!(retracted.name, "retracted");
    assert_eq!(retracted.data["above"], 21);
    assert_eq!(
        retracted.data["blocks"],
        json!([{ "number": 22, "hash": lost.to_string() }])
    );
    let item = events.item().await;
    assert_eq!(
        item.data["blockHash"],
        server.fake.held().hash(22).to_string()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_problem_documents() {
    let server = start(Fake::new()).await;
    for (path, status, word) in [
        ("/v1/streams/nothing", 404, "take blocks"),
        ("/v1/streams/blocks?netuid=1", 400, "netuid"),
        ("/v1/streams/weights?netuid=x", 400, "netuid"),
        ("/v1/streams/weights?netuid=65536", 400, "netuid"),
        ("/v1/streams/weights?hotkey=5abc", 400, "hotkey"),
        ("/v1/streams/weights?kind=nothing", 400, "DIRECT"),
        ("/v1/streams/weights?after=zz", 400, "cursor"),
        ("/v1/streams/weights?after=42", 400, "cursor"),
        (
            "/v1/streams/weights?unfinalized=perhaps",
            400,
            "true or false",
        ),
        ("/v1/streams/scores?unfinalized=true", 400, "unfinalized"),
        ("/v1/streams/weights?foo=1", 400, "foo"),
    ] {
        let answer = server.get(path).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.body);
        assert!(answer.head.contains("application/problem+json"), "{path}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(word), "{path}: {detail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn places_are_bounded_and_free_again() {
    let options = ServerOptions {
        limits: Limits {
            websockets: 2,
            ..Limits::default()
        },
        ..ServerOptions::default()
    };
    let server = start_with(Fake::new(), options).await;
    let mut one = open(&server, "/v1/streams/blocks", "").await;
    let mut two = open(&server, "/v1/streams/blocks", "").await;
    for events in [&mut one, &mut two] {
        assert_eq!(events.next().await.name, "heartbeat");
    }
    let answer = server.get("/v1/streams/blocks").await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert_eq!(answer.json()["code"], "BUSY");
    one._socket.shutdown(std::net::Shutdown::Both).unwrap();
    drop(one);
    let mut three = None;
    for _ in 0..300 {
        let events = open(&server, "/v1/streams/blocks", "").await;
        if events.head.starts_with("http/1.1 200") {
            three = Some(events);
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(three.expect("no place").next().await.name, "heartbeat");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_ends_them() {
    let server = start(Fake::new()).await;
    let mut events = open(&server, "/v1/streams/blocks", "").await;
    assert_eq!(events.next().await.name, "heartbeat");
    let fake = server.fake.clone();
    server.stop().await;
    let end = tokio::time::timeout(Duration::from_secs(30), events.events.recv()).await;
    assert_eq!(end.expect("it goes on"), None);
    until("nobody listens", || fake.listeners() == 0).await;
}
