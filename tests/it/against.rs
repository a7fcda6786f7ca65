//! `check --against-node`: a good store passes, an altered row is found.

use std::collections::BTreeSet;
use std::sync::Arc;

use indexer::against::{Compared, Samples, compare};
use indexer::items::item;
use indexer::source::recording::RecordingSource;
use indexer::store::engine::Range;
use indexer::store::tables::{self, Table};
use indexer::store::{Batch, Store};
use replay_node::ReplayNode;

use crate::context::{connect, index, index_with, indexed, node, outcome, plan, recording, text};

const SEED: u64 = 7;

async fn compared(store: &Store, node: &ReplayNode, count: u32) -> Compared {
    let source = connect(node).await;
    let samples = Samples { count, seed: SEED };
    compare(store, &*source, samples).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_store_passes() {
    let node = node("upgrades").await;
    let store = indexed("upgrades").await;
    let done = compared(&store, &node, 20_000).await;
    assert_eq!(done.differences, []);
    assert_eq!((done.first, done.last), (0, node.head()));
    assert_eq!(done.blocks, node.head() + 1);
    assert_eq!(done.state + done.pulse, 20_000);
    assert!(done.items > 60, "{done:?}");
    assert!(
        done.absent > 1_000 && done.state - done.absent > 1_000,
        "{done:?}"
    );
    assert!(done.pulse > 1_000, "{done:?}");
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_begins_later_passes_too() {
    let node = node("mini-300").await;
    let store = Store::in_memory().unwrap();
    let plan = indexer::pipeline::Plan {
        from: Some(30),
        ..plan(200)
    };
    index_with(connect(&node).await, &store, plan)
        .await
        .unwrap();
    let done = compared(&store, &node, 5_000).await;
    assert_eq!(done.differences, []);
    assert_eq!((done.first, done.last), (30, 200));
    node.stop().await;
}

/// The last row under a prefix.
fn last_row(store: &Store, prefix: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let mut rows = store.engine().scan(Range::prefix(prefix).reversed());
    rows.next().unwrap().unwrap()
}

fn write(store: &Store, key: Vec<u8>, value: Option<Vec<u8>>) {
    let mut batch = Batch::default();
    match value {
        Some(value) => batch.put(key, value),
        None => batch.delete(key),
    }
    store.commit(vec![batch]).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_altered_is_found_and_nothing_else() {
    let node = node("upgrades").await;
    let good = indexed("upgrades").await;
    let tempo = item("Tempo").unwrap();
    let rest = good.state_keys(tempo.id).unwrap().remove(0);
    let prefix = tables::state_prefix(tempo.id, &rest);
    let (state_key, state_value) = last_row(&good, &prefix);
    let (body_key, _) = last_row(&good, &Table::Body.key(&[]));
    let (pulse_key, _) = last_row(&good, &Table::Pulse.key(&[]));

    // One byte of a value.
    let store = indexed("upgrades").await;
    let mut wrong = state_value.clone();
    *wrong.last_mut().unwrap() ^= 1;
    write(&store, state_key.clone(), Some(wrong));
    let done = compared(&store, &node, 20_000).await;
    let items: BTreeSet<_> = done.differences.iter().map(|d| &*d.item).collect();
    assert_eq!(items, BTreeSet::from(["SubtensorModule.Tempo"]));
    for difference in &done.differences {
        assert!(difference.key.ends_with(&rest));
        let (stored, node) = (
            difference.stored.clone().unwrap(),
            difference.node.clone().unwrap(),
        );
        assert_eq!(stored[0], node[0]);
        assert_eq!(stored[1], node[1] ^ 1);
    }

    // A row that is not there.
    write(&store, state_key, None);
    let done = compared(&store, &node, 20_000).await;
    assert!(!done.differences.is_empty());
    assert!(
        done.differences
            .iter()
            .all(|d| d.stored != d.node && d.item.ends_with(".Tempo"))
    );

    // A body without its extrinsics, and a pulse row without its changes.
    let store = indexed("upgrades").await;
    write(&store, body_key, Some(tables::pack(&[0])));
    write(&store, pulse_key, Some(tables::pack(&[0])));
    let done = compared(&store, &node, 20_000).await;
    assert!(done.differences.iter().all(|d| d.block == node.head()));
    assert!(
        done.differences
            .iter()
            .any(|d| d.item == "extrinsic 0" && d.stored.is_none())
    );
    assert!(
        done.differences
            .iter()
            .any(|d| d.item.starts_with("SubtensorModule."))
    );
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_says_what_it_compared_and_fails_when_something_differs() {
    let node = node("upgrades").await;
    let dir = tempfile::tempdir().unwrap();
    let head = node.head();
    {
        let store = Store::open_sled(dir.path(), true, 16 << 20).unwrap();
        let source = Arc::new(RecordingSource(recording("upgrades")));
        index(source.clone(), &store, head).await.unwrap();
        store.bind_genesis(source.0.genesis_hash).unwrap();
    }
    let url = node.ws_url();
    let args = [
        "check",
        "--data-dir",
        text(dir.path()),
        "--against-node",
        &url,
        "--samples",
        "4000",
        "--seed",
        "7",
    ];
    let run = |args: &[&str]| {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        tokio::task::spawn_blocking(move || {
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            outcome(&args)
        })
    };
    let done = run(&args).await.unwrap();
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        done.status.success(),
        "{out}{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(
        out.contains("4000 values of") && out.ends_with("differs 0\n"),
        "{out}"
    );

    {
        let store = Store::open_sled(dir.path(), false, 16 << 20).unwrap();
        let item = item("NetworksAdded").unwrap();
        assert!(store.state_keys(item.id).unwrap().is_empty());
        let kappa = indexer::items::item("Kappa").unwrap();
        let rest = store.state_keys(kappa.id).unwrap().remove(0);
        let (key, mut value) = last_row(&store, &tables::state_prefix(kappa.id, &rest));
        *value.last_mut().unwrap() ^= 1;
        write(&store, key, Some(value));
    }
    let done = run(&args).await.unwrap();
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(!done.status.success(), "{out}");
    assert!(out.contains("SubtensorModule.Kappa key 0x"), "{out}");
    let mut with_json = args.to_vec();
    with_json.push("--json");
    let done = run(&with_json).await.unwrap();
    assert!(!done.status.success());
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let differences = report["against"]["differences"].as_array().unwrap();
    assert!(!differences.is_empty());
    assert_eq!(differences[0]["item"], "SubtensorModule.Kappa");
    assert_ne!(differences[0]["stored"], differences[0]["node"]);
    node.stop().await;
}
