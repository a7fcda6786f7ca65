//! Answers and batches that pass a limit, of the node or of the client.

use std::sync::Arc;
use std::time::Duration;

use chain_metadata::H256;
use indexer::source::recording::RecordingSource;
use indexer::source::rpc::{RpcOptions, RpcSource, Tuning};
use indexer::source::{ChainSource, RawBlock, SourceError, Want};
use replay_node::{Options, ReplayNode};

use crate::context::{connect, quick, recording};

async fn limited(max_response: Option<u32>, max_batch: Option<u32>) -> ReplayNode {
    let options = Options {
        max_response,
        max_batch,
        ..Options::default()
    };
    replay_node::start(recording("mini-300"), options)
        .await
        .unwrap()
}

fn recorded() -> RecordingSource {
    RecordingSource(recording("mini-300"))
}

fn bare(hashes: &[H256]) -> Vec<Want> {
    let want = |at: &H256| Want {
        at: *at,
        keys: Vec::new(),
    };
    hashes.iter().map(want).collect()
}

/// All blocks, by way of hashes.
async fn everything(source: &impl ChainSource) -> Vec<RawBlock> {
    let numbers: Vec<u32> = (0..=329).collect();
    let hashes = source.hashes(&numbers).await.unwrap();
    source.blocks(&numbers, &bare(&hashes)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_too_large_becomes_smaller_ones_and_stays_so() {
    let node = limited(Some(40_000), None).await;
    let source = connect(&node).await;
    let right = everything(&recorded()).await;
    assert_eq!(everything(&*source).await, right);
    // Each batch that was refused cost its connection.
    let learned = node.counts().connections;
    assert!((2..12).contains(&learned), "{learned} connections");
    node.reset_counts();
    assert_eq!(everything(&*source).await, right);
    let counts = node.counts();
    assert!(counts.connections <= 1, "{counts:?}");
    assert!(counts.requests < 200, "still batches: {counts:?}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_too_large_becomes_calls_with_fewer_keys() {
    let node = limited(Some(60_000), None).await;
    let source = connect(&node).await;
    let recorded = recorded();
    let at = recorded.hashes(&[329]).await.unwrap()[0];
    let keys = recorded.keys(at, &[]).await.unwrap();
    assert!(keys.len() > 300, "{} keys", keys.len());
    assert_eq!(source.keys(at, &[]).await.unwrap(), keys);
    // A key asked for twice is answered twice.
    let twice: Vec<_> = keys.iter().chain(&keys[..2]).cloned().collect();
    let want = [Want { at, keys: twice }, Want { at, keys }];
    assert_eq!(
        source.storage(&want).await.unwrap(),
        recorded.storage(&want).await.unwrap()
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_takes_few_calls_or_no_batches_is_read() {
    for max_batch in [0, 3] {
        let node = limited(None, Some(max_batch)).await;
        let source = connect(&node).await;
        assert_eq!(everything(&*source).await, everything(&recorded()).await);
        let learned = node.counts().connections;
        assert!((2..14).contains(&learned), "{learned} connections");
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_too_large_for_the_client_is_asked_again_or_named() {
    let node = limited(None, None).await;
    let options = RpcOptions {
        patience: None,
        ..quick()
    };
    let tuning = Tuning {
        max_answer: 300_000,
        ..Tuning::default()
    };
    let urls = [node.ws_url()];
    let source = RpcSource::connect_tuned(&urls, options, tuning)
        .await
        .unwrap();
    let source = Arc::new(source);
    let right = everything(&recorded()).await;
    node.faults().oversize("chain_getBlock", 1, 400_000);
    assert_eq!(everything(&*source).await, right);
    node.faults().oversize("chain_getBlock", 1_000, 400_000);
    let want = bare(&[right[9].hash]);
    let asked = source.blocks(&[9], &want);
    let error = tokio::time::timeout(Duration::from_secs(10), asked)
        .await
        .expect("ends although patience does not")
        .unwrap_err();
    assert!(matches!(error, SourceError::TooLarge { .. }), "{error}");
    assert!(error.to_string().contains("chain_getBlock"), "{error}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn padded_and_cut_answers_are_asked_again() {
    let node = limited(None, None).await;
    let source = connect(&node).await;
    let recorded = recorded();
    let at = recorded.hashes(&[100]).await.unwrap()[0];
    let keys = recorded.keys(at, &[]).await.unwrap();
    let want = [Want {
        at,
        keys: keys.clone(),
    }];
    let values = recorded.storage(&want).await.unwrap();
    node.faults().oversize("state_queryStorageAt", 2, 100);
    assert_eq!(source.storage(&want).await.unwrap(), values);
    node.faults().truncate("state_queryStorageAt", 1);
    assert_eq!(source.storage(&want).await.unwrap(), values);
    // Half a page of keys looks like the last one; it must not be the last.
    node.faults().truncate("state_getKeysPaged", 1);
    assert_eq!(source.keys(at, &[]).await.unwrap(), keys);
    node.faults().truncate("chain_getBlockHash", 1);
    assert_eq!(source.hashes(&[100]).await.unwrap(), [at]);
    node.stop().await;
}
