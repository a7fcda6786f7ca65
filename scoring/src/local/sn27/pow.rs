//! Scores of solved hash challenges: difficulty, success, speed, less failures.
//!
//! Everything is counted in points, 100 for a whole part before its weight; the score is the
//! sum as a share of the greatest that is possible. The operations are those of the original
//! in their order, so that a score is the same to the last bit.

use thiserror::Error;

/// How many of the newest challenges the failures are counted in.
pub const LAST: f64 = 20.0;
/// Greatest number that is taken of a measurement.
pub const MOST: f64 = 1e12;
/// The power by which failures grow.
pub const FAILED_EXPONENT: f64 = 1.5;

/// How a revision counts what the others count differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Difficulty above the least as a share of the range; speed is worth more the harder
    /// the challenge; an allocated miner has all points of a challenge and more.
    Range,
    /// Difficulty as a share of the greatest; an allocated miner has a fixed part of the
    /// points of a challenge and more.
    Share,
    /// As [`Shape::Share`], but an allocated miner has the best score of all and more.
    Best,
}

/// The numbers of one revision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// How it counts.
    pub shape: Shape,
    /// Least difficulty.
    pub min_difficulty: f64,
    /// Greatest difficulty.
    pub max_difficulty: f64,
    /// Seconds that a challenge may take.
    pub timeout: f64,
    /// Weight of the success ratio.
    pub success: f64,
    /// Weight of the difficulty.
    pub difficulty: f64,
    /// Weight of speed.
    pub time: f64,
    /// Weight of failures.
    pub failed: f64,
    /// Weight of being allocated.
    pub allocation: f64,
    /// From how many failures of the last twenty on the score is zero.
    pub failures_limit: f64,
}

/// `sn27-r1`.
pub const R1: Rules = Rules {
    shape: Shape::Range,
    min_difficulty: 6.0,
    max_difficulty: 12.0,
    timeout: 30.0,
    success: 1.0,
    difficulty: 1.0,
    time: 0.5,
    failed: 0.5,
    allocation: 0.4,
    failures_limit: 10.0,
};

/// `sn27-r2`.
pub const R2: Rules = Rules {
    shape: Shape::Share,
    min_difficulty: 7.0,
    time: 0.3,
    failed: 0.4,
    allocation: 0.21,
    failures_limit: 19.0,
    ..R1
};

/// `sn27-r2b`.
pub const R2B: Rules = Rules {
    min_difficulty: 8.0,
    timeout: 120.0,
    time: 0.35,
    failed: 0.35,
    allocation: 0.20,
    ..R2
};

/// `sn27-r3`.
pub const R3: Rules = Rules {
    shape: Shape::Best,
    time: 0.4,
    failed: 0.35,
    allocation: 0.10,
    ..R2
};

/// The numbers of a profile; `None` for one that does not score challenges.
///
/// ```
/// use scoring::local::sn27::pow;
/// assert_eq!(pow::rules("sn27-r2").unwrap().min_difficulty, 7.0);
/// assert!(pow::rules("sn27-r4").is_none());
/// ```
pub fn rules(profile: &str) -> Option<&'static Rules> {
    match profile {
        "sn27-r1" => Some(&R1),
        "sn27-r2" => Some(&R2),
        "sn27-r2b" => Some(&R2B),
        "sn27-r3" => Some(&R3),
        _ => None,
    }
}

/// What was measured of a miner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Challenges in the window.
    pub attempts: f64,
    /// Those that were solved.
    pub successes: f64,
    /// Failures among the last twenty, 0 to 20.
    pub failed_of_last: f64,
    /// Mean seconds of the solved ones.
    pub elapsed: f64,
    /// Mean difficulty of the solved ones.
    pub difficulty: f64,
    /// Whether the miner runs containers.
    pub has_docker: bool,
    /// Whether it is allocated to somebody.
    pub allocated: bool,
    /// Best score of all miners, 1 being all points; read by `sn27-r3` for allocated miners.
    pub best: f64,
}

/// Measurements that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum MeasureError {
    /// A number that is negative, too great or none.
    #[error("{what} is {value}; give a number from 0 to {MOST}")]
    Number {
        /// Which.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// More solved than tried.
    #[error("{successes} of {attempts} challenges were solved; give at most as many as were tried")]
    Successes {
        /// Solved.
        successes: f64,
        /// Tried.
        attempts: f64,
    },
    /// More failures than challenges.
    #[error("{0} of the last 20 challenges failed; give a number from 0 to 20")]
    Failed(f64),
}

/// Why a score is zero.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum Zero {
    /// Too many failures.
    #[error("{failed} of the last 20 challenges failed; from {limit} on the score is zero")]
    Failures {
        /// How many.
        failed: f64,
        /// From how many on.
        limit: f64,
    },
    /// Nothing was solved.
    #[error("no challenge of the window was solved")]
    NoSuccess,
    /// The penalty was greater than the points.
    #[error("the sum of the points, {0}, is not above zero")]
    Negative(f64),
}

/// A score with all that it is made of, in points unless a field says otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Breakdown {
    /// The score: a share of [`Breakdown::max_score`]. At most 1, except for `sn27-r3`,
    /// whose allocated miners may have 1.1 times the best score.
    pub score: f64,
    /// Difficulty before its weight, 0 to 100.
    pub difficulty_modifier: f64,
    /// Whether the mean difficulty was outside of the range and was moved to its end.
    pub difficulty_clamped: bool,
    /// Part of the difficulty.
    pub difficulty: f64,
    /// Part of the success ratio.
    pub successes: f64,
    /// Part of speed; negative above the time limit.
    pub time_elapsed: f64,
    /// What failures cost.
    pub failed_penalty: f64,
    /// Part of being allocated; counted only for allocated miners.
    pub allocation: f64,
    /// 1, or one half for a miner that is not allocated and has no containers.
    pub docker_factor: f64,
    /// The sum before negative sums were made zero.
    pub raw: f64,
    /// The greatest sum.
    pub max_score: f64,
    /// Why the score is zero.
    pub zero: Option<Zero>,
}

fn percent(part: f64, whole: f64) -> f64 {
    if whole == 0.0 {
        0.0
    } else {
        (part / whole) * 100.0
    }
}

fn percent_yield(spent: f64, limit: f64) -> f64 {
    if spent == 0.0 {
        100.0
    } else {
        ((limit - spent) / limit) * 100.0
    }
}

fn check(measured: &Measured) -> Result<(), MeasureError> {
    for (what, value) in [
        ("the number of attempts", measured.attempts),
        ("the number of successes", measured.successes),
        ("the number of failures", measured.failed_of_last),
        ("the mean time", measured.elapsed),
        ("the mean difficulty", measured.difficulty),
        ("the best score", measured.best),
    ] {
        if !(0.0..=MOST).contains(&value) {
            return Err(MeasureError::Number { what, value });
        }
    }
    if measured.successes > measured.attempts {
        return Err(MeasureError::Successes {
            successes: measured.successes,
            attempts: measured.attempts,
        });
    }
    if measured.failed_of_last > LAST {
        return Err(MeasureError::Failed(measured.failed_of_last));
    }
    Ok(())
}

/// Which rule makes the score zero before anything is counted.
fn zero_rule(rules: &Rules, measured: &Measured) -> Option<Zero> {
    let failures = (measured.failed_of_last >= rules.failures_limit).then_some(Zero::Failures {
        failed: measured.failed_of_last,
        limit: rules.failures_limit,
    });
    let no_success = (measured.successes == 0.0).then_some(Zero::NoSuccess);
    match rules.shape {
        Shape::Range => failures.or(no_success),
        Shape::Share => failures.or(no_success).filter(|_| !measured.allocated),
        Shape::Best => failures.or(no_success.filter(|_| !measured.allocated)),
    }
}

/// Scores a miner.
///
/// ```
/// use scoring::local::sn27::pow::{Measured, R1, score};
/// let measured = Measured {
///     attempts: 100.0,
///     successes: 92.0,
///     failed_of_last: 0.0,
///     elapsed: 16.0,
///     difficulty: 7.0,
///     has_docker: true,
///     allocated: true,
///     best: 0.0,
/// };
/// let score = score(&R1, &measured)?;
/// assert_eq!(score.raw, 256.6666666666667);
/// assert_eq!(score.score, 0.8850574712643678);
/// # Ok::<(), scoring::local::sn27::pow::MeasureError>(())
/// ```
///
/// # Errors
///
/// When a number is negative or above [`MOST`], or when there are more successes than attempts
/// or more failures than twenty.
pub fn score(rules: &Rules, measured: &Measured) -> Result<Breakdown, MeasureError> {
    check(measured)?;
    let capped = measured.difficulty.min(rules.max_difficulty);
    let (modifier, clamped) = match rules.shape {
        Shape::Range => (
            percent(
                (capped - rules.min_difficulty).max(0.0),
                rules.max_difficulty - rules.min_difficulty,
            ),
            capped.max(rules.min_difficulty),
        ),
        Shape::Share | Shape::Best => {
            let clamped = capped.max(rules.min_difficulty);
            (percent(clamped, rules.max_difficulty), clamped)
        }
    };
    let time_weight = match rules.shape {
        Shape::Range => rules.time * (modifier / 100.0),
        Shape::Share | Shape::Best => rules.time,
    };
    let failed = percent(measured.failed_of_last, LAST) / 100.0;
    let challenge_max = 100.0 * (rules.success + rules.difficulty + rules.time);
    let max_score = match rules.shape {
        Shape::Range | Shape::Share => challenge_max + 100.0 * rules.allocation,
        Shape::Best => challenge_max + challenge_max * rules.allocation,
    };
    let mut breakdown = Breakdown {
        score: 0.0,
        difficulty_modifier: modifier,
        difficulty_clamped: clamped.to_bits() != measured.difficulty.to_bits(),
        difficulty: modifier * rules.difficulty,
        successes: percent(measured.successes, measured.attempts) * rules.success,
        time_elapsed: percent_yield(measured.elapsed, rules.timeout) * time_weight,
        failed_penalty: rules.failed * failed.powf(FAILED_EXPONENT) * 100.0,
        allocation: modifier * rules.allocation,
        docker_factor: if measured.has_docker || measured.allocated {
            1.0
        } else {
            0.5
        },
        raw: 0.0,
        max_score,
        zero: zero_rule(rules, measured),
    };
    if breakdown.zero.is_some() {
        return Ok(breakdown);
    }
    breakdown.raw = if measured.allocated {
        match rules.shape {
            Shape::Range => challenge_max + breakdown.allocation,
            Shape::Share => challenge_max * (1.0 - rules.allocation) + breakdown.allocation,
            Shape::Best => measured.best * max_score * (1.0 + breakdown.allocation / 100.0),
        }
    } else {
        (breakdown.difficulty + breakdown.successes + breakdown.time_elapsed
            - breakdown.failed_penalty)
            * breakdown.docker_factor
    };
    if breakdown.raw <= 0.0 {
        breakdown.zero = Some(Zero::Negative(breakdown.raw));
    }
    breakdown.score = breakdown.raw.max(0.0) / max_score;
    Ok(breakdown)
}

/// What is left of a score when validators have reported a miner, a rule that came with
/// `ef778d5`: nothing when at least half of the validators did, otherwise a share.
///
/// `reports` and `half` (half the number of validators) are counts; with a `half` of zero
/// nothing is left.
///
/// ```
/// use scoring::local::sn27::pow::reported;
/// assert_eq!(reported(0.8, 1.0, 4.0), 0.6000000000000001);
/// assert_eq!(reported(0.8, 4.0, 4.0), 0.0);
/// ```
pub fn reported(score: f64, reports: f64, half: f64) -> f64 {
    if reports >= half {
        0.0
    } else {
        score * (1.0 - reports / half)
    }
}
