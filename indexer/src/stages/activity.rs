//! Where accounts, calls, events and errors occur.

use parity_scale_codec::{Compact, Encode};

use crate::plan::Prepared;
use crate::store::Batch;
use crate::store::tables;

/// Rows of table activity: one for every topic of the block.
pub fn rows(block: &Prepared, batch: &mut Batch) {
    for (tag, positions) in &block.decoded.activity.positions {
        let positions: Vec<Compact<u32>> = positions.iter().map(|p| Compact(*p)).collect();
        let key = tables::activity_key(tag, block.raw.number);
        batch.put(key, positions.encode());
    }
}
