//! Local scores beside what the chain made of the weights: an epoch, hotkey by hotkey.
//!
//! The epoch is computed again from the stored inputs ([`indexer::whatif::epoch`]); what the
//! chain stored stands beside it. A score is the newest one that had come in when the block
//! of the epoch was made. The forecast runs the same engine on the state of the highest
//! stored block, as if the next block ran the epoch.

mod correlation;

use std::collections::BTreeMap;

use chain_metadata::{AccountId, BlockNumber, MechId, NetUid, SpecVersion, Uid};
use indexer::store::{Store, StoreError};
use indexer::view;
use indexer::whatif::{self, Epoch, Key, WhatIfError};
use scoring::fixed::I32F32;
use scoring::yuma::{EpochOutputs, Scratch, Trace, epoch_observed};

use crate::ledger::{Latest, Ledger, LedgerError, Seq, Whose};
use crate::record::Record;

pub use correlation::{pearson, ranks, spearman};

/// Which join is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The subnet.
    pub netuid: NetUid,
    /// The mechanism.
    pub mechanism: MechId,
    /// The block in which the epoch ran.
    pub block: BlockNumber,
    /// Scores of this challenge; of whichever was scored last when `None`.
    pub challenge: Option<String>,
    /// Scores by this profile; by whichever was last when `None`.
    pub profile: Option<String>,
    /// Whose scores.
    pub whose: Whose,
}

/// Why there is no join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// The epoch is not there, or cannot be computed.
    #[error(transparent)]
    Epoch(#[from] WhatIfError),
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl From<StoreError> for JoinError {
    fn from(error: StoreError) -> JoinError {
        JoinError::Epoch(error.into())
    }
}

/// A hotkey's score.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Number of the record.
    pub seq: Seq,
    /// Name of the challenge.
    pub challenge: String,
    /// Name of the profile.
    pub profile: String,
    /// The score; `None` when the profile gave none.
    pub score: Option<f64>,
    /// Place among the hotkeys of the subnet that have a score, from 1; those with equal
    /// scores share the best place. `None` without a score.
    pub rank: Option<u32>,
}

/// What one validator gives a hotkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Weight {
    /// The validator.
    pub validator: Uid,
    /// As stored, of 65535; `None` when its row does not name the hotkey's uid.
    pub raw: Option<u16>,
    /// Its share of the row after masks.
    pub normalised: I32F32,
    /// The same cut at the consensus.
    pub clipped: I32F32,
}

/// One hotkey of the subnet.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its uid in the epoch.
    pub uid: Uid,
    /// The hotkey; `None` for a uid without one.
    pub hotkey: Option<AccountId>,
    /// Its newest score; `None` when there is none.
    pub scored: Option<Scored>,
    /// What validators with a row that counts give it, by uid.
    pub weights: Vec<Weight>,
    /// Stake-weighted median of the weights.
    pub consensus: I32F32,
    /// Stake-weighted sum of the weights before they are cut.
    pub before_clipping: I32F32,
    /// The same after: the rank of the epoch.
    pub after_clipping: I32F32,
    /// Share of the sum that clipping took, 0 to 1; `None` when the sum is zero.
    pub clipped_share: Option<f64>,
    /// `Incentive` as computed, of 65535.
    pub incentive: Option<u16>,
    /// `Incentive` as the chain stored it in that block, of 65535; `None` when it has none, or
    /// another hotkey has the uid at the end of the block.
    pub stored_incentive: Option<u16>,
}

/// One validator of the epoch: a uid with active stake or a row of weights that counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Validator {
    /// Its uid.
    pub uid: Uid,
    /// Its hotkey; `None` for a uid without one.
    pub hotkey: Option<AccountId>,
    /// Its share of the stake that counts.
    pub active_stake: I32F32,
    /// Hotkeys that have a score, of whose weights the correlation is made.
    pub compared: u32,
    /// Pearson's correlation of score and weight; `None` with fewer than two hotkeys, or when
    /// all scores or all weights are equal.
    pub pearson: Option<f64>,
    /// Spearman's, of their ranks.
    pub spearman: Option<f64>,
    /// Part of its row that clipping took: weight that went nowhere.
    pub wasted: I32F32,
    /// `ValidatorTrust` as computed, of 65535.
    pub trust: Option<u16>,
    /// `ValidatorTrust` as the chain stored it, of 65535; `None` as in [`Row::stored_incentive`].
    pub stored_trust: Option<u16>,
}

/// A validator in the next epoch, as far as it can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreseen {
    /// Its uid at the highest stored block.
    pub uid: Uid,
    /// Its hotkey.
    pub hotkey: Option<AccountId>,
    /// `ValidatorTrust` that it would get, of 65535.
    pub trust: u16,
    /// Part of its row that would be cut.
    pub wasted: I32F32,
}

/// The next epoch, as far as it can be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// The block in which it would run: the one after the highest stored block.
    pub block: BlockNumber,
    /// Its validators, by uid.
    pub validators: Vec<Foreseen>,
    /// Inputs without a proof, in words.
    pub doubts: Vec<String>,
}

/// Scores beside an epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Join {
    /// Runtime whose rules were used.
    pub spec: SpecVersion,
    /// All uids, ascending.
    pub rows: Vec<Row>,
    /// Validators, by uid.
    pub validators: Vec<Validator>,
    /// Inputs without a proof, in words.
    pub doubts: Vec<String>,
    /// What the next epoch would say; the reason when it cannot be told.
    pub forecast: Result<Forecast, String>,
}

/// Puts scores beside an epoch.
///
/// # Errors
///
/// [`JoinError`]: no such epoch, an input of it is not known, or a row is damaged.
pub fn join(ledger: &Ledger, wanted: &Wanted) -> Result<Join, JoinError> {
    let store = ledger.store();
    let key = Key {
        netuid: wanted.netuid,
        mechanism: wanted.mechanism,
        block: wanted.block,
    };
    let epoch = whatif::epoch(store, key)?;
    let (trace, outputs) = computed(&epoch)?;
    let at = view::at(store, wanted.block)?;
    let until_ms = at.as_ref().and_then(|at| at.row.timestamp_ms);
    let neurons = match &at {
        Some(at) => view::metagraph(store, at, wanted.netuid, wanted.mechanism)?,
        None => None,
    };
    let neurons = neurons.unwrap_or_default();
    let stored = |uid: usize| {
        let hotkey = epoch.hotkeys.get(uid).copied().flatten();
        neurons.get(uid).filter(|n| Some(n.hotkey) == hotkey)
    };
    let scores = scores(ledger, wanted, until_ms, &epoch.hotkeys)?;
    let voters = voters(&trace);
    let stored_rows = epoch.inputs.weights.iter();
    let stored_rows: BTreeMap<u16, BTreeMap<u16, u16>> = stored_rows
        .map(|row| (row.uid, row.entries.iter().copied().collect()))
        .collect();
    let raw = |validator: u16, uid: u16| stored_rows.get(&validator)?.get(&uid).copied();
    let columns = Columns::of(&trace);

    let mut rows = Vec::with_capacity(usize::from(epoch.inputs.n));
    for (uid, place) in (0..epoch.inputs.n).zip(0_usize..) {
        let weights = voters.iter().map(|validator| Weight {
            validator: Uid(*validator),
            raw: raw(*validator, uid),
            normalised: columns.normalised(*validator, uid),
            clipped: columns.clipped(*validator, uid),
        });
        let number = |list: &[I32F32]| list.get(place).copied().unwrap_or(I32F32::ZERO);
        let (before, after) = (number(&trace.preranks), number(&trace.ranks));
        rows.push(Row {
            uid: Uid(uid),
            hotkey: epoch.hotkeys.get(place).copied().flatten(),
            scored: scores.get(&uid).cloned(),
            weights: weights.collect(),
            consensus: number(&trace.consensus),
            before_clipping: before,
            after_clipping: after,
            clipped_share: share(before, after),
            incentive: outputs.incentive.get(place).copied(),
            stored_incentive: stored(place).and_then(|n| n.incentive),
        });
    }
    let scored: Vec<(u16, f64)> = scores
        .iter()
        .filter_map(|(uid, scored)| Some((*uid, scored.score?)))
        .collect();
    let validators = voters.iter().map(|uid| {
        let place = usize::from(*uid);
        // A validator does not weigh itself.
        let others = scored.iter().filter(|(of, _)| of != uid);
        let (x, y): (Vec<f64>, Vec<f64>) = others
            .map(|(of, score)| (*score, float(columns.normalised(*uid, *of))))
            .unzip();
        Validator {
            uid: Uid(*uid),
            hotkey: epoch.hotkeys.get(place).copied().flatten(),
            active_stake: trace
                .active_stake
                .get(place)
                .copied()
                .unwrap_or(I32F32::ZERO),
            compared: u32::try_from(x.len()).unwrap_or(u32::MAX),
            pearson: pearson(&x, &y),
            spearman: spearman(&x, &y),
            wasted: columns.wasted(*uid),
            trust: outputs.validator_trust.get(place).copied(),
            stored_trust: stored(place).and_then(|n| n.validator_trust),
        }
    });
    Ok(Join {
        spec: epoch.inputs.rules.spec,
        validators: validators.collect(),
        rows,
        doubts: epoch.doubts,
        forecast: foreseen(store, wanted.netuid, wanted.mechanism)?,
    })
}

/// The next epoch's validators, as the state of the highest stored block has them.
///
/// # Errors
///
/// When the store's engine fails; what is not known is the inner error, a sentence.
pub fn foreseen(
    store: &Store,
    netuid: NetUid,
    mechanism: MechId,
) -> Result<Result<Forecast, String>, JoinError> {
    let told = || -> Result<Forecast, WhatIfError> {
        let epoch = whatif::forecast(store, netuid, mechanism)?;
        let (trace, outputs) = computed(&epoch)?;
        let columns = Columns::of(&trace);
        let validators = voters(&trace).into_iter().map(|uid| Foreseen {
            uid: Uid(uid),
            hotkey: epoch.hotkeys.get(usize::from(uid)).copied().flatten(),
            trust: outputs
                .validator_trust
                .get(usize::from(uid))
                .copied()
                .unwrap_or(0),
            wasted: columns.wasted(uid),
        });
        Ok(Forecast {
            block: epoch.key.block,
            validators: validators.collect(),
            doubts: epoch.doubts,
        })
    };
    match told() {
        Ok(forecast) => Ok(Ok(forecast)),
        Err(WhatIfError::Store(error)) => Err(error.into()),
        Err(error) => Ok(Err(error.to_string())),
    }
}

fn computed(epoch: &Epoch) -> Result<(Trace, EpochOutputs), WhatIfError> {
    let mut trace = Trace::default();
    let outputs = epoch_observed(&epoch.inputs, &mut Scratch::default(), &mut trace);
    let outputs = outputs
        .map_err(|error| WhatIfError::NotFound(format!("the epoch cannot be computed: {error}")))?;
    Ok((trace, outputs))
}

/// Uids with active stake or a row of weights that counts, ascending.
fn voters(trace: &Trace) -> Vec<u16> {
    let has_stake = |uid: usize| {
        trace
            .active_stake
            .get(uid)
            .is_some_and(|s| *s > I32F32::ZERO)
    };
    let has_row = |uid: usize| trace.weights.get(uid).is_some_and(|row| !row.is_empty());
    let all = (0..=u16::MAX).zip(0..trace.weights.len().max(trace.active_stake.len()));
    all.filter(|(_, place)| has_stake(*place) || has_row(*place))
        .map(|(uid, _)| uid)
        .collect()
}

/// The rows of weights, before and after they are cut, by validator and uid.
struct Columns {
    normalised: Vec<BTreeMap<u16, I32F32>>,
    clipped: Vec<BTreeMap<u16, I32F32>>,
}

impl Columns {
    fn of(trace: &Trace) -> Columns {
        let by_uid = |rows: &Vec<Vec<(u16, I32F32)>>| {
            let rows = rows.iter();
            rows.map(|row| row.iter().copied().collect()).collect()
        };
        Columns {
            normalised: by_uid(&trace.weights),
            clipped: by_uid(&trace.clipped),
        }
    }

    fn normalised(&self, validator: u16, uid: u16) -> I32F32 {
        cell(&self.normalised, validator, uid)
    }

    fn clipped(&self, validator: u16, uid: u16) -> I32F32 {
        cell(&self.clipped, validator, uid)
    }

    /// What clipping took of a row.
    fn wasted(&self, validator: u16) -> I32F32 {
        let sum = |rows: &[BTreeMap<u16, I32F32>]| {
            let row = rows.get(usize::from(validator));
            let bits = row.into_iter().flat_map(BTreeMap::values);
            bits.fold(0_i64, |sum, value| sum.saturating_add(value.to_bits()))
        };
        I32F32::from_bits(sum(&self.normalised).saturating_sub(sum(&self.clipped)))
    }
}

fn cell(rows: &[BTreeMap<u16, I32F32>], validator: u16, uid: u16) -> I32F32 {
    let row = rows.get(usize::from(validator));
    let found = row.and_then(|row| row.get(&uid)).copied();
    found.unwrap_or(I32F32::ZERO)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "statistics; the bits are kept beside it"
)]
fn float(number: I32F32) -> f64 {
    number.to_bits() as f64 / 4_294_967_296.0
}

/// How much of a sum was taken, as a share of it.
fn share(before: I32F32, after: I32F32) -> Option<f64> {
    (before > I32F32::ZERO).then(|| {
        let (before, after) = (float(before), float(after));
        ((before - after) / before).clamp(0.0, 1.0)
    })
}

/// The newest score of every uid's hotkey, ranked.
fn scores(
    ledger: &Ledger,
    wanted: &Wanted,
    until_ms: Option<u64>,
    hotkeys: &[Option<AccountId>],
) -> Result<BTreeMap<u16, Scored>, JoinError> {
    let found = ledger.latest_scores(&Latest {
        netuid: wanted.netuid.0,
        challenge: wanted.challenge.clone(),
        profile: wanted.profile.clone(),
        whose: wanted.whose,
        until_ms,
    })?;
    let mut by_subject = BTreeMap::new();
    // In the order of their numbers: of several challenges the newest stays.
    for (seq, entry) in found {
        let Record::Score(score) = entry.record else {
            continue;
        };
        let scored = Scored {
            seq,
            challenge: entry.challenge,
            profile: score.profile,
            score: score.score,
            rank: None,
        };
        by_subject.insert(entry.subject, scored);
    }
    let mut scores = BTreeMap::new();
    for (uid, hotkey) in (0_u16..=u16::MAX).zip(hotkeys) {
        let found = hotkey.and_then(|hotkey| by_subject.remove(&hotkey.to_string()));
        if let Some(scored) = found {
            scores.insert(uid, scored);
        }
    }
    let mut all: Vec<f64> = scores.values().filter_map(|s| s.score).collect();
    all.sort_by(|a, b| b.total_cmp(a));
    for scored in scores.values_mut() {
        let Some(score) = scored.score else { continue };
        let better = all.partition_point(|other| *other > score);
        scored.rank = u32::try_from(better).ok().and_then(|n| n.checked_add(1));
    }
    Ok(scores)
}
