//! Epochs by their number, and the one whose results a state holds.

use chain_metadata::{BlockNumber, NetUid, Value};

use super::{At, at, held};
use crate::store::{Store, StoreError};

/// The block of the last epoch of a subnet that ran up to a block, as the state there says
/// (`LastMechansimStepBlock`); `None` when none ever ran, or the runtime has no such item.
pub fn last(store: &Store, at: &At, netuid: NetUid) -> Result<Option<BlockNumber>, StoreError> {
    let found = held(
        store,
        at,
        "LastMechansimStepBlock",
        &[&netuid.0.to_le_bytes()],
    )?;
    let block = found.stored().as_ref().and_then(Value::as_u64);
    // 0 is what stands there before the first one.
    Ok(block
        .and_then(|block| u32::try_from(block).ok())
        .filter(|block| *block > 0))
}

/// The block of the epoch with an index (`SubnetEpochIndex` at its end) up to the block `tip`,
/// in its span: the first one when several have it. `None` when no stored epoch of the subnet
/// that has the number now has that index.
///
/// Indices only grow while a subnet exists, so this is a search by halves: a few dozen steps over
/// any range.
pub fn with_index(
    store: &Store,
    tip: BlockNumber,
    netuid: NetUid,
    index: u64,
) -> Result<Option<BlockNumber>, StoreError> {
    let Some(now) = at(store, tip)? else {
        return Ok(None);
    };
    // A number that is used again counts anew.
    let registered = held(
        store,
        &now,
        "NetworkRegisteredAt",
        &[&netuid.0.to_le_bytes()],
    )?;
    let registered = registered.stored().as_ref().and_then(Value::as_u64);
    let registered = registered.and_then(|block| u32::try_from(block).ok());
    let mut low = store.floor(tip).max(registered.unwrap_or(0));
    let mut high = tip;
    let mut found = None;
    while low <= high {
        let middle = low + (high - low) / 2;
        let first = store.epochs_in(netuid.0, middle..=high, 1)?;
        let first = first.first().map(|(block, row)| (*block, row.index));
        match first {
            // Before the runtime counted there is no index; it comes later then.
            Some((block, None)) => low = block.saturating_add(1),
            Some((block, Some(here))) if here < index => low = block.saturating_add(1),
            other => {
                if let Some((block, Some(here))) = other
                    && here == index
                {
                    found = Some(block);
                }
                match middle.checked_sub(1) {
                    Some(below) => high = below,
                    None => break,
                }
            }
        }
    }
    Ok(found)
}

/// The block of the epoch that ran so many epochs before the last one up to the block `tip`, in
/// its span; 0 is the last one itself. `None` when so many are not stored.
pub fn behind(
    store: &Store,
    tip: BlockNumber,
    netuid: NetUid,
    epochs: usize,
) -> Result<Option<BlockNumber>, StoreError> {
    let blocks = store.epochs(netuid.0, tip, epochs.saturating_add(1))?;
    Ok(blocks.get(epochs).copied())
}
