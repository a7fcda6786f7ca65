//! Typed rows and the reads over them.

use chain_metadata::{BlockNumber, H256, SpecVersion};
use parity_scale_codec::{Compact, Decode, DecodeAll, Encode};

use super::engine::Range;
use super::pulse::{self, Pulse};
use super::spans::Known;
use super::tables::{self, Table, meta};
use super::{Store, StoreError};
use crate::activity::Topic;

/// A block as the chain has it, without its body.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct BlockRow {
    /// Hash of the header, blake2-256.
    pub hash: [u8; 32],
    /// The SCALE-encoded header.
    pub header: Vec<u8>,
    /// Spec version of the runtime that executed the block: that of its parent's state.
    pub spec: u32,
    /// `Timestamp.Now` at the block in milliseconds; `None` where nothing is stored.
    pub timestamp_ms: Option<u64>,
    /// Number of extrinsics.
    pub extrinsics: u32,
    /// Number of events.
    pub events: u32,
}

/// A span: all blocks from `first` to `last` are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Checkpoint {
    /// First block of the span; it was read whole.
    pub first: u32,
    /// Last block of the span.
    pub last: u32,
    /// Hash of the last block.
    pub hash: [u8; 32],
    /// Spec version that executed the last block.
    pub spec: u32,
    /// Spec version in `System.LastRuntimeUpgrade` at the last block; where it
    /// changes, migrations have run.
    pub upgraded_to: Option<u32>,
}

/// A runtime seen by the index.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct RuntimeRow {
    /// First stored block that it executed.
    pub first_block: u32,
    /// blake2-256 of its metadata bytes.
    pub metadata_hash: [u8; 32],
    /// Version of the metadata format: 14, 15 or 16.
    pub metadata_version: u8,
    /// Length of the metadata in bytes.
    pub metadata_len: u32,
}

/// A value of the chain's state as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRow {
    /// Block whose end state first had this value, or at which the span first saw it.
    pub changed_at: BlockNumber,
    /// The raw SCALE bytes; `None` when the key was removed.
    pub value: Option<Vec<u8>>,
}

pub(super) fn u32_row(table: Table, key: &[u8], bytes: &[u8]) -> Result<u32, StoreError> {
    let fixed = <[u8; 4]>::try_from(bytes)
        .map_err(|_| row_error(table, key, format!("{} bytes, expected 4", bytes.len())))?;
    Ok(u32::from_be_bytes(fixed))
}

pub(super) fn row_error(table: Table, key: &[u8], what: impl Into<String>) -> StoreError {
    StoreError::Row {
        table: table.name(),
        key: hex::encode(key),
        what: what.into(),
    }
}

pub(super) fn scale_row<T: Decode>(
    table: Table,
    key: &[u8],
    bytes: &[u8],
) -> Result<T, StoreError> {
    T::decode_all(&mut &bytes[..]).map_err(|e| row_error(table, key, e.to_string()))
}

fn unpacked(table: Table, key: &[u8], bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    tables::unpack(bytes).ok_or_else(|| row_error(table, key, "cannot be unpacked"))
}

impl Store {
    fn scale<T: Decode>(&self, table: Table, rest: &[u8]) -> Result<Option<T>, StoreError> {
        match self.engine().get(&table.key(rest))? {
            Some(bytes) => scale_row(table, rest, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// The highest span; `None` for an empty store.
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        Ok(self.known().spans.values().next_back().copied())
    }

    /// Genesis hash of the stored chain.
    pub fn genesis(&self) -> Result<Option<H256>, StoreError> {
        let Some(bytes) = self.engine().get(&Table::Meta.key(meta::GENESIS))? else {
            return Ok(None);
        };
        let hash = <[u8; 32]>::try_from(bytes.as_slice())
            .map_err(|_| row_error(Table::Meta, meta::GENESIS, "not 32 bytes"))?;
        Ok(Some(H256(hash)))
    }

    /// The block at `number`.
    pub fn block(&self, number: BlockNumber) -> Result<Option<BlockRow>, StoreError> {
        self.scale(Table::Block, &number.to_be_bytes())
    }

    /// The number of the block with `hash`.
    pub fn block_number(&self, hash: &H256) -> Result<Option<BlockNumber>, StoreError> {
        match self.engine().get(&Table::Hash.key(&hash.0))? {
            Some(bytes) => u32_row(Table::Hash, &hash.0, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Raw extrinsics of a block, in order.
    pub fn body(&self, number: BlockNumber) -> Result<Option<Vec<Vec<u8>>>, StoreError> {
        let key = number.to_be_bytes();
        let Some(bytes) = self.engine().get(&Table::Body.key(&key))? else {
            return Ok(None);
        };
        let bytes = unpacked(Table::Body, &key, &bytes)?;
        scale_row(Table::Body, &key, &bytes).map(Some)
    }

    /// Raw `System.Events` of a block; empty bytes where nothing was stored.
    pub fn events(&self, number: BlockNumber) -> Result<Option<Vec<u8>>, StoreError> {
        let key = number.to_be_bytes();
        let Some(bytes) = self.engine().get(&Table::Events.key(&key))? else {
            return Ok(None);
        };
        unpacked(Table::Events, &key, &bytes).map(Some)
    }

    /// Where extrinsics whose hash begins with the first 16 bytes of `hash` are:
    /// block and index. The caller compares the whole hash.
    pub fn extrinsic_places(&self, hash: &H256) -> Result<Vec<(BlockNumber, u32)>, StoreError> {
        let mut places = Vec::new();
        for row in self
            .engine()
            .scan(Range::prefix(&Table::Extrinsic.key(&hash.0[..16])))
        {
            let (key, _) = row?;
            let place = key
                .get(17..)
                .and_then(|rest| <[u8; 8]>::try_from(rest).ok())
                .ok_or_else(|| row_error(Table::Extrinsic, &key, "key is not 25 bytes"))?;
            let [a, b, c, d, e, f, g, h] = place;
            places.push((
                u32::from_be_bytes([a, b, c, d]),
                u32::from_be_bytes([e, f, g, h]),
            ));
        }
        Ok(places)
    }

    /// The runtime with this spec version.
    pub fn runtime(&self, spec: SpecVersion) -> Result<Option<RuntimeRow>, StoreError> {
        self.scale(Table::Runtime, &spec.to_be_bytes())
    }

    /// All runtimes by spec version.
    pub fn runtimes(&self) -> Result<Vec<(SpecVersion, RuntimeRow)>, StoreError> {
        let mut all = Vec::new();
        for row in self.engine().scan(Range::prefix(&Table::Runtime.key(&[]))) {
            let (key, value) = row?;
            let spec = u32_row(Table::Runtime, &key, key.get(1..).unwrap_or_default())?;
            all.push((spec, scale_row(Table::Runtime, &key, &value)?));
        }
        Ok(all)
    }

    /// Metadata bytes by their hash.
    pub fn metadata_bytes(&self, hash: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.engine().get(&Table::Metadata.key(hash))? {
            Some(bytes) => unpacked(Table::Metadata, hash, &bytes).map(Some),
            None => Ok(None),
        }
    }

    /// What `read` gives, with the spans as they are; again when two of them were
    /// joined meanwhile, or are being joined.
    pub(super) fn pinned<T>(
        &self,
        read: impl Fn(&Known) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        loop {
            let known = self.known();
            let found = read(&known);
            let now = self.known();
            if now.joins == known.joins && !now.joining {
                return found;
            }
            // A join takes as long as a flush of the disk.
            std::thread::sleep(std::time::Duration::from_micros(200));
        }
    }

    /// What `read` gives by several reads, none of them before and another after a join.
    pub(crate) fn at_once<T>(
        &self,
        read: impl Fn() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.pinned(|_| read())
    }

    /// The value of a storage key at the end of block `at`: the last row at or
    /// before it, in the span of that block. `None` when the span has never seen
    /// a value under the key.
    ///
    /// `item` is the manifest's number, `rest` the storage key after its first
    /// 32 bytes.
    pub fn state(
        &self,
        item: u16,
        rest: &[u8],
        at: BlockNumber,
    ) -> Result<Option<StateRow>, StoreError> {
        let prefix = tables::state_prefix(item, rest);
        self.pinned(|known| {
            let floor = known.floor(at);
            let mut found = self.last_row(&prefix, floor, at)?;
            // What a span saw first may be what the one below it knew before.
            while let Some(row) = &found
                && let Some(joint) = known.joint(floor, row.changed_at)
                && let Some(before) = row.changed_at.checked_sub(1)
                && let Some(before) = self.last_row(&prefix, floor, before)?
                && before.changed_at <= joint
                && before.value == row.value
            {
                found = Some(before);
            }
            Ok(found)
        })
    }

    /// The last row of a state key from block `from` to block `to`.
    pub(super) fn last_row(
        &self,
        prefix: &[u8],
        from: BlockNumber,
        to: BlockNumber,
    ) -> Result<Option<StateRow>, StoreError> {
        let mut range = Range::prefix(prefix).reversed();
        range.from.extend_from_slice(&from.to_be_bytes());
        if let Some(next) = to.checked_add(1) {
            let mut below = prefix.to_vec();
            below.extend_from_slice(&next.to_be_bytes());
            range.below = Some(below);
        }
        let row = self.engine().scan(range).next();
        row.map(|row| self.state_row(prefix, row?)).transpose()
    }

    /// The first row of a state key from block `from` on.
    pub(super) fn first_row(
        &self,
        prefix: &[u8],
        from: BlockNumber,
    ) -> Result<Option<StateRow>, StoreError> {
        let mut range = Range::prefix(prefix);
        range.from.extend_from_slice(&from.to_be_bytes());
        let row = self.engine().scan(range).next();
        row.map(|row| self.state_row(prefix, row?)).transpose()
    }

    /// Every change of a storage key, oldest first. In each span the first one is
    /// the value that was there when the span first saw the key.
    pub fn state_changes(&self, item: u16, rest: &[u8]) -> Result<Vec<StateRow>, StoreError> {
        let prefix = tables::state_prefix(item, rest);
        self.pinned(|known| {
            let mut changes: Vec<StateRow> = Vec::new();
            for row in self.engine().scan(Range::prefix(&prefix)) {
                let row = self.state_row(&prefix, row?)?;
                let floor = known.floor(row.changed_at);
                let before = changes.last().filter(|last| last.changed_at >= floor);
                // Without one before it, "known to be absent" is no change.
                let value = before.and_then(|before| before.value.as_ref());
                if value != row.value.as_ref() {
                    changes.push(row);
                }
            }
            Ok(changes)
        })
    }

    /// Changes of a storage key in the blocks of a range, oldest first, at most
    /// `max`.
    pub fn state_changes_in(
        &self,
        item: u16,
        rest: &[u8],
        range: std::ops::RangeInclusive<BlockNumber>,
        max: usize,
    ) -> Result<Vec<StateRow>, StoreError> {
        if range.is_empty() {
            return Ok(Vec::new());
        }
        let prefix = tables::state_prefix(item, rest);
        let key = |number: BlockNumber| [&prefix[..], &number.to_be_bytes()].concat();
        let mut keys = Range::prefix(&prefix);
        keys.from = key(*range.start());
        if let Some(next) = range.end().checked_add(1) {
            keys.below = Some(key(next));
        }
        self.pinned(|known| {
            let mut changes: Vec<StateRow> = Vec::new();
            let mut before: Option<StateRow> = None;
            for row in self.engine().scan(keys.clone()) {
                let row = self.state_row(&prefix, row?)?;
                let floor = known.floor(row.changed_at);
                let same_span = before.take().filter(|before| before.changed_at >= floor);
                let earlier = match (same_span, row.changed_at.checked_sub(1)) {
                    (Some(before), _) => Some(before),
                    (None, Some(to)) => self.last_row(&prefix, floor, to)?,
                    (None, None) => None,
                };
                // What a span saw first may be what the one below it knew before.
                if earlier.and_then(|earlier| earlier.value) != row.value {
                    changes.push(row.clone());
                }
                before = Some(row);
                if changes.len() >= max {
                    break;
                }
            }
            Ok(changes)
        })
    }

    /// The keys (as in [`Store::state`]) of `item` that the store has ever seen.
    pub fn state_keys(&self, item: u16) -> Result<Vec<Vec<u8>>, StoreError> {
        self.keys_from(item, Table::State.key(&item.to_be_bytes()))
    }

    /// As [`Store::state_keys`], those that begin with `start`. All keys of the item
    /// must be of one length.
    pub fn state_keys_under(&self, item: u16, start: &[u8]) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut table = Table::State.key(&item.to_be_bytes());
        let first = self.engine().scan(Range::prefix(&table)).next();
        let Some(row) = first else {
            return Ok(Vec::new());
        };
        table.extend(row?.0.get(3));
        table.extend_from_slice(start);
        self.keys_from(item, table)
    }

    fn keys_from(&self, item: u16, table: Vec<u8>) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut keys = Vec::new();
        let mut from = table.clone();
        loop {
            let mut range = Range::prefix(&table);
            range.from = from;
            let Some(row) = self.engine().scan(range).next() else {
                return Ok(keys);
            };
            let (key, _) = row?;
            let rest = key
                .len()
                .checked_sub(4)
                .and_then(|end| key.get(4..end))
                .ok_or_else(|| row_error(Table::State, &key, "key is too short"))?;
            // Jump over the history of this key.
            let next = Range::prefix(&tables::state_prefix(item, rest)).below;
            keys.push(rest.to_vec());
            match next {
                Some(next) => from = next,
                None => return Ok(keys),
            }
        }
    }

    /// Values of the items that are read in every block, at the end of `at`.
    pub fn pulse(&self, at: BlockNumber) -> Result<Pulse, StoreError> {
        self.pinned(|known| self.pulse_in(known, at))
    }

    fn pulse_in(&self, known: &Known, at: BlockNumber) -> Result<Pulse, StoreError> {
        let floor = known.floor(at);
        let mut pulse = Pulse::default();
        for number in floor.max(at - at % pulse::FRAME)..=at {
            self.pulse_row(number, &mut pulse)?;
        }
        // The full row is of a span that knew nothing of what was below the joint.
        let frame = at - at % pulse::FRAME;
        if let Some(below) = frame.checked_sub(1)
            && !known.is_told_again(floor, frame)
            && let Some(joint) = known.joint(floor, below)
        {
            pulse.age(joint, &self.pulse_in(known, joint)?);
        }
        Ok(pulse)
    }

    /// Reads the row of one block on top of those before it.
    pub(crate) fn pulse_row(
        &self,
        number: BlockNumber,
        pulse: &mut Pulse,
    ) -> Result<(), StoreError> {
        let key = number.to_be_bytes();
        let damaged = |what| row_error(Table::Pulse, &key, what);
        let row = self
            .engine()
            .get(&Table::Pulse.key(&key))?
            .ok_or_else(|| damaged("is missing"))?;
        let row = tables::unpack(&row).ok_or_else(|| damaged("cannot be unpacked"))?;
        pulse
            .apply(number, &row)
            .ok_or_else(|| damaged("does not fit the rows before it"))
    }

    /// Where a topic occurs: block and position (of an event or an extrinsic),
    /// newest first, below `before` if given, at most `max`.
    ///
    /// Topics are kept by 16 bytes of their hash: the caller compares.
    pub fn activity(
        &self,
        topic: &Topic,
        before: Option<(BlockNumber, u32)>,
        max: usize,
    ) -> Result<Vec<(BlockNumber, u32)>, StoreError> {
        let tag = topic.tag();
        let prefix = Table::Activity.key(&tag);
        let mut range = Range::prefix(&prefix).reversed();
        if let Some(next) = before.and_then(|(block, _)| block.checked_add(1)) {
            range.below = Some(tables::activity_key(&tag, next));
        }
        let mut places = Vec::new();
        for row in self.engine().scan(range) {
            let (key, value) = row?;
            let block = block_of(&prefix, &key)?;
            let positions: Vec<Compact<u32>> = scale_row(Table::Activity, &key, &value)?;
            for Compact(position) in positions.into_iter().rev() {
                if before.is_none_or(|before| (block, position) < before) {
                    places.push((block, position));
                }
                if places.len() >= max {
                    return Ok(places);
                }
            }
        }
        Ok(places)
    }

    /// Blocks up to `at`, in its span, in which an epoch of `netuid` ran, newest
    /// first, at most `max`.
    pub fn epochs(
        &self,
        netuid: u16,
        at: BlockNumber,
        max: usize,
    ) -> Result<Vec<BlockNumber>, StoreError> {
        let prefix = Table::Epoch.key(&netuid.to_be_bytes());
        let mut range = Range::prefix(&prefix).reversed();
        range.from = tables::epoch_key(netuid, self.floor(at));
        if let Some(next) = at.checked_add(1) {
            range.below = Some(tables::epoch_key(netuid, next));
        }
        self.engine()
            .scan(range)
            .take(max)
            .map(|row| block_of(&prefix, &row?.0))
            .collect()
    }
}

pub(super) fn block_of(prefix: &[u8], key: &[u8]) -> Result<BlockNumber, StoreError> {
    let tail = key.get(prefix.len()..).unwrap_or_default();
    u32_row(Table::State, key, tail)
}
