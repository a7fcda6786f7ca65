//! Errors that no repetition changes end a request, however patient it is; all
//! others are waited for, and one can see what is waited for.

use std::time::Duration;

use indexer::IndexError;
use indexer::source::recording::RecordingSource;
use indexer::source::rpc::{RpcOptions, RpcSource};
use indexer::source::{ChainSource, SourceError, Want};
use indexer::store::Store;
use replay_node::ReplayNode;

use super::alert;
use crate::context::{index, node, quick, recording};

const DISCARDED: &str = "Client error: UnknownBlock: State already discarded for 0x12";

/// Connects with endless patience.
async fn forever(nodes: &[&ReplayNode]) -> RpcSource {
    alert(nodes, None).await
}

async fn soon<T>(answer: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), answer)
        .await
        .expect("ends although patience does not")
}

fn want(source: &RecordingSource, number: u32) -> [Want; 1] {
    let at = source.0.block(number).unwrap().hash;
    let key = source.0.keys(number, &[], None, 1)[0].to_vec();
    [Want {
        at,
        keys: vec![key],
    }]
}

#[tokio::test(flavor = "multi_thread")]
async fn pruned_state_ends_the_index() {
    let node = node("mini-300").await;
    let source = forever(&[&node]).await;
    node.faults()
        .fail_with("state_queryStorageAt", u64::MAX, 4003, DISCARDED);
    let store = Store::in_memory().unwrap();
    let error = soon(index(source.into(), &store, 329)).await.unwrap_err();
    assert!(
        matches!(error, IndexError::Source(SourceError::Pruned { .. })),
        "{error}"
    );
    assert!(error.to_string().contains("archive node"), "{error}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_pruned_a_block_is_not_asked_for_older_ones() {
    let (pruned, archive) = (node("mini-300").await, node("mini-300").await);
    let source = forever(&[&pruned, &archive]).await;
    let recorded = RecordingSource(recording("mini-300"));
    pruned
        .faults()
        .fail_with("state_queryStorageAt", u64::MAX, 4003, DISCARDED);
    for number in [200, 100, 150, 200] {
        source.hashes(&[number]).await.unwrap();
        let want = want(&recorded, number);
        assert_eq!(
            soon(source.storage(&want)).await.unwrap(),
            recorded.storage(&want).await.unwrap()
        );
    }
    assert_eq!(pruned.counts().of("state_queryStorageAt"), 1);
    pruned.stop().await;
    archive.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_and_nonsense_are_told_with_the_endpoint() {
    let node = node("mini-300").await;
    let source = forever(&[&node]).await;
    let at = node.hash(7).unwrap();
    let faults = node.faults();
    faults.fail_with("state_getMetadata", u64::MAX, -32601, "Method not found");
    let error = soon(source.runtime(at)).await.unwrap_err();
    let SourceError::Refused {
        endpoint,
        method,
        code: -32601,
        ..
    } = &error
    else {
        panic!("{error:?}");
    };
    assert_eq!(
        (endpoint, method.as_str()),
        (&node.ws_url(), "state_getMetadata")
    );
    faults.truncate("state_getRuntimeVersion", u64::MAX);
    faults.oversize("state_getKeysPaged", u64::MAX, 8);
    let error = soon(source.keys(at, &[1])).await.unwrap_err();
    assert!(matches!(error, SourceError::Answer { .. }), "{error:?}");
    assert!(source.trouble().unwrap().contains("state_getKeysPaged"));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_pass_is_waited_for_and_shown() {
    let node = node("mini-300").await;
    let source = std::sync::Arc::new(forever(&[&node]).await);
    assert_eq!(source.trouble(), None);
    node.faults().fail("chain_getBlockHash", u64::MAX);
    let asked = tokio::spawn({
        let source = source.clone();
        async move { source.hashes(&[7]).await }
    });
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert!(!asked.is_finished());
    let trouble = source.trouble().unwrap();
    assert!(
        trouble.contains("-32603") && trouble.contains("chain_getBlockHash"),
        "{trouble}"
    );
    node.faults().clear();
    let hashes = soon(asked).await.unwrap().unwrap();
    assert_eq!(hashes, [node.hash(7).unwrap()]);
    assert_eq!(source.trouble(), None);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_said_once_and_without_secrets() {
    let urls = [
        "ws://user:hush@127.0.0.1:9/hush?key=hush",
        "ws://127.0.0.1:9",
    ]
    .map(String::from);
    let error = RpcSource::connect(&urls, quick()).await.unwrap_err();
    let text = error.to_string();
    assert_eq!(text.matches("no node answers").count(), 1, "{text}");
    assert_eq!(text.matches("ws://127.0.0.1:9: ").count(), 2, "{text}");
    assert!(!text.contains("hush"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn patience_ends_for_what_may_pass() {
    let node = node("mini-300").await;
    let options = RpcOptions {
        patience: Some(Duration::from_millis(400)),
        ..quick()
    };
    let source = RpcSource::connect(&[node.ws_url()], options).await.unwrap();
    node.faults().fail("chain_getBlockHash", u64::MAX);
    let error = soon(source.hashes(&[7])).await.unwrap_err();
    assert!(matches!(error, SourceError::Refused { .. }), "{error:?}");
    // Blocks that are not there yet.
    node.faults().clear();
    let error = soon(source.hashes(&[4_000])).await.unwrap_err();
    assert!(
        matches!(error, SourceError::Missing { number: 4_000, .. }),
        "{error:?}"
    );
    node.stop().await;
}
