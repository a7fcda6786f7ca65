//! How much an epoch had to distribute.

use chain_metadata::Value;
use scoring::fixed::{I32F32, I96F32};
use scoring::yuma::YumaRules;
use scoring::yuma::rules::{EmissionPool, RegistrationGate};

use super::reads::{Gap, State};
use crate::view::Held;

/// The drained amount of an epoch, in rao of TAO, or of the subnet's alpha from spec 233 on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Drained {
    /// One of these amounts, both ends included; one amount where they are equal. The state of the
    /// two blocks bounds it, and does not say more.
    Between(u64, u64),
    /// Not known, and why.
    Unknown(String),
}

impl Drained {
    /// The amount, where the state says it exactly.
    pub fn exact(&self) -> Option<u64> {
        match self {
            Drained::Between(low, high) if low == high => Some(*low),
            _ => None,
        }
    }
}

/// What the epoch of a subnet drained.
pub(super) fn drained(
    rules: &YumaRules,
    netuid: u16,
    before: State<'_>,
    after: State<'_>,
) -> Result<Drained, Gap> {
    let pending = |entries: &[&str]| -> Result<u64, Gap> {
        let mut sum = 0_u64;
        for entry in entries {
            let value = before.need(entry, &[&netuid.to_le_bytes()], Value::as_u64)?;
            sum = sum.saturating_add(value);
        }
        Ok(sum)
    };
    let found = match rules.emission_pool {
        EmissionPool::EmissionValues => {
            let pending = pending(&["PendingEmission", "EmissionValues"]);
            pending.map(|sum| Drained::Between(sum, sum))
        }
        EmissionPool::EmissionValuesAfterCut => {
            after_cut(rules, netuid, before, after, pending(&["PendingEmission"]))
        }
        EmissionPool::PendingAfterCut => pending(&["PendingEmission"]).and_then(|pending| {
            let share = after.number("EmissionValues", netuid)?.unwrap_or(0);
            let whole = pending.saturating_add(share);
            let cut = fraction_of(whole, owner_cut(before)?);
            // The order of addition and rounding differs between builds: one unit either way.
            Ok(Drained::Between(
                pending.min(whole.saturating_sub(cut.saturating_add(1))),
                whole,
            ))
        }),
        EmissionPool::PendingAndSwapped => {
            let pending = pending(&["PendingEmission", "PendingAlphaSwapped"]);
            pending.and_then(|pending| {
                // What remains of the block's alpha after the owner's cut goes into two items, each
                // rounded down: together all of it, or one less.
                Ok(match block_alpha(netuid, before, after)? {
                    None => Drained::Between(pending, pending),
                    Some(alpha) => {
                        let cut = I96F32::from_u64(alpha)
                            .saturating_mul(share_of_65535(owner_cut(before)?));
                        let rest = I96F32::from_u64(alpha).saturating_sub_to_zero(cut);
                        let high = pending.saturating_add(rest.floor_to_u64());
                        let low = high.saturating_sub(1).max(pending);
                        Drained::Between(low, high)
                    }
                })
            })
        }
        EmissionPool::PendingAndRootAlpha => within_block(
            netuid,
            before,
            after,
            pending(&["PendingEmission", "PendingRootAlphaDivs"]),
        ),
        EmissionPool::ServerValidatorRootAlpha => within_block(
            netuid,
            before,
            after,
            pending(&[
                "PendingServerEmission",
                "PendingValidatorEmission",
                "PendingRootAlphaDivs",
            ]),
        ),
    };
    match found {
        // The shares do not depend on it.
        Err(Gap::Missing(why)) => Ok(Drained::Unknown(why)),
        other => other,
    }
}

fn after_cut(
    rules: &YumaRules,
    netuid: u16,
    before: State<'_>,
    after: State<'_>,
    pending: Result<u64, Gap>,
) -> Result<Drained, Gap> {
    let net = netuid.to_le_bytes();
    let pending = pending?;
    let open = before.read("NetworkRegistrationAllowed", &[&net], Value::as_bool)?;
    let gated = rules.registration_gate == RegistrationGate::NoNewEmission && open == Some(false);
    // The root network sets the values earlier in the same block.
    let share = match gated {
        true => 0,
        false => after.need("EmissionValues", &[&net], Value::as_u64)?,
    };
    let owned = before
        .stored("SubnetOwner", &[&net], Value::as_account)?
        .is_some();
    let rest = if owned {
        let kept = 65_535_u64.saturating_sub(owner_cut(before)?);
        u64::try_from(u128::from(share) * u128::from(kept) / 65_535).unwrap_or(u64::MAX)
    } else {
        share
    };
    let amount = pending.saturating_add(rest);
    Ok(Drained::Between(amount, amount))
}

/// The pending amount and at most all of the block's alpha: how much of that the root network
/// takes or recycles is not kept.
fn within_block(
    netuid: u16,
    before: State<'_>,
    after: State<'_>,
    pending: Result<u64, Gap>,
) -> Result<Drained, Gap> {
    let pending = pending?;
    let share = block_alpha(netuid, before, after)?.unwrap_or(0);
    Ok(Drained::Between(pending, pending.saturating_add(share)))
}

/// The alpha that this block made for the subnet; `None` when it makes none.
fn block_alpha(netuid: u16, before: State<'_>, after: State<'_>) -> Result<Option<u64>, Gap> {
    let net = netuid.to_le_bytes();
    let begun = before.held("FirstEmissionBlockNumber", &[&net])?;
    if matches!(begun, Held::Default(None)) {
        return Ok(None);
    }
    after
        .need("SubnetAlphaOutEmission", &[&net], Value::as_u64)
        .map(Some)
}

fn owner_cut(state: State<'_>) -> Result<u64, Gap> {
    state.need("SubnetOwnerCut", &[], Value::as_u64)
}

fn share_of_65535(value: u64) -> I96F32 {
    I96F32::from_u64(value).safe_div(I96F32::from_u64(65_535))
}

fn fraction_of(amount: u64, share: u64) -> u64 {
    I96F32::from_u64(amount)
        .saturating_mul(share_of_65535(share))
        .floor_to_u64()
}

/// `floor(share * amount)`: how the chain makes an amount of a share.
pub(super) fn amount_of(share: I32F32, amount: u64) -> u64 {
    I96F32::from_i32f32(share)
        .saturating_mul(I96F32::from_u64(amount))
        .floor_to_u64()
}

/// The greatest amount of a range for which every share gives what is stored; `None` when there is
/// none. `stored` has `None` for uids that are not compared.
pub(super) fn fitting(
    (low, high): (u64, u64),
    shares: &[I32F32],
    stored: &[Option<u64>],
) -> Option<u64> {
    let (mut low, mut high) = (u128::from(low), u128::from(high));
    for (share, stored) in shares.iter().zip(stored) {
        let Some(stored) = stored else { continue };
        let stored = u128::from(*stored);
        let bits = u128::try_from(share.to_bits()).ok()?;
        if bits == 0 {
            if stored != 0 {
                return None;
            }
            continue;
        }
        // floor(bits * amount / 2^32) is `stored` from the first of these amounts to the last.
        low = low.max((stored << 32).div_ceil(bits));
        high = high.min((((stored + 1) << 32).div_ceil(bits)).saturating_sub(1));
    }
    (low <= high).then(|| u64::try_from(high).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_fitting_amount_gives_what_is_stored_and_no_greater_one_does(
            shares in proptest::collection::vec(0_i64..=1 << 32, 1..20),
            amount in 0_u64..1 << 50,
            around in 0_u64..2_000_000_000,
        ) {
            let shares: Vec<_> = shares.into_iter().map(I32F32::from_bits).collect();
            let stored: Vec<_> = shares.iter().map(|s| Some(amount_of(*s, amount))).collect();
            let range = (amount.saturating_sub(around), amount + around);
            let found = fitting(range, &shares, &stored).unwrap();
            prop_assert!(found >= amount && found <= range.1);
            for (share, stored) in shares.iter().zip(&stored) {
                prop_assert_eq!(Some(amount_of(*share, found)), *stored);
            }
            if found < range.1 {
                let next = shares.iter().zip(&stored).any(|(s, stored)| Some(amount_of(*s, found + 1)) != *stored);
                prop_assert!(next);
            }
        }

        #[test]
        fn a_wrong_amount_fits_nothing(share in (1_i64 << 20)..=1 << 32, amount in 1_u64..1 << 40, off in 1_u64..1 << 20) {
            let shares = [I32F32::from_bits(share), I32F32::ZERO];
            let stored = amount_of(shares[0], amount);
            prop_assert_eq!(fitting((amount, amount), &shares, &[Some(stored + off), Some(0)]), None);
            prop_assert_eq!(fitting((amount, amount), &shares, &[Some(stored), Some(off)]), None);
            prop_assert_eq!(fitting((amount, amount), &shares, &[Some(stored), None]), Some(amount));
        }
    }
}
