//! Every extrinsic, event and storage item of the recordings decodes with no
//! byte left, each with the runtime of its parent's state.

use std::collections::BTreeMap;
use std::sync::Arc;

use chain_metadata::{Metadata, Recording, decode_events, decode_extrinsic, encode_extrinsic};

use crate::context::{RECORDINGS, recording};

fn runtimes(recording: &Recording) -> BTreeMap<u32, Arc<Metadata>> {
    recording
        .specs()
        .map(|spec| {
            let bytes = recording.metadata(spec, 14).unwrap();
            (spec, Arc::new(Metadata::from_bytes(bytes).unwrap()))
        })
        .collect()
}

/// The runtime that executed a block.
fn executed(recording: &Recording, number: u32) -> u32 {
    recording.spec_of_state(number.saturating_sub(1)).unwrap()
}

#[test]
fn every_extrinsic_decodes_and_encodes_back() {
    let expected = [623, 295];
    for (name, expected) in RECORDINGS.into_iter().zip(expected) {
        let recording = recording(name);
        let runtimes = runtimes(&recording);
        let mut count = 0;
        for block in recording.blocks() {
            let metadata = &runtimes[&executed(&recording, block.number)];
            for raw in &block.extrinsics {
                let extrinsic = decode_extrinsic(metadata, raw)
                    .unwrap_or_else(|e| panic!("{name} {}: {e}", block.number));
                assert_eq!(encode_extrinsic(metadata, &extrinsic).unwrap(), *raw);
                assert_eq!(extrinsic.hash, chain_metadata::blake2_256(raw));
                count += 1;
            }
        }
        assert_eq!(count, expected, "{name}");
    }
}

#[test]
fn every_event_decodes() {
    for name in RECORDINGS {
        let recording = recording(name);
        let runtimes = runtimes(&recording);
        let mut of_ours = 0;
        for block in recording.blocks().iter().skip(1) {
            let metadata = &runtimes[&executed(&recording, block.number)];
            let key = metadata.storage("System", "Events").unwrap().prefix;
            let Some(bytes) = recording.storage(block.number, &key) else {
                continue;
            };
            let events = decode_events(metadata, bytes)
                .unwrap_or_else(|e| panic!("{name} {}: {e}", block.number));
            of_ours += events
                .iter()
                .filter(|e| &*e.pallet == "SubtensorModule")
                .count();
        }
        assert!(of_ours > 100, "{name}: {of_ours} events of the pallet");
    }
}

#[test]
fn every_storage_item_of_the_pallet_decodes() {
    for name in RECORDINGS {
        let recording = recording(name);
        let runtimes = runtimes(&recording);
        let (mut values, mut unknown) = (0, Vec::new());
        // Genesis is what the network was started with, not what a runtime wrote.
        for block in recording.blocks().iter().skip(1) {
            let spec = executed(&recording, block.number);
            let metadata = &runtimes[&spec];
            let pallet = metadata.pallet("SubtensorModule").unwrap();
            let prefix = &pallet.storage[0].prefix[..16];
            for (key, value) in recording.diff(block.number) {
                // Recordings list writes that change nothing; one of them is a
                // stake of the genesis state in a layout that no runtime reads.
                let before = recording.storage(block.number - 1, key);
                if !key.starts_with(prefix) || before == value {
                    continue;
                }
                let Some(entry) = metadata.storage_by_key(key) else {
                    unknown.push((block.number, hex::encode(key), value.is_some()));
                    continue;
                };
                let at = format!("{name} {} {}", block.number, entry.name);
                entry
                    .decode_keys(metadata.types(), key)
                    .unwrap_or_else(|e| panic!("{at}: {e}"));
                if let Some(bytes) = value {
                    let value = entry
                        .decode_value(metadata.types(), bytes)
                        .unwrap_or_else(|e| panic!("{at}: {e}"));
                    entry
                        .check_value(metadata.types(), bytes)
                        .unwrap_or_else(|e| panic!("{at}: {e}"));
                    let mut again = Vec::new();
                    chain_metadata::encode_type(metadata.types(), entry.value, &value, &mut again)
                        .unwrap();
                    assert_eq!(again, bytes, "{at}");
                    values += 1;
                }
            }
        }
        // The pallet's storage version, and items that a migration removes from
        // a layout older than the runtime that runs it: keys no metadata names.
        for (block, key, has_value) in &unknown {
            let version = key.ends_with("4e7b9012096b41c4eb3aaf947f6ea429");
            assert!(
                version || !has_value,
                "{name} {block}: {key} is in no metadata"
            );
        }
        assert!(values > 2_000, "{name}: {values}");
    }
}
