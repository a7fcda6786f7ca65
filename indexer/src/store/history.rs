//! What changed hands and what was set, in the store: tenancies of uids, what set
//! the rows of W, epochs that ran.
//!
//! Rows are only ever added. A tenancy ends where the next row of its uid begins,
//! so nothing is written again when it does.

use chain_metadata::{AccountId, BlockNumber};
use parity_scale_codec::{Decode, Encode};

use super::engine::{Batch, Range};
use super::read::{row_error, scale_row};
use super::tables::{self, Table};
use super::{Store, StoreError};

/// How a uid came to be as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum How {
    /// It was so in the first stored block.
    FoundAtStart,
    /// The hotkey registered.
    Registered,
    /// The neuron goes on under another hotkey.
    Swapped,
    /// The neuron goes on under another uid: the subnet was trimmed.
    Moved,
    /// Storage was written, and nothing in the block tells why.
    Written,
    /// Nobody holds it any more: the subnet was dissolved.
    Dissolved,
    /// Nobody holds it any more: the subnet became smaller.
    Removed,
}

/// A change of who holds a uid.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct TenancyRow {
    /// Who holds it from this block on; `None` when nobody does.
    pub hotkey: Option<[u8; 32]>,
    /// What happened.
    pub how: How,
    /// The hotkey before a swap.
    pub from_hotkey: Option<[u8; 32]>,
    /// The uid before a move.
    pub from_uid: Option<u16>,
    /// `BlockAtRegistration` at this block; `None` when nothing is stored.
    pub registered_at: Option<u64>,
}

/// What set a row of W.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum SetKind {
    /// A call that sets the weights of one subnet.
    Direct,
    /// A call that sets the weights of several subnets.
    Batch,
    /// A call that reveals what was committed to by a hash.
    HashReveal,
    /// The chain itself, opening what was under a time lock.
    TimelockReveal,
    /// A contract, in an extrinsic that holds no such call.
    Contract,
    /// A call that the chain ran at the beginning or the end of the block, as
    /// scheduled before.
    Scheduled,
}

/// The last thing in a block that set a row of W.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SetRow {
    /// What it was.
    pub kind: SetKind,
    /// Whose weights they are, where a call or an event names the hotkey.
    pub hotkey: Option<[u8; 32]>,
    /// Position of the extrinsic; `None` when the chain did it without one.
    pub extrinsic: Option<u32>,
    /// Where the call stands in it, as in [`chain_metadata::NestedCall::path`];
    /// `None` when it holds no such call.
    pub path: Option<Vec<u32>>,
    /// Place in the lists of a call that sets or reveals several, from 0.
    pub item: Option<u32>,
    /// Version key among the call's arguments; `None` without a call.
    pub version_key: Option<u64>,
}

/// An epoch that ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct EpochRow {
    /// Mechanisms whose consensus ran, 1 or more.
    pub mechanisms: u8,
    /// `SubnetEpochIndex` at the end of the block; `None` in runtimes without it.
    pub index: Option<u64>,
}

/// Two numbers, as the key of a uid or of a row of W begins.
pub(super) fn pair(table: Table, first: u16, uid: u16) -> Vec<u8> {
    let mut key = table.key(&first.to_be_bytes());
    key.extend_from_slice(&uid.to_be_bytes());
    key
}

pub(super) fn with_block(mut key: Vec<u8>, block: BlockNumber) -> Vec<u8> {
    key.extend_from_slice(&block.to_be_bytes());
    key
}

pub(super) fn block_in(table: Table, prefix: usize, key: &[u8]) -> Result<BlockNumber, StoreError> {
    let tail = key.get(prefix..).and_then(|tail| tail.first_chunk::<4>());
    let block = tail.map(|bytes| u32::from_be_bytes(*bytes));
    block.ok_or_else(|| row_error(table, key, "the key has no block"))
}

pub(super) fn u16_at(table: Table, place: usize, key: &[u8]) -> Result<u16, StoreError> {
    let two = key.get(place..).and_then(|tail| tail.first_chunk::<2>());
    let number = two.map(|bytes| u16::from_be_bytes(*bytes));
    number.ok_or_else(|| row_error(table, key, "the key is too short"))
}

/// Adds a change of who holds a uid.
pub fn put_tenancy(batch: &mut Batch, netuid: u16, uid: u16, block: BlockNumber, row: &TenancyRow) {
    let key = with_block(pair(Table::Tenancy, netuid, uid), block);
    batch.put(key, row.encode());
    if let Some(hotkey) = row.hotkey {
        let mut key = Table::TenancyOf.key(&hotkey);
        key.extend_from_slice(&netuid.to_be_bytes());
        key.extend_from_slice(&block.to_be_bytes());
        key.extend_from_slice(&uid.to_be_bytes());
        batch.put(key, Vec::new());
    }
}

/// Adds what set a row of W.
pub fn put_set(batch: &mut Batch, index: u16, uid: u16, block: BlockNumber, row: &SetRow) {
    let key = with_block(pair(Table::WeightsSet, index, uid), block);
    batch.put(key, row.encode());
}

/// Adds an epoch that ran.
pub fn put_epoch(batch: &mut Batch, netuid: u16, block: BlockNumber, row: &EpochRow) {
    batch.put(tables::epoch_key(netuid, block), row.encode());
}

impl Store {
    /// Changes of who holds a uid, newest first, from block `below` (not itself)
    /// down to the beginning of its span, at most `max`.
    pub fn tenancy_rows(
        &self,
        netuid: u16,
        uid: u16,
        below: Option<BlockNumber>,
        max: usize,
    ) -> Result<Vec<(BlockNumber, TenancyRow)>, StoreError> {
        let prefix = pair(Table::Tenancy, netuid, uid);
        let mut range = Range::prefix(&prefix).reversed();
        let floor = self.floor(below.map_or(u32::MAX, |below| below.saturating_sub(1)));
        range.from = with_block(prefix.clone(), floor);
        if let Some(below) = below {
            range.below = Some(with_block(prefix.clone(), below));
        }
        let rows = self.engine().scan(range).take(max);
        rows.map(|row| {
            let (key, value) = row?;
            let block = block_in(Table::Tenancy, prefix.len(), &key)?;
            Ok((block, scale_row(Table::Tenancy, &key, &value)?))
        })
        .collect()
    }

    /// The first change of who holds a uid after a block, in the same span.
    pub fn tenancy_after(
        &self,
        netuid: u16,
        uid: u16,
        block: BlockNumber,
    ) -> Result<Option<(BlockNumber, TenancyRow)>, StoreError> {
        let Some(next) = block.checked_add(1) else {
            return Ok(None);
        };
        let prefix = pair(Table::Tenancy, netuid, uid);
        let mut range = Range::prefix(&prefix);
        range.from = with_block(prefix.clone(), next);
        let end = self
            .span_of(block)
            .and_then(|span| span.last.checked_add(1));
        if let Some(end) = end {
            range.below = Some(with_block(prefix.clone(), end));
        }
        let Some(row) = self.engine().scan(range).next() else {
            return Ok(None);
        };
        let (key, value) = row?;
        let block = block_in(Table::Tenancy, prefix.len(), &key)?;
        Ok(Some((block, scale_row(Table::Tenancy, &key, &value)?)))
    }

    /// Uids of a subnet that were ever held, ascending.
    pub fn tenancy_uids(&self, netuid: u16) -> Result<Vec<u16>, StoreError> {
        let table = Table::Tenancy.key(&netuid.to_be_bytes());
        let mut uids = Vec::new();
        let mut from = table.clone();
        loop {
            let mut range = Range::prefix(&table);
            range.from = from;
            let Some(row) = self.engine().scan(range).next() else {
                return Ok(uids);
            };
            let uid = u16_at(Table::Tenancy, table.len(), &row?.0)?;
            uids.push(uid);
            match uid.checked_add(1) {
                Some(next) => from = pair(Table::Tenancy, netuid, next),
                None => return Ok(uids),
            }
        }
    }

    /// Where tenancies of a hotkey in a subnet begin, newest first: block and uid,
    /// below `before` if given, at most `max`.
    pub fn tenancies_of(
        &self,
        hotkey: &AccountId,
        netuid: u16,
        before: Option<(BlockNumber, u16)>,
        max: usize,
    ) -> Result<Vec<(BlockNumber, u16)>, StoreError> {
        let mut prefix = Table::TenancyOf.key(&hotkey.0);
        prefix.extend_from_slice(&netuid.to_be_bytes());
        let mut range = Range::prefix(&prefix).reversed();
        if let Some((block, uid)) = before {
            let mut below = with_block(prefix.clone(), block);
            below.extend_from_slice(&uid.to_be_bytes());
            range.below = Some(below);
        }
        let rows = self.engine().scan(range).take(max);
        rows.map(|row| {
            let (key, _) = row?;
            let block = block_in(Table::TenancyOf, prefix.len(), &key)?;
            Ok((block, u16_at(Table::TenancyOf, prefix.len() + 4, &key)?))
        })
        .collect()
    }

    /// What set a row of W in a block; `None` when nothing did.
    pub fn set_row(
        &self,
        index: u16,
        uid: u16,
        block: BlockNumber,
    ) -> Result<Option<SetRow>, StoreError> {
        let key = with_block(pair(Table::WeightsSet, index, uid), block);
        let Some(bytes) = self.engine().get(&key)? else {
            return Ok(None);
        };
        scale_row(Table::WeightsSet, &key, &bytes).map(Some)
    }

    /// The epoch of a subnet that ran in a block; `None` when none did.
    pub fn epoch(&self, netuid: u16, block: BlockNumber) -> Result<Option<EpochRow>, StoreError> {
        let key = tables::epoch_key(netuid, block);
        let Some(bytes) = self.engine().get(&key)? else {
            return Ok(None);
        };
        scale_row(Table::Epoch, &key, &bytes).map(Some)
    }

    /// Epochs of a subnet that ran in the blocks of a range, oldest first, at most `max`.
    pub fn epochs_in(
        &self,
        netuid: u16,
        range: std::ops::RangeInclusive<BlockNumber>,
        max: usize,
    ) -> Result<Vec<(BlockNumber, EpochRow)>, StoreError> {
        let prefix = Table::Epoch.key(&netuid.to_be_bytes());
        let mut keys = Range::prefix(&prefix);
        keys.from = tables::epoch_key(netuid, *range.start());
        if let Some(next) = range.end().checked_add(1) {
            keys.below = Some(tables::epoch_key(netuid, next));
        }
        let rows = self.engine().scan(keys).take(max);
        rows.map(|row| {
            let (key, value) = row?;
            let block = block_in(Table::Epoch, prefix.len(), &key)?;
            Ok((block, scale_row(Table::Epoch, &key, &value)?))
        })
        .collect()
    }

    /// Removes the tenancies that begin in a block in which two spans were joined:
    /// to the upper one all were found at its start. Those of other blocks are
    /// written again in their place.
    pub fn forget_tenancies(
        &self,
        block: BlockNumber,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        if self.joints().iter().all(|joint| joint.at != block) {
            return Ok(());
        }
        let at = |key: &[u8], place: usize| block_in(Table::Tenancy, place, key);
        for row in self.engine().scan(Range::prefix(&Table::Tenancy.key(&[]))) {
            let (key, _) = row?;
            if at(&key, 5)? == block {
                batch.delete(key);
            }
        }
        for row in self
            .engine()
            .scan(Range::prefix(&Table::TenancyOf.key(&[])))
        {
            let (key, _) = row?;
            if at(&key, 35)? == block {
                batch.delete(key);
            }
        }
        Ok(())
    }
}
