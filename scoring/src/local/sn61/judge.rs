//! Logs of scores and comparisons into score, penalty and verdict.

use super::similarity::adjust;
use super::sum::pairwise;

/// How a commit is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judging {
    /// By the base manager: mean score; accepted when the penalty is below the threshold.
    Base {
        /// The threshold.
        threshold: f64,
    },
    /// By a challenge's own manager: greatest score, reduced by similarity.
    Challenge {
        /// The greatest penalty that is accepted.
        max_similarity: f64,
        /// The least score that is accepted, before it is reduced.
        min_score: f64,
    },
}

/// Why a score is missing, 0, or not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// A log has no score: the base manager leaves the commit out.
    ScoreMissing,
    /// There is no log with a score.
    NoScore,
    /// A score is not a number; it counts as 0 (base) or not at all.
    ScoreNotANumber,
    /// The penalty is not a number and counts as 0 (base).
    PenaltyNotANumber,
    /// No comparison gave a similarity above 0, which leaves no score.
    NotCompared,
    /// Too like another commit.
    TooSimilar,
    /// Below the least score.
    TooLow,
    /// The penalty is negative.
    NegativePenalty,
    /// Similarity took part of the score.
    Reduced,
}

impl Reason {
    /// In one sentence.
    pub fn text(self) -> &'static str {
        match self {
            Reason::ScoreMissing => "a scoring log has no score, so the commit is left out",
            Reason::NoScore => "no scoring log has a score, which counts as 0",
            Reason::ScoreNotANumber => "a score is not a number",
            Reason::PenaltyNotANumber => "the penalty is not a number and counts as 0",
            Reason::NotCompared => "no comparison found a likeness above 0, which leaves no score",
            Reason::TooSimilar => "too like another commit",
            Reason::TooLow => "the score is below the least that is accepted",
            Reason::NegativePenalty => "the penalty is negative",
            Reason::Reduced => "the score is reduced by similarity",
        }
    }
}

/// What came of the logs.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Score before similarity is taken into account; `None` when the commit is left out.
    pub raw: Option<f64>,
    /// The score; `None` when the commit is left out.
    pub score: Option<f64>,
    /// Greatest similarity to another commit.
    pub penalty: f64,
    /// Whether it is accepted.
    pub accepted: bool,
    /// Why the score is not the raw one, or the commit not accepted; in the order found.
    pub reasons: Vec<Reason>,
}

/// Judges a commit. `scores` are those of its scoring logs; `similarities` those of its
/// comparison logs, a list for every commit it was compared with. `None` in a comparison (it
/// failed) does not count.
///
/// ```
/// use scoring::local::sn61::judge::{Judging, judge};
/// let base = Judging::Base { threshold: 0.5 };
/// let verdict = judge(base, &[Some(0.5), Some(1.0)], &[vec![Some(0.2)]]);
/// assert_eq!((verdict.score, verdict.penalty, verdict.accepted), (Some(0.75), 0.2, true));
/// ```
pub fn judge(
    judging: Judging,
    scores: &[Option<f64>],
    similarities: &[Vec<Option<f64>>],
) -> Verdict {
    match judging {
        Judging::Base { threshold } => base(threshold, scores, similarities),
        Judging::Challenge {
            max_similarity,
            min_score,
        } => challenge(max_similarity, min_score, scores, similarities),
    }
}

fn base(threshold: f64, scores: &[Option<f64>], similarities: &[Vec<Option<f64>>]) -> Verdict {
    let mut reasons = Vec::new();
    let Some(scores) = scores.iter().copied().collect::<Option<Vec<f64>>>() else {
        return Verdict {
            raw: None,
            score: None,
            penalty: 0.0,
            accepted: false,
            reasons: vec![Reason::ScoreMissing],
        };
    };
    #[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 logs")]
    let mean = pairwise(&scores) / scores.len() as f64;
    let score = if mean.is_nan() {
        reasons.push(if scores.is_empty() {
            Reason::NoScore
        } else {
            Reason::ScoreNotANumber
        });
        0.0
    } else {
        mean
    };
    // Of one commit's comparisons those that are not a number do not count unless all
    // are; then the whole penalty is not a number.
    let of_each = similarities.iter().filter_map(|logs| {
        let given = logs.iter().flatten().copied();
        given.reduce(|a, b| if b > a || a.is_nan() { b } else { a })
    });
    let greatest = of_each.reduce(|a, b| if a.is_nan() || a > b { a } else { b });
    let penalty = match greatest {
        None => 0.0,
        Some(penalty) if penalty.is_nan() => {
            reasons.push(Reason::PenaltyNotANumber);
            0.0
        }
        Some(penalty) => penalty,
    };
    let accepted = penalty < threshold;
    if !accepted {
        reasons.push(Reason::TooSimilar);
    }
    Verdict {
        raw: Some(score),
        score: Some(score),
        penalty,
        accepted,
        reasons,
    }
}

fn challenge(
    max_similarity: f64,
    min_score: f64,
    scores: &[Option<f64>],
    similarities: &[Vec<Option<f64>>],
) -> Verdict {
    let mut reasons = Vec::new();
    if scores.iter().flatten().any(|score| score.is_nan()) {
        reasons.push(Reason::ScoreNotANumber);
    }
    let greatest = |values: &mut dyn Iterator<Item = f64>| {
        let numbers = values.filter(|value| !value.is_nan());
        numbers.reduce(|a, b| if b > a { b } else { a })
    };
    let raw = greatest(&mut scores.iter().flatten().copied()).unwrap_or_else(|| {
        reasons.push(Reason::NoScore);
        0.0
    });
    let penalty = greatest(&mut similarities.iter().flatten().flatten().copied()).unwrap_or(0.0);
    if penalty < 0.0 {
        reasons.push(Reason::NegativePenalty);
    } else if penalty > max_similarity {
        reasons.push(Reason::TooSimilar);
    }
    if raw < min_score {
        reasons.push(Reason::TooLow);
    }
    let accepted = penalty >= 0.0 && penalty <= max_similarity && raw >= min_score;
    let score = adjust(raw, penalty);
    if penalty == 0.0 {
        reasons.push(Reason::NotCompared);
    } else if score < raw {
        reasons.push(Reason::Reduced);
    }
    Verdict {
        raw: Some(raw),
        score: Some(score),
        penalty,
        accepted,
        reasons,
    }
}
