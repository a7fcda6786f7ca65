//! What made a number, what changed it, what would have, and who copies whom. The numbers are
//! `scoring`'s own records.

use scoring::copying::Follower;
use scoring::diff::{Diff, Measure};
use scoring::simulate::{Patch, SimulatedEpoch};

use super::*;

/// Answers that are computed from stored epochs at the moment of asking.
///
/// Blocks need not be stored: [`Refused::NotFound`] tells.
pub trait WhatIfs: Send + Sync {
    /// How the numbers of a uid in an epoch came about.
    fn explain_epoch(&self, epoch: EpochKey, uid: Uid) -> Asked<Explained>;

    /// What changed a hotkey's number from one epoch to another.
    fn incentive_diff(&self, wanted: &DiffWanted) -> Asked<EpochDiff>;

    /// Epochs with and without a patch, from a stored one on.
    fn simulate(&self, epoch: EpochKey, horizon: u32, patch: &Patch) -> Asked<Simulation>;

    /// Who sets weights that others had before, in the blocks of a range.
    fn weight_copying(&self, wanted: &CopyingWanted) -> Asked<WeightCopying>;
}

/// An answer, or why there is none, or why it could not be read.
pub type Asked<T> = Result<Result<T, Refused>, ReadError>;

/// Why there is no answer; each is a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// What is asked about is not there, or not known.
    NotFound(String),
    /// What is asked for makes no sense.
    BadInput(String),
    /// It is more work than one answer may be.
    Limit {
        /// What is limited.
        limit: &'static str,
        /// What was asked for.
        measured: u64,
        /// What is allowed.
        allowed: u64,
        /// The sentence.
        text: String,
    },
}

/// One mechanism's epoch of a subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochKey {
    /// Number of the subnet.
    pub netuid: NetUid,
    /// Number of the mechanism.
    pub mechanism: MechId,
    /// Block in which the epoch ran.
    pub block: BlockNumber,
}

/// How a uid's numbers of an epoch came about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    /// Runtime whose rules were used.
    pub spec_version: SpecVersion,
    /// The numbers.
    pub explanation: scoring::explain::Explanation,
    /// Inputs of which the likeliest value is known but not proven, in words.
    pub doubts: Vec<String>,
}

/// Which difference is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiffWanted {
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
    /// How many hotkeys of a kind get a term of their own; the port's default when `None`.
    pub detail: Option<usize>,
}

/// What changed a hotkey's number between two epochs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochDiff {
    /// The terms; hotkeys are places in `hotkeys`.
    pub diff: Diff,
    /// The hotkeys of both epochs; `None` for a uid that had none.
    pub hotkeys: Vec<Option<AccountId>>,
    /// Inputs of which the likeliest value is known but not proven, in words.
    pub doubts: Vec<String>,
}

/// Epochs with and without a patch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulation {
    /// The epochs in order, without their bonds.
    pub epochs: Vec<SimulatedEpoch>,
    /// Hash of all that the numbers depend on.
    pub permalink: H256,
    /// Hash of the inputs that were used.
    pub inputs_hash: H256,
    /// Work that it was, in cells and entries read, at most.
    pub cost: u64,
    /// The most that is allowed.
    pub cost_limit: u64,
    /// Where the stored epochs end, and what has no proof, in words.
    pub notes: Vec<String>,
}

/// Which copying is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CopyingWanted {
    /// Number of the subnet.
    pub netuid: NetUid,
    /// Number of the mechanism.
    pub mechanism: MechId,
    /// Lowest block.
    pub from: BlockNumber,
    /// Highest block.
    pub to: BlockNumber,
    /// The greatest lag, in epochs.
    pub max_lag: u32,
}

/// Who sets weights that others had before.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightCopying {
    /// Validators; they and their leaders are places in `hotkeys`.
    pub followers: Vec<Follower>,
    /// The hotkeys.
    pub hotkeys: Vec<AccountId>,
    /// Blocks of the epochs that lags are counted in.
    pub steps: Vec<BlockNumber>,
}
