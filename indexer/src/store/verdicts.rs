//! Verdicts on epochs in the store, and how far they go.

use chain_metadata::{BlockNumber, MechId, NetUid};
use parity_scale_codec::{DecodeAll, Encode};

use super::engine::{Batch, Range};
use super::read::row_error;
use super::tables::{self, Table};
use super::{Store, StoreError};
use crate::verify::Record;

/// The blocks of a span whose epochs and slots were looked at, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LookedAt {
    /// The lowest of them, with which the span began.
    pub first: BlockNumber,
    /// The highest of them.
    pub last: BlockNumber,
}

fn looked_at_key(first: BlockNumber) -> Vec<u8> {
    Table::Verify.key(&first.to_be_bytes())
}

fn subnet_key(netuid: NetUid, mechanism: MechId, block: BlockNumber) -> Vec<u8> {
    let mut key = Table::Verdict.key(&netuid.0.to_be_bytes());
    key.push(mechanism.0);
    key.extend_from_slice(&block.to_be_bytes());
    key
}

/// Adds or replaces a record.
pub fn put(batch: &mut Batch, record: &Record) {
    let key = subnet_key(record.netuid, record.mechanism, record.block);
    batch.put(key, record.to_bytes());
}

/// Remembers what was looked at of a span.
pub fn put_looked_at(batch: &mut Batch, looked_at: LookedAt) {
    batch.put(looked_at_key(looked_at.first), looked_at.last.encode());
}

/// Forgets what was looked at of the span that began with a block.
pub fn delete_looked_at(batch: &mut Batch, first: BlockNumber) {
    batch.delete(looked_at_key(first));
}

impl Store {
    /// The blocks of the highest span whose epochs were looked at: of the highest that has any;
    /// `None` before the first.
    pub fn looked_at(&self) -> Result<Option<LookedAt>, StoreError> {
        let mut all = self.all_looked_at()?;
        all.retain(|seen| self.span_from(seen.first).is_some());
        Ok(all.pop())
    }

    /// The blocks whose epochs were looked at, lowest first. A row stays for a while after its
    /// span was joined to the one below; its blocks are then looked at again.
    pub fn all_looked_at(&self) -> Result<Vec<LookedAt>, StoreError> {
        let range = Range::prefix(&Table::Verify.key(&[]));
        self.engine()
            .scan(range)
            .map(|row| {
                let (key, bytes) = row?;
                let first = key.get(1..).and_then(|b| b.try_into().ok());
                let Some(first) = first.map(u32::from_be_bytes) else {
                    return Err(row_error(Table::Verify, &key, "key is no block"));
                };
                let last = BlockNumber::decode_all(&mut bytes.as_slice())
                    .map_err(|e| row_error(Table::Verify, &key, e.to_string()))?;
                Ok(LookedAt { first, last })
            })
            .collect()
    }

    /// The record of a mechanism in a block.
    pub fn verdict(
        &self,
        netuid: NetUid,
        mechanism: MechId,
        block: BlockNumber,
    ) -> Result<Option<Record>, StoreError> {
        let key = subnet_key(netuid, mechanism, block);
        match self.engine().get(&key)? {
            None => Ok(None),
            Some(bytes) => Record::of_bytes(netuid, mechanism, block, &bytes)
                .map(Some)
                .ok_or_else(|| row_error(Table::Verdict, &key, "is no record")),
        }
    }

    /// Records of a mechanism from `from` to `to`, ascending, or newest first, at most `max`.
    pub fn verdicts(
        &self,
        netuid: NetUid,
        mechanism: MechId,
        range: (BlockNumber, BlockNumber),
        newest_first: bool,
        max: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.each_verdict(netuid, mechanism, range, newest_first)
            .take(max)
            .collect()
    }

    /// The same one by one: no more than one of them is held at a time.
    pub fn each_verdict(
        &self,
        netuid: NetUid,
        mechanism: MechId,
        (from, to): (BlockNumber, BlockNumber),
        newest_first: bool,
    ) -> impl Iterator<Item = Result<Record, StoreError>> {
        let mut range = Range {
            from: subnet_key(netuid, mechanism, from),
            below: None,
            reverse: newest_first,
        };
        // The key after the last one: a longer key with the same beginning.
        let mut below = subnet_key(netuid, mechanism, to);
        below.push(0);
        range.below = Some(below);
        self.engine().scan(range).map(move |row| {
            let (key, bytes) = row?;
            let block = key.get(4..).and_then(|b| b.try_into().ok());
            let block = block.map(u32::from_be_bytes);
            block
                .and_then(|block| Record::of_bytes(netuid, mechanism, block, &bytes))
                .ok_or_else(|| row_error(Table::Verdict, &key, "is no record"))
        })
    }

    /// Subnets and mechanisms that have records, ascending.
    pub fn judged(&self) -> Result<Vec<(NetUid, MechId)>, StoreError> {
        let table = Table::Verdict.key(&[]);
        let mut found = Vec::new();
        let mut from = table.clone();
        loop {
            let mut range = Range::prefix(&table);
            range.from = from;
            let Some(row) = self.engine().scan(range).next() else {
                return Ok(found);
            };
            let (key, _) = row?;
            let Some(&[high, low, mechanism]) = key.get(1..4) else {
                return Err(row_error(Table::Verdict, &key, "key is too short"));
            };
            found.push((NetUid(u16::from_be_bytes([high, low])), MechId(mechanism)));
            match Range::prefix(key.get(..4).unwrap_or_default()).below {
                Some(next) => from = next,
                None => return Ok(found),
            }
        }
    }

    /// Subnets that ever had an epoch, ascending.
    pub fn epoch_netuids(&self) -> Result<Vec<NetUid>, StoreError> {
        let table = Table::Epoch.key(&[]);
        let mut found = Vec::new();
        let mut from = table.clone();
        loop {
            let mut range = Range::prefix(&table);
            range.from = from;
            let Some(row) = self.engine().scan(range).next() else {
                return Ok(found);
            };
            let (key, _) = row?;
            let Some(&[high, low]) = key.get(1..3) else {
                return Err(row_error(Table::Epoch, &key, "key is too short"));
            };
            found.push(NetUid(u16::from_be_bytes([high, low])));
            match Range::prefix(key.get(..3).unwrap_or_default()).below {
                Some(next) => from = next,
                None => return Ok(found),
            }
        }
    }

    /// Blocks from `from` to `to` in which an epoch of a subnet ran, ascending.
    pub fn epochs_between(
        &self,
        netuid: NetUid,
        from: BlockNumber,
        to: BlockNumber,
    ) -> Result<Vec<BlockNumber>, StoreError> {
        let mut below = tables::epoch_key(netuid.0, to);
        below.push(0);
        let range = Range {
            from: tables::epoch_key(netuid.0, from),
            below: Some(below),
            reverse: false,
        };
        self.engine()
            .scan(range)
            .map(|row| {
                let (key, _) = row?;
                let block = key.get(3..).and_then(|b| b.try_into().ok());
                let block = block.map(u32::from_be_bytes);
                block.ok_or_else(|| row_error(Table::Epoch, &key, "key has no block"))
            })
            .collect()
    }
}
