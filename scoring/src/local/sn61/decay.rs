//! How a best score ages.

/// Parameters of ageing, in days.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decay {
    /// Days without a fall.
    pub stable: f64,
    /// Days after which nothing is left.
    pub expiry: f64,
    /// The slow fall a day.
    pub alpha: f64,
    /// Days over which the slow fall goes.
    pub slow: f64,
}

impl Decay {
    /// The published parameters.
    pub const PUBLISHED: Decay = Decay {
        stable: 10.0,
        expiry: 15.0,
        alpha: 0.002,
        slow: 10.0,
    };

    /// What is left of a score after `days` since it was given. A time before it was given
    /// counts as 0 days; one that is not a number leaves nothing.
    ///
    /// ```
    /// use scoring::local::sn61::decay::Decay;
    /// assert_eq!(Decay::PUBLISHED.apply(1.0, 10.0), 0.9801986733067553);
    /// assert_eq!(Decay::PUBLISHED.apply(1.0, 15.01), 0.0);
    /// ```
    pub fn apply(&self, score: f64, days: f64) -> f64 {
        if days.is_nan() {
            return 0.0;
        }
        let days = days.max(0.0);
        let value = if days <= self.stable {
            score
        } else if days <= self.expiry {
            let part = (days - self.stable) / (self.expiry - self.stable);
            score * (1.0 - part * part)
        } else {
            return 0.0;
        };
        value * (-self.alpha * days.min(self.slow)).exp()
    }
}

/// Days between two times in milliseconds; 0 when the second is not after the first.
///
/// ```
/// assert_eq!(scoring::local::sn61::decay::days(0, 129_600_000), 1.5);
/// ```
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of an age are far below 2^53"
)]
pub fn days(from_ms: u64, to_ms: u64) -> f64 {
    to_ms.saturating_sub(from_ms) as f64 / 86_400_000.0
}
