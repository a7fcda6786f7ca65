//! Why something cannot be simulated.

use thiserror::Error;

use crate::yuma::EpochError;

/// A patch or a horizon that cannot be, or an epoch that cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SimulateError {
    /// No epoch to start from.
    #[error("there is no epoch to start from; give the inputs of one at least")]
    NoEpoch,
    /// A subnet without neurons.
    #[error(
        "the subnet has no neurons at block {block}; choose an epoch of a subnet that has some"
    )]
    EmptySubnet {
        /// Block of the epoch.
        block: u64,
    },
    /// A horizon of zero, or one that is too long.
    #[error("a horizon of {asked} epochs is not possible; ask for 1 to {most}")]
    Horizon {
        /// Epochs asked for.
        asked: u32,
        /// The most.
        most: u32,
    },
    /// A uid that the subnet does not have.
    #[error(
        "the patch's {what} name uid {uid}, but the subnet has {n} neurons at block {block}; name uids below {n}"
    )]
    UnknownUid {
        /// Part of the patch.
        what: &'static str,
        /// The uid.
        uid: u16,
        /// Neurons of the subnet.
        n: u16,
        /// Block of the epoch with so few.
        block: u64,
    },
    /// A uid that is there twice.
    #[error("the patch's {what} name uid {uid} twice; name each uid once")]
    DuplicateUid {
        /// Part of the patch.
        what: &'static str,
        /// The uid.
        uid: u16,
    },
    /// A row that names a uid twice.
    #[error("the patch's weights of uid {row} name uid {uid} twice; give each weight once")]
    DuplicateWeight {
        /// The validator.
        row: u16,
        /// The uid named twice.
        uid: u16,
    },
    /// A stake that the chain's number does not hold.
    #[error("the patch gives uid {uid} a stake of {stake} rao; stakes must be below 2^63")]
    Stake {
        /// The uid.
        uid: u16,
        /// The stake, rao.
        stake: u64,
    },
    /// A moving average that keeps more than everything.
    #[error(
        "the patch's bonds moving average is {value}; it is in millionths, give at most 1000000"
    )]
    MovingAverage {
        /// The value.
        value: u64,
    },
    /// A low alpha above the high one.
    #[error(
        "alpha low is {low} and alpha high {high} at block {block} with the patch; alpha low must not be greater"
    )]
    AlphaBounds {
        /// The low alpha, of 65535.
        low: u16,
        /// The high alpha, of 65535.
        high: u16,
        /// Block of the epoch.
        block: u64,
    },
    /// A steepness that the runtime's number does not hold.
    #[error("a steepness of {value} is out of range; give {low} to {high} for spec {spec}")]
    Steepness {
        /// The value.
        value: i32,
        /// The least.
        low: i32,
        /// The greatest.
        high: i32,
        /// Spec version of the rules.
        spec: u32,
    },
    /// A hyperparameter that the runtime does not read.
    #[error("spec {spec} has no {what}; leave it out of the patch")]
    Unsupported {
        /// The hyperparameter.
        what: &'static str,
        /// Spec version of the rules.
        spec: u32,
    },
    /// Two parts of the patch want different things of a uid.
    #[error("the patch names uid {uid} under {one} and under {other}; only one of them can be")]
    Conflict {
        /// The uid.
        uid: u16,
        /// A part of the patch.
        one: &'static str,
        /// Another part.
        other: &'static str,
    },
    /// A validator that copies itself without a delay.
    #[error("uid {uid} cannot copy its own weights; name another source")]
    CopiesItself {
        /// The uid.
        uid: u16,
    },
    /// A copy without a delay from another copier: what it copies is not known yet.
    #[error(
        "uid {copier} copies uid {source_uid}, which copies as well; give it a delay of one epoch or more, or name the first source"
    )]
    CopiesCopier {
        /// The copier.
        copier: u16,
        /// Its source.
        source_uid: u16,
    },
    /// An epoch that cannot be computed.
    #[error("epoch {index} of the simulation cannot be computed{}: {error}", if *with_patch { " with the patch" } else { "" })]
    Epoch {
        /// Its number, from 0.
        index: u32,
        /// True if only the patch makes it impossible.
        with_patch: bool,
        /// Why.
        error: EpochError,
    },
}
