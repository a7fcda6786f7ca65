//! Random samples of a store compared with a node: blocks, and values of the
//! chain's state byte by byte.
//!
//! A sample is a block, an item of the manifest and a key. Items are taken in
//! turn, so that one with a single key is sampled as often as one with
//! thousands; block and key are random. Keys are those that the store has ever
//! seen, at blocks where they had a value and where they had none, and keys that
//! nobody has. Values of subnets that do not exist at the block are not kept and
//! not compared.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chain_metadata::{
    BlockNumber, H256, KeyPart, MechId, NetUid, StorageEntry, Value, split_storage_index,
    storage_index,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::items::{Item, MANIFEST, Refresh, Scope};
use crate::source::{Bytes, ChainSource, RawBlock, SourceError, Want};
use crate::store::{Store, StoreError};
use crate::view::{self, At};

/// Blocks asked for at once.
const BATCH: usize = 32;
/// Of so many samples of keyed items, one has a key that nobody has.
const MADE_UP: u32 = 5;

/// Why the comparison did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum AgainstError {
    /// The store cannot be read, or is of another chain.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The node does not answer, or no longer has the state of a block.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The node has none of the stored blocks.
    #[error(
        "the store begins at block {first}, the node's finalized head is {finalized}: wait for the node or give another one"
    )]
    Behind {
        /// First stored block.
        first: BlockNumber,
        /// The node's finalized head.
        finalized: BlockNumber,
    },
}

/// How much is compared, and which.
#[derive(Debug, Clone, Copy)]
pub struct Samples {
    /// Values of the state to compare.
    pub count: u32,
    /// The same seed over the same store takes the same samples.
    pub seed: u64,
}

/// Something that the store has otherwise than the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The block.
    pub block: BlockNumber,
    /// `Pallet.Entry`, or `hash`, `header`, `extrinsic N`.
    pub item: String,
    /// The whole storage key; empty where there is none.
    pub key: Bytes,
    /// What the store has; `None` for nothing.
    pub stored: Option<Bytes>,
    /// What the node has; `None` for nothing.
    pub node: Option<Bytes>,
}

/// What was compared, and what differs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// First block that could be sampled.
    pub first: BlockNumber,
    /// Last block that could be sampled: stored, and final at the node.
    pub last: BlockNumber,
    /// Blocks whose hash, header, extrinsics and events were compared.
    pub blocks: u32,
    /// Items of the manifest of which something was compared.
    pub items: u32,
    /// Values of items that are kept as changes (table `state`).
    pub state: u32,
    /// Values of items that every block reads (table `pulse`).
    pub pulse: u32,
    /// How many of all these values are absent in the store.
    pub absent: u32,
    /// What differs, by block.
    pub differences: Vec<Difference>,
}

/// A value to compare.
struct Sample {
    line: usize,
    item: &'static Item,
    key: Bytes,
    stored: Option<Bytes>,
}

/// Compares random samples of a store with a node that keeps the state of its blocks.
pub async fn compare<S: ChainSource>(
    store: &Store,
    source: &S,
    samples: Samples,
) -> Result<Compared, AgainstError> {
    let spans = store.spans();
    let (Some(lowest), Some(highest)) = (spans.first(), spans.last()) else {
        return Err(StoreError::Empty.into());
    };
    let offered = source.genesis().await?;
    if let Some(stored) = store.genesis()?
        && stored != offered
    {
        return Err(StoreError::Genesis { stored, offered }.into());
    }
    let finalized = source.finalized().await?;
    if finalized < lowest.first {
        return Err(AgainstError::Behind {
            first: lowest.first,
            finalized,
        });
    }
    let mut done = Compared {
        first: lowest.first,
        last: highest.last.min(finalized),
        ..Compared::default()
    };
    let held = spans.iter().filter(|span| span.first <= finalized);
    let held: Vec<_> = held
        .map(|span| (span.first, span.last.min(finalized)))
        .collect();
    let drawn = draw(store, &held, samples)?;
    let mut seen = vec![false; MANIFEST.len()];
    let blocks: Vec<_> = drawn.into_iter().collect();
    for some in blocks.chunks(BATCH) {
        let numbers: Vec<BlockNumber> = some.iter().map(|(number, _)| *number).collect();
        let hashes = source.hashes(&numbers).await?;
        let mut same = Vec::new();
        for ((number, samples), hash) in some.iter().zip(hashes) {
            let at = stored(store, *number)?;
            done.blocks += 1;
            if at.row.hash == hash.0 {
                same.push((at, samples, hash));
            } else {
                done.differences.push(Difference {
                    block: *number,
                    item: "hash".into(),
                    key: Bytes::new(),
                    stored: Some(at.row.hash.to_vec()),
                    node: Some(hash.0.to_vec()),
                });
            }
        }
        let numbers: Vec<BlockNumber> = same.iter().map(|(at, _, _)| at.number).collect();
        let want: Vec<Want> = same
            .iter()
            .map(|(at, s, hash)| want(at, s, *hash))
            .collect();
        let answers = source.blocks(&numbers, &want).await?;
        for ((at, samples, _), answer) in same.into_iter().zip(answers) {
            block(store, &at, &answer, &mut done.differences)?;
            for (sample, node) in samples.iter().zip(answer.values.iter().skip(1)) {
                match sample.item.refresh {
                    Refresh::EveryBlock => done.pulse += 1,
                    _ => done.state += 1,
                }
                done.absent += u32::from(sample.stored.is_none());
                if let Some(seen) = seen.get_mut(sample.line) {
                    done.items += u32::from(!*seen);
                    *seen = true;
                }
                if sample.stored != *node {
                    done.differences.push(Difference {
                        block: at.number,
                        item: format!("{}.{}", sample.item.pallet, sample.item.entry),
                        key: sample.key.clone(),
                        stored: sample.stored.clone(),
                        node: node.clone(),
                    });
                }
            }
        }
    }
    Ok(done)
}

fn stored(store: &Store, number: BlockNumber) -> Result<At, StoreError> {
    view::at(store, number)?.ok_or_else(|| StoreError::Row {
        table: "block",
        key: hex::encode(number.to_be_bytes()),
        what: "is missing".into(),
    })
}

/// The events of the block, and its samples.
fn want(at: &At, samples: &[Sample], hash: H256) -> Want {
    let [events, _, _] = at.layout.system_keys();
    let keys = samples.iter().map(|sample| sample.key.clone());
    Want {
        at: hash,
        keys: std::iter::once(events).chain(keys).collect(),
    }
}

/// Header, extrinsics and events of a block.
fn block(
    store: &Store,
    at: &At,
    answer: &RawBlock,
    differences: &mut Vec<Difference>,
) -> Result<(), StoreError> {
    let mut differ = |item: String, key: Bytes, stored: Option<Bytes>, node: Option<Bytes>| {
        if stored != node {
            differences.push(Difference {
                block: at.number,
                item,
                key,
                stored,
                node,
            });
        }
    };
    let header = Some(answer.header.clone());
    differ(
        "header".into(),
        Bytes::new(),
        Some(at.row.header.clone()),
        header,
    );
    let body = store.body(at.number)?.unwrap_or_default();
    for index in 0..body.len().max(answer.extrinsics.len()) {
        let node = answer.extrinsics.get(index).cloned();
        let item = format!("extrinsic {index}");
        differ(item, Bytes::new(), body.get(index).cloned(), node);
    }
    let [key, _, _] = at.layout.system_keys();
    // The store keeps "nothing there" as no bytes: a list of events is never that short.
    let events = store.events(at.number)?.filter(|bytes| !bytes.is_empty());
    let node = answer.values.first().cloned().flatten();
    differ("System.Events".into(), key, events, node);
    Ok(())
}

/// Draws the samples, by block.
fn draw(
    store: &Store,
    held: &[(BlockNumber, BlockNumber)],
    samples: Samples,
) -> Result<BTreeMap<BlockNumber, Vec<Sample>>, StoreError> {
    let mut random = StdRng::seed_from_u64(samples.seed);
    let mut drawn: BTreeMap<BlockNumber, Vec<Sample>> = BTreeMap::new();
    let mut numbers: Vec<BlockNumber> = (0..samples.count)
        .filter_map(|_| any_of(&mut random, held))
        .collect();
    // In order, so that a block is decoded once.
    numbers.sort_unstable();
    let mut known: HashMap<usize, Arc<Vec<Bytes>>> = HashMap::new();
    let mut line: usize = random.random_range(0..MANIFEST.len().max(1));
    let mut here: Option<(At, Vec<NetUid>)> = None;
    for number in numbers {
        if here.as_ref().is_none_or(|(at, _)| at.number != number) {
            let at = stored(store, number)?;
            let subnets = view::subnets(store, &at)?;
            here = Some((at, subnets));
        }
        let Some((at, subnets)) = &here else {
            continue;
        };
        // The next item that this runtime has and that has a key at this block.
        for _ in 0..MANIFEST.len() {
            line = (line + 1) % MANIFEST.len();
            let (Some(item), Some(entry)) = (MANIFEST.get(line), at.layout.entry(line)) else {
                continue;
            };
            let known = match known.get(&line) {
                Some(keys) => keys.clone(),
                None => {
                    let keys = match item.refresh {
                        Refresh::EveryBlock => Vec::new(),
                        _ => store.state_keys(item.id)?,
                    };
                    let keys = Arc::new(keys);
                    known.insert(line, keys.clone());
                    keys
                }
            };
            let Some(key) = key(&mut random, at, item, entry, subnets, &known) else {
                continue;
            };
            if !is_known(store, at, item, &key)? {
                continue;
            }
            let stored = view::bytes(store, at, item, entry, &key)?;
            drawn.entry(number).or_default().push(Sample {
                line,
                item,
                key,
                stored,
            });
            break;
        }
    }
    Ok(drawn)
}

/// A block of some ranges, each as likely as any other.
fn any_of(random: &mut StdRng, held: &[(BlockNumber, BlockNumber)]) -> Option<BlockNumber> {
    let blocks = crate::pipeline::ranges::count(held);
    let mut place = (blocks > 0).then(|| random.random_range(0..blocks))?;
    for (first, last) in held {
        let length = u64::from(last - first) + 1;
        if place < length {
            return u32::try_from(u64::from(*first) + place).ok();
        }
        place -= length;
    }
    None
}

/// Whether a span knows what is at a key: one that does not begin with block 0
/// has seen only what it read.
fn is_known(store: &Store, at: &At, item: &Item, key: &[u8]) -> Result<bool, StoreError> {
    if item.refresh == Refresh::EveryBlock || store.floor(at.number) == 0 {
        return Ok(true);
    }
    let rest = key.get(32..).unwrap_or_default();
    Ok(store.state(item.id, rest, at.number)?.is_some())
}

/// A storage key of an item: one that the store has seen, or one that nobody has.
fn key(
    random: &mut StdRng,
    at: &At,
    item: &Item,
    entry: &StorageEntry,
    subnets: &[NetUid],
    known: &[Bytes],
) -> Option<Bytes> {
    if item.refresh != Refresh::EveryBlock
        && item.scope != Scope::Global
        && !known.is_empty()
        && random.random_range(0..MADE_UP) > 0
    {
        // A few tries: some keys are of subnets that do not exist at the block.
        for _ in 0..8 {
            let rest = known.get(random.random_range(0..known.len()))?;
            let mut key = entry.prefix.to_vec();
            key.extend_from_slice(rest);
            if of_subnets(at, item, entry, &key, subnets) {
                return Some(key);
            }
        }
    }
    let mut account = [0_u8; 32];
    random.fill(&mut account);
    let netuid = match item.scope {
        Scope::Global | Scope::Account | Scope::Pair => NetUid(0),
        _ => *subnets.get(random.random_range(0..subnets.len().max(1)))?,
    };
    let net = netuid.0.to_le_bytes();
    let index = storage_index(netuid, MechId(0))?.to_le_bytes();
    // Above every uid that a subnet has.
    let uid = random.random_range(4096..=u16::MAX).to_le_bytes();
    let parts: &[&[u8]] = match item.scope {
        Scope::Global => &[],
        Scope::Subnet => &[&net],
        Scope::Mech => &[&index],
        Scope::SubnetUid => &[&net, &uid],
        Scope::MechUid => &[&index, &uid],
        Scope::SubnetAccount => &[&net, &account],
        Scope::AccountSubnet => &[&account, &net],
        Scope::Account => &[&account],
        Scope::Pair => &[&account, &account],
        Scope::PairSubnet => &[&account, &account, &net],
        Scope::SubnetPair => &[&net, &account, &account],
    };
    Some(entry.key_of_encoded(parts))
}

/// Whether the subnet that a key names, if it names one, exists.
fn of_subnets(at: &At, item: &Item, entry: &StorageEntry, key: &[u8], subnets: &[NetUid]) -> bool {
    let Ok(parts) = entry.decode_keys(at.layout.metadata.types(), key) else {
        return false;
    };
    let number = |place: usize| -> Option<u16> {
        parts
            .get(place)
            .and_then(KeyPart::value)
            .and_then(Value::as_u16)
    };
    let netuid = match item.scope {
        Scope::Global | Scope::Account | Scope::Pair => return true,
        Scope::Subnet | Scope::SubnetUid | Scope::SubnetAccount | Scope::SubnetPair => {
            number(0).map(NetUid)
        }
        Scope::Mech | Scope::MechUid => number(0).map(|index| split_storage_index(index).0),
        Scope::AccountSubnet => number(1).map(NetUid),
        Scope::PairSubnet => number(2).map(NetUid),
    };
    netuid.is_some_and(|netuid| subnets.contains(&netuid))
}
