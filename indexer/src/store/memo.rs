//! Values read before, kept in memory with the blocks at whose end they hold.
//!
//! What is stored of a final block never changes, so a value once read is right for
//! every block from its change to the block before its next one. A read of another
//! block between these finds it here, without the engine, the unpacking and the
//! decoding. Only a store without layers above it has a memo, and only blocks that
//! its spans hold are kept; whatever writes rows of blocks that are held already
//! (a join of spans, what is put right behind one) empties it. While that goes on
//! nobody reads it, and what began before it is not put in afterwards.
//!
//! It is bounded in bytes. What was not asked for during the last half of the bound
//! goes first. The decoded form of a value is kept beside its bytes only where it is
//! as small as was counted for it.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use chain_metadata::{BlockNumber, SpecVersion, Value};

use super::engine::{Batch, Range};
use super::pulse::{Pulse, Slot};
use super::read::block_of;
use super::spans::Known;
use super::tables::{self, Table};
use super::{Store, StoreError};

/// Parts that are locked by themselves.
const SHARDS: usize = 16;
/// What an entry takes beside its key and its value.
const ENTRY: usize = 128;
/// What a value takes beside its bytes.
const VALUE: usize = 128;
/// Most that the decoded form of a structure may take beside itself.
const STRUCTURE: usize = 640;
/// Lengths of values that are structures as often as not: longer than a number,
/// shorter than a vector.
const STRUCTURES: std::ops::RangeInclusive<usize> = 17..=64;

/// What is counted for the decoded form of so many bytes, beside the value itself. An
/// account needs nothing.
fn room(bytes: usize) -> usize {
    match STRUCTURES.contains(&bytes) && bytes != 32 {
        true => STRUCTURE,
        false => 0,
    }
}

/// What a decoded value holds beside itself.
fn heap(value: &Value) -> usize {
    let each = size_of::<Value>();
    let field = size_of::<(Option<Arc<str>>, Value)>();
    match value {
        Value::Str(text) => text.capacity(),
        Value::Bytes(bytes) => bytes.capacity(),
        Value::Bits(bits) => bits.capacity(),
        Value::Seq(items) | Value::Tuple(items) => {
            items.capacity() * each + items.iter().map(heap).sum::<usize>()
        }
        // Names are shared with the metadata.
        Value::Composite(fields) | Value::Variant { fields, .. } => {
            fields.capacity() * field + fields.iter().map(|(_, v)| heap(v)).sum::<usize>()
        }
        _ => 0,
    }
}

/// A value that every block reads is worth keeping once it has been the same for so
/// many blocks.
const STEADY: BlockNumber = 16;

/// Stored bytes and, once it was needed, what they mean.
#[derive(Debug)]
pub struct Kept {
    bytes: Box<[u8]>,
    decoded: OnceLock<(SpecVersion, Value)>,
    /// The last half of a shard whose bytes it was counted in.
    counted: AtomicU64,
}

impl Kept {
    fn new(bytes: Vec<u8>) -> Kept {
        Kept {
            bytes: bytes.into_boxed_slice(),
            decoded: OnceLock::new(),
            counted: AtomicU64::new(0),
        }
    }

    /// The raw SCALE bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Gives the decoded value to `with`. A small one is decoded once; a reader with
    /// another runtime than the first decodes for itself.
    pub(crate) fn with<T, E>(
        &self,
        spec: SpecVersion,
        decode: impl FnOnce(&[u8]) -> Result<Value, E>,
        with: impl FnOnce(&Value) -> T,
    ) -> Result<T, E> {
        match self.decoded.get() {
            Some((of, value)) if *of == spec => Ok(with(value)),
            found => {
                let value = decode(&self.bytes)?;
                let answer = with(&value);
                if found.is_none() && heap(&value) <= room(self.bytes.len()) {
                    let _ = self.decoded.set((spec, value));
                }
                Ok(answer)
            }
        }
    }

    /// What it takes, unless it was counted in this half already: several entries may
    /// share it.
    fn weight(&self, half: u64) -> usize {
        if self.counted.swap(half, Ordering::Relaxed) == half {
            return 0;
        }
        VALUE + self.bytes.len() + room(self.bytes.len())
    }
}

/// A stored value and the block of its last change; `None` where nothing is stored.
pub(crate) type Cell = Option<(BlockNumber, Arc<Kept>)>;

/// What holds at the end of every block from `from` to `to`.
#[derive(Debug, Clone)]
pub(crate) struct Stretch<T> {
    /// First of the blocks.
    pub(crate) from: BlockNumber,
    /// Last of them that is known.
    pub(crate) to: BlockNumber,
    /// What holds.
    pub(crate) held: T,
}

impl<T> Stretch<T> {
    /// What holds at one block, and nothing is known of others.
    pub(crate) fn only(at: BlockNumber, held: T) -> Stretch<T> {
        Stretch {
            from: at,
            to: at,
            held,
        }
    }
}

/// The same item of every uid of a subnet, each with the blocks at whose end it holds.
pub(crate) type Cells = Arc<[Stretch<Cell>]>;

/// One value, or a column.
#[derive(Debug, Clone)]
enum Entry {
    One(Cell),
    Column(Cells),
}

impl Entry {
    fn weight(&self, half: u64) -> usize {
        let of = |cell: &Cell| cell.as_ref().map_or(0, |(_, kept)| kept.weight(half));
        match self {
            Entry::One(cell) => of(cell),
            Entry::Column(cells) => {
                let values: usize = cells.iter().map(|cell| of(&cell.held)).sum();
                values + std::mem::size_of_val(&**cells)
            }
        }
    }
}

type Key = Box<[u8]>;
type Stretches = Vec<Stretch<Entry>>;

#[derive(Debug, Default)]
struct Shard {
    /// Asked for lately.
    young: HashMap<Key, Stretches>,
    /// Asked for before that.
    old: HashMap<Key, Stretches>,
    /// Bytes of the young ones, about.
    bytes: usize,
    /// How often the young ones became the old ones.
    turns: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Memo {
    shards: Vec<Mutex<Shard>>,
    hasher: RandomState,
    /// Half of the bound, of one shard.
    most: usize,
    /// Two more every time all is dropped, odd while that goes on: what was read before
    /// it is not put in.
    dropped: AtomicU64,
    /// Who drops all holds it.
    dropping: Mutex<()>,
}

fn find(stretches: &[Stretch<Entry>], at: BlockNumber) -> Option<&Stretch<Entry>> {
    let place = stretches.partition_point(|stretch| stretch.from <= at);
    let stretch = stretches.get(place.checked_sub(1)?)?;
    (at <= stretch.to).then_some(stretch)
}

impl Memo {
    pub(super) fn new(bytes: u64) -> Memo {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        Memo {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            most: bytes / 2 / SHARDS,
            dropped: AtomicU64::new(0),
            dropping: Mutex::default(),
        }
    }

    /// What was dropped up to now; `None` while all is being dropped.
    fn seen(&self) -> Option<u64> {
        let seen = self.dropped.load(Ordering::SeqCst);
        seen.is_multiple_of(2).then_some(seen)
    }

    fn shard(&self, key: &[u8]) -> Option<MutexGuard<'_, Shard>> {
        let hash = self.hasher.hash_one(key).to_le_bytes();
        let shard = self.shards.get(usize::from(hash[7]) % SHARDS)?;
        Some(shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn get(&self, key: &[u8], at: BlockNumber) -> Option<Stretch<Entry>> {
        let mut shard = self.shard(key)?;
        if let Some(found) = shard.young.get(key).and_then(|all| find(all, at)) {
            return Some(found.clone());
        }
        let found = shard.old.get(key).and_then(|all| find(all, at))?.clone();
        shard.put(key, found.clone(), self.most);
        Some(found)
    }

    /// Keeps what was read since [`Memo::seen`] said `seen`.
    fn put(&self, key: &[u8], stretch: Stretch<Entry>, seen: u64) {
        let Some(mut shard) = self.shard(key) else {
            return;
        };
        if self.dropped.load(Ordering::SeqCst) == seen {
            shard.put(key, stretch, self.most);
        }
    }

    /// Columns that begin before and behind a block, of which parts may hold there too.
    fn near(&self, key: &[u8], at: BlockNumber) -> [Option<Cells>; 2] {
        let mut near = [None, None];
        let Some(shard) = self.shard(key) else {
            return near;
        };
        for all in [&shard.young, &shard.old] {
            let Some(all) = all.get(key) else { continue };
            let behind = all.partition_point(|stretch| stretch.from <= at);
            let places = [behind.checked_sub(1), Some(behind)];
            for (place, near) in places.into_iter().zip(&mut near) {
                if let Some(Entry::Column(cells)) =
                    place.and_then(|place| all.get(place)).map(|s| &s.held)
                {
                    near.get_or_insert_with(|| cells.clone());
                }
            }
        }
        near
    }

    /// Drops all.
    pub(super) fn clear(&self) {
        self.clear_with(|_| {});
    }

    /// Drops all; `before` is called before each shard.
    fn clear_with(&self, mut before: impl FnMut(usize)) {
        // An error only says that somebody before stopped half way; the count is put right.
        let _turn = self.dropping.lock().unwrap_or_else(PoisonError::into_inner);
        self.dropped.fetch_or(1, Ordering::SeqCst);
        for (place, shard) in self.shards.iter().enumerate() {
            before(place);
            *shard.lock().unwrap_or_else(PoisonError::into_inner) = Shard::default();
        }
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

impl Shard {
    fn put(&mut self, key: &[u8], stretch: Stretch<Entry>, most: usize) {
        let weight = ENTRY + key.len() + stretch.held.weight(self.turns + 1);
        if weight > most {
            return;
        }
        let all = match self.young.get_mut(key) {
            Some(all) => all,
            None => self.young.entry(key.into()).or_default(),
        };
        let place = all.partition_point(|known| known.from < stretch.from);
        match all.get_mut(place) {
            // The same value, known to hold for longer.
            Some(known) if known.from == stretch.from => {
                if known.to < stretch.to {
                    *known = stretch;
                }
            }
            _ => all.insert(place, stretch),
        }
        self.bytes += weight;
        if self.bytes > most {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
            self.turns += 1;
        }
    }
}

/// Key of a value of table state, or of the pulse, in the memo: they begin with the
/// byte of their table.
fn pulse_key(slot: Slot) -> [u8; 5] {
    let [a, b] = slot.item.to_be_bytes();
    let [c, d] = slot.subnet.to_be_bytes();
    [Table::Pulse as u8, a, b, c, d]
}

/// Key of a column: no table has the byte 0.
fn column_key(item: u16, subnet: u16) -> [u8; 5] {
    let [a, b] = item.to_be_bytes();
    let [c, d] = subnet.to_be_bytes();
    [0, a, b, c, d]
}

/// Whether a batch changes what is stored of a block that a span holds already.
pub(super) fn rewrites(known: &Known, batches: &[Batch]) -> bool {
    let keys = batches.iter().flat_map(|batch| &batch.ops);
    keys.map(|(key, _)| key).any(|key| {
        let table = key.first().copied();
        if table != Some(Table::State as u8) && table != Some(Table::Pulse as u8) {
            return false;
        }
        let block = key.last_chunk::<4>().copied().map(u32::from_be_bytes);
        block.is_none_or(|block| known.holds(block))
    })
}

/// When a read began; see [`Store::reading`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Since(Option<u64>);

/// A memo that may be used, the end of the span of a block in it, and how often it
/// was emptied before.
struct Usable<'a> {
    memo: &'a Memo,
    span: (BlockNumber, BlockNumber),
    seen: u64,
}

impl Store {
    /// Where a read of several columns begins that hang on each other: what is read of
    /// them is kept only if nothing was dropped since.
    pub(crate) fn reading(&self) -> Since {
        Since(self.memo.as_deref().and_then(Memo::seen))
    }

    fn usable(&self, at: BlockNumber) -> Option<Usable<'_>> {
        self.usable_since(at, self.reading())
    }

    fn usable_since(&self, at: BlockNumber, since: Since) -> Option<Usable<'_>> {
        let memo = self.memo.as_deref()?;
        // In this order: see `Memo::put`.
        let seen = since.0.filter(|since| memo.seen() == Some(*since))?;
        let known = self.known();
        let span = known.settled(at)?;
        Some(Usable { memo, span, seen })
    }

    /// The value of a storage key at the end of block `at`, as [`Store::state`] gives
    /// it, with the blocks at whose end it is the same.
    pub(crate) fn told_at(
        &self,
        item: u16,
        rest: &[u8],
        at: BlockNumber,
    ) -> Result<Stretch<Cell>, StoreError> {
        let prefix = tables::state_prefix(item, rest);
        let usable = self.usable(at);
        if let Some(usable) = &usable
            && let Some(found) = usable.memo.get(&prefix, at)
            && let Entry::One(held) = found.held
        {
            let Stretch { from, to, .. } = found;
            return Ok(Stretch { from, to, held });
        }
        let stretch = self.stretch(item, rest, at, usable.as_ref().map(|usable| usable.span))?;
        if let Some(Usable { memo, seen, .. }) = usable {
            let Stretch { from, to, held } = stretch.clone();
            let held = Entry::One(held);
            memo.put(&prefix, Stretch { from, to, held }, seen);
        }
        Ok(stretch)
    }

    /// As [`Store::told_at`], without the memo. `span` is that of the block, where it is
    /// settled.
    fn stretch(
        &self,
        item: u16,
        rest: &[u8],
        at: BlockNumber,
        span: Option<(BlockNumber, BlockNumber)>,
    ) -> Result<Stretch<Cell>, StoreError> {
        let row = self.state(item, rest, at)?;
        let changed_at = row.as_ref().map(|row| row.changed_at);
        let held = row.and_then(|row| Some((row.changed_at, Arc::new(Kept::new(row.value?)))));
        let Some((first, last)) = span else {
            return Ok(Stretch::only(at, held));
        };
        Ok(Stretch {
            from: changed_at.unwrap_or(first).max(first),
            to: match at < last {
                true => self.until(&tables::state_prefix(item, rest), at, last)?,
                false => at,
            },
            held,
        })
    }

    /// The last block up to `last` before the next change of a key after `at`.
    fn until(
        &self,
        prefix: &[u8],
        at: BlockNumber,
        last: BlockNumber,
    ) -> Result<BlockNumber, StoreError> {
        let mut range = Range::prefix(prefix);
        range
            .from
            .extend_from_slice(&at.saturating_add(1).to_be_bytes());
        match self.engine().scan(range).next() {
            None => Ok(last),
            Some(row) => {
                let next = block_of(prefix, &row?.0)?;
                Ok(last.min(next.saturating_sub(1)).max(at))
            }
        }
    }

    /// A value that every block reads, if it is kept.
    pub(crate) fn pulse_kept(&self, slot: Slot, at: BlockNumber) -> Option<Cell> {
        let found = self.usable(at)?.memo.get(&pulse_key(slot), at)?;
        match found.held {
            Entry::One(held) => Some(held),
            Entry::Column(_) => None,
        }
    }

    /// A value that every block reads, out of all of them at the end of block `at`, which
    /// were read since the moment beside them. One
    /// that has been so for a while is kept; that nothing is stored is not: the rows do
    /// not say since when.
    pub(crate) fn keep_pulse(
        &self,
        slot: Slot,
        at: BlockNumber,
        (since, pulse): (Since, &Pulse),
    ) -> Result<Cell, StoreError> {
        let usable = self.usable_since(at, since);
        let Some((bytes, changed_at)) = pulse.get(slot) else {
            return Ok(None);
        };
        let held = Some((changed_at, Arc::new(Kept::new(bytes.to_vec()))));
        if let Some(Usable { memo, span, seen }) = usable
            && at.checked_sub(changed_at).is_some_and(|age| age >= STEADY)
        {
            let stretch = Stretch {
                from: changed_at.max(span.0),
                to: at,
                held: Entry::One(held.clone()),
            };
            memo.put(&pulse_key(slot), stretch, seen);
        }
        Ok(held)
    }

    /// An item of each of `count` uids of a subnet at the end of block `at`. `key` gives
    /// the storage key of a uid after its first 32 bytes, and the blocks in which it is
    /// that of the uid; what that follows from was read since `since`.
    pub(crate) fn column(
        &self,
        (item, subnet): (u16, u16),
        count: u16,
        at: BlockNumber,
        since: Since,
        key: impl Fn(u16) -> UidKey,
    ) -> Result<Cells, StoreError> {
        let name = column_key(item, subnet);
        let usable = self.usable_since(at, since);
        let mut near = [None, None];
        if let Some(Usable { memo, .. }) = &usable {
            if let Some(found) = memo.get(&name, at)
                && let Entry::Column(cells) = found.held
                && cells.len() == usize::from(count)
            {
                return Ok(cells);
            }
            near = memo.near(&name, at);
        }
        let span = usable.as_ref().map(|usable| usable.span);
        let (mut from, mut to) = span.unwrap_or((at, at));
        let mut cells = Vec::with_capacity(usize::from(count));
        for uid in 0..count {
            let same = near.iter().flatten().find_map(|cells| {
                let cell = cells.get(usize::from(uid))?;
                (cell.from <= at && at <= cell.to).then(|| cell.clone())
            });
            let cell = match same {
                Some(cell) => cell,
                None => match key(uid) {
                    Some((rest, bounds)) => {
                        let mut cell = self.stretch(item, &rest, at, span)?;
                        cell.from = cell.from.max(bounds.0);
                        cell.to = cell.to.min(bounds.1);
                        cell
                    }
                    None => Stretch::only(at, None),
                },
            };
            from = from.max(cell.from);
            to = to.min(cell.to);
            cells.push(cell);
        }
        let cells: Cells = cells.into();
        if let Some(Usable { memo, seen, .. }) = usable {
            let held = Entry::Column(cells.clone());
            memo.put(&name, Stretch { from, to, held }, seen);
        }
        Ok(cells)
    }
}

/// The storage key of a uid after its first 32 bytes, and the first and last block at
/// whose end it is that of the uid; `None` where it has none.
pub(crate) type UidKey = Option<(Vec<u8>, (BlockNumber, BlockNumber))>;

#[cfg(test)]
mod tests;
