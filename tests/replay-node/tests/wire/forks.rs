//! Short forks that lose against the final branch.

use std::collections::HashSet;

use replay_node::ReplayNode;
use serde_json::{Value, json};

use crate::support::*;

/// Hashes of the best chain from `from` to its head, as a client sees it.
async fn best_chain(client: &jsonrpsee::ws_client::WsClient, from: u32) -> Vec<Value> {
    let mut hashes = Vec::new();
    for number in from.. {
        match ask(client, "chain_getBlockHash", json!([number])).await {
            Value::Null => break,
            hash => hashes.push(hash),
        }
    }
    hashes
}

fn finals(node: &ReplayNode, numbers: std::ops::RangeInclusive<u32>) -> Vec<Value> {
    numbers
        .map(|number| json!(node.hash(number).unwrap()))
        .collect()
}

#[tokio::test]
async fn a_fork_is_best_until_the_final_branch_goes_on() {
    for depth in 1..=8 {
        let (node, recording) = (stepped(20, 0).await, mini());
        let client = connect(&node).await;
        let mut best = heads(&client, "NewHeads").await;
        let mut all = heads(&client, "AllHeads").await;
        let mut finalized = heads(&client, "FinalizedHeads").await;
        for heads in [&mut best, &mut all, &mut finalized] {
            assert_eq!(next(heads).await.number, 20);
        }

        let fork = node.faults().fork(depth);
        assert_eq!(fork.len(), usize::try_from(depth).unwrap());
        let mut parent = node.hash(20).unwrap();
        let mut bodies = HashSet::new();
        for (number, hash) in (21..).zip(&fork) {
            let header = next(&mut best).await;
            assert_eq!(header, next(&mut all).await);
            assert_eq!((header.number, header.parent_hash), (number, parent));
            assert_eq!(hash_of(&header), *hash);
            let block = ask(&client, "chain_getBlock", json!([hash])).await;
            assert_eq!(
                block["block"]["header"],
                serde_json::to_value(&header).unwrap()
            );
            let own: Vec<_> = recording
                .block(number)
                .unwrap()
                .extrinsics
                .iter()
                .map(|xt| to_hex(xt))
                .collect();
            assert_ne!(block["block"]["extrinsics"], json!(own));
            assert!(!block["block"]["extrinsics"].as_array().unwrap().is_empty());
            bodies.insert(block["block"]["extrinsics"].to_string());
            assert_ne!(Some(*hash), node.hash(number));
            assert!(
                ask(&client, "state_getStorage", json!([EVENTS, hash]))
                    .await
                    .is_string()
            );
            parent = *hash;
        }
        assert_eq!(bodies.len(), fork.len());
        nothing(&mut finalized).await;
        let seen: Vec<Value> = fork.iter().map(|hash| json!(hash)).collect();
        assert_eq!(best_chain(&client, 21).await, seen);
        assert_eq!(
            ask(&client, "chain_getFinalizedHead", json!([])).await,
            json!(node.hash(20))
        );

        node.advance(2);
        for number in [21, 22] {
            for heads in [&mut best, &mut all, &mut finalized] {
                assert_eq!(Some(hash_of(&next(heads).await)), node.hash(number));
            }
        }
        assert_eq!(best_chain(&client, 20).await, finals(&node, 20..=22));
        // A losing block can still be read by its hash.
        let block = ask(&client, "chain_getBlock", json!([fork[0]])).await;
        assert_eq!(block["block"]["header"]["number"], "0x15");
        node.stop().await;
    }
}

#[tokio::test]
async fn without_finality_the_longer_branch_wins() {
    let node = stepped(20, 10).await;
    let client = connect(&node).await;
    let mut best = heads(&client, "NewHeads").await;
    let mut all = heads(&client, "AllHeads").await;
    assert_eq!(
        (next(&mut best).await.number, next(&mut all).await.number),
        (20, 20)
    );
    let fork = node.faults().fork(2);
    for _ in 0..2 {
        assert_eq!(next(&mut best).await, next(&mut all).await);
    }
    // 21 and 22 of the final branch arrive but are no longer than the fork.
    node.advance(2);
    for number in [21, 22] {
        assert_eq!(Some(hash_of(&next(&mut all).await)), node.hash(number));
    }
    nothing(&mut best).await;
    assert_eq!(
        ask(&client, "chain_getBlockHash", json!([22])).await,
        json!(fork[1])
    );
    let arrived = ask(&client, "chain_getHeader", json!([node.hash(22)])).await;
    assert_eq!(arrived["number"], "0x16");
    node.advance(1);
    assert_eq!(Some(hash_of(&next(&mut best).await)), node.hash(23));
    assert_eq!(best_chain(&client, 21).await, finals(&node, 21..=23));
    node.stop().await;
}

#[tokio::test]
async fn forks_have_a_limit_and_differ() {
    let node = stepped(20, 0).await;
    let client = connect(&node).await;
    assert_eq!(node.faults().fork(100).len(), 8);
    node.advance(1);
    let first = node.faults().fork(1);
    node.faults().go_back(1);
    node.advance(1);
    let second = node.faults().fork(1);
    assert_ne!(first, second);
    // Also at the end of the chain.
    node.advance(1000);
    let fork = node.faults().fork(3);
    assert_eq!(fork.len(), 3);
    assert_eq!(
        ask(&client, "chain_getBlockHash", json!([332])).await,
        json!(fork[2])
    );
    node.stop().await;
}

#[tokio::test]
async fn a_fork_that_lost_can_become_the_best_again() {
    let node = stepped(20, 10).await;
    let client = connect(&node).await;
    let mut best = heads(&client, "NewHeads").await;
    assert_eq!(next(&mut best).await.number, 20);
    let fork = node.faults().fork(3);
    for hash in &fork {
        assert_eq!(hash_of(&next(&mut best).await), *hash);
    }
    node.advance(4);
    assert_eq!(Some(hash_of(&next(&mut best).await)), node.hash(24));
    assert!(node.faults().switch_to(fork[1]));
    assert_eq!(hash_of(&next(&mut best).await), fork[1]);
    let seen: Vec<Value> = fork[..2].iter().map(|hash| json!(hash)).collect();
    assert_eq!(best_chain(&client, 21).await, seen);
    // The final branch is longer with its next block.
    node.advance(1);
    assert_eq!(Some(hash_of(&next(&mut best).await)), node.hash(25));
    assert_eq!(best_chain(&client, 21).await, finals(&node, 21..=25));
    // No block of a fork, and a fork below the finalized head.
    assert!(!node.faults().switch_to(node.hash(21).unwrap()));
    node.advance(6);
    assert!(!node.faults().switch_to(fork[2]));
    node.stop().await;
}
