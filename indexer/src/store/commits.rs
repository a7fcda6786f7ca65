//! The commit ledger in the store: entries, their steps, two ways to find them.
//!
//! An entry and its steps are only ever added, so an entry at block N is the
//! commit with its steps up to N. Table `commit-open` names the entries that can
//! still take a step; it is what the writer reads to go on. Table `commit-step-at`
//! names the steps by the block in which they were taken.

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
    let mut name = id_bytes(entry.id).to_vec();
    name.extend_from_slice(&entry.steps.to_be_bytes());
    batch.put(step_at_key(step.block, &name), Vec::new());
    batch.put(Table::CommitStep.key(&name), step.encode());
}

/// Where a step is found by its block; `name` is its key in table `commit-step`.
fn step_at_key(block: BlockNumber, name: &[u8]) -> Vec<u8> {
    let mut key = Table::CommitStepAt.at(block);
    key.extend_from_slice(name);
    key
}

/// The rows of a table, whose keys begin with a block, in the blocks of a range.
fn blocks(table: Table, range: &RangeInclusive<BlockNumber>) -> Range {
    let mut rows = Range::prefix(&table.key(&[]));
    rows.from = table.at(*range.start());
    if let Some(next) = range.end().checked_add(1) {
        rows.below = Some(table.at(next));
    }
    rows
}

/// The row of table `commit-step-at` that must be there for a row of table `commit-step`.
///
/// # Errors
///
/// When the row of `commit-step` is not of its table.
pub(crate) fn found_at(key: &[u8], value: &[u8]) -> Result<Vec<u8>, StoreError> {
    let step = Step::decode_all(&mut &*value)
        .map_err(|e| row_error(Table::CommitStep, key, e.to_string()))?;
    Ok(step_at_key(step.block, key.get(1..).unwrap_or_default()))
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

    /// Names of the entries made in the blocks of a range, in order, without those of which
    /// only the reveal was seen.
    pub fn commits_made(&self, range: &RangeInclusive<BlockNumber>) -> Result<Vec<Id>, StoreError> {
        let mut made = Vec::new();
        for row in self.engine().scan(blocks(Table::Commit, range)) {
            let (key, bytes) = row?;
            let id = key.get(1..).and_then(id_of);
            let id = id.ok_or_else(|| row_error(Table::Commit, &key, "is no name of an entry"))?;
            let row = CommitRow::decode_all(&mut bytes.as_slice())
                .map_err(|e| row_error(Table::Commit, &key, e.to_string()))?;
            if row.made_by.is_some() {
                made.push(id);
            }
        }
        Ok(made)
    }

    /// Steps taken in the blocks of a range: by block, then by entry, then in the order in
    /// which the entry took them.
    pub fn commit_steps(
        &self,
        range: &RangeInclusive<BlockNumber>,
    ) -> Result<Vec<(Id, Step)>, StoreError> {
        let mut taken = Vec::new();
        for row in self.engine().scan(blocks(Table::CommitStepAt, range)) {
            let (key, _) = row?;
            let wrong = |what: &str| row_error(Table::CommitStepAt, &key, what);
            let (block, name) = key
                .get(1..)
                .and_then(|tail| tail.split_first_chunk::<4>())
                .ok_or_else(|| wrong("has no block"))?;
            let id = name.get(..8).filter(|_| name.len() == 12).and_then(id_of);
            let id = id.ok_or_else(|| wrong("ends in no name of a step"))?;
            let key = Table::CommitStep.key(name);
            let bytes = self.engine().get(&key)?;
            let bytes = bytes.ok_or_else(|| wrong("names a step that is not there"))?;
            let step = Step::decode_all(&mut bytes.as_slice())
                .map_err(|e| row_error(Table::CommitStep, &key, e.to_string()))?;
            if step.block != u32::from_be_bytes(*block) {
                return Err(wrong("names a step of another block"));
            }
            taken.push((id, step));
        }
        Ok(taken)
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
                let (key, bytes) = step?;
                batch.delete(found_at(&key, &bytes)?);
                batch.delete(key);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commits::{CallAt, Kind, State, Transition};

    fn entry(block: BlockNumber, made: bool) -> Entry {
        let call = CallAt {
            extrinsic: 1,
            path: None,
        };
        let row = CommitRow {
            kind: Kind::Hash,
            index: 3,
            hotkey: [7; 32],
            uid: Some(1),
            made_by: made.then_some(call),
            hash: None,
            round: None,
            epoch: None,
        };
        Entry::new(Id { block, index: 2 }, row)
    }

    fn step(block: BlockNumber, what: State) -> Step {
        let what = Transition::State(what, None);
        Step { block, what }
    }

    #[test]
    fn steps_are_found_by_their_block_however_many_there_are_and_however_old_the_entry() {
        let store = Store::in_memory().unwrap();
        let (mut old, other) = (entry(5, true), entry(90_000, false));
        let mut batch = Batch::default();
        put(&mut batch, &old);
        put(&mut batch, &other);
        let due = step(90_000, State::Due);
        for number in 65_534..65_538 {
            old.steps = number;
            put_step(&mut batch, &old, &due);
        }
        let (gone, last) = (step(90_000, State::Failed), step(u32::MAX, State::Expired));
        put_step(&mut batch, &other, &gone);
        old.steps += 1;
        put_step(&mut batch, &old, &last);
        store.commit(vec![batch]).unwrap();

        let here = store.commit_steps(&(90_000..=90_000)).unwrap();
        let mut wanted = vec![(old.id, due); 4];
        wanted.push((other.id, gone));
        assert_eq!(here, wanted);
        assert_eq!(store.commit_steps(&(90_001..=u32::MAX - 1)).unwrap(), []);
        let end = store.commit_steps(&(90_001..=u32::MAX)).unwrap();
        assert_eq!(end, [(old.id, last)]);
        assert_eq!(store.commits_made(&(0..=u32::MAX)).unwrap(), [old.id]);

        let mut batch = Batch::default();
        store.forget_commits(5, &mut batch).unwrap();
        store.commit(vec![batch]).unwrap();
        let left = store.commit_steps(&(0..=u32::MAX)).unwrap();
        assert_eq!(left, wanted[4..]);
        let mut batch = Batch::default();
        store.forget_commits(90_000, &mut batch).unwrap();
        store.commit(vec![batch]).unwrap();
        for table in tables::ALL.iter().filter(|table| **table != Table::Meta) {
            let rows = store.engine().scan(Range::prefix(&table.key(&[])));
            assert_eq!(rows.count(), 0, "{}", table.name());
        }
    }

    #[test]
    fn a_name_without_its_step_is_damage_and_no_silence() {
        let (store, entry) = (Store::in_memory().unwrap(), entry(5, true));
        let (mut batch, mut gone) = (Batch::default(), Batch::default());
        put_step(&mut batch, &entry, &step(9, State::Due));
        for (key, _) in &batch.ops {
            if key.first() == Some(&(Table::CommitStep as u8)) {
                gone.delete(key.clone());
            }
        }
        store.commit(vec![batch, gone]).unwrap();
        let error = store.commit_steps(&(9..=9)).unwrap_err().to_string();
        assert!(error.contains("a step that is not there"), "{error}");
        assert!(error.contains("index again"), "{error}");
    }
}
