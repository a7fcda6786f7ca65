//! The unfinalized blocks at one moment.

use std::sync::Arc;

use chain_metadata::{BlockNumber, H256, NetUid};

use super::HeadEvent;
use crate::items::Layout;
use crate::store::engine::overlay::Layer;
use crate::store::{Checkpoint, Store, StoreError};

/// A block in memory with the rows that the road would write for it.
#[derive(Debug, Clone)]
pub struct Unfinalized {
    /// Its number.
    pub number: BlockNumber,
    /// Its hash.
    pub hash: H256,
    /// Hash of the block before.
    pub parent: H256,
    /// First block of the span that its rows go on from: what they say of the time
    /// before it is right as long as the span begins there.
    pub floor: BlockNumber,
    /// Subnets whose epoch ran in it.
    pub epochs: Vec<NetUid>,
    /// Its rows.
    pub rows: Arc<Layer>,
    /// The runtime that executed it.
    pub layout: Arc<Layout>,
}

/// A chain of blocks above one block of the store, and a store that has both.
#[derive(Debug)]
pub struct Branch {
    /// The stored block that it stands on.
    root: Option<(BlockNumber, H256)>,
    /// Lowest first, without a gap.
    blocks: Vec<Arc<Unfinalized>>,
    store: Store,
}

impl Branch {
    /// Nothing above a store.
    pub(super) fn empty(base: &Store) -> Branch {
        Branch {
            root: None,
            blocks: Vec::new(),
            store: base.clone(),
        }
    }

    /// Blocks above the end of a store.
    pub(super) fn new(
        base: &Store,
        tip: &Checkpoint,
        blocks: Vec<Arc<Unfinalized>>,
    ) -> Result<Branch, StoreError> {
        let root = Some((tip.last, H256(tip.hash)));
        Branch::on(base, root, blocks)
    }

    /// Other blocks on the same stored block.
    pub(super) fn with(
        &self,
        base: &Store,
        blocks: Vec<Arc<Unfinalized>>,
    ) -> Result<Branch, StoreError> {
        Branch::on(base, self.root, blocks)
    }

    fn on(
        base: &Store,
        root: Option<(BlockNumber, H256)>,
        blocks: Vec<Arc<Unfinalized>>,
    ) -> Result<Branch, StoreError> {
        let store = match root {
            Some((final_to, _)) if !blocks.is_empty() => {
                let layers = blocks.iter().map(|block| block.rows.clone()).collect();
                let layouts: Vec<_> = blocks.iter().map(|block| block.layout.clone()).collect();
                base.under(final_to, layers, &layouts)?
            }
            _ => base.clone(),
        };
        Ok(Branch {
            root,
            blocks,
            store,
        })
    }

    /// Number and hash of the stored block that it stands on; `None` over an empty store.
    pub fn root(&self) -> Option<(BlockNumber, H256)> {
        self.root
    }

    /// Its blocks, lowest first.
    pub fn blocks(&self) -> &[Arc<Unfinalized>] {
        &self.blocks
    }

    /// Number and hash of its last block; `None` when it has none.
    pub fn best(&self) -> Option<(BlockNumber, H256)> {
        self.blocks.last().map(|block| (block.number, block.hash))
    }

    /// The store with its blocks. Only for blocks of the branch and below its
    /// root: while it is read the store may be given blocks of another branch,
    /// which [`Branch::holds`] finds out afterwards.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Whether a block of the branch, or its root, has this hash.
    pub fn has(&self, hash: H256) -> bool {
        self.root.is_some_and(|(_, root)| root == hash)
            || self.blocks.iter().any(|block| block.hash == hash)
    }

    /// Whether its rows go on from the span that ends with a stored tip. After that
    /// was joined to one below, they do not: they know nothing of the blocks there.
    pub fn goes_on(&self, tip: &Checkpoint) -> bool {
        self.blocks.iter().all(|block| block.floor == tip.first)
    }

    /// Whether a stored tip is the root or one of the blocks, and the rows go on from
    /// its span.
    pub fn fits(&self, tip: &Checkpoint) -> bool {
        let at = (tip.last, H256(tip.hash));
        let among = self.root == Some(at)
            || self
                .blocks
                .iter()
                .any(|block| (block.number, block.hash) == at);
        among && self.goes_on(tip)
    }

    /// Whether everything that the store has now is of this branch, as far as
    /// the branch goes, and nothing was joined below it. It was so at every moment
    /// before, too: blocks are only ever added to a store.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn holds(&self, base: &Store) -> Result<bool, StoreError> {
        let (Some(tip), Some((number, hash))) = (base.checkpoint()?, self.best()) else {
            return Ok(true);
        };
        if tip.last <= number {
            return Ok(self.fits(&tip));
        }
        let row = base.block(number)?;
        Ok(self.goes_on(&tip) && row.is_some_and(|row| row.hash == hash.0))
    }

    /// The blocks above a height.
    pub(super) fn above(&self, number: BlockNumber) -> Vec<Arc<Unfinalized>> {
        let above = self.blocks.iter().filter(|block| block.number > number);
        above.cloned().collect()
    }

    /// The blocks up to the one with this hash; none when it is not among them.
    pub(super) fn up_to(&self, hash: H256) -> Vec<Arc<Unfinalized>> {
        let place = self.blocks.iter().position(|block| block.hash == hash);
        let kept = place.and_then(|place| self.blocks.get(..=place));
        kept.unwrap_or_default().to_vec()
    }

    /// The end of the blocks after the first `kept`, from the top down.
    pub(super) fn retracted(&self, kept: usize) -> Vec<HeadEvent> {
        let gone = self.blocks.iter().skip(kept).rev();
        let event = |block: &Arc<Unfinalized>| HeadEvent::Retracted {
            number: block.number,
            hash: block.hash,
        };
        gone.map(event).collect()
    }
}
