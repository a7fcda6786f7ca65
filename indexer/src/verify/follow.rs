//! Verdicts for every epoch of a store, computed behind the commits and kept beside them.
//!
//! The verdicts of a chunk of blocks and the new end of what was looked at are one atomic batch, so
//! a stop at any point loses at most a chunk, which is computed again with the same result. Every
//! span of the store is looked at by itself; see [`catch_up`].

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chain_metadata::{BlockNumber, MechId, NetUid, Phase, Value};
use rayon::prelude::*;
use scoring::yuma::YumaRules;
use scoring::yuma::rules::{RootEpoch, Schedule};
use scoring::yuma::schedule::is_due_by_block;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use super::{Record, Verdict, Verified, spec_of, verify};
use crate::activity::Topic;
use crate::error::IndexError;
use crate::items::PALLET;
use crate::notify::{Committed, Notify};
use crate::store::engine::Batch;
use crate::store::verdicts::{LookedAt, delete_looked_at, put, put_looked_at};
use crate::store::{Checkpoint, Store, StoreError};
use crate::view;

/// Blocks whose verdicts are committed together.
const CHUNK: u32 = 128;

/// Tells a follower to stop at the next chunk.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Stops it.
    pub fn now(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A follower on a thread of its own.
#[derive(Debug)]
pub struct Follower(std::thread::JoinHandle<Result<(), StoreError>>);

impl Follower {
    /// Waits for its end: the road's end, or the stop.
    ///
    /// # Errors
    /// When the store failed, or the thread did.
    pub fn join(self) -> Result<(), IndexError> {
        match self.0.join() {
            Ok(done) => Ok(done?),
            Err(_) => Err(IndexError::Thread("verify", "it panicked".to_owned())),
        }
    }
}

/// How long a follower rests when all is looked at. The listeners of [`Notify`] hear of the
/// highest span alone, the store says of all of them.
const REST: Duration = Duration::from_millis(50);

/// Begins to follow the commits of whoever holds `notify`. The follower ends when nobody can commit
/// any more and all is looked at, or at the stop.
///
/// # Errors
/// When no thread can be made.
pub fn start(store: Store, notify: &Notify, stop: Stop) -> Result<Follower, IndexError> {
    let mut commits = notify.subscribe();
    std::thread::Builder::new()
        .name("verify".into())
        .spawn(move || {
            loop {
                // Asked first: what was committed before the end is caught up with after it.
                let ended = is_closed(&mut commits);
                catch_up(&store, &stop)?;
                if ended || stop.is_set() {
                    return Ok(());
                }
                std::thread::sleep(REST);
            }
        })
        .map(Follower)
        .map_err(|e| IndexError::Thread("verify", e.to_string()))
}

/// Whether nobody can tell of a commit any more.
fn is_closed(commits: &mut Receiver<Committed>) -> bool {
    loop {
        match commits.try_recv() {
            // Which block it was does not matter: the store says what is there.
            Ok(_) | Err(TryRecvError::Lagged(_)) => {}
            Err(TryRecvError::Empty) => return false,
            Err(TryRecvError::Closed) => return true,
        }
    }
}

/// Looks at everything that is stored and was not looked at, the highest span first, and again at
/// the blocks of a span that was joined to the one below.
///
/// # Errors
/// When the store fails.
pub fn catch_up(store: &Store, stop: &Stop) -> Result<(), StoreError> {
    while !stop.is_set() {
        let Some(next) = next(store)? else {
            return Ok(());
        };
        let first = next.from;
        let last = next.to.min(first.saturating_add(CHUNK - 1));
        let looked_at = LookedAt {
            first: next.span,
            last,
        };
        look_at(store, first..=last, Some(looked_at))?;
    }
    Ok(())
}

/// Blocks of a span that are to be looked at.
struct Next {
    span: BlockNumber,
    from: BlockNumber,
    to: BlockNumber,
}

/// What a verdict can know depends on where the span begins: the parent, commits that were made
/// long before. So what was looked at is remembered by the first block of the span. Blocks of a
/// span that was joined to the one below are looked at again, as part of that one, as far as the
/// store has put right what the join left.
fn next(store: &Store) -> Result<Option<Next>, StoreError> {
    // The spans first: a join that comes in between can only make `settled` lower.
    let spans = store.spans();
    let mut seen: BTreeMap<_, _> = store
        .all_looked_at()?
        .into_iter()
        .map(|seen| (seen.first, seen.last))
        .collect();
    let mut next = None;
    for span in spans.iter().rev() {
        let to = settled(store, span);
        let from = match seen.remove(&span.first) {
            Some(last) => last.checked_add(1),
            None => Some(span.first),
        };
        if next.is_none()
            && let Some(from) = from.filter(|from| *from <= to)
        {
            let span = span.first;
            next = Some(Next { span, from, to });
        }
    }
    // No span begins there any more.
    if !seen.is_empty() {
        let mut batch = Batch::default();
        for first in seen.keys() {
            delete_looked_at(&mut batch, *first);
        }
        store.commit(vec![batch])?;
    }
    Ok(next)
}

/// The last block of a span below which nothing waits to be put right after a join.
fn settled(store: &Store, span: &Checkpoint) -> BlockNumber {
    let restaged = store.restage_of(span.first).map(|restage| restage.done);
    let joints = store.joints().into_iter();
    let unswept = joints
        .filter(|joint| !joint.swept && (span.first..=span.last).contains(&joint.at))
        .map(|joint| joint.at.saturating_sub(1));
    let waits = restaged.into_iter().chain(unswept).min();
    waits.map_or(span.last, |done| done.min(span.last))
}

/// Looks at a range again, whatever is known of it.
///
/// # Errors
/// When the store fails.
pub fn again(
    store: &Store,
    (from, to): (BlockNumber, BlockNumber),
    stop: &Stop,
) -> Result<(), StoreError> {
    let mut first = from;
    while first <= to && !stop.is_set() {
        let last = to.min(first.saturating_add(CHUNK - 1));
        look_at(store, first..=last, None)?;
        match last.checked_add(1) {
            Some(next) => first = next,
            None => return Ok(()),
        }
    }
    Ok(())
}

fn of_epochs(store: &Store, epochs: &[(NetUid, BlockNumber)]) -> Result<Vec<Verified>, StoreError> {
    let found: Vec<Vec<Verified>> = epochs
        .par_iter()
        .map(|(netuid, block)| verify(store, *netuid, *block))
        .collect::<Result<_, _>>()?;
    Ok(found.into_iter().flatten().collect())
}

/// Every epoch of a range, computed in parallel, in the order of blocks, subnets and mechanisms;
/// `netuid` limits it to one subnet.
///
/// # Errors
/// When the store fails.
pub fn epochs(
    store: &Store,
    netuid: Option<NetUid>,
    blocks: RangeInclusive<BlockNumber>,
) -> Result<Vec<Verified>, StoreError> {
    let mut found = Vec::new();
    let netuids = match netuid {
        Some(netuid) => vec![netuid],
        None => store.epoch_netuids()?,
    };
    for netuid in netuids {
        let ran = store.epochs_between(netuid, *blocks.start(), *blocks.end())?;
        found.extend(ran.into_iter().map(|block| (block, netuid)));
    }
    found.sort_unstable();
    let found: Vec<_> = found
        .into_iter()
        .map(|(block, netuid)| (netuid, block))
        .collect();
    of_epochs(store, &found)
}

fn look_at(
    store: &Store,
    blocks: RangeInclusive<BlockNumber>,
    looked_at: Option<LookedAt>,
) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    let verified = epochs(store, None, blocks.clone())?;
    let started = std::time::Instant::now();
    for one in &verified {
        put(&mut batch, &one.record);
        told(&one.record);
    }
    for slot in slots(store, None, blocks)? {
        put(&mut batch, &slot);
    }
    if let Some(looked_at) = looked_at {
        put_looked_at(&mut batch, looked_at);
        if store.span_of(looked_at.last) == store.checkpoint()? {
            metrics::gauge!("verify_height").set(f64::from(looked_at.last));
        }
    }
    if !batch.ops.is_empty() {
        store.commit(vec![batch])?;
    }
    metrics::histogram!("verify_commit_seconds").record(started.elapsed().as_secs_f64());
    Ok(())
}

/// Counts a verdict; says what is wrong.
fn told(record: &Record) {
    metrics::counter!("verify_epochs_total", "verdict" => record.verdict.word()).increment(1);
    if record.verdict == Verdict::Differs {
        let first = record.first.map(|(field, uid)| (field.name(), uid));
        tracing::warn!(
            block = record.block,
            netuid = record.netuid.0,
            mechanism = record.mechanism.0,
            spec = record.spec,
            ?first,
            "an epoch differs from what the chain stored"
        );
    }
}

/// Slots of a range that were due and in which no epoch ran.
///
/// # Errors
/// When the store fails.
pub fn slots(
    store: &Store,
    netuid: Option<NetUid>,
    blocks: RangeInclusive<BlockNumber>,
) -> Result<Vec<Record>, StoreError> {
    let mut found = BTreeMap::new();
    by_number(store, netuid, &blocks, &mut found)?;
    by_events(store, netuid, &blocks, &mut found)?;
    found
        .into_iter()
        .map(|((block, netuid), why)| {
            let verdict = Verdict::NotRun(why);
            let spec = spec_of(store, block)?;
            let (netuid, mechanism) = (NetUid(netuid), MechId(0));
            Ok(Record::without(netuid, mechanism, block, spec, verdict))
        })
        .collect()
}

type Slots = BTreeMap<(BlockNumber, u16), String>;

/// Runtimes whose slots follow from the number of the block.
fn by_number(
    store: &Store,
    only: Option<NetUid>,
    blocks: &RangeInclusive<BlockNumber>,
    found: &mut Slots,
) -> Result<(), StoreError> {
    for block in blocks.clone() {
        let Some(parent) = block.checked_sub(1) else {
            continue;
        };
        let (Some(row), Some(before)) = (store.block(block)?, view::at(store, parent)?) else {
            continue;
        };
        let Some(rules) = YumaRules::for_spec(row.spec) else {
            continue;
        };
        if rules.schedule != Schedule::Modulo {
            continue;
        }
        for netuid in view::subnets(store, &before)? {
            let key = netuid.0.to_le_bytes();
            if only.is_some_and(|only| only != netuid)
                || (netuid.0 == 0 && rules.root != RootEpoch::Subnet)
            {
                continue;
            }
            let tempo = view::held(store, &before, "Tempo", &[&key])?.value();
            let Some(tempo) = tempo.as_ref().and_then(Value::as_u16) else {
                continue;
            };
            if !is_due_by_block(netuid.0, tempo, u64::from(block))
                || store.epoch_from(netuid.0, block, block)?.is_some()
            {
                continue;
            }
            let open = view::held(store, &before, "NetworkRegistrationAllowed", &[&key])?.value();
            let why = match open.as_ref().and_then(Value::as_bool) {
                Some(false) => "the slot was due and no epoch ran: registrations are off",
                _ => "the slot was due and no epoch ran",
            };
            found.insert((block, netuid.0), why.into());
        }
    }
    Ok(())
}

/// Runtimes that say so.
fn by_events(
    store: &Store,
    only: Option<NetUid>,
    blocks: &RangeInclusive<BlockNumber>,
    found: &mut Slots,
) -> Result<(), StoreError> {
    let names = [
        (
            "EpochDeferred",
            "the epoch was put off: too many were due in this block",
        ),
        (
            "EpochSkipped",
            "the epoch was skipped: two uids have the same hotkey",
        ),
    ];
    for (name, why) in names {
        let topic = Topic::Events(format!("{PALLET}.{name}"));
        let mut before = blocks.end().checked_add(1).map(|block| (block, 0));
        'newest_first: loop {
            let places = store.activity(&topic, before, 64)?;
            if places.is_empty() {
                break;
            }
            for (block, position) in places {
                before = Some((block, position));
                if block < *blocks.start() {
                    break 'newest_first;
                }
                let Some(at) = view::at(store, block)? else {
                    continue;
                };
                let events = view::events(store, &at)?;
                let event = usize::try_from(position).ok().and_then(|i| events.get(i));
                let Some(event) = event.filter(|e| e.is(PALLET, name)) else {
                    continue;
                };
                let netuid = event.field_or("netuid", 0).and_then(Value::as_u16);
                if let (Some(netuid), Phase::Initialization) = (netuid, event.phase)
                    && only.is_none_or(|only| only.0 == netuid)
                {
                    found.insert((block, netuid), why.into());
                }
            }
        }
    }
    Ok(())
}
