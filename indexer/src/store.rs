//! The store: typed tables over a byte engine, with history.
//!
//! Rows are only ever added by [`Store::commit`], one [`Batch`] a block, the
//! checkpoint inside. Chain state is kept as changes: a row per storage key and
//! block at which its value changed, found again as "the last row at or before
//! block N".

mod backwards;
pub mod commits;
pub mod conformance;
pub mod engine;
pub mod frames;
pub mod history;
pub mod memo;
pub mod pulse;
pub mod read;
pub mod rowcodec;
pub mod spans;
pub mod stakes;
mod sweep;
pub mod tables;
pub mod verdicts;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, RwLock};

use chain_metadata::{BlockNumber, H256, Metadata, SpecVersion};

pub use engine::{Batch, Engine, EngineError};
pub use read::{BlockRow, Checkpoint, RuntimeRow};
pub use spans::{Joint, Missing, Restage};

use crate::items::Layout;
use engine::overlay::{Layer, Overlay};
use tables::{FORMAT_VERSION, Table, meta};

/// Why the store refused or failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The engine below failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The folder was written by another format.
    #[error(
        "the store has format {found}, this program reads and writes format {expected}: move the folder away and index again, or use the matching release"
    )]
    Format {
        /// Format found on disk.
        found: u32,
        /// Format of this program.
        expected: u32,
    },
    /// The folder belongs to another chain.
    #[error(
        "the store holds the chain with genesis {stored}, the node serves genesis {offered}: give another --data-dir or another node"
    )]
    Genesis {
        /// Genesis hash in the store.
        stored: H256,
        /// Genesis hash of the node.
        offered: H256,
    },
    /// A row does not have the bytes its table promises.
    #[error(
        "table {table}, key 0x{key}: {what}: the store is damaged, move the folder away and index again"
    )]
    Row {
        /// Table name.
        table: &'static str,
        /// Key in hex.
        key: String,
        /// What is wrong.
        what: String,
    },
    /// The store holds no chain yet.
    #[error(
        "the store is empty: run `yumascope index` or `yumascope run` with this --data-dir first"
    )]
    Empty,
    /// Metadata of a stored runtime cannot be read.
    #[error("stored metadata of spec {spec}: {what}")]
    Metadata {
        /// Spec version.
        spec: SpecVersion,
        /// Cause.
        what: String,
    },
}

/// Bytes of values that a store keeps in memory where nothing else is said.
const MEMO_BYTES: u64 = 32 << 20;

/// The tables of one chain over one engine; cheap to clone, safe to share.
#[derive(Clone)]
pub struct Store {
    engine: Arc<dyn Engine>,
    layouts: Arc<RwLock<HashMap<SpecVersion, Arc<Layout>>>>,
    known: Arc<RwLock<Arc<spans::Known>>>,
    /// What layers in memory add to what is known; `None` where there are none.
    top: Option<Arc<spans::Above>>,
    /// Blocks above this one are not final; `None` where all are.
    final_to: Option<BlockNumber>,
    /// Values read before; `None` where layers lie above.
    memo: Option<Arc<memo::Memo>>,
    /// Runtimes that only layers above the store have.
    above: Arc<HashMap<SpecVersion, Arc<Layout>>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

impl Store {
    /// Opens a store over `engine`; writes the format version into an empty one.
    pub fn open(engine: Arc<dyn Engine>) -> Result<Store, StoreError> {
        match engine.get(&Table::Meta.key(meta::FORMAT))? {
            Some(bytes) => {
                let found = read::u32_row(Table::Meta, meta::FORMAT, &bytes)?;
                if found != FORMAT_VERSION {
                    return Err(StoreError::Format {
                        found,
                        expected: FORMAT_VERSION,
                    });
                }
            }
            None => {
                let mut batch = Batch::default();
                batch.put(
                    Table::Meta.key(meta::FORMAT),
                    FORMAT_VERSION.to_be_bytes().to_vec(),
                );
                engine.commit(vec![batch])?;
            }
        }
        let known = spans::Known::load(&*engine)?;
        Ok(Store {
            engine,
            layouts: Arc::default(),
            known: Arc::new(RwLock::new(Arc::new(known))),
            top: None,
            final_to: None,
            memo: Some(Arc::new(memo::Memo::new(MEMO_BYTES))),
            above: Arc::default(),
        })
    }

    /// Opens the sled store in `dir`, creating it if `create` is set.
    pub fn open_sled(dir: &Path, create: bool, cache_bytes: u64) -> Result<Store, StoreError> {
        if crate::compact::interrupted(dir) {
            return Err(StoreError::Engine(EngineError::Open {
                dir: dir.display().to_string(),
                why: "a compaction of it was cut off; run `yumascope compact` with this --data-dir to finish it".into(),
            }));
        }
        let engine = engine::sled::SledEngine::open(dir, create, cache_bytes)?;
        let mut store = Store::open(Arc::new(engine))?;
        // Half as much as the engine keeps of its pages.
        store.memo = Some(Arc::new(memo::Memo::new(cache_bytes / 2)));
        Ok(store)
    }

    /// A store in memory, for tests and for one-off computations.
    pub fn in_memory() -> Result<Store, StoreError> {
        Store::open(Arc::new(engine::memory::MemoryEngine::default()))
    }

    /// The engine below.
    pub fn engine(&self) -> &dyn Engine {
        self.engine.as_ref()
    }

    /// This store with layers in memory above block `final_to`, lowest first;
    /// `layouts` are the runtimes of their blocks. Neither get into this one.
    /// Spans that are joined in this one are joined in the other as well.
    ///
    /// # Errors
    ///
    /// When a layer's checkpoint cannot be read.
    pub fn under(
        &self,
        final_to: BlockNumber,
        layers: Vec<Arc<Layer>>,
        layouts: &[Arc<Layout>],
    ) -> Result<Store, StoreError> {
        let bound = self.layouts.read();
        let bound = |spec| bound.as_ref().is_ok_and(|bound| bound.contains_key(&spec));
        let above = layouts.iter().filter(|layout| !bound(layout.spec));
        let above = above.map(|layout| (layout.spec, layout.clone())).collect();
        let top = spans::Above::of(&layers)?.map(Arc::new);
        Ok(Store {
            engine: Arc::new(Overlay::new(self.engine.clone(), layers)),
            layouts: self.layouts.clone(),
            known: self.known.clone(),
            top,
            final_to: Some(final_to),
            memo: None,
            above: Arc::new(above),
        })
    }

    /// The same store; blocks up to `final_to` are final by now.
    pub fn final_to(&self, final_to: BlockNumber) -> Store {
        Store {
            final_to: Some(final_to),
            ..self.clone()
        }
    }

    /// Whether a block that the store has is final. All are that are on disk.
    pub fn is_final(&self, number: BlockNumber) -> bool {
        self.final_to.is_none_or(|last| number <= last)
    }

    /// Commits block batches in order; each is atomic, all are durable on return.
    pub fn commit(&self, batches: Vec<Batch>) -> Result<(), StoreError> {
        let spans = Store::about_spans(&batches);
        if self.top.is_some() {
            return Ok(self.engine.commit(batches)?);
        }
        let joins = spans::joins(&spans);
        if joins {
            self.joining(true)?;
        }
        let rewrites = joins || memo::rewrites(&self.known(), &batches);
        let done = self.engine.commit(batches);
        let done = match done {
            Ok(()) => self.committed(spans),
            Err(error) => self.joining(false).and(Err(error.into())),
        };
        // Also after an error: some of the batches may be there.
        if let Some(memo) = &self.memo
            && rewrites
        {
            memo.clear();
        }
        done
    }

    /// Refuses a node of another chain; remembers the genesis of the first one.
    pub fn bind_genesis(&self, offered: H256) -> Result<(), StoreError> {
        match self.genesis()? {
            Some(stored) if stored == offered => Ok(()),
            Some(stored) => Err(StoreError::Genesis { stored, offered }),
            None => {
                let mut batch = Batch::default();
                batch.put(Table::Meta.key(meta::GENESIS), offered.0.to_vec());
                self.commit(vec![batch])
            }
        }
    }

    /// The manifest bound to a stored runtime, parsed once and kept.
    pub fn layout(&self, spec: SpecVersion) -> Result<Arc<Layout>, StoreError> {
        if let Some(found) = self.above.get(&spec) {
            return Ok(found.clone());
        }
        if let Some(found) = self.layouts.read().ok().and_then(|m| m.get(&spec).cloned()) {
            return Ok(found);
        }
        let broken = |what: String| StoreError::Metadata { spec, what };
        let row = self
            .runtime(spec)?
            .ok_or_else(|| broken("no such runtime in the store".into()))?;
        let bytes = self
            .metadata_bytes(&row.metadata_hash)?
            .ok_or_else(|| broken("its bytes are missing".into()))?;
        let metadata = Metadata::from_bytes(&bytes).map_err(|e| broken(e.to_string()))?;
        let layout = Layout::new(spec, Arc::new(metadata), Arc::new(bytes)).map_err(broken)?;
        let layout = Arc::new(layout);
        if let Ok(mut cache) = self.layouts.write() {
            cache.insert(spec, layout.clone());
        }
        Ok(layout)
    }

    /// Height of the highest committed block, if any.
    pub fn last(&self) -> Result<Option<BlockNumber>, StoreError> {
        Ok(self.checkpoint()?.map(|c| c.last))
    }
}
