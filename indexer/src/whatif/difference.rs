//! What changed a hotkey's incentive or dividends between two stored epochs.

use std::collections::BTreeMap;

use chain_metadata::{AccountId, BlockNumber, MechId, NetUid};
use scoring::diff::{Diff, DiffError, Epoch as Side, Measure, Options, diff, steps};

use super::{Epoch, Key, MAX_COST, WhatIfError, count, epoch, limited, size};
use crate::store::Store;

/// The most hotkeys of a kind that get a term of their own.
pub const MAX_DETAIL: usize = 256;
/// How many get one when nothing is said.
pub const DEFAULT_DETAIL: usize = 16;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Number of the subnet.
    pub netuid: NetUid,
    /// Number of the mechanism.
    pub mechanism: MechId,
    /// Whose number it is.
    pub hotkey: AccountId,
    /// Block of epoch A.
    pub from: BlockNumber,
    /// Block of epoch B.
    pub to: BlockNumber,
    /// Which number.
    pub measure: Measure,
    /// How many hotkeys of a kind get a term of their own.
    pub detail: usize,
}

/// The terms, and who the hotkeys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The terms; their hotkeys are places in the list.
    pub diff: Diff,
    /// The hotkeys of both epochs; `None` for a uid that had no hotkey.
    pub hotkeys: Vec<Option<AccountId>>,
    /// Inputs without a proof, in words.
    pub doubts: Vec<String>,
}

/// Splits the difference into terms.
///
/// # Errors
/// [`WhatIfError::NotFound`] for epochs and hotkeys that are not there, [`WhatIfError::Limit`] for
/// too much work, [`WhatIfError::BadInput`] for too much detail.
pub fn difference(store: &Store, wanted: &Wanted) -> Result<Difference, WhatIfError> {
    checked(wanted)?;
    let at = |block| {
        epoch(
            store,
            Key {
                netuid: wanted.netuid,
                mechanism: wanted.mechanism,
                block,
            },
        )
    };
    between(&at(wanted.from)?, &at(wanted.to)?, wanted)
}

/// Splits the difference between two epochs that were read; subnet and blocks are theirs.
///
/// # Errors
/// [`WhatIfError::NotFound`] for a hotkey that is in neither, [`WhatIfError::Limit`] for too much
/// work, [`WhatIfError::BadInput`] for too much detail.
pub fn between(a: &Epoch, b: &Epoch, wanted: &Wanted) -> Result<Difference, WhatIfError> {
    checked(wanted)?;
    let mut numbers = Numbers::default();
    let (of_a, of_b) = (numbers.of(a)?, numbers.of(b)?);
    let Some(hotkey) = numbers.known.get(&wanted.hotkey).copied() else {
        return Err(WhatIfError::NotFound(format!(
            "hotkey {} has no uid in subnet {} in either epoch, in blocks {} and {}",
            wanted.hotkey, a.key.netuid, a.key.block, b.key.block
        )));
    };
    let [a_side, b_side] = [(a, &of_a), (b, &of_b)].map(|(epoch, hotkeys)| Side {
        inputs: &epoch.inputs,
        hotkeys,
    });
    let options = Options {
        measure: wanted.measure,
        detail: wanted.detail,
    };
    let epochs = count(steps(&a_side, &b_side, &options).map_err(refused)?);
    let one = size(&a.inputs).saturating_add(size(&b.inputs));
    limited(
        "cost of the difference",
        epochs.saturating_mul(one),
        MAX_COST,
        "ask for less detail",
    )?;
    let diff = diff(&a_side, &b_side, hotkey, &options).map_err(refused)?;
    let mut doubts = a.doubts.clone();
    let other = b.doubts.iter().filter(|doubt| !a.doubts.contains(doubt));
    doubts.extend(other.cloned());
    Ok(Difference {
        diff,
        hotkeys: numbers.all,
        doubts,
    })
}

/// Too much detail is told before anything is read.
fn checked(wanted: &Wanted) -> Result<(), WhatIfError> {
    if wanted.detail <= MAX_DETAIL {
        return Ok(());
    }
    Err(WhatIfError::BadInput(format!(
        "a detail of {} is too great; ask for {MAX_DETAIL} hotkeys of a kind at most",
        wanted.detail
    )))
}

fn refused(error: DiffError) -> WhatIfError {
    WhatIfError::NotFound(error.to_string())
}

/// A number for every hotkey.
#[derive(Default)]
struct Numbers {
    known: BTreeMap<AccountId, u32>,
    all: Vec<Option<AccountId>>,
}

impl Numbers {
    /// The numbers of an epoch's uids. A uid without a hotkey is nobody's, and in each epoch another.
    fn of(&mut self, epoch: &Epoch) -> Result<Vec<u32>, WhatIfError> {
        let mut numbers = Vec::with_capacity(epoch.hotkeys.len());
        for hotkey in &epoch.hotkeys {
            let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
            let number = match hotkey {
                Some(hotkey) => *self.known.entry(*hotkey).or_insert(next),
                None => next,
            };
            if numbers.contains(&number) {
                let hotkey = hotkey.map(|hotkey| hotkey.to_string()).unwrap_or_default();
                return Err(WhatIfError::NotFound(format!(
                    "hotkey {hotkey} has two uids in block {}, so that its numbers cannot be told apart",
                    epoch.key.block
                )));
            }
            if number == next {
                self.all.push(*hotkey);
            }
            numbers.push(number);
        }
        Ok(numbers)
    }
}
