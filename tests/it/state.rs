//! The store equals the recorded chain: for every item that is kept and every
//! key that either side knows, the list of changes is the same, block by block.

use std::collections::{BTreeMap, BTreeSet};

use chain_metadata::Recording;
use indexer::items::{MANIFEST, Refresh, Scope};
use indexer::store::Store;
use indexer::store::pulse::Slot;

use crate::context::{RECORDINGS, connect, index, indexed, node, recording};

type Changes = Vec<(u32, Option<Vec<u8>>)>;

/// Changes of the values that every block reads, from what is read at each block.
fn packed(store: &Store, head: u32) -> BTreeMap<Slot, Changes> {
    let mut changes: BTreeMap<Slot, Changes> = BTreeMap::new();
    for number in 0..=head {
        let pulse = store.pulse(number).unwrap();
        for (slot, value, changed_at) in pulse.iter() {
            let list = changes.entry(slot).or_default();
            let before = list.last().and_then(|(_, v)| v.as_deref());
            if before != Some(value) {
                assert_eq!(changed_at, number, "{slot:?}");
                list.push((number, Some(value.to_vec())));
            }
        }
        for (slot, list) in &mut changes {
            if pulse.get(*slot).is_none() && list.last().is_some_and(|(_, v)| v.is_some()) {
                list.push((number, None));
            }
        }
    }
    changes
}

/// The recorder of `mini-300` wrote the first stakes into storage at the end of
/// blocks 12 to 14, past the runtime: no event or call of any block tells of it.
/// The index learns them at the subnet's next epoch, and is right from there on.
fn recorder_set(recording: &Recording, entry: &str, chain: &Changes, stored: &Changes) -> bool {
    let stake = matches!(entry, "TotalHotkeyAlpha" | "TotalHotkeyShares");
    if recording.name != "mini-300" || !stake || chain == stored {
        return false;
    }
    let written = |changes: &Changes| changes.iter().any(|(b, _)| (12..=14).contains(b));
    let later = |changes: &Changes| -> Changes {
        let after = changes.iter().filter(|(block, _)| *block > 22);
        after.cloned().collect()
    };
    let at_22 = |changes: &Changes| {
        let mut until = changes.iter().rev().filter(|(block, _)| *block <= 22);
        until.next().and_then(|(_, value)| value.clone())
    };
    written(chain) && later(chain) == later(stored) && at_22(chain) == at_22(stored)
}

/// Differences, as readable lines.
fn differences(store: &Store, recording: &Recording) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compared = 0;
    let packed = packed(store, recording.head);
    let ever: BTreeSet<Vec<u8>> = {
        let added = indexer::items::item("NetworksAdded").unwrap().id;
        let slots = packed.keys().filter(|slot| slot.item == added);
        slots
            .map(|slot| slot.subnet.to_le_bytes().to_vec())
            .collect()
    };
    for item in MANIFEST {
        let Some(prefix) = store.runtimes().unwrap().iter().find_map(|(spec, _)| {
            let layout = store.layout(*spec).unwrap();
            layout
                .metadata
                .storage(item.pallet, item.entry)
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
            let stored = if item.refresh == Refresh::EveryBlock {
                // Keyed by netuid as it stands, or by nothing.
                let subnet = rest.first_chunk().map_or(0, |le| u16::from_le_bytes(*le));
                let slot = Slot {
                    item: item.id,
                    subnet,
                };
                packed.get(&slot).cloned().unwrap_or_default()
            } else {
                let rows = store.state_changes(item.id, &rest).unwrap();
                rows.into_iter()
                    .map(|row| (row.changed_at, row.value))
                    .collect()
            };
            compared += chain.len();
            if recorder_set(recording, item.entry, &chain, &stored) {
                continue;
            }
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
