//! Which subnets ran an epoch in which block.

use crate::plan::Prepared;
use crate::store::Batch;
use crate::store::tables;

/// Rows of table epoch: one for every subnet whose consensus ran in the block.
pub fn rows(block: &Prepared, batch: &mut Batch) {
    for netuid in &block.epochs {
        batch.put(tables::epoch_key(*netuid, block.raw.number), Vec::new());
    }
}
