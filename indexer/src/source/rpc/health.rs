//! What is known of an endpoint from how it behaved: speed, errors, limits.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chain_metadata::{BlockNumber, H256};

/// Most calls in one batch.
const MOST_CALLS: usize = 256;
/// Longest time an endpoint is left alone after errors.
const LONGEST_REST: Duration = Duration::from_secs(30);
/// A full batch has to succeed this often before a larger one is tried; the
/// number doubles each time one was refused.
const WINS: u32 = 64;

/// The same after connections were lost, which may have had another reason.
const WINS_AFTER_LOSS: u32 = 4;

/// Whether it is certain that a batch was too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The connection was lost, for whatever reason.
    Some,
    /// The node said so.
    None,
}

/// One endpoint's record.
#[derive(Debug)]
pub(super) struct Health {
    /// Moving average of the time a small question takes.
    latency: Option<Duration>,
    /// Errors since the last good answer.
    errors: u32,
    rests_until: Option<Instant>,
    /// Highest block of which it said that the state is thrown away.
    pub(super) pruned: Option<BlockNumber>,
    /// Genesis hash of the wrong chain that it serves.
    pub(super) wrong: Option<H256>,
    /// Most calls it takes in one batch, as far as is known; at least 1.
    calls: usize,
    wins: u32,
    wins_needed: u32,
}

impl Default for Health {
    fn default() -> Self {
        Health {
            latency: None,
            errors: 0,
            rests_until: None,
            pruned: None,
            wrong: None,
            calls: MOST_CALLS,
            wins: 0,
            wins_needed: WINS,
        }
    }
}

impl Health {
    /// An answer was good.
    pub(super) fn good(&mut self) {
        self.errors = 0;
        self.rests_until = None;
    }

    /// It failed; the more often in a row, the longer others are asked first.
    pub(super) fn failed(&mut self) {
        let rest = Duration::from_millis(250 << self.errors.min(7)).min(LONGEST_REST);
        self.errors = self.errors.saturating_add(1);
        self.rest(rest);
    }

    /// Others are asked first for so long.
    pub(super) fn rest(&mut self, rest: Duration) {
        self.rests_until = Instant::now().checked_add(rest);
    }

    pub(super) fn rests(&self) -> bool {
        self.rests_until.is_some_and(|until| until > Instant::now())
    }

    /// How long a small question took.
    pub(super) fn took(&mut self, time: Duration) {
        self.latency = Some(match self.latency {
            None => time,
            Some(before) => (before * 3 + time) / 4,
        });
    }

    /// What stands for its speed in a comparison, microseconds. The endpoint in
    /// use has a start, so that equal ones do not take turns.
    pub(super) fn cost(&self, in_use: bool) -> u128 {
        match (self.latency, in_use) {
            (None, true) => 0,
            (None, false) => u128::MAX,
            (Some(time), false) => time.as_micros(),
            (Some(time), true) => (time.as_micros() / 2).saturating_sub(50_000),
        }
    }

    /// The state of a block is thrown away there.
    pub(super) fn has_pruned(&mut self, number: BlockNumber) {
        self.pruned = self.pruned.max(Some(number));
    }

    /// Most calls for one batch.
    pub(super) fn calls(&self) -> usize {
        self.calls
    }

    /// A batch of more than `calls` calls was not taken.
    pub(super) fn shrink(&mut self, calls: usize, doubt: Doubt) {
        let calls = calls.max(1);
        if calls < self.calls {
            self.calls = calls;
            self.wins = 0;
            self.wins_needed = match doubt {
                Doubt::Some => WINS_AFTER_LOSS,
                Doubt::None => self.wins_needed.saturating_mul(2).max(2 * WINS),
            };
        }
    }

    /// A batch that was as long as it may be was answered.
    pub(super) fn full_batch(&mut self) {
        self.wins = self.wins.saturating_add(1);
        if self.wins >= self.wins_needed {
            self.wins = 0;
            self.calls = self.calls.saturating_mul(2).min(MOST_CALLS);
        }
    }
}

/// The lock, whatever happened to its last holder: nothing in here can be half done.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_make_it_rest_and_a_good_answer_ends_that() {
        let mut health = Health::default();
        assert!(!health.rests());
        for _ in 0..40 {
            health.failed();
        }
        assert!(health.rests());
        let longest = Instant::now() + LONGEST_REST;
        assert!(health.rests_until.unwrap() <= longest);
        health.good();
        assert!(!health.rests());
        health.failed();
        let soon = Instant::now() + Duration::from_millis(250);
        assert!(health.rests_until.unwrap() <= soon, "counts from new");
    }

    #[test]
    fn only_a_much_faster_one_takes_over() {
        let (mut used, mut other) = (Health::default(), Health::default());
        assert!(used.cost(true) < other.cost(false));
        used.took(Duration::from_millis(80));
        other.took(Duration::from_millis(30));
        assert!(used.cost(true) < other.cost(false));
        for _ in 0..20 {
            used.took(Duration::from_millis(400));
        }
        assert!(used.cost(true) > other.cost(false));
    }

    #[test]
    fn batches_shrink_to_single_calls_and_grow_again_slowly() {
        let mut health = Health::default();
        health.shrink(8, Doubt::None);
        health.shrink(20, Doubt::None);
        assert_eq!(health.calls(), 8, "a limit is not raised by a refusal");
        health.shrink(0, Doubt::None);
        assert_eq!(health.calls(), 1);
        for _ in 0..255 {
            health.full_batch();
        }
        assert_eq!(health.calls(), 1);
        health.full_batch();
        assert_eq!(health.calls(), 2);
        for _ in 0..256 * 20 {
            health.full_batch();
        }
        assert_eq!(health.calls(), MOST_CALLS);
        health.shrink(8, Doubt::Some);
        for _ in 0..4 {
            health.full_batch();
        }
        assert_eq!(health.calls(), 16, "a loss is soon forgotten");
    }
}
