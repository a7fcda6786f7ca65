//! Stage 2: normalised stake; and how total stake is made from what is stored.

use super::rules::StakeSource;
use super::{EpochError, EpochInputs};
use crate::fixed::{I32F32, I64F64, I96F32, Reciprocal};

/// A parent's part in a child key's stake: the proportion of `2^64 - 1` that it gives, and its own amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parent {
    /// From `ParentKeys`.
    pub proportion: u64,
    /// The parent's `TotalHotkeyAlpha` on the subnet (`TotalHotkeyStake` before spec 233).
    pub alpha: u64,
    /// The parent's `TotalHotkeyAlpha` on netuid 0. Not used before spec 233.
    pub tao: u64,
}

/// Total stake from spec 233 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlphaTao {
    /// Alpha after child keys, rao.
    pub alpha: u64,
    /// TAO on root after the subnet's child keys, rao.
    pub tao: u64,
    /// `alpha + tao * weight`, exact.
    pub total: I64F64,
}

/// Total stake of specs 195 to 232: own stake, less what child keys take, plus what parents give, each term rounded down, at most `max`.
///
/// `children` are the proportions in `ChildKeys`; of a [`Parent`] only `alpha` is used, its `TotalHotkeyStake`.
pub fn inherited_pre_dtao(own: u64, children: &[u64], parents: &[Parent], max: u64) -> u64 {
    let part = |stake: u64, proportion: u64| {
        I96F32::from_u64(stake)
            .saturating_mul(fraction(proportion))
            .floor_to_u64()
    };
    let given = children
        .iter()
        .fold(0u64, |sum, child| sum.saturating_add(part(own, *child)));
    let received = parents.iter().fold(0u64, |sum, parent| {
        sum.saturating_add(part(parent.alpha, parent.proportion))
    });
    own.saturating_sub(given).saturating_add(received).min(max)
}

/// Total stake from spec 233 on. `alpha` and `tao` are the hotkey's own `TotalHotkeyAlpha` on the subnet and on netuid 0, `children` the proportions in
/// its `ChildKeys` of the subnet, `tao_weight` is `TaoWeight`.
pub fn alpha_tao(
    alpha: u64,
    tao: u64,
    children: &[u64],
    parents: &[Parent],
    tao_weight: u64,
) -> AlphaTao {
    let alpha = inherited(
        alpha,
        children,
        parents
            .iter()
            .map(|parent| (parent.proportion, parent.alpha)),
    );
    let tao = inherited(
        tao,
        children,
        parents.iter().map(|parent| (parent.proportion, parent.tao)),
    );
    AlphaTao {
        alpha,
        tao,
        total: total_of(alpha, tao, tao_weight),
    }
}

/// `alpha + tao * tao_weight / (2^64 - 1)`, with the weight truncated to 32 fraction bits and the rest exact: for amounts that already are inherited.
pub fn total_of(alpha: u64, tao: u64, tao_weight: u64) -> I64F64 {
    let weighted_tao = i128::from(tao) * fraction(tao_weight).to_bits();
    // 64 + 32 bits, moved up to 64 fraction bits: past the end only for amounts that do not exist.
    let whole = I64F64::saturating_from_u64(alpha).to_bits();
    let total = weighted_tao
        .checked_mul(1 << 32)
        .and_then(|tao| tao.checked_add(whole));
    I64F64::from_bits(total.unwrap_or(i128::MAX))
}

/// One amount after child keys, kept with its fraction until the end.
fn inherited(own: u64, children: &[u64], parents: impl Iterator<Item = (u64, u64)>) -> u64 {
    let part =
        |stake: u64, proportion: u64| I96F32::from_u64(stake).saturating_mul(fraction(proportion));
    let none = I96F32::default();
    let given = children
        .iter()
        .fold(none, |sum, child| sum.saturating_add(part(own, *child)));
    let received = parents.fold(none, |sum, (proportion, stake)| {
        sum.saturating_add(part(stake, proportion))
    });
    I96F32::from_u64(own)
        .saturating_sub_to_zero(given)
        .saturating_add(received)
        .floor_to_u64()
}

/// `value / (2^64 - 1)`, truncated to 32 fraction bits; all of it is exactly one.
fn fraction(value: u64) -> I96F32 {
    I96F32::from_u64(value).safe_div(I96F32::from_u64(u64::MAX))
}

/// Total stakes with those below the threshold taken as zero, divided by their sum and rounded down.
///
/// # Errors
/// [`EpochError::NegativeStake`], [`EpochError::StakeOverflow`].
pub(crate) fn normalised(inputs: &EpochInputs<'_>) -> Result<Vec<I32F32>, EpochError> {
    let exempt = inputs.owner().filter(|_| inputs.rules.owner_privilege);
    let threshold = if inputs.rules.stake_threshold {
        inputs.params.stake_threshold
    } else {
        0
    };
    let counts = |uid: u16, stake: I64F64| exempt == Some(uid) || stake.floor_to_u64() >= threshold;

    let mut sum = 0i128;
    for (uid, stake) in (0..inputs.n).zip(inputs.total_stake.iter()) {
        if *stake < I64F64::ZERO {
            return Err(EpochError::NegativeStake {
                uid,
                bits: stake.to_bits(),
            });
        }
        if counts(uid, *stake) {
            sum = sum
                .checked_add(stake.to_bits())
                .ok_or(EpochError::StakeOverflow)?;
        }
    }
    let sum = I64F64::from_bits(sum);
    let share = |(uid, stake): (u16, &I64F64)| {
        if *stake != I64F64::ZERO && counts(uid, *stake) {
            stake.share_of(sum)
        } else {
            I32F32::ZERO
        }
    };
    Ok((0..inputs.n)
        .zip(inputs.total_stake.iter())
        .map(share)
        .collect())
}

/// Divides a vector without negative numbers by its sum; leaves it as it is if the sum is zero.
pub(crate) fn normalise(values: &mut [I32F32]) {
    let sum: I32F32 = values.iter().sum();
    normalise_by(values, sum);
}

/// Divides a vector without negative numbers by a number, unless that is zero.
pub(crate) fn normalise_by(values: &mut [I32F32], sum: I32F32) {
    if sum != I32F32::ZERO {
        let sum = Reciprocal::of(sum);
        values
            .iter_mut()
            .for_each(|value| *value = sum.divide(*value));
    }
}

/// What is stored where total stake comes from, for messages and documents.
impl std::fmt::Display for StakeSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TotalHotkey => "TotalHotkeyStake",
            Self::InheritedCapped => "TotalHotkeyStake, ChildKeys, ParentKeys, NetworkMaxStake",
            Self::AlphaTao => "TotalHotkeyAlpha, ChildKeys, ParentKeys, TaoWeight",
        })
    }
}
