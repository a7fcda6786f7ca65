//! Computed shares against the incentive on chain.

use super::sum;

/// The greatest difference that is well.
pub const THRESHOLD: f64 = 0.03;

/// One miner's computed share and its share of the incentive on chain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared {
    /// The computed share.
    pub expected: f64,
    /// The share on chain: its incentive by the sum of all.
    pub actual: f64,
    /// What comes of it.
    pub outcome: Outcome,
}

/// What comes of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Both have a share, and they differ by [`THRESHOLD`] at most.
    Close,
    /// Both have a share, and they differ by more.
    Far,
    /// Computed, but nothing on chain. The original says nothing of it.
    OnlyComputed,
    /// On chain, but nothing computed. The original says nothing of it.
    OnlyOnChain,
    /// Neither.
    Neither,
}

impl Outcome {
    /// In one word.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Close => "close",
            Outcome::Far => "far",
            Outcome::OnlyComputed => "only-computed",
            Outcome::OnlyOnChain => "only-on-chain",
            Outcome::Neither => "neither",
        }
    }
}

impl Compared {
    /// The difference without a sign, from the shares before they are rounded.
    pub fn delta(&self) -> f64 {
        (self.expected - self.actual).abs()
    }

    /// As the original says it: `0.08938 vs actual 0.08960, delta 0.00022`.
    pub fn text(&self) -> String {
        format!(
            "{:.5} vs actual {:.5}, delta {:.5}",
            self.expected,
            self.actual,
            self.delta()
        )
    }
}

/// Compares computed shares with incentives, in the same order; `None` when nobody has an
/// incentive (the originals divide by zero then, or say nothing).
///
/// ```
/// use scoring::local::sn64::compare::{compare, Outcome};
/// let rows = compare(&[0.5, 0.5, 0.0], &[100, 0, 300]).unwrap();
/// assert_eq!(rows[0].outcome, Outcome::Far);
/// assert_eq!(rows[1].outcome, Outcome::OnlyComputed);
/// assert_eq!(rows[2].outcome, Outcome::OnlyOnChain);
/// ```
pub fn compare(expected: &[f64], incentives: &[u16]) -> Option<Vec<Compared>> {
    let total = sum(incentives.iter().map(|i| f64::from(*i)));
    if total <= 0.0 {
        return None;
    }
    let of = |(expected, incentive): (&f64, &u16)| {
        let actual = f64::from(*incentive) / total;
        let outcome = match (*expected > 0.0, *incentive > 0) {
            (true, true) if (expected - actual).abs() <= THRESHOLD => Outcome::Close,
            (true, true) => Outcome::Far,
            (true, false) => Outcome::OnlyComputed,
            (false, true) => Outcome::OnlyOnChain,
            (false, false) => Outcome::Neither,
        };
        Compared {
            expected: *expected,
            actual,
            outcome,
        }
    };
    Some(expected.iter().zip(incentives).map(of).collect())
}
