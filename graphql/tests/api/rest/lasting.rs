//! How long answers hold: validators, caches, `HEAD`.

use graphql::{DoorOptions, key_text};

use super::{READS, get, good, send};
use crate::fake::{Fake, hash_of};
use crate::http::start;
use crate::server_access::{READER, SECRET, guarded, keys};

const STAKE: &str = "/v1/stake?hotkey=5C4hrfjw9DjXZTzV3MwzrrAr9P1MJhSrvWGWqi1eSuyUpnhM";

const FOR_GOOD: &str = "public, max-age=31536000, immutable";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_seen_is_not_sent_again() {
    let server = start(Fake::new()).await;
    for path in READS {
        let first = good(&server, path).await;
        let tag = first.header("etag");
        // Packing on the way changes the bytes.
        let plain = tag.strip_prefix("W/").expect(tag);
        assert!(plain.starts_with('"') && plain.ends_with('"'), "{tag}");
        for given in [tag.to_owned(), format!("\"x\", {plain}"), "*".to_owned()] {
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
        // The epoch of block 20 was the last to tell of it.
        "/v1/metagraph/1?block=19",
        "/v1/subnets?block=19",
        &format!("{STAKE}&block=19"),
        // What is no state is whole at once.
        "/v1/blocks/20",
        "/v1/blocks/20/events",
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
        // No epoch ran above it, which may tell more of it.
        "/v1/metagraph/1?block=20",
        "/v1/weights/1?block=20",
        "/v1/bonds/1?block=20",
        "/v1/subnets?block=20",
        "/v1/subnets/1?block=20",
        &format!("{STAKE}&block=20"),
        &format!("{STAKE}&netuid=1&block=20"),
        // Another subnet may take the number and count anew.
        "/v1/metagraph/1?epoch=16",
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
    // The next block is missing, and may have an epoch.
    let server = start(Fake::with(|held| held.holes = vec![(14, 15)])).await;
    for (path, cache) in [
        ("/v1/metagraph/1?block=13", "no-cache"),
        ("/v1/metagraph/1?block=11", FOR_GOOD),
    ] {
        let reply = good(&server, path).await;
        assert_eq!(reply.header("cache-control"), cache, "{path}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_key_is_kept_by_nobody_else() {
    let bearer = format!("Bearer {}", key_text(READER, &SECRET));
    let shown = [
        ("authorization", bearer.as_str()),
        ("x-api-key", &bearer["Bearer ".len()..]),
    ];
    for require_key in [false, true] {
        let server = guarded(DoorOptions {
            keys: keys(),
            require_key,
            ..DoorOptions::default()
        })
        .await;
        for (path, cache) in [
            (
                "/v1/metagraph/1?block=12",
                FOR_GOOD.replace("public", "private"),
            ),
            ("/v1/metagraph/1", "private, no-cache".to_owned()),
        ] {
            for header in shown {
                let reply = get(&server, path, &[header]).await;
                assert_eq!(reply.status, 200, "{path}");
                assert_eq!(reply.header("cache-control"), cache, "{path}");
            }
        }
        let stranger = get(&server, "/v1/metagraph/1?block=12", &[]).await;
        match require_key {
            true => assert_eq!(stranger.status, 401),
            false => assert_eq!(stranger.header("cache-control"), FOR_GOOD),
        }
        server.stop().await;
    }
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
