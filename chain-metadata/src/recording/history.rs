//! Storage as changes: each distinct value once, found by key and block.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::ids::BlockNumber;

/// Where a value lies in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u32,
    len: u32,
}

/// The arena would pass 4 GiB, or there are more keys than a `u32` counts.
#[derive(Debug)]
pub(super) struct Full;

#[derive(Debug)]
struct Entry {
    key: Arc<[u8]>,
    /// Ascending blocks; two neighbours never hold the same value.
    changes: Vec<(BlockNumber, Option<Span>)>,
}

/// All storage of a recording.
///
/// Values lie end to end in one buffer: a recording has tens of thousands of small ones.
#[derive(Debug, Default)]
pub(super) struct History {
    arena: Vec<u8>,
    index: BTreeMap<Arc<[u8]>, u32>,
    entries: Vec<Entry>,
    diffs: Vec<Vec<(u32, Option<Span>)>>,
}

impl History {
    /// Opens the next block; [`History::set`] writes to it.
    pub(super) fn begin_block(&mut self) {
        self.diffs.push(Vec::new());
    }

    /// Records that `block`, the one opened last, left `value` under `key`.
    pub(super) fn set(
        &mut self,
        block: BlockNumber,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), Full> {
        let id = match self.index.get(key) {
            Some(id) => *id,
            None => self.add_key(key)?,
        };
        let before = self.last_before(id, block);
        let unchanged = before.map(|span| self.bytes(span)) == value;
        let span = match value {
            None => None,
            Some(_) if unchanged => before,
            Some(bytes) => Some(self.push(bytes)?),
        };
        if let Some(entry) = position(id).and_then(|at| self.entries.get_mut(at)) {
            // A second write to one key within a block replaces the first.
            if entry.changes.last().is_some_and(|(at, _)| *at == block) {
                entry.changes.pop();
            }
            if !unchanged {
                entry.changes.push((block, span));
            }
        }
        if let Some(diff) = self.diffs.last_mut() {
            diff.push((id, span));
        }
        Ok(())
    }

    /// Gives back what growing the buffers reserved in advance.
    pub(super) fn shrink(&mut self) {
        self.arena.shrink_to_fit();
        self.entries.shrink_to_fit();
        for entry in &mut self.entries {
            entry.changes.shrink_to_fit();
        }
        for diff in &mut self.diffs {
            diff.shrink_to_fit();
        }
    }

    pub(super) fn value(&self, at: BlockNumber, key: &[u8]) -> Option<&[u8]> {
        self.value_of(at, *self.index.get(key)?)
    }

    pub(super) fn keys(
        &self,
        at: BlockNumber,
        prefix: &[u8],
        start_after: Option<&[u8]>,
        max: usize,
    ) -> Vec<&[u8]> {
        let from = match start_after {
            Some(key) if key >= prefix => Bound::Excluded(key),
            _ => Bound::Included(prefix),
        };
        self.index
            .range::<[u8], _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .filter(|(_, id)| self.value_of(at, **id).is_some())
            .map(|(key, _)| key.as_ref())
            .take(max)
            .collect()
    }

    pub(super) fn diff(&self, block: BlockNumber) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        position(block)
            .and_then(|at| self.diffs.get(at))
            .into_iter()
            .flatten()
            .filter_map(|(id, span)| {
                let entry = self.entries.get(position(*id)?)?;
                Some((entry.key.as_ref(), span.map(|span| self.bytes(span))))
            })
    }

    pub(super) fn changes(
        &self,
        key: &[u8],
    ) -> impl Iterator<Item = (BlockNumber, Option<&[u8]>)> + use<'_> {
        self.index
            .get(key)
            .and_then(|id| self.entries.get(position(*id)?))
            .into_iter()
            .flat_map(|entry| &entry.changes)
            .map(|(block, span)| (*block, span.map(|span| self.bytes(span))))
    }

    fn value_of(&self, at: BlockNumber, id: u32) -> Option<&[u8]> {
        let changes = &self.entries.get(position(id)?)?.changes;
        let after = changes.partition_point(|(block, _)| *block <= at);
        let (_, span) = changes.get(after.checked_sub(1)?)?;
        span.map(|span| self.bytes(span))
    }

    /// The value before `block`, whose own change, if any, is the newest.
    fn last_before(&self, id: u32, block: BlockNumber) -> Option<Span> {
        let changes = &self.entries.get(position(id)?)?.changes;
        changes.iter().rev().find(|(at, _)| *at < block)?.1
    }

    fn add_key(&mut self, key: &[u8]) -> Result<u32, Full> {
        let id = u32::try_from(self.entries.len()).map_err(|_| Full)?;
        let key: Arc<[u8]> = key.into();
        self.entries.push(Entry {
            key: Arc::clone(&key),
            changes: Vec::new(),
        });
        self.index.insert(key, id);
        Ok(id)
    }

    fn push(&mut self, bytes: &[u8]) -> Result<Span, Full> {
        let start = u32::try_from(self.arena.len()).map_err(|_| Full)?;
        let len = u32::try_from(bytes.len()).map_err(|_| Full)?;
        self.arena.extend_from_slice(bytes);
        Ok(Span { start, len })
    }

    fn bytes(&self, span: Span) -> &[u8] {
        let range = || {
            let start = usize::try_from(span.start).ok()?;
            let end = start.checked_add(usize::try_from(span.len).ok()?)?;
            self.arena.get(start..end)
        };
        // A span is only made by `push`, so it always lies within the arena.
        range().unwrap_or_default()
    }
}

fn position(id: u32) -> Option<usize> {
    usize::try_from(id).ok()
}
