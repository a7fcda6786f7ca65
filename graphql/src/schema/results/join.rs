//! Scores beside an epoch, as shown.

use async_graphql::{Object, SimpleObject};

use crate::ports::{self, EpochKey, ScoreRow, ScoreValidator};
use crate::schema::cost;
use crate::schema::scalars::{Account, U64};
use crate::schema::whatif::fixed::Fixed;

/// A join as shown.
pub(crate) struct ScoreJoin {
    pub(crate) key: EpochKey,
    pub(crate) join: ports::ScoreJoin,
}

/// Local scores beside what the chain made of the weights, in one epoch of one mechanism.
#[Object]
impl ScoreJoin {
    /// Number of the subnet.
    async fn netuid(&self) -> u16 {
        self.key.netuid.0
    }

    /// Number of the mechanism.
    async fn mechanism(&self) -> u8 {
        self.key.mechanism.0
    }

    /// Height of the block in which the epoch ran.
    async fn block_number(&self) -> u32 {
        self.key.block
    }

    /// Runtime whose rules were used.
    async fn spec_version(&self) -> u32 {
        self.join.spec_version
    }

    /// Every neuron of the epoch, by uid.
    #[graphql(complexity = "cost::neurons(None, &uids, child_complexity)")]
    async fn rows(
        &self,
        #[graphql(desc = "Only these uids; without it all.")] uids: Option<Vec<u16>>,
    ) -> Vec<ScoreJoinRow<'_>> {
        let rows = self.join.rows.iter();
        let wanted = |uid: u16| uids.as_ref().is_none_or(|uids| uids.contains(&uid));
        rows.filter(|row| wanted(row.uid.0))
            .map(ScoreJoinRow)
            .collect()
    }

    /// Validators with active stake or weights that count, by uid.
    #[graphql(complexity = "64 * child_complexity")]
    async fn validators(&self) -> Vec<ScoreJoinValidator> {
        self.join.validators.iter().map(Into::into).collect()
    }

    /// Inputs of which the likeliest value is known but not proven, in words.
    async fn doubts(&self) -> &[String] {
        &self.join.doubts
    }

    /// What the next epoch would say if it ran in the block after the highest stored one, with the
    /// state of that; null when it cannot be told, see `forecastMissing`.
    async fn forecast(&self) -> Option<ScoreForecast> {
        self.join.forecast.as_ref().ok().map(Into::into)
    }

    /// Why there is no forecast; null when there is one.
    async fn forecast_missing(&self) -> Option<&str> {
        self.join.forecast.as_ref().err().map(String::as_str)
    }
}

/// A row as shown.
pub(crate) struct ScoreJoinRow<'a>(&'a ScoreRow);

/// One neuron: its score, what validators gave it, and what came of that.
#[Object]
impl ScoreJoinRow<'_> {
    /// Number of the neuron in the epoch.
    async fn uid(&self) -> u16 {
        self.0.uid.0
    }

    /// Its hotkey in the epoch; null for a uid without one.
    async fn hotkey(&self) -> Option<Account> {
        self.0.hotkey.map(Account)
    }

    /// Its newest score when the block was made, in the profile's own measure; null when there is no
    /// record, or the profile gave none.
    async fn score(&self) -> Option<f64> {
        self.0.score
    }

    /// Its place among the hotkeys of the subnet that have a score, from 1; those with equal scores
    /// share the best place. Null without a score.
    async fn rank(&self) -> Option<u32> {
        self.0.rank
    }

    /// Number of the record that holds the score; null without a record.
    async fn score_number(&self) -> Option<U64> {
        self.0.score_number.map(U64)
    }

    /// Challenge of the score; null without a record.
    async fn challenge(&self) -> Option<&str> {
        self.0.challenge.as_deref()
    }

    /// Profile of the score; null without a record.
    async fn profile(&self) -> Option<&str> {
        self.0.profile.as_deref()
    }

    /// What each validator of the epoch gives it, by uid.
    #[graphql(complexity = "cost::listed_or(&validators, 64, child_complexity)")]
    async fn weights(
        &self,
        #[graphql(desc = "Only these validators, by uid; without it all.")] validators: Option<
            Vec<u16>,
        >,
    ) -> Vec<ScoreJoinWeight> {
        let wanted = |uid: u16| validators.as_ref().is_none_or(|list| list.contains(&uid));
        let weights = self.0.weights.iter();
        weights
            .filter(|weight| wanted(weight.validator.0))
            .map(|weight| ScoreJoinWeight {
                validator: weight.validator.0,
                raw: weight.raw,
                normalised: weight.normalised.into(),
                clipped: weight.clipped.into(),
            })
            .collect()
    }

    /// Stake-weighted median of the weights: no weight counts above it. A share of one.
    async fn consensus(&self) -> Fixed {
        self.0.consensus.into()
    }

    /// Stake-weighted sum of the weights before they are cut at the consensus, a share of one.
    async fn before_clipping(&self) -> Fixed {
        self.0.before_clipping.into()
    }

    /// The same after: the rank of the epoch, a share of one.
    async fn after_clipping(&self) -> Fixed {
        self.0.after_clipping.into()
    }

    /// Part of the sum that clipping took, 0 to 1; null when the sum is 0.
    async fn clipped_share(&self) -> Option<f64> {
        self.0.clipped_share
    }

    /// Incentive as computed again, of 65535; null when the epoch gave the uid none.
    async fn incentive(&self) -> Option<u16> {
        self.0.incentive
    }

    /// Incentive as the chain stored it at the end of the block, of 65535; null when nothing is
    /// stored, or another hotkey has the uid by then.
    async fn stored_incentive(&self) -> Option<u16> {
        self.0.stored_incentive
    }
}

/// What a validator gives a neuron.
#[derive(SimpleObject)]
struct ScoreJoinWeight {
    /// Number of the validator.
    validator: u16,
    /// The stored weight, of 65535; null when its row does not name the neuron.
    raw: Option<u16>,
    /// The weight after masks, as a share of its row.
    normalised: Fixed,
    /// The same cut at the consensus.
    clipped: Fixed,
}

/// One validator: how its weights go with the scores, and what of them was cut.
#[derive(SimpleObject)]
struct ScoreJoinValidator {
    /// Number of the validator.
    uid: u16,
    /// Its hotkey in the epoch; null for a uid without one.
    hotkey: Option<Account>,
    /// Its share of the stake that counts: active, and with a permit.
    active_stake: Fixed,
    /// How many hotkeys with a score its correlations are made of; its own is not among them.
    compared: u32,
    /// Pearson's correlation of score and weight, -1 to 1; null with fewer than two hotkeys, or when
    /// all scores or all weights are equal.
    pearson: Option<f64>,
    /// Spearman's correlation, that of their ranks, -1 to 1; null as `pearson`.
    spearman: Option<f64>,
    /// Weight wasted by clipping: part of its row, of one, that was cut at the consensus.
    wasted: Fixed,
    /// Validator trust as computed again, of 65535; null when the epoch gave the uid none.
    validator_trust: Option<u16>,
    /// Validator trust as the chain stored it at the end of the block, of 65535; null when nothing is
    /// stored, or another hotkey has the uid by then.
    stored_validator_trust: Option<u16>,
}

impl From<&ScoreValidator> for ScoreJoinValidator {
    fn from(validator: &ScoreValidator) -> Self {
        Self {
            uid: validator.uid.0,
            hotkey: validator.hotkey.map(Account),
            active_stake: validator.active_stake.into(),
            compared: validator.compared,
            pearson: validator.pearson,
            spearman: validator.spearman,
            wasted: validator.wasted.into(),
            validator_trust: validator.trust,
            stored_validator_trust: validator.stored_trust,
        }
    }
}

/// The next epoch, as far as it can be told before it runs: nothing happens in its block but the epoch.
#[derive(SimpleObject)]
struct ScoreForecast {
    /// Height of the block in which it would run: one above the highest stored block.
    block_number: u32,
    /// Validators with active stake or weights that count, by uid.
    #[graphql(complexity = "64 * child_complexity")]
    validators: Vec<ForecastValidator>,
    /// Inputs of which the likeliest value is known but not proven, in words.
    doubts: Vec<String>,
}

/// A validator in the next epoch.
#[derive(SimpleObject)]
struct ForecastValidator {
    /// Number of the validator at the highest stored block.
    uid: u16,
    /// Its hotkey; null for a uid without one.
    hotkey: Option<Account>,
    /// Validator trust that it would get, of 65535.
    validator_trust: u16,
    /// Part of its row, of one, that would be cut at the consensus.
    wasted: Fixed,
}

impl From<&ports::ScoreForecast> for ScoreForecast {
    fn from(forecast: &ports::ScoreForecast) -> Self {
        let validators = forecast.validators.iter();
        Self {
            block_number: forecast.block,
            validators: validators
                .map(|validator| ForecastValidator {
                    uid: validator.uid.0,
                    hotkey: validator.hotkey.map(Account),
                    validator_trust: validator.trust,
                    wasted: validator.wasted.into(),
                })
                .collect(),
            doubts: forecast.doubts.clone(),
        }
    }
}
