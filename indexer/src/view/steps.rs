//! What happened to commits in a block.
//!
//! The ledger keeps the steps of an entry with the entry; there is no list by block. Time moves an
//! entry only for a few epochs after it was made, so the steps of a block are looked for among the
//! entries of so many blocks before it. Older ones are moved by what names them: an event with
//! their hotkey, the end of their subnet, a failed reveal of theirs, the round of their lock.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use chain_metadata::{AccountId, BlockNumber, Event, Origin, Value};

use super::{At, at, events, extrinsics, held, subnets};
use crate::commits::{COMMITMENTS, Id, Kind, Step, reveals};
use crate::items::PALLET;
use crate::store::commits::Among;
use crate::store::{Store, StoreError};

/// Fewest blocks looked back.
const LEAST: u64 = 50;
/// Most blocks looked back, whatever the settings of subnets say.
const MOST: u64 = 20_000;
/// Most older entries looked at for one account.
const OLDER: usize = 64;
/// Most older entries looked at for a subnet that ended.
const OF_SUBNET: usize = 20_000;

/// Something that happened to a commit.
#[derive(Debug, Clone, PartialEq)]
pub enum Did {
    /// It was made.
    Made,
    /// It took a step.
    Took(Step),
}

/// What happened to commits in the blocks of a range of one span: the block, the entry, what. By
/// block, then by entry, then in the order in which it happened to it.
pub fn steps(
    store: &Store,
    range: RangeInclusive<BlockNumber>,
) -> Result<Vec<(BlockNumber, Id, Did)>, StoreError> {
    let (start, end) = (*range.start(), *range.end());
    let Some(last) = at(store, end)? else {
        return Ok(Vec::new());
    };
    let first = start
        .saturating_sub(look_back(store, &last)?)
        .max(store.floor(end));
    let mut found = BTreeSet::new();
    let mut all = Vec::new();
    let mut put = |steps: Vec<(Id, u16, Step)>| {
        for (id, number, step) in steps {
            if found.insert((id, number)) {
                all.push((step.block, id, Some(number), Did::Took(step)));
            }
        }
    };
    put(store.commit_steps(first, range.clone())?);
    if first > store.floor(end) {
        for id in older(store, first, &range)? {
            put(store.commit_steps_of(id, range.clone())?);
        }
    }
    let mut before = None;
    'made: loop {
        let ids = store.commit_ids(Among::All, end, before, 256)?;
        if ids.is_empty() {
            break;
        }
        for id in ids {
            if id.block < start {
                break 'made;
            }
            before = Some(id);
            let entry = store.commit_entry(id, id.block)?;
            // Of some only the reveal was seen.
            if entry.is_some_and(|entry| entry.row.made_by.is_some()) {
                all.push((id.block, id, None, Did::Made));
            }
        }
    }
    all.sort_by_key(|(block, id, number, _)| (*block, *id, *number));
    let all = all.into_iter();
    Ok(all.map(|(block, id, _, did)| (block, id, did)).collect())
}

/// For how many blocks time may move a commit, by the settings of all subnets.
fn look_back(store: &Store, at: &At) -> Result<BlockNumber, StoreError> {
    let mut longest = LEAST;
    for netuid in subnets(store, at)? {
        let number = |entry: &str| -> Result<u64, StoreError> {
            let value = held(store, at, entry, &[&netuid.0.to_le_bytes()])?.value();
            Ok(value.and_then(|value| value.as_u64()).unwrap_or(0))
        };
        let period = number("RevealPeriodEpochs")?.saturating_add(4);
        let length = number("Tempo")?.saturating_add(1);
        let interval = number("WeightCommitRevealInterval")?.saturating_mul(4);
        longest = longest.max(period.saturating_mul(length)).max(interval);
    }
    Ok(u32::try_from(longest.min(MOST)).unwrap_or(u32::MAX))
}

/// Entries from before `first` that a block of the range may have moved.
fn older(
    store: &Store,
    first: BlockNumber,
    range: &RangeInclusive<BlockNumber>,
) -> Result<BTreeSet<Id>, StoreError> {
    let below = Some(Id {
        block: first,
        index: 0,
    });
    let mut ids = BTreeSet::new();
    for number in range.clone() {
        let Some(at) = at(store, number)? else {
            continue;
        };
        let mut named = BTreeSet::new();
        for event in &events(store, &at)? {
            if ![PALLET, COMMITMENTS].contains(&&*event.pallet) {
                continue;
            }
            let fields = event.fields.iter().map(|(_, value)| value);
            named.extend(fields.filter_map(Value::as_account));
            if let Some(netuid) = ended(event) {
                ids.extend(store.commit_ids(Among::Subnet(netuid), number, below, OF_SUBNET)?);
            }
        }
        named.extend(revealers(store, &at)?);
        for account in named {
            ids.extend(store.commit_ids(Among::Hotkey(account), number, below, OLDER)?);
        }
    }
    for id in store.open_commits()? {
        let end = *range.end();
        if id.block < first
            && let Some(entry) = store.commit_entry(id, end)?
            && entry.row.kind == Kind::Commitment
            && entry.row.round.is_some()
        {
            ids.insert(id);
        }
    }
    Ok(ids)
}

/// The subnet that ended.
fn ended(event: &Event) -> Option<u16> {
    if &*event.name != "NetworkRemoved" {
        return None;
    }
    event.fields.iter().find_map(|(_, value)| value.as_u16())
}

/// Accounts whose reveals are in a block, failed ones too.
fn revealers(store: &Store, at: &At) -> Result<Vec<AccountId>, StoreError> {
    let mut found = Vec::new();
    for body in extrinsics(store, at)? {
        for nested in body.nested.iter().filter(|nested| reveals(&nested.call)) {
            if let Origin::Signed(account) = nested.origin {
                found.push(account);
            }
        }
    }
    Ok(found)
}
