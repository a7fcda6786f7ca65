//! What changed a number between two epochs, as shown.

use async_graphql::{Enum, Object, SimpleObject};
use scoring::diff::{Cause, Measure};

use crate::ports::{DiffWanted, EpochDiff};
use crate::schema::scalars::Account;

/// Which number a difference is of.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "Measure")]
pub(crate) enum DiffField {
    /// `Incentive` of the mechanism, of 65535.
    Incentive,
    /// `Dividends` of the mechanism's epoch, of 65535. Of several mechanisms the chain stores a
    /// blend.
    Dividends,
}

/// A difference as shown.
pub(crate) struct IncentiveDiff {
    pub(crate) wanted: DiffWanted,
    pub(crate) found: EpochDiff,
}

/// What changed a hotkey's number from epoch A to epoch B.
#[Object]
impl IncentiveDiff {
    /// Whose number it is.
    async fn hotkey(&self) -> Account {
        Account(self.wanted.hotkey)
    }

    /// Which number.
    async fn field(&self) -> DiffField {
        self.wanted.measure.into()
    }

    /// Block of epoch A.
    async fn from_block(&self) -> u32 {
        self.wanted.from
    }

    /// Block of epoch B.
    async fn to_block(&self) -> u32 {
        self.wanted.to
    }

    /// The hotkey's uid in A; null if it is not there.
    async fn from_uid(&self) -> Option<u16> {
        self.found.diff.from_uid
    }

    /// The hotkey's uid in B; null if it is not there.
    async fn to_uid(&self) -> Option<u16> {
        self.found.diff.to_uid
    }

    /// The number in A; 0 if the hotkey is not there.
    async fn from(&self) -> u16 {
        self.found.diff.from
    }

    /// The number in B; 0 if the hotkey is not there.
    async fn to(&self) -> u16 {
        self.found.diff.to
    }

    /// That in B less that in A: the sum of the terms' changes.
    async fn difference(&self) -> i32 {
        i32::from(self.found.diff.to) - i32::from(self.found.diff.from)
    }

    /// The steps from A to B, in their order.
    async fn terms(&self) -> Vec<DiffTerm> {
        let terms = self.found.diff.terms.iter();
        terms.map(|term| DiffTerm::of(term, &self.found)).collect()
    }

    /// Inputs of which the likeliest value is known but not proven, in words. Where the epochs'
    /// verdicts are EXACT they were right.
    async fn doubts(&self) -> &[String] {
        &self.found.doubts
    }
}

/// What a step from one epoch to another replaced.
#[derive(Enum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DiffCause {
    /// The runtime's rules.
    Rules,
    /// A hyperparameter.
    Hyperparameter,
    /// A hotkey left, with its stake, its weights and bonds and those for it.
    Departure,
    /// A hotkey came, with its stake, permit, weights and bonds.
    Arrival,
    /// Time: who is active, and what masks remove by block.
    Clock,
    /// Validator permits.
    Permits,
    /// The subnet's owner.
    Owner,
    /// The stake of a hotkey.
    Stake,
    /// The weights of a validator.
    Weights,
    /// The bonds of a validator before the epoch.
    Bonds,
    /// Other uids for the same hotkeys.
    Numbering,
}

/// What one step did, of 65535.
#[derive(SimpleObject)]
pub(crate) struct DiffTerm {
    /// What was replaced.
    cause: DiffCause,
    /// The hyperparameter's name; null for other causes.
    name: Option<&'static str>,
    /// Whose stake, weights or bonds; null for causes that are nobody's, and where several hotkeys
    /// share the term.
    hotkey: Option<Account>,
    /// The change, of 65535.
    change: i32,
    /// Of an incentive's change, the part that would be there without clipping; of dividends all.
    unclipped: i32,
    /// The rest of an incentive's change, which is the consensus's; 0 for dividends.
    clipping: i32,
}

impl DiffTerm {
    fn of(term: &scoring::diff::Term, found: &EpochDiff) -> Self {
        let (cause, name, hotkey) = match term.cause {
            Cause::Rules => (DiffCause::Rules, None, None),
            Cause::Hyperparameter(name) => (DiffCause::Hyperparameter, Some(name), None),
            Cause::Departure(hotkey) => (DiffCause::Departure, None, hotkey),
            Cause::Arrival(hotkey) => (DiffCause::Arrival, None, hotkey),
            Cause::Clock => (DiffCause::Clock, None, None),
            Cause::Permits => (DiffCause::Permits, None, None),
            Cause::Owner => (DiffCause::Owner, None, None),
            Cause::Stake(hotkey) => (DiffCause::Stake, None, hotkey),
            Cause::Weights(hotkey) => (DiffCause::Weights, None, hotkey),
            Cause::Bonds(hotkey) => (DiffCause::Bonds, None, hotkey),
            Cause::Numbering => (DiffCause::Numbering, None, None),
        };
        let account = |number: u32| {
            let place = usize::try_from(number).ok()?;
            found.hotkeys.get(place).copied().flatten()
        };
        Self {
            cause,
            name,
            hotkey: hotkey.and_then(account).map(Account),
            change: term.change,
            unclipped: term.unclipped,
            clipping: term.clipping,
        }
    }
}
