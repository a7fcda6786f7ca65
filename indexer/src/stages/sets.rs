//! What set the rows of W.

use crate::plan::Prepared;
use crate::store::Batch;
use crate::store::history::put_set;

/// Rows of table weights-set: one for every row of W that was set in the block.
pub fn rows(block: &Prepared, batch: &mut Batch) {
    for ((index, uid), row) in &block.decoded.sets {
        put_set(batch, *index, *uid, block.raw.number, row);
    }
}
