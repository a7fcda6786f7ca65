//! Why an epoch cannot be computed.

use thiserror::Error;

/// Inputs that no runtime could have had in its storage, or that would have stopped it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum EpochError {
    /// A vector has not one entry per uid.
    #[error(
        "{what} has {got} entries, but the subnet has {expected} neurons; give one entry per uid"
    )]
    Length {
        /// Name of the input.
        what: &'static str,
        /// Entries given.
        got: usize,
        /// Entries needed.
        expected: usize,
    },
    /// The owner is not a uid of the subnet.
    #[error(
        "the owner's uid {uid} is not below the number of neurons {n}; give none if the owner is not registered"
    )]
    OwnerOutOfRange {
        /// The uid given.
        uid: u16,
        /// Neurons of the subnet.
        n: u16,
    },
    /// A runtime without the filter for foreign uids would have panicked on this row or entry.
    #[error(
        "{what} of uid {row} name uid {uid}, but the subnet has {n} neurons and the rules of spec {spec} do not skip foreign uids"
    )]
    ForeignUid {
        /// `weights` or `bonds`.
        what: &'static str,
        /// The row.
        row: u16,
        /// The uid that is too great, the row itself or one of its entries.
        uid: u16,
        /// Neurons of the subnet.
        n: u16,
        /// Spec version of the rules.
        spec: u32,
    },
    /// Two rows for one uid: a storage map cannot hold them.
    #[error("{what} have two rows for uid {uid}; give each row once")]
    DuplicateRow {
        /// `weights` or `bonds`.
        what: &'static str,
        /// The uid.
        uid: u16,
    },
    /// A row names a uid twice: the chain refuses such weights and never writes such bonds.
    #[error("{what} of uid {row} name uid {uid} twice; give each entry once")]
    DuplicateEntry {
        /// `weights` or `bonds`.
        what: &'static str,
        /// The row.
        row: u16,
        /// The uid named twice.
        uid: u16,
    },
    /// A total stake below zero.
    #[error("the total stake of uid {uid} is negative ({bits} / 2^64)")]
    NegativeStake {
        /// The uid.
        uid: u16,
        /// Raw bits of the stake.
        bits: i128,
    },
    /// A moving average that keeps more than everything.
    #[error(
        "BondsMovingAverage is {value}, but at most 1,000,000 (all of it) makes sense; the chain's owners cannot set more than 975,000"
    )]
    MovingAverage {
        /// The value given.
        value: u64,
    },
    /// The stakes together do not fit the chain's number (`2^63` rao).
    #[error("the total stakes together pass 2^63 rao, more than the chain's number holds")]
    StakeOverflow,
    /// The u16 values of a row or column together do not fit the chain's number.
    #[error("the {what} of uid {uid} add up to {sum}, more than the chain's number holds (2^31)")]
    SumOverflow {
        /// `row of weights` or `column of bonds`.
        what: &'static str,
        /// The row's or column's uid.
        uid: u16,
        /// The sum of the stored values.
        sum: u64,
    },
    /// More matrix entries than a 32-bit index reaches.
    #[error("{what} have {entries} entries; at most 2^32 - 1 are possible")]
    TooManyEntries {
        /// `weights` or `bonds`.
        what: &'static str,
        /// Entries given.
        entries: usize,
    },
}
