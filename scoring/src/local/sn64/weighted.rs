//! P1, P1b and P2: a weighted sum of features, each as a share of its total.

use super::{Miner, Note, Shares, beaten, finish, float, sum};

/// How much the features count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// Compute units.
    pub units: f64,
    /// Invocations.
    pub invocations: f64,
    /// Distinct chutes.
    pub unique: f64,
    /// Bounties.
    pub bounties: f64,
}

/// The weights by the first day on which they were in force.
pub const WEIGHTS: &[(&str, Weights)] = &[
    ("2025-02-14", weights(0.35, 0.30, 0.25, 0.10)),
    ("2025-02-18", weights(0.45, 0.25, 0.20, 0.10)),
    ("2025-05-07", weights(0.50, 0.25, 0.15, 0.10)),
    ("2025-06-15", weights(0.55, 0.25, 0.15, 0.05)),
    ("2025-07-21", weights(0.53, 0.20, 0.20, 0.07)),
    ("2025-09-10", weights(0.52, 0.20, 0.20, 0.08)),
];

const fn weights(units: f64, invocations: f64, unique: f64, bounties: f64) -> Weights {
    Weights {
        units,
        invocations,
        unique,
        bounties,
    }
}

/// The weights of `sn64-p1`.
pub const P1: Weights = weights(0.35, 0.30, 0.25, 0.10);
/// The weights of `sn64-p1b`.
pub const P1B: Weights = weights(0.50, 0.25, 0.15, 0.10);
/// The weights of `sn64-p2`.
pub const P2: Weights = weights(0.52, 0.20, 0.20, 0.08);

/// How the count of chutes is bent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bend {
    /// `sn64-p1b`: the middle is the mean, the powers 1.2 and 2.0.
    Mean,
    /// `sn64-p2`: the middle is the median, the powers 1.3 and 2.2.
    Median,
}

/// P1: shares of totals, weighted. A feature that nobody has gives nobody anything, and
/// the shares then sum to less than 1: the original does not normalise them again.
///
/// ```
/// use scoring::local::sn64::{Features, Miner, weighted};
/// let only = Miner { features: Features { units: 7.0, ..Default::default() }, coldkey: None };
/// assert_eq!(weighted::p1(&[only]).shares, [0.35]);
/// ```
pub fn p1(miners: &[Miner]) -> Shares {
    let mut notes = Vec::new();
    if miners.is_empty() {
        notes.push(Note::NoMiners);
    }
    let unique: Vec<f64> = miners.iter().map(|m| m.features.unique).collect();
    let shares = weigh(miners, &unique, P1, &mut notes);
    Shares {
        before: shares.clone(),
        beaten_by: vec![None; shares.len()],
        shares,
        notes,
    }
}

/// P1b and P2: chutes are bent around their middle, features weighted, and of every
/// coldkey only the best hotkey is kept. When nobody has a chute the feature gives
/// nobody anything (the original divides by zero); when all scores are zero so are the
/// shares.
pub fn p2(miners: &[Miner], weights: Weights, bend: Bend) -> Shares {
    let mut notes = Vec::new();
    let unique = bent(miners, bend);
    let before = weigh(miners, &unique, weights, &mut notes);
    let beaten_by = beaten(miners, &before);
    finish(before, beaten_by, false, notes)
}

/// The middle of the counts of chutes that are not zero: mean or median; `None` when all are.
pub fn middle(miners: &[Miner], bend: Bend) -> Option<f64> {
    let mut some: Vec<f64> = miners.iter().map(|m| m.features.unique).collect();
    some.retain(|unique| *unique > 0.0);
    if some.is_empty() {
        return None;
    }
    match bend {
        Bend::Mean => Some(sum(some.iter().copied()) / float(some.len())),
        Bend::Median => median(&mut some),
    }
}

/// The continuous median: the middle one, or halfway between the two in the middle;
/// `None` without values. The values are sorted in part.
///
/// ```
/// use scoring::local::sn64::weighted::median;
/// assert_eq!(median(&mut [4.0, 1.0, 2.0]), Some(2.0));
/// assert_eq!(median(&mut [4.0, 1.0, 2.0, 8.0]), Some(3.0));
/// assert_eq!(median(&mut []), None);
/// ```
pub fn median(values: &mut [f64]) -> Option<f64> {
    let half = values.len() / 2;
    if values.is_empty() {
        return None;
    }
    let odd = values.len() % 2 == 1;
    let (below, upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let upper = *upper;
    if odd {
        return Some(upper);
    }
    let lower = below.iter().copied().max_by(f64::total_cmp)?;
    Some((lower + upper) / 2.0)
}

fn bent(miners: &[Miner], bend: Bend) -> Vec<f64> {
    let unique = || miners.iter().map(|m| m.features.unique);
    let highest = unique().fold(0.0, f64::max);
    let Some(middle) = middle(miners, bend) else {
        return vec![0.0; miners.len()];
    };
    let (upper, lower) = match bend {
        Bend::Mean => (1.2, 2.0),
        Bend::Median => (1.3, 2.2),
    };
    unique()
        .map(|unique| {
            let power = if unique >= middle { upper } else { lower };
            (unique / highest).powf(power)
        })
        .collect()
}

fn weigh(miners: &[Miner], unique: &[f64], weights: Weights, notes: &mut Vec<Note>) -> Vec<f64> {
    let mut total = |what, values: &mut dyn Iterator<Item = f64>| {
        let total = sum(values);
        if total > 0.0 {
            return total;
        }
        if !miners.is_empty() {
            notes.push(Note::NoneHas(what));
        }
        1.0
    };
    let features = || miners.iter().map(|m| m.features);
    let units = total("compute units", &mut features().map(|f| f.units));
    let invocations = total("invocations", &mut features().map(|f| f.invocations));
    let chutes = total("chutes", &mut unique.iter().copied());
    let bounties = total("bounties", &mut features().map(|f| f.bounties));
    features()
        .zip(unique)
        .map(|(f, unique)| {
            // In this order: the last bits depend on it.
            f.units / units * weights.units
                + f.invocations / invocations * weights.invocations
                + unique / chutes * weights.unique
                + f.bounties / bounties * weights.bounties
        })
        .collect()
}
