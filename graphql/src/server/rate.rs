//! Rates: a bucket of tokens for every caller, in a table that cannot grow past a bound.
//!
//! A request takes one token before it is answered; what it cost beyond that is known only when it
//! was measured, is taken then, and may leave the bucket in debt. So no request is ever too large
//! for a bucket, and the next ones wait until the debt is paid.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How fast a bucket fills and how much it holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Tokens a second; 0 turns the limit off.
    pub per_second: f64,
    /// Most tokens that are saved up; at least 1 counts.
    pub burst: f64,
}

impl Rate {
    /// No limit.
    pub const OFF: Self = Self {
        per_second: 0.0,
        burst: 0.0,
    };

    fn is_off(&self) -> bool {
        // Also when it is no number.
        self.per_second.is_nan() || self.per_second <= 0.0
    }

    fn holds(&self) -> f64 {
        self.burst.max(1.0)
    }

    /// Seconds in which an empty bucket fills.
    pub(super) fn window(&self) -> u64 {
        seconds(self.holds() / self.per_second)
    }
}

/// Whole seconds, rounded up; bounded, and 0 for what is no number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to what fits"
)]
fn seconds(exact: f64) -> u64 {
    exact.ceil().clamp(0.0, 4_294_967_295.0) as u64
}

/// A bucket after a request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Level {
    /// Its rate.
    pub(super) rate: Rate,
    /// Tokens in it; below 0 is debt.
    pub(super) tokens: f64,
}

impl Level {
    /// Whole tokens that can be taken.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to what fits"
    )]
    pub(super) fn remaining(&self) -> u64 {
        self.tokens.floor().clamp(0.0, 4_294_967_295.0) as u64
    }

    /// The most that can be saved up.
    pub(super) fn limit(&self) -> u64 {
        seconds(self.rate.holds().floor())
    }

    /// Seconds until it is full.
    pub(super) fn reset(&self) -> u64 {
        seconds((self.rate.holds() - self.tokens) / self.rate.per_second)
    }

    /// Seconds until one token can be taken; at least 1.
    pub(super) fn wait(&self) -> u64 {
        seconds((1.0 - self.tokens) / self.rate.per_second).max(1)
    }
}

#[derive(Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
    rate: Rate,
}

impl Bucket {
    fn filled(&self, rate: Rate, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        (self.tokens + passed * rate.per_second).min(rate.holds())
    }

    /// Whether it is what a new one would be.
    fn is_full(&self, now: Instant) -> bool {
        self.filled(self.rate, now) >= self.rate.holds()
    }
}

/// Buckets by caller.
pub(super) struct Buckets<K> {
    table: Mutex<HashMap<K, Bucket>>,
    most: usize,
}

impl<K: Hash + Eq + Clone> Buckets<K> {
    /// A table of so many buckets at most.
    pub(super) fn new(most: usize) -> Self {
        Self {
            table: Mutex::default(),
            most: most.max(8),
        }
    }

    /// Takes one token, if there is one; the bucket is told either way. `None` where no limit is.
    pub(super) fn take(&self, who: &K, rate: Rate, now: Instant) -> Option<Result<Level, Level>> {
        self.change(who, rate, now, |tokens| {
            let has = *tokens >= 1.0;
            if has {
                *tokens -= 1.0;
            }
            has
        })
        .map(|(has, level)| if has { Ok(level) } else { Err(level) })
    }

    /// Takes what was measured afterwards; the bucket may be in debt then.
    pub(super) fn charge(&self, who: &K, rate: Rate, cost: f64, now: Instant) -> Option<Level> {
        let taken = self.change(who, rate, now, |tokens| *tokens -= cost);
        taken.map(|((), level)| level)
    }

    fn change<T>(
        &self,
        who: &K,
        rate: Rate,
        now: Instant,
        change: impl FnOnce(&mut f64) -> T,
    ) -> Option<(T, Level)> {
        if rate.is_off() {
            return None;
        }
        let mut table = self.lock();
        if table.len() >= self.most && !table.contains_key(who) {
            make_room(&mut table, self.most, now);
        }
        let new = Bucket {
            tokens: rate.holds(),
            at: now,
            rate,
        };
        let bucket = table.entry(who.clone()).or_insert(new);
        let mut tokens = bucket.filled(rate, now);
        let done = change(&mut tokens);
        *bucket = Bucket {
            tokens,
            at: now.max(bucket.at),
            rate,
        };
        Some((done, Level { rate, tokens }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Bucket>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.lock().len()
    }
}

/// Forgets full buckets, which changes nothing. Where too few are full, an eighth of the table goes,
/// those that are closest to it: whoever has spent the most is remembered the longest.
fn make_room<K: Hash + Eq + Clone>(table: &mut HashMap<K, Bucket>, most: usize, now: Instant) {
    table.retain(|_, bucket| !bucket.is_full(now));
    let eighth = most / 8;
    if table.len() <= most - eighth {
        return;
    }
    let missing = |bucket: &Bucket| bucket.rate.holds() - bucket.filled(bucket.rate, now);
    let mut all: Vec<(f64, K)> = table
        .iter()
        .map(|(who, bucket)| (missing(bucket), who.clone()))
        .collect();
    all.sort_unstable_by(|(a, _), (b, _)| a.total_cmp(b));
    for (_, who) in all.into_iter().take(eighth) {
        table.remove(&who);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const TWO: Rate = Rate {
        per_second: 2.0,
        burst: 3.0,
    };

    fn after(start: Instant, ms: u64) -> Instant {
        start + Duration::from_millis(ms)
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let (buckets, start) = (Buckets::new(10), Instant::now());
        let take = |ms| buckets.take(&"a", TWO, after(start, ms)).unwrap();
        for left in [2, 1, 0] {
            assert_eq!(take(0).unwrap().remaining(), left);
        }
        let empty = take(0).unwrap_err();
        assert_eq!(
            (
                empty.limit(),
                empty.remaining(),
                empty.wait(),
                empty.reset()
            ),
            (3, 0, 1, 2)
        );
        assert!(take(499).is_err());
        assert!(take(500).is_ok());
        assert!(take(500).is_err());
        // Never more than the burst, however long nobody asked.
        for left in [2, 1, 0] {
            assert_eq!(take(1_000_000).unwrap().remaining(), left);
        }
        // A clock that seems to go back gives nothing.
        assert!(take(0).is_err());
        assert!(buckets.take(&"b", TWO, start).unwrap().is_ok());
    }

    #[test]
    fn a_debt_is_paid_before_anything_else() {
        let (buckets, start) = (Buckets::new(10), Instant::now());
        buckets.take(&1, TWO, start).unwrap().unwrap();
        let level = buckets.charge(&1, TWO, 21.0, start).unwrap();
        assert_eq!(
            (level.tokens, level.remaining(), level.wait()),
            (-19.0, 0, 10)
        );
        assert!(buckets.take(&1, TWO, after(start, 9_999)).unwrap().is_err());
        assert!(buckets.take(&1, TWO, after(start, 10_000)).unwrap().is_ok());
    }

    #[test]
    fn a_rate_of_nothing_is_no_limit() {
        let buckets = Buckets::new(10);
        for rate in [
            Rate::OFF,
            Rate {
                per_second: f64::NAN,
                burst: 1.0,
            },
        ] {
            assert_eq!(buckets.take(&1, rate, Instant::now()), None);
        }
        assert_eq!(buckets.len(), 0);
    }

    #[test]
    fn the_table_is_bounded_and_remembers_who_spent_most() {
        let (buckets, start) = (Buckets::new(80), Instant::now());
        let slow = Rate {
            per_second: 0.001,
            burst: 100.0,
        };
        buckets.charge(&u64::MAX, slow, 500.0, start);
        for who in 0..100_000_u64 {
            buckets.take(&who, slow, start);
            assert!(buckets.len() <= 80);
        }
        let spent = buckets.take(&u64::MAX, slow, start).unwrap();
        assert!(spent.is_err(), "the debt was forgotten");
        // Full buckets go first, all of them.
        let later = after(start, 2_000_000_000);
        buckets.take(&0, slow, later);
        assert!(buckets.len() <= 80);
        for who in 0..80_u64 {
            buckets.take(&(who + 1_000_000), slow, later);
        }
        assert!(buckets.len() <= 80);
    }
}
