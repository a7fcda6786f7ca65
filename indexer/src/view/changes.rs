//! Changes of kept values, newest first, with a bound on what one request reads.
//!
//! Every key that is asked about is a [`Track`]. The tracks are merged by block while
//! they are read: a step takes the newest row of all, finds what was there before, and
//! goes on below it. Values that every block reads are packed; of those a frame is read
//! at a time, and only so many of them.

use std::collections::{BinaryHeap, HashMap};

use chain_metadata::{BlockNumber, MechId, NetUid, storage_index};

use super::find::{Found, Place};
use super::{At, Held, at, damaged};
use crate::items::{Item, Refresh, Scope};
use crate::store::pulse::{FRAME, Pulse, Slot};
use crate::store::{Store, StoreError};

/// Frames of packed values that one request reads at most.
const FRAMES: usize = 128;

/// A key whose changes are wanted.
#[derive(Debug, Clone)]
pub struct Track {
    /// The item.
    pub line: &'static Item,
    /// Subnet that the key names; `None` when it names none.
    pub netuid: Option<NetUid>,
    /// Mechanism that the key names; `None` when it names none.
    pub mechanism: Option<MechId>,
    source: Source,
    /// Place of its changes within a block, different for every track of a request.
    rank: u32,
}

#[derive(Debug, Clone)]
enum Source {
    /// Rows of table `state` under the key after its first 32 bytes.
    Rows(Vec<u8>),
    /// A value of table `pulse`.
    Packed(Slot),
}

impl Track {
    /// The key of an item; `keys` are SCALE-encoded key parts, each without its hash.
    /// `None` when no stored runtime up to block `to` has the item.
    ///
    /// Hashers are those of the newest such runtime.
    ///
    /// # Errors
    ///
    /// When the store or a runtime's metadata cannot be read.
    pub fn new(
        store: &Store,
        line: &'static Item,
        subnet: (Option<NetUid>, Option<MechId>),
        keys: &[&[u8]],
        to: BlockNumber,
    ) -> Result<Option<Track>, StoreError> {
        let (netuid, mechanism) = subnet;
        let source = match line.refresh {
            Refresh::EveryBlock => Source::Packed(Slot {
                item: line.id,
                subnet: netuid.map_or(0, |netuid| netuid.0),
            }),
            _ => {
                let Some(key) = key_of(store, line, keys, to)? else {
                    return Ok(None);
                };
                Source::Rows(key.get(32..).unwrap_or_default().to_vec())
            }
        };
        // Of one item a request asks for one subnet with all mechanisms, or for all
        // subnets without mechanisms.
        let within = storage_index(NetUid(0), mechanism.unwrap_or_default()).unwrap_or_default();
        let within = within | netuid.map_or(0, |netuid| netuid.0);
        Ok(Some(Track {
            line,
            netuid,
            mechanism,
            source,
            rank: (u32::from(u16::MAX - line.id) << 16) | u32::from(u16::MAX - within),
        }))
    }
}

/// The storage key of an item, by the newest runtime up to a block that has it.
fn key_of(
    store: &Store,
    line: &Item,
    keys: &[&[u8]],
    to: BlockNumber,
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut runtimes = store.runtimes()?;
    runtimes.retain(|(_, row)| row.first_block <= to);
    runtimes.sort_by_key(|(_, row)| std::cmp::Reverse(row.first_block));
    for (spec, _) in runtimes {
        if let Some((_, entry)) = store.layout(spec)?.find(line.entry) {
            return Ok(Some(entry.key_of_encoded(keys)));
        }
    }
    Ok(None)
}

/// A change of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Which of the tracks, by position.
    pub track: usize,
    /// Block at whose end the new value first held.
    pub block: BlockNumber,
    /// Its place among the changes of the block; the highest comes first.
    pub place: u32,
    /// It is no change but what the first stored block held; `old` is not known.
    pub found_at_start: bool,
    /// The chain's own bytes at the end of the block before; `None` when nothing was stored.
    pub old: Option<Vec<u8>>,
    /// The same at the end of the block.
    pub new: Option<Vec<u8>>,
}

/// The part of the chain whose changes are wanted. It lies in one span.
#[derive(Debug, Clone, Copy)]
pub struct Stretch {
    /// Lowest block.
    pub from: BlockNumber,
    /// Highest block.
    pub to: BlockNumber,
    /// Only what is before this place.
    pub before: Option<Place>,
    /// Whether what the first stored block held is given too.
    pub starts: bool,
}

/// The last row of a track up to a block.
enum Last {
    /// It begins at a block.
    Row(BlockNumber, Option<Vec<u8>>),
    /// There is none.
    Never,
    /// There is none down to this block, below which it must be looked for.
    Below(BlockNumber),
    /// The bound on reading is met.
    Spent,
}

/// Values of the slots that are wanted, with the block from which on each holds.
type History = HashMap<Slot, Vec<(BlockNumber, Option<Vec<u8>>)>>;

/// What was read for one request.
struct Reads<'a> {
    store: &'a Store,
    floor: BlockNumber,
    to: BlockNumber,
    slots: Vec<Slot>,
    /// Packed values, by the first block of their frame.
    frames: HashMap<BlockNumber, History>,
}

impl Reads<'_> {
    /// First block of the frame of a block.
    fn start(&self, at: BlockNumber) -> BlockNumber {
        self.floor.max(at - at % FRAME)
    }

    /// The frame of a block; `None` when the bound is met.
    fn frame(&mut self, at: BlockNumber) -> Result<Option<&History>, StoreError> {
        let start = self.start(at);
        if !self.frames.contains_key(&start) {
            if self.frames.len() >= FRAMES {
                return Ok(None);
            }
            let history = self.read_frame(start)?;
            self.frames.insert(start, history);
        }
        Ok(self.frames.get(&start))
    }

    fn read_frame(&self, start: BlockNumber) -> Result<History, StoreError> {
        let last = (start | (FRAME - 1)).min(self.to);
        let (mut pulse, mut history) = (Pulse::default(), History::new());
        for number in start..=last {
            self.store.pulse_row(number, &mut pulse)?;
            for slot in &self.slots {
                let found = pulse.get(*slot);
                let list = history.entry(*slot).or_default();
                let known = list.last().and_then(|(_, value)| value.as_deref());
                if known == found.map(|(value, _)| value) {
                    continue;
                }
                // The first row has the age of everything in it.
                let since = match found {
                    Some((_, changed_at)) if number == start => changed_at,
                    _ => number,
                };
                list.push((since, found.map(|(value, _)| value.to_vec())));
            }
        }
        Ok(history)
    }

    fn last(&mut self, track: &Track, at: BlockNumber) -> Result<Last, StoreError> {
        let slot = match &track.source {
            Source::Rows(rest) => {
                let row = self.store.state(track.line.id, rest, at)?;
                return Ok(row.map_or(Last::Never, |row| Last::Row(row.changed_at, row.value)));
            }
            Source::Packed(slot) => *slot,
        };
        let (start, floor) = (self.start(at), self.floor);
        let Some(history) = self.frame(at)? else {
            return Ok(Last::Spent);
        };
        let list = history.get(&slot).map_or(&[][..], Vec::as_slice);
        Ok(match list.iter().rev().find(|(since, _)| *since <= at) {
            Some((since, value)) => Last::Row(*since, value.clone()),
            None if start > floor => {
                // It may have gone right where the frame begins.
                let Some(before) = self.frame(start.saturating_sub(1))? else {
                    return Ok(Last::Spent);
                };
                let then = before.get(&slot).and_then(|list| list.last());
                match then {
                    Some((_, Some(_))) => Last::Row(start, None),
                    _ => Last::Below(start),
                }
            }
            None => Last::Never,
        })
    }

    /// What is stored at the end of a block; `None` when the bound is met.
    fn value(
        &mut self,
        track: &Track,
        at: BlockNumber,
    ) -> Result<Option<Option<Vec<u8>>>, StoreError> {
        Ok(match self.last(track, at)? {
            Last::Row(_, value) => Some(value),
            // A value that is there has an age in the first row of its frame.
            Last::Never | Last::Below(_) => Some(None),
            Last::Spent => None,
        })
    }
}

/// What is known of the newest row of a track.
struct Head {
    value: Option<Vec<u8>>,
    known: bool,
}

/// Changes of some keys, newest first, at most `first`, with the place to go on at when
/// there may be more. Within a block items come by their number, and those of one item by
/// subnet or mechanism.
///
/// # Errors
///
/// When a row is missing or damaged.
pub fn walk(
    store: &Store,
    tracks: &[Track],
    stretch: Stretch,
    first: usize,
) -> Result<Found<Change>, StoreError> {
    let mut found = Found {
        items: Vec::new(),
        next: None,
    };
    let floor = store.floor(stretch.to);
    let lowest = stretch.from.max(match stretch.starts {
        true => floor,
        false => floor.saturating_add(1),
    });
    if first == 0 {
        return Ok(found);
    }
    let packed = tracks.iter().filter_map(|track| match track.source {
        Source::Packed(slot) => Some(slot),
        Source::Rows(_) => None,
    });
    let mut reads = Reads {
        store,
        floor,
        to: stretch.to,
        slots: packed.collect(),
        frames: HashMap::new(),
    };
    let end = (stretch.to, u32::MAX);
    let below = stretch.before.map_or(end, |before| before.min(end));
    let mut heads = Vec::with_capacity(tracks.len());
    let mut heap = BinaryHeap::with_capacity(tracks.len());
    for (position, track) in tracks.iter().enumerate() {
        heads.push(Head {
            value: None,
            known: false,
        });
        let upper = match (below.0, track.rank) < below {
            true => Some(below.0),
            false => below.0.checked_sub(1),
        };
        heap.extend(upper.map(|block| ((block, track.rank), position)));
    }
    while let Some(((block, rank), position)) = heap.pop() {
        let (Some(track), Some(head)) = (tracks.get(position), heads.get_mut(position)) else {
            break;
        };
        if block < lowest {
            break;
        }
        // To go on right here, with this track first.
        let here = Some((block, rank.saturating_add(1)));
        if !head.known {
            match reads.last(track, block)? {
                Last::Row(since, value) => {
                    *head = Head { value, known: true };
                    heap.push(((since, rank), position));
                }
                Last::Never => {}
                Last::Below(start) => {
                    let lower = start.checked_sub(1);
                    heap.extend(lower.map(|block| ((block, rank), position)));
                }
                Last::Spent => {
                    found.next = here;
                    break;
                }
            }
            continue;
        }
        let new = head.value.take();
        head.known = false;
        let parent = block.checked_sub(1).filter(|_| block > floor);
        let Some(parent) = parent else {
            if new.is_some() {
                found.items.push(Change {
                    track: position,
                    block,
                    place: rank,
                    found_at_start: true,
                    old: None,
                    new,
                });
            }
            if found.items.len() >= first {
                found.next = Some((block, rank));
                break;
            }
            continue;
        };
        let Some(old) = reads.value(track, parent)? else {
            found.next = here;
            break;
        };
        heap.push(((parent, rank), position));
        // What a span saw first may be what the one below it knew before.
        if old == new {
            continue;
        }
        found.items.push(Change {
            track: position,
            block,
            place: rank,
            found_at_start: false,
            old,
            new,
        });
        if found.items.len() >= first {
            found.next = Some((block, rank));
            break;
        }
    }
    Ok(found)
}

/// What the bytes of an item at the end of a block are, by the runtime of that block.
///
/// # Errors
///
/// When they do not decode, with the item, block and spec version.
pub fn decoded(at: &At, line: &Item, bytes: Option<&[u8]>) -> Result<Held, StoreError> {
    let Some((_, entry)) = at.layout.find(line.entry) else {
        return Ok(Held::Gone);
    };
    let types = at.layout.metadata.types();
    let broken = |e: chain_metadata::DecodeError| {
        let what = format!("{}.{}: {e}", line.pallet, line.entry);
        damaged(at, bytes.unwrap_or_default(), what)
    };
    Ok(match bytes {
        Some(bytes) => {
            let value = entry.decode_value(types, bytes).map_err(broken)?;
            Held::Stored(value, at.number)
        }
        None => Held::Default(entry.default_value(types).map_err(broken)?),
    })
}

/// Both sides of a change, each by the runtime of its own block; the old one is `None`
/// when it is not known.
///
/// # Errors
///
/// When a value does not decode, or a block is missing.
pub fn sides(
    store: &Store,
    line: &Item,
    change: &Change,
) -> Result<(At, Option<Held>, Held), StoreError> {
    let block = |number: BlockNumber| {
        at(store, number)?.ok_or_else(|| StoreError::Row {
            table: "block",
            key: hex::encode(number.to_be_bytes()),
            what: format!("block {number} is missing"),
        })
    };
    let now = block(change.block)?;
    let old = match change.block.checked_sub(1) {
        Some(parent) if !change.found_at_start => {
            let before = block(parent)?;
            Some(decoded(&before, line, change.old.as_deref())?)
        }
        _ => None,
    };
    let new = decoded(&now, line, change.new.as_deref())?;
    Ok((now, old, new))
}

/// Tracks of items of one subnet, those by mechanism once for each mechanism.
///
/// # Errors
///
/// As [`Track::new`].
pub fn of_subnet(
    store: &Store,
    lines: impl IntoIterator<Item = &'static Item>,
    netuid: NetUid,
    to: BlockNumber,
) -> Result<Vec<Track>, StoreError> {
    let mut tracks = Vec::new();
    for line in lines {
        let named = Some(netuid);
        match line.scope {
            Scope::Subnet => {
                let key = netuid.0.to_le_bytes();
                tracks.extend(Track::new(store, line, (named, None), &[&key], to)?);
            }
            Scope::Mech => {
                for mechanism in (0..16).map(MechId) {
                    let Some(index) = storage_index(netuid, mechanism) else {
                        continue;
                    };
                    let (of, key) = ((named, Some(mechanism)), index.to_le_bytes());
                    tracks.extend(Track::new(store, line, of, &[&key], to)?);
                }
            }
            _ => {}
        }
    }
    Ok(tracks)
}
