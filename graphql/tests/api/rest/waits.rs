//! `minBlock` and `X-Min-Block`.

use std::time::Duration;

use serde_json::{Value, json};

use super::{get, good, problem, send};
use crate::fake::Fake;
use crate::http::start;

fn followed() -> Fake {
    Fake::with(|held| {
        held.following = true;
        held.node_finalized = Some(22);
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_waits_for_the_block_it_names() {
    let server = start(followed()).await;
    let waiting = async |path: &str, headers: &[(&str, &str)]| -> Value {
        let reply = get(&server, path, headers).await;
        assert_eq!(reply.status, 200);
        reply.json()["stamp"]["block"].clone()
    };
    // What is there is not waited for.
    assert_eq!(waiting("/v1/metagraph/1?minBlock=20", &[]).await, 20);
    let commit = async {
        while server.fake.listeners() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.fake.commit(&[]);
        server.fake.commit(&[]);
    };
    let (one, other, ()) = tokio::join!(
        waiting("/v1/metagraph/1?minBlock=22", &[]),
        waiting("/v1/subnets?minBlock=3", &[("X-Min-Block", "22")]),
        commit,
    );
    assert_eq!((one, other), (json!(22), json!(22)));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn graphql_waits_by_the_header() {
    let server = start(followed()).await;
    let question = r#"{"query":"{ status { last } }"}"#;
    let ask = send(
        &server,
        "POST",
        "/graphql",
        &[("x-min-block", "21"), ("content-type", "application/json")],
        question,
    );
    let commit = async {
        while server.fake.listeners() < 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        server.fake.commit(&[]);
    };
    let (reply, ()) = tokio::join!(ask, commit);
    assert_eq!(
        reply.json(),
        json!({ "data": { "status": { "last": 21 } } })
    );
    let reply = send(
        &server,
        "POST",
        "/graphql",
        &[("x-min-block", "9999")],
        question,
    )
    .await;
    assert_eq!(reply.status, 422);
    let error = &reply.json()["errors"][0]["extensions"];
    assert_eq!(error["code"], "BLOCK_NOT_REACHED");
    assert_eq!(error["indexed"], 21);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_come_is_refused_at_once_with_the_height() {
    let server = start(followed()).await;
    let reply = get(&server, "/v1/status?minBlock=4294967295", &[]).await;
    let document = problem(&reply, 422, "BLOCK_NOT_REACHED");
    assert_eq!(document["indexed"], 20);
    assert_eq!(document["minBlock"], 4_294_967_295_u32);
    server.stop().await;
    let server = start(Fake::new()).await;
    problem(
        &get(&server, "/v1/profiles?minBlock=21", &[]).await,
        422,
        "BLOCK_NOT_REACHED",
    );
    // A probe is no read.
    good(&server, "/health?minBlock=21").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_lets_nobody_wait() {
    let server = start(followed()).await;
    let addr = server.addr;
    let fake = server.fake.clone();
    let waiter = tokio::task::spawn_blocking(move || {
        use std::io::{Read, Write};
        let mut stream = std::net::TcpStream::connect(addr).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream
            .write_all(
                b"GET /v1/status?minBlock=22 HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n",
            )
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    });
    while fake.listeners() < 1 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    server.stop().await;
    let text = waiter.await.unwrap();
    assert!(text.starts_with("HTTP/1.1 504"), "{text}");
    assert!(text.contains("stopping"), "{text}");
}
