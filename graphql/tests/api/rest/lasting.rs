//! How long answers hold: validators, caches, `HEAD`.

use super::{READS, get, good, send};
use crate::fake::{Fake, hash_of};
use crate::http::start;

const FOR_GOOD: &str = "public, max-age=31536000, immutable";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_is_not_sent_again() {
    let server = start(Fake::new()).await;
    for path in READS {
        let first = good(&server, path).await;
        let tag = first.header("etag");
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        for given in [tag.to_owned(), format!("\"x\", W/{tag}"), "*".to_owned()] {
            let again = get(&server, path, &[("if-none-match", &given)]).await;
            assert_eq!(again.status, 304, "{path}");
            assert!(again.body.is_empty());
            assert_eq!(again.header("etag"), tag);
            assert_eq!(again.header("cache-control"), first.header("cache-control"));
        }
        let other = get(&server, path, &[("if-none-match", "\"other\"")]).await;
        assert_eq!(other.status, 200);
        let csv = get(&server, path, &[("accept", "text/csv")]).await;
        assert_ne!(csv.header("etag"), tag, "{path}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_named_and_final_and_whole_holds_for_good() {
    let server = start(Fake::with(|held| {
        held.first = Some(0);
        held.unfinalized = Some(2);
    }))
    .await;
    let hash = hash_of(12).to_string();
    for path in [
        "/v1/blocks/12",
        &format!("/v1/blocks/{hash}"),
        "/v1/blocks/12/events",
        "/v1/blocks/12/extrinsics?first=1",
        "/v1/metagraph/1?block=12",
        &format!("/v1/metagraph/1?hash={hash}"),
        "/v1/weights/1?block=12",
        "/v1/bonds/1?block=12&format=csv",
        "/v1/subnets?block=12",
        "/v1/subnets/1?block=12",
    ] {
        let reply = good(&server, path).await;
        assert_eq!(reply.header("cache-control"), FOR_GOOD, "{path}");
    }
    for path in [
        // Not named.
        "/v1/metagraph/1",
        "/v1/metagraph/1?blocksBehindHead=3",
        // Not final.
        "/v1/blocks/21",
        "/v1/metagraph/1?block=22",
        // What is told of it may become better or more.
        "/v1/blocks?from=11&to=12",
        "/v1/epochs/1?from=11&to=12",
        "/v1/commits?block=12",
        "/v1/coverage",
        "/v1/status",
    ] {
        let reply = good(&server, path).await;
        assert_eq!(reply.header("cache-control"), "no-cache", "{path}");
    }
    server.stop().await;
    // Earlier blocks may still come, and with them when a row last changed.
    let server = start(Fake::new()).await;
    for path in ["/v1/weights/1?block=12", "/v1/subnets/1?block=12"] {
        let reply = good(&server, path).await;
        assert_eq!(reply.header("cache-control"), "no-cache", "{path}");
    }
    let reply = good(&server, "/v1/metagraph/1?block=12").await;
    assert_eq!(reply.header("cache-control"), FOR_GOOD);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_get_without_a_body() {
    let server = start(Fake::new()).await;
    for path in [
        "/v1/metagraph/1?block=12",
        "/v1/openapi.json",
        "/v1/nowhere",
    ] {
        let body = get(&server, path, &[]).await;
        let head = send(&server, "HEAD", path, &[], "").await;
        assert_eq!(head.status, body.status, "{path}");
        assert!(head.body.is_empty());
        assert_eq!(head.header("content-type"), body.header("content-type"));
        assert_eq!(head.headers.get("etag"), body.headers.get("etag"));
    }
    server.stop().await;
}
