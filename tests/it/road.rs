//! The road: resuming, following, and how much is asked of the node.

use std::sync::Arc;
use std::time::Duration;

use indexer::check::check;
use indexer::notify::Notify;
use indexer::pipeline::{self, Plan, Progress};
use indexer::store::Store;
use replay_node::{Mode, Options};
use tokio::sync::watch;

use crate::context::{connect, index, index_with, indexed, node, plan, recording};

#[tokio::test(flavor = "multi_thread")]
async fn stopping_anywhere_and_going_on_changes_nothing() {
    let whole = check(&indexed("mini-300").await).unwrap();
    let node = node("mini-300").await;
    let dir = tempfile::tempdir().unwrap();
    for until in [0, 1, 2, 7, 8, 40, 41, 104, 186, 253, 254, 255, 329] {
        let store = Store::open_sled(dir.path(), true, 16 << 20).unwrap();
        let last = index(connect(&node).await, &store, until).await.unwrap();
        assert_eq!(last, Some(until));
    }
    let store = Store::open_sled(dir.path(), false, 16 << 20).unwrap();
    assert_eq!(check(&store).unwrap(), whole);
    // Nothing is left to do, and nothing is done.
    node.reset_counts();
    index(connect(&node).await, &store, 329).await.unwrap();
    assert_eq!(node.counts().of("chain_getBlock"), 0);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_of_any_size_store_the_same() {
    let whole = check(&indexed("upgrades").await).unwrap();
    let node = node("upgrades").await;
    for window in [1, 3, 128] {
        let store = Store::in_memory().unwrap();
        let plan = Plan {
            window,
            ahead: 3,
            ..plan(129)
        };
        index_with(connect(&node).await, &store, plan)
            .await
            .unwrap();
        assert_eq!(check(&store).unwrap(), whole, "window {window}");
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beginning_in_the_middle_serves_the_same_from_there() {
    let whole = indexed("mini-300").await;
    let node = node("mini-300").await;
    let store = Store::in_memory().unwrap();
    let from = Plan {
        from: Some(200),
        ..plan(329)
    };
    index_with(connect(&node).await, &store, from)
        .await
        .unwrap();
    for number in [200, 231, 255, 329] {
        let (a, b) = (
            indexer::view::at(&whole, number).unwrap().unwrap(),
            indexer::view::at(&store, number).unwrap().unwrap(),
        );
        for netuid in indexer::view::subnets(&whole, &a).unwrap() {
            let mechanism = chain_metadata::MechId(0);
            assert_eq!(
                indexer::view::metagraph(&whole, &a, netuid, mechanism).unwrap(),
                indexer::view::metagraph(&store, &b, netuid, mechanism).unwrap(),
                "block {number}, subnet {netuid}"
            );
        }
    }
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_most_four_requests_for_a_block_without_an_epoch() {
    let recording = recording("mini-300");
    let options = Options {
        mode: Mode::Stepped { start: 12 },
        ..Options::default()
    };
    let node = replay_node::start(recording.clone(), options)
        .await
        .unwrap();
    let store = Store::in_memory().unwrap();
    let source = connect(&node).await;
    index(source.clone(), &store, 12).await.unwrap();
    let (progress, mut heard) = watch::channel(Progress::default());
    let (stop, stopped) = watch::channel(false);
    let notify = Notify::default();
    let mut commits = notify.subscribe();
    let road = tokio::spawn(pipeline::run(
        source,
        store.clone(),
        Plan::default(),
        notify,
        progress,
        stopped,
    ));
    heard.wait_for(|p| p.finalized == Some(12)).await.unwrap();
    let (mut most, mut sum, mut quiet) = (0, 0, 0);
    for number in 13..=node.end() {
        node.reset_counts();
        node.advance(1);
        let block = tokio::time::timeout(Duration::from_secs(20), commits.recv())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(block.number, number);
        if block.epochs.is_empty() {
            let requests = node.counts().requests;
            most = most.max(requests);
            sum += requests;
            quiet += 1;
        }
    }
    assert!(quiet > 200, "{quiet} blocks without an epoch");
    assert!(
        most <= 4,
        "{most} requests for one block, {sum} for {quiet}"
    );
    stop.send_replace(true);
    assert_eq!(road.await.unwrap().unwrap(), Some(329));
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_chain_is_followed_without_a_gap() {
    let options = Options {
        mode: Mode::Live {
            start: 100,
            every: Duration::from_millis(3),
        },
        ..Options::default()
    };
    let node = replay_node::start(recording("mini-300"), options)
        .await
        .unwrap();
    let store = Store::in_memory().unwrap();
    index(connect(&node).await, &store, 329).await.unwrap();
    assert_eq!(
        check(&store).unwrap(),
        check(&indexed("mini-300").await).unwrap()
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_several_rounds_stays_right() {
    let options = Options {
        repeat: 3,
        ..Options::default()
    };
    let node = replay_node::start(recording("mini-300"), options)
        .await
        .unwrap();
    let store = Store::in_memory().unwrap();
    let last = index(connect(&node).await, &store, node.end())
        .await
        .unwrap();
    assert_eq!(last, Some(3 * 329));
    assert_eq!(check(&store).unwrap().last, 3 * 329);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_that_would_leave_a_gap_are_refused() {
    let node = node("mini-300").await;
    let store = Store::in_memory().unwrap();
    let source: Arc<_> = connect(&node).await;
    let from = |from, until| Plan {
        from: Some(from),
        ..plan(until)
    };
    index_with(source.clone(), &store, from(50, 60))
        .await
        .unwrap();
    let error = index_with(source.clone(), &store, from(80, 90))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("would leave a gap"), "{error}");
    index_with(source.clone(), &store, from(55, 70))
        .await
        .unwrap();
    assert_eq!(check(&store).unwrap().last, 70);
    // Below what is stored it is filled.
    index_with(source, &store, from(10, 90)).await.unwrap();
    assert_eq!(check(&store).unwrap().spans, [(10, 90)]);
    node.stop().await;
}
