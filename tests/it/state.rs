//! The store equals the recorded chain: for every item that is kept and every
//! key that either side knows, the list of changes is the same, block by block.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chain_metadata::Recording;
use indexer::items::{MANIFEST, Refresh, Scope};
use indexer::pipeline::Plan;
use indexer::source::recording::RecordingSource;
use indexer::store::Store;
use indexer::store::pulse::Slot;

use crate::context::{RECORDINGS, connect, index, index_with, indexed, node, plan, recording};

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
    let stake = matches!(entry, "TotalHotkeyAlpha" | "TotalHotkeyShares" | "Alpha");
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
                // Keyed by nothing, or by netuid, which stands at the end of the key.
                let subnet = rest.last_chunk().map_or(0, |le| u16::from_le_bytes(*le));
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
                if item.scope == Scope::Subnet && !ever.contains(&rest[rest.len() - 2..]) {
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

/// A store that begins in the middle asks the node which accounts have keys.
#[tokio::test(flavor = "multi_thread")]
async fn beginning_in_the_middle_finds_what_accounts_have() {
    for (name, from) in [("mini-300", 200), ("mini-300", 254), ("upgrades", 45)] {
        let recording = recording(name);
        let store = Store::in_memory().unwrap();
        let plan = Plan {
            from: Some(from),
            ..plan(recording.head)
        };
        let source = Arc::new(RecordingSource(recording.clone()));
        index_with(source, &store, plan).await.unwrap();
        let whole = indexed(name).await;
        let mut compared = 0;
        for item in MANIFEST.iter().filter(|item| item.scope.is_open()) {
            let mut keys: BTreeSet<Vec<u8>> =
                whole.state_keys(item.id).unwrap().into_iter().collect();
            keys.extend(store.state_keys(item.id).unwrap());
            for rest in keys {
                for number in from..=recording.head {
                    let value = |store: &Store| {
                        let row = store.state(item.id, &rest, number).unwrap();
                        row.and_then(|row| row.value)
                    };
                    let (a, b) = (value(&whole), value(&store));
                    assert_eq!(
                        a,
                        b,
                        "{name} {number} {} 0x{}",
                        item.entry,
                        hex::encode(&rest)
                    );
                    compared += usize::from(a.is_some());
                }
            }
        }
        assert!(compared > 1_000, "{name}: {compared}");
    }
}

/// Genesis of `mini-300` holds a stake of eight bytes where the runtime reads
/// sixteen: kept as it is, never read as a number.
#[tokio::test(flavor = "multi_thread")]
async fn what_no_runtime_can_read_is_kept_and_said() {
    let store = indexed("mini-300").await;
    let at = |number| indexer::view::at(&store, number).unwrap().unwrap();
    let parts: [&[u8]; 3] = [&[0; 32], &[0; 32], &[1, 0]];
    let (line, entry) = {
        let at = at(0);
        let (line, entry) = at.layout.find("Alpha").unwrap();
        (line, entry.clone())
    };
    let key = entry.key_of_encoded(&parts);
    let row = store.state(line.id, &key[32..], 5).unwrap().unwrap();
    assert_eq!(row.value.unwrap().len(), 8);
    let error = indexer::view::held(&store, &at(5), "Alpha", &parts).unwrap_err();
    let said = error.to_string();
    for word in ["SubtensorModule.Alpha", "block 5", "spec 300"] {
        assert!(said.contains(word), "{said}");
    }
    // The chain took it for nothing, and wrote a share of its own later.
    assert!(
        indexer::view::held(&store, &at(329), "Alpha", &parts)
            .unwrap()
            .stored()
            .is_some()
    );
}
