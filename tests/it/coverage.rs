//! Several ranges of blocks in one store, filled in any order and side by side,
//! are in the end the same as one undisturbed run: every row of every table.

mod kill;
mod live;
mod orders;
mod pruned;

use std::collections::BTreeMap;
use std::sync::Arc;

use indexer::check::check;
use indexer::items::{MANIFEST, Refresh};
use indexer::pipeline::Plan;
use indexer::plan::Planner;
use indexer::source::recording::RecordingSource;
use indexer::source::{ChainSource, Want};
use indexer::stages::{Tip, block_batch, join_batch};
use indexer::store::Store;
use indexer::store::engine::Range;
use indexer::store::tables::ALL;
use indexer::view;
use indexer::world::World;

use crate::context::{connect, index_with, indexed, node, plan, recording};

/// Only these blocks, without following.
pub(crate) fn ranges(ranges: &[(u32, u32)]) -> Plan {
    Plan {
        ranges: ranges.to_vec(),
        until: Some(0),
        ..Plan::default()
    }
}

/// Rows of two stores that differ, as readable lines.
pub(crate) fn differences(wanted: &Store, found: &Store) -> Vec<String> {
    let rows = |store: &Store| -> BTreeMap<Vec<u8>, Vec<u8>> {
        let tables = ALL.iter();
        let rows = tables.flat_map(|t| store.engine().scan(Range::prefix(&t.key(&[]))));
        rows.map(Result::unwrap).collect()
    };
    let (wanted, found) = (rows(wanted), rows(found));
    let keys: std::collections::BTreeSet<_> = wanted.keys().chain(found.keys()).collect();
    let shown = |row: Option<&Vec<u8>>| row.map(|r| hex::encode(&r[..r.len().min(40)]));
    keys.into_iter()
        .filter(|key| wanted.get(*key) != found.get(*key))
        .map(|key| {
            let (a, b) = (shown(wanted.get(key)), shown(found.get(key)));
            format!("{} wanted {a:?} found {b:?}", hex::encode(key))
        })
        .collect()
}

pub(crate) fn same(wanted: &Store, found: &Store, what: &str) {
    let differ = differences(wanted, found);
    assert!(
        differ.is_empty(),
        "{what}: {} rows differ\n{}",
        differ.len(),
        differ[..differ.len().min(30)].join("\n")
    );
    assert_eq!(check(wanted).unwrap(), check(found).unwrap(), "{what}");
}

async fn play(store: &Store, name: &str, plan: Plan) {
    let source = Arc::new(RecordingSource(recording(name)));
    index_with(source, store, plan).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_in_any_order_become_one_run() {
    let whole = Store::in_memory().unwrap();
    play(&whole, "mini-300", plan(295)).await;
    let parts = [(0, 100), (101, 199), (200, 295)];
    for order in [
        [0, 2, 1],
        [0, 1, 2],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let store = Store::in_memory().unwrap();
        for part in order {
            play(&store, "mini-300", ranges(&[parts[part]])).await;
        }
        assert_eq!(store.spans().len(), 1, "{order:?}");
        same(&whole, &store, &format!("in the order {order:?}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_side_by_side_become_one_run() {
    for name in ["mini-300", "upgrades"] {
        let whole = indexed(name).await;
        let head = recording(name).head;
        let node = node(name).await;
        for (split, at_once) in [(2, 2), (5, 2), (37, 8)] {
            let store = Store::in_memory().unwrap();
            // The recorder of `mini-300` wrote stakes past the runtime in blocks 12 to
            // 14. A range that begins between them and the epoch in block 22 is right
            // before that epoch, one that does not learns it there.
            play(&store, name, ranges(&[(0, 22)])).await;
            let plan = Plan {
                from: Some(23),
                split,
                ranges_at_once: at_once,
                window: 8,
                ..plan(head)
            };
            index_with(connect(&node).await, &store, plan)
                .await
                .unwrap();
            same(&whole, &store, &format!("{name} in {split} pieces"));
        }
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_begins_late_is_filled_below() {
    let whole = indexed("mini-300").await;
    let node = node("mini-300").await;
    let store = Store::in_memory().unwrap();
    for from in [250, 120, 119, 1, 0] {
        let plan = Plan {
            from: Some(from),
            ..plan(329)
        };
        index_with(connect(&node).await, &store, plan)
            .await
            .unwrap();
        let spans: Vec<_> = store.spans().iter().map(|s| (s.first, s.last)).collect();
        assert_eq!(spans, [(from, 329)]);
        check(&store).unwrap();
    }
    same(&whole, &store, "filled below");
    node.stop().await;
}

/// Values and the blocks of their last change, at every block that is held.
fn state_equals(whole: &Store, store: &Store, blocks: impl Iterator<Item = u32>) {
    let mut compared = 0;
    for number in blocks {
        for item in MANIFEST.iter().filter(|i| i.refresh != Refresh::EveryBlock) {
            for rest in whole.state_keys(item.id).unwrap() {
                let wanted = whole.state(item.id, &rest, number).unwrap();
                let found = store.state(item.id, &rest, number).unwrap();
                let value = |row: Option<indexer::store::read::StateRow>| {
                    row.and_then(|r| Some((r.changed_at, r.value?)))
                };
                assert_eq!(
                    value(wanted),
                    value(found),
                    "block {number} {} 0x{}",
                    item.entry,
                    hex::encode(&rest)
                );
                compared += 1;
            }
        }
        let (a, b) = (whole.pulse(number).unwrap(), store.pulse(number).unwrap());
        assert_eq!(a, b, "block {number}");
    }
    assert!(compared > 10_000, "{compared}");
}

/// Joins the span from block 0, which ends before `last`, by `last` and the block
/// after it to the one above, and does nothing else.
pub(crate) async fn join(store: &Store, last: u32) {
    let source = Arc::new(RecordingSource(recording("mini-300")));
    let below = store.span_from(0).unwrap();
    let at = view::at(store, below.last).unwrap().unwrap();
    let world = World::load(store, &at).unwrap();
    let mut planner = Planner::resumed(source.clone(), at.layout, world, below.upgraded_to);
    let ahead = planner.ahead();
    let numbers = [last, last + 1];
    let want = numbers.map(|number| Want {
        at: source.0.block(number).unwrap().hash,
        keys: ahead.keys.clone(),
    });
    let window = source.blocks(&numbers, &want).await.unwrap();
    let (blocks, error) = planner.prepare(window, &ahead).await;
    assert!(error.is_none(), "{error:?}");
    let mut tip = Tip::of(store, 0);
    let ordinary = block_batch(store, &mut tip, &blocks[0]).unwrap();
    let above = store.span_from(last + 1).unwrap();
    let joint = join_batch(store, &mut tip, &blocks[1], &above).unwrap();
    store.commit(vec![ordinary, joint]).unwrap();
}

/// What is served is right from the join on, also before the store is cleared up.
#[tokio::test(flavor = "multi_thread")]
async fn state_is_right_as_soon_as_two_ranges_are_one() {
    let whole = indexed("mini-300").await;
    let store = Store::in_memory().unwrap();
    play(&store, "mini-300", ranges(&[(150, 230)])).await;
    // Between the two ranges nothing leaks through.
    play(&store, "mini-300", ranges(&[(0, 120)])).await;
    assert_eq!(store.spans().len(), 2);
    let tempo = indexer::items::item("Tempo").unwrap();
    let early = store.state(tempo.id, &1_u16.to_le_bytes(), 200).unwrap();
    assert_eq!(early.unwrap().changed_at, 150);
    assert!(view::at(&store, 130).unwrap().is_none());
    // As if it were stopped at the very join.
    play(&store, "mini-300", ranges(&[(121, 148)])).await;
    join(&store, 149).await;
    assert_eq!(store.spans().len(), 1);
    assert_eq!((store.joints().len(), store.restages().len()), (1, 1));
    assert_eq!(check(&store).unwrap().unfinished, 1);
    let blocks = (100..=230).filter(|n| n % 7 == 3 || (148..=156).contains(n));
    state_equals(&whole, &store, blocks.chain([192, 191, 193, 230]));
    // The next run does what is left, and nothing else.
    play(&store, "mini-300", ranges(&[(0, 0)])).await;
    assert!(store.joints().is_empty() && store.restages().is_empty());
    let undisturbed = Store::in_memory().unwrap();
    play(&undisturbed, "mini-300", ranges(&[(0, 230)])).await;
    same(&undisturbed, &store, "stopped at the join");
}
