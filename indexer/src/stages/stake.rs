//! The ledger of stake: a row a movement, in the order of the block's events.

use crate::IndexError;
use crate::plan::Prepared;
use crate::stages::Tip;
use crate::stakes::Id;
use crate::store::{Batch, Store, stakes};

/// Rows of the tables `stake-move` and `stake-of`.
pub fn rows(
    _store: &Store,
    _tip: &mut Tip,
    block: &Prepared,
    batch: &mut Batch,
) -> Result<(), IndexError> {
    for (index, movement) in (0_u32..).zip(&block.decoded.stake) {
        let id = Id {
            block: block.raw.number,
            index,
        };
        stakes::put(batch, id, movement);
    }
    Ok(())
}
