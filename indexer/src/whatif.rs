//! What made a number, what changed it, what would have: over the epochs of a store.
//!
//! The inputs are those that verification computes with ([`crate::verify::inputs`]); the arithmetic
//! is `scoring`'s. What the chain stored is not looked at: where an epoch is verified as exact,
//! these are the chain's own numbers.

pub mod copying;
pub mod difference;
pub mod simulation;

use chain_metadata::{AccountId, BlockNumber, MechId, NetUid, SpecVersion};
use scoring::explain::{ExplainError, Explanation};
use scoring::yuma::{EpochInputs, Row};
use thiserror::Error;

use crate::store::{Store, StoreError};
use crate::verify::{self, Drained, Gap, inputs};

/// The most work for one answer: matrix cells and vector entries read, of all epochs computed. On
/// one core this is about a second.
pub const MAX_COST: u64 = 100_000_000;

/// One mechanism's epoch of a subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Number of the subnet.
    pub netuid: NetUid,
    /// Number of the mechanism.
    pub mechanism: MechId,
    /// Block in which the epoch ran.
    pub block: BlockNumber,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum WhatIfError {
    /// The engine failed.
    #[error(transparent)]
    Store(StoreError),
    /// No such epoch, uid or hotkey, or an epoch whose inputs are not known.
    #[error("{0}")]
    NotFound(String),
    /// What is asked for makes no sense.
    #[error("{0}")]
    BadInput(String),
    /// More work than one answer may be.
    #[error("the {limit} is {measured}, but at most {allowed} is allowed; {advice}")]
    Limit {
        /// What is limited.
        limit: &'static str,
        /// What was asked for.
        measured: u64,
        /// What is allowed.
        allowed: u64,
        /// What to do.
        advice: &'static str,
    },
}

impl From<StoreError> for WhatIfError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Refuses what is above a limit.
fn limited(
    limit: &'static str,
    measured: u64,
    allowed: u64,
    advice: &'static str,
) -> Result<(), WhatIfError> {
    if measured <= allowed {
        return Ok(());
    }
    Err(WhatIfError::Limit {
        limit,
        measured,
        allowed,
        advice,
    })
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// What one epoch read.
#[derive(Debug, Clone)]
pub struct Epoch {
    /// Which epoch it is.
    pub key: Key,
    /// Its inputs, with the amount to distribute where that is known to the last rao.
    pub inputs: EpochInputs<'static>,
    /// Hotkeys by uid.
    pub hotkeys: Vec<Option<AccountId>>,
    /// Inputs of which the store has the likeliest value but no proof, in words.
    pub doubts: Vec<String>,
}

/// Reads an epoch's inputs.
///
/// # Errors
/// [`WhatIfError::NotFound`] when no epoch of the subnet ran in the block, the subnet has no such
/// mechanism, or an input is not known.
pub fn epoch(store: &Store, key: Key) -> Result<Epoch, WhatIfError> {
    let Key {
        netuid,
        mechanism,
        block,
    } = key;
    if store.epoch_from(netuid.0, block, block)?.is_none() {
        return Err(WhatIfError::NotFound(no_epoch(store, key)?));
    }
    let mut assembled = match inputs(store, netuid, block) {
        Ok(assembled) => assembled,
        Err(Gap::Store(error)) => return Err(error.into()),
        Err(gap) => {
            return Err(WhatIfError::NotFound(format!(
                "the epoch of subnet {netuid} in block {block} cannot be computed again, because this is not known: {gap}"
            )));
        }
    };
    let mechanisms = assembled.mechanisms.len();
    let place = usize::from(mechanism.0);
    if place >= mechanisms {
        return Err(WhatIfError::NotFound(format!(
            "subnet {netuid} has {mechanisms} mechanisms in block {block}; ask for a number below that"
        )));
    }
    let mut inputs = assembled.mechanisms.swap_remove(place);
    // Of several mechanisms each has a part, and which one depends on the others.
    if let (1, Drained::Between(low, high)) = (mechanisms, &assembled.drained)
        && low == high
    {
        inputs.emission = Some(*high);
    }
    Ok(Epoch {
        key,
        inputs,
        hotkeys: assembled.hotkeys,
        doubts: assembled.doubts,
    })
}

/// Reads the inputs that the epoch would have in the block after the highest stored one, if nothing
/// happened in it but the epoch; its key names that block.
///
/// # Errors
/// [`WhatIfError::NotFound`] when the subnet has no such mechanism or an input is not known.
pub fn forecast(store: &Store, netuid: NetUid, mechanism: MechId) -> Result<Epoch, WhatIfError> {
    let assembled = match verify::forecast(store, netuid) {
        Ok(assembled) => assembled,
        Err(Gap::Store(error)) => return Err(error.into()),
        Err(gap) => {
            return Err(WhatIfError::NotFound(format!(
                "the next epoch of subnet {netuid} cannot be computed, because this is not known: {gap}"
            )));
        }
    };
    let key = Key {
        netuid,
        mechanism,
        block: assembled.block,
    };
    let (count, mut mechanisms) = (assembled.mechanisms.len(), assembled.mechanisms.into_iter());
    let Some(inputs) = mechanisms.nth(usize::from(mechanism.0)) else {
        return Err(WhatIfError::NotFound(format!(
            "subnet {netuid} has {count} mechanisms; ask for a number below that"
        )));
    };
    Ok(Epoch {
        key,
        inputs,
        hotkeys: assembled.hotkeys,
        doubts: assembled.doubts,
    })
}

/// The sentence for a block without an epoch: it names the nearest ones.
fn no_epoch(store: &Store, key: Key) -> Result<String, StoreError> {
    let Key { netuid, block, .. } = key;
    let before = store.epochs(netuid.0, block, 1)?;
    let after = store.epoch_from(netuid.0, block, BlockNumber::MAX)?;
    let near: Vec<String> = before
        .iter()
        .chain(&after)
        .map(|block| format!("block {block}"))
        .collect();
    Ok(if near.is_empty() {
        format!("no epoch of subnet {netuid} is stored")
    } else {
        format!(
            "no epoch of subnet {netuid} ran in block {block}; the nearest ones ran in {}",
            near.join(" and ")
        )
    })
}

/// Cells and entries that computing an epoch once reads.
fn size(inputs: &EpochInputs<'_>) -> u64 {
    let entries = |rows: &[Row<'_>]| -> u64 {
        let lens = rows.iter().map(|row| count(row.entries.len()));
        lens.fold(0, u64::saturating_add)
    };
    entries(&inputs.weights)
        .saturating_add(entries(&inputs.bonds))
        .saturating_add(u64::from(inputs.n).saturating_mul(8))
}

/// An explanation and what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Runtime whose rules were used.
    pub spec: SpecVersion,
    /// The numbers.
    pub explanation: Explanation,
    /// Inputs without a proof, in words.
    pub doubts: Vec<String>,
}

/// Explains a uid's numbers of an epoch.
///
/// # Errors
/// [`WhatIfError::NotFound`] as [`epoch`], for a uid that the subnet does not have, and for an epoch
/// that cannot be computed.
pub fn explain(store: &Store, key: Key, uid: u16) -> Result<Explained, WhatIfError> {
    explain_in(&epoch(store, key)?, uid)
}

/// Explains a uid's numbers of an epoch that was read.
///
/// # Errors
/// [`WhatIfError::NotFound`] for a uid that the subnet does not have, and for an epoch that cannot be
/// computed.
pub fn explain_in(epoch: &Epoch, uid: u16) -> Result<Explained, WhatIfError> {
    let explanation = match scoring::explain::explain(&epoch.inputs, uid) {
        Ok(explanation) => explanation,
        Err(error @ ExplainError::UnknownUid { .. }) => {
            return Err(WhatIfError::NotFound(error.to_string()));
        }
        Err(ExplainError::Epoch(error)) => {
            return Err(WhatIfError::NotFound(format!(
                "the epoch cannot be computed again: {error}"
            )));
        }
    };
    Ok(Explained {
        spec: epoch.inputs.rules.spec,
        explanation,
        doubts: epoch.doubts.clone(),
    })
}
