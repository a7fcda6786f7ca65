//! What a block's `LoadedEmission` becomes as stake, before the next epochs read it (specs 101 to 194).
//!
//! Epochs of those runtimes leave amounts in `LoadedEmission`, and the next block turns them into stake before it runs its own epochs. What an epoch reads as total
//! stake is therefore the parent's `TotalHotkeyStake` and [`stake_growth`] of every amount that the parent holds for the hotkey, on any subnet.
//!
//! Amounts come one after the other, in the order in which the map of subnets is walked and each subnet's list is written. Where a hotkey has several, the second is
//! split by the stakes that the first has made: take [`Split`] into account before the next call. From spec 121 on all of an amount reaches the hotkey,
//! and the order does not matter.

use super::rules::LoadedEmission;

/// A delegate, as the parent's state has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delegate<'a> {
    /// `Delegates`: its take, of 65535.
    pub take: u16,
    /// `TotalHotkeyStake`, rao.
    pub total: u64,
    /// `Stake` of all its coldkeys, the owner's among them, rao.
    pub nominators: &'a [u64],
}

/// How an amount is split between a delegate and its nominators before spec 121.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// For the delegate's owner, on top of the owner's part.
    pub take: u64,
    /// For each nominator, in the order given.
    pub parts: Vec<u64>,
    /// What rounding leaves: no one gets it.
    pub lost: u64,
}

/// Splits an amount: the take rounded down, and of the rest for each nominator its share of the total stake, with 64 fraction bits, rounded down.
pub fn split(emission: u64, delegate: &Delegate<'_>) -> Split {
    let take = part(emission, u64::from(delegate.take), 65535);
    let rest = emission.saturating_sub(take);
    let share = |stake: &u64| part(rest, *stake, delegate.total);
    let parts: Vec<u64> = delegate.nominators.iter().map(share).collect();
    let given = parts
        .iter()
        .fold(take, |sum, part| sum.saturating_add(*part));
    Split {
        take,
        parts,
        lost: emission.saturating_sub(given),
    }
}

/// What a hotkey's total stake grows by when an amount is turned into stake. `delegate` is none for a hotkey that is not in `Delegates`.
///
/// From spec 121 on `emission` is the sum of the server's and the validator's amount; from 195 on there is none, and the growth is zero.
pub fn stake_growth(rule: LoadedEmission, emission: u64, delegate: Option<&Delegate<'_>>) -> u64 {
    match (rule, delegate) {
        (LoadedEmission::None, _) => 0,
        (LoadedEmission::PerNominator, Some(delegate)) => {
            let Split { take, parts, .. } = split(emission, delegate);
            parts
                .iter()
                .fold(take, |sum, part| sum.saturating_add(*part))
        }
        (LoadedEmission::PerNominator, None) | (LoadedEmission::Full, _) => emission,
    }
}

/// `floor(amount * (stake / total))`, the quotient truncated to 64 fraction bits; zero of a total of zero.
fn part(amount: u64, stake: u64, total: u64) -> u64 {
    let share = (u128::from(stake) << 64)
        .checked_div(u128::from(total))
        .unwrap_or(0);
    // A stake above the total does not exist; the product then may not fit.
    let product = share.checked_mul(u128::from(amount));
    product.map_or(u64::MAX, |product| {
        u64::try_from(product >> 64).unwrap_or(u64::MAX)
    })
}
