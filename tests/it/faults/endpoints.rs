//! Several nodes, not all of them of use.

use std::time::{Duration, Instant};

use chain_metadata::H256;
use indexer::check::check;
use indexer::source::recording::RecordingSource;
use indexer::source::rpc::{RpcOptions, RpcSource};
use indexer::source::{ChainSource, SourceError};
use indexer::store::Store;
use replay_node::HashFault;

use super::{alert, both, right, stepped};
use crate::context::{index, node, quick, recording};

const PATIENCE: Option<Duration> = Some(Duration::from_secs(20));

#[tokio::test(flavor = "multi_thread")]
async fn a_node_far_behind_is_left() {
    let (slow, good) = (node("mini-300").await, node("mini-300").await);
    slow.faults().lag(50);
    let source = alert(&[&slow, &good], PATIENCE).await;
    assert_eq!(source.finalized_above(300).await.unwrap(), 329);
    assert_eq!(
        source.hashes(&[329]).await.unwrap(),
        [good.hash(329).unwrap()]
    );
    let store = Store::in_memory().unwrap();
    index(source.into(), &store, 329).await.unwrap();
    right(&store).await;
    slow.stop().await;
    good.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stuck_node_is_left_while_following() {
    let (stuck, good) = (stepped(100, 0).await, stepped(100, 0).await);
    let source = alert(&[&stuck, &good], PATIENCE).await;
    assert_eq!(source.endpoints()[0], (stuck.ws_url(), true));
    good.advance(1);
    assert_eq!(source.finalized_above(100).await.unwrap(), 101);
    assert_eq!(
        source.hashes(&[101]).await.unwrap(),
        [good.hash(101).unwrap()]
    );
    good.advance(20);
    assert_eq!(source.finalized_above(120).await.unwrap(), 121);
    source.spec(good.hash(100).unwrap()).await.unwrap();
    assert_eq!(source.endpoints()[0], (good.ws_url(), true));
    stuck.stop().await;
    good.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_goes_back_is_left_or_waited_for() {
    let (back, good) = (stepped(329, 0).await, node("mini-300").await);
    let source = alert(&[&back, &good], PATIENCE).await;
    back.faults().go_back(100);
    let store = Store::in_memory().unwrap();
    index(source.into(), &store, 329).await.unwrap();
    right(&store).await;
    good.stop().await;

    let alone = alert(&[&back], PATIENCE).await;
    let asked = tokio::spawn(async move { alone.hashes(&[300]).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!asked.is_finished());
    back.advance(100);
    let hashes = asked.await.unwrap().unwrap();
    assert_eq!(hashes, [back.hash(300).unwrap()]);
    back.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_takes_no_connections_is_left_or_waited_for() {
    let (closed, good) = (node("mini-300").await, node("mini-300").await);
    let source = both(&closed, &good).await;
    closed.faults().refuse_connections(true);
    closed.faults().drop_connections();
    let store = Store::in_memory().unwrap();
    index(source, &store, 329).await.unwrap();
    right(&store).await;
    good.stop().await;

    closed.faults().refuse_connections(false);
    let alone = alert(&[&closed], None).await;
    closed.faults().refuse_connections(true);
    closed.faults().drop_connections();
    let asked = tokio::spawn(async move { alone.hashes(&[5]).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!asked.is_finished());
    closed.faults().refuse_connections(false);
    let hashes = asked.await.unwrap().unwrap();
    assert_eq!(hashes, [closed.hash(5).unwrap()]);
    closed.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_is_never_taken_for_final() {
    let (forked, good) = (stepped(103, 3).await, stepped(106, 0).await);
    let losers = forked.faults().fork(3);
    assert_eq!(losers.len(), 3);
    let source = alert(&[&forked, &good], PATIENCE).await;
    assert_eq!(source.finalized_above(105).await.unwrap(), 106);
    let numbers: Vec<u32> = (98..=106).collect();
    let right: Vec<H256> = numbers.iter().map(|n| good.hash(*n).unwrap()).collect();
    assert_eq!(source.hashes(&numbers).await.unwrap(), right);

    // The better node goes away for a moment: what it said is final is not
    // taken from the other one.
    let store = Store::in_memory().unwrap();
    good.faults().hashes(HashFault::Null);
    let road = tokio::spawn({
        let store = store.clone();
        async move { index(source.into(), &store, 106).await }
    });
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(!road.is_finished());
    good.faults().clear();
    road.await.unwrap().unwrap();
    let expected = Store::in_memory().unwrap();
    let recorded = RecordingSource(recording("mini-300"));
    index(recorded.into(), &expected, 106).await.unwrap();
    assert_eq!(check(&store).unwrap(), check(&expected).unwrap());

    // Alone, it is waited for.
    let alone = alert(&[&forked], Some(Duration::from_millis(300))).await;
    let error = alone.hashes(&[101]).await.unwrap_err();
    assert!(
        matches!(error, SourceError::Missing { number: 101, .. }),
        "{error}"
    );
    assert_eq!(
        alone.hashes(&[100]).await.unwrap(),
        [good.hash(100).unwrap()]
    );
    forked.stop().await;
    good.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_chain_among_others_is_never_used() {
    let (wrong, good) = (node("mini-300").await, node("mini-300").await);
    let genesis = good.hash(0).unwrap();
    wrong.faults().genesis(Some(H256([7; 32])));

    // Whatever happens to the right one.
    let source = both(&good, &wrong).await;
    good.faults().drop_every(7);
    let store = Store::in_memory().unwrap();
    index(source, &store, 329).await.unwrap();
    right(&store).await;
    good.faults().clear();
    wrong.faults().genesis(Some(H256([7; 32])));
    assert_eq!(wrong.counts().of("chain_getBlock"), 0);

    // Wherever it stands in the list.
    let options = |genesis| RpcOptions {
        genesis: Some(genesis),
        ..quick()
    };
    let urls = [wrong.ws_url(), good.ws_url()];
    let source = RpcSource::connect(&urls, options(genesis)).await.unwrap();
    assert_eq!(source.hashes(&[9]).await.unwrap(), [good.hash(9).unwrap()]);
    assert_eq!(source.endpoints()[0], (good.ws_url(), true));

    // Both are named when none is right.
    let error = RpcSource::connect(&urls, options(H256([9; 32])))
        .await
        .unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, SourceError::Genesis { .. }), "{text}");
    assert!(urls.iter().all(|url| text.contains(url)), "{text}");
    wrong.stop().await;
    good.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_subscription_is_asked_behind() {
    let node = stepped(100, 0).await;
    let source = alert(&[&node], PATIENCE).await;
    assert_eq!(source.finalized_above(99).await.unwrap(), 100);
    node.faults().mute(true);
    node.advance(1);
    assert_eq!(source.finalized_above(100).await.unwrap(), 101);
    node.faults().clear();
    node.faults().fail_with(
        "chain_subscribeFinalizedHeads",
        u64::MAX,
        -32601,
        "Method not found",
    );
    node.faults().drop_connections();
    node.advance(1);
    assert_eq!(source.finalized_above(101).await.unwrap(), 102);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_lost_while_nothing_is_asked_is_made_again() {
    let node = stepped(100, 0).await;
    // The usual silence: it is not what notices.
    let source = RpcSource::connect(&[node.ws_url()], quick()).await.unwrap();
    assert_eq!(source.finalized_above(99).await.unwrap(), 100);
    node.faults().drop_connections();
    node.advance(1);
    let asked = Instant::now();
    assert_eq!(source.finalized_above(100).await.unwrap(), 101);
    assert!(asked.elapsed() < Duration::from_secs(5));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_a_head_ends_with_the_patience_when_nobody_answers() {
    let node = stepped(100, 0).await;
    let source = alert(&[&node], Some(Duration::from_millis(300))).await;
    node.faults().refuse_connections(true);
    node.faults().drop_connections();
    let error = source.finalized_above(100).await.unwrap_err();
    assert!(matches!(error, SourceError::Unreachable { .. }), "{error}");
    node.stop().await;
}
