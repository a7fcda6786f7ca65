//! Blocks above the finalized ones: in memory, flagged, gone when they lose.
//!
//! ```text
//! best head ──► walk parents down to the branch ──► prepare, as the road does ──► a layer in memory
//! ```
//!
//! * [`Branch`] is what is in memory at one moment; it never changes, so that a
//!   query that holds one sees one branch.
//! * [`Heads`] holds the branch in force and tells of every change.
//! * [`follow`] is the task that keeps it up to date.
//!
//! Nothing in here writes to the store, and nothing in here stops the road.

mod branch;
mod build;
mod follow;
mod walk;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use chain_metadata::{BlockNumber, H256, NetUid};
use tokio::sync::broadcast;

use crate::store::{Checkpoint, Store, StoreError};

pub use branch::{Branch, Unfinalized};
pub use follow::{Options, follow};

/// Most unfinalized blocks in memory.
pub const MOST: usize = 256;

/// Something happened above or at the finalized head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeadEvent {
    /// A block is the best one now; the blocks before it were told before it.
    Added {
        /// Its number.
        number: BlockNumber,
        /// Its hash.
        hash: H256,
        /// Subnets whose epoch ran in it.
        epochs: Vec<NetUid>,
    },
    /// A block that was added is of a branch that lost. Told from the top down.
    Retracted {
        /// Its number.
        number: BlockNumber,
        /// Its hash.
        hash: H256,
    },
    /// A block is on disk, for good.
    Finalized {
        /// Its number.
        number: BlockNumber,
        /// Its hash.
        hash: H256,
    },
}

/// The unfinalized blocks above one store; cheap to clone.
#[derive(Debug, Clone)]
pub struct Heads(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    base: Store,
    branch: RwLock<Arc<Branch>>,
    /// Whoever changes the branch holds this; the last finalized block told.
    told: Mutex<Option<BlockNumber>>,
    events: broadcast::Sender<HeadEvent>,
    trouble: Mutex<Option<String>>,
}

/// The lock, whatever happened to its last holder: what is inside is replaced whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Heads {
    /// Over a store; nothing is above it yet.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn new(base: Store) -> Result<Heads, StoreError> {
        let told = base.last()?;
        Ok(Heads(Arc::new(Shared {
            branch: RwLock::new(Arc::new(Branch::empty(&base))),
            base,
            told: Mutex::new(told),
            events: broadcast::channel(4096).0,
            trouble: Mutex::default(),
        })))
    }

    /// The branch in force.
    pub fn branch(&self) -> Arc<Branch> {
        let branch = self.0.branch.read();
        branch.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The end of the store and the branch above it, if there is one: what one
    /// query reads, whatever happens meanwhile.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn pin(&self) -> Result<(Option<Checkpoint>, Option<Arc<Branch>>), StoreError> {
        // The branch first: the store can only be further than it was then.
        let branch = self.branch();
        let Some(tip) = self.0.base.checkpoint()? else {
            return Ok((None, None));
        };
        let above = branch.best().is_some_and(|(number, _)| number > tip.last);
        let branch = (above && branch.fits(&tip)).then_some(branch);
        Ok((Some(tip), branch))
    }

    /// Hears of every change from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<HeadEvent> {
        self.0.events.subscribe()
    }

    /// Why there are no (new) unfinalized blocks, in one sentence.
    pub fn trouble(&self) -> Option<String> {
        lock(&self.0.trouble).clone()
    }

    fn tell_trouble(&self, trouble: Option<String>) {
        *lock(&self.0.trouble) = trouble;
    }

    /// Takes in what the road has committed: its blocks leave memory, and all of
    /// it does when the chain that is final now is another one.
    fn settle(&self) -> Result<Option<Checkpoint>, StoreError> {
        let mut told = lock(&self.0.told);
        self.settle_locked(&mut told)
    }

    fn settle_locked(
        &self,
        told: &mut Option<BlockNumber>,
    ) -> Result<Option<Checkpoint>, StoreError> {
        let Some(tip) = self.0.base.checkpoint()? else {
            return Ok(None);
        };
        let branch = self.branch();
        let mut events = Vec::new();
        let joined = !branch.goes_on(&tip);
        if joined || branch.root() != Some((tip.last, H256(tip.hash))) {
            let goes_on = !joined && branch.holds(&self.0.base)?;
            if !goes_on {
                events.extend(branch.retracted(0));
                let dropped = branch.blocks().len();
                let finalized = tip.last;
                match joined {
                    true => tracing::info!(dropped, finalized, "a range was joined below"),
                    false => tracing::info!(dropped, finalized, "another branch was finalized"),
                }
            }
            let kept = if goes_on {
                branch.above(tip.last)
            } else {
                Vec::new()
            };
            self.publish(Branch::new(&self.0.base, &tip, kept)?);
        }
        if self.0.events.receiver_count() > 0 {
            let from = told.map_or(tip.first, |told| told.saturating_add(1));
            for number in from..=tip.last {
                if let Some(row) = self.0.base.block(number)? {
                    let hash = H256(row.hash);
                    events.push(HeadEvent::Finalized { number, hash });
                }
            }
        }
        *told = Some(tip.last);
        self.tell(events);
        Ok(Some(tip))
    }

    /// Drops the blocks above the one with this hash, all when it is none of them.
    fn cut(&self, keep: H256) -> Result<(), StoreError> {
        let _held = lock(&self.0.told);
        let branch = self.branch();
        let kept = branch.up_to(keep);
        let dropped = branch.blocks().len().saturating_sub(kept.len());
        if dropped == 0 {
            return Ok(());
        }
        let events = branch.retracted(kept.len());
        metrics::counter!("indexer_reorgs_total").increment(1);
        tracing::info!(dropped, "the best chain changed");
        self.publish(branch.with(&self.0.base, kept)?);
        self.tell(events);
        Ok(())
    }

    /// Puts a block on the branch; `false` when it does not belong there any more.
    fn push(&self, block: Unfinalized) -> Result<bool, StoreError> {
        let mut told = lock(&self.0.told);
        let tip = self.settle_locked(&mut told)?;
        let branch = self.branch();
        let end = branch.best().or(branch.root());
        let fits = end
            == block
                .number
                .checked_sub(1)
                .map(|before| (before, block.parent));
        let above = tip.is_some_and(|tip| tip.first == block.floor);
        if !above || !fits || branch.blocks().len() >= MOST {
            return Ok(false);
        }
        let event = HeadEvent::Added {
            number: block.number,
            hash: block.hash,
            epochs: block.epochs.clone(),
        };
        let mut blocks = branch.blocks().to_vec();
        blocks.push(Arc::new(block));
        self.publish(branch.with(&self.0.base, blocks)?);
        self.tell([event]);
        Ok(true)
    }

    fn publish(&self, branch: Branch) {
        let count = u32::try_from(branch.blocks().len()).unwrap_or(u32::MAX);
        metrics::gauge!("indexer_unfinalized_blocks").set(f64::from(count));
        let mut held = self
            .0
            .branch
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *held = Arc::new(branch);
    }

    /// An error only says that nobody listens.
    fn tell(&self, events: impl IntoIterator<Item = HeadEvent>) {
        for event in events {
            let _ = self.0.events.send(event);
        }
    }
}
