//! The store equals the recorded chain: for every item that is kept and every
//! key that either side knows, the list of changes is the same, block by block.

use std::collections::BTreeSet;

use chain_metadata::Recording;
use indexer::items::{MANIFEST, PALLET, Scope};
use indexer::store::Store;

use crate::context::{RECORDINGS, connect, index, indexed, node, recording};

/// Differences, as readable lines.
fn differences(store: &Store, recording: &Recording) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compared = 0;
    let ever: BTreeSet<Vec<u8>> = {
        let added = indexer::items::item("NetworksAdded").unwrap();
        store.state_keys(added.id).unwrap().into_iter().collect()
    };
    for item in MANIFEST {
        let Some(prefix) = store.runtimes().unwrap().iter().find_map(|(spec, _)| {
            let layout = store.layout(*spec).unwrap();
            layout
                .metadata
                .storage(PALLET, item.entry)
                .map(|e| e.prefix)
        }) else {
            continue;
        };
        let mut keys: BTreeSet<Vec<u8>> = store.state_keys(item.id).unwrap().into_iter().collect();
        for block in recording.blocks() {
            for (key, _) in recording.diff(block.number) {
                if key.starts_with(&prefix) {
                    keys.insert(key[32..].to_vec());
                }
            }
        }
        for rest in keys {
            let mut key = prefix.to_vec();
            key.extend_from_slice(&rest);
            let chain: Vec<_> = recording
                .changes(&key)
                .map(|(block, value)| (block, value.map(<[u8]>::to_vec)))
                .collect();
            let stored: Vec<_> = store
                .state_changes(item.id, &rest)
                .unwrap()
                .into_iter()
                .map(|row| (row.changed_at, row.value))
                .collect();
            compared += chain.len();
            if chain != stored {
                // A migration of `upgrades` leaves an owner and a date for a subnet
                // that never exists; values of subnets that are not there are not kept.
                if item.scope == Scope::Subnet && !ever.contains(&rest) {
                    assert_eq!(rest, [11, 0], "{}", item.entry);
                    continue;
                }
                let first = chain
                    .iter()
                    .zip(&stored)
                    .position(|(a, b)| a != b)
                    .unwrap_or(chain.len().min(stored.len()));
                wrong.push(format!(
                    "{} 0x{}: {} changes on chain, {} stored, first difference: chain {:?}, stored {:?}",
                    item.entry,
                    hex::encode(&rest),
                    chain.len(),
                    stored.len(),
                    chain.get(first),
                    stored.get(first),
                ));
            }
        }
    }
    assert!(compared > 1_000, "only {compared} changes compared");
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kept_item_is_right_at_every_block() {
    for name in RECORDINGS {
        let wrong = differences(&indexed(name).await, &recording(name));
        assert!(
            wrong.is_empty(),
            "{name}: {} keys differ\n{}",
            wrong.len(),
            wrong[..wrong.len().min(40)].join("\n")
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_changes_nothing() {
    for name in RECORDINGS {
        let node = node(name).await;
        let store = Store::in_memory().unwrap();
        index(connect(&node).await, &store, node.head())
            .await
            .unwrap();
        let over_socket = indexer::check::check(&store).unwrap();
        let without = indexer::check::check(&indexed(name).await).unwrap();
        assert_eq!(over_socket, without, "{name}");
        node.stop().await;
    }
}
