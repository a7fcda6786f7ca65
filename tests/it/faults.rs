//! Nodes that lag, drop, stall and lie: another endpoint is asked, or the same
//! one again; the store never has a gap or a wrong row.

mod endpoints;
mod lasting;
mod limits;

use std::sync::Arc;
use std::time::Duration;

use chain_metadata::H256;
use indexer::check::{Report, check};
use indexer::source::rpc::{RpcOptions, RpcSource, Tuning};
use indexer::store::Store;
use replay_node::{HashFault, Mode, Options, ReplayNode};
use tokio::sync::OnceCell;

use crate::context::{connect, index, indexed, node, quick, recording};

/// A node whose head moves by hand.
async fn stepped(start: u32, finality_lag: u32) -> ReplayNode {
    let options = Options {
        mode: Mode::Stepped { start },
        finality_lag,
        ..Options::default()
    };
    replay_node::start(recording("mini-300"), options)
        .await
        .unwrap()
}

/// Connects with a short time of silence.
async fn alert(nodes: &[&ReplayNode], patience: Option<Duration>) -> RpcSource {
    let urls: Vec<String> = nodes.iter().map(|node| node.ws_url()).collect();
    let options = RpcOptions {
        patience,
        ..quick()
    };
    let tuning = Tuning {
        silence: Duration::from_millis(400),
        ..Tuning::default()
    };
    RpcSource::connect_tuned(&urls, options, tuning)
        .await
        .unwrap()
}

async fn both(first: &ReplayNode, second: &ReplayNode) -> Arc<RpcSource> {
    let urls = [first.ws_url(), second.ws_url()];
    Arc::new(RpcSource::connect(&urls, quick()).await.unwrap())
}

async fn right(store: &Store) {
    static WHOLE: OnceCell<Report> = OnceCell::const_new();
    let whole = WHOLE.get_or_init(|| async { check(&indexed("mini-300").await).unwrap() });
    assert_eq!(&check(store).unwrap(), whole.await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lagging_node_is_never_believed() {
    for fault in [HashFault::Null, HashFault::Zero] {
        let (bad, good) = (node("mini-300").await, node("mini-300").await);
        let store = Store::in_memory().unwrap();
        let source = both(&bad, &good).await;
        bad.faults().hashes(fault);
        index(source, &store, 329).await.unwrap();
        right(&store).await;
        assert!(good.counts().of("chain_getBlock") > 0);
        bad.stop().await;
        good.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_recovers_is_waited_for() {
    let node = node("mini-300").await;
    let source = connect(&node).await;
    let store = Store::in_memory().unwrap();
    node.faults().hashes(HashFault::Null);
    let faults = node.faults().clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(700)).await;
        faults.clear();
    });
    index(source, &store, 329).await.unwrap();
    right(&store).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_connections_lose_nothing() {
    let node = node("mini-300").await;
    let source = connect(&node).await;
    let store = Store::in_memory().unwrap();
    node.faults().drop_every(7);
    index(source, &store, 329).await.unwrap();
    right(&store).await;
    assert!(node.counts().connections > 3);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_broken_answers_are_asked_again() {
    let node = node("mini-300").await;
    let store = Store::in_memory().unwrap();
    let source = connect(&node).await;
    let faults = node.faults();
    faults.fail("chain_getBlock", 3);
    faults.fail("state_getMetadata", 1);
    faults.truncate("state_queryStorageAt", 2);
    index(source, &store, 329).await.unwrap();
    right(&store).await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_node_is_left_after_the_timeout() {
    let (bad, good) = (node("mini-300").await, node("mini-300").await);
    let store = Store::in_memory().unwrap();
    let options = RpcOptions {
        timeout: Duration::from_millis(1500),
        ..quick()
    };
    let urls = [bad.ws_url(), good.ws_url()];
    let source = Arc::new(RpcSource::connect(&urls, options).await.unwrap());
    bad.faults().delay(Duration::from_secs(60));
    index(source, &store, 329).await.unwrap();
    right(&store).await;
    bad.stop().await;
    good.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_chain_is_refused() {
    let node = node("mini-300").await;
    node.faults().genesis(Some(H256([7; 32])));
    let store = Store::in_memory().unwrap();
    store.bind_genesis(H256([0x45; 32])).unwrap();
    let error = index(connect(&node).await, &store, 329).await.unwrap_err();
    assert!(error.to_string().contains("genesis"), "{error}");
    assert_eq!(store.checkpoint().unwrap(), None);

    // Told beforehand which chain it must be, it does not even connect.
    let options = RpcOptions {
        genesis: Some(H256([0x45; 32])),
        ..quick()
    };
    let error = RpcSource::connect(&[node.ws_url()], options)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("another network"), "{error}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_does_not_continue_the_store_is_refused() {
    let first = node("mini-300").await;
    let store = Store::in_memory().unwrap();
    index(connect(&first).await, &store, 60).await.unwrap();
    first.stop().await;
    // The same genesis hash, another chain.
    let other = node("upgrades").await;
    let error = index(connect(&other).await, &store, 100).await.unwrap_err();
    assert!(
        error.to_string().contains("another finalized chain"),
        "{error}"
    );
    assert_eq!(store.last().unwrap(), Some(60));
    check(&store).unwrap();
    other.stop().await;
}
