//! Lists of the store from their other ends. What is read newest first elsewhere is read
//! oldest first here, and the other way round; the rules are the same.

use std::ops::RangeInclusive;

use chain_metadata::{AccountId, BlockNumber};

use super::engine::Range;
use super::history::{EpochRow, TenancyRow, block_in, pair, u16_at, with_block};
use super::read::{StateRow, row_error, scale_row};
use super::tables::{self, Table};
use super::{Store, StoreError, commits, stakes};
use crate::commits::Id as CommitId;
use crate::stakes::Id as StakeId;

/// The key right after another one: a longer key with the same beginning.
fn behind(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

impl Store {
    /// Names of entries that begin at or before `at`, in its span, oldest first, from above
    /// `after` on, at most `max`.
    pub fn commit_ids_up(
        &self,
        among: commits::Among,
        at: BlockNumber,
        after: Option<CommitId>,
        max: usize,
    ) -> Result<Vec<CommitId>, StoreError> {
        let prefix = commits::among_prefix(among);
        let key = |id: CommitId| [&prefix[..], &commits::id_bytes(id)].concat();
        let mut range = Range::prefix(&prefix);
        let lowest = CommitId {
            block: self.floor(at),
            index: 0,
        };
        range.from = match after {
            Some(after) if after >= lowest => behind(key(after)),
            _ => key(lowest),
        };
        let next = at.checked_add(1);
        if let Some(block) = next {
            range.below = Some(key(CommitId { block, index: 0 }));
        }
        let rows = self.engine().scan(range).take(max);
        rows.map(|row| {
            let (key, _) = row?;
            let id = key.get(prefix.len()..).and_then(commits::id_of);
            id.ok_or_else(|| row_error(Table::CommitOf, &key, "ends in no name of an entry"))
        })
        .collect()
    }

    /// Names of movements at or before block `at`, oldest first, from above `after` on, at most
    /// `max`.
    pub fn stake_ids_up(
        &self,
        among: stakes::Among,
        at: BlockNumber,
        after: Option<StakeId>,
        max: usize,
    ) -> Result<Vec<StakeId>, StoreError> {
        let prefix = stakes::prefix(among);
        let key = |id: StakeId| [&prefix[..], &stakes::id_bytes(id)].concat();
        let mut range = Range::prefix(&prefix);
        if let Some(after) = after {
            range.from = behind(key(after));
        }
        if let Some(block) = at.checked_add(1) {
            range.below = Some(key(StakeId { block, index: 0 }));
        }
        let rows = self.engine().scan(range).take(max);
        rows.map(|row| {
            let (key, _) = row?;
            let id = key.get(prefix.len()..).and_then(stakes::id_of);
            id.ok_or_else(|| row_error(Table::StakeOf, &key, "ends in no name of a movement"))
        })
        .collect()
    }

    /// Changes of who holds a uid, oldest first, those above block `after`, at most `max`.
    pub fn tenancy_rows_up(
        &self,
        netuid: u16,
        uid: u16,
        after: Option<BlockNumber>,
        max: usize,
    ) -> Result<Vec<(BlockNumber, TenancyRow)>, StoreError> {
        let prefix = pair(Table::Tenancy, netuid, uid);
        let above = after.map_or(Some(0), |after| after.checked_add(1));
        let Some(above) = above else {
            return Ok(Vec::new());
        };
        let mut range = Range::prefix(&prefix);
        range.from = with_block(prefix.clone(), above);
        let rows = self.engine().scan(range).take(max);
        rows.map(|row| {
            let (key, value) = row?;
            let block = block_in(Table::Tenancy, prefix.len(), &key)?;
            Ok((block, scale_row(Table::Tenancy, &key, &value)?))
        })
        .collect()
    }

    /// Where tenancies of a hotkey in a subnet begin, oldest first: block and uid, above
    /// `after` if given, at most `max`.
    pub fn tenancies_of_up(
        &self,
        hotkey: &AccountId,
        netuid: u16,
        after: Option<(BlockNumber, u16)>,
        max: usize,
    ) -> Result<Vec<(BlockNumber, u16)>, StoreError> {
        let mut prefix = Table::TenancyOf.key(&hotkey.0);
        prefix.extend_from_slice(&netuid.to_be_bytes());
        let mut range = Range::prefix(&prefix);
        if let Some((block, uid)) = after {
            let mut from = with_block(prefix.clone(), block);
            from.extend_from_slice(&uid.to_be_bytes());
            range.from = behind(from);
        }
        let rows = self.engine().scan(range).take(max);
        rows.map(|row| {
            let (key, _) = row?;
            let block = block_in(Table::TenancyOf, prefix.len(), &key)?;
            Ok((block, u16_at(Table::TenancyOf, prefix.len() + 4, &key)?))
        })
        .collect()
    }

    /// Subnets in which a hotkey ever held a uid, ascending: one step a subnet.
    pub fn tenancy_netuids(&self, hotkey: &AccountId) -> Result<Vec<u16>, StoreError> {
        let table = Table::TenancyOf.key(&hotkey.0);
        let (mut found, mut from) = (Vec::new(), table.clone());
        loop {
            let mut range = Range::prefix(&table);
            range.from = from;
            let Some(row) = self.engine().scan(range).next() else {
                return Ok(found);
            };
            let netuid = u16_at(Table::TenancyOf, table.len(), &row?.0)?;
            found.push(netuid);
            let Some(next) = netuid.checked_add(1) else {
                return Ok(found);
            };
            from = [&table[..], &next.to_be_bytes()].concat();
        }
    }

    /// Epochs of a subnet that ran in the blocks of a range, newest first, at most `max`.
    pub fn epochs_down(
        &self,
        netuid: u16,
        range: RangeInclusive<BlockNumber>,
        max: usize,
    ) -> Result<Vec<(BlockNumber, EpochRow)>, StoreError> {
        let prefix = Table::Epoch.key(&netuid.to_be_bytes());
        let mut keys = Range::prefix(&prefix).reversed();
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

    /// Changes of a storage key in the blocks of a range, newest first, at most `max`.
    pub fn state_changes_down(
        &self,
        item: u16,
        rest: &[u8],
        range: RangeInclusive<BlockNumber>,
        max: usize,
    ) -> Result<Vec<StateRow>, StoreError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let prefix = tables::state_prefix(item, rest);
        let key = |number: BlockNumber| [&prefix[..], &number.to_be_bytes()].concat();
        let mut keys = Range::prefix(&prefix).reversed();
        keys.from = key(*range.start());
        if let Some(next) = range.end().checked_add(1) {
            keys.below = Some(key(next));
        }
        self.pinned(|known| {
            let mut changes: Vec<StateRow> = Vec::new();
            for row in self.engine().scan(keys.clone()) {
                if changes.len() >= max {
                    break;
                }
                let row = self.state_row(&prefix, row?)?;
                let floor = known.floor(row.changed_at);
                let earlier = match row.changed_at.checked_sub(1) {
                    Some(to) if to >= floor => self.last_row(&prefix, floor, to)?,
                    _ => None,
                };
                // What a span saw first may be what the one below it knew before.
                if earlier.and_then(|earlier| earlier.value) != row.value {
                    changes.push(row);
                }
            }
            Ok(changes)
        })
    }
}
