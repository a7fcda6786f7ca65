//! The recordings inside the crate, and those in folders.

use std::path::{Path, PathBuf};

use replay_node::{FIXTURES, LoadError, fixture, load_dir};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(name)
}

#[test]
fn the_built_in_recordings_are_whole() {
    let facts: Vec<_> = FIXTURES
        .iter()
        .map(|name| {
            let recording = fixture(name).unwrap();
            assert_eq!(recording.name, *name);
            let extrinsics: usize = recording.blocks().iter().map(|b| b.extrinsics.len()).sum();
            let specs: Vec<u32> = recording.specs().collect();
            let state = recording.keys(recording.head, &[], None, usize::MAX).len();
            let writes: usize = (1..=recording.head)
                .map(|n| recording.diff(n).count())
                .sum();
            (
                recording.head,
                specs,
                extrinsics,
                recording.calls().len(),
                state,
                writes,
            )
        })
        .collect();
    assert_eq!(facts[0].0, 329);
    assert_eq!(facts[0].1, [300]);
    assert_eq!((facts[0].3, facts[0].4, facts[0].5), (133, 2276, 84262));
    assert_eq!(facts[1].0, 129);
    assert_eq!(facts[1].1, [103, 119, 143]);
    assert_eq!((facts[1].3, facts[1].4, facts[1].5), (7, 637, 13329));
    assert!(facts[0].2 > 329 && facts[1].2 > 129);
}

#[test]
fn storage_is_what_adding_up_the_changes_gives() {
    for name in FIXTURES {
        let recording = fixture(name).unwrap();
        let mut state = std::collections::BTreeMap::new();
        for number in 0..=recording.head {
            for (key, value) in recording.diff(number) {
                match value {
                    Some(value) => state.insert(key, value),
                    None => state.remove(key),
                };
            }
            if number % 40 == 9 || number == recording.head {
                let keys = recording.keys(number, &[], None, usize::MAX);
                assert_eq!(keys, state.keys().copied().collect::<Vec<_>>());
                for (key, value) in &state {
                    assert_eq!(recording.storage(number, key), Some(*value));
                }
            }
        }
    }
}

#[test]
fn a_folder_is_the_same_recording() {
    let (read, built_in) = (
        load_dir(&folder("upgrades")).unwrap(),
        fixture("upgrades").unwrap(),
    );
    assert_eq!(read.blocks(), built_in.blocks());
    assert_eq!(read.calls(), built_in.calls());
}

#[test]
fn what_cannot_be_loaded_is_named() {
    let error = fixture("finney").unwrap_err().to_string();
    assert!(
        error.contains("finney") && error.contains("mini-300"),
        "{error}"
    );
    let error = load_dir(&folder("nowhere")).unwrap_err();
    assert!(matches!(error, LoadError::Folder { .. }));
    let error = error.to_string();
    assert!(
        error.contains("nowhere") && error.contains("chain.json"),
        "{error}"
    );
}

#[test]
fn a_truncated_copy_is_named() {
    let copy = std::env::temp_dir().join(format!("replay-node-{}", std::process::id()));
    std::fs::create_dir_all(copy.join("metadata")).unwrap();
    for file in ["chain.json", "genesis.json.zst", "calls.jsonl.zst"] {
        std::fs::copy(folder("upgrades").join(file), copy.join(file)).unwrap();
    }
    let blocks = std::fs::read(folder("upgrades").join("blocks.jsonl.zst")).unwrap();
    std::fs::write(copy.join("blocks.jsonl.zst"), &blocks[..blocks.len() / 2]).unwrap();
    let error = load_dir(&copy).unwrap_err().to_string();
    std::fs::remove_dir_all(&copy).unwrap();
    assert!(
        error.contains("blocks.jsonl.zst is not a whole zstandard file"),
        "{error}"
    );
}
