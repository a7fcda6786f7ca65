//! Stored epochs with something changed.

use scoring::simulate::{Patch, SimulateError, SimulatedEpoch, Timeline, cost, simulate_each};
use scoring::yuma::{EpochInputs, Row};

use super::{Epoch, Key, MAX_COST, WhatIfError, count, epoch, limited};
use crate::store::{Store, StoreError};
use crate::verify::digest;

/// The most epochs read for one simulation: the horizon and what a delayed copy looks back.
pub const MAX_EPOCHS: u32 = 360;

const ADVICE: &str = "ask for a shorter horizon or a smaller patch";

/// A simulation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulated {
    /// The epochs in order. `Bonds`, which are much, are left out.
    pub epochs: Vec<SimulatedEpoch>,
    /// blake2-256 of everything that the numbers depend on: the same for the same simulation.
    pub permalink: [u8; 32],
    /// blake2-256 over the inputs of all stored epochs that were used.
    pub inputs: [u8; 32],
    /// Work that it was, in cells and entries read, at most.
    pub cost: u64,
    /// Where the stored epochs end and what has no proof, in words.
    pub notes: Vec<String>,
}

/// Runs a number of epochs from a stored one on, with and without a patch. Later epochs have the
/// inputs that are stored, as far as they are; those after them follow from the last.
///
/// # Errors
/// [`WhatIfError::BadInput`] for a patch or a horizon that cannot be, [`WhatIfError::NotFound`] for an
/// epoch that is not there, [`WhatIfError::Limit`] for too much work.
pub fn simulation(
    store: &Store,
    key: Key,
    horizon: u32,
    patch: &Patch,
) -> Result<Simulated, WhatIfError> {
    let delay = patch
        .copies
        .iter()
        .map(|copy| copy.delay)
        .max()
        .unwrap_or(0);
    let wanted = u64::from(horizon) + u64::from(delay);
    limited(
        "number of epochs (horizon and longest delay)",
        wanted,
        u64::from(MAX_EPOCHS),
        ADVICE,
    )?;
    let first = epoch(store, key)?;
    let allowed = |timeline: &Timeline<'_>| {
        let cost = cost(timeline, horizon, patch);
        limited("cost of the simulation", cost, MAX_COST, ADVICE)?;
        Ok::<_, WhatIfError>(cost)
    };
    let alone = Timeline {
        past_weights: &[],
        epochs: std::slice::from_ref(&first.inputs),
    };
    allowed(&alone)?;
    // A patch that cannot be is refused before anything more is read.
    simulate_each(&alone, horizon.min(1), patch, |_| {}).map_err(refused)?;

    let read = Read::new(store, first, horizon, delay)?;
    let timeline = Timeline {
        past_weights: &read.past_weights,
        epochs: &read.epochs,
    };
    let cost = allowed(&timeline)?;
    let mut epochs = Vec::new();
    let keep = |mut epoch: SimulatedEpoch| {
        epoch.base.bonds = Default::default();
        epoch.patched.bonds = Default::default();
        epochs.push(epoch);
    };
    simulate_each(&timeline, horizon, patch, keep).map_err(refused)?;
    let inputs = chain_metadata::blake2_256(&read.digests).0;
    Ok(Simulated {
        epochs,
        permalink: permalink(key, horizon, patch, &inputs),
        inputs,
        cost,
        notes: read.notes,
    })
}

fn refused(error: SimulateError) -> WhatIfError {
    match error {
        // The chain's own epochs cannot be computed: the patch is not to blame.
        SimulateError::Epoch {
            with_patch: false, ..
        }
        | SimulateError::NoEpoch => WhatIfError::NotFound(error.to_string()),
        _ => WhatIfError::BadInput(error.to_string()),
    }
}

/// Name and version of the hash, subnet, mechanism, block, horizon, the length of the patch's
/// canonical bytes and these, and the digest of the inputs; integers are little-endian.
fn permalink(key: Key, horizon: u32, patch: &Patch, inputs: &[u8; 32]) -> [u8; 32] {
    let patch = patch.canonical_bytes();
    let mut bytes = b"yumascope simulation 1".to_vec();
    bytes.extend(key.netuid.0.to_le_bytes());
    bytes.push(key.mechanism.0);
    bytes.extend(key.block.to_le_bytes());
    bytes.extend(horizon.to_le_bytes());
    bytes.extend(count(patch.len()).to_le_bytes());
    bytes.extend(patch);
    bytes.extend(inputs);
    chain_metadata::blake2_256(&bytes).0
}

/// What is stored around the first epoch.
struct Read {
    past_weights: Vec<Vec<Row<'static>>>,
    epochs: Vec<EpochInputs<'static>>,
    /// Digests of the inputs: how many epochs are before, these, then all others.
    digests: Vec<u8>,
    notes: Vec<String>,
}

impl Read {
    fn new(store: &Store, first: Epoch, horizon: u32, delay: u32) -> Result<Self, WhatIfError> {
        let Key { netuid, block, .. } = first.key;
        let mut read = Read {
            past_weights: Vec::new(),
            epochs: Vec::new(),
            digests: Vec::new(),
            notes: Vec::new(),
        };
        let length = |epochs: u32| usize::try_from(epochs).unwrap_or(usize::MAX);
        let before = match block.checked_sub(1) {
            Some(before) => store.epochs(netuid.0, before, length(delay))?,
            None => Vec::new(),
        };
        // Newest first: one that is not known ends what is known of the past.
        let mut past = Vec::new();
        for block in before {
            match read.at(store, Key { block, ..first.key })? {
                Some(epoch) => past.push(epoch),
                None => break,
            }
        }
        let missing = length(delay).saturating_sub(past.len());
        if missing > 0 {
            read.notes.push(format!(
                "{missing} of {delay} epochs before the first one are not known: until there is something to copy, copiers keep their own weights"
            ));
        }
        read.digests.extend(count(past.len()).to_le_bytes());
        for epoch in past.into_iter().rev() {
            read.digests.extend(digest::inputs(&epoch.inputs));
            read.past_weights.push(epoch.inputs.weights);
        }
        let key = first.key;
        read.take(first);
        let after = match block.checked_add(1) {
            Some(after) => follow(store, key, after, length(horizon).saturating_sub(1))?,
            None => Vec::new(),
        };
        for block in after {
            match read.at(store, Key { block, ..key })? {
                Some(epoch) => read.take(epoch),
                None => break,
            }
        }
        let made = length(horizon).saturating_sub(read.epochs.len());
        if made > 0 {
            read.notes.push(format!(
                "{made} of {horizon} epochs are not stored: their inputs follow from the epoch before, with the same stakes, weights, hyperparameters and emission"
            ));
        }
        Ok(read)
    }

    /// An epoch beside the first one; without one that is not known.
    fn at(&mut self, store: &Store, key: Key) -> Result<Option<Epoch>, WhatIfError> {
        match epoch(store, key) {
            Ok(epoch) => Ok(Some(epoch)),
            Err(WhatIfError::NotFound(why)) => {
                self.notes.push(why);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn take(&mut self, epoch: Epoch) {
        self.digests.extend(digest::inputs(&epoch.inputs));
        let block = epoch.key.block;
        let doubts = epoch.doubts.iter();
        self.notes
            .extend(doubts.map(|doubt| format!("block {block}, without a proof: {doubt}")));
        self.epochs.push(epoch.inputs);
    }
}

/// Blocks of the epochs from a block on, in the same stored range.
fn follow(store: &Store, key: Key, from: u32, most: usize) -> Result<Vec<u32>, StoreError> {
    let spans = store.spans();
    let span = spans
        .iter()
        .find(|span| (span.first..=span.last).contains(&key.block));
    let Some(last) = span.map(|span| span.last) else {
        return Ok(Vec::new());
    };
    let rows = match from <= last {
        true => store.epochs_in(key.netuid.0, from..=last, most)?,
        false => Vec::new(),
    };
    Ok(rows.into_iter().map(|(block, _)| block).collect())
}
