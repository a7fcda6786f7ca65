//! `docs/schema.md`: every table and item is in it, and its example bytes are real.

use std::collections::BTreeSet;
use std::path::Path;

use chain_metadata::Metadata;
use indexer::items::MANIFEST;
use indexer::store::engine::Range;
use indexer::store::tables::ALL;

use crate::context::{RECORDINGS, indexed};

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema.md");
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn every_table_and_every_item_is_in_it() {
    let text = document();
    let headings: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("### `"))
        .collect();
    for table in ALL {
        let wanted = format!("### `{}` ({}): ", table.name(), table as u8);
        let found = headings.iter().filter(|line| line.starts_with(&wanted));
        assert_eq!(found.count(), 1, "docs/schema.md has no heading {wanted:?}");
    }
    assert_eq!(
        headings.len(),
        ALL.len(),
        "a table that is not there: {headings:#?}"
    );
    let missing: Vec<String> = MANIFEST
        .iter()
        .map(|item| format!("| {} | `{}` |", item.id, item.entry))
        .filter(|row| !text.lines().any(|line| line.starts_with(row)))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/schema.md lacks rows of items: {missing:#?}"
    );
    let rows = text.lines().filter(|line| {
        let number = line
            .strip_prefix("| ")
            .and_then(|rest| rest.split(' ').next());
        number.is_some_and(|n| n.parse::<u16>().is_ok()) && line.matches('|').count() == 6
    });
    assert_eq!(rows.count(), MANIFEST.len(), "an item that is not there");
}

/// Metadata of every runtime that the tests have.
fn runtimes() -> Vec<Metadata> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../chain-metadata/fixtures/metadata");
    let files = std::fs::read_dir(folder).unwrap();
    files
        .map(|file| {
            let packed = std::fs::read(file.unwrap().path()).unwrap();
            Metadata::from_bytes(&zstd::decode_all(packed.as_slice()).unwrap()).unwrap()
        })
        .collect()
}

#[test]
fn what_is_not_kept_is_named_with_a_reason() {
    let text = document();
    let section = text.split("### Not kept, and why").nth(1).unwrap();
    let section = section.split("\n### ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let mut named = BTreeSet::new();
    for row in rows {
        let (entries, why) = row.trim_matches('|').split_once(" | ").unwrap();
        assert!(why.trim().len() > 20, "{row}");
        for entry in entries.split(", ") {
            let entry = entry.trim().trim_matches('`').to_owned();
            assert!(named.insert(entry.clone()), "{entry} stands twice");
        }
    }
    let mut left = BTreeSet::new();
    for metadata in runtimes() {
        for pallet in ["SubtensorModule", "Swap", "Commitments", "Proxy"] {
            let entries = metadata.pallet(pallet).into_iter().flat_map(|p| &p.storage);
            let names = entries.map(|entry| entry.name.clone());
            left.extend(names.filter(|name| MANIFEST.iter().all(|item| item.entry != name)));
        }
    }
    assert!(left.len() > 100, "{left:?}");
    assert_eq!(named, left);
}

#[tokio::test(flavor = "multi_thread")]
async fn its_examples_are_rows_of_a_store() {
    let text = document();
    let examples: Vec<&str> = text
        .split("```text\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .flat_map(str::lines)
        .collect();
    assert!(examples.len() >= 10, "{examples:?}");
    let mut rows = BTreeSet::new();
    for name in RECORDINGS {
        let store = indexed(name).await;
        for table in ALL {
            for row in store.engine().scan(Range::prefix(&table.key(&[]))) {
                let (key, value) = row.unwrap();
                let (key, value) = (hex::encode(&key[1..]), hex::encode(&value));
                rows.insert(
                    format!("{} {key} = {value}", table.name())
                        .trim_end()
                        .to_owned(),
                );
            }
        }
    }
    let wrong: Vec<_> = examples
        .iter()
        .filter(|line| !rows.contains(**line))
        .collect();
    assert!(wrong.is_empty(), "no such rows: {wrong:#?}");
}
