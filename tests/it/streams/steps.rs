//! The steps of commits are found by block, though the ledger keeps them by commit.

use std::sync::Arc;

use indexer::check::{CheckError, check};
use indexer::commits::Transition;
use indexer::source::recording::RecordingSource;
use indexer::store::engine::{Batch, Range};
use indexer::store::tables::Table;
use indexer::store::{Store, StoreError};
use indexer::view::steps::{Did, steps};

use super::truth::{Item, Topic, truth};
use crate::context::{RECORDINGS, connect, index, index_with, indexed, recording};
use crate::coverage::{join, ranges, same};
use crate::heads::{live, stepped};

/// What happened up to a block, so many blocks at once.
fn found(store: &Store, last: u32, length: u32) -> Vec<Item> {
    let mut found = Vec::new();
    let mut first = 0;
    while first <= last {
        let end = last.min(first + length - 1);
        for (block, id, did) in steps(store, first..=end).unwrap() {
            assert!((first..=end).contains(&block), "{block} in {first}..={end}");
            let did = match did {
                Did::Made => "MADE".to_owned(),
                Did::Took(step) => match step.what {
                    Transition::State(state, _) => format!("{state:?}").to_uppercase(),
                    Transition::Revealed(_) => "REVEALED".to_owned(),
                    Transition::Attempt(_) => "ATTEMPTED".to_owned(),
                    Transition::Holder(_) => "MOVED".to_owned(),
                    Transition::Released => "RELEASED".to_owned(),
                },
            };
            let name = format!("{}-{} {did}", id.block, id.index);
            found.push(Item { block, name });
        }
        first = end + 1;
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_found_in_its_block() {
    let mut found_all = 0;
    for name in RECORDINGS {
        let store = indexed(name).await;
        let last = store.last().unwrap().unwrap();
        let truth = truth(&store, Topic::Commits, last);
        for length in [1, 8, last + 1] {
            let found = found(&store, last, length);
            assert_eq!(found, truth, "{name}, {length} at once");
        }
        found_all += truth.len();
    }
    assert!(found_all > 50, "{found_all} steps in all recordings");
}

async fn play(store: &Store, blocks: &[(u32, u32)]) {
    let source = Arc::new(RecordingSource(recording("mini-300")));
    index_with(source, store, ranges(blocks)).await.unwrap();
}

/// The upper range begins between commits and what became of them, knows nothing of those, and
/// takes others for made by nobody.
#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_found_after_ranges_were_joined() {
    let whole = Store::in_memory().unwrap();
    play(&whole, &[(0, 329)]).await;
    let wanted = truth(&whole, Topic::Commits, 329);
    for last in [112, 119, 290] {
        let store = Store::in_memory().unwrap();
        play(&store, &[(last + 1, 329)]).await;
        assert_ne!(found(&store, 329, 8), wanted, "nothing to put right");
        play(&store, &[(0, last - 1)]).await;
        assert_eq!(store.spans().len(), 2);
        join(&store, last).await;
        // Not right yet, but both tables say the same.
        assert_eq!(store.restages().len(), 1);
        check(&store).unwrap();
        assert_eq!(
            found(&store, 329, 8),
            truth(&store, Topic::Commits, 329),
            "joined at {last}"
        );
        play(&store, &[(0, 0)]).await;
        assert!(store.restages().is_empty());
        for length in [1, 8] {
            let found = found(&store, 329, length);
            assert_eq!(found, wanted, "joined at {last}, {length} at once");
        }
        same(&whole, &store, &format!("joined at {last}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_of_unfinalized_blocks_is_found() {
    const LAG: u32 = 12;
    let node = stepped(114, LAG).await;
    let mut live = live(connect(&node).await, Store::in_memory().unwrap()).await;
    let mut above = 0;
    for best in [114, 120, 127] {
        node.advance(best - node.head());
        let branch = live.settled(node.hash(best).unwrap(), best - LAG).await;
        let whole = Store::in_memory().unwrap();
        let source = RecordingSource(recording("mini-300"));
        index(Arc::new(source), &whole, best).await.unwrap();
        let wanted = truth(&whole, Topic::Commits, best);
        above += wanted.iter().filter(|i| i.block > best - LAG).count();
        for length in [1, 8] {
            assert_eq!(found(branch.store(), best, length), wanted, "at {best}");
        }
        // A branch that loses takes its steps along.
        let fork = node.faults().fork(3);
        live.settled(fork[2], best - LAG).await;
        node.advance(4);
        let main = node.head();
        let branch = live.settled(node.hash(main).unwrap(), main - LAG).await;
        let whole = Store::in_memory().unwrap();
        let source = RecordingSource(recording("mini-300"));
        index(Arc::new(source), &whole, main).await.unwrap();
        let wanted = truth(&whole, Topic::Commits, main);
        assert_eq!(found(branch.store(), main, 8), wanted, "at {main}");
    }
    assert!(above > 10, "{above} steps in unfinalized blocks");
    live.end().await;
    node.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_not_found_by_its_block_does_not_pass_the_check() {
    let store = Store::in_memory().unwrap();
    play(&store, &[(0, 130)]).await;
    check(&store).unwrap();
    let rows = Range::prefix(&Table::CommitStepAt.key(&[]));
    let (key, value) = store.engine().scan(rows).next().unwrap().unwrap();
    let write = |key: &[u8], value: Option<&[u8]>| -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.ops.push((key.to_vec(), value.map(<[u8]>::to_vec)));
        store.commit(vec![batch])
    };
    write(&key, None).unwrap();
    let error = check(&store).unwrap_err();
    assert!(matches!(error, CheckError::Steps { .. }), "{error}");
    assert!(error.to_string().contains("index again"), "{error}");
    // Another row in its place makes the numbers equal, nothing else.
    let mut other = key.clone();
    other[4] ^= 1;
    write(&other, Some(&value)).unwrap();
    let error = check(&store).unwrap_err();
    assert!(matches!(error, CheckError::Steps { .. }), "{error}");
    write(&other, None).unwrap();
    write(&key, Some(&value)).unwrap();
    check(&store).unwrap();
}
