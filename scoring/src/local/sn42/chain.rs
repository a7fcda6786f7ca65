//! The chain's checks of a row of weights, in its order, and the row that it stores.

use crate::fixed::I32F32;
use crate::yuma::upscale::stored_weights;

mod refusal;

pub use refusal::Refusal;

/// A row of weights as a call carries it and as the chain stores it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Row {
    /// Uids that get a weight.
    pub uids: Vec<u16>,
    /// Their weights, of 65535.
    pub values: Vec<u16>,
}

/// How a runtime scales a row before it stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scaling {
    /// So that all sum to 65535, rounded down; specs below 117.
    Sum,
    /// So that the greatest is 65535, rounded half away from zero; from spec 117 on.
    Greatest,
}

impl Scaling {
    /// That of a runtime.
    pub fn of_spec(spec: u32) -> Scaling {
        if spec < 117 {
            Scaling::Sum
        } else {
            Scaling::Greatest
        }
    }

    /// The values that are stored of these. Zeros stay zeros.
    ///
    /// ```
    /// use scoring::local::sn42::chain::Scaling;
    /// assert_eq!(Scaling::Greatest.stored(&[10, 20, 40]), [16384, 32768, 65535]);
    /// assert_eq!(Scaling::Sum.stored(&[10, 20, 40]), [9362, 18724, 37448]);
    /// ```
    pub fn stored(self, values: &[u16]) -> Vec<u16> {
        if self == Scaling::Greatest {
            return stored_weights(values);
        }
        let sum: u64 = values.iter().map(|value| u64::from(*value)).sum();
        if sum == 0 {
            return values.to_vec();
        }
        let scaled = values.iter().map(|value| u64::from(*value) * 65535 / sum);
        scaled
            .map(|value| u16::try_from(value).unwrap_or(u16::MAX))
            .collect()
    }
}

/// How a row is to come onto the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `set_weights` or `set_mechanism_weights`.
    Direct,
    /// Its hash now, the row in a later epoch.
    Commit,
    /// The row behind a hash that is on the chain already.
    Reveal,
}

/// What the checks read, for one hotkey in one subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainState {
    /// The subnet.
    pub netuid: u16,
    /// The mechanism.
    pub mechanism: u8,
    /// Number of mechanisms of the subnet; 0 when there is no such subnet.
    pub mechanisms: u8,
    /// Block in which the call would run.
    pub block: u64,
    /// `CommitRevealWeightsEnabled`.
    pub commit_reveal: bool,
    /// `SubnetworkN`: number of neurons.
    pub neurons: u16,
    /// Uid of the hotkey; `None` when it is not registered there.
    pub uid: Option<u16>,
    /// Stake weight of the hotkey in rao; `None` when it is not known.
    pub stake: Option<u64>,
    /// `StakeThreshold` in rao.
    pub stake_threshold: u64,
    /// `WeightsVersionKey` of the subnet.
    pub version_key: u64,
    /// `LastUpdate` of the uid.
    pub last_update: u64,
    /// `WeightsSetRateLimit` in blocks.
    pub rate_limit: u64,
    /// `ValidatorPermit` of the uid.
    pub permit: bool,
    /// The hotkey is the subnet owner's.
    pub owner: bool,
    /// `MinAllowedWeights`.
    pub min_allowed: u16,
    /// `MaxWeightsLimit`; 65535 is none.
    pub max_weight: u16,
    /// Commits of the hotkey that are not revealed yet.
    pub unrevealed: u16,
    /// How the runtime scales what it stores.
    pub scaling: Scaling,
}

/// Commits of a hotkey that may wait for their reveal.
pub const MAX_UNREVEALED: u16 = 10;

/// What came of all checks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Everything that is wrong, in the chain's order; it gives the first.
    pub refusals: Vec<Refusal>,
    /// The row as it would be stored, whether or not it is refused.
    pub stored: Row,
    /// The stake is not known, so that the check of it could not be made.
    pub stake_unknown: bool,
}

/// Makes every check of a row. A commit is checked as the commit and, but for the pace, as the
/// reveal that follows.
pub fn check(state: &ChainState, route: Route, row: &Row, version_key: u64) -> Checked {
    let mut refusals = Vec::new();
    let mut refuse = |refused: bool, why: Refusal| {
        if refused {
            refusals.push(why);
        }
    };
    let netuid = state.netuid;
    let too_fast =
        state.last_update != 0 && state.block.saturating_sub(state.last_update) < state.rate_limit;
    let passed = state.block.saturating_sub(state.last_update);
    refuse(
        route == Route::Direct && state.commit_reveal,
        Refusal::CommitRevealEnabled,
    );
    refuse(
        route != Route::Direct && !state.commit_reveal,
        Refusal::CommitRevealDisabled,
    );
    if route == Route::Commit {
        refuse(
            too_fast,
            Refusal::CommittingWeightsTooFast {
                last: state.last_update,
                passed,
                limit: state.rate_limit,
            },
        );
        refuse(
            state.unrevealed >= MAX_UNREVEALED,
            Refusal::TooManyUnrevealedCommits {
                waiting: state.unrevealed,
            },
        );
    }
    refuse(netuid == 0, Refusal::CanNotSetRootNetworkWeights);
    let (uids, values) = (row.uids.len(), row.values.len());
    refuse(
        uids != values,
        Refusal::WeightVecNotEqualSize { uids, values },
    );
    refuse(
        state.mechanism >= state.mechanisms,
        Refusal::MechanismDoesNotExist {
            netuid,
            mechanism: state.mechanism,
            mechanisms: state.mechanisms,
        },
    );
    let neurons = state.neurons;
    refuse(
        uids > usize::from(neurons),
        Refusal::UidsLengthExceedUidsInSubNet { uids, neurons },
    );
    refuse(
        state.uid.is_none(),
        Refusal::HotKeyNotRegisteredInSubNet { netuid },
    );
    refuse(
        state
            .stake
            .is_some_and(|stake| stake < state.stake_threshold),
        Refusal::NotEnoughStakeToSetWeights {
            stake: state.stake.unwrap_or(0),
            threshold: state.stake_threshold,
        },
    );
    refuse(
        state.version_key != 0 && version_key < state.version_key,
        Refusal::IncorrectWeightVersionKey {
            given: version_key,
            wanted: state.version_key,
        },
    );
    refuse(
        route == Route::Direct && !state.commit_reveal && too_fast,
        Refusal::SettingWeightsTooFast {
            last: state.last_update,
            passed,
            limit: state.rate_limit,
        },
    );
    let itself = values == 1 && state.uid.is_some() && row.uids.first() == state.uid.as_ref();
    if let Some(uid) = state.uid {
        refuse(
            !(itself || state.permit || state.owner),
            Refusal::NeuronNoValidatorPermit { uid },
        );
    }
    let stored = Row {
        uids: row.uids.clone(),
        values: state.scaling.stored(&row.values),
    };
    contents(state, row, &stored, itself, &mut refuse);
    Checked {
        refusals,
        stored,
        stake_unknown: state.stake.is_none() && state.stake_threshold > 0,
    }
}

/// The checks of what stands in the row.
fn contents(
    state: &ChainState,
    row: &Row,
    stored: &Row,
    itself: bool,
    refuse: &mut impl FnMut(bool, Refusal),
) {
    let mut seen = std::collections::BTreeSet::new();
    if let Some(uid) = row.uids.iter().find(|uid| !seen.insert(**uid)) {
        refuse(true, Refusal::DuplicateUids { uid: *uid });
    }
    let neurons = state.neurons;
    if let Some(uid) = row.uids.iter().find(|uid| **uid >= neurons) {
        refuse(
            true,
            Refusal::UidVecContainInvalidOne { uid: *uid, neurons },
        );
    }
    let wanted = neurons.min(state.min_allowed);
    refuse(
        !itself && row.uids.len() < usize::from(wanted),
        Refusal::WeightVecLengthIsLow {
            given: row.uids.len(),
            wanted,
        },
    );
    refuse(
        !itself && state.max_weight != u16::MAX && exceeds(&stored.values, state.max_weight),
        Refusal::MaxWeightExceeded {
            limit: state.max_weight,
        },
    );
}

/// Whether the greatest of the weights is a greater part of their sum than the limit, in the
/// chain's arithmetic.
fn exceeds(values: &[u16], limit: u16) -> bool {
    let values: Vec<I32F32> = values
        .iter()
        .map(|value| I32F32::from_u16(*value))
        .collect();
    let sum: I32F32 = values.iter().sum();
    let greatest = values.into_iter().max().unwrap_or(I32F32::ZERO);
    // A row of zeros is not divided.
    let share = if sum == I32F32::ZERO {
        greatest
    } else {
        greatest.safe_div(sum)
    };
    share > I32F32::from_u16_proportion(limit)
}

/// The row that the chain stores, or the error it gives.
///
/// # Errors
///
/// The first [`Refusal`] in the chain's order. A stake that is not known is taken as enough;
/// see [`Checked::stake_unknown`].
pub fn accept(
    state: &ChainState,
    route: Route,
    row: &Row,
    version_key: u64,
) -> Result<Row, Refusal> {
    let checked = check(state, route, row, version_key);
    match checked.refusals.first() {
        Some(refusal) => Err(*refusal),
        None => Ok(checked.stored),
    }
}

#[cfg(test)]
mod tests;
