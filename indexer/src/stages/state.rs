//! Chain state as changes: a row where a value differs from the one before.

use std::collections::HashMap;

use chain_metadata::BlockNumber;

use crate::IndexError;
use crate::items::{MANIFEST, Refresh};
use crate::plan::{Key, Prepared};
use crate::stages::commits::Ledger;
use crate::stages::tenancy::Holders;
use crate::store::frames::{frame_of, row_bytes};
use crate::store::pulse::Pulse;
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
    /// Who holds the uids.
    pub holders: Option<Holders>,
    /// What is known of the latest value of a state key.
    latest: HashMap<Vec<u8>, Latest>,
    /// The first row of a key in its latest frame, of keys with values that are
    /// told behind it.
    firsts: HashMap<Vec<u8>, (BlockNumber, Option<Vec<u8>>)>,
}

/// The latest value of a state key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Latest {
    /// The span has no row of it.
    Unseen,
    /// Nothing is there.
    Absent,
    /// Hash of the value.
    Value([u8; 16]),
}

impl Tip {
    /// The tip of the span that begins with a block; of a new one when there is
    /// none such.
    pub fn of(store: &Store, first: BlockNumber) -> Tip {
        Tip {
            checkpoint: store.span_from(first),
            ..Tip::default()
        }
    }

    /// The tip of a span as it was at one of its blocks.
    pub fn at(store: &Store, first: BlockNumber, number: BlockNumber) -> Result<Tip, StoreError> {
        let row = store.block(number)?.ok_or(StoreError::Empty)?;
        Ok(Tip {
            checkpoint: Some(Checkpoint {
                first,
                last: number,
                hash: row.hash,
                spec: row.spec,
                upgraded_to: None,
            }),
            ..Tip::default()
        })
    }

    /// Forgets what follows from all blocks before; it is read again.
    pub fn forget_derived(&mut self) {
        self.pulse = None;
        self.commits = None;
        self.holders = None;
    }

    /// Forgets which rows are the first of their frames; they are read again.
    pub fn forget_firsts(&mut self) {
        self.firsts.clear();
    }

    /// The tip of the highest span of a store.
    pub fn load(store: &Store) -> Result<Tip, StoreError> {
        Ok(Tip {
            checkpoint: store.checkpoint()?,
            ..Tip::default()
        })
    }

    /// Forgets the latest values; all that was batched must be in the store.
    pub fn forget(&mut self) {
        self.latest.clear();
        self.firsts.clear();
    }

    /// Forgets values that can be read again. Only between two commits: what is
    /// batched but not committed is nowhere else.
    pub fn trim(&mut self) {
        if self.latest.len() > REMEMBERED || self.firsts.len() > REMEMBERED / 4 {
            self.forget();
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

/// As [`checked`], but for a key of any account whose bytes no runtime wrote: they
/// are older than all that is stored, or turned up where maps were read whole
/// though nothing named them, or did not decode before either. The chain itself
/// reads such a value as if nothing were there, nobody can tell what was meant,
/// and it must not keep the index from beginning. The bytes are kept as they are,
/// and whoever reads them is told.
fn checked_or_old(
    store: &Store,
    tip: &Tip,
    block: &Prepared,
    key: &Key,
    value: Option<&[u8]>,
    unchanged: bool,
) -> Result<(), IndexError> {
    let Err(error) = checked(block, key, value) else {
        return Ok(());
    };
    let line = MANIFEST.get(key.line);
    let open = line.is_some_and(|line| line.scope.is_open());
    let old = match tip.checkpoint {
        None => true,
        Some(last) if unchanged => {
            let layout = store.layout(last.spec)?;
            let entry = layout.entry(key.line);
            let bytes = value.unwrap_or_default();
            entry.is_some_and(|e| e.check_value(layout.metadata.types(), bytes).is_err())
        }
        // Written past the runtime, which would have written it otherwise.
        Some(last) => block.swept && last.spec == block.layout.spec,
    };
    if !open || !old {
        return Err(error);
    }
    metrics::counter!("indexer_undecodable_values_total").increment(1);
    if let IndexError::Decode { block, spec, what } = error {
        tracing::info!(
            block,
            spec,
            key = hex::encode(&key.full),
            "kept as it is, because the chain reads it as nothing: {what}"
        );
    }
    Ok(())
}

/// Rows of table state.
///
/// A key that never had a value gets no row: "no row" and "nothing stored" are
/// the same for keys that are read since block 0. A span that begins later writes
/// down that nothing is there, at the first read after its first block: the span
/// that comes up to it may have known a value. Every new value is walked with its type
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
        (None, Some(last)) => match store.state(line.id, rest, last.last)? {
            None => Latest::Unseen,
            Some(row) => row
                .value
                .map_or(Latest::Absent, |v| Latest::Value(mark(&v))),
        },
        (None, None) => Latest::Unseen,
    };
    let now = value.map_or(Latest::Absent, |v| Latest::Value(mark(v)));
    // In a span that begins with block 0, what was never seen was never there; in
    // the first block of another one it may be anything that is not read.
    let since_zero = tip.checkpoint.is_none_or(|c| c.first == 0);
    let never = known == Latest::Unseen && now == Latest::Absent && since_zero;
    if known == now || never {
        if upgraded {
            checked_or_old(store, tip, block, key, value, true)?;
        }
        tip.latest.entry(prefix).or_insert(known);
        return Ok(false);
    }
    checked_or_old(store, tip, block, key, value, false)?;
    let mut at = prefix.clone();
    at.extend_from_slice(&number.to_be_bytes());
    batch.put(
        at,
        told(store, tip, block, &prefix, key.line, number, value)?,
    );
    tip.latest.insert(prefix, now);
    Ok(true)
}

/// Bytes of a new row, behind the first one in its frame where that is shorter.
fn told(
    store: &Store,
    tip: &mut Tip,
    block: &Prepared,
    prefix: &[u8],
    line: usize,
    number: BlockNumber,
    value: Option<&[u8]>,
) -> Result<Vec<u8>, StoreError> {
    let Some(shape) = block.layout.shape(line) else {
        return Ok(row_bytes(number, value, None, None));
    };
    let known = tip.firsts.get(prefix);
    let known = known.filter(|(at, _)| frame_of(*at) == frame_of(number) && *at < number);
    if known.is_none() {
        let stored = match tip.checkpoint {
            Some(span) => store.first_in_frame(prefix, span.first, number)?,
            None => None,
        };
        let first = match stored {
            Some(row) => (row.changed_at, row.value),
            None => (number, value.map(<[u8]>::to_vec)),
        };
        tip.firsts.insert(prefix.to_vec(), first);
    }
    let first = tip.firsts.get(prefix).filter(|(at, _)| *at < number);
    let first = first.and_then(|(at, value)| Some((*at, value.as_deref()?)));
    Ok(row_bytes(number, value, Some(shape), first))
}
