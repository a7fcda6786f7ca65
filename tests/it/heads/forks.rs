//! Forks of every depth, back and forth, and one that finality passes.

use std::time::Duration;

use chain_metadata::H256;
use indexer::check::check;
use indexer::heads::HeadEvent;
use indexer::source::{ChainSource, Want};
use indexer::store::Store;
use indexer::view;
use replay_node::ReplayNode;

use super::{added, dump, finals, fresh, live, retracted, stepped, undisturbed};
use crate::context::connect;

/// What is served of an unfinalized block is what the node has under its hash.
async fn equals_the_node(store: &Store, node: &ReplayNode, number: u32, hash: H256) {
    let at = view::at(store, number).unwrap().unwrap();
    assert_eq!((H256(at.row.hash), at.finalized), (hash, false));
    assert_eq!(store.block_number(&hash).unwrap(), Some(number));
    let source = connect(node).await;
    let events = at.layout.system_keys()[0].clone();
    let want = Want {
        at: hash,
        keys: vec![events],
    };
    let raw = source.blocks(&[number], &[want]).await.unwrap().remove(0);
    assert_eq!(store.body(number).unwrap().unwrap(), raw.extrinsics);
    assert_eq!(store.events(number).unwrap(), raw.values[0]);
    let bodies = view::extrinsics(store, &at).unwrap();
    assert_eq!(bodies.len(), raw.extrinsics.len());
    assert!(!view::events(store, &at).unwrap().is_empty());
    for netuid in view::subnets(store, &at).unwrap() {
        let found = view::metagraph(store, &at, netuid, chain_metadata::MechId(0));
        assert!(found.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forks_of_depth_one_to_eight_come_and_go() {
    const LAG: u32 = 12;
    let node = stepped(60, LAG).await;
    let mut live = live(connect(&node).await, Store::in_memory().unwrap()).await;
    live.settled(node.hash(60).unwrap(), 60 - LAG).await;
    live.changes();
    let mut head = 60;
    for depth in 1..=8 {
        let fork = node.faults().fork(depth);
        let best = *fork.last().unwrap();
        let branch = live.settled(best, head - LAG).await;
        assert_eq!(branch.blocks().len(), usize::try_from(LAG + depth).unwrap());
        assert_eq!(live.changes(), added(&branch, &fork), "depth {depth}");
        for (number, hash) in (head + 1..).zip(&fork) {
            equals_the_node(branch.store(), &node, number, *hash).await;
        }
        let last = head - LAG + 1;
        equals_the_node(branch.store(), &node, last, node.hash(last).unwrap()).await;

        node.advance(depth + 1);
        let lowest = head + 1;
        head += depth + 1;
        let won = finals(&node, lowest..=head);
        let branch = live.settled(*won.last().unwrap(), head - LAG).await;
        let told = [retracted(&fork, lowest), added(&branch, &won)].concat();
        assert_eq!(live.changes(), told, "depth {depth}");
        for hash in &fork {
            assert_eq!(branch.store().block_number(hash).unwrap(), None);
        }
        assert_eq!(
            dump(&branch),
            fresh(&node, &live.store, *won.last().unwrap()).await,
            "depth {depth}"
        );
        assert_eq!(live.store.last().unwrap(), Some(head - LAG));
    }
    let store = live.end().await;
    assert_eq!(check(&store).unwrap(), undisturbed(head - LAG).await);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reorg_back_and_forth_asks_for_nothing_twice() {
    let node = stepped(60, 20).await;
    let mut live = live(connect(&node).await, Store::in_memory().unwrap()).await;
    let fork = node.faults().fork(3);
    live.settled(fork[2], 40).await;
    node.advance(4);
    live.settled(node.hash(64).unwrap(), 44).await;
    live.changes();
    for (round, main) in [(0, 64), (1, 65), (2, 66)] {
        node.reset_counts();
        assert!(node.faults().switch_to(fork[2]));
        let branch = live.settled(fork[2], main - 20).await;
        let back = [
            retracted(&finals(&node, 61..=main), 61),
            added(&branch, &fork),
        ];
        assert_eq!(live.changes(), back.concat(), "round {round}");
        assert_eq!(node.counts().of("chain_getBlock"), 0, "round {round}");
        assert_eq!(
            dump(&branch),
            fresh(&node, &live.store, fork[2]).await,
            "round {round}"
        );

        node.advance(1);
        let main = main + 1;
        let best = node.hash(main).unwrap();
        let branch = live.settled(best, main - 20).await;
        let forth = [
            retracted(&fork, 61),
            added(&branch, &finals(&node, 61..=main)),
        ];
        assert_eq!(live.changes(), forth.concat(), "round {round}");
        assert_eq!(dump(&branch), fresh(&node, &live.store, best).await);
    }
    // A part of it is a branch, too.
    assert!(node.faults().switch_to(fork[0]));
    let branch = live.settled(fork[0], 47).await;
    assert_eq!(branch.best(), Some((61, fork[0])));
    let store = live.end().await;
    assert_eq!(check(&store).unwrap(), undisturbed(47).await);
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn finality_of_another_branch_drops_all_of_it() {
    let node = stepped(60, 2).await;
    let mut live = live(connect(&node).await, Store::in_memory().unwrap()).await;
    let mut all = live.heads.subscribe();
    let fork = node.faults().fork(8);
    let held = live.settled(fork[7], 58).await;
    live.changes();
    // The final branch stays shorter, but finality passes the fork's parent.
    node.advance(4);
    let best = node.hash(64).unwrap();
    let branch = live.settled(best, 62).await;
    let mut told = retracted(&fork, 61);
    let mut heard = live.changes();
    let rest = heard.split_off(told.len());
    assert_eq!(heard, told);
    // What became final at once need not have been added before.
    told = added(&branch, &finals(&node, 63..=64));
    assert!(rest.ends_with(&told), "{rest:?}");
    // Nothing of the other branch is told final before the fork is retracted.
    let mut dropped = 0;
    while let Ok(event) = all.try_recv() {
        match event {
            HeadEvent::Retracted { .. } => dropped += 1,
            HeadEvent::Finalized { number, hash } => {
                assert_eq!(Some(hash), node.hash(number));
                assert!(number <= 60 || dropped == 8, "{number} after {dropped}");
            }
            HeadEvent::Added { .. } => {}
        }
    }
    // A reader that still holds the old branch can tell.
    assert!(!held.holds(&live.store).unwrap());
    assert!(branch.holds(&live.store).unwrap());
    assert_eq!(dump(&branch), fresh(&node, &live.store, best).await);
    let (tip, pinned) = live.heads.pin().unwrap();
    assert_eq!(tip.unwrap().last, 62);
    assert_eq!(pinned.unwrap().best(), Some((64, best)));
    let store = live.end().await;
    assert_eq!(check(&store).unwrap(), undisturbed(62).await);
    node.stop().await;
}

/// Waits until nothing more is asked.
async fn quiet_node(node: &ReplayNode) {
    let mut before = node.counts().requests;
    loop {
        tokio::time::sleep(Duration::from_millis(10)).await;
        let now = node.counts().requests;
        if now == before {
            return;
        }
        before = now;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_block_costs_at_most_four_requests_with_heads_on() {
    for lag in [0, 1, 3] {
        let node = stepped(12 + lag, lag).await;
        let mut live = live(connect(&node).await, Store::in_memory().unwrap()).await;
        live.settled(node.hash(12 + lag).unwrap(), 12).await;
        let (mut most, mut sum, mut quiet) = (0, 0, 0);
        for number in 13..=120 {
            live.changes();
            // What is still asked of the block before is counted there.
            quiet_node(&node).await;
            node.reset_counts();
            node.advance(1);
            let best = number + lag;
            live.settled(node.hash(best).unwrap(), number).await;
            quiet_node(&node).await;
            let requests = node.counts().requests;
            let at = view::at(&live.store, number).unwrap().unwrap();
            let ran = |number: u32, store: &Store| {
                let subnets = view::subnets(store, &at).unwrap();
                subnets
                    .iter()
                    .any(|n| store.epochs(n.0, number, 1).unwrap() == [number])
            };
            let branch = live.heads.branch();
            if !ran(number, &live.store) && !ran(best, branch.store()) {
                most = most.max(requests);
                sum += requests;
                quiet += 1;
            }
        }
        assert!(quiet > 60, "{quiet} blocks without an epoch");
        assert!(
            most <= 4,
            "finality {lag} behind: {most} requests for one block, {sum} for {quiet}"
        );
        live.end().await;
        node.stop().await;
    }
}
