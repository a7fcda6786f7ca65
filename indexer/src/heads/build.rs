//! One block more: prepared exactly as the road prepares it.

use std::sync::Arc;

use chain_metadata::{BlockNumber, H256, NetUid};

use super::Unfinalized;
use crate::IndexError;
use crate::plan::{Ahead, Planner};
use crate::source::{ChainSource, RawBlock};
use crate::stages::{Tip, block_batch};
use crate::store::{Store, StoreError};
use crate::view;
use crate::world::World;

/// What is known at the end of one block, to prepare the next one.
#[derive(Debug)]
pub(super) struct Builder<S> {
    /// That block.
    at: H256,
    planner: Planner<S>,
    tip: Tip,
}

impl<S: ChainSource> Builder<S> {
    /// At the last block of a store, which may have layers above it.
    pub(super) async fn load(source: Arc<S>, store: &Store) -> Result<Builder<S>, IndexError> {
        let store = store.clone();
        let loaded = off_the_loop(move || -> Result<_, IndexError> {
            let tip = Tip::load(&store)?;
            let checkpoint = tip.checkpoint.ok_or(StoreError::Empty)?;
            let at = view::at(&store, checkpoint.last)?.ok_or(StoreError::Empty)?;
            let world = World::load(&store, &at)?;
            Ok((tip, checkpoint, world, at.layout))
        });
        let (tip, checkpoint, world, layout) = loaded.await??;
        Ok(Builder {
            at: H256(checkpoint.hash),
            planner: Planner::resumed(source, layout, world, checkpoint.upgraded_to),
            tip,
        })
    }

    /// The block that it stands at.
    pub(super) fn at(&self) -> H256 {
        self.at
    }

    /// First block of the span that its rows go on from.
    pub(super) fn floor(&self) -> Option<BlockNumber> {
        Some(self.tip.checkpoint.as_ref()?.first)
    }

    /// The keys to fetch the next block with.
    pub(super) fn ahead(&mut self) -> Arc<Ahead> {
        self.planner.ahead()
    }

    /// Prepares the block after the one it stands at; `store` has that one. The
    /// builder goes on from the new one; after an error it is of no use.
    pub(super) async fn next(
        mut self,
        raw: RawBlock,
        ahead: &Arc<Ahead>,
        store: &Store,
    ) -> Result<(Builder<S>, Unfinalized), IndexError> {
        let (mut prepared, error) = self.planner.prepare(vec![raw], ahead).await;
        if let Some(error) = error {
            return Err(error);
        }
        let none = || IndexError::Thread("heads", "a block was prepared without a result".into());
        let block = prepared.pop().ok_or_else(none)?;
        let (store, mut tip) = (store.clone(), self.tip);
        let made = off_the_loop(move || {
            let batch = block_batch(&store, &mut tip, &block)?;
            // The layer has it all; what the next block needs is read from there.
            tip.forget();
            let number: BlockNumber = block.raw.number;
            let floor = tip.checkpoint.map_or(number, |end| end.first);
            let block = Unfinalized {
                number,
                hash: block.raw.hash,
                parent: block.raw.parent,
                floor,
                epochs: block.epochs.iter().map(|netuid| NetUid(*netuid)).collect(),
                rows: Arc::new(batch.into()),
                layout: block.layout,
            };
            Ok::<_, IndexError>((tip, block))
        });
        let (tip, block) = made.await??;
        let builder = Builder {
            at: block.hash,
            planner: self.planner,
            tip,
        };
        Ok((builder, block))
    }
}

/// Runs what reads the store where it may block.
async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, IndexError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|e| IndexError::Thread("heads", e.to_string()))
}
