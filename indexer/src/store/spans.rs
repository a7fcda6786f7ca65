//! Which blocks the store holds: spans, what is left to do where two of them were
//! joined, and which blocks no node gave.
//!
//! A *span* is a run of blocks without a hole. Its first block is read whole, as
//! if nothing were known before it; state at one of its blocks is told by rows of
//! the span alone. When the span below comes up to it, the two become one; what
//! the upper one could not know is put right afterwards: a [`Joint`] says so for
//! the state, a [`Restage`] for tables that follow from all blocks before.
//!
//! All of it is in table meta and, as last committed, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use chain_metadata::BlockNumber;
use parity_scale_codec::{Decode, DecodeAll, Encode};

use super::engine::overlay::Layer;
use super::engine::{Batch, Engine, Range};
use super::tables::{Table, meta};
use super::{Checkpoint, Store, StoreError};

/// Where a span was joined to the one below it, until nothing in the store tells
/// of it any more.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Joint {
    /// First block of the upper span.
    pub at: BlockNumber,
    /// Its last block when it was joined.
    pub to: BlockNumber,
    /// Table state was gone through up to this key.
    pub cursor: Vec<u8>,
    /// Table state was gone through.
    pub swept: bool,
}

/// Blocks of a span whose derived rows (the commit ledger) are to be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Restage {
    /// First block of the span.
    pub span: BlockNumber,
    /// First block whose rows are made again.
    pub from: BlockNumber,
    /// Last block whose rows are right.
    pub done: BlockNumber,
}

/// Blocks that were wanted and that no node had any more.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Missing {
    /// First of them.
    pub first: BlockNumber,
    /// Last of them.
    pub last: BlockNumber,
    /// Why.
    pub reason: String,
}

/// What is known of the spans, as last committed.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) spans: BTreeMap<BlockNumber, Checkpoint>,
    /// First blocks of spans of which nothing is committed yet.
    starting: BTreeSet<BlockNumber>,
    joints: BTreeMap<BlockNumber, Joint>,
    restages: BTreeMap<BlockNumber, Restage>,
    missing: BTreeMap<BlockNumber, Missing>,
    /// Spans that were joined since the store was opened: a read that began
    /// before a join and ended after it is done again.
    pub(super) joins: u64,
    /// A join is being written: its rows may be there before it is known.
    pub(super) joining: bool,
}

const NAMES: [&[u8]; 4] = [meta::SPAN, meta::JOINT, meta::RESTAGE, meta::MISSING];

fn key(name: &[u8], number: BlockNumber) -> Vec<u8> {
    let mut key = Table::Meta.key(name);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

fn row<T: Decode>(key: &[u8], bytes: &[u8]) -> Result<T, StoreError> {
    T::decode_all(&mut &bytes[..]).map_err(|e| StoreError::Row {
        table: Table::Meta.name(),
        key: hex::encode(key),
        what: e.to_string(),
    })
}

fn put<T: Decode>(
    rows: &mut BTreeMap<BlockNumber, T>,
    number: BlockNumber,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<Option<T>, StoreError> {
    Ok(match value {
        Some(bytes) => rows.insert(number, row(key, bytes)?),
        None => rows.remove(&number),
    })
}

impl Known {
    pub(super) fn load(engine: &dyn Engine) -> Result<Known, StoreError> {
        let mut known = Known::default();
        for name in NAMES {
            for row in engine.scan(Range::prefix(&Table::Meta.key(name))) {
                let (key, value) = row?;
                known.apply(&key, Some(&value))?;
            }
        }
        Ok(known)
    }

    /// Takes over a row of table meta that was written; others are not looked at.
    fn apply(&mut self, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
        let Some(rest) = key.strip_prefix(&[Table::Meta as u8]) else {
            return Ok(());
        };
        for name in NAMES {
            let Some(Ok(number)) = rest.strip_prefix(name).map(<[u8; 4]>::try_from) else {
                continue;
            };
            let number = u32::from_be_bytes(number);
            if name == meta::SPAN {
                self.starting.remove(&number);
                let before = put(&mut self.spans, number, key, value)?;
                if value.is_none() && before.is_some() {
                    self.joins += 1;
                }
            } else if name == meta::JOINT {
                put(&mut self.joints, number, key, value)?;
            } else if name == meta::RESTAGE {
                put(&mut self.restages, number, key, value)?;
            } else {
                put(&mut self.missing, number, key, value)?;
            }
        }
        Ok(())
    }

    /// The same when the highest span goes on to `top`.
    fn up_to(&self, top: &Checkpoint) -> Known {
        let mut known = self.clone();
        if let Some(mut highest) = known.spans.last_entry()
            && highest.get().last < top.last
        {
            let first = highest.get().first;
            highest.insert(Checkpoint { first, ..*top });
        }
        known
    }

    /// The first block whose rows tell of the state at `at`: where its span begins.
    pub(super) fn floor(&self, at: BlockNumber) -> BlockNumber {
        let stored = self.spans.range(..=at).next_back().map(|(first, _)| *first);
        let starting = self.starting.range(..=at).next_back().copied();
        stored.max(starting).unwrap_or(at)
    }

    /// Whether the packed values of a block of the span from `floor` on are told as in
    /// one undisturbed run.
    pub(super) fn is_told_again(&self, floor: BlockNumber, number: BlockNumber) -> bool {
        let restage = self.restages.get(&floor);
        restage.is_none_or(|restage| number <= restage.done)
    }

    /// First and last block of the span of a block, when nothing about spans is being
    /// put right that its rows could still tell of.
    pub(super) fn settled(&self, at: BlockNumber) -> Option<(BlockNumber, BlockNumber)> {
        if self.joining || !self.joints.is_empty() || !self.restages.is_empty() {
            return None;
        }
        let (first, span) = self.spans.range(..=at).next_back()?;
        (at <= span.last).then_some((*first, span.last))
    }

    /// Whether a span holds a block.
    pub(super) fn holds(&self, number: BlockNumber) -> bool {
        let span = self.spans.range(..=number).next_back();
        span.is_some_and(|(_, span)| number <= span.last)
    }

    /// The newest joint from `floor` on and at or before `at`.
    pub(super) fn joint(&self, floor: BlockNumber, at: BlockNumber) -> Option<BlockNumber> {
        if self.joints.is_empty() || floor >= at {
            return None;
        }
        let mut joints = self.joints.range(floor..=at);
        joints.next_back().map(|(joint, _)| *joint)
    }
}

/// The end of layers above a store.
pub(super) struct Above {
    top: Checkpoint,
    /// What the store knew when it was last asked, and the same up to `top`.
    seen: RwLock<Option<(Arc<Known>, Arc<Known>)>>,
}

impl Above {
    /// The end of some layers, lowest first; `None` when they have no block.
    pub(super) fn of(layers: &[Arc<Layer>]) -> Result<Option<Above>, StoreError> {
        let name = Table::Meta.key(meta::SPAN);
        let rows = layers.iter().rev().flat_map(|layer| layer.rows());
        let top = rows
            .filter(|(key, _)| key.starts_with(&name))
            .find_map(|(key, value)| Some((key, value?)));
        let Some((key, value)) = top else {
            return Ok(None);
        };
        Ok(Some(Above {
            top: row(key, value)?,
            seen: RwLock::default(),
        }))
    }

    fn known(&self, base: Arc<Known>) -> Arc<Known> {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, known)) = &*seen
            && Arc::ptr_eq(then, &base)
        {
            return known.clone();
        }
        drop(seen);
        let known = Arc::new(base.up_to(&self.top));
        let mut seen = self.seen.write().unwrap_or_else(PoisonError::into_inner);
        *seen = Some((base, known.clone()));
        known
    }
}

impl Store {
    pub(super) fn known(&self) -> Arc<Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match &self.top {
            None => known.clone(),
            Some(above) => above.known(known.clone()),
        }
    }

    fn change(
        &self,
        change: impl FnOnce(&mut Known) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Known::clone(&known);
        change(&mut next)?;
        *known = Arc::new(next);
        Ok(())
    }

    /// Takes over what committed batches say about spans.
    pub(super) fn committed(
        &self,
        keys: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    ) -> Result<(), StoreError> {
        if keys.is_empty() {
            return Ok(());
        }
        let joined = joins(&keys);
        self.change(|known| {
            known.joining &= !joined;
            keys.iter()
                .try_for_each(|(key, value)| known.apply(key, value.as_deref()))
        })
    }

    /// Two spans are about to be joined, or were not after all: what is read
    /// meanwhile is read again.
    pub(super) fn joining(&self, joining: bool) -> Result<(), StoreError> {
        self.change(|known| {
            known.joining = joining;
            Ok(())
        })
    }

    /// The rows of batches that [`Store::committed`] wants to know of. Of several
    /// values of one row the last counts.
    pub(super) fn about_spans(batches: &[Batch]) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let ops = batches.iter().flat_map(|batch| &batch.ops);
        let meta = ops.filter(|(key, _)| key.first() == Some(&(Table::Meta as u8)));
        let last: BTreeMap<_, _> = meta.cloned().collect();
        last.into_iter().collect()
    }

    /// A span is about to begin at a block: reads of its first window do not
    /// reach below it.
    pub(crate) fn starting(&self, first: BlockNumber) -> Result<(), StoreError> {
        if self.known().floor(first) == first {
            return Ok(());
        }
        self.change(|known| {
            known.starting.insert(first);
            Ok(())
        })
    }

    /// All spans, lowest first: no two of them overlap.
    pub fn spans(&self) -> Vec<Checkpoint> {
        self.known().spans.values().copied().collect()
    }

    /// The span that holds a block.
    pub fn span_of(&self, number: BlockNumber) -> Option<Checkpoint> {
        let known = self.known();
        let (_, span) = known.spans.range(..=number).next_back()?;
        (span.last >= number).then_some(*span)
    }

    /// The span that begins with a block.
    pub fn span_from(&self, first: BlockNumber) -> Option<Checkpoint> {
        self.known().spans.get(&first).copied()
    }

    /// The span that ends with a block.
    pub fn span_to(&self, last: BlockNumber) -> Option<Checkpoint> {
        self.span_of(last).filter(|span| span.last == last)
    }

    /// The first block whose rows tell of the state at `at`: where its span begins.
    pub fn floor(&self, at: BlockNumber) -> BlockNumber {
        self.known().floor(at)
    }

    /// Joints of which the state or the packed values still tell, lowest first.
    pub fn joints(&self) -> Vec<Joint> {
        self.known().joints.values().cloned().collect()
    }

    /// Spans whose derived rows are being made again, lowest first.
    pub fn restages(&self) -> Vec<Restage> {
        self.known().restages.values().copied().collect()
    }

    /// The derived rows of a span, by its first block, that are being made again.
    pub fn restage_of(&self, span: BlockNumber) -> Option<Restage> {
        self.known().restages.get(&span).copied()
    }

    /// Blocks that no node gave, without those that are stored since.
    pub fn missing(&self) -> Vec<Missing> {
        let known = self.known();
        let mut left = Vec::new();
        for missing in known.missing.values() {
            let held = known.spans.values().map(|span| (span.first, span.last));
            for (first, last) in without((missing.first, missing.last), held) {
                left.push(Missing {
                    first,
                    last,
                    reason: missing.reason.clone(),
                });
            }
        }
        left
    }

    /// Whether blocks were ever left out, filled since or not.
    pub fn has_missing(&self) -> bool {
        !self.known().missing.is_empty()
    }

    /// Remembers that no node gave some blocks.
    pub fn set_missing(&self, missing: &Missing) -> Result<(), StoreError> {
        let mut left = self.missing();
        // Those that this one takes in are of no use.
        left.retain(|m| m.first < missing.first || m.last > missing.last);
        left.push(missing.clone());
        self.rewrite_missing(&left)
    }

    /// Forgets missing blocks that are stored since.
    pub fn tidy_missing(&self) -> Result<(), StoreError> {
        let left = self.missing();
        if left.iter().eq(self.known().missing.values()) {
            return Ok(());
        }
        self.rewrite_missing(&left)
    }

    fn rewrite_missing(&self, left: &[Missing]) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for first in self.known().missing.keys() {
            batch.delete(key(meta::MISSING, *first));
        }
        for missing in left {
            batch.put(key(meta::MISSING, missing.first), missing.encode());
        }
        self.commit(vec![batch])
    }
}

/// Whether rows of table meta take a span away.
pub(super) fn joins(rows: &[(Vec<u8>, Option<Vec<u8>>)]) -> bool {
    let span = Table::Meta.key(meta::SPAN);
    rows.iter()
        .any(|(key, value)| value.is_none() && key.starts_with(&span))
}

/// What is left of a range without some others, which are in order.
pub fn without(
    range: (BlockNumber, BlockNumber),
    others: impl IntoIterator<Item = (BlockNumber, BlockNumber)>,
) -> Vec<(BlockNumber, BlockNumber)> {
    let (mut next, last) = (Some(range.0), range.1);
    let mut left = Vec::new();
    for (from, to) in others {
        let Some(first) = next else {
            return left;
        };
        if to < first || from > last {
            continue;
        }
        if from > first {
            left.push((first, from - 1));
        }
        next = to.checked_add(1);
    }
    match next {
        Some(first) if first <= last => left.push((first, last)),
        _ => {}
    }
    left
}

/// Puts the end of a span into a batch.
pub fn put_span(batch: &mut Batch, checkpoint: &Checkpoint) {
    batch.put(key(meta::SPAN, checkpoint.first), checkpoint.encode());
}

/// Takes a span away; the one below it takes its blocks over.
pub fn delete_span(batch: &mut Batch, first: BlockNumber) {
    batch.delete(key(meta::SPAN, first));
}

/// Puts a joint into a batch.
pub fn put_joint(batch: &mut Batch, joint: &Joint) {
    batch.put(key(meta::JOINT, joint.at), joint.encode());
}

/// Nothing tells of a joint any more.
pub fn delete_joint(batch: &mut Batch, at: BlockNumber) {
    batch.delete(key(meta::JOINT, at));
}

/// Puts into a batch how far derived rows are made again.
pub fn put_restage(batch: &mut Batch, restage: &Restage) {
    batch.put(key(meta::RESTAGE, restage.span), restage.encode());
}

/// The derived rows of a span are right up to its end.
pub fn delete_restage(batch: &mut Batch, span: BlockNumber) {
    batch.delete(key(meta::RESTAGE, span));
}

#[cfg(test)]
mod tests;
