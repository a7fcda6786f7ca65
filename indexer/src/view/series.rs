//! Values of a neuron over time, in segments: one a tenancy, so that nothing is
//! ever joined across a replacement.

use std::collections::{BTreeMap, BTreeSet};

use chain_metadata::{BlockNumber, MechId, NetUid, Uid, Value, storage_index};

use super::tenancy::{self, Tenancy, Whose};
use super::{At, at, damaged};
use crate::items::{Layout, item};
use crate::store::history::How;
use crate::store::{Store, StoreError};

/// Blocks looked at, and tenancies followed, by one read at most.
const LOOKED_AT: usize = 1_000;
const TENANCIES: usize = 200;

/// A vector of the chain with a value a uid, and whether it is kept by mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Vector {
    /// Name of the storage item.
    pub entry: &'static str,
    /// Keyed by storage index; else by netuid.
    pub by_mechanism: bool,
}

/// At which blocks there are points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// Epochs that ran.
    Epoch,
    /// Blocks in which a value that is asked for changed.
    Change,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Subnet.
    pub netuid: NetUid,
    /// Mechanism, for the vectors that are kept by one.
    pub mechanism: MechId,
    /// A uid, whoever holds it, or a hotkey and what it was swapped from and to.
    pub whose: Whose,
    /// The vectors.
    pub vectors: Vec<Vector>,
    /// First and last block.
    pub range: (BlockNumber, BlockNumber),
    /// Which blocks.
    pub every: Every,
    /// Only what is after this block and uid.
    pub after: Option<(BlockNumber, Uid)>,
}

/// Values at one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// The block, at whose end they were so.
    pub block: BlockNumber,
    /// `SubnetEpochIndex` of the epoch that ran in it; `None` without one.
    pub epoch: Option<u64>,
    /// As many as vectors: `None` where the runtime has none, or the vector no entry
    /// for the uid. Booleans are 0 and 1.
    pub values: Vec<Option<u64>>,
}

/// Some points, in order of block and uid, each with its tenancy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The tenancies that points belong to, and the points.
    pub segments: Vec<(Tenancy, Vec<Point>)>,
    /// Where to go on, when there may be more.
    pub next: Option<(BlockNumber, Uid)>,
}

/// Points of a series, at most `first`.
///
/// A neuron that registered in the block of an epoch has no part in that epoch,
/// which runs before the extrinsics of the block; its series begins after it.
pub fn series(store: &Store, wanted: &Wanted, first: usize) -> Result<Series, StoreError> {
    let mut series = Series {
        segments: Vec::new(),
        next: None,
    };
    let (from, to) = wanted.range;
    let start = wanted.after.map_or(from, |(block, _)| from.max(block));
    if start > to || first == 0 {
        return Ok(series);
    }
    let tenancies = followed(store, wanted)?;
    let mut steps = 0;
    // Not every block has a point; a small page must not read a long history.
    let look = first.saturating_mul(4).clamp(64, LOOKED_AT);
    let (blocks, cut) = blocks(store, wanted, start, to, look)?;
    let mut before: BTreeMap<(BlockNumber, Uid), Vec<Option<u64>>> = BTreeMap::new();
    for (block, epoch) in blocks {
        let Some(here) = at(store, block)? else {
            continue;
        };
        for tenancy in &tenancies {
            let begun = match (wanted.every, tenancy.began) {
                (Every::Epoch, How::Registered) => tenancy.from < block,
                _ => tenancy.from <= block,
            };
            let place = (block, tenancy.uid);
            if !begun
                || tenancy.until.is_some_and(|until| until <= block)
                || wanted.after.is_some_and(|after| place <= after)
            {
                continue;
            }
            let values = values(store, &here, wanted, tenancy.uid)?;
            if wanted.every == Every::Change {
                let key = (tenancy.from, tenancy.uid);
                let known = match before.remove(&key) {
                    Some(known) => Some(known),
                    None => earlier(store, wanted, tenancy, block)?,
                };
                let same = known.as_ref() == Some(&values);
                before.insert(key, values.clone());
                if same {
                    continue;
                }
            }
            let point = Point {
                block,
                epoch,
                values,
            };
            let known = series.segments.iter_mut().find(|(t, _)| t == tenancy);
            match known {
                Some((_, points)) => points.push(point),
                None => series.segments.push((tenancy.clone(), vec![point])),
            }
            steps += 1;
            if steps >= first {
                series.next = Some(place);
                return Ok(series);
            }
        }
    }
    series.next = cut.map(|block| (block, Uid(u16::MAX)));
    Ok(series)
}

/// Values at the block before, if the tenancy had begun.
fn earlier(
    store: &Store,
    wanted: &Wanted,
    tenancy: &Tenancy,
    block: BlockNumber,
) -> Result<Option<Vec<Option<u64>>>, StoreError> {
    let before = block
        .checked_sub(1)
        .filter(|before| tenancy.from <= *before);
    let Some(before) = before.filter(|before| *before >= wanted.range.0) else {
        return Ok(None);
    };
    match at(store, before)? {
        Some(at) => values(store, &at, wanted, tenancy.uid).map(Some),
        None => Ok(None),
    }
}

/// The tenancies that are meant, by uid and block.
fn followed(store: &Store, wanted: &Wanted) -> Result<Vec<Tenancy>, StoreError> {
    let listed = tenancy::list(store, wanted.netuid, wanted.whose, None, TENANCIES)?;
    let mut found: BTreeMap<(Uid, BlockNumber), Tenancy> = BTreeMap::new();
    let mut waiting = listed;
    while let Some(tenancy) = waiting.pop() {
        let place = (tenancy.uid, tenancy.from);
        if found.len() >= TENANCIES || found.contains_key(&place) {
            continue;
        }
        if matches!(wanted.whose, Whose::Hotkey(_)) {
            for (block, uid) in [tenancy.previous, tenancy.next].into_iter().flatten() {
                waiting.extend(tenancy::at(store, block, wanted.netuid, uid)?);
            }
        }
        found.insert(place, tenancy);
    }
    Ok(found.into_values().collect())
}

/// Blocks with the epoch that ran in them, if one did.
type Blocks = Vec<(BlockNumber, Option<u64>)>;

/// The blocks that are looked at, oldest first, and the last of them when there
/// may be more.
fn blocks(
    store: &Store,
    wanted: &Wanted,
    from: BlockNumber,
    to: BlockNumber,
    look: usize,
) -> Result<(Blocks, Option<BlockNumber>), StoreError> {
    let epochs = store.epochs_in(wanted.netuid.0, from..=to, look)?;
    let full = epochs.len() >= look;
    let mut last = epochs.last().map(|(block, _)| *block).filter(|_| full);
    let epochs: BTreeMap<_, _> = epochs.into_iter().map(|(b, e)| (b, e.index)).collect();
    if wanted.every == Every::Epoch {
        return Ok((epochs.into_iter().collect(), last));
    }
    let mut blocks = BTreeSet::new();
    for (id, key) in keys(store, wanted)? {
        let rest = key.get(32..).unwrap_or_default();
        let rows = store.state_changes_in(id, rest, from..=to, look)?;
        if rows.len() >= look {
            // All vectors are known only up to where the shortest list ends.
            let end = rows.last().map(|row| row.changed_at);
            last = last.map_or(end, |last| end.map(|end| end.min(last)));
        }
        blocks.extend(rows.into_iter().map(|row| row.changed_at));
    }
    if let Some(last) = last {
        blocks.retain(|block| *block <= last);
    }
    let with = |block| (block, epochs.get(&block).copied().flatten());
    Ok((blocks.into_iter().map(with).collect(), last))
}

/// Item and storage key of the vectors in all runtimes: one may have what another
/// has not, or hash it otherwise.
fn keys(store: &Store, wanted: &Wanted) -> Result<BTreeSet<(u16, Vec<u8>)>, StoreError> {
    let mut keys = BTreeSet::new();
    for (spec, _) in store.runtimes()? {
        let layout = store.layout(spec)?;
        for vector in &wanted.vectors {
            let line = item(vector.entry);
            keys.extend(line.map(|line| line.id).zip(key(&layout, wanted, *vector)));
        }
    }
    Ok(keys)
}

/// The storage key of a vector; `None` where the runtime has no such item.
fn key(layout: &Layout, wanted: &Wanted, vector: Vector) -> Option<Vec<u8>> {
    let (_, entry) = layout.find(vector.entry)?;
    let index = match vector.by_mechanism {
        true => storage_index(wanted.netuid, wanted.mechanism)?,
        false => wanted.netuid.0,
    };
    Some(entry.key_of_encoded(&[&index.to_le_bytes()]))
}

/// The values of a uid at a block.
fn values(
    store: &Store,
    at: &At,
    wanted: &Wanted,
    uid: Uid,
) -> Result<Vec<Option<u64>>, StoreError> {
    let one = |vector: &Vector| {
        let (Some((line, entry)), Some(key)) = (
            at.layout.find(vector.entry),
            key(&at.layout, wanted, *vector),
        ) else {
            return Ok(None);
        };
        let row = store.state(line.id, key.get(32..).unwrap_or_default(), at.number)?;
        let Some(bytes) = row.and_then(|row| row.value) else {
            return Ok(None);
        };
        let wrong = |what: String| damaged(at, &key, what);
        let list = entry.decode_value(at.layout.metadata.types(), &bytes);
        let list = list.map_err(|e| wrong(e.to_string()))?;
        let Some(value) = list.items().get(usize::from(uid.0)) else {
            return Ok(None);
        };
        let number = match value {
            Value::Bool(set) => Some(u64::from(*set)),
            value => value.as_u64(),
        };
        let number = number.ok_or_else(|| wrong(format!("{} is no number", vector.entry)))?;
        Ok(Some(number))
    };
    wanted.vectors.iter().map(one).collect()
}
