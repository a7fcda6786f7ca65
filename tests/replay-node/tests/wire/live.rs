//! A chain that grows: by hand, by the clock, with and without finality behind it.

use std::time::{Duration, Instant};

use replay_node::{Mode, Options, StartError, start};
use serde_json::{Value, json};

use crate::raw::Raw;
use crate::support::*;

#[tokio::test]
async fn only_blocks_that_came_are_known() {
    let (node, recording) = (stepped(5, 0).await, mini());
    let client = connect(&node).await;
    let hash = |number: u32| recording.block(number).unwrap().hash;
    assert_eq!(node.head(), 5);
    assert_eq!(
        ask(&client, "chain_getBlockHash", json!([5])).await,
        json!(hash(5))
    );
    assert_eq!(
        ask(&client, "chain_getBlockHash", json!([6])).await,
        Value::Null
    );
    assert_eq!(
        ask(&client, "chain_getBlock", json!([hash(6)])).await,
        Value::Null
    );
    assert_eq!(
        refused(&client, "state_getStorage", json!([NUMBER, hash(6)]))
            .await
            .0,
        -32000
    );
    assert_eq!(
        ask(&client, "chain_getFinalizedHead", json!([])).await,
        json!(hash(5))
    );

    assert_eq!(node.advance(2), 2);
    assert_eq!(node.head(), 7);
    assert_eq!(
        ask(&client, "chain_getBlockHash", json!([])).await,
        json!(hash(7))
    );
    assert_eq!(node.advance(1000), 329 - 7);
    assert_eq!(node.advance(1), 0);
    assert_eq!(
        ask(&client, "chain_getFinalizedHead", json!([])).await,
        json!(hash(329))
    );
    node.stop().await;
}

#[tokio::test]
async fn heads_are_announced_under_their_names() {
    let node = stepped(5, 0).await;
    let client = connect(&node).await;
    for kind in [
        "FinalizedHeads",
        "NewHeads",
        "AllHeads",
        "FinalisedHeads",
        "NewHead",
    ] {
        let head = node.head();
        let mut heads = heads(&client, kind).await;
        assert_eq!(next(&mut heads).await.number, head, "{kind}");
        nothing(&mut heads).await;
        node.advance(3);
        for number in head + 1..=head + 3 {
            let header = next(&mut heads).await;
            assert_eq!(header.number, number, "{kind}");
            assert_eq!(Some(hash_of(&header)), node.hash(number), "{kind}");
        }
        heads.unsubscribe().await.unwrap();
    }
    node.stop().await;
}

#[tokio::test]
async fn notifications_have_the_names_of_a_real_node() {
    // Read from the wire: clients' libraries do not show the names.
    let node = stepped(5, 0).await;
    let mut client = Raw::connect(&node).await;
    for (subscribe, list, notification) in [
        (
            "chain_subscribeFinalizedHeads",
            json!([]),
            "chain_finalizedHead",
        ),
        ("chain_subscribeNewHeads", json!([]), "chain_newHead"),
        ("chain_subscribeAllHeads", json!([]), "chain_allHead"),
        (
            "state_subscribeRuntimeVersion",
            json!([]),
            "state_runtimeVersion",
        ),
        ("state_subscribeStorage", json!([[NUMBER]]), "state_storage"),
    ] {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": subscribe, "params": list});
        client.send(&request).await;
        let mut subscription = Value::Null;
        for _ in 0..2 {
            let message = client.receive().await;
            if message["id"] == 1 {
                subscription = message["result"].clone();
                assert!(!subscription.is_null());
            } else {
                assert_eq!(message["method"], notification);
                assert_eq!(message["params"]["subscription"], subscription);
                assert!(message["params"]["result"].is_object());
            }
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn finality_may_be_behind() {
    let (node, recording) = (stepped(10, 3).await, mini());
    let client = connect(&node).await;
    let hash = |number: u32| json!(recording.block(number).unwrap().hash);
    assert_eq!(
        ask(&client, "chain_getFinalizedHead", json!([])).await,
        hash(7)
    );
    assert_eq!(
        ask(&client, "chain_getBlockHash", json!([])).await,
        hash(10)
    );
    let mut finalized = heads(&client, "FinalizedHeads").await;
    let mut best = heads(&client, "NewHeads").await;
    assert_eq!(
        (
            next(&mut finalized).await.number,
            next(&mut best).await.number
        ),
        (7, 10)
    );
    node.advance(1);
    assert_eq!(
        (
            next(&mut finalized).await.number,
            next(&mut best).await.number
        ),
        (8, 11)
    );
    node.stop().await;
}

#[tokio::test]
async fn the_clock_adds_blocks_until_the_end() {
    let every = Duration::from_millis(5);
    let mode = Mode::Live { start: 320, every };
    let began = Instant::now();
    let node = node(Options {
        mode,
        ..Options::default()
    })
    .await;
    let client = connect(&node).await;
    let mut finalized = heads(&client, "FinalizedHeads").await;
    let mut last = 319;
    while last < 329 {
        let number = next(&mut finalized).await.number;
        assert!(number > last);
        last = number;
    }
    assert!(began.elapsed() >= every * 9);
    nothing(&mut finalized).await;
    assert_eq!(node.head(), 329);
    node.stop().await;
}

#[tokio::test]
async fn what_cannot_be_started_says_why() {
    let mode = Mode::Stepped { start: 330 };
    let error = start(
        mini(),
        Options {
            mode,
            ..Options::default()
        },
    )
    .await
    .unwrap_err();
    assert!(matches!(
        error,
        StartError::StartHeight {
            start: 330,
            end: 329
        }
    ));
    let mode = Mode::Live {
        start: 0,
        every: Duration::ZERO,
    };
    let error = start(
        mini(),
        Options {
            mode,
            ..Options::default()
        },
    )
    .await
    .unwrap_err();
    assert!(error.to_string().contains("Stepped"), "{error}");
    let node = whole().await;
    let error = start(
        mini(),
        Options {
            listen: node.addr(),
            ..Options::default()
        },
    )
    .await
    .unwrap_err()
    .to_string();
    assert!(
        error.contains(&node.addr().to_string()) && error.contains("choose another"),
        "{error}"
    );
    node.stop().await;
}

#[tokio::test]
async fn a_stopped_node_is_gone_and_its_port_free() {
    let node = whole().await;
    let listen = node.addr();
    let client = connect(&node).await;
    node.stop().await;
    assert!(try_ask(&client, "system_chain", json!([])).await.is_err());
    let again = start(
        mini(),
        Options {
            listen,
            ..Options::default()
        },
    )
    .await
    .unwrap();
    let client = connect(&again).await;
    ask(&client, "system_chain", json!([])).await;
    // Dropping ends it as well.
    drop(again);
    assert!(try_ask(&client, "system_chain", json!([])).await.is_err());
}
