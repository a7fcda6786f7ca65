//! Who sets weights that others had before, from the rows of W over time and the ledger of commits.

use std::collections::BTreeMap;

use chain_metadata::{AccountId, BlockNumber, MechId, NetUid, Uid, storage_index};
use scoring::copying::{CopyingError, Follower, MAX_LAG, Publication, copying, cost};

use super::{WhatIfError, count, limited};
use crate::store::{Store, StoreError};
use crate::view::{self, sets, tenancy};

/// The most epochs in a range.
pub const MAX_STEPS: usize = 2_000;
/// The most rows of weights in a range.
pub const MAX_ROWS: usize = 20_000;
/// The most work: weights compared.
pub const MAX_COMPARED: u64 = 4_000_000_000;

const ADVICE: &str = "ask for fewer blocks";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Number of the subnet.
    pub netuid: NetUid,
    /// Number of the mechanism.
    pub mechanism: MechId,
    /// Lowest block.
    pub from: BlockNumber,
    /// Highest block.
    pub to: BlockNumber,
    /// The greatest lag, in epochs.
    pub max_lag: u32,
}

/// Validators as followers of others.
#[derive(Debug, Clone, PartialEq)]
pub struct Copying {
    /// One for each validator that had weights; they and their leaders are places in `hotkeys`.
    pub followers: Vec<Follower>,
    /// The hotkeys.
    pub hotkeys: Vec<AccountId>,
    /// Blocks of the epochs that lags are counted in.
    pub steps: Vec<BlockNumber>,
}

/// A row of W with who decided on it and when.
struct Published {
    validator: u32,
    decided: BlockNumber,
    visible: BlockNumber,
    entries: Vec<(u16, u16)>,
}

/// Compares all validators of a mechanism with each other over the epochs of a range.
///
/// A row is decided when it is set, or when what it was revealed from was committed; it can be read
/// when it is set. Rows in force at the beginning of the range count as well. What is taken away
/// with its neuron is no decision, and counts as in force until something else is set.
///
/// # Errors
/// [`WhatIfError::NotFound`] without the subnet or two epochs, [`WhatIfError::BadInput`] for too great
/// a lag and a range the wrong way round, [`WhatIfError::Limit`] for too much work.
pub fn weight_copying(store: &Store, wanted: &Wanted) -> Result<Copying, WhatIfError> {
    let Wanted {
        netuid, from, to, ..
    } = *wanted;
    if from > to {
        return Err(WhatIfError::BadInput(format!(
            "the range begins with block {from} and ends with block {to}; give the lower one first"
        )));
    }
    if wanted.max_lag > MAX_LAG {
        return Err(WhatIfError::BadInput(format!(
            "a lag of {} epochs is too great; ask for {MAX_LAG} at most",
            wanted.max_lag
        )));
    }
    if !store
        .spans()
        .iter()
        .any(|span| span.first <= from && to <= span.last)
    {
        return Err(WhatIfError::NotFound(format!(
            "the blocks from {from} to {to} are not all stored"
        )));
    }
    let epochs = store.epochs_in(netuid.0, from..=to, MAX_STEPS + 1)?;
    limited(
        "number of epochs",
        count(epochs.len()),
        count(MAX_STEPS),
        ADVICE,
    )?;
    let steps: Vec<BlockNumber> = epochs.into_iter().map(|(block, _)| block).collect();
    if steps.len() < 2 {
        return Err(WhatIfError::NotFound(format!(
            "{} epochs of subnet {netuid} ran from block {from} to {to}; two at least are needed",
            steps.len()
        )));
    }
    let mut hotkeys = Hotkeys::default();
    let rows = published(store, wanted, &mut hotkeys)?;
    let publications: Vec<Publication<'_>> = rows
        .iter()
        .map(|row| Publication {
            validator: row.validator,
            decided: u64::from(row.decided),
            visible: u64::from(row.visible),
            row: &row.entries,
        })
        .collect();
    limited(
        "number of weights compared",
        cost(&publications, wanted.max_lag),
        MAX_COMPARED,
        "ask for fewer blocks or a smaller lag",
    )?;
    let blocks: Vec<u64> = steps.iter().copied().map(u64::from).collect();
    let refused = |error: CopyingError| WhatIfError::NotFound(error.to_string());
    Ok(Copying {
        followers: copying(&publications, &blocks, wanted.max_lag).map_err(refused)?,
        hotkeys: hotkeys.all,
        steps,
    })
}

/// A number for every hotkey.
#[derive(Default)]
struct Hotkeys {
    known: BTreeMap<AccountId, u32>,
    all: Vec<AccountId>,
}

impl Hotkeys {
    fn number(&mut self, hotkey: AccountId) -> u32 {
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let number = *self.known.entry(hotkey).or_insert(next);
        if number == next {
            self.all.push(hotkey);
        }
        number
    }
}

/// All rows in force in the range, in the order of uids and blocks.
fn published(
    store: &Store,
    wanted: &Wanted,
    hotkeys: &mut Hotkeys,
) -> Result<Vec<Published>, WhatIfError> {
    let Wanted {
        netuid,
        mechanism,
        from,
        to,
        ..
    } = *wanted;
    let (Some(first), Some(last)) = (view::at(store, from)?, view::at(store, to)?) else {
        return Err(WhatIfError::NotFound(format!(
            "block {from} or block {to} is not stored"
        )));
    };
    let index = storage_index(netuid, mechanism);
    let (Some(index), Some(rows)) = (
        index,
        view::rows(store, &first, "Weights", netuid, mechanism)?,
    ) else {
        return Err(WhatIfError::NotFound(format!(
            "mechanism {mechanism} of subnet {netuid} does not exist in block {from}"
        )));
    };
    let mut found = Vec::new();
    for (uid, changed_at, entries) in rows {
        let set = sets::cause(store, index, uid.0, changed_at)?;
        let decided = set.as_ref().and_then(|set| Some(set.commit?.block));
        if let Some(hotkey) = holder(store, netuid, uid, from, set.as_ref())? {
            found.push(Published {
                validator: hotkeys.number(hotkey),
                decided: decided.unwrap_or(changed_at),
                visible: changed_at,
                entries,
            });
        }
    }
    let Some(next) = from.checked_add(1).filter(|next| *next <= to) else {
        return Ok(found);
    };
    let neurons = view::count(store, &first, netuid)?.max(view::count(store, &last, netuid)?);
    for uid in (0..neurons).map(Uid) {
        let room = (MAX_ROWS + 1).saturating_sub(found.len());
        for version in sets::versions(store, netuid, mechanism, uid, next..=to, room)? {
            let (block, set) = (version.block, version.set_by.as_ref());
            let Some(entries) = version.entries else {
                continue;
            };
            let decided = set.and_then(|set| Some(set.commit?.block));
            if let Some(hotkey) = holder(store, netuid, uid, block, set)? {
                found.push(Published {
                    validator: hotkeys.number(hotkey),
                    decided: decided.unwrap_or(block),
                    visible: block,
                    entries,
                });
            }
        }
        limited(
            "number of rows of weights",
            count(found.len()),
            count(MAX_ROWS),
            ADVICE,
        )?;
    }
    Ok(found)
}

/// Whose row it is: whom the call or the event names, or who holds the uid.
fn holder(
    store: &Store,
    netuid: NetUid,
    uid: Uid,
    block: BlockNumber,
    set: Option<&sets::SetBy>,
) -> Result<Option<AccountId>, StoreError> {
    if let Some(hotkey) = set.and_then(|set| set.row.hotkey) {
        return Ok(Some(AccountId(hotkey)));
    }
    let tenancy = tenancy::at(store, block, netuid, uid)?;
    Ok(tenancy.map(|tenancy| tenancy.hotkey))
}
