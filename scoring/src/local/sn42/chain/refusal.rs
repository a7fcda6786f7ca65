//! The chain's errors of a row, with the numbers.

use super::MAX_UNREVEALED;

/// Why the chain refuses. [`Refusal::name`] is the chain's own name of the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Direct weights where they must be committed.
    #[error("the subnet takes commits only: commit the row and reveal it later")]
    CommitRevealEnabled,
    /// A commit where weights are set directly.
    #[error("the subnet takes no commits: set the row directly")]
    CommitRevealDisabled,
    /// The root subnet.
    #[error("weights of the root subnet cannot be set")]
    CanNotSetRootNetworkWeights,
    /// Lists of different lengths.
    #[error("{uids} uids but {values} values")]
    WeightVecNotEqualSize {
        /// Number of uids.
        uids: usize,
        /// Number of values.
        values: usize,
    },
    /// No such subnet or mechanism.
    #[error(
        "subnet {netuid} has {mechanisms} mechanisms, and mechanism {mechanism} is none of them"
    )]
    MechanismDoesNotExist {
        /// The subnet.
        netuid: u16,
        /// The mechanism.
        mechanism: u8,
        /// How many there are.
        mechanisms: u8,
    },
    /// More uids than neurons.
    #[error("{uids} uids but the subnet has {neurons} neurons")]
    UidsLengthExceedUidsInSubNet {
        /// Number of uids.
        uids: usize,
        /// Number of neurons.
        neurons: u16,
    },
    /// The hotkey is no neuron there.
    #[error("the hotkey is not registered in subnet {netuid}")]
    HotKeyNotRegisteredInSubNet {
        /// The subnet.
        netuid: u16,
    },
    /// Too little stake.
    #[error("a stake of {stake} rao; {threshold} are wanted")]
    NotEnoughStakeToSetWeights {
        /// What it has.
        stake: u64,
        /// What it takes.
        threshold: u64,
    },
    /// A version key that is too low.
    #[error("version key {given}; {wanted} or more is wanted")]
    IncorrectWeightVersionKey {
        /// Given with the row.
        given: u64,
        /// The subnet's.
        wanted: u64,
    },
    /// Too soon after the last row.
    #[error("{passed} blocks since the last update at block {last}; {limit} are wanted")]
    SettingWeightsTooFast {
        /// Block of the last update.
        last: u64,
        /// Blocks since then.
        passed: u64,
        /// Blocks wanted.
        limit: u64,
    },
    /// Too soon after the last commit.
    #[error("{passed} blocks since the last update at block {last}; {limit} are wanted")]
    CommittingWeightsTooFast {
        /// Block of the last update.
        last: u64,
        /// Blocks since then.
        passed: u64,
        /// Blocks wanted.
        limit: u64,
    },
    /// Too many commits wait.
    #[error("{waiting} commits are not revealed yet; {MAX_UNREVEALED} are the most")]
    TooManyUnrevealedCommits {
        /// How many wait.
        waiting: u16,
    },
    /// No permit to weigh others.
    #[error("uid {uid} has no validator permit: it may only weigh itself")]
    NeuronNoValidatorPermit {
        /// The uid.
        uid: u16,
    },
    /// A uid twice.
    #[error("uid {uid} is there twice")]
    DuplicateUids {
        /// The first that is.
        uid: u16,
    },
    /// A uid that nobody has.
    #[error("uid {uid} is not among the {neurons} neurons of the subnet")]
    UidVecContainInvalidOne {
        /// The first such uid.
        uid: u16,
        /// Number of neurons.
        neurons: u16,
    },
    /// Too few weights.
    #[error("{given} weights; {wanted} are wanted")]
    WeightVecLengthIsLow {
        /// How many there are.
        given: usize,
        /// How many are wanted.
        wanted: u16,
    },
    /// One weight is too great a part of all.
    #[error("the greatest weight is more than {limit} of 65535 of all")]
    MaxWeightExceeded {
        /// The limit, of 65535.
        limit: u16,
    },
}

impl Refusal {
    /// The chain's name of the error.
    pub fn name(&self) -> &'static str {
        match self {
            Refusal::CommitRevealEnabled => "CommitRevealEnabled",
            Refusal::CommitRevealDisabled => "CommitRevealDisabled",
            Refusal::CanNotSetRootNetworkWeights => "CanNotSetRootNetworkWeights",
            Refusal::WeightVecNotEqualSize { .. } => "WeightVecNotEqualSize",
            Refusal::MechanismDoesNotExist { .. } => "MechanismDoesNotExist",
            Refusal::UidsLengthExceedUidsInSubNet { .. } => "UidsLengthExceedUidsInSubNet",
            Refusal::HotKeyNotRegisteredInSubNet { .. } => "HotKeyNotRegisteredInSubNet",
            Refusal::NotEnoughStakeToSetWeights { .. } => "NotEnoughStakeToSetWeights",
            Refusal::IncorrectWeightVersionKey { .. } => "IncorrectWeightVersionKey",
            Refusal::SettingWeightsTooFast { .. } => "SettingWeightsTooFast",
            Refusal::CommittingWeightsTooFast { .. } => "CommittingWeightsTooFast",
            Refusal::TooManyUnrevealedCommits { .. } => "TooManyUnrevealedCommits",
            Refusal::NeuronNoValidatorPermit { .. } => "NeuronNoValidatorPermit",
            Refusal::DuplicateUids { .. } => "DuplicateUids",
            Refusal::UidVecContainInvalidOne { .. } => "UidVecContainInvalidOne",
            Refusal::WeightVecLengthIsLow { .. } => "WeightVecLengthIsLow",
            Refusal::MaxWeightExceeded { .. } => "MaxWeightExceeded",
        }
    }
}
