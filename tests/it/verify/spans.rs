//! Verdicts over several spans of blocks, and after they were joined.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chain_metadata::{MechId, NetUid};
use indexer::notify::Notify;
use indexer::source::recording::RecordingSource;
use indexer::store::Store;
use indexer::verify::{Verdict, follow};

use super::{caught_up, rows};
use crate::context::{index_with, indexed, recording};
use crate::coverage::{join, ranges};

async fn play(store: &Store, range: (u32, u32)) {
    let source = Arc::new(RecordingSource(recording("mini-300")));
    index_with(source, store, ranges(&[range])).await.unwrap();
}

fn seen(store: &Store) -> Vec<(u32, u32)> {
    let all = store.all_looked_at().unwrap();
    all.iter().map(|seen| (seen.first, seen.last)).collect()
}

fn verdict(store: &Store, netuid: u16, block: u32) -> Option<Verdict> {
    let record = store.verdict(NetUid(netuid), MechId(0), block).unwrap();
    record.map(|record| record.verdict)
}

fn lacking() -> Option<Verdict> {
    Some(Verdict::InputIncomplete("block 164 is not stored".into()))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_span_has_verdicts_and_a_joined_one_those_of_one_run() {
    let whole = indexed("mini-300").await;
    caught_up(&whole);
    let wanted = rows(&whole);
    assert_eq!(verdict(&whole, 1, 165), Some(Verdict::Exact));
    // A gap below, and a span that grows at its lower end; three subnets have an
    // epoch in block 165.
    for parts in [
        [(165, 329), (0, 100), (101, 164)],
        [(0, 100), (165, 329), (101, 164)],
        [(165, 329), (101, 164), (0, 100)],
    ] {
        let store = Store::in_memory().unwrap();
        let mut spans = Vec::new();
        for part in parts {
            play(&store, part).await;
            caught_up(&store);
            spans = store.spans().iter().map(|s| (s.first, s.last)).collect();
            assert_eq!(seen(&store), spans, "{parts:?}");
            let highest = store.looked_at().unwrap().unwrap();
            assert_eq!(Some(&(highest.first, highest.last)), spans.last());
            // Once the parent is there, nothing lacks it.
            if part == (101, 164) {
                assert_eq!(verdict(&store, 1, 165), Some(Verdict::Exact));
            } else if spans.last() == Some(&(165, 329)) {
                assert_eq!(verdict(&store, 1, 165), lacking());
                assert_eq!(verdict(&store, 3, 175), Some(Verdict::Exact));
            }
            for netuid in [1, 2, 3].map(NetUid) {
                let lower = |store: &Store| {
                    let records = store.verdicts(netuid, MechId(0), (0, 100), false, 100);
                    records.unwrap()
                };
                let held = store.span_of(100).is_some();
                let wanted = if held { lower(&whole) } else { Vec::new() };
                assert_eq!(lower(&store), wanted, "{parts:?} {netuid}");
                assert!(!lower(&whole).is_empty());
            }
        }
        assert_eq!(spans, [(0, 329)]);
        assert_eq!(rows(&store), wanted, "{parts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_hears_of_blocks_below_the_highest_span() {
    let whole = indexed("mini-300").await;
    caught_up(&whole);
    let wanted = rows(&whole);
    let store = Store::in_memory().unwrap();
    // Nobody tells it of any commit.
    let notify = Notify::default();
    let follower = follow::start(store.clone(), &notify, follow::Stop::default()).unwrap();
    let patience = Instant::now() + Duration::from_secs(120);
    let until = async |done: &dyn Fn() -> bool, what: &str| {
        while !done() {
            assert!(Instant::now() < patience, "{what}: {:?}", seen(&store));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    play(&store, (165, 329)).await;
    until(&|| seen(&store) == [(165, 329)], "the upper span").await;
    assert_eq!(verdict(&store, 2, 165), lacking());
    play(&store, (0, 100)).await;
    until(&|| seen(&store) == [(0, 100), (165, 329)], "the lower one").await;
    play(&store, (101, 164)).await;
    until(&|| seen(&store) == [(0, 329)], "the gap").await;
    assert_eq!(rows(&store), wanted);
    drop(notify);
    follower.join().unwrap();
    assert_eq!(rows(&store), wanted);
}

/// What a join leaves is put right first.
#[tokio::test(flavor = "multi_thread")]
async fn blocks_above_a_join_wait_until_it_is_cleared_up() {
    let whole = Store::in_memory().unwrap();
    play(&whole, (0, 230)).await;
    caught_up(&whole);
    let store = Store::in_memory().unwrap();
    play(&store, (150, 230)).await;
    caught_up(&store);
    play(&store, (0, 148)).await;
    join(&store, 149).await;
    assert_eq!((store.joints().len(), store.restages().len()), (1, 1));
    // Those of the upper span stand for nothing now, those of the lower one end there.
    assert_eq!(store.looked_at().unwrap(), None);
    caught_up(&store);
    assert_eq!(seen(&store), [(0, 149)]);
    // The next run clears up.
    play(&store, (0, 0)).await;
    assert!(store.joints().is_empty() && store.restages().is_empty());
    caught_up(&store);
    assert_eq!(seen(&store), [(0, 230)]);
    assert_eq!(rows(&store), rows(&whole));
}
