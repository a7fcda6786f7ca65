use std::sync::mpsc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::store::engine::memory::MemoryEngine;
use crate::store::engine::{EngineError, Rows};
use crate::store::pulse::{Pulse, Slot};
use crate::store::tables;

proptest! {
    #[test]
    fn what_is_left_of_a_range(range in (0_u32..40, 0_u32..40), starts in proptest::collection::btree_map(0_u32..40, 0_u32..6, 0..6)) {
        let (first, last) = (range.0.min(range.1), range.0.max(range.1));
        let mut others: Vec<(u32, u32)> = Vec::new();
        for (from, len) in starts {
            if others.last().is_none_or(|(_, to)| from > *to) {
                others.push((from, from + len));
            }
        }
        let left = without((first, last), others.iter().copied());
        let held = |n: &u32| others.iter().any(|(a, b)| (a..=b).contains(&n));
        let wanted: Vec<u32> = (first..=last).filter(|n| !held(n)).collect();
        let got: Vec<u32> = left.iter().flat_map(|(a, b)| *a..=*b).collect();
        prop_assert_eq!(got, wanted);
        for pair in left.windows(2) {
            prop_assert!(pair[0].1 + 1 < pair[1].0);
        }
    }
}

#[test]
fn the_end_of_all_numbers_is_no_overflow() {
    assert_eq!(without((5, u32::MAX), [(7, u32::MAX)]), [(5, 6)]);
    assert_eq!(without((0, u32::MAX), []), [(0, u32::MAX)]);
}

fn span(first: u32, last: u32) -> Checkpoint {
    Checkpoint {
        first,
        last,
        hash: [1; 32],
        spec: 1,
        upgraded_to: None,
    }
}

/// An engine whose batches are there long before a commit returns.
struct Flushing {
    rows: MemoryEngine,
    patience: Duration,
    written: mpsc::Sender<()>,
}

impl Engine for Flushing {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.rows.get(key)
    }
    fn scan(&self, range: Range) -> Rows<'_> {
        self.rows.scan(range)
    }
    fn commit(&self, batches: Vec<Batch>) -> Result<(), EngineError> {
        self.rows.commit(batches)?;
        let _ = self.written.send(());
        std::thread::sleep(self.patience);
        Ok(())
    }
    fn size_on_disk(&self) -> Result<u64, EngineError> {
        self.rows.size_on_disk()
    }
    fn verify(&self) -> Result<u64, EngineError> {
        self.rows.verify()
    }
}

#[test]
fn a_read_in_the_middle_of_a_join_is_done_again() {
    let (written, heard) = mpsc::channel();
    let engine = Flushing {
        rows: MemoryEngine::default(),
        patience: Duration::from_millis(60),
        written,
    };
    let store = Store::open(Arc::new(engine)).unwrap();
    let slot = Slot {
        item: 22,
        subnet: 1,
    };
    let value = |number: u32| [(slot, Some(number.to_le_bytes().to_vec()))];
    let pulse_key = |number: u32| Table::Pulse.key(&number.to_be_bytes());
    // Blocks 128 to 149 and 150 to 155, each span with a full row of its own.
    let mut batch = Batch::default();
    let mut lower = Pulse::default();
    for number in 128..150 {
        let row = lower.advance(number, value(number));
        batch.put(pulse_key(number), tables::pack(&row));
    }
    let mut upper = Pulse::default();
    for number in 150..156 {
        let row = upper.advance(number, value(number));
        batch.put(pulse_key(number), tables::pack(&row));
    }
    put_span(&mut batch, &span(128, 149));
    put_span(&mut batch, &span(150, 155));
    store.commit(vec![batch]).unwrap();
    while heard.try_recv().is_ok() {}

    let mut join = Batch::default();
    let row = lower.advance(150, value(150));
    join.put(pulse_key(150), tables::pack(&row));
    delete_span(&mut join, 150);
    put_span(&mut join, &span(128, 155));
    std::thread::scope(|scope| {
        let store = &store;
        let reader = scope.spawn(move || {
            // The rows of the join are there, and nobody was told yet.
            heard.recv().unwrap();
            store.pulse(152)
        });
        store.commit(vec![join]).unwrap();
        let pulse = reader.join().unwrap().unwrap();
        assert_eq!(pulse.get(slot), Some((&152_u32.to_le_bytes()[..], 152)));
    });
}

#[test]
fn spans_are_found_by_their_blocks() {
    let store = Store::in_memory().unwrap();
    let mut batch = Batch::default();
    put_span(&mut batch, &span(0, 9));
    put_span(&mut batch, &span(20, 29));
    store.commit(vec![batch]).unwrap();
    assert_eq!(store.checkpoint().unwrap(), Some(span(20, 29)));
    assert_eq!(store.span_of(9), Some(span(0, 9)));
    assert_eq!(store.span_of(10), None);
    assert_eq!(store.span_to(29), Some(span(20, 29)));
    assert_eq!((store.floor(9), store.floor(25)), (0, 20));
    // A span that begins does not see what lies below it.
    store.starting(12).unwrap();
    assert_eq!(
        (store.floor(9), store.floor(13), store.floor(20)),
        (0, 12, 20)
    );
    store
        .set_missing(&Missing {
            first: 5,
            last: 15,
            reason: "pruned".into(),
        })
        .unwrap();
    let missing = store.missing();
    assert_eq!((missing[0].first, missing[0].last), (10, 15));
    // The same after the store was opened again.
    let again = Store::open(store.engine.clone()).unwrap();
    assert_eq!((again.spans(), again.missing()), (store.spans(), missing));
}
