//! A node that has thrown old state away: the index says which blocks are missing,
//! and goes on without them when that is allowed.

use indexer::IndexError;
use indexer::check::check;
use indexer::pipeline::Plan;
use indexer::store::Store;

use super::{ranges, same};
use crate::context::{connect, index_with, node, outcome, plan, text};

#[tokio::test(flavor = "multi_thread")]
async fn missing_blocks_are_named() {
    let node = node("mini-300").await;
    node.faults().pruned_below(200);
    let store = Store::in_memory().unwrap();
    let error = index_with(connect(&node).await, &store, plan(300)).await;
    let error = error.unwrap_err();
    assert!(
        matches!(
            error,
            IndexError::Pruned {
                first: 0,
                last: 200,
                next: 201,
                ..
            }
        ),
        "{error}"
    );
    let told = error.to_string();
    for part in ["blocks 0 to 200", "--allow-partial", "archive", "block 201"] {
        assert!(told.contains(part), "{told}");
    }
    assert!(store.spans().is_empty() && store.missing().is_empty());
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_node_has_is_read_when_that_is_allowed() {
    let node = node("mini-300").await;
    let store = Store::in_memory().unwrap();
    index_with(connect(&node).await, &store, plan(50))
        .await
        .unwrap();
    node.faults().pruned_below(200);
    let partial = Plan {
        from: Some(0),
        allow_partial: true,
        ..plan(300)
    };
    index_with(connect(&node).await, &store, partial.clone())
        .await
        .unwrap();
    assert_eq!(check(&store).unwrap().spans, [(0, 50), (201, 300)]);
    let missing = store.missing();
    assert_eq!(missing.len(), 1);
    assert_eq!((missing[0].first, missing[0].last), (51, 200));
    assert!(missing[0].reason.contains("discarded"), "{missing:?}");
    // A node that has them fills them, and nothing is missing any more.
    node.faults().pruned_below(0);
    index_with(connect(&node).await, &store, partial)
        .await
        .unwrap();
    assert!(store.missing().is_empty());
    let whole = Store::in_memory().unwrap();
    index_with(connect(&node).await, &whole, ranges(&[(0, 300)]))
        .await
        .unwrap();
    assert_eq!(check(&store).unwrap().spans, [(0, 300)]);
    same(&whole, &store, "filled by another node");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_says_it_in_one_sentence() {
    let node = node("mini-300").await;
    node.faults().pruned_below(310);
    let dir = tempfile::tempdir().unwrap();
    let url = node.ws_url();
    let args = ["index", "--url", &url, "--data-dir", text(dir.path())];
    let run = |more: &[&str]| outcome(&[args.as_slice(), more].concat());
    let refused = run(&["--until", "329", "--log", "error"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(told.contains("blocks 0 to 310"), "{told}");
    assert_eq!(told.trim().lines().count(), 1, "{told}");
    let done = run(&["--until", "329", "--allow-partial"]);
    let told = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{told}");
    let store = Store::open_sled(dir.path(), false, 16 << 20).unwrap();
    assert_eq!(check(&store).unwrap().spans, [(311, 329)]);
    assert_eq!(store.missing()[0].last, 310);
    node.stop().await;
}
