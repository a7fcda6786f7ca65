//! Which subnets ran an epoch in which block.

use chain_metadata::Value;

use crate::IndexError;
use crate::items::position;
use crate::plan::Prepared;
use crate::store::Batch;
use crate::store::history::{EpochRow, put_epoch};

/// Rows of table epoch: one for every subnet whose consensus ran in the block.
pub fn rows(block: &Prepared, batch: &mut Batch) -> Result<(), IndexError> {
    for netuid in &block.epochs {
        let count = read(block, "MechanismCountCurrent", *netuid)?;
        let row = EpochRow {
            mechanisms: count.and_then(|v| v.as_u8()).unwrap_or(1).max(1),
            index: read(block, "SubnetEpochIndex", *netuid)?.and_then(|v| v.as_u64()),
        };
        put_epoch(batch, *netuid, block.raw.number, &row);
    }
    Ok(())
}

/// An item of a subnet that every block reads, at the end of this one; the
/// metadata's default where nothing is stored, `None` without such an item.
fn read(block: &Prepared, entry: &str, netuid: u16) -> Result<Option<Value>, IndexError> {
    let (Some(line), Some((_, found))) = (position(entry), block.layout.find(entry)) else {
        return Ok(None);
    };
    let every = block.every.iter().flat_map(|(a, v)| a.every.iter().zip(v));
    let values = block.values.iter().map(|(key, value)| (key, value));
    let mut all = every.chain(values);
    let read = all.find(|(key, _)| key.line == line && key.subnet == netuid);
    let types = block.layout.metadata.types();
    let value = match read.and_then(|(_, value)| value.as_deref()) {
        Some(bytes) => found.decode_value(types, bytes).map(Some),
        None => found.default_value(types),
    };
    value.map_err(|e| IndexError::Decode {
        block: block.raw.number,
        spec: block.layout.spec,
        what: e.to_string(),
    })
}
