//! Runtimes, with their metadata kept once by its hash.

use parity_scale_codec::Encode;

use super::Tip;
use crate::plan::Prepared;
use crate::store::tables::{self, Table};
use crate::store::{Batch, RuntimeRow, Store, StoreError};

/// Rows of tables runtime and metadata, at the first block of a runtime. Spans are
/// filled in any order: its first block may be found later than others.
pub fn rows(
    store: &Store,
    tip: &Tip,
    block: &Prepared,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    let layout = &block.layout;
    if tip.checkpoint.is_some_and(|c| c.spec == layout.spec) {
        return Ok(());
    }
    if let Some(mut row) = store.runtime(layout.spec)? {
        // Seen first in a later span.
        if block.raw.number < row.first_block {
            row.first_block = block.raw.number;
            batch.put(Table::Runtime.key(&layout.spec.to_be_bytes()), row.encode());
        }
        return Ok(());
    }
    let row = RuntimeRow {
        first_block: block.raw.number,
        metadata_hash: layout.metadata_hash.0,
        metadata_version: layout.metadata.version(),
        metadata_len: u32::try_from(layout.metadata_bytes.len()).unwrap_or(u32::MAX),
    };
    batch.put(Table::Runtime.key(&layout.spec.to_be_bytes()), row.encode());
    batch.put(
        Table::Metadata.key(&layout.metadata_hash.0),
        tables::pack(&layout.metadata_bytes),
    );
    Ok(())
}
