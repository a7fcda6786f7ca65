//! Where the consensus about a uid fell, and who decided it.

use super::{at, cell};
use crate::fixed::I32F32;
use crate::yuma::{EpochInputs, Trace};

/// The stake-weighted median of what validators say about a uid.
///
/// The votes stand in ascending order of their scores. Going up, the first one at which the stake passes the minority decides: its score is the consensus.
/// If none does (a kappa of zero), the greatest score is. A single voter decides alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Median {
    /// `Kappa` as a fraction.
    pub kappa: I32F32,
    /// Stake of all voters: one, less what normalisation rounded away. Zero without voters.
    pub total: I32F32,
    /// The threshold: `total - kappa`.
    pub minority: I32F32,
    /// All votes, by score and then by uid. A validator that gives no weight votes for zero.
    pub votes: Vec<Vote>,
    /// The validator whose vote passed the threshold; none without voters.
    pub decided_by: Option<u16>,
    /// The consensus.
    pub consensus: I32F32,
    /// `Consensus` as this epoch stores it.
    pub stored: u16,
}

/// One vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vote {
    /// The voter.
    pub validator: u16,
    /// Its normalised weight for the uid.
    pub score: I32F32,
    /// Its share of the voters' stake.
    pub stake: I32F32,
    /// Stake of this vote and all before it.
    pub up_to: I32F32,
}

/// The median of a uid. `stakes` are the voters' stakes, normalised a second time.
pub(super) fn of(inputs: &EpochInputs<'_>, trace: &Trace, stakes: &[I32F32], uid: u16) -> Median {
    let kappa = I32F32::from_u16_proportion(inputs.params.kappa);
    let total: I32F32 = stakes.iter().sum();
    let minority = total.saturating_sub(kappa);
    let voters = (0..inputs.n)
        .zip(stakes)
        .filter(|(_, stake)| **stake > I32F32::ZERO);
    let mut votes: Vec<Vote> = voters
        .map(|(validator, stake)| Vote {
            validator,
            score: cell(&trace.weights, validator, uid),
            stake: *stake,
            up_to: I32F32::ZERO,
        })
        .collect();
    votes.sort_by_key(|vote| (vote.score, vote.validator));
    let mut sum = I32F32::ZERO;
    for vote in &mut votes {
        sum = sum.saturating_add(vote.stake);
        vote.up_to = sum;
    }
    let decisive = votes.iter().find(|vote| vote.up_to > minority);
    let decisive = decisive.or(votes.last());
    let consensus = at(&trace.consensus, uid);
    Median {
        kappa,
        total,
        minority,
        decided_by: decisive.map(|vote| vote.validator),
        consensus,
        stored: consensus.to_u16_proportion(),
        votes,
    }
}
