//! Scores of miners: the lease part, the challenge part, the weight.

use thiserror::Error;

use super::parameters::Parameters;

/// Why a miner's score is zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Zero {
    /// It is offline.
    #[error("the miner is offline")]
    Offline,
    /// It has neither a lease nor a challenge.
    #[error("the miner has no leased worker and no worker with a right answer that counts")]
    Nothing,
}

/// Score of a miner with what it is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct MinerScore<'a> {
    /// Its hotkey.
    pub hotkey: &'a str,
    /// The score, 0 to the sum of the two weights.
    pub composite: f64,
    /// Sum of its best workers' scores.
    pub raw_challenge: f64,
    /// Workers in that sum.
    pub challenge_workers: usize,
    /// The sum as a share of the best miner's.
    pub challenge_norm: f64,
    /// What counts as its challenge part: the share, or the mean of all miners when a worker
    /// is leased.
    pub challenge: f64,
    /// Whether the mean of all miners took the place of its own share.
    pub replaced: bool,
    /// Mean lease of its best workers, at most 1.
    pub lease: f64,
    /// Workers that it has.
    pub workers: usize,
    /// Its weight: a share of all scores; the same for all when all scores are zero.
    pub weight: f64,
    /// The weight that is submitted: 0 when the miner is offline, or all scores are zero.
    pub submitted: f64,
    /// Why the score is zero.
    pub zero: Option<Zero>,
}

/// Sum of the greatest numbers, at most `cap` of them, and how many these are.
pub(super) fn top(numbers: impl Iterator<Item = f64>, cap: usize) -> (f64, usize) {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(|a, b| b.total_cmp(a));
    numbers.truncate(cap);
    (numbers.iter().sum(), numbers.len())
}

/// A number of workers, as a float.
#[expect(
    clippy::cast_precision_loss,
    reason = "a number of miners or workers is far below 2^53"
)]
pub(super) fn count(number: usize) -> f64 {
    number as f64
}

/// The lease part: the mean of the greatest leases, at most 1.
pub(super) fn lease(parameters: &Parameters, leases: &[f64]) -> f64 {
    let (sum, counted) = top(leases.iter().copied(), parameters.worker_cap);
    if sum > 0.0 {
        (sum / count(counted)).min(1.0)
    } else {
        0.0
    }
}

/// Puts the two parts together.
pub(super) fn compose(
    parameters: &Parameters,
    miner: &mut MinerScore<'_>,
    online: bool,
    average: f64,
) {
    miner.replaced = miner.lease > 0.0;
    miner.challenge = if miner.replaced {
        average
    } else {
        miner.challenge_norm
    };
    miner.zero = if !online {
        Some(Zero::Offline)
    } else if miner.lease <= 0.0 && miner.challenge <= 0.0 {
        Some(Zero::Nothing)
    } else {
        None
    };
    miner.composite = match miner.zero {
        Some(_) => 0.0,
        None => {
            miner.challenge * parameters.challenge_weight + miner.lease * parameters.lease_weight
        }
    };
}

/// Makes weights of the scores; `miners` in the order of their hotkeys.
pub(super) fn weigh(miners: &mut [MinerScore<'_>]) {
    let total: f64 = miners.iter().map(|miner| miner.composite).sum();
    let uniform = 1.0 / count(miners.len());
    for miner in miners.iter_mut() {
        miner.weight = if total > 0.0 {
            (miner.composite / total).clamp(0.0, 1.0)
        } else {
            uniform
        };
    }
    let sum: f64 = miners.iter().map(|miner| miner.weight).sum();
    if total > 0.0 && sum > 0.0 {
        for miner in miners.iter_mut() {
            miner.weight /= sum;
        }
    }
    for miner in miners {
        // The same weight for all is kept, but nothing is sent of it.
        let sent = total > 0.0 && miner.zero != Some(Zero::Offline);
        miner.submitted = if sent { miner.weight } else { 0.0 };
    }
}
