//! The consensus epoch ("Yuma"), by the rules of the runtime that ran it.
//!
//! An epoch is a pure function of [`EpochInputs`]: integers as the chain stores them, and the [`YumaRules`] of a spec version. [`epoch`] gives
//! [`EpochOutputs`], the integers the chain stores afterwards; nothing is rounded on the way but where the chain rounds. The stages are, in order,
//! and each in its own file:
//!
//! 1. `activity`: who has been silent too long;
//! 2. [`stake`]: total stake, threshold, normalisation; also the inheritance through child keys that makes the total;
//! 3. `permits`: who may validate, before and after; `active stake`: the stake that counts now;
//! 4. `weights`: stored rows, masks, row normalisation;
//! 5. `consensus`: stake-weighted median of each column;
//! 6. `clipping`: weights cut at the consensus, validator trust, ranks, trust, incentive;
//! 7. `bonds`: weights for bonds, old bonds, moving average (Yuma2, Yuma3, liquid alpha 1 and 2), dividends;
//! 8. `emission`: shares, amounts, pruning scores.
//!
//! An [`Observer`] sees what each stage made; [`Silent`], the usual one, costs nothing. [`mechanism`] joins the mechanisms of a subnet,
//! [`schedule`] says when an epoch is due, [`commits`], [`loaded`] and [`upscale`] prepare inputs.
//!
//! # What is not here
//!
//! * The root epoch of specs 133 to 194 ([`rules::RootEpoch::Separate`]). It is no consensus epoch: it turns the weights of root validators for subnets, through a
//!   sigmoid of the stake behind them, into `EmissionValues`, and stores none of the vectors of an epoch. No reference and no recorded chain covers it, so it is left
//!   out rather than guessed. No subnet's epoch depends on it but for the amount drained: its last part is `EmissionValues`, to be taken
//!   from the state of the block itself where the root epoch ran in it. In specs 195 to 209 netuid 0
//!   passes through [`epoch`] like any other.
//! * The dense epoch, which only the chain's own tests run.
//!
//! ```
//! use scoring::fixed::I64F64;
//! use scoring::yuma::{EpochInputs, Row, YumaRules, epoch};
//!
//! let rules = YumaRules::for_spec(425).expect("a live spec");
//! let inputs = EpochInputs {
//!     rules,
//!     params: rules.defaults().params,
//!     block: 1000,
//!     n: 2,
//!     last_update: vec![990, 0].into(),
//!     block_at_registration: vec![1, 2].into(),
//!     last_step_block: 900,
//!     total_stake: vec![I64F64::saturating_from_u64(5_000_000_000), I64F64::ZERO].into(),
//!     owner_uid: None,
//!     validator_permit: vec![true, false].into(),
//!     weights: vec![Row::borrowed(0, &[(1, 65535)])],
//!     bonds: vec![],
//!     commit_blocks: vec![].into(),
//!     emission: Some(1_000_000),
//! };
//! let outputs = epoch(&inputs)?;
//! assert_eq!(outputs.incentive, [0, 65535]);
//! assert_eq!(outputs.dividends, [65535, 0]);
//! assert_eq!(outputs.bonds.row(0), Some(&[(1, 65535)][..]));
//! assert_eq!(outputs.emission.expect("it was given").combined, [500_000, 500_000]);
//! # Ok::<(), scoring::yuma::EpochError>(())
//! ```
//!
//! # Speed
//!
//! Matrices are flat arrays, row by row as they are stored, and every pass reads them from beginning to end: what the chain does column by column (sums,
//! greatest entries, normalisations) is kept in one number per column, small enough to stay in the nearest cache. Only the median needs columns; for it the votes
//! are sorted into columns once, as 64-bit words of score and stake, and the median is selected by splitting them without branches. Masks, normalisation,
//! and the moving average are fused into few passes; zero rows cost nothing. Divisions by the same number become two multiplications ([`crate::fixed`] keeps
//! them exact), the exponential of liquid alpha is computed for four cells at a time and only where there is a weight, and the buffers live in a
//! [`Scratch`] that is used again by the next epoch of the same thread. [`epochs`] runs subnets in parallel; each epoch is computed by one thread, so
//! the number of threads cannot change a bit.

mod activity;
pub(crate) mod bonds;
mod clipping;
pub mod commits;
mod consensus;
mod emission;
mod error;
mod inputs;
pub(crate) mod liquid;
pub mod loaded;
mod matrix;
pub mod mechanism;
mod observe;
mod outputs;
mod permits;
pub mod rules;
mod run;
pub mod schedule;
pub mod stake;
pub mod upscale;
mod weights;

#[cfg(any(test, feature = "plain"))]
pub mod plain;

pub use error::EpochError;
pub use inputs::{EpochInputs, Row};
pub use matrix::{Matrix, RowMatrix};
pub use observe::{Observer, Silent, Stage, Trace};
pub use outputs::{BondRows, Emission, EpochOutputs};
pub use rules::{Defaults, Hyperparameters, Knowledge, YumaRules};
pub use run::{Scratch, epoch, epoch_observed, epochs};
pub use weights::Mask;

#[cfg(test)]
pub(crate) mod tests;
