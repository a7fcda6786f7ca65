//! Who copies whom, as shown.

use async_graphql::{Object, SimpleObject};
use chain_metadata::AccountId;
use scoring::copying::{Follower, Relation};

use crate::ports;
use crate::schema::cost;
use crate::schema::error::{ApiError, Res};
use crate::schema::scalars::Account;

/// Relations of a validator that are given out when nothing is said.
pub(crate) const DEFAULT_RELATIONS: u16 = 3;

/// A comparison as shown.
pub(crate) struct WeightCopying(pub(crate) ports::WeightCopying);

/// The validators of a mechanism, compared with each other over a range of blocks.
#[Object]
impl WeightCopying {
    /// Blocks of the epochs in which lags are counted, ascending.
    async fn steps(&self) -> &[u32] {
        &self.0.steps
    }

    /// Every validator that had weights, those with the greatest score first.
    async fn validators(&self) -> Vec<CopyingValidator<'_>> {
        let mut followers: Vec<&Follower> = self.0.followers.iter().collect();
        followers.sort_by(|a, b| b.score().total_cmp(&a.score()));
        let node = |follower| CopyingValidator {
            follower,
            hotkeys: &self.0.hotkeys,
        };
        followers.into_iter().map(node).collect()
    }
}

/// A validator as shown.
pub(crate) struct CopyingValidator<'a> {
    follower: &'a Follower,
    hotkeys: &'a [AccountId],
}

impl CopyingValidator<'_> {
    fn account(&self, number: u32) -> Res<Account> {
        let place = usize::try_from(number).ok();
        let found = place.and_then(|place| self.hotkeys.get(place)).copied();
        found
            .map(Account)
            .ok_or_else(|| ApiError::internal(format!("hotkey number {number} has no account")))
    }
}

/// A validator as a possible follower of the others.
#[Object]
impl CopyingValidator<'_> {
    /// Its hotkey.
    async fn hotkey(&self) -> Res<Account> {
        self.account(self.follower.validator)
    }

    /// At how many epochs its weights were other ones than at the epoch before.
    async fn changes(&self) -> u32 {
        self.follower.changes
    }

    /// The weight-copy score, 0 to 1: that of the leader it follows; 0 if it follows nobody.
    async fn score(&self) -> f64 {
        self.follower.score()
    }

    /// The hotkey it follows; null if it follows nobody: fewer than 3 changes compared, a mean
    /// correlation below 0.9, or a score below 0.5.
    async fn leader(&self) -> Res<Option<Account>> {
        let leader = self.follower.leader();
        leader.map(|leader| self.account(leader.leader)).transpose()
    }

    /// What it has of others, the one with the greatest score first.
    #[graphql(complexity = "cost::relations(first, child_complexity)")]
    async fn relations(
        &self,
        #[graphql(desc = "At most so many.", default_with = "DEFAULT_RELATIONS")] first: u16,
    ) -> Res<Vec<CopyingRelation>> {
        let relations = self.follower.relations.iter().take(usize::from(first));
        relations
            .map(|relation| {
                Ok(CopyingRelation::of(
                    relation,
                    self.account(relation.leader)?,
                ))
            })
            .collect()
    }
}

/// What a possible follower has of a possible leader.
#[derive(SimpleObject)]
pub(crate) struct CopyingRelation {
    /// The leader's hotkey.
    leader: Account,
    /// Whether it is followed: 3 changes compared or more, a mean correlation of 0.9 or more, and a
    /// score of 0.5 or more.
    follows: bool,
    /// The greater of timing and repeated.
    score: f64,
    /// How much following in time explains, up to 1: how much more its changes are like the leader's
    /// past than the leader's are like its own, and than both are like each other at the same time.
    timing: f64,
    /// The share of its changes that repeat, to the last weight, a row that the leader had shown.
    repeated: f64,
    /// The lag at which the likeness is greatest, in epochs; 0 is what was shown right before its
    /// decision. Null if there was nothing to compare.
    lag: Option<u32>,
    /// How many changes were compared at that lag.
    compared: u32,
    /// Of these, how many are the leader's row exactly, with 8 different weights or more.
    identical: u32,
    /// Mean of Pearson's correlations at that lag.
    correlation: f64,
    /// Mean of the cosines at that lag.
    cosine: f64,
    /// The greatest mean correlation with the roles exchanged.
    reverse: f64,
    /// The mean correlation with what the leader had decided on by then, readable or not.
    together: f64,
}

impl CopyingRelation {
    fn of(relation: &Relation, leader: Account) -> Self {
        Self {
            leader,
            follows: relation.follows(),
            score: relation.score,
            timing: relation.timing,
            repeated: relation.repeated,
            lag: relation.lag,
            compared: relation.best.count,
            identical: relation.best.identical,
            correlation: relation.best.correlation,
            cosine: relation.best.cosine,
            reverse: relation.reverse,
            together: relation.together.correlation,
        }
    }
}
