//! Values that are read in every block, packed into one row.

use crate::IndexError;
use crate::items::{MANIFEST, Refresh};
use crate::plan::{Key, Prepared};
use crate::stages::Tip;
use crate::stages::state::checked;
use crate::store::pulse::Slot;
use crate::store::tables::{self, Table};
use crate::store::{Batch, Store};

/// The row of table pulse.
pub fn rows(
    store: &Store,
    tip: &mut Tip,
    block: &Prepared,
    batch: &mut Batch,
) -> Result<(), IndexError> {
    let mut pulse = match (tip.pulse.take(), tip.checkpoint) {
        (Some(pulse), _) => pulse,
        (None, Some(last)) => store.pulse(last.last)?,
        (None, None) => crate::store::pulse::Pulse::default(),
    };
    let mut read = Vec::new();
    let upgraded = tip.checkpoint.is_none_or(|c| c.spec != block.layout.spec);
    let mut take = |key: &Key, value: &Option<Vec<u8>>| -> Result<(), IndexError> {
        let Some(line) = MANIFEST.get(key.line) else {
            return Ok(());
        };
        if line.refresh != Refresh::EveryBlock {
            return Ok(());
        }
        let slot = Slot {
            item: line.id,
            subnet: key.subnet,
        };
        let same = pulse.get(slot).map(|(v, _)| v) == value.as_deref();
        if !same || upgraded {
            checked(block, key, value.as_deref())?;
        }
        if !same {
            read.push((slot, value.clone()));
        }
        Ok(())
    };
    if let Some((ahead, values)) = &block.every {
        for (key, value) in ahead.every.iter().zip(values) {
            take(key, value)?;
        }
    }
    for (key, value) in &block.values {
        take(key, value)?;
    }
    // The same row, whichever way the block was read.
    read.sort_unstable_by_key(|(slot, _)| *slot);
    let row = pulse.advance(block.raw.number, read);
    batch.put(Table::Pulse.at(block.raw.number), tables::pack(&row));
    tip.pulse = Some(pulse);
    Ok(())
}
