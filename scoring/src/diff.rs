//! What changed an incentive (or dividends) from one epoch to another, cause by cause.
//!
//! [`diff`] walks from epoch A to epoch B in steps. Each step replaces one input of A with that of B and computes the epoch anew; what the stored integer moved by is
//! the step's [`Term::change`]. The terms therefore add up to the whole change exactly. How much a step is found to do depends on what was replaced before it,
//! as with any such walk, so the order is fixed:
//!
//! 1. [`Cause::Rules`]: the runtime's rules;
//! 2. [`Cause::Hyperparameter`]: each hyperparameter that differs, in the order of [`Hyperparameters`]' fields;
//! 3. [`Cause::Departure`]: each hotkey that is in A only leaves, with its stake, its weights and bonds and those for it;
//! 4. [`Cause::Arrival`]: each hotkey that is in B only comes, with its stake, permit, weights and bonds; what others give it comes in 9;
//! 5. [`Cause::Clock`]: block, last epoch, and of everyone the last update, the registration and the earliest commit: who is active, and what the masks remove;
//! 6. [`Cause::Permits`]: the validator permits;
//! 7. [`Cause::Owner`]: who owns the subnet;
//! 8. [`Cause::Stake`]: the stake of each hotkey that differs;
//! 9. [`Cause::Weights`]: the row of each validator that differs;
//! 10. [`Cause::Bonds`]: the old bonds of each validator that differ. They matter for dividends only, and are left out for an incentive;
//! 11. [`Cause::Numbering`]: that hotkeys have other uids. Nearly always nothing; the epoch looks at uids only where liquid alpha reads rows that are not sorted, and liquid
//!     alpha 1 at how many there are.
//!
//! Within 3, 4, 8, 9 and 10 hotkeys come in the order of their greater stake in A and B, greatest first, then by uid. Beyond [`Options::detail`] of a
//! kind the rest is one term together, without a hotkey: the number of epochs computed is what bounds the cost, see [`steps`].
//!
//! The consensus is not an input but follows from the others, so clipping is not a step. Instead the change of an incentive is split in two within each term: what the
//! step did to the stake-weighted mean of the weights ([`Term::unclipped`]), and what the consensus made of it ([`Term::clipping`]).
//!
//! ```
//! use scoring::diff::{Cause, Epoch, Measure, Options, diff};
//! # use scoring::fixed::I64F64;
//! # use scoring::yuma::{EpochInputs, Row, YumaRules};
//! # let rules = YumaRules::for_spec(425).expect("a live spec");
//! # let inputs = EpochInputs {
//! #     rules, params: rules.defaults().params, block: 1000, n: 3, last_update: vec![990, 990, 0].into(), block_at_registration: vec![1, 2, 3].into(),
//! #     last_step_block: 900, total_stake: [3, 1, 0].map(I64F64::saturating_from_u64).to_vec().into(), owner_uid: None,
//! #     validator_permit: vec![true, true, false].into(), weights: vec![Row::borrowed(0, &[(2, 65535)]), Row::borrowed(1, &[(0, 9), (2, 9)])],
//! #     bonds: vec![], commit_blocks: vec![].into(), emission: None,
//! # };
//! // Validator 0 shares its weight out in the later epoch.
//! let mut later = inputs.clone();
//! later.weights[0] = Row::borrowed(0, &[(1, 65535), (2, 65535)]);
//! let hotkeys = [70, 71, 72];
//! let [a, b] = [&inputs, &later].map(|inputs| Epoch { inputs, hotkeys: &hotkeys });
//! let options = Options { measure: Measure::Incentive, detail: 16 };
//! let found = diff(&a, &b, 72, &options)?;
//! assert_eq!(found.terms[0].cause, Cause::Weights(Some(70)));
//! let sum: i32 = found.terms.iter().map(|term| term.change).sum();
//! assert_eq!(sum, i32::from(found.to) - i32::from(found.from));
//! # Ok::<(), scoring::diff::DiffError>(())
//! ```

use thiserror::Error;

use crate::fixed::I32F32;
use crate::yuma::stake::normalise;
use crate::yuma::{
    EpochError, EpochInputs, Hyperparameters, Observer, Scratch, Stage, epoch_observed,
};

mod common;
mod params;
mod walk;

#[cfg(test)]
mod tests;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Measure {
    /// `Incentive`.
    Incentive,
    /// `Dividends` of this mechanism's epoch.
    Dividends,
}

/// What to compare, and in how much detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// What is compared.
    pub measure: Measure,
    /// How many hotkeys get a term of their own, of each kind; the others share one.
    pub detail: usize,
}

/// An epoch and who its uids are.
#[derive(Clone, Copy, Debug)]
pub struct Epoch<'a> {
    /// What the epoch reads.
    pub inputs: &'a EpochInputs<'a>,
    /// For each uid a number that stands for its hotkey: the same in both epochs, and any otherwise.
    pub hotkeys: &'a [u32],
}

/// What a step replaced. Hotkeys are the caller's numbers; none stands for all that have no term of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// The runtime's rules.
    Rules,
    /// The hyperparameter with this name.
    Hyperparameter(&'static str),
    /// A hotkey that left.
    Departure(Option<u32>),
    /// A hotkey that came.
    Arrival(Option<u32>),
    /// Time: activity, and masks by block.
    Clock,
    /// Validator permits.
    Permits,
    /// The subnet's owner.
    Owner,
    /// The stake of a hotkey.
    Stake(Option<u32>),
    /// The weights of a validator.
    Weights(Option<u32>),
    /// The old bonds of a validator.
    Bonds(Option<u32>),
    /// Other uids for the same hotkeys.
    Numbering,
}

/// What one step did to the stored integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term {
    /// What was replaced.
    pub cause: Cause,
    /// The change, of 65535. Zero for an input that differs without an effect.
    pub change: i32,
    /// Of an incentive's change, the part that would be there without clipping. For dividends all of it.
    pub unclipped: i32,
    /// The rest of an incentive's change. Zero for dividends.
    pub clipping: i32,
}

/// The change of a hotkey's incentive or dividends between two epochs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff {
    /// The hotkey, the caller's number.
    pub hotkey: u32,
    /// Its uid in A; none if it is not there.
    pub from_uid: Option<u16>,
    /// Its uid in B; none if it is not there.
    pub to_uid: Option<u16>,
    /// What A stores; zero if the hotkey is not there.
    pub from: u16,
    /// What B stores; zero if the hotkey is not there.
    pub to: u16,
    /// The steps in their order. Their changes add up to `to - from`.
    pub terms: Vec<Term>,
}

/// Why two epochs cannot be compared.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DiffError {
    /// Not one hotkey per uid.
    #[error("{got} hotkeys are given for the {n} neurons of epoch {epoch}; give one for each uid")]
    Hotkeys {
        /// `A` or `B`.
        epoch: char,
        /// Hotkeys given.
        got: usize,
        /// Neurons.
        n: u16,
    },
    /// A hotkey with two uids.
    #[error(
        "hotkey number {hotkey} has two uids in epoch {epoch}; number hotkeys so that each has one"
    )]
    TwoUids {
        /// `A` or `B`.
        epoch: char,
        /// The hotkey.
        hotkey: u32,
    },
    /// The hotkey is in neither epoch.
    #[error(
        "hotkey number {hotkey} is in neither epoch; ask for one that is registered in A or in B"
    )]
    UnknownHotkey {
        /// The hotkey asked for.
        hotkey: u32,
    },
    /// Together the epochs have more hotkeys than there are uids.
    #[error("the two epochs have {hotkeys} hotkeys between them; at most 65535 can be compared")]
    TooManyHotkeys {
        /// Hotkeys of both.
        hotkeys: usize,
    },
    /// An epoch on the way cannot be computed.
    #[error("an epoch cannot be computed ({cause}): {error}")]
    Epoch {
        /// `epoch A`, `epoch B` or the step.
        cause: String,
        /// Why.
        error: EpochError,
    },
}

/// How many epochs [`diff`] computes for these two: for a limit on the cost.
///
/// # Errors
/// As [`diff`], but for epochs that cannot be computed.
pub fn steps(a: &Epoch<'_>, b: &Epoch<'_>, options: &Options) -> Result<usize, DiffError> {
    let common = common::Common::new(a, b)?;
    Ok(walk::plan(&common, options).len() + 3)
}

/// The change of one hotkey's incentive or dividends from epoch A to epoch B, split into causes.
///
/// The two epochs are of the same subnet and mechanism; `hotkey` is one of the caller's numbers.
///
/// # Errors
/// [`DiffError`] if the hotkeys do not fit the epochs, or an epoch cannot be computed.
pub fn diff(
    a: &Epoch<'_>,
    b: &Epoch<'_>,
    hotkey: u32,
    options: &Options,
) -> Result<Diff, DiffError> {
    let common = common::Common::new(a, b)?;
    let unknown = DiffError::UnknownHotkey { hotkey };
    let uid = common.uid_of(hotkey).ok_or(unknown)?;
    let (from_uid, to_uid) = (uid_in(a, hotkey), uid_in(b, hotkey));
    let mut meter = Meter {
        measure: options.measure,
        scratch: Scratch::default(),
        preranks: Preranks::default(),
    };
    let first = meter.read_if(a.inputs, from_uid, "epoch A")?;
    let last = meter.read_if(b.inputs, to_uid, "epoch B")?;

    let mut terms = vec![];
    let mut state = common.start();
    let start = meter.read(&state, uid, "the hotkeys of both")?;
    let mut numbering = first.to(start);
    let mut before = start;
    for step in walk::plan(&common, options) {
        step.apply(&common, &mut state);
        let after = meter.read(&state, uid, &format!("step {:?}", step.cause))?;
        terms.push(before.to(after).term(step.cause));
        before = after;
    }
    numbering.add(before.to(last));
    terms.push(numbering.term(Cause::Numbering));
    Ok(Diff {
        hotkey,
        from_uid,
        to_uid,
        from: first.stored,
        to: last.stored,
        terms,
    })
}

fn uid_in(epoch: &Epoch<'_>, hotkey: u32) -> Option<u16> {
    let place = epoch.hotkeys.iter().position(|known| *known == hotkey)?;
    u16::try_from(place).ok()
}

/// Computes epochs and reads off one integer.
struct Meter {
    measure: Measure,
    scratch: Scratch,
    preranks: Preranks,
}

/// Keeps the ranks before the clipping, and nothing else.
#[derive(Default)]
struct Preranks(Vec<I32F32>);

impl Observer for Preranks {
    fn see(&mut self, stage: Stage<'_>) {
        if let Stage::Ranks { preranks, .. } = stage {
            preranks.clone_into(&mut self.0);
        }
    }
}

/// What a uid gets in one state.
#[derive(Clone, Copy, Default)]
struct Reading {
    stored: u16,
    /// The incentive as it would be without clipping.
    unclipped: u16,
}

/// The difference of two readings.
#[derive(Clone, Copy)]
struct Change {
    stored: i32,
    unclipped: i32,
    clipping: i32,
}

impl Reading {
    fn to(self, after: Self) -> Change {
        let by = |before: u16, after: u16| i32::from(after) - i32::from(before);
        let stored = by(self.stored, after.stored);
        let unclipped = by(self.unclipped, after.unclipped);
        Change {
            stored,
            unclipped,
            clipping: stored - unclipped,
        }
    }
}

impl Change {
    fn add(&mut self, other: Self) {
        self.stored += other.stored;
        self.unclipped += other.unclipped;
        self.clipping += other.clipping;
    }

    fn term(self, cause: Cause) -> Term {
        Term {
            cause,
            change: self.stored,
            unclipped: self.unclipped,
            clipping: self.clipping,
        }
    }
}

impl Meter {
    fn read_if(
        &mut self,
        inputs: &EpochInputs<'_>,
        uid: Option<u16>,
        cause: &str,
    ) -> Result<Reading, DiffError> {
        // Computed also for nobody: an epoch that cannot be is an error either way.
        let reading = self.read(inputs, uid.unwrap_or(0), cause)?;
        Ok(uid.map(|_| reading).unwrap_or_default())
    }

    fn read(
        &mut self,
        inputs: &EpochInputs<'_>,
        uid: u16,
        cause: &str,
    ) -> Result<Reading, DiffError> {
        let failed = |error| DiffError::Epoch {
            cause: cause.to_owned(),
            error,
        };
        let outputs =
            epoch_observed(inputs, &mut self.scratch, &mut self.preranks).map_err(failed)?;
        let uid = usize::from(uid);
        if self.measure == Measure::Dividends {
            let stored = outputs.dividends.get(uid).copied().unwrap_or(0);
            return Ok(Reading {
                stored,
                unclipped: stored,
            });
        }
        let preranks = &mut self.preranks.0;
        normalise(preranks);
        Ok(Reading {
            stored: outputs.incentive.get(uid).copied().unwrap_or(0),
            unclipped: preranks
                .get(uid)
                .map_or(0, |share| share.to_u16_proportion()),
        })
    }
}
