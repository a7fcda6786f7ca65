//! Whether what miners report of themselves is what was audited.

use super::float;
use super::units::{HOUR, seconds};

/// The least ratio of counts that is well.
pub const LEAST: f64 = 0.9;

/// What comes of two counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Counts {
    /// They agree to this ratio, at least [`LEAST`].
    Agree(f64),
    /// They do not.
    Differ(f64),
    /// The miner reported nothing, or zero.
    NothingReported,
    /// Nothing was audited. The original breaks off here.
    NothingAudited,
}

/// Compares a count of the audit with the one that the miner reported.
///
/// ```
/// use scoring::local::sn64::agreement::{counts, Counts};
/// assert_eq!(counts(Some(90), Some(100)), Counts::Agree(0.9));
/// assert_eq!(counts(Some(90), None), Counts::NothingReported);
/// assert_eq!(counts(None, Some(1)), Counts::NothingAudited);
/// ```
#[expect(clippy::cast_precision_loss, reason = "counts of invocations")]
pub fn counts(audited: Option<u64>, reported: Option<u64>) -> Counts {
    let Some(reported) = reported.filter(|count| *count > 0) else {
        return Counts::NothingReported;
    };
    let Some(audited) = audited.filter(|count| *count > 0) else {
        return Counts::NothingAudited;
    };
    let ratio = audited.min(reported) as f64 / audited.max(reported) as f64;
    if ratio >= LEAST {
        Counts::Agree(ratio)
    } else {
        Counts::Differ(ratio)
    }
}

/// How far times of the same event may be apart, in microseconds: five minutes.
pub const APART: i64 = HOUR / 12;
/// How far multipliers may be apart.
pub const MULTIPLIER_APART: f64 = 0.01;
/// The greatest share of instances that only one side knows.
pub const ONE_SIDED: f64 = 0.1;
/// The least ratio of seconds that is well.
pub const LEAST_SECONDS: f64 = 0.8;

/// What one side says of an instance. Times are microseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Life {
    /// When it was made.
    pub created_at: Option<i64>,
    /// When it began to serve.
    pub activated_at: Option<i64>,
    /// When it was deleted.
    pub deleted_at: Option<i64>,
    /// Compute units a second.
    pub multiplier: Option<f64>,
}

/// What the two sides' words on one instance have against each other; empty when they agree.
pub fn quarrels(validator: &Life, miner: &Life) -> Vec<&'static str> {
    let mut found = Vec::new();
    for (what, a, b) in [
        ("created_at", validator.created_at, miner.created_at),
        ("activated_at", validator.activated_at, miner.activated_at),
        ("deleted_at", validator.deleted_at, miner.deleted_at),
    ] {
        let apart = match (a, b) {
            (Some(a), Some(b)) => a.abs_diff(b) > APART.unsigned_abs(),
            (None, None) => false,
            _ => true,
        };
        if apart {
            found.push(what);
        }
    }
    if let (Some(a), Some(b)) = (validator.multiplier, miner.multiplier)
        && (a - b).abs() > MULTIPLIER_APART
    {
        found.push("compute_multiplier");
    }
    found
}

impl Life {
    /// Seconds from its activation to its end, or to `now`.
    pub fn seconds(&self, now: i64) -> f64 {
        let Some(from) = self.activated_at.or(self.created_at) else {
            return 0.0;
        };
        seconds(
            self.deleted_at
                .unwrap_or(now)
                .min(now)
                .saturating_sub(from)
                .max(0),
        )
    }
}

/// How a miner's instances agree as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Instances {
    /// Instances that both sides know.
    pub both: usize,
    /// Of these, how many the sides tell differently.
    pub quarrels: usize,
    /// Instances that only validators know.
    pub validator_only: usize,
    /// Instances that only the miner knows.
    pub miner_only: usize,
    /// Seconds by the validators.
    pub validator_seconds: f64,
    /// Seconds by the miner.
    pub miner_seconds: f64,
}

impl Instances {
    /// The lesser of the seconds by the greater, which is at least 1.
    pub fn ratio(&self) -> f64 {
        let (a, b) = (self.validator_seconds, self.miner_seconds);
        a.min(b) / a.max(b).max(1.0)
    }

    /// What is wrong; empty when nothing is.
    pub fn warnings(&self) -> Vec<String> {
        let mut found = Vec::new();
        let share = |part: usize, of: usize| float(part) / float(of.max(1));
        let by_validator = share(self.validator_only, self.both + self.validator_only);
        let by_miner = share(self.miner_only, self.both + self.miner_only);
        if by_validator > ONE_SIDED {
            found.push(format!(
                "{} of the validator's instances are unknown to the miner",
                self.validator_only
            ));
        }
        if by_miner > ONE_SIDED {
            found.push(format!(
                "{} of the miner's instances are unknown to the validator",
                self.miner_only
            ));
        }
        let known = self.both + self.validator_only + self.miner_only;
        if known > 0 && self.ratio() < LEAST_SECONDS {
            found.push(format!("seconds agree only to {:.4}", self.ratio()));
        }
        found
    }
}
