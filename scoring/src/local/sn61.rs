//! RedTeam, centralised scoring.
//!
//! One service scores what miners committed: logs of scores and of comparisons become a
//! score, a penalty and a verdict ([`judge`]); the best commit of every miner is kept
//! ([`best`]), ages ([`decay`]) and becomes a vector over the uids ([`softmax`]); vectors
//! of several challenges become one ([`across`]), with one place for every
//! operator ([`entities`]).
//!
//! Sums are made as numpy makes them ([`sum::pairwise`]). numpy's own `exp` may differ from
//! this one in the last bit where the original runs vectorised.

pub mod across;
pub mod best;
pub mod decay;
pub mod entities;
pub mod judge;
pub mod similarity;
pub mod softmax;
pub mod sum;

#[cfg(test)]
mod tests;

use super::Profile;
use decay::Decay;
use judge::Judging;
use softmax::Over;

/// Name of the profile of the base manager.
pub const BASE: &str = "sn61-base";
/// Name of the profile of the challenge managers in 2025.
pub const ABS_2025: &str = "sn61-abs-2025";
/// Name of the profile of the challenge managers in 2026.
pub const ABS_2026: &str = "sn61-abs-2026";

/// The profiles. The dates are those of the revisions that were read; the rules may have
/// been in force before and after.
pub const PROFILES: &[Profile] = &[
    Profile {
        name: BASE,
        netuid: 61,
        from: Some("2025-04-05"),
        until: Some("2025-10-15"),
        summary: "Mean score, accepted when the greatest similarity is below the threshold; softmax over all uids, no decay; half to the owner.",
        source: "RedTeamSubnet/RedTeam 4d04c9b9 and the parent of 482ee12d",
    },
    Profile {
        name: ABS_2025,
        netuid: 61,
        from: Some("2025-04-05"),
        until: Some("2025-10-15"),
        summary: "Greatest score from 0.7 on, reduced by similarity, decayed; softmax over scores that are not 0; half to the owner.",
        source: "RedTeamSubnet/RedTeam, parent of 482ee12d",
    },
    Profile {
        name: ABS_2026,
        netuid: 61,
        from: Some("2026-08-22"),
        until: None,
        summary: "Greatest score from 0.4 on, reduced by similarity up to 0.6, decayed; softmax over scores that are not 0; one miner an entity, nothing to the owner.",
        source: "RedTeamSubnet/RedTeam ced9b911",
    },
];

/// Penalty from which on the base manager rejects.
pub const PENALTY_THRESHOLD: f64 = 0.5;
/// Least score that a challenge manager accepted in 2025.
pub const MIN_SCORE_2025: f64 = 0.7;
/// Least score that a challenge manager accepts since.
pub const MIN_SCORE_2026: f64 = 0.4;
/// Greatest similarity that a challenge manager accepts when nothing else is configured.
pub const MAX_SIMILARITY_DEFAULT: f64 = 0.7;
/// Greatest similarity by the configuration in force in 2026.
pub const MAX_SIMILARITY_2026: f64 = 0.6;
/// Similarity from which on a comparison with one's own commit counts, by default.
pub const SELF_COMPARISON_DEFAULT: f64 = 0.9;
/// The same by the configuration in force in 2026.
pub const SELF_COMPARISON_2026: f64 = 0.8;
/// Part of the weights that went to the subnet's owner in 2025.
pub const BURN_2025: f64 = 0.5;
/// Temperature of the softmax.
pub const TEMPERATURE: f64 = 0.2;
/// How many commits the unique set holds.
pub const MAX_UNIQUE: usize = 15;
/// How many of a miner's newest commits of a challenge are scored since 2026.
pub const NEWEST: usize = 2;

/// What a profile does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Name of the profile.
    pub name: &'static str,
    /// How logs become score, penalty and verdict.
    pub judging: Judging,
    /// How a score ages; `None` when it does not.
    pub decay: Option<Decay>,
    /// Which entries the softmax is over.
    pub over: Over,
    /// Its temperature.
    pub temperature: f64,
    /// Part of the weights for the owner, 0 to 1.
    pub burn: f64,
    /// Whether only the best miner of an entity keeps its weight.
    pub entities: bool,
    /// Least similarity at which a comparison with one's own commit is kept.
    pub self_comparison: f64,
    /// How many of a miner's newest commits are scored; the current one only when `None`.
    pub newest: Option<usize>,
    /// Whether a rejected commit's image is done with (it is tried again otherwise).
    pub marks_rejected: bool,
    /// Whether commits are compared with all accepted ones; with the unique set otherwise.
    pub all_accepted: bool,
}

/// The rules of a profile; `None` when it is none of these.
///
/// ```
/// use scoring::local::sn61::rules;
/// assert_eq!(rules("sn61-abs-2026").map(|rules| rules.burn), Some(0.0));
/// assert!(rules("sn61").is_none());
/// ```
pub fn rules(profile: &str) -> Option<Rules> {
    let abs_2025 = Rules {
        name: ABS_2025,
        judging: Judging::Challenge {
            max_similarity: MAX_SIMILARITY_DEFAULT,
            min_score: MIN_SCORE_2025,
        },
        decay: Some(Decay::PUBLISHED),
        over: Over::NonZero,
        temperature: TEMPERATURE,
        burn: BURN_2025,
        entities: false,
        self_comparison: SELF_COMPARISON_DEFAULT,
        newest: None,
        marks_rejected: true,
        all_accepted: false,
    };
    match profile {
        BASE => Some(Rules {
            name: BASE,
            judging: Judging::Base {
                threshold: PENALTY_THRESHOLD,
            },
            decay: None,
            over: Over::All,
            marks_rejected: false,
            ..abs_2025
        }),
        ABS_2025 => Some(abs_2025),
        ABS_2026 => Some(Rules {
            name: ABS_2026,
            judging: Judging::Challenge {
                max_similarity: MAX_SIMILARITY_2026,
                min_score: MIN_SCORE_2026,
            },
            burn: 0.0,
            entities: true,
            self_comparison: SELF_COMPARISON_2026,
            newest: Some(NEWEST),
            all_accepted: true,
            ..abs_2025
        }),
        _ => None,
    }
}
