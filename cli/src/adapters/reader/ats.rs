//! The blocks of one read, each opened once.
//!
//! What every block reads of all subnets lies packed in up to 64 rows. A read of many
//! subnets at one block unpacks them once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use chain_metadata::BlockNumber;
use graphql::ports::ReadError;
use indexer::view::At;

use super::StoreReader;

/// Most blocks that are held at a time; a read of more opens some again.
const MOST: usize = 8;

/// Opens blocks for one read.
pub(super) struct Ats<'r> {
    reader: &'r StoreReader,
    found: HashMap<BlockNumber, At>,
}

impl StoreReader {
    /// For one read.
    pub(super) fn ats(&self) -> Ats<'_> {
        Ats {
            reader: self,
            found: HashMap::new(),
        }
    }
}

impl Ats<'_> {
    /// A block with its runtime, as [`StoreReader::at`] finds it.
    pub(super) fn at(&mut self, number: BlockNumber) -> Result<&At, ReadError> {
        if self.found.len() >= MOST && !self.found.contains_key(&number) {
            self.found.clear();
        }
        Ok(match self.found.entry(number) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => place.insert(self.reader.at(number)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use chain_metadata::{MechId, NetUid};
    use graphql::ports::{Epochs as _, Reader as _};
    use indexer::notify::Notify;
    use indexer::pipeline::{self, Plan, Progress};
    use indexer::source::recording::RecordingSource;
    use indexer::store::engine::memory::MemoryEngine;
    use indexer::store::engine::{Range, Rows};
    use indexer::store::tables::Table;
    use indexer::store::{Batch, Engine, EngineError, Store};
    use tokio::sync::watch;

    use super::*;

    /// Counts how many packed rows are read.
    #[derive(Default)]
    struct Counting {
        inner: MemoryEngine,
        packed: AtomicUsize,
    }

    impl Engine for Counting {
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
            if key.first() == Some(&(Table::Pulse as u8)) {
                self.packed.fetch_add(1, Ordering::Relaxed);
            }
            self.inner.get(key)
        }
        fn scan(&self, range: Range) -> Rows<'_> {
            self.inner.scan(range)
        }
        fn commit(&self, batches: Vec<Batch>) -> Result<(), EngineError> {
            self.inner.commit(batches)
        }
        fn size_on_disk(&self) -> Result<u64, EngineError> {
            self.inner.size_on_disk()
        }
        fn verify(&self) -> Result<u64, EngineError> {
            self.inner.verify()
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_read_of_all_subnets_unpacks_their_values_once() {
        let engine = Arc::new(Counting::default());
        let store = Store::open(engine.clone()).unwrap();
        let source = RecordingSource(replay_node::fixture("mini-300").unwrap());
        let plan = Plan {
            until: Some(130),
            ..Plan::default()
        };
        let (progress, _) = watch::channel(Progress::default());
        let (_stop, stop) = watch::channel(false);
        let (source, notify) = (Arc::new(source), Notify::default());
        let road = pipeline::run(source, store.clone(), plan, notify, progress, stop);
        assert_eq!(road.await.unwrap(), Some(130));

        // The last block before a full row: 64 rows are read for it.
        let at = 127;
        let reader = StoreReader::at_rest(store, None);
        let netuids = reader.subnets(&[at]).unwrap().remove(0);
        assert!(netuids.len() > 1, "{netuids:?}");
        let rows = |what: &str, read: &dyn Fn()| {
            engine.packed.store(0, Ordering::Relaxed);
            read();
            let rows = engine.packed.load(Ordering::Relaxed);
            assert!(
                rows <= 64,
                "{what}: {rows} rows for {} subnets",
                netuids.len()
            );
            rows
        };
        let subnets: Vec<(BlockNumber, NetUid)> = netuids.iter().map(|n| (at, *n)).collect();
        let mechanisms: Vec<_> = netuids.iter().map(|n| (at, *n, MechId(0))).collect();
        let all = rows("items", &|| {
            let found = reader.subnet(&subnets).unwrap();
            assert!(found.iter().all(Option::is_some));
        });
        assert_eq!(all, 64);
        rows("metagraphs", &|| {
            let found = reader.metagraphs(&mechanisms).unwrap();
            assert!(found.iter().all(Option::is_some));
        });
        rows("last epochs", &|| {
            drop(reader.last_epochs(&subnets).unwrap())
        });
        rows("epochs", &|| drop(reader.applied(&subnets).unwrap()));
        rows("rows", &|| drop(reader.weights(&mechanisms).unwrap()));
    }
}
