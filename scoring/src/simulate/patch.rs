//! What is to be different, and whether it can be.

use std::collections::BTreeSet;

use super::{MAX_HORIZON, SimulateError, Timeline};
use crate::yuma::rules::{BondWeights, LiquidAlpha};
use crate::yuma::{EpochInputs, Row};

/// What is different in a simulation. Nothing by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patch {
    /// Rows of weights to put in place of the stored ones, raw as the chain stores them. An empty row sets no weights.
    pub weights: Vec<Row<'static>>,
    /// Total stake weights, as pairs of a uid and rao.
    pub stakes: Vec<(u16, u64)>,
    /// `Kappa`, of 65535.
    pub kappa: Option<u16>,
    /// `BondsPenalty`, of 65535.
    pub bonds_penalty: Option<u16>,
    /// `BondsMovingAverage`, of 1,000,000.
    pub bonds_moving_average: Option<u64>,
    /// `Yuma3On`.
    pub yuma3: Option<bool>,
    /// `LiquidAlphaOn`.
    pub liquid_alpha: Option<bool>,
    /// First of `AlphaValues`, of 65535.
    pub alpha_low: Option<u16>,
    /// Second of `AlphaValues`, of 65535.
    pub alpha_high: Option<u16>,
    /// `AlphaSigmoidSteepness`.
    pub alpha_sigmoid_steepness: Option<i32>,
    /// Validators that are not there.
    pub removed: Vec<u16>,
    /// Validators that copy others.
    pub copies: Vec<CopyWeights>,
}

/// A validator that sets the weights that another had before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CopyWeights {
    /// Who copies.
    pub copier: u16,
    /// Who is copied.
    pub source: u16,
    /// How many epochs the copy is behind: 0 for the same epoch.
    pub delay: u32,
}

const WEIGHTS: &str = "weights";
const STAKES: &str = "stakes";
const REMOVED: &str = "removed validators";
const COPIERS: &str = "copiers";
const SOURCES: &str = "sources of copies";

/// Checks horizon and patch against the timeline.
pub(super) fn check(
    timeline: &Timeline<'_>,
    horizon: u32,
    patch: &Patch,
) -> Result<(), SimulateError> {
    if !(1..=MAX_HORIZON).contains(&horizon) {
        return Err(SimulateError::Horizon {
            asked: horizon,
            most: MAX_HORIZON,
        });
    }
    if timeline.epochs.is_empty() {
        return Err(SimulateError::NoEpoch);
    }
    check_uids(patch)?;
    check_values(patch)?;
    let used = usize::try_from(horizon).unwrap_or(usize::MAX);
    let mut epochs = timeline.epochs.iter().take(used);
    epochs.try_for_each(|inputs| check_epoch(patch, inputs))
}

/// No uid twice, and no contradictions.
fn check_uids(patch: &Patch) -> Result<(), SimulateError> {
    let weights = unique(WEIGHTS, patch.weights.iter().map(|row| row.uid))?;
    let stakes = unique(STAKES, patch.stakes.iter().map(|(uid, _)| *uid))?;
    let removed = unique(REMOVED, patch.removed.iter().copied())?;
    let copiers = unique(COPIERS, patch.copies.iter().map(|copy| copy.copier))?;
    let sources: BTreeSet<u16> = patch.copies.iter().map(|copy| copy.source).collect();
    for (one, other, both) in [
        (WEIGHTS, REMOVED, weights.intersection(&removed).next()),
        (WEIGHTS, COPIERS, weights.intersection(&copiers).next()),
        (STAKES, REMOVED, stakes.intersection(&removed).next()),
        (COPIERS, REMOVED, copiers.intersection(&removed).next()),
        (SOURCES, REMOVED, sources.intersection(&removed).next()),
    ] {
        if let Some(uid) = both {
            return Err(SimulateError::Conflict {
                uid: *uid,
                one,
                other,
            });
        }
    }
    for copy in &patch.copies {
        if copy.copier == copy.source {
            return Err(SimulateError::CopiesItself { uid: copy.copier });
        }
        if copy.delay == 0 && copiers.contains(&copy.source) {
            return Err(SimulateError::CopiesCopier {
                copier: copy.copier,
                source_uid: copy.source,
            });
        }
    }
    for row in &patch.weights {
        let mut seen = BTreeSet::new();
        let named = row.entries.iter().map(|(uid, _)| *uid);
        if let Some(uid) = named.into_iter().find(|uid| !seen.insert(*uid)) {
            return Err(SimulateError::DuplicateWeight { row: row.uid, uid });
        }
    }
    Ok(())
}

fn unique(
    what: &'static str,
    uids: impl Iterator<Item = u16>,
) -> Result<BTreeSet<u16>, SimulateError> {
    let mut seen = BTreeSet::new();
    for uid in uids {
        if !seen.insert(uid) {
            return Err(SimulateError::DuplicateUid { what, uid });
        }
    }
    Ok(seen)
}

fn check_values(patch: &Patch) -> Result<(), SimulateError> {
    let too_great = patch.stakes.iter().find(|(_, stake)| *stake >= 1 << 63);
    if let Some((uid, stake)) = too_great {
        return Err(SimulateError::Stake {
            uid: *uid,
            stake: *stake,
        });
    }
    match patch.bonds_moving_average {
        Some(value) if value > 1_000_000 => Err(SimulateError::MovingAverage { value }),
        _ => Ok(()),
    }
}

/// Checks what depends on the subnet and the runtime.
fn check_epoch(patch: &Patch, inputs: &EpochInputs<'_>) -> Result<(), SimulateError> {
    let (n, block) = (inputs.n, inputs.block);
    if n == 0 {
        return Err(SimulateError::EmptySubnet { block });
    }
    let weighed = patch.weights.iter().flat_map(|row| row.entries.iter());
    let mut named = (patch.weights.iter().map(|row| (WEIGHTS, row.uid)))
        .chain(weighed.map(|(uid, _)| (WEIGHTS, *uid)))
        .chain(patch.stakes.iter().map(|(uid, _)| (STAKES, *uid)))
        .chain(patch.removed.iter().map(|uid| (REMOVED, *uid)))
        .chain(patch.copies.iter().map(|copy| (COPIERS, copy.copier)))
        .chain(patch.copies.iter().map(|copy| (SOURCES, copy.source)));
    if let Some((what, uid)) = named.find(|(_, uid)| *uid >= n) {
        return Err(SimulateError::UnknownUid {
            what,
            uid,
            n,
            block,
        });
    }
    check_hyperparameters(patch, inputs)
}

fn check_hyperparameters(patch: &Patch, inputs: &EpochInputs<'_>) -> Result<(), SimulateError> {
    let rules = &inputs.rules;
    let spec = rules.spec;
    let has_liquid = rules.liquid_alpha != LiquidAlpha::None;
    let has_sigmoid = matches!(rules.liquid_alpha, LiquidAlpha::Sigmoid { .. });
    for (asked, known, what) in [
        (
            patch.bonds_penalty.is_some(),
            rules.bond_weights == BondWeights::Penalty,
            "bonds penalty",
        ),
        (patch.yuma3.is_some(), rules.yuma3, "Yuma3"),
        (patch.liquid_alpha.is_some(), has_liquid, "liquid alpha"),
        (patch.alpha_low.is_some(), has_liquid, "alpha values"),
        (patch.alpha_high.is_some(), has_liquid, "alpha values"),
        (
            patch.alpha_sigmoid_steepness.is_some(),
            has_sigmoid,
            "steepness of liquid alpha",
        ),
    ] {
        if asked && !known {
            return Err(SimulateError::Unsupported { what, spec });
        }
    }
    if let Some(value) = patch.alpha_sigmoid_steepness {
        let (low, high) = match rules.liquid_alpha {
            LiquidAlpha::Sigmoid { percent: true, .. } => (i16::MIN.into(), i16::MAX.into()),
            _ => (0, u16::MAX.into()),
        };
        if !(low..=high).contains(&value) {
            return Err(SimulateError::Steepness {
                value,
                low,
                high,
                spec,
            });
        }
    }
    if patch.alpha_low.is_some() || patch.alpha_high.is_some() {
        let low = patch.alpha_low.unwrap_or(inputs.params.alpha_low);
        let high = patch.alpha_high.unwrap_or(inputs.params.alpha_high);
        if low > high {
            return Err(SimulateError::AlphaBounds {
                low,
                high,
                block: inputs.block,
            });
        }
    }
    Ok(())
}
