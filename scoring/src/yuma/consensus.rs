//! Stage 5: the stake-weighted median of each column.

use super::matrix::Matrix;
use super::stake::normalise;
use crate::fixed::I32F32;

/// A score above zero and the stake behind it in one word: the score less one (it is at most `2^32`) in the upper half, the stake in the lower.
type Vote = u64;

/// Buffers of the median.
#[derive(Debug, Default)]
pub(crate) struct Votes {
    /// Where the votes of each column start.
    starts: Vec<u32>,
    /// Where they end, or the next one goes.
    ends: Vec<u32>,
    votes: Vec<Vote>,
    lower: Vec<Vote>,
    upper: Vec<Vote>,
}

/// For each miner, the least score that more than the minority of active stake does not exceed.
///
/// Only validators with active stake vote, and a missing weight is a vote for zero. The chain finds the score by splitting the votes at a pivot; which pivots it
/// takes does not change the result: it is the least score for which the stake of all votes up to it is greater than `sum - kappa`, or the greatest
/// score if there is none.
pub(crate) fn consensus(
    kappa: I32F32,
    active_stake: &[I32F32],
    weights: Matrix<'_>,
    buffers: &mut Votes,
) -> Vec<I32F32> {
    let mut consensus = vec![I32F32::ZERO; active_stake.len()];
    // Normalised a second time: zeros stay zero, so this is the vector of the voters alone.
    let mut stake = active_stake.to_vec();
    normalise(&mut stake);
    let voters = stake.iter().filter(|stake| **stake > I32F32::ZERO).count();
    if voters <= 1 {
        // A single voter decides alone.
        for (uid, row) in weights
            .pattern
            .rows()
            .filter(|(uid, _)| stake[*uid] > I32F32::ZERO)
        {
            debug_assert!(uid < stake.len());
            for (column, score) in weights.pattern.columns[row.clone()]
                .iter()
                .zip(&weights.values[row])
            {
                consensus[usize::from(*column)] = *score;
            }
        }
        return consensus;
    }
    let total: I32F32 = stake.iter().sum();
    let minority = total.saturating_sub(kappa).to_bits();
    let total = total.to_bits();

    buffers.collect(&stake, weights, voters);
    let Votes {
        starts,
        ends,
        votes,
        lower,
        upper,
    } = buffers;
    for (consensus, (start, end)) in consensus.iter_mut().zip(starts.iter().zip(&*ends)) {
        let column = &mut votes[*start as usize..*end as usize];
        let voted: u64 = column.iter().map(|vote| vote & STAKE).sum();
        // Votes for zero are the least: only their stake is needed.
        let silent = total - i64::try_from(voted).unwrap_or(i64::MAX);
        if column.is_empty() || (column.len() < voters && silent > minority) {
            continue;
        }
        let score = weighted_median(column, minority - silent, lower, upper);
        *consensus = I32F32::from_unsigned_bits(score + 1);
    }
    consensus
}

const STAKE: u64 = u32::MAX as u64;

impl Votes {
    /// Sorts all votes above zero into columns. With two voters or more, no stake reaches one.
    fn collect(&mut self, stake: &[I32F32], weights: Matrix<'_>, voters: usize) {
        let Self {
            starts,
            ends,
            votes,
            ..
        } = self;
        let rows = || {
            weights
                .pattern
                .rows()
                .filter(|(uid, _)| stake[*uid] > I32F32::ZERO)
        };
        let entries: usize = rows().map(|(_, row)| row.len()).sum();
        let spacious = stake.len().saturating_mul(voters);
        starts.clear();
        if spacious <= entries.saturating_mul(4) && u32::try_from(spacious).is_ok() {
            // Most cells are taken: a place for every voter in every column, and nothing to count.
            starts.extend(
                (0..stake.len()).map(|column| u32::try_from(column * voters).unwrap_or(u32::MAX)),
            );
            votes.resize(spacious.max(votes.len()), 0);
        } else {
            starts.resize(stake.len(), 0);
            for (_, row) in rows() {
                for column in &weights.pattern.columns[row] {
                    starts[usize::from(*column)] += 1;
                }
            }
            let mut sum = 0;
            for start in starts.iter_mut() {
                (*start, sum) = (sum, sum + *start);
            }
            votes.resize(entries.max(votes.len()), 0);
        }
        ends.clone_from(starts);
        for (uid, row) in rows() {
            let stake = stake[uid].unsigned_bits();
            for (column, score) in weights.pattern.columns[row.clone()]
                .iter()
                .zip(&weights.values[row])
            {
                let end = &mut ends[usize::from(*column)];
                // A score of zero is overwritten by the next vote.
                votes[*end as usize] = score.unsigned_bits().wrapping_sub(1) << 32 | stake;
                *end += u32::from(*score > I32F32::ZERO);
            }
        }
    }
}

/// The least score for which the stake of the votes up to it is greater than `minority`, or the greatest score. There is at least one vote.
///
/// Each round splits the votes at a pivot and goes on with one side. Every vote is written to both sides and counted on the one it belongs to: a
/// branch would be mispredicted every other time.
fn weighted_median(
    votes: &mut [Vote],
    minority: i64,
    lower: &mut Vec<Vote>,
    upper: &mut Vec<Vote>,
) -> u64 {
    lower.resize(votes.len().max(lower.len()), 0);
    upper.resize(votes.len().max(upper.len()), 0);
    // Below zero even the least score is enough, as it is at zero: stakes are positive.
    let mut minority = u64::try_from(minority).unwrap_or(0);
    let mut len = votes.len();
    loop {
        let votes = &mut votes[..len];
        let pivot = pivot(votes);
        let (lower, upper) = (&mut lower[..len], &mut upper[..len]);
        let (mut below, mut above) = (0usize, 0usize);
        let mut stake_below = 0u64;
        // The votes for the pivot's score, whatever their stake.
        let (least, greatest) = (pivot & !STAKE, pivot | STAKE);
        for vote in votes.iter() {
            let (is_below, is_above) = (*vote < least, *vote > greatest);
            lower[below] = *vote;
            upper[above] = *vote;
            below += usize::from(is_below);
            above += usize::from(is_above);
            stake_below += vote & STAKE & 0u64.wrapping_sub(u64::from(is_below));
        }
        // Nearly always the pivot is the only vote for its score.
        let stake_at: u64 = match len - below - above {
            1 => pivot & STAKE,
            _ => votes
                .iter()
                .filter(|vote| **vote >> 32 == pivot >> 32)
                .map(|vote| vote & STAKE)
                .sum(),
        };
        if minority < stake_below {
            votes[..below].copy_from_slice(&lower[..below]);
            len = below;
        } else if stake_below + stake_at <= minority && above > 0 {
            minority -= stake_below + stake_at;
            votes[..above].copy_from_slice(&upper[..above]);
            len = above;
        } else {
            return pivot >> 32;
        }
    }
}

/// The middle one of three votes.
#[inline]
fn pivot(votes: &[Vote]) -> Vote {
    let (a, b, c) = (votes[0], votes[votes.len() / 2], votes[votes.len() - 1]);
    a.max(b).min(a.min(b).max(c))
}

/// The median of arbitrary scores above zero with stakes below one; zero for none.
#[cfg(test)]
pub(crate) fn median_of(votes: &[(I32F32, I32F32)], minority: I32F32) -> I32F32 {
    let mut votes: Vec<Vote> = votes
        .iter()
        .map(|(score, stake)| (score.unsigned_bits() - 1) << 32 | stake.unsigned_bits())
        .collect();
    if votes.is_empty() {
        return I32F32::ZERO;
    }
    let (mut lower, mut upper) = (vec![], vec![]);
    I32F32::from_unsigned_bits(
        weighted_median(&mut votes, minority.to_bits(), &mut lower, &mut upper) + 1,
    )
}
