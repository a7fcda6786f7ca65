//! P3: compute units of instances, and how they are counted.
//!
//! Times are microseconds since 1970.

use super::{Miner, Shares, beaten, finish, sum};

/// Microseconds in an hour.
pub const HOUR: i64 = 3_600_000_000;
/// Microseconds in the window of seven days.
pub const WINDOW: i64 = 7 * 24 * HOUR;

/// P3: of every coldkey the hotkey with most units is kept, and units are divided by their
/// sum; when all are zero everyone who is kept gets the same. Blacklisted hotkeys are the
/// caller's to leave out.
pub fn p3(miners: &[Miner]) -> Shares {
    let units: Vec<f64> = miners.iter().map(|m| m.features.units).collect();
    let beaten_by = beaten(miners, &units);
    finish(units, beaten_by, true, Vec::new())
}

/// Shares as the weights that are set: divided by their sum, cut to 16 bits, zeros left
/// out. Places are those of the input.
///
/// ```
/// use scoring::local::sn64::units::quantise;
/// assert_eq!(quantise(&[0.0, 1.0, 3.0]), [(1, 16383), (2, 49151)]);
/// assert_eq!(quantise(&[0.0]), []);
/// ```
pub fn quantise(shares: &[f64]) -> Vec<(usize, u16)> {
    let total = sum(shares.iter().copied());
    if total.is_nan() || total <= 0.0 {
        return Vec::new();
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "cut off as the original does; from 0 to 65535"
    )]
    let cut = |share: f64| (share / total * 65535.0).clamp(0.0, 65535.0) as u16;
    let rows = shares.iter().map(|share| cut(*share)).enumerate();
    rows.filter(|(_, weight)| *weight > 0).collect()
}

/// The latest record of an instance.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Instance<'a> {
    /// When it was made.
    pub created_at: i64,
    /// When it began to serve.
    pub activated_at: Option<i64>,
    /// From when on nobody paid for it.
    pub stop_billing_at: Option<i64>,
    /// When it was deleted.
    pub deleted_at: Option<i64>,
    /// Whether a user paid for it: a private one.
    pub billed: bool,
    /// Whether it was ended in a way that is not the miner's fault.
    pub valid_termination: bool,
    /// Why it was deleted.
    pub deletion_reason: Option<&'a str>,
    /// Compute units a second, where there is no history.
    pub multiplier: Option<f64>,
}

/// Reasons for a deletion that are not the miner's fault; one of these words is in it.
pub const EXCUSED: [&str; 4] = [
    "insufficient user balance",
    "shutdown_after_seconds",
    "zero/negative balance",
    "has an old version",
];

impl Instance<'_> {
    /// Whether P3 counts it in the seven days up to `now`.
    pub fn eligible(&self, now: i64) -> bool {
        let Some(activated) = self.activated_at else {
            return false;
        };
        let Some(deleted) = self.deleted_at else {
            return true;
        };
        if deleted < now.saturating_sub(WINDOW) {
            return false;
        }
        let lived = deleted.saturating_sub(activated) >= HOUR;
        let excused = |reason: &str| EXCUSED.iter().any(|words| reason.contains(words));
        (!self.billed && lived)
            || self.valid_termination
            || self.deletion_reason.is_some_and(excused)
    }

    /// From when to when P3 counts it: within the seven days up to `now`, until it was
    /// deleted or nobody paid any more. `None` when that is nothing.
    pub fn counted(&self, now: i64) -> Option<(i64, i64)> {
        let start = self.created_at.max(now.saturating_sub(WINDOW));
        let end = self
            .stop_billing_at
            .unwrap_or(now)
            .min(self.deleted_at.unwrap_or(now))
            .min(now);
        (start < end).then_some((start, end))
    }

    /// Its compute units: seconds times multiplier over every part of the history, or over
    /// its own time when there is no history. A part without an end goes on until the end.
    pub fn units(&self, history: &[Part], now: i64) -> f64 {
        let Some((start, end)) = self.counted(now) else {
            return 0.0;
        };
        if history.is_empty() {
            return seconds(end - start) * self.multiplier.unwrap_or(1.0);
        }
        sum(history.iter().map(|part| {
            let (from, to) = (part.from.max(start), part.to.unwrap_or(end).min(end));
            if from < to {
                seconds(to - from) * part.multiplier
            } else {
                0.0
            }
        }))
    }
}

/// A part of an instance's time with one multiplier. The time of starting up is in the
/// history already at 0.3 of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// When it began.
    pub from: i64,
    /// When it ended; `None` when it has not.
    pub to: Option<i64>,
    /// Compute units a second.
    pub multiplier: f64,
}

/// Microseconds as seconds.
///
/// ```
/// assert_eq!(scoring::local::sn64::units::seconds(1_500_000), 1.5);
/// ```
#[expect(clippy::cast_precision_loss, reason = "exact up to 285 years")]
pub fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// What made one invocation's compute time, in the metrics of P1b to P2b.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Work {
    /// Steps done.
    pub steps: Option<f64>,
    /// Tokens in and out together, of the oldest exports.
    pub tokens: Option<f64>,
    /// Tokens in.
    pub input_tokens: Option<f64>,
    /// Tokens out.
    pub output_tokens: Option<f64>,
    /// Average seconds a step.
    pub per_step: Option<f64>,
    /// Average seconds a token.
    pub per_token: Option<f64>,
    /// Normalised compute seconds.
    pub normalised: Option<f64>,
}

fn positive(value: Option<f64>) -> Option<f64> {
    value.filter(|value| *value > 0.0)
}

impl Work {
    /// Seconds that P1 counts: what actually went by, or what the medians of the chute
    /// make of steps or tokens when that is less.
    pub fn by_medians(&self, elapsed: f64, step: Option<f64>, token: Option<f64>) -> f64 {
        for (count, median) in [(self.steps, step), (self.tokens, token)] {
            if let (Some(count), Some(median)) = (positive(count), median) {
                let most = count * median;
                if elapsed > most {
                    return most;
                }
            }
        }
        elapsed
    }

    /// Seconds that P1b and the later ones count: normalised seconds, or steps, or tokens
    /// by their averages, or what went by.
    pub fn by_averages(&self, elapsed: f64) -> f64 {
        if let Some(normalised) = positive(self.normalised) {
            return normalised;
        }
        if let (Some(steps), Some(each)) = (positive(self.steps), self.per_step) {
            return steps * each;
        }
        let tokens = (positive(self.input_tokens), positive(self.output_tokens));
        if let ((Some(input), Some(output)), Some(each)) = (tokens, self.per_token) {
            return (input + output) * each;
        }
        elapsed
    }
}
