//! What a verdict says.

use serde::{Serialize, Serializer};
use thiserror::Error;

use super::MAX_WORK;
use crate::sn128::commitment::BadSignature;
use crate::sn128::cpu::NoSeed;
use crate::sn128::merkle::Astray;

/// A request that cannot be judged, whatever the proofs are.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    /// A seed that is none.
    #[error(transparent)]
    Seed(#[from] NoSeed),
    /// A size that no challenge has.
    #[error("the matrix has {size} rows; give a number from {min} to {max}")]
    Size {
        /// Its size.
        size: u32,
        /// The least.
        min: u32,
        /// The greatest.
        max: u32,
    },
    /// No iterations.
    #[error("the product is taken 0 times; give a number from 1 on")]
    Iterations,
    /// A target outside of the matrix.
    #[error("row {row} or column {column} is outside of a matrix of {size} rows")]
    Outside {
        /// Its row.
        row: u32,
        /// Its column.
        column: u32,
        /// The size.
        size: u32,
    },
    /// More rows than there are.
    #[error("{rows} rows are looked at in a matrix of {size}; name every row once")]
    Rows {
        /// How many.
        rows: u64,
        /// The size.
        size: u32,
    },
    /// Columns are missing.
    #[error("no columns of the rows are given; draw some")]
    Columns,
    /// Too much to compute.
    #[error(
        "this takes {work} multiplications, and may take {MAX_WORK}; look at fewer rows or iterations"
    )]
    Work {
        /// How many.
        work: u64,
    },
}

/// Why a proof is refused.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Reason {
    /// Another number of hashes or ways than rows asked for.
    #[error("{hashes} hashes and {ways} ways are given for {wanted} rows")]
    Rows {
        /// Hashes.
        hashes: usize,
        /// Ways.
        ways: usize,
        /// Rows.
        wanted: usize,
    },
    /// Too few values.
    #[error("{given} values are given, and {wanted} are wanted")]
    Values {
        /// Given.
        given: usize,
        /// Wanted.
        wanted: usize,
    },
    /// A hash that is not that of the row.
    #[error("the hash of row {row} is {given}, and {wanted} is right")]
    Hash {
        /// The row.
        row: u32,
        /// What was given.
        given: String,
        /// What is right.
        wanted: String,
    },
    /// A way that names another leaf than the row.
    #[error("the way of row {row} names leaf {leaf}")]
    Leaf {
        /// The row.
        row: u32,
        /// The leaf.
        leaf: u32,
    },
    /// A way that begins with another hash.
    #[error("the way of row {row} begins with another hash than the row's")]
    LeafHash {
        /// The row.
        row: u32,
    },
    /// A way that leads elsewhere.
    #[error("the way of row {row} does not lead to the committed root")]
    Root {
        /// The row.
        row: u32,
    },
    /// Too many wrong values.
    #[error("{right} of {of} single values are right, and {needed} must be")]
    Coordinates {
        /// Right ones.
        right: usize,
        /// All.
        of: usize,
        /// How many must be right.
        needed: usize,
    },
    /// Too many wrong values in a row.
    #[error("{right} of {of} values of row {row} are right, and {needed} must be")]
    Sample {
        /// The row.
        row: u32,
        /// Right ones.
        right: usize,
        /// Those that were looked at.
        of: usize,
        /// How many must be right.
        needed: usize,
    },
    /// A value that a GPU cannot have.
    #[error("value {column} of row {row} does not fit into 16 bits")]
    Half {
        /// The row.
        row: u32,
        /// The column.
        column: usize,
    },
    /// The commitment is missing.
    #[error("there is a proof and no commitment")]
    NotCommitted,
    /// The proof is missing.
    #[error("there is a commitment and no proof")]
    NotProven,
    /// Two proofs of one GPU.
    #[error("there are two proofs")]
    Twice,
    /// A GPU in a challenge for the CPU, or the other way round.
    #[error("the challenge is not for this kind of unit")]
    Kind,
    /// Nothing was to be looked at.
    #[error("no row was to be looked at")]
    NoTargets,
    /// The signature under the commitment is wrong.
    #[error(transparent)]
    Signature(#[from] BadSignature),
}

/// What the original's rules let pass.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Strict {
    /// Nothing was looked at.
    #[error("nothing was looked at: any answer passes; this is an error of the settings")]
    NoTargets,
    /// A way that is not that of the leaf it names.
    #[error("{uuid}: {why}")]
    Way {
        /// GPU or CPU.
        uuid: String,
        /// What is wrong.
        why: Astray,
    },
    /// More values than asked for.
    #[error("{uuid}: {given} values are given, and {wanted} were asked for")]
    Surplus {
        /// GPU or CPU.
        uuid: String,
        /// Given.
        given: usize,
        /// Asked for.
        wanted: usize,
    },
    /// Wrong values, but not too many.
    #[error("{uuid}: {wrong} of {of} values are wrong, which the rules allow")]
    Wrong {
        /// GPU.
        uuid: String,
        /// Wrong ones.
        wrong: usize,
        /// All that were looked at.
        of: usize,
    },
    /// Some GPUs failed.
    #[error("{verified} of {of} GPUs are verified, and one is enough by the rules")]
    Some {
        /// Verified ones.
        verified: usize,
        /// All.
        of: usize,
    },
    /// Two GPUs with one root: their matrices differ, so one is copied.
    #[error("{first} and {second} have committed to the same root")]
    SameRoot {
        /// One.
        first: String,
        /// The other.
        second: String,
    },
    /// The signature was not looked at.
    #[error("{0}: the signature was not checked, since no key was given")]
    NotSigned(String),
}

fn told<T: ToString, S: Serializer>(items: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(items.iter().map(ToString::to_string))
}

/// The verdict over one GPU or the CPU.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Unit {
    /// GPU or CPU.
    pub uuid: String,
    /// Whether it is verified by the original's rules.
    pub verified: bool,
    /// Why it is not.
    #[serde(serialize_with = "told")]
    pub reasons: Vec<Reason>,
}

/// The verdict over a challenge.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Whether it is verified by the original's rules: one unit is enough.
    pub verified: bool,
    /// Whether it is verified and nothing stricter speaks against it.
    pub accepted: bool,
    /// Verified units; times are divided by this number.
    pub success_count: u32,
    /// Every unit, in the order of uuids.
    pub units: Vec<Unit>,
    /// What the original's rules let pass.
    #[serde(serialize_with = "told")]
    pub strict: Vec<Strict>,
}
