//! Blocks, their bodies and their events, as the chain has them.

use parity_scale_codec::Encode;

use crate::plan::Prepared;
use crate::store::tables::{self, Table};
use crate::store::{Batch, BlockRow};

/// Rows of tables block, hash, body, events and extrinsic.
pub fn rows(block: &Prepared, batch: &mut Batch) {
    let number = block.raw.number;
    let row = BlockRow {
        hash: block.raw.hash.0,
        header: block.raw.header.clone(),
        spec: block.layout.spec,
        timestamp_ms: block.decoded.timestamp_ms,
        extrinsics: u32::try_from(block.raw.extrinsics.len()).unwrap_or(u32::MAX),
        events: block.decoded.event_count,
    };
    batch.put(Table::Block.at(number), row.encode());
    batch.put(
        Table::Hash.key(&block.raw.hash.0),
        number.to_be_bytes().to_vec(),
    );
    batch.put(
        Table::Body.at(number),
        tables::pack(&block.raw.extrinsics.encode()),
    );
    batch.put(
        Table::Events.at(number),
        tables::pack(&block.decoded.events),
    );
    for (index, hash) in (0_u32..).zip(&block.decoded.extrinsic_hashes) {
        batch.put(tables::extrinsic_key(&hash.0, number, index), Vec::new());
    }
}
