//! Chain state as changes: a row where a value differs from the one before.

use std::collections::HashMap;

use chain_metadata::BlockNumber;

use crate::IndexError;
use crate::items::MANIFEST;
use crate::plan::Prepared;
use crate::store::read::state_row_bytes;
use crate::store::tables;
use crate::store::{Batch, Checkpoint, Store, StoreError};

/// The end of what is stored: the checkpoint and the latest values, filled as
/// they are asked for.
#[derive(Debug, Default)]
pub struct Tip {
    /// Last committed block, or the last one batched for the next commit.
    pub checkpoint: Option<Checkpoint>,
    latest: HashMap<Vec<u8>, Option<Vec<u8>>>,
}

impl Tip {
    /// The tip of a store.
    pub fn load(store: &Store) -> Result<Tip, StoreError> {
        Ok(Tip {
            checkpoint: store.checkpoint()?,
            latest: HashMap::new(),
        })
    }
}

/// Rows of table state.
///
/// A key that never had a value gets no row: "no row" and "nothing stored" are
/// the same for keys that are read. Every new value is walked with its type
/// first; one that does not end with its last byte stops the index.
pub fn rows(
    store: &Store,
    tip: &mut Tip,
    block: &Prepared,
    batch: &mut Batch,
) -> Result<(), IndexError> {
    let number: BlockNumber = block.raw.number;
    let types = block.layout.metadata.types();
    for (key, value) in &block.values {
        let Some(line) = MANIFEST.get(key.line) else {
            continue;
        };
        let rest = key.full.get(32..).unwrap_or_default();
        let prefix = tables::state_prefix(line.id, rest);
        let known = match tip.latest.get(&prefix) {
            Some(known) => known,
            None => {
                let stored = match tip.checkpoint {
                    Some(last) => store.state(line.id, rest, last.last)?,
                    None => None,
                };
                tip.latest
                    .entry(prefix.clone())
                    .or_insert(stored.and_then(|row| row.value))
            }
        };
        if known == value {
            continue;
        }
        if let (Some(bytes), Some(entry)) = (value, block.layout.entry(key.line)) {
            entry
                .check_value(types, bytes)
                .map_err(|e| IndexError::Decode {
                    block: number,
                    spec: block.layout.spec,
                    what: e.to_string(),
                })?;
        }
        let mut row = prefix.clone();
        row.extend_from_slice(&number.to_be_bytes());
        batch.put(row, state_row_bytes(value.as_deref()));
        tip.latest.insert(prefix, value.clone());
    }
    Ok(())
}
