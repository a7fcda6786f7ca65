//! The commit ledger in the store: entries, their steps, two ways to find them.
//!
//! An entry and its steps are only ever added, so an entry at block N is the
//! commit with its steps up to N. Table `commit-open` names the entries that can
//! still take a step; it is what the writer reads to go on.

use std::ops::RangeInclusive;

use chain_metadata::{AccountId, BlockNumber};
use parity_scale_codec::{DecodeAll, Encode};

use super::engine::{Batch, Range};
use super::read::row_error;
use super::tables::{self, Table};
use super::{Store, StoreError};
use crate::commits::{CommitRow, Entry, Id, Step};

/// Byte before the netuid in table `commit-of`.
const BY_SUBNET: u8 = 0;
/// Byte before the hotkey in table `commit-of`.
const BY_HOTKEY: u8 = 1;

/// Which entries are looked through, in the order of their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Among {
    /// All of them.
    All,
    /// Those of a subnet, all mechanisms.
    Subnet(u16),
    /// Those that a hotkey made.
    Hotkey(AccountId),
}

pub(super) fn id_bytes(id: Id) -> [u8; 8] {
    tables::place_bytes(id.block, id.index)
}

pub(super) fn id_of(tail: &[u8]) -> Option<Id> {
    let (block, index) = tables::place_of(tail)?;
    Some(Id { block, index })
}

pub(super) fn among_prefix(among: Among) -> Vec<u8> {
    match among {
        Among::All => Table::Commit.key(&[]),
        Among::Subnet(netuid) => {
            let [high, low] = netuid.to_be_bytes();
            Table::CommitOf.key(&[BY_SUBNET, high, low])
        }
        Among::Hotkey(hotkey) => {
            let mut key = Table::CommitOf.key(&[BY_HOTKEY]);
            key.extend_from_slice(&hotkey.0);
            key
        }
    }
}

/// Adds a new entry and the ways to find it.
pub fn put(batch: &mut Batch, entry: &Entry) {
    let id = id_bytes(entry.id);
    batch.put(Table::Commit.key(&id), entry.row.encode());
    for key in found_by(entry) {
        batch.put(key, Vec::new());
    }
    batch.put(Table::CommitOpen.key(&id), Vec::new());
}

/// Keys under which an entry is found by subnet and by hotkey.
fn found_by(entry: &Entry) -> [Vec<u8>; 2] {
    let (netuid, _) = chain_metadata::split_storage_index(entry.row.index);
    let among = [
        Among::Subnet(netuid.0),
        Among::Hotkey(AccountId(entry.row.hotkey)),
    ];
    among.map(|among| {
        let mut key = among_prefix(among);
        key.extend_from_slice(&id_bytes(entry.id));
        key
    })
}

/// Adds the step that takes `entry` on, before it is taken.
pub fn put_step(batch: &mut Batch, entry: &Entry, step: &Step) {
    let mut key = Table::CommitStep.key(&id_bytes(entry.id));
    key.extend_from_slice(&entry.steps.to_be_bytes());
    batch.put(key, step.encode());
}

/// No step will follow.
pub fn close(batch: &mut Batch, id: Id) {
    batch.delete(Table::CommitOpen.key(&id_bytes(id)));
}

impl Store {
    /// An entry of the ledger as it stood at the end of block `at`; `None` when
    /// it is not there, begins later, or is of another span.
    pub fn commit_entry(&self, id: Id, at: BlockNumber) -> Result<Option<Entry>, StoreError> {
        if id.block > at || id.block < self.floor(at) {
            return Ok(None);
        }
        let key = Table::Commit.key(&id_bytes(id));
        let Some(bytes) = self.engine().get(&key)? else {
            return Ok(None);
        };
        let row = CommitRow::decode_all(&mut bytes.as_slice())
            .map_err(|e| row_error(Table::Commit, &key, e.to_string()))?;
        let mut entry = Entry::new(id, row);
        for step in self
            .engine()
            .scan(Range::prefix(&Table::CommitStep.key(&id_bytes(id))))
        {
            let (key, bytes) = step?;
            let step = Step::decode_all(&mut bytes.as_slice())
                .map_err(|e| row_error(Table::CommitStep, &key, e.to_string()))?;
            if step.block > at {
                break;
            }
            entry.take(step);
        }
        Ok(Some(entry))
    }

    /// Names of entries that begin at or before `at`, in its span, newest first,
    /// from below `before` on, at most `max`.
    pub fn commit_ids(
        &self,
        among: Among,
        at: BlockNumber,
        before: Option<Id>,
        max: usize,
    ) -> Result<Vec<Id>, StoreError> {
        let prefix = among_prefix(among);
        let mut range = Range::prefix(&prefix).reversed();
        let lowest = Id {
            block: self.floor(at),
            index: 0,
        };
        range.from.extend_from_slice(&id_bytes(lowest));
        let next = at.checked_add(1).map(|block| Id { block, index: 0 });
        let below = match (before, next) {
            (Some(before), Some(next)) => Some(before.min(next)),
            (before, next) => before.or(next),
        };
        if let Some(below) = below {
            let mut key = prefix.clone();
            key.extend_from_slice(&id_bytes(below));
            range.below = Some(key);
        }
        let rows = self.engine().scan(range).take(max);
        rows.map(|row| {
            let (key, _) = row?;
            let id = key.get(prefix.len()..).and_then(id_of);
            id.ok_or_else(|| row_error(Table::CommitOf, &key, "ends in no name of an entry"))
        })
        .collect()
    }

    /// Steps taken in the blocks of a range by entries that begin in block `first` or later, with
    /// their numbers, by entry.
    pub fn commit_steps(
        &self,
        first: BlockNumber,
        range: RangeInclusive<BlockNumber>,
    ) -> Result<Vec<(Id, u16, Step)>, StoreError> {
        let mut keys = Range::prefix(&Table::CommitStep.key(&[]));
        keys.from = Table::CommitStep.at(first);
        if let Some(next) = range.end().checked_add(1) {
            keys.below = Some(Table::CommitStep.at(next));
        }
        self.steps_among(keys, &range)
    }

    /// Steps that an entry took in the blocks of a range, with their numbers.
    pub fn commit_steps_of(
        &self,
        id: Id,
        range: RangeInclusive<BlockNumber>,
    ) -> Result<Vec<(Id, u16, Step)>, StoreError> {
        let keys = Range::prefix(&Table::CommitStep.key(&id_bytes(id)));
        self.steps_among(keys, &range)
    }

    fn steps_among(
        &self,
        keys: Range,
        range: &RangeInclusive<BlockNumber>,
    ) -> Result<Vec<(Id, u16, Step)>, StoreError> {
        let prefix = Table::CommitStep.key(&[]).len();
        let mut found = Vec::new();
        for row in self.engine().scan(keys) {
            let (key, bytes) = row?;
            // A step begins with its block; the rest of most is not looked at.
            let block = bytes.first_chunk::<4>();
            if block.is_some_and(|block| !range.contains(&u32::from_le_bytes(*block))) {
                continue;
            }
            let step = Step::decode_all(&mut bytes.as_slice())
                .map_err(|e| row_error(Table::CommitStep, &key, e.to_string()))?;
            let tail = key
                .get(prefix..)
                .and_then(|tail| tail.split_last_chunk::<2>());
            let name =
                tail.and_then(|(id, number)| Some((id_of(id)?, u16::from_be_bytes(*number))));
            let Some((id, number)) = name else {
                return Err(row_error(Table::CommitStep, &key, "is no name of a step"));
            };
            found.push((id, number, step));
        }
        Ok(found)
    }

    /// Removes the entries that begin in a block, with all their steps.
    pub fn forget_commits(&self, block: BlockNumber, batch: &mut Batch) -> Result<(), StoreError> {
        let table = Table::Commit.key(&[]);
        for row in self.engine().scan(Range::prefix(&Table::Commit.at(block))) {
            let (key, bytes) = row?;
            let id = key.get(table.len()..).and_then(id_of);
            let id = id.ok_or_else(|| row_error(Table::Commit, &key, "is no name of an entry"))?;
            let row = CommitRow::decode_all(&mut bytes.as_slice())
                .map_err(|e| row_error(Table::Commit, &key, e.to_string()))?;
            for key in found_by(&Entry::new(id, row)) {
                batch.delete(key);
            }
            let steps = Table::CommitStep.key(&id_bytes(id));
            for step in self.engine().scan(Range::prefix(&steps)) {
                batch.delete(step?.0);
            }
            close(batch, id);
            batch.delete(key);
        }
        Ok(())
    }

    /// Names of the entries that can still take a step, in order.
    pub fn open_commits(&self) -> Result<Vec<Id>, StoreError> {
        let prefix = Table::CommitOpen.key(&[]);
        let rows = self.engine().scan(Range::prefix(&prefix));
        rows.map(|row| {
            let (key, _) = row?;
            let id = key.get(prefix.len()..).and_then(id_of);
            id.ok_or_else(|| row_error(Table::CommitOpen, &key, "is no name of an entry"))
        })
        .collect()
    }

    /// The first block from `from` on, up to `at`, in which an epoch of `netuid` ran.
    pub fn epoch_from(
        &self,
        netuid: u16,
        from: BlockNumber,
        at: BlockNumber,
    ) -> Result<Option<BlockNumber>, StoreError> {
        let prefix = Table::Epoch.key(&netuid.to_be_bytes());
        let mut range = Range::prefix(&prefix);
        range.from = super::tables::epoch_key(netuid, from);
        let Some(row) = self.engine().scan(range).next() else {
            return Ok(None);
        };
        let (key, _) = row?;
        let block = key.get(prefix.len()..).and_then(|b| b.try_into().ok());
        let block = block.map(u32::from_be_bytes);
        let block = block.ok_or_else(|| row_error(Table::Epoch, &key, "key has no block"))?;
        Ok((block <= at).then_some(block))
    }
}
