//! One file a concern: what of a prepared block becomes rows.
//!
//! A stage only adds to the block's batch; [`block_batch`] runs them all and
//! puts the checkpoint behind them.

pub mod activity;
pub mod blocks;
pub mod commits;
pub mod epochs;
pub mod pulse;
pub mod runtimes;
pub mod state;

use parity_scale_codec::Encode;

use crate::IndexError;
use crate::plan::Prepared;
use crate::store::tables::{Table, meta};
use crate::store::{Batch, Checkpoint, Store};
use chain_metadata::H256;

pub use state::Tip;

/// Builds the batch of one block: all stages and the new checkpoint.
///
/// Refuses a block whose parent is not the last block of `tip`.
pub fn block_batch(store: &Store, tip: &mut Tip, block: &Prepared) -> Result<Batch, IndexError> {
    let first = match tip.checkpoint {
        Some(last) => {
            if block.raw.parent.0 != last.hash || Some(block.raw.number) != last.last.checked_add(1)
            {
                return Err(IndexError::Parent {
                    block: block.raw.number,
                    parent: block.raw.parent,
                    stored: H256(last.hash),
                });
            }
            last.first
        }
        None => block.raw.number,
    };
    let mut batch = Batch::default();
    blocks::rows(block, &mut batch);
    activity::rows(block, &mut batch);
    runtimes::rows(store, tip, block, &mut batch)?;
    state::rows(store, tip, block, &mut batch)?;
    pulse::rows(store, tip, block, &mut batch)?;
    epochs::rows(block, &mut batch);
    commits::rows(store, tip, block, &mut batch)?;
    let checkpoint = Checkpoint {
        first,
        last: block.raw.number,
        hash: block.raw.hash.0,
        spec: block.layout.spec,
        upgraded_to: block.upgraded_to,
    };
    batch.put(Table::Meta.key(meta::CHECKPOINT), checkpoint.encode());
    tip.checkpoint = Some(checkpoint);
    Ok(batch)
}
