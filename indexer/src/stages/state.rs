//! Chain state as changes: a row where a value differs from the one before.

use std::collections::HashMap;

use chain_metadata::BlockNumber;

use crate::IndexError;
use crate::items::{MANIFEST, Refresh};
use crate::plan::{Key, Prepared};
use crate::stages::commits::Ledger;
use crate::store::pulse::Pulse;
use crate::store::read::state_row_bytes;
use crate::store::tables;
use crate::store::{Batch, Checkpoint, Store, StoreError};

/// Values remembered before the memory is emptied; the store has them all.
const REMEMBERED: usize = 400_000;

/// The end of what is stored: the checkpoint and the latest values, filled as
/// they are asked for.
#[derive(Debug, Default)]
pub struct Tip {
    /// Last committed block, or the last one batched for the next commit.
    pub checkpoint: Option<Checkpoint>,
    /// Values that every block reads, at that block.
    pub pulse: Option<Pulse>,
    /// Commits that can still take a step.
    pub commits: Option<Ledger>,
    /// Hash of the latest value of a state key, `None` when it has none.
    latest: HashMap<Vec<u8>, Option<[u8; 16]>>,
}

impl Tip {
    /// The tip of a store.
    pub fn load(store: &Store) -> Result<Tip, StoreError> {
        Ok(Tip {
            checkpoint: store.checkpoint()?,
            ..Tip::default()
        })
    }

    /// Forgets values that can be read again. Only between two commits: what is
    /// batched but not committed is nowhere else.
    pub fn trim(&mut self) {
        if self.latest.len() > REMEMBERED {
            self.latest.clear();
        }
    }
}

/// 128 bits of a value's hash: enough to tell two values of one key apart.
fn mark(value: &[u8]) -> [u8; 16] {
    let hash = chain_metadata::blake2_256(value).0;
    let mut mark = [0; 16];
    mark.copy_from_slice(&hash[..16]);
    mark
}

/// Refuses a value that does not end where its type does.
pub(super) fn checked(block: &Prepared, key: &Key, value: Option<&[u8]>) -> Result<(), IndexError> {
    if let (Some(bytes), Some(entry)) = (value, block.layout.entry(key.line)) {
        entry
            .check_value(block.layout.metadata.types(), bytes)
            .map_err(|e| IndexError::Decode {
                block: block.raw.number,
                spec: block.layout.spec,
                what: e.to_string(),
            })?;
    }
    Ok(())
}

/// Rows of table state.
///
/// A key that never had a value gets no row: "no row" and "nothing stored" are
/// the same for keys that are read. Every new value is walked with its type
/// first, and every value at all in the first block of a runtime; one that does
/// not end with its last byte stops the index.
///
/// What an epoch of the block read is known at the parent as well; a value that
/// differs there changed without a trace before, and its row is the parent's.
pub fn rows(
    store: &Store,
    tip: &mut Tip,
    block: &Prepared,
    batch: &mut Batch,
) -> Result<(), IndexError> {
    let upgraded = tip.checkpoint.is_none_or(|c| c.spec != block.layout.spec);
    let number = block.raw.number;
    if let Some(parent) = number.checked_sub(1) {
        for (key, value) in &block.inputs {
            if row(
                store,
                tip,
                block,
                key,
                value.as_deref(),
                parent,
                false,
                batch,
            )? {
                metrics::counter!("indexer_late_values_total").increment(1);
                tracing::debug!(
                    block = parent,
                    entry = MANIFEST[key.line].entry,
                    "changed without a trace; learned at an epoch"
                );
            }
        }
    }
    for (key, value) in &block.values {
        row(
            store,
            tip,
            block,
            key,
            value.as_deref(),
            number,
            upgraded,
            batch,
        )?;
    }
    Ok(())
}

/// Adds the row of a value that differs from the latest one known; tells
/// whether it did.
#[expect(clippy::too_many_arguments, reason = "one private step of `rows`")]
fn row(
    store: &Store,
    tip: &mut Tip,
    block: &Prepared,
    key: &Key,
    value: Option<&[u8]>,
    number: BlockNumber,
    upgraded: bool,
    batch: &mut Batch,
) -> Result<bool, IndexError> {
    let Some(line) = MANIFEST.get(key.line) else {
        return Ok(false);
    };
    if line.refresh == Refresh::EveryBlock {
        return Ok(false);
    }
    let rest = key.full.get(32..).unwrap_or_default();
    let prefix = tables::state_prefix(line.id, rest);
    let known = match (tip.latest.get(&prefix), tip.checkpoint) {
        (Some(known), _) => *known,
        (None, Some(last)) => {
            let stored = store.state(line.id, rest, last.last)?;
            stored.and_then(|row| row.value).map(|v| mark(&v))
        }
        (None, None) => None,
    };
    let now = value.map(mark);
    if known == now {
        if upgraded {
            checked(block, key, value)?;
        }
        tip.latest.entry(prefix).or_insert(known);
        return Ok(false);
    }
    checked(block, key, value)?;
    let mut at = prefix.clone();
    at.extend_from_slice(&number.to_be_bytes());
    batch.put(at, state_row_bytes(value));
    tip.latest.insert(prefix, now);
    Ok(true)
}
