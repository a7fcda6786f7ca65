//! Who sets weights that others had before.
//!
//! A statistic, not arithmetic of the chain: the only place of this crate with floating point. Sums and products are exact integers; only the last
//! quotients and roots are floats, computed in a fixed order, so that the result is the same on every machine and with any number of threads.
//!
//! # What is measured
//!
//! Time is a row of steps (blocks, such as those of the epochs). A validator *changes* at a step if its row in force there is another than at the step before. Each
//! change of a follower is compared with rows of a possible leader:
//!
//! * at lag 0, the row that anybody could read right before the follower decided;
//! * at lag `k`, the row that anybody could read `k` steps earlier;
//! * *together*, the row that the leader itself had decided on by then, readable or not.
//!
//! A decision is made when weights are set or committed, and can be read when they are set or revealed: a leader that hides its weights is compared with what it
//! had shown. The likeness of two rows is Pearson's correlation over all miners (scale does not matter; a row that is the same for all has none), and its
//! mean over the changes is the likeness at a lag.
//!
//! Validators that judge the same miners well are alike, whoever is first. Two things tell a copier:
//!
//! * [`Relation::timing`]: it is more like the *past* of its leader than the leader is like its own, and more than they are like each other at the same time. How much of
//!   the unlikeness in the contrary case the following explains: `(following - contrary) / (1 - contrary)`, where the contrary is the best likeness with the
//!   roles exchanged or the likeness together, whichever is greater. An exact copy of changing weights has 1, independent validators have about 0 or less.
//! * [`Relation::repeated`]: the share of its changes that are, to the last weight, a row that the leader had shown before. Rows with fewer than [`MIN_DISTINCT`]
//!   different weights do not count, since they are equal by accident.
//!
//! [`Relation::score`] is the greater of the two.
//!
//! # What it cannot see
//!
//! A copy within the same step, before the leader changes again, has no timing: it can only be seen if it is exact. Validators that run the same code on the same data
//! and come to equal rows look like exact copies of whoever is first. A leader that never changes its weights teaches nothing:
//! [`Relation::follows`] wants [`MIN_CHANGES`] changes. A validator that is merely slow to see what another saw at once looks like a follower with an inexact
//! likeness; [`MIN_LIKENESS`] is for them. Whoever copies a mixture of many is like none of them. Among several followers of one leader each may also follow the
//! other; look for the greatest score.

use rayon::prelude::*;
use thiserror::Error;

mod likeness;
mod series;

use series::Series;

#[cfg(test)]
mod tests;

/// Changes that must have been compared before anyone is called a follower.
pub const MIN_CHANGES: u32 = 3;
/// The least mean correlation of a follower.
pub const MIN_LIKENESS: f64 = 0.9;
/// The least score of a follower.
pub const MIN_SCORE: f64 = 0.5;
/// How many different weights a row needs so that an equal one is no accident.
pub const MIN_DISTINCT: usize = 8;
/// The greatest lag that can be asked for.
pub const MAX_LAG: u32 = 1000;

/// A row of weights that a validator published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Publication<'a> {
    /// Who: the caller's number of a hotkey.
    pub validator: u32,
    /// Block in which the weights were set or committed.
    pub decided: u64,
    /// Block from which on everyone could read them: the same, or that of the reveal.
    pub visible: u64,
    /// The weights, in any order.
    pub row: &'a [(u16, u16)],
}

/// A series of publications that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CopyingError {
    /// Steps that do not ascend.
    #[error(
        "step {index} is block {block}, not after the one before; give the blocks of steps in ascending order"
    )]
    Steps {
        /// Place of the step.
        index: usize,
        /// Its block.
        block: u64,
    },
    /// A lag that is too great.
    #[error("a lag of {lag} steps is too great; ask for {most} at most")]
    Lag {
        /// The lag asked for.
        lag: u32,
        /// The most.
        most: u32,
    },
    /// Visible before it was decided.
    #[error(
        "weights of validator {validator} are visible at block {visible}, before they were decided at {decided}"
    )]
    Visible {
        /// The validator.
        validator: u32,
        /// When they were decided.
        decided: u64,
        /// When they were visible.
        visible: u64,
    },
    /// A row that names a uid twice.
    #[error("weights of validator {validator} decided at block {decided} name uid {uid} twice")]
    DuplicateWeight {
        /// The validator.
        validator: u32,
        /// When they were decided.
        decided: u64,
        /// The uid.
        uid: u16,
    },
}

/// The likeness of a follower's changes and a leader's rows at one lag.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Likeness {
    /// Changes that had something to be compared with.
    pub count: u32,
    /// Of these, how many are the leader's row exactly, with [`MIN_DISTINCT`] different weights or more.
    pub identical: u32,
    /// Mean of the correlations; zero without any.
    pub correlation: f64,
    /// Mean of the cosines; zero without any.
    pub cosine: f64,
}

/// What a possible follower has of a possible leader.
#[derive(Clone, Debug, PartialEq)]
pub struct Relation {
    /// The leader: the caller's number.
    pub leader: u32,
    /// The likeness at each lag, from 0.
    pub lags: Vec<Likeness>,
    /// The likeness with what the leader had decided at the same step.
    pub together: Likeness,
    /// The lag of the greatest correlation, the least if there are several; none if there was nothing to compare.
    pub lag: Option<u32>,
    /// The likeness at that lag.
    pub best: Likeness,
    /// The greatest correlation with the roles exchanged.
    pub reverse: f64,
    /// How much the following in time explains, up to 1. Zero or less for nothing.
    pub timing: f64,
    /// The share of changes that repeat a row of the leader exactly, from 0 to 1.
    pub repeated: f64,
    /// The greater of the two.
    pub score: f64,
}

impl Relation {
    /// True for a validator that follows this leader in time.
    pub fn follows(&self) -> bool {
        self.best.count >= MIN_CHANGES
            && self.best.correlation >= MIN_LIKENESS
            && self.score >= MIN_SCORE
    }
}

/// A validator as a possible follower of all others.
#[derive(Clone, Debug, PartialEq)]
pub struct Follower {
    /// The validator: the caller's number.
    pub validator: u32,
    /// How often it changed its weights.
    pub changes: u32,
    /// Its relations, the one with the greatest score first, then by the leader's number.
    pub relations: Vec<Relation>,
}

impl Follower {
    /// The weight-copy score: that of the leader it follows; zero if it follows nobody.
    pub fn score(&self) -> f64 {
        self.leader().map_or(0.0, |relation| relation.score)
    }

    /// The leader it follows.
    pub fn leader(&self) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.follows())
    }
}

/// Compares every validator with every other at lags from 0 to `max_lag` steps. Validators are in the order of their numbers.
///
/// `steps` are blocks in ascending order; lags are counted in them. Publications come in any order; of several in a block the last given is in force.
/// Give also what was in force before the first step.
///
/// # Errors
/// [`CopyingError`] for steps that do not ascend, too great a lag, weights visible before they were decided, and rows that name a uid twice.
pub fn copying(
    publications: &[Publication<'_>],
    steps: &[u64],
    max_lag: u32,
) -> Result<Vec<Follower>, CopyingError> {
    if max_lag > MAX_LAG {
        return Err(CopyingError::Lag {
            lag: max_lag,
            most: MAX_LAG,
        });
    }
    let all = series::all(publications, steps)?;
    let miners = publications.iter().flat_map(|publication| publication.row);
    let greatest = miners.map(|(uid, _)| u64::from(*uid) + 1).max();
    let view = View {
        all: &all,
        miners: greatest.unwrap_or(0),
        max_lag: usize::try_from(max_lag).unwrap_or(usize::MAX),
    };
    let places: Vec<usize> = (0..all.len()).collect();
    // Each way once: the best likeness with the roles exchanged is in the other's row.
    let half: Vec<Vec<Half>> = places.par_iter().map(|place| view.of(*place)).collect();
    let followers = all.iter().enumerate().map(|(place, series)| {
        let others = half.iter().enumerate().filter(|(other, _)| *other != place);
        let mut relations: Vec<Relation> = others
            .filter_map(|(other, theirs)| {
                let own = half.get(place)?.get(other)?;
                let reverse = theirs
                    .get(place)?
                    .best()
                    .map_or(0.0, |(_, best)| best.correlation);
                Some(own.relation(all.get(other)?.validator, reverse))
            })
            .collect();
        relations.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.leader.cmp(&b.leader)));
        Follower {
            validator: series.validator,
            changes: u32::try_from(series.changes.len()).unwrap_or(u32::MAX),
            relations,
        }
    });
    Ok(followers.collect())
}

/// How much work [`copying`] is: weights compared, at most. Saturates.
pub fn cost(publications: &[Publication<'_>], max_lag: u32) -> u64 {
    let mut validators: Vec<u32> = publications.iter().map(|one| one.validator).collect();
    validators.sort_unstable();
    validators.dedup();
    let count = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
    let longest = publications.iter().map(|one| one.row.len()).max();
    let lags = u64::from(max_lag).saturating_add(2);
    let rows = count(publications.len()).saturating_mul(count(longest.unwrap_or(0)));
    let compared = rows.saturating_mul(count(validators.len()));
    compared.saturating_mul(lags).saturating_mul(2)
}

struct View<'a> {
    all: &'a [Series],
    /// Columns of the correlation.
    miners: u64,
    max_lag: usize,
}

/// A relation seen from one side.
#[derive(Default)]
struct Half {
    lags: Vec<Likeness>,
    together: Likeness,
}

impl View<'_> {
    /// One validator against all, itself included (and not used).
    fn of(&self, place: usize) -> Vec<Half> {
        let Some(follower) = self.all.get(place) else {
            return vec![];
        };
        let leaders = self.all.iter().enumerate();
        let half = leaders.map(|(other, leader)| {
            if other == place {
                return Half::default();
            }
            self.half(follower, leader)
        });
        half.collect()
    }

    fn half(&self, follower: &Series, leader: &Series) -> Half {
        let mut lags = vec![likeness::Mean::default(); self.max_lag + 1];
        let mut together = likeness::Mean::default();
        for change in &follower.changes {
            let Some(own) = follower.rows.get(change.row) else {
                continue;
            };
            for (lag, mean) in lags.iter_mut().enumerate() {
                let shown = match lag {
                    0 => leader.shown_before(own.decided),
                    lag => change
                        .step
                        .checked_sub(lag)
                        .and_then(|step| leader.shown_at(step)),
                };
                if let Some(row) = shown {
                    mean.add(own, row, self.miners);
                }
            }
            if let Some(row) = leader.decided_at(change.step) {
                together.add(own, row, self.miners);
            }
        }
        Half {
            lags: lags.iter().map(likeness::Mean::likeness).collect(),
            together: together.likeness(),
        }
    }
}

impl Half {
    /// The lag of the greatest correlation, and the likeness there.
    fn best(&self) -> Option<(u32, Likeness)> {
        let compared = (0u32..).zip(&self.lags).filter(|(_, lag)| lag.count > 0);
        let best = compared.reduce(|best, next| {
            if next.1.correlation > best.1.correlation {
                next
            } else {
                best
            }
        });
        best.map(|(lag, likeness)| (lag, *likeness))
    }

    fn relation(&self, leader: u32, reverse: f64) -> Relation {
        let best = self.best();
        let (lag, likeness) =
            best.map_or((None, Likeness::default()), |(lag, best)| (Some(lag), best));
        let contrary = reverse.max(self.together.correlation);
        let room = 1.0 - contrary;
        // Alike to the last digit in any case: nothing is left to explain.
        let timing = if lag.is_some() && room > 1e-9 {
            (likeness.correlation - contrary) / room
        } else {
            0.0
        };
        let repeated = f64::from(likeness.identical) / f64::from(likeness.count.max(1));
        Relation {
            leader,
            lags: self.lags.clone(),
            together: self.together,
            lag,
            best: likeness,
            reverse,
            timing,
            repeated,
            score: timing.max(repeated),
        }
    }
}
