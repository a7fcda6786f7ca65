//! Documents that are named by their hash.

use std::collections::HashMap;
use std::sync::Arc;

use graphql::ServerOptions;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::fake::Fake;
use crate::http::{Server, only_error, start, start_with};
use crate::socket::Socket;

const QUERY: &str = "{ status { last } }";
/// The sha256 of something else.
const HASH: &str = "ad1b7e5d3ff0a57d7f7ad1b1a6e0f7d5f4a7fbb4a0f1b8b9a1d3b8b6f7ad1b1a";

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

fn named(hash: &str, query: Option<&str>) -> String {
    let mut body =
        json!({ "extensions": { "persistedQuery": { "version": 1, "sha256Hash": hash } } });
    if let Some(query) = query {
        body["query"] = query.into();
    }
    body.to_string()
}

async fn code(server: &Server, body: &str) -> (String, Value) {
    let answer = server.post(body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    only_error(&answer.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_sent_once_and_then_named() {
    let server = start(Fake::new()).await;
    let hash = hash(QUERY);
    let (message, extensions) = code(&server, &named(&hash, None)).await;
    assert_eq!(message, "PersistedQueryNotFound");
    assert_eq!(extensions, json!({ "code": "PERSISTED_QUERY_NOT_FOUND" }));
    let sent = server.post(&named(&hash, Some(QUERY))).await.json();
    assert_eq!(sent, json!({ "data": { "status": { "last": 20 } } }));
    let again = server.post(&named(&hash.to_uppercase(), None)).await.json();
    assert_eq!(again, sent);
    // The same over the query string.
    let extensions =
        format!("%7B%22persistedQuery%22:%7B%22version%22:1,%22sha256Hash%22:%22{hash}%22%7D%7D");
    let answer = server
        .get(&format!("/graphql?extensions={extensions}"))
        .await;
    assert_eq!((answer.status, answer.json()), (200, sent));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_cannot_be_asked_is_not_remembered() {
    let server = start(Fake::new()).await;
    for document in [
        "{ nothing }",
        "{ status { last } } query other { status { last } }",
        "{",
    ] {
        let hash = hash(document);
        let (message, _) = code(&server, &named(&hash, Some(document))).await;
        assert_ne!(message, "PersistedQueryNotFound");
        let (message, _) = code(&server, &named(&hash, None)).await;
        assert_eq!(message, "PersistedQueryNotFound", "{document}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hash_that_is_none_or_another_is_refused() {
    let server = start(Fake::new()).await;
    for body in [
        named(HASH, Some(QUERY)),
        named("abc", None),
        named(&"z".repeat(64), None),
        json!({ "extensions": { "persistedQuery": {} } }).to_string(),
        json!({ "extensions": { "persistedQuery": 1 } }).to_string(),
        json!({ "extensions": { "persistedQuery": { "version": 2, "sha256Hash": HASH } } })
            .to_string(),
    ] {
        let (message, extensions) = code(&server, &body).await;
        assert_eq!(extensions["code"], "BAD_INPUT", "{body}: {message}");
    }
    // What was refused is not remembered.
    let deep = format!(
        "{{ block {}number{} }}",
        "{ parent ".repeat(20) + "{ ",
        " }".repeat(21)
    );
    let costly = "{ subnets { weights { rows { entries { uid value } } } } }";
    for (broken, told) in [
        ("{ status { last }", "BAD_INPUT"),
        ("{ status { nothing } }", "BAD_INPUT"),
        (deep.as_str(), "LIMIT_EXCEEDED"),
        (costly, "LIMIT_EXCEEDED"),
    ] {
        let answer = server
            .post(&named(&hash(broken), Some(broken)))
            .await
            .json();
        assert_eq!(answer["errors"][0]["extensions"]["code"], told, "{answer}");
        let (_, extensions) = code(&server, &named(&hash(broken), None)).await;
        assert_eq!(extensions["code"], "PERSISTED_QUERY_NOT_FOUND", "{broken}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_list_only_its_documents_are_answered() {
    let listed = HashMap::from([(hash(QUERY), QUERY.to_owned())]);
    let options = ServerOptions {
        persisted: Some(Arc::new(listed)),
        only_persisted: true,
        ..ServerOptions::default()
    };
    let server = start_with(Fake::new(), options).await;
    let data = json!({ "data": { "status": { "last": 20 } } });
    assert_eq!(server.post(&named(&hash(QUERY), None)).await.json(), data);
    assert_eq!(server.ask(QUERY).await, data);
    let other = "{ status { first } }";
    for body in [
        json!({ "query": other }).to_string(),
        named(&hash(other), Some(other)),
        named(&hash(other), None),
        json!({ "query": "{ __schema { queryType { name } } }" }).to_string(),
    ] {
        let (message, extensions) = code(&server, &body).await;
        assert_eq!(
            extensions["code"], "PERSISTED_QUERY_ONLY",
            "{body}: {message}"
        );
    }
    // The same rules hold on a WebSocket.
    let mut socket = Socket::open(&server).await;
    let refused = socket.ask("1", json!({ "query": other })).await;
    assert!(
        refused.to_string().contains("PERSISTED_QUERY_ONLY"),
        "{refused}"
    );
    let payload: Value = serde_json::from_str(&named(&hash(QUERY), None)).unwrap();
    let answer = socket.ask("2", payload).await;
    assert_eq!(answer["payload"], data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_string_asks_as_a_body_does() {
    let server = start(Fake::new()).await;
    let query = "query%20Q($n:Int!)%7Bblock(number:$n)%7Bnumber%7D%7D";
    let path = format!("/graphql?query={query}&operationName=Q&variables=%7B%22n%22:12%7D");
    let answer = server.get(&path).await;
    assert_eq!(
        answer.json(),
        json!({ "data": { "block": { "number": 12 } } })
    );
    assert!(answer.head.contains("cache-control: no-store"));
    for (path, part) in [
        ("/graphql?query=%7B", "expected"),
        (
            "/graphql?query=%7Bstatus%7Blast%7D%7D&variables=rubbish",
            "not JSON",
        ),
        (
            "/graphql?query=%7Bstatus%7Blast%7D%7D&variables=%5B1%5D",
            "not a GraphQL request",
        ),
        ("/graphql?query=%20", "no `query`"),
        (
            "/graphql?query=subscription%7Bblocks%7B__typename%7D%7D",
            "not supported",
        ),
    ] {
        let (message, extensions) = only_error(&server.get(path).await.json());
        assert_eq!(extensions["code"], "BAD_INPUT", "{path}");
        assert!(message.contains(part), "{path}: {message}");
    }
    let long = format!("/graphql?query={}", "%20".repeat(60));
    let options = ServerOptions {
        limits: graphql::Limits {
            body_bytes: 50,
            ..graphql::Limits::default()
        },
        query_page: false,
        ..ServerOptions::default()
    };
    let server = start_with(Fake::new(), options).await;
    let (_, extensions) = only_error(&server.get(&long).await.json());
    assert_eq!(extensions["limit"], "query string in bytes");
    assert_eq!(server.get("/graphql").await.status, 405);
}
