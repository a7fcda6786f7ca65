//! A commit whose flush fails may have left its rows: their numbers are not given again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use challenges::ledger::Ledger;
use challenges::record::{Entry, Provenance, Record, Reporter, Submission};
use indexer::store::Store;
use indexer::store::engine::memory::MemoryEngine;
use indexer::store::engine::{Batch, Engine, EngineError, Range, Rows};

/// An engine that keeps its rows and says that they may be lost.
#[derive(Default)]
struct Unflushed {
    rows: MemoryEngine,
    fails: AtomicBool,
}

impl Engine for Unflushed {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.rows.get(key)
    }
    fn scan(&self, range: Range) -> Rows<'_> {
        self.rows.scan(range)
    }
    fn commit(&self, batches: Vec<Batch>) -> Result<(), EngineError> {
        self.rows.commit(batches)?;
        match self.fails.load(Ordering::SeqCst) {
            true => Err(EngineError::Io {
                doing: "flushing to disk",
                why: "the disk is full".into(),
            }),
            false => Ok(()),
        }
    }
    fn size_on_disk(&self) -> Result<u64, EngineError> {
        self.rows.size_on_disk()
    }
    fn verify(&self) -> Result<u64, EngineError> {
        self.rows.verify()
    }
}

fn entry(id: &str) -> Entry {
    Entry {
        netuid: 61,
        challenge: "c".into(),
        subject: id.into(),
        provenance: Provenance {
            reporter: Reporter::Computed,
            received_ms: 1,
            checked_at: None,
            signature: None,
            payload: "00".repeat(32),
        },
        record: Record::Submission(Submission {
            id: id.into(),
            at_ms: None,
            details: serde_json::Value::Null,
        }),
    }
}

#[test]
fn no_record_takes_the_place_of_another() {
    let engine = Arc::new(Unflushed::default());
    let ledger = Ledger::open(Store::open(engine.clone()).unwrap()).unwrap();
    ledger.append(&[entry("a")], Batch::default()).unwrap();
    engine.fails.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let lost = [entry("b"), entry("c")];
        ledger.append(&lost, Batch::default()).unwrap_err();
    }
    engine.fails.store(false, Ordering::SeqCst);
    let number = ledger.append(&[entry("d")], Batch::default()).unwrap();
    let kept = ledger.from(0, 100).unwrap();
    let subjects: Vec<&str> = kept.iter().map(|(_, e)| e.subject.as_str()).collect();
    assert_eq!(subjects, ["a", "b", "c", "b", "c", "d"]);
    assert_eq!((number, ledger.len()), (5, 6));
    assert_eq!(ledger.get(number).unwrap(), Some(entry("d")));
}
