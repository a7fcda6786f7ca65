//! Chutes, audits: what a miner did in seven days, turned into shares of the incentive.
//!
//! The subnet changed its rules many times; five of them are kept as profiles. All take
//! features of miners ([`Features`]) and answer [`Shares`]:
//!
//! * [`weighted::p1`], [`weighted::p2`]: a weighted sum of normalised features;
//! * [`bonus::p2b`]: mostly compute units, and a tenth of a bonus of three categories;
//! * [`units::p3`]: compute units only.
//!
//! Every division that the originals leave to chance has a stated result and a [`Note`].
//! Beside the shares: [`units`] of instances and their billing history, [`compare`] with
//! what is on chain, [`coverage`] of a window by reports, [`agreement`] of counts.
//!
//! Sums run in the order of the input, so that the same input gives the same bits.

pub mod agreement;
pub mod bonus;
pub mod compare;
pub mod coverage;
pub mod units;
pub mod weighted;

#[cfg(test)]
mod tests;

use super::Profile;

/// Where the revisions were published.
const AUDITOR: &str = "rayonlabs/chutes-audit";

/// The profiles.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: "sn64-p1",
        netuid: 64,
        from: Some("2025-02-14"),
        until: Some("2025-02-17"),
        summary: "Compute units .35, invocations .30, distinct chutes .25, bounties .10, each as a share of its total; times are cut to the median of the chute.",
        source: "rayonlabs/chutes-audit c24476c",
    },
    Profile {
        name: "sn64-p1b",
        netuid: 64,
        from: Some("2025-05-07"),
        until: Some("2025-06-14"),
        summary: "Weights .50/.25/.15/.10; chutes above the mean count by the power 1.2, those below by 2.0; the best hotkey of a coldkey.",
        source: AUDITOR,
    },
    Profile {
        name: "sn64-p2",
        netuid: 64,
        from: Some("2025-09-10"),
        until: Some("2025-11-06"),
        summary: "Weights .52/.20/.20/.08; chutes from the median on count by the power 1.3, those below by 2.2; the best hotkey of a coldkey.",
        source: "rayonlabs/chutes-audit 912a67c",
    },
    Profile {
        name: "sn64-p2b",
        netuid: 64,
        from: Some("2025-11-07"),
        until: Some("2026-01-04"),
        summary: "Nine tenths compute units of instances, one tenth a bonus of breadth .30, demand .35 and bounty .35; the best hotkey of a coldkey.",
        source: "chutesai/chutes-api 6d838ee",
    },
    Profile {
        name: "sn64-p3",
        netuid: 64,
        from: Some("2026-01-08"),
        until: None,
        summary: "Compute units of instances only; the best hotkey of a coldkey, without blacklisted ones.",
        source: "chutesai/chutes-audit 70780f6",
    },
];

/// Which rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rules {
    /// `sn64-p1`.
    P1,
    /// `sn64-p1b`.
    P1b,
    /// `sn64-p2`.
    P2,
    /// `sn64-p2b`.
    P2b,
    /// `sn64-p3`.
    P3,
}

impl Rules {
    /// The rules of a profile of this system, by its name.
    ///
    /// ```
    /// use scoring::local::sn64::Rules;
    /// assert_eq!(Rules::named("sn64-p2b"), Some(Rules::P2b));
    /// assert_eq!(Rules::named("sn27-r1"), None);
    /// ```
    pub fn named(name: &str) -> Option<Rules> {
        Some(match name {
            "sn64-p1" => Rules::P1,
            "sn64-p1b" => Rules::P1b,
            "sn64-p2" => Rules::P2,
            "sn64-p2b" => Rules::P2b,
            "sn64-p3" => Rules::P3,
            _ => return None,
        })
    }

    /// The name of the profile.
    pub fn name(self) -> &'static str {
        match self {
            Rules::P1 => "sn64-p1",
            Rules::P1b => "sn64-p1b",
            Rules::P2 => "sn64-p2",
            Rules::P2b => "sn64-p2b",
            Rules::P3 => "sn64-p3",
        }
    }
}

/// What a miner did. All numbers are finite and not negative; which of them count is the
/// profile's matter.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Features {
    /// Compute units: seconds times multiplier, and bounties.
    pub units: f64,
    /// Invocations that count.
    pub invocations: f64,
    /// Distinct chutes, or their GPUs on average.
    pub unique: f64,
    /// Bounties won: how many, not how much.
    pub bounties: f64,
    /// P2b only: distinct chute GPUs.
    pub breadth: f64,
    /// P2b only: see [`bonus::demand`].
    pub demand: f64,
    /// P2b only: see [`bonus::bounty`].
    pub bounty: f64,
}

/// A miner and whose it is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Miner {
    /// The caller's number of its coldkey; `None` when unknown: then it is nobody else's.
    pub coldkey: Option<u32>,
    /// What it did.
    pub features: Features,
}

/// Shares of the incentive.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shares {
    /// One a miner, in the order of the input. They sum to 1 up to rounding unless a note
    /// says otherwise.
    pub shares: Vec<f64>,
    /// Scores before coldkeys were looked at and before the last normalisation.
    pub before: Vec<f64>,
    /// For each miner the place of another one of its coldkey that was kept instead.
    pub beaten_by: Vec<Option<usize>>,
    /// What was unusual.
    pub notes: Vec<Note>,
}

/// What was unusual about an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Note {
    /// There are no miners.
    NoMiners,
    /// All are zero in this feature: it gives nobody anything.
    NoneHas(&'static str),
    /// All are equal in this category of the bonus: everyone gets the same share of it.
    AllEqual(&'static str),
    /// All scores are zero, and so are the shares.
    AllZero,
    /// All scores are zero: everyone gets the same share.
    Uniform,
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Note::NoMiners => f.write_str("there are no miners"),
            Note::NoneHas(what) => write!(f, "no miner has any {what}: it gives nobody anything"),
            Note::AllEqual(what) => write!(
                f,
                "all miners are equal in {what}: everyone gets the same share of it"
            ),
            Note::AllZero => f.write_str("all scores are zero: all shares are zero"),
            Note::Uniform => f.write_str("all scores are zero: everyone gets the same share"),
        }
    }
}

/// For each miner the place of the one of its coldkey that has more, or as much and comes
/// before it; `None` for the best of a coldkey.
pub fn beaten(miners: &[Miner], scores: &[f64]) -> Vec<Option<usize>> {
    let mut best: std::collections::HashMap<u32, usize> = std::collections::HashMap::new();
    for (place, (miner, score)) in miners.iter().zip(scores).enumerate() {
        let Some(coldkey) = miner.coldkey else {
            continue;
        };
        let held = best.entry(coldkey).or_insert(place);
        if scores.get(*held).is_some_and(|best| score > best) {
            *held = place;
        }
    }
    let best_of = |(place, miner): (usize, &Miner)| {
        let best = *best.get(&miner.coldkey?)?;
        (best != place).then_some(best)
    };
    miners.iter().enumerate().map(best_of).collect()
}

/// Plain sum in order, as the originals add.
pub(crate) fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(0.0, |sum, value| sum + value)
}

/// Zeroes those that were beaten and divides by the sum; `uniform` is what happens when
/// all are zero.
fn finish(
    before: Vec<f64>,
    beaten_by: Vec<Option<usize>>,
    uniform: bool,
    mut notes: Vec<Note>,
) -> Shares {
    let kept = |place: usize| beaten_by.get(place).is_none_or(Option::is_none);
    let mut shares: Vec<f64> = before
        .iter()
        .enumerate()
        .map(|(place, score)| if kept(place) { *score } else { 0.0 })
        .collect();
    let total = sum(shares.iter().copied());
    let count = (0..shares.len()).filter(|place| kept(*place)).count();
    if shares.is_empty() {
        notes.push(Note::NoMiners);
    } else if total > 0.0 {
        for share in &mut shares {
            *share /= total;
        }
    } else if uniform {
        notes.push(Note::Uniform);
        for (place, share) in shares.iter_mut().enumerate() {
            *share = if kept(place) { 1.0 / float(count) } else { 0.0 };
        }
    } else {
        notes.push(Note::AllZero);
    }
    Shares {
        shares,
        before,
        beaten_by,
        notes,
    }
}

/// A count as a float; exact up to 2⁵³.
#[expect(clippy::cast_precision_loss, reason = "no list is that long")]
pub(crate) fn float(count: usize) -> f64 {
    count as f64
}
