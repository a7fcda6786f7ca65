//! Looking into an epoch.

use super::{Matrix, RowMatrix};
use crate::fixed::I32F32;

/// What a stage of the epoch made. Vectors have one entry per uid.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Stage<'a> {
    /// Who has been silent too long.
    Activity {
        /// True for inactive uids.
        inactive: &'a [bool],
    },
    /// Normalised stake.
    Stake {
        /// Shares of the total.
        stake: &'a [I32F32],
    },
    /// Validator permits.
    Permits {
        /// As this epoch takes them.
        before: &'a [bool],
        /// For the next epoch.
        after: &'a [bool],
    },
    /// Normalised stake of active, permitted uids.
    ActiveStake {
        /// Shares of the total.
        stake: &'a [I32F32],
    },
    /// Weights after masks, rows normalised.
    Weights(Matrix<'a>),
    /// Stake-weighted medians.
    Consensus {
        /// One per miner.
        consensus: &'a [I32F32],
    },
    /// Weights cut at the consensus. An entry that is cut to zero is zero here; the chain drops it.
    Clipping {
        /// The clipped weights.
        weights: Matrix<'a>,
        /// Sums of their rows.
        validator_trust: &'a [I32F32],
    },
    /// Ranks and what is made from them.
    Ranks {
        /// Stake-weighted sums of the columns before the clipping.
        preranks: &'a [I32F32],
        /// The same after the clipping.
        ranks: &'a [I32F32],
        /// Their ratios.
        trust: &'a [I32F32],
        /// Normalised ranks.
        incentive: &'a [I32F32],
    },
    /// Weights from which the new bonds are made.
    BondWeights(Matrix<'a>),
    /// The moving average of bonds, before it is scaled for storage.
    Bonds(Matrix<'a>),
    /// Normalised dividends.
    Dividends {
        /// Shares of the total.
        dividends: &'a [I32F32],
    },
    /// Shares of the emission.
    Emission {
        /// For incentive.
        server: &'a [I32F32],
        /// For dividends.
        validator: &'a [I32F32],
        /// Together.
        combined: &'a [I32F32],
    },
}

impl Stage<'_> {
    /// The name of the stage.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Activity { .. } => "activity",
            Self::Stake { .. } => "stake",
            Self::Permits { .. } => "permits",
            Self::ActiveStake { .. } => "active stake",
            Self::Weights(_) => "weights",
            Self::Consensus { .. } => "consensus",
            Self::Clipping { .. } => "clipping",
            Self::Ranks { .. } => "ranks",
            Self::BondWeights(_) => "bond weights",
            Self::Bonds(_) => "bonds",
            Self::Dividends { .. } => "dividends",
            Self::Emission { .. } => "emission",
        }
    }
}

/// Gets every stage of an epoch, in order.
pub trait Observer {
    /// False lets the compiler remove whatever is made only to be looked at.
    const LOOKS: bool = true;

    /// Called once per stage.
    fn see(&mut self, stage: Stage<'_>);
}

/// Looks at nothing, and costs nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    const LOOKS: bool = false;

    fn see(&mut self, _: Stage<'_>) {}
}

/// Keeps a copy of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// [`Stage::Activity`].
    pub inactive: Vec<bool>,
    /// [`Stage::Stake`].
    pub stake: Vec<I32F32>,
    /// [`Stage::Permits`], before.
    pub permits_before: Vec<bool>,
    /// [`Stage::Permits`], after.
    pub permits_after: Vec<bool>,
    /// [`Stage::ActiveStake`].
    pub active_stake: Vec<I32F32>,
    /// [`Stage::Weights`].
    pub weights: RowMatrix,
    /// [`Stage::Consensus`].
    pub consensus: Vec<I32F32>,
    /// [`Stage::Clipping`].
    pub clipped: RowMatrix,
    /// [`Stage::Clipping`].
    pub validator_trust: Vec<I32F32>,
    /// [`Stage::Ranks`].
    pub preranks: Vec<I32F32>,
    /// [`Stage::Ranks`].
    pub ranks: Vec<I32F32>,
    /// [`Stage::Ranks`].
    pub trust: Vec<I32F32>,
    /// [`Stage::Ranks`].
    pub incentive: Vec<I32F32>,
    /// [`Stage::BondWeights`].
    pub bond_weights: RowMatrix,
    /// [`Stage::Bonds`].
    pub bonds: RowMatrix,
    /// [`Stage::Dividends`].
    pub dividends: Vec<I32F32>,
    /// [`Stage::Emission`].
    pub server_emission: Vec<I32F32>,
    /// [`Stage::Emission`].
    pub validator_emission: Vec<I32F32>,
    /// [`Stage::Emission`].
    pub combined_emission: Vec<I32F32>,
}

impl Observer for Trace {
    fn see(&mut self, stage: Stage<'_>) {
        match stage {
            Stage::Activity { inactive } => self.inactive = inactive.to_vec(),
            Stage::Stake { stake } => self.stake = stake.to_vec(),
            Stage::Permits { before, after } => {
                self.permits_before = before.to_vec();
                self.permits_after = after.to_vec();
            }
            Stage::ActiveStake { stake } => self.active_stake = stake.to_vec(),
            Stage::Weights(matrix) => self.weights = matrix.to_rows(),
            Stage::Consensus { consensus } => self.consensus = consensus.to_vec(),
            Stage::Clipping {
                weights,
                validator_trust,
            } => {
                self.clipped = weights.to_rows();
                self.validator_trust = validator_trust.to_vec();
            }
            Stage::Ranks {
                preranks,
                ranks,
                trust,
                incentive,
            } => {
                self.preranks = preranks.to_vec();
                self.ranks = ranks.to_vec();
                self.trust = trust.to_vec();
                self.incentive = incentive.to_vec();
            }
            Stage::BondWeights(matrix) => self.bond_weights = matrix.to_rows(),
            Stage::Bonds(matrix) => self.bonds = matrix.to_rows(),
            Stage::Dividends { dividends } => self.dividends = dividends.to_vec(),
            Stage::Emission {
                server,
                validator,
                combined,
            } => {
                self.server_emission = server.to_vec();
                self.validator_emission = validator.to_vec();
                self.combined_emission = combined.to_vec();
            }
        }
    }
}
