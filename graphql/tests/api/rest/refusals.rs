//! Every refusal is a problem document with a sentence.

use graphql::{Limits, ServerOptions};
use serde_json::json;

use super::{READS, get, problem, send};
use crate::fake::{Fake, hash_of};
use crate::http::{start, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn bad_questions_are_refused_with_what_to_do() {
    let server = start(Fake::new()).await;
    let long = "9".repeat(30);
    for path in [
        "/v1/metagraph/x".to_owned(),
        "/v1/metagraph/65536".to_owned(),
        "/v1/metagraph/-1".to_owned(),
        "/v1/metagraph/1?block=".to_owned(),
        format!("/v1/metagraph/1?block={long}"),
        "/v1/metagraph/1?block=12&hash=0x00".to_owned(),
        format!("/v1/metagraph/1?block=12&hash={}", hash_of(12)),
        "/v1/metagraph/1?hash=0x12".to_owned(),
        "/v1/metagraph/1?mechanism=256".to_owned(),
        "/v1/metagraph/1?uids=1,,x".to_owned(),
        "/v1/metagraph/1?block=12&block=13".to_owned(),
        "/v1/metagraph/1?format=xml".to_owned(),
        "/v1/metagraph/1?nonsense=1".to_owned(),
        "/v1/metagraph/%ff".to_owned(),
        "/v1/blocks?first=101".to_owned(),
        "/v1/blocks?after=00".to_owned(),
        "/v1/blocks?from=12&to=11".to_owned(),
        "/v1/blocks?order=SIDEWAYS".to_owned(),
        "/v1/blocks/12/events?after=62000000000c00000000".to_owned(),
        "/v1/blocks/latest".to_owned(),
        "/v1/stake".to_owned(),
        "/v1/stake?hotkey=nobody".to_owned(),
        "/v1/stake?coldkey=%zz".to_owned(),
        "/v1/commits?state=GONE".to_owned(),
        "/v1/stake/movements?kind=STOLEN".to_owned(),
        "/v1/status?minBlock=x".to_owned(),
        "/api/metagraph/latest/v1".to_owned(),
        "/api/metagraph/latest/v1?netuid=1&limit=0".to_owned(),
        "/api/event/v1?full_name=System".to_owned(),
        "/api/block/v1?hash=0x0".to_owned(),
        "/v1/results/1?after=9223372036854775808".to_owned(),
        "/v1/results/1/scores?after=18446744073709551615".to_owned(),
    ] {
        let reply = get(&server, &path, &[]).await;
        let document = problem(&reply, 400, "BAD_INPUT");
        assert!(
            !document["detail"]
                .as_str()
                .unwrap()
                .contains("99999999999999999999999999999999999")
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_told_with_what_is() {
    let server = start(Fake::new()).await;
    let told = async |path: &str, code: &str| {
        let document = problem(&get(&server, path, &[]).await, 404, code);
        document["detail"].as_str().unwrap().to_owned()
    };
    assert!(
        told("/v1/metagraph/1?block=21", "OUT_OF_RANGE")
            .await
            .contains("10..=20")
    );
    assert!(
        told("/v1/blocks/9", "OUT_OF_RANGE")
            .await
            .contains("/v1/status")
    );
    assert!(
        told("/v1/metagraph/1?blocksBehindHead=99", "OUT_OF_RANGE")
            .await
            .contains("head-99")
    );
    assert!(
        told("/v1/metagraph/9", "NOT_FOUND")
            .await
            .contains("no subnet 9")
    );
    assert!(
        told("/v1/metagraph/1?mechanism=7", "NOT_FOUND")
            .await
            .contains("mechanism 7")
    );
    let hash = "0x".to_owned() + &"00".repeat(32);
    assert!(
        told(&format!("/v1/blocks/{hash}"), "NOT_FOUND")
            .await
            .contains(&hash)
    );
    for path in ["/v1/nowhere", "/v1/", "/api/nothing/v1", "/v1/blocks/1/2/3"] {
        assert!(
            told(path, "NOT_FOUND").await.contains("/v1/openapi.json"),
            "{path}"
        );
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_refuses_what_needs_a_block() {
    let server = start(Fake::with(|held| (held.first, held.last) = (None, None))).await;
    for path in READS {
        let reply = get(&server, path, &[]).await;
        match reply.status {
            200 => assert_eq!(reply.json()["stamp"], json!(null), "{path}"),
            _ => {
                problem(&reply, 404, "OUT_OF_RANGE");
            }
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_and_methods_that_there_are_not_are_refused() {
    let server = start(Fake::new()).await;
    let reply = get(&server, "/v1/blocks", &[("accept", "application/xml")]).await;
    problem(&reply, 406, "NOT_ACCEPTABLE");
    for path in READS
        .into_iter()
        .chain(["/api/block/v1", "/v1/openapi.json"])
    {
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
            let reply = send(&server, method, path, &[], "").await;
            problem(&reply, 405, "BAD_INPUT");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_and_the_inside_stays_inside() {
    let limits = Limits {
        response_bytes: 100,
        ..Limits::default()
    };
    let options = ServerOptions {
        limits,
        ..ServerOptions::default()
    };
    let server = start_with(Fake::new(), options).await;
    problem(
        &get(&server, "/v1/metagraph/1", &[]).await,
        422,
        "LIMIT_EXCEEDED",
    );
    problem(
        &get(&server, "/api/subnet/latest/v1", &[]).await,
        422,
        "LIMIT_EXCEEDED",
    );
    server.stop().await;

    let server = start(Fake::with(|held| held.broken = Some(12))).await;
    let reply = get(&server, "/v1/metagraph/1?block=12", &[]).await;
    let document = problem(&reply, 500, "INTERNAL").to_string();
    assert!(
        !document.contains("SECRET") && !document.contains("/srv"),
        "{document}"
    );
    server.stop().await;

    let options = ServerOptions {
        limits: Limits {
            query_timeout_ms: 50,
            ..Limits::default()
        },
        ..ServerOptions::default()
    };
    let slow = Fake::with(|held| held.slow = std::time::Duration::from_secs(2));
    let server = start_with(slow, options).await;
    problem(&get(&server, "/v1/metagraph/1", &[]).await, 408, "TIMEOUT");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_branch_that_lost_while_it_was_read_is_not_mixed_in() {
    let fake = Fake::with(|held| held.unfinalized = Some(2));
    let snapshot = Fake::with(|held| {
        held.unfinalized = Some(2);
        held.dropped = Some(21);
    });
    *fake.snapshot.lock().unwrap() = Some(std::sync::Arc::new(snapshot));
    let server = start(fake).await;
    let document = problem(
        &get(&server, "/v1/metagraph/1?block=21", &[]).await,
        404,
        "NOT_FOUND",
    );
    assert!(document["detail"].as_str().unwrap().contains("ask again"));
    server.stop().await;
}
