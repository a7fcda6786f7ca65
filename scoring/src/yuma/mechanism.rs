//! Mechanisms: how a subnet's emission is split between them and how their results are joined (spec 320 on).

use super::{EpochError, EpochOutputs};
use crate::fixed::U64F64;

/// The emission of each mechanism. `split` is `MechanismEmissionSplit`, in 65535ths; without it everyone gets the same. What rounding leaves goes to the first.
pub fn split_emission(emission: u64, count: u8, split: Option<&[u16]>) -> Vec<u64> {
    let count = usize::from(count);
    let mut parts = match split {
        Some(split) => {
            let part = |share: &u16| {
                u64::try_from(u128::from(emission) * u128::from(*share) / 65535).unwrap_or(u64::MAX)
            };
            split.iter().map(part).collect()
        }
        // No mechanism: the vector is emptied below.
        None => vec![
            u64::try_from(count)
                .ok()
                .and_then(|count| emission.checked_div(count))
                .unwrap_or(0);
            count
        ],
    };
    parts.resize(count, 0);
    let given = parts
        .iter()
        .fold(0u64, |sum, part| sum.saturating_add(*part));
    if let Some(first) = parts.first_mut() {
        *first = first.saturating_add(emission.saturating_sub(given));
    }
    parts
}

/// What the chain stores for a subnet as a whole: the results of its mechanisms, weighted with their part of the emission.
///
/// `Incentive` and `Bonds` are not here: they are stored per mechanism.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Joined {
    /// `StakeWeight`, where the runtime stores it.
    pub stake_weight: Option<Vec<u16>>,
    /// `Active`: active in any mechanism.
    pub active: Vec<bool>,
    /// `Consensus`.
    pub consensus: Vec<u16>,
    /// `Dividends`.
    pub dividends: Vec<u16>,
    /// `ValidatorTrust`.
    pub validator_trust: Vec<u16>,
    /// `Rank`, before spec 365.
    pub rank: Option<Vec<u16>>,
    /// `Trust`, before spec 365.
    pub trust: Option<Vec<u16>>,
    /// `PruningScores`, before spec 365.
    pub pruning_scores: Option<Vec<u16>>,
    /// `ValidatorPermit`: permitted by any mechanism (they read the same stakes, so they agree).
    pub validator_permit: Vec<bool>,
    /// Amounts for incentive, added up; none when the emission is not known.
    pub server_emission: Option<Vec<u64>>,
    /// Amounts for dividends, added up.
    pub validator_emission: Option<Vec<u64>>,
    /// `Emission`, weighted like the shares.
    pub emission: Option<Vec<u64>>,
}

/// The weight of a mechanism: its part of the emission. Of an emission of zero the first mechanism has all.
pub fn weight(part: u64, emission: u64, first: bool) -> U64F64 {
    let share = U64F64::from_u64(part).checked_div(U64F64::from_u64(emission));
    share.unwrap_or(if first { U64F64::ONE } else { U64F64::ZERO })
}

/// Joins the results of the mechanisms of one epoch, in their order. `parts` is what [`split_emission`] gave, `emission` their whole.
///
/// With one mechanism everything stays as it is. With several and an unknown emission, take the parts of any emission that is split in the same proportion and
/// large: the shares then are right up to rounding only.
///
/// # Errors
/// [`EpochError::Length`] if the mechanisms differ in length or there are not as many as parts.
pub fn join(outputs: &[EpochOutputs], parts: &[u64], emission: u64) -> Result<Joined, EpochError> {
    check("parts", parts.len(), outputs.len())?;
    let n = outputs.first().map_or(0, |first| first.active.len());
    let weights: Vec<U64F64> = parts
        .iter()
        .enumerate()
        .map(|(i, part)| weight(*part, emission, i == 0))
        .collect();
    let shares = |what,
                  of: &dyn Fn(&EpochOutputs) -> Option<&Vec<u16>>|
     -> Result<Option<Vec<u16>>, EpochError> {
        let mut sums = vec![0u16; n];
        for (output, weight) in outputs.iter().zip(&weights) {
            let Some(values) = of(output) else {
                return Ok(None);
            };
            check(what, values.len(), n)?;
            for (sum, value) in sums.iter_mut().zip(values) {
                let joined = weighted(u64::from(*sum), u64::from(*value), *weight);
                *sum = u16::try_from(joined).unwrap_or(u16::MAX);
            }
        }
        Ok(Some(sums))
    };
    let flags = |what, of: &dyn Fn(&EpochOutputs) -> &Vec<bool>| -> Result<Vec<bool>, EpochError> {
        let mut any = vec![false; n];
        for output in outputs {
            let values = of(output);
            check(what, values.len(), n)?;
            any.iter_mut()
                .zip(values)
                .for_each(|(any, value)| *any |= value);
        }
        Ok(any)
    };
    let amounts = |weighs: bool,
                   of: &dyn Fn(&EpochOutputs) -> Option<&Vec<u64>>|
     -> Result<Option<Vec<u64>>, EpochError> {
        let mut sums = vec![0u64; n];
        for (output, weight) in outputs.iter().zip(&weights) {
            let Some(values) = of(output) else {
                return Ok(None);
            };
            check("emission", values.len(), n)?;
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum = if weighs {
                    weighted(*sum, *value, *weight)
                } else {
                    sum.saturating_add(*value)
                };
            }
        }
        Ok(Some(sums))
    };
    Ok(Joined {
        stake_weight: shares("stake_weight", &|output| output.stake_weight.as_ref())?,
        active: flags("active", &|output| &output.active)?,
        consensus: shares("consensus", &|output| Some(&output.consensus))?.unwrap_or_default(),
        dividends: shares("dividends", &|output| Some(&output.dividends))?.unwrap_or_default(),
        validator_trust: shares("validator_trust", &|output| Some(&output.validator_trust))?
            .unwrap_or_default(),
        rank: shares("rank", &|output| output.rank.as_ref())?,
        trust: shares("trust", &|output| output.trust.as_ref())?,
        pruning_scores: shares("pruning_scores", &|output| output.pruning_scores.as_ref())?,
        validator_permit: flags("validator_permit", &|output| &output.validator_permit)?,
        server_emission: amounts(false, &|output| output.emission.as_ref()?.server.as_ref())?,
        validator_emission: amounts(false, &|output| {
            output.emission.as_ref()?.validator.as_ref()
        })?,
        emission: amounts(true, &|output| {
            output.emission.as_ref().map(|emission| &emission.combined)
        })?,
    })
}

fn check(what: &'static str, got: usize, expected: usize) -> Result<(), EpochError> {
    if got == expected {
        Ok(())
    } else {
        Err(EpochError::Length {
            what,
            got,
            expected,
        })
    }
}

/// `floor(sum + value * weight)`.
fn weighted(sum: u64, value: u64, weight: U64F64) -> u64 {
    U64F64::from_u64(sum)
        .saturating_add(U64F64::from_u64(value).saturating_mul(weight))
        .floor_to_u64()
}
